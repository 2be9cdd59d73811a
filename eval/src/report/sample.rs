//! A response beside its evidence, with every check marked in both.

use std::collections::BTreeMap;

use attending_datasets::case::{Answer, Case};
use attending_rewards::{Check, Objective, Outcome, Scored, Span};
use maud::{Markup, html};

use super::annotate::pieces;
use super::detail::{documents, outcome};
use super::number::{number, signed};

/// One scored response with what it was scored against.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Which one: moment of the run, rank, reason for its choice.
    pub heading: String,
    /// The case.
    pub case_id: String,
    /// The question, the options and the documents, in reading order.
    pub evidence: Vec<EvidenceText>,
    /// Reasoning that an endpoint returned apart from the text.
    pub reasoning: Option<String>,
    /// The response's text; `None` was unreadable.
    pub response: Option<String>,
    /// The preset's scalar.
    pub reward: Option<f64>,
    /// The advantage that it was trained with.
    pub advantage: Option<f64>,
    /// Each objective's value; `None` with its reason in `reasons`.
    pub objectives: BTreeMap<Objective, Option<f64>>,
    /// Why an objective has no value.
    pub reasons: BTreeMap<Objective, String>,
    /// The answer as it was read; `None` where none could be.
    pub answer: Option<String>,
    /// The right answer.
    pub gold: String,
    /// What the values rest on.
    pub checks: Vec<Check>,
}

/// A text that spans of checks point into.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EvidenceText {
    /// As in [`attending_rewards::EvidenceSpan::document`].
    pub document: String,
    /// Shown above it.
    pub title: String,
    /// The text.
    pub text: String,
}

impl EvidenceText {
    /// The documents, the question and the options of a case, in reading order.
    pub(super) fn of(case: &Case) -> Vec<Self> {
        let text = |(document, title, text): (String, String, &str)| Self { document, title, text: text.to_owned() };
        documents(case).map(text).collect()
    }
}

impl Sample {
    /// A response to a case with its score.
    pub fn new(heading: impl Into<String>, case: &Case, response: Option<&str>, scored: &Scored) -> Self {
        Self {
            heading: heading.into(),
            case_id: case.id.clone(),
            evidence: EvidenceText::of(case),
            reasoning: None,
            response: response.map(str::to_owned),
            reward: scored.reward,
            advantage: None,
            objectives: scored.objectives.clone(),
            reasons: scored.reasons.clone(),
            answer: scored.answer.read.clone(),
            gold: gold(&case.answer),
            checks: scored.checks.clone(),
        }
    }
}

/// The right answer in words.
pub(super) fn gold(answer: &Answer) -> String {
    if let Some(number_answer) = &answer.number {
        return format!("{} {}", number(number_answer.value), number_answer.unit).trim_end().to_owned();
    }
    if let Some((weeks, days)) = answer.weeks_days {
        return format!("{weeks} weeks {days} days");
    }
    let words = [&answer.keys, &answer.texts].into_iter().find(|list| !list.is_empty());
    words.map(|list| list.join(", ")).or_else(|| answer.date.clone()).unwrap_or_default()
}

/// How an outcome is shown: the class of its mark and a sign that needs no colour.
fn tone(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Supported | Outcome::Correct | Outcome::Covered => ("good", "\u{2713}"),
        Outcome::Contradicted | Outcome::Wrong | Outcome::Malformed => ("bad", "\u{2717}"),
        Outcome::Exempt => ("exempt", "\u{2013}"),
        _ => ("open", "?"),
    }
}

