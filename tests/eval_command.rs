//! `attending eval`, `compare` and their files as a user runs them on a model in memory and on finished responses.
#![allow(clippy::unwrap_used)]

mod clinic;

use std::path::Path;

use clinic::{refused, succeed};
use serde_json::{Value, json};

/// Questions in the layout of MMLU's hub copy; `subjects` are repeated in turn.
fn mmlu(folder: &Path, name: &str, count: usize, subjects: &[&str]) {
    let line = |at: usize| {
        let choices = ["Aorta", "Vein", "Nerve", "Bone"];
        let subject = subjects[at % subjects.len()];
        json!({"subject": subject, "question": format!("{name} question {at}?"), "choices": choices, "answer": at % 4})
    };
    let lines: String = (0..count).map(|at| format!("{}\n", line(at))).collect();
    std::fs::write(folder.join(format!("{name}.jsonl")), lines).unwrap();
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn ids(run: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(run.join("samples.jsonl")).unwrap();
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["case_id"].as_str().unwrap().to_owned();
    text.lines().map(id).collect()
}

fn prepared() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    succeed(&path, &["model", "random", "--like", "tiny", "--out", "model"]);
    mmlu(&path, "test", 8, &["anatomy", "college_medicine"]);
    mmlu(&path, "dev", 6, &["anatomy", "college_medicine"]);
    (folder, path)
}

const LIKELIHOOD: [&str; 7] = ["eval", "--model", "model", "--cases", "test.jsonl", "--protocol", "loglikelihood"];

#[test]
fn worked_examples_and_chosen_cases() {
    let (_folder, path) = prepared();
    let shots = ["--benchmark", "mmlu_medical", "--few-shot", "2", "--few-shot-from", "dev.jsonl"];
    let printed = succeed(&path, &[&LIKELIHOOD[..], &shots, &["--out", "shots", "--by-subject"]].concat());
    assert!(printed.contains("protocol loglikelihood:mmlu") && printed.contains("college_medicine"), "{printed}");
    let settings = json_of(&path.join("shots/settings.json"));
    assert_eq!(settings["protocol"]["few_shot"], 2);
    assert!(settings["protocol"]["few_shot_source"].as_str().unwrap().starts_with("dev "), "{settings}");
    assert_eq!(ids(&path.join("shots")).len(), 8);
    let page = std::fs::read_to_string(path.join("shots/report.html")).unwrap();
    assert!(page.contains("Accuracy against confidence") && page.contains("examples before each question"));
    // The examples change what is asked, and the folder knows.
    let none = [&LIKELIHOOD[..], &["--benchmark", "mmlu_medical", "--out", "shots"]].concat();
    refused(&path, &none, 2, &["holds an evaluation with protocol.few_shot 2, not 0"]);

    let chosen = ["--benchmark", "mmlu_medical", "--out", "one", "--sample-id", "mmlu_medical:test:3"];
    succeed(&path, &[&LIKELIHOOD[..], &chosen].concat());
    assert_eq!(ids(&path.join("one")), ["mmlu_medical:test:3"]);
    let unknown = [&LIKELIHOOD[..], &["--benchmark", "mmlu_medical", "--sample-id", "x"]].concat();
    refused(&path, &unknown, 2, &["--sample-id x: no case of mmlu_medical has this id", "mmlu_medical:test:0"]);

    mmlu(&path, "short", 3, &["anatomy", "anatomy", "college_medicine"]);
    let few = ["--benchmark", "mmlu_medical", "--few-shot", "2", "--few-shot-from", "short.jsonl"];
    let sentence = "short.jsonl: has 1 cases of subject college_medicine, expected 2 as worked examples";
    refused(&path, &[&LIKELIHOOD[..], &few].concat(), 2, &[sentence]);
    let nowhere = [&LIKELIHOOD[..], &["--few-shot", "2"]].concat();
    refused(&path, &nowhere, 2, &["--few-shot needs the examples"]);
}

#[test]
fn a_file_of_options() {
    let (_folder, path) = prepared();
    let options = "cases = [\"test.jsonl\", \"dev.jsonl\"]\nmodel = [\"model\"]\nprotocol = \"generate\"\nn = 2\n\
                   temperature = 1.0\nmax_new_tokens = 3\nfew_shot = 1\nfew_shot_from = \"dev.jsonl\"\nout = \"runs\"\n";
    std::fs::write(path.join("weekly.toml"), options).unwrap();
    let printed = succeed(&path, &["eval", "--config", "weekly.toml", "--limit", "3", "--json"]);
    let all: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert_eq!((&all[0]["benchmark"], &all[0]["cases"], &all[0]["samples"]), (&json!("test"), &json!(3), &json!(2)));
    assert_eq!(all[1]["protocol"]["few_shot"], 1);
    for run in ["runs/model/test-generate", "runs/model/dev-generate"] {
        assert_eq!(ids(&path.join(run)).len(), 6, "{run}");
        assert!(std::fs::read_to_string(path.join(run).join("report.html")).unwrap().contains("pass@2"), "{run}");
    }
    // The command line is stronger; the same folder goes on.
    let more: Value = serde_json::from_str(&succeed(
        &path,
        &["eval", "--config", "weekly.toml", "--limit", "3", "--n", "3", "--json"],
    ))
    .unwrap();
    assert_eq!(more[0]["samples"], 3);
    assert_eq!(ids(&path.join("runs/model/test-generate")).len(), 9);

    // Scored again under another rubric, nothing is asked: the model is gone.
    std::fs::rename(path.join("model"), path.join("away")).unwrap();
    let again = ["eval", "--rescore", "runs/model/test-generate", "--cases", "test.jsonl", "--rubric", "accuracy-only"];
    assert!(succeed(&path, &again).contains("accuracy"));
    let compared = succeed(&path, &["compare", "runs/model/test-generate", "runs/model/test-generate", "--json"]);
    let compared: Value = serde_json::from_str(&compared).unwrap();
    assert_eq!((&compared[0]["cases"], &compared[0]["measures"][0]["p"]), (&json!(3), &json!(1.0)));
    let other = ["compare", "runs/model/test-generate", "runs/model/dev-generate"];
    refused(&path, &other, 2, &["have no benchmark in common"]);

    std::fs::write(path.join("weekly.toml"), "n = 1\nlimits = 3\n").unwrap();
    refused(&path, &["eval", "--config", "weekly.toml"], 2, &["weekly.toml:2: unknown field `limits`"]);
}

