//! The policy-gradient steps on one batch of rollouts.

use crate::config::RunConfig;
use crate::objective::{LabelValue, Normaliser, PolicyObjective, Sums, TrainedSequence};

use super::batch::mini_batches;
use super::error::TrainError;
use super::learner::{Learner, Pending};
use super::metrics::Metrics;
use super::pack::{Packed, TokenGroup};

/// The trained responses of one group.
#[derive(Debug, Clone)]
pub struct PolicyGroup {
    /// Prompt and responses.
    pub tokens: TokenGroup,
    /// The sampler's log-probabilities of each response.
    pub sampled: Vec<Vec<f32>>,
    /// The advantage of each response.
    pub advantages: Vec<f64>,
}

/// What the updates of a batch did.
#[derive(Debug, Clone, Default)]
pub struct Updated {
    /// Loss, divergence, entropy, clipping, gradient norm, ...
    pub metrics: Metrics,
    /// Optimiser steps taken.
    pub steps: u64,
    /// Tokens trained on.
    pub tokens: usize,
}

/// A loss or gradient that is not finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotFinite {
    /// `loss` or `gradient`.
    pub what: &'static str,
    /// Index of the group that it comes from.
    pub group: usize,
}

/// Why a batch was not learned.
#[derive(Debug)]
pub enum UpdateError {
    /// A number went wrong; no step was taken with it.
    NotFinite(NotFinite),
    /// Anything else.
    Other(TrainError),
}

impl From<TrainError> for UpdateError {
    fn from(error: TrainError) -> Self {
        Self::Other(error)
    }
}

/// How far the sampler's log-probabilities are from the trainer's own.
#[derive(Debug, Clone, Copy, Default)]
struct Mismatch {
    sum: f64,
    max: f64,
    tokens: usize,
}

impl Mismatch {
    fn add(&mut self, sampled: &[f32], values: &[f32]) {
        for (sampled, value) in sampled.iter().zip(values) {
            let difference = (f64::from(*sampled) - f64::from(*value)).abs();
            self.sum += difference;
            self.max = self.max.max(difference);
            self.tokens += 1;
        }
    }
}

/// Log-probabilities by group and response.
type LogProbs = Vec<Vec<Vec<f32>>>;

/// Learns a batch in `objective.steps_per_batch` optimiser steps. `old` log-probabilities are the learner's own before
/// the first step; with one step they are its current ones. With a KL term the learner must have a reference.
pub fn update(learner: &mut Learner, groups: &[PolicyGroup], config: &RunConfig) -> Result<Updated, UpdateError> {
    let tokens: Vec<TokenGroup> = groups.iter().map(|g| g.tokens.clone()).collect();
    let ranges = mini_batches(groups.len(), config.raw.objective.steps_per_batch);
    let mut mismatch = Mismatch::default();
    let old = match ranges.len() {
        0 | 1 => None,
        _ => {
            let old = learner.log_probs(&tokens)?;
            for (group, values) in groups.iter().zip(&old) {
                group.sampled.iter().zip(values).for_each(|(sampled, values)| mismatch.add(sampled, values));
            }
            Some(old)
        }
    };
    let reference = config.policy.kl.map(|_| learner.reference_log_probs(&tokens)).transpose()?;
    let mut work = Work {
        learner,
        groups,
        tokens: &tokens,
        old,
        reference,
        config,
        sums: Sums::default(),
        mismatch,
        packed: 0,
        whole: 0,
    };
    let (mut norms, mut rate) = (Vec::new(), 0.0);
    for range in ranges {
        let queued = work.accumulate(range.clone())?;
        let applied = work.learner.apply()?;
        if !applied.grad_norm.is_finite() {
            return Err(UpdateError::NotFinite(work.offender(range)?));
        }
        for micro_batch in queued {
            work.read(micro_batch)?;
        }
        norms.push(applied.grad_norm);
        rate = applied.rate;
    }
    Ok(work.report(&norms, rate))
}

/// A micro-batch whose gradient is added, and whose values are not read yet.
struct Queued {
    packed: Packed,
    objective: PolicyObjective,
    values: Pending,
}

/// The state of one batch's updates.
struct Work<'a> {
    learner: &'a mut Learner,
    groups: &'a [PolicyGroup],
    tokens: &'a [TokenGroup],
    old: Option<LogProbs>,
    reference: Option<LogProbs>,
    config: &'a RunConfig,
    sums: Sums,
    mismatch: Mismatch,
    packed: usize,
    whole: usize,
}

