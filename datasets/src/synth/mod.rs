//! The synthetic clinic: cases with known ground truth, and reference responses of known kinds.
//!
//! Design decision: a case is drawn from a table of conditions (findings with their probabilities), so the best answer
//! is defined by the stated facts, and every fact is kept in the case's metadata (`truth`). The cost is a narrow world
//! of some forty conditions; the gain is that rewards can be checked against what is known to be true, and that a model
//! of a few million parameters can learn it. Randomness is counter-based: case `i` of a seed and split is the same
//! whichever cases are drawn beside it.

pub mod argument;
pub mod calculation;
pub mod condition;
pub mod finding;
pub mod patient;
pub mod phrase;
pub mod record;
pub mod respond;
pub mod rng;
pub mod truth;
pub mod vignette;

pub use respond::{Kind, Reference, respond};
pub use rng::Rng;
pub use truth::Truth;

use serde_json::Value;

use crate::{AnswerOption, Case, NumberAnswer, Task};
use condition::{CONDITIONS, Condition};
use patient::Patient;
use truth::{Asked, Fact, posterior};

/// Disjoint streams of cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// For training.
    Train,
    /// For choosing settings.
    Validation,
    /// For the figures that are reported.
    HeldOut,
}

impl Split {
    /// The name in case ids and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::HeldOut => "held_out",
        }
    }

    /// The split of that name.
    pub fn named(name: &str) -> Option<Split> {
        [Self::Train, Self::Validation, Self::HeldOut].into_iter().find(|split| split.name() == name)
    }

    fn stream(self) -> u64 {
        match self {
            Self::Train => 1,
            Self::Validation => 2,
            Self::HeldOut => 3,
        }
    }
}

/// What kinds of cases to draw.
#[derive(Debug, Clone)]
pub struct Options {
    /// Tasks with their weights: single_choice, yes_no_maybe and numeric are known.
    pub tasks: Vec<(Task, f64)>,
    /// Length of the record in tokens (see [`record::CHARACTERS_A_TOKEN`]); `None` puts a short vignette into the
    /// question, and there is no record.
    pub tokens: Option<usize>,
}

impl Default for Options {
    /// The mix that the embedded model is trained on: little arithmetic, since it cannot do much.
    fn default() -> Self {
        Self { tasks: vec![(Task::SingleChoice, 0.88), (Task::YesNoMaybe, 0.07), (Task::Numeric, 0.05)], tokens: None }
    }
}

/// The kinds of reference responses, with their shares, that the embedded model was cold-started on: so that it starts
/// with room to improve in every objective.
pub const COLD_START: &[(Kind, f64)] = &[
    (Kind::Faithful, 0.30),
    (Kind::Terse, 0.10),
    (Kind::WrongAnswer, 0.20),
    (Kind::InventedFinding, 0.10),
    (Kind::AlteredValue, 0.06),
    (Kind::FlippedNegation, 0.06),
    (Kind::NoDifferential, 0.08),
    (Kind::Repetitive, 0.03),
    (Kind::Contradicting, 0.04),
    (Kind::Malformed, 0.03),
];

/// Cases 0..n of the default mix.
pub fn cases(n: usize, seed: u64, split: Split) -> Vec<Case> {
    let options = Options::default();
    (0..n as u64).map(|index| case(index, seed, split, &options)).collect()
}

/// Case `index` of a seed and split.
pub fn case(index: u64, seed: u64, split: Split, options: &Options) -> Case {
    let mut rng = Rng::keyed(&[seed, split.stream(), index]);
    let weights: Vec<f64> = options.tasks.iter().map(|(_, weight)| *weight).collect();
    let task = options.tasks.get(rng.weighted(&weights)).map_or(Task::SingleChoice, |(task, _)| *task);
    let patient = patient::draw(&mut rng);
    let mut case = match task {
        Task::Numeric => numeric(&patient, options.tokens, &mut rng),
        Task::YesNoMaybe => yes_no_maybe(patient, options.tokens, &mut rng),
        _ => single_choice(&patient, options.tokens, &mut rng),
    };
    case.id = format!("synth:{}:{index:06}", split.name());
    case.split = split.name().to_owned();
    case
}

