//! One evaluation from its cases to its files: one benchmark, one protocol, one model.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use attending_datasets::{Choice, RecordWriter};
use attending_eval::EvalError;
use attending_eval::benchmark::{self, CaseSet, sha256};
use attending_eval::compare::SCORED;
use attending_eval::endpoint::{Backoff, Endpoint, EndpointOptions};
use attending_eval::protocol::{Harness, Kind, Protocol};
use attending_eval::responses;
use attending_eval::results::{self, Counts, Judged, Judging, LeftOut, Results};
use attending_eval::run::{
    self, Engine, EngineError, Event, Model, Outcomes, Plan, Sample, SampleLog, Sampling, Settings,
};
use attending_rewards::{Format as Layout, RubricFile, Scorer};
use serde_json::json;

use super::http::{Http, shown};
use super::local::Local;
use super::options::{EvalOptions, ProtocolFile};
use super::questions::{self, Examples};
use crate::model::chat_template::ChatTemplate;
use crate::prompt::{Format, Prompter};
use crate::trainer::Interrupt;
use crate::trainer::progress::Progress;

/// Samples that failed, with their reasons.
const ERRORS: &str = "errors.jsonl";

/// Who answers.
pub enum Who {
    /// A model in memory.
    Local {
        /// As it was named.
        name: String,
        /// Changes with any bit of the weights.
        hash: u64,
        /// The model.
        engine: Box<Local>,
        /// Tokens of its context.
        context: usize,
    },
    /// A model behind an address.
    Endpoint {
        /// Its name there.
        name: String,
        /// The address.
        url: String,
    },
}

impl Who {
    /// As it was named.
    pub fn name(&self) -> &str {
        match self {
            Self::Local { name, .. } | Self::Endpoint { name, .. } => name,
        }
    }
}

/// How an evaluation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// All that was asked for has an answer, or nearly.
    Done,
    /// The user stopped it.
    Interrupted,
    /// Too much failed, or the engine broke: why.
    Failed(String),
    /// The engine cannot do what was asked: why.
    Refused(String),
}

/// The cases of one evaluation, and the prompt under which their options are compared.
pub struct Job {
    /// The cases.
    pub set: CaseSet,
    harness: Option<Harness>,
}

impl Job {
    /// The evaluations that the options name: each benchmark, or each file of cases.
    ///
    /// # Errors
    /// A benchmark or a file that there is not, or options that do not fit together.
    pub fn named(options: &EvalOptions) -> Result<Vec<Self>, EvalError> {
        let mut jobs = Vec::new();
        match (options.benchmark.as_slice(), options.cases.as_slice()) {
            ([], []) => {
                return Err(EvalError::Input(
                    "nothing to answer; name a benchmark with --benchmark, or a file of cases with --cases".to_owned(),
                ));
            }
            ([], files) => {
                for file in files {
                    let set = CaseSet::read(file, &Choice::Auto)?;
                    let harness = benchmark::harness_of(&set.cases[0]);
                    jobs.push(Self { set, harness });
                }
            }
            ([name], [file]) => {
                let benchmark = benchmark::named(name)?;
                let set = CaseSet::benchmark(benchmark, None, Some(file))?;
                jobs.push(Self { set, harness: benchmark.harness });
            }
            (names, []) => {
                for name in names {
                    let benchmark = benchmark::named(name)?;
                    let set = CaseSet::benchmark(benchmark, options.data.as_deref(), None)?;
                    jobs.push(Self { set, harness: benchmark.harness });
                }
            }
            _ => {
                return Err(EvalError::Input(
                    "--cases names the file of one --benchmark; for several benchmarks name their folder with --data"
                        .to_owned(),
                ));
            }
        }
        for job in &mut jobs {
            // Finished responses say themselves which cases they answer.
            if options.responses.is_none() {
                job.set.select(&options.sample_id, options.limit)?;
            }
        }
        Ok(jobs)
    }

    fn harness(&self) -> Result<Harness, EvalError> {
        self.harness.ok_or_else(|| {
            EvalError::Input(format!(
                "no prompt is established for log-likelihoods of {}; use --protocol generate",
                self.set.name
            ))
        })
    }

