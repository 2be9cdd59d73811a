//! The figures of a step: named as TRL names them, written to `metrics.jsonl` and to TensorBoard.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::run_dir::{Lines, RunDir, RunDirError};
use super::tensorboard::EventWriter;

/// The figures of one step, in the order in which they were set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    values: Vec<(String, f64)>,
}

impl Metrics {
    /// Sets a figure; a name that was set before gets the new value.
    pub fn set(&mut self, name: impl Into<String>, value: f64) {
        let name = name.into();
        match self.values.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.values.push((name, value)),
        }
    }

    /// Sets a figure where there is one.
    pub fn set_some(&mut self, name: impl Into<String>, value: Option<f64>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// A figure by name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
    }

    /// Adds the figures of `other`.
    pub fn extend(&mut self, other: Self) {
        for (name, value) in other.values {
            self.set(name, value);
        }
    }

    /// All figures.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.values.iter().map(|(n, v)| (n.as_str(), *v))
    }

    /// One line of `metrics.jsonl`. A figure that is not finite becomes null: JSON has no other word for it.
    pub fn record(&self, step: u64) -> Value {
        let mut record = Map::from_iter([("step".to_owned(), Value::from(step))]);
        record.extend(self.values.iter().map(|(n, v)| (n.clone(), Value::from(*v))));
        Value::Object(record)
    }
}

/// The open `metrics.jsonl` and event file of a run.
#[derive(Debug)]
pub struct MetricsLog {
    lines: Lines,
    events: EventWriter,
    folder: std::path::PathBuf,
}

impl MetricsLog {
    /// Opens both; the event file is new.
    pub fn open(run: &RunDir) -> Result<Self, RunDirError> {
        let events = EventWriter::create(run.path(), now()).map_err(RunDirError::io(run.path()))?;
        Ok(Self { lines: Lines::append_to(&run.metrics())?, events, folder: run.path().to_owned() })
    }

    /// Writes the figures of a step.
    pub fn write(&mut self, step: u64, metrics: &Metrics) -> Result<(), RunDirError> {
        self.lines.write(&[metrics.record(step)])?;
        self.events.scalars(now(), step, metrics.iter()).map_err(RunDirError::io(&self.folder))
    }
}

/// All lines of a `metrics.jsonl`, in order.
pub fn read(path: &Path) -> Result<Vec<Map<String, Value>>, RunDirError> {
    let text = std::fs::read_to_string(path).map_err(RunDirError::io(path))?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Seconds since 1970, for the time axis of the event file alone; nothing is computed from it.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|d| d.as_secs_f64()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_with_the_step_first() {
        let mut metrics = Metrics::default();
        metrics.set("reward", 0.5);
        metrics.set_some("kl", None);
        metrics.set("grad_norm", f64::NAN);
        metrics.set("reward", 0.75);
        assert_eq!(metrics.record(3).to_string(), r#"{"step":3,"reward":0.75,"grad_norm":null}"#);
        assert_eq!(metrics.get("reward"), Some(0.75));
    }
}
