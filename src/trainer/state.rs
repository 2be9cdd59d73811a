//! What a run has to remember besides its tensors: `trainer.json` of a checkpoint.

use std::path::Path;

use attending_rewards::advantage::Multipliers;
use serde::{Deserialize, Serialize};

use super::error::TrainError;
use super::order::hash;
use crate::config::{RawConfig, RunConfig};

/// Name of the file in a checkpoint folder.
const FILE: &str = "trainer.json";
/// Its schema.
const SCHEMA: &str = "attending.trainer/1";

/// The counters of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainerState {
    /// Always `attending.trainer/1`.
    pub schema: String,
    /// `train` or `sft`.
    pub command: String,
    /// Batches done.
    pub step: u64,
    /// Optimiser steps done, which the schedule and Adam's bias correction count.
    pub optimiser_steps: u64,
    /// Responses sampled, or sequences learned, so far.
    pub sequences: u64,
    /// Tokens trained on so far.
    pub tokens: u64,
    /// Draws of cases so far.
    pub cursor: u64,
    /// Fingerprint of the cases' ids in their order.
    pub data: String,
    /// Hash of the reference model's weights.
    pub reference: String,
    /// Hash of the settings that must not change within a run.
    pub config: String,
    /// The best evaluation so far.
    pub best: Option<Best>,
    /// The multipliers of `constrained`; all 0 under other estimators.
    #[serde(default)]
    pub multipliers: Multipliers,
}

/// An evaluation on the held-out cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// After which step.
    pub step: u64,
    /// Mean reward.
    pub reward: f64,
}

impl TrainerState {
    /// The state before the first step.
    pub fn start(command: &str, config: &RunConfig, data: u64, reference: u64) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            command: command.to_owned(),
            step: 0,
            optimiser_steps: 0,
            sequences: 0,
            tokens: 0,
            cursor: 0,
            data: hex(data),
            reference: hex(reference),
            config: hex(fixed_settings(config)),
            best: None,
            multipliers: Multipliers::default(),
        }
    }

    /// Writes `trainer.json` into a checkpoint folder.
    pub fn write(&self, folder: &Path) -> Result<(), TrainError> {
        let path = folder.join(FILE);
        let text = serde_json::to_string_pretty(self).map_err(|e| TrainError::Failed(e.to_string()))?;
        std::fs::write(&path, text + "\n").map_err(|e| super::run_dir::RunDirError::io(&path)(e).into())
    }

    /// Reads it back, and refuses to continue `start` where command, data, model or settings have changed since.
    pub fn read(folder: &Path, start: &Self) -> Result<Self, TrainError> {
        let problem = |problem: String| TrainError::Checkpoint { path: folder.join(FILE), problem };
        let text = std::fs::read_to_string(folder.join(FILE)).map_err(|e| problem(format!("cannot be read: {e}")))?;
        let state: Self = serde_json::from_str(&text).map_err(|e| problem(format!("is not readable: {e}")))?;
        for (what, was, is) in [
            ("is of another version", &state.schema, &start.schema),
            ("was written by another command", &state.command, &start.command),
            ("was made with other cases; the data files must not change within a run", &state.data, &start.data),
            (
                "was made with another starting model; it must not change within a run",
                &state.reference,
                &start.reference,
            ),
            (
                "was made with other settings; only the length of the run, and how often it saves and evaluates, may change",
                &state.config,
                &start.config,
            ),
        ] {
            if was != is {
                return Err(problem(format!("{what} ({was}, now {is})")));
            }
        }
        Ok(state)
    }
}

/// A hash of the settings, without those that may change when a run is continued.
fn fixed_settings(config: &RunConfig) -> u64 {
    let free = RawConfig::default().trainer;
    let mut fixed = config.raw.clone();
    fixed.trainer.steps = free.steps;
    fixed.trainer.eval_every = free.eval_every;
    fixed.trainer.save_every = free.save_every;
    fixed.trainer.keep = free.keep;
    fixed.sft.epochs = RawConfig::default().sft.epochs;
    // The rubric may be a file, of which the configuration has the name alone: its values count.
    let settings = toml::to_string(&fixed).unwrap_or_default() + &format!("{:?}", config.rubric);
    hash(settings.as_bytes())
}

/// Sixteen hexadecimal digits: a 64-bit number would lose digits in JSON readers that know only doubles.
fn hex(value: u64) -> String {
    format!("{value:016x}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::ConfigSource;

    #[test]
    fn a_changed_run_is_not_continued() {
        let folder = tempfile::tempdir().unwrap();
        let config = ConfigSource::default().resolve().unwrap();
        let mut state = TrainerState::start("train", &config, 1, 2);
        state.step = 7;
        state.write(folder.path()).unwrap();
        assert_eq!(TrainerState::read(folder.path(), &TrainerState::start("train", &config, 1, 2)).unwrap(), state);

        let mut source = ConfigSource::default();
        source.set("trainer.steps=7").unwrap();
        let longer = source.clone().resolve().unwrap();
        TrainerState::read(folder.path(), &TrainerState::start("train", &longer, 1, 2)).unwrap();
        source.set("optim.lr=0.1").unwrap();
        let other = source.resolve().unwrap();
        for (start, sentence) in [
            (TrainerState::start("train", &other, 1, 2), "other settings"),
            (TrainerState::start("train", &config, 3, 2), "other cases"),
            (TrainerState::start("train", &config, 1, 3), "another starting model"),
            (TrainerState::start("sft", &config, 1, 2), "another command"),
        ] {
            let error = TrainerState::read(folder.path(), &start).unwrap_err();
            assert!(error.to_string().contains(sentence), "{error}");
            assert_eq!(error.status(), 2);
        }
    }
}