/// BioASQ's official file, of which the yes/no questions count, from finished responses.
#[test]
fn bioasq_from_responses() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let question = |id: &str, kind: &str, answer: &str| {
        json!({"id": id, "type": kind, "body": format!("Is {id} so?"), "exact_answer": answer, "ideal_answer": ["Because."],
            "snippets": [{"document": "http://www.ncbi.nlm.nih.gov/pubmed/1", "text": "It is so."}]})
    };
    let golden =
        json!({"questions": [question("a", "yesno", "yes"), question("b", "list", "x"), question("c", "yesno", "no")]});
    std::fs::create_dir(path.join("bioasq")).unwrap();
    std::fs::write(path.join("bioasq/golden.json"), golden.to_string()).unwrap();
    let lines: String = [("bioasq:a", "Yes."), ("bioasq:c", "The answer is yes.")]
        .map(|(id, text)| format!("{}\n", json!({"case_id": id, "text": text})))
        .concat();
    std::fs::write(path.join("answers.jsonl"), lines).unwrap();
    for name in ["bioasq", "bioasq_closed"] {
        let arguments = ["eval", "--benchmark", name, "--data", ".", "--responses", "answers.jsonl", "--json"];
        let results: Value = serde_json::from_str(&succeed(path, &arguments)).unwrap();
        assert_eq!((&results["cases"], &results["accuracy"]["estimate"]), (&json!(2), &json!(0.5)), "{results}");
    }
    assert!(succeed(path, &["eval", "--list"]).contains("bioasq_closed"));
}

/// Each of these is one clear sentence; what was finished is kept.
#[test]
fn responses_that_do_not_fit() {
    let (_folder, path) = clinic::folder();
    let evaluated = |name: &str, lines: &[Value], more: &[&str], parts: &[&str]| {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(path.join(name), text).unwrap();
        let arguments = [&["eval", "--cases", "cases.jsonl", "--responses", name][..], more].concat();
        refused(&path, &arguments, 2, parts);
    };
    let line = |id: &str, model: &str| json!({"case_id": id, "text": "x", "model": model});
    let own = "synth:train:000000";
    evaluated(
        "ids.jsonl",
        &[line("medqa:1", "m")],
        &[],
        &["ids.jsonl: a response is to case \"medqa:1\", which cases.jsonl does not have", own],
    );
    evaluated(
        "twice.jsonl",
        &[line(own, "m"), line(own, "m")],
        &[],
        &["sample 0 of case \"synth:train:000000\" stands there twice"],
    );
    evaluated("mixed.jsonl", &[line(own, "m"), line("synth:train:000001", "n")], &[], &["several models (m and n)"]);
    evaluated("empty.jsonl", &[], &[], &["empty.jsonl", "no responses in it"]);
    std::fs::create_dir(path.join("thesis")).unwrap();
    std::fs::write(path.join("thesis/chapter.tex"), "x").unwrap();
    evaluated("good.jsonl", &[line(own, "m")], &["--out", "thesis"], &["thesis: is a folder of something else"]);
    evaluated("good.jsonl", &[line(own, "m")], &["--rubric", "clinical-r2"], &["clinical-r2", "presets are"]);
    std::fs::write(path.join("rubric.toml"), "verifiers = [\"answer\"]\nweights = { faithfulness = 1.0 }\n").unwrap();
    evaluated(
        "good.jsonl",
        &[line(own, "m")],
        &["--rubric", "rubric.toml"],
        &["rubric.toml:2: `weights.faithfulness`", "none of the verifiers"],
    );
    assert!(path.join("thesis/chapter.tex").exists());
    // A rubric of another task: written criteria, which these cases have not.
    std::fs::write(path.join("criteria.toml"), "verifiers = [\"items\"]\n").unwrap();
    let parts = ["the rubric applies to no answer to cases: ", "--rubric; the answers are kept in kept"];
    evaluated("good.jsonl", &[line(own, "m")], &["--rubric", "criteria.toml", "--out", "kept"], &parts);
}
