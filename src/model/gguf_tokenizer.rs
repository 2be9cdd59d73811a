//! A tokenizer from the metadata of a GGUF file (`tokenizer.ggml.*`, `tokenizer.chat_template`).

use candle_core::quantized::gguf_file::Value as Meta;
use serde_json::{Map, Value, json};

use crate::model::error::ModelError;
use crate::model::gguf::Gguf;
use crate::model::tokenizer::{Tokenizer, failed, push_new};

/// `tokenizer.ggml.token_type`: a control token, left out when decoding.
const CONTROL: i64 = 3;
/// `tokenizer.ggml.token_type`: added by the model's makers, ordinary text when decoding.
const USER_DEFINED: i64 = 4;
/// Control tokens that end a response whatever the metadata say, as in llama.cpp (`llama_vocab`, end of generation).
const END_OF_GENERATION: [&str; 7] =
    ["<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|eom_id|>", "<|end_of_text|>"];

/// Splitting pattern of Qwen2's tokenizer.json.
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Splitting pattern of Llama 3's tokenizer.json: digits in threes.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Builds the tokenizer that the file describes, of the kind `gpt2` (byte-level byte pairs).
pub fn tokenizer(gguf: &Gguf) -> Result<Tokenizer, ModelError> {
    let unsupported = |what: String, instead: &str| ModelError::Unsupported {
        path: gguf.path().to_path_buf(),
        what,
        instead: instead.to_owned(),
    };
    let model = gguf.string("tokenizer.ggml.model")?;
    if model != "gpt2" {
        let instead = "use a byte-level one (gpt2), or the Hugging Face folder of the model";
        return Err(unsupported(format!("the tokenizer kind {model}"), instead));
    }
    let tokens = strings(gguf, "tokenizer.ggml.tokens")?;
    let merges = strings(gguf, "tokenizer.ggml.merges")?;
    let merges: Vec<Value> = merges
        .iter()
        .map(|m| m.split_once(' ').map(|(a, b)| json!([a, b])))
        .collect::<Option<_>>()
        .ok_or_else(|| failed("tokenizer.ggml.merges has an entry without a space".to_owned()))?;
    let types: Vec<i64> = gguf
        .list("tokenizer.ggml.token_type")?
        .iter()
        .map(|v| v.to_i32().map(i64::from).or_else(|_| v.to_u32().map(i64::from)).unwrap_or(0))
        .collect();
    let kind = gguf.string("tokenizer.ggml.pre")?;
    let parts = match kind {
        "smollm" => parts(Value::Null, vec![json!({ "type": "Digits", "individual_digits": true })], None),
        "qwen2" => parts(json!({ "type": "NFC" }), Vec::new(), Some(QWEN2)),
        "llama-bpe" | "llama3" | "llama-v3" => parts(Value::Null, Vec::new(), Some(LLAMA3)),
        "gpt-2" | "default" => parts(Value::Null, Vec::new(), None),
        other => {
            let instead = "supported are smollm, qwen2, llama-bpe and gpt-2; use the Hugging Face folder of the model";
            return Err(unsupported(format!("the pre-tokenizer {other}"), instead));
        }
    };
    let token = |key: &str| -> Result<Option<u32>, ModelError> {
        let id = gguf.integer(&format!("tokenizer.ggml.{key}"))?;
        match id {
            Some(n) if n >= tokens.len() => {
                Err(failed(format!("tokenizer.ggml.{key} is {n}, but there are {} tokens", tokens.len())))
            }
            other => Ok(other.map(|n| n as u32)),
        }
    };
    let mut eos = Vec::new();
    for key in ["eos_token_id", "eot_token_id", "eom_token_id"] {
        if let Some(id) = token(key)? {
            push_new(&mut eos, id);
        }
    }
    let mut added = Vec::new();
    for (id, text) in tokens.iter().enumerate() {
        let kind = types.get(id).copied().unwrap_or(0);
        if kind == CONTROL && END_OF_GENERATION.contains(text) {
            push_new(&mut eos, id as u32);
        }
        if kind == CONTROL || kind == USER_DEFINED {
            added.push(json!({ "id": id, "content": text, "special": kind == CONTROL, "single_word": false,
                "lstrip": false, "rstrip": false, "normalized": false }));
        }
    }
    let llama3 = kind.starts_with("llama");
    let bos = token("bos_token_id")?;
    let add_bos = gguf.boolean("tokenizer.ggml.add_bos_token").unwrap_or(llama3);
    let post_processor = match bos {
        Some(id) if add_bos => begin_token(tokens[id as usize], id),
        _ => json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true }),
    };
    let vocabulary: Map<String, Value> = tokens.iter().enumerate().map(|(i, t)| ((*t).to_owned(), i.into())).collect();
    let document = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": parts.normalizer,
        "pre_tokenizer": parts.pre_tokenizer,
        "post_processor": post_processor,
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": llama3,
            "vocab": vocabulary, "merges": merges },
    });
    let inner = tokenizers::Tokenizer::from_bytes(document.to_string())
        .map_err(|e| failed(format!("{}: {e}", gguf.path().display())))?;
    let mut config = Map::new();
    config.insert("tokenizer_class".to_owned(), "PreTrainedTokenizerFast".into());
    let named = [
        ("bos_token", "bos_token_id"),
        ("eos_token", "eos_token_id"),
        ("pad_token", "padding_token_id"),
        ("unk_token", "unknown_token_id"),
    ];
    for (name, key) in named {
        if let Some(id) = token(key)? {
            config.insert(name.to_owned(), tokens[id as usize].into());
        }
    }
    config.insert("clean_up_tokenization_spaces".to_owned(), false.into());
    let template = gguf.string("tokenizer.chat_template").ok();
    Tokenizer::assemble(inner, eos, template, config)
}

struct Parts {
    normalizer: Value,
    pre_tokenizer: Value,
}

/// `first` steps, then byte-level with its own pattern (GPT-2's) or with the given one.
fn parts(normalizer: Value, first: Vec<Value>, pattern: Option<&str>) -> Parts {
    let mut steps = first;
    if let Some(p) = pattern {
        steps.push(json!({ "type": "Split", "pattern": { "Regex": p }, "behavior": "Isolated", "invert": false }));
    }
    let own = pattern.is_none();
    steps.push(json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": own }));
    Parts { normalizer, pre_tokenizer: json!({ "type": "Sequence", "pretokenizers": steps }) }
}

/// Puts the begin token before every text.
fn begin_token(text: &str, id: u32) -> Value {
    let begin = json!({ "SpecialToken": { "id": text, "type_id": 0 } });
    let sequence = |id: &str, type_id: u32| json!({ "Sequence": { "id": id, "type_id": type_id } });
    let mut special = Map::new();
    special.insert(text.to_owned(), json!({ "id": text, "ids": [id], "tokens": [text] }));
    json!({ "type": "TemplateProcessing", "single": [begin, sequence("A", 0)],
        "pair": [begin, sequence("A", 0), sequence("B", 1)], "special_tokens": special })
}

fn strings<'g>(gguf: &'g Gguf, key: &str) -> Result<Vec<&'g str>, ModelError> {
    let text = |v: &'g Meta| match v {
        Meta::String(s) => Some(s.as_str()),
        _ => None,
    };
    let all = gguf.list(key)?.iter().map(text).collect::<Option<_>>();
    all.ok_or_else(|| failed(format!("{key} holds something else than strings")))
}