impl Work<'_> {
    /// Adds the gradient of the groups in `range`, one optimiser batch.
    fn accumulate(&mut self, range: std::ops::Range<usize>) -> Result<Vec<Queued>, TrainError> {
        let lengths = self.tokens[range.clone()].iter().flat_map(|g| g.responses.iter().map(Vec::len));
        let normaliser = Normaliser::over(self.config.aggregation, lengths, self.config.raw.rollout.max_new_tokens);
        let mut queued = Vec::new();
        for mut parts in self.learner.cut(&self.tokens[range.clone()]) {
            parts.iter_mut().for_each(|part| part.group += range.start);
            let packed = self.learner.pack(self.tokens, &parts)?;
            let sequences: Vec<TrainedSequence> = packed
                .members
                .iter()
                .zip(packed.first.iter().zip(&packed.lengths))
                .map(|(&(group, response), (&first, &length))| TrainedSequence {
                    advantage: self.groups[group].advantages[response],
                    first,
                    length,
                    old: self.old.as_ref().map(|all| all[group][response].clone()),
                    reference: self.reference.as_ref().map(|all| all[group][response].clone()),
                })
                .collect();
            let mut objective = PolicyObjective::new(self.config.policy, &normaliser, sequences)
                .map_err(|error| TrainError::Failed(error.to_string()))?;
            let values = self.learner.accumulate(&packed, &mut objective)?;
            queued.push(Queued { packed, objective, values });
        }
        Ok(queued)
    }

    /// Reads what a micro-batch came to.
    fn read(&mut self, queued: Queued) -> Result<(), TrainError> {
        let Queued { packed, objective, values } = queued;
        let values = values()?;
        self.sums.add(&objective.sums(packed.tree.labels(), &values));
        self.packed += packed.tree.tokens().len();
        self.whole += packed.tree.unshared_tokens();
        if self.old.is_none() {
            for (&(group, response), values) in packed.members.iter().zip(packed.by_sequence(&values)) {
                self.mismatch.add(&self.groups[group].sampled[response], &log_probs(&values));
            }
        }
        Ok(())
    }

    /// Finds the group whose loss or gradient is not finite by itself.
    fn offender(&mut self, range: std::ops::Range<usize>) -> Result<NotFinite, TrainError> {
        for group in range.clone() {
            self.learner.clear()?;
            let (mut finite, mut loss) = (true, 0.0);
            for Queued { packed, objective, values } in self.accumulate(group..group + 1)? {
                let values = values()?;
                finite &= values.iter().all(|value| value.log_prob.is_finite() && value.entropy.is_finite());
                loss += objective.sums(packed.tree.labels(), &values).loss;
            }
            if !finite || !loss.is_finite() {
                return Ok(NotFinite { what: "loss", group });
            }
            if !crate::optim::global_norm(&*self.learner.gradients()?).is_finite() {
                return Ok(NotFinite { what: "gradient", group });
            }
        }
        // Only the sum of finite gradients was too large: the first group stands for the batch.
        Ok(NotFinite { what: "gradient", group: range.start })
    }

    fn report(self, norms: &[f64], rate: f64) -> Updated {
        let sums = self.sums;
        let steps = norms.len().max(1) as f64;
        let mut metrics = Metrics::default();
        metrics.set("loss", sums.loss / steps);
        metrics.set("policy_loss", sums.policy_loss / steps);
        metrics.set_some("kl", sums.mean_kl());
        metrics.set_some("entropy", sums.mean(sums.entropy));
        metrics.set_some("clip_ratio/low_mean", sums.mean(sums.clipped_low as f64));
        metrics.set_some("clip_ratio/high_mean", sums.mean(sums.clipped_high as f64));
        metrics.set_some("clip_ratio/region_mean", sums.mean((sums.clipped_low + sums.clipped_high) as f64));
        metrics.set_some("ratio/mean", sums.mean(sums.ratio));
        metrics.set("ratio/max", sums.ratio_max);
        if self.mismatch.tokens > 0 {
            let mean = self.mismatch.sum / self.mismatch.tokens as f64;
            metrics.set("sampling/sampling_logp_difference/mean", mean);
            metrics.set("sampling/sampling_logp_difference/max", self.mismatch.max);
        }
        metrics.set("grad_norm", norms.iter().sum::<f64>() / steps);
        metrics.set("lr", rate);
        metrics.set("prefix/token_ratio", self.whole as f64 / self.packed.max(1) as f64);
        Updated { metrics, steps: norms.len() as u64, tokens: sums.tokens }
    }
}

