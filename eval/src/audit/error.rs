//! Why an audit could not be made.

use std::path::PathBuf;

use attending_datasets::DataError;
use attending_rewards::RubricError;
use attending_rewards::advantage;
use thiserror::Error;

/// What was wrong with the input, in one sentence.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AuditError {
    /// A data file.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The rubric.
    #[error(transparent)]
    Rubric(#[from] RubricError),
    /// The thresholds' file.
    #[error("{place}: {problem}")]
    Thresholds {
        /// File and line.
        place: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The report's folder holds something.
    #[error("{}: this folder is not empty; name a new one, or add --force to replace the report in it", .0.display())]
    FolderExists(PathBuf),
    /// A reward function cannot be asked, or does not reply as it must.
    #[error("reward function {name}: {problem}")]
    RewardFunction {
        /// The command, or the address.
        name: String,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// A reward of the file is no number that advantages can be computed from.
    #[error(transparent)]
    Advantage(#[from] advantage::Error),
}

impl AuditError {
    /// The program's exit status: 3 where a reward function failed, 2 where the user's input has to change.
    pub fn status(&self) -> u8 {
        match self {
            Self::RewardFunction { .. } => 3,
            _ => 2,
        }
    }
}
