//! Question 4: which tricks would pay, and which single faults go unnoticed, on the user's own cases.

use std::collections::BTreeMap;
use std::sync::Arc;

use attending_datasets::Case;
use attending_rewards::probe::{Edit, edits, tricks};
use attending_rewards::sections::sections;
use attending_rewards::{Format, Objective, Response, Scored, Scorer};
use rayon::prelude::*;
use serde::Serialize;

use super::AuditError;
use super::distribution::RESAMPLES;
use super::finding::Findings;
use super::pass::Held;
use super::reward_function::Judge;
use super::thresholds::Thresholds;
use crate::stats::{Bootstrap, Interval, Observation};

/// A trick or an edit over the sampled cases.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probe {
    /// What was tried.
    pub name: &'static str,
    /// Whether one fault was put into a right response; else the whole response is a trick.
    pub edit: bool,
    /// Cases on which it could be tried.
    pub cases: usize,
    /// Reward of the probe less the mean reward of the case's right responses (of the unedited one, for edits).
    pub gap: Option<Interval>,
    /// Tricks: share of cases in which it earns at least as much. Edits: share in which the objective that must fall does not.
    pub passed: f64,
    /// What must fall, for edits: an objective, or the reward of a function that gives no more.
    pub falls: Option<&'static str>,
    /// Mean gap of each objective.
    pub objectives: BTreeMap<Objective, f64>,
}

/// One try of a probe.
struct Try {
    name: &'static str,
    falls: Option<&'static str>,
    case: String,
    gap: f64,
    passed: bool,
    objectives: BTreeMap<Objective, f64>,
}

/// A try before it is scored: the text, and for edits the text before it was edited.
struct Planned {
    name: &'static str,
    falls: Option<Objective>,
    before: Option<String>,
    text: String,
}

/// The right responses of a case with their scores.
struct Honest<'h> {
    case: &'h Arc<Case>,
    texts: Vec<Option<String>>,
    scores: Vec<Scored>,
}

/// Right responses of the sampled cases against each probe. Empty where no case has a right response to compare with.
/// Probes are written in tags: the judge asks for those, whatever `format` the responses have.
pub(super) fn probes(
    judge: Judge<'_>,
    format: Format,
    held: &[Vec<Held>],
    seed: u64,
) -> Result<Vec<Probe>, AuditError> {
    let honest = honest(judge, format, held)?;
    let planned: Vec<Vec<Planned>> = honest.par_iter().map(|honest| planned(judge.scorer, honest, seed)).collect();
    let mut work = Vec::new();
    for (honest, planned) in honest.iter().zip(&planned) {
        let texts = planned.iter().flat_map(|planned| planned.before.iter().chain([&planned.text]));
        work.extend(texts.map(|text| item(honest.case, text)));
    }
    let mut scores = judge.score(&work)?.into_iter();
    let mut tries = Vec::new();
    for (honest, planned) in honest.iter().zip(planned) {
        for planned in planned {
            let before = planned.before.as_ref().and_then(|_| scores.next());
            let Some(after) = scores.next() else { break };
            tries.extend(match &before {
                Some(before) => edit(judge, &planned, honest, before, &after),
                None => trick(&planned, honest, &after),
            });
        }
    }
    let mut names: Vec<(&'static str, Option<&'static str>)> = Vec::new();
    tries.iter().for_each(|t| {
        if !names.contains(&(t.name, t.falls)) {
            names.push((t.name, t.falls));
        }
    });
    // Tricks before edits, each in the order in which they are tried.
    names.sort_by_key(|(_, falls)| falls.is_some());
    Ok(names.into_iter().map(|(name, falls)| summary(name, falls, &tries, seed)).collect())
}

fn summary(name: &'static str, falls: Option<&'static str>, tries: &[Try], seed: u64) -> Probe {
    let of: Vec<&Try> = tries.iter().filter(|t| t.name == name && t.falls == falls).collect();
    let gaps: Vec<Observation> = of.iter().map(|t| Observation { question: &t.case, value: t.gap }).collect();
    let objective = |o: Objective| Some((o, mean(of.iter().filter_map(|t| t.objectives.get(&o).copied()))?));
    Probe {
        name,
        edit: falls.is_some(),
        cases: of.len(),
        gap: Bootstrap { resamples: RESAMPLES, seed }.mean(&gaps),
        passed: of.iter().filter(|t| t.passed).count() as f64 / of.len().max(1) as f64,
        falls,
        objectives: Objective::ALL.into_iter().filter_map(objective).collect(),
    }
}

/// The response in think/answer tags with a boxed letter, which is what edits work on.
fn in_tags(held: &Held, format: Format) -> Option<String> {
    let key = held.case.answer.keys.first()?;
    let text = held.response.text.as_deref().unwrap_or_default();
    let reasoning = match &held.response.reasoning {
        Some(reasoning) => reasoning.as_str(),
        None => text.get(sections(text, format).reasoning.map(|[from, to]| from..to)?)?,
    };
    Some(format!("<think>{}</think><answer>\\boxed{{{key}}}</answer>", reasoning.trim()))
}

