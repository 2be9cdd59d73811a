//! Models with random weights: for tests, benchmarks and training from nothing.

use rayon::prelude::*;

use crate::model::config::{Architecture, ModelConfig, RopeConfig, RopeScaling};
use crate::model::parameters::Parameters;

/// Standard deviation of the matrices: `initializer_range` of the published configurations.
const DEVIATION: f64 = 0.02;

/// Names that [`like`] knows.
pub const NAMES: [&str; 9] = [
    "tiny",
    "qwen2.5-0.5b",
    "qwen2.5-1.5b",
    "qwen2.5-3b",
    "qwen2.5-7b",
    "smollm2-135m",
    "smollm2-360m",
    "llama-3.2-1b",
    "llama-3.2-3b",
];

/// The shape of a published model (its `config.json` on the hub), or `tiny`: two layers for smoke tests.
pub fn like(name: &str) -> Option<ModelConfig> {
    //                    vocab, hidden, intermediate, layers, heads, kv heads, tied
    Some(match name {
        "tiny" => ModelConfig { max_position_embeddings: 2_048, ..qwen([512, 64, 192, 2, 4, 2], true) },
        "qwen2.5-0.5b" => qwen([151_936, 896, 4_864, 24, 14, 2], true),
        "qwen2.5-1.5b" => qwen([151_936, 1_536, 8_960, 28, 12, 2], true),
        "qwen2.5-3b" => qwen([151_936, 2_048, 11_008, 36, 16, 2], true),
        "qwen2.5-7b" => qwen([152_064, 3_584, 18_944, 28, 28, 4], false),
        "smollm2-135m" => llama([49_152, 576, 1_536, 30, 9, 3], 8_192, 1e5, RopeScaling::Default),
        "smollm2-360m" => llama([49_152, 960, 2_560, 32, 15, 5], 8_192, 1e5, RopeScaling::Default),
        "llama-3.2-1b" => llama([128_256, 2_048, 8_192, 16, 32, 8], 131_072, 5e5, llama3()),
        "llama-3.2-3b" => llama([128_256, 3_072, 8_192, 28, 24, 8], 131_072, 5e5, llama3()),
        _ => return None,
    })
}

fn qwen(sizes: [usize; 6], tied: bool) -> ModelConfig {
    let rope = RopeConfig { theta: 1e6, scaling: RopeScaling::Default };
    ModelConfig { tie_word_embeddings: tied, ..shape(Architecture::Qwen2, sizes, 1e-6, 32_768, rope) }
}

fn llama(sizes: [usize; 6], context: usize, theta: f64, scaling: RopeScaling) -> ModelConfig {
    shape(Architecture::Llama, sizes, 1e-5, context, RopeConfig { theta, scaling })
}

fn llama3() -> RopeScaling {
    RopeScaling::Llama3 {
        factor: 32.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 8_192,
    }
}

fn shape(architecture: Architecture, sizes: [usize; 6], eps: f64, context: usize, rope: RopeConfig) -> ModelConfig {
    let [vocab_size, hidden_size, intermediate_size, layers, heads, kv_heads] = sizes;
    ModelConfig {
        architecture,
        vocab_size,
        hidden_size,
        intermediate_size,
        layers,
        heads,
        kv_heads,
        head_dim: hidden_size / heads,
        rms_norm_eps: eps,
        rope,
        tie_word_embeddings: true,
        qkv_bias: architecture == Architecture::Qwen2,
        max_position_embeddings: context,
    }
}

/// Weights as transformers initialises them: matrices normal with deviation 0.02, norms 1, biases 0.
///
/// Each value depends on the seed, the tensor's place and its own alone, so that threads do not matter.
pub fn parameters(config: &ModelConfig, seed: u64) -> Parameters<f32> {
    let mut parameters = Parameters::filled(config, 0.0f32);
    for (i, tensor) in parameters.named_mut().into_iter().enumerate() {
        if tensor.name.ends_with("norm.weight") {
            tensor.values.fill(1.0);
        } else if tensor.shape.len() == 2 {
            let key = mix(mix(seed) ^ i as u64);
            // Two values from each counter, by Box and Muller.
            tensor.values.par_chunks_mut(2).enumerate().with_min_len(4096).for_each(|(counter, pair)| {
                let (radius, angle) = polar(key, counter as u64);
                pair[0] = (DEVIATION * radius * angle.cos()) as f32;
                if let Some(second) = pair.get_mut(1) {
                    *second = (DEVIATION * radius * angle.sin()) as f32;
                }
            });
        }
    }
    parameters
}

fn polar(key: u64, counter: u64) -> (f64, f64) {
    let bits = mix(key ^ mix(counter));
    let other = mix(bits ^ 0x5851_f42d_4c95_7f2d);
    // In (0, 1], so that the logarithm is finite.
    let unit = |b: u64| ((b >> 11) + 1) as f64 / (1u64 << 53) as f64;
    ((-2.0 * unit(bits).ln()).sqrt(), std::f64::consts::TAU * unit(other))
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Number of parameters, without making them.
    fn count(c: &ModelConfig) -> usize {
        let (q, kv) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
        let bias = if c.qkv_bias { q + 2 * kv } else { 0 };
        let attention = 2 * q * c.hidden_size + 2 * kv * c.hidden_size + bias;
        let layer = attention + 3 * c.hidden_size * c.intermediate_size + 2 * c.hidden_size;
        let head = if c.tie_word_embeddings { 1 } else { 2 };
        head * c.vocab_size * c.hidden_size + c.layers * layer + c.hidden_size
    }

    #[test]
    fn sizes_are_the_published_ones() {
        // Parameter counts on the models' hub pages.
        let published = [
            ("qwen2.5-0.5b", 494_032_768),
            ("qwen2.5-1.5b", 1_543_714_304),
            ("qwen2.5-3b", 3_085_938_688),
            ("qwen2.5-7b", 7_615_616_512),
            ("smollm2-135m", 134_515_008),
            ("smollm2-360m", 361_821_120),
            ("llama-3.2-1b", 1_235_814_400),
            ("llama-3.2-3b", 3_212_749_824),
        ];
        for (name, parameters) in published {
            assert_eq!(count(&like(name).unwrap()), parameters, "{name}");
        }
        assert!(NAMES.iter().all(|n| like(n).is_some()));
        assert!(like("gpt-2").is_none());
    }

    #[test]
    fn values_are_normal_and_repeatable() {
        let config = like("tiny").unwrap();
        let weights = parameters(&config, 7);
        assert_eq!(weights.count(), count(&config));
        assert!(weights == parameters(&config, 7));
        assert!(weights.embedding != parameters(&config, 8).embedding);
        let n = weights.embedding.len() as f64;
        let moment = |k: i32| weights.embedding.iter().map(|v| (f64::from(*v) / DEVIATION).powi(k)).sum::<f64>() / n;
        // A standard normal's moments 0, 1, 0, 3; four standard errors for 32,768 draws: sqrt(1, 2, 15, 96) / 181 x 4.
        assert!(moment(1).abs() < 0.023 && (moment(2) - 1.0).abs() < 0.032);
        assert!(moment(3).abs() < 0.086 && (moment(4) - 3.0).abs() < 0.22);
        assert!(weights.layers[0].q != weights.layers[1].q);
        assert!(weights.layers[1].mlp_norm.iter().all(|v| *v == 1.0));
        assert!(weights.layers[1].k_bias.iter().all(|v| *v == 0.0));
    }
}
