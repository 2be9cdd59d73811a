//! What a [`Case`] must satisfy beyond its shape.

use std::collections::HashSet;

use crate::error::Problem;
use crate::{Case, Task, case::SCHEMA};

/// The first fault of a case; `Ok` where there is none. Uniqueness of ids within a file is the reader's part.
///
/// # Errors
/// The field at fault and what was expected.
pub fn validate(case: &Case) -> Result<(), Problem> {
    if case.schema != SCHEMA {
        return Err(Problem::new("schema", format!("found {:?}, expected {SCHEMA:?}", case.schema)));
    }
    if case.id.trim().is_empty() {
        return Err(Problem::new("id", "is empty, expected an id that is unique in the file"));
    }
    documents(case)?;
    if case.question.trim().is_empty() && case.task != Task::Dialogue {
        return Err(Problem::new("question", "is empty, expected the question's text"));
    }
    options(case)?;
    spans(case)?;
    answer(case)
}

fn documents(case: &Case) -> Result<(), Problem> {
    let mut seen = HashSet::new();
    for (i, document) in case.context.iter().enumerate() {
        let id = &document.id;
        let field = || format!("context[{i}].id");
        if id.trim().is_empty() {
            return Err(Problem::new(field(), "is empty, expected an id that is unique in the case"));
        }
        if id == "question" || id.starts_with("option:") || id.starts_with("turn:") {
            return Err(Problem::new(
                field(),
                format!("{id:?} is reserved (question, option:KEY, turn:N), expected another id"),
            ));
        }
        if !seen.insert(id) {
            return Err(Problem::new(field(), format!("{id:?} is used twice, expected ids unique in the case")));
        }
        for (n, turn) in document.turns.iter().enumerate() {
            in_text(&document.text, turn.span, || format!("context[{i}].turns[{n}].span"))?;
        }
    }
    Ok(())
}

fn options(case: &Case) -> Result<(), Problem> {
    let mut seen = HashSet::new();
    for (i, option) in case.options.iter().enumerate() {
        let field = || format!("options[{i}].key");
        if option.key.trim().is_empty() {
            return Err(Problem::new(field(), "is empty, expected a letter or word that names the option"));
        }
        if !seen.insert(&option.key) {
            return Err(Problem::new(
                field(),
                format!("{:?} is used twice, expected keys unique in the case", option.key),
            ));
        }
        if let Some(value) = &option.value
            && case.task == Task::YesNoMaybe
            && !is_yes_no_maybe(value)
        {
            return Err(Problem::new(
                format!("options[{i}].value"),
                format!("found {value:?}, expected yes, no or maybe"),
            ));
        }
    }
    if matches!(case.task, Task::SingleChoice | Task::MultiChoice) && case.options.len() < 2 {
        let message = format!("{} given, expected at least 2 for task {}", case.options.len(), case.task.name());
        return Err(Problem::new("options", message));
    }
    Ok(())
}

fn spans(case: &Case) -> Result<(), Problem> {
    for (i, gold) in case.evidence_spans.iter().enumerate() {
        let Some(text) = case.document(&gold.document) else {
            let message = format!(
                "{:?} is no document of the case, expected question, option:KEY or an id in context",
                gold.document
            );
            return Err(Problem::new(format!("evidence_spans[{i}].document"), message));
        };
        in_text(text, gold.span, || format!("evidence_spans[{i}].span"))?;
    }
    let mut seen = HashSet::new();
    for (i, claim) in case.claims.iter().enumerate() {
        if !seen.insert(&claim.id) {
            return Err(Problem::new(
                format!("claims[{i}].id"),
                format!("{:?} is used twice, expected unique ids", claim.id),
            ));
        }
    }
    Ok(())
}

/// Byte offsets must be ordered, inside the text, and on character boundaries.
fn in_text(text: &str, [start, end]: [usize; 2], field: impl Fn() -> String) -> Result<(), Problem> {
    if text.get(start..end).is_none() {
        let message = format!(
            "[{start}, {end}] does not lie in the text, expected byte offsets of whole characters, at most {}",
            text.len()
        );
        return Err(Problem::new(field(), message));
    }
    Ok(())
}

fn is_yes_no_maybe(word: &str) -> bool {
    matches!(word, "yes" | "no" | "maybe")
}

/// Whether a text is a day of the calendar: `2024-02-29` or `2/29/2024`.
fn is_date(text: &str) -> bool {
    let numbers = |mark| -> Option<Vec<u32>> { text.trim().split(mark).map(|part| part.parse().ok()).collect() };
    let (year, month, day) = match (numbers('-').as_deref(), numbers('/').as_deref()) {
        (Some(&[year, month, day]), _) | (_, Some(&[month, day, year])) => (year, month, day),
        _ => return false,
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1000..10_000).contains(&year) && (1..=days).contains(&day)
}

