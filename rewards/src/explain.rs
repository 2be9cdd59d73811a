//! A scored response for people: its values, and each check with the text that it is about.

use std::fmt::Write;

use attending_datasets::Case;

use crate::offsets::document_text;
use crate::{Check, Objective, Response, Scored, Span};

/// Characters of a text that an excerpt shows.
const WIDTH: usize = 70;

/// The text of a span, shortened in the middle where it is long, on one line.
pub fn excerpt(text: &str, [start, end]: Span) -> String {
    let cut = text.get(start..end).unwrap_or("");
    let line: String = cut.split_whitespace().collect::<Vec<_>>().join(" ");
    let count = line.chars().count();
    if count <= WIDTH {
        return line;
    }
    let head: String = line.chars().take(WIDTH / 2).collect();
    let tail: String = line.chars().skip(count - WIDTH / 2).collect();
    format!("{head} ... {tail}")
}

/// The text of the response that a check points into.
pub fn checked_text<'a>(response: &'a Response, check: &Check) -> &'a str {
    let text = if check.field.is_some() { &response.reasoning } else { &response.text };
    text.as_deref().unwrap_or("")
}

/// The explanation of one scored response; its spans must be in bytes.
pub fn explain(case: &Case, response: &Response, scored: &Scored) -> String {
    let mut out = String::new();
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    let read = scored.answer.read.as_deref().unwrap_or("none");
    let tier = scored.answer.tier.as_deref().map(|tier| format!(" ({tier})")).unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{} sample {}: reward {}, answer {read}{tier}",
        scored.case_id,
        scored.sample,
        number(scored.reward)
    );
    for objective in Objective::ALL {
        let value = scored.objectives.get(&objective).copied().flatten();
        let reason = scored.reasons.get(&objective).map(|reason| format!(" ({reason})")).unwrap_or_default();
        let _ = writeln!(out, "  {:<17} {}{reason}", objective.name(), number(value));
        for check in scored.checks.iter().filter(|check| check.objective == objective) {
            let outcome = format!("{:?}", check.outcome).to_lowercase();
            let _ = write!(out, "    {outcome:<12} {:<20} {:>5.2}  {}", check.rule, check.weight, check.note);
            if let Some(span) = check.response {
                let _ = write!(out, "\n      response {span:?}: \"{}\"", excerpt(checked_text(response, check), span));
            }
            for evidence in &check.evidence {
                let text = document_text(case, &evidence.document).unwrap_or("");
                let shown = excerpt(text, evidence.span);
                let _ = write!(out, "\n      {} {:?}: \"{shown}\"", evidence.document, evidence.span);
            }
            out.push('\n');
        }
    }
    out
}
