//! The estimators that add the objectives up first: `grpo`, `dr_grpo`, `rloo`, `batch_std`.

use super::statistics::Statistics;
use super::{Config, Estimator, Rewarded, ScalarSource};

/// The combined advantage of each response; `None` where it has no scalar at all.
pub(super) fn combined(config: &Config, batch: &[Vec<Rewarded>]) -> Vec<Vec<Option<f64>>> {
    let rewards: Vec<Vec<Option<f64>>> = batch.iter().map(|g| g.iter().map(|r| reward(config, r)).collect()).collect();
    let all = Statistics::of(rewards.iter().flatten().copied());
    rewards.iter().map(|group| of_group(config, all.std, group)).collect()
}

/// The scalar of a response: `sum of w_k r^k` over the objectives that apply and weigh something.
fn reward(config: &Config, rewarded: &Rewarded) -> Option<f64> {
    match config.scalar {
        ScalarSource::Preset => rewarded.scalar,
        ScalarSource::Weighted => config
            .weights
            .iter()
            .filter(|(_, weight)| **weight != 0.0)
            .filter_map(|(objective, weight)| rewarded.value(*objective).map(|value| weight * value))
            .reduce(|sum, term| sum + term),
    }
}

fn of_group(config: &Config, batch_std: f64, group: &[Option<f64>]) -> Vec<Option<f64>> {
    let own = Statistics::of(group.iter().copied());
    let scored = group.iter().flatten().count() as f64;
    let scale = match config.estimator {
        _ if own.tied => 0.0,
        Estimator::Grpo => 1.0 / (own.std + config.eps),
        Estimator::BatchStd => 1.0 / (batch_std + config.eps),
        // r_i less the mean of the others is n / (n - 1) times r_i less the mean of all.
        Estimator::Rloo => scored / (scored - 1.0),
        _ => 1.0,
    };
    group.iter().map(|reward| reward.map(|r| if own.tied { 0.0 } else { (r - own.mean) * scale })).collect()
}