    /// Asks for what the folder does not hold yet, scores all of it, and writes the files.
    ///
    /// # Errors
    /// What is asked for cannot be done, or a file cannot be read or written.
    pub fn ask(
        &self,
        options: &EvalOptions,
        protocol: &ProtocolFile,
        who: &Who,
        folder: &Path,
        interrupt: &Interrupt,
    ) -> Result<(Results, Ending), EvalError> {
        let few_shot = options.few_shot.or(protocol.few_shot).unwrap_or(0);
        let (examples, few_shot_source) = examples(options, few_shot)?;
        let cases = &self.set.cases;
        let tokenizer = match who {
            Who::Local { engine, .. } => Some(engine.tokenizer()),
            Who::Endpoint { .. } => None,
        };
        let own = !protocol.version.is_empty();
        let template = tokenizer.and_then(|tokenizer| tokenizer.chat_template()).map(ChatTemplate::source);
        let mut record = Protocol {
            name: protocol.name.clone(),
            version: protocol.version.clone(),
            kind: Some(protocol.kind),
            few_shot,
            few_shot_source,
            chat_template_hash: None,
        };
        let (questions, sampling, layout) = match protocol.kind {
            Kind::LogLikelihood => {
                let harness = self.harness()?;
                if !own {
                    record.name = format!("loglikelihood:{}", harness.task(&cases[0]));
                    record.version = harness.version().to_owned();
                }
                (questions::loglikelihood(harness, cases, &examples, few_shot)?, None, "plain")
            }
            Kind::Generate => {
                let prompter = prompter(options, protocol)?;
                let (questions, layout) = questions::generate(&prompter, tokenizer, cases, examples.first(few_shot)?)?;
                if !own {
                    let (name, version) =
                        (prompter.format().name(), prompter.version().rsplit('/').next().unwrap_or("").to_owned());
                    (record.name, record.version) = (format!("generate:{name}"), version);
                }
                record.chat_template_hash = template.map(|template| sha256(&[template]));
                (questions, Some(sampling(options, protocol, who)), layout)
            }
        };
        let model = match who {
            Who::Local { name, hash, .. } => {
                Model { name: name.clone(), hash: Some(format!("{hash:016x}")), endpoint: None }
            }
            Who::Endpoint { name, url } => Model { name: name.clone(), hash: None, endpoint: Some(shown(url)) },
        };
        let settings = Settings {
            benchmark: self.set.name.clone(),
            data_hash: self.set.data_hash.clone(),
            protocol: record,
            model,
            sampling,
        };
        let samples = if protocol.kind == Kind::LogLikelihood { 1 } else { options.n.unwrap_or(1) };
        settings.claim(folder)?;
        let mut log = SampleLog::open(folder)?;
        let max_failed = options.max_failed.unwrap_or(0.05);
        let plan = Plan { questions: &questions, samples, settings: &settings, max_failed };
        let outcomes = match who {
            Who::Local { engine, .. } => watched(&plan, engine.as_ref(), &mut log, interrupt)?,
            Who::Endpoint { name, url } => watched(&plan, &endpoint(options, name, url), &mut log, interrupt)?,
        };
        drop(log);
        write_errors(folder, &outcomes)?;
        let scorer = scorer(options, layout)?;
        let strip_thinking = options.strip_thinking || protocol.strip_thinking;
        let judging = match protocol.kind {
            Kind::LogLikelihood => Judging::Choices(self.harness()?),
            Kind::Generate => Judging::Responses { scorer: &scorer, strip_thinking },
        };
        let total = questions.len() * samples as usize;
        let too_long = outcomes.too_long.len();
        let answered = outcomes.samples.len() + outcomes.failed.len() + too_long * samples as usize;
        let left_out =
            LeftOut { failed: outcomes.failed.len(), too_long, not_asked: total.saturating_sub(answered), no_gold: 0 };
        let counts = Counts { samples, left_out, subjects: self.set.subjects.clone(), mirage: false };
        let results = self.finish(settings, &outcomes.samples, judging, counts, Some(folder))?;
        Ok((results, ending(&outcomes, total, max_failed, folder)))
    }

    /// Scores finished responses.
    ///
    /// # Errors
    /// They do not fit the cases, or a file cannot be read or written.
    pub fn responses(mut self, options: &EvalOptions, file: &Path) -> Result<Results, EvalError> {
        let finished = responses::read(file, &mut self.set)?;
        let layout = match (&options.format, finished.mirage) {
            (Some(name), _) => name,
            (None, true) => "json",
            (None, false) => "plain",
        };
        let scorer = scorer(options, layout)?;
        let model = finished.model.unwrap_or_else(|| file.display().to_string());
        let settings = Settings {
            benchmark: self.set.name.clone(),
            data_hash: self.set.data_hash.clone(),
            protocol: Protocol {
                name: format!("responses:{layout}"),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                kind: None,
                few_shot: 0,
                few_shot_source: None,
                chat_template_hash: None,
            },
            model: Model { name: model, hash: None, endpoint: None },
            sampling: None,
        };
        if let Some(folder) = &options.out {
            settings.claim(folder)?;
        }
        let samples = finished.samples.iter().map(|sample| sample.sample + 1).max().unwrap_or(1);
        let left_out = LeftOut { no_gold: finished.unpublished, ..LeftOut::default() };
        let counts = Counts { samples, left_out, subjects: self.set.subjects.clone(), mirage: finished.mirage };
        let judging = Judging::Responses { scorer: &scorer, strip_thinking: options.strip_thinking };
        self.finish(settings, &finished.samples, judging, counts, options.out.as_deref())
    }

