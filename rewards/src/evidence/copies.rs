//! Words of a response that stand in the evidence in the same order. Repeating the record takes nothing up, so coverage
//! does not pay for it, and it is no prose of the response's own.
//!
//! Numbers, sides and words for the patient's sex stand for any other of their kind, and a word or two between copied
//! runs count with them: a copy with an error in it is still a copy, so that no error makes prose of it.

use crate::lexicon::KeyMap;
use crate::reading::Reading;
use crate::text::{Kind, Token, WordMap};

/// Words in a run. Shorter ones are common phrases: "has a history of".
const RUN: usize = 5;
/// Words between two runs that count with them.
const BRIDGE: usize = 2;

/// Words that stand for any other of their kind, and the numbers that they count as; a printed number counts as 1.
static KINDS: WordMap<u64> = WordMap::new(&[
    ("left right bilateral", 2),
    ("man woman boy girl male female gentleman lady he she his her him", 3),
]);

/// Runs of words of the evidence.
#[derive(Debug, Default)]
pub(super) struct Copies {
    runs: KeyMap<u64, ()>,
    /// A bit for each run, by the high bits of its hash: nearly all runs of a response are its own, and the bit says so.
    bits: Vec<u64>,
}

/// Bits of `Copies::bits`: a vignette has some 200 runs.
const BITS: u32 = 12;

fn bit(run: u64) -> (usize, u64) {
    let bit = (run >> (64 - BITS)) as usize;
    (bit / 64, 1 << (bit % 64))
}

impl Copies {
    /// Adds the tokens of a document.
    pub(super) fn add(&mut self, tokens: &[Token]) {
        self.bits.resize(1 << (BITS - 6), 0);
        let mut window = Window::default();
        for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.kind != Kind::Mark) {
            if let Some(run) = window.push(at, unit(token)) {
                let (word, bit) = bit(run);
                self.bits[word] |= bit;
                self.runs.insert(run, ());
            }
        }
    }

    fn has(&self, run: u64) -> bool {
        let (word, bit) = bit(run);
        self.bits.get(word).is_some_and(|bits| bits & bit != 0) && self.runs.contains_key(&run)
    }

    /// Whether each token of a response is copied; marks are not.
    pub(super) fn tokens(&self, reading: &Reading) -> Vec<bool> {
        let mut copied = vec![false; reading.tokens.len()];
        let mut window = Window::default();
        // One past the last copied word.
        let mut end: Option<usize> = None;
        for (place, token) in reading.tokens.iter().enumerate().filter(|(_, token)| token.kind != Kind::Mark) {
            if window.push(place, unit(token)).is_some_and(|run| self.has(run)) {
                let at = window.count - RUN;
                let from = end.filter(|&end| at <= end + BRIDGE).unwrap_or(at);
                (from..window.count).for_each(|word| copied[window.places[word % KEPT]] = true);
                end = Some(window.count);
            }
        }
        copied
    }
}

/// What a word counts as.
fn unit(token: &Token) -> u64 {
    match token.kind {
        Kind::Number => 1,
        _ => KINDS.get(token.hash).unwrap_or(token.hash),
    }
}

/// Words that a window keeps: a run and the bridge before it.
const KEPT: usize = 8;
const _: () = assert!(KEPT >= RUN + BRIDGE);

/// The last words of a text, and the hash of the run that they make: a polynomial in [`BASE`] modulo 2^64, which follows
/// from the one before it by the word that comes and the word that goes (Karp and Rabin 1987).
#[derive(Debug, Default)]
struct Window {
    hash: u64,
    count: usize,
    words: [u64; KEPT],
    /// The tokens of the words.
    places: [usize; KEPT],
}

impl Window {
    /// Takes the next word in; the hash of the run that it ends, if so many words were taken.
    fn push(&mut self, place: usize, word: u64) -> Option<u64> {
        let gone = if self.count >= RUN { self.words[(self.count - RUN) % KEPT] } else { 0 };
        let leaving = gone.wrapping_mul(const { BASE.wrapping_pow(RUN as u32) });
        self.hash = self.hash.wrapping_mul(BASE).wrapping_add(word).wrapping_sub(leaving);
        self.words[self.count % KEPT] = word;
        self.places[self.count % KEPT] = place;
        self.count += 1;
        (self.count >= RUN).then_some(self.hash)
    }
}

/// An odd number without a pattern.
const BASE: u64 = 0xf135_7aea_2e62_a9c5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexicon::Lexicon;

    #[test]
    fn runs_of_the_evidence_are_copies_with_an_error_in_them_too() {
        let lexicon = Lexicon::built_in();
        let vignette = Reading::new(
            "A 54-year-old man has had a productive cough and chills for 3 days. His heart rate is 112/min.",
            &lexicon,
        );
        let mut copies = Copies::default();
        copies.add(&vignette.tokens);
        // Counted by hand: words, and those of them that are copied.
        let counted = |text: &str| {
            let reading = Reading::new(text, &lexicon);
            let words = reading.tokens.iter().filter(|token| token.kind != Kind::Mark).count();
            (words, copies.tokens(&reading).into_iter().filter(|copied| *copied).count())
        };
        assert_eq!(counted("A 54-year-old man has had a productive cough and chills for 3 days."), (15, 15));
        assert_eq!(counted("A 77-year-old woman has had a productive cough and chills for 9 days."), (15, 15));
        assert_eq!(counted("A 54-year-old man has had no productive cough and chills for 3 days."), (15, 15));
        assert_eq!(counted("Indeed, a 54-year-old man has had a productive cough."), (11, 10));
        assert_eq!(counted("His cough and chills of 3 days point to an infection."), (11, 0));
    }
}
