//! The objective of supervised training: the mean negative log-likelihood of the trained tokens.

use super::{Coefficient, Label, LabelValue, Loss, Normaliser, PolicyConfig, Term, Terms, TokenObjective};

/// `-sum of w_t logp_t`, with the weights of a [`Normaliser`].
#[derive(Debug, Clone)]
pub struct CrossEntropy {
    weights: Vec<f64>,
    /// First trained token and relative weight of each token from there on, by sequence; empty: all count alike.
    relative: Vec<(usize, Vec<f64>)>,
}

/// What the values of a micro-batch's labels add up to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Likelihood {
    /// The micro-batch's share of the optimiser batch's loss.
    pub loss: f64,
    /// Log-probabilities, for a perplexity that does not depend on the aggregation.
    pub log_prob: f64,
    /// Entropies.
    pub entropy: f64,
    /// Labels.
    pub tokens: usize,
}

impl CrossEntropy {
    /// For a micro-batch whose sequences have `lengths` trained tokens each, in the tree's order.
    pub fn new(normaliser: &Normaliser, lengths: &[usize]) -> Self {
        let weights = lengths.iter().map(|length| normaliser.token_weight(*length)).collect();
        Self { weights, relative: Vec::new() }
    }

    /// Counts some tokens for more than others: sequence i is trained from token `relative[i].0` on, and its tokens'
    /// weights are multiplied by `relative[i].1`.
    pub fn with_token_weights(mut self, relative: Vec<(usize, Vec<f64>)>) -> Self {
        self.relative = relative;
        self
    }

    /// Loss, likelihood and entropy of labels.
    pub fn sums(&self, labels: &[Label], values: &[LabelValue]) -> Likelihood {
        let mut sums = Likelihood { tokens: labels.len(), ..Likelihood::default() };
        for (label, value) in labels.iter().zip(values) {
            sums.loss -= self.weight(label) * value.log_prob;
            sums.log_prob += value.log_prob;
            sums.entropy += value.entropy;
        }
        sums
    }

    fn weight(&self, label: &Label) -> f64 {
        let own = self.relative.get(label.sequence as usize);
        let relative = own.and_then(|(first, weights)| weights.get(label.index as usize - first)).unwrap_or(&1.0);
        self.weights[label.sequence as usize] * relative
    }
}

impl TokenObjective for CrossEntropy {
    fn coefficients(&self, labels: &[Label], _: &[LabelValue], out: &mut [Coefficient]) {
        for (label, out) in labels.iter().zip(out) {
            *out = Coefficient { log_prob: -self.weight(label), entropy: 0.0 };
        }
    }

    /// Without old values the ratio is 1, and `cispo` with an advantage of 1 is the likelihood.
    fn terms(&self, labels: &[Label]) -> Terms {
        let config =
            PolicyConfig { loss: Loss::Cispo, clip_low: 1.0, clip_high: 0.0, kl: None, entropy_coefficient: 0.0 };
        let term = |label: &Label| Term::new(self.weight(label), 1.0, label.sequence);
        Terms { config, labels: labels.iter().map(term).collect() }
    }
}