    /// Scores the samples of a run again, under the options' rubric, and writes its results anew.
    ///
    /// # Errors
    /// The folder is no run, or not of these cases.
    pub fn rescore(&self, options: &EvalOptions, folder: &Path) -> Result<Results, EvalError> {
        let settings = Settings::read(folder)?;
        if settings.data_hash != self.set.data_hash {
            return Err(EvalError::Input(format!(
                "{}: the run answered another file of {} (SHA-256 {}), not {}",
                folder.display(),
                settings.benchmark,
                settings.data_hash,
                self.set.file.display()
            )));
        }
        let samples = run::read_samples(folder)?;
        let layout = match (&options.format, settings.protocol.name.split_once(':')) {
            (Some(format), _) => format,
            (None, Some((_, format))) if Layout::named(format).is_some() => format,
            _ => "think_answer",
        };
        let scorer = scorer(options, layout)?;
        let judging = match settings.protocol.kind {
            Some(Kind::LogLikelihood) => Judging::Choices(self.harness()?),
            _ => Judging::Responses { scorer: &scorer, strip_thinking: options.strip_thinking },
        };
        // What did not become a sample is known to the run's own results alone.
        let left_out = Results::read(folder).map_or_else(|_| LeftOut::default(), |before| before.left_out);
        let left_out = LeftOut { no_gold: 0, ..left_out };
        let count = samples.iter().map(|sample| sample.sample + 1).max().unwrap_or(1);
        let counts = Counts { samples: count, left_out, subjects: self.set.subjects.clone(), mirage: false };
        self.finish(settings, &samples, judging, counts, Some(folder))
    }

    /// Refuses a rubric that gives no answer a value: it is of another task than the cases.
    fn applies(&self, judged: &[Judged], folder: Option<&Path>) -> Result<(), EvalError> {
        let scored = |one: &Judged| one.scored.objectives.values().any(Option::is_some);
        let Some(first) = judged.first().filter(|_| !judged.iter().any(scored)) else { return Ok(()) };
        let reasons: Vec<String> =
            first.scored.reasons.iter().map(|(objective, why)| format!("{} ({why})", objective.name())).collect();
        let kept = folder.map(|folder| format!("; the answers are kept in {}", folder.display())).unwrap_or_default();
        Err(EvalError::Input(format!(
            "the rubric applies to no answer to {}: {}; name one whose verifiers suit the cases with --rubric{kept}",
            self.set.name,
            reasons.join(", ")
        )))
    }

    /// Judges samples and writes `scored.jsonl`, `results.json` and `report.html`, where there is a folder.
    fn finish(
        &self,
        settings: Settings,
        samples: &[Sample],
        judging: Judging<'_>,
        counts: Counts,
        folder: Option<&Path>,
    ) -> Result<Results, EvalError> {
        let judged = results::score(&self.set.cases, samples, judging)?;
        self.applies(&judged, folder)?;
        let results = results::build(settings, &self.set.cases, &judged, counts);
        if let Some(folder) = folder {
            let mut writer = RecordWriter::create(&folder.join(SCORED))?;
            for one in &judged {
                writer.write(&one.scored)?;
            }
            writer.finish()?;
            results.write(folder)?;
            results::page(&results, &self.set.cases, &judged).write(folder)?;
        }
        Ok(results)
    }
}

/// The cases that examples are taken from, and their file with its hash.
fn examples(options: &EvalOptions, count: usize) -> Result<(Examples, Option<String>), EvalError> {
    let Some(path) = options.few_shot_from.as_deref().filter(|_| count > 0) else {
        return Ok((Examples::default(), None));
    };
    let set = CaseSet::read(path, &Choice::Auto)?;
    let source = format!("{} {}", set.name, set.data_hash);
    Ok((Examples { cases: set.cases, file: path.display().to_string() }, Some(source)))
}

