//! Evidence Inference (DeYoung et al. 2020, arXiv 2005.04177): full papers of trials, prompts (intervention, comparator,
//! outcome) and the spans in which physicians found the result.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::{Fields, each_record};
use crate::case::GoldSpan;
use crate::error::{DataError, Problem};
use crate::{Answer, AnswerOption, Case, Document, Task};

/// What a prompt asks for, by letter.
const LABELS: [(&str, &str); 3] =
    [("A", "significantly increased"), ("B", "no significant difference"), ("C", "significantly decreased")];

/// Reads `articles.jsonl` (pmcid, title, text) and `prompts.jsonl` (prompt_id, pmcid, intervention, comparator, outcome,
/// annotations {label, start, end in characters}): one case a prompt, with the paper as its document `paper`.
///
/// The answer is the label that most annotators gave, the first of them where they are even; the spans of all of them are
/// the evidence, in bytes.
///
/// # Errors
/// A file cannot be read, a record is malformed, a prompt names no article, a span lies outside its text.
pub fn cases(articles: &Path, prompts: &Path) -> Result<Vec<Case>, DataError> {
    let mut papers: HashMap<String, Document> = HashMap::new();
    each_record(articles, |record, _| {
        let mut fields = Fields::new(record);
        let (label, title, text) = (fields.text("pmcid")?, fields.text("title")?, fields.text("text")?);
        let (id, kind) = ("paper".to_owned(), Some("paper".to_owned()));
        papers.insert(label.clone(), Document { id, title, text, kind, label: Some(label), ..Document::default() });
        Ok(())
    })?;
    each_record(prompts, |record, _| {
        let mut fields = Fields::new(record);
        let pmcid = fields.text("pmcid")?;
        let paper = papers.get(&pmcid).ok_or_else(|| {
            Problem::new("pmcid", format!("{pmcid:?} is no article, expected one of {}", articles.display()))
        })?;
        let (outcome, intervention, comparator) =
            (fields.text("outcome")?, fields.text("intervention")?, fields.text("comparator")?);
        let question = format!("With {intervention} compared to {comparator}, how did {outcome} change?");
        let id = format!("evidence_inference:{}", fields.text("prompt_id")?);
        let mut case = Case::new(id, Task::SingleChoice, question);
        case.dataset = "evidence_inference".to_owned();
        case.split = fields.optional_text("split")?.unwrap_or_default();
        case.options = LABELS.map(|(key, text)| AnswerOption::new(key, text)).to_vec();
        let Some(Value::Array(annotations)) = fields.take("annotations") else {
            return Err(fields.missing("annotations", "a list of {label, start, end}"));
        };
        let starts = starts(&paper.text);
        let mut votes = [0_usize; 3];
        for (index, annotation) in annotations.into_iter().enumerate() {
            let place = |field: &str| format!("annotations[{index}].{field}");
            let Value::Object(annotation) = annotation else {
                return Err(Problem::new(place(""), "is no object, expected {label, start, end}"));
            };
            let label = annotation.get("label").and_then(Value::as_str).unwrap_or_default();
            let Some(vote) = LABELS.iter().position(|(_, text)| *text == label) else {
                let known = LABELS.map(|(_, text)| text).join(", ");
                return Err(Problem::new(place("label"), format!("found {label:?}, expected one of {known}")));
            };
            votes[vote] += 1;
            let byte = |field: &str| {
                let at = annotation.get(field).and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok());
                at.and_then(|at| starts.get(at)).copied().ok_or_else(|| {
                    Problem::new(place(field), format!("lies outside the article of {} characters", starts.len() - 1))
                })
            };
            let (document, span) = (paper.id.clone(), [byte("start")?, byte("end")?]);
            case.evidence_spans.push(GoldSpan { document, span, extra: Map::new() });
        }
        let best = votes.iter().max().copied().unwrap_or(0);
        if let Some(vote) = votes.iter().position(|&votes| votes == best && best > 0) {
            case.answer = Answer::key(LABELS[vote].0);
        }
        case.context.push(paper.clone());
        case.metadata = fields.rest();
        for (name, text) in [("outcome", outcome), ("intervention", intervention), ("comparator", comparator)] {
            case.metadata.insert(name.to_owned(), text.into());
        }
        crate::validate(&case)?;
        Ok(case)
    })
}

/// The byte at which each character starts, and the end.
fn starts(text: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn offsets_in_characters_become_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let articles = write("a.jsonl", r#"{"pmcid":"1","title":"T","text":"5 µg fell. End."}"#);
        let prompt = r#"{"prompt_id":"9","pmcid":"1","split":"validation","outcome":"o","intervention":"i","comparator":"c","annotations":[{"user":"0","label":"significantly decreased","start":5,"end":10},{"user":"1","label":"no significant difference","start":0,"end":4},{"user":"2","label":"significantly decreased","start":5,"end":10}]}"#;
        let read = |text: &str| cases(&articles, &write("p.jsonl", text));
        let case = &read(prompt).unwrap()[0];
        let [start, end] = case.evidence_spans[0].span;
        assert_eq!((&case.context[0].text[start..end], case.answer.keys[0].as_str()), ("fell.", "C"));
        let fault = |text: &str| read(text).unwrap_err().to_string();
        assert!(
            fault(&prompt.replace("\"end\":4", "\"end\":99"))
                .contains("field `annotations[1].end`: lies outside the article of 15")
        );
        assert!(
            fault(&prompt.replace("\"pmcid\":\"1\"", "\"pmcid\":\"2\""))
                .contains("line 1: field `pmcid`: \"2\" is no article")
        );
        assert!(fault(&prompt.replace("no significant difference", "even")).contains("annotations[1].label"));
    }
}
