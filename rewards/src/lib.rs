//! Rule-based, verifiable rewards for clinical reasoning, and the advantages computed from them.
//!
//! Design decision: a response is parsed once into spans and every rule reads those; a score is computed from its
//! [`Check`]s alone, so that every point can be explained. The cost is a larger result than a number; the gain is that
//! a score can be audited. Nothing here knows of models or tensors.

pub mod advantage;
pub mod response;
pub mod scored;

pub use response::Response;
pub use scored::{Check, EvidenceSpan, Objective, Outcome, Scored, Span};
