#!/usr/bin/env python3
"""Lets `attending audit` ask a reward function written for verl or TRL.

    attending audit answers.jsonl --cases cases.jsonl --reward-command 'python scripts/reward_function.py verl mine.py'
    attending audit answers.jsonl --cases cases.jsonl --reward-command 'python scripts/reward_function.py trl mine.py:accuracy'

verl  FILE[:NAME]   NAME(data_source, solution_str, ground_truth, extra_info), by default compute_score; a number, or a
                    dict whose "score" counts
trl   FILE[:NAME]   NAME(prompts, completions, **columns), by default reward; a list of numbers, None where it does not
                    apply. Columns are ground_truth, case and case_id, one entry a completion

The ground truth is the case's answer: the key of a choice, the number, the first accepted text. The protocol is
attending.score/1, one JSON object a line: {"op":"score","items":[{"case":..,"response":..}]} in,
{"scores":[{"value":0.7}]} out, or {"error":".."}. What the function prints goes to standard error.
"""

import contextlib
import importlib.util
import json
import math
import sys


def load(place, default):
    path, _, name = place.partition(":")
    spec = importlib.util.spec_from_file_location("reward_function", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name or default)


def ground_truth(case):
    answer = case.get("answer") or {}
    if answer.get("number") is not None:
        return answer["number"]["value"]
    for kind in ("keys", "texts"):
        if answer.get(kind):
            return answer[kind][0]
    return answer.get("date")


def prompt(case):
    documents = [document["text"] for document in case.get("context") or []]
    options = [f"{option['key']}. {option['text']}" for option in case.get("options") or []]
    return "\n".join([*documents, case["question"], *options])


def text(response):
    """The response with its reasoning, as the trainer would have seen it."""
    reasoning = response.get("reasoning")
    return (f"<think>{reasoning}</think>" if reasoning is not None else "") + (response.get("text") or "")


def verl(function, items):
    for item in items:
        case = item["case"]
        score = function(case.get("dataset", ""), text(item["response"]), ground_truth(case), {"case": case})
        yield score["score"] if isinstance(score, dict) else score


def trl(function, items):
    cases = [item["case"] for item in items]
    return function(prompts=[prompt(case) for case in cases], completions=[text(item["response"]) for item in items],
                    ground_truth=[ground_truth(case) for case in cases], case=cases, case_id=[case["id"] for case in cases])


def value(score):
    number = None if score is None else float(score)
    return {"value": None, "reason": "the function gave none"} if number is None or math.isnan(number) else {"value": number}


def main():
    kinds = {"verl": (verl, "compute_score"), "trl": (trl, "reward")}
    if len(sys.argv) != 3 or sys.argv[1] not in kinds:
        sys.exit("usage: reward_function.py verl|trl FILE[:NAME]")
    ask, default = kinds[sys.argv[1]]
    with contextlib.redirect_stdout(sys.stderr):
        function = load(sys.argv[2], default)
    for line in sys.stdin:
        try:
            with contextlib.redirect_stdout(sys.stderr):
                reply = {"scores": [value(score) for score in ask(function, json.loads(line)["items"])]}
        except Exception as error:  # whatever the function raises is told, not lost
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
