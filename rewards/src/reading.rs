//! A text as the rules read it: parsed once, shared by all of them.

use std::borrow::Cow;
use std::ops::Range;

use crate::assertion::{self, Status};
use crate::lexicon::{ConceptId, Cues, Kind as ConceptKind, Lexicon, Match, MeasureId, Term, Word};
use crate::quantity::arithmetic::{Calculation, calculations};
use crate::quantity::{Quantity, others, quantities};
use crate::scored::Span;
use crate::text::{Sentence, Token, Words, sentences, tokenize};

/// One concept in a text, with its status there.
#[derive(Debug, Clone, PartialEq)]
pub struct Mention {
    /// What is named.
    pub concept: ConceptId,
    /// Its tokens.
    pub tokens: Range<usize>,
    /// Its bytes.
    pub span: [usize; 2],
    /// Index of its sentence.
    pub sentence: usize,
    /// Whether it is said to be there.
    pub status: Status,
    /// Set where the concept is a value's interpretation in words ("elevated troponin").
    pub measure: Option<MeasureId>,
}

/// A parsed text.
#[derive(Debug, Default)]
pub struct Reading {
    /// Tokens in order.
    pub tokens: Vec<Token>,
    /// Each token's place in the lexicon.
    pub words: Vec<Word>,
    /// Sentences in order.
    pub sentences: Vec<Sentence>,
    /// Concepts in order.
    pub mentions: Vec<Mention>,
    /// Quantities in order.
    pub quantities: Vec<Quantity>,
    /// The sentence of each quantity.
    pub quantity_sentences: Vec<usize>,
    /// Cue phrases in order.
    pub cues: Vec<Match<Cues>>,
    /// Where each sentence's cues start and end in `cues`.
    pub cue_ranges: Vec<Range<usize>>,
    /// Where each sentence's mentions start and end in `mentions`.
    pub mention_ranges: Vec<Range<usize>>,
    /// Whether the last heading named a specimen other than blood.
    specimen: bool,
    /// Where each sentence's quantities start and end in `quantities`.
    pub quantity_ranges: Vec<Range<usize>>,
    /// Shown arithmetic in order, with its sentence.
    pub calculations: Vec<(usize, Calculation)>,
}

impl Reading {
    /// Parses `text`.
    pub fn new(text: &str, lexicon: &Lexicon) -> Reading {
        Reading::without(text, &[], lexicon)
    }

    /// Parses `text` without the tokens of `markup` (ordered spans); a sentence ends where markup stands.
    pub fn without(text: &str, markup: &[Span], lexicon: &Lexicon) -> Reading {
        let mut tokens = tokenize(text);
        if !markup.is_empty() {
            drop_markup(&mut tokens, markup);
        }
        let words = lexicon.vocabulary.look_up(&tokens);
        let sentences = sentences(text, &tokens);
        // About as much as clinical prose holds: a vector that grows is copied each time.
        let count = sentences.len();
        let mut reading = Reading {
            mentions: Vec::with_capacity(tokens.len() / 8 + 2),
            cues: Vec::with_capacity(tokens.len() / 4 + 2),
            quantity_sentences: Vec::with_capacity(count),
            cue_ranges: Vec::with_capacity(count),
            mention_ranges: Vec::with_capacity(count),
            quantity_ranges: Vec::with_capacity(count),
            tokens,
            words,
            sentences,
            ..Reading::default()
        };
        let mut terms = Vec::new();
        for index in 0..reading.sentences.len() {
            terms.clear();
            terms.extend(lexicon.terms_in(&reading.words, reading.sentences[index].tokens.clone()));
            reading.read_sentence(text, index, &terms, lexicon);
        }
        reading
    }

