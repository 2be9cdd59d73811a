//! Answers that are yes, no or maybe.

use attending_datasets::Case;

use super::choice::{self, Choice, parse_choice};
use super::{Read, boxes, trim_span};
use crate::scored::Span;
use crate::text::{Kind, tokenize};

/// The plain synonyms of the three answers.
const WORDS: &[(&str, &[&str])] = &[
    ("yes", &["yes", "true", "y", "correct", "positive", "affirmative"]),
    ("no", &["no", "false", "n", "incorrect", "negative"]),
    ("maybe", &["maybe", "uncertain", "unclear", "inconclusive", "possibly", "unknown", "perhaps"]),
];

fn canonical(word: &str) -> Option<&'static str> {
    WORDS.iter().find(|(_, words)| words.iter().any(|w| w.eq_ignore_ascii_case(word))).map(|(value, _)| *value)
}

/// The word, or the value of the option that a letter names.
fn parse(case: &Case, content: &str) -> Option<&'static str> {
    let bare = content.trim_matches(|c: char| !c.is_alphanumeric());
    if let Some(value) = choice::key_of(bare, &case.options).and_then(|key| value_of(case, &key)) {
        return Some(value);
    }
    if let Some(word) = canonical(bare) {
        return Some(word);
    }
    if let Some(word) = bare.split(|c: char| !c.is_alphanumeric()).next().and_then(canonical) {
        return Some(word);
    }
    match parse_choice(content, &case.options) {
        Choice::One(key) => value_of(case, &key),
        _ => None,
    }
}

fn value_of(case: &Case, key: &str) -> Option<&'static str> {
    let option = case.options.iter().find(|option| option.key == key)?;
    canonical(option.value.as_deref().unwrap_or(&option.text)).or_else(|| canonical(&option.key))
}

pub(super) fn read(case: &Case, text: &str, scope: Span, from_whole: bool) -> Option<Read> {
    let one = |value: &str, tier, span| Read { values: vec![value.to_owned()], tier, span, conflict: false };
    let found: Vec<(&'static str, Span)> =
        boxes(text, scope).into_iter().filter_map(|span| Some((parse(case, &text[span[0]..span[1]])?, span))).collect();
    if let Some((value, span)) = found.last() {
        let conflict = !from_whole && found.iter().any(|(other, _)| other != value);
        return Some(Read { conflict, ..one(value, "boxed", *span) });
    }
    let span = trim_span(text, scope);
    let part = &text[span[0]..span[1]];
    let tokens = tokenize(part);
    // A short conclusion that is the word, or starts with it: "Yes.", "No, because ...".
    if (!from_whole || part.len() <= 12)
        && let Some(first) = tokens.iter().find(|token| token.kind == Kind::Word)
    {
        let [start, end] = first.span();
        if let Some(value) = canonical(&part[start..end]) {
            let next = tokens.iter().find(|token| token.start as usize >= end);
            if next.is_none_or(|next| next.kind == Kind::Mark) {
                return Some(one(value, "word", [span[0] + start, span[0] + end]));
            }
        }
    }
    // "The answer is yes", "Answer: no".
    let mut stated = None;
    for at in 0..tokens.len() {
        if tokens[at].text(part).eq_ignore_ascii_case("answer") {
            for token in tokens.iter().skip(at + 1).take(8) {
                let word = token.text(part);
                if let Some(value) = canonical(word).filter(|_| token.kind == Kind::Word) {
                    stated = Some((value, [span[0] + token.start as usize, span[0] + token.end as usize]));
                    break;
                }
                let link = token.kind == Kind::Mark
                    || ["is", "to", "this", "question", "the", "would", "be", "likely", "final"].contains(&word);
                if !link || token.is_mark('.') {
                    break;
                }
            }
        }
    }
    if let Some((value, span)) = stated {
        return Some(one(value, "statement", span));
    }
    let read = choice::read(case, text, scope, from_whole, false, false)?;
    if read.conflict {
        return Some(read);
    }
    let value = value_of(case, &read.values[0])?;
    Some(one(value, read.tier, read.span))
}

/// The gold answer as yes, no or maybe: a word, or the key of an option that carries one.
fn gold(case: &Case) -> Option<&'static str> {
    let key = case.answer.keys.first()?;
    // A letter is first a key: "N" may name an option.
    value_of(case, key).or_else(|| canonical(key))
}

/// Whether the gold answer can be judged.
pub(super) fn has_gold(case: &Case) -> bool {
    gold(case).is_some()
}

pub(super) fn judge(case: &Case, value: &str) -> (f64, String) {
    let gold = gold(case).unwrap_or("");
    (f64::from(u8::from(gold == value)), gold.to_owned())
}
