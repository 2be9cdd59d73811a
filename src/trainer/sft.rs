//! Supervised training: the model learns given responses, token by token, end token included.
//!
//! The responses to one case are learned in the same step, so that their prompt is encoded once; the order of cases is
//! a seeded shuffle for each pass.

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use attending_datasets::Records;
use attending_rewards::Response;
use attending_rewards::answer::boxes;

use crate::config::RunConfig;
use crate::model::config::ModelConfig;
use crate::model::decoder::Decoder;
use crate::model::folder::{self, Model};
use crate::model::tokenizer::Tokenizer;
use crate::objective::{CrossEntropy, Normaliser};

use super::checkpoint;
use super::data::{self, Prompting};
use super::error::TrainError;
use super::interrupt::Interrupt;
use super::learner::Learner;
use super::metrics::{Metrics, MetricsLog};
use super::order::CaseOrder;
use super::pack::TokenGroup;
use super::progress::Progress;
use super::run_dir::{RunDir, write_whole};
use super::save;
use super::source;
use super::state::TrainerState;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All steps are done.
    Done,
    /// The user asked to stop; everything is saved.
    Interrupted,
}

/// A case with the responses that are learned for it.
struct Lesson {
    id: String,
    group: TokenGroup,
    /// Weight of each token of each response in the loss.
    weights: Vec<Vec<f64>>,
}

/// Runs supervised training in `run`, from its newest checkpoint where `resume` is set.
pub fn run(config: &RunConfig, run: &RunDir, resume: bool, interrupt: &Interrupt) -> Result<Ending, TrainError> {
    let Model { config: model, parameters, tokenizer } = source::load(config)?;
    let lessons = lessons(config, &model, &tokenizer)?;
    let mut order = CaseOrder::new(config.raw.trainer.seed, lessons.iter().map(|l| l.id.as_str()));
    let start = TrainerState::start("sft", config, order.fingerprint(), source::fingerprint(&parameters));
    let from = if resume { checkpoint::newest(run) } else { None };
    let (mut state, parameters, moments) = match &from {
        Some((step, path)) => {
            let state = TrainerState::read(path, &start)?;
            run.cut_back(Some(*step))?;
            let loaded = folder::load(path).map_err(save::model_error)?;
            (state, loaded.parameters, Some(save::read_optimiser(path, &model)?))
        }
        None => {
            run.cut_back(None)?;
            (start, parameters, None)
        }
    };
    write_whole(&run.config(), config.to_toml().as_bytes())?;
    let steps = steps(&mut order, &lessons, config);
    let total = steps.len() as u64;
    let sequences = lessons.iter().map(|l| l.group.responses.len()).sum();
    // The temperature of a likelihood is 1, whatever rollouts will use.
    let mut learner = Learner::new(Decoder::new(model, parameters), moments, config, total, 1.0)?;
    let mut log = MetricsLog::open(run)?;
    let mut progress = Progress::new(total, state.step);
    let mut saved = state.step;
    while state.step < total {
        let chosen: Vec<&Lesson> = steps[state.step as usize].iter().map(|&lesson| &lessons[lesson]).collect();
        let metrics = step(&mut learner, &chosen, &mut state, sequences)?;
        log.write(state.step, &metrics)?;
        let show = |name: &str| metrics.get(name).unwrap_or(f64::NAN);
        progress.step(&format!("loss {:.3}  {:.0} tokens/s", show("loss"), show("perf/tokens_per_second")));
        let trainer = &config.raw.trainer;
        let due = trainer.save_every > 0 && state.step.is_multiple_of(trainer.save_every as u64);
        if due || state.step == total || interrupt.requested() {
            save::save(run, &state, &learner, &tokenizer, trainer.keep)?;
            saved = state.step;
        }
        if interrupt.requested() && state.step < total {
            progress.finish();
            return Ok(Ending::Interrupted);
        }
    }
    if saved < state.step {
        save::save(run, &state, &learner, &tokenizer, config.raw.trainer.keep)?;
    }
    progress.finish();
    Ok(Ending::Done)
}

