//! Answers that are option letters.

use std::borrow::Cow;
use std::cell::LazyCell;

use attending_datasets::{AnswerOption, Case, Task};

use super::{Read, SetMeasure, boxes, is_negative, trim_span};
use crate::scored::Span;
use crate::text::{Kind, Token, hash_word, tokenize};

/// What a short text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// One option.
    One(String),
    /// Several options.
    Many(Vec<String>),
    /// None, or something else.
    None,
}

/// The characters that wrap a letter without changing it.
const WRAPPING: &[char] = &[
    '*', '_', '`', '$', '"', '\'', '(', ')', '[', ']', '{', '}', '<', '>', ' ', '\n', '\t', '\r', '\u{201c}',
    '\u{201d}',
];

/// Reads the content of a box, a JSON value or a line that holds nothing but the answer.
pub fn parse_choice(content: &str, options: &[AnswerOption]) -> Choice {
    let mut content = Cow::Borrowed(content);
    if content.contains('\\') {
        for face in ["\\text", "\\mathbf", "\\mathrm", "\\textbf"] {
            if content.contains(face) {
                content = Cow::Owned(content.replace(face, ""));
            }
        }
    }
    let content = content.trim_matches(WRAPPING).trim_end_matches(['.', ',', ':', ';']).trim_matches(WRAPPING);
    if content.is_empty() {
        return Choice::None;
    }
    if let Some(key) = key_of(content, options) {
        return Choice::One(key);
    }
    if let Some(key) = option_text(content, options) {
        return Choice::One(key);
    }
    for word in ["option", "choice", "answer"] {
        if let Some(rest) = strip_word(content, word) {
            return parse_choice(rest, options);
        }
    }
    // "C) Warfarin", "C. Warfarin", "(C) Warfarin", "C: Warfarin", "C - Warfarin", "C Warfarin".
    let split = content.find(|c: char| !c.is_alphanumeric()).unwrap_or(content.len());
    let (head, rest) = content.split_at(split);
    if let Some(key) = key_of(head, options) {
        let behind = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        let marked = rest.trim_start().starts_with([')', '.', ':', '-', ']', '}', '*', '\u{2013}', '\u{2014}']);
        let same_text = option_text(behind, options).is_some_and(|other| other == key);
        let list = letters(content, options);
        if list.len() > 1 && !same_text {
            return Choice::Many(list);
        }
        if marked || same_text {
            return Choice::One(key);
        }
    }
    let list = letters(content, options);
    match list.len() {
        0 | 1 => Choice::None,
        _ => Choice::Many(list),
    }
}

fn strip_word<'a>(content: &'a str, word: &str) -> Option<&'a str> {
    let head = content.get(..word.len())?;
    let rest = &content[word.len()..];
    (head.eq_ignore_ascii_case(word) && rest.starts_with([' ', ':', '(', '*']))
        .then(|| rest.trim_start_matches([' ', ':']))
}

/// The option whose key this is, in either case.
pub(super) fn key_of(text: &str, options: &[AnswerOption]) -> Option<String> {
    options.iter().find(|option| option.key.eq_ignore_ascii_case(text)).map(|option| option.key.clone())
}

/// A text made only of option letters and joints: "A, C", "A and C".
fn letters(content: &str, options: &[AnswerOption]) -> Vec<String> {
    let mut found = Vec::new();
    for word in content.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        match key_of(word, options) {
            Some(key) if !found.contains(&key) => found.push(key),
            Some(_) => {}
            None if matches!(word.to_ascii_lowercase().as_str(), "and" | "or" | "text") => {}
            None => return Vec::new(),
        }
    }
    found
}

/// Folded words of a text, for comparing option texts.
fn folded(text: &str) -> Vec<u64> {
    tokenize(text).iter().filter(|token| token.kind != Kind::Mark).map(|token| token.hash).collect()
}

/// The option whose whole text this is, other case, spacing and punctuation allowed; not where two options match.
fn option_text(content: &str, options: &[AnswerOption]) -> Option<String> {
    let words = folded(content);
    if words.is_empty() {
        return None;
    }
    let mut matching = options.iter().filter(|option| folded(&option.text) == words);
    let found = matching.next()?;
    matching.next().is_none().then(|| found.key.clone())
}

