//! What can be wrong with a model's files, each told in one sentence.

use std::path::PathBuf;

/// A model, or a part of it, could not be read, written or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The operating system refused; why is the error's source, which `{:#}` of anyhow adds.
    #[error("{}: input or output failed", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder that is to be written holds something.
    #[error("{}: the folder is not empty; expected a new or an empty one", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// Neither a model folder nor a GGUF file.
    #[error("{}: no model here; expected a folder with config.json, or a .gguf file", path.display())]
    NoModel {
        /// What was given.
        path: PathBuf,
    },
    /// A file of a model folder is not there.
    #[error("{}: {file} is missing; expected {expected}", folder.display())]
    MissingFile {
        /// The model's folder.
        folder: PathBuf,
        /// The file's name.
        file: String,
        /// What would do.
        expected: String,
    },
    /// Not JSON, or not the JSON that the file should hold.
    #[error("{}, line {line}: {reason}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A field is missing or has a value of the wrong kind.
    #[error("{}: `{field}` is {found}; expected {expected}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The field's name, with dots for nesting.
        field: String,
        /// The value, or `missing`.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// A decoder family that is not served.
    #[error("{}: architecture {found} is not supported; supported are Qwen2ForCausalLM (qwen2) and LlamaForCausalLM (llama)", path.display())]
    Architecture {
        /// The file.
        path: PathBuf,
        /// The name found there.
        found: String,
    },
    /// A variant of a known thing that is not served.
    #[error("{}: {what} is not supported; {instead}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The feature.
        what: String,
        /// What to use.
        instead: String,
    },
    /// The weights have no such tensor.
    #[error("{}: tensor {name} is missing", path.display())]
    MissingTensor {
        /// The weights file.
        path: PathBuf,
        /// Its name.
        name: String,
    },
    /// A tensor's shape is not the one that the configuration asks for.
    #[error("{}: tensor {name} has shape {found:?}; the configuration asks for {expected:?}", path.display())]
    WrongShape {
        /// The weights file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that would fit.
        expected: Vec<usize>,
    },
    /// A tensor's element type cannot be read as numbers.
    #[error("{}: tensor {name} has type {found}; readable are {readable}", path.display())]
    TensorType {
        /// The weights file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
        /// The types that can be read.
        readable: &'static str,
    },
    /// Not a file of its kind, or cut off.
    #[error("{}: not a whole {format} file: {reason}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// `safetensors` or `GGUF`.
        format: &'static str,
        /// What was found.
        reason: String,
    },
    /// The tokenizer could not be built or used.
    #[error("tokenizer: {reason}")]
    Tokenizer {
        /// What is wrong.
        reason: String,
    },
    /// The tokenizer has ids that the embedding does not.
    #[error(
        "the tokenizer does not fit the model: its highest id is {highest} ({token:?}), the embedding has {rows} rows"
    )]
    Vocabulary {
        /// Highest token id.
        highest: u32,
        /// Its token.
        token: String,
        /// Rows of the embedding.
        rows: usize,
    },
    /// The chat template is wrong, or refused the messages.
    #[error("chat template: {reason}")]
    ChatTemplate {
        /// What the template engine or the template's own `raise_exception` said.
        reason: String,
    },
}

impl ModelError {
    /// An [`ModelError::Io`] about `path`, for `map_err`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
