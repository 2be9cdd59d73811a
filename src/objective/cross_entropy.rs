//! The objective of supervised training: the mean negative log-likelihood of the trained tokens.

use super::{Coefficient, Label, LabelValue, Normaliser, TokenObjective};

/// `-sum of w_t logp_t`, with the weights of a [`Normaliser`].
#[derive(Debug, Clone)]
pub struct CrossEntropy {
    weights: Vec<f64>,
    /// First trained token and relative weight of each token from there on, by sequence; empty: all count alike.
    relative: Vec<(usize, Vec<f64>)>,
    loss: f64,
    log_prob: f64,
    entropy: f64,
    tokens: usize,
}

impl CrossEntropy {
    /// For a micro-batch whose sequences have `lengths` trained tokens each, in the tree's order.
    pub fn new(normaliser: &Normaliser, lengths: &[usize]) -> Self {
        let weights = lengths.iter().map(|length| normaliser.token_weight(*length)).collect();
        Self { weights, relative: Vec::new(), loss: 0.0, log_prob: 0.0, entropy: 0.0, tokens: 0 }
    }

    /// Counts some tokens for more than others: sequence i is trained from token `relative[i].0` on, and its tokens'
    /// weights are multiplied by `relative[i].1`.
    pub fn with_token_weights(mut self, relative: Vec<(usize, Vec<f64>)>) -> Self {
        self.relative = relative;
        self
    }

    /// The micro-batch's share of the optimiser batch's loss.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// Sum of the log-probabilities seen, for a perplexity that does not depend on the aggregation.
    pub fn log_prob_sum(&self) -> f64 {
        self.log_prob
    }

    /// Sum of the entropies seen.
    pub fn entropy_sum(&self) -> f64 {
        self.entropy
    }

    /// Labels seen.
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}

impl TokenObjective for CrossEntropy {
    fn coefficients(&mut self, labels: &[Label], values: &[LabelValue], out: &mut [Coefficient]) {
        for ((label, value), out) in labels.iter().zip(values).zip(out) {
            let own = self.relative.get(label.sequence as usize);
            let relative = own.and_then(|(first, weights)| weights.get(label.index as usize - first)).unwrap_or(&1.0);
            let weight = self.weights[label.sequence as usize] * relative;
            let log_prob = value.log_prob;
            self.loss -= weight * log_prob;
            self.log_prob += log_prob;
            self.entropy += value.entropy;
            self.tokens += 1;
            *out = Coefficient { log_prob: -weight, entropy: 0.0 };
        }
    }
}