/// Reads the answer within `scope`.
pub(super) fn read(case: &Case, text: &str, scope: Span, from_whole: bool, json: bool, several: bool) -> Option<Read> {
    let options = &case.options;
    let one = |values: Vec<String>, tier, span| Read { conflict: !several && values.len() > 1, values, tier, span };
    if json && !from_whole {
        let span = trim_span(text, scope);
        match parse_choice(&text[span[0]..span[1]], options) {
            Choice::One(key) => return Some(one(vec![key], "json", span)),
            Choice::Many(keys) => return Some(one(keys, "json", span)),
            Choice::None => {}
        }
    }
    if let Some(read) = boxed(text, scope, options, from_whole, several) {
        return Some(read);
    }
    statement(text, scope, options, &case.question)
        .or_else(|| lone_line(text, scope, options, from_whole, several))
        .or_else(|| whole_option(text, scope, options))
}

fn boxed(text: &str, scope: Span, options: &[AnswerOption], from_whole: bool, several: bool) -> Option<Read> {
    let mut keys: Vec<String> = Vec::new();
    let mut last = None;
    for span in boxes(text, scope) {
        match parse_choice(&text[span[0]..span[1]], options) {
            Choice::One(key) => {
                if from_whole {
                    // Without a conclusion the last box counts; earlier ones are revisions.
                    keys.clear();
                }
                if !keys.contains(&key) {
                    keys.push(key);
                }
                last = Some(span);
            }
            Choice::Many(list) => {
                if from_whole {
                    keys.clear();
                }
                keys.extend(list.into_iter().filter(|key| !keys.contains(key)).collect::<Vec<_>>());
                last = Some(span);
            }
            Choice::None => {}
        }
    }
    let span = last?;
    Some(Read { conflict: !several && keys.len() > 1, values: keys, tier: "boxed", span })
}

/// Words that may stand between "answer" and its letter.
const LINKS: &[&str] = &[
    "is",
    "be",
    "was",
    "would",
    "should",
    "must",
    "therefore",
    "thus",
    "option",
    "choice",
    "letter",
    "answer",
    "the",
    "correct",
    "best",
    "most",
    "likely",
    "clearly",
    "final",
    "to",
    "this",
    "question",
    "here",
    "a",
    "an",
    "appropriate",
    "in",
    "case",
    "indeed",
    "as",
    "follows",
    "remains",
    "hence",
    "so",
    "probably",
    "choose",
    "i",
    "we",
    "will",
];

