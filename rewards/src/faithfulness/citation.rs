//! Rule 5: what is cited exists, and the best-matching sentence of that very document agrees. It can lose, never earn.

use super::{Claims, Key};
use crate::evidence::Cited;
use crate::scored::{Outcome, Span};
use crate::statement::Statement;
use crate::text::{Kind, Words, hash_word};

/// Share of a sentence's words that the cited document's best sentence has at least, else it does not say it.
const SAID: f64 = 0.25;
/// Share from which on opposite results contradict.
const SAME: f64 = 0.5;

/// Words before the number of a document.
static NAMES: Words = Words::new("document doc pmid ref reference passage source");

/// A citation in a sentence.
struct Citation {
    label: String,
    tokens: std::ops::Range<usize>,
}

/// Checks the citations of one sentence; whether one of them names a document that is no part of the case.
pub(super) fn check(claims: &mut Claims, sentence: usize) -> bool {
    let citations = citations(claims, sentence);
    if citations.is_empty() {
        return false;
    }
    let mut unknown = false;
    let reading = &claims.response.reading;
    let statement = Statement::new(claims.response.text, reading, sentence);
    for citation in &citations {
        let span = reading.span(&citation.tokens);
        let key = Key::Other(hash_word(&citation.label) ^ (sentence as u64) << 20);
        let cited = claims.evidence.labels().document(&citation.label);
        unknown |= cited == Cited::Unknown;
        if !claims.first(key) {
            continue;
        }
        match cited {
            Cited::Unknown => {
                let note = format!("{} names a document that is no part of the case", claims.text(span));
                claims.push("citation", Outcome::Exempt, 0.0, span, &[], note);
            }
            Cited::Absent => {
                let note = format!("{} names no document of the case", claims.text(span));
                claims.lose("citation", Outcome::Contradicted, span, &[], note);
            }
            Cited::Document(document) => said(claims, &statement, document, span, citations.len()),
        }
    }
    unknown
}

/// Compares a sentence with the document that it cites.
fn said(claims: &mut Claims, statement: &Statement, document: u32, span: Span, cited: usize) {
    // A sentence of a few words ("see [3]") says nothing that could be compared.
    if statement.words.len() < 3 || !claims.may_match() {
        return;
    }
    let evidence = claims.evidence;
    let Some(best) = evidence.statements().best(statement, Some(document)) else {
        let note = "the cited document says nothing of the kind".to_owned();
        claims.lose("citation", Outcome::Unsupported, span, &[], note);
        return;
    };
    let known = evidence.statements().get(best.index);
    let places = [crate::evidence::Place { document: known.document, span: known.span }];
    let opposed = statement.found.opposes(known.statement.found);
    let (outcome, note) = if best.share >= SAME && opposed {
        (Outcome::Contradicted, "the cited document says the opposite")
    } else if best.share < SAID && cited == 1 {
        (Outcome::Unsupported, "the cited document says nothing of the kind")
    } else {
        (Outcome::Supported, "the cited document says so")
    };
    claims.lose("citation", outcome, span, &places, note.to_owned());
}

/// `[3]`, `[3, 5]`, `Document [0]`, `(Document 2)`, `PMID 123` in a sentence.
fn citations(claims: &Claims, sentence: usize) -> Vec<Citation> {
    let reading = &claims.response.reading;
    let range = reading.sentences[sentence].tokens.clone();
    let tokens = &reading.tokens;
    let text = claims.response.text;
    let mut found = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let token = &tokens[at];
        let named = token.kind == Kind::Word && NAMES.has(token.hash) && NAMES.spells(token.hash, token.text(text));
        let bracket = token.is_mark('[');
        if !named && !bracket {
            at += 1;
            continue;
        }
        let start = at;
        let mut labels = Vec::new();
        at += 1;
        // Numbers up to the closing bracket, or right behind the name.
        while at < range.end && at - start <= 24 {
            let next = &tokens[at];
            let number_follows = || tokens.get(at + 1).is_some_and(|t| t.kind == Kind::Number);
            if next.kind == Kind::Number {
                labels.push((next.text(text).to_owned(), at));
            } else if next.is_mark(',') {
                if (!bracket && labels.is_empty()) || (named && !number_follows()) {
                    break;
                }
            } else if !(next.is_mark('[') || next.is_mark(':') || next.is_mark('#')) {
                break;
            }
            at += 1;
        }
        let closed = tokens.get(at).filter(|_| at < range.end).is_some_and(|next| next.is_mark(']'));
        // "[3]" alone is a citation only where it closes; "(95 % CI [1.2, 3.4])" is none.
        if bracket && !named && (!closed || labels.iter().any(|(label, _)| label.contains('.'))) {
            continue;
        }
        let end = if closed { at + 1 } else { at };
        found.extend(labels.into_iter().map(|(label, _)| Citation { label, tokens: start..end }));
    }
    found
}
