//! The files of a checkpoint: the model as a Hugging Face folder, the optimiser's moments, the run's counters.
//!
//! With f32 weights the model's own file is the master copy, so `optimizer.safetensors` holds the moments alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::model::config::ModelConfig;
use crate::model::error::ModelError;
use crate::model::folder::{MAX_SHARD_BYTES, write_into};
use crate::model::parameters::Parameters;
use crate::model::safetensors::{self, Safetensors, View};
use crate::model::tokenizer::Tokenizer;
use crate::optim::State;

use super::checkpoint;
use super::error::TrainError;
use super::learner::Learner;
use super::run_dir::{RunDir, RunDirError};
use super::state::TrainerState;

/// Name of the optimiser's file.
const OPTIMIZER: &str = "optimizer.safetensors";
/// Prefixes of the two moments of each tensor.
const MOMENTS: [&str; 2] = ["first.", "second."];
/// Metadata key of the optimiser's step count.
const STEP: &str = "step";

/// Writes a checkpoint of the run and drops those that are not kept.
pub fn save(
    run: &RunDir,
    state: &TrainerState,
    learner: &Learner,
    tokenizer: &Tokenizer,
    keep: usize,
) -> Result<PathBuf, TrainError> {
    let folder = checkpoint::write(run, state.step, |folder| {
        let config = &learner.decoder.config;
        write_into(folder, config, &*learner.parameters()?, Some(tokenizer), MAX_SHARD_BYTES).map_err(model_error)?;
        write_optimiser(&folder.join(OPTIMIZER), &*learner.state()?)?;
        state.write(folder)
    })?;
    if let Some(best) = state.best.filter(|best| best.step == state.step) {
        checkpoint::link(run, checkpoint::BEST, best.step)?;
    }
    checkpoint::prune(run, keep, state.best.map(|best| best.step))?;
    Ok(folder)
}

fn write_optimiser(path: &Path, state: &State) -> Result<(), TrainError> {
    let mut views = Vec::new();
    for (prefix, moments) in MOMENTS.into_iter().zip([&state.first, &state.second]) {
        views.extend(moments.named().into_iter().map(|t| View {
            name: format!("{prefix}{}", t.name),
            shape: t.shape,
            values: t.values,
        }));
    }
    let metadata = BTreeMap::from([(STEP.to_owned(), state.step.to_string())]);
    safetensors::write(path, &views, &metadata).map_err(model_error)
}

/// Reads the optimiser's state of a checkpoint of a model of this shape.
pub fn read_optimiser(folder: &Path, config: &ModelConfig) -> Result<State, TrainError> {
    let path = folder.join(OPTIMIZER);
    let mut file = Safetensors::open(&path).map_err(model_error)?;
    let step = file.metadata().get(STEP).and_then(|s| s.parse().ok()).ok_or_else(|| TrainError::Checkpoint {
        path: path.clone(),
        problem: "has no step count in its metadata".to_owned(),
    })?;
    let mut moments = MOMENTS.map(|_| Parameters::filled(config, 0.0));
    for (prefix, moments) in MOMENTS.into_iter().zip(&mut moments) {
        for tensor in moments.named_mut() {
            let name = format!("{prefix}{}", tensor.name);
            file.read_f32_into(&name, &tensor.shape, tensor.values).map_err(model_error)?;
        }
    }
    let [first, second] = moments;
    Ok(State { step, first, second })
}

/// Sorts a model's error: a disk that cannot be written is the run directory's fault, all else the input's.
pub fn model_error(error: ModelError) -> TrainError {
    match error {
        ModelError::Io { path, source } if source.kind() == std::io::ErrorKind::StorageFull => {
            RunDirError::io(&path)(source).into()
        }
        other => TrainError::Input(other.to_string()),
    }
}
