//! The model inside the program: what `attending train` trains when no other is named. How it was made: `models/clinic-2m`.

use crate::model::files::Files;

/// The folder's files, as Hugging Face names them.
const FILES: &[(&str, &[u8])] = &[
    ("config.json", include_bytes!("../../models/clinic-2m/config.json")),
    ("generation_config.json", include_bytes!("../../models/clinic-2m/generation_config.json")),
    ("model.safetensors", include_bytes!("../../models/clinic-2m/model.safetensors")),
    ("tokenizer.json", include_bytes!("../../models/clinic-2m/tokenizer.json")),
    ("tokenizer_config.json", include_bytes!("../../models/clinic-2m/tokenizer_config.json")),
];

/// The embedded model's files.
pub fn files() -> Files<'static> {
    Files::Embedded(FILES)
}
