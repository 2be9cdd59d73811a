//! Drawing tokens on a device: the rule of [`crate::rollout`]'s sampler, of which the host sees tokens and their
//! log-probabilities alone.

use std::rc::Rc;

use super::device::{Device, Slice};
use super::error::CudaError;
use crate::rollout::SamplingParams;

/// Threads of a row's block: at least two warps.
const THREADS: [usize; 2] = [64, 1024];
/// What its buffers are called in an error.
const PART: &str = "sampling";

/// A token that was drawn, and its log-probability under softmax(logits / T) before top-k and top-p.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub struct Drawn {
    pub token: u32,
    pub log_prob: f32,
}

/// Draws a token from each of the first rows of `logits[.., vocab]`, with a number of [0, 1) each; `None` for a row whose
/// logits are not finite. Waits for the device.
///
/// # Errors
/// Where the device fails, or its memory is used up.
///
/// # Panics
/// Where there are fewer rows than numbers: a bug of the caller, never of the data.
pub fn draw(
    device: &Rc<Device>,
    logits: Slice<'_, f32>,
    vocab: usize,
    params: &SamplingParams,
    uniform: &[f64],
) -> Result<Vec<Option<Drawn>>, CudaError> {
    assert!(uniform.len() * vocab <= logits.len, "more numbers than rows");
    let numbers = device.upload(uniform, PART)?;
    let mut drawn = device.buffer::<f64>(2 * uniform.len(), PART)?;
    let inverse_temperature = if params.temperature == 0.0 { 0.0 } else { (1.0 / params.temperature) as f32 };
    // As many as there are tokens cut nothing.
    let top_k = if params.top_k >= vocab { 0 } else { params.top_k as i32 };
    let threads = (vocab / 4).next_power_of_two().clamp(THREADS[0], THREADS[1]);
    let launch = device.kernel::<f32>("draw_tokens", (uniform.len(), 1), threads)?.read(logits).value(vocab as i32);
    let launch = launch.read(numbers.view()).value(inverse_temperature).value(top_k).value(params.top_p);
    launch.write(&drawn.view_mut()).run()?;
    let of_row = |pair: &[f64]| (pair[0] >= 0.0).then_some(Drawn { token: pair[0] as u32, log_prob: pair[1] as f32 });
    Ok(drawn.to_host()?.chunks_exact(2).map(of_row).collect())
}
