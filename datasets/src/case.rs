//! The [`Case`] record (`attending.case/1`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The schema name and version that stands first in every case record.
pub const SCHEMA: &str = "attending.case/1";

/// One question with its evidence: what a model is asked, and what its answer is judged against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Always [`SCHEMA`].
    #[serde(default = "schema")]
    pub schema: String,
    /// Unique within a file, by convention `dataset:split:index`.
    pub id: String,
    /// The data set that the case comes from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dataset: String,
    /// `train`, `validation`, `test`, ...; training refuses `test` unless told otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub split: String,
    /// What kind of answer is asked for.
    pub task: Task,
    /// The evidence, in the order in which it is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<Document>,
    /// The question; a vignette inside it is evidence too.
    pub question: String,
    /// The answer options, empty for open questions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<AnswerOption>,
    /// The gold answer.
    #[serde(default, skip_serializing_if = "Answer::is_empty")]
    pub answer: Answer,
    /// Everything else that the data set says of the case.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Fields that this version does not know, kept and written back.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn schema() -> String {
    SCHEMA.to_owned()
}

/// The kind of answer that a case asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Task {
    SingleChoice,
    MultiChoice,
    YesNoMaybe,
    Numeric,
    Date,
    Diagnosis,
    RankedList,
    Rubric,
    Dialogue,
}

/// One document of a case's evidence.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Unique within the case; spans name it. Reserved: `question`, `option:KEY`, `turn:N`.
    pub id: String,
    /// Shown above the text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The text that spans point into.
    pub text: String,
    /// Fields that this version does not know (`label`, `date`, `kind`, `turns`, ...), kept and written back.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One answer option.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerOption {
    /// The letter (or word) that names the option.
    pub key: String,
    /// What the option says.
    pub text: String,
    /// For yes/no/maybe questions with lettered options: `yes`, `no` or `maybe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Fields that this version does not know, kept and written back.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The gold answer; which field is set follows from the case's [`Task`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Option keys (single_choice, multi_choice), or `yes`, `no`, `maybe`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// The number asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<NumberAnswer>,
    /// Fields of the other tasks (`date`, `texts`, `ranked`, `rubric`, `weeks_days`), kept and written back.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

impl Answer {
    /// Whether no gold answer is given.
    pub fn is_empty(&self) -> bool {
        self == &Answer::default()
    }
}

/// A numeric gold answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NumberAnswer {
    /// The value, in `unit`.
    pub value: f64,
    /// UCUM-style unit; empty for pure numbers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// Lowest accepted value, where the data set gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<f64>,
    /// Highest accepted value, where the data set gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<f64>,
    /// Whether the answer is an integer, compared after rounding.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub integer: bool,
    /// Whether declining to answer is right.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abstain: bool,
}
