//! Single edits and tricks on real, correct completions.

use std::collections::BTreeMap;
use std::sync::Arc;

use attending_datasets::loaders::mirage;
use attending_datasets::{Case, DataError};

use super::statistic::{Judged, Random, auroc, mean};
use super::{Report, Settings, find};
use crate::evidence::EvidenceIndex;
use crate::lexicon::Lexicon;
use crate::probe::{EDITS, Edit, edits, tricks};
use crate::{Objective, Preset, Response, Rubric, Scored, Scorer};

/// A case with an honest response: a completion that is right, in think/answer tags.
struct Honest {
    case: Case,
    evidence: EvidenceIndex,
    text: String,
}

/// The reasoning and the letter of a completion in MIRAGE's JSON.
fn parts(completion: &str) -> Option<(String, String)> {
    let value: serde_json::Value = serde_json::from_str(completion).ok()?;
    let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
    Some((text("step_by_step_thinking")?, text("answer_choice")?))
}

/// Right completions over cases with evidence, at most `limit`, in an order that a seed draws.
fn honest(settings: &Settings, scorer: &Scorer, report: &mut Report) -> Result<Vec<Honest>, DataError> {
    let mut pairs = Vec::new();
    for (cases, name) in [("medqa/us_4opt_test.jsonl", "medqa"), ("mmlu_medical/test.jsonl", "mmlu")] {
        let predictions = format!("mirage/predictions/{name}.cot.gpt-35-turbo-16k.jsonl.gz");
        if let (Some(cases), Some(predictions)) = (find(settings, cases, report), find(settings, &predictions, report))
        {
            pairs.extend(mirage::pairs(&cases, &predictions)?);
        }
    }
    let mut random = Random::new(7);
    for at in (1..pairs.len()).rev() {
        pairs.swap(at, random.below(at + 1));
    }
    let mut found = Vec::new();
    for (case, completion) in pairs {
        let Some((reasoning, letter)) = completion.text.as_deref().and_then(parts) else { continue };
        let evidence = scorer.index(&case);
        let right = case.answer.keys.first() == Some(&letter);
        if right && evidence.has_evidence() && evidence.clinical() >= 3 && reasoning.len() > 200 {
            let text = format!("<think>{reasoning}</think><answer>\\boxed{{{letter}}}</answer>");
            found.push(Honest { case, evidence, text });
        }
        if found.len() >= settings.cases {
            break;
        }
    }
    Ok(found)
}

fn value(scored: &Scored, objective: Objective) -> Option<f64> {
    scored.objectives.get(&objective).copied().flatten()
}

/// The evidence's own sentences as reasoning, and the completion's after them: a base with many facts to change.
fn restated(honest: &Honest) -> String {
    let sentences = honest.case.question.split_inclusive(". ").filter(|sentence| !sentence.contains('?'));
    let facts: String = sentences.collect();
    honest.text.replacen("<think>", &format!("<think>{} ", facts.trim()), 1)
}

pub(super) fn probes(settings: &Settings, lexicon: Arc<Lexicon>, report: &mut Report) -> Result<(), DataError> {
    let scorer = Scorer::with_lexicon(Rubric::default(), lexicon);
    let published = Scorer::new(Rubric::preset(Preset::ClinicalR1));
    let honest = honest(settings, &scorer, report)?;
    if honest.is_empty() {
        return Ok(());
    }
    single_edits(&honest, &scorer, report);
    all_tricks(&honest, &scorer, &published, report);
    Ok(())
}

fn score(scorer: &Scorer, honest: &Honest, text: &str) -> Scored {
    let response = Response { text: Some(text.to_owned()), ..Response::default() };
    scorer.score(&honest.case, &honest.evidence, &response)
}

