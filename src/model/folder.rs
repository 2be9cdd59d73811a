//! A whole model, read from a Hugging Face folder or a GGUF file and written as a Hugging Face folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::model::config::ModelConfig;
use crate::model::error::ModelError;
use crate::model::files::Files;
use crate::model::gguf::Gguf;
use crate::model::parameters::Parameters;
use crate::model::safetensors::{self, Safetensors, View};
use crate::model::tokenizer::Tokenizer;
use crate::model::{gguf_tokenizer, hf_config};

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Largest weights file that [`save`] writes by default, bytes (transformers 4's default).
pub const MAX_SHARD_BYTES: u64 = 5_000_000_000;

/// A model in memory.
#[derive(Debug, Clone)]
pub struct Model {
    /// Sizes and constants.
    pub config: ModelConfig,
    /// The weights.
    pub parameters: Parameters<f32>,
    /// Text to tokens, end tokens, chat template.
    pub tokenizer: Tokenizer,
}

/// Reads a model from a folder, or from a file that is then a GGUF file.
pub fn load(path: &Path) -> Result<Model, ModelError> {
    if path.is_dir() {
        return load_files(&Files::Folder(path));
    }
    let mut gguf = open_gguf(path)?;
    let config = gguf.config()?;
    let tokenizer = gguf_tokenizer::tokenizer(&gguf)?;
    tokenizer.check_vocabulary(config.vocab_size)?;
    let parameters = gguf.parameters(&config)?;
    Ok(Model { config, parameters, tokenizer })
}

/// Reads a model from the files of a folder, which may be part of the program.
pub fn load_files(files: &Files<'_>) -> Result<Model, ModelError> {
    let config = load_config(files)?;
    let tokenizer = Tokenizer::from_files(files)?;
    tokenizer.check_vocabulary(config.vocab_size)?;
    let parameters = load_parameters(files, &config)?;
    Ok(Model { config, parameters, tokenizer })
}

/// Opens a GGUF file; an error that names both kinds of model where there is none.
pub fn open_gguf(path: &Path) -> Result<Gguf, ModelError> {
    let gguf = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf"));
    if !path.is_file() || !gguf {
        return Err(ModelError::NoModel { path: path.to_path_buf() });
    }
    Gguf::open(path)
}

/// Reads `config.json`.
pub fn load_config(files: &Files<'_>) -> Result<ModelConfig, ModelError> {
    let text = files.required_text("config.json", "the model's configuration")?;
    hf_config::parse(&text, &files.path("config.json"))
}

/// Opens the weights, one file or several named by the index.
pub fn open_weights(files: &Files<'_>) -> Result<Vec<Safetensors>, ModelError> {
    if let Some(file) = files.safetensors(WEIGHTS)? {
        return Ok(vec![file]);
    }
    let expected = format!("the weights in safetensors format, or {INDEX} where they are in several files");
    let text = files.text(INDEX)?.ok_or_else(|| files.missing(WEIGHTS, &expected))?;
    let path = files.path(INDEX);
    let index = hf_config::json_object(&text, &path)?;
    let wrong = |found: &str| ModelError::Field {
        path: path.clone(),
        field: "weight_map".to_owned(),
        found: found.to_owned(),
        expected: "an object of tensor names and file names".to_owned(),
    };
    let map = index.get("weight_map").and_then(Value::as_object).ok_or_else(|| wrong("missing"))?;
    let names: Option<BTreeSet<&str>> = map.values().map(Value::as_str).collect();
    let mut all = Vec::new();
    for name in names.ok_or_else(|| wrong("something else"))? {
        // A file name and no path: an index must not reach outside its folder.
        if name.contains(['/', '\\']) {
            return Err(wrong(&format!("naming {name}")));
        }
        let expected = format!("a file of weights that {INDEX} names");
        all.push(files.safetensors(name)?.ok_or_else(|| files.missing(name, &expected))?);
    }
    Ok(all)
}

/// Reads the weights that the configuration asks for, as f32.
pub fn load_parameters(files: &Files<'_>, config: &ModelConfig) -> Result<Parameters<f32>, ModelError> {
    let mut weights = open_weights(files)?;
    let path = files.path(WEIGHTS);
    let missing = |name: &str| ModelError::MissingTensor { path: path.clone(), name: name.to_owned() };
    // Names and shapes are checked before memory is taken for a model that a damaged configuration may have made huge.
    let mut place = BTreeMap::new();
    for (i, file) in weights.iter().enumerate() {
        place.extend(file.entries().keys().map(|name| (name.clone(), i)));
    }
    let first = ["model.embed_tokens.weight", "model.norm.weight"];
    for name in first.into_iter().map(str::to_owned).chain((0..config.layers).map(|i| layer_name(i, "mlp.down_proj"))) {
        if !place.contains_key(&name) {
            return Err(missing(&name));
        }
    }
    let embedding = &weights[place[first[0]]].entries()[first[0]].shape;
    if *embedding != [config.vocab_size, config.hidden_size] {
        let (found, expected) = (embedding.clone(), vec![config.vocab_size, config.hidden_size]);
        return Err(ModelError::WrongShape { path, name: first[0].to_owned(), found, expected });
    }
    let down = layer_name(0, "mlp.down_proj");
    let shape = &weights[place[&down]].entries()[&down].shape;
    if *shape != [config.hidden_size, config.intermediate_size] {
        let (found, expected) = (shape.clone(), vec![config.hidden_size, config.intermediate_size]);
        return Err(ModelError::WrongShape { path, name: down, found, expected });
    }
    let mut parameters = Parameters::filled(config, 0.0);
    for tensor in parameters.named_mut() {
        let file = place.remove(&tensor.name).ok_or_else(|| missing(&tensor.name))?;
        weights[file].read_f32_into(&tensor.name, &tensor.shape, tensor.values)?;
    }
    // Left over may be a tied head that was written all the same, and the frequency tables of old Llama files; anything
    // else would change the computation.
    let harmless =
        |name: &str| name.ends_with("rotary_emb.inv_freq") || (config.tie_word_embeddings && name == "lm_head.weight");
    match place.into_keys().find(|name| !harmless(name)) {
        None => Ok(parameters),
        Some(name) => Err(ModelError::Unsupported {
            path,
            what: format!("tensor {name}, which the configuration does not ask for,"),
            instead: "config.json and the weights belong to different models".to_owned(),
        }),
    }
}

fn layer_name(layer: usize, module: &str) -> String {
    format!("model.layers.{layer}.{module}.weight")
}

/// Writes a model as a new folder that transformers loads. The folder appears whole or not at all: it is written under
/// a temporary name beside its place, synced and renamed. An existing folder must be empty.
pub fn save(folder: &Path, model: &Model) -> Result<(), ModelError> {
    let name = folder.file_name().ok_or_else(|| ModelError::Io {
        path: folder.to_path_buf(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a folder's name"),
    })?;
    if folder.is_dir() {
        // Fails unless it is empty.
        std::fs::remove_dir(folder).map_err(|source| match source.kind() {
            std::io::ErrorKind::DirectoryNotEmpty => ModelError::Occupied { path: folder.to_path_buf() },
            _ => ModelError::Io { path: folder.to_path_buf(), source },
        })?;
    }
    let parent = match folder.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent).map_err(ModelError::io(parent))?;
    let mut temporary_name = std::ffi::OsString::from(".");
    temporary_name.push(name);
    temporary_name.push(format!(".{}.tmp", std::process::id()));
    let temporary = parent.join(temporary_name);
    let done = std::fs::create_dir(&temporary)
        .map_err(ModelError::io(&temporary))
        .and_then(|()| {
            write_into(&temporary, &model.config, &model.parameters, Some(&model.tokenizer), MAX_SHARD_BYTES)
        })
        .and_then(|()| std::fs::rename(&temporary, folder).map_err(ModelError::io(folder)))
        .and_then(|()| sync_folder(parent));
    if done.is_err() {
        // The error that is reported is the one above; what is left behind is only rubbish.
        let _ = std::fs::remove_dir_all(&temporary);
    }
    done
}

/// Writes the files of a model into an existing folder, each under a temporary name, synced and renamed, and syncs the
/// folder: for callers that make the folder themselves (checkpoints). Weights beyond `max_shard_bytes` go to several
/// files with an index; a single tensor is never cut.
pub fn write_into(
    folder: &Path,
    config: &ModelConfig,
    parameters: &Parameters<f32>,
    tokenizer: Option<&Tokenizer>,
    max_shard_bytes: u64,
) -> Result<(), ModelError> {
    write_weights(folder, parameters, max_shard_bytes)?;
    let mut settings = hf_config::to_json(config);
    let mut generation = Map::new();
    if let Some(tokenizer) = tokenizer {
        let mut put = |name: &str, value: Value| {
            settings.insert(name.to_owned(), value.clone());
            generation.insert(name.to_owned(), value);
        };
        match tokenizer.eos_ids() {
            [one] => put("eos_token_id", json!(one)),
            many => put("eos_token_id", json!(many)),
        }
        for (name, token) in [("bos_token_id", "bos_token"), ("pad_token_id", "pad_token")] {
            if let Some(id) = tokenizer.id_of(token) {
                put(name, json!(id));
            }
        }
        for (name, text) in tokenizer.to_files()? {
            write_text(&folder.join(name), &text)?;
        }
    }
    for (name, map) in [("config.json", settings), ("generation_config.json", generation)] {
        write_text(&folder.join(name), &format!("{:#}\n", Value::Object(map)))?;
    }
    sync_folder(folder)
}

fn write_weights(folder: &Path, parameters: &Parameters<f32>, max_shard_bytes: u64) -> Result<(), ModelError> {
    let mut shards: Vec<Vec<View<'_>>> = Vec::new();
    let (mut size, mut total) = (0u64, 0u64);
    for t in parameters.named() {
        let bytes = 4 * t.values.len() as u64;
        if shards.is_empty() || size + bytes > max_shard_bytes {
            shards.push(Vec::new());
            size = 0;
        }
        size += bytes;
        total += bytes;
        if let Some(shard) = shards.last_mut() {
            shard.push(View { name: t.name, shape: t.shape, values: t.values });
        }
    }
    // transformers refuses a file without it.
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let many = shards.len() > 1;
    let mut map = Map::new();
    for (i, shard) in shards.iter().enumerate() {
        let name =
            if many { format!("model-{:05}-of-{:05}.safetensors", i + 1, shards.len()) } else { WEIGHTS.to_owned() };
        for view in shard {
            map.insert(view.name.clone(), Value::from(name.as_str()));
        }
        replace(&folder.join(&name), |path| safetensors::write(path, shard, &metadata))?;
    }
    if many {
        let index = json!({ "metadata": { "total_size": total }, "weight_map": map });
        write_text(&folder.join(INDEX), &format!("{index:#}\n"))?;
    }
    Ok(())
}

/// Writes a file under a temporary name, synced, and renames it into place.
fn replace(path: &Path, write: impl FnOnce(&Path) -> Result<(), ModelError>) -> Result<(), ModelError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    write(&temporary)?;
    std::fs::rename(&temporary, path).map_err(ModelError::io(path))
}

fn write_text(path: &Path, text: &str) -> Result<(), ModelError> {
    replace(path, |temporary| {
        let save = || -> std::io::Result<()> {
            std::fs::write(temporary, text)?;
            File::open(temporary)?.sync_all()
        };
        save().map_err(ModelError::io(temporary))
    })
}

fn sync_folder(folder: &Path) -> Result<(), ModelError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(ModelError::io(folder))
}
