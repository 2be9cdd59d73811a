//! What of a response is prose of its own about the case: neither taken over from the evidence nor the return of one
//! pattern, neither a row of keywords nor letters that no one reads.
//!
//! Without it findings can be had for nothing: by pasting the record, by putting each finding into "The {finding}
//! supports {X}", by listing them. Faithfulness and economy therefore multiply by the share of own words, up to the share
//! that honest reasoning has in any case ([`EXPECTED`]), or by their number, up to a short argument's ([`ARGUMENT`]):
//! whoever argues may quote the record at any length. An error in a copied sentence leaves both as they are.

use std::ops::Range;

use crate::economy;
use crate::evidence::EvidenceIndex;
use crate::lexicon::{Cues, KeyMap};
use crate::parsed::Parsed;
use crate::text::{Kind, Token, Words};

/// Share of own words from which on nothing is taken away. All of 411 right completions of MedQA have more (the least
/// 0.27, the lowest hundredth 0.30).
const EXPECTED: f64 = 0.25;
/// Own words of an argument: one in fifty of the same completions has fewer.
const ARGUMENT: f64 = 30.0;
/// Share of a sentence's words from which on it is a copy. Honest sentences take over lists of findings but add what
/// they mean.
const COPIED: f64 = 0.8;
/// Share of common English and clinical words that a sentence has at least.
const KNOWN: f64 = 0.3;
/// Times that a sentence may be said: more often it was no one's thought.
const SAID: usize = 3;
/// Concepts and options that stand side by side, without a word or a mark between them: more make a row of keywords.
const SIDE_BY_SIDE: usize = 3;

/// Joints and articles, which do not tell one template from another.
static JOINTS: Words = Words::new("and or a an the of his her with no also");

/// Verbs without which no English sentence does, beside those of the cues.
static VERBS: Words = Words::new(
    "is are was were be been being am has have had having do does did can could may might must shall should will would \
    show shows showed shown reveal reveals revealed suggest suggests suggested indicate indicates indicated include \
    includes including make makes made cause causes caused lead leads led present presents presented explain explains \
    explained fit fits rule rules ruled need needs help helps consider known seen given based point points occur occurs \
    confirm confirms confirmed raise raises affect affects describe describes refer refers involve involves produce \
    produces increase increases decrease decreases inhibit inhibits prevent prevents provide provides remain remains",
);

/// What a sentence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Prose of the response's own.
    Own,
    /// Taken over from the evidence or the options.
    Copied,
    /// Said before, or one pattern with changing fillings.
    Repeated,
    /// A row of keywords, all options in one breath, strange letters, nothing of the case.
    Empty,
}

/// A sentence with concepts, numbers and options masked: what a template leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// A hash of the words left and of the masks between them; a list of masks counts as one.
    pub(crate) skeleton: u64,
    /// How many words are left.
    pub(crate) words: usize,
}

impl Pattern {
    fn of(response: &Parsed, sentence: usize, filled: &[Range<usize>]) -> Pattern {
        let reading = &response.reading;
        let mut pattern = Pattern { skeleton: 0xcbf2_9ce4_8422_2325, words: 0 };
        let mut add = |code: u64| {
            pattern.skeleton = (pattern.skeleton ^ code).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(7);
        };
        let mut masks = filled.iter().peekable();
        let range = reading.sentences[sentence].tokens.clone();
        let (mut at, mut masked, mut words) = (range.start, false, 0);
        while at < range.end {
            if let Some(mask) = masks.next_if(|mask| mask.start <= at) {
                if !masked {
                    add(1);
                }
                (masked, at) = (true, mask.end);
                continue;
            }
            let token = &reading.tokens[at];
            at += 1;
            if token.kind == Kind::Mark || JOINTS.has(token.hash) {
                continue;
            }
            masked = false;
            words += 1;
            add(token.hash);
        }
        pattern.words = words;
        pattern
    }
}

/// A sentence by what it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    /// What it is.
    pub(crate) part: Part,
    /// Its pattern.
    pub(crate) pattern: Pattern,
    /// A hash of its words.
    pub(crate) wording: u64,
    /// Its words and numbers.
    pub(crate) words: usize,
    /// How many of its words are common English or clinical, and how many it has.
    pub(crate) known: (usize, usize),
    /// Whether it says anything of the case.
    pub(crate) says: bool,
}

/// The words of a response by what they are.
#[derive(Debug, Default)]
pub(crate) struct Prose {
    /// The sentences.
    pub(crate) told: Vec<Told>,
    /// Words and numbers of all sentences.
    pub(crate) words: usize,
    /// Whether each token is taken over from the evidence or the options.
    copied: Vec<bool>,
    own: usize,
}

