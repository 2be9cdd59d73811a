//! The rubric: which verifiers run, how much each objective counts, and how they make one number.
//!
//! A rubric starts from a [`Preset`]; a [`RubricFile`] changes what it names. Presets for training and the held-out one
//! share no verifier: what is trained on must not judge the training.

mod file;
mod nearest;
mod thresholds;
mod verifier;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::advantage::Gate;
use crate::answer::Settings;
use crate::scored::Objective;
use crate::sections::Format;

pub use file::RubricFile;
pub use nearest::nearest;
pub use thresholds::Thresholds;
pub use verifier::Verifier;

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
    /// The second opinion: other rules than those of the training presets ([`crate::held_out`]).
    HeldOut,
}

impl Preset {
    /// All presets with their names.
    pub const ALL: [(&'static str, Preset); 4] = [
        ("crpo", Preset::Crpo),
        ("clinical-r1", Preset::ClinicalR1),
        ("accuracy-only", Preset::AccuracyOnly),
        ("held-out", Preset::HeldOut),
    ];

    /// The preset of that name.
    pub fn named(name: &str) -> Result<Preset, RubricError> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, preset)| *preset).ok_or_else(|| RubricError::Preset { name: name.to_owned() })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, preset)| *preset == self).map_or("", |(name, _)| name)
    }

    /// All names, for people.
    pub(crate) fn names() -> String {
        Self::ALL.map(|(name, _)| name).join(", ")
    }

    /// Whether a model may be trained by it. What judges the training must never be trained on.
    pub fn is_trainable(self) -> bool {
        self != Preset::HeldOut
    }

    /// The verifiers that it may run, all of them unless a file names fewer. The published scalar has none of ours.
    pub fn verifiers(self) -> &'static [Verifier] {
        match self {
            Preset::Crpo => Verifier::TRAINED,
            Preset::AccuracyOnly => &[Verifier::Answer],
            Preset::HeldOut => Verifier::HELD_OUT,
            Preset::ClinicalR1 => &[],
        }
    }
}

/// Why a rubric is refused.
#[derive(Debug, Error, PartialEq)]
#[allow(missing_docs)]
pub enum RubricError {
    #[error("unknown preset `{name}`: expected one of {}", Preset::names())]
    Preset { name: String },
    #[error("unknown objective `{name}` in the weights: expected accuracy, faithfulness, comprehensiveness or format")]
    Objective { name: String },
    #[error("the weight of {name} is {weight}: expected a number from 0")]
    Weight { name: String, weight: f64 },
    #[error("all weights are 0: at least one objective must count")]
    NoWeight,
    #[error("{name} has a weight, but the rubric runs no verifier that can earn it")]
    NoVerifier { name: &'static str },
    #[error("the weights of clinical-r1 cannot be changed: it is one published formula")]
    Published,
    #[error("{path}: cannot read: {reason}")]
    Read { path: String, reason: String },
    #[error("{place}: not valid TOML: {problem}")]
    Syntax { place: String, problem: String },
    #[error("{place}: unknown key `{key}`{}", nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    UnknownKey { place: String, key: String, nearest: Option<String> },
    #[error("{place}: `{key}` is {found}, expected {expected}")]
    Kind { place: String, key: String, expected: &'static str, found: &'static str },
    #[error("{place}: `{key}` {problem}")]
    Value { place: String, key: String, problem: String },
    #[error("lexicon {problem}")]
    Lexicon { problem: String },
}

/// What a response is scored by.
#[derive(Debug, Clone, PartialEq)]
pub struct Rubric {
    /// The way of scoring.
    pub preset: Preset,
    /// Which of the preset's verifiers run.
    pub verifiers: BTreeSet<Verifier>,
    /// The weight of each objective in the scalar.
    pub weights: BTreeMap<Objective, f64>,
    /// When an objective counts in full. In the scalar `response` and `group` are the same: a term is multiplied by the
    /// accuracy, or by [`Thresholds::wrong_answer`] where that is more.
    pub gates: BTreeMap<Objective, Gate>,
    /// The other numbers.
    pub thresholds: Thresholds,
    /// How sets, rankings and numbers are judged.
    pub answers: Settings,
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

impl Rubric {
    /// The rubric of a preset, with its defaults.
    pub fn preset(preset: Preset) -> Rubric {
        use Objective::{Comprehensiveness, Faithfulness, Format as Layout};
        let weights = match preset {
            Preset::Crpo => [1.0, 0.5, 0.3, 0.1],
            Preset::HeldOut => [1.0, 0.5, 0.3, 0.0],
            Preset::ClinicalR1 | Preset::AccuracyOnly => [1.0, 0.0, 0.0, 0.0],
        };
        Rubric {
            preset,
            verifiers: preset.verifiers().iter().copied().collect(),
            weights: Objective::ALL.into_iter().zip(weights).collect(),
            gates: [Faithfulness, Comprehensiveness, Layout].map(|objective| (objective, Gate::Response)).into(),
            thresholds: Thresholds::default(),
            answers: Settings::default(),
            format: Format::default(),
            eos: crate::clinical_r1::EOS.to_owned(),
        }
    }