fn prompter(options: &EvalOptions, protocol: &ProtocolFile) -> Result<Prompter, EvalError> {
    let name = options.format.as_deref().or(protocol.format.as_deref()).unwrap_or("think_answer");
    let format = Format::named(name).ok_or_else(|| {
        let known = Format::ALL.map(Format::name).join(", ");
        EvalError::Input(format!("--format is {name:?}; answers can be asked for as {known}"))
    })?;
    Prompter::new(format, &protocol.system, &protocol.user_template)
        .map_err(|error| EvalError::Input(error.to_string()))
}

fn sampling(options: &EvalOptions, protocol: &ProtocolFile, who: &Who) -> Sampling {
    let longest = match who {
        Who::Local { context, .. } => 512.min(context / 2),
        Who::Endpoint { .. } => 2048,
    };
    Sampling {
        temperature: options.temperature.or(protocol.temperature).unwrap_or(0.0),
        top_p: options.top_p.or(protocol.top_p).unwrap_or(1.0),
        top_k: options.top_k.or(protocol.top_k).unwrap_or(0),
        max_new_tokens: options.max_new_tokens.or(protocol.max_new_tokens).unwrap_or(longest),
        seed: options.seed.unwrap_or(0),
    }
}

fn scorer(options: &EvalOptions, layout: &str) -> Result<Scorer, EvalError> {
    let input = |error: attending_rewards::RubricError| EvalError::Input(error.to_string());
    let mut file = RubricFile::open(options.rubric.as_deref().unwrap_or("crpo")).map_err(input)?;
    file.rubric.format = Layout::named(layout)
        .ok_or_else(|| EvalError::Input(format!("--format is {layout:?}; no responses are read in this layout")))?;
    file.scorer().map_err(input)
}

fn endpoint(options: &EvalOptions, name: &str, url: &str) -> Endpoint<Http> {
    let key = std::env::var(options.api_key_env.as_deref().unwrap_or("OPENAI_API_KEY")).ok();
    let timeout = Duration::from_secs_f64(options.timeout.unwrap_or(300.0));
    let asked = EndpointOptions {
        model: name.to_owned(),
        concurrency: options.concurrency.unwrap_or(8),
        tries: options.tries.unwrap_or(6),
        backoff: Backoff::default(),
        any_model: options.any_model,
    };
    Endpoint::new(Http::chat(url, key.filter(|key| !key.is_empty()), timeout), asked)
}

/// Runs with a progress bar.
fn watched(
    plan: &Plan<'_>,
    engine: &dyn Engine,
    log: &mut SampleLog,
    interrupt: &Interrupt,
) -> Result<Outcomes, EvalError> {
    let progress: Mutex<Option<Progress>> = Mutex::new(None);
    let events = |event: Event| {
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        match (event, progress.as_mut()) {
            (Event::Start { finished, total }, _) => *progress = Some(Progress::new(total as u64, finished as u64)),
            (Event::Done(count), Some(progress)) => (0..count).for_each(|_| progress.step(&plan.settings.benchmark)),
            (Event::Done(_), None) => {}
        }
    };
    let outcomes = run::run(plan, engine, log, &events, &|| interrupt.requested());
    if let Some(progress) = progress.into_inner().unwrap_or_else(PoisonError::into_inner) {
        progress.finish();
    }
    outcomes
}

/// Writes the failed samples of this call; without any, an older file goes.
fn write_errors(folder: &Path, outcomes: &Outcomes) -> Result<(), EvalError> {
    let path = folder.join(ERRORS);
    if outcomes.failed.is_empty() {
        return match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(EvalError::io(&path)(error)),
            _ => Ok(()),
        };
    }
    let mut writer = RecordWriter::create(&path)?;
    for (case_id, sample, error) in &outcomes.failed {
        writer.write(&json!({"case_id": case_id, "sample": sample, "error": error}))?;
    }
    Ok(writer.finish()?)
}

fn ending(outcomes: &Outcomes, total: usize, max_failed: f64, folder: &Path) -> Ending {
    let kept = format!("{} finished samples are kept in {}", outcomes.samples.len(), folder.display());
    let failed = outcomes.failed.len();
    match &outcomes.stopped {
        Some(EngineError::Refused(why)) => Ending::Refused(format!("{why}; {kept}")),
        Some(EngineError::Failed(why)) => Ending::Failed(format!("{why}; {kept}")),
        None if failed as f64 > max_failed * total as f64 => Ending::Failed(format!(
            "{failed} of {total} samples failed, more than the share of {max_failed} that --max-failed allows; the last: \
             {}; {kept}",
            outcomes.failed.last().map_or("", |(_, _, why)| why)
        )),
        None if outcomes.interrupted => Ending::Interrupted,
        None => Ending::Done,
    }
}
