//! A scored response for people: the text with every check marked in it, then each check with its reason.
//!
//! A mark is a bracket around the checked words with the check's number and its sign: `[potassium 5.9](3-)`; `+` earns,
//! `-` loses, `~` is neither, and where colours are wanted the words have the sign's colour. Control characters of the
//! response are shown as pictures: a response must not be able to move the cursor or to colour itself.

use std::collections::BTreeMap;
use std::fmt::Write;

use attending_datasets::Case;

use crate::offsets::document_text;
use crate::{Check, Objective, Outcome, Response, Scored, Span};

/// Characters of a text that an excerpt shows.
const WIDTH: usize = 70;
/// Bytes of a response without a check that are shown whole; what is longer is shown by its two ends.
const UNMARKED: usize = 2000;

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Text alone: for files, pipes and screen readers.
    #[default]
    Plain,
    /// With the ANSI colours of terminals.
    Colour,
}

/// What a check means for its objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Neither,
    Earns,
    Loses,
}

impl Sign {
    fn of(check: &Check) -> Sign {
        match check.outcome {
            Outcome::Supported | Outcome::Correct | Outcome::Covered => Sign::Earns,
            Outcome::Contradicted
            | Outcome::Unsupported
            | Outcome::Missing
            | Outcome::Malformed
            | Outcome::Wrong
            | Outcome::Unreadable
            | Outcome::Repeated => Sign::Loses,
            Outcome::Unverified | Outcome::Exempt => Sign::Neither,
        }
    }

    fn mark(self) -> char {
        match self {
            Sign::Earns => '+',
            Sign::Loses => '-',
            Sign::Neither => '~',
        }
    }

    /// Green, red, yellow.
    fn colour(self) -> &'static str {
        match self {
            Sign::Earns => "\x1b[32m",
            Sign::Loses => "\x1b[31m",
            Sign::Neither => "\x1b[33m",
        }
    }
}

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Style::Plain => text.to_owned(),
            Style::Colour => format!("{code}{text}{RESET}"),
        }
    }
}

/// The text of a span, shortened in the middle where it is long, on one line.
pub fn excerpt(text: &str, [start, end]: Span) -> String {
    let cut = text.get(start..end).unwrap_or("");
    let line: String = cut.split_whitespace().collect::<Vec<_>>().join(" ");
    let count = line.chars().count();
    let line = visible(&line);
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
pub fn explain(case: &Case, response: &Response, scored: &Scored, style: Style) -> String {
    let mut out = String::new();
    let read = scored.answer.read.as_deref().map_or("none".to_owned(), visible);
    let tier = scored.answer.tier.as_deref().map(|tier| format!(" ({tier})")).unwrap_or_default();
    let title = format!("{} sample {}", visible(&scored.case_id), scored.sample);
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}: reward {}, answer {read}{tier}", style.paint(BOLD, &title), number(scored.reward));
    for (field, text) in [("reasoning", &response.reasoning), ("text", &response.text)] {
        let in_field = |check: &Check| check.field.as_deref().unwrap_or("text") == field;
        let checks = scored.checks.iter().enumerate().filter(|(_, check)| in_field(check));
        match text {
            Some(text) if !text.is_empty() => {
                let _ = writeln!(out, "{}", style.paint(DIM, &format!("-- {field}")));
                marked(&mut out, text, checks, style);
                out.push('\n');
            }
            None if field == "text" => out.push_str("-- no text: an unreadable response\n"),
            _ => {}
        }
    }
    let _ = writeln!(out, "{}", style.paint(DIM, "-- checks"));
    for objective in Objective::ALL {
        let value = scored.objectives.get(&objective).copied().flatten();
        let reason = scored.reasons.get(&objective).map(|reason| format!(" ({reason})")).unwrap_or_default();
        let _ = writeln!(out, "{} {}{reason}", style.paint(BOLD, &format!("{:<17}", objective.name())), number(value));
        for (index, check) in scored.checks.iter().enumerate().filter(|(_, check)| check.objective == objective) {
            explain_check(&mut out, case, response, index, check, style);
        }
    }
    out
}

fn number(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.3}"))
}

