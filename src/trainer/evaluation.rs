//! Evaluation of a model on cases: sampled or greedy answers, read and scored as in training.

use attending_eval::stats::{Bootstrap, Interval, Observation, wilson};
use attending_rewards::Objective;
use serde::Serialize;
use serde_json::{Value, json};

use crate::config::RunConfig;
use crate::model::decoder::Decoder;
use crate::model::folder::Model;
use crate::rollout::SamplingParams;

use super::data::{self, Prompting};
use super::error::TrainError;
use super::interrupt::Interrupt;
use super::progress::Progress;
use super::reinforce::scorer;
use super::rollouts::{self, Answer, Group, Sampling};
use super::source;

/// Cases answered together: what one batch's keys and values take stays small, and progress is seen.
const TOGETHER: usize = 32;

/// What to draw.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Answers to each case.
    pub samples: usize,
    /// 0: greedy.
    pub temperature: f64,
    /// Only the first cases.
    pub limit: Option<usize>,
    /// Seed of the samples.
    pub seed: u64,
    /// Longest answer, tokens; `None`: [`MAX_NEW_TOKENS`], or half of the model's context where that is less.
    pub max_new_tokens: Option<usize>,
}

/// Longest answer where none is asked for.
pub const MAX_NEW_TOKENS: usize = 512;

/// The results of an evaluation: `results.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Results {
    /// The model as it was named.
    pub model: String,
    /// Cases answered.
    pub cases: usize,
    /// Cases left out, since their prompts are too long.
    pub too_long: usize,
    /// Answers to each case.
    pub samples: usize,
    /// Sampling temperature.
    pub temperature: f64,
    /// Seed of the samples.
    pub seed: u64,
    /// Longest answer, tokens.
    pub max_new_tokens: usize,
    /// Share of right answers: Wilson's interval for one answer a case, bootstrapped over cases for several.
    pub accuracy: Option<Interval>,
    /// Mean, where it applies.
    pub faithfulness: Option<f64>,
    /// Mean, where it applies.
    pub comprehensiveness: Option<f64>,
    /// Mean, where it applies.
    pub format: Option<f64>,
    /// Share of answers that could not be read.
    pub unreadable: f64,
    /// Share of answers cut at their greatest length.
    pub truncated: f64,
    /// Tokens of an answer.
    pub mean_length: f64,
}

/// Answers the cases of `files`; `None` when the user interrupts. Gives the results and a record of each response.
pub fn run(
    config: &RunConfig,
    files: &[String],
    options: &Options,
    interrupt: &Interrupt,
) -> Result<Option<(Results, Vec<Value>)>, TrainError> {
    if !(options.temperature.is_finite() && options.temperature >= 0.0) {
        return Err(TrainError::Input(format!("--temperature is {}; it must be at least 0", options.temperature)));
    }
    let mut cases = data::read(files)?;
    cases.truncate(options.limit.unwrap_or(usize::MAX));
    if cases.is_empty() {
        return Err(TrainError::Input("no cases are left to answer; --limit must be at least 1".to_owned()));
    }
    let Model { config: model, parameters, tokenizer } = source::load(config)?;
    let mut config = config.clone();
    config.raw.rollout.max_new_tokens =
        options.max_new_tokens.unwrap_or_else(|| MAX_NEW_TOKENS.min(model.max_position_embeddings / 2));
    let config = &config;
    let prompter = data::prompter(config)?;
    let prompting = Prompting { config, model: &model, tokenizer: &tokenizer, prompter: &prompter };
    let set = prompting.prompts(cases, "cases")?;
    let scorer = scorer(config, set.response_format, None)?;
    let decoder = Decoder::new(model, parameters);
    let sampling = Sampling {
        group_size: options.samples,
        params: SamplingParams {
            temperature: options.temperature,
            top_p: 1.0,
            top_k: 0,
            max_new_tokens: config.raw.rollout.max_new_tokens,
        },
        seed: options.seed,
        step: 0,
    };
    let indices: Vec<usize> = (0..set.cases.len()).collect();
    let mut progress = Progress::new(indices.len().div_ceil(TOGETHER) as u64, 0);
    let mut groups: Vec<Group> = Vec::new();
    for together in indices.chunks(TOGETHER) {
        groups.extend(rollouts::sample(&decoder, &tokenizer, &scorer, &set.cases, together, &sampling)?);
        let right = rollouts::figures(&groups, "").get("rewards/accuracy/mean");
        progress.step(&right.map_or(String::new(), |r| format!("accuracy {r:.3}")));
        if interrupt.requested() {
            progress.finish();
            return Ok(None);
        }
    }
    progress.finish();
    let records = groups.iter().flat_map(|g| &g.answers).map(record).collect();
    Ok(Some((results(config, options, set.dropped, &groups), records)))
}

fn record(answer: &Answer) -> Value {
    json!({
        "case_id": answer.scored.case_id,
        "sample": answer.sample,
        "text": answer.text,
        "finish_reason": if answer.truncated { "length" } else { "stop" },
        "reward": answer.scored.reward,
        "rewards": answer.scored.objectives,
        "answer": answer.scored.answer,
    })
}

fn results(config: &RunConfig, options: &Options, too_long: usize, groups: &[Group]) -> Results {
    let answers: Vec<&Answer> = groups.iter().flat_map(|g| &g.answers).collect();
    let value = |a: &Answer, o: Objective| a.scored.objectives.get(&o).copied().flatten();
    let mean = |o: Objective| rollouts::mean(&answers.iter().filter_map(|a| value(a, o)).collect::<Vec<_>>());
    let share =
        |of: &dyn Fn(&Answer) -> bool| answers.iter().filter(|a| of(a)).count() as f64 / answers.len().max(1) as f64;
    let judged: Vec<Observation<'_>> = answers
        .iter()
        .filter_map(|a| Some(Observation { question: &a.scored.case_id, value: value(a, Objective::Accuracy)? }))
        .collect();
    let accuracy = if options.samples == 1 && judged.iter().all(|o| o.value == 0.0 || o.value == 1.0) {
        wilson(judged.iter().filter(|o| o.value == 1.0).count() as u64, judged.len() as u64)
    } else {
        Bootstrap::default().mean(&judged)
    };
    Results {
        model: config.raw.model.path.clone(),
        cases: groups.len(),
        too_long,
        samples: options.samples,
        temperature: options.temperature,
        seed: options.seed,
        max_new_tokens: config.raw.rollout.max_new_tokens,
        accuracy,
        faithfulness: mean(Objective::Faithfulness),
        comprehensiveness: mean(Objective::Comprehensiveness),
        format: mean(Objective::Format),
        unreadable: share(&|a| a.scored.answer.read.is_none()),
        truncated: share(&|a| a.truncated),
        mean_length: answers.iter().map(|a| a.tokens.len() as f64).sum::<f64>() / answers.len().max(1) as f64,
    }
}
