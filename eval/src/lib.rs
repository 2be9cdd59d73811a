//! Evaluations, their statistics and their reports.
//!
//! Design decision: what a model is asked ([`benchmark`], [`protocol`]), how it is asked ([`run`], [`endpoint`]) and what
//! its answers are worth ([`results`], [`compare`]) are apart, and joined by one append-only file of samples. The cost is
//! a file that is read again to be scored; the gain is that an evaluation can be stopped anywhere, continued, scored anew
//! under other rules and compared, without asking any model twice. Nothing here knows of tensors or sockets: a model is
//! an [`run::Engine`].

pub mod audit;
pub mod benchmark;
pub mod compare;
pub mod endpoint;
pub mod error;
mod names;
pub mod protocol;
pub mod report;
pub mod responses;
pub mod results;
pub mod run;
pub mod stats;

pub use error::EvalError;
