//! Text to token ids and back: a Hugging Face tokenizer with what surrounds it, end tokens and chat template.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::model::chat_template::{ChatTemplate, Message, Moment};
use crate::model::error::ModelError;
use crate::model::files::Files;
use crate::model::hf_config::json_object;

/// Names of the special tokens in `tokenizer_config.json` that chat templates may use.
const SPECIAL: [&str; 4] = ["bos_token", "eos_token", "pad_token", "unk_token"];

/// A tokenizer, its end tokens and its chat template. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: Arc<tokenizers::Tokenizer>,
    eos: Vec<u32>,
    chat_template: Option<ChatTemplate>,
    /// `tokenizer_config.json`, written back as it was read.
    config: Map<String, Value>,
}

impl Tokenizer {
    /// Reads `tokenizer.json` and, where they are there, `tokenizer_config.json`, `chat_template.jinja`,
    /// `generation_config.json` and `config.json`. End tokens are all that any of these name.
    pub fn from_files(files: &Files<'_>) -> Result<Self, ModelError> {
        let expected = "the fast tokenizer's file (transformers' AutoTokenizer writes it by save_pretrained)";
        let text = files.required_text("tokenizer.json", expected)?;
        let inner = tokenizers::Tokenizer::from_bytes(text)
            .map_err(|e| failed(format!("{}: {e}", files.path("tokenizer.json").display())))?;
        let object = |name: &str| -> Result<Map<String, Value>, ModelError> {
            match files.text(name)? {
                Some(text) => json_object(&text, &files.path(name)),
                None => Ok(Map::new()),
            }
        };
        let config = object("tokenizer_config.json")?;
        let mut eos = Vec::new();
        for name in ["generation_config.json", "config.json"] {
            for id in eos_ids(&object(name)?, &files.path(name))? {
                push_new(&mut eos, id);
            }
        }
        if let Some(token) = special_token(&config, "eos_token") {
            let id = inner.token_to_id(&token);
            push_new(&mut eos, id.ok_or_else(|| failed(format!("the eos_token {token:?} is not in the vocabulary")))?);
        }
        // transformers prefers the separate file.
        let template = match files.text("chat_template.jinja")? {
            Some(text) => Some(text),
            None => named_template(&config),
        };
        Self::assemble(inner, eos, template.as_deref(), config)
    }

    /// Puts the parts together; `config` holds `bos_token` and the other names.
    pub(crate) fn assemble(
        mut inner: tokenizers::Tokenizer,
        eos: Vec<u32>,
        template: Option<&str>,
        mut config: Map<String, Value>,
    ) -> Result<Self, ModelError> {
        // Some published files carry a truncation that would cut long prompts in silence.
        inner.with_truncation(None).map_err(|e| failed(e.to_string()))?;
        inner.with_padding(None);
        if eos.is_empty() {
            let reason = "no end-of-sequence token is named (eos_token_id in generation_config.json or config.json, or \
                          eos_token in tokenizer_config.json)";
            return Err(failed(reason.to_owned()));
        }
        let special: BTreeMap<String, String> =
            SPECIAL.iter().filter_map(|n| Some(((*n).to_owned(), special_token(&config, n)?))).collect();
        let chat_template = template.map(|t| ChatTemplate::new(t, special, Moment::default())).transpose()?;
        if let Some(template) = template {
            config.insert("chat_template".to_owned(), Value::from(template));
        }
        Ok(Self { inner: Arc::new(inner), eos, chat_template, config })
    }

