"""Times transformers' `generate`: 16 prompts of 4,096 tokens, 8 responses of 256 sampled tokens each.

    python benches/gpu/pytorch/rollout.py --out results.jsonl
    python benches/gpu/pytorch/rollout.py --tiny --device cpu            whether it runs

Random bf16 weights of Qwen2.5-3B's shape, SDPA, the cache that transformers chooses, temperature 1, no end token. All
128 responses in one batch, or where the card's memory does not hold it in two, and so on. A few tokens are generated
first, untimed.
"""

import time

import torch

from qwen import Results, arguments, build, free


def generate(model, prompts, responses, new, batch):
    """All responses, `batch` prompts at a time; seconds."""
    on_card = prompts.is_cuda
    start = time.perf_counter()
    for i in range(0, len(prompts), batch):
        tokens = prompts[i : i + batch]
        out = model.generate(
            input_ids=tokens,
            attention_mask=torch.ones_like(tokens),
            num_return_sequences=responses,
            min_new_tokens=new,
            max_new_tokens=new,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            use_cache=True,
            pad_token_id=0,
        )
        assert out.shape == (len(tokens) * responses, tokens.shape[1] + new), out.shape
    if on_card:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main():
    parser = arguments(__doc__)
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args()
    results = Results(options.out, options.device)
    shape = "tiny" if options.tiny else "qwen2.5-3b"
    count, length, responses, new = (4, 24, 2, 6) if options.tiny else (16, 4096, 8, 256)
    model = build(shape, options.device).eval()
    model.generation_config.eos_token_id = None
    generator = torch.Generator().manual_seed(1)
    prompts = torch.randint(0, model.config.vocab_size, (count, length), generator=generator).to(options.device)
    generate(model, prompts[:1, :16], 2, 4, 1)
    batch = count
    while batch > 0:
        try:
            seconds = [generate(model, prompts, responses, new, batch) for _ in range(options.runs)]
            break
        except torch.OutOfMemoryError:
            free()
            batch //= 2
    else:
        results.add("rollout", out_of_memory=True)
        return
    fastest = min(seconds)
    results.add(
        "rollout",
        prompts_a_batch=batch,
        seconds=[round(s, 3) for s in seconds],
        tokens_per_s=round(count * responses * new / fastest, 1),
        peak_bytes=torch.cuda.max_memory_allocated() if options.device == "cuda" else 0,
    )


if __name__ == "__main__":
    main()
