//! The policy-gradient losses, given a ratio and an advantage.

use serde::{Deserialize, Serialize};

/// Which policy-gradient loss. `rho = exp(logp - old)`, A the advantage, bounds 1 - low and 1 + high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// `-min(rho A, clip(rho) A)` of each token.
    #[default]
    Ppo,
    /// The same of each sequence, with rho the geometric mean of its tokens' ratios.
    Gspo,
    /// `-stop_gradient(clip(rho)) A logp` of each token: a clipped token still learns, with a bounded weight.
    Cispo,
}

/// A loss at one ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    /// The loss.
    pub(super) value: f64,
    /// Its derivative by the logarithm of the ratio.
    pub(super) derivative: f64,
    /// Whether the lower bound took effect.
    pub(super) low: bool,
    /// Whether the upper bound took effect.
    pub(super) high: bool,
}

/// `-min(rho A, clip(rho) A)`. A bound takes effect only on the side where it stops the advantage from pushing further.
pub(super) fn clipped(ratio: f64, advantage: f64, low: f64, high: f64) -> Step {
    let bounded = ratio.clamp(1.0 - low, 1.0 + high) * advantage;
    let open = ratio * advantage;
    let at_bound = bounded < open;
    Step {
        value: -open.min(bounded),
        derivative: if at_bound { 0.0 } else { -open },
        low: at_bound && ratio < 1.0,
        high: at_bound && ratio > 1.0,
    }
}

/// `-stop_gradient(clip(rho)) A logp`, differentiated by logp.
pub(super) fn weighted_likelihood(ratio: f64, advantage: f64, log_prob: f64, low: f64, high: f64) -> Step {
    let weight = ratio.clamp(1.0 - low, 1.0 + high) * advantage;
    Step { value: -weight * log_prob, derivative: -weight, low: ratio < 1.0 - low, high: ratio > 1.0 + high }
}
