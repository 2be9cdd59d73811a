//! Values as frameworks write them: numbers as text, labels with or without their kind, messages in place of a text.

use attending_datasets::Problem;
use serde_json::Value;

/// `{name: value}` or `{name: {"value": ...}}`.
pub(super) fn labels(value: Option<&Value>) -> Result<Vec<(String, f64)>, Problem> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(Vec::new()) };
    let entries = value.as_object().ok_or_else(|| Problem::new("labels", "expected an object of labels by name"))?;
    let mut labels = Vec::new();
    for (name, value) in entries {
        let value = value.get("value").unwrap_or(value);
        match number(value) {
            Some(Some(number)) => labels.push((name.clone(), number)),
            Some(None) => {}
            None => return Err(Problem::new(format!("labels.{name}"), "expected a number, true, false or null")),
        }
    }
    Ok(labels)
}

/// A cell as a number: also as text, which CSV and some dumps write. `Some(None)`: empty or not a number. `None`: no number.
pub(super) fn number(value: &Value) -> Option<Option<f64>> {
    match value {
        Value::Null => Some(None),
        Value::Bool(yes) => Some(Some(f64::from(u8::from(*yes)))),
        Value::Number(number) => Some(number.as_f64().filter(|n| n.is_finite())),
        Value::String(text) => match text.trim() {
            "" | "nan" | "NaN" | "None" | "null" => Some(None),
            "True" | "true" | "yes" => Some(Some(1.0)),
            "False" | "false" | "no" => Some(Some(0.0)),
            text => text.parse::<f64>().ok().map(|n| n.is_finite().then_some(n)),
        },
        _ => None,
    }
}

pub(super) fn whole(name: &str, value: &Value) -> Result<u64, Problem> {
    let number = number(value).flatten().filter(|n| *n >= 0.0 && n.fract() == 0.0 && *n < 9e15);
    number.map(|n| n as u64).ok_or_else(|| Problem::new(name, format!("found {value}, expected a whole number from 0")))
}

pub(super) fn text(name: &str, value: &Value) -> Result<String, Problem> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(Problem::new(name, "expected a text or a number")),
    }
}

/// A text, or what was said in a list of messages; `null` is nothing.
pub(super) fn said(name: &str, value: &Value) -> Result<Option<String>, Problem> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Array(messages) => {
            let contents = messages.iter().map(|message| message.get("content").and_then(Value::as_str));
            let contents: Option<Vec<&str>> = contents.collect();
            contents
                .map(|contents| Some(contents.join("\n")))
                .ok_or_else(|| Problem::new(name, "expected messages with a `content` of text"))
        }
        _ => Err(Problem::new(name, "expected a text or a list of messages")),
    }
}
