//! Where a model's files are: a folder on disk, or bytes that are part of the program.

use std::fs::File;
use std::io::{BufReader, Cursor, ErrorKind};
use std::path::{Path, PathBuf};

use crate::model::error::ModelError;
use crate::model::safetensors::{ReadSeek, Safetensors};

/// A set of named files.
#[derive(Debug, Clone, Copy)]
pub enum Files<'a> {
    /// A Hugging Face model folder.
    Folder(&'a Path),
    /// Names and contents, as from `include_bytes!`.
    Embedded(&'static [(&'static str, &'static [u8])]),
}

impl Files<'_> {
    /// The file's path, for messages.
    pub fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.join(name),
            Self::Embedded(_) => Path::new("embedded").join(name),
        }
    }

    /// A text file; `None` where there is none of that name.
    pub fn text(&self, name: &str) -> Result<Option<String>, ModelError> {
        let path = self.path(name);
        match self {
            Self::Folder(_) => match std::fs::read_to_string(&path) {
                Ok(text) => Ok(Some(text)),
                Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
                Err(source) => Err(ModelError::Io { path, source }),
            },
            Self::Embedded(_) => match self.embedded(name).map(std::str::from_utf8) {
                None => Ok(None),
                Some(Ok(text)) => Ok(Some(text.to_owned())),
                Some(Err(e)) => Err(ModelError::Io { path, source: std::io::Error::new(ErrorKind::InvalidData, e) }),
            },
        }
    }

    /// A text file that must be there; `expected` says what would do.
    pub fn required_text(&self, name: &str, expected: &str) -> Result<String, ModelError> {
        self.text(name)?.ok_or_else(|| self.missing(name, expected))
    }

    /// A safetensors file; `None` where there is none of that name.
    pub fn safetensors(&self, name: &str) -> Result<Option<Safetensors>, ModelError> {
        let path = self.path(name);
        let reader: Box<dyn ReadSeek> = match self {
            Self::Folder(_) => match File::open(&path) {
                Ok(file) => Box::new(BufReader::new(file)),
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
                Err(source) => return Err(ModelError::Io { path, source }),
            },
            Self::Embedded(_) => match self.embedded(name) {
                Some(bytes) => Box::new(Cursor::new(bytes)),
                None => return Ok(None),
            },
        };
        Safetensors::read(&path, reader).map(Some)
    }

    pub(crate) fn missing(&self, name: &str, expected: &str) -> ModelError {
        let folder = match self {
            Self::Folder(folder) => folder.to_path_buf(),
            Self::Embedded(_) => PathBuf::from("embedded"),
        };
        ModelError::MissingFile { folder, file: name.to_owned(), expected: expected.to_owned() }
    }

    fn embedded(&self, name: &str) -> Option<&'static [u8]> {
        match self {
            Self::Folder(_) => None,
            Self::Embedded(files) => files.iter().find(|(n, _)| *n == name).map(|(_, bytes)| *bytes),
        }
    }
}
