//! Our decoder against the Qwen2 and Llama of candle-transformers, in single precision: the same weights, the same
//! sequence, the log-probabilities of its next token at every position.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::path::Path;

use attending::model::Decoder;
use attending::model::config::{Architecture, ModelConfig};
use attending::model::files::Files;
use attending::model::folder;
use attending::model::parameters::Parameters;
use attending::prefix::{PrefixTree, Sequence};
use candle_core::{DType, Device, Tensor};
use candle_nn::{Activation, VarBuilder};
use candle_transformers::models::{llama, qwen2};
use support::Random;

/// Largest difference of a log-probability.
const BAR: f64 = 1e-4;

/// log softmax of the logits that `last_logits` gives for a prefix, at the token that follows it, against ours.
fn compare(
    config: &ModelConfig,
    parameters: Parameters<f32>,
    tokens: &[u32],
    mut last_logits: impl FnMut(&Tensor) -> Tensor,
) {
    let decoder = Decoder::new(config.clone(), parameters);
    let tree = PrefixTree::from_sequences(&[Sequence { tokens, trained: 1..tokens.len() }], 1).unwrap();
    let values = decoder.log_probs(&tree, 1.0);
    assert_eq!(values.len(), tokens.len() - 1);
    let mut worst = 0.0_f64;
    for (label, value) in tree.labels().iter().zip(values) {
        let prefix = Tensor::new(&tokens[..label.index as usize], &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let logits: Vec<f32> = last_logits(&prefix).flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(logits.len(), config.vocab_size);
        let sum: f64 = logits.iter().map(|&z| f64::from(z).exp()).sum();
        let want = f64::from(logits[label.target as usize]) - sum.ln();
        worst = worst.max((value.log_prob - want).abs());
    }
    println!("{:?}: log-probabilities at most {worst:.1e} apart", config.architecture);
    assert!(worst <= BAR, "{worst}");
}

fn builder(parameters: &Parameters<f32>) -> VarBuilder<'static> {
    let tensors: HashMap<String, Tensor> = parameters
        .named()
        .into_iter()
        .map(|t| (t.name, Tensor::from_slice(t.values, t.shape, &Device::Cpu).unwrap()))
        .collect();
    VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
}

fn check_qwen2(config: &ModelConfig, parameters: Parameters<f32>, weights: VarBuilder<'_>, tokens: &[u32]) {
    let theirs = qwen2::Config {
        vocab_size: config.vocab_size,
        hidden_size: config.hidden_size,
        intermediate_size: config.intermediate_size,
        num_hidden_layers: config.layers,
        num_attention_heads: config.heads,
        num_key_value_heads: config.kv_heads,
        max_position_embeddings: config.max_position_embeddings,
        // A window as long as the context is none.
        sliding_window: config.max_position_embeddings,
        max_window_layers: config.layers,
        tie_word_embeddings: config.tie_word_embeddings,
        rope_theta: config.rope.theta,
        rms_norm_eps: config.rms_norm_eps,
        use_sliding_window: false,
        hidden_act: Activation::Silu,
    };
    let mut model = qwen2::ModelForCausalLM::new(&theirs, weights).unwrap();
    compare(config, parameters, tokens, |prefix| {
        model.clear_kv_cache();
        model.forward(prefix, 0).unwrap()
    });
}

/// The fixture's files through our reader on one side and candle's on the other.
#[test]
fn qwen2_from_a_folder() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/qwen2-tiny");
    let files = Files::Folder(&path);
    let config = folder::load_config(&files).unwrap();
    let parameters = folder::load_parameters(&files, &config).unwrap();
    let tensors = candle_core::safetensors::load(path.join("model.safetensors"), &Device::Cpu).unwrap();
    let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let tokens = Random(1).tokens(45, config.vocab_size);
    check_qwen2(&config, parameters, weights, &tokens);
}

/// candle's models take the head's width as hidden size / heads.
fn shared_shape(architecture: Architecture) -> ModelConfig {
    ModelConfig { hidden_size: 32, max_position_embeddings: 64, ..support::config(architecture, 3) }
}

#[test]
fn qwen2_of_random_weights() {
    let config = shared_shape(Architecture::Qwen2);
    let parameters = support::parameters::<f32>(&config, 2);
    let weights = builder(&parameters);
    check_qwen2(&config, parameters, weights, &Random(3).tokens(45, config.vocab_size));
}

/// Random weights: the fixture's heads are wider than hidden size / heads, which candle's Llama does not know.
#[test]
fn llama_of_random_weights() {
    let config = shared_shape(Architecture::Llama);
    let parameters = support::parameters::<f32>(&config, 4);
    let theirs = llama::Config {
        hidden_size: config.hidden_size,
        intermediate_size: config.intermediate_size,
        vocab_size: config.vocab_size,
        num_hidden_layers: config.layers,
        num_attention_heads: config.heads,
        num_key_value_heads: config.kv_heads,
        use_flash_attn: false,
        rms_norm_eps: config.rms_norm_eps,
        rope_theta: config.rope.theta as f32,
        bos_token_id: None,
        eos_token_id: None,
        rope_scaling: None,
        max_position_embeddings: config.max_position_embeddings,
        tie_word_embeddings: config.tie_word_embeddings,
    };
    let model = llama::Llama::load(builder(&parameters), &theirs).unwrap();
    let tokens = Random(5).tokens(45, config.vocab_size);
    compare(&config, parameters, &tokens, |prefix| {
        let mut cache = llama::Cache::new(false, DType::F32, &theirs, &Device::Cpu).unwrap();
        model.forward(prefix, 0, &mut cache).unwrap()
    });
}
