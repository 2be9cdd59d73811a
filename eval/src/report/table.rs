//! Tables of results.

use maud::{Markup, html};

use super::number::{number, signed};
use crate::stats::Interval;

/// A table; every row has as many cells as there are columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// How to read it.
    pub caption: String,
    /// Headings.
    pub columns: Vec<String>,
    /// Rows; the first cell names the row.
    pub rows: Vec<Vec<Cell>>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number; `None` is shown as a dash.
    Number(Option<f64>),
    /// A difference, with its sign.
    Signed(Option<f64>),
    /// A share, in percent.
    Share(f64),
    /// A number with its bounds.
    Interval(Option<Interval>),
    /// A difference with its bounds.
    Difference(Option<Interval>),
    /// An interval of a share, drawn between 0 and 1.
    Drawn(Interval),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Self {
        Self::Number(Some(count as f64))
    }
}

pub(super) fn markup(table: &Table) -> Markup {
    let words =
        |column: usize| table.rows.iter().all(|row| matches!(row.get(column), Some(Cell::Text(_) | Cell::Drawn(_))));
    html! {
        div class="wide" tabindex="0" role="region" aria-label=(if table.caption.is_empty() { "Table" } else { &table.caption }) {
            table {
                @if !table.caption.is_empty() { caption { (table.caption) } }
                thead { tr {
                    @for (i, name) in table.columns.iter().enumerate() {
                        th scope="col" class=[(!words(i)).then_some("n")] { (name) }
                    }
                } }
                tbody { @for row in &table.rows { tr {
                    @for (i, cell) in row.iter().enumerate() {
                        @if i == 0 { th scope="row" { (content(cell)) } } @else { td class=[(!words(i)).then_some("n")] { (content(cell)) } }
                    }
                } } }
            }
        }
    }
}

fn content(cell: &Cell) -> Markup {
    let bounds = |i: &Interval, show: fn(f64) -> String| {
        html! {
            (show(i.estimate)) " " span class="muted" { "(" (show(i.low)) " to " (show(i.high)) ")" }
        }
    };
    html! {
        @match cell {
            Cell::Text(text) => (text),
            Cell::Number(value) => (value.map_or("-".to_owned(), number)),
            Cell::Signed(value) => (value.map_or("-".to_owned(), signed)),
            Cell::Share(share) => (format!("{:.1} %", 100.0 * share)),
            Cell::Interval(Some(i)) => (bounds(i, number)),
            Cell::Difference(Some(i)) => (bounds(i, signed)),
            Cell::Drawn(i) => (drawing(i)),
            Cell::Interval(None) | Cell::Difference(None) => "-",
        }
    }
}

/// Size of the drawing of an interval, and the room at each end, in its own units.
const WIDTH: f64 = 160.0;
const HEIGHT: f64 = 18.0;
const EDGE: f64 = 5.0;

/// The numbers stand in the cell beside it, so that readers of the text miss nothing.
fn drawing(interval: &Interval) -> Markup {
    let x = |share: f64| format!("{:.1}", EDGE + share.clamp(0.0, 1.0) * (WIDTH - 2.0 * EDGE));
    let middle = HEIGHT / 2.0;
    html! {
        svg class="interval" viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } width=(WIDTH) height=(HEIGHT) aria-hidden="true" {
            line class="grid" x1=(x(0.0)) x2=(x(1.0)) y1=(middle) y2=(middle) {}
            @for end in [0.0, 1.0] { line class="axis" x1=(x(end)) x2=(x(end)) y1="3" y2=(HEIGHT - 3.0) {} }
            line class="bar" x1=(x(interval.low)) x2=(x(interval.high)) y1=(middle) y2=(middle) {}
            circle class="dot" cx=(x(interval.estimate)) cy=(middle) r="4" {}
        }
    }
}
