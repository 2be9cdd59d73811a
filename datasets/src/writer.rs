//! Writing files that are either whole or not there: a temporary name, synced, renamed.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::DataError;
use crate::reader::display;

/// A file under a temporary name beside its final one; `-` is standard output.
///
/// Dropped without [`finish`](Self::finish), it leaves nothing behind and an older file untouched.
pub struct AtomicFile {
    target: PathBuf,
    temporary: PathBuf,
    writer: Option<BufWriter<File>>,
}

impl AtomicFile {
    /// Starts a file.
    ///
    /// # Errors
    /// The folder does not exist or cannot be written to.
    pub fn create(path: &Path) -> Result<Self, DataError> {
        let fail = |reason| DataError::Write { file: path.display().to_string(), reason };
        let name = path
            .file_name()
            .ok_or_else(|| fail(io::Error::new(io::ErrorKind::InvalidInput, "it names no file")))?
            .to_string_lossy();
        if path.is_dir() {
            return Err(fail(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, expected a file")));
        }
        let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let file = File::create(&temporary).map_err(fail)?;
        Ok(Self { target: path.to_owned(), temporary, writer: Some(BufWriter::with_capacity(1 << 16, file)) })
    }

    /// Puts the file in its place: flush, sync, rename, sync of the folder.
    ///
    /// # Errors
    /// The disk is full or fails; then nothing is changed.
    pub fn finish(mut self) -> Result<(), DataError> {
        let done = self.put();
        done.map_err(|reason| DataError::Write { file: self.target.display().to_string(), reason })
    }

    fn put(&mut self) -> io::Result<()> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&self.temporary, &self.target)?;
        // The rename itself is durable once the folder is synced; not every file system lets a folder be opened.
        let folder = self.target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).or_else(|error| match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput => Ok(()),
            _ => Err(error),
        })
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.writer {
            Some(writer) => writer.write(bytes),
            None => Err(io::Error::other("the file is finished")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if self.temporary.exists() {
            drop(self.writer.take());
            // A left-over temporary file is ugly but harmless: nothing better can be done here.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Where a writer's bytes go.
enum Sink {
    File(AtomicFile),
    Output(BufWriter<io::Stdout>),
}

/// Records of any type as JSON Lines.
pub struct RecordWriter {
    file: String,
    sink: Sink,
    line: Vec<u8>,
}

impl RecordWriter {
    /// Starts a file; `-` is standard output.
    ///
    /// # Errors
    /// The folder does not exist or cannot be written to.
    pub fn create(path: &Path) -> Result<Self, DataError> {
        let sink = if path.as_os_str() == "-" {
            Sink::Output(BufWriter::new(io::stdout()))
        } else {
            Sink::File(AtomicFile::create(path)?)
        };
        let file = if path.as_os_str() == "-" { "standard output".to_owned() } else { display(path) };
        Ok(Self { file, sink, line: Vec::new() })
    }

    /// Writes one record.
    ///
    /// # Errors
    /// The disk is full or fails, or the reader of standard output has gone.
    pub fn write<T: Serialize>(&mut self, record: &T) -> Result<(), DataError> {
        self.line.clear();
        let encoded = serde_json::to_writer(&mut self.line, record).map_err(io::Error::from);
        self.line.push(b'\n');
        let written = encoded.and_then(|()| match &mut self.sink {
            Sink::File(file) => file.write_all(&self.line),
            Sink::Output(output) => output.write_all(&self.line),
        });
        written.map_err(|reason| DataError::Write { file: self.file.clone(), reason })
    }

    /// Flushes, and puts a file in its place.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn finish(self) -> Result<(), DataError> {
        match self.sink {
            Sink::File(file) => file.finish(),
            Sink::Output(mut output) => output.flush().map_err(|reason| DataError::Write { file: self.file, reason }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        fs::write(&path, "old\n").unwrap();
        let mut writer = RecordWriter::create(&path).unwrap();
        writer.write(&serde_json::json!({"a": 1})).unwrap();
        drop(writer);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
        let mut writer = RecordWriter::create(&path).unwrap();
        writer.write(&serde_json::json!({"a": "é"})).unwrap();
        writer.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":\"é\"}\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_one_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let message = RecordWriter::create(&folder.path().join("none/out.jsonl")).err().unwrap().to_string();
        assert!(message.contains("none/out.jsonl: cannot write: "), "{message}");
        let message = RecordWriter::create(folder.path()).err().unwrap().to_string();
        assert!(message.contains("it is a folder"), "{message}");
    }
}
