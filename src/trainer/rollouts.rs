//! Sampling responses to cases and scoring them.

use attending_datasets::Case;
use attending_rewards::{Objective, Response, Scored, Scorer};
use rayon::prelude::*;

use crate::model::tokenizer::Tokenizer;
use crate::rollout::{Finish, Prompt, Rollout, SamplingParams, Stopping};

use super::data::PromptedCase;
use super::error::TrainError;
use super::learner::Learner;
use super::metrics::Metrics;
use super::save::model_error;

/// Reasons for which a value is absent that say something of the case, not that scoring failed.
const NOT_APPLICABLE: [&str; 2] = ["not_in_rubric", "no_evidence"];

/// One response to a case, scored.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Which of the case's samples.
    pub sample: usize,
    /// Token ids as sampled.
    pub tokens: Vec<u32>,
    /// The sampler's log-probability of each token.
    pub sampled: Vec<f32>,
    /// Whether the response was cut at its greatest length.
    pub truncated: bool,
    /// The text.
    pub text: String,
    /// Its score.
    pub scored: Scored,
}

/// The responses to one case.
#[derive(Debug, Clone)]
pub struct Group {
    /// Index of the case in its set.
    pub case: usize,
    /// The responses, by sample.
    pub answers: Vec<Answer>,
}

/// How to sample.
#[derive(Debug, Clone)]
pub struct Sampling {
    /// Responses to each case.
    pub group_size: usize,
    /// Temperature and its kin.
    pub params: SamplingParams,
    /// Seed of the run.
    pub seed: u64,
    /// The step, which the random numbers depend on.
    pub step: u64,
}

/// Samples responses to the cases at `indices` and scores them, in order.
pub fn sample(
    learner: &Learner,
    tokenizer: &Tokenizer,
    scorer: &Scorer,
    cases: &[PromptedCase],
    indices: &[usize],
    sampling: &Sampling,
) -> Result<Vec<Group>, TrainError> {
    let prompts: Vec<Prompt<'_>> =
        indices.iter().map(|&i| Prompt { id: &cases[i].case.id, tokens: &cases[i].prompt }).collect();
    let Sampling { group_size, params, seed, step } = sampling;
    // A token that is no text cannot end a stop string.
    let decode = |tokens: &[u32]| tokenizer.decode(tokens).unwrap_or_default();
    let stopping = Stopping { eos: tokenizer.eos_ids(), strings: &[], decode: &decode };
    let (prompts, stopping) = (&prompts, &stopping);
    let rollout = Rollout { prompts, group_size: *group_size, params, stopping, seed: *seed, step: *step };
    let completions = learner.generate(&rollout)?;
    let groups: Vec<_> = completions.chunks(*group_size).collect();
    groups
        .into_par_iter()
        .zip(indices)
        .map(|(completions, &index)| {
            let case = &cases[index].case;
            let evidence = scorer.index(case);
            let answers = completions
                .iter()
                .map(|completion| {
                    let text = tokenizer.decode(&completion.tokens).map_err(model_error)?;
                    let response = response(case, completion.sample, &text);
                    let scored = scorer.score(case, &evidence, &response);
                    Ok(Answer {
                        sample: completion.sample,
                        tokens: completion.tokens.clone(),
                        sampled: completion.log_probs.clone(),
                        truncated: completion.finish == Finish::Length,
                        text,
                        scored,
                    })
                })
                .collect::<Result<_, TrainError>>()?;
            Ok(Group { case: index, answers })
        })
        .collect()
}

fn response(case: &Case, sample: usize, text: &str) -> Response {
    Response { case_id: case.id.clone(), sample: sample as u64, text: Some(text.to_owned()), ..Response::default() }
}

/// Why a response could not be scored, if so: a value is absent for a reason that the case does not explain.
pub fn unscorable(scored: &Scored) -> Option<&str> {
    let reason = scored.reasons.values().find(|reason| !NOT_APPLICABLE.contains(&reason.as_str()));
    reason.map(String::as_str).or(scored.reward.is_none().then_some("no objective applies"))
}

