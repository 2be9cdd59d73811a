//! `attending validate-rewards`: the verifiers against people's labels, single edits and tricks.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use attending_datasets::DataError;
use attending_rewards::validation::{self, Settings};
use clap::Args;
use serde_json::json;

use crate::trainer::write_whole;

/// Measure the verifiers on labelled data
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  attending validate-rewards data/
  attending validate-rewards data/ --out rewards/VALIDATION.md --cases 500
  attending validate-rewards data/ --cases 60 --json > figures.json
  attending validate-rewards data/ --failures failures.txt          what to read before changing a rule
  python rewards/tests/fixtures/medspacy_peer.py data/validation/negex_context/sentences_odd.tsv > peer.json
  attending validate-rewards data/ --peer peer.json --out rewards/VALIDATION.md

The folder holds the published data sets as downloaded: validation/ (negex_context, k_qa_nli, mts_dialog_fact_scores,
primock57_checklists, medec, medhallu, evidence_inference), and for edits, tricks and speed mirage/, medqa/ and
mmlu_medical/. Each figure stands with a 95 % interval over whole units (question, dialogue, consultation), its sample
size, and what length or word overlap reach on the same records. A set whose files are absent is named and left out.")]
pub(super) struct ValidateArgs {
    /// Folder of the published data sets
    #[arg(value_name = "DATA")]
    data: PathBuf,
    /// Where the report goes (Markdown); - is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Real responses on which edits and tricks are tried, at most
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    cases: u64,
    /// Figures of medSpaCy on the same sentences, as rewards/tests/fixtures/medspacy_peer.py prints them
    #[arg(long, value_name = "FILE")]
    peer: Option<PathBuf>,
    /// Where the records go on which verifier and people part, of the tuning half alone. Clinical text: for reading
    #[arg(long, value_name = "FILE")]
    failures: Option<PathBuf>,
    /// Prints the figures as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &ValidateArgs) -> Result<ExitCode> {
    if !args.data.is_dir() {
        let message = format!("{}: no such folder; name the one that holds validation/", args.data.display());
        return Err(DataError::Argument(message).into());
    }
    let settings = Settings { data: args.data.clone(), cases: args.cases as usize, peer: args.peer.clone() };
    let report = validation::run(&settings)?;
    if report.rows.is_empty() {
        let message = format!("{}: holds none of the data sets (--help lists them)", args.data.display());
        return Err(DataError::Argument(message).into());
    }
    let text = report.markdown();
    if args.out.as_os_str() != "-" {
        write_whole(&args.out, text.as_bytes())?;
    }
    if let Some(path) = &args.failures {
        write_whole(path, (report.failures.join("\n") + "\n").as_bytes())?;
    }
    let shown = if args.json {
        let value = json!({"figures": report.rows, "notes": report.notes, "left_out": report.left_out});
        serde_json::to_string_pretty(&value)? + "\n"
    } else if args.out.as_os_str() == "-" {
        text
    } else {
        report.table(&["report"])
    };
    std::io::stdout().write_all(shown.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
