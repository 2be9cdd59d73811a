//! Probes: a faithful response with one thing made wrong, and tricks that a naive rule pays for (rewards.md, "Validity" 2
//! and 3). From a case and a response, each variant with its name and the objectives that it may move.
//!
//! Everything is deterministic in the seed and the case's id. A variant that the response gives no place for (no number to
//! change, no side to swap) is not made.

mod edit;
mod trick;

pub use edit::{Edit, edits};
pub use trick::{Trick, tricks};

use crate::scored::Objective;

/// A response with one thing changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// What was done, as reports name it.
    pub name: &'static str,
    /// The response before, where it had to be prepared for the edit (a quotation put in, which is then altered).
    pub base: String,
    /// The response after.
    pub text: String,
    /// The objective that must fall.
    pub falls: Objective,
    /// All objectives that may move; the others must not.
    pub may_move: &'static [Objective],
}

/// The names of all edits, in the order in which reports list them.
pub const EDITS: [&str; 12] = [
    "value changed",
    "unit swapped",
    "negation flipped",
    "laterality flipped",
    "finding invented",
    "quotation altered",
    "citation invented",
    "sex changed",
    "age changed",
    "answer swapped",
    "reasoning removed",
    "differential dropped",
];
