//! The validation suite: the verifiers against people's labels, single edits and tricks (rewards.md, "Validity").
//!
//! Each figure stands with a 95 % interval from resampled units (question, dialogue, consultation), its numbers, and the
//! trivial baselines on the same records. A set is split by its unit: rules may be tuned on one half
//! ([`is_tuning`]); the figure that counts is of the other. `attending validate-rewards` runs it.

mod baseline;
mod people;
mod probes;
mod report;
mod speed;
mod statistic;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use attending_datasets::DataError;

pub use report::{Report, Row};
pub use statistic::{
    Estimate, Judged, Random, auroc, estimate, f1, is_tuning, mean, partial_pearson, pearson, pearson_within, units,
};

use crate::lexicon::Lexicon;

/// Where the data are and how much is done.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of published data sets; `validation/` lies in it.
    pub data: PathBuf,
    /// Cases on which edits and tricks are tried, at most.
    pub cases: usize,
    /// The figures of another system, as `tests/fixtures/medspacy_peer.py` prints them.
    pub peer: Option<PathBuf>,
}

impl Settings {
    fn path(&self, file: &str) -> Option<PathBuf> {
        let path = self.data.join(file);
        path.exists().then_some(path)
    }
}

/// Runs the whole suite. A set whose files are absent is named in the report and left out.
///
/// # Errors
/// A file is there and cannot be read, or a record of it is malformed.
pub fn run(settings: &Settings) -> Result<Report, DataError> {
    let lexicon = Lexicon::built_in();
    let mut report = Report::default();
    people::negation(settings, &lexicon, &mut report)?;
    people::statements(settings, &lexicon, &mut report)?;
    people::fact_scores(settings, &lexicon, &mut report)?;
    people::consultations(settings, &lexicon, &mut report)?;
    people::notes(settings, &mut report)?;
    people::hallucinations(settings, &lexicon, &mut report)?;
    people::papers(settings, &lexicon, &mut report)?;
    probes::probes(settings, Arc::clone(&lexicon), &mut report)?;
    speed::speed(settings, &mut report)?;
    Ok(report)
}

/// The path, or a note in the report that the set was left out.
fn find(settings: &Settings, file: &str, report: &mut Report) -> Option<PathBuf> {
    let path = settings.path(file);
    if path.is_none() {
        report.left_out.push(file.to_owned());
    }
    path
}

/// Reads a file of cases with the loader that knows it.
fn cases(path: &Path) -> Result<Vec<attending_datasets::Case>, DataError> {
    attending_datasets::CaseFile::open(path, &attending_datasets::Choice::Auto, false)?.collect()
}
