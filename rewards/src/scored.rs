//! The [`Scored`] record: a response's value for each objective, and the [`Check`]s behind it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Byte offsets, half-open, into the UTF-8 text of the record.
pub type Span = [usize; 2];

/// What a reward measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Is the answer right?
    Accuracy,
    /// Does every checkable claim stand in the evidence?
    Faithfulness,
    /// Is the evidence taken up, and are the rivals dealt with?
    Comprehensiveness,
    /// Are the asked-for sections there, whole and in order?
    Format,
}

impl Objective {
    /// All objectives, in the order in which they are reported.
    pub const ALL: [Objective; 4] = [Self::Accuracy, Self::Faithfulness, Self::Comprehensiveness, Self::Format];

    /// The name in records, configurations and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Faithfulness => "faithfulness",
            Self::Comprehensiveness => "comprehensiveness",
            Self::Format => "format",
        }
    }
}

/// What a rule found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Outcome {
    Supported,
    Contradicted,
    Unsupported,
    Unverified,
    Missing,
    Malformed,
    Correct,
    Wrong,
    Unreadable,
    Covered,
    Repeated,
    Exempt,
}

/// One finding of one rule: the smallest thing that a score is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The objective that the check counts for.
    pub objective: Objective,
    /// The rule that made it.
    pub rule: Cow<'static, str>,
    /// What it found.
    pub outcome: Outcome,
    /// How much it counts.
    pub weight: f64,
    /// Where in the response's text, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Span>,
    /// The field of the response that the span points into, where it is not `text`: `reasoning`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<Cow<'static, str>>,
    /// What in the evidence it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidenceSpan>,
    /// One short clause for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A span in one document of the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceSpan {
    /// Document id, or `question`, `option:KEY`, `turn:N`.
    pub document: Cow<'static, str>,
    /// Bytes of that document's text.
    pub span: Span,
}

/// How the answer was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AnswerReading {
    /// The answer as read, `None` where none could be.
    pub read: Option<String>,
    /// Which rule read it (`boxed`, `statement`, `letter`, `option_text`, ...).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
}

/// A scored response, one a response, in input order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The case.
    pub case_id: String,
    /// The sample.
    pub sample: u64,
    /// The preset's scalar; `None` where it could not be computed.
    pub reward: Option<f64>,
    /// Each objective's value in [0, 1]; `None` = not applicable or not scorable, see `reasons`.
    pub objectives: BTreeMap<Objective, Option<f64>>,
    /// Why an objective is `None`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<Objective, String>,
    /// How the answer was read.
    pub answer: AnswerReading,
    /// What the values were computed from.
    pub checks: Vec<Check>,
}
