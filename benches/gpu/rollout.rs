//! Rollouts: 16 prompts of 4,096 tokens, 8 responses to each, 256 new tokens.

use std::rc::Rc;
use std::time::Instant;

use attending::cuda::{self, Bf16, CudaError, Device};
use attending::model::random;
use attending::rollout::{Prompt, Rollout, SamplingParams, Stopping};
use serde_json::json;

use crate::fitting;
use crate::measurement::Results;
use crate::support::Random;

const RUNS: usize = 3;

/// Samples all responses; seconds, until the last is on the host.
fn seconds(decoder: &cuda::Decoder<Bf16>, prompts: &[Prompt<'_>], group: usize, new: usize) -> Result<f64, CudaError> {
    let params = SamplingParams { temperature: 1.0, top_p: 1.0, top_k: 0, max_new_tokens: new };
    let stopping = Stopping { eos: &[], strings: &[], decode: &|_| String::new() };
    let rollout = Rollout { prompts, group_size: group, params: &params, stopping: &stopping, seed: 1, step: 1 };
    let start = Instant::now();
    decoder.generate(&rollout, 0, &|_| ())?;
    Ok(start.elapsed().as_secs_f64())
}

/// Measures whole rollouts, and what one more token costs all sequences.
pub fn run(device: &Rc<Device>, tiny: bool, results: &Results) -> anyhow::Result<()> {
    let (shape, count, length, group, new, few) =
        if tiny { ("tiny", 4, 24, 2, 6, 2) } else { ("qwen2.5-3b", 16, 4096, 8, 256, 16) };
    let config = random::like(shape).expect("a shape that is known");
    let decoder = cuda::Decoder::<Bf16>::new(device, config.clone(), &random::parameters(&config, 0))?;
    let mut random = Random(1);
    let tokens: Vec<Vec<u32>> = (0..count).map(|_| random.tokens(length, config.vocab_size)).collect();
    let prompts: Vec<Prompt<'_>> = tokens.iter().map(|tokens| Prompt { id: "case", tokens }).collect();
    let median = |new: usize| {
        let mut times = (0..RUNS).map(|_| seconds(&decoder, &prompts, group, new)).collect::<Result<Vec<_>, _>>()?;
        times.sort_by(f64::total_cmp);
        Ok(times[RUNS / 2])
    };
    device.take_peak_bytes();
    let Some((short, whole)) = fitting(median(few).and_then(|short| Ok((short, median(new)?))))? else {
        results.add("rollout", json!({ "out_of_memory": true }))?;
        return Ok(());
    };
    results.add(
        "rollout",
        json!({
            "prompts": count,
            "prompt_tokens": length,
            "responses": group,
            "new": new,
            "seconds": whole,
            "tokens_per_s": (count * group * new) as f64 / whole,
            // The difference leaves the reading of the prompts out.
            "decode_step_s": (whole - short) / (new - few) as f64,
            "peak_bytes": device.take_peak_bytes(),
        }),
    )?;
    Ok(())
}
