//! The rubric: which objectives count, how much, and how they make one number.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::scored::Objective;
use crate::sections::Format;

/// A named way of scoring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preset {
    /// All four objectives, verified by content (rewards.md, "The scalar").
    #[default]
    Crpo,
    /// The published scalar of Clinical-R1 ([`crate::clinical_r1`]).
    ClinicalR1,
    /// The answer alone.
    AccuracyOnly,
}

impl Preset {
    /// All presets with their names.
    pub const ALL: [(&'static str, Preset); 3] =
        [("crpo", Preset::Crpo), ("clinical-r1", Preset::ClinicalR1), ("accuracy-only", Preset::AccuracyOnly)];

    /// The preset of that name.
    pub fn named(name: &str) -> Result<Preset, RubricError> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, preset)| *preset).ok_or_else(|| RubricError::Preset { name: name.to_owned() })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, preset)| *preset == self).map_or("", |(name, _)| name)
    }
}

/// Why a rubric is refused.
#[derive(Debug, Error, PartialEq)]
#[allow(missing_docs)]
pub enum RubricError {
    #[error("unknown preset `{name}`: expected crpo, clinical-r1 or accuracy-only")]
    Preset { name: String },
    #[error("unknown objective `{name}` in the weights: expected accuracy, faithfulness, comprehensiveness or format")]
    Objective { name: String },
    #[error("the weight of {name} is {weight}: expected a number from 0")]
    Weight { name: String, weight: f64 },
    #[error("all weights are 0: at least one objective must count")]
    NoWeight,
}

/// What a response is scored by.
#[derive(Debug, Clone, PartialEq)]
pub struct Rubric {
    /// The way of scoring.
    pub preset: Preset,
    /// The weight of each objective in the scalar.
    pub weights: BTreeMap<Objective, f64>,
    /// The layout that was asked for.
    pub format: Format,
    /// The end-of-sequence marker of `clinical-r1`.
    pub eos: String,
}

impl Default for Rubric {
    fn default() -> Self {
        Rubric::preset(Preset::default())
    }
}

/// What tidiness is worth beside a wrong answer: the factor of all terms after accuracy never falls below it.
const FLOOR: f64 = 0.3;

impl Rubric {
    /// The rubric of a preset, with its default weights.
    pub fn preset(preset: Preset) -> Rubric {
        let weights = match preset {
            Preset::Crpo => [1.0, 0.5, 0.3, 0.1],
            Preset::ClinicalR1 | Preset::AccuracyOnly => [1.0, 0.0, 0.0, 0.0],
        };
        let weights = Objective::ALL.into_iter().zip(weights).collect();
        Rubric { preset, weights, format: Format::default(), eos: crate::clinical_r1::EOS.to_owned() }
    }