/// One optimiser step over some lessons; `all` is the number of sequences of one pass.
fn step(
    learner: &mut Learner,
    lessons: &[&Lesson],
    state: &mut TrainerState,
    all: usize,
) -> Result<Metrics, TrainError> {
    let started = Instant::now();
    let groups: Vec<TokenGroup> = lessons.iter().map(|lesson| lesson.group.clone()).collect();
    let lengths: Vec<usize> = groups.iter().flat_map(|g| g.responses.iter().map(Vec::len)).collect();
    let tokens: usize = lengths.iter().sum();
    let normaliser = Normaliser::over(Default::default(), lengths.iter().copied(), 1);
    // Weights of 1 on average, so that the loss stays a mean over tokens.
    let weight: f64 = lessons.iter().flat_map(|l| l.weights.iter().flatten()).sum();
    let scale = tokens as f64 / weight;
    let mut queued = Vec::new();
    for parts in learner.cut(&groups) {
        let packed = learner.pack(&groups, &parts)?;
        let weights = packed.members.iter().zip(&packed.first).map(|(&(lesson, response), &first)| {
            (first, lessons[lesson].weights[response].iter().map(|weight| weight * scale).collect())
        });
        let mut objective = CrossEntropy::new(&normaliser, &packed.lengths).with_token_weights(weights.collect());
        let values = learner.accumulate(&packed, &mut objective)?;
        queued.push((packed, objective, values));
    }
    let applied = learner.apply()?;
    let (mut loss, mut entropy, mut packed_tokens, mut whole_tokens) = (0.0, 0.0, 0, 0);
    for (packed, objective, values) in queued {
        let sums = objective.sums(packed.tree.labels(), &values()?);
        loss += sums.loss;
        entropy += sums.entropy;
        packed_tokens += packed.tree.tokens().len();
        whole_tokens += packed.tree.unshared_tokens();
    }
    if !loss.is_finite() || !applied.grad_norm.is_finite() {
        let what = if loss.is_finite() { "gradient" } else { "loss" };
        return Err(TrainError::Failed(format!(
            "step {}: the {what} is not finite; try a lower optim.lr",
            state.step + 1
        )));
    }
    state.step += 1;
    state.optimiser_steps += 1;
    state.sequences += lengths.len() as u64;
    state.tokens += tokens as u64;
    let seconds = started.elapsed().as_secs_f64();
    let mut metrics = Metrics::default();
    metrics.set("loss", loss);
    metrics.set("entropy", entropy / tokens as f64);
    metrics.set("grad_norm", applied.grad_norm);
    metrics.set("lr", applied.rate);
    metrics.set("epoch", state.sequences as f64 / all as f64);
    metrics.set("num_tokens", state.tokens as f64);
    metrics.set("prefix/token_ratio", whole_tokens as f64 / packed_tokens as f64);
    metrics.set("perf/step_seconds", seconds);
    metrics.set("perf/tokens_per_second", whole_tokens as f64 / seconds);
    Ok(metrics)
}

/// The lessons of each step of the whole run: whole cases, until a step has its number of sequences.
fn steps(order: &mut CaseOrder, lessons: &[Lesson], config: &RunConfig) -> Vec<Vec<usize>> {
    let all: usize = lessons.iter().map(|l| l.group.responses.len()).sum();
    let wanted = (all as f64 * config.raw.sft.epochs).round() as usize;
    let (mut steps, mut open, mut size, mut seen) = (Vec::new(), Vec::new(), 0, 0);
    while seen < wanted {
        for lesson in order.draw(1, &open) {
            open.push(lesson);
            size += lessons[lesson].group.responses.len();
            seen += lessons[lesson].group.responses.len();
        }
        // Fewer cases than a step asks for: all of them.
        if size >= config.raw.sft.sequences_per_step || open.len() == lessons.len() || seen >= wanted {
            steps.push(std::mem::take(&mut open));
            size = 0;
        }
    }
    steps
}

