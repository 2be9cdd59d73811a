//! The loop of reinforcement learning: sample, score, advantages, policy-gradient steps, metrics, checkpoint.
//!
//! Simplifications: one process, one device; sampling and learning take turns; scoring is in parallel but does not
//! overlap with either.

use std::time::Instant;

use attending_datasets::synth::{self, Split};
use attending_rewards::advantage::{Estimator, GroupAdvantage, Rewarded};
use attending_rewards::{Format, Scorer};
use serde_json::{Value, json};

use crate::config::RunConfig;
use crate::model::decoder::Decoder;
use crate::model::folder::{self, Model};
use crate::model::tokenizer::Tokenizer;
use crate::rollout::SamplingParams;

use super::checkpoint;
use super::data::{self, CaseSet, Prompting};
use super::error::TrainError;
use super::first_batch;
use super::held_out::{self, Evaluator};
use super::interrupt::Interrupt;
use super::learner::Learner;
use super::metrics::{Metrics, MetricsLog};
use super::order::CaseOrder;
use super::pack::TokenGroup;
use super::progress::Progress;
use super::report;
use super::rollouts::{self, Group, Sampling};
use super::run_dir::{Lines, RunDir, write_whole};
use super::save;
use super::sft::Ending;
use super::source;
use super::state::{Best, TrainerState};
use super::update::{self, PolicyGroup, UpdateError};

/// Groups of each step that are written to `samples.jsonl` with their checks.
const SAMPLED_GROUPS: usize = 2;
/// With dynamic sampling, batches sampled at most to fill one.
const REFILLS: usize = 4;

/// A scored batch of rollouts.
struct Batch {
    groups: Vec<Group>,
    advantages: Vec<GroupAdvantage>,
    /// Groups that were sampled and left out, since they carried no signal.
    dropped: usize,
}

/// A run in progress.
struct Session<'a> {
    config: &'a RunConfig,
    run: &'a RunDir,
    tokenizer: Tokenizer,
    scorer: Scorer,
    train: CaseSet,
    held_out: CaseSet,
    learner: Learner,
    order: CaseOrder,
    state: TrainerState,
    params: SamplingParams,
    log: MetricsLog,
    samples: Lines,
    progress: Progress,
}

/// Trains in `run`, from its newest checkpoint where `resume` is set.
pub fn run(config: &RunConfig, run: &RunDir, resume: bool, interrupt: &Interrupt) -> Result<Ending, TrainError> {
    let mut session = Session::start(config, run, resume)?;
    let ending = session.train(interrupt);
    session.progress.finish();
    let ending = ending?;
    report::write(run, config, &session.held_out.cases, &session.state)?;
    Ok(ending)
}

/// The cases of a run: those that its files name, or the synthetic clinic's.
pub fn cases(config: &RunConfig) -> Result<(Vec<attending_datasets::Case>, Vec<attending_datasets::Case>), TrainError> {
    let data = &config.raw.data;
    let seed = config.raw.trainer.seed;
    let (train, held_out) = if data.train.is_empty() {
        let held_out = match data.held_out.is_empty() {
            // The same held-out cases for every seed, so that runs compare.
            true => synth::cases(data.synthetic_held_out, 0, Split::HeldOut),
            false => data::read(&data.held_out)?,
        };
        (synth::cases(data.synthetic, seed, Split::Train), held_out)
    } else {
        (data::read(&data.train)?, data::read(&data.held_out)?)
    };
    data::refuse_test_split(&train, data.allow_test_split)?;
    let overlap = data::overlap(&train, &held_out);
    if overlap > 0 {
        eprintln!("attending: warning: {overlap} of {} held-out cases stand in the training cases too", held_out.len());
    }
    Ok((train, held_out))
}

/// What the estimators read of scored groups.
fn rewarded(groups: &[Group]) -> Vec<Vec<Rewarded>> {
    let of = |group: &Group| group.answers.iter().map(|a| Rewarded::new(&a.scored, a.tokens.len())).collect();
    groups.iter().map(of).collect()
}

