//! Texts as the second opinion reads them: sentences of content words, with their families, numbers and negation.

use crate::lexicon::KeyMap;
use crate::scored::Span;
use crate::text::{Kind, Token, sentences, tokenize};

use super::family::{Lists, family};

/// Words in a row that make a copy of a sentence: honest reasoning quotes less at a time.
const COPIED: usize = 10;
/// Words that a negation reaches.
const REACH: usize = 8;

/// A content word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    /// Its family; of a number its digits.
    pub(super) family: u64,
    /// Its bytes.
    pub(super) span: Span,
    /// Whether a negation stands before it.
    pub(super) negated: bool,
    /// Its value, where it is a number.
    pub(super) number: Option<f64>,
}

/// A sentence.
#[derive(Debug, Clone)]
pub(super) struct Sentence {
    /// Its bytes.
    pub(super) span: Span,
    /// Its content words.
    pub(super) words: Vec<Word>,
    /// Hashes of each run of [`COPIED`] words.
    pub(super) runs: Vec<u64>,
    /// Hash of all its words.
    pub(super) hash: u64,
}

impl Sentence {
    /// Each family once, in order.
    pub(super) fn families(&self) -> Vec<u64> {
        let mut seen: KeyMap<u64, ()> = KeyMap::default();
        self.words.iter().map(|word| word.family).filter(|family| seen.insert(*family, ()).is_none()).collect()
    }
}

/// Reads a text.
pub(super) fn read(text: &str) -> Vec<Sentence> {
    let tokens = tokenize(text);
    let lists = Lists::get();
    sentences(text, &tokens)
        .iter()
        .map(|sentence| {
            let tokens = &tokens[sentence.tokens.clone()];
            let spoken: Vec<&Token> = tokens.iter().filter(|token| token.kind != Kind::Mark).collect();
            let fold =
                |hash: u64, token: &&Token| (hash ^ token.hash).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(9);
            Sentence {
                span: sentence.span,
                words: words(text, tokens, lists),
                runs: spoken.windows(COPIED).map(|run| run.iter().fold(0, fold)).collect(),
                hash: spoken.iter().fold(0, fold),
            }
        })
        .collect()
}

fn words(text: &str, tokens: &[Token], lists: &Lists) -> Vec<Word> {
    let mut found = Vec::new();
    let mut negated_for = 0;
    for (at, token) in tokens.iter().enumerate() {
        if token.kind == Kind::Mark {
            // A clause ends: what was denied is denied no more.
            if token.is_mark(';') || token.is_mark(':') {
                negated_for = 0;
            }
            continue;
        }
        let word = token.text(text);
        if word.eq_ignore_ascii_case("but") || word.eq_ignore_ascii_case("however") {
            negated_for = 0;
        }
        if lists.negates(token.hash) {
            negated_for = REACH;
            // "Murphy sign was negative": what stands before in a short sentence is denied too.
            if word.eq_ignore_ascii_case("negative") || word.eq_ignore_ascii_case("absent") {
                found.iter_mut().rev().take(REACH / 2).for_each(|word: &mut Word| word.negated = true);
            }
            continue;
        }
        negated_for = usize::saturating_sub(negated_for, 1);
        let number = (token.kind == Kind::Number).then(|| word.replace(',', "").parse().ok()).flatten();
        let listed = at == 0 && tokens.get(1).is_some_and(|next| next.is_mark('.') || next.is_mark(')'));
        if lists.is_empty(token.hash) || word.len() < 2 && number.is_none() || number.is_some() && listed {
            continue;
        }
        let family = if number.is_some() { token.hash } else { family(word) };
        found.push(Word { family, span: token.span(), negated: negated_for > 0, number });
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn negation_reaches_over_lists_and_ends_at_but() {
        let text = "He denies fever, chills or cough but reports dyspnea. Murphy sign is negative.";
        let sentences = read(text);
        let negated: Vec<(&str, bool)> =
            sentences.iter().flat_map(|s| &s.words).map(|w| (&text[w.span[0]..w.span[1]], w.negated)).collect();
        let of = |word: &str| negated.iter().find(|(known, _)| *known == word).unwrap().1;
        assert!(of("fever") && of("chills") && of("cough") && of("Murphy"));
        assert!(!of("dyspnea") && !of("reports"));
    }

    #[test]
    fn list_numbers_are_no_figures() {
        let numbers = |text: &str| -> Vec<f64> { read(text)[0].words.iter().filter_map(|w| w.number).collect() };
        assert_eq!(numbers("1. Sodium is 1,200 and potassium 5.9"), [1200.0, 5.9]);
        assert_eq!(numbers("no"), [0.0; 0]);
    }
}
