//! The decoder: its configuration, its tensors, the files that they come from, and its forward and backward.
pub mod chat_template;
pub mod config;
pub mod error;
pub mod files;
pub mod folder;
pub mod gguf;
pub mod gguf_tokenizer;
pub mod hf_config;
pub mod parameters;
pub mod safetensors;
pub mod tokenizer;
