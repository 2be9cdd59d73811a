//! What the reading view shows of one response, written as JSON at once: the checks of ten thousand responses as values
//! would take many times the room.

use attending_datasets::Case;
use attending_rewards::offsets::{self, Offsets};
use attending_rewards::{Outcome, Response, Scored};
use serde_json::{Value, json};

use crate::names::Names;

/// One response's texts and checks.
#[derive(Debug)]
pub(crate) struct Detail {
    /// JSON: `{"t": text, "r": reasoning, "w": {objective: reason}, "c": [[kind, weight, field, start, end, note,
    /// [[document, start, end], ...]], ...]}`; spans count UTF-16 units, documents as [`documents`] orders them.
    pub(crate) json: String,
    /// The answer as it was read.
    pub(crate) answer: Option<String>,
    /// The kinds of its checks, each once.
    pub(crate) kinds: Vec<u32>,
}

/// The texts that checks point into, in reading order: id, title, text.
pub(super) fn documents(case: &Case) -> impl Iterator<Item = (String, String, &str)> {
    let titled = |document: &attending_datasets::case::Document| {
        if document.title.is_empty() { document.id.clone() } else { document.title.clone() }
    };
    let context =
        case.context.iter().map(move |document| (document.id.clone(), titled(document), document.text.as_str()));
    let question = std::iter::once(("question".to_owned(), "Question".to_owned(), case.question.as_str()));
    let options = case
        .options
        .iter()
        .map(|option| (format!("option:{}", option.key), format!("Option {}", option.key), option.text.as_str()));
    context.chain(question).chain(options)
}

/// An outcome's name in records.
pub(super) fn outcome(outcome: Outcome) -> String {
    serde_json::to_value(outcome).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Detail {
    /// `kinds` names `objective rule outcome` of every check.
    pub(crate) fn new(kinds: &mut Names, response: &Response, scored: Option<&Scored>, case: Option<&Case>) -> Self {
        let mut marked = scored.cloned();
        if let (Some(marked), Some(case)) = (&mut marked, case) {
            offsets::convert(marked, case, response, Offsets::Utf16);
        }
        let ids: Vec<String> = case.into_iter().flat_map(documents).map(|(id, ..)| id).collect();
        let (mut own, mut checks) = (Vec::new(), Vec::new());
        for check in marked.iter().flat_map(|scored| &scored.checks) {
            let kind = kinds.place(&format!("{} {} {}", check.objective.name(), check.rule, outcome(check.outcome)));
            if !own.contains(&kind) {
                own.push(kind);
            }
            let [start, end] = check.response.map_or([-1, -1], |span| span.map(|at| at as i64));
            let places = check.evidence.iter().filter_map(|place| {
                let at = ids.iter().position(|id| *id == place.document)?;
                Some(json!([at, place.span[0], place.span[1]]))
            });
            let places: Vec<Value> = places.collect();
            let reasoning = u8::from(check.field.is_some());
            checks.push(json!([kind, check.weight, reasoning, start, end, check.note, places]));
        }
        let reasons: serde_json::Map<String, Value> = scored
            .iter()
            .flat_map(|scored| &scored.reasons)
            .map(|(objective, reason)| (objective.name().to_owned(), reason.clone().into()))
            .collect();
        let json = json!({"t": response.text, "r": response.reasoning, "w": reasons, "c": checks}).to_string();
        Self { json, answer: scored.and_then(|scored| scored.answer.read.clone()), kinds: own }
    }
}
