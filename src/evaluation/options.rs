//! What an evaluation is told: the command line's options, or the same names in a TOML file.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use attending_eval::EvalError;
use attending_eval::protocol::Kind;
use serde::Deserialize;

/// Options of `attending eval`; each stands on the command line or, with `_` for `-`, in a `--config` file.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvalOptions {
    /// A benchmark by name; may be given several times
    #[arg(long, value_name = "NAME")]
    pub benchmark: Vec<String>,
    /// Cases in any layout that `attending data` reads: the benchmark's file, or, without --benchmark, cases of your own
    /// (then it may be given several times)
    #[arg(long, value_name = "FILE")]
    pub cases: Vec<PathBuf>,
    /// Folder with the published files of the benchmarks, such as medqa/us_4opt_test.jsonl
    #[arg(long, value_name = "DIR", env = "ATTENDING_DATA")]
    pub data: Option<PathBuf>,
    /// A Hugging Face folder, a .gguf file or `embedded`; with --endpoint the model's name there; may be given several
    /// times
    #[arg(long, value_name = "DIR|GGUF|NAME")]
    pub model: Vec<String>,
    /// Asks an OpenAI-compatible endpoint (http://host:8000/v1)
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Evaluates finished responses (JSON Lines), without a model
    #[arg(long, value_name = "FILE")]
    pub responses: Option<PathBuf>,
    /// generate, loglikelihood, or a protocol file (TOML) [default: generate]
    #[arg(long, value_name = "NAME|FILE")]
    pub protocol: Option<String>,
    /// How answers are asked for and read: think_answer, dx_conclusion, plain; for responses also json [default:
    /// think_answer, for responses plain]
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,
    /// How responses are scored: a rubric file (TOML), or the name of a preset [default: crpo]
    #[arg(long, value_name = "FILE|PRESET")]
    pub rubric: Option<String>,
    /// Answers to each case [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub n: Option<u64>,
    /// Sampling temperature; 0: the most probable token [default: 0]
    #[arg(long, value_name = "T")]
    pub temperature: Option<f64>,
    /// Share of the probability that tokens are drawn from [default: 1]
    #[arg(long, value_name = "P")]
    pub top_p: Option<f64>,
    /// Number of tokens that are drawn from; 0: all [default: 0]
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// Seed of the samples [default: 0]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Only the first cases of each benchmark
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Only the case of this id; may be given several times
    #[arg(long, value_name = "ID")]
    pub sample_id: Vec<String>,
    /// Longest answer, tokens [default: 512, or half of a local model's context where that is less; 2048 for endpoints]
    #[arg(long, value_name = "N")]
    pub max_new_tokens: Option<usize>,
    /// Longest prompt of a local model, tokens; cases with longer ones are left out and counted [default: 4096]
    #[arg(long, value_name = "N")]
    pub max_prompt_tokens: Option<usize>,
    /// Worked examples before each question: the first cases of --few-shot-from, for MMLU's log-likelihoods the first of the
    /// same subject [default: 0]
    #[arg(long, value_name = "N")]
    pub few_shot: Option<usize>,
    /// Cases that examples are taken from
    #[arg(long, value_name = "FILE")]
    pub few_shot_from: Option<PathBuf>,
    /// Takes a leading <think>...</think> off responses before they are read as plain text
    #[arg(long)]
    pub strip_thinking: bool,
    /// Requests to an endpoint under way at once [default: 8]
    #[arg(long, value_name = "N")]
    pub concurrency: Option<usize>,
    /// Longest wait for one reply of an endpoint, seconds [default: 300]
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<f64>,
    /// Tries of one request, with growing waits between them [default: 6]
    #[arg(long, value_name = "N")]
    pub tries: Option<u32>,
    /// Fails above this share of failed samples [default: 0.05]
    #[arg(long, value_name = "SHARE")]
    pub max_failed: Option<f64>,
    /// Takes an endpoint's replies whatever model they name
    #[arg(long)]
    pub any_model: bool,
    /// Environment variable that holds the endpoint's key [default: OPENAI_API_KEY]
    #[arg(long, value_name = "NAME")]
    pub api_key_env: Option<String>,
    /// Folder of the run, or of the runs where there are several [default: evals/MODEL/BENCHMARK-PROTOCOL; for
    /// --responses none]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

impl EvalOptions {
    /// Reads a file of options.
    ///
    /// # Errors
    /// It cannot be read, or has a key or value that is none.
    pub fn read(path: &Path) -> Result<Self, EvalError> {
        toml(path)
    }

    /// These options, and where one is not given, `file`'s.
    pub fn over(self, file: Self) -> Self {
        fn list<T>(own: Vec<T>, other: Vec<T>) -> Vec<T> {
            if own.is_empty() { other } else { own }
        }
        Self {
            benchmark: list(self.benchmark, file.benchmark),
            cases: list(self.cases, file.cases),
            data: self.data.or(file.data),
            model: list(self.model, file.model),
            endpoint: self.endpoint.or(file.endpoint),
            responses: self.responses.or(file.responses),
            protocol: self.protocol.or(file.protocol),
            format: self.format.or(file.format),
            rubric: self.rubric.or(file.rubric),
            n: self.n.or(file.n),
            temperature: self.temperature.or(file.temperature),
            top_p: self.top_p.or(file.top_p),
            top_k: self.top_k.or(file.top_k),
            seed: self.seed.or(file.seed),
            limit: self.limit.or(file.limit),
            sample_id: list(self.sample_id, file.sample_id),
            max_new_tokens: self.max_new_tokens.or(file.max_new_tokens),
            max_prompt_tokens: self.max_prompt_tokens.or(file.max_prompt_tokens),
            few_shot: self.few_shot.or(file.few_shot),
            few_shot_from: self.few_shot_from.or(file.few_shot_from),
            strip_thinking: self.strip_thinking || file.strip_thinking,
            concurrency: self.concurrency.or(file.concurrency),
            timeout: self.timeout.or(file.timeout),
            tries: self.tries.or(file.tries),
            max_failed: self.max_failed.or(file.max_failed),
            any_model: self.any_model || file.any_model,
            api_key_env: self.api_key_env.or(file.api_key_env),
            out: self.out.or(file.out),
        }
    }

