//! Failures that other graders shipped, each a test named after its report. Wordings are our own.
#![allow(clippy::unwrap_used)]

use attending_datasets::Case;
use attending_rewards::{Format, Objective, Preset, Response, Rubric, Scored, Scorer};
use serde_json::{Value, json};

fn options(keys: &str) -> Value {
    let texts = [
        "Heparin",
        "Aspirin",
        "Warfarin",
        "Vitamin K",
        "Alteplase",
        "Insulin",
        "Digoxin",
        "Lithium",
        "Morphine",
        "Naloxone",
    ];
    keys.chars().zip(texts).map(|(key, text)| json!({"key": key.to_string(), "text": text})).collect()
}

fn case(task: &str, options: Value, answer: Value) -> Case {
    serde_json::from_value(json!({
        "schema": "attending.case/1", "id": "t", "task": task, "options": options, "answer": answer,
        "question": "A 64-year-old woman has atrial fibrillation, hypertension and palpitations for 3 days. Her pulse is 130/min \
            and her INR is 1.0. She has no fever. Which drug prevents stroke in the long run?"
    }))
    .unwrap()
}

fn drugs() -> Case {
    case("single_choice", options("ABCD"), json!({"keys": ["C"]}))
}

fn score(case: &Case, preset: Preset, text: &str) -> Scored {
    let scorer = Scorer::new(Rubric::preset(preset).with_format(Format::ThinkAnswer));
    let response = Response { case_id: "t".into(), text: Some(text.into()), ..Response::default() };
    scorer.score(case, &scorer.index(case), &response)
}

fn read(case: &Case, text: &str) -> Option<String> {
    score(case, Preset::AccuracyOnly, text).answer.read
}

const HONEST: &str = "<think>She has atrial fibrillation with hypertension at 64 years, so her risk of stroke is raised. \
    Her pulse of 130/min shows that the rate is not controlled. Her INR of 1.0 means that she takes no warfarin yet. \
    Heparin is unlikely to be best because it must be injected for years. Aspirin is unlikely because it prevents fewer \
    strokes in atrial fibrillation. Vitamin K is unlikely because it reverses warfarin.</think>\
    <answer>Warfarin prevents stroke in the long run. \\boxed{C}</answer>";

/// Clinical-R1's released scorer paid each of these its full 12.0; honest reasoning must now earn more.
#[test]
fn clinical_r1_full_marks_without_reasoning() {
    let zeros = format!("<think>{}</think><answer>. \\boxed{{C}}</answer>", "0".repeat(50_000));
    let rows: &[&str] = &[
        r"<think></think><answer>.\boxed{C}</answer>",
        r"<think>aaaa aaaa aaaa</think><answer>x \boxed{C}</answer>",
        r"<think>Heparin is clearly right; warfarin would kill the patient.</think><answer>The answer is B. \boxed{C}</answer>",
        r"<think>x</think><answer>Not \boxed{C}</answer>",
        r"<think>The troponin of 40 ng/mL and K 9.9 prove it.</think><answer>So \boxed{C}</answer>",
        &zeros,
        r"<think>a</think><answer>b</answer><think>c</think><answer>d \boxed{C}</answer>",
        r"<think>x</think><answer>A B D are wrong</answer> random text <answer>\boxed{C}</answer>",
        r"<think></think><answer><think>real thinking here</think>\boxed{C}</answer>",
        r"I think it's A \boxed{A} \boxed{B} \boxed{D} ## Final Response <think>x</think><answer>So \boxed{C}</answer>",
        r"x ## Final Response <think>x</think><answer>So \boxed{C}</answer> ## Final Response \boxed{B}\boxed{D}",
        r"<think>x<\think><answer>So \boxed{C}<\answer>",
        r"<think>huan zhe you fang chan, ying yong hua fa lin</think><answer>da an \boxed{C}</answer>",
        r"\boxed{C}",
    ];
    let honest = score(&drugs(), Preset::Crpo, HONEST).reward.unwrap();
    for row in rows {
        let paid = score(&drugs(), Preset::Crpo, row).reward.unwrap();
        assert!(paid < honest - 0.1, "{paid} for {row:.90}, honest {honest}");
    }
}

