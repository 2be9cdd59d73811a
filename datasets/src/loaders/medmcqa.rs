//! MedMCQA (Pal et al. 2022, arXiv 2203.14371): questions of Indian entrance exams with four options.

use serde_json::{Map, Value};

use super::{Fields, Loader, Origin};
use crate::error::Problem;
use crate::{Answer, AnswerOption, Case, Task};

/// Reads `dev.jsonl`: id, question, opa to opd, cop (the right option **counted from 1**), choice_type, exp, subject_name.
///
/// `choice_type` "multi" has one right option all the same. The explanation goes to `metadata.reference`.
pub(super) struct MedMcqa;

impl Loader for MedMcqa {
    fn name(&self) -> &'static str {
        "medmcqa"
    }

    fn about(&self) -> &'static str {
        "MedMCQA questions (JSON Lines: id, question, opa..opd, cop counted from 1)"
    }

    fn recognises(&self, _stem: &str, first: &Map<String, Value>) -> bool {
        ["id", "question", "opa", "opd", "cop"].iter().all(|name| first.contains_key(*name))
    }

    fn case(&self, record: Map<String, Value>, origin: Origin) -> Result<Case, Problem> {
        let mut fields = Fields::new(record);
        let id = format!("medmcqa:{}:{}", origin.stem, fields.text("id")?);
        let mut case = Case::new(id, Task::SingleChoice, fields.text("question")?);
        case.dataset = "medmcqa".to_owned();
        case.split = if origin.stem == "dev" { "validation".to_owned() } else { origin.stem.to_owned() };
        for (key, column) in [("A", "opa"), ("B", "opb"), ("C", "opc"), ("D", "opd")] {
            case.options.push(AnswerOption::new(key, fields.text(column)?));
        }
        let expected = "a number from 1 to 4 (a copy that counts from 0 is read with --map and --answer-base 0)";
        case.answer = match fields.take("cop") {
            // The test split has no key.
            None | Some(Value::Null) => Answer::default(),
            Some(value) => {
                let option = value.as_u64().and_then(|n| n.checked_sub(1)).and_then(|n| case.options.get(n as usize));
                Answer::key(
                    &option.ok_or_else(|| Problem::new("cop", format!("found {value}, expected {expected}")))?.key,
                )
            }
        };
        let reference = fields.take("exp");
        case.metadata = fields.rest();
        if let Some(reference @ Value::String(_)) = reference {
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
    fn options_count_from_one() {
        let json = r#"{"question":"Q?","exp":"E","cop":2,"opa":"a","opb":"b","opc":"c","opd":"d","id":"x","choice_type":"multi"}"#;
        let origin = Origin { stem: "dev", index: 0, key: None };
        let case = MedMcqa.case(serde_json::from_str(json).unwrap(), origin).unwrap();
        assert_eq!((case.answer.keys[0].as_str(), case.metadata["reference"].as_str()), ("B", Some("E")));
        for bad in ["0", "5", "\"a\"", "1.5"] {
            let bad = json.replace("\"cop\":2", &format!("\"cop\":{bad}"));
            let fault = MedMcqa.case(serde_json::from_str(&bad).unwrap(), origin).unwrap_err().to_string();
            assert!(fault.contains("expected a number from 1 to 4"), "{fault}");
        }
    }
}
