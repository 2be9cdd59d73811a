//! Reference responses, and flawed ones of a stated kind, to synthetic cases.

use serde::{Deserialize, Serialize};

use super::argument::Argument;
use super::condition::{Condition, condition};
use super::finding;
use super::patient;
use super::phrase::{Slots, capital, lower, noun};
use super::rng::{Rng, round};
use super::truth::{Asked, Fact, Status, Truth};
use crate::Case;

/// What a reference response is an example of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Real findings with their values, rivals dealt with, right answer.
    Faithful,
    /// Right answer, thin reasoning.
    Terse,
    /// Real findings, wrong answer, argued for.
    WrongAnswer,
    /// A finding that the record does not mention, right answer.
    InventedFinding,
    /// A measured value changed, right answer.
    AlteredValue,
    /// A finding stated the other way round, right answer.
    FlippedNegation,
    /// Right answer, no rival mentioned.
    NoDifferential,
    /// Right answer, the same said again and again.
    Repetitive,
    /// The reasoning argues for another answer than the box gives.
    Contradicting,
    /// Tags or box broken.
    Malformed,
    /// No reasoning: one of the options, whichever, and its letter. For learning to find letters.
    Lookup,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 11] = [
        Self::Faithful,
        Self::Terse,
        Self::WrongAnswer,
        Self::InventedFinding,
        Self::AlteredValue,
        Self::FlippedNegation,
        Self::NoDifferential,
        Self::Repetitive,
        Self::Contradicting,
        Self::Malformed,
        Self::Lookup,
    ];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Faithful => "faithful",
            Self::Terse => "terse",
            Self::WrongAnswer => "wrong_answer",
            Self::InventedFinding => "invented_finding",
            Self::AlteredValue => "altered_value",
            Self::FlippedNegation => "flipped_negation",
            Self::NoDifferential => "no_differential",
            Self::Repetitive => "repetitive",
            Self::Contradicting => "contradicting",
            Self::Malformed => "malformed",
            Self::Lookup => "lookup",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Kind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether every statement about the patient stands in the record.
    pub fn faithful(self) -> bool {
        !matches!(self, Self::InventedFinding | Self::AlteredValue | Self::FlippedNegation)
    }

    /// Whether the boxed answer is right; `None` where the kind does not say.
    pub fn right(self) -> Option<bool> {
        match self {
            Self::Malformed | Self::Lookup => None,
            kind => Some(kind != Self::WrongAnswer),
        }
    }
}

/// A response of a known kind to a synthetic case, as it is written to a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// The case.
    pub case_id: String,
    /// Counts the responses to one case.
    pub sample: u64,
    /// `<think>...</think><answer>...</answer>`.
    pub text: String,
    /// What it is an example of.
    pub kind: Kind,
}

/// Most words that a response may have, so that it fits 128 tokens of a small vocabulary.
pub const MAX_WORDS: usize = 75;

const ANSWERS: &[&str] = &[
    "The most likely diagnosis is {x}.",
    "The findings fit {x} best.",
    "This is most consistent with {x}.",
    "The best answer is {x}.",
    "The diagnosis is {x}.",
];

/// The text of a response of the given kind; `None` where the case is not synthetic, or has no options to look up.
pub fn respond(case: &Case, kind: Kind, rng: &mut Rng) -> Option<String> {
    let truth = Truth::of(case)?;
    match &truth.asked {
        Asked::Diagnosis { options } => {
            let options: Vec<&'static Condition> = options.iter().filter_map(|id| condition(id)).collect();
            if kind == Kind::Lookup {
                return lookup(case, &truth, &options, rng);
            }
            diagnosis(case, &truth, &options, kind, rng)
        }
        _ if kind == Kind::Lookup => None,
        Asked::Support { condition: asked, rival, answer } => {
            Some(support(&truth, condition(asked)?, condition(rival)?, answer, kind, rng))
        }
        Asked::Calculation { quantity, operands, result } => {
            Some(calculation(&truth, quantity, operands, result, kind, rng))
        }
    }
}

