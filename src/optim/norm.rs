//! The norm of a whole gradient, and the factor that bounds it.

use rayon::prelude::*;

use super::CHUNK;
use crate::model::parameters::Parameters;

/// The L2 norm over all tensors. Squares are added in f64, chunk by chunk, and the chunks' sums in order: the result is
/// the same for any number of threads. Infinite or not a number where a gradient is.
pub fn global_norm(gradients: &Parameters<f32>) -> f64 {
    let tensors = gradients.named();
    let chunks: Vec<&[f32]> = tensors.iter().flat_map(|tensor| tensor.values.chunks(CHUNK)).collect();
    let sums: Vec<f64> = chunks.par_iter().map(|chunk| squares(chunk)).collect();
    sums.iter().sum::<f64>().sqrt()
}

fn squares(values: &[f32]) -> f64 {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            // Independent lanes: one running sum would wait for each addition.
            let mut lanes = [0.0f64; 16];
            let mut blocks = values.chunks_exact(16);
            for block in &mut blocks {
                for (lane, v) in lanes.iter_mut().zip(block) {
                    *lane += f64::from(*v) * f64::from(*v);
                }
            }
            let rest: f64 = blocks.remainder().iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
            lanes.iter().sum::<f64>() + rest
        },
    )
}

/// What gradients of norm `norm` are multiplied by so that it is at most `max_norm` (as PyTorch's `clip_grad_norm_`);
/// 0 or less as `max_norm` leaves them as they are.
pub fn clip_scale(norm: f64, max_norm: f64) -> f64 {
    if max_norm <= 0.0 { 1.0 } else { (max_norm / (norm + 1e-6)).min(1.0) }
}
