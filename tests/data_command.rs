//! `attending data` as a user runs it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn data(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_attending")).arg("data").args(args).current_dir(folder).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Exit status 2, nothing on standard output, one line on standard error that says all of these.
fn refused(output: &Output, says: &[&str]) {
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    for words in says {
        assert!(message.contains(words), "{message} does not say {words:?}");
    }
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const GOOD: &str = r#"{"schema":"attending.case/1","id":"1","task":"single_choice","question":"Q?","options":[{"key":"A","text":"x"},{"key":"B","text":"y"}],"answer":{"keys":["A"]},"mine":[1]}"#;

#[test]
fn synth_writes_the_same_bytes_for_the_same_seed() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, seed: &str| {
        let (out, responses) = (format!("{name}.jsonl"), format!("{name}-r.jsonl"));
        let args =
            ["synth", "--cases", "40", "--seed", seed, "--out", &out, "--responses", &responses, "--per-case", "3"];
        assert!(data(folder.path(), &args).status.success());
        (fs::read(folder.path().join(out)).unwrap(), fs::read(folder.path().join(responses)).unwrap())
    };
    assert_eq!(run("a", "7"), run("b", "7"));
    assert_ne!(run("a", "7").0, run("c", "8").0);
    assert_eq!(lines(&folder.path().join("a-r.jsonl")).len(), 120);
    let piped = data(folder.path(), &["synth", "--cases", "40", "--seed", "7"]);
    assert_eq!(piped.stdout, run("a", "7").0, "standard output gets the same bytes as a file");
    let kinds = ["synth", "--cases", "5", "--out", "d.jsonl", "--responses", "d-r.jsonl", "--kinds", "altered_value=1"];
    assert!(data(folder.path(), &kinds).status.success());
    assert!(lines(&folder.path().join("d-r.jsonl")).iter().all(|response| response["kind"] == "altered_value"));
}

#[test]
fn synthetic_files_are_valid_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let args = [
        "synth",
        "--cases",
        "60",
        "--tasks",
        "single_choice=1,numeric=1",
        "--tokens",
        "800",
        "--split",
        "held_out",
        "--out",
        "c.jsonl",
    ];
    assert!(data(folder.path(), &args).status.success());
    let output = data(folder.path(), &["validate", "c.jsonl"]);
    assert!(output.status.success());
    assert_eq!(stdout(&output), "60 good cases, 0 malformed\n");
    let output = data(folder.path(), &["inspect", "c.jsonl", "--json"]);
    let seen: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let tasks = &seen["summary"]["tasks"];
    assert_eq!(tasks["single_choice"].as_u64().unwrap() + tasks["numeric"].as_u64().unwrap(), 60);
    assert_eq!(seen["summary"]["splits"]["held_out"], 60);
    assert!(stdout(&data(folder.path(), &["inspect", "c.jsonl"])).contains("60 (60 with an answer)"));
}

#[test]
fn convert_keeps_unknown_fields_and_reads_columns() {
    let folder = tempfile::tempdir().unwrap();
    // A byte order mark and carriage returns, as published files have them.
    fs::write(folder.path().join("a.jsonl"), format!("\u{feff}{GOOD}\r\n\r\n")).unwrap();
    assert!(data(folder.path(), &["convert", "a.jsonl", "--out", "b.jsonl"]).status.success());
    assert_eq!(fs::read_to_string(folder.path().join("b.jsonl")).unwrap(), format!("{GOOD}\n"));
    fs::write(folder.path().join("m.csv"), "n,q,gold,opa,opb,topic\n7,Q?,b,x,y,heart\n").unwrap();
    let map = "id=n,question=q,answer=gold,options=A:opa;B:opb";
    let args = ["convert", "m.csv", "--map", map, "--split", "train", "--out", "m.jsonl", "--json"];
    let output = data(folder.path(), &args);
    assert_eq!(serde_json::from_str::<Value>(&stdout(&output)).unwrap()["written"], 1);
    let case = &lines(&folder.path().join("m.jsonl"))[0];
    assert_eq!((&case["id"], &case["split"], &case["answer"]["keys"][0]), (&"7".into(), &"train".into(), &"B".into()));
    assert_eq!(case["metadata"]["topic"], "heart");
}