/// Pairs responses with their cases and turns both into tokens.
fn lessons(config: &RunConfig, model: &ModelConfig, tokenizer: &Tokenizer) -> Result<Vec<Lesson>, TrainError> {
    let cases = data::read(&config.raw.data.train)?;
    data::refuse_test_split(&cases, config.raw.data.allow_test_split)?;
    let prompter = data::prompter(config)?;
    let prompted = Prompting { config, model, tokenizer, prompter: &prompter }.prompts(cases, "cases")?;
    if prompted.dropped > 0 {
        eprintln!("attending: {} cases are left out, their prompts are too long", prompted.dropped);
    }
    let index: HashMap<&str, usize> = prompted.cases.iter().enumerate().map(|(i, p)| (p.case.id.as_str(), i)).collect();
    let end = *tokenizer.eos_ids().first().ok_or_else(|| {
        TrainError::Input("the tokenizer names no end token, so no response could be learned to its end".to_owned())
    })?;
    let mut lessons: Vec<Lesson> = prompted
        .cases
        .iter()
        .map(|p| Lesson {
            id: p.case.id.clone(),
            group: TokenGroup { prompt: p.prompt.clone(), responses: Vec::new() },
            weights: Vec::new(),
        })
        .collect();
    let (mut unmatched, mut long) = (0, 0);
    for file in &config.raw.sft.responses {
        for (case, text) in read_responses(file)? {
            let Some(&lesson) = index.get(case.as_str()) else {
                unmatched += 1;
                continue;
            };
            let (mut tokens, mut weights) = weighted(&text, config.raw.sft.answer_weight, tokenizer)?;
            tokens.push(end);
            weights.push(1.0);
            let Lesson { group, weights: all_weights, .. } = &mut lessons[lesson];
            if group.prompt.len() + tokens.len() > model.max_position_embeddings {
                long += 1;
                continue;
            }
            group.responses.push(tokens);
            all_weights.push(weights);
        }
    }
    lessons.retain(|lesson| !lesson.group.responses.is_empty());
    if lessons.is_empty() {
        return Err(TrainError::Input(format!(
            "no response can be learned: {unmatched} name a case that is not there, {long} are longer than the model's \
             context"
        )));
    }
    if unmatched + long > 0 {
        eprintln!(
            "attending: left out {unmatched} responses whose case is not there and {long} beyond the model's context"
        );
    }
    Ok(lessons)
}

/// The tokens of a response with their weights: `answer` for those that touch the content of the last box.
fn weighted(text: &str, answer: f64, tokenizer: &Tokenizer) -> Result<(Vec<u32>, Vec<f64>), TrainError> {
    let [from, to] = boxes(text, [0, text.len()]).pop().unwrap_or_default();
    let tokens = tokenizer.encode_with_spans(text).map_err(save::model_error)?;
    let weight = |[start, end]: [usize; 2]| if start < to && end > from { answer } else { 1.0 };
    Ok(tokens.into_iter().map(|(token, span)| (token, weight(span))).unzip())
}

/// Case id and text of each response of a file that has a text.
fn read_responses(file: &str) -> Result<Vec<(String, String)>, TrainError> {
    let input = |error: attending_datasets::DataError| TrainError::Input(error.to_string());
    let mut records = Records::<Response>::open(Path::new(file), false, |_| Ok(())).map_err(input)?;
    let mut all = Vec::new();
    while let Some(record) = records.next_record() {
        let (_, response) = record.map_err(input)?;
        if let Some(text) = response.text {
            all.push((response.case_id, text));
        }
    }
    if all.is_empty() {
        return Err(TrainError::Input(format!("{file}: holds no responses; expected one JSON record a line")));
    }
    Ok(all)
}