    /// Token ids of a text; `add_special` adds what the tokenizer puts around a text (Llama's begin token).
    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>, ModelError> {
        let encoding = self.inner.encode_fast(text, add_special).map_err(|e| failed(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Token ids of a text, each with the bytes of the text that it stands for; nothing is added around it.
    pub fn encode_with_spans(&self, text: &str) -> Result<Vec<(u32, [usize; 2])>, ModelError> {
        let encoding = self.inner.encode(text, false).map_err(|e| failed(e.to_string()))?;
        let spans = encoding.get_offsets().iter().map(|&(start, end)| [start, end]);
        Ok(encoding.get_ids().iter().copied().zip(spans).collect())
    }

    /// The conversation's text by the chat template, with the assistant's turn opened.
    pub fn render_chat(&self, messages: &[Message]) -> Result<String, ModelError> {
        match &self.chat_template {
            Some(template) => template.render(messages, true),
            None => Err(ModelError::ChatTemplate { reason: "the model has none".to_owned() }),
        }
    }

    /// Token ids of a conversation. Templates write the begin token themselves, so that none is added.
    pub fn encode_chat(&self, messages: &[Message]) -> Result<Vec<u32>, ModelError> {
        self.encode(&self.render_chat(messages)?, false)
    }

    /// The text of token ids without special tokens; ids that the tokenizer does not know are left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String, ModelError> {
        self.inner.decode(ids, true).map_err(|e| failed(e.to_string()))
    }

    /// The text of token ids, special tokens included.
    pub fn decode_with_special(&self, ids: &[u32]) -> Result<String, ModelError> {
        self.inner.decode(ids, false).map_err(|e| failed(e.to_string()))
    }

    /// Starts decoding token by token.
    pub fn stream(&self) -> TextStream<'_> {
        TextStream { tokenizer: self, ids: Vec::new(), prefix: 0, read: 0, text: String::new() }
    }

    /// The ids that end a response, at least one.
    pub fn eos_ids(&self) -> &[u32] {
        &self.eos
    }

    /// Whether the id ends a response.
    pub fn is_eos(&self, id: u32) -> bool {
        self.eos.contains(&id)
    }

    /// The id of a token, special ones included.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Number of distinct tokens.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The chat template, if the model has one.
    pub fn chat_template(&self) -> Option<&ChatTemplate> {
        self.chat_template.as_ref()
    }

    /// Ids of the begin and padding tokens, if named.
    pub(crate) fn id_of(&self, name: &str) -> Option<u32> {
        special_token(&self.config, name).and_then(|t| self.inner.token_to_id(&t))
    }

    /// An error if some token's id has no row in an embedding of `rows` rows.
    pub fn check_vocabulary(&self, rows: usize) -> Result<(), ModelError> {
        let highest = self.inner.get_vocab(true).into_iter().max_by_key(|(_, id)| *id);
        match highest {
            Some((token, highest)) if highest as usize >= rows => Err(ModelError::Vocabulary { highest, token, rows }),
            Some(_) => Ok(()),
            None => Err(failed("the vocabulary is empty".to_owned())),
        }
    }

    /// The files of the tokenizer: name and content.
    pub(crate) fn to_files(&self) -> Result<Vec<(&'static str, String)>, ModelError> {
        let json = self.inner.to_string(false).map_err(|e| failed(e.to_string()))?;
        let config = serde_json::to_string_pretty(&self.config).map_err(|e| failed(e.to_string()))?;
        Ok(vec![("tokenizer.json", json), ("tokenizer_config.json", config + "\n")])
    }

    /// Writes `tokenizer.json` and `tokenizer_config.json` (with the chat template) into a folder.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        for (name, text) in self.to_files()? {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(ModelError::io(&path))?;
        }
        Ok(())
    }
}

/// Decodes token by token; text comes as soon as its bytes are whole.
#[derive(Debug, Clone)]
pub struct TextStream<'t> {
    tokenizer: &'t Tokenizer,
    ids: Vec<u32>,
    /// Tokens before this one are not decoded again.
    prefix: usize,
    /// Tokens before this one are in `text`.
    read: usize,
    text: String,
}

impl TextStream<'_> {
    /// Takes the next token and returns the text that became whole with it, perhaps none.
    ///
    /// A token's text can depend on the one before it (a leading space), and a character can be spread over tokens:
    /// so a window of the last whole pieces is decoded with the new token, and the difference is the new text.
    pub fn push(&mut self, id: u32) -> Result<&str, ModelError> {
        self.ids.push(id);
        self.advance(false)
    }

    /// The text so far, without the bytes of a character that is not whole yet.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Takes what is left, bytes of a broken character as the replacement character, and returns the whole text.
    pub fn finish(mut self) -> Result<String, ModelError> {
        self.advance(true)?;
        Ok(self.text)
    }

    fn advance(&mut self, last: bool) -> Result<&str, ModelError> {
        let start = self.text.len();
        let before = self.tokenizer.decode(&self.ids[self.prefix..self.read])?;
        let now = self.tokenizer.decode(&self.ids[self.prefix..])?;
        if (last || !now.ends_with('\u{FFFD}'))
            && let Some(new) = now.get(before.len()..)
        {
            self.text.push_str(new);
            self.prefix = self.read;
            self.read = self.ids.len();
        }
        Ok(&self.text[start..])
    }
}

/// What a newly trained tokenizer holds besides the byte-pair vocabulary. Ids are given in this order, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Left out when decoding.
    pub control: Vec<String>,
    /// One token each, kept when decoding (tags of the response format).
    pub visible: Vec<String>,
    /// Which of `control` ends a response.
    pub eos: String,
    /// Jinja; `""` for none.
    pub chat_template: String,
}

