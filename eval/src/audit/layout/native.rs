//! Our own records: responses, scores, or both in one.

use attending_datasets::Problem;
use attending_rewards::{Response, Scored};
use serde_json::{Map, Value};

use super::Record;
use super::cell::{labels, text, whole};

pub(super) fn read(mut fields: Map<String, Value>) -> Result<Record, Problem> {
    let mut record = Record {
        step: fields.get("step").map(|value| whole("step", value)).transpose()?,
        group: fields.get("group").map(|value| text("group", value)).transpose()?,
        model: fields.get("model").map(|value| text("model", value)).transpose()?,
        labels: labels(fields.get("labels"))?,
        sample: fields.get("sample").map(|value| whole("sample", value)).transpose()?,
        ..Record::default()
    };
    let nested = fields.shift_remove("scored");
    let scored = match nested {
        Some(value) => Some(value),
        None if fields.contains_key("objectives") => Some(Value::Object(fields.clone())),
        None => None,
    };
    if let Some(value) = scored {
        let scored: Scored = attending_datasets::reader::from_value(value)?;
        record.sample = record.sample.or(Some(scored.sample));
        record.case_id = Some(scored.case_id.clone());
        record.scored = Some(scored);
        // Its text is read below, its reward is in the score.
        fields.shift_remove("reward");
    }
    if let Some(id) = &record.case_id {
        fields.insert("case_id".to_owned(), Value::String(id.clone()));
    }
    let response: Response = attending_datasets::reader::from_value(Value::Object(fields))?;
    record.case_id = Some(response.case_id);
    record.text = response.text;
    record.reasoning = response.reasoning;
    record.rewards = response.rewards.into_iter().collect();
    record.rewards.extend(response.reward.map(|reward| ("reward".to_owned(), Some(reward))));
    Ok(record)
}
