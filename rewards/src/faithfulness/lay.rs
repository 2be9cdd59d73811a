//! Lay and indirect descriptions of findings: where the evidence has such words, a finding that it does not name is
//! unverified rather than unsupported. Written from reading vignettes; each row is a concept's name and words (or
//! beginnings of words) of which one suffices.

use std::sync::OnceLock;

use crate::evidence::EvidenceIndex;
use crate::lexicon::KeyMap;
use crate::text::hash_word;

const ROWS: &str = include_str!("../../lexicon/descriptions.txt");

/// Whether the evidence has one of the words that describe the concept of that name.
pub(super) fn describes(name: &str, evidence: &EvidenceIndex) -> bool {
    static TABLE: OnceLock<KeyMap<u64, Vec<&'static str>>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let rows = ROWS.lines().filter(|line| !line.starts_with('#'));
        let parsed = rows.filter_map(|row| row.split_once('='));
        parsed.map(|(name, words)| (hash_word(name.trim()), words.split_whitespace().collect())).collect()
    });
    table.get(&hash_word(name)).is_some_and(|words| words.iter().any(|word| evidence.has_word(word)))
}
