//! Sampling responses from a decoder: prompts are read once into a shared cache, all their responses decode as one batch.

mod cache;
mod generate;
mod sampler;

pub use generate::{Completion, Finish, Prompt, RolloutError, Stopping, generate};
pub use sampler::SamplingParams;
