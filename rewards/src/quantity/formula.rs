//! Values that follow from others by a named formula: each only for the quantity that it is the formula of.

use crate::lexicon::Sex;

/// What a formula takes from the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A value of the measure of that name, in the lexicon's unit.
    Measure(&'static str),
    /// The patient's age in years.
    Age,
}

/// A formula of a derived measure.
#[derive(Debug)]
pub struct Formula {
    /// The measure's name in the lexicon.
    pub measure: &'static str,
    /// What it is computed from.
    pub inputs: &'static [Input],
    /// The value, in the measure's unit, from the inputs in order and the patient's sex.
    pub compute: fn(&[f64], Option<Sex>) -> f64,
    /// Share of the value by which rounding and the formula's own variants move it.
    pub slack: f64,
}

use Input::{Age, Measure};

/// Pressure of dry air at sea level, mm Hg: 760 less 47 of water vapour.
const DRY_AIR: f64 = 713.0;
/// The respiratory quotient of the alveolar gas equation.
const QUOTIENT: f64 = 0.8;

/// Calculated osmolality: twice the sodium, glucose and urea nitrogen from mg/dL to mmol/L.
fn osmolality(sodium: f64, glucose: f64, urea: f64) -> f64 {
    2.0 * sodium + glucose / 18.0 + urea / 2.8
}

/// All formulas; a measure may have several.
pub const FORMULAS: &[Formula] = &[
    // Quetelet.
    Formula {
        measure: "body mass index",
        inputs: &[Measure("weight"), Measure("height")],
        compute: |v, _| v[0] / (v[1] / 100.0).powi(2),
        slack: 0.02,
    },
    Formula {
        measure: "mean arterial pressure",
        inputs: &[Measure("systolic blood pressure"), Measure("diastolic blood pressure")],
        compute: |v, _| (v[0] + 2.0 * v[1]) / 3.0,
        slack: 0.01,
    },
    Formula {
        measure: "pulse pressure",
        inputs: &[Measure("systolic blood pressure"), Measure("diastolic blood pressure")],
        compute: |v, _| v[0] - v[1],
        slack: 0.0,
    },
    Formula {
        measure: "anion gap",
        inputs: &[Measure("sodium"), Measure("chloride"), Measure("bicarbonate")],
        compute: |v, _| v[0] - v[1] - v[2],
        slack: 0.0,
    },
    // Some laboratories count potassium.
    Formula {
        measure: "anion gap",
        inputs: &[Measure("sodium"), Measure("potassium"), Measure("chloride"), Measure("bicarbonate")],
        compute: |v, _| v[0] + v[1] - v[2] - v[3],
        slack: 0.0,
    },
    // Payne (1973): 0.8 mg/dL for each g/dL of albumin below 4.
    Formula {
        measure: "corrected calcium",
        inputs: &[Measure("calcium"), Measure("albumin")],
        compute: |v, _| v[0] + 0.8 * (4.0 - v[1]),
        slack: 0.02,
    },
    // Katz (1973): 1.6 mmol/L for each 100 mg/dL of glucose above 100; Hillier (1999): 2.4.
    Formula {
        measure: "corrected sodium",
        inputs: &[Measure("sodium"), Measure("glucose")],
        compute: |v, _| v[0] + 0.016 * (v[1] - 100.0),
        slack: 0.005,
    },
    Formula {
        measure: "corrected sodium",
        inputs: &[Measure("sodium"), Measure("glucose")],
        compute: |v, _| v[0] + 0.024 * (v[1] - 100.0),
        slack: 0.005,
    },
    Formula {
        measure: "serum osmolality",
        inputs: &[Measure("sodium"), Measure("glucose"), Measure("urea nitrogen")],
        compute: |v, _| osmolality(v[0], v[1], v[2]),
        slack: 0.01,
    },
    Formula {
        measure: "osmolal gap",
        inputs: &[Measure("serum osmolality"), Measure("sodium"), Measure("glucose"), Measure("urea nitrogen")],
        compute: |v, _| v[0] - osmolality(v[1], v[2], v[3]),
        slack: 0.05,
    },
    // Cockcroft and Gault (1976).
    Formula {
        measure: "glomerular filtration rate",
        inputs: &[Age, Measure("weight"), Measure("creatinine")],
        compute: |v, sex| {
            let women = if sex == Some(Sex::Female) { 0.85 } else { 1.0 };
            (140.0 - v[0]) * v[1] * women / (72.0 * v[2])
        },
        slack: 0.03,
    },
    // The alveolar gas equation at sea level; on room air where no share of oxygen is stated.
    Formula {
        measure: "alveolar-arterial gradient",
        inputs: &[Measure("FiO2"), Measure("PaCO2"), Measure("PaO2")],
        compute: |v, _| v[0] / 100.0 * DRY_AIR - v[1] / QUOTIENT - v[2],
        slack: 0.05,
    },
    Formula {
        measure: "alveolar-arterial gradient",
        inputs: &[Measure("PaCO2"), Measure("PaO2")],
        compute: |v, _| 0.21 * DRY_AIR - v[0] / QUOTIENT - v[1],
        slack: 0.05,
    },
    // Bazett (1920), the heart rate from which RR = 60 / rate seconds.
    Formula {
        measure: "QTc interval",
        inputs: &[Measure("QT interval"), Measure("heart rate")],
        compute: |v, _| v[0] / (60.0 / v[1]).sqrt(),
        slack: 0.02,
    },
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// By hand: 70 kg, 175 cm: 22.86; 120/80: 93.3 and 40; 140 - 104 - 24 = 12; calcium 7.6 at albumin 2.0: 9.2;
    /// sodium 130 at glucose 500: 136.4 or 139.6; 2 x 140 + 90/18 + 14/2.8 = 290; (140 - 60) x 72 / (72 x 1) = 80, in
    /// women 68; room air with 40 and 80 mm Hg: 149.73 - 50 - 80 = 19.73; QT 400 ms at 60/min: 400.
    #[test]
    fn worked_examples() {
        let rows: &[(&str, &[f64], Option<Sex>, f64)] = &[
            ("body mass index", &[70.0, 175.0], None, 22.857),
            ("mean arterial pressure", &[120.0, 80.0], None, 93.333),
            ("pulse pressure", &[120.0, 80.0], None, 40.0),
            ("anion gap", &[140.0, 104.0, 24.0], None, 12.0),
            ("anion gap", &[140.0, 4.0, 104.0, 24.0], None, 16.0),
            ("corrected calcium", &[7.6, 2.0], None, 9.2),
            ("corrected sodium", &[130.0, 500.0], None, 136.4),
            ("serum osmolality", &[140.0, 90.0, 14.0], None, 290.0),
            ("osmolal gap", &[320.0, 140.0, 90.0, 14.0], None, 30.0),
            ("glomerular filtration rate", &[60.0, 72.0, 1.0], Some(Sex::Male), 80.0),
            ("glomerular filtration rate", &[60.0, 72.0, 1.0], Some(Sex::Female), 68.0),
            ("alveolar-arterial gradient", &[40.0, 80.0], None, 19.73),
            ("alveolar-arterial gradient", &[100.0, 40.0, 80.0], None, 583.0),
            ("QTc interval", &[400.0, 60.0], None, 400.0),
        ];
        for (measure, inputs, sex, expected) in rows {
            let of = |f: &&Formula| f.measure == *measure && f.inputs.len() == inputs.len();
            let formula = FORMULAS.iter().find(of).unwrap();
            let value = (formula.compute)(inputs, *sex);
            assert!((value - expected).abs() < 0.005, "{measure}: {value}");
        }
    }
}
