//! Models in llama.cpp's GGUF format: metadata to a configuration, quantised tensors to f32.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use candle_core::Device;
use candle_core::quantized::gguf_file::{Content, Value};

use crate::model::config::{Architecture, ModelConfig, RopeConfig, RopeScaling};
use crate::model::error::ModelError;
use crate::model::hf_config;
use crate::model::parameters::Parameters;

/// The factors of `rope_freqs.weight` agree with Llama 3's formula when they differ by less than this share.
const ROPE_TOLERANCE: f64 = 1e-3;

/// An open GGUF file with its header read.
pub struct Gguf {
    path: PathBuf,
    reader: BufReader<File>,
    content: Content,
}

impl Gguf {
    /// Opens a file and reads its metadata.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        refuse_alignment_zero(path)?;
        let file = File::open(path).map_err(ModelError::io(path))?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let content = Content::read(&mut reader).map_err(|e| unreadable(path, &e))?;
        Ok(Self { path: path.to_path_buf(), reader, content })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Name, type and shape of every tensor.
    pub fn tensors(&self) -> BTreeMap<String, (String, Vec<usize>)> {
        let entry = |(name, info): (&String, &candle_core::quantized::gguf_file::TensorInfo)| {
            (name.clone(), (format!("{:?}", info.ggml_dtype), info.shape.dims().to_vec()))
        };
        self.content.tensor_infos.iter().map(entry).collect()
    }

    /// The configuration that the metadata describe.
    pub fn config(&mut self) -> Result<ModelConfig, ModelError> {
        let name = self.string("general.architecture")?.to_owned();
        let architecture = match name.as_str() {
            "qwen2" => Architecture::Qwen2,
            "llama" => Architecture::Llama,
            _ => return Err(ModelError::Architecture { path: self.path.clone(), found: name }),
        };
        let key = |suffix: &str| format!("{name}.{suffix}");
        if self.integer(&key("expert_count"))?.is_some_and(|n| n > 0) {
            let (what, instead) = ("a mixture of experts".to_owned(), "dense models are".to_owned());
            return Err(ModelError::Unsupported { path: self.path.clone(), what, instead });
        }
        let hidden_size = self.positive(&key("embedding_length"))?;
        let heads = self.positive(&key("attention.head_count"))?;
        let head_dim = match self.integer(&key("attention.key_length"))? {
            Some(n) => n,
            None => self.integer(&key("rope.dimension_count"))?.unwrap_or(hidden_size / heads),
        };
        let embedding = "token_embd.weight";
        let rows = self.content.tensor_infos.get(embedding).and_then(|t| t.shape.dims().first().copied());
        let context = self.positive(&key("context_length"))?;
        let mut config = ModelConfig {
            architecture,
            vocab_size: rows.ok_or_else(|| self.missing(embedding))?,
            hidden_size,
            intermediate_size: self.positive(&key("feed_forward_length"))?,
            layers: self.positive(&key("block_count"))?,
            heads,
            kv_heads: self.integer(&key("attention.head_count_kv"))?.filter(|n| *n > 0).unwrap_or(heads),
            head_dim,
            rms_norm_eps: self.number(&key("attention.layer_norm_rms_epsilon"))?.unwrap_or(1e-6),
            rope: RopeConfig {
                theta: self.number(&key("rope.freq_base"))?.filter(|t| *t > 0.0).unwrap_or(10_000.0),
                scaling: self.scaling(&name, context)?,
            },
            tie_word_embeddings: !self.content.tensor_infos.contains_key("output.weight"),
            qkv_bias: architecture == Architecture::Qwen2,
            max_position_embeddings: context,
        };
        hf_config::check(&config, &self.path)?;
        if self.content.tensor_infos.contains_key("rope_freqs.weight") {
            config.rope.scaling = self.llama3_scaling(&config)?;
        }
        Ok(config)
    }

