//! What trainers write of their rollouts.

use attending_datasets::Problem;
use serde_json::{Map, Value};

use super::Record;
use super::cell::{labels, number, said, text, whole};

/// Columns of TRL and verl that are no rewards.
const NO_REWARDS: [&str; 14] = [
    "step",
    "prompt",
    "completion",
    "input",
    "output",
    "gts",
    "advantage",
    "mode",
    "case_id",
    "sample",
    "index",
    "group",
    "num_turns",
    "model",
];

/// TRL and verl: every column of numbers that is not known to be something else is a reward.
pub(super) fn read(fields: &Map<String, Value>, prompt: &str, completion: &str) -> Result<Record, Problem> {
    let missing = |name: &str| Problem::new(name, "is missing, expected a text or a list of messages");
    let read = |name: &str| fields.get(name).ok_or_else(|| missing(name)).and_then(|value| said(name, value));
    let rewards = fields.iter().filter(|(name, _)| !NO_REWARDS.contains(&name.as_str()));
    Ok(Record {
        case_id: fields.get("case_id").map(|value| text("case_id", value)).transpose()?,
        prompt: read(prompt)?,
        sample: fields.get("sample").map(|value| whole("sample", value)).transpose()?,
        step: fields.get("step").map(|value| whole("step", value)).transpose()?,
        text: read(completion)?,
        rewards: rewards.filter_map(|(name, value)| Some((name.clone(), number(value)?))).collect(),
        labels: labels(fields.get("labels"))?,
        ..Record::default()
    })
}