/// The figures of a set of responses, under names that start with `prefix` (empty, or `eval/`).
pub fn figures(groups: &[Group], prefix: &str) -> Metrics {
    let answers = || groups.iter().flat_map(|g| &g.answers);
    let mut metrics = Metrics::default();
    let rewards: Vec<f64> = answers().filter_map(|a| a.scored.reward).collect();
    let spread: Vec<f64> = groups
        .iter()
        .filter_map(|g| std(&g.answers.iter().filter_map(|a| a.scored.reward).collect::<Vec<_>>()))
        .collect();
    metrics.set_some(format!("{prefix}reward"), mean(&rewards));
    metrics.set_some(format!("{prefix}reward_std"), mean(&spread));
    for objective in Objective::ALL {
        let values: Vec<f64> =
            answers().filter_map(|a| a.scored.objectives.get(&objective).copied().flatten()).collect();
        let failed = answers()
            .filter(|a| a.scored.reasons.get(&objective).is_some_and(|r| !NOT_APPLICABLE.contains(&r.as_str())))
            .count();
        let name = format!("{prefix}rewards/{}", objective.name());
        metrics.set_some(format!("{name}/mean"), mean(&values));
        metrics.set_some(format!("{name}/std"), std(&values));
        metrics.set(format!("{name}/unscorable"), failed as f64 / answers().count().max(1) as f64);
    }
    let lengths: Vec<f64> = answers().map(|a| a.tokens.len() as f64).collect();
    let truncated: Vec<f64> = answers().map(|a| f64::from(u8::from(a.truncated))).collect();
    metrics.set_some(format!("{prefix}completions/mean_length"), mean(&lengths));
    metrics.set_some(format!("{prefix}completions/max_length"), lengths.iter().copied().reduce(f64::max));
    metrics.set_some(format!("{prefix}completions/clipped_ratio"), mean(&truncated));
    metrics
}

/// The mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The unbiased standard deviation; `None` of fewer than two.
pub fn std(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn answer(reward: f64, accuracy: Option<f64>, reason: Option<&str>, tokens: usize, truncated: bool) -> Answer {
        Answer {
            sample: 0,
            tokens: vec![1; tokens],
            sampled: vec![0.0; tokens],
            truncated,
            text: String::new(),
            scored: Scored {
                case_id: "a".to_owned(),
                sample: 0,
                reward: Some(reward),
                objectives: BTreeMap::from([(Objective::Accuracy, accuracy)]),
                reasons: reason.map(|r| (Objective::Accuracy, r.to_owned())).into_iter().collect(),
                answer: Default::default(),
                checks: Vec::new(),
            },
        }
    }

    #[test]
    fn figures_by_hand() {
        let groups = [
            Group {
                case: 0,
                answers: vec![answer(1.0, Some(1.0), None, 4, false), answer(0.0, Some(0.0), None, 8, true)],
            },
            Group {
                case: 1,
                answers: vec![
                    answer(0.5, None, Some("no_evidence"), 6, false),
                    answer(0.5, None, Some("no gold answer"), 6, false),
                ],
            },
        ];
        let metrics = figures(&groups, "");
        // Rewards 1, 0, 0.5, 0.5: mean 0.5; group deviations sqrt(0.5) and 0, mean 0.3535533906.
        assert_eq!(metrics.get("reward"), Some(0.5));
        assert!((metrics.get("reward_std").unwrap() - 0.353_553_390_6).abs() < 1e-9);
        assert_eq!(metrics.get("rewards/accuracy/mean"), Some(0.5));
        assert_eq!(metrics.get("rewards/accuracy/unscorable"), Some(0.25));
        assert_eq!(metrics.get("completions/mean_length"), Some(6.0));
        assert_eq!(metrics.get("completions/clipped_ratio"), Some(0.25));
        assert_eq!(metrics.get("rewards/faithfulness/mean"), None);
        assert_eq!(unscorable(&groups[1].answers[1].scored), Some("no gold answer"));
        assert_eq!(unscorable(&groups[1].answers[0].scored), None);
    }
}
