//! The audit of files whose answers are known.
#![allow(clippy::unwrap_used)]

mod browser;

use std::path::{Path, PathBuf};

use attending_datasets::synth::{self, Kind, Options, Rng, Split, respond};
use attending_datasets::{Answer, AnswerOption, Case, Task};
use attending_eval::audit::{Audit, Auditor, Cases, Columns, Layout, Thresholds};
use attending_eval::stats::{kappa, spearman};
use attending_rewards::{Format, Rubric};
use serde_json::{Value, json};

fn write(folder: &Path, name: &str, lines: &[Value]) -> PathBuf {
    let path = folder.join(name);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, text).unwrap();
    path
}

fn auditor() -> Auditor {
    Auditor::new(Rubric::default().into()).unwrap()
}

fn cases(number: u64) -> Vec<Case> {
    let options = Options { tasks: vec![(Task::SingleChoice, 1.0)], ..Options::default() };
    (0..number).map(|index| synth::case(index, 7, Split::HeldOut, &options)).collect()
}

fn text(case: &Case, kind: Kind, sample: u64) -> String {
    respond(case, kind, &mut Rng::keyed(&[sample, case.id.len() as u64])).unwrap()
}

fn found(audit: &Audit, threshold: &str) -> Vec<String> {
    audit.findings.iter().filter(|f| f.threshold == threshold).map(|f| f.message.clone()).collect()
}

/// Kappa: the table 20, 5, 10, 15 agrees in 35 of 50, by chance in 25 (Cohen's formula: 0.4). Spearman: hours of television
/// and IQ of ten people, the textbook example with rho = -29 / 165.
#[test]
fn agreement_by_hand() {
    let table = [((true, true), 20), ((true, false), 5), ((false, true), 10), ((false, false), 15)];
    let judgements: Vec<(bool, bool)> = table.iter().flat_map(|(pair, n)| vec![*pair; *n]).collect();
    assert!((kappa(&judgements).unwrap() - 0.4).abs() < 1e-12);
    assert_eq!((kappa(&[]), kappa(&[(true, true)])), (None, None));
    let iq = [106.0, 100.0, 86.0, 101.0, 99.0, 103.0, 97.0, 113.0, 112.0, 110.0];
    let hours = [7.0, 27.0, 2.0, 50.0, 28.0, 29.0, 20.0, 12.0, 6.0, 17.0];
    let pairs: Vec<(f64, f64)> = iq.into_iter().zip(hours).collect();
    assert!((spearman(&pairs).unwrap() + 29.0 / 165.0).abs() < 1e-12);
    // Ties share their mean rank: ranks 1.5, 1.5, 3 against 1, 2, 3 give 1.5 / sqrt(1.5 * 2).
    assert!((spearman(&[(1.0, 1.0), (1.0, 2.0), (2.0, 3.0)]).unwrap() - 1.5 / 3f64.sqrt()).abs() < 1e-12);
    assert_eq!(spearman(&[(0.1, 1.0), (0.1, 2.0), (0.1, 3.0)]), None);
}

/// Another trainer's file without cases: two groups of three at one step, one of them flat.
#[test]
fn a_foreign_file_without_cases() {
    let folder = tempfile::tempdir().unwrap();
    let line = |prompt: &str, words: usize, score: f64, good: bool| json!({"input": prompt, "output": "w ".repeat(words), "gts": "B", "score": score, "step": 1, "labels": {"good": good}});
    let lines = [
        line("one", 10, 1.0, true),
        line("one", 20, 0.0, false),
        line("one", 30, 0.0, false),
        line("two", 5, 0.5, true),
        line("two", 5, 0.5, false),
        line("two", 8, 0.5, false),
    ];
    let file = write(folder.path(), "1.jsonl", &lines);
    let (audit, _) = auditor().audit(&[file], false).unwrap();
    assert_eq!((audit.responses, audit.cases, audit.unreadable), (6, 2, 0));
    let score = &audit.distributions[0];
    assert_eq!((score.name.as_str(), score.scored, score.missing), ("file: score", 6, 0));
    assert!((score.mean.unwrap().estimate - 2.5 / 6.0).abs() < 1e-12);
    assert_eq!((score.bars[0], score.bars[10], score.bars[19], score.most_frequent), (2, 3, 1, 0.5));
    let groups = audit.groups.unwrap();
    assert_eq!((groups.compared, groups.flat, groups.judged), (2, 1, 0));
    // Only what reads one number a response: (1 - 1/3) = 2/3 and twice 1/3, the flat group 0; mean 4/3 / 6.
    let names: Vec<&str> = groups.estimators.iter().map(|e| e.name).collect();
    assert_eq!(names, ["grpo", "dr_grpo", "rloo", "batch_std"]);
    assert!((groups.estimators[1].mean_absolute - 4.0 / 18.0).abs() < 1e-12);
    assert!(groups.estimators.iter().all(|e| e.signal == 1 && e.mixed == 0));
    // Positives 1 and 0.5 against 0, 0, 0.5, 0.5: 4 + (2 + 2 / 2) of 8 pairs.
    let agreement = &audit.agreements[0];
    assert!((agreement.auroc.unwrap().estimate - 7.0 / 8.0).abs() < 1e-12);
    assert_eq!(audit.unanswered.len(), 4, "{:?}", audit.unanswered);
}

