//! `results.json`: what an evaluation found, in one stable schema.

mod build;
mod report;
mod score;
mod table;

use std::collections::BTreeMap;
use std::path::Path;

use attending_rewards::Objective;
use serde::{Deserialize, Serialize};

use crate::error::EvalError;
use crate::run::{Settings, write_whole};
use crate::stats::Interval;

pub use build::{Counts, build};
pub use report::page;
pub use score::{Judged, Judging, likeliest, score};
pub use table::table;

/// The schema's name and version, which stand first in the record.
pub const SCHEMA: &str = "attending.results/1";

/// The results of one benchmark, protocol and model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What was evaluated, and how.
    #[serde(flatten)]
    pub settings: Settings,
    /// Cases with at least one judged answer.
    pub cases: usize,
    /// Samples of a case that were asked for.
    pub samples: u64,
    /// Answers that were judged.
    pub answers: usize,
    /// Share of right answers: Wilson's interval for one answer a case, else bootstrapped over cases.
    pub accuracy: Option<Interval>,
    /// The same with each option's log-likelihood divided by its length in characters (`acc_norm`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_normalised: Option<Interval>,
    /// As another scorer reads the same answers, where its way is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compatible: Option<Compatible>,
    /// By k: the chance that one of k answers is right.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pass_at_k: BTreeMap<usize, Interval>,
    /// By k: the chance that the most frequent of k answers is right.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub maj_at_k: BTreeMap<usize, Interval>,
    /// The other objectives, where they apply.
    pub objectives: BTreeMap<Objective, Mean>,
    /// Share of answers that could not be read; they count as wrong.
    pub unreadable: f64,
    /// By rule that read the answer: its share of all answers.
    pub tiers: BTreeMap<String, f64>,
    /// Share of responses that were cut at their greatest length.
    pub truncated: f64,
    /// Tokens of a response, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_tokens: Option<f64>,
    /// What is not among the answers.
    pub left_out: LeftOut,
    /// Field of the cases' metadata, then its value: cases and accuracy.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub subjects: BTreeMap<String, BTreeMap<String, Subject>>,
}

/// A mean over the answers that it applies to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// Bootstrapped over cases.
    pub mean: Interval,
    /// Answers that have a value.
    pub scored: usize,
}

/// The same answers under another scorer's rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compatible {
    /// Whose rules: `mirage`.
    pub scorer: String,
    /// Its figure.
    pub accuracy: Interval,
    /// Its rules without the answer that it falls back to.
    pub strict: Interval,
    /// Share of answers that its rules could not read.
    pub unreadable: f64,
}

/// What is not among the answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Samples that failed; they are in `errors.jsonl` and asked again by the next call.
    pub failed: usize,
    /// Cases whose prompts are longer than the model can read.
    pub too_long: usize,
    /// Samples that an interrupted run has not come to.
    pub not_asked: usize,
    /// Responses without a gold answer.
    pub no_gold: usize,
}

impl LeftOut {
    /// What there is of each, in words.
    pub(super) fn listed(&self) -> impl Iterator<Item = (usize, &'static str)> {
        [
            (self.failed, "failed samples (errors.jsonl; run again to ask them again)"),
            (self.not_asked, "samples not asked yet (run again to go on)"),
            (self.too_long, "cases left out: their prompts are too long"),
            (self.no_gold, "answers left out: no gold answer"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
    }
}

/// The accuracy on the cases of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// Cases.
    pub cases: usize,
    /// As the whole's.
    pub accuracy: Interval,
}

impl Results {
    /// Name of the file in a run's folder.
    pub const FILE: &'static str = "results.json";

    /// Writes the file whole.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn write(&self, folder: &Path) -> Result<(), EvalError> {
        write_whole(&folder.join(Self::FILE), &(self.json()? + "\n"))
    }

    /// The record as indented JSON.
    ///
    /// # Errors
    /// A number has no JSON form.
    pub fn json(&self) -> Result<String, EvalError> {
        serde_json::to_string_pretty(self).map_err(|error| EvalError::Failed(error.to_string()))
    }

    /// Reads the results of a run.
    ///
    /// # Errors
    /// The folder has none, or of another schema.
    pub fn read(folder: &Path) -> Result<Self, EvalError> {
        let path = folder.join(Self::FILE);
        let text = std::fs::read_to_string(&path).map_err(EvalError::io(&path))?;
        serde_json::from_str(&text).map_err(|error| {
            EvalError::Input(format!("{}: {error}; expected results of the schema {SCHEMA}", path.display()))
        })
    }
}
