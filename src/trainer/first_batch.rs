//! The proof on a run's own data: one small group of its first batch goes through the shared prefix and as plain
//! sequences, on the run's own device and in its own precision, and log-probabilities and gradients are compared.

use crate::config::{Dtype, RunConfig};
use crate::model::parameters::Parameters;
use crate::objective::{CrossEntropy, Normaliser};

use super::batch::Part;
use super::error::TrainError;
use super::learner::Learner;
use super::pack::TokenGroup;

/// Responses of the group that are compared: enough to share, few enough to cost little.
const RESPONSES: usize = 4;
/// What bf16 rounds a log-probability by, four layers of a 3 B model's width measured in PyTorch: 0.05 at most. Twice
/// that is no rounding any more.
const BF16_LOG_PROB: f64 = 0.1;
/// The relative distance of two gradients of equal length whose cosine is 0.99.
const BF16_GRADIENT: f64 = 0.14;

/// The largest differences found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Of a log-probability.
    pub log_prob: f64,
    /// The mean over log-probabilities.
    pub mean_log_prob: f64,
    /// Relative, of the whole gradient, L2.
    pub gradient: f64,
}

/// Compares the two paths on the group with the fewest tokens, by the likelihood of its responses: unlike the
/// advantages of a tied group, its gradient is never 0. The learner's gradient must be 0, and is so again.
pub fn compare(learner: &mut Learner, groups: &[TokenGroup]) -> Result<Option<Difference>, TrainError> {
    let smallest = groups.iter().min_by_key(|g| g.prompt.len() + g.responses.iter().map(Vec::len).sum::<usize>());
    let Some(group) = smallest.filter(|g| !g.responses.is_empty()) else { return Ok(None) };
    let responses = group.responses.iter().take(RESPONSES).cloned().collect();
    let group = [TokenGroup { prompt: group.prompt.clone(), responses }];
    let count = group[0].responses.len();
    let (shared, shared_values) = run(learner, &group, std::iter::once(0..count).collect())?;
    let (plain, plain_values) = run(learner, &group, (0..count).map(|i| i..i + 1).collect())?;
    let apart = || shared_values.iter().zip(&plain_values).map(|(a, b)| (a - b).abs());
    let (mut difference, mut norm) = (0.0, 0.0);
    for (a, b) in shared.named().iter().zip(plain.named()) {
        for (a, b) in a.values.iter().zip(b.values) {
            let (a, b) = (f64::from(*a), f64::from(*b));
            difference += (a - b) * (a - b);
            norm += b * b;
        }
    }
    let gradient = if norm > 0.0 { (difference / norm).sqrt() } else { difference.sqrt() };
    // A sum, so that a difference that is not a number shows: the largest of several would hide it.
    let mean_log_prob = apart().sum::<f64>() / shared_values.len() as f64;
    Ok(Some(Difference { log_prob: apart().fold(0.0, f64::max), mean_log_prob, gradient }))
}

/// Gradient and log-probabilities of the group, cut as given; each piece is a tree of its own.
fn run(
    learner: &mut Learner,
    group: &[TokenGroup],
    pieces: Vec<std::ops::Range<usize>>,
) -> Result<(Parameters<f32>, Vec<f64>), TrainError> {
    let lengths = group[0].responses.iter().map(Vec::len);
    let normaliser = Normaliser::over(Default::default(), lengths, 1);
    let mut all = Vec::new();
    for responses in pieces {
        let packed = learner.pack(group, &[Part { group: 0, responses }])?;
        let mut objective = CrossEntropy::new(&normaliser, &packed.lengths);
        let values = learner.accumulate(&packed, &mut objective)?()?;
        all.extend(packed.by_sequence(&values).into_iter().flatten().map(|v| v.log_prob));
    }
    let gradients = learner.gradients()?.into_owned();
    learner.clear()?;
    Ok((gradients, all))
}

/// Refuses differences beyond the limits: those of the configuration, or in bf16 those of its rounding, where the mean
/// over log-probabilities counts.
pub fn judge(difference: Difference, config: &RunConfig) -> Result<(), TrainError> {
    let check = &config.raw.check;
    let (log_prob, log_prob_limit, gradient_limit) = match config.dtype {
        Dtype::F32 => (difference.log_prob, check.max_log_prob, check.max_gradient),
        Dtype::Bf16 => {
            (difference.mean_log_prob, check.max_log_prob.max(BF16_LOG_PROB), check.max_gradient.max(BF16_GRADIENT))
        }
    };
    // Written so that a difference that is not a number fails.
    if log_prob <= log_prob_limit && difference.mean_log_prob.is_finite() && difference.gradient <= gradient_limit {
        return Ok(());
    }
    Err(TrainError::FirstBatch { log_prob, log_prob_limit, gradient: difference.gradient, gradient_limit })
}
