//! Measured values, in their measure's own unit.

use super::Place;
use crate::lexicon::{Lexicon, MeasureId};
use crate::quantity::Quantity;

/// A measured value in the evidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// In the measure's own unit; days for durations, years for ages, the dimension's base otherwise.
    pub value: f64,
    /// The upper end of a range.
    pub high: Option<f64>,
    /// Half a unit of the last printed digit, in the same unit.
    pub precision: f64,
    /// The number as printed.
    pub printed: f64,
    /// Whether a unit was printed.
    pub unit: bool,
    /// Where.
    pub place: Place,
}

/// A quantity's value, upper end and precision in its measure's unit.
pub fn canonical(quantity: &Quantity, id: MeasureId, lexicon: &Lexicon) -> Option<(f64, Option<f64>, f64)> {
    let measure = lexicon.measure(id);
    let Some(unit) = quantity.unit else { return Some((quantity.value, quantity.high, quantity.precision)) };
    let value = unit.convert(quantity.value, measure)?;
    let high = quantity.high.and_then(|high| unit.convert(high, measure));
    Some((value, high, unit.step(quantity.precision, measure)?))
}

/// An age in years.
pub fn years(quantity: &Quantity) -> f64 {
    quantity.unit.map_or(quantity.value, |unit| quantity.value * unit.factor / 365.25)
}
