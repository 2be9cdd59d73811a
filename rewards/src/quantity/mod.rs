//! Quantities: numbers with their unit and what they measure.

mod bind;
mod unit;

pub use bind::{Quantity, Subject, quantities};
pub use unit::{Dimension, Unit, read_unit};
