//! Reports for people: one HTML file that needs no network.
//!
//! A [`Page`] is data: sections of facts, figures with intervals, plots, tables, comparisons, annotated samples, notes.
//! [`TrainingReport`] arranges them for a training run; evaluations and audits arrange their own. All text is escaped
//! by `maud` at the place where it enters the markup, and a content-security policy forbids requests and every script but
//! the one of an [`Explorer`], where the page has one, so that nothing in a response can become more than text. Colours
//! follow the reader's light or dark theme; nothing is told by colour alone.

mod annotate;
mod axes;
mod comparison;
mod detail;
mod digest;
mod explorer;
mod histogram;
mod number;
mod page;
mod plane;
mod plot;
mod sample;
mod table;
mod training;

pub use comparison::{Comparison, Row};
pub(crate) use detail::Detail;
pub use explorer::{Explorer, ExplorerCase, ExplorerRow};
pub use histogram::Histogram;
pub use page::{Block, Fact, Figure, Page, Section};
pub(crate) use plane::cells;
pub use plane::{Calibration, Plane};
pub use plot::{LinePlot, Series};
pub use sample::{EvidenceText, Sample};
pub use table::{Cell, Table};
pub use training::TrainingReport;
