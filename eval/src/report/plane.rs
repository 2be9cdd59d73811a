//! Two measures against each other as inline SVG: responses as circles whose area tells how many lie there, or means with
//! their intervals.

use std::collections::HashMap;

use maud::{Markup, html};

use super::axes::Axes;
use super::number::number;
use crate::stats::Interval;

/// Numbers of responses over two measures.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    /// What it shows.
    pub title: String,
    /// Name and unit of the horizontal axis.
    pub x: String,
    /// Name and unit of the vertical axis.
    pub y: String,
    /// Centre and number of each cell.
    pub cells: Vec<(f64, f64, usize)>,
    /// Correlations, or whatever else belongs to it.
    pub note: String,
}

/// Means of one measure at values of another.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// What it shows.
    pub title: String,
    /// Name and unit of the horizontal axis.
    pub x: String,
    /// Name and unit of the vertical axis.
    pub y: String,
    /// Value, mean with its interval, and number of responses.
    pub points: Vec<(f64, Interval, usize)>,
    /// Whether to draw the line on which both are equal.
    pub diagonal: bool,
    /// Whatever else belongs to it.
    pub note: String,
}

/// Points in cells of a grid, so that a hundred thousand of them can be drawn: centre and number of each cell.
pub(crate) fn cells(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64, usize)> {
    const SIDE: f64 = 24.0;
    let points: Vec<(f64, f64)> = points.filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let ends = |of: fn(&(f64, f64)) -> f64| {
        let bounds = points.iter().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if bounds.0 >= 0.0 && bounds.1 <= 1.0 { (0.0, 1.0) } else { bounds }
    };
    let (x, y) = (ends(|p| p.0), ends(|p| p.1));
    let cell = |v: f64, (low, high): (f64, f64)| {
        if high > low { ((v - low) / (high - low) * SIDE).round() as i64 } else { 0 }
    };
    let centre = |cell: i64, (low, high): (f64, f64)| low + cell as f64 / SIDE * (high - low);
    let mut counts: HashMap<(i64, i64), usize> = HashMap::new();
    points.iter().for_each(|p| *counts.entry((cell(p.0, x), cell(p.1, y))).or_default() += 1);
    let mut cells: Vec<((i64, i64), usize)> = counts.into_iter().collect();
    cells.sort_unstable();
    cells.into_iter().map(|((a, b), count)| (centre(a, x), centre(b, y), count)).collect()
}

/// Radius of the largest circle.
const LARGEST: f64 = 9.0;

pub(super) fn markup(plane: &Plane) -> Markup {
    let points = plane.cells.iter().map(|(x, y, _)| (*x, *y));
    let most = plane.cells.iter().map(|cell| cell.2).max().unwrap_or(1) as f64;
    figure(&plane.title, &plane.note, Axes::around(points, None).map(|axes| axes.with_room(0.03)), |axes| {
        let circles = html! {
            @for (x, y, count) in &plane.cells {
                @let (cx, cy) = axes.at((*x, *y));
                @let radius = (LARGEST * (*count as f64 / most).sqrt()).max(1.0);
                circle class="cell" cx=(format!("{cx:.1}")) cy=(format!("{cy:.1}")) r=(format!("{radius:.1}")) {
                    title { (count) " at " (number(*x)) ", " (number(*y)) }
                }
            }
        };
        axes.drawing(&format!("{}. {}", plane.title, plane.note), (&plane.x, &plane.y), &circles)
    })
}

pub(super) fn calibration(plot: &Calibration) -> Markup {
    let bounds = plot.points.iter().flat_map(|(x, mean, _)| [(*x, mean.low), (*x, mean.high)]);
    let corners = if plot.diagonal { vec![(0.0, 0.0), (1.0, 1.0)] } else { Vec::new() };
    let axes = Axes::around(bounds.chain(corners.iter().copied()), None);
    figure(&plot.title, &plot.note, axes, |axes| {
        let marks = html! {
            @if plot.diagonal {
                @let ((x1, y1), (x2, y2)) = (axes.at((0.0, 0.0)), axes.at((1.0, 1.0)));
                line class="diagonal" x1=(x1) y1=(y1) x2=(x2) y2=(y2) {}
            }
            @for (x, mean, count) in &plot.points {
                @let ((cx, cy), low, high) = (axes.at((*x, mean.estimate)), axes.at((*x, mean.low)), axes.at((*x, mean.high)));
                line class="bar" x1=(format!("{cx:.1}")) x2=(format!("{cx:.1}")) y1=(format!("{:.1}", low.1)) y2=(format!("{:.1}", high.1)) {}
                circle class="dot" cx=(format!("{cx:.1}")) cy=(format!("{cy:.1}")) r="4" {
                    title { (number(mean.estimate)) " (" (number(mean.low)) " to " (number(mean.high)) ") at " (number(*x)) ", " (count) " responses" }
                }
            }
        };
        axes.drawing(&format!("{}. {}", plot.title, plot.note), (&plot.x, &plot.y), &marks)
    })
}

fn figure(title: &str, note: &str, axes: Option<Axes>, drawing: impl Fn(&Axes) -> Markup) -> Markup {
    html! {
        figure class="plot interval" {
            figcaption { (title) }
            @match axes {
                Some(axes) => { (drawing(&axes)) p class="muted" { (note) } }
                None => { p class="muted" { "No values." } }
            }
        }
    }
}
