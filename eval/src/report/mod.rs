//! Reports for people: one HTML file that needs no network and no script.
//!
//! A [`Page`] is data: sections of facts, figures with intervals, line plots, comparisons, annotated samples, notes.
//! [`TrainingReport`] arranges them for a training run; evaluations and audits arrange their own. All text is escaped
//! by `maud` at the place where it enters the markup, and a content-security policy forbids scripts and requests, so
//! that nothing in a response can become more than text. Colours follow the reader's light or dark theme; nothing is
//! told by colour alone.

mod annotate;
mod comparison;
mod number;
mod page;
mod plot;
mod sample;
mod training;

pub use comparison::{Comparison, Row};
pub use page::{Block, Fact, Figure, Page, Section};
pub use plot::{LinePlot, Series};
pub use sample::{EvidenceText, Sample};
pub use training::TrainingReport;
