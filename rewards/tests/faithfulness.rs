//! Faithfulness on cases that once went wrong: each test is named after what it holds.
#![allow(clippy::unwrap_used)]

use attending_datasets::{AnswerOption, Case, Document, Task};
use attending_rewards::{Check, Format, Objective, Outcome, Response, Rubric, Scored, Scorer};

fn score_case(case: &Case, text: &str) -> Scored {
    let scorer = Scorer::new(Rubric { format: Format::Plain, ..Rubric::default() });
    let response = Response { case_id: case.id.clone(), text: Some(text.to_owned()), ..Response::default() };
    scorer.score(case, &scorer.index(case), &response)
}

fn score(vignette: &str, text: &str) -> Scored {
    score_case(&Case::new("c", Task::Diagnosis, vignette), text)
}

/// Rule and outcome of each faithfulness check but the asked-for claims.
fn verdicts(scored: &Scored) -> Vec<(String, Outcome)> {
    let own = |check: &&Check| check.objective == Objective::Faithfulness && check.rule != "claims";
    scored.checks.iter().filter(own).map(|check| (check.rule.to_string(), check.outcome)).collect()
}

fn has(vignette: &str, text: &str, rule: &str, outcome: Outcome) -> bool {
    verdicts(&score(vignette, text)).contains(&(rule.to_owned(), outcome))
}

const VITALS: &str = "A 60-year-old man has chest pain, dyspnea and a cough. His blood pressure is 170/60 mm Hg, pulse \
    is 80/min, height is 175 cm and weight is 70 kg. Sodium is 140 mEq/L, chloride 104 mEq/L, bicarbonate 24 mEq/L, \
    calcium 7.6 mg/dL, albumin 2.0 g/dL and creatinine 1.0 mg/dL.";

#[test]
fn derived_values_follow_from_their_formula_alone() {
    for (text, outcome) in [
        ("His pulse pressure is 110 mm Hg.", Outcome::Supported),
        ("His pulse pressure is 80 mm Hg.", Outcome::Contradicted),
        ("His corrected calcium is 9.2 mg/dL.", Outcome::Supported),
        ("His corrected calcium is 12.5 mg/dL.", Outcome::Contradicted),
        ("His anion gap is 12 mEq/L.", Outcome::Supported),
        ("His anion gap is 25 mEq/L.", Outcome::Contradicted),
        ("His mean arterial pressure is 97 mm Hg.", Outcome::Supported),
        ("His BMI is 22.9 kg/m2.", Outcome::Supported),
        ("His BMI is 36 kg/m2.", Outcome::Contradicted),
        ("His creatinine clearance is 78 mL/min.", Outcome::Supported),
        // 140 - 104 is 36, but a difference of any two numbers is no potassium.
        ("His potassium is 36 mEq/L.", Outcome::Unsupported),
    ] {
        assert!(has(VITALS, text, "quantity", outcome), "{text}: {:?}", verdicts(&score(VITALS, text)));
    }
}

/// A test is the subject of general knowledge as often as of a result; with a value it is a result.
#[test]
fn the_values_of_a_test_are_claims() {
    for (text, outcome) in [
        ("Physical examination shows a blood pressure of 170/60 mm Hg.", Outcome::Supported),
        ("Physical examination shows a blood pressure of 110/60 mm Hg.", Outcome::Contradicted),
        ("A complete blood count reveals a hemoglobin of 18 g/dL.", Outcome::Unsupported),
    ] {
        assert!(has(VITALS, text, "quantity", outcome), "{text}: {:?}", verdicts(&score(VITALS, text)));
    }
    let found = verdicts(&score(VITALS, "A complete blood count shows anemia in most patients."));
    assert!(found.iter().all(|(rule, _)| rule == "argument"), "{found:?}");
}

