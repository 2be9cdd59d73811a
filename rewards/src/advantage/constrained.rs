//! `constrained`: one objective is improved while the others are kept above a bound, by dual ascent.
//!
//! Each constrained objective k has a threshold and a target rate. A response violates k where its value is below the
//! threshold: v_i^k = 1, else 0. With z the group's standardised value (as in [`super::crpo`], gates and floors
//! included):
//!
//! A = z^primary - sum over k of lambda_k z^k(v),   lambda_k <- clip(lambda_k + step (rate_k - target_k), 0, max)
//!
//! where rate_k is the mean of v^k over the batch's responses to which k applies, before any gate. The multipliers rise
//! while more responses than the target violate, and fall again afterwards, so that no weight has to be guessed.
//! Components are standardised before they are multiplied: summing rewards first would let variances reweight the
//! multipliers. Source: Constrained GRPO (arXiv 2602.05863); the step size is not published, 0.05 is our choice.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Config, Error, Gate, Rewarded, crpo};
use crate::scored::Objective;

/// When an objective counts as violated, and how often it may be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Constraint {
    /// A value below this violates, in units of the objective.
    pub threshold: f64,
    /// Share of responses that may violate.
    pub target: f64,
}

/// The settings of the estimator `constrained`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Constrained {
    /// What is improved.
    pub primary: Objective,
    /// What is kept.
    pub constraints: BTreeMap<Objective, Constraint>,
    /// How far a multiplier moves for each unit of rate above its target.
    pub step: f64,
    /// The largest multiplier.
    pub max: f64,
}

impl Default for Constrained {
    /// Accuracy, while at most one response in ten falls below half of faithfulness, of comprehensiveness, of format.
    fn default() -> Self {
        use Objective::{Accuracy, Comprehensiveness, Faithfulness, Format};
        let constraint = Constraint { threshold: 0.5, target: 0.1 };
        Self {
            primary: Accuracy,
            constraints: [Faithfulness, Comprehensiveness, Format].map(|o| (o, constraint)).into(),
            step: 0.05,
            max: 2.0,
        }
    }
}

impl Constrained {
    pub(super) fn validate(&self) -> Result<(), Error> {
        let wrong = |name: String, value, right| Err(Error::Setting { name, value, right });
        let share = |value: f64| (0.0..=1.0).contains(&value);
        for (objective, constraint) in &self.constraints {
            let key = |what: &str| format!("constrained.{what}.{}", objective.name());
            if !share(constraint.threshold) {
                return wrong(key("thresholds"), constraint.threshold, "within 0 and 1");
            }
            if !share(constraint.target) {
                return wrong(key("targets"), constraint.target, "within 0 and 1");
            }
        }
        for (name, value) in [("constrained.step", self.step), ("constrained.max", self.max)] {
            if !(value.is_finite() && value > 0.0) {
                return wrong(name.to_owned(), value, "above 0");
            }
        }
        if self.constraints.contains_key(&self.primary) {
            return Err(Error::ConstrainedPrimary { name: self.primary.name() });
        }
        Ok(())
    }
}

/// The state of dual ascent: one multiplier for each constrained objective, 0 before the first step. It belongs into a
/// checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Multipliers(BTreeMap<Objective, f64>);

impl Multipliers {
    /// The multiplier of an objective.
    pub fn of(&self, objective: Objective) -> f64 {
        self.0.get(&objective).copied().unwrap_or(0.0)
    }

    /// One step of dual ascent on a batch of scored groups; an objective that applies nowhere in it stays as it is.
    pub fn ascend(&mut self, settings: &Constrained, batch: &[Vec<Rewarded>]) {
        for (&objective, constraint) in &settings.constraints {
            let values: Vec<f64> = batch.iter().flatten().filter_map(|r| r.value(objective)).collect();
            if values.is_empty() {
                continue;
            }
            let violated = values.iter().filter(|value| **value < constraint.threshold).count();
            let rate = violated as f64 / values.len() as f64;
            let multiplier = self.of(objective) + settings.step * (rate - constraint.target);
            self.0.insert(objective, multiplier.clamp(0.0, settings.max));
        }
    }
}

/// The combined advantages of one group; `None` where nothing applies to the response.
///
/// Written as compliance, 1 - v, whose standardised value is that of v with the other sign: then the gates of `crpo`,
/// which give a wrong response the group's lowest value, mean the same here.
pub(super) fn combined(
    config: &Config,
    multipliers: &Multipliers,
    gate: &dyn Fn(Objective) -> Gate,
    floor: &dyn Fn(Objective) -> f64,
    group: &[Rewarded],
) -> Vec<Option<f64>> {
    let settings = &config.constrained;
    let complied: Vec<Rewarded> = group
        .iter()
        .map(|rewarded| {
            let mut complied = rewarded.clone();
            for (objective, constraint) in &settings.constraints {
                if let Some(Some(value)) = complied.objectives.get_mut(objective) {
                    *value = f64::from(u8::from(*value >= constraint.threshold));
                }
            }
            complied
        })
        .collect();
    let constraints = settings.constraints.keys().map(|objective| (*objective, multipliers.of(*objective)));
    let weights = constraints.chain([(settings.primary, 1.0)]).collect();
    crpo::combined(&weights, gate, floor, config.eps, &complied)
}
