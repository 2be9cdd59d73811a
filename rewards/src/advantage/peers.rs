//! Presets that give other trainers' numbers: `verl:gdpo`, `trl:normalize_then_sum`, `nemo:gdpo`.
//!
//! All three are GDPO (arXiv 2601.05242): each objective is standardised within its group, the weighted sum is
//! standardised once more over the batch. They differ in every constant, and a preset keeps its peer's choice of each:
//!
//! | | verl | TRL | NeMo-RL |
//! | --- | --- | --- | --- |
//! | baseline and deviation | of the group | of the group | of the group's other responses |
//! | added to the group's deviation | 1e-6 | 1e-4 | 1e-6, and no division at all where it is 0 |
//! | group of one | its raw reward | 0 | 0 |
//! | batch step over | tokens, 1e-8 under the root | responses, 1e-4 | responses, nothing added |
//!
//! Gates, floor, clip, eps and whitening of the configuration are not read: a preset is the peer's whole behaviour,
//! with what that means for right and wrong answers (no gate: a tidy wrong answer may beat an untidy right one).
//!
//! A value that does not apply is left out of the statistics and adds nothing to the sum. TRL does the same; verl and
//! NeMo-RL know no such value (it would make every advantage of the batch "not a number"), and what they would give
//! where it is written as a constant 0 in all responses of a group is what these presets give. One departure is left:
//! a deviation over equal values is exactly 0 here, where the peers' 32-bit sums may leave 1e-8.
//!
//! The expected numbers of the tests come from the peers' own code: `tests/fixtures/peer_advantages.py`.

use super::statistics::Statistics;
use super::{Config, Estimator, Rewarded};

/// One peer's choices.
#[derive(Debug, Clone, Copy)]
struct Peer {
    /// Added to a group's standard deviation.
    eps: f64,
    /// Whether a response is compared with the others alone.
    leave_one_out: bool,
    /// Whether the only response of a group keeps its raw reward (`(r - 0) / (1 + eps)`).
    raw_singleton: bool,
    /// What the batch step counts.
    batch: Batch,
}

/// The batch step.
#[derive(Debug, Clone, Copy)]
enum Batch {
    /// `(A - mean) / (std + eps)` over responses; not divided where the deviation is 0.
    Responses { eps: f64 },
    /// `(A - mean) / sqrt(var + eps)` over tokens.
    Tokens { eps: f64 },
}

/// The peer that an estimator imitates.
fn peer(estimator: Estimator) -> Option<Peer> {
    Some(match estimator {
        Estimator::VerlGdpo => {
            Peer { eps: 1e-6, leave_one_out: false, raw_singleton: true, batch: Batch::Tokens { eps: 1e-8 } }
        }
        Estimator::TrlNormalizeThenSum => {
            Peer { eps: 1e-4, leave_one_out: false, raw_singleton: false, batch: Batch::Responses { eps: 1e-4 } }
        }
        Estimator::NemoGdpo => {
            Peer { eps: 1e-6, leave_one_out: true, raw_singleton: false, batch: Batch::Responses { eps: 0.0 } }
        }
        _ => return None,
    })
}

/// The combined advantages and those after the batch step; `None` where the estimator is no peer's.
pub(super) fn advantages(config: &Config, batch: &[Vec<Rewarded>]) -> Option<(Vec<Vec<Option<f64>>>, Vec<Vec<f64>>)> {
    let peer = peer(config.estimator)?;
    let combined: Vec<_> = batch.iter().map(|group| peer.combined(config, group)).collect();
    let advantages = peer.over_batch(batch, &combined);
    Some((combined, advantages))
}

impl Peer {
    /// The weighted sum of a group's standardised objectives. Objectives of weight 0 count as applicable: their peers
    /// let them decide which responses enter the batch step.
    fn combined(&self, config: &Config, group: &[Rewarded]) -> Vec<Option<f64>> {
        let mut sum = vec![None; group.len()];
        for (&objective, &weight) in &config.weights {
            let values: Vec<Option<f64>> = group.iter().map(|r| r.value(objective)).collect();
            for (total, z) in sum.iter_mut().zip(self.standardised(&values)) {
                if let Some(z) = z {
                    *total = Some(total.unwrap_or(0.0) + weight * z);
                }
            }
        }
        sum
    }

    fn standardised(&self, values: &[Option<f64>]) -> Vec<Option<f64>> {
        let own = Statistics::of(values.iter().copied());
        let one = |index: usize, value: f64| {
            if values.len() == 1 && self.raw_singleton {
                return value / (1.0 + self.eps);
            }
            if own.tied {
                return 0.0;
            }
            let compared = if self.leave_one_out {
                let others = values.iter().enumerate().filter(|(other, _)| *other != index);
                Statistics::of(others.map(|(_, value)| *value))
            } else {
                own
            };
            let distance = value - compared.mean;
            if compared.std > 0.0 { distance / (compared.std + self.eps) } else { distance }
        };
        values.iter().enumerate().map(|(index, value)| value.map(|value| one(index, value))).collect()
    }

    fn over_batch(&self, batch: &[Vec<Rewarded>], combined: &[Vec<Option<f64>>]) -> Vec<Vec<f64>> {
        let mut values = Vec::new();
        for (response, advantage) in batch.iter().flatten().zip(combined.iter().flatten()) {
            let weight = match self.batch {
                Batch::Responses { .. } => 1.0,
                Batch::Tokens { .. } => response.tokens as f64,
            };
            values.extend(advantage.filter(|_| weight > 0.0).map(|a| (a, weight)));
        }
        let all = Statistics::weighted(&values);
        let scale = match self.batch {
            _ if all.tied => 1.0,
            Batch::Responses { eps } => all.std + eps,
            Batch::Tokens { eps } => (all.std * all.std + eps).sqrt(),
        };
        let standard = |a: f64| (a - all.mean) / scale;
        combined.iter().map(|group| group.iter().map(|a| a.map_or(0.0, standard)).collect()).collect()
    }
}
