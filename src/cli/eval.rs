//! `attending eval`: measures models, endpoints and finished responses on benchmarks.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use attending_eval::EvalError;
use attending_eval::results::{Results, table};
use attending_eval::run::Settings;
use clap::Args;
use serde_json::json;
use toml::Value;

use crate::config::ConfigSource;
use crate::evaluation::local::Local;
use crate::evaluation::options::ProtocolFile;
use crate::evaluation::{Ending, EvalOptions, Job, Who};
use crate::trainer::{Interrupt, TrainError, source};

/// Arguments of `attending eval`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  attending eval --model SmolLM2-135M-Instruct --benchmark medqa --data data/ --protocol loglikelihood
  attending eval --model runs/first/checkpoints/latest --cases held_out.jsonl --n 4 --temperature 1.0
  attending eval --endpoint http://localhost:8000/v1 --model qwen --benchmark medqa --data data/ --concurrency 32
  attending eval --responses answers.jsonl --benchmark medmcqa --data data/ --by-subject
  attending eval --config weekly.toml --limit 100
  attending eval --rescore evals/qwen/medqa-generate --benchmark medqa --data data/ --rubric ward.toml

The same call again goes on where it stopped: finished samples are never asked again. The run's folder holds settings.json,
samples.jsonl (responses as they came), scored.jsonl (each with its checks), results.json, report.html (the same to read,
one file), and errors.jsonl where samples failed; `attending compare` compares two of them. A --config file (TOML) holds options by name, with _ for -:
  benchmark = [\"medqa\", \"pubmedqa\"]
  model = [\"before.gguf\", \"runs/first/checkpoints/latest\"]
  protocol = \"generate\"")]
pub(super) struct EvalArgs {
    #[command(flatten)]
    options: EvalOptions,
    /// Options from a file; those on the command line are stronger
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Scores the samples of a finished run again, without asking any model
    #[arg(long, value_name = "DIR", conflicts_with_all = ["model", "endpoint", "responses"])]
    rescore: Option<PathBuf>,
    /// Shows the tables by subject
    #[arg(long)]
    by_subject: bool,
    /// Lists the benchmarks
    #[arg(long)]
    list: bool,
    /// Print the results as JSON: an object, or a list where there are several
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &EvalArgs) -> anyhow::Result<ExitCode> {
    if args.list {
        let lines = attending_eval::benchmark::BENCHMARKS.iter().map(|b| format!("{:<28}{}\n", b.name, b.about));
        std::io::stdout().write_all(lines.collect::<String>().as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut options = args.options.clone();
    if let Some(file) = &args.config {
        options = options.over(EvalOptions::read(file)?);
    }
    options.check()?;
    if let Some(folder) = &args.rescore {
        if options.benchmark.is_empty() && options.cases.is_empty() {
            options.benchmark.push(Settings::read(folder)?.benchmark);
        }
        let job = one(Job::named(&options)?)?;
        print(args, &[job.rescore(&options, folder)?])?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(file) = options.responses.clone() {
        if !options.model.is_empty() || options.endpoint.is_some() {
            return Err(input("--responses evaluates without a model; leave --model and --endpoint out"));
        }
        print(args, &[one(Job::named(&options)?)?.responses(&options, &file)?])?;
        return Ok(ExitCode::SUCCESS);
    }
    if options.model.is_empty() {
        return Err(input("no model; name one with --model, or finished responses with --responses"));
    }
    let protocol: ProtocolFile = options.protocol.as_deref().unwrap_or("generate").parse()?;
    let jobs = Job::named(&options)?;
    let interrupt = Interrupt::on_ctrl_c()?;
    let single = options.model.len() * jobs.len() == 1;
    let (mut all, mut worst) = (Vec::new(), ExitCode::SUCCESS);
    'models: for model in &options.model {
        let who = who(&options, model)?;
        for job in &jobs {
            let folder = folder(&options, &who, &job.set.name, &protocol.name, single);
            let (results, ending) = job.ask(&options, &protocol, &who, &folder, &interrupt)?;
            all.push(results);
            eprintln!("attending: written to {}", folder.display());
            match ending {
                Ending::Done => {}
                Ending::Interrupted => {
                    eprintln!("attending: interrupted; the same call goes on");
                    worst = ExitCode::from(130);
                    break 'models;
                }
                Ending::Failed(why) => {
                    eprintln!("attending: {}: {why}", job.set.name);
                    worst = ExitCode::from(3);
                }
                Ending::Refused(why) => {
                    eprintln!("attending: {}: {why}", job.set.name);
                    worst = ExitCode::from(2);
                    break 'models;
                }
            }
        }
    }
    print(args, &all)?;
    Ok(worst)
}

fn input(message: &str) -> anyhow::Error {
    EvalError::Input(message.to_owned()).into()
}

fn one(mut jobs: Vec<Job>) -> anyhow::Result<Job> {
    match (jobs.pop(), jobs.is_empty()) {
        (Some(job), true) => Ok(job),
        _ => Err(input("name one benchmark, or one file of cases: responses and runs are of one")),
    }
}

/// Loads a local model, or names the endpoint's.
fn who(options: &EvalOptions, model: &str) -> Result<Who, TrainError> {
    if let Some(url) = &options.endpoint {
        return Ok(Who::Endpoint { name: model.to_owned(), url: url.clone() });
    }
    let mut configuration = ConfigSource::default();
    configuration.value("model.path", Value::String(model.to_owned()), "--model")?;
    let loaded = source::load(&configuration.resolve()?)?;
    let (hash, context) = (source::fingerprint(&loaded.parameters), loaded.config.max_position_embeddings);
    let engine = Box::new(Local::new(loaded, options.max_prompt_tokens.unwrap_or(4096)));
    Ok(Who::Local { name: model.to_owned(), hash, engine, context })
}

/// Where a run is written: the same call finds the same folder again.
fn folder(options: &EvalOptions, who: &Who, benchmark: &str, protocol: &str, single: bool) -> PathBuf {
    let plain = |text: &str| -> String {
        let kept = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        text.trim_matches(['/', '.']).chars().map(kept).collect()
    };
    match &options.out {
        Some(out) if single => out.clone(),
        out => {
            let base = out.as_deref().unwrap_or(Path::new("evals"));
            base.join(plain(who.name())).join(format!("{}-{}", plain(benchmark), plain(protocol)))
        }
    }
}

fn print(args: &EvalArgs, all: &[Results]) -> anyhow::Result<()> {
    let text = match (args.json, all) {
        (true, [one]) => one.json()? + "\n",
        (true, several) => format!("{:#}\n", json!(several)),
        (false, several) => several.iter().map(|one| table(one, args.by_subject)).collect::<Vec<_>>().join("\n"),
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