/// The rubric on responses of known kinds: its own answers to the questions that need scoring.
#[test]
fn known_responses() {
    let folder = tempfile::tempdir().unwrap();
    let cases = cases(30);
    let mut lines = Vec::new();
    for case in &cases {
        for (sample, kind) in
            [Kind::Faithful, Kind::Faithful, Kind::WrongAnswer, Kind::AlteredValue].into_iter().enumerate()
        {
            let text = text(case, kind, sample as u64);
            lines.push(json!({"case_id": case.id, "sample": sample, "text": text, "labels": {"right": kind.right()}}));
        }
    }
    let file = write(folder.path(), "r.jsonl", &lines);
    let auditor = || auditor().with_cases(Cases::new("cases.jsonl".to_owned(), cases.clone()));
    let (audit, page) = auditor().audit(std::slice::from_ref(&file), true).unwrap();
    assert_eq!((audit.responses, audit.cases), (120, 30));
    let groups = audit.groups.as_ref().unwrap();
    // Each group has three right responses and a wrong one.
    assert_eq!((groups.compared, groups.judged, groups.all_wrong, groups.all_right), (30, 30, 0, 0));
    let crpo = groups.estimators.iter().find(|e| e.name == "crpo").unwrap();
    assert_eq!((crpo.mixed, crpo.inverted, crpo.signal), (30, 0, 30));
    let accuracy = audit.agreements.iter().find(|a| a.score == "accuracy").unwrap();
    assert_eq!(accuracy.kappa.unwrap().estimate, 1.0);
    assert_eq!(accuracy.auroc.unwrap().estimate, 1.0);
    // Another gold answer is wrong for every right response; every exchange takes what it must.
    let gold = &audit.exchanges[0];
    assert_eq!((gold.objective, gold.before, gold.after), ("accuracy", 1.0, 0.0));
    assert!(
        audit.exchanges.len() >= 4 && audit.exchanges.iter().all(|e| e.drop.unwrap().low > 0.0),
        "{:?}",
        audit.exchanges
    );
    let tricks = audit.probes.iter().filter(|p| !p.edit).count();
    assert!(tricks >= 15 && audit.probes.iter().any(|p| p.edit), "{tricks} tricks");
    assert!(audit.probes.iter().all(|p| p.edit || p.gap.unwrap().estimate < 0.0), "{:?}", audit.probes);
    // The reverse order is the same audit, to rounding in sums.
    lines.reverse();
    let reversed = write(folder.path(), "reversed.jsonl", &lines);
    let (other, _) = auditor().audit(&[reversed], false).unwrap();
    assert_eq!(other.findings.len(), audit.findings.len());
    assert_eq!(other.groups.unwrap().flat, groups.flat);
    // A part of the responses is whole groups.
    let thresholds = Thresholds::parse("t.toml", "[sample]\nshown = 10\n").unwrap();
    let (_, part) = auditor().with_thresholds(thresholds).audit(&[file], true).unwrap();
    assert!(part.unwrap().to_html().contains("8 of 120 responses: whole groups, drawn by seed 0."));
    assert!(page.unwrap().to_html().contains("All responses."));
}

/// A rubric that reads nothing but the answer is told so: tricks that give the answer earn all of it.
#[test]
fn findings_of_a_weak_reward() {
    let folder = tempfile::tempdir().unwrap();
    let cases = cases(12);
    let line = |case: &Case| json!({"case_id": case.id, "text": text(case, Kind::Faithful, 0)});
    let file = write(folder.path(), "r.jsonl", &cases.iter().map(line).collect::<Vec<_>>());
    let auditor = Auditor::new(attending_rewards::RubricFile::open("accuracy-only").unwrap()).unwrap();
    let auditor = auditor.with_cases(Cases::new("cases.jsonl".to_owned(), cases));
    let (audit, _) = auditor.audit(&[file], false).unwrap();
    assert!(found(&audit, "probes.paid").iter().any(|m| m.contains("`gibberish`")), "{:?}", audit.findings);
    assert!(audit.groups.is_none());
}

