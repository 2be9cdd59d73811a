//! Prompts for log-likelihoods against those that lm-evaluation-harness built from the same questions: see
//! tests/fixtures/lm_eval_files.py.
#![allow(clippy::unwrap_used)]

use attending_datasets::case::Document;
use attending_datasets::{Answer, AnswerOption, Case, Task};
use attending_eval::benchmark;
use serde_json::Value;

const KEYS: [&str; 4] = ["A", "B", "C", "D"];

fn choice(question: &Value) -> Case {
    let mut case = Case::new("q", Task::SingleChoice, question[0].as_str().unwrap());
    let options = question[1].as_array().unwrap().iter().zip(KEYS);
    case.options = options.map(|(text, key)| AnswerOption::new(key, text.as_str().unwrap())).collect();
    case.answer = Answer::key(KEYS[question[2].as_u64().unwrap() as usize]);
    case.metadata.insert("subject".to_owned(), "anatomy".into());
    case
}

fn with_abstract(record: &Value) -> Case {
    let mut case = Case::new("p", Task::YesNoMaybe, record["QUESTION"].as_str().unwrap());
    let sections = record["CONTEXTS"].as_array().unwrap().iter().enumerate();
    let document = |(at, text): (usize, &Value)| Document {
        id: at.to_string(),
        text: text.as_str().unwrap().to_owned(),
        ..Document::default()
    };
    case.context = sections.map(document).collect();
    case.answer = Answer::key(record["final_decision"].as_str().unwrap());
    case
}

#[test]
fn every_prompt_is_the_harnesss() {
    let record: Value = serde_json::from_str(include_str!("fixtures/lm_eval_prompts.json")).unwrap();
    let list = |name: &str| record[name].as_array().unwrap();
    let examples: Vec<Case> = list("examples").iter().map(choice).collect();
    let mut compared = 0;
    for prompt in list("prompts") {
        let name = prompt["benchmark"].as_str().unwrap();
        let case = match name {
            "pubmedqa" => with_abstract(&record["abstract"]),
            _ => choice(&list("questions")[prompt["question"].as_u64().unwrap() as usize]),
        };
        let harness = benchmark::named(name).unwrap().harness.unwrap();
        let shown = harness.examples(&case, &examples, prompt["shots"].as_u64().unwrap() as usize).unwrap();
        let built = harness.prompt(&case, &shown).unwrap();
        assert_eq!(built.context, prompt["context"].as_str().unwrap(), "{name}");
        assert_eq!(Value::from(built.continuations), prompt["continuations"], "{name}");
        compared += 1;
    }
    // Three questions of three tasks and one abstract, and three of MMLU again after two examples.
    assert_eq!(compared, 13);
}
