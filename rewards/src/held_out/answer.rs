//! The answer as the last words of a response give it: an independent reader, for cases with options, yes/no/maybe and
//! numbers.

use attending_datasets::{Case, Task};

use crate::scored::Span;
use crate::text::{Kind, hash_word, tokenize};

use super::passage::read;

/// Bytes at the end of a response in which an answer is looked for.
const LAST: usize = 400;
/// Share of a number by which it may differ.
const TOLERANCE: f64 = 0.05;

/// What the last words say.
#[derive(Debug, PartialEq)]
pub(super) struct Read {
    /// The key, the word or the number.
    pub(super) value: String,
    /// Where it stands.
    pub(super) span: Span,
    /// Whether it is right.
    pub(super) right: bool,
}

/// Why this reader cannot judge a case, if so. It depends on the case alone.
pub(super) fn unscorable(case: &Case) -> Option<&'static str> {
    match case.task {
        Task::SingleChoice | Task::YesNoMaybe if case.answer.keys.is_empty() => Some("no gold answer"),
        Task::Numeric if case.answer.number.is_none() => Some("no gold answer"),
        Task::Numeric if case.answer.number.as_ref().is_some_and(|number| number.abstain) => {
            Some("task is not judged by a rule")
        }
        Task::SingleChoice | Task::YesNoMaybe | Task::Numeric => None,
        _ => Some("task is not judged by a rule"),
    }
}

/// Reads and judges.
pub(super) fn read_last(case: &Case, text: &str) -> Option<Read> {
    let mut from = text.len().saturating_sub(LAST);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let last = &text[from..];
    let moved = |[start, end]: Span| [start + from, end + from];
    if case.task == Task::Numeric {
        let gold = case.answer.number.as_ref()?.value;
        let words = read(last).into_iter().flat_map(|sentence| sentence.words);
        let (value, span) = words.filter_map(|word| Some((word.number?, word.span))).next_back()?;
        let right = (value - gold.abs()).abs() <= TOLERANCE * gold.abs() + 1e-6;
        return Some(Read { value: value.to_string(), span: moved(span), right });
    }
    // Each candidate key with the wordings that stand for it.
    let candidates: Vec<(&str, Vec<&str>)> = if case.options.is_empty() {
        ["yes", "no", "maybe"].map(|word| (word, vec![word])).into()
    } else {
        case.options.iter().map(|option| (option.key.as_str(), option.value.as_deref().into_iter().collect())).collect()
    };
    let gold = case.answer.keys.first()?;
    let is_right = |key: &str| {
        let value = case.options.iter().find(|option| option.key == *key).and_then(|option| option.value.as_deref());
        key == gold || value == Some(gold.as_str())
    };
    let (key, span) = marked(last, &candidates).or_else(|| named(case, last))?;
    Some(Read { right: is_right(&key), value: key, span: moved(span) })
}

/// The last key that stands by itself: in brackets or braces, behind "answer", "option" or a colon, or at the very end.
fn marked(last: &str, candidates: &[(&str, Vec<&str>)]) -> Option<(String, Span)> {
    let tokens = tokenize(last);
    let hashes: Vec<(u64, &str)> = candidates
        .iter()
        .flat_map(|(key, wordings)| {
            [*key].into_iter().chain(wordings.iter().copied()).map(move |word| (hash_word(word), *key))
        })
        .collect();
    let called = ["answer", "option", "choice", "is", "conclusion"].map(hash_word);
    tokens.iter().enumerate().rev().find_map(|(at, token)| {
        let (_, key) = hashes.iter().find(|(hash, _)| *hash == token.hash && token.kind == Kind::Word)?;
        let long = token.end - token.start > 1;
        if !long && !token.capital {
            return None;
        }
        let before = at.checked_sub(1).map(|index| &tokens[index]);
        let after = tokens.get(at + 1);
        let opened = before.is_some_and(|b| ['(', '{', '[', ':', '*', '>', '"'].iter().any(|&mark| b.is_mark(mark)));
        let closed = after.is_none_or(|a| [')', '}', ']', '.', '*', '<', '"'].iter().any(|&mark| a.is_mark(mark)));
        let spoken = before.is_some_and(|b| called.contains(&b.hash) && b.kind == Kind::Word);
        (closed && (opened || spoken || long || before.is_none())).then(|| ((*key).to_owned(), token.span()))
    })
}

/// The option whose words stand last: at least two thirds of its families within one sentence, more than any other's.
fn named(case: &Case, last: &str) -> Option<(String, Span)> {
    let options: Vec<(&str, Vec<u64>)> = case
        .options
        .iter()
        .map(|option| {
            let families = read(&option.text).iter().flat_map(|sentence| sentence.families()).collect();
            (option.key.as_str(), families)
        })
        .collect();
    read(last).iter().rev().find_map(|sentence| {
        let said = sentence.families();
        let share = |families: &[u64]| {
            let known = families.iter().filter(|family| said.contains(family)).count();
            if families.is_empty() { 0.0 } else { known as f64 / families.len() as f64 }
        };
        let shares: Vec<f64> = options.iter().map(|(_, families)| share(families)).collect();
        let most = shares.iter().copied().fold(0.0, f64::max);
        let mut best = shares.iter().enumerate().filter(|(_, share)| **share == most);
        match (best.next(), best.next()) {
            (Some((index, _)), None) if most >= 2.0 / 3.0 => Some((options[index].0.to_owned(), sentence.span)),
            _ => None,
        }
    })
}
