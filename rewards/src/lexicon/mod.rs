//! The lexicon: what words mean, which values are abnormal, and which findings speak for which condition.
//!
//! The built-in one is written for this project (see the files in `rewards/lexicon/`, whose format [`parse`] describes)
//! and embedded. It is for judging text, not for the care of anyone.

mod cue;
mod parse;
mod phrase;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

pub use cue::Cues;
pub use parse::LexiconError;
pub use phrase::{KeyHasher, KeyMap, Match, PhraseTrie, Vocabulary, Word};

use crate::quantity::Unit;

/// Index of a concept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConceptId(pub u32);

/// Index of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeasureId(pub u32);

/// What a concept is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A symptom, a sign, or the result of a study.
    Finding,
    /// A state that is inferred from other findings as often as it is stated: bleeding, acidosis, dehydration.
    State,
    /// An exposure, a habit, a past event: what a history holds.
    History,
    /// A disease or syndrome.
    Condition,
    /// A medication.
    Drug,
    /// A procedure or a test.
    Procedure,
    /// A body site, a mechanism or another noun that a skeleton masks.
    Other,
}

/// One concept.
#[derive(Debug)]
pub struct Concept {
    /// Its name: the first of its forms.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// All wordings as written, its name first.
    pub forms: Vec<String>,
    /// All broader concepts, nearest first.
    pub ancestors: Vec<ConceptId>,
}

/// Sex, as thresholds and demographics need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Sex {
    Female,
    Male,
}

/// When a value of a measure is a finding.
#[derive(Debug, Clone, Copy)]
pub struct Threshold {
    /// The limit, in the measure's own unit.
    pub limit: f64,
    /// Above it (`true`) or below it.
    pub above: bool,
    /// Whether the limit itself counts.
    pub inclusive: bool,
    /// For whom; both where `None`.
    pub sex: Option<Sex>,
    /// The finding.
    pub finding: ConceptId,
}

/// A measured quantity: a laboratory value, a vital sign.
#[derive(Debug)]
pub struct Measure {
    /// Its name.
    pub name: String,
    /// The unit in which thresholds and comparisons are made.
    pub unit: Unit,
    /// mg/dL in one mmol/L, where both are in use.
    pub molar: Option<f64>,
    /// The findings that its values are.
    pub thresholds: Vec<Threshold>,
}

impl Measure {
    /// The findings that `value` (in the measure's unit) is, for a person of that sex.
    pub fn findings(&self, value: f64, sex: Option<Sex>) -> impl Iterator<Item = ConceptId> + '_ {
        // Where the sex is unknown, a limit of one sex counts only if it is met for both.
        self.thresholds
            .iter()
            .filter(move |t| t.met(value) && (t.sex.is_none() || sex.is_none() || t.sex == sex))
            .filter(move |t| {
                t.sex.is_none()
                    || sex.is_some()
                    || self.thresholds.iter().filter(|o| o.finding == t.finding).all(|o| o.met(value))
            })
            .map(|t| t.finding)
    }

    /// The findings of a high (`true`) or low value, whatever the limit.
    pub fn directed(&self, above: bool) -> impl Iterator<Item = ConceptId> + '_ {
        self.thresholds.iter().filter(move |t| t.above == above).map(|t| t.finding)
    }
}

impl Threshold {
    fn met(&self, value: f64) -> bool {
        // Values and limits are printed decimals: a hair of tolerance keeps 38.0 equal to 38.
        let (value, limit) = if self.above { (value, self.limit) } else { (-value, -self.limit) };
        let hair = 1e-9 * limit.abs().max(1.0);
        if self.inclusive { value >= limit - hair } else { value > limit + hair }
    }
}

/// What a finding says about a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Its presence speaks for the condition.
    Supports,
    /// Its presence speaks for the condition, its absence against it.
    Expected,
    /// Its presence speaks against the condition.
    Against,
}

/// What a phrase of the lexicon stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// A concept.
    Concept(ConceptId),
    /// A measure.
    Measure(MeasureId),
}

