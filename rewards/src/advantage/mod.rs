//! Advantages: how much better a response is than the others that were drawn for the same case.
//!
//! One entry point, [`Config::advantages`], takes a batch of groups and gives one number a response. Every estimator of
//! our own gives exactly 0 to a group of one and to a tied group ([`peers`] do as their peers do), and all treat "not
//! applicable" as a value that is left out of the statistics, never as 0. Objectives are weighted by name, so that no order of columns can change their meaning.
//!
//! Sources: GRPO (arXiv 2402.03300, eq. 3), Dr. GRPO (2503.20783), RLOO (2402.14740), batch standard deviation
//! (2508.08221), MO-GRPO (2509.22047), GDPO (2601.05242). `crpo` is this project's own; see [`crpo`].

mod config;
pub mod constrained;
pub mod crpo;
pub mod peers;
mod scalar;
mod statistics;
mod whiten;

use std::collections::BTreeMap;

use crate::scored::{Objective, Scored};

pub use config::{Config, Error, Estimator, Gate, ScalarSource, Whiten};
pub use constrained::{Constrained, Constraint, Multipliers};

/// Combined advantages at most this far from 0 are rounding, not signal: z-scores of two objectives that sum to a
/// constant cancel to about 1e-16, and a reward that differs by less says nothing about the response.
pub const SIGNAL: f64 = 1e-9;

/// What the estimators need to know of one response.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rewarded {
    /// The value of each objective; `None`, or no entry at all, is "not applicable" or "could not score".
    pub objectives: BTreeMap<Objective, Option<f64>>,
    /// The preset's own scalar, read where [`Config::scalar`] is [`ScalarSource::Preset`].
    pub scalar: Option<f64>,
    /// Number of trained tokens, read by [`Whiten::Tokens`] alone.
    pub tokens: usize,
}

impl Rewarded {
    /// The rewards of a scored response with `tokens` trained tokens.
    pub fn new(scored: &Scored, tokens: usize) -> Self {
        Self { objectives: scored.objectives.clone(), scalar: scored.reward, tokens }
    }

    /// The value of one objective.
    pub fn value(&self, objective: Objective) -> Option<f64> {
        self.objectives.get(&objective).copied().flatten()
    }
}

/// The advantages of one group, response by response.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupAdvantage {
    /// The estimator's value before whitening and clip: what [`carries_signal`] reads.
    pub combined: Vec<f64>,
    /// The value that multiplies each token's ratio.
    pub advantages: Vec<f64>,
}

impl GroupAdvantage {
    /// Whether training on the group would change anything.
    pub fn carries_signal(&self) -> bool {
        carries_signal(&self.combined)
    }
}

/// Whether a group carries signal, from its combined advantages before whitening. The sampler's refill, the filter and
/// the metric all ask this one function: a filter on the summed reward drops groups that still carry signal, and one on
/// whitened values ranks nothing.
pub fn carries_signal(combined: &[f64]) -> bool {
    combined.iter().any(|a| a.abs() > SIGNAL)
}

impl Config {
    /// The advantages of a batch of groups, in the same order.
    ///
    /// Errors where the configuration is not valid, where a reward is not a finite number, and for `constrained`, which
    /// has a state: see [`Config::advantages_under`].
    pub fn advantages(&self, batch: &[Vec<Rewarded>]) -> Result<Vec<GroupAdvantage>, Error> {
        match self.estimator {
            Estimator::Constrained => Err(Error::NoMultipliers),
            _ => self.advantages_under(&Multipliers::default(), batch),
        }
    }

    /// The same under the multipliers of dual ascent, which `constrained` alone reads. They are the caller's to move:
    /// [`Multipliers::ascend`], once a batch, after its advantages.
    pub fn advantages_under(
        &self,
        multipliers: &Multipliers,
        batch: &[Vec<Rewarded>],
    ) -> Result<Vec<GroupAdvantage>, Error> {
        self.validate()?;
        finite(batch)?;
        let (combined, advantages) = match peers::advantages(self, batch) {
            Some(both) => both,
            None => self.own(multipliers, batch),
        };
        let groups = combined.into_iter().zip(advantages).map(|(combined, advantages)| GroupAdvantage {
            combined: combined.into_iter().map(|a| a.unwrap_or(0.0)).collect(),
            advantages,
        });
        Ok(groups.collect())
    }

    /// Our own estimators: the combined advantages, and those after whitening and clip.
    fn own(&self, multipliers: &Multipliers, batch: &[Vec<Rewarded>]) -> (Vec<Vec<Option<f64>>>, Vec<Vec<f64>>) {
        let floor = |objective| self.floors.get(&objective).copied().unwrap_or(self.floor);
        let gate = |objective| self.gates.get(&objective).copied().unwrap_or_default();
        let each = |of: &dyn Fn(&[Rewarded]) -> Vec<Option<f64>>| batch.iter().map(|group| of(group)).collect();
        let combined: Vec<Vec<Option<f64>>> = match self.estimator {
            estimator if estimator.is_scalar() => scalar::combined(self, batch),
            Estimator::MoGrpo | Estimator::Gdpo => {
                each(&|group| crpo::combined(&self.weights, &|_| Gate::None, &|_| 0.0, self.eps, group))
            }
            Estimator::Constrained => each(&|group| constrained::combined(self, multipliers, &gate, &floor, group)),
            _ => each(&|group| crpo::combined(&self.weights, &gate, &floor, self.eps, group)),
        };
        let whitening = match (self.estimator, self.whiten) {
            // The batch step is what makes GDPO of MO-GRPO; over sequences unless the other kind was asked for.
            (Estimator::Gdpo, Whiten::None) => Whiten::Sequences,
            (_, whiten) => whiten,
        };
        let clip = if self.estimator.is_scalar() { f64::INFINITY } else { self.clip };
        let mut advantages = whiten::whiten(whitening, self.eps, batch, &combined);
        advantages.iter_mut().flatten().for_each(|advantage| *advantage = advantage.clamp(-clip, clip));
        (combined, advantages)
    }
}

/// Refuses rewards that are no finite numbers.
fn finite(batch: &[Vec<Rewarded>]) -> Result<(), Error> {
    for (group, responses) in batch.iter().enumerate() {
        for (response, rewarded) in responses.iter().enumerate() {
            let named = rewarded.objectives.iter().map(|(o, v)| (o.name(), *v));
            for (name, value) in named.chain([("scalar", rewarded.scalar)]) {
                if let Some(value) = value.filter(|v| !v.is_finite()) {
                    return Err(Error::NotFinite { group, response, name, value });
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
