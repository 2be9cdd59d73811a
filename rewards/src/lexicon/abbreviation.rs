//! Abbreviations with several meanings, told apart by the words around them.

use std::ops::Range;

use super::{Term, Word};

/// Words before and behind an abbreviation in which its context is looked for: about two sentences each way.
const WINDOW: usize = 40;

/// One meaning of an abbreviation.
#[derive(Debug, Clone)]
pub(super) struct Sense {
    /// What it stands for.
    pub(super) term: Term,
    /// Lemmas and words in capitals that speak for this meaning; none for the meaning that holds without context.
    pub(super) context: Vec<u32>,
}

/// The meaning of the abbreviation on `tokens` of a text: the one with the most context words around it, the first of
/// equals; without any, the meaning that needs none; else `None`, as a guess would make wrong verdicts.
pub(super) fn resolve(senses: &[Sense], words: &[Word], tokens: &Range<usize>) -> Option<Term> {
    let around = tokens.start.saturating_sub(WINDOW)..(tokens.end + WINDOW).min(words.len());
    let window = &words[around];
    let mut best: Option<(usize, Term)> = None;
    for sense in senses.iter().filter(|sense| !sense.context.is_empty()) {
        let said = |id: &&u32| window.iter().any(|word| word.lemma == **id || word.capitals == **id);
        let count = sense.context.iter().filter(said).count();
        if count > 0 && best.is_none_or(|(known, _)| count > known) {
            best = Some((count, sense.term));
        }
    }
    best.map(|(_, term)| term).or_else(|| senses.iter().find(|sense| sense.context.is_empty()).map(|sense| sense.term))
}
