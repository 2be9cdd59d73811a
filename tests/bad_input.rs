//! Bad input through the real program: one clear sentence on standard error, and the exit status.
#![allow(clippy::unwrap_used)]

mod clinic;

use std::path::Path;

use attending::trainer::RunDir;
use clinic::refused;
use serde_json::Value;

/// A refused small training run with some more arguments.
fn training(folder: &Path, more: &[&str], status: i32, parts: &[&str]) {
    let arguments = [&clinic::small(&["train", "--run", "run", "--set", "trainer.steps=1"])[..], more].concat();
    refused(folder, &arguments, status, parts);
}

/// Changes a JSON file.
fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

#[test]
fn models() {
    let (_folder, path) = clinic::folder();
    training(&path, &["--set", "model.path=nowhere"], 2, &["nowhere"]);

    std::fs::remove_file(path.join("model/model.safetensors")).unwrap();
    training(&path, &[], 2, &["model", "model.safetensors"]);

    std::fs::remove_dir_all(path.join("model")).unwrap();
    let fresh = || clinic::succeed(&path, &["model", "random", "--like", "tiny", "--out", "model"]);
    fresh();
    let weights = std::fs::read(path.join("model/model.safetensors")).unwrap();
    std::fs::write(path.join("model/model.safetensors"), &weights[..weights.len() / 2]).unwrap();
    training(&path, &[], 2, &["model.safetensors", "ends at byte"]);
    std::fs::write(path.join("model/model.safetensors"), &weights[..4]).unwrap();
    training(&path, &[], 2, &["model.safetensors", "4 bytes"]);
    std::fs::write(path.join("model/model.safetensors"), &weights).unwrap();

    let config = path.join("model/config.json");
    let original = std::fs::read(&config).unwrap();
    edit(&config, |c| c["intermediate_size"] = 200.into());
    training(&path, &[], 2, &["mlp.down_proj.weight", "shape [64, 192]", "[64, 200]"]);
    std::fs::write(&config, &original).unwrap();
    edit(&config, |c| {
        c["architectures"] = serde_json::json!(["GPT2LMHeadModel"]);
        c["model_type"] = "gpt2".into();
    });
    training(&path, &[], 2, &["GPT2LMHeadModel", "Qwen2ForCausalLM"]);
    std::fs::write(&config, &original).unwrap();
    edit(&config, |c| c["vocab_size"] = 100.into());
    training(&path, &[], 2, &["the tokenizer does not fit the model", "100 rows"]);
    std::fs::write(&config, "{").unwrap();
    training(&path, &[], 2, &["config.json"]);
    // Nothing was written for any of them but the lock of the run folder.
    assert!(!path.join("run/config.toml").exists());
}

#[test]
fn data() {
    let (_folder, path) = clinic::folder();
    std::fs::write(path.join("empty.jsonl"), "\n\n").unwrap();
    let with = |file: &'static str| ["--set", file];
    training(&path, &with("data.train=empty.jsonl"), 2, &["empty.jsonl", "no case"]);
    training(&path, &with("data.train=nowhere.jsonl"), 2, &["nowhere.jsonl"]);
    std::fs::write(path.join("bad.jsonl"), "{\"id\": 7}\nnothing\n").unwrap();
    training(&path, &with("data.train=bad.jsonl"), 2, &["bad.jsonl", "line 1"]);
    training(
        &path,
        &with("data.train=cases.jsonl,cases.jsonl"),
        2,
        &["the case id synth:train:000000 stands in cases.jsonl already"],
    );
    training(&path, &["--set", "rollout.prompts_per_step=100"], 2, &["only 24 training cases", "lower it"]);

    // The tiny model's context is 2,048 tokens, of which 8 are for the response.
    training(&path, &["--set", "rollout.max_new_tokens=2048"], 2, &["max_new_tokens is 2048", "context is 2048"]);
    training(&path, &["--set", "data.max_prompt_tokens=20"], 2, &["all 24 training cases are too long", "= 20"]);
    let error = ["--set", "data.max_prompt_tokens=20", "--set", "data.over_long=error"];
    training(&path, &error, 2, &["more than data.max_prompt_tokens = 20", "shorten it"]);

    let test =
        std::fs::read_to_string(path.join("cases.jsonl")).unwrap().replace("\"split\":\"train\"", "\"split\":\"test\"");
    std::fs::write(path.join("test.jsonl"), test).unwrap();
    training(&path, &with("data.train=test.jsonl"), 2, &["split `test`", "data.allow_test_split"]);

    let unscorable: String = std::fs::read_to_string(path.join("cases.jsonl"))
        .unwrap()
        .lines()
        .map(|line| {
            let mut case: Value = serde_json::from_str(line).unwrap();
            // Nothing to compare with, and no patient to be faithful to.
            case["question"] = format!("Which is the commonest? ({})", case["id"]).into();
            case.as_object_mut().unwrap().remove("answer");
            format!("{case}\n")
        })
        .collect();
    std::fs::write(path.join("unscorable.jsonl"), unscorable).unwrap();
    training(
        &path,
        &with("data.train=unscorable.jsonl"),
        3,
        &["100.0 % of the responses could not be scored", "rewards.max_unscorable"],
    );
}

