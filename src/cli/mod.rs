//! The command line: one file a command, each a thin face over the library.
//!
//! Exit status: 0 done, 1 an audit's findings, 2 bad input, 3 failed, 130 interrupted. An error is one line on standard
//! error that says what is wrong, where, and what would be right.

mod audit;
mod compare;
mod configuration;
pub mod data;
mod eval;
mod lexicon;
pub mod model;
mod rubric;
mod run_name;
pub mod score;
#[cfg(feature = "serve")]
mod serve;
mod sft;
mod tokenizer;
mod train;
mod validate_rewards;

use std::process::ExitCode;

use attending_eval::EvalError;
use attending_eval::audit::AuditError;
use clap::{Parser, Subcommand};

use crate::trainer::{RunDirError, TrainError};

/// Trains clinical reasoning models with rule-based, verifiable rewards.
#[derive(Debug, Parser)]
#[command(name = "attending", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a model by reinforcement learning from verifiable rewards
    Train(train::TrainArgs),
    /// Train a model on given responses (supervised)
    Sft(sft::SftArgs),
    /// Measure models, endpoints and finished responses on benchmarks
    Eval(Box<eval::EvalArgs>),
    /// Compare evaluations of the same cases
    Compare(compare::CompareArgs),
    /// Score given responses, and say why
    Score(score::ScoreArgs),
    /// See what a reward pays for: distributions, groups, tricks, agreement with people
    Audit(audit::AuditArgs),
    /// Measure how far the reward's own verifiers can be trusted, on labelled data
    ValidateRewards(validate_rewards::ValidateArgs),
    /// Score responses over HTTP, for trainers elsewhere
    #[cfg(feature = "serve")]
    Serve(serve::ServeArgs),
    /// Read, convert, check and write cases
    Data(data::DataArgs),
    /// Make and describe models
    Model(model::ModelArgs),
}

/// Reads the arguments, runs the command, and turns its result into an exit status.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            eprintln!("attending: {}", one_line(&error));
            return ExitCode::from(2);
        }
        Err(help) => {
            // --help and --version; a reader that closed the pipe early has what it wanted.
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    let result = match &cli.command {
        Command::Train(args) => train::run(args),
        Command::Sft(args) => sft::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Score(args) => score::run(args),
        Command::Audit(args) => audit::run(args),
        Command::ValidateRewards(args) => validate_rewards::run(args),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(args),
        Command::Data(args) => data::run(args),
        Command::Model(args) => model::run(args),
    };
    result.unwrap_or_else(|error| {
        if is_broken_pipe(&error) {
            return ExitCode::SUCCESS;
        }
        eprintln!("attending: {}", format!("{error:#}").replace('\n', " "));
        ExitCode::from(status(&error))
    })
}

/// clap's message without its usage block, on one line.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let message = text.split("\n\nUsage:").next().unwrap_or(&text);
    let message = message.split("\n\nFor more information").next().unwrap_or(message);
    let words: Vec<&str> = message.trim_start_matches("error: ").split_whitespace().collect();
    format!("{} (--help shows what can be given)", words.join(" "))
}

/// Whether the reader of our standard output has gone: no failure, it has read enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe))
}

/// 3 for what went wrong during the work, 2 for what was wrong from the start.
fn status(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<TrainError>() {
            return error.status();
        }
        if let Some(error) = cause.downcast_ref::<RunDirError>() {
            return error.status();
        }
        if let Some(error) = cause.downcast_ref::<EvalError>() {
            return error.status();
        }
        if let Some(error) = cause.downcast_ref::<AuditError>() {
            return error.status();
        }
        if let Some(error) = cause.downcast_ref::<std::io::Error>() {
            let full = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
            return if full { 3 } else { 2 };
        }
    }
    2
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_error_is_one_line() {
        let error = Cli::try_parse_from(["attending", "sft", "--stepz", "3"]).unwrap_err();
        let line = one_line(&error);
        assert!(!line.contains('\n') && line.starts_with("unexpected argument '--stepz' found"), "{line}");
    }
}