#[test]
fn shown_arithmetic_is_worked_out_again() {
    for (text, outcome) in [
        ("The patient's pulse pressure is 170 - 60 = 110 mm Hg.", Outcome::Supported),
        ("The patient's anion gap = 140 - (104 + 24) = 12.", Outcome::Supported),
        ("The patient's anion gap = 140 - (104 + 24) = 22.", Outcome::Contradicted),
        ("The patient's corrected calcium = 7.6 + 0.8 x (4 - 2.0) = 9.2 mg/dL.", Outcome::Supported),
        ("The patient's MAP = (170 + 2 x 60)/3 = 96.7 mm Hg.", Outcome::Supported),
        ("The patient's anion gap = 150 - (99 + 11) = 40.", Outcome::Unsupported),
        ("The patient's CHA2DS2-VASc score is 1 + 1 + 2 = 4.", Outcome::Exempt),
    ] {
        let found = verdicts(&score(VITALS, text));
        assert!(found.contains(&("arithmetic".to_owned(), outcome)), "{text}: {found:?}");
        assert!(!found.iter().any(|(rule, _)| rule == "quantity"), "{text}: {found:?}");
    }
}

#[test]
fn units_are_converted_and_numbers_may_be_words() {
    let vignette = "A 30-year-old woman has had a cough, a fever and dyspnea. Three weeks ago she was well. Her glucose is \
        90 mg/dL and her temperature is 38.5 C.";
    for (text, outcome) in [
        ("Her glucose is 5.0 mmol/L.", Outcome::Supported),
        ("Her temperature is 101.3 F.", Outcome::Supported),
        ("Her temperature is 104 F.", Outcome::Contradicted),
        ("She has been ill for 3 weeks.", Outcome::Supported),
        ("She is 30 years old.", Outcome::Supported),
        ("She is a 52-year-old woman.", Outcome::Contradicted),
    ] {
        assert!(has(vignette, text, "quantity", outcome), "{text}: {:?}", verdicts(&score(vignette, text)));
    }
}

#[test]
fn a_hedged_number_weighs_half_and_a_supposed_one_nothing() {
    let hedged = score(VITALS, "It may be that his troponin is 40 ng/mL.");
    let check = hedged.checks.iter().find(|check| check.rule == "quantity").unwrap();
    assert_eq!((check.outcome, check.weight), (Outcome::Unsupported, 0.5));
    let supposed = score(VITALS, "If his troponin is 40 ng/mL, he needs a catheter.");
    assert!(!supposed.checks.iter().any(|check| check.rule == "quantity"));
}

#[test]
fn who_and_where_and_when() {
    let vignette = "A 45-year-old woman has had a fever and then a rash for 3 days. She has weakness of the left leg and \
        a rash after the fever. There is no edema.";
    for (text, rule) in [
        ("This 45-year-old man has a fever.", "sex"),
        ("The patient has weakness of the right leg.", "side"),
        ("The patient had a rash before the fever.", "order"),
    ] {
        assert!(has(vignette, text, rule, Outcome::Contradicted), "{text}: {:?}", verdicts(&score(vignette, text)));
    }
    let right = "This 45-year-old woman has weakness of the left leg, and had the rash after the fever.";
    let found = verdicts(&score(vignette, right));
    assert!(!found.iter().any(|(_, outcome)| *outcome == Outcome::Contradicted), "{found:?}");
}

#[test]
fn quotations_stand_in_the_evidence() {
    let vignette = "A 30-year-old man has a cough and a fever. He says that it feels like a knife is twisting in my chest \
        whenever he takes a deep breath.";
    for (text, outcome) in [
        ("He said \"it feels like a knife is twisting in my chest\".", Outcome::Supported),
        ("He said \"it feels like a stone is lying in my belly\".", Outcome::Contradicted),
        ("He said \"every single night my left hand goes numb\".", Outcome::Unsupported),
    ] {
        assert!(has(vignette, text, "quotation", outcome), "{text}: {:?}", verdicts(&score(vignette, text)));
    }
    let check = score(vignette, "He said \"it feels like a knife is twisting in my chest\".");
    let own = check.checks.iter().find(|check| check.rule == "quotation").unwrap();
    assert_eq!(own.weight, 0.0);
    assert!(!verdicts(&score(vignette, "He has \"bird's beak\" signs.")).iter().any(|(rule, _)| rule == "quotation"));
}

