//! The format objective: whole, ordered, unique, non-empty sections, in letters that can be
//! seen and the language asked for.

use crate::language;
use crate::parsed::Parsed;
use crate::rubric::Rubric;
use crate::scored::{Check, Objective, Outcome};
use crate::sections::{DefectKind, Format};

/// What each defect takes away.
fn cost(kind: DefectKind) -> f64 {
    match kind {
        DefectKind::Missing | DefectKind::Empty | DefectKind::BrokenJson => 0.5,
        DefectKind::Unclosed | DefectKind::Unopened | DefectKind::Misordered | DefectKind::Repeated => 0.25,
        DefectKind::TextBefore | DefectKind::TextBetween | DefectKind::TextAfter => 0.15,
    }
}

/// Share of a text's bytes that invisible characters may number: a stray mark of a converter is no trick.
const UNSEEN: f64 = 0.01;

/// The value from its checks.
pub(crate) fn value(checks: &[Check]) -> f64 {
    let lost: f64 = checks
        .iter()
        .filter(|check| check.objective == Objective::Format && check.outcome == Outcome::Malformed)
        .map(|check| check.weight)
        .sum();
    (1.0 - lost).clamp(0.0, 1.0)
}

/// Makes a check for each defect, and one for whole sections.
pub(crate) fn check(response: &Parsed, rubric: &Rubric, out: &mut Vec<Check>) {
    let mut push = |rule: &'static str, outcome, weight, response, note: String| {
        let evidence = Vec::new();
        out.push(Check {
            objective: Objective::Format,
            rule: rule.into(),
            outcome,
            weight,
            response,
            field: None,
            evidence,
            note,
        });
    };
    if rubric.format == Format::Plain && response.text.trim().is_empty() {
        push("sections", Outcome::Malformed, 1.0, None, "the response is empty".to_owned());
    }
    for defect in &response.sections.defects {
        let note = format!("{}: {}", defect.tag, defect.kind.describe());
        push("sections", Outcome::Malformed, cost(defect.kind), defect.span, note);
    }
    if response.sections.defects.is_empty() {
        push("sections", Outcome::Correct, 0.0, None, "sections are whole and in order".to_owned());
    }
    let unseen = language::invisible(response.text);
    if unseen as f64 > UNSEEN * response.text.len() as f64 {
        push("invisible", Outcome::Malformed, 0.25, None, format!("{unseen} characters that no reader sees"));
    }
    let (share, letters) = response.letters;
    if letters > 0 && share < rubric.thresholds.latin_letters {
        let note = format!("{:.0} % of the letters are Latin", share * 100.0);
        push("language", Outcome::Malformed, 0.5 * (1.0 - share), None, note);
    }
}
