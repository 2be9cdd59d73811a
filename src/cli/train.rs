//! `attending train`: reinforcement learning from verifiable rewards.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::configuration::{ConfigArgs, start};
use crate::config::ConfigSource;
use crate::trainer::{Ending, Interrupt, plan, reinforce};

/// The configuration of a run that is given neither a model nor a configuration.
const CLINIC: (&str, &str) = ("configs/clinic.toml (built in)", include_str!("../../configs/clinic.toml"));

/// Arguments of `attending train`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  attending train                                    the embedded model on the synthetic clinic
  attending train --model SmolLM2-135M-Instruct --cases medqa.jsonl --set trainer.steps=5
  attending train --config configs/clinical-r1-3b.toml --plan
  attending train --run runs/first --resume")]
pub(super) struct TrainArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Run directory [default: runs/ and the time]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Continue the run in --run (default: the last one) from its newest checkpoint
    #[arg(long)]
    resume: bool,
    /// Print the memory and the work of each part, and stop
    #[arg(long)]
    plan: bool,
}

/// Runs the command.
pub(super) fn run(args: &TrainArgs) -> anyhow::Result<ExitCode> {
    let mut source = ConfigSource::default();
    let run = start(args.run.as_deref(), args.resume, &mut source)?;
    if !args.resume && args.config.config.is_none() && args.config.model.is_none() {
        source.text(CLINIC.0, CLINIC.1)?;
    }
    args.config.apply(&mut source)?;
    if args.plan {
        let text = plan::of_run(&source.resolve_to_plan()?)?;
        std::io::stdout().write_all(text.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = source.resolve()?;
    let interrupt = Interrupt::on_ctrl_c()?;
    let run = run.open()?;
    let ending = reinforce::run(&config, &run, args.resume, &interrupt)?;
    let mut out = std::io::stdout();
    writeln!(out, "model:  {}", run.checkpoints().join("latest").display())?;
    writeln!(out, "report: {}", run.report().display())?;
    Ok(match ending {
        Ending::Done => ExitCode::SUCCESS,
        Ending::Interrupted => {
            eprintln!("attending: interrupted; continue with: attending train --run {} --resume", run.path().display());
            ExitCode::from(130)
        }
    })
}
