"""Puts what `scripts/gpu-check` measured into one table, each figure beside its bar.

    python benches/gpu/table.py results.jsonl [--run RUN_DIR]

`results.jsonl` holds the lines of `cargo bench --bench gpu` and of `pytorch/*.py`; where a measurement was repeated the
last counts. RUN_DIR is that of the training run: rewards on the held-out questions before and after, with the 95 %
interval of the paired difference (10,000 bootstrap resamples of questions). Needs nothing but Python.
"""

import argparse
import glob
import json
import os
import random

# Bytes a second that an H200's memory gives to a copy, and the bytes of one decode step of 16 prompts of 4,096 tokens
# with 8 responses each: weights, every prompt's keys and values once, each response's own (on average 128 tokens).
BANDWIDTH = 4.3e12
DECODE_BYTES = 6.17e9 + 36_864 * (16 * 4096 + 128 * 128)


def read(path):
    """The last measurement of each name, side and setting."""
    found = {}
    with open(path, encoding="utf8") as lines:
        for line in lines:
            record = json.loads(line)
            setting = [record.get(k) for k in ("micro_batch", "prompt", "reference", "compiled")]
            found[(record["side"], record["what"], *map(str, setting))] = record
    return list(found.values())


def pick(records, side, what, **settings):
    return [r for r in records if r["side"] == side and r["what"] == what and all(r.get(k) == v for k, v in settings.items())]


def first(records, *args, **settings):
    return next(iter(pick(records, *args, **settings)), None)


