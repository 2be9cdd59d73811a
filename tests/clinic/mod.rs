//! What the tests of the command line share: the program, a tiny random model, synthetic cases.
#![allow(dead_code, clippy::unwrap_used)] // each test file is a program of its own and uses a part of this

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The built program.
pub(crate) fn attending(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_attending"));
    command.current_dir(folder);
    command
}

/// Runs the program in `folder`.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    attending(folder).args(arguments).output().unwrap()
}

/// Runs the program, which must succeed; gives what it printed.
pub(crate) fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "attending {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the program, which must refuse with `status` and one line that holds all of `parts`, and not panic.
pub(crate) fn refused(folder: &Path, arguments: &[&str], status: i32, parts: &[&str]) {
    let output = run(folder, arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    let line = errors.lines().last().unwrap_or_default();
    assert_eq!(output.status.code(), Some(status), "attending {arguments:?}: {errors}");
    assert!(line.starts_with("attending: ") && !errors.contains("panicked"), "{errors}");
    for part in parts {
        assert!(line.contains(part), "{part:?} is not in {line:?}");
    }
}

/// A folder with `model` (random, byte vocabulary), `cases.jsonl`, `responses.jsonl` and `held_out.jsonl`.
pub(crate) fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    succeed(&path, &["model", "random", "--like", "tiny", "--out", "model"]);
    let files = ["--out", "cases.jsonl", "--responses", "responses.jsonl", "--per-case", "3"];
    succeed(&path, &[&["data", "synth", "--cases", "24"][..], &files[..]].concat());
    succeed(&path, &["data", "synth", "--cases", "6", "--split", "held_out", "--out", "held_out.jsonl"]);
    (folder, path)
}

/// Settings of a run of a second or two.
pub(crate) const SMALL: &[&str] = &[
    "--model",
    "model",
    "--cases",
    "cases.jsonl",
    "--held-out",
    "held_out.jsonl",
    "--set",
    "data.max_prompt_tokens=1500",
    "--set",
    "optim.lr=1e-3",
    "--set",
    "rollout.prompts_per_step=2",
    "--set",
    "rollout.group_size=3",
    "--set",
    "rollout.max_new_tokens=8",
    "--set",
    "trainer.eval_every=4",
    "--set",
    "trainer.save_every=2",
];

/// `arguments` with the settings of a small run.
pub(crate) fn small<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, SMALL].concat()
}
