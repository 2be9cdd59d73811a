//! Question 5: does the reward read the response, the evidence and the gold answer at all? Each is exchanged, and what
//! should have read it must fall.

use std::sync::Arc;

use attending_datasets::{Answer, Case};
use attending_rewards::sections::sections;
use attending_rewards::{Objective, Response, Scored, Scorer};
use rayon::prelude::*;
use serde::Serialize;

use super::AuditError;
use super::distribution::RESAMPLES;
use super::finding::Findings;
use super::pass::Held;
use super::probes::value;
use super::reward_function::Judge;
use super::thresholds::Thresholds;
use crate::stats::{Bootstrap, Interval, Observation};

/// Cases whose exchanged copies are in memory at once.
const TOGETHER: usize = 32;

/// What is exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exchanged {
    /// The gold answer, for another case's.
    Gold,
    /// Documents and question, for another case's.
    Evidence,
    /// The reasoning, for nothing.
    Reasoning,
    /// The whole response, for one to another case.
    Response,
}

impl Exchanged {
    /// Each with the objectives that must fall.
    const ALL: [(Exchanged, &'static [Objective]); 4] = [
        (Self::Gold, &[Objective::Accuracy]),
        (Self::Evidence, &[Objective::Faithfulness]),
        (Self::Reasoning, &[Objective::Comprehensiveness]),
        (Self::Response, &[Objective::Faithfulness, Objective::Comprehensiveness]),
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gold => "gold answer of another case",
            Self::Evidence => "evidence of another case",
            Self::Reasoning => "reasoning removed",
            Self::Response => "response to another case",
        }
    }
}

/// What an exchange did to an objective, over the responses that had something to lose.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Exchange {
    /// What was exchanged.
    pub exchanged: Exchanged,
    /// The objective that must fall, or the reward of a function that gives no more.
    pub objective: &'static str,
    /// Responses with a value above 0 before, and with one after.
    pub responses: usize,
    /// Its mean before.
    pub before: f64,
    /// Its mean after.
    pub after: f64,
    /// What it lost, clustered by case.
    pub drop: Option<Interval>,
}

/// Runs every exchange on the sampled cases. Of a foreign function the reward must fall with each.
pub(super) fn exchanges(judge: Judge<'_>, held: &[Vec<Held>], seed: u64) -> Result<Vec<Exchange>, AuditError> {
    let mut found = Vec::new();
    for (exchanged, objectives) in Exchanged::ALL {
        let (mut own, mut after): (Vec<&Held>, Vec<Scored>) = (Vec::new(), Vec::new());
        for (part, units) in held.chunks(TOGETHER).enumerate() {
            let pairs: Vec<(&Held, (Arc<Case>, Response))> = units
                .par_iter()
                .enumerate()
                .flat_map_iter(|(at, unit)| {
                    let at = part * TOGETHER + at;
                    // The next cases in the order of the sample, which is that of their ids' hashes.
                    let others = (1..held.len()).filter_map(move |next| held[(at + next) % held.len()].first());
                    unit.iter().filter_map(move |own| {
                        let (case, response) = exchange(exchanged, own, others.clone(), judge.scorer)?;
                        Some((own, (Arc::new(case), response)))
                    })
                })
                .collect();
            let (of, work): (Vec<&Held>, Vec<_>) = pairs.into_iter().unzip();
            after.append(&mut judge.score(&work)?);
            own.extend(of);
        }
        let pairs = || own.iter().zip(&after).map(|(own, after)| (own.case.id.as_str(), &own.scored, after));
        if judge.function.is_some() {
            let values = pairs().filter_map(|(case, before, after)| Some((case, before.reward?, after.reward?)));
            found.extend(summary(exchanged, "reward", values, seed));
            continue;
        }
        for objective in objectives {
            let values = pairs().filter_map(|(case, before, after)| {
                Some((case, value(before, *objective)?, value(after, *objective)?))
            });
            found.extend(summary(exchanged, objective.name(), values, seed));
        }
    }
    Ok(found)
}

/// Of case, value before and value after, where there was something to lose; `None` where nowhere.
fn summary<'c>(
    exchanged: Exchanged,
    objective: &'static str,
    values: impl Iterator<Item = (&'c str, f64, f64)>,
    seed: u64,
) -> Option<Exchange> {
    let values: Vec<(&str, f64, f64)> = values.filter(|(_, before, _)| *before > 0.0).collect();
    let mean = |of: fn(&(&str, f64, f64)) -> f64| values.iter().map(of).sum::<f64>() / values.len() as f64;
    let drops: Vec<Observation> =
        values.iter().map(|(case, before, after)| Observation { question: case, value: before - after }).collect();
    (!values.is_empty()).then(|| Exchange {
        exchanged,
        objective,
        responses: values.len(),
        before: mean(|v| v.1),
        after: mean(|v| v.2),
        drop: Bootstrap { resamples: RESAMPLES, seed }.mean(&drops),
    })
}

/// The case and the response after the exchange; `None` where nothing suits.
fn exchange<'h>(
    exchanged: Exchanged,
    own: &'h Held,
    mut others: impl Iterator<Item = &'h Held>,
    scorer: &Scorer,
) -> Option<(Case, Response)> {
    let (mut case, mut response) = (Case::clone(&own.case), own.response.clone());
    match exchanged {
        Exchanged::Gold => case.answer = others.find_map(|other| suiting(&own.case, &other.case.answer))?,
        Exchanged::Evidence => {
            let other = others.find(|other| other.case.question != own.case.question)?;
            (case.context, case.question) = (other.case.context.clone(), other.case.question.clone());
        }
        Exchanged::Response => {
            let other = others.find(|other| other.case.id != own.case.id)?;
            (response.text, response.reasoning) = (other.response.text.clone(), other.response.reasoning.clone());
        }
        Exchanged::Reasoning => {
            let text = response.text.as_deref().unwrap_or_default();
            if response.reasoning.take().is_none() {
                let [from, to] = sections(text, scorer.rubric().format).reasoning.filter(|[from, to]| from < to)?;
                response.text = Some(format!("{}{}", text.get(..from)?, text.get(to..)?));
            }
        }
    }
    Some((case, response))
}

/// The other case's gold where it is another answer that this case could have.
fn suiting(case: &Case, other: &Answer) -> Option<Answer> {
    let named =
        |key: &String| case.options.iter().any(|option| option.key == *key || option.value.as_ref() == Some(key));
    let suits = *other != case.answer
        && other.number.is_some() == case.answer.number.is_some()
        && other.texts.is_empty() == case.answer.texts.is_empty()
        && other.keys.len() == case.answer.keys.len()
        && other.date.is_some() == case.answer.date.is_some()
        && other.weeks_days.is_some() == case.answer.weeks_days.is_some()
        && (case.options.is_empty() || other.keys.iter().all(named));
    suits.then(|| other.clone())
}

pub(super) fn findings(exchanges: &[Exchange], limits: &Thresholds, findings: &mut Findings) {
    for exchange in exchanges {
        let most = exchange.drop.map_or(f64::INFINITY, |drop| drop.high);
        findings.below((5, "reading.drop"), most, limits.drop, || {
            format!(
                "{} does not read what it should: with the {} it goes from {:.3} to {:.3}",
                exchange.objective,
                exchange.exchanged.name(),
                exchange.before,
                exchange.after
            )
        });
    }
}