/// Whether cases of a task can be drawn.
pub fn writes(task: Task) -> bool {
    matches!(task, Task::SingleChoice | Task::YesNoMaybe | Task::Numeric)
}

/// References `0..per_case` for one case: kinds drawn by their shares.
pub fn references(case: &Case, seed: u64, per_case: u64, kinds: &[(Kind, f64)]) -> Vec<Reference> {
    let weights: Vec<f64> = kinds.iter().map(|(_, weight)| *weight).collect();
    (0..per_case)
        .filter_map(|sample| {
            let mut rng = Rng::keyed(&[seed, 0x5E5F, hash(&case.id), sample]);
            let kind = kinds.get(rng.weighted(&weights))?.0;
            let text = respond(case, kind, &mut rng)?;
            Some(Reference { case_id: case.id.clone(), sample, text, kind })
        })
        .collect()
}

/// FNV-1a, so that a case's stream follows from its id alone.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

const QUESTIONS: &[&str] = &[
    "What is the most likely diagnosis?",
    "Which of the following is the most likely diagnosis?",
    "Which diagnosis is most likely?",
    "What is the best explanation for these findings?",
];

fn empty(task: Task) -> Case {
    let mut case = Case::new("", task, "");
    case.dataset = "synth".to_owned();
    case
}

/// States the patient's facts: as a vignette before the question, or as a record in `context`.
fn state(case: &mut Case, patient: &Patient, tokens: Option<usize>, rng: &mut Rng) {
    match tokens {
        None => case.question = vignette::vignette(patient, rng),
        Some(tokens) => case.context = record::documents(patient, tokens, rng),
    }
}

/// Adds a sentence to the question.
fn ask(case: &mut Case, sentence: &str) {
    if !case.question.is_empty() {
        case.question.push(' ');
    }
    case.question.push_str(sentence);
}

/// Stores the ground truth.
fn with_truth(mut case: Case, patient: &Patient, asked: Asked) -> Case {
    let truth = Truth {
        condition: patient.condition.id.to_owned(),
        age: patient.age,
        female: patient.female,
        course: (patient.course.0, patient.course.1.to_owned()),
        asked,
        facts: patient.facts.clone(),
    };
    // A struct of strings and numbers always becomes JSON.
    case.metadata.insert(truth::FIELD.to_owned(), serde_json::to_value(&truth).unwrap_or(Value::Null));
    case
}

fn single_choice(patient: &Patient, tokens: Option<usize>, rng: &mut Rng) -> Case {
    let mut case = empty(Task::SingleChoice);
    state(&mut case, patient, tokens, rng);
    ask(&mut case, rng.text(QUESTIONS));
    for (letter, option) in ('A'..).zip(&patient.options) {
        // As within a sentence: a small model finds the letter of a name by the same tokens.
        case.options.push(AnswerOption::new(letter, phrase::lower(option.name)));
        if option.id == patient.condition.id {
            case.answer.keys = vec![letter.to_string()];
        }
    }
    let options = patient.options.iter().map(|c| c.id.to_owned()).collect();
    with_truth(case, patient, Asked::Diagnosis { options })
}

fn numeric(patient: &Patient, tokens: Option<usize>, rng: &mut Rng) -> Case {
    let mut case = empty(Task::Numeric);
    let mut patient = patient.clone();
    // Leave room for the values: two findings and no other measurement.
    patient.facts.retain(|fact| fact.number.is_none());
    patient.facts.truncate(3);
    let drawn = calculation::draw(&patient, rng);
    state(&mut case, &patient, tokens, rng);
    match case.context.iter_mut().find(|document| document.id == "note") {
        Some(note) => {
            note.text.push('\n');
            note.text.push_str(&drawn.statement);
        }
        None => ask(&mut case, &drawn.statement),
    }
    ask(&mut case, &drawn.question);
    case.answer.number = Some(NumberAnswer {
        value: drawn.value,
        unit: drawn.unit.to_owned(),
        integer: drawn.decimals == 0,
        ..NumberAnswer::default()
    });
    with_truth(case, &patient, drawn.asked)
}