    fn scaling(&self, name: &str, context: usize) -> Result<RopeScaling, ModelError> {
        let key = |suffix: &str| format!("{name}.rope.scaling.{suffix}");
        let factor = self.number(&key("factor"))?;
        let kind = self.content.metadata.get(&key("type")).and_then(|v| v.to_string().ok());
        match (kind.map(String::as_str), factor) {
            (None | Some("none"), _) => Ok(RopeScaling::Default),
            (Some("linear"), Some(factor)) if factor > 0.0 => Ok(RopeScaling::Linear { factor }),
            (Some("yarn"), Some(factor)) if factor > 0.0 => {
                // llama.cpp multiplies its own 0.1 ln(factor) + 1 by attn_factor.
                let own = if factor > 1.0 { 0.1 * factor.ln() + 1.0 } else { 1.0 };
                Ok(RopeScaling::Yarn {
                    factor,
                    beta_fast: self.number(&key("yarn_beta_fast"))?.unwrap_or(32.0),
                    beta_slow: self.number(&key("yarn_beta_slow"))?.unwrap_or(1.0),
                    attention_factor: self.number(&key("attn_factor"))?.filter(|a| *a != 1.0).map(|a| a * own),
                    original_max_position_embeddings: self
                        .integer(&key("original_context_length"))?
                        .filter(|n| *n > 0)
                        .unwrap_or(context),
                    truncate: true,
                })
            }
            (Some("linear" | "yarn"), _) => {
                let found = factor.map_or("missing".to_owned(), |f| f.to_string());
                Err(self.wrong(&key("factor"), found, "a positive number"))
            }
            (Some(other), _) => Err(ModelError::Unsupported {
                path: self.path.clone(),
                what: format!("rope scaling {other}"),
                instead: "supported are none, linear, yarn and Llama 3's rope_freqs".to_owned(),
            }),
        }
    }

    /// llama.cpp stores Llama 3.1's scaling as one divisor a frequency; its parameters are recovered from them.
    fn llama3_scaling(&mut self, config: &ModelConfig) -> Result<RopeScaling, ModelError> {
        let mut factors = vec![0.0f32; config.head_dim / 2];
        self.read("rope_freqs.weight", &[config.head_dim / 2], &mut factors)?;
        // Published models share these three; the fourth, the factor, is the largest divisor.
        let (low, high, original) = (1.0, 4.0, 8192.0);
        let factor = f64::from(factors.iter().copied().fold(1.0, f32::max));
        for (i, found) in factors.iter().enumerate() {
            let frequency = config.rope.theta.powf(-2.0 * i as f64 / config.head_dim as f64);
            let wavelength = std::f64::consts::TAU / frequency;
            let expected = if wavelength < original / high {
                1.0
            } else if wavelength > original / low {
                factor
            } else {
                let smooth = (original / wavelength - low) / (high - low);
                1.0 / ((1.0 - smooth) / factor + smooth)
            };
            if (f64::from(*found) / expected - 1.0).abs() > ROPE_TOLERANCE {
                let what =
                    "a rope_freqs.weight that is not Llama 3's (low 1, high 4, original context 8192)".to_owned();
                let instead = "use the Hugging Face folder of the model".to_owned();
                return Err(ModelError::Unsupported { path: self.path.clone(), what, instead });
            }
        }
        Ok(RopeScaling::Llama3 {
            factor,
            low_freq_factor: low,
            high_freq_factor: high,
            original_max_position_embeddings: original as usize,
        })
    }

    /// All weights, dequantised.
    pub fn parameters(&mut self, config: &ModelConfig) -> Result<Parameters<f32>, ModelError> {
        let mut parameters = Parameters::filled(config, 0.0);
        for tensor in parameters.named_mut() {
            self.read(&gguf_name(&tensor.name), &tensor.shape, tensor.values)?;
            // llama.cpp turns neighbouring pairs where Hugging Face turns the two halves of a head, so that its
            // converter reorders the rows of q and k for `llama`. `qwen2` keeps the halves.
            let heads = if tensor.name.ends_with("q_proj.weight") {
                config.heads
            } else if tensor.name.ends_with("k_proj.weight") {
                config.kv_heads
            } else {
                continue;
            };
            if config.architecture == Architecture::Llama {
                pairs_to_halves(tensor.values, heads, config.head_dim);
            }
        }
        Ok(parameters)
    }

