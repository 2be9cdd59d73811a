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
        (&["--cases", &cases, "--responses", &answers, "--preset", "best"], None, "best: cannot read"),
        (
            &["--cases", &cases, "--responses", &answers, "--rubric", "nowhere.toml"],
            None,
            "presets are crpo, clinical-r1",
        ),
        (
            &[
                "--cases",
                &cases,
                "--responses",
                &answers,
                "--weights",
                "accuracy=0,faithfulness=0,comprehensiveness=0,format=0",
            ],
            None,
            "--weights: all weights are 0",
        ),
        (
            &["--cases", &cases, "--responses", &answers, "--preset", "clinical-r1", "--weights", "format=1"],
            None,
            "one published formula",
        ),
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

/// Writes `text` beside the other files; gives its path.
fn written(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// A refusal: exit status 2, one line on standard error, nothing scored.
#[track_caller]
fn refused(arguments: &[&str], input: Option<&str>, parts: &[&str]) {
    let run = score(arguments, input);
    let error = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(2), "{error}");
    assert_eq!(error.trim_end().lines().count(), 1, "{error}");
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    }
}

#[test]
fn rubric_files_say_what_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (cases, answers, _) = files(folder.path());
    let rubric = written(folder.path(), "ward.toml", "verifiers = [\"answer\", \"sections\"]\n[weights]\nformat = 1\n");
    let run = score(&["--cases", &cases, "--responses", &answers, "--rubric", &rubric], None);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    for record in records(&String::from_utf8(run.stdout).unwrap()) {
        let objectives = &record["objectives"];
        assert_eq!(record["reasons"]["faithfulness"], "not_in_rubric");
        let (Some(accuracy), Some(format)) = (objectives["accuracy"].as_f64(), objectives["format"].as_f64()) else {
            continue;
        };
        // (accuracy + max(accuracy, 0.3) * format) / 2
        let expected = (accuracy + accuracy.max(0.3) * format) / 2.0;
        assert!((record["reward"].as_f64().unwrap() - expected).abs() < 1e-12, "{record}");
    }
    let bad = |text: &str, sentence: &str| {
        let rubric = written(folder.path(), "bad.toml", text);
        refused(&["--cases", &cases, "--responses", &answers, "--rubric", &rubric], None, &["bad.toml:", sentence]);
    };
    bad("\nwieghts = {}\n", "bad.toml:2: unknown key `wieghts`; did you mean `weights`?");
    bad(
        "[weights]\naccuracy = 0\nfaithfulness = 0.0\ncomprehensiveness = 0\nformat = 0",
        "bad.toml:1: `weights` are all 0: at least one objective must count",
    );
    let lexicon = written(folder.path(), "lexicon.toml", "lexicons = [\"built-in\", \"absent.txt\"]\n");
    refused(&["--cases", &cases, "--responses", &answers, "--rubric", &lexicon], None, &["absent.txt: cannot read"]);
    for (text, parts) in [
        (&b"[finding]\nrigor < chill\nchill < rigor\n"[..], &["own.txt, line 2", "is a kind of itself"][..]),
        (b"[finding]\nrigor\nrigor\n", &["own.txt, line 3", "is defined twice, first in"]),
        (b"[finding]\n\xff\n", &["own.txt: cannot read: byte 10 is not UTF-8"]),
    ] {
        written(folder.path(), "own.txt", text);
        let own = written(folder.path(), "own.toml", "lexicons = [\"own.txt\"]\n");
        refused(&["--cases", &cases, "--responses", &answers, "--rubric", &own], None, parts);
    }
    let unreadable = written(folder.path(), "bytes.toml", b"preset = \"\xff\"");
    refused(&["--cases", &cases, "--responses", &answers, "--rubric", &unreadable], None, &["byte 10 is not UTF-8"]);
}

#[test]
fn the_second_opinion_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (cases, answers, _) = files(folder.path());
    let run = score(&["--cases", &cases, "--responses", &answers, "--rubric", "held-out", "--explain", "--json"], None);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let own = ["last_words", "grounding", "figures", "polarity", "families", "rivals"];
    let mut checks = 0;
    for record in records(&String::from_utf8(run.stdout).unwrap()) {
        for check in record["checks"].as_array().unwrap() {
            assert!(own.contains(&check["rule"].as_str().unwrap()) && check["note"].is_string(), "{check}");
            assert_eq!(check["response"].is_null(), check["excerpt"].is_null());
            checks += 1;
        }
    }
    assert!(checks > 100);
}

