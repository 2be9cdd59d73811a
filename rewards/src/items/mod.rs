//! Comprehensiveness, rule 4: is a statement of a rubric made in a text? By concept, words, quantity and polarity.
//!
//! Design decision: a statement is cut into elements (the lexicon's concepts with their words, and the families of its
//! other content words), each as heavy as it is rare in the text, light where any talk about health has it, and lighter
//! still where all statements of the rubric share it: what they have in common is the topic and tells none of them. The
//! score is the share of that weight that one passage of the text holds, with a part for what stands elsewhere in it; it
//! falls where a number is missing and where the passage denies what the statement affirms. The cost is that a paraphrase
//! without a shared word, word family or concept is missed; the gain is that each point can be shown.

mod grams;
mod numeral;
mod reader;
mod wording;

use attending_datasets::Case;
use attending_datasets::case::RubricKind;

use crate::lexicon::Lexicon;
use crate::scored::{Check, Objective, Outcome, Span};

pub use reader::{Found, Passages, Reader, Topic};
pub use wording::stem;

/// Score from which an item counts as met.
pub const MET: f64 = 0.4;
/// What a nice-to-have item counts beside a must-have one.
const NICE: f64 = 0.5;

/// Makes one check of comprehensiveness an item of the case's rubric, by the bytes `part` of a response's text: covered,
/// missing, or contradicted (a negative item that is met is contradicted).
pub fn check(case: &Case, text: &str, part: Span, lexicon: &Lexicon) -> Vec<Check> {
    let items = &case.answer.rubric;
    let reader = Reader::new(lexicon);
    let passages = reader.passages(&text[part[0]..part[1]]);
    let topic = reader.topic(&case.question, items.iter().map(|item| item.text.as_str()));
    let mut checks = Vec::with_capacity(items.len());
    for item in items {
        let found = reader.find_within(&item.text, &passages, &topic);
        let met = found.score >= MET && !found.opposed;
        let negative = item.kind == RubricKind::Negative || item.points < 0.0;
        let (rule, share) = match item.kind {
            _ if negative => ("item_negative", 1.0),
            RubricKind::Must => ("item_must", 1.0),
            RubricKind::Nice => ("item_nice", NICE),
            RubricKind::Negative | RubricKind::Criterion => ("item_criterion", 1.0),
        };
        let outcome = match (met, negative) {
            (true, false) => Outcome::Covered,
            (true, true) => Outcome::Contradicted,
            (false, true) => Outcome::Exempt,
            (false, false) if found.opposed => Outcome::Contradicted,
            (false, false) => Outcome::Missing,
        };
        let place = |[start, end]: Span| [part[0] + start, part[0] + end];
        checks.push(Check {
            objective: Objective::Comprehensiveness,
            rule: rule.into(),
            outcome,
            weight: share * item.points.abs(),
            response: found.span.filter(|_| outcome != Outcome::Missing).map(place),
            field: None,
            evidence: Vec::new(),
            note: format!("{}: {:.2} of it in one passage", item.id, found.score),
        });
    }
    checks
}

/// The accuracy of a case that has no other answer: the same checks without those of what is only nice to have.
pub fn required(checks: &[Check]) -> Vec<Check> {
    let required = checks.iter().filter(|check| check.rule != "item_nice");
    required.map(|check| Check { objective: Objective::Accuracy, ..check.clone() }).collect()
}

/// An objective's value from its checks: the points earned, less those of negative items, over the points that can be
/// had; `None` where no item can earn, which depends on the rubric alone.
pub fn value(checks: &[Check], objective: Objective) -> Option<f64> {
    let (mut earned, mut whole) = (0.0, 0.0);
    let own = |check: &&Check| check.objective == objective && check.rule.starts_with("item_");
    for check in checks.iter().filter(own) {
        match (check.rule.as_ref(), check.outcome) {
            ("item_negative", Outcome::Contradicted) => earned -= check.weight,
            ("item_negative", _) => {}
            (_, outcome) => {
                whole += check.weight;
                earned += if outcome == Outcome::Covered { check.weight } else { 0.0 };
            }
        }
    }
    (whole > 0.0).then(|| (earned / whole).clamp(0.0, 1.0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use attending_datasets::Task;
    use attending_datasets::case::RubricItem;

    fn found(statement: &str, text: &str) -> Found {
        let lexicon = Lexicon::built_in();
        let reader = Reader::new(&lexicon);
        reader.find(statement, &reader.passages(text))
    }

    /// Each row: a statement, a text, whether it is met there.
    #[test]
    fn statements_are_met_by_content_quantity_and_polarity() {
        let rows = [
            ("The patient vomited.", "He started vomiting on Monday. He also has a cough.", true),
            ("The patient vomited.", "He has a cough and a fever.", false),
            ("No fever.", "Doctor: Any fever?\nPatient: No, nothing like that.", true),
            ("He has a fever.", "Doctor: Any fever?\nPatient: No, nothing like that.", false),
            ("He has a fever.", "Doctor: Any fever?\nPatient: Yeah, since Monday.", true),
            ("No chest pain.", "She reports chest pain on exertion.", false),
            ("An extra dose of Saxenda should not be taken.", "Do not take an extra dose of Saxenda.", true),
            ("Tablets are taken twice a day.", "", false),
        ];
        for (statement, text, met) in rows {
            let found = found(statement, text);
            assert_eq!(found.score >= MET && !found.opposed, met, "{statement} | {text}: {found:?}");
        }
        let dose = |n: &str| found("Take 600 mg of ibuprofen", &format!("Take {n} mg of ibuprofen.")).score;
        assert!(dose("600") > dose("200"));
    }

    /// must 1 of 2 points, nice 0.5 of 0.5, one negative met: (1 + 0.5 - 1) / 2.5 = 0.2.
    #[test]
    fn the_value_by_hand() {
        let item = |id: &str, text: &str, points: f64, kind| RubricItem {
            id: id.to_owned(),
            text: text.to_owned(),
            points,
            kind,
            extra: Default::default(),
        };
        let mut case = Case::new("scabies", Task::Rubric, "How is it treated?");
        case.answer.rubric = vec![
            item("1", "Ivermectin is taken by mouth", 1.0, RubricKind::Must),
            item("2", "Bedding is washed in hot water", 1.0, RubricKind::Must),
            item("3", "Permethrin cream is an alternative", 1.0, RubricKind::Nice),
            item("4", "Antibiotics cure scabies", -1.0, RubricKind::Criterion),
        ];
        let text = "Ivermectin is taken by mouth. Permethrin cream is an alternative. Antibiotics cure scabies.";
        let whole = format!("Thinking. {text}");
        let checks = check(&case, &whole, [10, whole.len()], &Lexicon::built_in());
        assert_eq!(
            checks.iter().map(|c| c.outcome).collect::<Vec<_>>(),
            [Outcome::Covered, Outcome::Missing, Outcome::Covered, Outcome::Contradicted]
        );
        assert!((value(&checks, Objective::Comprehensiveness).unwrap() - 0.2).abs() < 1e-12);
        assert!(checks[0].response.is_some_and(|[start, end]| whole[start..end].starts_with("Ivermectin")));
        // Without the nice one: (1 - 1) / 2.
        let required = required(&checks);
        assert_eq!((required.len(), value(&required, Objective::Accuracy)), (3, Some(0.0)));
        assert_eq!(value(&[], Objective::Accuracy), None);
    }
}
