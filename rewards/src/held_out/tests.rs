#![allow(clippy::unwrap_used)]
//! Expected numbers are worked out by hand in the comments.

use attending_datasets::synth::{self, Split};

use super::*;
use crate::Scorer;
use crate::rubric::Preset;

const CASE: &str = r#"{"id":"1","task":"single_choice","answer":{"keys":["B"]},
  "question":"A 58-year-old man has had crushing chest pain for 40 minutes. He denies fever, cough and trauma. His blood pressure is 95/60 mmHg and his pulse is 112/min. Troponin is elevated at 3.2 ng/mL. What is the diagnosis?",
  "options":[{"key":"A","text":"Pulmonary embolism"},{"key":"B","text":"Myocardial infarction"},{"key":"C","text":"Pneumonia"}]}"#;

fn scored(text: &str) -> Scored {
    let case: Case = serde_json::from_str(CASE).unwrap();
    let response = Response { text: Some(text.to_owned()), ..Response::default() };
    score(&Rubric::preset(Preset::HeldOut), &case, &response)
}

fn value(text: &str, objective: Objective) -> f64 {
    scored(text).objectives[&objective].unwrap()
}

/// (rule, outcome, text) of the checks of one rule.
fn checks<'a>(text: &'a str, rule: &str) -> Vec<(Outcome, &'a str)> {
    let cut = |span: Option<Span>| span.map_or("", |[start, end]| &text[start..end]);
    scored(text).checks.iter().filter(|c| c.rule == rule).map(|c| (c.outcome, cut(c.response))).collect()
}

#[test]
fn the_last_words_are_the_answer() {
    for (text, read) in [
        ("Not A. <answer>\\boxed{B}</answer>", Some("B")),
        ("The answer is B.", Some("B")),
        ("{\"step_by_step_thinking\": \"C is wrong\", \"answer_choice\": \"B\"}", Some("B")),
        ("B", Some("B")),
        ("It could be pulmonary embolism. So it is myocardial infarction", Some("B")),
        ("Answer: Aspirin", None),
        ("I think so.", None),
        ("", None),
        ("The answer is (A)", Some("A")),
    ] {
        let scored = scored(text);
        assert_eq!(scored.answer.read.as_deref(), read, "{text}");
        assert_eq!(scored.objectives[&Objective::Accuracy], Some(f64::from(u8::from(read == Some("B")))));
    }
}

#[test]
fn sentences_figures_and_denials_are_looked_up() {
    let text = "He has crushing chest pain and an elevated troponin of 3.2. He has had no chest pain, only crushing trauma. \
        His lactate is 7.1 with mottled extremities everywhere.";
    let grounding = checks(text, "grounding");
    assert_eq!(grounding[0].0, Outcome::Supported);
    assert!(grounding.contains(&(Outcome::Unsupported, "His lactate is 7.1 with mottled extremities everywhere.")));
    assert_eq!(checks(text, "figures"), [(Outcome::Supported, "3.2"), (Outcome::Unsupported, "7.1")]);
    let [(Outcome::Contradicted, word)] = checks(text, "polarity")[..] else {
        panic!("{:?}", checks(text, "polarity"))
    };
    assert!(["chest", "trauma"].contains(&word), "{word}");
    // Supported 1 and 0.5; unsupported 0.5 and 0.5; one contradiction counts twice: 1.5 / (1.5 + 1 + 2) = 1/3.
    assert!((value(text, Objective::Faithfulness) - 1.0 / 3.0).abs() < 1e-12);
    // Saying the same again changes nothing; saying nothing earns nothing.
    let again = format!("{text} {text}");
    assert_eq!(value(&again, Objective::Faithfulness), value(text, Objective::Faithfulness));
    assert_eq!(value("", Objective::Faithfulness), 0.0);
}

#[test]
fn rivals_count_one_by_one_and_copies_not_at_all() {
    let rivals = |text: &str| checks(text, "rivals").into_iter().map(|(outcome, _)| outcome).collect::<Vec<_>>();
    use Outcome::{Covered, Missing};
    let listed = "It is pulmonary embolism, myocardial infarction or pneumonia.";
    assert_eq!(rivals(listed), [Missing; 3]);
    assert_eq!(rivals("Pneumonia needs a cough. An infarct of the heart fits."), [Missing, Covered, Covered]);
    assert_eq!(rivals("Myocardial infarction fits, pneumonia does not."), [Missing, Covered, Covered]);
    let case: Case = serde_json::from_str(CASE).unwrap();
    let copied = value(&case.question, Objective::Comprehensiveness);
    let own = "Crushing chest pain for 40 minutes and elevated troponin mean myocardial infarction. Without fever or cough \
        pneumonia does not fit. Pulmonary embolism would explain blood pressure 95/60 and pulse 112, but not the troponin 3.2.";
    assert_eq!(copied, 0.0);
    assert!(value(own, Objective::Comprehensiveness) > 0.9, "{:?}", scored(own).checks);
}

#[test]
fn null_depends_on_the_case_alone() {
    let case: Case =
        serde_json::from_str(r#"{"id":"1","task":"rubric","question":"What treats anthrax?","answer":{}}"#).unwrap();
    for text in ["", "Ciprofloxacin treats anthrax."] {
        let response = Response { text: Some(text.to_owned()), ..Response::default() };
        let scored = score(&Rubric::preset(Preset::HeldOut), &case, &response);
        assert!(scored.objectives.values().all(Option::is_none));
        assert_eq!(scored.reasons[&Objective::Faithfulness], "no_evidence");
        assert_eq!(scored.reasons[&Objective::Accuracy], "task is not judged by a rule");
        assert_eq!(scored.reward, None);
    }
}

/// The same response is judged against its own case and against another one; the second must look less faithful.
#[test]
fn another_cases_evidence_supports_less() {
    let cases = synth::cases(60, 3, Split::Train);
    let scorer = Scorer::new(Rubric::preset(Preset::HeldOut));
    let (mut own, mut other, mut judged) = (0.0, 0.0, 0);
    for (index, case) in cases.iter().enumerate() {
        let text = synth::references(case, 3, 1, synth::COLD_START).remove(0).text;
        let response = Response { text: Some(text), ..Response::default() };
        let faithful =
            |case: &Case| scorer.score(case, &scorer.index(case), &response).objectives[&Objective::Faithfulness];
        if let (Some(mine), Some(theirs)) = (faithful(case), faithful(&cases[(index + 1) % cases.len()])) {
            (own, other, judged) = (own + mine, other + theirs, judged + 1);
        }
    }
    assert!(judged >= 30, "{judged}");
    assert!(own / f64::from(judged) > 0.2 + other / f64::from(judged), "{own} {other} of {judged}");
}

proptest::proptest! {
    /// Whatever is written: values in [0, 1], spans on character boundaries.
    #[test]
    fn any_text_is_scored(text in "(fever|no |95/60|\\PC|[ -~\n]){0,60}") {
        let scored = scored(&text);
        for value in scored.objectives.values().flatten() {
            proptest::prop_assert!((0.0..=1.0).contains(value));
        }
        for [start, end] in scored.checks.iter().filter_map(|check| check.response) {
            proptest::prop_assert!(text.get(start..end).is_some());
        }
    }
}
