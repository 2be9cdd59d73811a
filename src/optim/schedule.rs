//! Learning-rate schedules.

use serde::{Deserialize, Serialize};

/// How the rate falls after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Not at all.
    #[default]
    Constant,
    /// In a straight line to 0 at the last step's end.
    Linear,
    /// Along half a cosine to 0 at the last step's end.
    Cosine,
}

/// The learning rate as a function of the step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The shape.
    pub kind: ScheduleKind,
    /// The highest rate.
    pub peak: f64,
    /// Optimiser steps until the rate is reached; the first of them already moves.
    pub warmup: u64,
    /// Optimiser steps of the whole run.
    pub total: u64,
}

impl Schedule {
    /// The rate of optimiser step `step`, counted from 0. Steps past the end keep the last rate, 0 unless constant.
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let falling = self.total.saturating_sub(self.warmup).max(1) as f64;
        let progress = ((step - self.warmup) as f64 / falling).min(1.0);
        self.peak
            * match self.kind {
                ScheduleKind::Constant => 1.0,
                ScheduleKind::Linear => 1.0 - progress,
                ScheduleKind::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
            }
    }
}
