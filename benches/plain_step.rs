//! Forward and backward of plain sequences, nothing shared: the Rust side of `benches/torch/plain_step.py`.
//!
//! `cargo bench --bench plain_step`; labels on the last 128 tokens of each sequence of 640, on all of the 2,048.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use attending::model::config::{Architecture, ModelConfig, RopeConfig, RopeScaling};
use attending::model::parameters::Parameters;
use attending::model::{Decoder, Saved, StepOptions};
use attending::prefix::{PrefixTree, Sequence};
use support::Random;

const RUNS: usize = 5;

fn shape(name: &str) -> ModelConfig {
    let small = name == "d256";
    ModelConfig {
        architecture: if small { Architecture::Qwen2 } else { Architecture::Llama },
        vocab_size: if small { 4096 } else { 49_152 },
        hidden_size: if small { 256 } else { 576 },
        intermediate_size: if small { 1024 } else { 1536 },
        layers: if small { 4 } else { 30 },
        heads: if small { 4 } else { 9 },
        kv_heads: if small { 2 } else { 3 },
        head_dim: 64,
        rms_norm_eps: 1e-6,
        rope: RopeConfig { theta: 1e6, scaling: RopeScaling::Default },
        tie_word_embeddings: true,
        qkv_bias: small,
        max_position_embeddings: 8192,
    }
}

fn main() {
    let names: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let names = if names.is_empty() { vec!["d256".to_owned()] } else { names };
    for name in names {
        let config = shape(&name);
        let decoder = Decoder::new(config.clone(), support::parameters::<f32>(&config, 1));
        let mut gradients = Parameters::filled(&config, 0.0);
        let mut random = Random(2);
        for (count, length, trained) in [(8, 640, 128), (1, 2048, 2047)] {
            let tokens: Vec<Vec<u32>> = (0..count).map(|_| random.tokens(length, config.vocab_size)).collect();
            let sequences: Vec<Sequence<'_>> =
                tokens.iter().map(|tokens| Sequence { tokens, trained: length - trained..length }).collect();
            let tree = PrefixTree::from_sequences(&sequences, usize::MAX).expect("valid sequences");
            for saved in [Saved::All, Saved::Input] {
                let options = StepOptions { saved, temperature: 1.0 };
                let mut times: Vec<f64> = (0..RUNS)
                    .map(|_| {
                        let start = Instant::now();
                        let mut objective = support::Weighted(&support::scattered);
                        decoder.forward_backward(&tree, &options, &mut objective, &mut gradients);
                        start.elapsed().as_secs_f64()
                    })
                    .collect();
                times.sort_by(f64::total_cmp);
                println!(
                    "{name} {count} x {length} {saved:?}: median {:.3} s, best {:.3} s",
                    times[RUNS / 2],
                    times[0]
                );
            }
        }
    }
}