    fn read(&mut self, name: &str, shape: &[usize], out: &mut [f32]) -> Result<(), ModelError> {
        let Some(info) = self.content.tensor_infos.get(name) else { return Err(self.missing(name)) };
        if info.shape.dims() != shape {
            let (found, expected) = (info.shape.dims().to_vec(), shape.to_vec());
            return Err(ModelError::WrongShape { path: self.path.clone(), name: name.to_owned(), found, expected });
        }
        let values = (self.content)
            .tensor(&mut self.reader, name, &Device::Cpu)
            .and_then(|t| t.dequantize(&Device::Cpu))
            .and_then(|t| t.flatten_all()?.to_vec1::<f32>())
            .map_err(|e| broken(&self.path, format!("tensor {name}: {}", first_line(&e))))?;
        out.copy_from_slice(&values);
        Ok(())
    }

    /// A string of the metadata, an error where it is missing.
    pub(crate) fn string(&self, key: &str) -> Result<&str, ModelError> {
        match self.content.metadata.get(key) {
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(self.wrong(key, format!("{:?}", other.value_type()), "a string")),
            None => Err(self.wrong(key, "missing".to_owned(), "a string")),
        }
    }

    /// A list of the metadata, an error where it is missing.
    pub(crate) fn list(&self, key: &str) -> Result<&[Value], ModelError> {
        match self.content.metadata.get(key) {
            Some(Value::Array(values)) => Ok(values),
            Some(other) => Err(self.wrong(key, format!("{:?}", other.value_type()), "a list")),
            None => Err(self.wrong(key, "missing".to_owned(), "a list")),
        }
    }

    /// A non-negative integer of the metadata, of whatever width.
    pub(crate) fn integer(&self, key: &str) -> Result<Option<usize>, ModelError> {
        let Some(value) = self.content.metadata.get(key) else { return Ok(None) };
        let n = match value {
            Value::U8(v) => i128::from(*v),
            Value::I8(v) => i128::from(*v),
            Value::U16(v) => i128::from(*v),
            Value::I16(v) => i128::from(*v),
            Value::U32(v) => i128::from(*v),
            Value::I32(v) => i128::from(*v),
            Value::U64(v) => i128::from(*v),
            Value::I64(v) => i128::from(*v),
            _ => -1,
        };
        // A size beyond 2^40 is damage, and would overflow when sizes are multiplied.
        if (0..=1i128 << 40).contains(&n) {
            return Ok(Some(n as usize));
        }
        Err(self.wrong(key, format!("{value:?}"), "a whole number from 0"))
    }

    /// A truth value of the metadata.
    pub(crate) fn boolean(&self, key: &str) -> Option<bool> {
        self.content.metadata.get(key).and_then(|v| v.to_bool().ok())
    }