/// "Does the record support X?": yes for the patient's condition, no for a rival, maybe where the facts that tell the
/// two apart are left out.
fn yes_no_maybe(mut patient: Patient, tokens: Option<usize>, rng: &mut Rng) -> Case {
    let mut case = empty(Task::YesNoMaybe);
    let rivals: Vec<&'static Condition> =
        patient.options.iter().copied().filter(|c| c.id != patient.condition.id).collect();
    let mut rival = *rng.pick(&rivals);
    let mut answer = *rng.pick(&["yes", "yes", "no", "no", "maybe"]);
    if answer == "maybe" {
        // The rival that shares most; only what does not tell it from the condition is stated.
        let shared =
            |c: &&Condition| -> usize { patient.facts.iter().filter(|f| undecided(f, patient.condition, c)).count() };
        rival = rivals.iter().copied().max_by_key(shared).unwrap_or(rival);
        let facts: Vec<Fact> =
            patient.facts.iter().filter(|f| undecided(f, patient.condition, rival)).cloned().collect();
        let p = posterior(&facts, &[patient.condition, rival])[0];
        if facts.iter().filter(|f| f.positive()).count() >= 2 && (0.25..=0.75).contains(&p) {
            patient.facts = facts;
        } else {
            answer = "yes";
        }
    }
    let asked = if answer == "no" { rival } else { patient.condition };
    let other = if answer == "no" { patient.condition } else { rival };
    let name = phrase::lower(asked.name);
    let questions = [
        format!("Does the record support a diagnosis of {name}? Answer yes, no or maybe."),
        format!("Do these findings support {name}? Answer yes, no or maybe."),
        format!("Is {name} the likely diagnosis? Answer yes, no or maybe."),
    ];
    state(&mut case, &patient, tokens, rng);
    let question = rng.pick(&questions).clone();
    ask(&mut case, &question);
    case.answer.keys = vec![answer.to_owned()];
    let asked =
        Asked::Support { condition: asked.id.to_owned(), rival: other.id.to_owned(), answer: answer.to_owned() };
    with_truth(case, &patient, asked)
}

/// Whether a fact says little between two conditions: less than three to one.
fn undecided(fact: &Fact, a: &Condition, b: &Condition) -> bool {
    (fact.log_likelihood(a) - fact.log_likelihood(b)).abs() < 1.1
}