fn explain_check(out: &mut String, case: &Case, response: &Response, index: usize, check: &Check, style: Style) {
    let sign = Sign::of(check);
    let outcome = format!("{:<12}", format!("{:?}", check.outcome).to_lowercase());
    let label = format!("({}{})", index + 1, sign.mark());
    let outcome = style.paint(sign.colour(), &outcome);
    let note = visible(&check.note);
    let _ = writeln!(out, "  {label:>6} {outcome} {:<20} {:>5.2}  {note}", check.rule, check.weight);
    if let Some(span) = check.response {
        let _ = writeln!(out, "         response {span:?}: \"{}\"", excerpt(checked_text(response, check), span));
    }
    for evidence in &check.evidence {
        let text = document_text(case, &evidence.document).unwrap_or("");
        let (document, shown) = (visible(&evidence.document), excerpt(text, evidence.span));
        let _ = writeln!(out, "         {document} {:?}: \"{shown}\"", evidence.span);
    }
}

/// Writes a text with its checks marked.
fn marked<'a>(out: &mut String, text: &str, checks: impl Iterator<Item = (usize, &'a Check)>, style: Style) {
    // What opens and what closes at each byte; of marks that open together the longest comes first.
    let mut opens: BTreeMap<usize, Vec<(usize, usize, Sign)>> = BTreeMap::new();
    let mut closes: BTreeMap<usize, Vec<(usize, usize, Sign)>> = BTreeMap::new();
    for (index, check) in checks {
        let Some([start, end]) = check.response.filter(|[start, end]| text.get(*start..*end).is_some()) else {
            continue;
        };
        opens.entry(start).or_default().push((end, index, Sign::of(check)));
        closes.entry(end).or_default().push((start, index, Sign::of(check)));
    }
    opens.values_mut().for_each(|marks| marks.sort_by_key(|(end, index, _)| (std::cmp::Reverse(*end), *index)));
    closes.values_mut().for_each(|marks| marks.sort_by_key(|(start, index, _)| (std::cmp::Reverse(*start), *index)));
    let mut bounds: Vec<usize> = opens.keys().chain(closes.keys()).copied().chain([0, text.len()]).collect();
    bounds.sort_unstable();
    bounds.dedup();
    let mut open: Vec<(usize, Sign)> = Vec::new();
    for (at, bound) in bounds.iter().enumerate() {
        for (start, index, sign) in closes.get(bound).into_iter().flatten().filter(|(start, _, _)| start != bound) {
            debug_assert!(start < bound);
            open.retain(|(known, _)| known != index);
            let _ = write!(out, "]({}{})", index + 1, sign.mark());
        }
        for (end, index, sign) in opens.get(bound).into_iter().flatten() {
            out.push('[');
            if end == bound {
                // An empty span: a place where something is missing.
                let _ = write!(out, "]({}{})", index + 1, sign.mark());
            } else {
                open.push((*index, *sign));
            }
        }
        let Some(next) = bounds.get(at + 1) else { break };
        let part = &text[*bound..*next];
        // The innermost mark gives the colour.
        match open.last() {
            Some((_, sign)) => out.push_str(&style.paint(sign.colour(), &shortened(part))),
            None => out.push_str(&shortened(part)),
        }
    }
}

