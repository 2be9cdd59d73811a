//! The model with its optimiser: gradients are added micro-batch by micro-batch, then applied in one step.

use crate::config::RunConfig;
use crate::model::Saved;
use crate::model::decoder::{Decoder, StepOptions};
use crate::model::parameters::Parameters;
use crate::objective::{LabelValue, TokenObjective};
use crate::optim::{AdamW, AdamWConfig, Schedule, State, clip_scale, global_norm};

use super::batch::{self, Part};
use super::error::TrainError;
use super::pack::{MIN_SHARED, Packed, TokenGroup};
use super::plan;

/// The trained model, its gradients and its optimiser.
#[derive(Debug)]
pub struct Learner {
    /// The model.
    pub decoder: Decoder,
    gradients: Parameters<f32>,
    optimiser: AdamW,
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
        let settings = AdamWConfig { betas: optim.betas, weight_decay: optim.weight_decay, ..AdamWConfig::default() };
        let parameters = &decoder.parameters;
        let optimiser = match state {
            Some(state) => AdamW::with_state(settings, state, parameters),
            None => AdamW::new(settings, parameters),
        }
        .map_err(|error| TrainError::Input(error.to_string()))?;
        let schedule = Schedule { kind: config.schedule, peak: optim.lr, warmup: optim.warmup_steps as u64, total };
        Ok(Self {
            gradients: Parameters::filled(&decoder.config, 0.0),
            decoder,
            optimiser,
            schedule,
            max_grad_norm: optim.max_grad_norm,
            temperature,
            budget: config.raw.trainer.max_packed_tokens,
            saved: config.saved,
        })
    }

    /// The optimiser's moments and step count.
    pub fn state(&self) -> &State {
        self.optimiser.state()
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
        Packed::new(groups, parts, MIN_SHARED).map_err(|error| TrainError::Failed(error.to_string()))
    }

    /// Adds a micro-batch's gradient.
    pub fn accumulate(&mut self, packed: &Packed, objective: &mut dyn TokenObjective) -> Vec<LabelValue> {
        let saved = self.saved.unwrap_or_else(|| plan::saved(&self.decoder.config, packed.tree.tokens().len()));
        let options = StepOptions { saved, temperature: self.temperature };
        self.decoder.forward_backward(&packed.tree, &options, objective, &mut self.gradients)
    }

    /// The gradient so far.
    pub fn gradients(&self) -> &Parameters<f32> {
        &self.gradients
    }

    /// Sets the gradient to zero.
    pub fn clear(&mut self) {
        self.gradients.named_mut().iter_mut().for_each(|tensor| tensor.values.fill(0.0));
    }

    /// Clips the gradient, takes one step, and clears it. A gradient that is not finite is left as it is, and no step
    /// is taken.
    pub fn apply(&mut self) -> Result<Applied, TrainError> {
        let grad_norm = global_norm(&self.gradients);
        let rate = self.schedule.rate(self.optimiser.state().step);
        if grad_norm.is_finite() {
            let scale = clip_scale(grad_norm, self.max_grad_norm);
            self.optimiser
                .step(&mut self.decoder.parameters, &self.gradients, rate, scale)
                .map_err(|error| TrainError::Failed(error.to_string()))?;
            self.clear();
        }
        Ok(Applied { grad_norm, rate })
    }

    /// Log-probabilities of all responses under `decoder` (this one, or the reference), by group and response.
    pub fn log_probs(&self, decoder: &Decoder, groups: &[TokenGroup]) -> Result<Vec<Vec<Vec<f32>>>, TrainError> {
        let mut all: Vec<Vec<Vec<f32>>> = groups.iter().map(|g| vec![Vec::new(); g.responses.len()]).collect();
        for parts in self.cut(groups) {
            let packed = self.pack(groups, &parts)?;
            let values = decoder.log_probs(&packed.tree, self.temperature);
            for (&(group, response), values) in packed.members.iter().zip(packed.by_sequence(&values)) {
                all[group][response] = values.iter().map(|v| v.log_prob as f32).collect();
            }
        }
        Ok(all)
    }
}
