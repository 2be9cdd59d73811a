//! Words and phrases: a vocabulary of folded words and a trie over them that finds the longest phrase at each word.
//!
//! Design decision: matching walks a trie over *words*, not bytes. It gives what a leftmost-longest Aho-Corasick pass
//! on word boundaries gives, with plural, hyphen and spelling tolerance resolved once in the vocabulary, and stays
//! linear because a phrase has at most [`MAX_WORDS`] words.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use crate::text::{Kind, Token, tokenize};

/// The most words that a phrase may have.
pub(super) const MAX_WORDS: usize = 12;

/// Set in the key of a word that must stand in capitals.
const CAPITALS: u64 = 0x9e37_79b9_7f4a_7c15;

/// Set in the key of a short word that must start with a capital, as the symbols of elements do ("Na", "Mg").
const SYMBOL: u64 = 0xc2b2_ae3d_27d4_eb4f;

/// What a token's capitals add to its key.
fn salt(token: &Token) -> u64 {
    match token.kind {
        Kind::Word if token.upper => CAPITALS,
        Kind::Word if token.capital && token.end - token.start <= 3 => SYMBOL,
        _ => 0,
    }
}

/// Passes 64-bit keys that are hashes already; one multiplication spreads the small ones.
#[derive(Debug, Default, Clone, Copy)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = (self.0.rotate_left(5) ^ key).wrapping_mul(0xf135_7aea_2e62_a9c5);
    }
    fn write_u32(&mut self, key: u32) {
        self.write_u64(u64::from(key));
    }
    fn write_u8(&mut self, key: u8) {
        self.write_u64(u64::from(key));
    }
    fn write_usize(&mut self, key: usize) {
        self.write_u64(key as u64);
    }
}

/// A map whose keys are hashes already.
pub type KeyMap<K, V> = HashMap<K, V, BuildHasherDefault<KeyHasher>>;

/// A token's entries in the vocabulary: 0 = unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Word {
    /// The word in any case.
    pub any: u32,
    /// The word in capitals, where the token stands in capitals.
    pub capitals: u32,
    /// Whether phrases step over it: a hyphen within a compound.
    pub skipped: bool,
}

/// The words of all phrases, numbered from 1.
#[derive(Debug, Default)]
pub struct Vocabulary {
    ids: KeyMap<u64, u32>,
    words: Vec<String>,
}

impl Vocabulary {
    fn id(&mut self, key: u64, word: &str) -> u32 {
        if let Some(&id) = self.ids.get(&key) {
            return id;
        }
        self.words.push(word.to_owned());
        let id = self.words.len() as u32;
        self.ids.insert(key, id);
        id
    }

    /// The ids of a phrase's words, entering new ones; a word in capitals is entered as such.
    pub fn phrase(&mut self, phrase: &str) -> Vec<u32> {
        let tokens = tokenize(phrase);
        let words = tokens.iter().filter(|token| !is_hyphen(token));
        words.map(|token| self.id(token.hash ^ salt(token), token.text(phrase))).collect()
    }

    /// Enters the plural, singular and British spelling of each word under the word's own id, where they are no words
    /// of their own. Call once, after all phrases.
    pub fn add_variants(&mut self) {
        for index in 0..self.words.len() {
            let word = self.words[index].to_lowercase();
            let short = word.len() < 3 && word == self.words[index];
            if short || !word.bytes().all(|byte| byte.is_ascii_alphabetic()) {
                continue;
            }
            let id = index as u32 + 1;
            let mut variants = Vec::new();
            if word == self.words[index] {
                variants.push(british(&word));
                variants.extend(inflections(&word));
                variants.extend(inflections(&british(&word)));
            } else if self.words[index].bytes().all(|byte| byte.is_ascii_uppercase()) {
                // The plural of an abbreviation: "PEs", "DVTs".
                variants.push(format!("{word}s"));
            }
            for variant in variants {
                let key = crate::text::hash_word(&variant);
                self.ids.entry(key).or_insert(id);
            }
        }
    }

