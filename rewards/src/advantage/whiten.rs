//! The batch step: combined advantages to mean 0 and standard deviation 1 over responses or over tokens.

use super::statistics::Statistics;
use super::{Rewarded, Whiten, carries_signal};

/// `(A - mean) / (std + eps)`, unbiased, over the responses that have an advantage at all.
///
/// A group without signal stays at exactly 0: over tokens the batch's mean is not 0, and subtracting it would push
/// every response of a tied group the same way. Its zeros count in the statistics, as in the published methods.
pub(super) fn whiten(kind: Whiten, eps: f64, batch: &[Vec<Rewarded>], combined: &[Vec<Option<f64>>]) -> Vec<Vec<f64>> {
    let plain = |group: &Vec<Option<f64>>| -> Vec<f64> { group.iter().map(|a| a.unwrap_or(0.0)).collect() };
    if kind == Whiten::None {
        return combined.iter().map(plain).collect();
    }
    let mut values = Vec::new();
    for (responses, group) in batch.iter().zip(combined) {
        for (response, advantage) in responses.iter().zip(group) {
            let weight = if kind == Whiten::Tokens { response.tokens as f64 } else { 1.0 };
            values.extend(advantage.filter(|_| weight > 0.0).map(|a| (a, weight)));
        }
    }
    let all = Statistics::weighted(&values);
    let standard = |a: f64| if all.tied { 0.0 } else { (a - all.mean) / (all.std + eps) };
    combined
        .iter()
        .map(|group| {
            let signal = carries_signal(&plain(group));
            group.iter().map(|a| a.filter(|_| signal).map_or(0.0, standard)).collect()
        })
        .collect()
}