impl Prose {
    /// Reads a response to the case of `evidence`.
    pub(crate) fn new(response: &Parsed, evidence: &EvidenceIndex) -> Prose {
        let reading = &response.reading;
        let copied = evidence.copied(reading);
        let count = reading.sentences.len();
        let (mut told, mut first) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let (mut filled, mut ends) = (Vec::new(), Vec::with_capacity(count));
        // How often each sentence is said, and how many different sentences have a pattern.
        let map = || KeyMap::<u64, usize>::with_capacity_and_hasher(count, Default::default());
        let (mut said, mut shaped) = (map(), map());
        for (index, sentence) in reading.sentences.iter().enumerate() {
            let from = filled.len();
            fill(response, index, &mut filled);
            ends.push(filled.len());
            let range = sentence.tokens.clone();
            let pattern = Pattern::of(response, index, &filled[from..]);
            let (wording, words) = wording(&reading.tokens[range.clone()]);
            let known = economy::known_words(&reading.tokens[range.clone()], &reading.words[range]);
            let says = economy::says(response, evidence, index);
            told.push(Told { part: Part::Own, pattern, wording, words, known, says });
            let times = said.entry(wording).or_default();
            *times += 1;
            first.push(*times == 1);
            *shaped.entry(pattern.skeleton).or_default() += usize::from(*times == 1);
        }
        let mut prose = Prose { told, ..Prose::default() };
        let mut from = 0;
        for (index, sentence) in reading.sentences.iter().enumerate() {
            let filled = &filled[from..ends[index]];
            from = ends[index];
            let told = &mut prose.told[index];
            let taken = copied[sentence.tokens.clone()].iter().filter(|copied| **copied).count();
            told.part = if taken > 0 && taken as f64 >= COPIED * told.words as f64 {
                Part::Copied
            } else if !first[index]
                || said[&told.wording] > SAID
                || is_template(told.pattern, shaped[&told.pattern.skeleton])
            {
                Part::Repeated
            } else if is_empty(response, evidence, index, told, filled) {
                Part::Empty
            } else {
                Part::Own
            };
            prose.words += told.words;
            if told.part == Part::Own {
                let own = |range: &Range<usize>| {
                    let tokens = reading.tokens[range.clone()].iter().zip(&copied[range.clone()]);
                    tokens.filter(|(token, copied)| token.kind != Kind::Mark && !**copied).count()
                };
                prose.own += own(&sentence.tokens) - filled.iter().map(own).sum::<usize>();
            }
        }
        prose.copied = copied;
        prose
    }

    /// Whether each token stands in a run of words taken over from the evidence.
    pub(crate) fn copied(&self) -> &[bool] {
        &self.copied
    }

    /// What own words leave of what was earned, in [0, 1].
    pub(crate) fn factor(&self) -> f64 {
        (self.share() / EXPECTED).min(1.0).max(self.argument())
    }

    /// The share for people.
    pub(crate) fn note(&self) -> String {
        format!("{} of {} words are prose of its own about the case", self.own, self.words)
    }

    /// The share of own words.
    pub(crate) fn share(&self) -> f64 {
        self.own as f64 / self.words.max(1) as f64
    }

    /// How much of an argument there is, in [0, 1].
    pub(crate) fn argument(&self) -> f64 {
        (self.own as f64 / ARGUMENT).min(1.0)
    }
}

/// A hash of a sentence's words, and how many there are.
fn wording(tokens: &[Token]) -> (u64, usize) {
    let words = tokens.iter().filter(|token| token.kind != Kind::Mark);
    words.fold((0, 0), |(hash, count): (u64, usize), token| {
        ((hash ^ token.hash).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(9), count + 1)
    })
}

/// Whether so many different sentences of one pattern are fillings of a template. Two of few words may be chance.
fn is_template(pattern: Pattern, times: usize) -> bool {
    (times >= 2 && pattern.words >= 3) || (times >= 3 && pattern.words >= 1)
}

/// Adds the tokens of a sentence that concepts, numbers and options fill, each once, in order.
fn fill(response: &Parsed, sentence: usize, all: &mut Vec<Range<usize>>) {
    let reading = &response.reading;
    let from = all.len();
    all.extend(reading.mentions_of(sentence).iter().map(|m| m.tokens.clone()));
    all.extend(reading.quantities_of(sentence).iter().map(|q| q.tokens.clone()));
    all.extend(response.named_in(sentence).iter().map(|named| named.start..named.end));
    all[from..].sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    let (mut end, mut kept) = (0, from);
    for at in from..all.len() {
        let range = all[at].start.max(end)..all[at].end;
        end = end.max(range.end);
        if !range.is_empty() {
            all[kept] = range;
            kept += 1;
        }
    }
    all.truncate(kept);
}

/// Whether a sentence argues nothing: a row of keywords, all options in one breath, strange letters, no word of the case.
fn is_empty(
    response: &Parsed,
    evidence: &EvidenceIndex,
    sentence: usize,
    told: &Told,
    filled: &[Range<usize>],
) -> bool {
    let reading = &response.reading;
    if !told.says {
        return true;
    }
    let options = evidence.options.all.len();
    let named = response.named_in(sentence);
    if options >= 3 && (0..options).all(|option| named.iter().any(|n| n.option == option)) {
        return true;
    }
    let (known, words) = told.known;
    if (known as f64) < KNOWN * words as f64 {
        return true;
    }
    let side_by_side = filled.windows(2).filter(|pair| pair[0].end == pair[1].start).count();
    let cued = reading.cues_of(sentence).iter().any(|cue| cue.value.has(Cues::VERB | Cues::VERDICT));
    // A verb within a name ("increased fremitus") makes no sentence.
    let mut names = filled.iter().peekable();
    let mut verb = reading.sentences[sentence].tokens.clone().filter(|&at| {
        while names.next_if(|name| name.end <= at).is_some() {}
        names.peek().is_none_or(|name| at < name.start) && VERBS.has(reading.tokens[at].hash)
    });
    side_by_side > SIDE_BY_SIDE || !(cued || verb.next().is_some())
}