    /// Looks up each token.
    pub fn look_up(&self, tokens: &[Token]) -> Vec<Word> {
        let get = |key: u64| self.ids.get(&key).copied().unwrap_or(0);
        tokens
            .iter()
            .map(|token| Word {
                any: get(token.hash),
                capitals: match salt(token) {
                    0 => 0,
                    salt => get(token.hash ^ salt),
                },
                skipped: token.glued && is_hyphen(token),
            })
            .collect()
    }

    /// Whether the word of that hash stands in the vocabulary.
    pub fn knows(&self, hash: u64) -> bool {
        self.ids.contains_key(&hash)
    }
}

fn is_hyphen(token: &Token) -> bool {
    token.kind == Kind::Mark && ['-', '\u{2010}', '\u{2011}', '\u{2013}'].iter().any(|&mark| token.is_mark(mark))
}

/// American stems and their British spelling.
const BRITISH: &[(&str, &str)] = &[
    ("edema", "oedema"),
    ("hemo", "haemo"),
    ("hema", "haema"),
    ("anemi", "anaemi"),
    ("emia", "aemia"),
    ("diarrhea", "diarrhoea"),
    ("rrhea", "rrhoea"),
    ("esoph", "oesoph"),
    ("leukocyt", "leucocyt"),
    ("tumor", "tumour"),
    ("color", "colour"),
    ("fetal", "foetal"),
    ("gynec", "gynaec"),
    ("ischem", "ischaem"),
    ("celiac", "coeliac"),
    ("dyspnea", "dyspnoea"),
    ("tachypnea", "tachypnoea"),
    ("orthopnea", "orthopnoea"),
    ("apnea", "apnoea"),
    ("goiter", "goitre"),
    ("feces", "faeces"),
    ("odor", "odour"),
    ("rumor", "rumour"),
    ("paresthesia", "paraesthesia"),
    ("hemorrh", "haemorrh"),
    ("leukemia", "leukaemia"),
    ("cesarean", "caesarean"),
    ("pediatric", "paediatric"),
    ("labored", "laboured"),
    ("fiber", "fibre"),
];

fn british(word: &str) -> String {
    let mut spelled = word.to_owned();
    for (american, british) in BRITISH {
        if spelled.contains(american) && !spelled.contains(british) {
            spelled = spelled.replacen(american, british, 1);
        }
    }
    spelled
}

/// Plural of a singular, singular of a plural, by the regular rules.
fn inflections(word: &str) -> Vec<String> {
    let mut forms = Vec::new();
    if let Some(stem) = word.strip_suffix('s') {
        let singular = word.len() >= 5 && !["ss", "us", "is"].iter().any(|ending| word.ends_with(ending));
        if singular {
            forms.push(stem.to_owned());
        }
        return forms;
    }
    if let Some(stem) = word.strip_suffix('y')
        && !stem.ends_with(['a', 'e', 'o', 'u'])
    {
        forms.push(format!("{stem}ies"));
        return forms;
    }
    let hissing = ["x", "z", "ch", "sh"].iter().any(|ending| word.ends_with(ending));
    forms.push(format!("{word}{}", if hissing { "es" } else { "s" }));
    forms
}

/// A phrase found: its value and the tokens that it covers.
#[derive(Debug, Clone, PartialEq)]
pub struct Match<V> {
    /// What the phrase stands for.
    pub value: V,
    /// Indices of its tokens.
    pub tokens: Range<usize>,
}

/// Phrases of vocabulary words, each with a value.
#[derive(Debug)]
pub struct PhraseTrie<V> {
    roots: Vec<u32>,
    edges: KeyMap<u64, u32>,
    values: Vec<Option<V>>,
}

impl<V: Copy> Default for PhraseTrie<V> {
    fn default() -> Self {
        Self { roots: Vec::new(), edges: KeyMap::default(), values: vec![None] }
    }
}

impl<V: Copy> PhraseTrie<V> {
    /// Enters a phrase; the value that stood there before, if any, stays and is returned.
    pub fn insert(&mut self, words: &[u32], value: V) -> Option<V> {
        let mut node = 0;
        for (depth, &word) in words.iter().enumerate() {
            node = match self.step(node, word) {
                0 => {
                    let new = self.values.len() as u32;
                    self.values.push(None);
                    if depth == 0 {
                        if self.roots.len() <= word as usize {
                            self.roots.resize(word as usize + 1, 0);
                        }
                        self.roots[word as usize] = new;
                    } else {
                        self.edges.insert(edge(node, word), new);
                    }
                    new
                }
                known => known,
            };
        }
        let slot = &mut self.values[node as usize];
        if slot.is_none() && node != 0 {
            *slot = Some(value);
            return None;
        }
        *slot
    }

