//! The decoder: its configuration, its tensors, the files that they come from, and its forward and backward.
pub mod config;
pub mod decoder;
mod head;
pub(crate) mod layer;
pub mod parameters;

pub use decoder::{Decoder, StepOptions};
pub use layer::Saved;