/// Its discontinuities: right answers that scored from -3 to -28.
#[test]
fn clinical_r1_right_answers_punished() {
    let rows = [
        r"<think>x</think><answer>So \boxed{c}</answer>",
        r"<think>x</think><answer>So \boxed{ C }</answer>",
        r"<think>x</think><answer>So \boxed{(C)}</answer>",
        r"<think>x</think><answer>So \boxed{C. Warfarin}</answer>",
        r"<think>x</think><answer>So \boxed{\text{C}}</answer>",
        r"<think>x</think><answer>So \boxed{Warfarin}</answer>",
        "<think>x</think><answer>So \\boxed{\nC\n}</answer>",
        r"<think>x</think><answer>So \boxed{C</answer>",
        r"<think>x</think><answer>So \boxed C</answer>",
        r"<think>x gives \boxed{C}</think><answer>So \boxed{C}</answer>",
        r"<think>\boxed will be used</think><answer>So \boxed{C}</answer>",
        r"<think>format is \boxed{A} or \boxed{B}</think><answer>So \boxed{C}</answer>",
        r"<think>x</think><answer>So \boxed{C}</answer> Thanks!",
        r"Sure!<think>x</think><answer>So \boxed{C}</answer>",
        r"<think>x</think><answer>The answer is C.</answer>",
        "<think>x</think><answer>So \\boxed{C}</answer><|im_end|>",
    ];
    for row in rows {
        assert_eq!(score(&drugs(), Preset::Crpo, row).objectives[&Objective::Accuracy], Some(1.0), "{row}");
    }
    for row in [r"<answer>\boxed{A,C}</answer>", r"<answer>\boxed{}</answer>"] {
        assert_eq!(read(&drugs(), &format!("<think>x</think>{row}")), None, "{row}");
    }
}

/// Its unbounded penalties and its wrong-answer economics: a wrong, tidy answer beat a right, malformed one.
#[test]
fn clinical_r1_wrong_answer_economics() {
    let paid = |text: &str| score(&drugs(), Preset::Crpo, text).reward.unwrap();
    let boxes = format!("<think>x</think><answer>{}</answer>", "\\boxed{A} ".repeat(10));
    let wrong_tidy = HONEST.replace("\\boxed{C}", "\\boxed{A}");
    assert!((0.0..0.5).contains(&paid(&boxes)));
    assert!(paid("So \\boxed{c") > paid(&wrong_tidy));
    // A letter out of range is no legal wrong answer, a refusal no part of a right one.
    assert_eq!(read(&drugs(), r"<think>x</think><answer>\boxed{Z}</answer>"), None);
    assert_eq!(score(&drugs(), Preset::Crpo, "I do not know.").objectives[&Objective::Accuracy], Some(0.0));
}

/// The language term fined clinical notation.
#[test]
fn clinical_r1_language_term_fines_notation() {
    let noted = HONEST.replace(
        "is raised.",
        "is raised: Cr 88 \u{3bc}mol/L, 38.5 \u{b0}C, SpO\u{2082} \u{2265} 92 %, \u{3b2}-blocker \u{2192} stop.",
    );
    assert_eq!(score(&drugs(), Preset::Crpo, &noted).objectives[&Objective::Format], Some(1.0));
}

#[test]
fn simple_evals_33_first_match() {
    assert_eq!(read(&drugs(), "The answer is A, I thought. On reflection the answer is C.").as_deref(), Some("C"));
}

#[test]
fn openbench_348_answer_seems() {
    let mut case = drugs();
    case.options[3].key = "S".to_owned();
    assert_eq!(read(&case, "The answer seems hard to find."), None);
    assert_eq!(read(&case, "Answer: C").as_deref(), Some("C"));
}

#[test]
fn lm_eval_4188_the_article_a() {
    assert_eq!(read(&drugs(), "The answer is a drug that thins the blood."), None);
    assert_eq!(read(&drugs(), "This is a case of atrial fibrillation."), None);
}

#[test]
fn medcalc_bench_5_extraction_undercounts() {
    let case = case("numeric", json!([]), json!({"number": {"value": 79.66, "unit": "mL/min"}}));
    for text in [
        "The answer is 79.66 mL/min.",
        "The final answer is: **79.7 mL/min**",
        "Answer: 79.66",
        r"so $\boxed{79.66}$ mL/min",
    ] {
        assert_eq!(score(&case, Preset::AccuracyOnly, text).reward, Some(1.0), "{text}");
    }
}

/// Its scorer ran Python's eval on model output, inverted its limits for negative truths, and took any number at 0.
#[test]
fn medcalc_bench_eval_and_limits() {
    let case = |value: f64| case("numeric", json!([]), json!({"number": {"value": value}}));
    let right = |value: f64, text: &str| score(&case(value), Preset::AccuracyOnly, text).reward.unwrap();
    assert_eq!(right(4.0, r"\boxed{__import__('os').getpid()}"), 0.0);
    assert_eq!(right(4.0, r"\boxed{2+2}"), 0.0);
    assert_eq!(
        (right(-5.0, r"\boxed{-5.2}"), right(-5.0, r"\boxed{-4.8}"), right(-5.0, r"\boxed{5}")),
        (1.0, 1.0, 0.0)
    );
    assert_eq!((right(0.0, r"\boxed{0}"), right(0.0, r"\boxed{0.01}")), (1.0, 0.0));
}

