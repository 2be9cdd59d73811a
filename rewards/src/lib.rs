//! Rule-based, verifiable rewards for clinical reasoning, and the advantages computed from them.
//!
//! Design decision: a response is parsed once into spans and every rule reads those; a score is computed from its
//! [`Check`]s alone, so that every point can be explained. The cost is a larger result than a number; the gain is that
//! a score can be audited. Nothing here knows of models or tensors.
//!
//! The way of a response: [`sections`] finds reasoning and conclusion, [`reading`] the tokens, sentences, concepts with
//! their status ([`assertion`]) and quantities ([`quantity`]), [`verdict`] what is said about each option, [`claims`]
//! what is claimed about this patient. [`answer`], [`faithfulness`], [`coverage`], [`differential`], [`economy`] and
//! [`layout`] make the checks; [`rubric`] makes one number of the objectives. [`held_out`] is a second opinion that shares
//! no rule with them.

pub mod advantage;
pub mod answer;
pub mod assertion;
pub mod batch;
pub mod claims;
pub mod clinical_r1;
pub mod coverage;
pub mod differential;
pub mod economy;
pub mod evidence;
pub mod explain;
pub mod faithfulness;
pub mod frame;
pub mod held_out;
pub mod items;
pub mod language;
pub mod layout;
pub mod lexicon;
pub mod offsets;
pub mod options;
pub mod parsed;
pub mod probe;
mod prose;
pub mod quantity;
pub mod reading;
pub mod response;
pub mod rubric;
pub mod scored;
pub mod scorer;
pub mod sections;
pub mod statement;
pub mod text;
pub mod validation;
pub mod verdict;

pub use batch::{score_batch, score_batch_with};
pub use evidence::EvidenceIndex;
pub use response::Response;
pub use rubric::{Preset, Rubric, RubricError, RubricFile, Verifier};
pub use scored::{AnswerReading, Check, EvidenceSpan, Objective, Outcome, Scored, Span};
pub use scorer::Scorer;
pub use sections::Format;
