//! Hugging Face's `config.json`, read and written.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::model::config::{Architecture, ModelConfig, RopeConfig, RopeScaling};
use crate::model::error::ModelError;

/// Base of the rotary wavelengths where a file names none, as in transformers.
const DEFAULT_THETA: f64 = 10_000.0;
/// More values in one tensor than this are taken for a damaged configuration.
const MAX_VALUES: usize = 1 << 40;

/// Reads the text of a `config.json`; `path` is used in messages.
pub fn parse(text: &str, path: &Path) -> Result<ModelConfig, ModelError> {
    let fields = Fields { path, prefix: "", map: &json_object(text, path)? };
    let architecture = architecture(&fields)?;
    refuse_variants(&fields, architecture)?;
    let hidden_size = fields.positive("hidden_size")?;
    let heads = fields.positive("num_attention_heads")?;
    let head_dim = match fields.optional_positive("head_dim")? {
        Some(d) => d,
        None if hidden_size.is_multiple_of(heads) => hidden_size / heads,
        None => {
            let expected = format!("a multiple of num_attention_heads ({heads}), as head_dim is not given");
            return Err(fields.wrong("hidden_size", hidden_size.to_string(), &expected));
        }
    };
    let max_position_embeddings = fields.optional_positive("max_position_embeddings")?.unwrap_or(match architecture {
        Architecture::Qwen2 => 32_768,
        Architecture::Llama => 2_048,
    });
    let config = ModelConfig {
        architecture,
        vocab_size: fields.positive("vocab_size")?,
        hidden_size,
        intermediate_size: fields.positive("intermediate_size")?,
        layers: fields.positive("num_hidden_layers")?,
        heads,
        kv_heads: fields.optional_positive("num_key_value_heads")?.unwrap_or(heads),
        head_dim,
        rms_norm_eps: fields.number("rms_norm_eps")?.unwrap_or(1e-6),
        rope: rope(&fields, max_position_embeddings)?,
        tie_word_embeddings: fields.boolean("tie_word_embeddings")?,
        qkv_bias: architecture == Architecture::Qwen2,
        max_position_embeddings,
    };
    check(&config, path)?;
    Ok(config)
}

/// Checks that the sizes fit each other; used for every source of a configuration.
pub(crate) fn check(config: &ModelConfig, path: &Path) -> Result<(), ModelError> {
    let wrong = |field: &str, found: usize, expected: String| {
        Err(ModelError::Field { path: path.into(), field: field.into(), found: found.to_string(), expected })
    };
    if !config.heads.is_multiple_of(config.kv_heads) {
        let expected = format!("a divisor of num_attention_heads ({})", config.heads);
        return wrong("num_key_value_heads", config.kv_heads, expected);
    }
    if !config.head_dim.is_multiple_of(2) {
        return wrong("head_dim", config.head_dim, "an even number, as rotary positions turn pairs".to_owned());
    }
    let widest = [config.vocab_size, config.intermediate_size, config.heads.saturating_mul(config.head_dim)];
    for width in widest {
        if width.saturating_mul(config.hidden_size) > MAX_VALUES {
            let expected = format!("sizes whose tensors have at most {MAX_VALUES} values");
            return wrong("hidden_size", config.hidden_size, expected);
        }
    }
    Ok(())
}

/// The `config.json` of a configuration, readable by old and new versions of transformers.
pub fn to_json(config: &ModelConfig) -> Map<String, Value> {
    let (class, model_type) = match config.architecture {
        Architecture::Qwen2 => ("Qwen2ForCausalLM", "qwen2"),
        Architecture::Llama => ("LlamaForCausalLM", "llama"),
    };
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
    put("architectures", json!([class]));
    put("model_type", json!(model_type));
    put("vocab_size", json!(config.vocab_size));
    put("hidden_size", json!(config.hidden_size));
    put("intermediate_size", json!(config.intermediate_size));
    put("num_hidden_layers", json!(config.layers));
    put("num_attention_heads", json!(config.heads));
    put("num_key_value_heads", json!(config.kv_heads));
    put("head_dim", json!(config.head_dim));
    put("hidden_act", json!("silu"));
    put("rms_norm_eps", json!(config.rms_norm_eps));
    put("max_position_embeddings", json!(config.max_position_embeddings));
    put("rope_theta", json!(config.rope.theta));
    put("rope_scaling", scaling_to_json(&config.rope.scaling));
    put("tie_word_embeddings", json!(config.tie_word_embeddings));
    match config.architecture {
        Architecture::Qwen2 => put("use_sliding_window", json!(false)),
        Architecture::Llama => put("attention_bias", json!(false)),
    };
    put("attention_dropout", json!(0.0));
    put("torch_dtype", json!("float32"));
    map
}

