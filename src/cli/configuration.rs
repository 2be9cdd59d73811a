//! From arguments to a run configuration: defaults, then a file, then single arguments, then `--set`.

use std::path::{Path, PathBuf};

use clap::Args;
use toml::Value;

use super::run_name;
use crate::config::{ConfigError, ConfigSource};
use crate::trainer::{RunDir, RunDirError, TrainError};

/// The arguments that change the run configuration.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// Run configuration (TOML); every key is optional
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Model to train: a Hugging Face folder, a .gguf file, or `embedded`
    #[arg(long, value_name = "DIR|GGUF")]
    pub(super) model: Option<String>,
    /// Training cases (JSON Lines, `attending.case/1`); may be given several times
    #[arg(long, value_name = "FILE")]
    pub(super) cases: Vec<String>,
    /// Held-out cases; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(super) held_out: Vec<String>,
    /// Any key of the configuration, as section.key=value; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Where to compute
    #[arg(long, value_name = "auto|cpu|cuda")]
    pub(super) device: Option<String>,
}

impl ConfigArgs {
    /// Puts the file and the single arguments over `source`.
    pub(super) fn apply(&self, source: &mut ConfigSource) -> Result<(), ConfigError> {
        if let Some(path) = &self.config {
            source.file(path)?;
        }
        let strings = |items: &[String]| Value::Array(items.iter().cloned().map(Value::String).collect());
        if let Some(model) = &self.model {
            source.value("model.path", Value::String(model.clone()), "--model")?;
        }
        if !self.cases.is_empty() {
            source.value("data.train", strings(&self.cases), "--cases")?;
        }
        if !self.held_out.is_empty() {
            source.value("data.held_out", strings(&self.held_out), "--held-out")?;
        }
        if let Some(device) = &self.device {
            source.value("trainer.device", Value::String(device.clone()), "--device")?;
        }
        self.set.iter().try_for_each(|assignment| source.set(assignment))
    }
}

/// A run directory that was chosen but not yet opened: nothing is written before the configuration is known to be good.
#[derive(Debug)]
pub(super) struct ChosenRun {
    path: PathBuf,
    resume: bool,
}

impl ChosenRun {
    /// Opens it.
    pub(super) fn open(self) -> Result<RunDir, RunDirError> {
        if self.resume { RunDir::resume(&self.path) } else { RunDir::create(&self.path) }
    }
}

/// Chooses the run directory; a run that is resumed brings its own configuration.
pub(super) fn start(run: Option<&Path>, resume: bool, source: &mut ConfigSource) -> anyhow::Result<ChosenRun> {
    if !resume {
        return Ok(ChosenRun { path: run.map_or_else(run_name::now, Path::to_owned), resume });
    }
    let path = match run {
        Some(path) => path.to_owned(),
        None => run_name::last().ok_or_else(|| {
            TrainError::Input("there is no run below runs/ to resume; name one with --run".to_owned())
        })?,
    };
    let config = path.join("config.toml");
    if !config.exists() {
        return Err(RunDirError::NothingToResume { path }.into());
    }
    source.file(&config)?;
    Ok(ChosenRun { path, resume })
}
