//! How token losses add up to one number.

use serde::{Deserialize, Serialize};

/// What a token's loss is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// The optimiser batch's trained tokens: each token counts the same (DAPO).
    #[default]
    TokenMean,
    /// The sequence's trained tokens, then the batch's sequences: each sequence counts the same (GRPO).
    SequenceMean,
    /// The batch's sequences times a constant, so that length does not change a token's weight (Dr. GRPO).
    Constant,
}

/// The divisors, counted over the whole optimiser batch before its first forward, so that the gradient does not depend
/// on how the batch is cut into micro-batches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normaliser {
    aggregation: Aggregation,
    tokens: f64,
    sequences: f64,
    constant: f64,
}

impl Normaliser {
    /// Counts the trained tokens of every sequence of the optimiser batch. `constant` is the token count that stands
    /// for a whole response under [`Aggregation::Constant`], usually the longest allowed one.
    pub fn over(aggregation: Aggregation, lengths: impl IntoIterator<Item = usize>, constant: usize) -> Self {
        let (tokens, sequences) = lengths.into_iter().fold((0, 0), |(tokens, n), length| (tokens + length, n + 1));
        Self { aggregation, tokens: tokens as f64, sequences: f64::from(sequences), constant: constant as f64 }
    }

    /// Weight of each trained token of a sequence that has `length` of them.
    pub fn token_weight(&self, length: usize) -> f64 {
        match self.aggregation {
            Aggregation::TokenMean => 1.0 / self.tokens,
            Aggregation::SequenceMean => 1.0 / (self.sequences * length as f64),
            Aggregation::Constant => 1.0 / (self.sequences * self.constant),
        }
    }

    /// Trained tokens of the optimiser batch.
    pub fn tokens(&self) -> f64 {
        self.tokens
    }
}
