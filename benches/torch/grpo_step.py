"""A whole GRPO step (sample 64 completions, score them, update), TRL's GRPOTrainer against `attending train`.

    cargo build --release
    python benches/torch/grpo_step.py --cases us_5opt_dev.jsonl             200 / 100 and 1,024 / 64 tokens

One script, one machine, the same weights, tokenizer and questions for both: a random Qwen2 of 2 M parameters, 8 prompts
of the stated number of tokens, 8 completions each of the stated number, temperature 1, no reference model, one AdamW
step. TRL is given a trivial reward and its defaults for the CPU; Attending scores with its whole rubric. One untimed
step each, then the median of the others. Needs torch, transformers and trl; `--cases` is any JSON Lines file with a
`question` (MedQA as published).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIZES = [(200, 100), (1024, 64)]


def tokenizer_of(questions):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2048,
        special_tokens=["<pad>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(questions, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<pad>", eos_token="<eos>")


def prompts_of(questions, tokenizer, tokens, count):
    """Texts of `tokens` tokens, give or take the one that cutting inside a word may cost."""
    texts = []
    for question in questions:
        ids = tokenizer((question + " ") * 12)["input_ids"][:tokens]
        if len(ids) == tokens:
            texts.append(tokenizer.decode(ids))
        if len(texts) == count:
            return texts
    sys.exit(f"too few questions for {count} prompts of {tokens} tokens")


def trl(model, tokenizer, prompts, new_tokens, steps, threads):
    import torch
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    torch.set_num_threads(threads)
    marks = [time.perf_counter()]

    class Clock(TrainerCallback):
        def on_step_end(self, *args, **kwargs):
            marks.append(time.perf_counter())

    config = GRPOConfig(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=64,
        num_generations=8,
        max_completion_length=new_tokens,
        max_steps=steps,
        learning_rate=1e-4,
        temperature=1.0,
        beta=0.0,
        gradient_checkpointing=False,
        use_cpu=True,
        bf16=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=lambda completions, **kwargs: [len(set(c)) / 100 for c in completions],
        args=config,
        train_dataset=Dataset.from_dict({"prompt": prompts}),
        processing_class=tokenizer,
    )
    trainer.add_callback(Clock())
    trainer.train()
    return [b - a for a, b in zip(marks[1:], marks[2:])]


def attending(binary, folder, work, prompts, prompt_tokens, new_tokens, steps, threads):
    cases = os.path.join(work, "cases.jsonl")
    with open(cases, "w", encoding="utf8") as out:
        for i, prompt in enumerate(prompts):
            options = [{"key": "A", "text": "yes"}, {"key": "B", "text": "no"}]
            case = {"schema": "attending.case/1", "id": f"bench:{i}", "dataset": "bench", "split": "train"}
            case |= {"task": "single_choice", "question": prompt, "options": options, "answer": {"keys": ["A"]}}
            out.write(json.dumps(case) + "\n")
    run = os.path.join(work, "run")
    settings = {
        "prompt.user_template": "{{ question }}",
        "data.max_prompt_tokens": prompt_tokens + 64,
        "rollout.prompts_per_step": 8,
        "rollout.group_size": 8,
        "rollout.max_new_tokens": new_tokens,
        "rollout.temperature": 1.0,
        "advantage.estimator": "grpo",
        "objective.kl_coefficient": 0.0,
        "optim.lr": 1e-4,
        "trainer.steps": steps,
    }
    command = [binary, "train", "--model", folder, "--cases", cases, "--run", run]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}" if not isinstance(value, str) else f'{key}="{value}"']
    environment = dict(os.environ, RAYON_NUM_THREADS=str(threads))
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"attending train failed ({done.returncode}): {done.stderr}")
    with open(os.path.join(run, "metrics.jsonl"), encoding="utf8") as lines:
        records = [json.loads(line) for line in lines]
    return [r["perf/step_seconds"] for r in records if "perf/step_seconds" in r][1:], records


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", required=True, help="JSON Lines with a `question`")
    parser.add_argument("--attending", default=os.path.join(ROOT, "target", "release", "attending"))
    parser.add_argument("--steps", type=int, default=6, help="steps of each, the first untimed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", action="append", help="PROMPT/NEW tokens, for example 200/100; may be repeated")
    options = parser.parse_args()

    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    with open(options.cases, encoding="utf8") as lines:
        questions = [json.loads(line)["question"] for line in lines]
    tokenizer = tokenizer_of(questions)
    sizes = [tuple(map(int, size.split("/"))) for size in options.size] if options.size else SIZES
    for prompt_tokens, new_tokens in sizes:
        torch.manual_seed(0)
        shape = dict(vocab_size=2048, hidden_size=192, intermediate_size=512, num_hidden_layers=4)
        shape |= dict(num_attention_heads=6, num_key_value_heads=2, max_position_embeddings=8192)
        model = Qwen2ForCausalLM(Qwen2Config(tie_word_embeddings=True, eos_token_id=1, pad_token_id=0, **shape))
        prompts = prompts_of(questions, tokenizer, prompt_tokens, 64)
        with tempfile.TemporaryDirectory() as work:
            folder = os.path.join(work, "model")
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            sizes_of = (prompt_tokens, new_tokens, options.steps, options.threads)
            ours, records = attending(options.attending, folder, work, prompts, *sizes_of)
        theirs = trl(model, tokenizer, prompts, new_tokens, options.steps, options.threads)
        ours, theirs = statistics.median(ours), statistics.median(theirs)
        last = records[-1]
        result = {"prompt": prompt_tokens, "new": new_tokens, "attending_s": round(ours, 3), "trl_s": round(theirs, 3)}
        result |= {"ratio": round(theirs / ours, 2)}
        result |= {k: round(v, 1) for k, v in last.items() if k in ("completions/mean_length", "prompt/mean_length")}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
