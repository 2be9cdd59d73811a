//! What the evidence states: facts about concepts, the places where they stand, and what of them is salient.

use crate::assertion::Status;
use crate::lexicon::{ConceptId, MeasureId};

/// Where something stands in the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Index of the document.
    pub document: u32,
    /// Bytes of its text.
    pub span: [u32; 2],
}

/// A concept as the evidence states it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fact {
    /// The concept that was said; under a broader concept's id, the narrower one.
    pub concept: ConceptId,
    /// What it says.
    pub status: Status,
    /// Where.
    pub place: Place,
    /// Whether it is read off a value rather than said in words.
    pub derived: bool,
    /// Whether it can contradict: said in words, or a value well away from its limit.
    pub clear: bool,
}

/// What a coverage point can be had for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Item {
    /// A finding, event or condition, affirmed or denied.
    Concept(ConceptId, bool),
    /// An abnormal value of a measure.
    Measure(MeasureId),
    /// A normal value of a measure, where an abnormal one would speak for an option.
    Normal(MeasureId),
    /// The patient's age or sex.
    Demographics,
    /// How long it has lasted.
    Course,
}

impl Item {
    /// A number of its own.
    pub(super) fn key(self) -> u64 {
        match self {
            Item::Concept(id, affirmed) => u64::from(id.0) << 1 | u64::from(affirmed),
            Item::Measure(id) => 1 << 40 | u64::from(id.0),
            Item::Normal(id) => 1 << 43 | u64::from(id.0),
            Item::Demographics => 1 << 41,
            Item::Course => 1 << 42,
        }
    }
}

/// A salient finding of the evidence.
#[derive(Debug, Clone)]
pub struct Salient {
    /// What it is.
    pub item: Item,
    /// How much it counts.
    pub weight: f64,
    /// Where it stands first.
    pub place: Place,
}
