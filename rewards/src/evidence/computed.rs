//! Values that the evidence does not state and that its values come to.

use super::{EvidenceIndex, Place, Value};
use crate::lexicon::{Lexicon, MeasureId, Term};
use crate::quantity::formula::{FORMULAS, Formula, Input};

impl EvidenceIndex {
    /// What the formulas of a derived measure come to, with the values that each rests on.
    pub fn derived(&self, measure: MeasureId, lexicon: &Lexicon) -> Vec<(f64, f64, Vec<Place>)> {
        let name = lexicon.measure(measure).name.as_str();
        let mut found = Vec::new();
        for formula in FORMULAS.iter().filter(|formula| formula.measure == name) {
            self.compute(formula, lexicon, &mut found);
        }
        found
    }

    /// A formula over the evidence's values: all combinations of the first few of each input.
    fn compute(&self, formula: &Formula, lexicon: &Lexicon, found: &mut Vec<(f64, f64, Vec<Place>)>) {
        const FEW: usize = 4;
        let inputs: Vec<&[Value]> = formula
            .inputs
            .iter()
            .map(|input| match input {
                Input::Age => self.ages(),
                Input::Measure(name) => match lexicon.term(name) {
                    Some(Term::Measure(id)) => self.values(id),
                    _ => &[],
                },
            })
            .map(|values| &values[..values.len().min(FEW)])
            .collect();
        let combinations: usize = inputs.iter().map(|values| values.len()).product();
        for number in 0..combinations {
            let mut rest = number;
            let mut taken = Vec::with_capacity(inputs.len());
            for values in &inputs {
                taken.push(values[rest % values.len()]);
                rest /= values.len();
            }
            let numbers: Vec<f64> = taken.iter().map(|value| value.value).collect();
            let value = (formula.compute)(&numbers, self.sex);
            if value.is_finite() {
                found.push((value, formula.slack * value.abs(), taken.iter().map(|value| value.place).collect()));
            }
        }
    }
}
