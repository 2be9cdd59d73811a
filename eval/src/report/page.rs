//! The page: its parts as data, and their markup.

use std::path::Path;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::number::number;
use super::{
    Calibration, Comparison, Explorer, Histogram, LinePlot, Plane, Sample, Table, comparison, explorer, histogram,
    plane, plot, sample, table,
};
use crate::error::EvalError;
use crate::run::write_whole;
use crate::stats::Interval;

const STYLE: &str = include_str!("style.css");

/// A whole page.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Heading and window title.
    pub title: String,
    /// One line below it.
    pub subtitle: String,
    /// In reading order.
    pub sections: Vec<Section>,
}

/// One part of a page.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its heading.
    pub heading: String,
    /// A sentence on how to read it; may be empty.
    pub intro: String,
    /// What it shows.
    pub block: Block,
}

/// What a section shows.
#[derive(Debug, Clone)]
pub enum Block {
    /// Settings and circumstances.
    Facts(Vec<Fact>),
    /// Results in large type.
    Figures(Vec<Figure>),
    /// Curves.
    Plots(Vec<LinePlot>),
    /// Distributions.
    Histograms(Vec<Histogram>),
    /// Measures against each other.
    Planes(Vec<Plane>),
    /// Means of one measure at values of another.
    Calibrations(Vec<Calibration>),
    /// Tables.
    Tables(Vec<Table>),
    /// Many responses to sort, filter and read; at most one a page.
    Explorer(Box<Explorer>),
    /// Two runs, or two moments of one, on the same cases.
    Comparison(Comparison),
    /// Responses beside the evidence.
    Samples(Vec<Sample>),
    /// Paragraphs.
    Notes(Vec<String>),
}

impl Block {
    fn is_empty(&self) -> bool {
        match self {
            Self::Facts(x) => x.is_empty(),
            Self::Figures(x) => x.is_empty(),
            Self::Plots(x) => x.is_empty(),
            Self::Histograms(x) => x.is_empty(),
            Self::Planes(x) => x.is_empty(),
            Self::Calibrations(x) => x.is_empty(),
            Self::Tables(x) => x.iter().all(|table| table.rows.is_empty()),
            Self::Explorer(x) => x.rows.is_empty(),
            Self::Comparison(x) => x.rows.is_empty(),
            Self::Samples(x) => x.is_empty(),
            Self::Notes(x) => x.is_empty(),
        }
    }
}

/// A named setting or circumstance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// Its value with its unit.
    pub value: String,
}

impl Fact {
    /// A fact.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// One result.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// The value.
    pub value: f64,
    /// Bounds, where there are any.
    pub interval: Option<Interval>,
    /// Unit, number of cases, or whatever else belongs to it.
    pub note: String,
}

impl Page {
    /// Name of the file in the folder of a run or an audit.
    pub const FILE: &'static str = "report.html";

    /// Writes the page into a folder, whole or not at all.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn write(&self, folder: &Path) -> Result<(), EvalError> {
        write_whole(&folder.join(Self::FILE), &self.to_html())
    }

    /// The page as one HTML document. Sections without content are left out.
    pub fn to_html(&self) -> String {
        let sections: Vec<&Section> = self.sections.iter().filter(|s| !s.block.is_empty()).collect();
        let explores = sections.iter().any(|s| matches!(s.block, Block::Explorer(_)));
        let mut policy = "default-src 'none'; style-src 'unsafe-inline'".to_owned();
        if explores {
            policy = format!("{policy}; {}", explorer::policy());
        }
        let markup = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) @if explores { (PreEscaped(explorer::STYLE)) } }
                }
                body {
                    header {
                        h1 { (self.title) }
                        @if !self.subtitle.is_empty() { p class="muted" { (self.subtitle) } }
                    }
                    main {
                        @for (i, section) in sections.iter().enumerate() {
                            section {
                                // A section without a heading goes on with the one before.
                                @if !section.heading.is_empty() { h2 { (section.heading) } }
                                @if !section.intro.is_empty() { p class="muted" { (section.intro) } }
                                (block(&section.block, i))
                            }
                        }
                    }
                }
            }
        };
        // NUL is the one character that escaping leaves and HTML forbids.
        markup.into_string().replace('\0', "\u{2400}")
    }
}

fn block(block: &Block, section: usize) -> Markup {
    match block {
        Block::Facts(facts) => html! {
            dl class="facts" {
                @for fact in facts { div { dt { (fact.name) } dd { (fact.value) } } }
            }
        },
        Block::Figures(figures) => html! {
            div class="figures" { @for f in figures { (figure(f)) } }
        },
        Block::Plots(plots) => html! {
            div class="plots" { @for p in plots { (plot::markup(p)) } }
        },
        Block::Histograms(histograms) => html! {
            div class="plots small" { @for h in histograms { (histogram::markup(h)) } }
        },
        Block::Planes(planes) => html! {
            div class="plots" { @for p in planes { (plane::markup(p)) } }
        },
        Block::Calibrations(plots) => html! {
            div class="plots" { @for p in plots { (plane::calibration(p)) } }
        },
        Block::Tables(tables) => html! {
            @for t in tables { @if !t.rows.is_empty() { (table::markup(t)) } }
        },
        Block::Explorer(e) => explorer::markup(e),
        Block::Comparison(c) => comparison::markup(c),
        Block::Samples(samples) => html! {
            @for (i, s) in samples.iter().enumerate() { (sample::markup(s, &format!("s{section}-{i}"), i == 0)) }
        },
        Block::Notes(notes) => html! {
            @for note in notes { p { (note) } }
        },
    }
}

fn figure(figure: &Figure) -> Markup {
    html! {
        div class="figure" {
            div class="muted" { (figure.name) }
            div class="value" { (number(figure.value)) }
            @if let Some(i) = figure.interval { div { "95 %: " (number(i.low)) " to " (number(i.high)) } }
            @if !figure.note.is_empty() { div class="muted" { (figure.note) } }
        }
    }
}
