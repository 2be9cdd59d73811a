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
use attending::rollout::{Prompt, Rollout, SamplingParams, Stopping, generate};
use support::Random;

const GROUP: usize = 8;
const SUFFIX: usize = 128;
const NEW_TOKENS: usize = 64;
const ROUNDS: usize = 5;

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

/// Seconds of one call.
fn seconds(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_secs_f64()
}

/// Seconds of each way of doing the same work, round by round, the ways taking turns: a drift of the machine's speed
/// meets all of them alike, and ratios are taken within a round.
fn in_turns<const WAYS: usize>(mut run: impl FnMut(usize) -> f64) -> [[f64; WAYS]; ROUNDS] {
    std::array::from_fn(|_| std::array::from_fn(&mut run))
}

/// Median over the rounds of what `f` says of one.
fn median<const WAYS: usize>(rounds: &[[f64; WAYS]; ROUNDS], f: impl Fn(&[f64; WAYS]) -> f64) -> f64 {
    let mut values = rounds.each_ref().map(f);
    values.sort_by(f64::total_cmp);
    values[ROUNDS / 2]
}

/// One way of cutting an update into batches.
struct Update {
    trees: Vec<PrefixTree>,
    decoder: Decoder,
    gradients: Parameters<f32>,
}

impl Update {
    fn new(config: &ModelConfig, batches: &[Vec<Sequence<'_>>], min_shared: usize) -> Self {
        Self {
            trees: batches
                .iter()
                .map(|b| PrefixTree::from_sequences(b, min_shared).expect("valid sequences"))
                .collect(),
            decoder: Decoder::new(config.clone(), support::parameters(config, 1)),
            gradients: Parameters::filled(config, 0.0),
        }
    }

    fn run(&mut self, saved: Saved) -> f64 {
        let options = StepOptions { saved, temperature: 1.0 };
        seconds(|| {
            for tree in &self.trees {
                let mut objective = support::Weighted(&support::scattered);
                self.decoder.forward_backward(tree, &options, &mut objective, &mut self.gradients);
            }
        })
    }
}

fn main() {
    let asked: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let prefixes = if asked.is_empty() { vec![1024, 4096] } else { asked };
    let config = config();
    let decoder = Decoder::new(config.clone(), support::parameters(&config, 1));
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
            let mut ways = [(together, 8), (together, usize::MAX), (&alone[..], usize::MAX)]
                .map(|(batches, min_shared)| Update::new(&config, batches, min_shared));
            let rounds = in_turns(|way| ways[way].run(saved));
            let [shared, batch, one_by_one] = [0, 1, 2].map(|way| median(&rounds, |round| round[way]));
            let faster = median(&rounds, |[shared, batch, one_by_one]| batch.min(*one_by_one) / shared);
            let [shared_bytes, batch_bytes, _] = ways.each_ref().map(|way| way.decoder.workspace().take_peak_bytes());
            let mb = |bytes: usize| bytes as f64 / (1 << 20) as f64;
            println!(
                "prefix {prefix:5} {saved:9?} shared {shared:6.2} s {:5.0} MB | one batch {batch:6.2} s {:5.0} MB | \
                 one by one {one_by_one:6.2} s | {faster:.2}x faster, {:.2}x less memory",
                mb(shared_bytes),
                mb(batch_bytes),
                batch_bytes as f64 / shared_bytes as f64
            );
        }
    }
    let prompt = random.tokens(prefixes[0], config.vocab_size);
    let params = SamplingParams { temperature: 1.0, top_p: 1.0, top_k: 0, max_new_tokens: NEW_TOKENS };
    let stopping = Stopping { eos: &[], strings: &[], decode: &|_| String::new() };
    // Separate prompts differ in their first token, so that nothing is shared, and decode as one batch all the same.
    let others: Vec<Vec<u32>> = (0..GROUP as u32).map(|i| [vec![i], prompt[1..].to_vec()].concat()).collect();
    let one = [Prompt { id: "case", tokens: &prompt }];
    let many: Vec<Prompt<'_>> = others.iter().map(|tokens| Prompt { id: "case", tokens }).collect();
    let rounds = in_turns(|way| {
        let (prompts, samples) = if way == 0 { (&one[..], GROUP) } else { (&many[..], 1) };
        seconds(|| {
            let (params, stopping) = (&params, &stopping);
            let rollout = Rollout { prompts, group_size: samples, params, stopping, seed: 1, step: 1 };
            generate(&decoder, &rollout, &|_| ()).expect("a rollout");
        })
    });
    let [shared, separate] = [0, 1].map(|way| median(&rounds, |round| round[way]));
    println!(
        "rollout, prefix {}, {GROUP} x {NEW_TOKENS} new tokens: shared {shared:.2} s | separate {separate:.2} s | {:.2}x",
        prefixes[0],
        median(&rounds, |[shared, separate]| separate / shared)
    );
}