#[test]
fn settings() {
    let (_folder, path) = clinic::folder();
    std::fs::write(path.join("run.toml"), "[optim]\nlearning_rate = 1.0\n[rollout]\ngroup_sise = 4\n").unwrap();
    training(&path, &["--config", "run.toml"], 2, &["run.toml:2: unknown key `optim.learning_rate`"]);
    training(
        &path,
        &["--set", "rollout.group_sise=4"],
        2,
        &["unknown key `rollout.group_sise`; did you mean `rollout.group_size`?"],
    );
    training(&path, &["--set", "rollout.group_size=1"], 2, &["rollout.group_size", "must be at least 2"]);
    training(&path, &["--set", "objective.kl=k1"], 2, &["expected gradient as a loss is zero"]);
    training(&path, &["--set", "optim.lr=quick"], 2, &["`optim.lr` is a string, expected a number"]);
    if cfg!(not(feature = "cuda")) {
        training(&path, &["--device", "cuda"], 2, &["not available in this build"]);
    }
    training(&path, &["--steps", "3"], 2, &["unexpected argument '--steps' found"]);
    training(&path, &["--set", "prompt.user_template={{ question"], 2, &["prompt.user_template"]);
    refused(&path, &["sft", "--model", "model", "--cases", "cases.jsonl"], 2, &["--data"]);
    refused(&path, &["eval", "--model", "model"], 2, &["--cases"]);
    refused(&path, &["eval", "--model", "model", "--cases", "cases.jsonl", "--temperature=-1"], 2, &["temperature"]);
    refused(&path, &["train", "--resume"], 2, &["no run below runs/"]);
    refused(&path, &["train", "--resume", "--run", "nowhere"], 2, &["nowhere holds no run to resume"]);
    assert!(!path.join("run/config.toml").exists(), "no run has begun");
}

#[test]
fn run_folders() {
    let (_folder, path) = clinic::folder();
    // Held to the end: a child process that another test starts at the moment of release would hold it a little longer.
    let _held = RunDir::create(&path.join("held")).unwrap();
    let arguments = clinic::small(&["train", "--run", "held"]);
    refused(&path, &arguments, 2, &["another process is running in held"]);

    clinic::succeed(&path, &clinic::small(&["train", "--run", "run", "--set", "trainer.steps=2"]));
    training(&path, &[], 2, &["run already holds a run", "--resume"]);
    let resume = ["train", "--run", "run", "--resume"];
    let with = |setting: &'static str| [&resume[..], &["--set", setting]].concat();
    refused(&path, &with("optim.lr=0.1"), 2, &["checkpoint", "other settings"]);
    refused(&path, &with("data.train=held_out.jsonl"), 2, &["checkpoint", "other"]);
    clinic::succeed(&path, &with("trainer.steps=3"));
    std::fs::write(path.join("run/checkpoints/step-000003/trainer.json"), "{}").unwrap();
    refused(&path, &resume, 2, &["trainer.json", "not readable"]);

    // A folder that cannot be written: one without the permission, or for root, who has them all, one of the kernel's.
    let closed = path.join("closed");
    std::fs::create_dir(&closed).unwrap();
    let mut permissions = closed.metadata().unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&closed, permissions).unwrap();
    let closed = if std::fs::write(closed.join("probe"), "").is_ok() { "/sys/attending" } else { "closed" };
    let arguments = clinic::small(&["train", "--run", closed]);
    refused(&path, &arguments, 2, &[closed, "cannot be written", "choose another --run"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    let (_folder, path) = clinic::folder();
    std::fs::create_dir(path.join("run")).unwrap();
    // Every write to this device fails as on a full disk.
    std::os::unix::fs::symlink("/dev/full", path.join("run/config.toml.tmp")).unwrap();
    training(&path, &[], 3, &["the disk is full", "run/config.toml"]);
}
