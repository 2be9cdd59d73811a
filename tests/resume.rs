//! A run that is killed and resumed ends with the same bits as one that is not.
#![allow(clippy::unwrap_used)]

mod clinic;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The run's figures without those that measure time.
fn metrics(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| {
            let mut record: Value = serde_json::from_str(line).unwrap();
            record.as_object_mut().unwrap().retain(|name, _| !name.starts_with("perf/"));
            record
        })
        .collect()
}

/// Starts a run, kills it (SIGKILL) after `after`, and tells whether it was still running.
fn kill_after(folder: &Path, arguments: &[&str], after: Duration) -> bool {
    let mut child =
        clinic::attending(folder).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while started.elapsed() < after {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

/// Runs `command` once whole and once with kills, and compares everything that the two leave behind.
fn same_bits(command: &[&str], files: &[&str]) {
    let (_folder, path) = clinic::folder();
    let started = Instant::now();
    clinic::succeed(&path, &[command, &["--run", "whole"]].concat());
    let whole = started.elapsed();
    let first = [command, &["--run", "broken"]].concat();
    let again = [command[0], "--run", "broken", "--resume"];
    // The moments are spread over the run by a fixed rule; what the program is doing then differs from run to run.
    let (mut kills, mut running) = (0, true);
    for attempt in 0..20_u32 {
        let share = 0.2 + 0.6 * f64::from(attempt * 7 % 10) / 10.0;
        let arguments = if path.join("broken/config.toml").exists() { &again[..] } else { &first[..] };
        running = kill_after(&path, arguments, whole.mul_f64(share));
        kills += u32::from(running);
        if !running {
            break;
        }
    }
    if running {
        clinic::succeed(&path, &again);
    }
    assert!(kills > 0, "no kill hit the run");
    assert_eq!(metrics(&path.join("whole")), metrics(&path.join("broken")));
    for file in files {
        let of = |run: &str| std::fs::read(path.join(run).join(file)).unwrap();
        assert!(of("whole") == of("broken"), "{file} differs after {kills} kills");
    }
}

#[test]
fn a_killed_training_run_ends_with_the_same_bits() {
    let steps = ["train", "--set", "trainer.steps=10", "--set", "objective.steps_per_batch=2"];
    same_bits(
        &clinic::small(&steps),
        &[
            "checkpoints/latest/model.safetensors",
            "checkpoints/latest/optimizer.safetensors",
            "checkpoints/latest/trainer.json",
            "samples.jsonl",
            "held_out/step-000010.jsonl",
        ],
    );
}

#[test]
fn a_killed_supervised_run_ends_with_the_same_bits() {
    let command = [
        "sft",
        "--model",
        "model",
        "--cases",
        "cases.jsonl",
        "--data",
        "responses.jsonl",
        "--set",
        "data.max_prompt_tokens=1500",
        "--set",
        "optim.lr=1e-3",
        "--set",
        "sft.sequences_per_step=12",
        "--set",
        "sft.epochs=3",
        "--set",
        "optim.schedule=cosine",
        "--set",
        "trainer.save_every=3",
    ];
    same_bits(
        &command,
        &[
            "checkpoints/latest/model.safetensors",
            "checkpoints/latest/optimizer.safetensors",
            "checkpoints/latest/trainer.json",
        ],
    );
}

#[test]
fn dynamic_sampling_resumes_too() {
    let steps = ["train", "--set", "trainer.steps=6", "--set", "objective.dynamic_sampling=true"];
    same_bits(&clinic::small(&steps), &["checkpoints/latest/model.safetensors", "checkpoints/latest/trainer.json"]);
}
