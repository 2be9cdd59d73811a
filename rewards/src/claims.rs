//! Which parts of a response claim something about this patient: the claim gate.
//!
//! A sentence is cut into clauses at reasons and contrasts. A clause is general knowledge, and exempt, where it says
//! so ("typically", "is caused by") or where its subject is a disease, a drug or an option without a verdict on it.

use std::ops::Range;

use crate::lexicon::{Cues, Kind as ConceptKind, Lexicon, Match};
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
    let mut found: Vec<Clause> = Vec::new();
    for clause in cut(reading, sentence) {
        // Within a clause each cue of the gate holds until the next one: "the patient's cough, which is usually ...".
        let cues = reading
            .cues_of(sentence)
            .iter()
            .filter(|cue| clause.start <= cue.tokens.start && cue.tokens.end <= clause.end);
        let mut about_patient = false;
        let gate = |cue: &&Match<Cues>| {
            about_patient |= cue.value.has(Cues::PATIENT);
            cue.value.has(Cues::GENERAL | Cues::PATIENT) || (!about_patient && cue.value.has(Cues::GENERAL_WEAK))
        };
        let mut gates = cues.filter(gate).peekable();
        let Some(first) = gates.peek() else {
            let general = has_other_subject(reading, sentence, &clause, named, lexicon);
            found.push(Clause { tokens: clause, general });
            continue;
        };
        let mut general = !first.value.has(Cues::PATIENT);
        let mut start = clause.start;
        for gate in gates {
            let next = !gate.value.has(Cues::PATIENT);
            if next != general {
                found.push(Clause { tokens: start..gate.tokens.start, general });
                (start, general) = (gate.tokens.start, next);
            }
        }
        found.push(Clause { tokens: start..clause.end, general });
    }
    found.retain(|clause| !clause.tokens.is_empty());
    if found.is_empty() {
        found.push(Clause { tokens: range, general: false });
    }
    found
}

/// Cuts a sentence at reasons, contrasts and semicolons.
fn cut(reading: &Reading, sentence: usize) -> Vec<Range<usize>> {
    let range = reading.sentences[sentence].tokens.clone();
    let mut cuts = vec![range.start];
    let mut judged = false;
    for cue in reading.cues_of(sentence) {
        judged |= cue.value.has(Cues::VERDICT);
        let opens = cue.value.has(Cues::BECAUSE | Cues::CONTRAST) || (judged && cue.value.has(Cues::WITH));
        if opens && cue.tokens.start > range.start {
            cuts.push(cue.tokens.start);
            judged = cue.value.has(Cues::VERDICT);
        }
    }
    cuts.extend(range.clone().filter(|&at| at > range.start && reading.tokens[at].is_mark(';')));
    cuts.sort_unstable();
    cuts.dedup();
    cuts.push(range.end);
    cuts.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

/// Whether a disease, a drug or an option is the subject of a clause without a verdict: what follows is knowledge.
fn has_other_subject(
    reading: &Reading,
    sentence: usize,
    tokens: &Range<usize>,
    named: &[Named],
    lexicon: &Lexicon,
) -> bool {
    let inside = |range: &Range<usize>| tokens.start <= range.start && range.end <= tokens.end;
    let cues = reading.cues_of(sentence);
    if cues.iter().any(|cue| inside(&cue.tokens) && cue.value.has(Cues::VERDICT)) {
        return false;
    }
    let first = reading.mentions_of(sentence).iter().find(|mention| inside(&mention.tokens));
    let disease = first.filter(|mention| {
        let kind = lexicon.concept(mention.concept).kind;
        matches!(kind, ConceptKind::Condition | ConceptKind::Drug | ConceptKind::Procedure)
    });
    let option = named.iter().find(|option| inside(&(option.start..option.end)));
    let end = match (disease, option) {
        (Some(mention), Some(option)) => mention.tokens.end.min(option.end),
        (Some(mention), None) => mention.tokens.end,
        (None, Some(option)) if first.is_none_or(|f| option.start <= f.tokens.start) => option.end,
        _ => return false,
    };
    let verb = |cue: &Match<Cues>| cue.value.has(Cues::VERB) && cue.tokens.start >= end && cue.tokens.end <= tokens.end;
    let explained = reading.tokens[end..tokens.end].first().is_some_and(|next| next.is_mark(':') || next.is_mark('-'));
    end - tokens.start <= SUBJECT && (explained || cues.iter().any(verb))
}

/// Words from a clause's start within which its subject ends.
const SUBJECT: usize = 6;
