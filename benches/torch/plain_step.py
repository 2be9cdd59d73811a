"""Times PyTorch on plain sequences: transformers' Qwen2 or Llama with SDPA, forward and backward in f32.

The yardstick for `all` (no checkpointing) and `input` (checkpointing) of Attending's own step on the same shapes:

    python benches/torch/plain_step.py                          every shape, batch and mode
    python benches/torch/plain_step.py --shape small --batch 8x640 --checkpointing off --runs 7

Only the labelled positions go through the vocabulary head: the last 128 tokens of each sequence of 8 x 640, all tokens
of 1 x 2048 (`--labels N` or `--labels all` sets another number). The loss is the sum of random coefficients times the
token log-probabilities. One JSON line a case: the median of the timed runs, after one warm-up, with gradients zeroed in
place between runs so that no run pays for fresh memory. Weights and tokens are random; nothing else should run.
"""

import argparse
import json
import statistics
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

COMMON = {"max_position_embeddings": 8192, "tie_word_embeddings": True, "attention_dropout": 0.0, "use_cache": False}
SHAPES = {
    "small": (
        Qwen2ForCausalLM,
        Qwen2Config,
        {
            "vocab_size": 4096,
            "hidden_size": 256,
            "intermediate_size": 1024,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "rope_theta": 1e6,
        },
    ),
    "smollm2-135m": (
        LlamaForCausalLM,
        LlamaConfig,
        {
            "vocab_size": 49152,
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "rope_theta": 1e5,
        },
    ),
}
# Batch: sequences, tokens, labelled positions a sequence (0: all that have a predecessor).
BATCHES = {"8x640": (8, 640, 128), "1x2048": (1, 2048, 0)}


def step(model, tokens, labels, coefficients):
    """Loss of the last `labels` tokens of each sequence, and its gradients."""
    hidden = model.model(input_ids=tokens).last_hidden_state
    # Row i predicts token i + 1.
    rows = hidden[:, -labels - 1 : -1].reshape(-1, hidden.shape[-1])
    targets = tokens[:, -labels:].reshape(-1)
    logits = model.lm_head(rows)
    log_p = torch.log_softmax(logits, dim=-1).gather(1, targets[:, None]).squeeze(1)
    loss = (log_p * coefficients).sum()
    loss.backward()
    return loss.item()


def measure(shape, batch, checkpointing, labels, runs):
    torch.manual_seed(0)
    cls, config_cls, sizes = SHAPES[shape]
    model = cls._from_config(config_cls(**sizes, **COMMON), attn_implementation="sdpa", dtype=torch.float32)
    # Checkpointing is active in training mode only; there is no dropout, so that the values do not depend on it.
    model.train()
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    sequences, length, own = BATCHES[batch]
    labels = labels if labels is not None else own
    labels = labels or length - 1
    tokens = torch.randint(0, sizes["vocab_size"], (sequences, length))
    coefficients = torch.randn(sequences * labels)
    times = []
    for run in range(runs + 1):
        model.zero_grad(set_to_none=False)
        start = time.perf_counter()
        step(model, tokens, labels, coefficients)
        if run > 0:
            times.append(time.perf_counter() - start)
    return {
        "shape": shape,
        "batch": batch,
        "checkpointing": checkpointing,
        "labels": sequences * labels,
        "threads": torch.get_num_threads(),
        "median_seconds": round(statistics.median(times), 4),
        "fastest_seconds": round(min(times), 4),
        "runs": runs,
        "torch": torch.__version__,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=[*SHAPES, "all"], default="all")
    parser.add_argument("--batch", choices=[*BATCHES, "all"], default="all")
    parser.add_argument("--checkpointing", choices=["on", "off", "both"], default="both")
    parser.add_argument("--labels", help="labelled positions a sequence: a number or `all`", default=None)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    labels = None if args.labels is None else 0 if args.labels == "all" else int(args.labels)
    for shape in SHAPES if args.shape == "all" else [args.shape]:
        for batch in BATCHES if args.batch == "all" else [args.batch]:
            for on in {"on": [True], "off": [False], "both": [False, True]}[args.checkpointing]:
                print(json.dumps(measure(shape, batch, on, labels, args.runs)), flush=True)


if __name__ == "__main__":
    main()
