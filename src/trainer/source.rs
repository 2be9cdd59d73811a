//! Where the trained model comes from.

use crate::config::{ModelPath, RunConfig};
use crate::model::config::ModelConfig;
use crate::model::embedded;
use crate::model::files::Files;
use crate::model::folder::{self, Model};
use crate::model::parameters::Parameters;

use super::error::TrainError;
use super::order::{hash, mix};
use super::save::model_error;

/// Loads the model that the configuration names.
pub fn load(config: &RunConfig) -> Result<Model, TrainError> {
    match &config.model {
        ModelPath::Embedded => folder::load_files(&embedded::files()).map_err(model_error),
        ModelPath::File(path) => folder::load(path).map_err(model_error),
    }
}

/// The shape of the model that the configuration names, without its weights.
pub fn shape(config: &RunConfig) -> Result<ModelConfig, TrainError> {
    match &config.model {
        ModelPath::Embedded => folder::load_config(&embedded::files()).map_err(model_error),
        ModelPath::File(path) if path.is_dir() => folder::load_config(&Files::Folder(path)).map_err(model_error),
        ModelPath::File(path) => folder::open_gguf(path).and_then(|mut gguf| gguf.config()).map_err(model_error),
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
