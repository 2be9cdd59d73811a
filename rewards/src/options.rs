//! A case's options as a response names them: by concept, by text, by letter.

use std::ops::Range;

use attending_datasets::{AnswerOption, Case};

use crate::lexicon::{ConceptId, KeyMap, Kind as ConceptKind, Lexicon};
use crate::reading::{Mention, Reading};
use crate::text::{Kind, Token, hash_word, tokenize};

/// One option.
#[derive(Debug, Clone)]
pub struct OptionInfo {
    /// Its key.
    pub key: String,
    /// The concept that its text is, or mostly is.
    pub concept: Option<ConceptId>,
    /// What it says of the others, if it is no thing of its own.
    pub(crate) collective: Option<Collective>,
    /// Folded words of its text.
    words: Vec<u64>,
}

/// What an option says of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collective {
    /// "All of the above".
    All,
    /// "None of the above".
    None,
    /// "Both A and C".
    Some,
}

/// Whether an option is about the others rather than a thing of its own.
fn collective(option: &AnswerOption, options: &[AnswerOption]) -> Option<Collective> {
    let tokens = tokenize(&option.text);
    let words: Vec<String> =
        tokens.iter().filter(|t| t.kind != Kind::Mark).map(|t| t.text(&option.text).to_lowercase()).collect();
    let said: Vec<&str> = words.iter().map(String::as_str).collect();
    let others = ["above", "these", "options", "choices", "them", "following", "listed", "statements"];
    match said[..] {
        [] => None,
        [first, .., last] if others.contains(&last) => match first {
            "all" | "both" => Some(Collective::All),
            "none" | "neither" => Some(Collective::None),
            _ => None,
        },
        _ => {
            let is_key = |word: &&str| options.iter().any(|o| o.key.len() <= 2 && o.key.eq_ignore_ascii_case(word));
            let keys = said.iter().filter(|word| is_key(word)).count();
            let rest = said.iter().filter(|word| !is_key(word));
            let joints = ["and", "or", "both", "only", "options", "option"];
            (keys >= 2 && rest.clone().all(|word| joints.contains(word))).then_some(Collective::Some)
        }
    }
}

/// All options of a case, ready for finding them in text.
#[derive(Debug, Default)]
pub struct Options {
    /// In the case's order.
    pub all: Vec<OptionInfo>,
    first_words: KeyMap<u64, Vec<usize>>,
    /// A bit for each first word, by the low bits of its hash: few words of a text need to be looked up.
    first_bits: u64,
    letters: KeyMap<u64, usize>,
    numbers: Vec<f64>,
}

/// An option named in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// Index of the option.
    pub option: usize,
    /// First token.
    pub start: usize,
    /// One past the last token.
    pub end: usize,
}

impl Options {
    /// Reads the options of a case.
    pub fn new(case: &Case, lexicon: &Lexicon) -> Options {
        let mut options = Options::default();
        for (index, option) in case.options.iter().enumerate() {
            let tokens = tokenize(&option.text);
            let words: Vec<u64> = tokens.iter().filter(|t| t.kind != Kind::Mark).map(|t| t.hash).collect();
            let reading = Reading::new(&option.text, lexicon);
            let concept = main_concept(&reading, lexicon, words.len());
            options.numbers.extend(reading.quantities.iter().map(|quantity| quantity.value));
            // A single letter is no name that prose can be searched for.
            if let Some(first) = words.first().filter(|_| option.text.trim().len() > 1) {
                options.first_words.entry(*first).or_default().push(index);
                options.first_bits |= 1 << (first % 64);
            }
            if !option.key.is_empty() {
                options.letters.insert(hash_word(&option.key), index);
            }
            let collective = collective(option, &case.options);
            options.all.push(OptionInfo { key: option.key.clone(), concept, collective, words });
        }
        options
    }

    /// Whether an option states this number.
    pub fn has_number(&self, value: f64) -> bool {
        self.numbers.contains(&value)
    }

    /// The index of an option's key.
    pub fn position(&self, key: &str) -> Option<usize> {
        self.all.iter().position(|option| option.key == key)
    }