    /// Refuses numbers that mean nothing.
    ///
    /// # Errors
    /// The option and what would be right.
    pub fn check(&self) -> Result<(), EvalError> {
        let within = |name: &str, value: Option<f64>, low: f64, high: f64| match value {
            Some(value) if !(low..=high).contains(&value) => {
                Err(EvalError::Input(format!("--{name} is {value}; it must be from {low} to {high}")))
            }
            _ => Ok(()),
        };
        within("temperature", self.temperature, 0.0, 100.0)?;
        within("top-p", self.top_p, 1e-6, 1.0)?;
        within("timeout", self.timeout, 0.001, 86_400.0)?;
        within("max-failed", self.max_failed, 0.0, 1.0)?;
        within("concurrency", self.concurrency.map(|n| n as f64), 1.0, 1024.0)?;
        if self.few_shot.unwrap_or(0) > 0 && self.few_shot_from.is_none() {
            return Err(EvalError::Input(
                "--few-shot needs the examples: name their file with --few-shot-from".to_owned(),
            ));
        }
        Ok(())
    }
}

/// A protocol: one of the two, or a user's own file with its wording.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtocolFile {
    /// Name in results.
    pub name: String,
    /// Version in results: another wording is another version.
    pub version: String,
    /// Generate or log-likelihood.
    pub kind: Kind,
    /// The layout that is asked for.
    pub format: Option<String>,
    /// The system message; empty for the built-in one.
    #[serde(default)]
    pub system: String,
    /// Jinja template of the user message over the case's fields; empty for the built-in one.
    #[serde(default)]
    pub user_template: String,
    /// As the options of these names, which are stronger.
    pub temperature: Option<f64>,
    /// As above.
    pub top_p: Option<f64>,
    /// As above.
    pub top_k: Option<usize>,
    /// As above.
    pub max_new_tokens: Option<usize>,
    /// As above.
    pub few_shot: Option<usize>,
    /// As above.
    #[serde(default)]
    pub strip_thinking: bool,
}

impl FromStr for ProtocolFile {
    type Err = EvalError;

    fn from_str(text: &str) -> Result<Self, EvalError> {
        let kind = match text {
            "generate" => Kind::Generate,
            "loglikelihood" => Kind::LogLikelihood,
            path if path.ends_with(".toml") => {
                let file: Self = toml(Path::new(path))?;
                if file.kind == Kind::LogLikelihood && !(file.system.is_empty() && file.user_template.is_empty()) {
                    return Err(EvalError::Input(format!(
                        "{path}: user_template and system are for kind = \"generate\"; log-likelihoods have the prompt \
                         that published figures rest on"
                    )));
                }
                return Ok(file);
            }
            other => {
                return Err(EvalError::Input(format!(
                    "--protocol is {other:?}; it must be generate, loglikelihood or the name of a .toml file"
                )));
            }
        };
        Ok(Self {
            name: text.to_owned(),
            version: String::new(),
            kind,
            format: None,
            system: String::new(),
            user_template: String::new(),
            temperature: None,
            top_p: None,
            top_k: None,
            max_new_tokens: None,
            few_shot: None,
            strip_thinking: false,
        })
    }
}

/// Reads a TOML file.
fn toml<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, EvalError> {
    let text = std::fs::read_to_string(path).map_err(EvalError::io(path))?;
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        EvalError::Input(format!("{}:{line}: {}", path.display(), error.message().replace('\n', " ")))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_stronger_than_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.toml");
        std::fs::write(&path, "benchmark = [\"medqa\", \"pubmedqa\"]\nn = 4\ntemperature = 0.7\n").unwrap();
        let own = EvalOptions { n: Some(2), ..EvalOptions::default() };
        let both = own.over(EvalOptions::read(&path).unwrap());
        assert_eq!((both.benchmark.len(), both.n, both.temperature), (2, Some(2), Some(0.7)));
        std::fs::write(&path, "n = 1\nbenchmarks = []\n").unwrap();
        let error = EvalOptions::read(&path).unwrap_err().to_string();
        assert!(error.contains("e.toml:2: unknown field `benchmarks`"), "{error}");
    }

    #[test]
    fn numbers_that_mean_nothing_are_refused() {
        let refused = |options: EvalOptions| options.check().unwrap_err().to_string();
        let message = refused(EvalOptions { temperature: Some(-1.0), ..EvalOptions::default() });
        assert_eq!(message, "--temperature is -1; it must be from 0 to 100");
        refused(EvalOptions { temperature: Some(f64::NAN), ..EvalOptions::default() });
        assert!(refused(EvalOptions { few_shot: Some(2), ..EvalOptions::default() }).contains("--few-shot-from"));
        assert!("likelihood".parse::<ProtocolFile>().is_err());
    }
}