fn scaling_to_json(scaling: &RopeScaling) -> Value {
    match scaling {
        RopeScaling::Default => Value::Null,
        RopeScaling::Linear { factor } => json!({ "rope_type": "linear", "factor": factor }),
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low_freq_factor,
            "high_freq_factor": high_freq_factor,
            "original_max_position_embeddings": original_max_position_embeddings,
        }),
        RopeScaling::Yarn {
            factor,
            beta_fast,
            beta_slow,
            attention_factor,
            original_max_position_embeddings,
            truncate,
        } => {
            let mut map = json!({
                "rope_type": "yarn",
                "factor": factor,
                "beta_fast": beta_fast,
                "beta_slow": beta_slow,
                "original_max_position_embeddings": original_max_position_embeddings,
                "truncate": truncate,
            });
            if let Some(a) = attention_factor {
                map["attention_factor"] = json!(a);
            }
            map
        }
    }
}

/// Parses a JSON object, with the line in the message.
pub(crate) fn json_object(text: &str, path: &Path) -> Result<Map<String, Value>, ModelError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => {
            Err(ModelError::Json { path: path.into(), line: 1, reason: "expected a JSON object, `{ .. }`".to_owned() })
        }
        Err(e) => Err(ModelError::Json { path: path.into(), line: e.line(), reason: e.to_string() }),
    }
}

fn architecture(fields: &Fields<'_>) -> Result<Architecture, ModelError> {
    let class = fields.map.get("architectures").and_then(|v| v.get(0)).and_then(Value::as_str);
    let model_type = fields.map.get("model_type").and_then(Value::as_str);
    match (class, model_type) {
        (Some("Qwen2ForCausalLM"), _) | (None, Some("qwen2")) => Ok(Architecture::Qwen2),
        (Some("LlamaForCausalLM"), _) | (None, Some("llama")) => Ok(Architecture::Llama),
        (Some(found), _) | (None, Some(found)) => {
            Err(ModelError::Architecture { path: fields.path.into(), found: found.to_owned() })
        }
        (None, None) => {
            Err(fields.wrong("architectures", "missing".to_owned(), "a list such as [\"Qwen2ForCausalLM\"]"))
        }
    }
}

/// Variants of the two families that change the computation in ways that the decoder does not have.
fn refuse_variants(fields: &Fields<'_>, architecture: Architecture) -> Result<(), ModelError> {
    let refuse = |what: &str, instead: &str| {
        Err(ModelError::Unsupported { path: fields.path.into(), what: what.to_owned(), instead: instead.to_owned() })
    };
    if fields.boolean("use_sliding_window")? {
        return refuse("sliding-window attention (use_sliding_window = true)", "set use_sliding_window to false");
    }
    if architecture == Architecture::Llama && fields.boolean("attention_bias")? {
        return refuse("attention_bias = true", "Llama models without biases are supported");
    }
    if fields.boolean("mlp_bias")? {
        return refuse("mlp_bias = true", "models without biases in the MLP are supported");
    }
    match fields.map.get("hidden_act").and_then(Value::as_str) {
        None | Some("silu") => {}
        Some(other) => return refuse(&format!("hidden_act = {other}"), "silu is supported"),
    }
    if fields.map.get("quantization_config").is_some_and(|v| !v.is_null()) {
        return refuse("a quantised folder (quantization_config)", "use F32, F16 or BF16 weights, or a GGUF file");
    }
    if fields.number("partial_rotary_factor")?.is_some_and(|f| f != 1.0) {
        return refuse("partial_rotary_factor other than 1", "rotary positions over whole heads are supported");
    }
    Ok(())
}

