//! Questions whose answer is a number computed from the record.

use super::patient::Patient;
use super::phrase::capital;
use super::rng::{Rng, round};
use super::truth::{Asked, Truth, print_number};

/// A named formula over stated values.
struct Formula {
    quantity: &'static str,
    unit: &'static str,
    /// Name in running text, unit, decimals, range.
    operands: &'static [(&'static str, &'static str, u32, f64, f64)],
    decimals: u32,
    /// Results outside are drawn again: nobody has them.
    plausible: (f64, f64),
    compute: fn(&[f64]) -> f64,
    /// The arithmetic, with `{0}`, `{1}`, ... and `{=}` for the result.
    shown: &'static str,
}

const FORMULAS: &[Formula] = &[
    // Without potassium; normal 8-12 mEq/L (Kraut and Madias 2007).
    Formula {
        quantity: "anion gap",
        unit: "mEq/L",
        operands: &[
            ("sodium", "mEq/L", 0, 128.0, 148.0),
            ("chloride", "mEq/L", 0, 94.0, 110.0),
            ("bicarbonate", "mEq/L", 0, 8.0, 26.0),
        ],
        decimals: 0,
        plausible: (5.0, 32.0),
        compute: |v| v[0] - v[1] - v[2],
        shown: "{0} - {1} - {2} = {=}",
    },
    // Systolic minus diastolic.
    Formula {
        quantity: "pulse pressure",
        unit: "mm Hg",
        operands: &[
            ("systolic blood pressure", "mm Hg", 0, 108.0, 186.0),
            ("diastolic blood pressure", "mm Hg", 0, 58.0, 98.0),
        ],
        decimals: 0,
        plausible: (24.0, 100.0),
        compute: |v| v[0] - v[1],
        shown: "{0} - {1} = {=}",
    },
    // Diastolic pressure plus a third of the pulse pressure.
    Formula {
        quantity: "mean arterial pressure",
        unit: "mm Hg",
        operands: &[
            ("systolic blood pressure", "mm Hg", 0, 96.0, 186.0),
            ("diastolic blood pressure", "mm Hg", 0, 52.0, 94.0),
        ],
        decimals: 0,
        plausible: (60.0, 125.0),
        compute: |v| (v[0] + 2.0 * v[1]) / 3.0,
        shown: "({0} + 2 * {1}) / 3 = {=}",
    },
    // Payne et al., BMJ 1973: 0.8 mg/dL for each g/dL of albumin below 4.
    Formula {
        quantity: "corrected calcium",
        unit: "mg/dL",
        operands: &[("calcium", "mg/dL", 1, 7.2, 10.4), ("albumin", "g/dL", 1, 1.8, 3.6)],
        decimals: 1,
        plausible: (7.6, 12.4),
        compute: |v| v[0] + 0.8 * (4.0 - v[1]),
        shown: "{0} + 0.8 * (4.0 - {1}) = {=}",
    },
];

fn formula(quantity: &str) -> Option<&'static Formula> {
    FORMULAS.iter().find(|formula| formula.quantity == quantity)
}

/// What is asked, with operands drawn: the question's sentence with the values, the unit, and the truth.
pub struct Drawn {
    /// States the operands.
    pub statement: String,
    /// Asks for the quantity.
    pub question: String,
    /// Unit of the answer.
    pub unit: &'static str,
    /// Digits after the point of the answer.
    pub decimals: u32,
    /// The answer.
    pub value: f64,
    /// For the case's metadata.
    pub asked: Asked,
}

