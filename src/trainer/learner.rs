//! The model with its optimiser: gradients are added micro-batch by micro-batch, then applied in one step.

use std::borrow::Cow;

use crate::config::RunConfig;
use crate::model::Saved;
use crate::model::decoder::{Decoder, StepOptions};
use crate::model::parameters::Parameters;
use crate::objective::{LabelValue, TokenObjective};
use crate::optim::{Schedule, State};
use crate::rollout::{Completion, Rollout};

use super::batch::{self, Part};
pub use super::engine::Pending;
use super::engine::{self, Engine};
use super::error::TrainError;
use super::pack::{Packed, TokenGroup};

/// The trained model, its gradients and its optimiser.
#[derive(Debug)]
pub struct Learner {
    /// The model. Where a GPU computes, its weights are those it began with; see [`Learner::parameters`].
    pub decoder: Decoder,
    engine: Box<dyn Engine>,
    schedule: Schedule,
    max_grad_norm: f64,
    temperature: f64,
    budget: usize,
    saved: Option<Saved>,
}

/// What one optimiser step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Applied {
    /// Norm of the gradient before it was clipped; not finite: the step was not taken.
    pub grad_norm: f64,
    /// The learning rate.
    pub rate: f64,
}

impl Learner {
    /// A learner whose optimiser starts from nothing, or from a checkpoint's state. `total` is the number of optimiser
    /// steps of the whole run; `temperature` that of every log-probability.
    pub fn new(
        decoder: Decoder,
        state: Option<State>,
        config: &RunConfig,
        total: u64,
        temperature: f64,
    ) -> Result<Self, TrainError> {
        let optim = &config.raw.optim;
        let schedule = Schedule { kind: config.schedule, peak: optim.lr, warmup: optim.warmup_steps as u64, total };
        Ok(Self {
            engine: engine::open(config, &decoder, state)?,
            decoder,
            schedule,
            max_grad_norm: optim.max_grad_norm,
            temperature,
            budget: config.raw.trainer.max_packed_tokens,
            saved: config.saved,
        })
    }

    /// The weights as they are now.
    pub fn parameters(&self) -> Result<Cow<'_, Parameters<f32>>, TrainError> {
        self.engine.parameters(&self.decoder)
    }

    /// Samples responses under the learner's weights, in (prompt, sample) order.
    pub fn generate(&self, rollout: &Rollout<'_>) -> Result<Vec<Completion>, TrainError> {
        self.engine.generate(&self.decoder, rollout)
    }

    /// The optimiser's moments and step count.
    pub fn state(&self) -> Result<Cow<'_, State>, TrainError> {
        self.engine.state()
    }

    /// Temperature of every log-probability.
    pub fn temperature(&self) -> f64 {
        self.temperature
    }

    /// Cuts groups into micro-batches.
    pub fn cut(&self, groups: &[TokenGroup]) -> Vec<Vec<Part>> {
        let lengths: Vec<_> = groups.iter().map(TokenGroup::lengths).collect();
        batch::cut(&lengths, self.budget)
    }

    /// Packs one micro-batch.
    pub fn pack(&self, groups: &[TokenGroup], parts: &[Part]) -> Result<Packed, TrainError> {
        Packed::new(groups, parts, self.engine.min_shared()).map_err(|error| TrainError::Failed(error.to_string()))
    }

    /// Adds a micro-batch's gradient; the values of its labels are best read after [`Learner::apply`], which a device
    /// then is not kept waiting for.
    pub fn accumulate(&mut self, packed: &Packed, objective: &mut dyn TokenObjective) -> Result<Pending, TrainError> {
        let tokens = packed.tree.tokens().len();
        let saved = self.saved.unwrap_or_else(|| self.engine.saved(&self.decoder.config, tokens));
        let options = StepOptions { saved, temperature: self.temperature };
        self.engine.accumulate(&self.decoder, &packed.tree, &options, objective)
    }

    /// The gradient so far.
    pub fn gradients(&self) -> Result<Cow<'_, Parameters<f32>>, TrainError> {
        self.engine.gradients()
    }

    /// Sets the gradient to zero.
    pub fn clear(&mut self) -> Result<(), TrainError> {
        self.engine.clear()
    }

    /// Clips the gradient, takes one step, and clears it. No step is taken where a label's value or the gradient is not
    /// finite; the gradient is then left as it is.
    pub fn apply(&mut self) -> Result<Applied, TrainError> {
        let rate = self.schedule.rate(self.engine.steps());
        let grad_norm = self.engine.step(&mut self.decoder, rate, self.max_grad_norm)?;
        Ok(Applied { grad_norm, rate })
    }

    /// Log-probabilities of all responses under the learner's weights, by group and response.
    pub fn log_probs(&self, groups: &[TokenGroup]) -> Result<Vec<Vec<Vec<f32>>>, TrainError> {
        self.log_probs_by(groups, |packed| self.engine.log_probs(&self.decoder, &packed.tree, self.temperature))
    }

    /// Keeps the frozen model that the divergence is measured from.
    pub fn keep_reference(&mut self, reference: Decoder) -> Result<(), TrainError> {
        self.engine.keep_reference(reference)
    }

    /// As [`Learner::log_probs`], under the weights of the reference, which must have been given.
    pub fn reference_log_probs(&self, groups: &[TokenGroup]) -> Result<Vec<Vec<Vec<f32>>>, TrainError> {
        self.log_probs_by(groups, |packed| self.engine.reference_log_probs(&packed.tree, self.temperature))
    }

    fn log_probs_by(
        &self,
        groups: &[TokenGroup],
        values: impl Fn(&Packed) -> Result<Vec<LabelValue>, TrainError>,
    ) -> Result<Vec<Vec<Vec<f32>>>, TrainError> {
        let mut all: Vec<Vec<Vec<f32>>> = groups.iter().map(|g| vec![Vec::new(); g.responses.len()]).collect();
        for parts in self.cut(groups) {
            let packed = self.pack(groups, &parts)?;
            let values = values(&packed)?;
            for (&(group, response), values) in packed.members.iter().zip(packed.by_sequence(&values)) {
                all[group][response] = values.iter().map(|v| v.log_prob as f32).collect();
            }
        }
        Ok(all)
    }
}
