//! Statistics, results and reports of evaluations, audits and training runs.

pub mod report;
pub mod stats;