#[test]
fn bad_input_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let cases = cases(2);
    let id = &cases[0].id;
    let message = |lines: &[Value], layout: Option<Layout>| {
        let file = write(folder.path(), "r.jsonl", lines);
        let mut auditor = auditor().with_cases(Cases::new("cases.jsonl".to_owned(), cases.clone()));
        if let Some(layout) = layout {
            auditor = auditor.with_layout(layout);
        }
        auditor.audit(&[file], false).unwrap_err().to_string()
    };
    for (lines, sentence) in [
        (
            vec![json!({"case_id": "x", "text": "t"})],
            "r.jsonl, line 1: field `case_id`: no case is called \"x\" in cases.jsonl",
        ),
        (
            vec![json!({"case_id": id, "sample": 3, "text": "t"}), json!({"case_id": id, "sample": 3, "text": "u"})],
            "was given before, expected each response once",
        ),
        (
            vec![json!({"case_id": id, "text": "t", "model": "a"}), json!({"case_id": id, "text": "u", "model": "b"})],
            "line 2: field `model`: is \"b\", before it was \"a\"; audit one model at a time",
        ),
        (
            vec![json!({"prompt": "?", "completion": "t"})],
            "field `prompt`: holds the question of no case in cases.jsonl",
        ),
        (
            vec![json!({"question": "?", "reply": "t"})],
            "it has question, reply; --map text=COLUMN,case=COLUMN says which is what",
        ),
        (vec![json!({"case_id": id, "text": 3})], "line 1: field `text`: invalid type: integer `3`, expected a string"),
        (
            vec![json!({"case_id": id, "text": "t", "step": -1})],
            "field `step`: found -1, expected a whole number from 0",
        ),
        (vec![], "r.jsonl: no responses in it"),
    ] {
        let message = message(&lines, None);
        assert!(message.contains(sentence) && !message.contains('\n'), "{message}");
    }
    let mapped = Layout::Mapped(Columns::parse("text=reply").unwrap());
    let message = message(&[json!({"reply": "t"})], Some(mapped));
    assert!(message.contains("names neither a case nor a prompt"), "{message}");
}

/// Markup, ends of scripts and comments, line ends of old scripts, and a character that HTML forbids.
const HOSTILE: &str =
    "</script><script>window.injected = 1</script><img src=x onerror=\"window.injected=1\"><!-- \u{2028} \u{0}";

/// Nothing in a response, a case or a name becomes markup or ends the script that carries it.
#[test]
fn hostile_text_stays_text() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = cases(1).remove(0);
    case.question = format!("{} {HOSTILE}", case.question);
    let line = json!({"case_id": case.id, "text": format!("{} {HOSTILE}", text(&case, Kind::Faithful, 0)),
        "rewards": {HOSTILE: 0.5}, "labels": {HOSTILE: true}});
    let lines = [line.clone(), {
        let mut second = line;
        second["sample"] = json!(1);
        second["labels"] = json!({HOSTILE: false});
        second
    }];
    let file = write(folder.path(), "r.jsonl", &lines);
    let (_, page) = auditor().with_cases(Cases::new("c".to_owned(), [case])).audit(&[file], true).unwrap();
    let html = page.unwrap().to_html();
    assert!(!html.contains("<img") && !html.contains('\u{0}') && !html.contains("<script>window"));
    for script in html.split("<script").skip(1) {
        let script = script.split("</script>").next().unwrap();
        assert!(!script.contains(['\u{2028}', '\u{2029}']) && !script.contains("<!--"));
    }
    assert!(html.contains("\\u003cimg src=x") && html.contains("script-src 'sha256-"));
    // As many scripts begin as end, and all of them are ours.
    assert_eq!(html.matches("<script").count(), html.matches("</script>").count());
}

/// The page as a reader uses it, with hostile text in every response: see tests/browser/report.mjs.
#[test]
fn the_page_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let cases = cases(20);
    let mut lines = Vec::new();
    for case in &cases {
        for (sample, kind) in [Kind::Faithful, Kind::WrongAnswer, Kind::AlteredValue].into_iter().enumerate() {
            let text = format!("{} {HOSTILE}", text(case, kind, sample as u64));
            lines.push(
                json!({"case_id": case.id, "sample": sample, "text": text, "labels": {HOSTILE: kind.faithful()}}),
            );
        }
    }
    let file = write(folder.path(), "r.jsonl", &lines);
    let (_, page) = auditor().with_cases(Cases::new(HOSTILE.to_owned(), cases)).audit(&[file], true).unwrap();
    let report = folder.path().join("report.html");
    std::fs::write(&report, page.unwrap().to_html()).unwrap();
    browser::read(&report);
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The questions of tests/fixtures/lm_eval_files.py.
fn asked() -> Cases {
    let record: Value =
        serde_json::from_str(&std::fs::read_to_string(fixture("lm_eval_prompts.json")).unwrap()).unwrap();
    let case = |(at, question): (usize, &Value)| {
        let mut case = Case::new(format!("q{at}"), Task::SingleChoice, question[0].as_str().unwrap());
        let options = question[1].as_array().unwrap().iter().zip(["A", "B", "C", "D"]);
        case.options = options.map(|(text, key)| AnswerOption::new(key, text.as_str().unwrap())).collect();
        case.answer = Answer::key(["A", "B", "C", "D"][question[2].as_u64().unwrap() as usize]);
        case
    };
    Cases::new("asked.jsonl".to_owned(), record["questions"].as_array().unwrap().iter().enumerate().map(case))
}

