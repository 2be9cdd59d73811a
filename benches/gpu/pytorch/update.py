"""Times PyTorch's update step (forward, recompute, backward, one AdamW step) of a 3B model on the GPU.

    python benches/gpu/pytorch/update.py --out results.jsonl              all of the below
    python benches/gpu/pytorch/update.py --part group --micro-batch 2     eight sequences of one group, two at a time
    python benches/gpu/pytorch/update.py --tiny --device cpu              whether it runs

Parts: `group`, one prompt of 8,192 tokens with 8 responses of 512 as eight separate sequences, in micro-batches of 1,
2, 4 and 8; `grouper`, the same with the prompt encoded once by the package prefix-grouper; `plain`, 8 sequences of
2,048. Needs torch and transformers; `grouper` needs prefix-grouper. Random weights and tokens.
"""

from importlib.util import find_spec

import torch

from qwen import Results, Trainer, arguments, build, free, measure

PARTS = ("group", "grouper", "plain")


class Work:
    """One optimiser batch: `count` sequences of `length` tokens, whose last `trained` are learned."""

    def __init__(self, trainer, count, length, trained, device):
        self.trainer, self.trained = trainer, trained
        vocab = trainer.model.config.vocab_size
        generator = torch.Generator().manual_seed(1)
        self.tokens = torch.randint(0, vocab, (count, length), generator=generator).to(device)
        self.coefficients = torch.randn((count, trained), generator=generator).to(device) / (count * trained)

    def share_prompt(self, prefix):
        self.tokens[:, :prefix] = self.tokens[0, :prefix]
        return self

    def step(self, micro_batch):
        for i in range(0, self.tokens.shape[0], micro_batch):
            tokens, coefficients = self.tokens[i : i + micro_batch], self.coefficients[i : i + micro_batch]
            hidden = self.trainer.model.model(input_ids=tokens).last_hidden_state
            # Row j predicts token j + 1.
            rows = hidden[:, -self.trained - 1 : -1].reshape(-1, hidden.shape[-1])
            self.trainer.loss(rows, tokens[:, -self.trained :].reshape(-1), coefficients.reshape(-1)).backward()
        self.trainer.step()


class Grouped:
    """The group's step through prefix-grouper: one row of the prompt followed by all responses."""

    def __init__(self, work, prefix, device):
        from prefix_grouper import PrefixGrouper

        self.work = work
        prompt, responses = work.tokens[:1, :prefix], work.tokens[:, prefix:]
        self.targets = responses.reshape(-1)
        masks = [torch.ones_like(part, dtype=torch.bool) for part in (prompt, responses)]
        self.grouper = PrefixGrouper.from_ungrouped_masks(*masks, group_sizes=len(responses), device=device)
        self.tokens = self.grouper.concat_input(prompt, masks[0], responses, masks[1])
        own = torch.arange(prefix, work.tokens.shape[1], device=device).repeat(len(responses))
        self.positions = torch.cat([torch.arange(prefix, device=device), own])[None]

    def step(self):
        trainer = self.work.trainer
        model = trainer.model.model
        hidden = model(input_ids=self.tokens, position_ids=self.positions, prefix_grouper=self.grouper)
        # The prompt's last row predicts every response's first token.
        rows = self.grouper.split_output(hidden.last_hidden_state, include_prefix_last=1)[2][:, :-1]
        trainer.loss(rows.flatten(0, 1), self.targets, self.work.coefficients.reshape(-1)).backward()
        trainer.step()


def register_grouper():
    """prefix-grouper's attention with PyTorch's fused kernels; the package's own adapter is for flash-attn alone.

    All rows are full, so that its padding masks say nothing and the kernels can be the ones without a mask: causal
    over the prompt, causal aligned at the end over a response that sees the prompt first.
    """
    from torch.nn.attention.bias import causal_lower_right
    from torch.nn.functional import scaled_dot_product_attention
    from transformers import AttentionInterface

    def fused(q, k, v, padding, scale):
        causal = causal_lower_right(q.shape[2], k.shape[2])
        return scaled_dot_product_attention(q, k, v, attn_mask=causal, scale=scale, enable_gqa=True).transpose(1, 2)

    def attention(module, query, key, value, mask, scaling, prefix_grouper, **kwargs):
        return prefix_grouper.forward(fused, query, key, value, scaling), None

    AttentionInterface.register("prefix_grouper", attention)
    return "prefix_grouper"


def trainer_of(shape, options, attention="sdpa"):
    model = build(shape, options.device, attention)
    # Checkpointing is active in training mode only; there is no dropout.
    model.train()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if options.compile:
        for layer in model.model.layers:
            layer.compile()
    return Trainer(model)


def grouped_as_separate(options):
    """Relative distance between the gradients of the two paths of a group, tiny and in f32."""
    gradients = []
    for attention in ("sdpa", register_grouper()):
        trainer = trainer_of("tiny", options, attention)
        trainer.model.float()
        trainer.step = lambda: None
        work = Work(trainer, 8, 64, 16, options.device).share_prompt(48)
        work.step(2) if attention == "sdpa" else Grouped(work, 48, options.device).step()
        gradients.append(torch.cat([master.grad.flatten() for master in trainer.masters]))
    return ((gradients[0] - gradients[1]).norm() / gradients[0].norm()).item()


def main():
    parser = arguments(__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="may be repeated; default: all")
    parser.add_argument("--micro-batch", type=int, action="append", help="may be repeated; default: 8, 1, 2 and 4")
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each, after one that is not")
    parser.add_argument("--compile", action="store_true", help="layers through torch.compile")
    options = parser.parse_args()
    results = Results(options.out, options.device)
    shape = "tiny" if options.tiny else "qwen2.5-3b"
    prefix, response, plain = (48, 16, 32) if options.tiny else (8192, 512, 2048)
    parts = options.part or PARTS

    def add(what, measured, **values):
        values |= {"compiled": options.compile}
        results.add(what, **values, **(measured.values() if measured else {"out_of_memory": True}))

    if "group" in parts or "plain" in parts:
        trainer = trainer_of(shape, options)
        if "group" in parts:
            work = Work(trainer, 8, prefix + response, response, options.device).share_prompt(prefix)
            for size in options.micro_batch or (8, 1, 2, 4):
                add("group", measure(lambda: work.step(size), options.device, options.runs), micro_batch=size)
        if "plain" in parts:
            work = Work(trainer, 8, plain, plain - 1, options.device)
            for size in options.micro_batch or (8, 2):
                add("plain", measure(lambda: work.step(size), options.device, options.runs), micro_batch=size)
        del trainer, work
        free()
    if "grouper" in parts and find_spec("prefix_grouper") is None:
        results.add("grouper", skipped="the package prefix-grouper is not installed")
    elif "grouper" in parts:
        trainer = trainer_of(shape, options, register_grouper())
        work = Work(trainer, 8, prefix + response, response, options.device).share_prompt(prefix)
        # Fast and wrong would be no yardstick.
        apart = grouped_as_separate(options)
        assert apart < 1e-4, f"prefix-grouper's gradient differs from that of separate sequences: {apart}"
        add("grouper", measure(Grouped(work, prefix, options.device).step, options.device, options.runs + 2))


if __name__ == "__main__":
    main()
