//! `attending validate-rewards` through the real program.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn validate(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_attending"));
    command.arg("validate-rewards").args(arguments).current_dir(folder).output().unwrap()
}

/// Two sentences of the NegEx layout: number, phrase, sentence, negation, time, experiencer.
const SENTENCES: &str =
    "1\tfever\tHe has no fever.\tNegated\tRecent\tPatient\n2\tcough\tShe has a cough.\tAffirmed\tRecent\tPatient\n";

#[test]
fn the_sets_that_are_there_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("data/validation/negex_context");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("sentences_odd.tsv"), SENTENCES).unwrap();
    let run = validate(folder.path(), &["data", "--out", "VALIDATION.md", "--failures", "failures.txt"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let shown = String::from_utf8(run.stdout).unwrap();
    assert!(shown.contains("| NegEx | negated, F1 (1 positive) | report |"), "{shown}");
    let report = fs::read_to_string(folder.path().join("VALIDATION.md")).unwrap();
    assert!(report.contains("| NegEx | negated, F1 (1 positive) | all | 1.000 (1.000 to 1.000) | 2 / 2 |"), "{report}");
    assert!(report.contains("k_qa_nli/physician_labels_half.csv` was not there"), "{report}");
    assert!(folder.path().join("failures.txt").exists());

    let run = validate(folder.path(), &["data", "--json"]);
    let figures: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    let negated = &figures["figures"][2];
    assert_eq!((negated["half"].as_str(), negated["value"]["value"].as_f64()), (Some("all"), Some(1.0)), "{negated}");
    assert_eq!(negated["n"], 2);
}

#[test]
fn bad_input_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("data/validation/negex_context")).unwrap();
    let refused = |arguments: &[&str], part: &str| {
        let run = validate(folder.path(), arguments);
        let error = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{error}");
        assert!(error.contains(part) && error.trim_end().lines().count() == 1, "{error}");
    };
    refused(&["nowhere"], "nowhere: no such folder");
    refused(&["data"], "holds none of the data sets");
    refused(&["data", "--cases", "0"], "0 is not in 1..=100000");
    refused(&[], "<DATA>");
    let sentences = folder.path().join("data/validation/negex_context/sentences_odd.tsv");
    fs::write(&sentences, "1\tfever\tHe has no fever.\tNegated\n").unwrap();
    refused(&["data"], "sentences_odd.tsv");
    fs::write(&sentences, SENTENCES).unwrap();
    fs::write(folder.path().join("peer.json"), "[]").unwrap();
    refused(&["data", "--peer", "peer.json"], "expected the output of medspacy_peer.py");
    refused(&["data", "--peer", "absent.json"], "absent.json");
}
