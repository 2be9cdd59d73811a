//! What counts as the same answer, and what is no answer.
#![allow(clippy::unwrap_used)]

use attending_datasets::Case;
use attending_rewards::{Format, Preset, Response, Rubric, Scored, Scorer};
use serde_json::json;

fn case(task: &str, answer: serde_json::Value) -> Case {
    let options = json!([
        {"key": "A", "text": "Heparin"}, {"key": "B", "text": "Aspirin"},
        {"key": "C", "text": "Warfarin"}, {"key": "D", "text": "Vitamin K"}
    ]);
    let options = if task == "numeric" || task == "yes_no_maybe" { json!([]) } else { options };
    serde_json::from_value(json!({
        "schema": "attending.case/1", "id": "t", "task": task, "question": "Which drug?", "options": options, "answer": answer
    }))
    .unwrap()
}

fn score(case: &Case, format: Format, text: &str) -> Scored {
    let scorer = Scorer::new(Rubric::preset(Preset::AccuracyOnly).with_format(format));
    let response = Response { case_id: "t".into(), text: Some(text.into()), ..Response::default() };
    scorer.score(case, &scorer.index(case), &response)
}

/// The key read from a conclusion, or from plain text.
fn read(format: Format, text: &str) -> Option<String> {
    let case = case("single_choice", json!({"keys": ["C"]}));
    let text = if format == Format::ThinkAnswer {
        format!("<think>x</think><answer>{text}</answer>")
    } else {
        text.to_owned()
    };
    score(&case, format, &text).answer.read
}

#[test]
fn the_same_answer() {
    let same = [
        r"\boxed{C}",
        r"\boxed{c}",
        r"\boxed{ C }",
        r"\boxed{(C)}",
        r"\boxed{C.}",
        r"\boxed{C) Warfarin}",
        r"\boxed{**C**}",
        r"\boxed{\text{C}}",
        "\\boxed{\nC\n}",
        r"\boxed{C} and again \boxed{C}",
        r"\boxed{warfarin}",
        r"\boxed{C. Warfarin}",
        r"\boxed{Option C}",
        "The answer is C.",
        "Answer: C",
        "C",
        "(C)",
        "C. Warfarin",
        "**C**",
        "Warfarin",
        "warfarin.",
        "The best treatment is warfarin.",
        "The correct option is (C) Warfarin.",
        "Option C is correct.",
        "I choose C because it lasts.",
        r"Thus: $\boxed{C}$",
        "The final answer is: **C**",
        "C is the correct answer.",
    ];
    for text in same {
        assert_eq!(read(Format::ThinkAnswer, text).as_deref(), Some("C"), "{text}");
    }
}

#[test]
fn no_answer() {
    let none = [
        r"\boxed{Z}",
        r"\boxed{A, B, C, D}",
        r"\boxed{}",
        r"\boxed{A} or \boxed{B}",
        "I think so.",
        "A drug is needed.",
        "",
        "It depends on the renal function.",
        "Not warfarin.",
        "Heparin or warfarin.",
        r"\boxed{the answer}",
    ];
    for text in none {
        assert_eq!(read(Format::ThinkAnswer, text), None, "{text}");
    }
}

/// Ten strings that two published patterns were tried on (their own wording changed); wanted readings by hand.
#[test]
fn strings_that_published_patterns_miss() {
    let rows = [
        ("ANSWER: (B)", Some("B")),
        ("ANSWER: **B**", Some("B")),
        ("**ANSWER: B**", Some("B")),
        ("ANSWER: B) aspirin", Some("B")),
        ("ANSWER: B aspirin", Some("B")),
        ("The final answer is B.", Some("B")),
        ("ANSWER: B, because C is wrong.", Some("B")),
        ("Answer: Aspirin", Some("B")),
        ("Answer: A is wrong.\nAnswer: C", Some("C")),
        (r"Answer: \boxed{C}", Some("C")),
    ];
    for (text, wanted) in rows {
        assert_eq!(read(Format::Plain, text).as_deref(), wanted, "{text}");
    }
    // Without the option's text, a word that starts with a letter is no letter.
    assert_eq!(read(Format::Plain, "Answer: Alteplase"), None);
}