/// The answer may be missing altogether (unlabelled cases); where there is one, it must suit the task.
fn answer(case: &Case) -> Result<(), Problem> {
    let answer = &case.answer;
    if answer.is_empty() {
        return Ok(());
    }
    let lacks = |field: &str, what: &str| {
        Err(Problem::new(
            format!("answer.{field}"),
            format!("is missing, expected {what} for task {}", case.task.name()),
        ))
    };
    let has_key = |key: &String| case.options.iter().any(|option| &option.key == key);
    match case.task {
        Task::SingleChoice | Task::MultiChoice => {
            if answer.keys.is_empty() {
                return lacks("keys", "the right option's key");
            }
            if case.task == Task::SingleChoice && answer.keys.len() != 1 {
                let message = format!("{} keys given, expected one for task single_choice", answer.keys.len());
                return Err(Problem::new("answer.keys", message));
            }
            if let Some(key) = answer.keys.iter().find(|key| !has_key(key)) {
                let keys: Vec<&str> = case.options.iter().map(|option| option.key.as_str()).collect();
                let message = format!("{key:?} is none of the options, expected one of {}", keys.join(", "));
                return Err(Problem::new("answer.keys", message));
            }
        }
        Task::YesNoMaybe => match answer.keys.as_slice() {
            [key] if is_yes_no_maybe(key) || has_key(key) => {}
            [] => return lacks("keys", "yes, no or maybe"),
            keys => {
                let message = format!("found {}, expected one of yes, no, maybe or an option's key", keys.join(", "));
                return Err(Problem::new("answer.keys", message));
            }
        },
        Task::Numeric => match &answer.number {
            None => return lacks("number", "{\"value\": ...}"),
            Some(number) => {
                if !number.value.is_finite() {
                    return Err(Problem::new("answer.number.value", "is not finite, expected a number"));
                }
                if let (Some(lower), Some(upper)) = (number.lower, number.upper)
                    && lower > upper
                {
                    let message = format!("{lower} is above upper {upper}, expected lower <= upper");
                    return Err(Problem::new("answer.number.lower", message));
                }
            }
        },
        Task::Date => match &answer.date {
            None if answer.weeks_days.is_none() => return lacks("date", "a date (or weeks_days)"),
            Some(date) if !is_date(date) => {
                let message = format!("found {date:?}, expected a day that exists, as YYYY-MM-DD or M/D/YYYY");
                return Err(Problem::new("answer.date", message));
            }
            _ => {}
        },
        Task::Diagnosis if answer.texts.is_empty() => return lacks("texts", "accepted wordings"),
        Task::RankedList if answer.ranked.is_empty() => return lacks("ranked", "the right list"),
        Task::Rubric if answer.rubric.is_empty() => return lacks("rubric", "rubric items"),
        Task::Diagnosis | Task::RankedList | Task::Rubric | Task::Dialogue => {}
    }
    let mut seen = HashSet::new();
    for (i, item) in answer.rubric.iter().enumerate() {
        if !seen.insert(&item.id) {
            let message = format!("{:?} is used twice, expected ids unique in the rubric", item.id);
            return Err(Problem::new(format!("answer.rubric[{i}].id"), message));
        }
        if !item.points.is_finite() {
            return Err(Problem::new(format!("answer.rubric[{i}].points"), "is not finite, expected a number"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fault(json: &str) -> String {
        let case: Case = serde_json::from_str(json).unwrap();
        validate(&case).unwrap_err().to_string()
    }

    #[test]
    fn each_fault_names_its_field_and_what_was_expected() {
        let options = r#""options":[{"key":"A","text":"x"},{"key":"B","text":"y"}]"#;
        for (json, expected) in [
            (r#"{"id":" ","task":"numeric","question":"q"}"#.to_owned(), "field `id`: is empty"),
            (r#"{"schema":"x/1","id":"1","task":"numeric","question":"q"}"#.to_owned(), "expected \"attending.case/1\""),
            (r#"{"id":"1","task":"numeric","question":""}"#.to_owned(), "field `question`: is empty"),
            (r#"{"id":"1","task":"single_choice","question":"q","options":[{"key":"A","text":"x"}]}"#.to_owned(), "1 given, expected at least 2"),
            (r#"{"id":"1","task":"single_choice","question":"q","options":[{"key":"A","text":"x"},{"key":"A","text":"y"}]}"#.to_owned(), "field `options[1].key`: \"A\" is used twice"),
            (format!(r#"{{"id":"1","task":"single_choice","question":"q",{options},"answer":{{"keys":["E"]}}}}"#), "\"E\" is none of the options, expected one of A, B"),
            (format!(r#"{{"id":"1","task":"single_choice","question":"q",{options},"answer":{{"keys":["A","B"]}}}}"#), "2 keys given, expected one"),
            (format!(r#"{{"id":"1","task":"single_choice","question":"q",{options},"answer":{{"texts":["x"]}}}}"#), "field `answer.keys`: is missing"),
            (r#"{"id":"1","task":"numeric","question":"q","answer":{"keys":["A"]}}"#.to_owned(), "field `answer.number`: is missing"),
            (r#"{"id":"1","task":"yes_no_maybe","question":"q","answer":{"keys":["perhaps"]}}"#.to_owned(), "found perhaps, expected one of yes, no, maybe"),
            (r#"{"id":"1","task":"rubric","question":"q","context":[{"id":"question","text":""}]}"#.to_owned(), "\"question\" is reserved"),
            (r#"{"id":"1","task":"rubric","question":"q","context":[{"id":"a","text":""},{"id":"a","text":""}]}"#.to_owned(), "field `context[1].id`: \"a\" is used twice"),
            (r#"{"id":"1","task":"rubric","question":"é","evidence_spans":[{"document":"question","span":[0,1]}]}"#.to_owned(), "field `evidence_spans[0].span`"),
            (r#"{"id":"1","task":"rubric","question":"q","evidence_spans":[{"document":"note","span":[0,1]}]}"#.to_owned(), "\"note\" is no document"),
            (r#"{"id":"1","task":"numeric","question":"q","answer":{"number":{"value":1,"lower":2,"upper":1}}}"#.to_owned(), "expected lower <= upper"),
        ] {
            let message = fault(&json);
            assert!(message.contains(expected), "{message} does not say {expected:?}");
        }
    }

    /// A gold answer that cannot be read would reward nothing, or everything.
    #[test]
    fn gold_dates_are_days_of_the_calendar() {
        for text in ["2024-02-29", "2/29/2024", "12/1/1999", " 2023-07-31 "] {
            assert!(is_date(text), "{text}");
        }
        for text in ["", "soon", "2023-02-29", "13/1/2024", "4/31/2024", "24-1-1", "2024-1", "1-1-2024-1", "-1/2/2024"]
        {
            assert!(!is_date(text), "{text}");
        }
        let message = fault(r#"{"id":"1","task":"date","question":"q","answer":{"date":"next week"}}"#);
        assert_eq!(
            message,
            "field `answer.date`: found \"next week\", expected a day that exists, as YYYY-MM-DD or M/D/YYYY"
        );
    }

    #[test]
    fn every_known_and_unknown_field_is_written_back() {
        let json = r#"{"schema":"attending.case/1","id":"1","dataset":"d","split":"train","task":"rubric","context":[{"id":"n","title":"t","text":"hello you","label":"3","date":"2024-01-02","kind":"dialogue","turns":[{"speaker":"doctor","span":[0,5],"mood":"calm"}],"ward":4}],"question":"q","options":[{"key":"A","text":"x","value":"yes","why":null}],"answer":{"number":{"value":1.5,"unit":"g","lower":1.0,"upper":2.0,"integer":true,"abstain":true,"digits":2},"date":"2024-01-02","weeks_days":[39,2],"texts":["a"],"ranked":[{"text":"a","synonyms":["b"],"icd":"J18"}],"rubric":[{"id":"r","text":"t","points":-1.0,"kind":"negative","tag":1}],"later":{"x":[1]}},"evidence_spans":[{"document":"n","span":[0,5],"by":"me"}],"claims":[{"id":"c","text":"t","label":"Entailed","annotators":3,"z":0}],"metadata":{"k":"v"},"future":[1,2]}"#;
        let case: Case = serde_json::from_str(json).unwrap();
        validate(&case).unwrap();
        assert_eq!(serde_json::to_string(&case).unwrap(), json);
    }

    #[test]
    fn a_ranked_item_may_be_a_plain_string() {
        let case: Case = serde_json::from_str(
            r#"{"id":"1","task":"ranked_list","question":"q","answer":{"ranked":["a",{"text":"b","synonyms":["c"]}]}}"#,
        )
        .unwrap();
        validate(&case).unwrap();
        assert_eq!(case.answer.ranked[0].text, "a");
        assert_eq!(case.answer.ranked[1].synonyms, ["c"]);
    }
}