    fn positive(&self, key: &str) -> Result<usize, ModelError> {
        match self.integer(key)? {
            Some(n) if n > 0 => Ok(n),
            Some(n) => Err(self.wrong(key, n.to_string(), "a positive number")),
            None => Err(self.wrong(key, "missing".to_owned(), "a positive number")),
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>, ModelError> {
        match self.content.metadata.get(key) {
            None => Ok(None),
            // The decimal number that was meant: 1e-5, and not the nearest f32's 9.99999974e-6.
            Some(Value::F32(v)) if v.is_finite() => Ok(v.to_string().parse().ok()),
            Some(Value::F64(v)) if v.is_finite() => Ok(Some(*v)),
            Some(other) => Err(self.wrong(key, format!("{other:?}"), "a number")),
        }
    }

    fn wrong(&self, field: &str, found: String, expected: &str) -> ModelError {
        let (path, expected) = (self.path.clone(), expected.to_owned());
        ModelError::Field { path, field: field.to_owned(), found, expected }
    }

    fn missing(&self, name: &str) -> ModelError {
        ModelError::MissingTensor { path: self.path.clone(), name: name.to_owned() }
    }
}

/// candle's words, without the backtrace that it may append.
fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn unreadable(path: &Path, error: &candle_core::Error) -> ModelError {
    let reason = first_line(error);
    match reason.strip_prefix("unknown dtype for tensor ") {
        Some(number) => ModelError::Unsupported {
            path: path.to_path_buf(),
            what: format!("a tensor of GGML type {number}"),
            instead: "readable are F32, F16, BF16, Q4_0 to Q8_1 and the K-quants Q2_K to Q8_K".to_owned(),
        },
        None => broken(path, reason),
    }
}

fn broken(path: &Path, reason: String) -> ModelError {
    ModelError::Broken { path: path.to_path_buf(), format: "GGUF", reason }
}

/// candle divides by `general.alignment` without looking at it.
fn refuse_alignment_zero(path: &Path) -> Result<(), ModelError> {
    const KEY: &[u8] = b"general.alignment";
    /// Metadata longer than this do not occur: the largest vocabularies take 8 MB.
    const MOST: u64 = 32 << 20;
    let mut head = Vec::new();
    let file = File::open(path).map_err(ModelError::io(path))?;
    file.take(MOST).read_to_end(&mut head).map_err(ModelError::io(path))?;
    let at = head.windows(KEY.len()).position(|w| w == KEY).map(|p| p + KEY.len());
    // A u32 type, then the value: the format's own type for it is u32, narrower ones are read as well.
    let value = at.and_then(|p| head.get(p + 4..p + 8));
    match value {
        Some([0, 0, 0, 0]) => Err(broken(path, "general.alignment is 0".to_owned())),
        _ => Ok(()),
    }
}

/// llama.cpp's name of a Hugging Face tensor.
fn gguf_name(name: &str) -> String {
    let suffix = match name {
        "model.embed_tokens.weight" => return "token_embd.weight".to_owned(),
        "model.norm.weight" => return "output_norm.weight".to_owned(),
        "lm_head.weight" => return "output.weight".to_owned(),
        _ => name.strip_prefix("model.layers.").unwrap_or(name),
    };
    let (layer, rest) = suffix.split_once('.').unwrap_or(("", suffix));
    let rest = rest
        .replace("self_attn.q_proj", "attn_q")
        .replace("self_attn.k_proj", "attn_k")
        .replace("self_attn.v_proj", "attn_v")
        .replace("self_attn.o_proj", "attn_output")
        .replace("mlp.gate_proj", "ffn_gate")
        .replace("mlp.up_proj", "ffn_up")
        .replace("mlp.down_proj", "ffn_down")
        .replace("input_layernorm", "attn_norm")
        .replace("post_attention_layernorm", "ffn_norm");
    format!("blk.{layer}.{rest}")
}

/// Rows `2 i + j` of each head become rows `j head_dim / 2 + i`.
fn pairs_to_halves(values: &mut [f32], heads: usize, head_dim: usize) {
    let columns = values.len() / (heads * head_dim);
    for head in values.chunks_mut(head_dim * columns) {
        let source = head.to_vec();
        for (row, target) in head.chunks_mut(columns).enumerate() {
            let (j, i) = (row / (head_dim / 2), row % (head_dim / 2));
            let from = (2 * i + j) * columns;
            target.copy_from_slice(&source[from..from + columns]);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_of_llama_cpp() {
        let pairs = [
            ("model.layers.3.self_attn.q_proj.bias", "blk.3.attn_q.bias"),
            ("model.layers.12.input_layernorm.weight", "blk.12.attn_norm.weight"),
            ("model.layers.0.post_attention_layernorm.weight", "blk.0.ffn_norm.weight"),
            ("model.layers.0.mlp.down_proj.weight", "blk.0.ffn_down.weight"),
        ];
        for (ours, theirs) in pairs {
            assert_eq!(gguf_name(ours), theirs);
        }
    }

    #[test]
    fn rows_are_put_back() {
        // llama.cpp's permute: reshape(heads, 2, head_dim / 2, ..).swapaxes(1, 2). Two heads of four rows, one column:
        // rows 0 1 2 3 become 0 2 1 3.
        let mut stored = [0.0, 2.0, 1.0, 3.0, 10.0, 12.0, 11.0, 13.0];
        pairs_to_halves(&mut stored, 2, 4);
        assert_eq!(stored, [0.0, 1.0, 2.0, 3.0, 10.0, 11.0, 12.0, 13.0]);
    }
}
