//! Estimators of the divergence from a frozen reference, used as a loss.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Log-ratios beyond this count as this (as verl and NeMo-RL do): e^20 is already no estimate of anything.
const LOG_RATIO_BOUND: f64 = 20.0;
/// Estimates beyond this count as this (same source).
const VALUE_BOUND: f64 = 10.0;

/// A per-token estimator of KL(policy || reference), with d = logp - ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Kl {
    /// d^2 / 2: its gradient is unbiased on policy.
    K2,
    /// e^-d - 1 + d: unbiased and never negative as a value.
    #[default]
    K3,
    /// The value of `k3` with the gradient of `k2`.
    K3Plus,
}

impl Kl {
    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::K2 => "k2",
            Self::K3 => "k3",
            Self::K3Plus => "k3+",
        }
    }

    /// The estimate and its derivative by logp, for d = logp - ref. Where a bound applies the derivative is 0.
    pub fn value_and_derivative(self, d: f64) -> (f64, f64) {
        let inside = d.abs() < LOG_RATIO_BOUND;
        let d = d.clamp(-LOG_RATIO_BOUND, LOG_RATIO_BOUND);
        let k2 = (d * d / 2.0, d);
        // expm1 keeps the digits where d is small, which is where training keeps it.
        let k3 = ((-d).exp_m1() + d, -(-d).exp_m1());
        let ((value, _), (bounding, derivative)) = match self {
            Self::K2 => (k2, k2),
            Self::K3 => (k3, k3),
            Self::K3Plus => (k3, k2),
        };
        let inside = inside && bounding < VALUE_BOUND && value < VALUE_BOUND;
        (value.min(VALUE_BOUND), if inside { derivative } else { 0.0 })
    }
}

impl FromStr for Kl {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "k2" => Ok(Self::K2),
            "k3" => Ok(Self::K3),
            "k3+" => Ok(Self::K3Plus),
            "k1" => Err("k1 cannot be a loss: the expected gradient of logp - ref is zero, so it would not hold the policy near \
                         the reference; use k2, k3 or k3+"
                .to_owned()),
            other => Err(format!("unknown KL estimator {other:?}; known are k2, k3 and k3+")),
        }
    }
}

impl TryFrom<String> for Kl {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

impl From<Kl> for String {
    fn from(kl: Kl) -> Self {
        kl.name().to_owned()
    }
}

/// The KL term of a policy objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KlLoss {
    /// The estimator.
    pub kind: Kl,
    /// Its weight beside the policy-gradient loss (TRL's `beta`).
    pub coefficient: f64,
    /// Multiplies the estimate by the ratio rho = pi / pi_old, for batches that several optimiser steps reuse. The
    /// estimates are expectations under the current policy, while the tokens come from the old one. rho is a constant
    /// weight for k2 and k3+, whose gradient is already that of KL, and part of the loss for k3: all three then have the
    /// gradient rho d, that of KL itself.
    pub off_policy: bool,
}

impl KlLoss {
    /// The weighted term and its derivative by logp.
    pub(super) fn term(&self, log_prob: f64, reference: f64, ratio: f64) -> (f64, f64) {
        let (value, derivative) = self.kind.value_and_derivative(log_prob - reference);
        let (value, derivative) = match (self.off_policy, self.kind) {
            (false, _) => (value, derivative),
            // d rho / d logp = rho.
            (true, Kl::K3) => (ratio * value, ratio * (derivative + value)),
            (true, _) => (ratio * value, ratio * derivative),
        };
        (self.coefficient * value, self.coefficient * derivative)
    }
}
