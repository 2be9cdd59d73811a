//! Any other file, whose columns the user names.

use std::collections::BTreeMap;

use attending_datasets::{DataError, Problem};
use serde_json::{Map, Value};

use super::Record;
use super::cell::{number, said, text, whole};

/// Which column is what; a column may be a path into nested objects (`data.text`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    one: BTreeMap<&'static str, String>,
    rewards: Vec<String>,
    labels: Vec<String>,
}

/// Fields with one column each.
const SINGLE: [&str; 8] = ["case", "prompt", "sample", "step", "group", "model", "text", "reasoning"];
impl Columns {
    /// Reads `text=completion,case=question_id,rewards=a;b,labels=c`.
    ///
    /// # Errors
    /// An unknown name, a name without a column, no column of text.
    pub fn parse(text: &str) -> Result<Self, DataError> {
        let fault = |message: String| DataError::Argument(format!("--map: {message}"));
        let mut columns = Self::default();
        for part in text.split(',') {
            let assigned = part.split_once('=').map(|(name, column)| (name.trim(), column.trim()));
            let (name, column) = assigned
                .filter(|(_, column)| !column.is_empty())
                .ok_or_else(|| fault(format!("{part:?} is no assignment, expected name=column")))?;
            let list = || column.split(';').map(|c| c.trim().to_owned()).filter(|c| !c.is_empty()).collect();
            match (name, SINGLE.into_iter().find(|known| *known == name)) {
                (_, Some(known)) => {
                    columns.one.insert(known, column.to_owned());
                }
                ("rewards", _) => columns.rewards = list(),
                ("labels", _) => columns.labels = list(),
                _ => {
                    let known = SINGLE.join(", ");
                    return Err(fault(format!(
                        "{name:?} is no field of a response, expected one of {known}, rewards, labels"
                    )));
                }
            }
        }
        if !columns.one.contains_key("text") {
            return Err(fault("no column for the text, expected text=column".to_owned()));
        }
        Ok(columns)
    }
}

pub(super) fn read(fields: &Map<String, Value>, columns: &Columns) -> Result<Record, Problem> {
    let find = |path: &str| -> Result<&Value, Problem> {
        let nested = || {
            let mut parts = path.split('.');
            let first = parts.next().and_then(|name| fields.get(name));
            parts.fold(first, |value, name| value.and_then(|value| value.get(name)))
        };
        fields.get(path).or_else(nested).ok_or_else(|| {
            let names: Vec<&str> = fields.keys().map(String::as_str).take(12).collect();
            Problem::new(path, format!("is missing, expected one of the columns {}", names.join(", ")))
        })
    };
    let one = |name: &str| columns.one.get(name).map(|path| find(path).map(|value| (path.as_str(), value))).transpose();
    let words = |name: &str| one(name)?.map(|(path, value)| text(path, value)).transpose();
    let count = |name: &str| one(name)?.map(|(path, value)| whole(path, value)).transpose();
    let speech = |name: &str| one(name)?.map_or(Ok(None), |(path, value)| said(path, value));
    let figure = |path: &String| -> Result<(String, Option<f64>), Problem> {
        let value = find(path)?;
        let number =
            number(value).ok_or_else(|| Problem::new(path, "is no number, expected one, true, false or null"))?;
        Ok((path.clone(), number))
    };
    let labelled: Vec<_> = columns.labels.iter().map(figure).collect::<Result<_, _>>()?;
    Ok(Record {
        case_id: words("case")?,
        prompt: speech("prompt")?,
        sample: count("sample")?,
        step: count("step")?,
        group: words("group")?,
        model: words("model")?,
        text: speech("text")?,
        reasoning: speech("reasoning")?,
        rewards: columns.rewards.iter().map(figure).collect::<Result<_, _>>()?,
        labels: labelled.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        ..Record::default()
    })
}
