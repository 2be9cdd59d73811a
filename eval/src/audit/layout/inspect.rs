//! The log of an inspect evaluation as JSON (`--log-format json`, or `inspect log convert`): one object for the whole run.

use attending_datasets::Problem;
use serde_json::{Map, Value};

use super::Record;
use super::cell::{number, text, whole};

/// How a long text that stands among the sample's attachments is referred to.
const ATTACHMENT: &str = "attachment://";

/// The samples of a log; those that ended in an error are told apart.
pub(super) fn read(mut log: Map<String, Value>) -> Result<Vec<Record>, Problem> {
    let of_run = |name: &str| log.get("eval").and_then(|run| run.get(name)).and_then(Value::as_str).map(str::to_owned);
    let (task, model) = (of_run("task").unwrap_or_default(), of_run("model"));
    let Some(Value::Array(samples)) = log.shift_remove("samples") else {
        let message = "is missing: the log was written without its samples, expected a list of them";
        return Err(Problem::new("samples", message));
    };
    let read = |(at, sample): (usize, &Value)| {
        let record = record(sample)
            .map_err(|problem| Problem::new(format!("samples[{at}].{}", problem.field), problem.message))?;
        let name = record.name.map(|id| format!("{task}:{id}"));
        Ok(Record { name, model: model.clone(), ..record })
    };
    samples.iter().enumerate().map(read).collect()
}

fn record(sample: &Value) -> Result<Record, Problem> {
    let field = |name: &str| sample.get(name).ok_or_else(|| Problem::new(name, "is missing, expected inspect's log"));
    let attached = |text: &str| {
        let known = text.strip_prefix(ATTACHMENT).and_then(|id| sample.get("attachments")?.get(id)?.as_str());
        known.unwrap_or(text).to_owned()
    };
    let epoch = sample.get("epoch").map_or(Ok(1), |value| whole("epoch", value))?;
    let mut prompt: Vec<String> = match field("input")? {
        Value::String(text) => vec![attached(text)],
        Value::Array(messages) => {
            messages.iter().flat_map(|message| parts(message.get("content"), "text")).map(attached).collect()
        }
        _ => return Err(Problem::new("input", "expected a text or a list of messages")),
    };
    let choices = sample.get("choices").and_then(Value::as_array);
    prompt.extend(choices.into_iter().flatten().filter_map(Value::as_str).map(attached));
    let message = field("output")?.get("choices").and_then(|choices| choices.get(0)?.get("message")?.get("content"));
    let said = |kind: &str| -> Option<String> {
        let parts: Vec<String> = parts(message, kind).map(attached).collect();
        (!parts.is_empty()).then(|| parts.join("\n"))
    };
    Ok(Record {
        name: Some(text("id", field("id")?)?),
        prompt: Some(prompt.join("\n")),
        sample: Some(epoch.saturating_sub(1)),
        text: said("text"),
        reasoning: said("reasoning"),
        rewards: rewards(sample.get("scores")),
        failed: sample.get("error").is_some_and(|error| !error.is_null()),
        ..Record::default()
    })
}

/// The texts of a content of one kind: a bare text, or a list of `{"type": kind, kind: text}`.
fn parts<'v>(content: Option<&'v Value>, kind: &str) -> impl Iterator<Item = &'v str> {
    let bare = content.and_then(Value::as_str).filter(|_| kind == "text");
    let listed = content.and_then(Value::as_array).into_iter().flatten();
    let kind = kind.to_owned();
    let listed = listed.filter_map(move |part| {
        part.get("type").filter(|named| *named == kind.as_str())?;
        part.get(&kind)?.as_str()
    });
    bare.into_iter().chain(listed)
}

/// Each scorer's value, and each of a scorer of several. Letters are inspect's: correct, incorrect, partial, no answer.
fn rewards(scores: Option<&Value>) -> Vec<(String, Option<f64>)> {
    let figure = |value: &Value| match value.as_str() {
        Some("C") => Some(Some(1.0)),
        Some("P") => Some(Some(0.5)),
        Some("I" | "N") => Some(Some(0.0)),
        _ => number(value),
    };
    let mut rewards = Vec::new();
    for (scorer, score) in scores.and_then(Value::as_object).into_iter().flatten() {
        match score.get("value") {
            Some(Value::Object(several)) => rewards
                .extend(several.iter().filter_map(|(name, value)| Some((format!("{scorer}.{name}"), figure(value)?)))),
            value => rewards.extend(value.and_then(figure).map(|value| (scorer.clone(), value))),
        }
    }
    rewards
}