fn single_edits(all: &[Honest], scorer: &Scorer, report: &mut Report) {
    // Of each edit: whether the objective fell (ties half), the raw scores, the drift of the others.
    let mut fell: BTreeMap<&str, Vec<(usize, f64)>> = BTreeMap::new();
    let mut raw: BTreeMap<&str, Vec<(usize, f64, f64)>> = BTreeMap::new();
    let mut drift: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    for (at, honest) in all.iter().enumerate() {
        for base in [honest.text.clone(), restated(honest)] {
            let input = Edit {
                case: &honest.case,
                evidence: &honest.evidence,
                response: &base,
                lexicon: scorer.lexicon(),
                seed: 11,
            };
            for variant in edits(&input) {
                let (before, after) = (score(scorer, honest, &variant.base), score(scorer, honest, &variant.text));
                if let (Some(a), Some(b)) = (value(&before, variant.falls), value(&after, variant.falls)) {
                    let outcome = if (a - b).abs() < 1e-12 { 0.5 } else { f64::from(u8::from(a > b)) };
                    if outcome < 1.0 {
                        report.fail(
                            &honest.case.id,
                            format!(
                                "edit {} | {} | {a:.2} to {b:.2} | {}",
                                variant.name,
                                honest.case.id,
                                changed(&variant.base, &variant.text)
                            ),
                        );
                    }
                    fell.entry(variant.name).or_default().push((at, outcome));
                    raw.entry(variant.name).or_default().push((at, a, b));
                }
                for objective in Objective::ALL.into_iter().filter(|o| !variant.may_move.contains(o)) {
                    if let (Some(a), Some(b)) = (value(&before, objective), value(&after, objective)) {
                        drift.entry((variant.name, objective.name())).or_default().push((a - b).abs());
                    }
                }
            }
        }
    }
    let record = |at: usize, score: f64| Judged { unit: &all[at].case.id, truth: 1.0, score, fixed: 0.0 };
    let mut whole = Vec::new();
    for name in EDITS {
        let Some(outcomes) = fell.get(name) else {
            report.notes.push(format!("edit `{name}`: no response gave a place for it"));
            continue;
        };
        let records: Vec<Judged> = outcomes.iter().map(|(at, outcome)| record(*at, *outcome)).collect();
        whole.extend(records.iter().copied());
        let falls = format!("{name}: its objective falls, AUROC within pairs");
        report.add(("edits", &falls), mean, &records, &[], Some(0.97));
        let unpaired: Vec<Judged> = raw[name]
            .iter()
            .flat_map(|(at, a, b)| [record(*at, *a), Judged { truth: 0.0, ..record(*at, *b) }])
            .collect();
        if let Some(area) = auroc(&unpaired) {
            report
                .notes
                .push(format!("edit `{name}`: AUROC over all responses, unpaired, {area:.3} (n {})", outcomes.len()));
        }
    }
    report.add(("edits", "all: the objective falls, AUROC within pairs"), mean, &whole, &[], Some(0.99));
    let moved: Vec<String> = drift
        .iter()
        .map(|((name, objective), values)| (name, objective, values.iter().sum::<f64>() / values.len() as f64))
        .filter(|(_, _, mean)| *mean >= 0.001)
        .map(|(name, objective, mean)| format!("{name} moves {objective} by {mean:.3}"))
        .collect();
    let moved = if moved.is_empty() { "none moves by 0.001".to_owned() } else { moved.join("; ") };
    report.notes.push(format!("edits, objectives that must not move, mean absolute change: {moved}"));
}

/// What differs between two texts, with a little of what stands around it.
fn changed(before: &str, after: &str) -> String {
    let start = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
    let from = (0..=start.saturating_sub(40)).rev().find(|&at| after.is_char_boundary(at)).unwrap_or(0);
    after[from..].chars().take(110).collect::<String>().replace('\n', " ")
}

fn all_tricks(all: &[Honest], scorer: &Scorer, published: &Scorer, report: &mut Report) {
    let mut outcomes: BTreeMap<&str, Vec<Judged>> = BTreeMap::new();
    let mut theirs: BTreeMap<&str, Vec<Judged>> = BTreeMap::new();
    let mut gaps: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    let mut order = Vec::new();
    let mut clean = 0;
    for honest in all {
        let (own, their) = (score(scorer, honest, &honest.text), score(published, honest, &honest.text));
        let mut all_lose = true;
        for trick in tricks(&honest.case, &honest.evidence, scorer.lexicon()) {
            if !order.contains(&trick.name) {
                order.push(trick.name);
            }
            let (ours, published) = (score(scorer, honest, &trick.text), score(published, honest, &trick.text));
            let beats = |a: &Scored, b: &Scored| f64::from(u8::from(a.reward > b.reward));
            let record = |score| Judged { unit: &honest.case.id, truth: 1.0, score, fixed: 0.0 };
            all_lose &= own.reward > ours.reward;
            if own.reward <= ours.reward {
                report.fail(
                    &honest.case.id,
                    format!(
                        "trick {} | {} | honest {:?} {:?} trick {:?} {:?}",
                        trick.name, honest.case.id, own.reward, own.objectives, ours.reward, ours.objectives
                    ),
                );
            }
            outcomes.entry(trick.name).or_default().push(record(beats(&own, &ours)));
            theirs.entry(trick.name).or_default().push(record(f64::from(u8::from(published.reward >= their.reward))));
            for objective in Objective::ALL {
                if let (Some(a), Some(b)) = (value(&ours, objective), value(&own, objective)) {
                    gaps.entry((trick.name, objective.name())).or_default().push(a - b);
                }
            }
        }
        clean += usize::from(all_lose);
    }
    for name in order {
        let paid = mean(&theirs[name]).unwrap_or(0.0);
        let title = format!("{name}: honest outscores it, share of cases");
        report.add(("tricks", &title), mean, &outcomes[name], &[], Some(0.99));
        report.notes.push(format!(
            "trick `{name}`: the published rule pays it as much as the honest response in {:.0} % of cases",
            100.0 * paid
        ));
    }
    let (n, share) = (all.len(), 100.0 * clean as f64 / all.len() as f64);
    report.notes.push(format!(
        "tricks: the honest response outscores every trick in {clean} of {n} cases ({share:.1} %; to reach: 99 %)"
    ));
    let won: Vec<String> = gaps
        .iter()
        .map(|((name, objective), gaps)| (name, objective, gaps.iter().sum::<f64>() / gaps.len() as f64))
        .filter(|(_, _, gap)| *gap > 0.05)
        .map(|(name, objective, gap)| format!("{name} on {objective} by {gap:.3}"))
        .collect();
    let won = if won.is_empty() { "none".to_owned() } else { won.join("; ") };
    report.notes.push(format!("tricks that win on an objective by more than 0.05 on average: {won}"));
}