    /// Reads a sentence, in which the lexicon found `terms`.
    fn read_sentence(&mut self, text: &str, index: usize, terms: &[Match<Term>], lexicon: &Lexicon) {
        let sentence = &self.sentences[index];
        let cues_from = self.cues.len();
        let found = lexicon.cues.find_iter(&self.words, sentence.tokens.clone()).filter_map(|mut cue| {
            // What stands within a concept's name ("decreased breath sounds") is no cue, but may hold the clause's verb.
            let names = |term: &Match<Term>| {
                matches!(term.value, Term::Concept(_))
                    && term.tokens.start <= cue.tokens.start
                    && cue.tokens.end <= term.tokens.end
            };
            if terms.iter().any(names) {
                cue.value = cue.value & Cues::VERB;
            }
            (cue.value != Cues::default()).then_some(cue)
        });
        self.cues.extend(found);
        let cues = &self.cues[cues_from..];
        let (mentions_from, quantities_from) = (self.mentions.len(), self.quantities.len());
        // Body sites are no findings: beside a cue they neither take its status nor end its reach.
        let is_site = |term: &Match<Term>| matches!(term.value, Term::Concept(id) if lexicon.concept(id).kind == ConceptKind::Anatomy);
        let findings: Cow<'_, [Match<Term>]> = if terms.iter().any(is_site) {
            terms.iter().filter(|term| !is_site(term)).cloned().collect()
        } else {
            Cow::Borrowed(terms)
        };
        quantities(text, &self.tokens, sentence, &findings, cues, lexicon, self.specimen, &mut self.quantities);
        // A heading of few words ("Urine:", "Serum") speaks for the lines below it.
        if self.quantities.len() == quantities_from && self.sentences[index].tokens.len() <= 3 {
            let heading = cues.iter().rev().find(|cue| cue.value.has(Cues::SPECIMEN | Cues::BLOOD));
            self.specimen = heading.is_some_and(|cue| cue.value.has(Cues::SPECIMEN));
        }
        let statuses = assertion::Scopes::new(text, &self.tokens, sentence, cues, &findings);
        let mut shown = Vec::new();
        calculations(text, &self.tokens, sentence, &mut shown);
        for quantity in &mut self.quantities[quantities_from..] {
            quantity.status = statuses.status(&quantity.tokens);
            quantity.shown = shown.iter().any(|c| c.tokens.contains(&quantity.tokens.start));
        }
        self.calculations.extend(shown.into_iter().map(|calculation| (index, calculation)));
        for term in terms {
            let span = [self.tokens[term.tokens.start].start as usize, self.tokens[term.tokens.end - 1].end as usize];
            match term.value {
                Term::Concept(concept) => self.mentions.push(Mention {
                    concept,
                    tokens: term.tokens.clone(),
                    span,
                    sentence: index,
                    status: statuses.status(&term.tokens),
                    measure: None,
                }),
                Term::Measure(id) => {
                    let status = statuses.status(&term.tokens);
                    let found =
                        interpreted(&self.tokens, cues, term, id, status, lexicon, &self.quantities[quantities_from..]);
                    for (concept, tokens, status) in found {
                        let span = [self.tokens[tokens.start].start as usize, self.tokens[tokens.end - 1].end as usize];
                        self.mentions.push(Mention {
                            concept,
                            tokens,
                            span,
                            sentence: index,
                            status,
                            measure: Some(id),
                        });
                    }
                }
            }
        }
        self.quantity_sentences.resize(self.quantities.len(), index);
        self.quantity_ranges.push(quantities_from..self.quantities.len());
        self.mention_ranges.push(mentions_from..self.mentions.len());
        self.cue_ranges.push(cues_from..self.cues.len());
    }

    /// The mentions of a sentence.
    pub fn mentions_of(&self, sentence: usize) -> &[Mention] {
        &self.mentions[self.mention_ranges[sentence].clone()]
    }

    /// The cues of a sentence.
    pub fn cues_of(&self, sentence: usize) -> &[Match<Cues>] {
        &self.cues[self.cue_ranges[sentence].clone()]
    }

    /// The quantities of a sentence.
    pub fn quantities_of(&self, sentence: usize) -> &[Quantity] {
        &self.quantities[self.quantity_ranges[sentence].clone()]
    }

    /// The bytes of a range of tokens.
    pub fn span(&self, tokens: &Range<usize>) -> [usize; 2] {
        match (self.tokens.get(tokens.start), self.tokens.get(tokens.end.saturating_sub(1))) {
            (Some(first), Some(last)) => [first.start as usize, last.end as usize],
            _ => [0, 0],
        }
    }
}