fn item(case: &Arc<Case>, text: &str) -> (Arc<Case>, Response) {
    (case.clone(), Response { case_id: case.id.clone(), text: Some(text.to_owned()), ..Response::default() })
}

/// The cases with right responses that have a reward. They are scored in tags too, so that the layout of the responses
/// decides nothing; one without reasoning stands as it is.
fn honest<'h>(judge: Judge<'_>, format: Format, held: &'h [Vec<Held>]) -> Result<Vec<Honest<'h>>, AuditError> {
    let right = |unit: &'h Vec<Held>| -> Vec<&'h Held> {
        unit.iter().filter(|held| value(&held.scored, Objective::Accuracy) == Some(1.0)).collect()
    };
    let mut honest = Vec::new();
    let mut work = Vec::new();
    for right in held.iter().map(right).filter(|right| !right.is_empty()) {
        let case = &right[0].case;
        let texts: Vec<Option<String>> = right.iter().map(|held| in_tags(held, format)).collect();
        work.extend(texts.iter().flatten().map(|text| item(case, text)));
        honest.push(Honest { case, texts, scores: right.iter().map(|held| held.scored.clone()).collect() });
    }
    let mut scored = judge.score(&work)?.into_iter();
    for honest in &mut honest {
        for (score, _) in honest.scores.iter_mut().zip(&honest.texts).filter(|(_, text)| text.is_some()) {
            if let Some(scored) = scored.next() {
                *score = scored;
            }
        }
    }
    honest.retain(|honest| honest.scores.iter().any(|scored| scored.reward.is_some()));
    Ok(honest)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// Every trick on a case, and every edit of its best right response, which has the most to lose.
fn planned(scorer: &Scorer, honest: &Honest<'_>, seed: u64) -> Vec<Planned> {
    let case = honest.case;
    let evidence = scorer.index(case);
    let tricks = tricks(case, &evidence, scorer.lexicon()).into_iter();
    let mut planned: Vec<Planned> =
        tricks.map(|t| Planned { name: t.name, falls: None, before: None, text: t.text }).collect();
    let reward = |at: &usize| honest.scores[*at].reward.unwrap_or(0.0);
    let best = (0..honest.scores.len()).max_by(|a, b| reward(a).total_cmp(&reward(b)));
    if let Some(base) = best.and_then(|at| honest.texts[at].as_ref()) {
        let input = Edit { case, evidence: &evidence, response: base, lexicon: scorer.lexicon(), seed };
        planned.extend(edits(&input).into_iter().map(|variant| Planned {
            name: variant.name,
            falls: Some(variant.falls),
            before: Some(variant.base),
            text: variant.text,
        }));
    }
    planned
}

/// `None` where the trick has no reward.
fn trick(planned: &Planned, honest: &Honest<'_>, scored: &Scored) -> Option<Try> {
    let reward = scored.reward?;
    let right = mean(honest.scores.iter().filter_map(|scored| scored.reward))?;
    let gap = |o: Objective| Some((o, value(scored, o)? - mean(honest.scores.iter().filter_map(|s| value(s, o)))?));
    Some(Try {
        name: planned.name,
        falls: None,
        case: honest.case.id.clone(),
        gap: reward - right,
        passed: reward >= right,
        objectives: Objective::ALL.into_iter().filter_map(gap).collect(),
    })
}

/// `None` where the objective, or the reward, applies to one side alone. Of a foreign function the reward must fall.
fn edit(judge: Judge<'_>, planned: &Planned, honest: &Honest<'_>, before: &Scored, after: &Scored) -> Option<Try> {
    let gap = |o: Objective| Some((o, value(after, o)? - value(before, o)?));
    let objective = planned.falls?;
    let (moved, rewards) = (gap(objective), after.reward? - before.reward?);
    let (falls, moved) = match judge.function {
        Some(_) => ("reward", rewards),
        None => (objective.name(), moved?.1),
    };
    Some(Try {
        name: planned.name,
        falls: Some(falls),
        case: honest.case.id.clone(),
        gap: rewards,
        passed: moved >= -1e-12,
        objectives: Objective::ALL.into_iter().filter_map(gap).collect(),
    })
}

pub(super) fn value(scored: &Scored, objective: Objective) -> Option<f64> {
    scored.objectives.get(&objective).copied().flatten()
}

pub(super) fn findings(probes: &[Probe], limits: &Thresholds, findings: &mut Findings) {
    for probe in probes {
        let percent = 100.0 * probe.passed;
        let part = ((probe.passed * probe.cases as f64).round() as usize, probe.cases);
        match probe.falls {
            None => findings.share((4, "probes.paid"), part, limits.paid, || {
                format!(
                    "the trick `{}` earns as much as the right responses in {percent:.1} % of {} cases",
                    probe.name, probe.cases
                )
            }),
            Some(falls) => findings.share((4, "probes.unnoticed"), part, limits.unnoticed, || {
                format!("`{}` leaves {falls} as it was in {percent:.1} % of {} responses", probe.name, probe.cases)
            }),
        }
    }
}