/// A long part by its two ends, made visible.
fn shortened(part: &str) -> String {
    if part.len() <= UNMARKED {
        return visible(part);
    }
    let edge = |mut at: usize| {
        while !part.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (head, tail) = (edge(UNMARKED / 2), edge(part.len() - UNMARKED / 2));
    format!("{} [... {} bytes ...] {}", visible(&part[..head]), tail - head, visible(&part[tail..]))
}

/// Control characters, and those that turn the direction of a line, as pictures.
fn visible(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c,
        '\0'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ => c,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::EvidenceSpan;

    fn check(outcome: Outcome, response: Option<Span>, note: &str) -> Check {
        Check {
            objective: Objective::Faithfulness,
            rule: "quantity".into(),
            outcome,
            weight: 1.0,
            response,
            field: None,
            evidence: Vec::new(),
            note: note.to_owned(),
        }
    }

    fn page(text: Option<&str>, checks: Vec<Check>, style: Style) -> String {
        let case: Case =
            serde_json::from_str(r#"{"id":"c","task":"rubric","question":"Potassium is 4.1.","answer":{}}"#).unwrap();
        let response = Response { text: text.map(str::to_owned), ..Response::default() };
        let scored = Scored {
            case_id: "c".to_owned(),
            sample: 0,
            reward: Some(0.5),
            objectives: Objective::ALL.into_iter().map(|o| (o, None)).collect(),
            reasons: BTreeMap::new(),
            answer: Default::default(),
            checks,
        };
        explain(&case, &response, &scored, style)
    }

    #[test]
    fn marks_stand_where_the_checks_point() {
        let mut wrong = check(Outcome::Contradicted, Some([4, 17]), "potassium 5.9, evidence 4.1");
        wrong.evidence.push(EvidenceSpan { document: "question".into(), span: [13, 16] });
        let checks = vec![
            wrong,
            check(Outcome::Supported, Some([14, 17]), "inner"),
            check(Outcome::Missing, Some([17, 17]), "empty span"),
            check(Outcome::Exempt, None, "no span"),
        ];
        let plain = page(Some("The potassium 5.9 rose."), checks.clone(), Style::Plain);
        assert!(plain.contains("The [potassium [5.9](2+)](1-)[](3-) rose."), "{plain}");
        assert!(plain.contains("potassium 5.9, evidence 4.1\n         response [4, 17]: \"potassium 5.9\""), "{plain}");
        assert!(plain.contains("question [13, 16]: \"4.1\"") && plain.contains("(4~) exempt"), "{plain}");
        assert!(!plain.contains('\x1b'));
        let colour = page(Some("The potassium 5.9 rose."), checks, Style::Colour);
        assert!(colour.contains("The [\x1b[31mpotassium \x1b[0m[\x1b[32m5.9\x1b[0m](2+)](1-)"), "{colour:?}");
    }

    #[test]
    fn responses_cannot_steer_the_terminal() {
        let text = "\x1b[2J\x07\u{9b}31m\u{202e}abc\0\r\ntab\there";
        for style in [Style::Plain, Style::Colour] {
            let all = page(Some(text), vec![check(Outcome::Wrong, Some([0, 4]), text)], style);
            let own = |c: &char| c.is_control() && !matches!(c, '\n' | '\t');
            let left: String = all.chars().filter(own).collect();
            assert!(left.chars().all(|c| c == '\x1b' && style == Style::Colour), "{left:?}");
            assert!(!all.contains('\u{202e}') && !all.contains("\x1b[2J"));
            assert!(all.contains("\u{241b}[2J"));
        }
    }

    #[test]
    fn long_parts_are_shown_by_their_ends() {
        let text = format!("{}fever{}", "\u{e9}".repeat(3_000), "x".repeat(5_000_000));
        let all = page(Some(&text), vec![check(Outcome::Supported, Some([6000, 6005]), "")], Style::Plain);
        assert!(all.contains("[fever](1+)") && all.contains("bytes ...]"), "{}", all.len());
        assert!(all.len() < 10_000);
        assert!(page(None, Vec::new(), Style::Plain).contains("no text"));
        assert!(page(Some(""), Vec::new(), Style::Plain).contains("-- checks"));
    }

    proptest::proptest! {
        /// Any spans, crossing ones too: every mark is closed, the text itself stays.
        #[test]
        fn marks_are_balanced(text in "[a-z ]{0,30}", spans in proptest::collection::vec((0usize..31, 0usize..31), 0..8)) {
            let spans = spans.iter().map(|(a, b)| [*a.min(b), *a.max(b)]);
            let checks: Vec<Check> = spans.map(|span| check(Outcome::Supported, Some(span), "")).collect();
            let mut out = String::new();
            marked(&mut out, &text, checks.iter().enumerate(), Style::Plain);
            let bare = out.chars().filter(|c| c.is_ascii_lowercase() || *c == ' ').collect::<String>();
            proptest::prop_assert_eq!(bare, text);
            proptest::prop_assert_eq!(out.matches('[').count(), out.matches(']').count());
        }
    }
}
