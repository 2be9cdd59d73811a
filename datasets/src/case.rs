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
    /// Where people found the evidence for the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence_spans: Vec<GoldSpan>,
    /// Statements that people judged against the case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Claim>,
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

impl Case {
    /// A case with an id, a task and a question, and nothing else.
    pub fn new(id: impl Into<String>, task: Task, question: impl Into<String>) -> Self {
        Self {
            schema: schema(),
            id: id.into(),
            dataset: String::new(),
            split: String::new(),
            task,
            context: Vec::new(),
            question: question.into(),
            options: Vec::new(),
            answer: Answer::default(),
            evidence_spans: Vec::new(),
            claims: Vec::new(),
            metadata: Map::new(),
            extra: Map::new(),
        }
    }

    /// The text of the document of that id; `question` and `option:KEY` name the case's own texts.
    pub fn document(&self, id: &str) -> Option<&str> {
        if id == "question" {
            return Some(&self.question);
        }
        if let Some(key) = id.strip_prefix("option:") {
            return self.options.iter().find(|option| option.key == key).map(|option| option.text.as_str());
        }
        self.context.iter().find(|document| document.id == id).map(|document| document.text.as_str())
    }
}

/// The kind of answer that a case asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One option.
    SingleChoice,
    /// A set of options.
    MultiChoice,
    /// `yes`, `no` or `maybe`.
    YesNoMaybe,
    /// A number, with or without a unit.
    Numeric,
    /// A day, or a pair of weeks and days.
    Date,
    /// A condition in words.
    Diagnosis,
    /// Conditions in order.
    RankedList,
    /// A text judged by a list of points.
    Rubric,
    /// A conversation, judged by a list of points or its outcome.
    Dialogue,
}

impl Task {
    /// All tasks.
    pub const ALL: [Task; 9] = [
        Self::SingleChoice,
        Self::MultiChoice,
        Self::YesNoMaybe,
        Self::Numeric,
        Self::Date,
        Self::Diagnosis,
        Self::RankedList,
        Self::Rubric,
        Self::Dialogue,
    ];

    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::SingleChoice => "single_choice",
            Self::MultiChoice => "multi_choice",
            Self::YesNoMaybe => "yes_no_maybe",
            Self::Numeric => "numeric",
            Self::Date => "date",
            Self::Diagnosis => "diagnosis",
            Self::RankedList => "ranked_list",
            Self::Rubric => "rubric",
            Self::Dialogue => "dialogue",
        }
    }

    /// The task of that name.
    pub fn named(name: &str) -> Option<Task> {
        Self::ALL.into_iter().find(|task| task.name() == name)
    }
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
    /// How citations name it (`3`, `PMID 123`), where the data set gives labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// When it was written, `YYYY-MM-DD` where known so exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// `note`, `labs`, `medications`, `abstract`, `dialogue`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Who speaks where, for conversations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<Turn>,
    /// Fields that this version does not know, kept and written back.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// `doctor`, `patient`, ...
    pub speaker: String,
    /// Bytes of the document's text, half-open.
    pub span: [usize; 2],
    /// Fields that this version does not know, kept and written back.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A span that people marked as evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoldSpan {
    /// Document id, or `question`, `option:KEY`.
    pub document: String,
    /// Bytes of that document's text, half-open.
    pub span: [usize; 2],
    /// Fields that this version does not know, kept and written back.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A statement that people judged against the case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Unique within the case.
    pub id: String,
    /// The statement.
    pub text: String,
    /// Their verdict, in the data set's words.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub label: Value,
    /// Who judged, or how many.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub annotators: Value,
    /// Fields that this version does not know, kept and written back.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One answer option.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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

impl AnswerOption {
    /// An option of a key and a text.
    pub fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), text: text.into(), value: None, extra: Map::new() }
    }
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
    /// The day asked for, `YYYY-MM-DD` or as the data set prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// A duration asked for as (weeks, days), such as a gestational age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weeks_days: Option<(i64, i64)>,
    /// Accepted wordings (diagnosis, open questions): any of them is right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<String>,
    /// The right list, best first, each item with its synonyms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranked: Vec<RankedItem>,
    /// Points that a text is judged by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rubric: Vec<RubricItem>,
    /// Fields that this version does not know, kept and written back.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

impl Answer {
    /// Whether no gold answer is given.
    pub fn is_empty(&self) -> bool {
        self == &Answer::default()
    }

    /// An answer of one option key.
    pub fn key(key: impl Into<String>) -> Self {
        Self { keys: vec![key.into()], ..Self::default() }
    }
}

/// An item of a ranked list; a plain string in a record is an item without synonyms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "RankedForm")]
pub struct RankedItem {
    /// Its usual name.
    pub text: String,
    /// Other names that count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub synonyms: Vec<String>,
    /// Fields that this version does not know, kept and written back.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The two ways of writing a [`RankedItem`].
#[derive(Deserialize)]
#[serde(untagged)]
enum RankedForm {
    Text(String),
    Item {
        text: String,
        #[serde(default)]
        synonyms: Vec<String>,
        #[serde(flatten)]
        extra: Map<String, Value>,
    },
}

impl From<RankedForm> for RankedItem {
    fn from(form: RankedForm) -> Self {
        match form {
            RankedForm::Text(text) => Self { text, synonyms: Vec::new(), extra: Map::new() },
            RankedForm::Item { text, synonyms, extra } => Self { text, synonyms, extra },
        }
    }
}

/// One point of a rubric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RubricItem {
    /// Unique within the rubric.
    pub id: String,
    /// What a good answer says or does.
    pub text: String,
    /// What it counts; negative for what must not be said.
    #[serde(default = "one_point")]
    pub points: f64,
    /// Its part in the score.
    #[serde(default)]
    pub kind: RubricKind,
    /// Fields that this version does not know, kept and written back.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn one_point() -> f64 {
    1.0
}

/// The part that a rubric item plays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RubricKind {
    /// Without it the answer is incomplete.
    Must,
    /// Good to have.
    Nice,
    /// Must not be there.
    Negative,
    /// A criterion with points.
    #[default]
    Criterion,
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
    /// Fields that this version does not know, kept and written back.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