/// The scorer that the configuration describes, for responses in `format`.
pub fn scorer(config: &RunConfig, format: Option<&str>, eos: Option<String>) -> Result<Scorer, TrainError> {
    let input = |error: attending_rewards::RubricError| TrainError::Input(error.to_string());
    let mut file = config.rubric.clone();
    if let Some(format) = format.and_then(Format::named) {
        file.rubric.format = format;
    }
    if let Some(eos) = eos {
        file.rubric.eos = eos;
    }
    file.scorer().map_err(input)
}

impl<'a> Session<'a> {
    fn start(config: &'a RunConfig, run: &'a RunDir, resume: bool) -> Result<Self, TrainError> {
        let (train, held_out) = cases(config)?;
        let Model { config: model, parameters, tokenizer } = source::load(config)?;
        let prompter = data::prompter(config)?;
        let prompting = Prompting { config, model: &model, tokenizer: &tokenizer, prompter: &prompter };
        let (train, held_out) =
            (prompting.prompts(train, "training cases")?, prompting.prompts(held_out, "held-out cases")?);
        let wanted = config.raw.rollout.prompts_per_step;
        if train.cases.len() < wanted {
            return Err(TrainError::Input(format!(
                "rollout.prompts_per_step is {wanted}, but there are only {} training cases{}; lower it",
                train.cases.len(),
                if train.dropped > 0 { format!(" ({} have too long prompts)", train.dropped) } else { String::new() }
            )));
        }
        let mut order = CaseOrder::new(config.raw.trainer.seed, train.cases.iter().map(|c| c.case.id.as_str()));
        let start = TrainerState::start("train", config, order.fingerprint(), source::fingerprint(&parameters));
        let (state, parameters, moments, reference) = {
            let from = if resume { checkpoint::newest(run) } else { None };
            let reference = config.policy.kl.map(|_| Decoder::new(model.clone(), parameters.clone()));
            match from {
                Some((step, path)) => {
                    let state = TrainerState::read(&path, &start)?;
                    let trained = folder::load(&path).map_err(save::model_error)?.parameters;
                    run.cut_back(Some(step))?;
                    (state, trained, Some(save::read_optimiser(&path, &model)?), reference)
                }
                None => {
                    run.cut_back(None)?;
                    (start, parameters, None, reference)
                }
            }
        };
        order.set_cursor(state.cursor);
        write_whole(&run.config(), config.to_toml().as_bytes())?;
        let rollout = &config.raw.rollout;
        let total = (config.raw.trainer.steps * config.raw.objective.steps_per_batch) as u64;
        let mut learner = Learner::new(Decoder::new(model, parameters), moments, config, total, rollout.temperature)?;
        if let Some(reference) = reference {
            learner.keep_reference(reference)?;
        }
        let eos = tokenizer.eos_ids().first().and_then(|&id| tokenizer.decode_with_special(&[id]).ok());
        let session = Self {
            config,
            run,
            scorer: scorer(config, train.response_format, eos)?,
            tokenizer,
            learner,
            order,
            params: SamplingParams {
                temperature: rollout.temperature,
                top_p: rollout.top_p,
                top_k: rollout.top_k,
                max_new_tokens: rollout.max_new_tokens,
            },
            log: MetricsLog::open(run)?,
            samples: Lines::append_to(&run.samples())?,
            progress: Progress::new(config.raw.trainer.steps as u64, state.step),
            state,
            train,
            held_out,
        };
        session.introduce();
        Ok(session)
    }

    fn introduce(&self) {
        let (decoder, raw) = (&self.learner.decoder, &self.config.raw);
        let dropped = |set: &CaseSet| match set.dropped {
            0 => String::new(),
            n => format!(" ({n} left out, too long)"),
        };
        self.progress.line(&format!(
            "model {} ({:.1} M weights), {} training cases{}, {} held out{}, {} steps of {} prompts x {} responses, run {}",
            raw.model.path,
            decoder.parameters.count() as f64 / 1e6,
            self.train.cases.len(),
            dropped(&self.train),
            self.held_out.cases.len(),
            dropped(&self.held_out),
            raw.trainer.steps,
            raw.rollout.prompts_per_step,
            raw.rollout.group_size,
            self.run.path().display(),
        ));
        if self.state.step > 0 {
            self.progress.line(&format!("continuing after step {}", self.state.step));
        }
    }

