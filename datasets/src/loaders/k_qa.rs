//! K-QA (Manes et al. 2024, arXiv 2401.14493): patients' questions with the statements that physicians want in an answer,
//! and physicians' labels of such statements against answers of models.

use serde_json::{Map, Value, json};

use super::{Fields, Loader, Origin};
use crate::case::{Claim, RubricItem, RubricKind};
use crate::error::Problem;
use crate::{Case, Document, Task};

/// Reads `questions_w_answers.jsonl`: Question, Free_form_answer, Must_have, Nice_to_have, Sources, ICD_10_diag.
///
/// Statements become rubric items `must-N` and `nice-N`; the physician's answer goes to `metadata.reference`.
pub(super) struct KQa;

impl Loader for KQa {
    fn name(&self) -> &'static str {
        "k_qa"
    }

    fn about(&self) -> &'static str {
        "K-QA patient questions with statements (JSON Lines: Question, Free_form_answer, Must_have, Nice_to_have)"
    }

    fn recognises(&self, _stem: &str, first: &Map<String, Value>) -> bool {
        ["Question", "Must_have", "Nice_to_have"].iter().all(|name| first.contains_key(*name))
    }

    fn case(&self, record: Map<String, Value>, origin: Origin) -> Result<Case, Problem> {
        let mut fields = Fields::new(record);
        let id = format!("k_qa:{}:{}", origin.stem, origin.index);
        let mut case = Case::new(id, Task::Rubric, fields.text("Question")?);
        case.dataset = "k_qa".to_owned();
        let reference = fields.text("Free_form_answer")?;
        for (field, prefix, kind) in
            [("Must_have", "must", RubricKind::Must), ("Nice_to_have", "nice", RubricKind::Nice)]
        {
            for (index, text) in fields.texts(field)?.into_iter().enumerate() {
                let id = format!("{prefix}-{}", index + 1);
                case.answer.rubric.push(RubricItem { id, text, points: 1.0, kind, extra: Map::new() });
            }
        }
        case.metadata = fields.rest();
        case.metadata.insert("reference".to_owned(), reference.into());
        Ok(case)
    }
}

/// Reads `physician_labels_half.csv`, one label a row: the model's answer is the case's document, the statement its
/// claim, labelled `Entailment`, `Neutral` or `Contradiction` by the majority of three physicians.
pub(super) struct KQaLabels;

/// The words that label a statement.
const LABELS: [&str; 3] = ["Entailment", "Neutral", "Contradiction"];

impl Loader for KQaLabels {
    fn name(&self) -> &'static str {
        "k_qa_labels"
    }

    fn about(&self) -> &'static str {
        "K-QA physicians' labels (CSV: Question, llm_x, answer, claim, category_x, majority_label, label_0..2)"
    }

    fn recognises(&self, _stem: &str, first: &Map<String, Value>) -> bool {
        ["Question", "answer", "claim", "majority_label"].iter().all(|name| first.contains_key(*name))
    }

    fn case(&self, record: Map<String, Value>, origin: Origin) -> Result<Case, Problem> {
        let mut fields = Fields::new(record);
        let row = fields.optional_text("")?.unwrap_or_default();
        let number = if row.is_empty() { origin.index.to_string() } else { row };
        let mut case = Case::new(format!("k_qa_labels:{number}"), Task::Rubric, fields.text("Question")?);
        case.dataset = "k_qa_labels".to_owned();
        let text = fields.text("answer")?;
        let kind = Some("answer".to_owned());
        case.context.push(Document { id: "answer".to_owned(), text, kind, ..Document::default() });
        let text = fields.text("claim")?;
        let kind = match fields.one_of("category_x", &["Must_have", "Nice_to_have"])?.as_str() {
            "Must_have" => RubricKind::Must,
            _ => RubricKind::Nice,
        };
        let item = RubricItem { id: "claim".to_owned(), text: text.clone(), points: 1.0, kind, extra: Map::new() };
        case.answer.rubric.push(item);
        let label = fields.one_of("majority_label", &LABELS)?;
        let mut annotators = Vec::new();
        for name in ["label_0", "label_1", "label_2"] {
            annotators.push(json!(fields.one_of(name, &LABELS)?));
        }
        let (id, label, annotators) = ("claim".to_owned(), label.into(), annotators.into());
        case.claims.push(Claim { id, text, label, annotators, extra: Map::new() });
        case.metadata = fields.rest();
        Ok(case)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ORIGIN: Origin = Origin { stem: "questions", index: 4, key: None };

    #[test]
    fn statements_are_rubric_items_by_kind() {
        let json = r#"{"Question":"Q?","Free_form_answer":"Because.","Must_have":["a","b"],"Nice_to_have":["c"],"Sources":"x"}"#;
        let case = KQa.case(serde_json::from_str(json).unwrap(), ORIGIN).unwrap();
        let items: Vec<_> = case.answer.rubric.iter().map(|item| (item.id.as_str(), item.kind)).collect();
        assert_eq!(items, [("must-1", RubricKind::Must), ("must-2", RubricKind::Must), ("nice-1", RubricKind::Nice)]);
        assert_eq!((case.id.as_str(), case.metadata["reference"].as_str()), ("k_qa:questions:4", Some("Because.")));
        assert_eq!(case.metadata["Sources"], "x");
        crate::validate(&case).unwrap();
    }

    #[test]
    fn a_label_that_no_physician_gives_is_refused() {
        let json = r#"{"":"7","Question":"Q?","llm_x":"m","answer":"It is.","claim":"It is so","category_x":"Must_have","majority_label":"Neutral","label_0":"Neutral","label_1":"Neutral","label_2":"Yes"}"#;
        let fault = KQaLabels.case(serde_json::from_str(json).unwrap(), ORIGIN).unwrap_err().to_string();
        assert_eq!(fault, "field `label_2`: found \"Yes\", expected Entailment, Neutral or Contradiction");
        let case = KQaLabels.case(serde_json::from_str(&json.replace("Yes", "Entailment")).unwrap(), ORIGIN).unwrap();
        assert_eq!((case.id.as_str(), case.context[0].text.as_str()), ("k_qa_labels:7", "It is."));
        assert_eq!((&case.claims[0].label, case.metadata["llm_x"].as_str()), (&json!("Neutral"), Some("m")));
    }
}
