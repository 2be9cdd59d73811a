//! What the trainer reaches on a GPU: exactness, time and memory of a 3 B model's update step, and rollouts.
//!
//! `cargo bench --features cuda --bench gpu -- PART ...`; `scripts/gpu-check` runs it beside PyTorch (`pytorch/`) and
//! puts both into one table. Random weights of Qwen2.5-3B's true shape in bf16; `--tiny` tries the code on any device,
//! the emulated one too (`tests/cuda_emulator`). Every measurement is one JSON line.

mod equality;
mod measurement;
mod rollout;
#[path = "../../tests/support/mod.rs"]
mod support;
mod update;

use std::path::PathBuf;
use std::process::ExitCode;

use attending::cuda::{CudaError, Device};
use clap::{Parser, ValueEnum};
use measurement::Results;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// bf16 against f32 on the CPU, and the shared prefix against separate sequences (needs --model).
    Equality,
    /// The update step of one group: a prompt of 8,192 tokens, 8 responses of 512.
    Group,
    /// The update step of 8 separate sequences of 2,048 tokens.
    Plain,
    /// The update step of longer and longer prompts, without and with a reference model.
    Memory,
    /// 8 responses of 256 new tokens to each of 16 prompts of 4,096.
    Rollout,
}

/// Measures the trainer on a GPU.
#[derive(Debug, Parser)]
struct Arguments {
    /// One or several parts
    #[arg(value_enum, required = true)]
    parts: Vec<Part>,
    /// File that gets one JSON line a measurement
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The model of `equality`: a folder that PyTorch reads too
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Where `equality` writes its sequences, for PyTorch
    #[arg(long, value_name = "FILE")]
    sequences: Option<PathBuf>,
    /// Tiny shapes: whether it runs, not how fast
    #[arg(long)]
    tiny: bool,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("gpu: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures all parts; whether all are as exact as they must be.
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let device = Device::open(0)?;
    let results = Results::new(arguments.out.clone(), &device);
    let mut exact = true;
    let parts = &arguments.parts;
    if parts.contains(&Part::Equality) {
        let (Some(model), Some(sequences)) = (&arguments.model, &arguments.sequences) else {
            anyhow::bail!("equality needs --model DIR and --sequences FILE");
        };
        exact = equality::run(&device, model, sequences, arguments.tiny, &results)?;
    }
    let updates: Vec<Part> =
        parts.iter().copied().filter(|part| !matches!(part, Part::Equality | Part::Rollout)).collect();
    if !updates.is_empty() {
        update::run(&device, &updates, arguments.tiny, &results)?;
    }
    if parts.contains(&Part::Rollout) {
        rollout::run(&device, arguments.tiny, &results)?;
    }
    Ok(exact)
}

/// The result of work that may not fit: `None` where the card's memory was used up, which is printed.
fn fitting<T>(result: Result<T, CudaError>) -> Result<Option<T>, CudaError> {
    match result {
        Err(error @ CudaError::OutOfMemory { .. }) => {
            eprintln!("gpu: {error}");
            Ok(None)
        }
        other => other.map(Some),
    }
}
