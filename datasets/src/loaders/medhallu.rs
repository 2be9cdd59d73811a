//! MedHallu (Pandit et al. 2025, arXiv 2502.14302): PubMedQA questions with a true and an invented answer.

use serde_json::{Map, Value};

use super::{Fields, Loader, Origin};
use crate::case::Claim;
use crate::error::Problem;
use crate::{Case, Document, Task};

/// Reads `medhallu_*.csv`: question, knowledge, ground_truth, least_similar_answer, final_difficulty_level.
///
/// `knowledge` is a Python dictionary printed as text; its `contexts` become documents. The two answers are the claims
/// `true` and `hallucinated`, labelled so. True answers are longer: compare with length held fixed.
pub(super) struct MedHallu;

impl Loader for MedHallu {
    fn name(&self) -> &'static str {
        "medhallu"
    }

    fn about(&self) -> &'static str {
        "MedHallu true and invented answers (CSV: question, knowledge, ground_truth, least_similar_answer)"
    }

    fn recognises(&self, _stem: &str, first: &Map<String, Value>) -> bool {
        ["question", "knowledge", "ground_truth", "least_similar_answer"].iter().all(|name| first.contains_key(*name))
    }

    fn case(&self, record: Map<String, Value>, origin: Origin) -> Result<Case, Problem> {
        let mut fields = Fields::new(record);
        let id = format!("medhallu:{}:{}", origin.stem, origin.index);
        let mut case = Case::new(id, Task::Rubric, fields.text("question")?);
        case.dataset = "medhallu".to_owned();
        let contexts = contexts(&fields.text("knowledge")?).ok_or_else(|| {
            Problem::new("knowledge", "has no list `contexts` of quoted texts, expected {'contexts': ['...', ...]}")
        })?;
        for (index, text) in contexts.into_iter().enumerate() {
            let (id, kind) = (format!("abstract-{}", index + 1), Some("abstract".to_owned()));
            case.context.push(Document { id, text, kind, ..Document::default() });
        }
        for (id, field) in [("true", "ground_truth"), ("hallucinated", "least_similar_answer")] {
            let text = fields.text(field)?;
            case.claims.push(Claim {
                id: id.to_owned(),
                text,
                label: id.into(),
                annotators: Value::Null,
                extra: Map::new(),
            });
        }
        case.metadata = fields.rest();
        Ok(case)
    }
}

/// The texts of the list `contexts` in a printed Python dictionary; `None` where it is not printed so.
fn contexts(printed: &str) -> Option<Vec<String>> {
    let list = &printed[printed.find("'contexts'")? + "'contexts'".len()..];
    let list = list.trim_start().strip_prefix(':')?.trim_start();
    // The printed form of an array of numpy puts its list in brackets of its own.
    let list = list.strip_prefix("array(").unwrap_or(list).strip_prefix('[')?;
    let mut texts = Vec::new();
    let mut chars = list.chars().peekable();
    loop {
        match chars.next()? {
            ']' => return (!texts.is_empty()).then_some(texts),
            quote @ ('\'' | '"') => texts.push(quoted(quote, &mut chars)?),
            ',' => {}
            c if c.is_whitespace() => {}
            _ => return None,
        }
    }
}

/// The rest of a quoted text, its escapes resolved.
fn quoted(quote: char, chars: &mut impl Iterator<Item = char>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            c if c == quote => return Some(text),
            '\\' => match chars.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                kind @ ('x' | 'u' | 'U') => {
                    let digits = match kind {
                        'x' => 2,
                        'u' => 4,
                        _ => 8,
                    };
                    let hex: String = chars.take(digits).collect();
                    text.push(u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32)?);
                }
                other => text.push(other),
            },
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn printed_python_is_read() {
        let read = |text| contexts(text);
        let texts = |list: &[&str]| Some(list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(read(r#"{'contexts': ['a, b', "it's"], 'labels': ['X']}"#), texts(&["a, b", "it's"]));
        assert_eq!(read(r"{'contexts': ['don\'t', 'm\xb2 \u2265 1\n']}"), texts(&["don't", "m\u{b2} \u{2265} 1\n"]));
        for bad in [
            "",
            "{'contexts': []}",
            "{'contexts': ['a'",
            "{'contexts': [3]}",
            "{'contexts': 'a'}",
            r"{'contexts': ['\ud800']}",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn both_answers_are_claims() {
        let json = r#"{"question":"Q?","knowledge":"{'contexts': ['One.', 'Two.']}","ground_truth":"Yes.","least_similar_answer":"No.","final_difficulty_level":"hard"}"#;
        let origin = Origin { stem: "medhallu_even", index: 2, key: None };
        let case = MedHallu.case(serde_json::from_str(json).unwrap(), origin).unwrap();
        assert_eq!((case.context.len(), case.claims[1].text.as_str()), (2, "No."));
        let fault =
            MedHallu.case(serde_json::from_str(&json.replace("contexts", "texts")).unwrap(), origin).unwrap_err();
        assert!(fault.to_string().starts_with("field `knowledge`: has no list `contexts`"));
    }
}
