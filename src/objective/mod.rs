//! Training objectives: from the log-probability of each trained token to the derivative of the loss by it.
//!
//! Design decision: an objective sees log-probabilities and entropies, never logits or tensors. The model's head runs
//! its backward from two numbers a label, dLoss/dlogp and dLoss/dH, so every loss here is plain arithmetic in f64 that
//! can be checked against finite differences. The cost: losses over whole distributions (full KL) do not fit.
//!
//! Sources: PPO's clipped loss (arXiv 1707.06347) with two bounds (DAPO, 2503.14476), GSPO (2507.18071), CISPO
//! (2506.13585), aggregations (Dr. GRPO, 2503.20783), KL estimators (Schulman, "Approximating KL Divergence").

mod cross_entropy;
mod kl;
mod loss;
mod normaliser;
mod policy;
mod terms;

pub use cross_entropy::{CrossEntropy, Likelihood};
pub use kl::{Kl, KlLoss};
pub use loss::Loss;
pub use normaliser::{Aggregation, Normaliser};
pub use policy::{Error, PolicyConfig, PolicyObjective, Sums, TrainedSequence};
pub use terms::{Term, Terms};

/// A wanted log-probability: row `row` of the packed tokens predicts `target`, which is token `index` of sequence
/// `sequence`. Several labels may stand on one row, and several sequences may share one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label {
    /// Row of the packed tokens whose logits are read.
    pub row: u32,
    /// The token that is predicted.
    pub target: u32,
    /// Index of the sequence in the tree's input.
    pub sequence: u32,
    /// Index of the predicted token in that sequence.
    pub index: u32,
}

/// What the head computes for a label.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LabelValue {
    /// log softmax(logits / T) at the target.
    pub log_prob: f64,
    /// Entropy of softmax(logits / T), in nats; equal for all labels of a row.
    pub entropy: f64,
}

/// Derivatives of the loss by the two values of a label.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Coefficient {
    /// dLoss / d log_prob.
    pub log_prob: f64,
    /// dLoss / d entropy; the row's derivative is the sum over its labels.
    pub entropy: f64,
}

/// A loss over trained tokens: derivatives by what the head computes.
pub trait TokenObjective {
    /// Whether a label's coefficient depends on other labels. Then the head runs once for the values of all, hands them
    /// to [`begin`](Self::begin), and runs a second time for the backward.
    fn needs_all(&self) -> bool {
        false
    }

    /// All labels of the micro-batch with their values, before any call to `coefficients`; called only where
    /// [`needs_all`](Self::needs_all) says so.
    fn begin(&mut self, _labels: &[Label], _values: &[LabelValue]) {}

    /// Writes dLoss of `labels[i]` to `out[i]`. The three slices are equally long.
    fn coefficients(&self, labels: &[Label], values: &[LabelValue], out: &mut [Coefficient]);

    /// The same objective for a device, which cannot ask back while its work is queued.
    fn terms(&self, labels: &[Label]) -> Terms;
}

#[cfg(test)]
mod tests;
