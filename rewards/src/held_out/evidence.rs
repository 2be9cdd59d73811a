//! The evidence of a case in overlapping windows, and how rare each word family is in them.

use std::borrow::Cow;

use attending_datasets::Case;

use crate::lexicon::KeyMap;
use crate::scored::EvidenceSpan;

use super::passage::{Sentence, Word, read};

/// Content words of a window, and how far one window lies from the next: a window is about five sentences.
const WINDOW: usize = 40;
const STRIDE: usize = 20;
/// Windows that a family may vote for; one that stands in more says nothing about where a sentence comes from.
const VOTES: usize = 64;
/// Share at which words that are denied on one side alone are a contradiction, and not another subject.
const SAME_SUBJECT: f64 = 0.6;
/// Content words that a question needs to be evidence: a one-line question has fewer.
const VIGNETTE: usize = 20;

/// A sentence of the evidence.
#[derive(Debug)]
pub(super) struct Source {
    /// Index of its document.
    document: usize,
    /// The sentence.
    pub(super) sentence: Sentence,
}

#[derive(Debug)]
struct Window {
    document: usize,
    words: Vec<Word>,
}

/// Where a sentence stands in the evidence.
#[derive(Debug)]
pub(super) struct Grounding {
    /// Share of the sentence's rarity that its best window has.
    pub(super) share: f64,
    /// From the first to the last shared word; `None` where none is shared.
    pub(super) place: Option<EvidenceSpan>,
    /// A shared word that is denied on one side alone, where most of the sentence is shared.
    pub(super) opposed: Option<Word>,
}

/// The evidence of one case.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    documents: Vec<Cow<'static, str>>,
    /// All sentences, in order.
    pub(super) sentences: Vec<Source>,
    windows: Vec<Window>,
    postings: KeyMap<u64, Vec<u32>>,
    counts: KeyMap<u64, usize>,
    numbers: KeyMap<u64, EvidenceSpan>,
    runs: KeyMap<u64, ()>,
}

impl Evidence {
    /// Reads documents and question.
    pub(super) fn new(case: &Case) -> Evidence {
        let mut evidence = Evidence::default();
        for document in &case.context {
            evidence.add(&document.id, read(&document.text));
        }
        let question = read(&case.question);
        let words: usize = question.iter().map(|sentence| sentence.words.len()).sum();
        if words >= VIGNETTE || !evidence.sentences.is_empty() {
            evidence.add("question", question);
        }
        evidence
    }

    fn add(&mut self, id: &str, sentences: Vec<Sentence>) {
        let document = self.documents.len();
        self.documents.push(Cow::Owned(id.to_owned()));
        let words: Vec<Word> = sentences.iter().flat_map(|sentence| sentence.words.iter().copied()).collect();
        for word in &words {
            if let Some(number) = word.number {
                let place = || EvidenceSpan { document: id.to_owned().into(), span: word.span };
                self.numbers.entry(number.to_bits()).or_insert_with(place);
            }
        }
        let mut from = 0;
        while from < words.len() {
            let window = Window { document, words: words[from..words.len().min(from + WINDOW)].to_vec() };
            let index = self.windows.len() as u32;
            let mut seen: KeyMap<u64, ()> = KeyMap::default();
            for word in &window.words {
                if seen.insert(word.family, ()).is_none() {
                    *self.counts.entry(word.family).or_default() += 1;
                    let places = self.postings.entry(word.family).or_default();
                    if places.len() < VOTES {
                        places.push(index);
                    }
                }
            }
            self.windows.push(window);
            if from + WINDOW >= words.len() {
                break;
            }
            from += STRIDE;
        }
        for sentence in sentences {
            self.runs.extend(sentence.runs.iter().chain([&sentence.hash]).map(|run| (*run, ())));
            self.sentences.push(Source { document, sentence });
        }
    }

    /// Whether there is anything to compare with.
    pub(super) fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// How rare a family is: ln(1 + windows / windows with it); one that stands nowhere counts as standing once.
    pub(super) fn rarity(&self, family: u64) -> f64 {
        let count = self.counts.get(&family).copied().unwrap_or(1);
        (1.0 + self.windows.len() as f64 / count as f64).ln()
    }

    /// Whether a sentence of a response repeats a sentence of the evidence, or a run of it, word by word.
    pub(super) fn copied(&self, sentence: &Sentence) -> bool {
        sentence.runs.iter().chain([&sentence.hash]).any(|run| self.runs.contains_key(run))
    }

    /// The place of a number.
    pub(super) fn number(&self, value: f64) -> Option<&EvidenceSpan> {
        self.numbers.get(&value.to_bits())
    }

    /// The place of a sentence of the evidence.
    pub(super) fn place(&self, source: &Source) -> EvidenceSpan {
        EvidenceSpan { document: self.documents[source.document].clone(), span: source.sentence.span }
    }

    /// The window that shares most of a sentence's rarity; the first of equals.
    pub(super) fn ground(&self, sentence: &Sentence) -> Grounding {
        let families = sentence.families();
        let whole: f64 = families.iter().map(|family| self.rarity(*family)).sum();
        let mut votes: std::collections::BTreeMap<u32, f64> = std::collections::BTreeMap::new();
        for family in &families {
            for window in self.postings.get(family).into_iter().flatten() {
                *votes.entry(*window).or_default() += self.rarity(*family);
            }
        }
        let best = votes.iter().fold(None::<(u32, f64)>, |best, (window, vote)| match best {
            Some((_, most)) if most >= *vote => best,
            _ => Some((*window, *vote)),
        });
        let Some((window, vote)) = best else { return Grounding { share: 0.0, place: None, opposed: None } };
        let window = &self.windows[window as usize];
        let own: KeyMap<u64, ()> = families.iter().map(|family| (*family, ())).collect();
        let shared: Vec<&Word> = window.words.iter().filter(|word| own.contains_key(&word.family)).collect();
        let place = shared.first().zip(shared.last()).map(|(first, last)| EvidenceSpan {
            document: self.documents[window.document].clone(),
            span: [first.span[0], last.span[1]],
        });
        let share = vote / whole;
        let opposed = if share >= SAME_SUBJECT { opposed(sentence, &shared) } else { None };
        Grounding { share, place, opposed }
    }
}

/// The first word that is clearly denied in the sentence and clearly affirmed in its window, or the other way round.
fn opposed(sentence: &Sentence, shared: &[&Word]) -> Option<Word> {
    // What all occurrences of a family agree on; `None` where they do not, or one is unclear.
    let agreed = |words: &mut dyn Iterator<Item = &Word>| {
        let mut agreed: KeyMap<u64, Option<bool>> = KeyMap::default();
        for word in words {
            let known = agreed.entry(word.family).or_insert(word.denied);
            *known = known.filter(|denied| word.denied == Some(*denied));
        }
        agreed
    };
    let there = agreed(&mut shared.iter().copied());
    let here = agreed(&mut sentence.words.iter());
    let of = |side: &KeyMap<u64, Option<bool>>, word: &Word| side.get(&word.family).copied().flatten();
    let differs = |word: &&Word| match (of(&here, word), of(&there, word)) {
        (Some(here), Some(there)) => word.number.is_none() && here != there,
        _ => false,
    };
    sentence.words.iter().find(differs).copied()
}
