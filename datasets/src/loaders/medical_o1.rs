//! The multiple-choice problems derived from medical-o1-reasoning-SFT (Chen et al. 2024, arXiv 2412.18925).
//!
//! Fields: id, split, question, options by letter, answer_idx, response (a model's verified answer, kept as
//! `metadata.reference`, never shown) and answer_source (how the letter was read from it).

use serde_json::{Map, Value};

use super::{Fields, Loader, Origin};
use crate::error::Problem;
use crate::{Answer, Case, Task};

/// Reads `mcq.jsonl.gz`.
pub(super) struct MedicalO1;

impl Loader for MedicalO1 {
    fn name(&self) -> &'static str {
        "medical_o1"
    }

    fn about(&self) -> &'static str {
        "medical_o1 multiple-choice training problems (JSON Lines, may be gzipped: id, question, options, answer_idx)"
    }

    fn recognises(&self, _stem: &str, first: &Map<String, Value>) -> bool {
        ["question", "options", "answer_idx", "answer_source"].iter().all(|name| first.contains_key(*name))
    }

    fn case(&self, record: Map<String, Value>, origin: Origin) -> Result<Case, Problem> {
        let mut fields = Fields::new(record);
        let id = format!("medical_o1:{}:{}", origin.stem, fields.text("id")?);
        let mut case = Case::new(id, Task::SingleChoice, fields.text("question")?);
        case.dataset = "medical_o1".to_owned();
        case.split = match fields.text("split")?.as_str() {
            "valid" => "validation".to_owned(),
            other => other.to_owned(),
        };
        case.options = fields.options("options")?;
        case.answer = Answer::key(fields.text("answer_idx")?);
        let reference = fields.take("response");
        case.metadata = fields.rest();
        if let Some(reference) = reference {
            case.metadata.insert("reference".to_owned(), reference);
        }
        Ok(case)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_response_is_reference_not_evidence() {
        let json = r#"{"id":"train-12","split":"train","question":"Q?","options":{"A":"a","B":"b"},"answer_idx":"B","response":"It is b.","answer_source":"letter"}"#;
        let origin = Origin { stem: "mcq", index: 0, key: None };
        let case = MedicalO1.case(serde_json::from_str(json).unwrap(), origin).unwrap();
        assert_eq!(case.id, "medical_o1:mcq:train-12");
        assert_eq!(case.metadata["reference"], "It is b.");
        assert_eq!(case.metadata["answer_source"], "letter");
        assert!(case.context.is_empty());
    }
}