/// The last "answer is (B)", "Answer: B", "option B is correct", "B is the correct answer"; where the question asks for
/// what does not hold, also "the exception is B", "all except B".
fn statement(text: &str, scope: Span, options: &[AnswerOption], question: &str) -> Option<Read> {
    let part = &text[scope[0]..scope[1]];
    let tokens = tokenize(part);
    let word = |index: usize| tokens.get(index).map_or("", |token: &Token| token.text(part));
    let is = |index: usize, list: &[&str]| list.iter().any(|known| word(index).eq_ignore_ascii_case(known));
    let negative = LazyCell::new(|| is_negative(question));
    let mut found = None;
    for at in 0..tokens.len() {
        if tokens[at].kind != Kind::Word {
            continue;
        }
        let cue = is(at, &["answer", "answers", "choose", "select", "pick", "conclusion", "diagnosis"])
            || (is(at, &["exception", "except"]) && *negative)
            || (is(at, &["option", "choice"])
                && at > 0
                && is(at - 1, &["correct", "best", "right", "final", "my", "appropriate", "answer", "likely"]));
        if cue && !negated(&tokens, part, at) {
            let mut next = at + 1;
            let mut budget = 8;
            while budget > 0 && next < tokens.len() {
                let token = &tokens[next];
                let mark =
                    token.kind == Kind::Mark && "*_`(\"':$[{\\-=>\u{201c}\u{2013}".chars().any(|m| token.is_mark(m));
                if mark {
                    next += 1;
                    continue;
                }
                if letter(part, &tokens, next, options).is_some() {
                    break;
                }
                if token.breaks > 1 || !is(next, LINKS) {
                    break;
                }
                next += 1;
                budget -= 1;
            }
            let denied = is(next + 1, &["is"]) && is(next + 2, &["wrong", "incorrect", "not", "unlikely"]);
            if let Some(key) = letter(part, &tokens, next, options).filter(|_| !denied) {
                let span = tokens[next].span();
                found = Some((key, [scope[0] + span[0], scope[0] + span[1]]));
                continue;
            }
            if is(at, &["answer", "diagnosis", "option", "choice"])
                && next < tokens.len()
                && next > at + 1
                && let Some((key, end)) = option_at(&tokens, next, options)
            {
                let span = [tokens[next].start as usize, end];
                found = Some((key, [scope[0] + span[0], scope[0] + span[1]]));
            }
        } else if let Some(key) = letter(part, &tokens, at, options) {
            // "Option B is correct", "B is the best answer", "(B) is right".
            let mut next = at + 1;
            while next < tokens.len()
                && tokens[next].kind == Kind::Mark
                && ")*.\"".chars().any(|m| tokens[next].is_mark(m))
            {
                next += 1;
            }
            let verb = is(next, &["is"]);
            let praised = ["correct", "right", "best"];
            let states = verb
                && (is(next + 1, &praised)
                    || (is(next + 1, &["the", "most"])
                        && (is(next + 2, &praised) || is(next + 2, &["answer", "most", "likely", "appropriate"]))));
            if states {
                let span = tokens[at].span();
                found = Some((key, [scope[0] + span[0], scope[0] + span[1]]));
            }
        }
    }
    found.map(|(key, span)| Read { values: vec![key], tier: "statement", span, conflict: false })
}

/// Whether "not", "cannot" or "wrong" stands right before a cue, in its sentence: "is not the answer".
fn negated(tokens: &[Token], part: &str, at: usize) -> bool {
    for i in (at.saturating_sub(4)..at).rev() {
        if tokens[i].is_mark('.') || tokens[i + 1].breaks > 0 {
            return false;
        }
        if matches!(tokens[i].text(part), "not" | "isn't" | "cannot" | "wrong" | "incorrect") {
            return true;
        }
    }
    false
}

/// The option letter at a token: a capital, or a small letter that nothing else can be ("(c)", "c.").
fn letter(part: &str, tokens: &[Token], at: usize, options: &[AnswerOption]) -> Option<String> {
    let token = tokens.get(at)?;
    if token.kind == Kind::Mark {
        return None;
    }
    let text = token.text(part);
    let key = key_of(text, options)?;
    let next = tokens.get(at + 1);
    let last = next.is_none_or(|next| next.breaks > 0);
    let closed = last
        || next.is_some_and(|next| {
            next.kind == Kind::Mark && next.glued && ").:,*]}\"'`;_$\\<".chars().any(|m| next.is_mark(m))
        });
    let article = text.eq_ignore_ascii_case("a") || text.eq_ignore_ascii_case("i");
    // An apostrophe or a hyphen makes it part of a word: "A-fib".
    if next.is_some_and(|next| next.glued && (next.is_mark('-') || next.kind != Kind::Mark)) {
        return None;
    }
    if closed {
        return Some(key);
    }
    // "A patient" and "I think" are no letters; "A is wrong" and "B aspirin" are.
    let followed = next.map_or("", |next| next.text(part));
    let verb =
        matches!(followed, "is" | "because" | "and" | "or" | "as" | "since" | "(" | "-" | "\u{2013}" | "\u{2014}");
    let own_text = option_at(tokens, at + 1, options).is_some_and(|(other, _)| other == key);
    let capital = token.capital || token.kind == Kind::Number;
    (capital && (verb || own_text || !article))
        .then_some(key)
        .filter(|_| text.len() > 1 || token.upper || !text.bytes().all(|b| b.is_ascii_alphabetic()))
}

