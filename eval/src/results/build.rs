//! From judged answers to [`Results`].

use std::collections::{BTreeMap, HashMap};

use attending_datasets::Case;
use attending_rewards::Objective;
use rayon::prelude::*;
use serde_json::Value;

use super::{Compatible, Judged, LeftOut, Mean, Results, SCHEMA, Subject};
use crate::protocol::published_answer;
use crate::run::Settings;
use crate::stats::{Bootstrap, Interval, Observation, maj_at_k, pass_at_k, wilson};

/// What was asked for and did not become an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Samples of each case.
    pub samples: u64,
    /// See [`LeftOut`].
    pub left_out: LeftOut,
    /// Fields of `metadata` by which results are split.
    pub subjects: Vec<String>,
    /// Whether the answers are also read as MIRAGE's scorer does.
    pub mirage: bool,
}

/// The results of `judged`, the answers to `cases`. Answers without a gold answer are left out and counted.
pub fn build(settings: Settings, cases: &[Case], judged: &[Judged], counts: Counts) -> Results {
    let accurate: Vec<(&Judged, f64)> = judged.iter().filter_map(|one| Some((one, accuracy(one)?))).collect();
    let observed: Vec<Observation<'_>> =
        accurate.iter().map(|(one, value)| Observation { question: &one.scored.case_id, value: *value }).collect();
    let normalised: Vec<Observation<'_>> = judged
        .iter()
        .filter_map(|one| Some(Observation { question: &one.scored.case_id, value: one.normalised? }))
        .collect();
    let objectives = Objective::ALL.into_par_iter().filter(|objective| *objective != Objective::Accuracy);
    let objectives = objectives.filter_map(|objective| Some((objective, mean(judged, objective)?))).collect();
    let mut by_case: BTreeMap<&str, Vec<&(&Judged, f64)>> = BTreeMap::new();
    for pair in &accurate {
        by_case.entry(&pair.0.scored.case_id).or_default().push(pair);
    }
    let share = |count: usize| count as f64 / judged.len().max(1) as f64;
    let mut tiers: BTreeMap<String, usize> = BTreeMap::new();
    for one in judged {
        let answer = &one.scored.answer;
        if let (Some(_), Some(tier)) = (&answer.read, &answer.tier) {
            *tiers.entry(tier.clone()).or_default() += 1;
        }
    }
    let tokens: Vec<u64> = judged.iter().filter_map(|one| one.tokens).collect();
    let mut left_out = counts.left_out;
    left_out.no_gold += judged.len() - accurate.len();
    Results {
        schema: SCHEMA.to_owned(),
        settings,
        cases: by_case.len(),
        samples: counts.samples,
        answers: judged.len(),
        accuracy: interval(&observed),
        accuracy_normalised: interval(&normalised),
        compatible: if counts.mirage { mirage(cases, judged) } else { None },
        pass_at_k: several(&by_case, pass),
        maj_at_k: several(&by_case, majority),
        objectives,
        unreadable: share(judged.iter().filter(|one| one.scored.answer.read.is_none()).count()),
        tiers: tiers.into_iter().map(|(tier, count)| (tier, share(count))).collect(),
        truncated: share(judged.iter().filter(|one| one.truncated).count()),
        mean_tokens: (!tokens.is_empty()).then(|| tokens.iter().sum::<u64>() as f64 / tokens.len() as f64),
        left_out,
        subjects: by_subject(cases, &observed, &counts.subjects),
    }
}

fn accuracy(one: &Judged) -> Option<f64> {
    one.scored.objectives.get(&Objective::Accuracy).copied().flatten()
}

