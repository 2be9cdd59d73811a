//! An objective as numbers, for a device that computes losses and derivatives by itself.

use super::PolicyConfig;

/// What the loss of one label needs besides the label's own values. Laid out as `struct Term` of
/// `cuda/kernels/objective.cu`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct Term {
    weight: f64,
    advantage: f64,
    old: f32,
    reference: f32,
    /// Bit 0: `old` is given. Bit 1: `reference` is given.
    given: u32,
    sequence: u32,
}

impl Term {
    /// A label of a sequence, whose loss is multiplied by `weight`; without old and reference log-probabilities.
    pub fn new(weight: f64, advantage: f64, sequence: u32) -> Self {
        Self { weight, advantage, old: 0.0, reference: 0.0, given: 0, sequence }
    }

    /// With the log-probability before the batch's first step.
    pub fn with_old(self, old: Option<f32>) -> Self {
        old.map_or(self, |old| Self { old, given: self.given | 1, ..self })
    }

    /// With the log-probability under the reference.
    pub fn with_reference(self, reference: Option<f32>) -> Self {
        reference.map_or(self, |reference| Self { reference, given: self.given | 2, ..self })
    }

    /// The label's sequence.
    pub fn sequence(&self) -> u32 {
        self.sequence
    }
}

/// An objective over labels: `sum of w (loss + kl - entropy_coefficient H)` with what each label needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// The loss.
    pub config: PolicyConfig,
    /// In the order of the labels that were asked for.
    pub labels: Vec<Term>,
}