#[test]
fn medmarks_55_right_because_options_were_missing() {
    let case = case("single_choice", json!([]), json!({"keys": ["C"]}));
    for text in [r"\boxed{D}", "anything", ""] {
        assert_ne!(score(&case, Preset::AccuracyOnly, text).reward, Some(1.0), "{text}");
    }
}

#[test]
fn roll_391_boxed_reward_always_zero() {
    assert_eq!(score(&drugs(), Preset::AccuracyOnly, r"\boxed{C}").reward, Some(1.0));
}

#[test]
fn omlx_3668_last_letter_anywhere() {
    let ten = case("single_choice", options("ABCDEFGHIJ"), json!({"keys": ["C"]}));
    assert_eq!(read(&ten, "The answer is B. Note that A is a common distractor.").as_deref(), Some("B"));
    assert_eq!(read(&ten, "The answer is C because I computed it.").as_deref(), Some("C"));
    assert_eq!(read(&ten, "I think that it depends."), None);
}

#[test]
fn doctor_agent_rl_10_unknown_data_source() {
    let mut case = drugs();
    case.dataset = "a data set that nobody knows".to_owned();
    assert_eq!(score(&case, Preset::AccuracyOnly, r"\boxed{C}").reward, Some(1.0));
}

/// The reward scored the ground truth, not the completion.
#[test]
fn medground_r1_7_scored_the_ground_truth() {
    let mut other = drugs();
    other.answer.keys = vec!["B".to_owned()];
    let paid = |case: &Case, text: &str| score(case, Preset::AccuracyOnly, text).reward.unwrap();
    assert_eq!((paid(&drugs(), r"\boxed{C}"), paid(&other, r"\boxed{C}"), paid(&drugs(), "")), (1.0, 0.0, 0.0));
}

/// Free-text keyword rewards: naming everything paid for one right name.
#[test]
fn unsloth_2690_keywords() {
    let case = case("diagnosis", json!([]), json!({"texts": ["atrial fibrillation"]}));
    let paid = |text: &str| {
        score(&case, Preset::AccuracyOnly, &format!("<think>x</think><answer>{text}</answer>")).reward.unwrap()
    };
    assert!(paid("atrial fibrillation, pneumonia, asthma, gout, migraine, lupus, sepsis, stroke") < 0.13);
    assert_eq!(paid("atrial fibrillation"), 1.0);
}

/// Its open-text score took the share of candidate words found in the reference: one common word scored full.
#[test]
fn med_u1_one_word_overlap() {
    let case = case("diagnosis", json!([]), json!({"texts": ["chronic obstructive pulmonary disease"]}));
    let paid = |text: &str| {
        score(&case, Preset::AccuracyOnly, &format!("<think>x</think><answer>{text}</answer>")).reward.unwrap()
    };
    assert_eq!((paid("disease"), paid("pulmonary"), paid("COPD")), (0.0, 0.0, 1.0));
    // It read exact strings only: "A." was wrong.
    assert_eq!(read(&drugs(), "<think>x</think><answer>C.</answer>").as_deref(), Some("C"));
}

#[test]
fn open_r1_359_several_blocks_with_full_format() {
    let text = "<think>a</think><answer>b</answer><think>c</think><answer>\\boxed{C}</answer>";
    assert!(score(&drugs(), Preset::Crpo, text).objectives[&Objective::Format].unwrap() < 1.0);
}

/// "Step-by-step exploit": the reasoning moves before the tag.
#[test]
fn med_rlvr_reasoning_before_the_tag() {
    let text = format!("She has atrial fibrillation, so warfarin. {}", "<think></think><answer>\\boxed{C}</answer>");
    assert!(score(&drugs(), Preset::Crpo, &text).objectives[&Objective::Format].unwrap() < 0.9);
}

/// No statement at all made the score NaN.
#[test]
fn ragas_580_no_statements() {
    for text in ["", "<think></think><answer></answer>", "\\boxed{C}", "..."] {
        let scored = score(&drugs(), Preset::Crpo, text);
        let values: Vec<f64> = scored.objectives.values().flatten().copied().chain(scored.reward).collect();
        assert!(!values.is_empty() && values.iter().all(|value| (0.0..=1.0).contains(value)), "{text}: {values:?}");
    }
}