    /// Adds all options named in a sentence, in order, the longest name first where several start.
    pub fn named(&self, text: &str, reading: &Reading, sentence: usize, lexicon: &Lexicon, found: &mut Vec<Named>) {
        let tokens = &reading.tokens;
        let mut mentions = reading.mentions_of(sentence).iter().peekable();
        let Range { start: mut at, end: to } = reading.sentences[sentence].tokens;
        while at < to {
            while mentions.next_if(|mention| mention.tokens.start < at).is_some() {}
            let token = &tokens[at];
            let mention = mentions.peek().filter(|mention| mention.tokens.start == at);
            let starts = self.first_bits >> (token.hash % 64) & 1 == 1;
            // Nearly every token names nothing.
            if token.kind == Kind::Mark || !(starts || mention.is_some() || is_letter(token)) {
                at += 1;
                continue;
            }
            let mut best: Option<Named> = None;
            if starts && let Some(candidates) = self.first_words.get(&token.hash) {
                for &option in candidates {
                    if let Some(end) = self.matches(option, reading, at, to)
                        && best.as_ref().is_none_or(|known| end > known.end)
                    {
                        best = Some(Named { option, start: at, end });
                    }
                }
            }
            if best.is_none()
                && let Some(mention) = mention
            {
                // The option itself or a kind of it; else the broader name, where it fits one option alone ("stroke").
                let narrower = |c: ConceptId| lexicon.is_a(mention.concept, c);
                let broader = |c: ConceptId| lexicon.is_edge(mention.concept, c);
                let option = self.only(narrower).or_else(|| self.only(broader));
                best = option.map(|option| Named { option, start: at, end: mention.tokens.end });
            }
            if best.is_none() {
                best = self.letter(text, reading, at).map(|option| Named { option, start: at, end: at + 1 });
            }
            match best {
                Some(named) => {
                    at = named.end.max(at + 1);
                    found.push(named);
                }
                None => at += 1,
            }
        }
    }

    /// The only option whose concept fits.
    fn only(&self, fits: impl Fn(ConceptId) -> bool) -> Option<usize> {
        let mut matching = (0..self.all.len()).filter(|&i| self.all[i].concept.is_some_and(&fits));
        matching.next().filter(|_| matching.next().is_none())
    }

    fn matches(&self, option: usize, reading: &Reading, at: usize, to: usize) -> Option<usize> {
        let mut index = at;
        for (position, &word) in self.all[option].words.iter().enumerate() {
            while position > 0 && index < to && reading.tokens[index].kind == Kind::Mark {
                index += 1;
            }
            if index >= to || reading.tokens[index].hash != word {
                return None;
            }
            index += 1;
        }
        Some(index)
    }

    /// "option B", "choice B", "(B)", "B)".
    fn letter(&self, text: &str, reading: &Reading, at: usize) -> Option<usize> {
        let token = &reading.tokens[at];
        if !is_letter(token) {
            return None;
        }
        let option = *self.letters.get(&token.hash)?;
        let before = at.checked_sub(1).map(|i| &reading.tokens[i]);
        let called =
            before.is_some_and(|b| ["option", "choice", "answer"].iter().any(|w| b.text(text).eq_ignore_ascii_case(w)));
        let bracketed = reading.tokens.get(at + 1).is_some_and(|next| next.glued && next.is_mark(')'));
        (called || bracketed).then_some(option)
    }
}

/// Whether a token may be an option's key: so few letters, the first a capital.
fn is_letter(token: &Token) -> bool {
    token.capital && token.end - token.start <= 2
}

/// The condition (or other concept) that a short option text names: the one that covers at least half of its words.
fn main_concept(reading: &Reading, lexicon: &Lexicon, words: usize) -> Option<ConceptId> {
    let covered = |mention: &&Mention| 2 * (mention.tokens.end - mention.tokens.start) >= words;
    let condition =
        reading.mentions.iter().filter(covered).find(|m| lexicon.concept(m.concept).kind == ConceptKind::Condition);
    condition.or_else(|| reading.mentions.iter().find(covered)).map(|mention| mention.concept)
}
