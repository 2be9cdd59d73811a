//! The decoder against PyTorch `transformers`, on the fixtures that `tests/fixtures/torch_models.py` wrote.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::path::PathBuf;

use attending::model::config::{Architecture, ModelConfig, RopeConfig, RopeScaling};
use attending::model::parameters::Parameters;
use attending::model::{Decoder, Saved, StepOptions};
use attending::ops::Element;
use attending::prefix::{PrefixTree, Sequence};
use candle_core::{DType, Device, Tensor};

fn fixture(name: &str, file: &str) -> HashMap<String, Tensor> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name).join(file);
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

fn f64s(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The configurations as the script states them.
fn model<T: Element>(name: &str) -> Decoder<T> {
    let qwen = name == "qwen2-tiny";
    let llama3 = RopeScaling::Llama3 {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 32,
    };
    let config = ModelConfig {
        architecture: if qwen { Architecture::Qwen2 } else { Architecture::Llama },
        vocab_size: 96,
        hidden_size: 32,
        intermediate_size: 64,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        head_dim: if qwen { 8 } else { 12 },
        rms_norm_eps: if qwen { 1e-6 } else { 1e-5 },
        rope: RopeConfig {
            theta: if qwen { 1e6 } else { 1e4 },
            scaling: if qwen { RopeScaling::Default } else { llama3 },
        },
        tie_word_embeddings: qwen,
        qkv_bias: qwen,
        max_position_embeddings: if qwen { 128 } else { 256 },
    };
    let tensors = fixture(name, "model.safetensors");
    let mut parameters = Parameters::filled(&config, T::ZERO);
    for tensor in parameters.named_mut() {
        let source = &tensors[&tensor.name];
        assert_eq!(source.dims(), tensor.shape);
        for (v, x) in tensor.values.iter_mut().zip(f64s(source)) {
            *v = T::of(x);
        }
    }
    Decoder::new(config, parameters)
}

/// Largest difference of log-probabilities and entropies, and relative L2 distance of the gradient.
fn compare<T: Element>(name: &str, saved: Saved, bar: f64) {
    let decoder = model::<T>(name);
    let expected = fixture(name, "expected.safetensors");
    let sequences: Vec<Vec<u32>> =
        (0..3).map(|i| f64s(&expected[&format!("tokens.{i}")]).iter().map(|&t| t as u32).collect()).collect();
    let inputs: Vec<Sequence> = sequences.iter().map(|s| Sequence { tokens: s, trained: 1..s.len() }).collect();
    let values_of =
        |prefix: &str| -> Vec<Vec<f64>> { (0..3).map(|i| f64s(&expected[&format!("{prefix}.{i}")])).collect() };
    for min_shared in [1, 1000] {
        let tree = PrefixTree::from_sequences(&inputs, min_shared).unwrap();
        assert_eq!(tree.tokens().len(), if min_shared == 1 { 9 + 5 + 14 + 40 } else { 14 + 23 + 40 });
        for temperature in ["1.0", "0.7"] {
            let log_probs = values_of(&format!("log_probs.{temperature}"));
            let entropies = values_of(&format!("entropies.{temperature}"));
            let values = decoder.log_probs(&tree, temperature.parse().unwrap());
            for (label, value) in tree.labels().iter().zip(&values) {
                let (s, i) = (label.sequence as usize, label.index as usize - 1);
                assert!((value.log_prob - log_probs[s][i]).abs() < bar, "{value:?} {}", log_probs[s][i]);
                assert!((value.entropy - entropies[s][i]).abs() < bar, "{value:?} {}", entropies[s][i]);
            }
        }
        let (c, e) = (values_of("log_prob_weights"), values_of("entropy_weights"));
        let weights = |l: &attending::prefix::Label| {
            let (s, i) = (l.sequence as usize, l.index as usize - 1);
            (c[s][i], e[s][i])
        };
        let mut gradients = Parameters::filled(&decoder.config, T::ZERO);
        let options = StepOptions { saved, temperature: 0.7 };
        decoder.forward_backward(&tree, &options, &mut support::Weighted(&weights), &mut gradients);
        let mut wanted = Parameters::filled(&decoder.config, T::ZERO);
        for tensor in wanted.named_mut() {
            for (v, x) in tensor.values.iter_mut().zip(f64s(&expected[&format!("gradient.{}", tensor.name)])) {
                *v = T::of(x);
            }
        }
        let apart = support::compare_gradients(&gradients, &wanted, bar);
        println!("{name} {saved:?} min_shared {min_shared}: gradient relative L2 {apart:.2e}");
        assert!(apart < bar);
    }
}

/// The rotary tables are f32 on both sides and may differ by a unit in the last place: hence 1e-6, not 1e-10.
#[test]
fn double_precision_agrees_with_transformers() {
    for name in ["qwen2-tiny", "llama-tiny"] {
        for saved in [Saved::Input, Saved::Attention, Saved::All] {
            compare::<f64>(name, saved, 1e-6);
        }
    }
}

#[test]
fn single_precision_agrees_with_transformers() {
    for name in ["qwen2-tiny", "llama-tiny"] {
        for saved in [Saved::Input, Saved::Attention, Saved::All] {
            compare::<f32>(name, saved, 1e-5);
        }
    }
}
