//! Sampling responses from a decoder: prompts are read once into a shared cache, all their responses decode as one batch.

mod cache;
mod generate;
mod sampler;

pub use generate::{Completion, Finish, Prompt, Rollout, RolloutError, Stopping, generate};
#[cfg(feature = "cuda")]
pub(crate) use generate::{MIN_SHARED, READ_TOKENS};
pub use sampler::SamplingParams;
