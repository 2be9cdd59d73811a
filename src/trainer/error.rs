//! Why training did not start, or stopped.

use std::path::PathBuf;

use super::run_dir::RunDirError;
use crate::config::ConfigError;

/// Why training did not start, or stopped. Each is one sentence for the user.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TrainError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// Cases, a model or settings that cannot be trained with.
    #[error("{0}")]
    Input(String),
    /// A fault of the work itself.
    #[error("{0}")]
    Failed(String),
    #[error("checkpoint {path}: {problem}")]
    Checkpoint { path: PathBuf, problem: String },
    #[error(
        "step {step}: the {what} is not finite; the group of case {case} is saved in {file}; a lower optim.lr or \
         optim.max_grad_norm may help"
    )]
    NotFinite { step: u64, what: &'static str, case: String, file: PathBuf },
    #[error(
        "step {step}: {share:.1} % of the responses could not be scored, more than the {limit:.1} % of \
         rewards.max_unscorable; the reason given most: {reason}"
    )]
    Unscorable { step: u64, share: f64, limit: f64, reason: String },
    #[error(
        "the shared-prefix path and plain sequences disagree on the first batch: log-probabilities by {log_prob:.2e} \
         (limit {log_prob_limit:.0e}), gradients by {gradient:.2e} (limit {gradient_limit:.0e}); this should not \
         happen on this device"
    )]
    FirstBatch { log_prob: f64, log_prob_limit: f64, gradient: f64, gradient_limit: f64 },
}

impl TrainError {
    /// The program's exit status: 2 where the user's input has to change, 3 where the work failed.
    pub fn status(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Input(_) | Self::Checkpoint { .. } => 2,
            Self::RunDir(error) => error.status(),
            Self::Failed(_) | Self::NotFinite { .. } | Self::Unscorable { .. } | Self::FirstBatch { .. } => 3,
        }
    }
}
