//! PubMedQA (Jin et al. 2019, arXiv 1909.06146), the labelled part: questions on an abstract without its conclusion.

use serde_json::{Map, Value};

use super::{Fields, Loader, Origin};
use crate::error::Problem;
use crate::{Answer, Case, Document, Task};

/// Reads `ori_pqal.json`, an object by PMID: QUESTION, CONTEXTS, LABELS, LONG_ANSWER, final_decision.
///
/// The abstract's sections are documents titled by their label; LONG_ANSWER goes to `metadata.reference`.
pub(super) struct PubMedQa;

impl Loader for PubMedQa {
    fn name(&self) -> &'static str {
        "pubmedqa"
    }

    fn about(&self) -> &'static str {
        "PubMedQA labelled questions (JSON object by PMID: QUESTION, CONTEXTS, LABELS, LONG_ANSWER, final_decision)"
    }

    fn recognises(&self, _stem: &str, first: &Map<String, Value>) -> bool {
        ["QUESTION", "CONTEXTS", "final_decision"].iter().all(|name| first.contains_key(*name))
    }

    fn case(&self, record: Map<String, Value>, origin: Origin) -> Result<Case, Problem> {
        let mut fields = Fields::new(record);
        let pmid = origin.key.map_or_else(|| origin.index.to_string(), str::to_owned);
        let mut case = Case::new(format!("pubmedqa:{pmid}"), Task::YesNoMaybe, fields.text("QUESTION")?);
        case.dataset = "pubmedqa".to_owned();
        let labels = fields.texts("LABELS")?;
        for (index, text) in fields.texts("CONTEXTS")?.into_iter().enumerate() {
            let (id, title) = (format!("abstract-{}", index + 1), labels.get(index).cloned().unwrap_or_default());
            let (label, kind) = (Some(format!("PMID {pmid}")), Some("abstract".to_owned()));
            case.context.push(Document { id, title, text, label, kind, ..Document::default() });
        }
        case.answer = Answer::key(fields.one_of("final_decision", &["yes", "no", "maybe"])?);
        let reference = fields.optional_text("LONG_ANSWER")?;
        case.metadata = fields.rest();
        if let Some(reference) = reference {
            case.metadata.insert("reference".to_owned(), reference.into());
        }
        Ok(case)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sections_are_documents_and_the_conclusion_is_reference() {
        let json = r#"{"QUESTION":"Does it?","CONTEXTS":["One.","Two."],"LABELS":["AIMS","RESULTS"],"LONG_ANSWER":"It does.","final_decision":"yes"}"#;
        let origin = Origin { stem: "ori_pqal", index: 0, key: Some("77") };
        let case = PubMedQa.case(serde_json::from_str(json).unwrap(), origin).unwrap();
        assert_eq!((case.id.as_str(), case.context[1].title.as_str()), ("pubmedqa:77", "RESULTS"));
        assert_eq!(case.metadata["reference"], "It does.");
        crate::validate(&case).unwrap();
        let bad = json.replace("\"yes\"", "\"perhaps\"");
        let fault = PubMedQa.case(serde_json::from_str(&bad).unwrap(), origin).unwrap_err().to_string();
        assert_eq!(fault, "field `final_decision`: found \"perhaps\", expected yes, no or maybe");
    }
}