fn rope(fields: &Fields<'_>, max_position_embeddings: usize) -> Result<RopeConfig, ModelError> {
    // `rope_parameters` is transformers 5's name and holds rope_theta too; `rope_scaling` is the older one.
    let named = ["rope_parameters", "rope_scaling"];
    let Some((name, value)) = named.iter().find_map(|n| fields.map.get(*n).filter(|v| !v.is_null()).map(|v| (*n, v)))
    else {
        let theta = fields.number("rope_theta")?.unwrap_or(DEFAULT_THETA);
        return Ok(RopeConfig { theta: positive_number(fields, "rope_theta", theta)?, scaling: RopeScaling::Default });
    };
    let Some(map) = value.as_object() else {
        return Err(fields.wrong(name, value.to_string(), "an object with rope_type"));
    };
    let inner = Fields { path: fields.path, prefix: name, map };
    let theta = match inner.number("rope_theta")? {
        Some(t) => t,
        None => fields.number("rope_theta")?.unwrap_or(DEFAULT_THETA),
    };
    let theta = positive_number(&inner, "rope_theta", theta)?;
    if inner.number("partial_rotary_factor")?.is_some_and(|f| f != 1.0) {
        return Err(inner.wrong("partial_rotary_factor", "not 1".to_owned(), "1: rotary positions over whole heads"));
    }
    let kind = map.get("rope_type").or_else(|| map.get("type")).and_then(Value::as_str).unwrap_or("default");
    let original = || -> Result<usize, ModelError> {
        // Some families write it beside the object; transformers falls back to the model's own limit.
        Ok(match inner.optional_positive("original_max_position_embeddings")? {
            Some(n) => n,
            None => fields.optional_positive("original_max_position_embeddings")?.unwrap_or(max_position_embeddings),
        })
    };
    let scaling = match kind {
        "default" => RopeScaling::Default,
        "linear" => RopeScaling::Linear { factor: inner.factor("factor")? },
        "llama3" => RopeScaling::Llama3 {
            factor: inner.factor("factor")?,
            low_freq_factor: inner.factor("low_freq_factor")?,
            high_freq_factor: inner.factor("high_freq_factor")?,
            original_max_position_embeddings: original()?,
        },
        "yarn" => {
            let original = original()?;
            let factor = match inner.number("factor")? {
                Some(f) => positive_number(&inner, "factor", f)?,
                None => max_position_embeddings as f64 / original as f64,
            };
            RopeScaling::Yarn {
                factor,
                beta_fast: inner.number("beta_fast")?.filter(|b| *b != 0.0).unwrap_or(32.0),
                beta_slow: inner.number("beta_slow")?.filter(|b| *b != 0.0).unwrap_or(1.0),
                attention_factor: attention_factor(&inner, factor)?,
                original_max_position_embeddings: original,
                truncate: inner.optional_boolean("truncate")?.unwrap_or(true),
            }
        }
        other => {
            let what = format!("rope_type {other}");
            let instead = "supported are default, linear, llama3 and yarn".to_owned();
            return Err(ModelError::Unsupported { path: fields.path.into(), what, instead });
        }
    };
    Ok(RopeConfig { theta, scaling })
}

/// YaRN's factor on cos and sin: given, or from `mscale` and `mscale_all_dim` as transformers computes it (DeepSeek).
fn attention_factor(inner: &Fields<'_>, factor: f64) -> Result<Option<f64>, ModelError> {
    if let Some(a) = inner.number("attention_factor")? {
        return Ok(Some(a));
    }
    let scale = |m: f64| if factor <= 1.0 { 1.0 } else { 0.1 * m * factor.ln() + 1.0 };
    Ok(match (inner.number("mscale")?, inner.number("mscale_all_dim")?) {
        (Some(m), Some(all)) if m != 0.0 && all != 0.0 => Some(scale(m) / scale(all)),
        _ => None,
    })
}