def fastest(records, what):
    timed = [r for r in pick(records, "pytorch", what) if "median_s" in r]
    return min(timed, key=lambda r: r["median_s"], default=None)


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, value, bar="", reached=None):
        self.rows.append((what, value, bar, {None: "", True: "yes", False: "NO"}[reached]))

    def ratio(self, what, top, bottom, bar, unit="x"):
        """top / bottom, which must be at least `bar`; nothing where one of them was not measured."""
        if top and bottom:
            self.add(what, f"{top / bottom:.2f}{unit}", f">= {bar}{unit}", top / bottom >= bar)
        else:
            self.add(what, "not measured", f">= {bar}{unit}")

    def print(self):
        head = ("what", "value", "bar", "reached")
        widths = [max(len(row[i]) for row in [head, *self.rows]) for i in range(4)]
        for row in [head, tuple("-" * w for w in widths), *self.rows]:
            print("| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths)) + " |")


def equality(table, records):
    ours, theirs = first(records, "attending", "equality"), first(records, "pytorch", "equality")
    bars = {"mean": 1.5e-2, "max": 8e-2, "gradient": 3e-2}
    for name, what in [("equality", "bf16, shared"), ("equality_plain", "bf16, plain"), ("equality_shared_plain", "shared against plain")]:
        if record := first(records, "attending", name):
            for key, bar in bars.items():
                table.add(f"{what}: {key}", f"{record[key]:.4f}", f"<= {bar}", record[key] <= bar)
    if ours and (plain := first(records, "attending", "equality_plain")):
        for key in bars:
            value = ours[key] / plain[key]
            table.add(f"error of shared / of plain: {key}", f"{value:.2f}", "<= 1.1", value <= 1.1)
    if ours and theirs:
        table.add("PyTorch's f32 against our oracle", f"{theirs['f32_apart']:.1e}", "<= 1e-3", theirs["f32_apart"] <= 1e-3)
        for key in bars:
            value = ours[key] / theirs[key]
            table.add(f"our {key} / PyTorch's ({theirs[key]:.4f})", f"{value:.2f}", "<= 1.1", value <= 1.1)


def updates(table, records):
    group = first(records, "attending", "group")
    seconds = group and group.get("median_s")
    if seconds:
        table.add("update, 8,192 + 8 x 512", f"{seconds:.3f} s", "<= 0.77 s", seconds <= 0.77)
        table.add("  useful work", f"{group['useful_flop_per_s'] / 1e12:.0f} TFLOP/s", ">= 355", group["useful_flop_per_s"] >= 0.45 * 790e12)
        table.add("  activations", f"{group['activation_bytes'] / 1e9:.2f} GB")
    separate = fastest(records, "group")
    if separate:
        table.add("PyTorch, separate sequences", f"{separate['median_s']:.3f} s, {separate['micro_batch']} at a time")
    table.ratio("  faster than that", separate and separate["median_s"], seconds, 5)
    whole = first(records, "pytorch", "group", micro_batch=8, compiled=False)
    table.ratio("  less activation memory than one batch", whole and whole.get("activation_bytes"), group and group.get("activation_bytes"), 4)
    grouper = fastest(records, "grouper")
    if grouper:
        table.add("PyTorch, prefix-grouper", f"{grouper['median_s']:.3f} s, {grouper['activation_bytes'] / 1e9:.2f} GB")
    table.ratio("  faster than that", grouper and grouper["median_s"], seconds, 1.15)
    table.ratio("  memory of that / ours", grouper and grouper["activation_bytes"], group and group.get("activation_bytes"), 1.0)
    plain, theirs = first(records, "attending", "plain"), fastest(records, "plain")
    if plain and plain.get("median_s"):
        table.add("plain, 8 x 2,048", f"{plain['median_s']:.3f} s")
    table.ratio("  PyTorch's time / ours", theirs and theirs["median_s"], plain and plain.get("median_s"), 1.0)


def memory(table, records):
    for record in sorted(pick(records, "attending", "memory"), key=lambda r: (r["reference"], r["prompt"])):
        what = f"prompt {record['prompt']:,}" + (", with reference" if record["reference"] else "")
        if record.get("out_of_memory"):
            table.add(what, "out of memory", "", False if record["prompt"] == 131072 else None)
            continue
        value = f"{record['peak_bytes'] / 1e9:.1f} GB ({record['card_bytes'] / 1e9:.1f} taken), {record['median_s']:.1f} s"
        bars = {65536: ("<= 78 GB", record["peak_bytes"] <= 78e9), 131072: ("fits", True)}
        table.add(what, value, *bars.get(record["prompt"], ()))


def rollouts(table, records):
    ours, theirs = first(records, "attending", "rollout"), first(records, "pytorch", "rollout")
    speed = ours and ours.get("tokens_per_s")
    if speed:
        table.add("rollout, 16 x 4,096, 8 x 256 new", f"{speed:,.0f} tokens/s")
        floor, step = DECODE_BYTES / BANDWIDTH, ours["decode_step_s"]
        table.add("  decode step", f"{step * 1e3:.2f} ms", f"<= {2.2 * floor * 1e3:.2f} ms", step <= 2.2 * floor)
    if theirs and theirs.get("tokens_per_s"):
        table.add("PyTorch, generate", f"{theirs['tokens_per_s']:,.0f} tokens/s")
    table.ratio("  faster than that", speed, theirs and theirs.get("tokens_per_s"), 5)


def training(table, run):
    """Before and after on the same questions."""
    files = sorted(glob.glob(os.path.join(run, "held_out", "step-*.jsonl")))
    evaluations = []
    for path in (files[0], files[-1]):
        with open(path, encoding="utf8") as lines:
            evaluations.append({r["scored"]["case_id"]: r["scored"] for r in map(json.loads, lines)})
    before, after = evaluations
    for name in ("reward", "format", "accuracy", "faithfulness", "comprehensiveness"):
        value = (lambda s: s["reward"]) if name == "reward" else (lambda s: s["objectives"].get(name))
        pairs = [(value(before[case]), value(after[case])) for case in before if case in after]
        pairs = [(a, b) for a, b in pairs if a is not None and b is not None]
        if not pairs:
            continue
        low, high = interval([b - a for a, b in pairs])
        mean = [sum(column) / len(pairs) for column in zip(*pairs)]
        wanted = name in ("reward", "format")
        text = f"{mean[0]:.3f} to {mean[1]:.3f} ({low:+.3f} to {high:+.3f}), {len(pairs)} questions"
        table.add(f"200 steps: {name}", text, "rises" if wanted else "", low > 0 if wanted else None)


def interval(differences, resamples=10_000):
    """The 95 % interval of their mean."""
    draw, n = random.Random(0), len(differences)
    means = sorted(sum(draw.choices(differences, k=n)) / n for _ in range(resamples))
    return means[int(0.025 * resamples)], means[int(0.975 * resamples) - 1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results")
    parser.add_argument("--run", help="directory of the training run")
    options = parser.parse_args()
    table = Table()
    if os.path.exists(options.results):
        records = read(options.results)
        for section in (equality, updates, memory, rollouts):
            section(table, records)
    if options.run and glob.glob(os.path.join(options.run, "held_out", "step-*.jsonl")):
        training(table, options.run)
    table.print()


if __name__ == "__main__":
    main()