/// Wilson's interval for one right or wrong answer a case; questions resampled whole otherwise.
fn interval(observed: &[Observation<'_>]) -> Option<Interval> {
    let mut questions: Vec<&str> = observed.iter().map(|o| o.question).collect();
    questions.sort_unstable();
    let single = questions.windows(2).all(|pair| pair[0] != pair[1]);
    if single && observed.iter().all(|o| o.value == 0.0 || o.value == 1.0) {
        return wilson(observed.iter().filter(|o| o.value == 1.0).count() as u64, observed.len() as u64);
    }
    Bootstrap::default().mean(observed)
}

fn mean(judged: &[Judged], objective: Objective) -> Option<Mean> {
    let value = |one: &Judged| one.scored.objectives.get(&objective).copied().flatten();
    let values: Vec<Observation<'_>> = judged
        .iter()
        .filter_map(|one| Some(Observation { question: &one.scored.case_id, value: value(one)? }))
        .collect();
    Some(Mean { mean: Bootstrap::default().mean(&values)?, scored: values.len() })
}

/// A case's answers to its measure at k.
type AtK = fn(&[&(&Judged, f64)], usize) -> Option<f64>;

/// A measure at k = 1, 2, 4, ... and at the smallest number of answers of a case; nothing for one answer a case.
fn several(by_case: &BTreeMap<&str, Vec<&(&Judged, f64)>>, measure: AtK) -> BTreeMap<usize, Interval> {
    let most = by_case.values().map(Vec::len).min().unwrap_or(0);
    if most < 2 {
        return BTreeMap::new();
    }
    let powers = std::iter::successors(Some(1), |k| Some(k * 2)).take_while(|k| *k < most);
    let ks: Vec<usize> = powers.chain([most]).collect();
    let at = |k: usize| {
        let values = by_case
            .iter()
            .filter_map(|(question, answers)| Some(Observation { question, value: measure(answers, k)? }));
        Some((k, Bootstrap::default().mean(&values.collect::<Vec<_>>())?))
    };
    ks.into_par_iter().filter_map(at).collect()
}

fn pass(answers: &[&(&Judged, f64)], k: usize) -> Option<f64> {
    pass_at_k(answers.len(), answers.iter().filter(|(_, value)| *value >= 1.0).count(), k)
}

fn majority(answers: &[&(&Judged, f64)], k: usize) -> Option<f64> {
    let read: Vec<Option<&str>> = answers.iter().map(|(one, _)| one.scored.answer.read.as_deref()).collect();
    // Right answers may be worded in several ways; the vote is for the first of them. Where none is right, none can win.
    match answers.iter().find(|(_, value)| *value >= 1.0).and_then(|(one, _)| one.scored.answer.read.as_deref()) {
        Some(right) => maj_at_k(&read, right, k, 0),
        None => Some(0.0),
    }
}

fn by_subject(
    cases: &[Case],
    observed: &[Observation<'_>],
    fields: &[String],
) -> BTreeMap<String, BTreeMap<String, Subject>> {
    let table = |field: &String| {
        let subjects: HashMap<&str, String> =
            cases.iter().filter_map(|case| Some((case.id.as_str(), text(case.metadata.get(field)?)?))).collect();
        let mut split: BTreeMap<&String, Vec<Observation<'_>>> = BTreeMap::new();
        for one in observed {
            if let Some(subject) = subjects.get(one.question) {
                split.entry(subject).or_default().push(*one);
            }
        }
        let rows = split.into_par_iter().filter_map(|(subject, observed)| {
            let questions: std::collections::BTreeSet<&str> = observed.iter().map(|o| o.question).collect();
            Some((subject.clone(), Subject { cases: questions.len(), accuracy: interval(&observed)? }))
        });
        (field.clone(), rows.collect::<BTreeMap<_, _>>())
    };
    fields.iter().map(table).filter(|(_, rows)| !rows.is_empty()).collect()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The answers as MIRAGE's scorer reads them: "A" where nothing can be read. Inferred from the published figures alone: where
/// a completion is missing altogether, the answer before it is kept; both files with missing ones then come out exactly.
fn mirage(cases: &[Case], judged: &[Judged]) -> Option<Compatible> {
    let by_id: HashMap<&str, &Case> = cases.iter().map(|case| (case.id.as_str(), case)).collect();
    let right = |case: &Case, letter: &str| {
        let worded = case.options.iter().find(|option| option.key == letter).and_then(|option| option.value.as_ref());
        case.answer.keys.iter().any(|key| key == letter || Some(key) == worded)
    };
    let (mut accurate, mut strict, mut unread, mut total) = (0, 0, 0, 0);
    let mut before = "A";
    for one in judged {
        let case = by_id.get(one.scored.case_id.as_str()).filter(|case| !case.answer.keys.is_empty())?;
        let read = one.response.text.as_deref().and_then(published_answer);
        let taken = match (&one.response.text, read) {
            (None, _) => before,
            (Some(_), read) => read.unwrap_or("A"),
        };
        total += 1;
        accurate += u64::from(right(case, taken));
        strict += u64::from(read.is_some_and(|letter| right(case, letter)));
        unread += u64::from(read.is_none());
        before = taken;
    }
    Some(Compatible {
        scorer: "mirage".to_owned(),
        accuracy: wilson(accurate, total)?,
        strict: wilson(strict, total)?,
        unreadable: unread as f64 / total as f64,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use attending_rewards::{AnswerReading, Response, Scored};

    fn judged(case: &str, sample: u64, read: Option<&str>, right: Option<f64>, truncated: bool) -> Judged {
        let tier = read.map(|_| "boxed".to_owned());
        let scored = Scored {
            case_id: case.to_owned(),
            sample,
            reward: right,
            objectives: [(Objective::Accuracy, right), (Objective::Format, Some(0.5))].into(),
            reasons: Default::default(),
            answer: AnswerReading { read: read.map(str::to_owned), tier },
            checks: Vec::new(),
        };
        let response = Response { text: read.map(str::to_owned), ..Response::default() };
        Judged { scored, response, normalised: None, confidence: None, truncated, tokens: Some(10 + sample) }
    }

    fn cases() -> Vec<Case> {
        ["a", "b"]
            .map(|id| {
                serde_json::from_str(&format!(
                    r#"{{"id":"{id}","task":"single_choice","question":"Q?","options":[{{"key":"A","text":"x"}},{{"key":"B","text":"y"}}],"answer":{{"keys":["B"]}},"metadata":{{"subject":"{id}s"}}}}"#
                ))
                .unwrap()
            })
            .to_vec()
    }

    #[test]
    fn several_samples_by_hand() {
        // a: B B A (right right wrong), b: A none B.
        let all = [
            judged("a", 0, Some("B"), Some(1.0), false),
            judged("a", 1, Some("B"), Some(1.0), false),
            judged("a", 2, Some("A"), Some(0.0), true),
            judged("b", 0, Some("A"), Some(0.0), false),
            judged("b", 1, None, Some(0.0), false),
            judged("b", 2, Some("B"), Some(1.0), false),
        ];
        let counts = Counts { samples: 3, subjects: vec!["subject".to_owned()], ..Counts::default() };
        let results = build(crate::run::tests_settings(), &cases(), &all, counts);
        assert_eq!((results.cases, results.answers), (2, 6));
        assert_eq!(results.accuracy.unwrap().estimate, 0.5);
        // pass@2: a 1, b 1 - C(2,2)/C(3,2) = 2/3. pass@3: both 1.
        assert!((results.pass_at_k[&2].estimate - 5.0 / 6.0).abs() < 1e-12);
        assert_eq!(results.pass_at_k[&3].estimate, 1.0);
        // maj@3: a wins for B; b ties A with B: half. maj@1 is the accuracy.
        assert_eq!(results.maj_at_k[&3].estimate, 0.75);
        assert_eq!(results.maj_at_k[&1].estimate, 0.5);
        assert_eq!((results.unreadable, results.truncated), (1.0 / 6.0, 1.0 / 6.0));
        assert_eq!(results.tiers["boxed"], 5.0 / 6.0);
        assert_eq!(results.mean_tokens, Some(11.0));
        let subject = &results.subjects["subject"]["as"];
        assert_eq!((subject.cases, (subject.accuracy.estimate * 3.0).round()), (1, 2.0));
        assert_eq!(results.objectives[&Objective::Format].scored, 6);
        let back: Results = serde_json::from_str(&results.json().unwrap()).unwrap();
        assert_eq!(back, results);
    }

    #[test]
    fn a_missing_gold_answer_is_counted_not_wrong() {
        let all = [judged("a", 0, Some("B"), Some(1.0), false), judged("b", 0, Some("B"), None, false)];
        let results = build(crate::run::tests_settings(), &cases(), &all, Counts::default());
        assert_eq!((results.accuracy.unwrap().estimate, results.left_out.no_gold, results.cases), (1.0, 1, 1));
        assert!(results.pass_at_k.is_empty());
    }

    #[test]
    fn the_other_scorer_guesses_where_ours_abstains() {
        let mut all = vec![
            judged("a", 0, Some("B"), Some(1.0), false),
            judged("b", 0, None, Some(0.0), false),
            judged("a", 1, Some("I cannot say"), Some(0.0), false),
        ];
        // B read; nothing came back: the answer before, B, is kept; nothing readable: A.
        let results = build(crate::run::tests_settings(), &cases(), &all, Counts { mirage: true, ..Counts::default() });
        let found = results.compatible.unwrap();
        assert_eq!(
            (found.accuracy.estimate, found.strict.estimate, found.unreadable),
            (2.0 / 3.0, 1.0 / 3.0, 2.0 / 3.0)
        );
        all.clear();
        let counts = Counts { mirage: true, ..Counts::default() };
        assert!(build(crate::run::tests_settings(), &cases(), &all, counts).compatible.is_none());
    }
}
