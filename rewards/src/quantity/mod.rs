//! Quantities: numbers with their unit and what they measure.

pub mod arithmetic;
mod bind;
pub mod formula;
mod unit;

pub use bind::{Quantity, Subject, quantities};
pub use unit::{Dimension, Unit, read_unit};
