//! Evaluation on the held-out cases: the same cases, the same random numbers, before, during and after training.

use std::collections::BTreeMap;
use std::path::Path;

use attending_rewards::{Objective, Scored, Scorer};
use serde::{Deserialize, Serialize};

use crate::model::tokenizer::Tokenizer;
use crate::rollout::SamplingParams;

use super::data::PromptedCase;
use super::error::TrainError;
use super::learner::Learner;
use super::metrics::Metrics;
use super::rollouts::{self, Sampling};
use super::run_dir::{RunDir, RunDirError, write_whole};

/// Keeps the random numbers of evaluations apart from those of training.
const STREAM: u64 = 0x6865_6c64_5f6f_7574;
/// Step number of the greedy answers' random numbers, of which they use none.
const GREEDY: u64 = 1;

/// One answer of an evaluation: a line of `held_out/step-000040.jsonl`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// After which step.
    pub step: u64,
    /// The sampled answer.
    pub text: String,
    /// Whether it was cut at its greatest length.
    pub truncated: bool,
    /// Its score.
    pub scored: Scored,
    /// Accuracy of the greedy answer, where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greedy: Option<f64>,
}

/// What is evaluated, and how.
#[derive(Debug)]
pub struct Evaluator<'a> {
    /// The cases.
    pub cases: &'a [PromptedCase],
    /// The scorer.
    pub scorer: &'a Scorer,
    /// The tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Training's own sampling settings.
    pub params: &'a SamplingParams,
    /// The run's seed.
    pub seed: u64,
}

impl Evaluator<'_> {
    /// Answers all cases once at the training temperature, and greedily too where `greedy` is set.
    pub fn run(&self, learner: &Learner, step: u64, greedy: bool) -> Result<(Vec<Record>, Metrics), TrainError> {
        let sampled = self.sample(learner, self.params.clone(), 0)?;
        let mut metrics = rollouts::figures(&sampled, "eval/");
        let greedy = if greedy {
            let params = SamplingParams { temperature: 0.0, ..self.params.clone() };
            let groups = self.sample(learner, params, GREEDY)?;
            let values: Vec<Option<f64>> = groups.iter().map(|g| accuracy(&g.answers[0].scored)).collect();
            let known: Vec<f64> = values.iter().copied().flatten().collect();
            metrics.set_some("eval/greedy/accuracy", rollouts::mean(&known));
            values
        } else {
            vec![None; sampled.len()]
        };
        let records = sampled
            .into_iter()
            .zip(greedy)
            .flat_map(|(group, greedy)| {
                group.answers.into_iter().map(move |a| Record {
                    step,
                    text: a.text,
                    truncated: a.truncated,
                    scored: a.scored,
                    greedy,
                })
            })
            .collect();
        Ok((records, metrics))
    }

    fn sample(&self, learner: &Learner, params: SamplingParams, step: u64) -> Result<Vec<rollouts::Group>, TrainError> {
        let indices: Vec<usize> = (0..self.cases.len()).collect();
        let sampling = Sampling { group_size: 1, params, seed: self.seed ^ STREAM, step };
        rollouts::sample(learner, self.tokenizer, self.scorer, self.cases, &indices, &sampling)
    }
}

fn accuracy(scored: &Scored) -> Option<f64> {
    scored.objectives.get(&Objective::Accuracy).copied().flatten()
}

/// Writes the records of one evaluation.
pub fn write(run: &RunDir, step: u64, records: &[Record]) -> Result<(), TrainError> {
    let path = run.held_out(step);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(RunDirError::io(folder))?;
    }
    let mut text = String::new();
    for record in records {
        text += &serde_json::to_string(record).map_err(|e| TrainError::Failed(e.to_string()))?;
        text.push('\n');
    }
    Ok(write_whole(&path, text.as_bytes())?)
}

/// Reads them back, by case id; nothing where there was no such evaluation.
pub fn read(path: &Path) -> Result<BTreeMap<String, Record>, TrainError> {
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(BTreeMap::new()) };
    text.lines()
        .map(|line| {
            let record: Record =
                serde_json::from_str(line).map_err(|e| TrainError::Failed(format!("{}: {e}", path.display())))?;
            Ok((record.scored.case_id.clone(), record))
        })
        .collect()
}

/// The steps that were evaluated, in order.
pub fn steps(run: &RunDir) -> Vec<u64> {
    let folder = run.held_out(0);
    let Some(entries) = folder.parent().and_then(|f| std::fs::read_dir(f).ok()) else { return Vec::new() };
    let number = |name: &str| name.strip_prefix("step-")?.strip_suffix(".jsonl")?.parse().ok();
    let mut steps: Vec<u64> = entries.flatten().filter_map(|e| number(e.file_name().to_str()?)).collect();
    steps.sort_unstable();
    steps
}
