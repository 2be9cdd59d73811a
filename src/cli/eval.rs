//! `attending eval`: measures a model on cases.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use toml::Value;

use crate::config::ConfigSource;
use crate::trainer::evaluation::{self, Options, Results};
use crate::trainer::{Interrupt, write_whole};

/// Arguments of `attending eval`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  attending eval --model SmolLM2-135M-Instruct --cases medqa.jsonl --limit 100
  attending eval --model runs/first/checkpoints/latest --cases held_out.jsonl --n 4 --temperature 1.0 --out eval/
  attending eval --model model.gguf --cases cases.jsonl --json")]
pub(super) struct EvalArgs {
    /// Model: a Hugging Face folder, a .gguf file, or `embedded`
    #[arg(long, value_name = "DIR|GGUF")]
    model: String,
    /// Cases (JSON Lines, `attending.case/1`); may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    cases: Vec<String>,
    /// Answers to each case
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    n: u16,
    /// Sampling temperature; 0: the most probable token
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    temperature: f64,
    /// Only the first cases
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Seed of the samples
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Longest answer, tokens [default: 512, or half of the model's context where that is less]
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<usize>,
    /// Longest prompt, tokens; cases with longer ones are left out and counted
    #[arg(long, value_name = "N", default_value_t = 4096)]
    max_prompt_tokens: usize,
    /// How answers are asked for
    #[arg(long, value_name = "think_answer|dx_conclusion|plain", default_value = "think_answer")]
    format: String,
    /// Folder for results.json and responses.jsonl
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &EvalArgs) -> anyhow::Result<ExitCode> {
    let mut source = ConfigSource::default();
    let integer = |n: usize| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX));
    source.value("model.path", Value::String(args.model.clone()), "--model")?;
    source.value("prompt.format", Value::String(args.format.clone()), "--format")?;
    source.value("data.max_prompt_tokens", integer(args.max_prompt_tokens), "--max-prompt-tokens")?;
    if let Some(tokens) = args.max_new_tokens {
        source.value("rollout.max_new_tokens", integer(tokens), "--max-new-tokens")?;
    }
    let config = source.resolve()?;
    let options = Options {
        samples: usize::from(args.n),
        temperature: args.temperature,
        limit: args.limit,
        seed: args.seed,
        max_new_tokens: args.max_new_tokens,
    };
    let interrupt = Interrupt::on_ctrl_c()?;
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(crate::trainer::RunDirError::io(folder))?;
    }
    let done = evaluation::run(&config, &args.cases, &options, &interrupt)?;
    let Some((results, responses)) = done else {
        eprintln!("attending: interrupted");
        return Ok(ExitCode::from(130));
    };
    let json = serde_json::to_string_pretty(&results)? + "\n";
    if let Some(folder) = &args.out {
        write_whole(&folder.join("results.json"), json.as_bytes())?;
        let lines: String = responses.iter().map(|record| format!("{record}\n")).collect();
        write_whole(&folder.join("responses.jsonl"), lines.as_bytes())?;
    }
    let text = if args.json { json } else { table(&results) };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The results for people.
fn table(results: &Results) -> String {
    let mut text = format!(
        "{} on {} cases{}, {} an answer each, temperature {}\n",
        results.model,
        results.cases,
        if results.too_long > 0 { format!(" ({} left out, too long)", results.too_long) } else { String::new() },
        results.samples,
        results.temperature
    );
    let mut row = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<24}{value}");
    };
    if let Some(accuracy) = results.accuracy {
        row("accuracy", format!("{:.4}  (95 %: {:.4} to {:.4})", accuracy.estimate, accuracy.low, accuracy.high));
    }
    let figure = |value: Option<f64>| value.map_or("not applicable".to_owned(), |v| format!("{v:.4}"));
    row("faithfulness", figure(results.faithfulness));
    row("comprehensiveness", figure(results.comprehensiveness));
    row("format", figure(results.format));
    row("unreadable answers", figure(Some(results.unreadable)));
    row("truncated answers", figure(Some(results.truncated)));
    row("mean length", format!("{:.1} tokens", results.mean_length));
    text
}