impl Default for SpecialTokens {
    /// ChatML's tokens and template, and the tags of the `think_answer` format.
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        Self {
            control: owned(&["<|endoftext|>", "<|im_start|>", "<|im_end|>"]),
            visible: owned(&["<think>", "</think>", "<answer>", "</answer>"]),
            eos: "<|im_end|>".to_owned(),
            chat_template: "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + \
                            message['content'] + '<|im_end|>' + '\n' }}{% endfor %}\
                            {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
                .to_owned(),
        }
    }
}

/// Trains a byte-level byte-pair tokenizer in which every digit is a token of its own, so that any text can be encoded
/// and numbers are read digit by digit. `vocab_size` counts special tokens and the 256 bytes.
///
/// The result depends on the texts alone: pairs of equal frequency are merged in the order of their ids.
pub fn train<'a>(
    texts: impl Iterator<Item = &'a str> + Send,
    vocab_size: usize,
    special: &SpecialTokens,
) -> Result<Tokenizer, ModelError> {
    use tokenizers::models::bpe::{BPE, BpeTrainer};
    use tokenizers::pre_tokenizers::{byte_level::ByteLevel, digits::Digits, sequence::Sequence};
    use tokenizers::{AddedToken, Model, models::TrainerWrapper};

    let least = 256 + special.control.len() + special.visible.len();
    if vocab_size < least {
        return Err(failed(format!(
            "a vocabulary of {vocab_size} is too small; the bytes and special tokens are {least}"
        )));
    }
    if !special.control.contains(&special.eos) {
        return Err(failed(format!("the eos token {:?} is not among the control tokens", special.eos)));
    }
    let added = |text: &String, control: bool| AddedToken::from(text.clone(), control).normalized(false);
    let tokens: Vec<AddedToken> = (special.control.iter().map(|t| added(t, true)))
        .chain(special.visible.iter().map(|t| added(t, false)))
        .collect();
    let mut inner = tokenizers::Tokenizer::new(BPE::default());
    let bytes = ByteLevel::new(false, true, true);
    inner.with_pre_tokenizer(Some(Sequence::new(vec![Digits::new(true).into(), bytes.into()])));
    inner.with_decoder(Some(bytes));
    // Special tokens stand in the texts too; known before training, they are kept out of the byte pairs.
    inner.add_tokens(tokens.iter().cloned()).map_err(|e| failed(e.to_string()))?;
    let mut trainer: TrainerWrapper = BpeTrainer::builder()
        .vocab_size(vocab_size)
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(tokens)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build()
        .into();
    inner.train(&mut trainer, texts).map_err(|e| failed(e.to_string()))?;
    let eos = inner.get_model().token_to_id(&special.eos).into_iter().collect();
    let mut config = Map::new();
    config.insert("tokenizer_class".to_owned(), Value::from("PreTrainedTokenizerFast"));
    config.insert("eos_token".to_owned(), Value::from(special.eos.as_str()));
    config.insert("pad_token".to_owned(), Value::from(special.control[0].as_str()));
    config.insert("clean_up_tokenization_spaces".to_owned(), Value::from(false));
    let template = Some(special.chat_template.as_str()).filter(|t| !t.is_empty());
    Tokenizer::assemble(inner, eos, template, config)
}

pub(crate) fn failed(reason: String) -> ModelError {
    ModelError::Tokenizer { reason }
}

pub(crate) fn push_new(ids: &mut Vec<u32>, id: u32) {
    if !ids.contains(&id) {
        ids.push(id);
    }
}

/// `eos_token_id`: a number, a list of numbers, null or absent.
fn eos_ids(map: &Map<String, Value>, path: &Path) -> Result<Vec<u32>, ModelError> {
    let id = |v: &Value| v.as_u64().and_then(|n| u32::try_from(n).ok());
    let value = match map.get("eos_token_id") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(v) => v,
    };
    let ids = match value {
        Value::Array(list) => list.iter().map(id).collect(),
        v => id(v).map(|n| vec![n]),
    };
    ids.ok_or_else(|| ModelError::Field {
        path: path.into(),
        field: "eos_token_id".to_owned(),
        found: value.to_string(),
        expected: "a token id or a list of them".to_owned(),
    })
}

/// A special token's text: a string, or an object with `content`.
fn special_token(config: &Map<String, Value>, name: &str) -> Option<String> {
    let value = config.get(name)?;
    value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned)
}

