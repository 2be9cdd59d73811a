//! `attending sft`: supervised training on given responses.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use toml::Value;

use super::configuration::{ConfigArgs, start};
use crate::config::ConfigSource;
use crate::trainer::{Ending, Interrupt, TrainError, sft};

/// Arguments of `attending sft`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  attending data synth --cases 4000 --out cases.jsonl --responses responses.jsonl
  attending sft --model my-model --cases cases.jsonl --data responses.jsonl --run runs/cold-start \\
                --set optim.lr=3e-4 --set sft.epochs=3
  attending sft --run runs/cold-start --resume
  attending train --model runs/cold-start/checkpoints/latest --cases cases.jsonl")]
pub(super) struct SftArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Responses to learn (JSON Lines with case_id and text); may be given several times
    #[arg(long, value_name = "FILE")]
    data: Vec<String>,
    /// Run directory [default: runs/ and the time]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Continue the run in --run (default: the last one) from its newest checkpoint
    #[arg(long)]
    resume: bool,
}

/// Runs the command.
pub(super) fn run(args: &SftArgs) -> anyhow::Result<ExitCode> {
    let mut source = ConfigSource::default();
    let interrupt = Interrupt::on_ctrl_c()?;
    let run = start(args.run.as_deref(), args.resume, &mut source)?;
    args.config.apply(&mut source)?;
    if !args.data.is_empty() {
        let files = args.data.iter().cloned().map(Value::String).collect();
        source.value("sft.responses", Value::Array(files), "--data")?;
    }
    let config = source.resolve()?;
    if config.raw.data.train.is_empty() {
        return Err(TrainError::Input("no cases to learn from; name a file with --cases".to_owned()).into());
    }
    if config.raw.sft.responses.is_empty() {
        return Err(TrainError::Input("no responses to learn; name a file with --data".to_owned()).into());
    }
    let run = run.open()?;
    let ending = sft::run(&config, &run, args.resume, &interrupt)?;
    Ok(match ending {
        Ending::Done => {
            println!("model: {}", run.checkpoints().join("latest").display());
            ExitCode::SUCCESS
        }
        Ending::Interrupted => {
            eprintln!("attending: interrupted; continue with --run {} --resume", run.path().display());
            ExitCode::from(130)
        }
    })
}