/// `id` prefixes the anchors of the checks and is unique on the page.
pub(super) fn markup(sample: &Sample, id: &str, open: bool) -> Markup {
    html! {
        details class="sample" open[open] {
            summary {
                strong { (sample.heading) } " "
                span class="muted" { (sample.case_id) }
                @if let Some(reward) = sample.reward { " reward " (number(reward)) }
                @if let Some(advantage) = sample.advantage { ", advantage " (signed(advantage)) }
            }
            ul class="scores" {
                @for (objective, value) in &sample.objectives {
                    li {
                        (objective.name()) " "
                        @match value {
                            Some(value) => strong { (number(*value)) }
                            None => span class="muted" {
                                "no value" @if let Some(reason) = sample.reasons.get(objective) { ": " (reason) }
                            }
                        }
                    }
                }
                li { "answer " @match &sample.answer { Some(a) => strong { (a) } None => span class="muted" { "unreadable" } } }
                li { "right answer " strong { (sample.gold) } }
            }
            div class="pair" {
                div {
                    h3 { "Response" }
                    @if let Some(text) = &sample.reasoning {
                        h4 { "Reasoning" }
                        div class="text" dir="auto" {
                            (marked(text, &in_response(&sample.checks, Some("reasoning")), &sample.checks, id))
                        }
                        h4 { "Text" }
                    }
                    @match &sample.response {
                        Some(text) => div class="text" dir="auto" {
                            (marked(text, &in_response(&sample.checks, None), &sample.checks, id))
                        }
                        None => p class="muted" { "No text." }
                    }
                }
                div {
                    h3 { "Evidence" }
                    @for text in &sample.evidence {
                        h4 { (text.title) }
                        div class="text" dir="auto" {
                            (marked(&text.text, &in_document(&sample.checks, &text.document), &sample.checks, id))
                        }
                    }
                }
            }
            (list(&sample.checks, id))
        }
    }
}

/// The spans in one field of the response.
fn in_response(checks: &[Check], field: Option<&str>) -> Vec<(Span, usize)> {
    let of =
        |(i, check): (usize, &Check)| check.response.filter(|_| check.field.as_deref() == field).map(|span| (span, i));
    checks.iter().enumerate().filter_map(of).collect()
}

fn in_document(checks: &[Check], document: &str) -> Vec<(Span, usize)> {
    let of = |(i, check): (usize, &Check)| -> Vec<(Span, usize)> {
        check.evidence.iter().filter(|e| e.document == document).map(|e| (e.span, i)).collect()
    };
    checks.iter().enumerate().flat_map(of).collect()
}

/// The text with marks. The class is that of the worst outcome; the tooltip names every check; the number after the
/// mark leads to the list.
fn marked(text: &str, spans: &[(Span, usize)], checks: &[Check], id: &str) -> Markup {
    html! {
        @for piece in pieces(text, spans) {
            @if piece.checks.is_empty() {
                (shown(piece.text))
            } @else {
                mark class=(worst(&piece.checks, checks)) title=(tooltip(&piece.checks, checks)) { (shown(piece.text)) }
                @for check in &piece.ends { sup { a href={ "#" (id) "-" (check + 1) } { (check + 1) } } }
            }
        }
    }
}

/// Control characters cannot be seen and some of them cannot stand in HTML: each is shown as its picture.
fn shown(text: &str) -> String {
    let picture = |c: char| match c {
        '\n' | '\t' => c,
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        _ => c,
    };
    text.chars().map(picture).collect()
}

fn worst(indices: &[usize], checks: &[Check]) -> &'static str {
    let classes: Vec<&str> = indices.iter().map(|i| tone(checks[*i].outcome).0).collect();
    ["bad", "open", "good"].into_iter().find(|class| classes.contains(class)).unwrap_or("exempt")
}

fn tooltip(indices: &[usize], checks: &[Check]) -> String {
    let line = |i: &usize| {
        let c = &checks[*i];
        let note = if c.note.is_empty() { String::new() } else { format!(": {}", c.note) };
        format!("{}. {} {}, weight {}{note}", i + 1, c.rule, outcome(c.outcome), number(c.weight))
    };
    indices.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn list(checks: &[Check], id: &str) -> Markup {
    html! {
        @if checks.is_empty() {
            p class="muted" { "No checks." }
        } @else {
            div class="wide" { table class="checks" {
                thead { tr {
                    th class="n" { "#" } th { "Objective" } th { "Rule" } th { "Outcome" } th class="n" { "Weight" } th { "Note" }
                } }
                tbody { @for (i, check) in checks.iter().enumerate() {
                    @let (class, sign) = tone(check.outcome);
                    tr id={ (id) "-" (i + 1) } {
                        td class="n" { (i + 1) }
                        td { (check.objective.name()) }
                        td { (check.rule) }
                        td { span class={ "sign " (class) } { (sign) } " " (outcome(check.outcome)) }
                        td class="n" { (number(check.weight)) }
                        td { (check.note) }
                    }
                } }
            } }
        }
    }
}