#[test]
fn revisions_and_hiding_places() {
    let case = case("single_choice", json!({"keys": ["C"]}));
    let reading = |text: &str| score(&case, Format::ThinkAnswer, text).answer.read;
    // A box in the reasoning is no answer where a conclusion stands.
    assert_eq!(reading(r"<think>\boxed{C}</think><answer>see above</answer>"), None);
    // In plain text the last box counts.
    assert_eq!(reading(r"First \boxed{A}, no: \boxed{C}").as_deref(), Some("C"));
    // JSON, whole or with the option's text.
    let json = r#"{"step_by_step_thinking": "A is wrong.", "answer_choice": "C. Warfarin"}"#;
    assert_eq!(score(&case, Format::Json, json).answer.read.as_deref(), Some("C"));
    let scored = score(&case, Format::ThinkAnswer, "The answer is C");
    assert_eq!(scored.answer.tier.as_deref(), Some("statement, whole text"));
}

#[test]
fn sets_words_and_numbers() {
    let set = case("multi_choice", json!({"keys": ["A", "C"]}));
    let value = |case: &Case, text: &str| score(case, Format::Plain, text).reward.unwrap();
    assert_eq!(value(&set, r"\boxed{C, A}"), 1.0);
    assert_eq!(value(&set, r"\boxed{C}"), 0.0);
    let word = case("yes_no_maybe", json!({"keys": ["maybe"]}));
    for text in [r"\boxed{maybe}", "The answer is unclear.", r"\boxed{Uncertain}"] {
        assert_eq!(value(&word, text), 1.0, "{text}");
    }
    assert_eq!(value(&word, r"\boxed{yes}"), 0.0);
    let number = case("numeric", json!({"number": {"value": 5.0, "unit": "mmol/L"}}));
    // 5 % of 5.0 is 0.25.
    for (text, right) in [
        (r"\boxed{5.2}", 1.0),
        (r"\boxed{5.26}", 0.0),
        (r"\boxed{5.0 mmol/L}", 1.0),
        (r"\boxed{5000 umol/L}", 1.0),
        (r"\boxed{4-6}", 0.0),
        (r"\boxed{about five}", 0.0),
        ("The answer is 4.9 mmol/L.", 1.0),
        (r"\boxed{-5.0}", 0.0),
    ] {
        assert_eq!(value(&number, text), right, "{text}");
    }
    let whole = case("numeric", json!({"number": {"value": 7.0, "integer": true}}));
    assert_eq!((value(&whole, r"\boxed{7}"), value(&whole, r"\boxed{8}")), (1.0, 0.0));
    let none = case("numeric", json!({"number": {"value": 0.0, "abstain": true}}));
    assert_eq!((value(&none, r"\boxed{N/A}"), value(&none, r"\boxed{3}")), (1.0, 0.0));
    let zero = case("numeric", json!({"number": {"value": 0.0}}));
    assert_eq!((value(&zero, r"\boxed{0}"), value(&zero, r"\boxed{0.01}")), (1.0, 0.0));
}

#[test]
fn a_null_text_is_unreadable_and_a_missing_gold_answer_unscorable() {
    let mut case = case("single_choice", json!({"keys": ["C"]}));
    let scorer = Scorer::new(Rubric::default());
    let response = Response { case_id: "t".into(), ..Response::default() };
    let scored = scorer.score(&case, &scorer.index(&case), &response);
    assert_eq!((scored.answer.read, scored.objectives.values().next().copied()), (None, Some(Some(0.0))));
    case.answer = attending_datasets::Answer::default();
    let scored = scorer.score(&case, &scorer.index(&case), &response);
    assert_eq!(scored.objectives.values().next().copied(), Some(None));
    assert_eq!(scored.reasons.values().next().map(String::as_str), Some("no gold answer"));
}