fn plain() -> Auditor {
    Auditor::new(Rubric { format: Format::Plain, ..Rubric::default() }.into()).unwrap()
}

fn mean(audit: &Audit, name: &str) -> (f64, usize) {
    let found = audit.distributions.iter().find(|d| d.name == name).unwrap_or_else(|| panic!("{name}"));
    (found.mean.unwrap().estimate, found.scored)
}

/// Files that lm-evaluation-harness itself wrote: see tests/fixtures/lm_eval_files.py.
#[test]
fn samples_of_lm_eval() {
    // Log-likelihoods: the likeliest option is the response, and its metrics are the harness's own.
    let (audit, _) = plain().with_cases(asked()).audit(&[fixture("lm_eval_choice.jsonl")], false).unwrap();
    let lines = std::fs::read_to_string(fixture("lm_eval_choice.jsonl")).unwrap();
    let theirs: Vec<f64> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["acc"].as_f64().unwrap()).collect();
    let expected = theirs.iter().sum::<f64>() / theirs.len() as f64;
    assert_eq!((audit.responses, audit.cases, audit.unreadable), (3, 3, 0));
    assert_eq!(mean(&audit, "file: acc"), (expected, 3));
    // Our reading of the same responses agrees with the harness.
    assert_eq!(mean(&audit, "accuracy"), (expected, 3));
    assert_eq!(mean(&audit, "file: acc_norm").1, 3);
    // Texts: two answers a question; the metric is of the one that the first filter took, the second filter's lines are
    // the same answers again.
    let (audit, _) = plain().with_cases(asked()).audit(&[fixture("lm_eval_generate.jsonl")], false).unwrap();
    assert_eq!((audit.responses, audit.cases), (6, 3));
    assert_eq!(mean(&audit, "file: exact_match"), (0.0, 3));
    assert_eq!(audit.left_out.values().collect::<Vec<_>>(), [&6]);
    // "The answer is B.", "B" and "..\nA" are right, "D" is wrong. "I would say C." and "B, since .." state no answer by the
    // rules of this layout: they are counted as unreadable, not read by guess.
    assert_eq!((mean(&audit, "accuracy"), audit.unreadable), ((0.5, 6), 2));
    // Without cases the prompts tell the questions apart.
    let (audit, _) = plain().audit(&[fixture("lm_eval_generate.jsonl")], false).unwrap();
    assert_eq!((audit.responses, audit.cases), (6, 3));
}

/// A log that inspect itself wrote: see tests/fixtures/inspect_log.py.
#[test]
fn log_of_inspect() {
    let (audit, _) = plain().with_cases(asked()).audit(&[fixture("inspect_log.json")], false).unwrap();
    // Six samples, of which one ended in an error and is no wrong answer.
    assert_eq!((audit.responses, audit.cases, audit.model.as_deref()), (5, 3, Some("mockllm/model")));
    assert_eq!(audit.left_out.into_iter().collect::<Vec<_>>(), [("samples that ended in an error", 1)]);
    // The answers are B, B, D; C, A to questions with B, B and A.
    assert_eq!(mean(&plain().audit(&[fixture("inspect_log.json")], false).unwrap().0, "file: choice"), (0.4, 5));
    let (audit, page) = plain().with_cases(asked()).audit(&[fixture("inspect_log.json")], true).unwrap();
    assert_eq!(mean(&audit, "accuracy"), (0.4, 5));
    assert_eq!((mean(&audit, "file: parts.letter"), mean(&audit, "file: parts.words")), ((0.4, 5), (2.0, 5)));
    assert_eq!(audit.groups.unwrap().compared, 2);
    assert!(page.unwrap().to_html().contains("Troponin is high."), "reasoning that came apart is read");
    // Without cases, samples have the log's names.
    let (_, page) = plain().audit(&[fixture("inspect_log.json")], true).unwrap();
    assert!(page.unwrap().to_html().contains("questions:question-1"));
    let folder = tempfile::tempdir().unwrap();
    let header = write(folder.path(), "log.json", &[json!({"version": 2, "status": "success", "eval": {"task": "t"}})]);
    let message = plain().audit(&[header], false).unwrap_err().to_string();
    assert!(
        message.contains("line 1: field `samples`: is missing: the log was written without its samples"),
        "{message}"
    );
}
