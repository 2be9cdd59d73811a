//! The [`Response`] record: one answer of a model to one case.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One answer of a model to one case, from our own rollouts or from anybody's file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The case that is answered.
    pub case_id: String,
    /// Which of the samples drawn for the case this is.
    #[serde(default)]
    pub sample: u64,
    /// The text; `null` is an unreadable response, not a bad record.
    #[serde(default)]
    pub text: Option<String>,
    /// Reasoning that an endpoint returned apart from the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// Token ids as sampled, never re-tokenised.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<u32>,
    /// Log-probability of each token under softmax(logits / temperature).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logprobs: Vec<f32>,
    /// `stop` or `length`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// A scalar reward that came with the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward: Option<f64>,
    /// Named rewards that came with the file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rewards: BTreeMap<String, Option<f64>>,
    /// Fields that this version does not know, kept and written back.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