/// The option whose text starts at a token; the longest where several do. Returns its key and the byte where it ends.
fn option_at(tokens: &[Token], at: usize, options: &[AnswerOption]) -> Option<(String, usize)> {
    let mut best: Option<(String, usize, usize)> = None;
    for option in options {
        let words = folded(&option.text);
        if words.is_empty() {
            continue;
        }
        let mut matched = 0;
        let mut index = at;
        while matched < words.len() && index < tokens.len() {
            if tokens[index].kind == Kind::Mark {
                index += 1;
                continue;
            }
            if tokens[index].hash != words[matched] {
                break;
            }
            matched += 1;
            index += 1;
        }
        if matched == words.len() && best.as_ref().is_none_or(|(_, _, length)| matched > *length) {
            best = Some((option.key.clone(), tokens[index - 1].end as usize, matched));
        }
    }
    best.map(|(key, end, _)| (key, end))
}

/// A line that is only a letter, or a letter and its option. In a whole text only the last line counts.
fn lone_line(text: &str, scope: Span, options: &[AnswerOption], from_whole: bool, several: bool) -> Option<Read> {
    let part = &text[scope[0]..scope[1]];
    let mut keys: Vec<String> = Vec::new();
    let mut last = None;
    let mut at = scope[0];
    for line in part.split_inclusive('\n') {
        let span = trim_span(text, [at, at + line.len()]);
        at += line.len();
        if span[0] == span[1] {
            continue;
        }
        let short = span[1] - span[0] <= 300;
        match if short { parse_choice(&text[span[0]..span[1]], options) } else { Choice::None } {
            Choice::One(key) => {
                if from_whole {
                    keys.clear();
                }
                if !keys.contains(&key) {
                    keys.push(key);
                }
                last = Some(span);
            }
            Choice::Many(list) => {
                keys = list;
                last = Some(span);
            }
            Choice::None if from_whole => {
                keys.clear();
                last = None;
            }
            Choice::None => {}
        }
    }
    let span = last?;
    Some(Read { conflict: !several && keys.len() > 1, values: keys, tier: "letter", span })
}

/// The option whose own text stands in the scope, where it is the only one (a text within a longer option's text does
/// not count twice).
fn whole_option(text: &str, scope: Span, options: &[AnswerOption]) -> Option<Read> {
    let part = &text[scope[0]..scope[1]];
    let tokens = tokenize(part);
    let firsts: Vec<u64> = options.iter().filter_map(|option| folded(&option.text).first().copied()).collect();
    let mut found: Option<(String, Span)> = None;
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].kind != Kind::Mark
            && firsts.contains(&tokens[at].hash)
            && let Some((key, end)) = option_at(&tokens, at, options)
        {
            match &found {
                Some((other, _)) if *other != key => return None,
                _ => found = Some((key, [scope[0] + tokens[at].start as usize, scope[0] + end])),
            }
            while at < tokens.len() && (tokens[at].end as usize) < end {
                at += 1;
            }
        }
        at += 1;
    }
    // "not X" names no answer.
    let (key, span) = found?;
    let before = &part[..span[0] - scope[0]];
    let denied = tokenize(before).iter().rev().take(3).any(|token| token.hash == hash_word("not"));
    (!denied).then_some(Read { values: vec![key], tier: "option_text", span, conflict: false })
}

/// What the keys earn beside the gold keys; what was expected. All options listed is no choice.
pub(super) fn judge(case: &Case, keys: &[String], measure: SetMeasure) -> (f64, String) {
    let gold = &case.answer.keys;
    let hits = keys.iter().filter(|key| gold.iter().any(|g| g.eq_ignore_ascii_case(key))).count();
    let expected = gold.join(", ");
    if hits == gold.len() && hits == keys.len() {
        return (1.0, expected);
    }
    let partial = measure == SetMeasure::F1 && case.task == Task::MultiChoice && keys.len() < case.options.len();
    let value = if partial { 2.0 * hits as f64 / (keys.len() + gold.len()).max(1) as f64 } else { 0.0 };
    (value, expected)
}
