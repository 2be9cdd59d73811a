//! Histograms as inline SVG, small enough to stand side by side.

use maud::{Markup, html};

use super::number::{number, tick};
use crate::stats::Spread;

/// How often a value falls into each of equal parts of its range.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// What it shows.
    pub title: String,
    /// Name and unit of the value.
    pub x: String,
    /// Ends of the first and the last bar.
    pub range: (f64, f64),
    /// Number in each bar.
    pub bars: Vec<usize>,
    /// The mean, drawn as a line.
    pub mean: Option<f64>,
    /// Whatever else belongs to it: numbers missing, quantiles.
    pub note: String,
}

impl Histogram {
    /// The finite ones of the values; `None` where there is none.
    pub(crate) fn of(title: &str, x: &str, values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let spread = Spread::of(&sorted)?;
        let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
        Some(Self::new(title, x, &spread.quantiles, spread.range, spread.bars, Some(mean)))
    }

    /// Of values whose spread is known.
    pub(crate) fn new(
        title: &str,
        x: &str,
        quantiles: &[f64; 7],
        range: [f64; 2],
        bars: Vec<usize>,
        mean: Option<f64>,
    ) -> Self {
        let [low, _, first, median, third, _, high] = quantiles.map(number);
        Self {
            title: title.to_owned(),
            x: x.to_owned(),
            range: (range[0], range[1]),
            bars,
            mean,
            note: format!("{low} to {high}, quartiles {first}, {median}, {third}"),
        }
    }
}

const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 12.0;
const BOTTOM: f64 = 40.0;
const TOP: f64 = 14.0;

pub(super) fn markup(histogram: &Histogram) -> Markup {
    let (low, high) = histogram.range;
    let wide = if high > low { high - low } else { 1.0 };
    let x = |share: f64| LEFT + share * (WIDTH - 2.0 * LEFT);
    let count = histogram.bars.len().max(1) as f64;
    let tallest = histogram.bars.iter().copied().max().unwrap_or(0).max(1) as f64;
    let base = HEIGHT - BOTTOM;
    let label = format!("Histogram of {}: mean {}", histogram.title, histogram.mean.map_or("-".to_owned(), number));
    html! {
        figure class="plot" {
            figcaption { (histogram.title) }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(label) {
                @for (i, bar) in histogram.bars.iter().enumerate() {
                    @let share = *bar as f64 / tallest;
                    // A bar of few is still seen beside one of many.
                    @let height = if *bar == 0 { 0.0 } else { (share * (base - TOP)).max(1.5) };
                    @let (from, to) = (i as f64 / count, (i + 1) as f64 / count);
                    rect class="bar" x=(format!("{:.1}", x(from) + 0.5)) width=(format!("{:.1}", x(to) - x(from) - 1.0))
                        y=(format!("{:.1}", base - height)) height=(format!("{height:.1}")) {
                        title { (tick(low + from * wide)) " to " (tick(low + to * wide)) ": " (bar) }
                    }
                }
                line class="axis" x1=(x(0.0)) x2=(x(1.0)) y1=(base) y2=(base) {}
                @if let Some(mean) = histogram.mean {
                    @let at = format!("{:.1}", x(((mean - low) / wide).clamp(0.0, 1.0)));
                    line class="mean" x1=(at) x2=(at) y1=(TOP - 8.0) y2=(base) {}
                }
                @for (share, anchor) in [(0.0, "start"), (0.5, "middle"), (1.0, "end")] {
                    text x=(x(share)) y=(base + 16.0) text-anchor=(anchor) { (tick(low + share * wide)) }
                }
                text x=(WIDTH / 2.0) y=(HEIGHT - 6.0) text-anchor="middle" { (histogram.x) }
            }
            p class="muted" { (histogram.note) }
        }
    }
}
