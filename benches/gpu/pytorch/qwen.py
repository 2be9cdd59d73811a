"""What the PyTorch side of the GPU benchmarks shares: the model, its optimiser, the loss, the results file.

The recipe is that of a careful trainer of one GPU: transformers' Qwen2 with SDPA, every layer checkpointed, the
vocabulary head on trained positions only, its loss fused and chunked so that the logits are never whole and never
computed twice, weights in bf16 with gradients, master weights and moments in f32.
"""

import argparse
import gc
import json
import statistics
import time
from dataclasses import dataclass

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

# Qwen2.5-3B's published config.json; `tiny` has its parts at a size that a processor runs in seconds.
SHAPES = {
    "qwen2.5-3b": dict(
        vocab_size=151936,
        hidden_size=2048,
        intermediate_size=11008,
        num_hidden_layers=36,
        num_attention_heads=16,
        num_key_value_heads=2,
    ),
    "tiny": dict(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    ),
}
# Rows of logits in memory at once: 1.2 GB in f32 at the model's vocabulary, and large enough for every product.
HEAD_ROWS = 2048


def arguments(description):
    """The parser with what every script takes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="file that gets one JSON line a measurement")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the script")
    parser.add_argument("--tiny", action="store_true", help="tiny shapes: whether the script runs, not how fast")
    return parser


class Results:
    """Prints measurements, and appends them to a file as soon as they are made."""

    def __init__(self, path, device):
        self.path = path
        name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
        self.common = {"side": "pytorch", "torch": torch.__version__, "card": name}

    def add(self, what, **values):
        line = json.dumps({"what": what, **self.common, **values})
        print(line, flush=True)
        if self.path:
            with open(self.path, "a", encoding="utf8") as out:
                out.write(line + "\n")


def build(shape, device, attention="sdpa", **changes):
    """The model with random bf16 weights, made on the device."""
    config = Qwen2Config(
        **{**SHAPES[shape], **changes},
        tie_word_embeddings=True,
        max_position_embeddings=32768,
        rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        attention_dropout=0.0,
        use_cache=False,
    )
    torch.manual_seed(0)
    with torch.device(device):
        model = Qwen2ForCausalLM._from_config(config, attn_implementation=attention, dtype=torch.bfloat16)
    return model


class FusedLoss(torch.autograd.Function):
    """sum of coefficient * log-probability of the target, over rows; its gradients are made while the logits are there.

    The gradient by the head's weight goes straight to `d_weight` (f32), in place.
    """

    @staticmethod
    def forward(ctx, hidden, weight, targets, coefficients, d_weight):
        d_hidden, log_probs = torch.empty_like(hidden), []
        for i in range(0, hidden.shape[0], HEAD_ROWS):
            h, y, c = hidden[i : i + HEAD_ROWS], targets[i : i + HEAD_ROWS, None], coefficients[i : i + HEAD_ROWS, None]
            logits = (h @ weight.T).float()
            normaliser = logits.logsumexp(-1, keepdim=True)
            log_probs.append((logits.gather(1, y) - normaliser).squeeze(1))
            d_logits = logits.sub_(normaliser).exp_().mul_(-c)
            d_logits.scatter_add_(1, y, c)
            d_logits = d_logits.to(h.dtype)
            torch.mm(d_logits, weight, out=d_hidden[i : i + HEAD_ROWS])
            d_weight.add_(d_logits.T @ h)
        log_probs = torch.cat(log_probs)
        ctx.save_for_backward(d_hidden)
        ctx.mark_non_differentiable(log_probs)
        return (log_probs * coefficients).sum(), log_probs

    @staticmethod
    def backward(ctx, scale, _):
        (d_hidden,) = ctx.saved_tensors
        return d_hidden * scale, None, None, None, None


class Trainer:
    """bf16 weights with f32 gradients, master weights and moments: AdamW, fused, with the gradient's norm clipped."""

    def __init__(self, model):
        self.model = model
        self.weights = list(model.parameters())
        self.masters = [w.detach().float() for w in self.weights]
        for weight, master in zip(self.weights, self.masters):
            master.grad = torch.zeros_like(master)
            weight.register_post_accumulate_grad_hook(self._collect(master))
        fused = self.masters[0].is_cuda
        self.optimiser = torch.optim.AdamW(self.masters, lr=1e-6, weight_decay=0.0, fused=fused)
        head = model.lm_head.weight
        self.d_head = next(m.grad for w, m in zip(self.weights, self.masters) if w is head)

    @staticmethod
    def _collect(master):
        def add(weight):
            master.grad.add_(weight.grad)
            weight.grad = None

        return add

    def loss(self, hidden, targets, coefficients):
        return FusedLoss.apply(hidden, self.model.lm_head.weight, targets, coefficients, self.d_head)[0]

    def step(self):
        torch.nn.utils.clip_grad_norm_(self.masters, 1.0, foreach=True)
        self.optimiser.step()
        with torch.no_grad():
            torch._foreach_copy_(self.weights, self.masters)
        torch._foreach_zero_([m.grad for m in self.masters])


@dataclass
class Measured:
    """Seconds of each timed run, and the most memory beyond what was there before it."""

    runs: list
    activation_bytes: int
    peak_bytes: int

    def values(self):
        return {
            "median_s": round(statistics.median(self.runs), 5),
            "runs_s": [round(r, 5) for r in self.runs],
            "activation_bytes": self.activation_bytes,
            "peak_bytes": self.peak_bytes,
        }


def measure(work, device, runs, warm_up=1):
    """Times `work`; None where the card's memory does not hold it."""
    on_card = device == "cuda"
    seconds, before, peak = [], 0, 0
    try:
        for run in range(warm_up + runs):
            if on_card:
                torch.cuda.synchronize()
                torch.cuda.reset_peak_memory_stats()
                before = torch.cuda.memory_allocated()
            start = time.perf_counter()
            work()
            if on_card:
                torch.cuda.synchronize()
                peak = torch.cuda.max_memory_allocated()
            if run >= warm_up:
                seconds.append(time.perf_counter() - start)
    except torch.OutOfMemoryError:
        free()
        return None
    return Measured(seconds, peak - before, peak)


def free():
    """Gives back what nothing refers to."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
