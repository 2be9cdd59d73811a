//! The verifiers against people's labels, single edits and tricks; prints the figures and writes the report.
//!
//! `cargo run --release -p attending-rewards --example validate -- DATA [REPORT.md] [--cases N] [--peer FILE]
//! [--failures FILE]`, where DATA is the folder of published data sets (`validation/` lies in it), FILE of `--peer` what
//! `tests/fixtures/medspacy_peer.py` printed, and FILE of `--failures` takes the records on which we and people part
//! (clinical text: for reading, not for publishing).

use std::error::Error;
use std::path::PathBuf;

use attending_rewards::validation::{Settings, run};

const USAGE: &str = "expected DATA [REPORT.md] [--cases N] [--peer FILE] [--failures FILE]";

fn main() -> Result<(), Box<dyn Error>> {
    let (mut places, mut cases, mut peer, mut failures) = (Vec::new(), 500, None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(USAGE);
        match argument.as_str() {
            "--cases" => cases = value()?.parse().map_err(|_| "--cases: expected a whole number")?,
            "--peer" => peer = Some(PathBuf::from(value()?)),
            "--failures" => failures = Some(PathBuf::from(value()?)),
            _ => places.push(PathBuf::from(argument)),
        }
    }
    let [data, written @ ..] = places.as_slice() else { return Err(USAGE.into()) };
    if !data.is_dir() {
        return Err(format!("{}: no such folder; {USAGE}", data.display()).into());
    }
    let report = run(&Settings { data: data.clone(), cases, peer })?;
    println!("{}", report.markdown());
    if let [path, ..] = written {
        std::fs::write(path, report.markdown())?;
    }
    if let Some(path) = failures {
        std::fs::write(path, report.failures.join("\n"))?;
    }
    Ok(())
}
