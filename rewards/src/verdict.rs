//! What a response says about each option: kept, rejected, or left open.

use std::ops::Range;

use crate::assertion::Status;
use crate::lexicon::{Cues, Lexicon};
use crate::options::{Named, Options};
use crate::reading::Reading;
use crate::scored::Span;

/// One verdict on an option, or a mention without one.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Index of the option.
    pub option: usize,
    /// Kept (`true`), rejected (`false`), open.
    pub kept: Option<bool>,
    /// Index of the sentence.
    pub sentence: usize,
    /// Tokens of the option's name.
    pub tokens: Range<usize>,
    /// Its bytes.
    pub span: Span,
}

/// Words between an option and the verdict on it.
const REACH: usize = 8;

/// All verdicts of a text in order, and the options that each sentence names.
pub fn verdicts(
    text: &str,
    reading: &Reading,
    options: &Options,
    lexicon: &Lexicon,
) -> (Vec<Verdict>, Vec<Vec<Named>>) {
    let mut found = Vec::new();
    let mut by_sentence = Vec::with_capacity(reading.sentences.len());
    for sentence in 0..reading.sentences.len() {
        let range = reading.sentences[sentence].tokens.clone();
        let mentions = reading.mentions_of(sentence);
        let named = options.named(text, reading, mentions, range.start, range.end, lexicon);
        for option in &named {
            let tokens = option.start..option.end;
            let status =
                mentions.iter().find(|m| m.tokens.start < option.end && m.tokens.end > option.start).map(|m| m.status);
            let kept = verdict(reading, sentence, &named, option).or(match status {
                Some(Status::Absent) => Some(false),
                _ => None,
            });
            found.push(Verdict { option: option.option, kept, sentence, span: reading.span(&tokens), tokens });
        }
        by_sentence.push(named);
    }
    (found, by_sentence)
}

/// The verdict on one named option: the nearest verdict cue, before it or behind it, other options and joints skipped.
fn verdict(reading: &Reading, sentence: usize, named: &[Named], option: &Named) -> Option<bool> {
    let cues = reading.cues_of(sentence);
    let roles = Cues::SUPPORTS | Cues::REJECTS;
    let distance = |from: usize, to: usize| {
        let skipped: usize = named
            .iter()
            .filter(|other| other.start >= from && other.end <= to)
            .map(|other| other.end - other.start)
            .sum();
        (to - from) - skipped
    };
    // A contrast between an option and a cue parts them.
    let parted = |from: usize, to: usize| {
        cues.iter().any(|cue| cue.value.has(Cues::CONTRAST) && cue.tokens.start >= from && cue.tokens.end <= to)
            || (from..to).any(|at| reading.tokens[at].is_mark(';'))
    };
    let before = cues
        .iter()
        .rev()
        .find(|cue| cue.value.has(roles) && cue.tokens.end <= option.start)
        .map(|cue| (distance(cue.tokens.end, option.start), cue.value, cue.tokens.end, option.start));
    let after = cues
        .iter()
        .find(|cue| cue.value.has(roles) && cue.tokens.start >= option.end)
        .map(|cue| (distance(option.end, cue.tokens.start), cue.value, option.end, cue.tokens.start));
    let usable = |side: &(usize, Cues, usize, usize)| side.0 <= REACH && !parted(side.2, side.3);
    let (before, after) = (before.filter(usable), after.filter(usable));
    let cue = match (before, after) {
        // "argues against asthma", "asthma is unlikely": a cue right beside decides; else the nearer one.
        (Some(b), Some(a)) => {
            if a.0 + 1 < b.0 || (a.0 <= 1 && b.0 > 1) {
                a.1
            } else {
                b.1
            }
        }
        (Some(b), None) => b.1,
        (None, Some(a)) => a.1,
        (None, None) => return None,
    };
    Some(!cue.has(Cues::REJECTS))
}
