//! What the decoder needs to know of a model, independent of the file format that it came from.

/// The decoder families that are served: pre-norm transformers with RMSNorm, rotary positions, grouped-query attention, SwiGLU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Qwen2 and Qwen2.5: biases on the query, key and value projections.
    Qwen2,
    /// Llama 2 and 3, SmolLM2: no biases.
    Llama,
}

/// Sizes and constants of one decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// The family.
    pub architecture: Architecture,
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the gate and up projections.
    pub intermediate_size: usize,
    /// Number of layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Added to the mean square under the root of RMSNorm.
    pub rms_norm_eps: f64,
    /// Rotary positions.
    pub rope: RopeConfig,
    /// Whether the vocabulary head is the embedding itself.
    pub tie_word_embeddings: bool,
    /// Whether query, key and value projections have biases.
    pub qkv_bias: bool,
    /// The longest context that the model was made for, in tokens.
    pub max_position_embeddings: usize,
}

/// Rotary position embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct RopeConfig {
    /// Base of the geometric series of wavelengths.
    pub theta: f64,
    /// Change of the frequencies for contexts beyond the pre-training length.
    pub scaling: RopeScaling,
}

/// The published ways to stretch rotary positions, named as in a Hugging Face `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// None.
    Default,
    /// All frequencies divided by `factor`.
    Linear {
        /// By how much the context grows.
        factor: f64,
    },
    /// Llama 3.1: low frequencies divided, high ones kept, a ramp between.
    Llama3 {
        /// By how much the context grows.
        factor: f64,
        /// Wavelengths above `original / low_freq_factor` are divided in full.
        low_freq_factor: f64,
        /// Wavelengths below `original / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// Context length of the pre-training, tokens.
        original_max_position_embeddings: usize,
    },
    /// YaRN (arXiv 2309.00071): a ramp over dimensions, and cos and sin multiplied by an attention factor.
    Yarn {
        /// By how much the context grows.
        factor: f64,
        /// Rotations above which a dimension is extrapolated.
        beta_fast: f64,
        /// Rotations below which a dimension is interpolated.
        beta_slow: f64,
        /// Multiplies cos and sin; `None`: `0.1 ln(factor) + 1`.
        attention_factor: Option<f64>,
        /// Context length of the pre-training, tokens.
        original_max_position_embeddings: usize,
        /// Whether the correction range is rounded to whole dimensions (`truncate`, default true).
        truncate: bool,
    },
}

/// By how much, and how, rotary positions are stretched beyond the context that a model was made for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RopeOverride {
    /// All frequencies divided by the factor.
    Linear(f64),
    /// YaRN (arXiv 2309.00071) with the constants that its authors publish for Llama and Qwen2.5's authors for theirs.
    Yarn(f64),
}

impl ModelConfig {
    /// The model with its positions stretched; its context grows by the factor.
    pub fn stretched(mut self, by: RopeOverride) -> Self {
        let original_max_position_embeddings = self.max_position_embeddings;
        let (factor, scaling) = match by {
            RopeOverride::Linear(factor) => (factor, RopeScaling::Linear { factor }),
            RopeOverride::Yarn(factor) => (
                factor,
                RopeScaling::Yarn {
                    factor,
                    beta_fast: 32.0,
                    beta_slow: 1.0,
                    attention_factor: None,
                    original_max_position_embeddings,
                    truncate: true,
                },
            ),
        };
        self.rope.scaling = scaling;
        self.max_position_embeddings = (original_max_position_embeddings as f64 * factor) as usize;
        self
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::{hf_config, random};

    #[test]
    fn stretching_is_what_the_authors_of_qwen_write_into_the_configuration() {
        let model = random::like("qwen2.5-3b").unwrap();
        let mut json = hf_config::to_json(&model);
        // The paragraph "Processing Long Texts" of the model's page.
        json["rope_scaling"] =
            serde_json::json!({ "factor": 4.0, "original_max_position_embeddings": 32768, "type": "yarn" });
        let text = serde_json::Value::Object(json).to_string();
        let published = hf_config::parse(&text, Path::new("config.json")).unwrap();
        let stretched = model.clone().stretched(RopeOverride::Yarn(4.0));
        assert_eq!(stretched.rope, published.rope);
        assert_eq!(stretched.max_position_embeddings, 131_072);
        let linear = model.stretched(RopeOverride::Linear(1.5));
        assert_eq!(
            (linear.rope.scaling, linear.max_position_embeddings),
            (RopeScaling::Linear { factor: 1.5 }, 49_152)
        );
    }
}
