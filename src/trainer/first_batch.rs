//! The proof on a run's own data: one small group of its first batch goes through the shared prefix and as plain
//! sequences, and log-probabilities and gradients are compared.

use crate::config::RunConfig;
use crate::model::Saved;
use crate::model::decoder::{Decoder, StepOptions};
use crate::model::parameters::Parameters;
use crate::objective::{CrossEntropy, Normaliser};

use super::batch::Part;
use super::error::TrainError;
use super::pack::{MIN_SHARED, Packed, TokenGroup};

/// Responses of the group that are compared: enough to share, few enough to cost little.
const RESPONSES: usize = 4;

/// The largest differences found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Of a log-probability.
    pub log_prob: f64,
    /// Relative, of the whole gradient, L2.
    pub gradient: f64,
}

/// Compares the two paths on the group with the fewest tokens, by the likelihood of its responses: unlike the
/// advantages of a tied group, its gradient is never 0.
pub fn compare(decoder: &Decoder, groups: &[TokenGroup], temperature: f64) -> Result<Option<Difference>, TrainError> {
    let smallest = groups.iter().min_by_key(|g| g.prompt.len() + g.responses.iter().map(Vec::len).sum::<usize>());
    let Some(group) = smallest.filter(|g| !g.responses.is_empty()) else { return Ok(None) };
    let responses = group.responses.iter().take(RESPONSES).cloned().collect();
    let group = [TokenGroup { prompt: group.prompt.clone(), responses }];
    let count = group[0].responses.len();
    let (shared, shared_values) = run(decoder, &group, std::iter::once(0..count).collect(), temperature)?;
    let (plain, plain_values) = run(decoder, &group, (0..count).map(|i| i..i + 1).collect(), temperature)?;
    let log_prob = shared_values.iter().zip(&plain_values).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let (mut difference, mut norm) = (0.0, 0.0);
    for (a, b) in shared.named().iter().zip(plain.named()) {
        for (a, b) in a.values.iter().zip(b.values) {
            let (a, b) = (f64::from(*a), f64::from(*b));
            difference += (a - b) * (a - b);
            norm += b * b;
        }
    }
    let gradient = if norm > 0.0 { (difference / norm).sqrt() } else { difference.sqrt() };
    Ok(Some(Difference { log_prob, gradient }))
}

/// Gradient and log-probabilities of the group, cut as given; each piece is a tree of its own.
fn run(
    decoder: &Decoder,
    group: &[TokenGroup],
    pieces: Vec<std::ops::Range<usize>>,
    temperature: f64,
) -> Result<(Parameters<f32>, Vec<f64>), TrainError> {
    let lengths = group[0].responses.iter().map(Vec::len);
    let normaliser = Normaliser::over(Default::default(), lengths, 1);
    let mut gradients = Parameters::filled(&decoder.config, 0.0);
    let mut all = Vec::new();
    for responses in pieces {
        let packed = Packed::new(group, &[Part { group: 0, responses }], MIN_SHARED)
            .map_err(|error| TrainError::Failed(error.to_string()))?;
        let mut objective = CrossEntropy::new(&normaliser, &packed.lengths);
        let options = StepOptions { saved: Saved::Attention, temperature };
        let values = decoder.forward_backward(&packed.tree, &options, &mut objective, &mut gradients);
        all.extend(packed.by_sequence(&values).into_iter().flatten().map(|v| v.log_prob));
    }
    Ok((gradients, all))
}

/// Refuses differences beyond the limits.
pub fn judge(difference: Difference, config: &RunConfig) -> Result<(), TrainError> {
    let check = &config.raw.check;
    // Written so that a difference that is not a number fails.
    if difference.log_prob <= check.max_log_prob && difference.gradient <= check.max_gradient {
        return Ok(());
    }
    Err(TrainError::FirstBatch {
        log_prob: difference.log_prob,
        log_prob_limit: check.max_log_prob,
        gradient: difference.gradient,
        gradient_limit: check.max_gradient,
    })
}
