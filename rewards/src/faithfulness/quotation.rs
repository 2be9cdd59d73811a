//! Rule 4: quoted text stands in the evidence, exactly after folding, or within a small edit distance. It can lose,
//! never earn. Quoted terms ("bird's beak") are names, not quotations.

use super::{Claims, Key};
use crate::lexicon::KeyMap;
use crate::scored::{Outcome, Span};
use crate::text::{Kind, Token, Words};

/// Words that a quotation has at least; with words that attribute it before it, and without.
const ATTRIBUTED: usize = 3;
const BARE: usize = 6;
/// Words that are compared at most: a longer quotation is judged by its start.
const LONGEST: usize = 64;
/// Share of words that may differ, and from which on a quotation is an altered one rather than an invented one.
const TOLERATED: f64 = 0.1;
const ALTERED: f64 = 0.5;

/// Quotations that are looked up at most: each costs a pass over the evidence.
const MOST: usize = 100;

static ATTRIBUTING: Words = Words::new(
    "states stated says said reports reported notes noted writes describes described complains \
    quote quoted quoting according document vignette text passage abstract study reads mentions mentioned claims",
);

/// Checks all quotations; returns their spans, whose inside is no claim of its own.
pub(super) fn check(claims: &mut Claims) -> Vec<Span> {
    let mut found = Vec::new();
    let tokens = &claims.response.reading.tokens;
    let mut open: Option<usize> = None;
    for at in 0..tokens.len() {
        let token = &tokens[at];
        if open.is_none() && token.kind != Kind::Mark {
            continue;
        }
        let (opens, closes) = quote_mark(token, tokens.get(at + 1));
        match open {
            Some(start) if closes && at > start => {
                if let Some(span) = one(claims, start + 1, at, found.len()) {
                    found.push(span);
                }
                open = None;
            }
            // A paragraph ends a quotation that was never closed.
            Some(start) if token.breaks >= 2 || at - start > 4 * LONGEST => open = opens.then_some(at),
            None if opens => open = Some(at),
            _ => {}
        }
    }
    found
}

/// Whether a token opens or closes a quotation. Escaped quotes of JSON are quotes.
fn quote_mark(token: &Token, next: Option<&Token>) -> (bool, bool) {
    let straight = token.is_mark('"');
    let glued = next.is_some_and(|next| next.glued);
    let opens = token.is_mark('\u{201c}') || (straight && glued);
    // A mark with white space before it closes where no word is glued to it.
    let worded = glued && next.is_some_and(|next| next.kind != Kind::Mark);
    let closes = token.is_mark('\u{201d}') || (straight && (token.glued || !worded));
    (opens, closes)
}

/// Checks the quotation between two marks, the one after `count` others.
fn one(claims: &mut Claims, from: usize, to: usize, count: usize) -> Option<Span> {
    let reading = &claims.response.reading;
    let words: Vec<u64> =
        reading.tokens[from..to].iter().filter(|t| t.kind != Kind::Mark).take(LONGEST).map(|t| t.hash).collect();
    let before = &reading.tokens[from.saturating_sub(8)..from];
    let attributed = before.iter().any(|token| ATTRIBUTING.has(token.hash));
    if words.len() < if attributed { ATTRIBUTED } else { BARE } {
        return None;
    }
    let span = reading.span(&(from..to));
    let key = words.iter().fold(7_u64, |hash, word| hash.rotate_left(9) ^ word);
    if count < MOST && claims.first(Key::Other(key)) {
        let nearest = claims.evidence.tokens().iter().map(|text| distance(text, &words)).min().unwrap_or(words.len());
        let share = nearest as f64 / words.len() as f64;
        let (outcome, note) = if nearest == 0 {
            (Outcome::Supported, "the quotation stands in the evidence")
        } else if share <= TOLERATED {
            (Outcome::Supported, "the quotation stands in the evidence, but for a word")
        } else if share <= ALTERED {
            (Outcome::Contradicted, "the quotation is altered")
        } else {
            (Outcome::Unsupported, "the quotation stands nowhere in the evidence")
        };
        claims.lose("quotation", outcome, span, &[], note.to_owned());
    }
    Some(span)
}

/// The least edits (words put in, left out or replaced) that turn the quotation into some stretch of the text. Only
/// stretches that share a pair of neighbouring words are looked at, so that long texts cost little.
fn distance(text: &[u64], quote: &[u64]) -> usize {
    let mut pairs: KeyMap<u64, usize> = KeyMap::default();
    for (at, pair) in quote.windows(2).enumerate() {
        pairs.entry(pair[0].rotate_left(17) ^ pair[1]).or_insert(at);
    }
    let mut best = quote.len();
    let mut looked = 0;
    let mut next = 0;
    for (at, pair) in text.windows(2).enumerate() {
        if at < next || looked >= 32 {
            continue;
        }
        let Some(&inside) = pairs.get(&(pair[0].rotate_left(17) ^ pair[1])) else { continue };
        let start = at.saturating_sub(inside + quote.len() / 8 + 1);
        let end = (start + quote.len() + quote.len() / 4 + 2).min(text.len());
        best = best.min(edits(&text[start..end], quote));
        looked += 1;
        next = at + 1 + (quote.len() - inside) / 2;
        if best == 0 {
            return 0;
        }
    }
    best
}

/// Edit distance of `quote` to the nearest stretch of `text` (Sellers 1980: a free start and a free end).
fn edits(text: &[u64], quote: &[u64]) -> usize {
    let mut row: Vec<usize> = vec![0; text.len() + 1];
    for (line, word) in quote.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, known) in text.iter().enumerate() {
            let replaced = diagonal + usize::from(known != word);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row.into_iter().min().unwrap_or(quote.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::hash_word;

    fn words(text: &str) -> Vec<u64> {
        text.split_whitespace().map(hash_word).collect()
    }

    /// By hand: nothing to change; one word replaced; one left out; one put in.
    #[test]
    fn edits_to_the_nearest_stretch() {
        let text = words("he came in with severe pain in the chest that began today");
        for (quote, expected) in [
            ("severe pain in the chest", 0),
            ("mild pain in the chest", 1),
            ("severe pain the chest", 1),
            ("severe pain in the left chest", 1),
        ] {
            assert_eq!(distance(&text, &words(quote)), expected, "{quote}");
        }
        assert_eq!(distance(&text, &words("fever cough rash")), 3);
    }
}
