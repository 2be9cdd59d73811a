//! Which estimator, and its settings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::constrained::Constrained;
use crate::scored::Objective;

/// How rewards become advantages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    /// `(r - mean) / (std + eps)` of the group's scalar rewards.
    Grpo,
    /// `r - mean`.
    DrGrpo,
    /// `r` less the mean of the others.
    Rloo,
    /// `(r - group mean) / (std + eps)`, the standard deviation over all rewards of the batch.
    BatchStd,
    /// Each objective standardised by itself, gated and floored; see [`crate::advantage::crpo`].
    #[default]
    Crpo,
    /// `crpo` with floor 0 and no gate.
    MoGrpo,
    /// `mo_grpo`, whitened over the batch.
    Gdpo,
    /// One objective under bounds on the others, by dual ascent; see [`crate::advantage::constrained`].
    Constrained,
    /// verl's `gdpo`; see [`crate::advantage::peers`].
    #[serde(rename = "verl:gdpo")]
    VerlGdpo,
    /// TRL's `normalize_then_sum`.
    #[serde(rename = "trl:normalize_then_sum")]
    TrlNormalizeThenSum,
    /// NeMo-RL's `gdpo`.
    #[serde(rename = "nemo:gdpo")]
    NemoGdpo,
}

impl Estimator {
    /// Every estimator with its name in configurations.
    pub const NAMES: &'static [(&'static str, Estimator)] = &[
        ("grpo", Self::Grpo),
        ("dr_grpo", Self::DrGrpo),
        ("rloo", Self::Rloo),
        ("batch_std", Self::BatchStd),
        ("crpo", Self::Crpo),
        ("mo_grpo", Self::MoGrpo),
        ("gdpo", Self::Gdpo),
        ("constrained", Self::Constrained),
        ("verl:gdpo", Self::VerlGdpo),
        ("trl:normalize_then_sum", Self::TrlNormalizeThenSum),
        ("nemo:gdpo", Self::NemoGdpo),
    ];

    /// Whether it reads one number a response, and not a value for each objective.
    pub fn is_scalar(self) -> bool {
        matches!(self, Self::Grpo | Self::DrGrpo | Self::Rloo | Self::BatchStd)
    }

    /// Whether it is a peer's, gap for gap: what a group of one or a tied group gets is the peer's choice too.
    pub fn is_peer(self) -> bool {
        matches!(self, Self::VerlGdpo | Self::TrlNormalizeThenSum | Self::NemoGdpo)
    }
}

/// When an objective counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Always.
    #[default]
    None,
    /// A response that is not right gets the group's lowest value.
    Response,
    /// A group without a right response gets 0.
    Group,
}

/// What the combined advantages are standardised over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whiten {
    /// Nothing.
    #[default]
    None,
    /// The batch's responses, each counted once.
    Sequences,
    /// The batch's responses, each counted once a token.
    Tokens,
}

/// Where the scalar of `grpo`, `dr_grpo`, `rloo` and `batch_std` comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScalarSource {
    /// The sum of weight times value over the applicable objectives.
    #[default]
    Weighted,
    /// The reward preset's own scalar.
    Preset,
}

/// The settings of the advantage computation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The estimator.
    pub estimator: Estimator,
    /// Weight of each objective; one that is not named weighs nothing.
    pub weights: BTreeMap<Objective, f64>,
    /// Gate of each objective, read by `crpo` and `constrained`; one that is not named has none.
    pub gates: BTreeMap<Objective, Gate>,
    /// Lowest standard deviation that a difference is divided by, in units of the objective, read by `crpo` and `constrained`.
    pub floor: f64,
    /// Floors of single objectives, in place of `floor`.
    pub floors: BTreeMap<Objective, f64>,
    /// Added to every standard deviation that is divided by.
    pub eps: f64,
    /// Whitening of the combined advantages; `gdpo` whitens over sequences where this is `none`.
    pub whiten: Whiten,
    /// Largest absolute advantage of `crpo`, `mo_grpo`, `gdpo` and `constrained`.
    pub clip: f64,
    /// Where scalar estimators take their scalar from.
    pub scalar: ScalarSource,
    /// The bounds of `constrained`.
    pub constrained: Constrained,
}

