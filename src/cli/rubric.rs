//! How responses are scored: the arguments that `score`, `audit` and `serve` share.

use attending_datasets::DataError;
use attending_rewards::{Format, RubricFile, Scorer};
use clap::Args;

/// The rubric, and what is put over it.
#[derive(Debug, Args)]
pub(super) struct RubricArgs {
    /// How to score: a rubric file (TOML), or the name of a preset
    #[arg(long, value_name = "FILE|PRESET", default_value = "crpo", visible_alias = "preset")]
    rubric: String,
    /// Layout that the responses were asked for; without it, the rubric's
    #[arg(long, value_parser = ["think_answer", "dx_conclusion", "plain", "json", "prefilled_think"])]
    format: Option<String>,
    /// Weights of the objectives, as name=number,...
    #[arg(long, value_name = "LIST")]
    weights: Option<String>,
}

impl RubricArgs {
    /// The rubric, with the arguments over it.
    ///
    /// # Errors
    /// The rubric cannot be read, or a weight is no weight.
    pub(super) fn file(&self) -> Result<RubricFile, DataError> {
        let bad = |message: String| DataError::Argument(message);
        let mut file = RubricFile::open(&self.rubric).map_err(|error| bad(error.to_string()))?;
        if let Some(format) = self.format.as_deref().and_then(Format::named) {
            file.rubric.format = format;
        }
        if let Some(list) = &self.weights {
            let mut weights = Vec::new();
            for item in list.split(',').filter(|item| !item.trim().is_empty()) {
                let parsed =
                    item.split_once('=').and_then(|(name, number)| Some((name.trim(), number.trim().parse().ok()?)));
                weights.push(parsed.ok_or_else(|| bad(format!("--weights: {item:?} is not name=number")))?);
            }
            file.rubric = file.rubric.with_weights(weights).map_err(|error| bad(format!("--weights: {error}")))?;
        }
        Ok(file)
    }

    /// The scorer of [`RubricArgs::file`].
    ///
    /// # Errors
    /// As there, or a lexicon cannot be read.
    pub(super) fn scorer(&self) -> Result<Scorer, DataError> {
        self.file()?.scorer().map_err(|error| DataError::Argument(error.to_string()))
    }
}
