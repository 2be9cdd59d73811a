//! Where the trained model comes from.

use crate::config::{ModelPath, RunConfig};
use crate::model::config::ModelConfig;
use crate::model::embedded;
use crate::model::files::Files;
use crate::model::folder::{self, Model};
use crate::model::parameters::Parameters;
use crate::model::random;

use super::error::TrainError;
use super::order::{hash, mix};
use super::save::model_error;

/// Loads the model that the configuration names, its positions stretched where it says so.
pub fn load(config: &RunConfig) -> Result<Model, TrainError> {
    let mut model = match &config.model {
        ModelPath::Embedded => folder::load_files(&embedded::files()),
        ModelPath::File(path) => folder::load(path),
    }
    .map_err(model_error)?;
    model.config = stretched(model.config, config);
    Ok(model)
}

/// The shape of the model that the configuration names, without its weights.
pub fn shape(config: &RunConfig) -> Result<ModelConfig, TrainError> {
    let model = match &config.model {
        ModelPath::Embedded => folder::load_config(&embedded::files()),
        ModelPath::File(path) if path.is_dir() => folder::load_config(&Files::Folder(path)),
        ModelPath::File(path) => folder::open_gguf(path).and_then(|mut gguf| gguf.config()),
    };
    Ok(stretched(model.map_err(model_error)?, config))
}

/// As [`shape`], for a plan: a published model that is not there is known by its name.
pub fn published_shape(config: &RunConfig) -> Result<ModelConfig, TrainError> {
    let known = match &config.model {
        ModelPath::File(path) if !path.exists() => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            random::like(name.strip_suffix("-instruct").unwrap_or(&name))
        }
        _ => None,
    };
    known.map_or_else(|| shape(config), |model| Ok(stretched(model, config)))
}

fn stretched(model: ModelConfig, config: &RunConfig) -> ModelConfig {
    match config.rope_override {
        Some(by) => model.stretched(by),
        None => model,
    }
}

/// A number that changes with any bit of the weights.
pub fn fingerprint(parameters: &Parameters<f32>) -> u64 {
    parameters.named().iter().fold(0, |total, tensor| {
        let values = tensor.values.iter().fold(hash(tensor.name.as_bytes()), |h, v| {
            // A word at a time, rotated, since a byte-wise hash of a billion weights would take seconds.
            (h ^ u64::from(v.to_bits())).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
        });
        mix(total, values)
    })
}