    /// The same with other weights, by objective name; objectives that are not named keep theirs.
    ///
    /// # Errors
    /// A name or a weight is none, nothing would count, or the weights are not the preset's to change.
    pub fn with_weights<'a>(
        mut self,
        weights: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<Rubric, RubricError> {
        if self.preset == Preset::ClinicalR1 {
            return Err(RubricError::Published);
        }
        for (name, weight) in weights {
            let objective = Objective::ALL.into_iter().find(|objective| objective.name() == name);
            let objective = objective.ok_or_else(|| RubricError::Objective { name: name.to_owned() })?;
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(RubricError::Weight { name: name.to_owned(), weight });
            }
            self.weights.insert(objective, weight);
        }
        self.check()?;
        Ok(self)
    }

    /// Refuses a rubric under which nothing counts, or something that nothing verifies.
    fn check(&self) -> Result<(), RubricError> {
        let weighted = self.weights.iter().filter(|(_, weight)| **weight > 0.0).map(|(objective, _)| *objective);
        let mut any = false;
        for objective in weighted {
            any = true;
            if !self.earns(objective) {
                return Err(RubricError::NoVerifier { name: objective.name() });
            }
        }
        if any { Ok(()) } else { Err(RubricError::NoWeight) }
    }

    /// Whether a verifier runs that can earn an objective.
    fn earns(&self, objective: Objective) -> bool {
        self.verifiers.iter().any(|verifier| verifier.objective() == objective && verifier.earns())
    }

    /// The same with other measures of sets, rankings and numbers.
    pub fn with_answers(mut self, answers: Settings) -> Rubric {
        self.answers = answers;
        self
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

    /// Whether a verifier runs.
    pub fn uses(&self, verifier: Verifier) -> bool {
        self.verifiers.contains(&verifier)
    }

    /// The scalar: the weighted mean of the applicable objectives, in [0, 1], where each gated term is multiplied by
    /// max(accuracy, 0.3) ([`Thresholds::wrong_answer`]).
    ///
    /// Right beats tidy while all terms after accuracy are gated, as in every preset: a right answer scores at least
    /// `a / (a + t)` for the weights a of accuracy and t of the other terms, a wrong one at most `0.3 t / (a + t)`.
    /// Where given weights let t outgrow a / 0.3, the gated terms of a wrong answer are scaled down to keep that order.
    pub fn scalar(&self, values: &BTreeMap<Objective, Option<f64>>) -> Option<f64> {
        let weight = |objective: Objective| self.weights.get(&objective).copied().unwrap_or(0.0);
        let value = |objective: Objective| values.get(&objective).copied().flatten();
        let own = weight(Objective::Accuracy);
        let accuracy = value(Objective::Accuracy).filter(|_| own > 0.0);
        let (mut gated, mut open, mut rest_weight) = (0.0, 0.0, 0.0);
        for objective in Objective::ALL.into_iter().filter(|objective| *objective != Objective::Accuracy) {
            if let Some(value) = value(objective) {
                let free = self.gates.get(&objective).is_none_or(|gate| *gate == Gate::None);
                *if free { &mut open } else { &mut gated } += weight(objective) * value;
                rest_weight += weight(objective);
            }
        }
        let Some(accuracy) = accuracy else { return (rest_weight > 0.0).then(|| (gated + open) / rest_weight) };
        // A wrong answer's gated terms earn at most 0.3 of their weight, and always less than a right answer alone.
        let floor = self.thresholds.wrong_answer;
        let floor = if rest_weight > 0.0 { floor.min(0.99 * own / rest_weight) } else { floor };
        Some((own * accuracy + accuracy.max(floor) * gated + open) / (own + rest_weight))
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
        let second = Rubric::preset(Preset::HeldOut).with_weights([("format", 0.1)]);
        assert_eq!(second, Err(RubricError::NoVerifier { name: "format" }));
        assert_eq!(Rubric::preset(Preset::ClinicalR1).with_weights([]), Err(RubricError::Published));
        let unknown = Preset::named("best").unwrap_err().to_string();
        assert_eq!(unknown, "unknown preset `best`: expected one of crpo, clinical-r1, accuracy-only, held-out");
    }

    #[test]
    fn scoring_and_advantages_start_from_the_same_weights_and_gates() {
        let (rubric, advantage) = (Rubric::default(), crate::advantage::Config::default());
        assert_eq!((rubric.weights, rubric.gates), (advantage.weights, advantage.gates));
    }

    /// What is trained on does not judge the training.
    #[test]
    fn the_second_opinion_shares_no_verifier_with_training() {
        let second = &Rubric::preset(Preset::HeldOut).verifiers;
        assert!(!second.is_empty());
        for (_, preset) in Preset::ALL.iter().filter(|(_, preset)| preset.is_trainable()) {
            assert!(second.is_disjoint(&Rubric::preset(*preset).verifiers), "{preset:?}");
        }
    }

    /// Without a gate the format counts in full: 0.1 + 0.3 * (0.5 + 0.3) = 0.34 over 1.9.
    #[test]
    fn an_open_gate_by_hand() {
        let mut rubric = Rubric::default();
        rubric.gates.insert(Objective::Format, Gate::None);
        let wrong = rubric.scalar(&values([Some(0.0), Some(1.0), Some(1.0), Some(1.0)])).unwrap();
        assert!((wrong - 0.34 / 1.9).abs() < 1e-12);
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