/// All of it, ready for matching.
#[derive(Debug)]
pub struct Lexicon {
    pub(crate) vocabulary: Vocabulary,
    pub(crate) terms: PhraseTrie<Term>,
    pub(crate) cues: PhraseTrie<Cues>,
    concepts: Vec<Concept>,
    measures: Vec<Measure>,
    names: BTreeMap<String, Term>,
    relations: KeyMap<u64, Relation>,
    related: Vec<bool>,
}

/// The embedded files, in the order in which they are read.
const BUILT_IN: &[(&str, &str)] = &[
    ("findings.txt", include_str!("../../lexicon/findings.txt")),
    ("history.txt", include_str!("../../lexicon/history.txt")),
    ("measures.txt", include_str!("../../lexicon/measures.txt")),
    ("derived.txt", include_str!("../../lexicon/derived.txt")),
    ("conditions.txt", include_str!("../../lexicon/conditions.txt")),
    ("drugs.txt", include_str!("../../lexicon/drugs.txt")),
    ("cues.txt", include_str!("../../lexicon/cues.txt")),
];

impl Lexicon {
    /// The lexicon that is part of this crate, built once.
    pub fn built_in() -> Arc<Lexicon> {
        static BUILT: OnceLock<Arc<Lexicon>> = OnceLock::new();
        BUILT
            .get_or_init(|| match parse::parse(BUILT_IN) {
                Ok(lexicon) => Arc::new(lexicon),
                // The files are part of the crate and a test reads them: reaching this line is a defect of the build.
                Err(error) => unreachable!("built-in lexicon: {error}"),
            })
            .clone()
    }

    /// Reads files of the format that [`parse`] describes: name (for messages) and text of each.
    pub fn parse(files: &[(&str, &str)]) -> Result<Lexicon, LexiconError> {
        parse::parse(files)
    }

    /// The built-in lexicon with files of one's own behind it: they may add concepts, and add to those there are.
    ///
    /// # Errors
    /// As [`Lexicon::parse`].
    pub fn built_in_with(files: &[(&str, &str)]) -> Result<Lexicon, LexiconError> {
        parse::parse(&[BUILT_IN, files].concat())
    }

    /// A concept.
    pub fn concept(&self, id: ConceptId) -> &Concept {
        &self.concepts[id.0 as usize]
    }

    /// A measure.
    pub fn measure(&self, id: MeasureId) -> &Measure {
        &self.measures[id.0 as usize]
    }

    /// How many concepts and measures there are.
    pub fn len(&self) -> (usize, usize) {
        (self.concepts.len(), self.measures.len())
    }

    /// Whether there is no concept at all.
    pub fn is_empty(&self) -> bool {
        self.concepts.is_empty()
    }

    /// The measure whose values a finding is read off.
    pub fn measure_of(&self, finding: ConceptId) -> Option<MeasureId> {
        let found = self.measures.iter().position(|m| m.thresholds.iter().any(|t| t.finding == finding));
        found.map(|index| MeasureId(index as u32))
    }

    /// The concept or measure of that name.
    pub fn term(&self, name: &str) -> Option<Term> {
        self.names.get(name).copied()
    }

    /// The concept of that name.
    pub fn concept_named(&self, name: &str) -> Option<ConceptId> {
        match self.names.get(name) {
            Some(Term::Concept(id)) => Some(*id),
            _ => None,
        }
    }

    /// Whether `narrow` is `broad` or a kind of it.
    pub fn is_a(&self, narrow: ConceptId, broad: ConceptId) -> bool {
        narrow == broad || self.concept(narrow).ancestors.contains(&broad)
    }

    /// What a finding says about a condition, looked up for both and for what they are kinds of.
    pub fn relation(&self, finding: ConceptId, condition: ConceptId) -> Option<Relation> {
        if !self.related[condition.0 as usize] {
            return None;
        }
        let findings = std::iter::once(finding).chain(self.concept(finding).ancestors.iter().copied());
        findings
            .flat_map(|f| {
                let conditions = std::iter::once(condition).chain(self.concept(condition).ancestors.iter().copied());
                conditions.map(move |c| pair(f, c))
            })
            .find_map(|key| self.relations.get(&key).copied())
    }
}

fn pair(finding: ConceptId, condition: ConceptId) -> u64 {
    u64::from(finding.0) << 32 | u64::from(condition.0)
}
