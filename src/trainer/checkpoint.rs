//! Checkpoint folders: written under a temporary name, flushed, renamed. A reader, and a run resumed after a kill, sees
//! a whole checkpoint or none.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::error::TrainError;
use super::run_dir::{RunDir, RunDirError};

/// The link to the newest checkpoint.
pub const LATEST: &str = "latest";
/// The link to the checkpoint with the best held-out reward.
pub const BEST: &str = "best";

/// The folder's name of a step.
pub fn folder(step: u64) -> String {
    format!("step-{step:06}")
}

/// Lets `fill` write the files of the checkpoint of `step`, puts it in place, and points `latest` at it.
pub fn write(
    run: &RunDir,
    step: u64,
    fill: impl FnOnce(&Path) -> Result<(), TrainError>,
) -> Result<PathBuf, TrainError> {
    let parent = run.checkpoints();
    std::fs::create_dir_all(&parent).map_err(RunDirError::io(&parent))?;
    let temporary = parent.join(format!(".{}.tmp", folder(step)));
    let place = parent.join(folder(step));
    let written = remove(&temporary)
        .and_then(|()| std::fs::create_dir(&temporary).map_err(RunDirError::io(&temporary)))
        .map_err(TrainError::from)
        .and_then(|()| fill(&temporary))
        .and_then(|()| sync(&temporary).map_err(TrainError::from));
    if let Err(error) = written {
        // The half-written folder must not fill the disk further; the first error is the one to report.
        let _ = remove(&temporary);
        return Err(error);
    }
    remove(&place)?;
    std::fs::rename(&temporary, &place).map_err(RunDirError::io(&place))?;
    sync_folder(&parent)?;
    link(run, LATEST, step)?;
    Ok(place)
}

/// Points the link `name` at the checkpoint of `step`.
pub fn link(run: &RunDir, name: &str, step: u64) -> Result<(), RunDirError> {
    let parent = run.checkpoints();
    let (temporary, place) = (parent.join(format!(".{name}.tmp")), parent.join(name));
    if temporary.symlink_metadata().is_ok() {
        std::fs::remove_file(&temporary).map_err(RunDirError::io(&temporary))?;
    }
    std::os::unix::fs::symlink(folder(step), &temporary).map_err(RunDirError::io(&temporary))?;
    std::fs::rename(&temporary, &place).map_err(RunDirError::io(&place))
}

/// The steps that have a whole checkpoint, in order.
pub fn steps(run: &RunDir) -> Vec<u64> {
    let Ok(entries) = std::fs::read_dir(run.checkpoints()) else { return Vec::new() };
    let mut steps: Vec<u64> =
        entries.flatten().filter_map(|e| e.file_name().to_str()?.strip_prefix("step-")?.parse().ok()).collect();
    steps.sort_unstable();
    steps
}

/// The newest whole checkpoint: its step and folder.
pub fn newest(run: &RunDir) -> Option<(u64, PathBuf)> {
    let step = *steps(run).last()?;
    Some((step, run.checkpoints().join(folder(step))))
}

/// Removes all but the newest `keep` checkpoints and that of step `best`.
pub fn prune(run: &RunDir, keep: usize, best: Option<u64>) -> Result<(), RunDirError> {
    let steps = steps(run);
    for step in &steps[..steps.len().saturating_sub(keep)] {
        if Some(*step) != best {
            remove(&run.checkpoints().join(folder(*step)))?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), RunDirError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(RunDirError::io(path)(error)),
        _ => Ok(()),
    }
}

fn sync(folder: &Path) -> Result<(), RunDirError> {
    for entry in std::fs::read_dir(folder).map_err(RunDirError::io(folder))?.flatten() {
        let path = entry.path();
        File::open(&path).and_then(|f| f.sync_all()).map_err(RunDirError::io(&path))?;
    }
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> Result<(), RunDirError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(RunDirError::io(folder))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn put(run: &RunDir, step: u64) {
        write(run, step, |folder| {
            std::fs::write(folder.join("trainer.json"), step.to_string()).unwrap();
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn a_failed_checkpoint_leaves_the_last_one() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path()).unwrap();
        put(&run, 20);
        let failed = write(&run, 40, |_| Err(TrainError::Failed("no".to_owned())));
        assert!(failed.is_err());
        assert_eq!(steps(&run), [20]);
        assert_eq!(std::fs::read_to_string(run.checkpoints().join("latest/trainer.json")).unwrap(), "20");
        let left: Vec<_> = std::fs::read_dir(run.checkpoints()).unwrap().collect();
        assert_eq!(left.len(), 2, "step-000020 and latest");
    }

    #[test]
    fn the_newest_and_the_best_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path()).unwrap();
        (1..=5).for_each(|step| put(&run, step));
        link(&run, BEST, 2).unwrap();
        prune(&run, 2, Some(2)).unwrap();
        assert_eq!(steps(&run), [2, 4, 5]);
        assert_eq!(newest(&run).unwrap().0, 5);
        assert_eq!(std::fs::read_to_string(run.checkpoints().join("best/trainer.json")).unwrap(), "2");
    }
}