    fn train(&mut self, interrupt: &Interrupt) -> Result<Ending, TrainError> {
        let trainer = &self.config.raw.trainer;
        let total = trainer.steps as u64;
        let due = |every: usize, step: u64| step == total || every > 0 && step.is_multiple_of(every as u64);
        if self.state.step == 0 {
            let mut metrics = Metrics::default();
            self.evaluate(&mut metrics)?;
            self.log.write(0, &metrics)?;
        }
        while self.state.step < total {
            let mut metrics = self.step()?;
            let step = self.state.step;
            if due(trainer.eval_every, step) {
                self.evaluate(&mut metrics)?;
            }
            self.log.write(step, &metrics)?;
            self.progress.step(&summary(&metrics));
            if due(trainer.save_every, step) || interrupt.requested() {
                save::save(self.run, &self.state, &self.learner, &self.tokenizer, trainer.keep)?;
            }
            if interrupt.requested() && step < total {
                return Ok(Ending::Interrupted);
            }
        }
        Ok(Ending::Done)
    }

    /// One batch: rollouts, advantages, optimiser steps.
    fn step(&mut self) -> Result<Metrics, TrainError> {
        let step = self.state.step + 1;
        let started = Instant::now();
        self.progress.doing("sampling and scoring");
        let batch = self.batch(step)?;
        let sampled = started.elapsed().as_secs_f64();
        let mut metrics = rollouts::figures(&batch.groups, "");
        let silent = batch.advantages.iter().filter(|a| !a.carries_signal()).count();
        let all = batch.groups.len() + batch.dropped;
        metrics.set("frac_reward_zero_std", (silent + batch.dropped) as f64 / all.max(1) as f64);
        if self.config.raw.objective.dynamic_sampling {
            metrics.set("dynamic_sampling/dropped", batch.dropped as f64);
        }
        self.refuse_unscorable(step, &batch.groups)?;
        self.write_samples(step, &batch)?;
        self.ascend(&batch.groups, &mut metrics);
        let groups = self.policy_groups(&batch);
        if step == 1 && self.config.raw.check.first_batch {
            self.check_first_batch(&groups, &mut metrics)?;
        }
        self.progress.doing("learning");
        let learning = Instant::now();
        let (learned, members): (Vec<PolicyGroup>, Vec<usize>) = groups.into_iter().unzip();
        let updated = update::update(&mut self.learner, &learned, self.config).map_err(|error| match error {
            UpdateError::Other(error) => error,
            UpdateError::NotFinite(found) => {
                let group = &batch.groups[members[found.group]];
                match self.save_offender(step, group, &learned[found.group], found.what) {
                    Ok(error) | Err(error) => error,
                }
            }
        })?;
        let answers = || batch.groups.iter().flat_map(|g| &g.answers);
        self.state.step = step;
        self.state.optimiser_steps += updated.steps;
        self.state.sequences += answers().count() as u64;
        self.state.tokens += updated.tokens as u64;
        self.state.cursor = self.order.cursor();
        metrics.extend(updated.metrics);
        metrics.set("num_tokens", self.state.tokens as f64);
        let seconds = started.elapsed().as_secs_f64();
        let tokens: usize = answers().map(|a| a.tokens.len()).sum();
        metrics.set("perf/tokens_per_second", tokens as f64 / seconds);
        metrics.set("perf/rollout_seconds", sampled);
        metrics.set("perf/update_seconds", learning.elapsed().as_secs_f64());
        metrics.set("perf/step_seconds", seconds);
        Ok(metrics)
    }

    /// Samples and scores a batch; with dynamic sampling, groups without signal are replaced a few times.
    fn batch(&mut self, step: u64) -> Result<Batch, TrainError> {
        let rollout = &self.config.raw.rollout;
        let dynamic = self.config.raw.objective.dynamic_sampling;
        let sampling = Sampling {
            group_size: rollout.group_size,
            params: self.params.clone(),
            seed: self.config.raw.trainer.seed,
            step,
        };
        let (mut kept, mut seen, mut dropped): (Vec<Group>, Vec<usize>, usize) = (Vec::new(), Vec::new(), 0);
        for _ in 0..REFILLS {
            let indices = self.order.draw(rollout.prompts_per_step - kept.len(), &seen);
            seen.extend(&indices);
            let groups =
                rollouts::sample(&self.learner, &self.tokenizer, &self.scorer, &self.train.cases, &indices, &sampling)?;
            if !dynamic {
                kept = groups;
                break;
            }
            let signals = self.advantages(&groups)?;
            let drawn = groups.len();
            kept.extend(groups.into_iter().zip(signals).filter(|(_, a)| a.carries_signal()).map(|(g, _)| g));
            dropped = seen.len() - kept.len();
            if kept.len() == rollout.prompts_per_step || drawn == 0 {
                break;
            }
        }
        let advantages = self.advantages(&kept)?;
        Ok(Batch { groups: kept, advantages, dropped })
    }

