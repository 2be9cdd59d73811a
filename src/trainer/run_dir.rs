//! The run directory: one process at a time, records appended line by line, everything readable at any moment.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Why a run directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RunDirError {
    #[error("another process is running in {path}; wait for it, or choose another --run")]
    Locked { path: PathBuf },
    #[error("{path} already holds a run; continue it with --resume, or choose another --run")]
    Occupied { path: PathBuf },
    #[error("{path} holds no run to resume (no config.toml); start one without --resume")]
    NothingToResume { path: PathBuf },
    #[error("the disk is full: {path} could not be written; free some space and continue with --resume")]
    Full { path: PathBuf },
    #[error("{path} cannot be written ({source}); choose another --run")]
    ReadOnly { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
}

impl RunDirError {
    /// The program's exit status: 2 where another directory would do, 3 where the disk failed.
    pub fn status(&self) -> u8 {
        match self {
            Self::Locked { .. } | Self::Occupied { .. } | Self::NothingToResume { .. } | Self::ReadOnly { .. } => 2,
            Self::Full { .. } | Self::Io { .. } => 3,
        }
    }

    /// Names the file that an I/O error is about, and what to do.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full { path },
            std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => {
                Self::ReadOnly { path, source }
            }
            _ => Self::Io { path, source },
        }
    }
}

/// An open run directory; the lock goes when this is dropped, or the process ends in any way.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    _lock: File,
}

impl RunDir {
    /// Creates the directory for a new run.
    pub fn create(path: &Path) -> Result<Self, RunDirError> {
        std::fs::create_dir_all(path).map_err(RunDirError::io(path))?;
        let run = Self::lock(path)?;
        if run.config().exists() {
            return Err(RunDirError::Occupied { path: path.to_owned() });
        }
        Ok(run)
    }

    /// Opens a directory that holds a run.
    pub fn resume(path: &Path) -> Result<Self, RunDirError> {
        if !path.join("config.toml").exists() {
            return Err(RunDirError::NothingToResume { path: path.to_owned() });
        }
        Self::lock(path)
    }

    fn lock(path: &Path) -> Result<Self, RunDirError> {
        let name = path.join(".lock");
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(&name).map_err(RunDirError::io(&name))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: file }),
            Err(TryLockError::WouldBlock) => Err(RunDirError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(RunDirError::io(&name)(source)),
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `config.toml`
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// `metrics.jsonl`
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// `samples.jsonl`
    pub fn samples(&self) -> PathBuf {
        self.path.join("samples.jsonl")
    }

    /// `checkpoints/`
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// `held_out/step-000040.jsonl`: the scored answers of one evaluation.
    pub fn held_out(&self, step: u64) -> PathBuf {
        self.path.join("held_out").join(format!("step-{step:06}.jsonl"))
    }

    /// `report.html`
    pub fn report(&self) -> PathBuf {
        self.path.join("report.html")
    }

    /// Cuts the records back to the checkpoint of `step`, or to nothing: what came after is about to happen again.
    pub fn cut_back(&self, step: Option<u64>) -> Result<(), RunDirError> {
        for path in [self.metrics(), self.samples()] {
            cut_back(&path, step)?;
        }
        let folder = self.path.join("held_out");
        if let Ok(entries) = std::fs::read_dir(&folder) {
            for entry in entries.flatten() {
                let name = entry.file_name();
                let number = |name: &str| name.strip_prefix("step-")?.strip_suffix(".jsonl")?.parse::<u64>().ok();
                if name.to_str().and_then(number).is_some_and(|n| step.is_none_or(|step| n > step)) {
                    std::fs::remove_file(entry.path()).map_err(RunDirError::io(&entry.path()))?;
                }
            }
        }
        Ok(())
    }
}

/// Writes `bytes` under a temporary name, flushes them to the disk, and renames: readers see the old file or the new.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), RunDirError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(error) = written {
        // The half-written file must not fill the disk further; the first error is the one to report.
        let _ = std::fs::remove_file(&temporary);
        return Err(RunDirError::io(path)(error));
    }
    std::fs::rename(&temporary, path).map_err(RunDirError::io(path))
}

/// A file to which whole lines are appended.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: File,
}

impl Lines {
    /// Opens or creates the file.
    pub fn append_to(path: &Path) -> Result<Self, RunDirError> {
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(RunDirError::io(path))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends records in one write, one a line.
    pub fn write(&mut self, records: &[Value]) -> Result<(), RunDirError> {
        let text: String = records.iter().map(|record| format!("{record}\n")).collect();
        self.file.write_all(text.as_bytes()).map_err(RunDirError::io(&self.path))
    }
}

/// Keeps the lines whose `step` is at most `step`; a last line that was cut short by a kill goes too.
fn cut_back(path: &Path, step: Option<u64>) -> Result<(), RunDirError> {
    let Ok(file) = File::open(path) else { return Ok(()) };
    let mut kept = Vec::new();
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(RunDirError::io(path))?;
        let of = serde_json::from_slice::<Value>(&line).ok().and_then(|v| v.get("step")?.as_u64());
        if of.is_some_and(|n| step.is_some_and(|step| n <= step)) {
            kept.extend(line);
            kept.push(b'\n');
        }
    }
    write_whole(path, &kept)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_second_opening_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = RunDir::create(folder.path()).unwrap();
        assert!(matches!(RunDir::create(folder.path()), Err(RunDirError::Locked { .. })));
        assert!(matches!(RunDir::resume(folder.path()), Err(RunDirError::NothingToResume { .. })));
        write_whole(&first.config(), b"").unwrap();
        drop(first);
        assert!(matches!(RunDir::create(folder.path()), Err(RunDirError::Occupied { .. })));
        RunDir::resume(folder.path()).unwrap();
    }

    #[test]
    fn records_are_cut_back_to_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path()).unwrap();
        let text = "{\"step\":0,\"a\":1}\n{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n{\"ste";
        std::fs::write(run.metrics(), text).unwrap();
        std::fs::create_dir(run.path().join("held_out")).unwrap();
        std::fs::write(run.held_out(0), "").unwrap();
        std::fs::write(run.held_out(3), "").unwrap();
        run.cut_back(Some(2)).unwrap();
        assert_eq!(
            std::fs::read_to_string(run.metrics()).unwrap(),
            "{\"step\":0,\"a\":1}\n{\"step\":1}\n{\"step\":2}\n"
        );
        assert!(run.held_out(0).exists() && !run.held_out(3).exists());
    }
}
