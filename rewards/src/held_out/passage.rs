//! Texts as the second opinion reads them: sentences of content words, with their families, numbers and negation.

use crate::lexicon::KeyMap;
use crate::scored::Span;
use crate::text::{Kind, Token, sentences, tokenize};

use super::family::{Lists, family};

/// Words in a row that make a copy of a sentence: honest reasoning quotes less at a time.
const COPIED: usize = 10;
/// Words that a denial reaches. What stands further off may be denied too: it is left unclear.
const REACH: usize = 3;

/// A content word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    /// Its family; of a number its digits.
    pub(super) family: u64,
    /// Its bytes.
    pub(super) span: Span,
    /// Denied, where a denial stands close before it; affirmed, where its sentence negates nothing; else unclear. In
    /// completions of MedQA questions a longer reach was wrong far more often than right.
    pub(super) denied: Option<bool>,
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
    let mut reach = 0;
    let affirmed = !tokens.iter().any(|token| token.kind == Kind::Word && lists.negates(token.hash));
    for (at, token) in tokens.iter().enumerate() {
        if token.kind == Kind::Mark {
            continue;
        }
        let word = token.text(text);
        if lists.negates(token.hash) {
            // "No longer needs" is no denial of the need.
            let longer = tokens.get(at + 1).is_some_and(|next| next.text(text).eq_ignore_ascii_case("longer"));
            reach = if lists.denies(token.hash) && !longer { REACH + 1 } else { 0 };
            continue;
        }
        reach = usize::saturating_sub(reach, 1);
        let denied = if reach > 0 { Some(true) } else { affirmed.then_some(false) };
        let number = (token.kind == Kind::Number).then(|| word.replace(',', "").parse().ok()).flatten();
        let listed = at == 0 && tokens.get(1).is_some_and(|next| next.is_mark('.') || next.is_mark(')'));
        if lists.is_empty(token.hash) || word.len() < 2 && number.is_none() || number.is_some() && listed {
            continue;
        }
        let family = if number.is_some() { token.hash } else { family(word) };
        found.push(Word { family, span: token.span(), denied, number });
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_clearly_denied_is_denied() {
        let text = "He denies fever, chills or cough but reports dyspnea. Murphy sign is negative. He no longer smokes. \
            He has a rash.";
        let sentences = read(text);
        let denied: Vec<(&str, Option<bool>)> =
            sentences.iter().flat_map(|s| &s.words).map(|w| (&text[w.span[0]..w.span[1]], w.denied)).collect();
        let of = |word: &str| denied.iter().find(|(known, _)| *known == word).unwrap().1;
        assert_eq!([of("fever"), of("chills")], [Some(true); 2]);
        assert_eq!([of("cough"), of("dyspnea"), of("Murphy"), of("smokes")], [None; 4]);
        assert_eq!(of("rash"), Some(false));
    }

    #[test]
    fn list_numbers_are_no_figures() {
        let numbers = |text: &str| -> Vec<f64> { read(text)[0].words.iter().filter_map(|w| w.number).collect() };
        assert_eq!(numbers("1. Sodium is 1,200 and potassium 5.9"), [1200.0, 5.9]);
        assert_eq!(numbers("no"), [0.0; 0]);
    }
}
