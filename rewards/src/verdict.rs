//! What a response says about each option: kept, rejected, or left open.

use std::ops::Range;

use crate::assertion::Status;
use crate::lexicon::{Cues, Kind as ConceptKind, Lexicon};
use crate::options::{Named, Options};
use crate::reading::Reading;
use crate::scored::Span;
use crate::text::{Kind, Words};

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

/// Words between an option and the verdict on it, other options and marks left out.
const REACH: usize = 4;

/// Adds the options that a sentence names, and the verdicts on them, in order.
pub fn verdicts(
    text: &str,
    reading: &Reading,
    sentence: usize,
    options: &Options,
    lexicon: &Lexicon,
    all: &mut Vec<Named>,
    found: &mut Vec<Verdict>,
) {
    let mentions = reading.mentions_of(sentence);
    let from = all.len();
    options.named(text, reading, sentence, lexicon, all);
    let named = &all[from..];
    for option in named {
        let tokens = option.start..option.end;
        let status =
            mentions.iter().find(|m| m.tokens.start < option.end && m.tokens.end > option.start).map(|m| m.status);
        // "She has no asthma" rejects a diagnosis; "the test is negative" rejects no test.
        let diagnosis =
            options.all[option.option].concept.is_some_and(|c| lexicon.concept(c).kind == ConceptKind::Condition);
        let kept = verdict(reading, sentence, named, option).or(match status {
            Some(Status::Absent) if diagnosis && !is_compared(reading, option) => Some(false),
            _ => None,
        });
        found.push(Verdict { option: option.option, kept, sentence, span: reading.span(&tokens), tokens });
    }
}

static ARTICLES: Words = Words::new("the a an");
static PARTING: Words = Words::new("as because since to cause given");
static COMPARED: Words = Words::new("as than like unlike");
static PREPOSITIONS: Words = Words::new("to of with for by in from than like vitamin hepatitis");

fn is_compared(reading: &Reading, option: &Named) -> bool {
    option.start.checked_sub(1).is_some_and(|at| COMPARED.has(reading.tokens[at].hash))
}

/// The verdict on one named option: the nearest verdict cue that can be about it. Before it stand cues that take an
/// object ("argues against asthma"), behind it those that judge their subject ("asthma is unlikely").
fn verdict(reading: &Reading, sentence: usize, named: &[Named], option: &Named) -> Option<bool> {
    let cues = reading.cues_of(sentence);
    let words = |from: usize, to: usize| {
        let joint =
            |at: usize| reading.tokens[at].kind == Kind::Mark || named.iter().any(|n| n.start <= at && at < n.end);
        (from..to).filter(|&at| !joint(at)).count()
    };
    // A contrast or another clause parts an option from a cue.
    let parted = |from: usize, to: usize| {
        cues.iter().any(|cue| cue.value.has(Cues::CONTRAST) && cue.tokens.start >= from && cue.tokens.end <= to)
            || (from..to).any(|at| reading.tokens[at].is_mark(';'))
            // "B is less likely as the pain in A is tearing", "less likely to cause A"
            || (from..to).any(|at| PARTING.has(reading.tokens[at].hash))
    };
    let before = cues
        .iter()
        .rev()
        .find(|cue| cue.value.has(Cues::SUPPORTS | Cues::REJECTS) && cue.tokens.end <= option.start)
        .map(|cue| (words(cue.tokens.end, option.start), cue.value.has(Cues::REJECTS), cue.tokens.end, option.start));
    let subject = Cues::SUPPORTS_SUBJECT | Cues::REJECTS_SUBJECT;
    // "A precursor of asthma does not fit": what stands behind a preposition is no subject.
    let object = option.start.checked_sub(1).is_some_and(|at| {
        let range = &reading.sentences[sentence].tokens;
        let article = |at: usize| ARTICLES.has(reading.tokens[at].hash);
        let at = if article(at) { at.saturating_sub(1) } else { at };
        range.contains(&at) && PREPOSITIONS.has(reading.tokens[at].hash)
    });
    // "... to the same extent as asthma" judges something else.
    if is_compared(reading, option) {
        return None;
    }
    let after = cues
        .iter()
        .filter(|_| !object)
        .find(|cue| cue.value.has(subject) && cue.tokens.start >= option.end)
        .map(|cue| {
            (words(option.end, cue.tokens.start), cue.value.has(Cues::REJECTS_SUBJECT), option.end, cue.tokens.start)
        });
    let usable = |side: &(usize, bool, usize, usize)| side.0 <= REACH && !parted(side.2, side.3);
    match (before.filter(usable), after.filter(usable)) {
        (Some(before), Some(after)) => Some(if after.0 < before.0 { !after.1 } else { !before.1 }),
        (Some(side), None) | (None, Some(side)) => Some(!side.1),
        (None, None) => None,
    }
}
