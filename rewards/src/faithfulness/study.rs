//! Papers and abstracts: the subject is the study. Each sentence that states a number or a result of it is matched with
//! the sentence of the evidence that says most of the same; numbers, direction and significance are compared.

use super::{Claims, Key};
use crate::evidence::Place;
use crate::lexicon::Cues;
use crate::scored::Outcome;
use crate::statement::Statement;
use crate::text::{Kind, Words};

/// Share of a sentence's words from which on the evidence says the same, and speaks of the same at least.
const SAME: f64 = 0.55;
const NEAR: f64 = 0.3;
/// Share from which on an opposite result contradicts: all but the least words must be the same.
const OPPOSED: f64 = 0.72;
/// Content words that a sentence shares with the one that its number stands in.
const CONTEXT: usize = 2;

/// Words by which a sentence tells of the study rather than of the world.
static TELLING: Words = Words::new(
    "study studies trial results result found showed shown reported patients participants group groups \
    subjects cohort compared associated significant significantly abstract authors document analysis data evidence",
);
/// "Several studies": not this one.
static OTHERS: Words = Words::new("studies documents");
/// Words before a number that make it a label.
static LABELS: Words = Words::new("document step type grade stage year");

/// Checks the claims of one sentence about the study, and tells whether it is about it at all; `foreign` says that it
/// cites a document that is no part of the case: what it says cannot be looked up then.
pub(super) fn check(claims: &mut Claims, sentence: usize, foreign: bool) -> bool {
    let reading = &claims.response.reading;
    let range = reading.sentences[sentence].tokens.clone();
    if reading.tokens[range.end - 1].is_mark('?') {
        return false;
    }
    let unsure = Cues::DOUBTS_AFTER | Cues::SUPPOSES;
    let hedged = reading.cues_of(sentence).iter().any(|cue| cue.value.has(unsure));
    let has = |words: &Words| reading.tokens[range.clone()].iter().any(|token| words.has(token.hash));
    let tells = has(&TELLING);
    let foreign = foreign || has(&OTHERS);
    let statement = Statement::new(claims.response.text, reading, sentence);
    for at in range {
        number(claims, &statement, at, tells && !hedged && !foreign);
    }
    if hedged || !tells || !statement.found.any() || statement.words.len() < 3 {
        return tells;
    }
    let key = statement.words.iter().fold(3_u64, |hash, word| hash.rotate_left(5) ^ word);
    if !claims.may_match() || !claims.first(Key::Other(key)) {
        return tells;
    }
    let evidence = claims.evidence;
    let Some(best) = evidence.statements().best(&statement, None) else { return tells };
    let known = evidence.statements().get(best.index);
    let places = [Place { document: known.document, span: known.span }];
    let (mine, theirs) = (statement.found, known.statement.found);
    // "Higher in A than in B" and "lower in B than in A" say the same.
    let turned = statement.compares || known.statement.compares;
    let (outcome, note) = if best.share >= OPPOSED && mine.opposes(theirs) && !turned && !foreign {
        (Outcome::Contradicted, "the evidence has the opposite result")
    } else if best.share >= SAME && mine == theirs {
        (Outcome::Supported, "the evidence has this result")
    } else if foreign {
        return tells;
    } else if best.share >= NEAR {
        (Outcome::Unverified, "the evidence speaks of it, in other words")
    } else {
        (Outcome::Unverified, "the evidence does not speak of it")
    };
    claims.push("result", outcome, 1.0, reading.sentences[sentence].span, &places, note.to_owned());
    tells
}

/// A number said of the study: it stands in a sentence of the evidence about the same, or nowhere.
fn number(claims: &mut Claims, statement: &Statement, at: usize, tells: bool) {
    let reading = &claims.response.reading;
    let token = &reading.tokens[at];
    if token.kind != Kind::Number || claims.response.is_option(at) {
        return;
    }
    // Labels of documents, items of lists and the parts of names ("IL-6") are no numbers of the study.
    let before = at.checked_sub(1).map(|index| &reading.tokens[index]);
    let next = reading.tokens.get(at + 1).filter(|next| next.glued);
    let label = before.is_some_and(|b| b.is_mark('[') || (token.glued && b.is_mark('-')) || LABELS.has(b.hash));
    let item = token.breaks > 0 && next.is_some_and(|next| next.is_mark(')') || next.is_mark('.'));
    if label || item || next.is_some_and(|next| next.kind == Kind::Word) {
        return;
    }
    let Ok(value) = claims.text(token.span()).replace(',', "").parse::<f64>() else { return };
    let printed = claims.text(token.span()).to_owned();
    if !claims.first(Key::Value(u32::MAX - 64, value.to_bits())) {
        return;
    }
    let evidence = claims.evidence;
    let places = evidence.numbers(value);
    let about = |place: &&Place| {
        let known = evidence.statements().at(place.document, place.span[0]);
        known.is_some_and(|known| known.statement.shared(statement) >= CONTEXT)
    };
    match (places.iter().find(about), places.first()) {
        (Some(place), _) => {
            claims.push(
                "quantity",
                Outcome::Supported,
                1.0,
                token.span(),
                &[*place],
                format!("{printed} in the study"),
            );
        }
        (None, Some(place)) => {
            let note = format!("{printed} stands in the study, beside other words");
            claims.push("quantity", Outcome::Unverified, 1.0, token.span(), &[*place], note);
        }
        (None, None) if tells && !evidence.options.has_number(value) => {
            let note = format!("{printed} stands nowhere in the study");
            claims.push("quantity", Outcome::Unsupported, 1.0, token.span(), &[], note);
        }
        (None, None) => {}
    }
}