fn log_probs(values: &[LabelValue]) -> Vec<f32> {
    values.iter().map(|value| value.log_prob as f32).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::ConfigSource;
    use crate::model::config::{Architecture, ModelConfig, RopeConfig, RopeScaling};
    use crate::model::decoder::Decoder;
    use crate::model::random;

    fn decoder() -> Decoder {
        let config = ModelConfig {
            architecture: Architecture::Qwen2,
            vocab_size: 40,
            hidden_size: 16,
            intermediate_size: 32,
            layers: 2,
            heads: 2,
            kv_heads: 1,
            head_dim: 8,
            rms_norm_eps: 1e-6,
            rope: RopeConfig { theta: 1e4, scaling: RopeScaling::Default },
            tie_word_embeddings: true,
            qkv_bias: true,
            max_position_embeddings: 64,
        };
        let parameters = random::parameters(&config, 7);
        Decoder::new(config, parameters)
    }

    /// Three groups of two responses each; token 39 stands in the second group alone.
    fn groups() -> Vec<PolicyGroup> {
        let group = |first: u32, responses: [&[u32]; 2]| PolicyGroup {
            tokens: TokenGroup {
                prompt: (first..first + 10).collect(),
                responses: responses.iter().map(|r| r.to_vec()).collect(),
            },
            sampled: responses.iter().map(|r| vec![-3.0; r.len()]).collect(),
            advantages: vec![1.0, -0.5],
        };
        vec![group(1, [&[3, 4, 5], &[6]]), group(2, [&[39, 7], &[8, 9]]), group(20, [&[5, 5, 5, 5], &[11, 12]])]
    }

    fn learner(settings: &[&str]) -> (Learner, RunConfig) {
        let mut source = ConfigSource::default();
        for setting in ["optim.lr=0.01", "objective.kl_coefficient=0.1"].iter().chain(settings) {
            source.set(setting).unwrap();
        }
        let config = source.resolve().unwrap();
        (Learner::new(decoder(), None, &config, 10, 1.0).unwrap(), config)
    }

    fn learned(settings: &[&str]) -> (Learner, Updated) {
        let (mut learner, config) = learner(settings);
        let mut reference = decoder();
        // A reference that differs, so that the divergence has a gradient.
        reference.parameters.final_norm.fill(0.5);
        learner.keep_reference(reference).unwrap();
        let updated = update(&mut learner, &groups(), &config).unwrap();
        (learner, updated)
    }

    #[test]
    fn the_gradient_does_not_depend_on_the_cut() {
        let norms: Vec<f64> = ["4096", "25", "1"]
            .iter()
            .map(|budget| {
                let (_, updated) = learned(&[&format!("trainer.max_packed_tokens={budget}")]);
                assert_eq!((updated.steps, updated.tokens), (1, 14));
                updated.metrics.get("grad_norm").unwrap()
            })
            .collect();
        assert!(norms[0] > 1e-3, "{norms:?}");
        assert!(norms.iter().all(|n| (n - norms[0]).abs() <= 1e-5 * norms[0]), "{norms:?}");
    }

    #[test]
    fn the_first_of_several_steps_is_on_policy() {
        let (_, once) = learned(&[]);
        assert_eq!(once.metrics.get("ratio/max"), Some(1.0));
        assert_eq!(once.metrics.get("clip_ratio/region_mean"), Some(0.0));
        let (learner, several) = learned(&["objective.steps_per_batch=3"]);
        assert_eq!(several.steps, 3);
        assert_eq!(learner.state().unwrap().step, 3);
        // Later steps see other ratios than 1, since the weights have moved.
        assert!(several.metrics.get("ratio/max").unwrap() > 1.0);
    }

    #[test]
    fn a_right_response_becomes_more_likely() {
        let (mut learner, config) = learner(&["objective.kl_coefficient=0"]);
        let groups = groups();
        let tokens: Vec<TokenGroup> = groups.iter().map(|g| g.tokens.clone()).collect();
        let likelihood = |learner: &Learner| -> f32 {
            let all = learner.log_probs(&tokens).unwrap();
            all.iter().map(|group| group[0].iter().sum::<f32>() - group[1].iter().sum::<f32>()).sum()
        };
        let before = likelihood(&learner);
        update(&mut learner, &groups, &config).unwrap();
        assert!(likelihood(&learner) > before);
    }

    #[test]
    fn the_group_that_is_not_finite_is_found() {
        let (mut learner, config) = learner(&["objective.kl_coefficient=0"]);
        let width = learner.decoder.config.hidden_size;
        // Token 39 is read by the second group alone; the tied head would spread it, so the head is its own.
        let mut parameters = learner.decoder.parameters.clone();
        parameters.head = Some(parameters.embedding.clone());
        parameters.embedding[39 * width] = f32::NAN;
        let model = ModelConfig { tie_word_embeddings: false, ..learner.decoder.config.clone() };
        learner = Learner::new(Decoder::new(model, parameters), None, &config, 10, 1.0).unwrap();
        let before = learner.decoder.parameters.layers[0].q.clone();
        match update(&mut learner, &groups(), &config) {
            Err(UpdateError::NotFinite(found)) => assert_eq!(found.group, 1),
            other => panic!("{other:?}"),
        }
        assert_eq!(learner.decoder.parameters.layers[0].q, before, "no step was taken");
    }
}