impl Default for Config {
    /// `crpo`: accuracy 1, faithfulness 0.5, comprehensiveness 0.3, format 0.1, the last three gated by the response.
    fn default() -> Self {
        use Objective::{Accuracy, Comprehensiveness, Faithfulness, Format};
        Self {
            estimator: Estimator::Crpo,
            weights: BTreeMap::from([(Accuracy, 1.0), (Faithfulness, 0.5), (Comprehensiveness, 0.3), (Format, 0.1)]),
            gates: [Faithfulness, Comprehensiveness, Format].map(|o| (o, Gate::Response)).into(),
            floor: 0.05,
            floors: BTreeMap::new(),
            eps: 1e-6,
            whiten: Whiten::None,
            clip: 5.0,
            scalar: ScalarSource::Weighted,
            constrained: Constrained::default(),
        }
    }
}

impl Config {
    /// The published scalar through `grpo`, as Clinical-R1-3B was trained. The caller scores with the reward preset of
    /// the same name.
    pub fn clinical_r1() -> Self {
        Self { estimator: Estimator::Grpo, scalar: ScalarSource::Preset, ..Self::default() }
    }

    /// Refuses settings that no estimator can work with.
    pub fn validate(&self) -> Result<(), Error> {
        let named = |name: &'static str, map: &BTreeMap<Objective, f64>| -> Vec<(String, f64)> {
            map.iter().map(|(o, v)| (format!("{name}.{}", o.name()), *v)).collect()
        };
        let mut all = named("weights", &self.weights);
        all.extend(named("floors", &self.floors));
        all.extend([("floor".to_owned(), self.floor), ("eps".to_owned(), self.eps)]);
        for (name, value) in all {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::Setting { name, value, right: "a number of at least 0" });
            }
        }
        // A clip of 0 would silence every response; infinity is "no clip".
        if self.clip.is_nan() || self.clip <= 0.0 {
            return Err(Error::Setting { name: "clip".to_owned(), value: self.clip, right: "above 0 (inf: no clip)" });
        }
        if self.estimator == Estimator::NemoGdpo && self.weights.len() < 2 {
            return Err(Error::OneObjective);
        }
        self.constrained.validate()
    }
}

/// Why no advantages could be computed.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Error {
    /// A reward is infinite or not a number.
    #[error(
        "group {group}, response {response}: the reward {name} is {value}; it must be a finite number, or null where it does not apply"
    )]
    NotFinite {
        /// Index of the group in the batch.
        group: usize,
        /// Index of the response in the group.
        response: usize,
        /// The objective, or `scalar`.
        name: &'static str,
        /// What stood there.
        value: f64,
    },
    /// `nemo:gdpo`, as its peer, needs something to decouple.
    #[error("advantage.estimator is nemo:gdpo, which needs weights for at least two objectives; use grpo for one")]
    OneObjective,
    /// An objective is both improved and bounded.
    #[error("advantage.constrained: {name} is both the primary objective and a constraint; it must be one of them")]
    ConstrainedPrimary {
        /// The objective.
        name: &'static str,
    },
    /// `constrained` was asked for without the state of its dual ascent.
    #[error("advantage.estimator is constrained, which needs its multipliers: call `advantages_under`")]
    NoMultipliers,
    /// A setting is out of range.
    #[error("advantage.{name} is {value}; it must be {right}")]
    Setting {
        /// The key below `[advantage]` (weights stand in `[rewards]` too).
        name: String,
        /// What stood there.
        value: f64,
        /// What would be right.
        right: &'static str,
    },
}
