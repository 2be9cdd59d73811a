//! The reinforcement-learning objective: policy gradient, divergence from the reference, entropy bonus.

use thiserror::Error;

use super::loss::{Step, clipped, weighted_likelihood};
use super::{Coefficient, Kl, KlLoss, Label, LabelValue, Loss, Normaliser, Term, Terms, TokenObjective};

/// What is summed over trained tokens: `sum of w_t (loss_t + kl_t - entropy_coefficient H_t)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolicyConfig {
    /// The policy-gradient loss.
    pub loss: Loss,
    /// The ratio's lower bound is `1 - clip_low`; 1 for none.
    pub clip_low: f64,
    /// The ratio's upper bound is `1 + clip_high`.
    pub clip_high: f64,
    /// The divergence term; `None` needs no reference.
    pub kl: Option<KlLoss>,
    /// Weight of the entropy, which is to grow.
    pub entropy_coefficient: f64,
}

/// One sequence of the micro-batch, in the tree's order.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedSequence {
    /// The advantage of each of its trained tokens.
    pub advantage: f64,
    /// Index, in the sequence, of the first trained token.
    pub first: usize,
    /// Number of trained tokens.
    pub length: usize,
    /// Log-probabilities before the batch's first step; `None`: this is that step, and they are the current ones,
    /// detached.
    pub old: Option<Vec<f32>>,
    /// Log-probabilities under the frozen reference, if there is one.
    pub reference: Option<Vec<f32>>,
}

/// What a policy objective adds up for the metrics; sums over trained tokens unless stated otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sums {
    /// Trained tokens seen.
    pub tokens: usize,
    /// The loss: the share of the micro-batch in the optimiser batch's, already normalised.
    pub loss: f64,
    /// The share of the policy-gradient term in `loss`.
    pub policy_loss: f64,
    /// The share of the divergence term in `loss`.
    pub kl_loss: f64,
    /// Tokens seen that have a reference.
    pub reference_tokens: usize,
    /// k3 estimates of the divergence from the reference.
    pub kl: f64,
    /// Entropies.
    pub entropy: f64,
    /// Ratios to the old policy.
    pub ratio: f64,
    /// The largest ratio (not a sum).
    pub ratio_max: f64,
    /// Tokens whose ratio's lower bound took effect.
    pub clipped_low: usize,
    /// Tokens whose ratio's upper bound took effect.
    pub clipped_high: usize,
}

impl Sums {
    /// Adds another micro-batch of the same optimiser batch.
    pub fn add(&mut self, other: &Sums) {
        self.tokens += other.tokens;
        self.loss += other.loss;
        self.policy_loss += other.policy_loss;
        self.kl_loss += other.kl_loss;
        self.reference_tokens += other.reference_tokens;
        self.kl += other.kl;
        self.entropy += other.entropy;
        self.ratio += other.ratio;
        self.ratio_max = self.ratio_max.max(other.ratio_max);
        self.clipped_low += other.clipped_low;
        self.clipped_high += other.clipped_high;
    }

    /// A sum as a mean over tokens; `None` where there were none.
    pub fn mean(&self, sum: f64) -> Option<f64> {
        (self.tokens > 0).then(|| sum / self.tokens as f64)
    }

    /// Mean divergence from the reference; `None` without one.
    pub fn mean_kl(&self) -> Option<f64> {
        (self.reference_tokens > 0).then(|| self.kl / self.reference_tokens as f64)
    }
}

