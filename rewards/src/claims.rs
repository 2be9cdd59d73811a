//! Which parts of a response claim something about this patient: the claim gate.
//!
//! A sentence is cut into clauses at reasons and contrasts. A clause is general knowledge, and exempt, where it says
//! so ("typically", "is caused by") or where its subject is a disease, a drug or an option without a verdict on it.

use std::ops::Range;

use crate::lexicon::{Cues, Kind as ConceptKind, Lexicon};
use crate::options::Named;
use crate::reading::Reading;

/// A clause of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Its tokens.
    pub tokens: Range<usize>,
    /// Whether it is general knowledge.
    pub general: bool,
}

/// The clauses of a sentence, in order; they cover its tokens.
pub fn clauses(reading: &Reading, sentence: usize, named: &[Named], lexicon: &Lexicon) -> Vec<Clause> {
    let range = reading.sentences[sentence].tokens.clone();
    let cues = reading.cues_of(sentence);
    let verdict = Cues::SUPPORTS | Cues::REJECTS;
    let mut cuts = vec![range.start];
    let mut judged = false;
    for cue in cues {
        judged |= cue.value.has(verdict);
        let opens = cue.value.has(Cues::BECAUSE | Cues::CONTRAST) || (judged && cue.value.has(Cues::WITH));
        if opens && cue.tokens.start > range.start {
            cuts.push(cue.tokens.start);
            judged = cue.value.has(verdict);
        }
    }
    for at in range.clone() {
        if reading.tokens[at].is_mark(';') && at > range.start {
            cuts.push(at);
        }
    }
    cuts.sort_unstable();
    cuts.dedup();
    cuts.push(range.end);
    let mut found: Vec<Clause> = Vec::with_capacity(cuts.len());
    for pair in cuts.windows(2) {
        let tokens = pair[0]..pair[1];
        let general = is_general(reading, sentence, &tokens, named, lexicon);
        found.push(Clause { tokens, general });
    }
    found
}

fn is_general(reading: &Reading, sentence: usize, tokens: &Range<usize>, named: &[Named], lexicon: &Lexicon) -> bool {
    let inside = |range: &Range<usize>| tokens.start <= range.start && range.end <= tokens.end;
    let (mut general, mut patient, mut verdict) = (false, false, false);
    for cue in reading.cues_of(sentence).iter().filter(|cue| inside(&cue.tokens)) {
        general |= cue.value.has(Cues::GENERAL);
        patient |= cue.value.has(Cues::PATIENT);
        verdict |= cue.value.has(Cues::SUPPORTS | Cues::REJECTS);
    }
    if patient {
        return false;
    }
    if general {
        return true;
    }
    if verdict {
        return false;
    }
    // A disease, drug or option as the subject, and something else said about it.
    let first = reading.mentions_of(sentence).iter().find(|mention| inside(&mention.tokens));
    let disease = first.filter(|mention| {
        matches!(
            lexicon.concept(mention.concept).kind,
            ConceptKind::Condition | ConceptKind::Drug | ConceptKind::Procedure
        )
    });
    let option = named.iter().find(|option| inside(&(option.start..option.end)));
    let subject = match (disease, option) {
        (Some(mention), Some(option)) => Some(mention.tokens.end.min(option.end)),
        (Some(mention), None) => Some(mention.tokens.end),
        (None, Some(option)) => first.is_none_or(|f| option.start <= f.tokens.start).then_some(option.end),
        (None, None) => None,
    };
    let Some(end) = subject else { return false };
    let near = end - tokens.start <= 6;
    let verb = reading
        .cues_of(sentence)
        .iter()
        .any(|cue| cue.value.has(Cues::VERB) && cue.tokens.start >= end && cue.tokens.end <= tokens.end);
    near && verb
}