    /// The node behind `node` along `word`, 0 where there is none.
    fn step(&self, node: u32, word: u32) -> u32 {
        if word == 0 {
            return 0;
        }
        if node == 0 {
            return self.roots.get(word as usize).copied().unwrap_or(0);
        }
        self.edges.get(&edge(node, word)).copied().unwrap_or(0)
    }

    /// The longest phrase that starts at word `at`: its value and one past its last word.
    pub fn longest(&self, words: &[Word], at: usize) -> Option<(V, usize)> {
        let first = words.get(at)?;
        let mut best = None;
        for start in [first.capitals, first.any] {
            let node = self.step(0, start);
            if node != 0 {
                self.walk(words, node, at + 1, 1, &mut best);
            }
        }
        best
    }

    /// Follows both readings of each word (in capitals, in any case); at most a few branches, as such phrases are rare.
    fn walk(&self, words: &[Word], node: u32, at: usize, depth: usize, best: &mut Option<(V, usize)>) {
        if let Some(value) = self.values[node as usize]
            && best.is_none_or(|(_, end)| at > end)
        {
            *best = Some((value, at));
        }
        if depth >= MAX_WORDS {
            return;
        }
        let next = match words.get(at) {
            Some(word) if word.skipped => at + 1,
            Some(_) => at,
            None => return,
        };
        let Some(word) = words.get(next) else { return };
        let (capitals, any) = (self.step(node, word.capitals), self.step(node, word.any));
        if capitals != 0 {
            self.walk(words, capitals, next + 1, depth + 1, best);
        }
        if any != 0 {
            self.walk(words, any, next + 1, depth + 1, best);
        }
    }

    /// All phrases in `range`, leftmost first, longest first, without overlap.
    pub fn find(&self, words: &[Word], range: Range<usize>) -> Vec<Match<V>> {
        let mut found = Vec::new();
        let words = &words[..range.end.min(words.len())];
        let mut at = range.start;
        while at < words.len() {
            match self.longest(words, at) {
                Some((value, end)) => {
                    found.push(Match { value, tokens: at..end });
                    at = end;
                }
                None => at += 1,
            }
        }
        found
    }
}

fn edge(node: u32, word: u32) -> u64 {
    u64::from(node) << 32 | u64::from(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(phrases: &[&str], text: &str) -> Vec<String> {
        let mut vocabulary = Vocabulary::default();
        let mut trie = PhraseTrie::default();
        for (index, phrase) in phrases.iter().enumerate() {
            let words = vocabulary.phrase(phrase);
            trie.insert(&words, index);
        }
        vocabulary.add_variants();
        let tokens = tokenize(text);
        let words = vocabulary.look_up(&tokens);
        let found = trie.find(&words, 0..tokens.len());
        found
            .iter()
            .map(|m| text[tokens[m.tokens.start].start as usize..tokens[m.tokens.end - 1].end as usize].to_owned())
            .collect()
    }

    #[test]
    fn longest_on_word_boundaries() {
        assert_eq!(
            matches(&["iron", "iron deficiency"], "Iron deficient; iron deficiency"),
            ["Iron", "iron deficiency"]
        );
        assert_eq!(matches(&["pe"], "open pe"), ["pe"]);
    }

    #[test]
    fn plural_hyphen_spelling_and_capitals() {
        let text = "Pulmonary emboli, crackle, ST-elevation, pedal oedema, ALL but not all, PEs";
        let phrases = ["crackles", "ST elevation", "pedal edema", "ALL", "PE"];
        assert_eq!(matches(&phrases, text), ["crackle", "ST-elevation", "pedal oedema", "ALL", "PEs"]);
    }

    #[test]
    fn punctuation_ends_a_phrase() {
        assert_eq!(matches(&["chest pain"], "chest. Pain, chest pain"), ["chest pain"]);
    }
}
