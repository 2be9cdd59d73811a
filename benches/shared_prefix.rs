//! One update (forward and backward) of a GRPO group with its prompt encoded once, against the same sequences in one
//! unshared batch and one by one, on the same code; and rollouts with a shared prompt against separate prompts.
//!
//! `cargo bench --bench shared_prefix [-- PREFIX ...]`; d 256, 4 layers, 4 heads / 2 KV, V 4,096, G 8, suffix 128, f32.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use attending::model::config::{Architecture, ModelConfig, RopeConfig, RopeScaling};
use attending::model::parameters::Parameters;
use attending::model::{Decoder, Saved, StepOptions};
use attending::prefix::{PrefixTree, Sequence};
use attending::rollout::{Prompt, SamplingParams, Stopping, generate};
use support::Random;

const GROUP: usize = 8;
const SUFFIX: usize = 128;
const NEW_TOKENS: usize = 64;
const RUNS: usize = 3;

fn config() -> ModelConfig {
    ModelConfig {
        architecture: Architecture::Qwen2,
        vocab_size: 4096,
        hidden_size: 256,
        intermediate_size: 1024,
        layers: 4,
        heads: 4,
        kv_heads: 2,
        head_dim: 64,
        rms_norm_eps: 1e-6,
        rope: RopeConfig { theta: 1e6, scaling: RopeScaling::Default },
        tie_word_embeddings: true,
        qkv_bias: true,
        max_position_embeddings: 32_768,
    }
}

/// Best of a few runs, seconds; other load on the machine only ever adds time.
fn best(mut f: impl FnMut()) -> f64 {
    (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            f();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

/// Seconds and peak activation bytes of one update over the batches.
fn update(decoder: &Decoder, batches: &[Vec<Sequence<'_>>], min_shared: usize, saved: Saved) -> (f64, usize) {
    let mut gradients = Parameters::filled(&decoder.config, 0.0);
    let trees: Vec<PrefixTree> =
        batches.iter().map(|b| PrefixTree::from_sequences(b, min_shared).expect("valid sequences")).collect();
    let options = StepOptions { saved, temperature: 1.0 };
    decoder.workspace().take_peak_bytes();
    let seconds = best(|| {
        for tree in &trees {
            let mut objective = support::Weighted(&support::scattered);
            decoder.forward_backward(tree, &options, &mut objective, &mut gradients);
        }
    });
    (seconds, decoder.workspace().take_peak_bytes())
}

fn main() {
    let asked: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let prefixes = if asked.is_empty() { vec![1024, 4096] } else { asked };
    let config = config();
    let decoder = Decoder::new(config.clone(), support::parameters::<f32>(&config, 1));
    let mut random = Random(2);
    println!("update of {GROUP} responses of {SUFFIX} tokens; s is seconds, MB activation peak");
    for &prefix in &prefixes {
        let prompt = random.tokens(prefix, config.vocab_size);
        let whole: Vec<Vec<u32>> =
            (0..GROUP).map(|_| [prompt.clone(), random.tokens(SUFFIX, config.vocab_size)].concat()).collect();
        let sequences: Vec<Sequence<'_>> =
            whole.iter().map(|tokens| Sequence { tokens, trained: prefix..tokens.len() }).collect();
        let alone: Vec<Vec<Sequence<'_>>> = sequences.iter().map(|s| vec![s.clone()]).collect();
        let together = std::slice::from_ref(&sequences);
        for saved in [Saved::All, Saved::Input] {
            let (shared, shared_bytes) = update(&decoder, together, 8, saved);
            let (batch, batch_bytes) = update(&decoder, together, usize::MAX, saved);
            let (one_by_one, _) = update(&decoder, &alone, usize::MAX, saved);
            let mb = |bytes: usize| bytes as f64 / (1 << 20) as f64;
            println!(
                "prefix {prefix:5} {saved:9?} shared {shared:6.2} s {:5.0} MB | one batch {batch:6.2} s {:5.0} MB | \
                 one by one {one_by_one:6.2} s | {:.2}x faster, {:.2}x less memory",
                mb(shared_bytes),
                mb(batch_bytes),
                batch.min(one_by_one) / shared,
                batch_bytes as f64 / shared_bytes as f64
            );
        }
    }
    let prompt = random.tokens(prefixes[0], config.vocab_size);
    let params = SamplingParams { temperature: 1.0, top_p: 1.0, top_k: 0, max_new_tokens: NEW_TOKENS };
    let stopping = Stopping { eos: &[], strings: &[], decode: &|_| String::new() };
    let shared = best(|| {
        let prompts = [Prompt { id: "case", tokens: &prompt }];
        generate(&decoder, &prompts, GROUP, &params, &stopping, (1, 1), &|_| ()).expect("a rollout");
    });
    // Separate prompts differ in their first token, so that nothing is shared, and decode as one batch all the same.
    let others: Vec<Vec<u32>> = (0..GROUP as u32).map(|i| [vec![i], prompt[1..].to_vec()].concat()).collect();
    let separate = best(|| {
        let prompts: Vec<Prompt<'_>> = others.iter().map(|tokens| Prompt { id: "case", tokens }).collect();
        generate(&decoder, &prompts, 1, &params, &stopping, (1, 1), &|_| ()).expect("a rollout");
    });
    println!(
        "rollout, prefix {}, {GROUP} x {NEW_TOKENS} new tokens: shared {shared:.2} s | separate {separate:.2} s | {:.2}x",
        prefixes[0],
        separate / shared
    );
}
