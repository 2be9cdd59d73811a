//! Two runs on the same cases: both means, the paired difference, and the difference drawn against zero.

use maud::{Markup, html};

use super::number::{number, signed};
use crate::stats::Interval;

/// A table of paired differences.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Name of the first run, such as `before`.
    pub first: String,
    /// Name of the second, such as `after`.
    pub second: String,
    /// One measure a row.
    pub rows: Vec<Row>,
    /// How it was measured: cases, samples, seeds, temperature.
    pub caption: String,
}

/// One measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its name.
    pub measure: String,
    /// The first run's mean.
    pub first: Interval,
    /// The second run's mean.
    pub second: Interval,
    /// Second less first, over pairs.
    pub difference: Interval,
    /// Number of pairs.
    pub pairs: usize,
}

/// Size of the drawing, and the room at each end, in its own units.
const WIDTH: f64 = 140.0;
const HEIGHT: f64 = 20.0;
const EDGE: f64 = 6.0;

pub(super) fn markup(comparison: &Comparison) -> Markup {
    let reach = comparison.rows.iter().flat_map(|r| [r.difference.low.abs(), r.difference.high.abs()]);
    let reach = reach.filter(|v| v.is_finite()).fold(0.0, f64::max);
    html! {
        div class="wide" {
            table {
                caption { (comparison.caption) }
                thead { tr {
                    th scope="col" { "Measure" }
                    th scope="col" class="n" { (comparison.first) }
                    th scope="col" class="n" { (comparison.second) }
                    th scope="col" class="n" { "Difference (95 %)" }
                    th scope="col" { "Against zero" }
                    th scope="col" { "Reading" }
                    th scope="col" class="n" { "Pairs" }
                } }
                tbody { @for row in &comparison.rows { tr {
                    th scope="row" { (row.measure) }
                    td class="n" { (mean(&row.first)) }
                    td class="n" { (mean(&row.second)) }
                    td class="n" {
                        strong { (signed(row.difference.estimate)) }
                        " (" (signed(row.difference.low)) " to " (signed(row.difference.high)) ")"
                    }
                    td { (drawing(&row.difference, reach)) }
                    td class="word" { (reading(&row.difference)) }
                    td class="n" { (row.pairs) }
                } } }
            }
        }
    }
}

fn mean(interval: &Interval) -> Markup {
    html! {
        (number(interval.estimate)) " " span class="muted" { "(" (number(interval.low)) " to " (number(interval.high)) ")" }
    }
}

/// In words, so that no colour is needed.
fn reading(difference: &Interval) -> &'static str {
    match (difference.excludes_zero(), difference.estimate > 0.0) {
        (false, _) => "\u{25cb} not told apart",
        (true, true) => "\u{25b2} higher",
        (true, false) => "\u{25bc} lower",
    }
}

fn drawing(difference: &Interval, reach: f64) -> Markup {
    let scale = if reach > 0.0 { (WIDTH / 2.0 - EDGE) / reach } else { 0.0 };
    let x = |value: f64| format!("{:.1}", WIDTH / 2.0 + value * scale);
    let middle = HEIGHT / 2.0;
    html! {
        svg class="interval" viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } width=(WIDTH) height=(HEIGHT) aria-hidden="true" {
            line class="axis" x1=(x(0.0)) x2=(x(0.0)) y1="0" y2=(HEIGHT) {}
            line class="bar" x1=(x(difference.low)) x2=(x(difference.high)) y1=(middle) y2=(middle) {}
            circle class="dot" cx=(x(difference.estimate)) cy=(middle) r="4" {}
        }
    }
}