#[test]
fn a_malformed_record_is_told_or_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let bad = GOOD.replace(r#""keys":["A"]"#, r#""keys":["E"]"#).replace(r#""id":"1""#, r#""id":"2""#);
    fs::write(folder.path().join("a.jsonl"), format!("{GOOD}\n{bad}\nnot json\n{GOOD}\n")).unwrap();
    refused(
        &data(folder.path(), &["inspect", "a.jsonl"]),
        &["a.jsonl, line 2: field `answer.keys`: \"E\" is none of the options, expected one of A, B"],
    );
    refused(&data(folder.path(), &["convert", "a.jsonl", "--out", "b.jsonl"]), &["line 2"]);
    assert!(!folder.path().join("b.jsonl").exists(), "nothing half-written is left");
    let output = data(folder.path(), &["convert", "a.jsonl", "--skip-bad", "--out", "b.jsonl"]);
    assert!(output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("skipped: a.jsonl, line 2:") && told.contains("1 cases written, 3 left out"), "{told}");
    let output = data(folder.path(), &["validate", "a.jsonl"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output).lines().count(), 4, "three faults and the count");
    assert!(stdout(&output).contains("line 4: field `id`: \"1\" was used before"));
}

#[test]
fn bad_input_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("empty.jsonl"), "").unwrap();
    fs::write(folder.path().join("all_bad.jsonl"), "x\n{}\n").unwrap();
    fs::write(folder.path().join("odd.jsonl"), "{\"a\":1}\n").unwrap();
    fs::write(folder.path().join("bytes.jsonl"), b"\xff\xfe\x00\n").unwrap();
    refused(&data(folder.path(), &["inspect", "none.jsonl"]), &["none.jsonl: cannot read"]);
    refused(&data(folder.path(), &["inspect", "."]), &["it is a folder"]);
    refused(&data(folder.path(), &["inspect", "empty.jsonl"]), &["empty.jsonl: no case in it"]);
    refused(&data(folder.path(), &["convert", "empty.jsonl", "--out", "o.jsonl"]), &["no case in it"]);
    refused(&data(folder.path(), &["validate", "empty.jsonl"]), &["no case in it"]);
    refused(&data(folder.path(), &["inspect", "odd.jsonl"]), &["no loader knows its fields (a)", "--map"]);
    refused(&data(folder.path(), &["inspect", "bytes.jsonl"]), &["line 1: byte 1 is not UTF-8"]);
    refused(
        &data(folder.path(), &["inspect", "odd.jsonl", "--loader", "medqb"]),
        &["no loader is called \"medqb\"", "expected one of attending, medical_o1, "],
    );
    refused(
        &data(folder.path(), &["inspect", "odd.jsonl", "--map", "question=q"]),
        &["line 1: field `q`: is missing", "columns a"],
    );
    refused(&data(folder.path(), &["synth", "--cases", "0"]), &["0"]);
    refused(
        &data(folder.path(), &["synth", "--cases", "3", "--split", "tset"]),
        &["expected train, validation or held_out"],
    );
    refused(&data(folder.path(), &["synth", "--cases", "3", "--out", "no/x.jsonl"]), &["no/x.jsonl: cannot write"]);
    refused(
        &data(
            folder.path(),
            &["synth", "--cases", "3", "--out", "x.jsonl", "--responses", "r.jsonl", "--kinds", "honest=1"],
        ),
        &["\"honest\" is not known", "faithful"],
    );
    assert!(!folder.path().join("x.jsonl").exists() && !folder.path().join("o.jsonl").exists());
}

#[test]
fn help_has_examples() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["inspect", "convert", "validate", "synth"] {
        let output = data(folder.path(), &[command, "--help"]);
        assert!(output.status.success());
        assert!(stdout(&output).contains("Examples:"), "{command}");
    }
}

/// Linux has a device that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure_of_its_own() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_attending"));
    let output = command.args(["data", "synth", "--cases", "200"]).stdout(full).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("standard output: cannot write: No space left on device"), "{message}");
}