/// Why an objective could not be set up.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Error {
    /// Log-probabilities do not match the trained tokens.
    #[error("sequence {sequence} trains {tokens} tokens but comes with {found} {which} log-probabilities")]
    Length {
        /// Index of the sequence.
        sequence: usize,
        /// Its trained tokens.
        tokens: usize,
        /// Log-probabilities given.
        found: usize,
        /// `old` or `reference`.
        which: &'static str,
    },
    /// A KL term without anything to diverge from.
    #[error("the KL coefficient is {coefficient} but sequence {sequence} has no reference log-probabilities")]
    NoReference {
        /// Index of the sequence.
        sequence: usize,
        /// The coefficient.
        coefficient: f64,
    },
    /// An advantage that is infinite or not a number.
    #[error("the advantage of sequence {sequence} is {advantage}; it must be a finite number")]
    Advantage {
        /// Index of the sequence.
        sequence: usize,
        /// What stood there.
        advantage: f64,
    },
    /// A setting is out of range.
    #[error("objective.{name} is {value}; it must be {right}")]
    Setting {
        /// The key below `[objective]`.
        name: &'static str,
        /// What stood there.
        value: f64,
        /// What would be right.
        right: &'static str,
    },
}

impl PolicyConfig {
    /// Refuses settings under which the loss makes no sense.
    pub fn validate(&self) -> Result<(), Error> {
        let kl = self.kl.map_or(0.0, |kl| kl.coefficient);
        let at_least_0 = "a number of at least 0";
        let checks = [
            ("clip_low", self.clip_low, (0.0..=1.0).contains(&self.clip_low), "between 0 and 1"),
            ("clip_high", self.clip_high, self.clip_high >= 0.0, at_least_0),
            ("kl_coefficient", kl, kl.is_finite() && kl >= 0.0, at_least_0),
            ("entropy_coefficient", self.entropy_coefficient, self.entropy_coefficient.is_finite(), "a finite number"),
        ];
        match checks.into_iter().find(|(_, _, fine, _)| !fine) {
            Some((name, value, _, right)) => Err(Error::Setting { name, value, right }),
            None => Ok(()),
        }
    }
}

/// The objective of one micro-batch.
#[derive(Debug, Clone)]
pub struct PolicyObjective {
    config: PolicyConfig,
    sequences: Vec<TrainedSequence>,
    /// Weight of a token, by sequence.
    weights: Vec<f64>,
    /// Mean log-ratio of each sequence, filled by `begin` where the loss needs it.
    sequence_log_ratios: Vec<f64>,
}

/// The loss at one label, before the label's weight.
struct AtLabel {
    ratio: f64,
    step: Step,
    /// The divergence term and its derivative by the log-probability.
    kl: (f64, f64),
    /// The k3 estimate of the divergence from the reference.
    divergence: Option<f64>,
}

impl PolicyObjective {
    /// For the sequences of one micro-batch, in the tree's order; `normaliser` counts the whole optimiser batch.
    pub fn new(config: PolicyConfig, normaliser: &Normaliser, sequences: Vec<TrainedSequence>) -> Result<Self, Error> {
        config.validate()?;
        for (sequence, trained) in sequences.iter().enumerate() {
            if !trained.advantage.is_finite() {
                return Err(Error::Advantage { sequence, advantage: trained.advantage });
            }
            for (which, given) in [("old", &trained.old), ("reference", &trained.reference)] {
                if let Some(found) = given.as_ref().map(Vec::len).filter(|found| *found != trained.length) {
                    return Err(Error::Length { sequence, tokens: trained.length, found, which });
                }
            }
            if let (Some(kl), None) = (config.kl, &trained.reference) {
                return Err(Error::NoReference { sequence, coefficient: kl.coefficient });
            }
        }
        let weights = sequences.iter().map(|s| normaliser.token_weight(s.length)).collect();
        Ok(Self { config, sequences, weights, sequence_log_ratios: Vec::new() })
    }

    /// What the labels' values add up to: loss, divergence, entropy, ratios, clipping. `labels` and `values` must be the
    /// whole micro-batch's.
    pub fn sums(&self, labels: &[Label], values: &[LabelValue]) -> Sums {
        let means = if self.needs_all() { self.mean_log_ratios(labels, values) } else { Vec::new() };
        let mut sums = Sums::default();
        for (label, value) in labels.iter().zip(values) {
            let AtLabel { ratio, step, kl, divergence } = self.at(label, value.log_prob, &means);
            let weight = self.weights[label.sequence as usize];
            sums.tokens += 1;
            sums.loss += weight * (step.value + kl.0 - self.config.entropy_coefficient * value.entropy);
            sums.policy_loss += weight * step.value;
            sums.kl_loss += weight * kl.0;
            sums.reference_tokens += usize::from(divergence.is_some());
            sums.kl += divergence.unwrap_or(0.0);
            sums.entropy += value.entropy;
            sums.ratio += ratio;
            sums.ratio_max = sums.ratio_max.max(ratio);
            sums.clipped_low += usize::from(step.low);
            sums.clipped_high += usize::from(step.high);
        }
        sums
    }

