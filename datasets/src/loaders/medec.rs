//! MEDEC (Ben Abacha et al. 2025, arXiv 2412.19260), the MS subset: notes with or without one injected error.

use serde_json::{Map, Value, json};

use super::{Fields, Loader, Origin};
use crate::case::Claim;
use crate::error::Problem;
use crate::{Case, Document, Task};

/// Reads `medec_ms_validation.jsonl`: id, text, sentences, error_flag, error_type, error_sentence, corrected_sentence.
///
/// The note is the document; the claim `note` carries the flag (1 = it has an error), and where there is one the claim
/// `sentence` the sentence that is wrong, with its correction in the claim's `correction`.
pub(super) struct Medec;

impl Loader for Medec {
    fn name(&self) -> &'static str {
        "medec"
    }

    fn about(&self) -> &'static str {
        "MEDEC notes with or without an injected error (JSON Lines: id, text, error_flag, error_sentence)"
    }

    fn recognises(&self, _stem: &str, first: &Map<String, Value>) -> bool {
        ["text", "error_flag", "error_sentence", "corrected_sentence"].iter().all(|name| first.contains_key(*name))
    }

    fn case(&self, record: Map<String, Value>, _origin: Origin) -> Result<Case, Problem> {
        let mut fields = Fields::new(record);
        let id = format!("medec:{}", fields.text("id")?);
        let mut case = Case::new(id, Task::YesNoMaybe, "Is there an error in this note?");
        case.dataset = "medec".to_owned();
        let text = fields.text("text")?.replace("\r\n", "\n");
        let kind = Some("note".to_owned());
        let wrong = match fields.take("error_flag") {
            Some(Value::Number(number)) if number.as_u64().is_some_and(|flag| flag <= 1) => number.as_u64() == Some(1),
            other => {
                let found = other.map_or("nothing".to_owned(), |value| value.to_string());
                return Err(Problem::new("error_flag", format!("found {found}, expected 0 or 1")));
            }
        };
        case.answer = crate::Answer::key(if wrong { "yes" } else { "no" });
        let note = Claim {
            id: "note".to_owned(),
            text: text.clone(),
            label: json!(u8::from(wrong)),
            annotators: Value::Null,
            extra: Map::new(),
        };
        case.claims.push(note);
        case.context.push(Document { id: "note".to_owned(), text, kind, ..Document::default() });
        if wrong {
            let text = fields.text("error_sentence")?.replace("\r\n", "\n");
            let correction = fields.text("corrected_sentence")?.replace("\r\n", "\n");
            let extra = Map::from_iter([("correction".to_owned(), correction.into())]);
            let (id, label) = ("sentence".to_owned(), json!(1));
            case.claims.push(Claim { id, text, label, annotators: Value::Null, extra });
        }
        case.metadata = fields.rest();
        Ok(case)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_flagged_note_has_its_sentence_and_correction() {
        let json = r#"{"id":"v-1","text":"He has\r\ngout.","error_flag":1,"error_type":"diagnosis","error_sentence":"He has\r\ngout.","corrected_sentence":"He has flu."}"#;
        let origin = Origin { stem: "x", index: 0, key: None };
        let case = Medec.case(serde_json::from_str(json).unwrap(), origin).unwrap();
        assert_eq!((case.answer.keys[0].as_str(), case.context[0].text.as_str()), ("yes", "He has\ngout."));
        assert_eq!(
            (case.claims[1].text.as_str(), &case.claims[1].extra["correction"]),
            ("He has\ngout.", &json!("He has flu."))
        );
        let bad = json.replace("\"error_flag\":1", "\"error_flag\":2");
        let fault = Medec.case(serde_json::from_str(&bad).unwrap(), origin).unwrap_err().to_string();
        assert_eq!(fault, "field `error_flag`: found 2, expected 0 or 1");
    }
}
