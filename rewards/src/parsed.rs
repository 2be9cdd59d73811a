//! A response as the rules read it: parsed once.

use std::cell::OnceCell;

use crate::claims::{Clause, clauses};
use crate::evidence::EvidenceIndex;
use crate::language;
use crate::lexicon::Lexicon;
use crate::options::Named;
use crate::prose::Prose;
use crate::reading::Reading;
use crate::sections::{Format, Sections, sections};
use crate::verdict::{Verdict, verdicts};

/// A parsed response.
#[derive(Debug)]
pub struct Parsed<'a> {
    /// The text that spans point into.
    pub text: &'a str,
    /// Reasoning and conclusion.
    pub sections: Sections,
    /// Tokens, sentences, concepts, quantities.
    pub reading: Reading,
    /// What it says about each option, in order.
    pub verdicts: Vec<Verdict>,
    /// The options that sentences name, in order.
    named: Vec<Named>,
    /// Where each sentence's start in `named`, and the end.
    named_from: Vec<usize>,
    /// The clauses of all sentences.
    clauses: Vec<Clause>,
    /// Where each sentence's start in `clauses`, and the end.
    clauses_from: Vec<usize>,
    /// The share of Latin letters, and how many letters there are.
    pub(crate) letters: (f64, usize),
    prose: OnceCell<Prose>,
}

impl<'a> Parsed<'a> {
    /// Parses a response to the case of `evidence`. Its first `apart` bytes are reasoning that came in a field of its
    /// own (0 where there is none); what follows is then the conclusion, unless it has tags itself.
    pub fn new(text: &'a str, apart: usize, format: Format, evidence: &EvidenceIndex, lexicon: &Lexicon) -> Parsed<'a> {
        let mut sections = sections(text, format);
        if apart > 0 && sections.conclusion.is_none() {
            let (reasoning, conclusion) = ([0, apart - 1], [apart, text.len()]);
            sections = Sections { reasoning: Some(reasoning), conclusion: Some(conclusion), ..Sections::default() };
            // The line break that joins the two fields belongs to neither: no sentence runs over it.
            sections.markup.push([apart - 1, apart]);
        }
        let reading = Reading::without(text, &sections.markup, lexicon);
        let mut parsed = Parsed {
            text,
            sections,
            verdicts: Vec::new(),
            named: Vec::new(),
            named_from: Vec::with_capacity(reading.sentences.len() + 1),
            clauses: Vec::with_capacity(2 * reading.sentences.len()),
            clauses_from: Vec::with_capacity(reading.sentences.len() + 1),
            letters: language::share(text),
            prose: OnceCell::new(),
            reading,
        };
        for sentence in 0..parsed.reading.sentences.len() {
            let (reading, named_from) = (&parsed.reading, parsed.named.len());
            parsed.named_from.push(named_from);
            parsed.clauses_from.push(parsed.clauses.len());
            verdicts(text, reading, sentence, &evidence.options, lexicon, &mut parsed.named, &mut parsed.verdicts);
            clauses(reading, sentence, &parsed.named[named_from..], lexicon, &mut parsed.clauses);
        }
        parsed.named_from.push(parsed.named.len());
        parsed.clauses_from.push(parsed.clauses.len());
        parsed
    }

    /// The options that a sentence names, in order.
    pub fn named_in(&self, sentence: usize) -> &[Named] {
        &self.named[self.named_from[sentence]..self.named_from[sentence + 1]]
    }

    /// The clauses of a sentence, in order.
    pub fn clauses_of(&self, sentence: usize) -> &[Clause] {
        &self.clauses[self.clauses_from[sentence]..self.clauses_from[sentence + 1]]
    }

    /// Whether an option's name covers this token.
    pub fn is_option(&self, token: usize) -> bool {
        let sentence = self.reading.sentences.partition_point(|sentence| sentence.tokens.end <= token);
        let known = sentence < self.reading.sentences.len();
        known && self.named_in(sentence).iter().any(|named| named.start <= token && token < named.end)
    }

    /// What of it is prose of its own; read at the first call. `evidence` and `lexicon` are those it was parsed with.
    pub(crate) fn prose(&self, evidence: &EvidenceIndex) -> &Prose {
        self.prose.get_or_init(|| Prose::new(self, evidence))
    }

    /// One past the last byte of the reasoning: where the conclusion starts, or the end.
    pub fn reasoning_end(&self) -> usize {
        match (self.sections.reasoning, self.sections.conclusion) {
            (Some(reasoning), Some(conclusion)) if reasoning[0] < conclusion[0] => reasoning[1],
            _ => self.text.len(),
        }
    }
}