    fn old(&self, label: &Label) -> Option<f32> {
        let sequence = &self.sequences[label.sequence as usize];
        sequence.old.as_ref().map(|old| old[label.index as usize - sequence.first])
    }

    fn reference(&self, label: &Label) -> Option<f32> {
        let sequence = &self.sequences[label.sequence as usize];
        sequence.reference.as_ref().map(|reference| reference[label.index as usize - sequence.first])
    }

    fn log_ratio(&self, label: &Label, log_prob: f64) -> f64 {
        self.old(label).map_or(0.0, |old| log_prob - f64::from(old))
    }

    fn mean_log_ratios(&self, labels: &[Label], values: &[LabelValue]) -> Vec<f64> {
        let mut means = vec![0.0; self.sequences.len()];
        for (label, value) in labels.iter().zip(values) {
            let sequence = label.sequence as usize;
            means[sequence] += self.log_ratio(label, value.log_prob) / self.sequences[sequence].length as f64;
        }
        means
    }

    /// The loss at a label. For `gspo` every token carries its sequence's loss; the 1 / length of the mean log-ratio and
    /// the length equal terms cancel in the derivative.
    fn at(&self, label: &Label, log_prob: f64, mean_log_ratios: &[f64]) -> AtLabel {
        let (low, high) = (self.config.clip_low, self.config.clip_high);
        let sequence = label.sequence as usize;
        let advantage = self.sequences[sequence].advantage;
        let ratio = self.log_ratio(label, log_prob).exp();
        let step = match self.config.loss {
            Loss::Ppo => clipped(ratio, advantage, low, high),
            Loss::Gspo => clipped(mean_log_ratios[sequence].exp(), advantage, low, high),
            Loss::Cispo => weighted_likelihood(ratio, advantage, log_prob, low, high),
        };
        let reference = self.reference(label).map(f64::from);
        let kl = match (self.config.kl, reference) {
            (Some(kl), Some(reference)) => kl.term(log_prob, reference, ratio),
            _ => (0.0, 0.0),
        };
        let divergence = reference.map(|reference| Kl::K3.value_and_derivative(log_prob - reference).0);
        AtLabel { ratio, step, kl, divergence }
    }
}

impl TokenObjective for PolicyObjective {
    fn needs_all(&self) -> bool {
        self.config.loss == Loss::Gspo
    }

    fn begin(&mut self, labels: &[Label], values: &[LabelValue]) {
        self.sequence_log_ratios = self.mean_log_ratios(labels, values);
    }

    fn coefficients(&self, labels: &[Label], values: &[LabelValue], out: &mut [Coefficient]) {
        for ((label, value), out) in labels.iter().zip(values).zip(out) {
            let at = self.at(label, value.log_prob, &self.sequence_log_ratios);
            let weight = self.weights[label.sequence as usize];
            *out = Coefficient {
                log_prob: weight * (at.step.derivative + at.kl.1),
                entropy: -weight * self.config.entropy_coefficient,
            };
        }
    }

    fn terms(&self, labels: &[Label]) -> Terms {
        let term = |label: &Label| {
            let sequence = label.sequence as usize;
            let (weight, advantage) = (self.weights[sequence], self.sequences[sequence].advantage);
            Term::new(weight, advantage, label.sequence).with_old(self.old(label)).with_reference(self.reference(label))
        };
        Terms { config: self.config, labels: labels.iter().map(term).collect() }
    }
}