    /// The same with other weights, by objective name; objectives that are not named keep theirs.
    pub fn with_weights<'a>(
        mut self,
        weights: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<Rubric, RubricError> {
        for (name, weight) in weights {
            let objective = Objective::ALL.into_iter().find(|objective| objective.name() == name);
            let objective = objective.ok_or_else(|| RubricError::Objective { name: name.to_owned() })?;
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(RubricError::Weight { name: name.to_owned(), weight });
            }
            self.weights.insert(objective, weight);
        }
        if self.weights.values().all(|weight| *weight == 0.0) {
            return Err(RubricError::NoWeight);
        }
        Ok(self)
    }

    /// The same with another layout.
    pub fn with_format(mut self, format: Format) -> Rubric {
        self.format = format;
        self
    }

    /// Whether an objective counts.
    pub fn counts(&self, objective: Objective) -> bool {
        self.weights.get(&objective).is_some_and(|weight| *weight > 0.0)
    }

    /// The scalar of `crpo`: the weighted mean of the applicable objectives, in [0, 1], where all terms after accuracy
    /// are multiplied by max(accuracy, 0.3).
    ///
    /// Right beats tidy: a right answer scores at least `a / (a + t)` for the weights a of accuracy and t of the other
    /// terms, a wrong one at most `0.3 t / (a + t)`. Where given weights let t outgrow a / 0.3, the terms of a wrong
    /// answer are scaled down to keep that order.
    pub fn scalar(&self, values: &BTreeMap<Objective, Option<f64>>) -> Option<f64> {
        let weight = |objective: Objective| self.weights.get(&objective).copied().unwrap_or(0.0);
        let value = |objective: Objective| values.get(&objective).copied().flatten();
        let own = weight(Objective::Accuracy);
        let accuracy = value(Objective::Accuracy).filter(|_| own > 0.0);
        let (mut rest, mut rest_weight) = (0.0, 0.0);
        for objective in Objective::ALL.into_iter().filter(|objective| *objective != Objective::Accuracy) {
            if let Some(value) = value(objective) {
                rest += weight(objective) * value;
                rest_weight += weight(objective);
            }
        }
        let Some(accuracy) = accuracy else { return (rest_weight > 0.0).then(|| rest / rest_weight) };
        // A wrong answer's terms earn at most 0.3 of their weight, and always less than a right answer alone.
        let floor = if rest_weight > 0.0 { FLOOR.min(0.99 * own / rest_weight) } else { FLOOR };
        let gate = accuracy.max(floor);
        Some((own * accuracy + gate * rest) / (own + rest_weight))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn values(numbers: [Option<f64>; 4]) -> BTreeMap<Objective, Option<f64>> {
        Objective::ALL.into_iter().zip(numbers).collect()
    }

    /// 1 + 0.5 * 0.8 + 0.1 = 1.5 over 1.6 = 0.9375; wrong: 0.3 * (0.5 + 0.3 + 0.1) = 0.27 over 1.9.
    #[test]
    fn the_scalar_by_hand() {
        let rubric = Rubric::default();
        let right = rubric.scalar(&values([Some(1.0), Some(0.8), None, Some(1.0)])).unwrap();
        assert!((right - 0.9375).abs() < 1e-12);
        let wrong = rubric.scalar(&values([Some(0.0), Some(1.0), Some(1.0), Some(1.0)])).unwrap();
        assert!((wrong - 0.27 / 1.9).abs() < 1e-12);
        assert_eq!(rubric.scalar(&values([None, None, None, None])), None);
    }

    #[test]
    fn bad_rubrics_are_refused() {
        let weigh = |name, weight| Rubric::default().with_weights([(name, weight)]);
        assert!(matches!(weigh("tidiness", 1.0), Err(RubricError::Objective { .. })));
        assert!(matches!(weigh("format", -1.0), Err(RubricError::Weight { .. })));
        let none = Rubric::preset(Preset::AccuracyOnly).with_weights([("accuracy", 0.0)]);
        assert_eq!(none, Err(RubricError::NoWeight));
        assert!(Preset::named("best").is_err());
    }

    proptest::proptest! {
        /// No wrong answer, however tidy, outranks a right one, however untidy, whatever the weights.
        #[test]
        fn right_beats_tidy(
            weights in proptest::array::uniform4(0.01_f64..10.0),
            tidy in proptest::array::uniform3(0.0_f64..=1.0),
            untidy in proptest::array::uniform3(0.0_f64..=1.0),
            applicable in proptest::array::uniform3(proptest::bool::ANY),
        ) {
            let names = Objective::ALL.map(Objective::name);
            let rubric = Rubric::default().with_weights(names.into_iter().zip(weights)).unwrap();
            // What applies depends on the case alone, so both responses have the same objectives.
            let with = |accuracy: f64, rest: [f64; 3]| {
                let rest = [0, 1, 2].map(|i| applicable[i].then_some(rest[i]));
                rubric.scalar(&values([Some(accuracy), rest[0], rest[1], rest[2]])).unwrap()
            };
            proptest::prop_assert!(with(1.0, untidy) > with(0.0, tidy));
        }
    }
}