    fn advantages(&self, groups: &[Group]) -> Result<Vec<GroupAdvantage>, TrainError> {
        let advantages = self.config.advantage.advantages_under(&self.state.multipliers, &rewarded(groups));
        advantages.map_err(|error| TrainError::Failed(error.to_string()))
    }

    /// One step of dual ascent, after the batch's advantages; nothing but `constrained` has multipliers to move.
    fn ascend(&mut self, groups: &[Group], metrics: &mut Metrics) {
        let advantage = &self.config.advantage;
        if advantage.estimator != Estimator::Constrained {
            return;
        }
        self.state.multipliers.ascend(&advantage.constrained, &rewarded(groups));
        for objective in advantage.constrained.constraints.keys() {
            metrics.set(format!("multipliers/{}", objective.name()), self.state.multipliers.of(*objective));
        }
    }

    /// What is trained of each group, with the group's index in the batch.
    fn policy_groups(&self, batch: &Batch) -> Vec<(PolicyGroup, usize)> {
        let mask = self.config.raw.objective.mask_truncated;
        let mut all = Vec::new();
        for (index, (group, advantage)) in batch.groups.iter().zip(&batch.advantages).enumerate() {
            let trained: Vec<usize> = (0..group.answers.len())
                .filter(|&i| !(group.answers[i].tokens.is_empty() || mask && group.answers[i].truncated))
                .collect();
            if trained.is_empty() {
                continue;
            }
            let answers = || trained.iter().map(|&i| &group.answers[i]);
            let tokens = TokenGroup {
                prompt: self.train.cases[group.case].prompt.clone(),
                responses: answers().map(|a| a.tokens.clone()).collect(),
            };
            let sampled = answers().map(|a| a.sampled.clone()).collect();
            let advantages = trained.iter().map(|&i| advantage.advantages[i]).collect();
            all.push((PolicyGroup { tokens, sampled, advantages }, index));
        }
        all
    }

    fn check_first_batch(&mut self, groups: &[(PolicyGroup, usize)], metrics: &mut Metrics) -> Result<(), TrainError> {
        let tokens: Vec<TokenGroup> = groups.iter().map(|(g, _)| g.tokens.clone()).collect();
        let compared = first_batch::compare(&mut self.learner, &tokens)?;
        let Some(difference) = compared else { return Ok(()) };
        metrics.set("check/log_prob_difference", difference.log_prob);
        metrics.set("check/gradient_difference", difference.gradient);
        self.progress.line(&format!(
            "shared prefix against plain sequences: log-probabilities differ by at most {:.1e}, gradients by {:.1e}",
            difference.log_prob, difference.gradient
        ));
        first_batch::judge(difference, self.config)
    }

    fn refuse_unscorable(&self, step: u64, groups: &[Group]) -> Result<(), TrainError> {
        let answers: Vec<_> = groups.iter().flat_map(|g| &g.answers).collect();
        let reasons: Vec<&str> = answers.iter().filter_map(|a| rollouts::unscorable(&a.scored)).collect();
        let share = reasons.len() as f64 / answers.len().max(1) as f64;
        let limit = self.config.raw.rewards.max_unscorable;
        if share <= limit {
            return Ok(());
        }
        let most = |reason: &&&str| reasons.iter().filter(|r| r == reason).count();
        let reason = reasons.iter().max_by_key(most).copied().unwrap_or_default().to_owned();
        Err(TrainError::Unscorable { step, share: 100.0 * share, limit: 100.0 * limit, reason })
    }

