//! `attending train`, `sft` and `eval` as a user runs them.
#![allow(clippy::unwrap_used)]

mod clinic;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

#[test]
fn a_run_leaves_what_the_file_formats_name() {
    let (_folder, path) = clinic::folder();
    let printed = clinic::succeed(&path, &clinic::small(&["train", "--run", "run", "--set", "trainer.steps=4"]));
    assert_eq!(printed, "model:  run/checkpoints/latest\nreport: run/report.html\n");
    let run = path.join("run");
    let lines: Vec<Value> = std::fs::read_to_string(run.join("metrics.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.iter().map(|l| l["step"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    for name in [
        "reward",
        "rewards/accuracy/mean",
        "rewards/accuracy/std",
        "rewards/faithfulness/mean",
        "rewards/faithfulness/unscorable",
        "frac_reward_zero_std",
        "completions/mean_length",
        "completions/clipped_ratio",
        "kl",
        "entropy",
        "clip_ratio/low_mean",
        "grad_norm",
        "lr",
        "perf/tokens_per_second",
        "prefix/token_ratio",
    ] {
        assert!(lines[4][name].is_f64(), "{name}: {}", lines[4]);
    }
    assert!(lines[1]["check/gradient_difference"].as_f64().unwrap() <= 1e-3);
    assert!(lines[0]["eval/reward"].is_f64() && lines[4]["eval/greedy/accuracy"].is_f64());
    assert!(lines[2]["prefix/token_ratio"].as_f64().unwrap() > 2.0, "three responses share a long prompt");
    let samples = std::fs::read_to_string(run.join("samples.jsonl")).unwrap();
    assert_eq!(samples.lines().count(), 4 * 2 * 3, "four steps, two groups, three responses");
    let report = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("Before and after") && report.contains("Rewards in training"));
    let events = std::fs::read_dir(&run).unwrap().flatten();
    assert_eq!(events.filter(|e| e.file_name().to_string_lossy().contains("tfevents")).count(), 1);

    // The checkpoint is a model folder, and the written configuration is one.
    let results = clinic::succeed(
        &path,
        &["eval", "--model", "run/checkpoints/latest", "--cases", "held_out.jsonl", "--max-new-tokens", "8", "--json"],
    );
    let results: Value = serde_json::from_str(&results).unwrap();
    assert_eq!(results["cases"], 6);
    assert!(results["accuracy"]["low"].is_f64() && results["truncated"].is_f64());
    let plan = clinic::succeed(&path, &["train", "--config", "run/config.toml", "--plan"]);
    assert!(plan.contains("optimiser moments") && plan.contains("learning"), "{plan}");
}

#[test]
fn the_gradient_does_not_depend_on_the_cut() {
    // The same batch in one micro-batch and in one for each response: the first step's gradient norm and loss agree.
    let (_folder, path) = clinic::folder();
    let first = |run: &str, budget: &str| {
        let budget = format!("trainer.max_packed_tokens={budget}");
        let files = ["--model", "model", "--cases", "cases.jsonl", "--data", "responses.jsonl", "--run", run];
        let settings = ["--set", &budget, "--set", "data.max_prompt_tokens=1500"];
        clinic::succeed(&path, &[&["sft"], &files[..], &settings[..]].concat());
        let text = std::fs::read_to_string(path.join(run).join("metrics.jsonl")).unwrap();
        serde_json::from_str::<Value>(text.lines().next().unwrap()).unwrap()
    };
    let (whole, cut) = (first("whole", "100000"), first("cut", "1"));
    let shared = |record: &Value| record["prefix/token_ratio"].as_f64().unwrap();
    assert!(shared(&cut) < 1.001 && shared(&whole) > 1.5, "nothing is shared where each response stands alone");
    for name in ["loss", "grad_norm", "entropy"] {
        let (a, b) = (whole[name].as_f64().unwrap(), cut[name].as_f64().unwrap());
        assert!((a - b).abs() <= 1e-5 * a.abs(), "{name}: {a} and {b}");
    }
}

#[test]
fn an_interrupt_finishes_the_step_and_saves() {
    let (_folder, path) = clinic::folder();
    let arguments = clinic::small(&["train", "--run", "run", "--set", "trainer.steps=100000"]);
    let mut child =
        clinic::attending(&path).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let metrics = path.join("run/metrics.jsonl");
    let started = Instant::now();
    while std::fs::read_to_string(&metrics).map_or(0, |t| t.lines().count()) < 2 {
        assert!(started.elapsed() < Duration::from_secs(120), "the run did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let last = std::fs::read_to_string(&metrics).unwrap().lines().last().map(str::to_owned).unwrap();
    let step = serde_json::from_str::<Value>(&last).unwrap()["step"].as_u64().unwrap();
    let state = std::fs::read_to_string(path.join("run/checkpoints/latest/trainer.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&state).unwrap()["step"].as_u64(), Some(step));
}

#[test]
fn supervised_training_lowers_the_loss() {
    let (_folder, path) = clinic::folder();
    let settings = ["--set", "optim.lr=3e-3", "--set", "sft.sequences_per_step=12", "--set", "sft.epochs=4"];
    let files = ["--model", "model", "--cases", "cases.jsonl", "--data", "responses.jsonl", "--run", "run"];
    let limit = ["--set", "data.max_prompt_tokens=1500"];
    clinic::succeed(&path, &[&["sft"], &files[..], &settings[..], &limit[..]].concat());
    let text = std::fs::read_to_string(path.join("run/metrics.jsonl")).unwrap();
    let losses: Vec<f64> =
        text.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["loss"].as_f64().unwrap()).collect();
    // 72 responses in steps of 12, four times.
    assert_eq!(losses.len(), 24);
    assert!(losses[23] < 0.8 * losses[0], "{losses:?}");
}
