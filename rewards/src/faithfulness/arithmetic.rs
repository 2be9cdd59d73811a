//! Shown arithmetic: operands that stand in the evidence, and a result that they come to.

use super::{Claims, Key};
use crate::evidence::Place;
use crate::lexicon::{Lexicon, MeasureId, Term};
use crate::quantity::Subject;
use crate::quantity::arithmetic::Calculation;
use crate::quantity::formula::FORMULAS;
use crate::scored::Outcome;

/// Numbers that formulas of medicine bring along (see the formula table), and plain factors.
const CONSTANTS: &[f64] = &[
    0.0, 1.0, 2.0, 3.0, 4.0, 10.0, 100.0, 1000.0, 0.5, 0.8, 0.85, 1.6, 2.4, 0.016, 0.024, 18.0, 2.8, 72.0, 140.0,
    713.0, 760.0, 47.0, 0.21, 24.0, 60.0, 7.0, 12.0, 30.0, 365.0,
];

/// Checks the calculations of a sentence, one claim each.
pub(super) fn check(claims: &mut Claims, sentence: usize) {
    let all = &claims.response.reading.calculations;
    let from = all.partition_point(|(index, _)| *index < sentence);
    let to = all.partition_point(|(index, _)| *index <= sentence);
    for at in from..to {
        let calculation = &claims.response.reading.calculations[at].1;
        if claims.is_claimed(sentence, calculation.result_token) {
            one(claims, sentence, at, calculation);
        }
    }
}

fn one(claims: &mut Claims, sentence: usize, index: usize, calculation: &Calculation) {
    let printed = claims.text(calculation.span).to_owned();
    if !claims.first(Key::Other(calculation.value.to_bits() ^ calculation.result.to_bits().rotate_left(7))) {
        return;
    }
    if !calculation.holds() {
        let note = format!("{printed}: it comes to {:.4}", calculation.value);
        claims.push("arithmetic", Outcome::Contradicted, 1.0, calculation.span, &[], note);
        return;
    }
    // The points of a score are no findings.
    if calculation.tally {
        let note = format!("{printed}: points of a score add up");
        claims.push("arithmetic", Outcome::Exempt, 0.0, calculation.span, &[], note);
        return;
    }
    let earlier = &claims.response.reading.calculations[..index];
    let mut places: Vec<Place> = Vec::new();
    let mut foreign = None;
    for &operand in &calculation.operands {
        if let Some(place) = claims.evidence.number(operand) {
            places.push(place);
        } else if !CONSTANTS.contains(&operand)
            && !earlier.iter().any(|(_, known)| known.result == operand)
            && !converted(claims, operand)
        {
            foreign = Some(operand);
        }
    }
    if let Some(operand) = foreign {
        let note = format!("{printed}: {operand} stands nowhere in the evidence");
        claims.push("arithmetic", Outcome::Unsupported, 1.0, calculation.span, &[], note);
        return;
    }
    if places.is_empty() {
        let note = format!("{printed}: no number of the evidence in it");
        claims.push("arithmetic", Outcome::Exempt, 0.0, calculation.span, &[], note);
        return;
    }
    // What is worked out for a measure must be that measure: a sum of any two numbers is no potassium.
    if let Some(id) = measure(claims, sentence, calculation)
        && !is_value_of(claims, id, calculation)
    {
        let note = format!("{printed}: no way to the {}", claims.lexicon.measure(id).name);
        claims.push("arithmetic", Outcome::Unsupported, 1.0, calculation.span, &places, note);
        return;
    }
    let note = format!("{printed}: right, from the evidence");
    claims.push("arithmetic", Outcome::Supported, 1.0, calculation.span, &places, note);
}

/// Whether a value of the evidence is the operand in another unit: 154 lb as 70 kg, 175 cm as 1.75 m.
fn converted(claims: &Claims, operand: f64) -> bool {
    let inputs = ["weight", "height", "temperature", "creatinine", "glucose", "calcium", "FiO2"];
    inputs.iter().any(|name| match claims.lexicon.term(name) {
        Some(Term::Measure(id)) => claims.evidence.values(id).iter().any(|value| {
            let near = |x: f64| (x - operand).abs() <= 0.006 * x.abs();
            near(value.value) || near(value.value / 100.0)
        }),
        _ => false,
    }) || claims.evidence.ages().iter().any(|age| age.value == operand)
}

/// The measure that the result is said to be.
fn measure(claims: &Claims, sentence: usize, calculation: &Calculation) -> Option<MeasureId> {
    let quantities = claims.response.reading.quantities_of(sentence);
    quantities.iter().find(|q| q.tokens.start == calculation.result_token).and_then(|q| match q.subject {
        Subject::Measure(id) => Some(id),
        _ => None,
    })
}

/// Whether the result can be a value of the measure: stated, by its formula, or from two of its own values.
fn is_value_of(claims: &Claims, id: MeasureId, calculation: &Calculation) -> bool {
    let near = |value: f64, slack: f64| (value - calculation.result).abs() <= calculation.precision.max(slack) + 1e-9;
    let values = claims.evidence.values(id);
    let own = calculation.operands.iter().filter(|&&o| values.iter().any(|v| v.printed == o)).count();
    let derived = claims.evidence.derived(id, claims.lexicon);
    if has_formula(id, claims.lexicon) && derived.is_empty() {
        // A formula whose inputs the lexicon did not find: the operands speak for it.
        return true;
    }
    // A unit turned by hand keeps the value.
    values.iter().any(|v| near(v.value, 0.006 * v.value.abs()) || near(v.printed, 0.0))
        || derived.iter().any(|(value, slack, _)| near(*value, slack.max(0.02 * value.abs())))
        || own >= 1
        || values.is_empty()
}

fn has_formula(id: MeasureId, lexicon: &Lexicon) -> bool {
    let name = lexicon.measure(id).name.as_str();
    FORMULAS.iter().any(|formula| formula.measure == name)
}
