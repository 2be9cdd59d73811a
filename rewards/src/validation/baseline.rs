//! The trivial baselines beside which every figure stands: length alone, word overlap, windowed idf overlap.

use crate::items::stem;
use crate::lexicon::KeyMap;
use crate::text::{Kind, sentences, tokenize};

/// The stems of each sentence's words of at least three letters, and its numbers.
fn words(text: &str) -> Vec<Vec<u64>> {
    let tokens = tokenize(text);
    let content = |token: &&crate::text::Token| {
        token.kind != Kind::Mark && (token.end - token.start >= 3 || token.kind == Kind::Number)
    };
    let stems =
        |range: std::ops::Range<usize>| tokens[range].iter().filter(content).map(|t| stem(t.text(text))).collect();
    sentences(text, &tokens).into_iter().map(|sentence| stems(sentence.tokens)).collect()
}

/// Words of a text.
pub(super) fn length(text: &str) -> f64 {
    text.split_whitespace().count() as f64
}

/// How rare words are over a collection of texts: ln(n / (1 + number of sentences with it)) + 1.
#[derive(Debug)]
pub(super) struct Idf {
    sentences: f64,
    frequency: KeyMap<u64, f64>,
}

impl Idf {
    pub(super) fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Idf {
        let mut idf = Idf { sentences: 0.0, frequency: KeyMap::default() };
        for sentence in texts.flat_map(words) {
            let unique: KeyMap<u64, ()> = sentence.into_iter().map(|stem| (stem, ())).collect();
            idf.sentences += 1.0;
            unique.keys().for_each(|stem| *idf.frequency.entry(*stem).or_default() += 1.0);
        }
        idf
    }

    fn weight(&self, stem: u64) -> f64 {
        ((1.0 + self.sentences) / (1.0 + self.frequency.get(&stem).copied().unwrap_or(0.0))).ln() + 1.0
    }

    /// The idf-weighted share of a statement's words in the best passage of three sentences.
    pub(super) fn overlap(&self, statement: &str, text: &str) -> f64 {
        let mut own: Vec<u64> = words(statement).into_iter().flatten().collect();
        own.sort_unstable();
        own.dedup();
        let whole: f64 = own.iter().map(|stem| self.weight(*stem)).sum();
        let sentences = words(text);
        let held = |passage: &[Vec<u64>]| -> f64 {
            let there = own.iter().filter(|stem| passage.iter().any(|sentence| sentence.contains(stem)));
            there.map(|stem| self.weight(*stem)).sum()
        };
        let best =
            (0..sentences.len()).map(|at| held(&sentences[at..(at + 3).min(sentences.len())])).fold(0.0, f64::max);
        if whole > 0.0 { best / whole } else { 0.0 }
    }
}

/// The share of a statement's words that stand anywhere in a text.
pub(super) fn overlap(statement: &str, text: &str) -> f64 {
    let there: KeyMap<u64, ()> = words(text).into_iter().flatten().map(|stem| (stem, ())).collect();
    let own: Vec<u64> = words(statement).into_iter().flatten().collect();
    let found = own.iter().filter(|stem| there.contains_key(stem)).count();
    found as f64 / own.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_by_hand() {
        assert!((overlap("fever and cough", "He has a cough.") - 1.0 / 3.0).abs() < 1e-12);
        let idf = Idf::new(["fever here. fever there. cough once."].into_iter());
        assert!(idf.overlap("cough", "a cough") == 1.0 && idf.overlap("cough", "") == 0.0);
        // Three sentences; fever in two: ln(4/3) + 1, cough in one: ln(4/2) + 1.
        let (fever, cough) = ((4.0_f64 / 3.0).ln() + 1.0, 2.0_f64.ln() + 1.0);
        assert!((idf.overlap("fever cough", "fever") - fever / (fever + cough)).abs() < 1e-12);
    }
}
