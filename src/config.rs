//! Run configuration: TOML with defaults for every key, overridden by `--set section.key=value`.
//!
//! Two types: [`raw::RawConfig`] is what can be written down, [`RunConfig`] is what a run uses. Only the second exists
//! after [`ConfigSource::resolve`] has checked every value, so that no later stage meets a name it does not know.

mod error;
pub mod raw;
mod resolve;
mod source;

use std::path::PathBuf;

use attending_rewards::{RubricFile, advantage};

use crate::model::Saved;
use crate::model::config::RopeOverride;
use crate::objective::{Aggregation, PolicyConfig};
use crate::optim::ScheduleKind;

pub use error::ConfigError;
pub use raw::RawConfig;
pub use source::ConfigSource;

/// A checked configuration: the numbers are in `raw`, every name has become a value of its own type.
#[derive(Debug, Clone, PartialEq)]
pub struct RunConfig {
    /// The values as written, with all defaults filled in.
    pub raw: RawConfig,
    /// The model that is trained.
    pub model: ModelPath,
    /// A stretch of its rotary positions.
    pub rope_override: Option<RopeOverride>,
    /// What happens to prompts beyond `data.max_prompt_tokens`.
    pub over_long: OverLong,
    /// How scores become advantages.
    pub advantage: advantage::Config,
    /// How responses are scored; the format and the end-of-sequence marker are those of the prompts.
    pub rubric: RubricFile,
    /// The policy-gradient loss.
    pub policy: PolicyConfig,
    /// How tokens' losses become one.
    pub aggregation: Aggregation,
    /// The learning rate's course.
    pub schedule: ScheduleKind,
    /// Where the run computes.
    pub device: DeviceChoice,
    /// The type of weights and activations.
    pub dtype: Dtype,
    /// Where a GPU keeps master weights and moments.
    pub states: Memory,
    /// Where a GPU keeps the reference model's weights.
    pub reference: Memory,
    /// What is kept for the backward; `None`: chosen by the memory plan.
    pub saved: Option<Saved>,
}

impl RunConfig {
    /// The configuration as TOML that [`ConfigSource::text`] reads back to the same values.
    pub fn to_toml(&self) -> String {
        // Plain structs of plain values always serialise.
        toml::to_string(&self.raw).unwrap_or_default()
    }
}

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelPath {
    /// The small clinic model inside the program.
    Embedded,
    /// A Hugging Face folder or a `.gguf` file.
    File(PathBuf),
}

/// Where a run computes: rollouts, gradients and the optimiser's step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceChoice {
    /// A GPU where the program and the machine have one, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU of this number, from 0.
    Cuda(usize),
}

/// Declares an enum whose values have names in the configuration.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$value_doc])* $value),* }
        impl $name {
            /// Every value with its name in the configuration.
            pub const NAMES: &'static [(&'static str, Self)] = &[$(($text, Self::$value)),*];
        }
    };
}

named! {
    /// The type of weights and activations.
    Dtype {
        /// Single precision.
        F32 = "f32",
        /// bfloat16, on a GPU; master weights, moments and gradients are f32.
        Bf16 = "bf16",
    }
}

named! {
    /// Where arrays stay that a GPU needs only now and then.
    Memory {
        /// In the GPU's memory.
        Device = "device",
        /// In the host's, page-locked; they travel when they are needed.
        Host = "host",
    }
}

named! {
    /// What happens to prompts that are too long.
    OverLong {
        /// They are left out, and counted.
        Drop = "drop",
        /// The run does not start.
        Error = "error",
    }
}