/// The key of an option, by its condition.
fn key(case: &Case, options: &[&Condition], wanted: &Condition) -> Option<String> {
    let at = options.iter().position(|option| option.id == wanted.id)?;
    case.options.get(at).map(|option| option.key.clone())
}

fn diagnosis(case: &Case, truth: &Truth, options: &[&'static Condition], kind: Kind, rng: &mut Rng) -> Option<String> {
    let right = condition(&truth.condition)?;
    let wrong: Vec<&'static Condition> = options.iter().copied().filter(|c| c.id != right.id).collect();
    // The nearest rival is the most natural error.
    let other = nearest(truth, &wrong, rng)?;
    let chosen = if matches!(kind, Kind::WrongAnswer | Kind::Contradicting) { other } else { right };
    let rivals: Vec<&'static Condition> = options.iter().copied().filter(|c| c.id != chosen.id).collect();
    let take = match kind {
        Kind::Terse | Kind::NoDifferential | Kind::Repetitive => 0,
        _ => 2 + usize::from(rng.chance(0.35)),
    };
    let mut truth = truth.clone();
    let mut argument = Argument::new(&truth, chosen, &rivals, take, rng);
    if take == 0 {
        argument.rejects.clear();
    }
    falsify(&mut truth, &mut argument, kind, rng);
    if kind == Kind::Terse {
        argument.supports.truncate(1);
    }
    let mut sentences = argument.sentences(&truth, rng);
    if kind == Kind::Repetitive {
        repeat(&mut sentences, rng);
    }
    let boxed = if kind == Kind::Contradicting { right } else { chosen };
    let answer = Slots::of(truth.female, &[], boxed.name).fill(rng.text(ANSWERS));
    Some(assemble(sentences, &answer, &key(case, options, boxed)?, kind, rng))
}

/// One of the options and its letter, without a reason.
fn lookup(case: &Case, truth: &Truth, options: &[&Condition], rng: &mut Rng) -> Option<String> {
    let named = *rng.pick(options);
    let answer = Slots::of(truth.female, &[], named.name).fill(rng.text(ANSWERS));
    Some(format!("<answer>{answer} \\boxed{{{}}}</answer>", key(case, options, named)?))
}

/// The wrong option that the facts fit best, or now and then another.
fn nearest(truth: &Truth, wrong: &[&'static Condition], rng: &mut Rng) -> Option<&'static Condition> {
    if rng.chance(0.4) {
        return wrong.get(rng.below(wrong.len())).copied();
    }
    let fit = |c: &Condition| truth.facts.iter().map(|fact| fact.log_likelihood(c)).sum::<f64>();
    wrong.iter().copied().max_by(|a, b| fit(a).total_cmp(&fit(b)))
}

/// Puts the error of the kind into the argument.
fn falsify(truth: &mut Truth, argument: &mut Argument, kind: Kind, rng: &mut Rng) {
    match kind {
        Kind::InventedFinding => {
            let count = 1 + usize::from(rng.chance(0.4));
            for _ in 0..count {
                if let Some(fact) = patient::unmentioned(argument.chosen, &truth.facts, rng) {
                    truth.facts.push(fact.clone());
                    argument.supports.truncate(4);
                    argument.supports.insert(rng.below(argument.supports.len().min(2) + 1), fact);
                }
            }
        }
        Kind::AlteredValue => {
            // The value may be in neither part yet: then it is put first.
            let place = argument.supports.iter_mut().chain(argument.rejects.iter_mut().map(|(_, fact)| fact));
            if let Some(fact) = place.into_iter().find(|fact| fact.status == Status::Measured) {
                *fact = altered(fact, rng);
            } else if let Some(fact) = truth.facts.iter().find(|fact| fact.status == Status::Measured) {
                argument.supports.insert(0, altered(fact, rng));
                argument.supports.truncate(5);
            }
        }
        Kind::FlippedNegation => {
            // A denied finding is claimed, or a stated one denied.
            let absent: Vec<&Fact> = truth.facts.iter().filter(|fact| fact.status == Status::Absent).collect();
            if !absent.is_empty() && (argument.supports.is_empty() || rng.chance(0.6)) {
                let mut fact = (*rng.pick(&absent)).clone();
                fact.status = Status::Present;
                argument.rejects.retain(|(_, reason)| reason.id != fact.id);
                argument.supports.truncate(4);
                argument.supports.insert(rng.below(argument.supports.len().min(2) + 1), fact);
            } else if let Some(at) = argument.supports.iter().position(|fact| fact.status == Status::Present) {
                let mut fact = argument.supports.remove(at);
                fact.status = Status::Absent;
                match argument.rejects.first_mut() {
                    Some((_, reason)) => *reason = fact,
                    None => argument.supports.clear(),
                }
            }
        }
        _ => {}
    }
}

/// The same measure with a value that is clearly another: by a fifth or more, and at least two printed units.
fn altered(fact: &Fact, rng: &mut Rng) -> Fact {
    let (Some(measure), Some(number)) = (finding::measure(&fact.id), fact.number) else { return fact.clone() };
    let step = 10f64.powi(-(measure.decimals as i32));
    let (low, high) = (measure.reference.0, measure.reference.1);
    // Temperatures, saturations and the like live in narrow ranges: the change is a share of the reference width.
    let by = (2.0 * step).max((high - low) * 0.4).max(if number > high { (number - high) * 0.3 } else { 0.0 });
    let up = number <= by || rng.chance(0.5);
    let moved = round(if up { number + by } else { number - by }, measure.decimals);
    let limit = if measure.unit == "%" { 100.0 } else { f64::INFINITY };
    let moved = if moved > limit { round(number - by, measure.decimals) } else { moved };
    Fact::measured(measure, patient::reported(moved, measure.decimals))
}

/// Says the first sentence, or its shape, again.
fn repeat(sentences: &mut Vec<String>, rng: &mut Rng) {
    sentences.truncate(2);
    let Some(first) = sentences.first().cloned() else { return };
    for _ in 0..1 + rng.below(2) {
        let last = sentences.last().cloned().unwrap_or_default();
        sentences.push(if rng.chance(0.5) { first.clone() } else { last });
    }
}

/// Puts sentences, answer and box into the format, or breaks it.
fn assemble(mut sentences: Vec<String>, answer: &str, key: &str, kind: Kind, rng: &mut Rng) -> String {
    let words = |sentences: &[String]| sentences.iter().map(|s| s.split_whitespace().count()).sum::<usize>();
    let fixed = answer.split_whitespace().count() + 1;
    while sentences.len() > 1 && words(&sentences) + fixed > MAX_WORDS {
        sentences.pop();
    }
    let think = sentences.join(" ");
    let boxed = format!("\\boxed{{{key}}}");
    if kind != Kind::Malformed {
        return format!("<think>{think}</think><answer>{answer} {boxed}</answer>");
    }
    match rng.below(7) {
        0 => format!("<think>{think} <answer>{answer} {boxed}</answer>"),
        1 => format!("{think} {answer} {boxed}"),
        2 => format!("<think>{think}</think><answer>{answer}</answer>"),
        3 => format!("<think>{think}</think>{answer} {boxed}"),
        4 => format!("<think></think><answer>{answer} {boxed}</answer>"),
        5 => format!("<think>{think}</think><answer>{answer} {boxed}"),
        _ => format!("<answer>{answer} {boxed}</answer><think>{think}</think>"),
    }
}

/// Reasons for or against one condition.
fn support(
    truth: &Truth,
    asked: &'static Condition,
    rival: &'static Condition,
    answer: &str,
    kind: Kind,
    rng: &mut Rng,
) -> String {
    let given = if matches!(kind, Kind::WrongAnswer | Kind::Contradicting) {
        let wrong: Vec<&str> = ["yes", "no", "maybe"].into_iter().filter(|a| *a != answer).collect();
        rng.text(&wrong)
    } else {
        answer
    };
    let (chosen, against) = if given == "no" { (rival, asked) } else { (asked, rival) };
    let mut truth = truth.clone();
    let take = usize::from(!matches!(kind, Kind::Terse | Kind::NoDifferential | Kind::Repetitive) && given != "maybe");
    let mut argument = Argument::new(&truth, chosen, &[against], take, rng);
    if take == 0 {
        argument.rejects.clear();
    }
    falsify(&mut truth, &mut argument, kind, rng);
    if kind == Kind::Terse {
        argument.supports.truncate(1);
    }
    let mut sentences = if given == "maybe" {
        let mut facts: Vec<&Fact> = argument.supports.iter().take(3).collect();
        for fact in truth.facts.iter().filter(|fact| fact.positive() && kind != Kind::Terse) {
            if facts.len() < 3 && facts.iter().all(|known| known.id != fact.id) {
                facts.push(fact);
            }
        }
        let slots = Slots::of(truth.female, &facts, asked.name);
        let first =
            ["{She} has {F}, which fits {x}.", "{Her} {f} may point to {x}.", "{X} is possible because {she} has {F}."];
        let second = ["The same findings fit {x}.", "{X} remains possible too.", "Nothing in the record excludes {x}."];
        let mut out = if facts.is_empty() { Vec::new() } else { vec![slots.fill(rng.text(&first))] };
        if !matches!(kind, Kind::Terse | Kind::NoDifferential) {
            out.push(Slots::of(truth.female, &[], rival.name).fill(rng.text(&second)));
        }
        out
    } else {
        argument.sentences(&truth, rng)
    };
    if kind == Kind::Repetitive {
        repeat(&mut sentences, rng);
    }
    let word = if kind == Kind::Contradicting { answer } else { given };
    let name = lower(asked.name);
    let text = match word {
        "yes" => format!("Yes, the record supports {name}."),
        "no" => format!("No, the record does not support {name}."),
        _ => format!("The record leaves {name} open."),
    };
    assemble(sentences, &text, word, kind, rng)
}

/// The arithmetic, shown.
fn calculation(
    truth: &Truth,
    quantity: &str,
    operands: &[(String, f64)],
    result: &str,
    kind: Kind,
    rng: &mut Rng,
) -> String {
    let mut operands = operands.to_vec();
    if kind == Kind::AlteredValue && !operands.is_empty() {
        let at = rng.below(operands.len());
        operands[at].1 = round(operands[at].1 * 1.2 + 1.0, u32::from(operands[at].1.fract() != 0.0));
    }
    let off = |value: &str, rng: &mut Rng| -> String {
        let decimals = value.split_once('.').map_or(0, |(_, digits)| digits.len() as u32);
        let number: f64 = value.parse().unwrap_or_default();
        let by = (number.abs() * 0.15).max(2.0) * if rng.chance(0.5) { 1.0 } else { -1.0 };
        format!("{:.*}", decimals as usize, round(number + by, decimals))
    };
    let argued =
        if matches!(kind, Kind::WrongAnswer | Kind::Contradicting) { off(result, rng) } else { result.to_owned() };
    let boxed = if kind == Kind::Contradicting { result.to_owned() } else { argued.clone() };
    let mut sentences = super::calculation::reasoning(truth, quantity, &operands, &argued, kind == Kind::Terse, rng);
    match kind {
        Kind::InventedFinding => {
            if let Some(fact) = condition(&truth.condition).and_then(|c| patient::unmentioned(c, &truth.facts, rng)) {
                let she = if truth.female { "She" } else { "He" };
                sentences.insert(0, format!("{she} has {}.", noun(&fact)));
            }
        }
        Kind::FlippedNegation => {
            if let Some(fact) = truth.facts.iter().find(|f| f.status != Status::Measured) {
                let mut fact = fact.clone();
                let she = if truth.female { "She" } else { "He" };
                let present = fact.status == Status::Present;
                fact.status = Status::Present;
                let noun = noun(&fact);
                sentences.insert(
                    0,
                    if present { format!("{she} does not have {noun}.") } else { format!("{she} has {noun}.") },
                );
            }
        }
        Kind::Repetitive => repeat(&mut sentences, rng),
        _ => {}
    }
    let answer = capital(&format!("the {quantity} is {argued}."));
    let answer = if kind == Kind::Contradicting { capital(&format!("the {quantity} is {boxed}.")) } else { answer };
    assemble(sentences, &answer, &boxed, kind, rng)
}
