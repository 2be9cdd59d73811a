"""What bf16 costs PyTorch in exactness: log-probabilities and gradients against its own f32 on the same rounded weights.

    attending model random --like benches/gpu/four_layers.json --out DIR
    gpu equality --model DIR --sequences sequences.json --out results.jsonl      (Attending's side; writes the sequences)
    python benches/gpu/pytorch/equality.py --model DIR --sequences sequences.json --out results.jsonl

The sequences' file holds tokens, the first trained token, a coefficient for each trained token, and the
log-probabilities of Attending's f32 decoder on the CPU, which PyTorch's f32 must agree with: else the two do not measure
the same model. The loss is the sum of coefficient times log-probability.
"""

import json

import torch
from transformers import Qwen2ForCausalLM

from qwen import Results, arguments


def run(model, sequences, device):
    """Log-probabilities of all trained tokens, one sequence after the other; gradients are left in the parameters."""
    values = []
    for sequence in sequences:
        tokens = torch.tensor([sequence["tokens"]], device=device)
        first = sequence["trained_from"]
        coefficients = torch.tensor(sequence["coefficients"], device=device)
        hidden = model.model(input_ids=tokens).last_hidden_state[0, first - 1 : -1]
        log_probs = model.lm_head(hidden).float().log_softmax(-1).gather(1, tokens[0, first:, None]).squeeze(1)
        (log_probs * coefficients).sum().backward()
        values.append(log_probs.detach())
    return torch.cat(values)


def load(folder, device):
    """The model in bf16, and in f32 with the same rounded weights."""
    rounded = Qwen2ForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, attn_implementation="sdpa").to(device)
    exact = Qwen2ForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").to(device)
    with torch.no_grad():
        for to, weights in zip(exact.parameters(), rounded.parameters()):
            to.copy_(weights)
    return rounded.train(), exact.train()


def main():
    parser = arguments(__doc__)
    parser.add_argument("--model", required=True, help="folder with the weights")
    parser.add_argument("--sequences", required=True, help="JSON that Attending's side wrote")
    options = parser.parse_args()
    torch.set_float32_matmul_precision("highest")
    with open(options.sequences, encoding="utf8") as file:
        given = json.load(file)
    rounded, exact = load(options.model, options.device)
    got, want = (run(model, given["sequences"], options.device) for model in (rounded, exact))
    apart = (got - want).abs()
    square = sum((g.grad.float() - w.grad).pow(2).sum() for g, w in zip(rounded.parameters(), exact.parameters()))
    norm = sum(w.grad.pow(2).sum() for w in exact.parameters())
    oracle = torch.tensor(given["log_probs"], device=options.device)
    Results(options.out, options.device).add(
        "equality",
        mean=apart.mean().item(),
        max=apart.max().item(),
        gradient=(square / norm).sqrt().item(),
        f32_apart=(want - oracle).abs().max().item(),
    )


if __name__ == "__main__":
    main()
