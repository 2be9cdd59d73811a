//! Reading a response's answer, and judging it against the gold answer.
//!
//! The answer is read from the conclusion; only where there is no conclusion, from the whole text, and then the tier
//! says so. Each reading records which rule read it. The last bare letter of prose is never an answer.

mod choice;
mod number;
mod word;

use attending_datasets::{Case, Task};

use crate::scored::{AnswerReading, Check, Objective, Outcome, Span};
use crate::sections::Sections;

pub use choice::{Choice, parse_choice};

/// What was read, before it is judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The keys, words or number as text; several only for multi_choice.
    pub values: Vec<String>,
    /// Which rule read it.
    pub tier: &'static str,
    /// Where it stands.
    pub span: Span,
    /// Why several answers in one place make it unreadable, empty otherwise.
    pub conflict: bool,
}

/// The answer as read and as judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// For the record.
    pub reading: AnswerReading,
    /// In [0, 1].
    pub value: f64,
    /// Keys of the options that were chosen, for the rules that compare reasoning and answer.
    pub chosen: Vec<String>,
    /// The check behind the value.
    pub check: Check,
}

/// Why a case has no accuracy, if so: the gold answer is missing, or this kind of task is not judged by this rule.
pub fn unscorable(case: &Case) -> Option<String> {
    match case.task {
        Task::SingleChoice | Task::MultiChoice | Task::YesNoMaybe if case.answer.keys.is_empty() => {
            Some("no gold answer".to_owned())
        }
        Task::SingleChoice | Task::MultiChoice | Task::YesNoMaybe => None,
        Task::Numeric if case.answer.number.is_none() => Some("no gold answer".to_owned()),
        Task::Numeric => None,
        _ => Some("task is not judged by a rule".to_owned()),
    }
}

/// Reads and judges the answer of `text` to `case`.
pub fn judge(case: &Case, text: &str, sections: &Sections) -> Judged {
    let (scope, from_whole) = match sections.conclusion {
        Some(span) => (span, false),
        None => ([0, text.len()], true),
    };
    let read = match case.task {
        Task::Numeric => number::read(text, scope, from_whole),
        Task::YesNoMaybe => word::read(case, text, scope, from_whole),
        task => choice::read(case, text, scope, from_whole, sections.json, task == Task::MultiChoice),
    };
    let (value, outcome, note) = match &read {
        None => (0.0, Outcome::Unreadable, "no answer could be read".to_owned()),
        Some(read) if read.conflict => {
            (0.0, Outcome::Unreadable, format!("several answers: {}", read.values.join(", ")))
        }
        Some(read) => {
            let (value, expected) = match case.task {
                Task::Numeric => number::judge(case, &read.values[0]),
                Task::YesNoMaybe => word::judge(case, &read.values[0]),
                _ => choice::judge(case, &read.values),
            };
            let outcome = if value >= 1.0 { Outcome::Correct } else { Outcome::Wrong };
            (value, outcome, format!("answer {}, expected {expected}", read.values.join(", ")))
        }
    };
    let tier = read.as_ref().map(|read| read.tier.to_owned());
    let values = read.as_ref().filter(|read| !read.conflict).map(|read| read.values.clone()).unwrap_or_default();
    let shown = if values.is_empty() { None } else { Some(values.join(",")) };
    let tier = tier.map(|tier| if from_whole { format!("{tier}, whole text") } else { tier });
    let check = Check {
        objective: Objective::Accuracy,
        rule: "answer".into(),
        outcome,
        weight: value,
        response: read.as_ref().map(|read| read.span),
        field: None,
        evidence: Vec::new(),
        note,
    };
    Judged { reading: AnswerReading { read: shown, tier }, value, chosen: values, check }
}

/// Whether a line is blank.
pub(crate) fn trim_span(text: &str, [start, end]: Span) -> Span {
    let inner = &text[start..end];
    let lead = inner.len() - inner.trim_start().len();
    let trimmed = inner.trim();
    [start + lead, start + lead + trimmed.len()]
}

/// The contents of each `\boxed{...}` of `text` within `scope`, braces balanced; unclosed boxes end at the line's end.
pub fn boxes(text: &str, [from, to]: Span) -> Vec<Span> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = from;
    while let Some(offset) = text[at..to].find("boxed") {
        let mut open = at + offset + "boxed".len();
        at = open;
        while open < to && bytes[open] == b' ' {
            open += 1;
        }
        if open >= to || bytes[open] != b'{' {
            continue;
        }
        let mut depth = 0_usize;
        let mut end = open;
        while end < to && end - open < 400 {
            match bytes[end] {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            end += 1;
        }
        let closed = end < to && depth == 0 && bytes[end] == b'}';
        if !closed {
            let line = text[open + 1..to].find(['\n', '<']).map_or(to, |offset| open + 1 + offset);
            end = line;
        }
        found.push([open + 1, end]);
        at = end.max(open + 1);
    }
    found
}