    fn write_samples(&mut self, step: u64, batch: &Batch) -> Result<(), TrainError> {
        let mut records = Vec::new();
        for (group, advantage) in batch.groups.iter().zip(&batch.advantages).take(SAMPLED_GROUPS) {
            for (answer, advantage) in group.answers.iter().zip(&advantage.advantages) {
                records.push(json!({
                    "step": step,
                    "case_id": answer.scored.case_id,
                    "sample": answer.sample,
                    "text": answer.text,
                    "finish_reason": if answer.truncated { "length" } else { "stop" },
                    "advantage": advantage,
                    "scored": serde_json::to_value(&answer.scored).unwrap_or(Value::Null),
                }));
            }
        }
        Ok(self.samples.write(&records)?)
    }

    /// Saves what made a number go wrong, and words the error.
    fn save_offender(
        &self,
        step: u64,
        group: &Group,
        trained: &PolicyGroup,
        what: &'static str,
    ) -> Result<TrainError, TrainError> {
        let case = &self.train.cases[group.case].case;
        let file = self.run.path().join(format!("not-finite-step-{step:06}.json"));
        let record = json!({
            "step": step,
            "what": what,
            "case": case,
            "prompt_tokens": trained.tokens.prompt,
            "responses": group.answers.iter().map(|a| json!({
                "sample": a.sample, "text": a.text, "tokens": a.tokens, "scored": a.scored,
            })).collect::<Vec<_>>(),
            "advantages": trained.advantages,
        });
        write_whole(&file, format!("{record:#}\n").as_bytes())?;
        Ok(TrainError::NotFinite { step, what, case: case.id.clone(), file })
    }

    /// Evaluates on the held-out cases, adds the figures, and remembers the best.
    fn evaluate(&mut self, metrics: &mut Metrics) -> Result<(), TrainError> {
        if self.held_out.cases.is_empty() {
            return Ok(());
        }
        self.progress.doing("evaluating on the held-out cases");
        let step = self.state.step;
        let total = self.config.raw.trainer.steps as u64;
        let evaluator = Evaluator {
            cases: &self.held_out.cases,
            scorer: &self.scorer,
            tokenizer: &self.tokenizer,
            params: &self.params,
            seed: self.config.raw.trainer.seed,
        };
        let started = Instant::now();
        // Greedy answers frame the run: they cost as much as sampled ones and say little in between.
        let (records, figures) = evaluator.run(&self.learner, step, step == 0 || step == total)?;
        held_out::write(self.run, step, &records)?;
        if let Some(reward) = figures.get("eval/reward") {
            if self.state.best.is_none_or(|best| reward > best.reward) {
                self.state.best = Some(Best { step, reward });
            }
            self.progress.line(&format!("held out after step {step}: {}", evaluation(&figures)));
        }
        metrics.extend(figures);
        metrics.set("perf/eval_seconds", started.elapsed().as_secs_f64());
        Ok(())
    }
}

/// The figures of a step in a few words.
fn summary(metrics: &Metrics) -> String {
    let figures = [
        ("reward", "reward"),
        ("acc", "rewards/accuracy/mean"),
        ("faith", "rewards/faithfulness/mean"),
        ("compr", "rewards/comprehensiveness/mean"),
        ("kl", "kl"),
        ("len", "completions/mean_length"),
    ];
    words(metrics, &figures)
}

/// The figures of an evaluation in a few words.
fn evaluation(metrics: &Metrics) -> String {
    let figures = [
        ("reward", "eval/reward"),
        ("accuracy", "eval/rewards/accuracy/mean"),
        ("faithfulness", "eval/rewards/faithfulness/mean"),
        ("comprehensiveness", "eval/rewards/comprehensiveness/mean"),
        ("greedy accuracy", "eval/greedy/accuracy"),
    ];
    words(metrics, &figures)
}

fn words(metrics: &Metrics, figures: &[(&str, &str)]) -> String {
    let known = figures.iter().filter_map(|(word, name)| Some((word, metrics.get(name)?)));
    known
        .map(
            |(word, value)| {
                if value.abs() < 100.0 { format!("{word} {value:.3}") } else { format!("{word} {value:.0}") }
            },
        )
        .collect::<Vec<_>>()
        .join("  ")
}
