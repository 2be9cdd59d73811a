//! MMLU (Hendrycks et al. 2021, arXiv 2009.03300), the six medical subjects that MedQA-style benchmarks use.

use serde_json::{Map, Value};

use super::{Fields, Loader, Origin};
use crate::error::Problem;
use crate::{Answer, Case, Task};

/// Reads `test.jsonl`: realidx, question, options by letter, answer_idx, subject.
pub(super) struct Mmlu;

impl Loader for Mmlu {
    fn name(&self) -> &'static str {
        "mmlu_medical"
    }

    fn about(&self) -> &'static str {
        "MMLU medical subjects (JSON Lines: realidx, subject, question, options, answer_idx)"
    }

    fn recognises(&self, _stem: &str, first: &Map<String, Value>) -> bool {
        ["realidx", "subject", "question", "options", "answer_idx"].iter().all(|name| first.contains_key(*name))
    }

    fn case(&self, record: Map<String, Value>, origin: Origin) -> Result<Case, Problem> {
        let mut fields = Fields::new(record);
        let id = format!("mmlu_medical:{}:{}", origin.stem, origin.index);
        let mut case = Case::new(id, Task::SingleChoice, fields.text("question")?);
        case.dataset = "mmlu_medical".to_owned();
        case.split = "test".to_owned();
        case.options = fields.options("options")?;
        case.answer = Answer::key(fields.text("answer_idx")?);
        case.metadata = fields.rest();
        Ok(case)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_subject_is_kept() {
        let json = r#"{"realidx":100,"question":"Q?","options":{"A":"a","B":"b"},"answer_idx":"B","subject":"anatomy","answer":"b"}"#;
        let origin = Origin { stem: "test", index: 0, key: None };
        let case = Mmlu.case(serde_json::from_str(json).unwrap(), origin).unwrap();
        assert_eq!((case.answer.keys[0].as_str(), case.metadata["subject"].as_str()), ("B", Some("anatomy")));
    }
}