fn positive_number(fields: &Fields<'_>, name: &str, value: f64) -> Result<f64, ModelError> {
    if value > 0.0 { Ok(value) } else { Err(fields.wrong(name, value.to_string(), "a positive number")) }
}

/// Typed access to a JSON object; `null` is as good as missing.
struct Fields<'a> {
    path: &'a Path,
    prefix: &'a str,
    map: &'a Map<String, Value>,
}

impl Fields<'_> {
    fn wrong(&self, name: &str, found: String, expected: &str) -> ModelError {
        let field = if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) };
        ModelError::Field { path: self.path.into(), field, found, expected: expected.to_owned() }
    }

    fn optional_positive(&self, name: &str) -> Result<Option<usize>, ModelError> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(v) => match v.as_u64().filter(|n| (1..=MAX_VALUES as u64).contains(n)) {
                Some(n) => Ok(Some(n as usize)),
                None => Err(self.wrong(name, v.to_string(), "a positive integer")),
            },
        }
    }

    fn positive(&self, name: &str) -> Result<usize, ModelError> {
        let missing = || self.wrong(name, "missing".to_owned(), "a positive integer");
        self.optional_positive(name)?.ok_or_else(missing)
    }

    fn number(&self, name: &str) -> Result<Option<f64>, ModelError> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(v) => match v.as_f64().filter(|n| n.is_finite()) {
                Some(n) => Ok(Some(n)),
                None => Err(self.wrong(name, v.to_string(), "a number")),
            },
        }
    }

    fn factor(&self, name: &str) -> Result<f64, ModelError> {
        match self.number(name)? {
            Some(f) => positive_number(self, name, f),
            None => Err(self.wrong(name, "missing".to_owned(), "a positive number")),
        }
    }

    fn optional_boolean(&self, name: &str) -> Result<Option<bool>, ModelError> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(b)) => Ok(Some(*b)),
            Some(v) => Err(self.wrong(name, v.to_string(), "true or false")),
        }
    }

    fn boolean(&self, name: &str) -> Result<bool, ModelError> {
        Ok(self.optional_boolean(name)?.unwrap_or(false))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The published config.json of Qwen2.5-0.5B-Instruct, shortened to the fields that are read.
    const QWEN: &str = r#"{"architectures": ["Qwen2ForCausalLM"], "hidden_act": "silu", "hidden_size": 896,
        "intermediate_size": 4864, "max_position_embeddings": 32768, "max_window_layers": 21, "model_type": "qwen2",
        "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": true, "use_sliding_window": false,
        "vocab_size": 151936}"#;
    /// That of Llama-3.2-1B-Instruct.
    const LLAMA: &str = r#"{"architectures": ["LlamaForCausalLM"], "attention_bias": false, "head_dim": 64,
        "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 8192, "max_position_embeddings": 131072,
        "mlp_bias": false, "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16,
        "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0,
        "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"},
        "rope_theta": 500000.0, "tie_word_embeddings": true, "vocab_size": 128256}"#;

    fn read(text: &str) -> Result<ModelConfig, String> {
        parse(text, Path::new("m/config.json")).map_err(|e| e.to_string())
    }

    /// `QWEN` with fields replaced (or, by null, as good as removed).
    fn qwen_with(changes: Value) -> Result<ModelConfig, String> {
        let mut map: Map<String, Value> = serde_json::from_str(QWEN).unwrap();
        map.extend(changes.as_object().unwrap().clone());
        read(&Value::Object(map).to_string())
    }

    #[test]
    fn published_configurations() {
        let qwen = read(QWEN).unwrap();
        assert_eq!((qwen.head_dim, qwen.kv_heads, qwen.layers, qwen.qkv_bias), (64, 2, 24, true));
        assert_eq!(qwen.rope, RopeConfig { theta: 1e6, scaling: RopeScaling::Default });
        let llama = read(LLAMA).unwrap();
        assert_eq!((llama.architecture, llama.qkv_bias, llama.rms_norm_eps), (Architecture::Llama, false, 1e-5));
        let scaling = RopeScaling::Llama3 {
            factor: 32.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 8192,
        };
        assert_eq!(llama.rope, RopeConfig { theta: 5e5, scaling });
    }

    #[test]
    fn written_configurations_are_read_back() {
        for text in [QWEN, LLAMA] {
            let config = read(text).unwrap();
            assert_eq!(read(&Value::Object(to_json(&config)).to_string()).unwrap(), config);
        }
        let yarn = qwen_with(json!({ "rope_scaling": { "type": "yarn", "factor": 4.0, "attention_factor": 1.2 } }));
        let config = yarn.unwrap();
        assert_eq!(read(&Value::Object(to_json(&config)).to_string()).unwrap(), config);
    }

    #[test]
    fn defaults_and_both_rope_layouts() {
        assert_eq!(qwen_with(json!({ "num_key_value_heads": null })).unwrap().kv_heads, 14);
        // The layout of Qwen2.5's own note on long texts, and what transformers 5 makes of it.
        let old = json!({ "rope_scaling": {
            "factor": 4.0, "original_max_position_embeddings": 32768, "type": "yarn" } });
        let new = json!({ "rope_theta": null, "rope_parameters": { "rope_theta": 1e6, "rope_type": "yarn",
            "factor": 4.0, "original_max_position_embeddings": 32768 } });
        let config = qwen_with(old).unwrap();
        assert_eq!(config, qwen_with(new).unwrap());
        let RopeScaling::Yarn { factor, beta_fast, beta_slow, attention_factor, truncate, .. } = config.rope.scaling
        else {
            panic!("{:?}", config.rope);
        };
        assert_eq!((factor, beta_fast, beta_slow, attention_factor, truncate), (4.0, 32.0, 1.0, None, true));
        let linear = qwen_with(json!({ "rope_scaling": { "type": "linear", "factor": 2 } })).unwrap();
        assert_eq!(linear.rope, RopeConfig { theta: 1e6, scaling: RopeScaling::Linear { factor: 2.0 } });
    }

    #[test]
    fn what_is_wrong_is_said() {
        let all = [
            (json!({ "hidden_size": null }), "m/config.json: `hidden_size` is missing; expected a positive integer"),
            (json!({ "vocab_size": -3 }), "m/config.json: `vocab_size` is -3; expected a positive integer"),
            (
                json!({ "num_key_value_heads": 3 }),
                "m/config.json: `num_key_value_heads` is 3; expected a divisor of num_attention_heads (14)",
            ),
            (
                json!({ "hidden_size": 900 }),
                "m/config.json: `hidden_size` is 900; expected a multiple of num_attention_heads (14), as head_dim is not given",
            ),
            (
                json!({ "rope_scaling": { "type": "linear" } }),
                "m/config.json: `rope_scaling.factor` is missing; expected a positive number",
            ),
            (
                json!({ "rope_scaling": { "rope_type": "longrope" } }),
                "m/config.json: rope_type longrope is not supported; supported are default, linear, llama3 and yarn",
            ),
            (
                json!({ "use_sliding_window": true }),
                "m/config.json: sliding-window attention (use_sliding_window = true) is not supported; set use_sliding_window to false",
            ),
            (
                json!({ "architectures": ["MambaForCausalLM"] }),
                "m/config.json: architecture MambaForCausalLM is not supported; supported are Qwen2ForCausalLM (qwen2) and LlamaForCausalLM (llama)",
            ),
            (json!({ "hidden_act": "gelu" }), "m/config.json: hidden_act = gelu is not supported; silu is supported"),
            (
                json!({ "tie_word_embeddings": "yes" }),
                "m/config.json: `tie_word_embeddings` is \"yes\"; expected true or false",
            ),
        ];
        for (changes, message) in all {
            assert_eq!(qwen_with(changes).unwrap_err(), message);
        }
        assert_eq!(read("[1]").unwrap_err(), "m/config.json, line 1: expected a JSON object, `{ .. }`");
        assert!(read("{\n\"a\": }").unwrap_err().starts_with("m/config.json, line 2: expected value"));
    }
}
