//! Papers and abstracts: the subject is the study. Each sentence that states a number or a result of it is matched with
//! the sentence of the evidence that says most of the same; numbers, direction and significance are compared.

use super::{Claims, Key};
use crate::evidence::Place;
use crate::lexicon::Cues;
use crate::scored::Outcome;
use crate::statement::Statement;
use crate::text::{Kind, hash_word};

/// Share of a sentence's words from which on the evidence says the same, and speaks of the same at least.
const SAME: f64 = 0.55;
const NEAR: f64 = 0.3;

/// Words by which a sentence tells of the study rather than of the world.
const TELLING: &str = "study studies trial results result found showed shown reported patients participants group groups \
    subjects cohort compared associated significant significantly abstract authors document analysis data evidence";

/// Checks the claims of one sentence about the study; `foreign` says that it cites a document that is no part of the
/// case: what it says cannot be looked up then.
pub(super) fn check(claims: &mut Claims, sentence: usize, foreign: bool) {
    let reading = &claims.response.reading;
    let range = reading.sentences[sentence].tokens.clone();
    let unsure = Cues::DOUBTS_AFTER | Cues::SUPPOSES;
    let hedged = reading.cues_of(sentence).iter().any(|cue| cue.value.has(unsure));
    let telling = |hash: u64| TELLING.split_whitespace().any(|word| hash_word(word) == hash);
    let tells = reading.tokens[range.clone()].iter().any(|token| telling(token.hash));
    if reading.tokens[range.end - 1].is_mark('?') {
        return;
    }
    let statement = Statement::new(claims.response.text, reading, sentence);
    let evidence = claims.evidence;
    let best = evidence.statements().best(&statement, None);
    for at in range.clone() {
        number(claims, at, tells && !hedged && !foreign);
    }
    if hedged || !tells || !statement.found.any() || statement.words.len() < 3 {
        return;
    }
    let key = statement.words.iter().fold(3_u64, |hash, word| hash.rotate_left(5) ^ word);
    let span = reading.sentences[sentence].span;
    let Some(best) = best else { return };
    let known = evidence.statements().get(best.index);
    let places = [Place { document: known.document, span: known.span }];
    let (mine, theirs) = (statement.found, known.statement.found);
    // "Higher in A than in B" and "lower in B than in A" say the same.
    let turned = statement.compares || known.statement.compares;
    let (outcome, note) = if best.share >= SAME && mine.opposes(theirs) && !turned {
        (Outcome::Contradicted, "the evidence has the opposite result")
    } else if best.share >= SAME && mine == theirs {
        (Outcome::Supported, "the evidence has this result")
    } else if best.share >= NEAR {
        (Outcome::Unverified, "the evidence speaks of it, in other words")
    } else if foreign || !claims.first(Key::Other(key)) {
        return;
    } else {
        (Outcome::Unverified, "the evidence does not speak of it")
    };
    if best.share < NEAR || claims.first(Key::Other(key)) {
        claims.push("result", outcome, 1.0, span, &places, note.to_owned());
    }
}

/// A number said of the study: it stands in the evidence, or nowhere.
fn number(claims: &mut Claims, at: usize, tells: bool) {
    let reading = &claims.response.reading;
    let token = &reading.tokens[at];
    if token.kind != Kind::Number || claims.response.is_option(at) {
        return;
    }
    // Labels of documents, and the parts of names ("IL-6"), are no numbers of the study.
    let before = at.checked_sub(1).map(|index| &reading.tokens[index]);
    let label = before.is_some_and(|b| {
        b.is_mark('[')
            || (token.glued && b.is_mark('-'))
            || ["document", "step", "type"].iter().any(|w| hash_word(w) == b.hash)
    });
    let list = reading.tokens.get(at + 1).is_some_and(|next| next.glued && (next.is_mark(')') || next.is_mark('.')))
        && before.is_none_or(|_| token.breaks > 0);
    let glued_name = reading.tokens.get(at + 1).is_some_and(|next| next.glued && next.kind == Kind::Word);
    if label || list || glued_name {
        return;
    }
    let Ok(value) = claims.text(token.span()).replace(',', "").parse::<f64>() else { return };
    let place = claims.evidence.number(value);
    let printed = claims.text(token.span()).to_owned();
    if !claims.first(Key::Value(u32::MAX - 64, value.to_bits())) {
        return;
    }
    match place {
        Some(place) => {
            claims.push("quantity", Outcome::Supported, 1.0, token.span(), &[place], format!("{printed} in the study"));
        }
        None if tells && !claims.evidence.options.has_number(value) => {
            let note = format!("{printed} stands nowhere in the study");
            claims.push("quantity", Outcome::Unsupported, 1.0, token.span(), &[], note);
        }
        None => {}
    }
}
