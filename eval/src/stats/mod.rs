//! Intervals and tests for scores of models: every mean that is reported carries its uncertainty.
//!
//! All intervals are at 95 %. Everything random takes a seed and is the same for any number of threads. Nothing to
//! compute from (no cases, no pairs) gives `None`, never a number.

mod bootstrap;
mod calibration;
mod correlation;
mod holm;
mod kappa;
mod paired;
mod random;
mod sampling;
mod spread;
mod units;
mod wilson;

use serde::{Deserialize, Serialize};

pub use bootstrap::{Bootstrap, Observation};
pub(crate) use calibration::{Said, calibration};
pub use correlation::{pearson, spearman};
pub use holm::holm;
pub use kappa::kappa;
pub use paired::{Pair, mcnemar, sign_flip};
pub use sampling::{maj_at_k, pass_at_k};
pub(crate) use spread::Spread;
pub(crate) use units::{Units, draw};
pub use wilson::wilson;

/// An estimate with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The value computed from the data as they are.
    pub estimate: f64,
    /// 2.5 % bound.
    pub low: f64,
    /// 97.5 % bound.
    pub high: f64,
}

impl Interval {
    /// Whether 0 lies outside: for a difference, whether it is told apart from none.
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}