#[test]
fn explanations_mark_the_response_and_are_plain_when_piped() {
    let folder = tempfile::tempdir().unwrap();
    let (cases, _, _) = files(folder.path());
    let case = &synth::cases(1, 5, Split::Train)[0];
    let text = "<think>The potassium is 9.9 mmol/L.\u{1b}[2J</think><answer>x</answer>";
    let response = serde_json::json!({"case_id": case.id, "text": text}).to_string();
    let run = score(&["--cases", &cases, "--responses", "-", "--explain"], Some(&response));
    let shown = String::from_utf8(run.stdout).unwrap();
    assert!(shown.contains("[9.9 mmol/L](") && shown.contains("stands nowhere in the evidence"), "{shown}");
    // No colours in a pipe, and what the response would do to a terminal is shown, not done.
    assert!(!shown.contains('\u{1b}') && shown.contains("\u{241b}[2J"), "{shown:?}");
}

#[test]
fn bad_cases_are_data_errors_and_score_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let response = r#"{"case_id":"1","text":"The answer is 1."}"#;
    let bad = |name: &str, case: &[u8], parts: &[&str]| {
        let path = written(folder.path(), name, case);
        refused(&["--cases", &path, "--responses", "-"], Some(response), parts);
    };
    let options = r#""options":[{"text":"x"},{"key":"B","text":"y"}]"#;
    bad(
        "options.jsonl",
        format!(r#"{{"id":"1","task":"single_choice","question":"q",{options},"answer":{{"keys":["B"]}}}}"#).as_bytes(),
        &["options.jsonl, line 1", "key"],
    );
    let options = r#""options":[{"key":"","text":"x"},{"key":"B","text":"y"}]"#;
    bad(
        "blank.jsonl",
        format!(r#"{{"id":"1","task":"single_choice","question":"q",{options},"answer":{{"keys":["B"]}}}}"#).as_bytes(),
        &["blank.jsonl, line 1: field `options[0].key`: is empty"],
    );
    // A gold answer that cannot be parsed: cookbook#335 gave it a reward of 1.
    bad(
        "gold.jsonl",
        br#"{"id":"1","task":"numeric","question":"q","answer":{"number":{"value":"one"}}}"#,
        &["gold.jsonl, line 1", "answer.number"],
    );
    bad(
        "date.jsonl",
        br#"{"id":"1","task":"date","question":"q","answer":{"date":"next week"}}"#,
        &["date.jsonl, line 1: field `answer.date`: found \"next week\""],
    );
    bad("empty.jsonl", b"{}", &["empty.jsonl, record 1: no loader knows its fields"]);
    bad("nothing.jsonl", b"", &["nothing.jsonl: no cases in it"]);
    bad(
        "question.jsonl",
        br#"{"id":"1","task":"numeric","question":" ","answer":{"number":{"value":1}}}"#,
        &["question.jsonl, line 1: field `question`: is empty"],
    );
    bad(
        "bytes.jsonl",
        b"{\"id\":\"1\",\"task\":\"numeric\",\"question\":\"\xff\",\"answer\":{\"number\":{\"value\":1}}}",
        &["bytes.jsonl, line 1", "UTF-8"],
    );
    let good = br#"{"id":"1","task":"numeric","question":"q","answer":{"number":{"value":1}}}"#;
    let cases = written(folder.path(), "cases.jsonl", good);
    let bytes = written(folder.path(), "responses.jsonl", b"{\"case_id\":\"1\",\"text\":\"\xff\"}");
    refused(&["--cases", &cases, "--responses", &bytes], None, &["responses.jsonl, line 1", "UTF-8"]);
}

/// One response of 50 MB is scored by every preset, and explained in a page.
#[test]
fn a_response_of_fifty_megabytes() {
    let folder = tempfile::tempdir().unwrap();
    let (cases, _, _) = files(folder.path());
    let case = &synth::cases(1, 5, Split::Train)[0];
    let text = "The potassium is 9.9 mmol/L and there is no fever. ".repeat(1_000_000);
    let response = serde_json::json!({"case_id": case.id, "text": text}).to_string();
    let path = written(folder.path(), "long.jsonl", response);
    for rubric in ["crpo", "held-out", "clinical-r1", "accuracy-only"] {
        let run = score(&["--cases", &cases, "--responses", &path, "--rubric", rubric, "--explain"], None);
        let shown = String::from_utf8(run.stdout).unwrap();
        assert!(run.status.success(), "{rubric}: {}", String::from_utf8_lossy(&run.stderr));
        assert!(shown.contains("reward") && shown.len() < 1_000_000, "{rubric}: {} bytes", shown.len());
    }
}