/// `chat_template` of `tokenizer_config.json`: a string, or a list of named ones of which `default` is taken.
fn named_template(config: &Map<String, Value>) -> Option<String> {
    match config.get("chat_template")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => {
            let named = |t: &&Value| t.get("name").and_then(Value::as_str) == Some("default");
            list.iter().find(named).or(list.first())?.get("template")?.as_str().map(str::to_owned)
        }
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TEXTS: [&str; 3] = [
        "<think>Serum potassium of 5.9 mmol/L supports hyperkalaemia.</think><answer>The answer is B.</answer>",
        "A 54-year-old man has chest pain; troponin 1250 ng/L. The chest pain began 12 hours ago.",
        "The chest pain of the man supports the answer. Serum potassium of 4.1 mmol/L is normal.",
    ];

    fn trained() -> Tokenizer {
        train(TEXTS.into_iter(), 300, &SpecialTokens::default()).unwrap()
    }

    #[test]
    fn training_gives_digits_tags_and_any_text() {
        let t = trained();
        assert_eq!(t.vocab_size(), 300);
        assert_eq!(t.eos_ids(), [2]);
        // "1250" is four tokens, whatever the frequency.
        assert_eq!(t.encode("1250", false).unwrap().len(), 4);
        assert_eq!(t.encode("</think>", false).unwrap(), [4]);
        for text in [TEXTS[0], "Überraschung: 37.5 °C, 日本 \u{1F600}\n\ttabs  and  spaces ", ""] {
            assert_eq!(t.decode(&t.encode(text, false).unwrap()).unwrap(), text);
        }
        let chat = t.encode_chat(&[Message::new("user", "Hi")]).unwrap();
        assert_eq!(t.decode_with_special(&chat).unwrap(), "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
        assert_eq!(t.decode(&chat).unwrap(), "user\nHi\nassistant\n");
        assert_eq!(trained().to_files().unwrap(), t.to_files().unwrap());
    }

    #[test]
    fn training_refuses_what_cannot_be() {
        let error = train(TEXTS.into_iter(), 100, &SpecialTokens::default()).unwrap_err().to_string();
        assert_eq!(error, "tokenizer: a vocabulary of 100 is too small; the bytes and special tokens are 263");
        assert!(trained().check_vocabulary(300).is_ok());
        let error = trained().check_vocabulary(299).unwrap_err().to_string();
        assert!(error.contains("its highest id is 299") && error.contains("has 299 rows"), "{error}");
    }

    #[test]
    fn streamed_text_is_the_decoded_text() {
        let t = trained();
        let text = "The <answer> is 日本 and \u{1F600}; 5.9";
        let ids = t.encode(text, false).unwrap();
        let mut stream = t.stream();
        let mut pieces = String::new();
        for id in &ids {
            let piece = stream.push(*id).unwrap();
            assert!(!piece.contains('\u{FFFD}'));
            pieces.push_str(piece);
        }
        assert_eq!(pieces, text);
        assert_eq!(stream.finish().unwrap(), text);
        // A cut character comes with `finish` alone.
        let cut = t.encode("a日", false).unwrap();
        let mut stream = t.stream();
        for id in &cut[..cut.len() - 1] {
            stream.push(*id).unwrap();
        }
        assert_eq!(stream.text(), "a");
        assert_eq!(stream.finish().unwrap(), "a\u{FFFD}");
    }

    #[test]
    fn end_tokens_and_templates_in_their_layouts() {
        let object = |v: Value| v.as_object().unwrap().clone();
        let ids = |v: Value| eos_ids(&object(v), Path::new("generation_config.json"));
        assert_eq!(ids(serde_json::json!({ "eos_token_id": [7, 5] })).unwrap(), [7, 5]);
        assert_eq!(ids(serde_json::json!({ "eos_token_id": 2 })).unwrap(), [2]);
        assert!(ids(serde_json::json!({ "eos_token_id": null })).unwrap().is_empty());
        let error = ids(serde_json::json!({ "eos_token_id": "</s>" })).unwrap_err().to_string();
        assert_eq!(error, "generation_config.json: `eos_token_id` is \"</s>\"; expected a token id or a list of them");
        let config = object(serde_json::json!({ "eos_token": { "content": "</s>", "lstrip": false },
            "chat_template": [{ "name": "tool_use", "template": "t" }, { "name": "default", "template": "d" }] }));
        assert_eq!(special_token(&config, "eos_token").as_deref(), Some("</s>"));
        assert_eq!(named_template(&config).as_deref(), Some("d"));
    }
}
