//! A response as the rules read it: parsed once.

use crate::claims::{Clause, clauses};
use crate::evidence::EvidenceIndex;
use crate::lexicon::Lexicon;
use crate::options::Named;
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
    /// The options that each sentence names.
    pub named: Vec<Vec<Named>>,
    /// The clauses of each sentence.
    pub clauses: Vec<Vec<Clause>>,
}

impl<'a> Parsed<'a> {
    /// Parses a response to the case of `evidence`.
    pub fn new(text: &'a str, format: Format, evidence: &EvidenceIndex, lexicon: &Lexicon) -> Parsed<'a> {
        let sections = sections(text, format);
        let reading = Reading::without(text, &sections.markup, lexicon);
        let (verdicts, named) = verdicts(text, &reading, &evidence.options, lexicon);
        let clauses =
            (0..reading.sentences.len()).map(|index| clauses(&reading, index, &named[index], lexicon)).collect();
        Parsed { text, sections, reading, verdicts, named, clauses }
    }

    /// Whether an option's name covers this token.
    pub fn is_option(&self, token: usize) -> bool {
        let sentence = self.reading.sentences.partition_point(|sentence| sentence.tokens.end <= token);
        self.named.get(sentence).is_some_and(|named| named.iter().any(|n| n.start <= token && token < n.end))
    }

    /// One past the last byte of the reasoning: where the conclusion starts, or the end.
    pub fn reasoning_end(&self) -> usize {
        match (self.sections.reasoning, self.sections.conclusion) {
            (Some(reasoning), Some(conclusion)) if reasoning[0] < conclusion[0] => reasoning[1],
            _ => self.text.len(),
        }
    }
}