/// All conditions of the clinic, for lexicons and tests that want its vocabulary.
pub fn conditions() -> &'static [Condition] {
    CONDITIONS
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_splits_differ() {
        let json = |seed, split| serde_json::to_string(&cases(30, seed, split)).unwrap();
        assert_eq!(json(5, Split::Train), json(5, Split::Train));
        let one = case(17, 5, Split::Train, &Options::default());
        assert_eq!(one, cases(30, 5, Split::Train)[17], "a case does not depend on those beside it");
        assert_eq!(one.id, "synth:train:000017");
        let questions = |split| cases(300, 5, split).into_iter().map(|c| c.question).collect::<Vec<_>>();
        let (train, held_out) = (questions(Split::Train), questions(Split::HeldOut));
        assert!(train.iter().all(|q| !held_out.contains(q)));
        assert_ne!(json(5, Split::Train), json(6, Split::Train));
    }

    #[test]
    fn every_fact_stands_in_the_question() {
        for case in cases(500, 1, Split::Train) {
            let truth = Truth::of(&case).unwrap();
            for fact in &truth.facts {
                let text = case.question.to_lowercase();
                assert!(text.contains(&phrase::bare(&fact.phrase).to_lowercase()), "{fact:?} in {}", case.question);
                assert!(case.question.contains(&fact.value), "{fact:?} in {}", case.question);
            }
        }
    }

    #[test]
    fn right_answers_are_right_and_faithful_numbers_are_real() {
        for case in cases(400, 2, Split::Train) {
            let gold = match (&case.answer.number, case.answer.keys.first()) {
                (Some(number), _) => truth::print_number(number.value, u32::from(!number.integer)),
                (None, Some(key)) => key.clone(),
                _ => panic!("no answer"),
            };
            for kind in Kind::ALL {
                let Some(text) = respond(&case, kind, &mut Rng::keyed(&[3, kind as u64])) else {
                    assert!(kind == Kind::Lookup && case.task != Task::SingleChoice);
                    continue;
                };
                assert!(text.split_whitespace().count() <= respond::MAX_WORDS + 3, "{text}");
                let boxed = format!("\\boxed{{{gold}}}");
                if let Some(right) = kind.right() {
                    assert_eq!(text.contains(&boxed), right, "{} {text}", kind.name());
                    assert!(text.starts_with("<think>") && text.ends_with("</answer>"));
                }
                if kind == Kind::Faithful && case.task != Task::Numeric {
                    let reasoning = &text[..text.find("</think>").unwrap()];
                    for number in reasoning.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ',') {
                        let number = number.trim_matches(['.', ',']);
                        // "vitamin B12" is a name.
                        assert!(
                            number.is_empty() || case.question.contains(number) || number == "12",
                            "{number}: {text}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_lookup_gives_the_letter_of_the_option_that_it_names() {
        let (mut seen, mut right) = (0, 0);
        for case in cases(300, 6, Split::Train).iter().filter(|case| case.task == Task::SingleChoice) {
            let text = respond(case, Kind::Lookup, &mut Rng::keyed(&[hash(&case.id)])).unwrap();
            let named = |o: &&AnswerOption| [". ", " best. "].iter().any(|e| text.contains(&format!(" {}{e}", o.text)));
            let named: Vec<&AnswerOption> = case.options.iter().filter(named).collect();
            assert_eq!(named.len(), 1, "{text}");
            assert!(text.contains(&format!("\\boxed{{{}}}", named[0].key)), "{text}");
            seen += 1;
            right += usize::from(case.answer.keys[0] == named[0].key);
        }
        assert!(right * 8 > seen && right * 2 < seen, "{right} of {seen}: any option is as likely");
    }

    #[test]
    fn altered_values_are_not_in_the_record() {
        let mut changed = 0;
        for case in cases(200, 4, Split::Train).iter().filter(|case| case.task == Task::SingleChoice) {
            let faithful = respond(case, Kind::Faithful, &mut Rng::keyed(&[9])).unwrap();
            let altered = respond(case, Kind::AlteredValue, &mut Rng::keyed(&[9])).unwrap();
            assert_ne!(faithful, altered);
            let values = Truth::of(case).unwrap().facts.into_iter().map(|f| f.value).filter(|v| !v.is_empty());
            let stated: Vec<String> = values.filter(|value| altered.contains(value.as_str())).collect();
            changed += usize::from(stated.len() < altered.matches(" of ").count());
        }
        assert!(changed > 100, "{changed}");
    }

    #[test]
    fn shares_of_tasks_follow_the_options() {
        let cases = cases(4000, 8, Split::Train);
        let share = |task| cases.iter().filter(|c| c.task == task).count() as f64 / 4000.0;
        // Four standard deviations of a binomial with p 0.05, n 4000: 0.014.
        assert!((share(Task::Numeric) - 0.05).abs() < 0.014);
        assert!((share(Task::YesNoMaybe) - 0.07).abs() < 0.017);
        let answers: Vec<&str> =
            cases.iter().filter(|c| c.task == Task::YesNoMaybe).map(|c| c.answer.keys[0].as_str()).collect();
        for word in ["yes", "no", "maybe"] {
            assert!(answers.iter().filter(|a| **a == word).count() * 20 > answers.len(), "{word} is too rare");
        }
    }

    #[test]
    fn references_follow_their_shares() {
        let cases = cases(300, 1, Split::Train);
        let all: Vec<Reference> = cases.iter().flat_map(|case| references(case, 1, 8, COLD_START)).collect();
        assert_eq!(all.len(), 2400);
        let faithful = all.iter().filter(|r| r.kind == Kind::Faithful).count() as f64 / 2400.0;
        // Four standard deviations at p 0.30, n 2400: 0.037.
        assert!((faithful - 0.30).abs() < 0.037, "{faithful}");
        assert_eq!(all[..8], references(&cases[0], 1, 8, COLD_START)[..]);
        assert!((COLD_START.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