fn drop_markup(tokens: &mut Vec<Token>, markup: &[Span]) {
    // Tokens up to `kept` stay, those from `next` on are still to be looked at.
    let (mut kept, mut next) = (0, 0);
    for span in markup {
        let before = next + tokens[next..].partition_point(|token| token.end as usize <= span[0]);
        tokens.copy_within(next..before, kept);
        kept += before - next;
        next = before + tokens[before..].partition_point(|token| (token.start as usize) < span[1]);
        if let Some(token) = tokens.get_mut(next) {
            (token.breaks, token.glued) = (2, false);
        }
    }
    let left = tokens.len() - next;
    tokens.copy_within(next.., kept);
    tokens.truncate(kept + left);
}

/// "elevated troponin", "troponin is elevated", "normal potassium": the findings that words make of a measure. Where
/// a number of the measure stands in the sentence, the number speaks for itself.
fn interpreted(
    tokens: &[Token],
    cues: &[Match<Cues>],
    term: &Match<Term>,
    id: MeasureId,
    status: Status,
    lexicon: &Lexicon,
    quantities: &[Quantity],
) -> Vec<(ConceptId, Range<usize>, Status)> {
    let measure = lexicon.measure(id);
    // Antibodies are no measure of what they are against: "anti-HBs".
    let anti = term.tokens.start >= 2
        && tokens[term.tokens.start - 1].is_mark('-')
        && ANTI.has(tokens[term.tokens.start - 2].hash);
    if anti || others(tokens, term) {
        return Vec::new();
    }
    let numbered = quantities.iter().any(|q| q.subject == crate::quantity::Subject::Measure(id));
    if numbered || measure.thresholds.is_empty() {
        return Vec::new();
    }
    let level = Cues::HIGH | Cues::LOW | Cues::NORMAL;
    let near = cues.iter().filter(|cue| cue.value.has(level)).filter_map(|cue| {
        let (gap, between) = if cue.tokens.end <= term.tokens.start {
            (term.tokens.start - cue.tokens.end, cue.tokens.end..term.tokens.start)
        } else if cue.tokens.start >= term.tokens.end {
            (cue.tokens.start - term.tokens.end, term.tokens.end..cue.tokens.start)
        } else {
            return None;
        };
        let reach = if cue.tokens.end <= term.tokens.start { 2 } else { 4 };
        let marks = between.clone().any(|at| [',', ';', '(', ')'].iter().any(|&mark| tokens[at].is_mark(mark)));
        // "leukocytes are normal and platelets are low": the level belongs to what stands before it.
        let joined = cue.tokens.end <= term.tokens.start && between.clone().any(|at| AND.has(tokens[at].hash));
        (gap <= reach && !marks && !joined).then_some((gap, cue))
    });
    let Some((_, cue)) = near.min_by_key(|(gap, _)| *gap) else { return Vec::new() };
    let tokens = cue.tokens.start.min(term.tokens.start)..cue.tokens.end.max(term.tokens.end);
    let found = |above: bool, status: Status| {
        let mut concepts: Vec<ConceptId> = measure.directed(above).collect();
        concepts.dedup();
        // The mildest name stands for the direction: the first in the measure's list.
        concepts.truncate(1);
        concepts.into_iter().map(|concept| (concept, tokens.clone(), status)).collect::<Vec<_>>()
    };
    if cue.value.has(Cues::NORMAL) {
        let (absent, present) = (Status::Absent, Status::Present);
        // "not normal" says neither high nor low: nothing is claimed.
        let status = if status == present { absent } else { return Vec::new() };
        return found(true, status).into_iter().chain(found(false, status)).collect();
    }
    found(cue.value.has(Cues::HIGH), status)
}

static ANTI: Words = Words::new("anti");
static AND: Words = Words::new("and but");

/// Whether a concept is something that a patient has or does: the kinds that claims are made of.
pub fn is_clinical(kind: ConceptKind) -> bool {
    matches!(kind, ConceptKind::Finding | ConceptKind::State | ConceptKind::History | ConceptKind::Condition)
}
