//! `attending score`, as a user runs it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use attending_datasets::synth::{self, Split};
use serde_json::Value;

fn score(arguments: &[&str], input: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_attending"));
    command.arg("score").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that refuses its arguments may close its input first.
    let _ = child.stdin.take().unwrap().write_all(input.unwrap_or("").as_bytes());
    child.wait_with_output().unwrap()
}

/// Writes 30 synthetic cases and two responses to each; gives the paths and the responses' lines.
fn files(folder: &Path) -> (String, String, String) {
    let cases = synth::cases(30, 5, Split::Train);
    let lines: Vec<String> = cases.iter().map(|case| serde_json::to_string(case).unwrap()).collect();
    let responses: Vec<String> = cases
        .iter()
        .flat_map(|case| synth::references(case, 5, 2, synth::COLD_START))
        .map(|r| serde_json::json!({"case_id": r.case_id, "sample": r.sample, "text": r.text}).to_string())
        .collect();
    let path = |name: &str| folder.join(name).display().to_string();
    let (cases, answers, text) = (path("cases.jsonl"), path("answers.jsonl"), responses.join("\n") + "\n");
    fs::write(&cases, lines.join("\n")).unwrap();
    fs::write(&answers, &text).unwrap();
    (cases, answers, text)
}

fn records(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn records_in_input_order_to_a_file_or_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let (cases, answers, text) = files(folder.path());
    let out = folder.path().join("scored.jsonl").display().to_string();
    let run = score(&["--cases", &cases, "--responses", &answers, "--out", &out], None);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(String::from_utf8_lossy(&run.stdout).contains("accuracy"));
    let scored = records(&fs::read_to_string(&out).unwrap());
    let asked = records(&text);
    assert_eq!(scored.len(), asked.len());
    for (scored, asked) in scored.iter().zip(&asked) {
        assert_eq!((&scored["case_id"], &scored["sample"]), (&asked["case_id"], &asked["sample"]));
        assert!(scored["reward"].is_number() && scored["objectives"]["format"].is_number());
    }
    // The same from standard input to standard output.
    let piped = score(&["--cases", &cases, "--responses", "-"], Some(&text));
    assert_eq!(String::from_utf8(piped.stdout).unwrap(), fs::read_to_string(&out).unwrap());
    // Nothing is left beside the file.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn spans_in_other_units_and_excerpts() {
    let folder = tempfile::tempdir().unwrap();
    let (cases, _, _) = files(folder.path());
    let case = &synth::cases(1, 5, Split::Train)[0];
    let text = "<think>\u{1f600}\u{e9} The potassium is 9.9 mmol/L.</think><answer>x</answer>";
    let response = serde_json::json!({"case_id": case.id, "text": text}).to_string();
    let span = |offsets: &str| {
        let run = score(&["--cases", &cases, "--responses", "-", "--offsets", offsets, "--excerpts"], Some(&response));
        let record = &records(&String::from_utf8(run.stdout).unwrap())[0];
        let checks = record["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["rule"] == "quantity").unwrap();
        assert_eq!(check["excerpt"], "9.9 mmol/L");
        check["response"][0].as_u64().unwrap()
    };
    // The emoji has 4 bytes, 1 code point, 2 UTF-16 units; the accented letter 2 bytes, 1, 1.
    let bytes = text.find("9.9").unwrap() as u64;
    assert_eq!((span("bytes"), span("chars"), span("utf16")), (bytes, bytes - 4, bytes - 3));
}

#[test]
fn the_published_scalar_and_explanations() {
    let folder = tempfile::tempdir().unwrap();
    let (cases, answers, _) = files(folder.path());
    let single = synth::cases(30, 5, Split::Train).into_iter().find(|case| case.answer.keys.len() == 1).unwrap();
    let key = &single.answer.keys[0];
    if key.len() == 1 {
        let text = format!("<think></think><answer>.\\boxed{{{key}}}</answer>");
        let response = serde_json::json!({"case_id": single.id, "text": text}).to_string();
        let run = score(&["--cases", &cases, "--responses", "-", "--preset", "clinical-r1"], Some(&response));
        assert_eq!(records(&String::from_utf8(run.stdout).unwrap())[0]["reward"], 12.0);
    }
    let run = score(&["--cases", &cases, "--responses", &answers, "--explain"], None);
    let shown = String::from_utf8(run.stdout).unwrap();
    assert!(shown.contains("faithfulness") && shown.contains("response ["), "{shown:.500}");
}

#[test]
fn bad_input_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let (cases, answers, text) = files(folder.path());
    let first = text.lines().next().unwrap();
    let unknown = format!("{first}\n{{\"case_id\":\"nobody\",\"text\":\"x\"}}\n");
    let wrong_type = format!("{first}\n{{\"case_id\":\"nobody\",\"text\":5}}\n");
    let rows: &[(&[&str], Option<&str>, &str)] = &[
        (&["--cases", &cases, "--responses", "-"], Some(&unknown), "standard input, line 2: field `case_id`"),
        (&["--cases", &cases, "--responses", "-"], Some(&wrong_type), "line 2"),
        (&["--cases", &cases, "--responses", "-"], Some(""), "no responses in it"),
        (&["--cases", "/nowhere/cases.jsonl", "--responses", &answers], None, "/nowhere/cases.jsonl: cannot read"),
        (
            &["--cases", &cases, "--responses", &answers, "--weights", "tidiness=1"],
            None,
            "unknown objective `tidiness`",
        ),
        (&["--cases", &cases, "--responses", &answers, "--preset", "best"], None, "best"),
    ];
    for (arguments, input, message) in rows {
        let run = score(arguments, *input);
        let error = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{error}");
        assert!(error.contains(message) && error.trim_end().lines().count() == 1, "{error}");
    }
    // With --skip-bad the good record is scored.
    let run = score(&["--cases", &cases, "--responses", "-", "--skip-bad"], Some(&unknown));
    assert!(run.status.success());
    assert_eq!(records(&String::from_utf8(run.stdout).unwrap()).len(), 1);
}