/// Draws a formula and its operands; those that the patient's facts already state are left alone.
pub fn draw(patient: &Patient, rng: &mut Rng) -> Drawn {
    let known = |name: &str| patient.facts.iter().any(|fact| fact.phrase == name);
    let free: Vec<&Formula> =
        FORMULAS.iter().filter(|formula| formula.operands.iter().all(|(name, ..)| !known(name))).collect();
    let formula = if free.is_empty() { &FORMULAS[3] } else { *rng.pick(&free) };
    let draw = |rng: &mut Rng| -> (Vec<f64>, f64) {
        let operands = formula.operands.iter();
        let values: Vec<f64> = operands.map(|(_, _, decimals, low, high)| rng.value(*low, *high, *decimals)).collect();
        let value = round((formula.compute)(&values), formula.decimals);
        (values, value)
    };
    let (mut values, mut value) = draw(rng);
    for _ in 0..200 {
        if (formula.plausible.0..=formula.plausible.1).contains(&value) {
            break;
        }
        (values, value) = draw(rng);
    }
    let items: Vec<String> = formula
        .operands
        .iter()
        .zip(&values)
        .map(|((name, unit, decimals, ..), value)| format!("{name} is {} {unit}", print_number(*value, *decimals)))
        .collect();
    let (quantity, unit) = (formula.quantity, formula.unit);
    let questions = [
        format!("What is the {quantity} in {unit}?"),
        format!("Calculate the {quantity} in {unit}."),
        format!("What is this patient's {quantity} in {unit}?"),
    ];
    Drawn {
        statement: format!("{}.", capital(&super::phrase::list(&items))),
        question: rng.pick(&questions).clone(),
        unit,
        decimals: formula.decimals,
        value,
        asked: Asked::Calculation {
            quantity: quantity.to_owned(),
            operands: formula
                .operands
                .iter()
                .zip(&values)
                .map(|((name, ..), value)| ((*name).to_owned(), *value))
                .collect(),
            result: print_number(value, formula.decimals),
        },
    }
}

/// Sentences that show the operands and the arithmetic, with the given result.
pub fn reasoning(
    truth: &Truth,
    quantity: &str,
    operands: &[(String, f64)],
    result: &str,
    terse: bool,
    rng: &mut Rng,
) -> Vec<String> {
    let Some(formula) = formula(quantity) else { return Vec::new() };
    let her = if truth.female { "her" } else { "his" };
    let stated: Vec<String> = formula
        .operands
        .iter()
        .zip(operands)
        .map(|((_, unit, decimals, ..), (name, value))| {
            format!("{her} {name} is {} {unit}", print_number(*value, *decimals))
        })
        .collect();
    let mut shown = formula.shown.replace("{=}", &format!("{result} {}", formula.unit));
    for (i, ((_, _, decimals, ..), (_, value))) in formula.operands.iter().zip(operands).enumerate() {
        shown = shown.replace(&format!("{{{i}}}"), &print_number(*value, *decimals));
    }
    let opening = format!("{}.", capital(&super::phrase::list(&stated)));
    let templates = [format!("The {quantity} is {shown}."), format!("So the {quantity} is {shown}.")];
    let arithmetic = rng.pick(&templates).clone();
    if terse { vec![format!("The {quantity} is {result} {}.", formula.unit)] } else { vec![opening, arithmetic] }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn results_are_plausible() {
        for index in 0..600 {
            let mut rng = Rng::keyed(&[index]);
            let mut patient = crate::synth::patient::draw(&mut rng);
            patient.facts.clear();
            let drawn = draw(&patient, &mut rng);
            let Asked::Calculation { quantity, .. } = &drawn.asked else { panic!("no calculation") };
            let (low, high) = formula(quantity).unwrap().plausible;
            assert!((low..=high).contains(&drawn.value), "{quantity} {}", drawn.value);
        }
    }

    #[test]
    fn formulas_by_hand() {
        // 140 - 104 - 20 = 16; 120 - 80 = 40; (120 + 160) / 3 = 93.33; 8.0 + 0.8 * (4 - 2) = 9.6.
        let value = |quantity: &str, v: &[f64]| (formula(quantity).unwrap().compute)(v);
        assert_eq!(value("anion gap", &[140.0, 104.0, 20.0]), 16.0);
        assert_eq!(value("pulse pressure", &[120.0, 80.0]), 40.0);
        assert!((value("mean arterial pressure", &[120.0, 80.0]) - 93.333_333).abs() < 1e-5);
        assert!((value("corrected calcium", &[8.0, 2.0]) - 9.6).abs() < 1e-12);
    }
}
