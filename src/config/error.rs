//! What can be wrong with a run configuration, each in one sentence.

use std::path::PathBuf;

/// A run configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ConfigError {
    #[error("cannot read the configuration {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{place}: not valid TOML: {message}")]
    Syntax { place: String, message: String },
    #[error("{place}: unknown key `{key}`{}", suggestion(.nearest))]
    UnknownKey { place: String, key: String, nearest: Option<String> },
    #[error("{place}: `{key}` is {found}, expected {expected}")]
    Kind { place: String, key: String, expected: &'static str, found: &'static str },
    #[error("{place}: `{key}` {problem}")]
    Value { place: String, key: String, problem: String },
    #[error("{place}: `{key}` is not available in this build: {what}")]
    NotAvailable { place: String, key: String, what: &'static str },
    #[error("--set takes section.key=value, got `{given}`")]
    Set { given: String },
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default()
}