fn library(base: Option<u64>) -> Case {
    let mut case = Case::new("c", Task::YesNoMaybe, "Does the drug help?");
    let texts = [
        "The drug reduced mortality in patients with heart failure (12 % versus 20 %, p = 0.01).",
        "Exercise did not change the quality of life in patients with asthma.",
    ];
    for (index, text) in texts.iter().enumerate() {
        let (id, text) = (format!("d{index}"), (*text).to_owned());
        case.context.push(Document { id, text, kind: Some("abstract".to_owned()), ..Document::default() });
    }
    case.options = ["yes", "no", "maybe"].map(|word| AnswerOption::new(word, word)).into();
    if let Some(base) = base {
        case.metadata.insert("citation_base".to_owned(), base.into());
    }
    case
}

#[test]
fn citations_are_read_by_the_base_of_the_case() {
    let cited = |base, text: &str| {
        let found = verdicts(&score_case(&library(base), text));
        found.into_iter().filter(|(rule, _)| rule == "citation").map(|(_, outcome)| outcome).collect::<Vec<_>>()
    };
    let says = "The drug reduced mortality in heart failure";
    assert_eq!(cited(Some(0), &format!("{says} [0].")), [Outcome::Supported]);
    assert_eq!(cited(Some(1), &format!("{says} [1].")), [Outcome::Supported]);
    assert_eq!(cited(Some(0), &format!("{says} (Document 1).")), [Outcome::Unsupported]);
    assert_eq!(cited(Some(0), &format!("{says} [7].")), [Outcome::Contradicted]);
    assert_eq!(
        cited(Some(0), "Document [0] states that the drug did not reduce mortality in heart failure."),
        [Outcome::Contradicted]
    );
    assert_eq!(cited(None, &format!("{says} [0].")), [Outcome::Exempt]);
}

#[test]
fn a_paper_is_judged_by_its_results() {
    let of = |text: &str| verdicts(&score_case(&library(None), text));
    let result = |outcome| ("result".to_owned(), outcome);
    let found = of("The study found that the drug reduced mortality in patients with heart failure.");
    assert!(found.contains(&result(Outcome::Supported)), "{found:?}");
    let found = of("The study found that the drug increased mortality in patients with heart failure.");
    assert!(found.contains(&result(Outcome::Contradicted)), "{found:?}");
    let found = of("The study found that exercise improved the quality of life in patients with asthma.");
    assert!(found.contains(&result(Outcome::Contradicted)), "{found:?}");
    let found = of("The study found a mortality of 12 % in the drug group, and 35 % in the other.");
    assert!(found.contains(&("quantity".to_owned(), Outcome::Supported)), "{found:?}");
    assert!(found.contains(&("quantity".to_owned(), Outcome::Unsupported)), "{found:?}");
}

#[test]
fn a_question_for_the_exception_is_answered_by_what_is_rejected() {
    let mut case = Case::new("c", Task::SingleChoice, "He has a fever and a cough. All of these fit EXCEPT:");
    case.options = vec![AnswerOption::new("A", "Pneumonia"), AnswerOption::new("B", "Asthma")];
    let text = "Asthma is unlikely. The answer is B.";
    assert!(!verdicts(&score_case(&case, text)).iter().any(|(rule, _)| rule == "agreement"));
    case.question = "He has a fever and a cough. What is the diagnosis?".to_owned();
    let found = verdicts(&score_case(&case, text));
    assert!(found.contains(&("agreement".to_owned(), Outcome::Contradicted)), "{found:?}");
}

/// General knowledge, inferences, plans and other people's findings are no claims about the patient.
#[test]
fn what_is_no_claim() {
    for text in [
        "Pheochromocytoma typically presents with palpitations, headache and sweating.",
        "His symptoms are not typical of pheochromocytoma, which usually presents with palpitations and headache.",
        "The most likely cause of this is prolonged immobilization.",
        "Atelectasis can occur after surgery due to shallow breathing.",
        "His mother had a stroke.",
        "Immobilization is necessary as the next step.",
    ] {
        let found = verdicts(&score(VITALS, text));
        let bad = |(_, outcome): &(String, Outcome)| matches!(outcome, Outcome::Unsupported | Outcome::Contradicted);
        assert!(!found.iter().any(bad), "{text}: {found:?}");
    }
    assert!(has(VITALS, "The patient has papilledema.", "assertion", Outcome::Unsupported));
}
