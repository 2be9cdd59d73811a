"""Agreement of `attending eval --protocol loglikelihood` with lm-evaluation-harness, option by option.

Both read the same weights (a folder that `attending model convert` wrote, f32) and the same published files. The
harness's own task files are taken from its package; only their data sets are replaced by local files in the fields that
they expect. Needs lm-eval with transformers and torch:

    attending model convert SmolLM2-135M-Instruct.Q4_1.gguf --out smollm2
    python eval/agreement/lm_eval_agreement.py --model smollm2 --data DATA --attending target/release/attending \\
        --limit 200 --out eval/agreement/smollm2-135m.json

The result is written after each task, and the same call goes on with those that are missing.

For each task: the largest relative difference of an option's log-likelihood, the share of questions with the same chosen
option, and both accuracies (acc, and acc_norm where the task has it).
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")

# Benchmark here: task there, its file in the package, files beside it that it imports.
TASKS = {
    "medqa": ("medqa_4options", "medqa/medqa.yaml", ["medqa/preprocess_medqa.py"]),
    "medmcqa": ("medmcqa", "medmcqa/medmcqa.yaml", ["medmcqa/utils_medmcqa.py"]),
    "pubmedqa": ("pubmedqa", "pubmedqa/pubmedqa.yaml", ["pubmedqa/preprocess_pubmedqa.py"]),
    "mmlu_anatomy": ("mmlu_anatomy", "mmlu/default/mmlu_anatomy.yaml", ["mmlu/default/_default_template_yaml"]),
}


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def documents(benchmark, data):
    """The records of a published file, in the fields of the hub's copy."""
    if benchmark == "medqa":
        for r in lines(data / "medqa/us_4opt_test.jsonl"):
            o = r["options"]
            yield {"sent1": r["question"], "sent2": "", "ending0": o["A"], "ending1": o["B"], "ending2": o["C"],
                   "ending3": o["D"], "label": "ABCD".index(r["answer_idx"])}
    elif benchmark == "medmcqa":
        for r in lines(data / "medmcqa/dev.jsonl"):
            # Counted from 1 in the published file, from 0 in the hub's copy.
            yield {k: r[k] for k in ("question", "opa", "opb", "opc", "opd")} | {"cop": r["cop"] - 1}
    elif benchmark == "pubmedqa":
        test = json.loads((data / "pubmedqa/test_ground_truth.json").read_text())
        for pmid, r in json.loads((data / "pubmedqa/ori_pqal.json").read_text()).items():
            if pmid in test:
                yield {k: r[k] for k in ("QUESTION", "CONTEXTS", "final_decision")}
    else:
        for r in lines(data / "mmlu_medical/test.jsonl"):
            if r["subject"] == benchmark.removeprefix("mmlu_"):
                yield {"question": r["question"], "choices": list(r["options"].values()),
                       "answer": list(r["options"]).index(r["answer_idx"])}


def local_tasks(folder, data):
    """Copies of the harness's task files that read local data."""
    import lm_eval

    package = Path(lm_eval.__file__).parent / "tasks"
    for benchmark, (task, yaml, beside) in TASKS.items():
        own = folder / benchmark
        own.mkdir()
        file = own / "test.jsonl"
        file.write_text("".join(json.dumps(d) + "\n" for d in documents(benchmark, data)))
        for name in [yaml, *beside]:
            shutil.copy(package / name, own / Path(name).name)
        for path in own.iterdir():
            text = path.read_text()
            if "dataset_path" in text:
                text = re.sub(r"(?m)^(dataset_name|training_split|validation_split|test_split|fewshot_split):.*\n", "", text)
                text = re.sub(r"(?m)^fewshot_config:\n(  .*\n)+", "", text)
                text = re.sub(r"(?m)^dataset_path:.*$",
                              f"dataset_path: json\ntest_split: test\ndataset_kwargs:\n  data_files:\n    test: {file}", text)
            text = re.sub(r'(?m)^"?dataset_name"?:.*\n', "", text)
            text = re.sub(r'(?m)^"?tag"?:.*\n', "", text)
            text = re.sub(r'(?m)^("?task"?: *"?)(' + task + ")", r"\1local_" + task, text)
            path.write_text(text)


def reference(lm, folder, name, limit):
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(folder), include_defaults=False)
    found = simple_evaluate(model=lm, tasks=[name], task_manager=manager, limit=limit, log_samples=True, bootstrap_iters=0)
    return found["results"][name], sorted(found["samples"][name], key=lambda sample: sample["doc_id"])


def ours(program, model, data, benchmark, limit, out):
    command = [program, "eval", "--model", model, "--benchmark", benchmark, "--data", data, "--protocol", "loglikelihood",
               "--limit", str(limit), "--out", out, "--json"]
    results = json.loads(subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout)
    return results, [r["log_likelihoods"] for r in lines(out / "samples.jsonl")]


def compared(theirs, ours):
    """One task's figures, of both sides' results and log-likelihoods."""
    (figures, samples), (results, values) = theirs, ours
    expected = [[float(r[0]) for r in s["filtered_resps"]] for s in samples]
    assert len(expected) == len(values) and all(len(a) == len(b) for a, b in zip(expected, values))
    relative = [abs(a - b) / abs(a) for x, y in zip(expected, values) for a, b in zip(x, y)]
    same = [x.index(max(x)) == y.index(max(y)) for x, y in zip(expected, values)]
    record = {"questions": len(values), "options": len(relative), "largest_relative_difference": max(relative),
              "same_choice": sum(same) / len(same),
              "acc": {"lm_eval": figures["acc,none"], "attending": results["accuracy"]["estimate"]}}
    if "acc_norm,none" in figures:
        record["acc_norm"] = {"lm_eval": figures["acc_norm,none"], "attending": results["accuracy_normalised"]["estimate"]}
    return record


def main():
    parser = argparse.ArgumentParser()
    for name in ("model", "data", "attending", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=200)
    args = parser.parse_args()
    import lm_eval, torch, transformers
    from lm_eval.models.huggingface import HFLM

    report = {"limit": args.limit, "dtype": "float32", "lm_eval": lm_eval.__version__, "torch": torch.__version__,
              "transformers": transformers.__version__}
    # A task that stands in the file under the same circumstances is not computed again.
    before = json.loads(args.out.read_text()) if args.out.exists() else {}
    known = before.pop("tasks", {})
    report["tasks"] = known if before == report else {}
    lm = None
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        tasks = scratch / "tasks"
        tasks.mkdir()
        local_tasks(tasks, args.data.resolve())
        for benchmark, (task, _, _) in TASKS.items():
            if task in report["tasks"]:
                continue
            lm = lm or HFLM(pretrained=str(args.model), dtype="float32", device="cpu", batch_size=4)
            theirs = reference(lm, tasks, f"local_{task}", args.limit)
            own = ours(args.attending.resolve(), args.model, args.data, benchmark, args.limit, scratch / benchmark)
            report["tasks"][task] = compared(theirs, own)
            args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
