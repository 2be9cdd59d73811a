//! Run configuration: TOML with defaults for every key, overridden by `--set section.key=value`.
//!
//! Two types: [`raw::RawConfig`] is what can be written down, [`RunConfig`] is what a run uses. Only the second exists
//! after [`ConfigSource::resolve`] has checked every value, so that no later stage meets a name it does not know.

mod error;
pub mod raw;
mod resolve;
mod source;

use std::path::PathBuf;

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
    /// What happens to prompts beyond `data.max_prompt_tokens`.
    pub over_long: OverLong,
    /// How scores become advantages.
    pub estimator: Estimator,
    /// Gate of each objective, in the order of `Objective::ALL`.
    pub gates: [Gate; 4],
    /// Whitening of advantages.
    pub whiten: Whiten,
    /// The policy-gradient loss.
    pub loss: Loss,
    /// How tokens' losses become one.
    pub aggregation: Aggregation,
    /// The KL term.
    pub kl: Kl,
    /// The learning rate's course.
    pub schedule: Schedule,
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
    /// What happens to prompts that are too long.
    OverLong {
        /// They are left out, and counted.
        Drop = "drop",
        /// The run does not start.
        Error = "error",
    }
}

named! {
    /// How rewards become advantages.
    Estimator {
        /// Weighted sum, centred and divided by the group's standard deviation.
        Grpo = "grpo",
        /// Weighted sum, centred.
        DrGrpo = "dr_grpo",
        /// Weighted sum, against the mean of the others.
        Rloo = "rloo",
        /// Each objective normalised by itself, gated by accuracy.
        Crpo = "crpo",
    }
}

named! {
    /// When an objective counts.
    Gate {
        /// Always.
        None = "none",
        /// A wrong response gets the group's lowest value.
        Response = "response",
        /// Only where some response of the group is right.
        Group = "group",
    }
}

named! {
    /// Whitening of advantages over the batch.
    Whiten {
        /// Not at all.
        None = "none",
        /// Over sequences.
        Sequences = "sequences",
        /// Over tokens.
        Tokens = "tokens",
    }
}

named! {
    /// Policy-gradient losses.
    Loss {
        /// Clipped ratio of each token.
        Ppo = "ppo",
        /// Clipped ratio of the whole sequence.
        Gspo = "gspo",
        /// Clipped, detached importance weight of each token.
        Cispo = "cispo",
    }
}

named! {
    /// How tokens' losses become one.
    Aggregation {
        /// Sum over all tokens, divided by their number.
        TokenMean = "token_mean",
        /// Mean over sequences of the mean over tokens.
        SequenceMean = "sequence_mean",
        /// Sum over all tokens, divided by sequences times the longest response.
        Constant = "constant",
    }
}

named! {
    /// KL terms.
    Kl {
        /// Half the squared difference.
        K2 = "k2",
        /// The low-variance estimator of Schulman.
        K3 = "k3",
        /// k3's value, k2's gradient.
        K3Plus = "k3+",
    }
}

named! {
    /// The learning rate's course after warm-up.
    Schedule {
        /// Stays.
        Constant = "constant",
        /// Falls in a line to 0.
        Linear = "linear",
        /// Falls along half a cosine to 0.
        Cosine = "cosine",
    }
}

named! {
    /// What each layer keeps for its backward.
    Saved {
        /// Its input; everything else is computed again.
        Input = "input",
        /// Its input and the attention's result.
        Attention = "attention",
        /// Everything.
        All = "all",
    }
}
