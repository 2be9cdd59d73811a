//! Published completions of a language model with the cases that they answer, read from the data folder for tests and
//! examples: MedQA (US, four options) and PubMedQA questions, answered by chain of thought or with retrieved passages
//! (MIRAGE, Xiong et al. 2024).

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use attending_datasets::{AnswerOption, Case, CaseFile, Choice, Document, Task};
use attending_rewards::{Format, Response, Rubric};
use serde_json::Value;

/// The data folder: `ATTENDING_DATA`, else the shared folder beside the checkout.
pub(crate) fn folder() -> PathBuf {
    std::env::var("ATTENDING_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").to_owned())
        .into()
}

/// The rubric that these completions are scored by: JSON with a field of reasoning.
pub(crate) fn rubric() -> Rubric {
    Rubric { format: Format::Json, ..Rubric::default() }
}

/// Cases with one response each, in the order of the files; `None` where the data are absent.
pub(crate) fn read(folder: &Path) -> Option<Vec<(Case, Response)>> {
    let predictions = folder.join("mirage/predictions");
    let mut found = Vec::new();
    let medqa = medqa(&folder.join("medqa/us_4opt_test.jsonl"))?;
    let pubmedqa = pubmedqa(&folder.join("pubmedqa/ori_pqal.json"))?;
    for (file, cases) in [("medqa.cot", &medqa), ("medqa.rag_32", &medqa), ("pubmedqa.rag_32", &pubmedqa)] {
        let text = unpacked(&predictions.join(format!("{file}.gpt-35-turbo-16k.jsonl.gz")))?;
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).ok()?;
            let id = record["id"].as_str()?;
            let case = cases.get(id)?;
            let response = Response {
                case_id: format!("{file}:{id}"),
                text: record["completion"].as_str().map(str::to_owned),
                ..Response::default()
            };
            found.push((case.clone(), response));
        }
    }
    Some(found)
}

fn unpacked(path: &Path) -> Option<String> {
    let mut text = String::new();
    attending_datasets::reader::open(path).ok()?.read_to_string(&mut text).ok()?;
    Some(text)
}

/// The cases by the completions' ids: the running number, four digits.
fn medqa(path: &Path) -> Option<HashMap<String, Case>> {
    let mut cases = HashMap::new();
    for (index, case) in CaseFile::open(path, &Choice::Auto, false).ok()?.enumerate() {
        cases.insert(format!("{index:04}"), case.ok()?);
    }
    Some(cases)
}

/// The cases by PMID, each with its abstract's sections as documents.
fn pubmedqa(path: &Path) -> Option<HashMap<String, Case>> {
    let records: Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    let mut cases = HashMap::new();
    for (id, record) in records.as_object()? {
        let mut case = Case::new(format!("pubmedqa:{id}"), Task::SingleChoice, record["QUESTION"].as_str()?);
        case.dataset = "pubmedqa".to_owned();
        let labels = record["LABELS"].as_array()?;
        for (index, text) in record["CONTEXTS"].as_array()?.iter().enumerate() {
            let label = labels.get(index).and_then(Value::as_str).unwrap_or("section");
            case.context.push(Document {
                id: format!("{label}-{index}"),
                title: label.to_owned(),
                text: text.as_str()?.to_owned(),
                kind: Some("abstract".to_owned()),
                ..Document::default()
            });
        }
        case.options =
            [("A", "yes"), ("B", "no"), ("C", "maybe")].map(|(key, text)| AnswerOption::new(key, text)).into();
        cases.insert(id.clone(), case);
    }
    Some(cases)
}
