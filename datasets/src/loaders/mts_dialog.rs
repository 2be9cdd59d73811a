//! MTS-Dialog (Ben Abacha et al. 2023, EACL): dialogues with the section of the note that sums each up, and the facts
//! that experts counted in notes written by models (MTS-Dialog, human evaluation of the same authors).

use serde_json::{Map, Value, json};

use super::{Fields, Loader, Origin};
use crate::case::Claim;
use crate::error::Problem;
use crate::{Case, Document, Task};

/// The dialogue as a document; its line breaks are one `\n` each.
fn dialogue(text: &str) -> Document {
    let text = text.replace("\r\n", "\n");
    Document { id: "dialogue".to_owned(), text, kind: Some("dialogue".to_owned()), ..Document::default() }
}

/// Reads `MTS-Dialog-*.csv`: ID, section_header, section_text, dialogue.
pub(super) struct MtsDialog;

impl Loader for MtsDialog {
    fn name(&self) -> &'static str {
        "mts_dialog"
    }

    fn about(&self) -> &'static str {
        "MTS-Dialog dialogues with note sections (CSV: ID, section_header, section_text, dialogue)"
    }

    fn recognises(&self, _stem: &str, first: &Map<String, Value>) -> bool {
        ["section_header", "section_text", "dialogue"].iter().all(|name| first.contains_key(*name))
    }

    fn case(&self, record: Map<String, Value>, origin: Origin) -> Result<Case, Problem> {
        let mut fields = Fields::new(record);
        let id = format!("mts_dialog:{}:{}", origin.stem, fields.text("ID")?);
        let header = fields.text("section_header")?;
        let question = format!("Write the section {header} of the note on this dialogue.");
        let mut case = Case::new(id, Task::Rubric, question);
        case.dataset = "mts_dialog".to_owned();
        case.split = ["Training", "Validation", "Test"]
            .iter()
            .find(|word| origin.stem.contains(**word))
            .map_or("", |word| if *word == "Training" { "train" } else { word })
            .to_lowercase();
        case.context.push(dialogue(&fields.text("dialogue")?));
        let reference = fields.text("section_text")?.replace("\r\n", "\n");
        case.metadata = fields.rest();
        case.metadata.insert("section_header".to_owned(), header.into());
        case.metadata.insert("reference".to_owned(), reference.into());
        Ok(case)
    }
}

/// Reads `fact_scores_*.jsonl`: row, dialogue_id, dialogue, reference, candidate and the experts' scores.
///
/// The note of the model is the claim `candidate`; its label holds `factual_precision`, `factual_recall`, `factual_f1`,
/// each from 0 to 1, `hallucination_rate` and `omission_rate` as published (one omission rate is -1). The physician's note stands in `metadata.reference`.
pub(super) struct MtsFactScores;

/// The experts' scores that are shares.
const SHARES: [&str; 3] = ["factual_precision", "factual_recall", "factual_f1"];
/// Their rates, which the published file takes below 0.
const RATES: [&str; 2] = ["hallucination_rate", "omission_rate"];

impl Loader for MtsFactScores {
    fn name(&self) -> &'static str {
        "mts_fact_scores"
    }

    fn about(&self) -> &'static str {
        "MTS-Dialog notes of models with experts' fact scores (JSON Lines: dialogue, reference, candidate, factual_*)"
    }

    fn recognises(&self, _stem: &str, first: &Map<String, Value>) -> bool {
        ["dialogue", "reference", "candidate", "factual_recall"].iter().all(|name| first.contains_key(*name))
    }

    fn case(&self, record: Map<String, Value>, origin: Origin) -> Result<Case, Problem> {
        let mut fields = Fields::new(record);
        let row = fields.take("row").map_or_else(|| origin.index.to_string(), |row| row.to_string());
        let question = "Write the note on this dialogue.";
        let mut case = Case::new(format!("mts_fact_scores:{row}"), Task::Rubric, question);
        case.dataset = "mts_fact_scores".to_owned();
        case.context.push(dialogue(&fields.text("dialogue")?));
        let reference = fields.text("reference")?.replace("\r\n", "\n");
        let dialogue_id = fields.text("dialogue_id")?;
        let text = fields.text("candidate")?.replace("\r\n", "\n");
        let mut label = Map::new();
        for name in SHARES {
            label.insert(name.to_owned(), json!(fields.share(name)?));
        }
        for name in RATES {
            let rate = fields.take(name).filter(Value::is_number);
            label.insert(name.to_owned(), rate.ok_or_else(|| Problem::new(name, "is no number, expected a rate"))?);
        }
        let (id, label) = ("candidate".to_owned(), label.into());
        case.claims.push(Claim { id, text, label, annotators: "experts".into(), extra: Map::new() });
        case.metadata = fields.rest();
        case.metadata.insert("dialogue_id".to_owned(), dialogue_id.into());
        case.metadata.insert("reference".to_owned(), reference.into());
        Ok(case)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn carriage_returns_are_dropped_and_the_split_is_read_from_the_name() {
        let json =
            r#"{"ID":"3","section_header":"GENHX","section_text":"Well.\r\n","dialogue":"Doctor: Hi\r\nPatient: Hi"}"#;
        let origin = Origin { stem: "MTS-Dialog-TestSet-1-MEDIQA-Chat-2023", index: 0, key: None };
        let case = MtsDialog.case(serde_json::from_str(json).unwrap(), origin).unwrap();
        assert_eq!((case.split.as_str(), case.context[0].text.as_str()), ("test", "Doctor: Hi\nPatient: Hi"));
        crate::validate(&case).unwrap();
    }

    #[test]
    fn a_score_outside_its_range_is_refused() {
        let json = r#"{"row":2,"dialogue_id":"2","dialogue":"D","reference":"R","candidate":"C","factual_precision":1.0,"factual_recall":1.5,"factual_f1":1,"hallucination_rate":0,"omission_rate":0}"#;
        let origin = Origin { stem: "fact_scores", index: 0, key: None };
        let fault = MtsFactScores.case(serde_json::from_str(json).unwrap(), origin).unwrap_err().to_string();
        assert_eq!(fault, "field `factual_recall`: found 1.5, expected a number from 0 to 1");
        let case = MtsFactScores.case(serde_json::from_str(&json.replace("1.5", "0.5")).unwrap(), origin).unwrap();
        assert_eq!((case.id.as_str(), &case.claims[0].label["factual_recall"]), ("mts_fact_scores:2", &json!(0.5)));
    }
}
