//! Which parts of a response claim something about this patient: the claim gate.
//!
//! A sentence is cut into clauses at reasons and contrasts. A clause is general knowledge, and exempt, where it says
//! so ("typically", "is caused by"), where its subject is a disease, a drug or an option without a verdict on it, or
//! "it" behind such a sentence, where it tells what can or would be, and where it goes on a general clause without
//! coming back to the patient.

use std::ops::Range;

use crate::lexicon::{Cues, Kind as ConceptKind, Lexicon, Match};
use crate::options::Named;
use crate::quantity::{Quantity, Subject};
use crate::reading::Reading;
use crate::text::{Kind, Token, Words};

/// A clause of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Its tokens.
    pub tokens: Range<usize>,
    /// Whether it is general knowledge.
    pub general: bool,
}

/// Adds the clauses of a sentence, in order; they cover its tokens. What `found` ends with are those of the sentence
/// before.
pub fn clauses(reading: &Reading, sentence: usize, named: &[Named], lexicon: &Lexicon, found: &mut Vec<Clause>) {
    let own = found.len();
    let after_general = found.last().is_some_and(|last| last.general);
    for pair in cut(reading, sentence).windows(2) {
        let clause = pair[0]..pair[1];
        // Within a clause each cue of the gate holds until the next one: "the patient's cough, which is usually ...".
        let cues = reading
            .cues_of(sentence)
            .iter()
            .filter(|cue| clause.start <= cue.tokens.start && cue.tokens.end <= clause.end);
        let mut about_patient = false;
        let gate = |cue: &&Match<Cues>| {
            about_patient |= cue.value.has(Cues::PATIENT) || aged(reading, sentence, &clause, cue.tokens.start);
            cue.value.has(Cues::GENERAL | Cues::PATIENT) || (!about_patient && cue.value.has(Cues::GENERAL_WEAK))
        };
        let mut gates = cues.filter(gate).peekable();
        let Some(first) = gates.peek() else {
            let goes_on = match found[own..].last() {
                // "X is best as it does not interact with alcohol": the pronoun is the option judged before.
                Some(last) => last.general || reading.tokens[clause.clone()].get(1).is_some_and(is_it),
                // "It presents with ...": the disease of the sentence before.
                None => after_general && starts_with_pronoun(reading, &clause),
            };
            let general = goes_on
                || has_modal(reading, sentence, &clause)
                || has_other_subject(reading, sentence, &clause, named, lexicon);
            found.push(Clause { tokens: clause, general });
            continue;
        };
        let mut general = !first.value.has(Cues::PATIENT);
        let mut start = clause.start;
        // "Low levels can indicate disease and may add to the patient's symptoms": general up to the patient.
        let lead = clause.start..first.tokens.start;
        if !general && lead.len() > 2 && reading.tokens[lead.clone()].iter().any(is_modal) {
            found.push(Clause { tokens: lead, general: true });
            start = first.tokens.start;
        }
        for gate in gates {
            let next = !gate.value.has(Cues::PATIENT);
            if next != general {
                found.push(Clause { tokens: start..gate.tokens.start, general });
                (start, general) = (gate.tokens.start, next);
            }
        }
        found.push(Clause { tokens: start..clause.end, general });
    }
}

/// Whether a clause gives an age before a token: "a 46-year-old man presents with" tells of the patient, "asthma presents
/// with" of asthma.
fn aged(reading: &Reading, sentence: usize, clause: &Range<usize>, before: usize) -> bool {
    let stated = |quantity: &Quantity| {
        quantity.subject == Subject::Age && clause.start <= quantity.tokens.start && quantity.tokens.end <= before
    };
    reading.quantities_of(sentence).iter().any(stated)
}

static PRONOUNS: Words = Words::new("it they this these its their");
static MODALS: Words = Words::new("can could may might would will should must");

fn is_it(token: &Token) -> bool {
    static IT: Words = Words::new("it");
    IT.has(token.hash)
}

/// Whether a clause starts with a pronoun that stands for what was spoken of before.
fn starts_with_pronoun(reading: &Reading, clause: &Range<usize>) -> bool {
    reading.tokens[clause.clone()]
        .iter()
        .find(|token| token.kind == Kind::Word)
        .is_some_and(|token| PRONOUNS.has(token.hash))
}

/// Whether a clause tells what can or would be, not what is.
fn has_modal(reading: &Reading, sentence: usize, clause: &Range<usize>) -> bool {
    // "It may be that his troponin is 40" is hedged, not general: what a verdict or a number follows stays a claim.
    let inside = |tokens: &Range<usize>| clause.start <= tokens.start && tokens.end <= clause.end;
    let judged = reading.cues_of(sentence).iter().any(|cue| inside(&cue.tokens) && cue.value.has(Cues::VERDICT));
    let numbered = reading.quantities_of(sentence).iter().any(|quantity| inside(&quantity.tokens));
    !judged && !numbered && reading.tokens[clause.clone()].iter().any(is_modal)
}

fn is_modal(token: &Token) -> bool {
    MODALS.has(token.hash)
}

/// Where a sentence is cut, at reasons, contrasts and semicolons: its start, the first tokens of further clauses, its end.
fn cut(reading: &Reading, sentence: usize) -> Vec<usize> {
    let range = reading.sentences[sentence].tokens.clone();
    let mut cuts = Vec::with_capacity(8);
    cuts.push(range.start);
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
    cuts
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
    // "Arterial blood gas analysis shows a pH of 7.2": a test with values tells of this patient.
    let measured = |quantity: &Quantity| inside(&quantity.tokens) && matches!(quantity.subject, Subject::Measure(_));
    let result = reading.quantities_of(sentence).iter().any(measured);
    let disease = first.filter(|mention| match lexicon.concept(mention.concept).kind {
        ConceptKind::Condition | ConceptKind::Drug => true,
        ConceptKind::Procedure => !result,
        _ => false,
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
