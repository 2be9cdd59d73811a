//! Where a learner computes: forward, backward and the optimiser's step, on the CPU or on a GPU.

use std::borrow::Cow;
use std::fmt::Debug;

use crate::config::{DeviceChoice, Dtype, RunConfig};
use crate::model::Saved;
use crate::model::config::ModelConfig;
use crate::model::decoder::{Decoder, StepOptions};
use crate::model::parameters::Parameters;
use crate::objective::{LabelValue, TokenObjective};
use crate::optim::{AdamW, AdamWConfig, State, clip_scale, global_norm};
use crate::prefix::PrefixTree;
use crate::rollout::{self, Completion, Rollout};

use super::error::TrainError;
use super::pack::MIN_SHARED;
use super::plan;

/// The values of a micro-batch's labels, which a device may still be computing; reading waits for it.
pub type Pending = Box<dyn FnOnce() -> Result<Vec<LabelValue>, TrainError>>;

/// A place that computes. The CPU's weights are those of the learner's decoder; a GPU has its own.
pub(super) trait Engine: Debug {
    /// What layers keep for their backward over `tokens` packed tokens where the configuration leaves it open.
    fn saved(&self, model: &ModelConfig, tokens: usize) -> Saved;

    /// Tokens that sequences must share for a node of their own: a call of its attention costs that much.
    fn min_shared(&self) -> usize;

    /// Adds the objective's gradient over the tree.
    fn accumulate(
        &mut self,
        decoder: &Decoder,
        tree: &PrefixTree,
        options: &StepOptions,
        objective: &mut dyn TokenObjective,
    ) -> Result<Pending, TrainError>;

    /// Values of the tree's labels under the learner's weights.
    fn log_probs(&self, decoder: &Decoder, tree: &PrefixTree, temperature: f64) -> Result<Vec<LabelValue>, TrainError>;

    /// Keeps the frozen model that [`Engine::reference_log_probs`] reads.
    fn keep_reference(&mut self, reference: Decoder) -> Result<(), TrainError>;

    /// Values of the tree's labels under the reference's weights; an error without a reference.
    fn reference_log_probs(&self, tree: &PrefixTree, temperature: f64) -> Result<Vec<LabelValue>, TrainError>;

    /// Samples responses under the learner's weights, in (prompt, sample) order.
    fn generate(&self, decoder: &Decoder, rollout: &Rollout<'_>) -> Result<Vec<Completion>, TrainError>;

    /// The weights as they are now.
    fn parameters<'a>(&'a self, decoder: &'a Decoder) -> Result<Cow<'a, Parameters<f32>>, TrainError>;

    /// The gradient so far.
    fn gradients(&self) -> Result<Cow<'_, Parameters<f32>>, TrainError>;

    /// Sets the gradient to zero.
    fn clear(&mut self) -> Result<(), TrainError>;

    /// Clips the gradient to `max_norm`, takes one step at `rate` and clears the gradient; returns its norm before. Where
    /// that is not finite nothing changes; it is not a number where a label's value was not finite.
    fn step(&mut self, decoder: &mut Decoder, rate: f64, max_norm: f64) -> Result<f64, TrainError>;

    /// Steps done.
    fn steps(&self) -> u64;

    /// The optimiser's moments and step count.
    fn state(&self) -> Result<Cow<'_, State>, TrainError>;
}

/// The engine that the configuration asks for. `auto` takes a GPU where there is one.
pub(super) fn open(config: &RunConfig, decoder: &Decoder, state: Option<State>) -> Result<Box<dyn Engine>, TrainError> {
    let optim = &config.raw.optim;
    let settings = AdamWConfig { betas: optim.betas, weight_decay: optim.weight_decay, ..AdamWConfig::default() };
    #[cfg(feature = "cuda")]
    {
        let ordinal = match config.device {
            DeviceChoice::Cpu => None,
            DeviceChoice::Auto => Some(0),
            DeviceChoice::Cuda(ordinal) => Some(ordinal),
        };
        match ordinal.map(crate::cuda::Device::open) {
            Some(Ok(device)) => return super::gpu::engine(&device, config, settings, decoder, state.as_ref()),
            Some(Err(error)) if config.device == DeviceChoice::Auto && config.dtype == Dtype::F32 => {
                eprintln!("attending: training on the CPU: {error}");
            }
            Some(Err(error)) => return Err(TrainError::Input(error.to_string())),
            None => {}
        }
    }
    if let (DeviceChoice::Cuda(_), _) | (_, Dtype::Bf16) = (config.device, config.dtype) {
        return Err(TrainError::Input("bf16 and CUDA devices need a program built with --features cuda".to_owned()));
    }
    Ok(Box::new(Cpu::new(settings, decoder, state)?))
}

/// What stands for a reference that was not given: a bug of the caller.
pub(super) fn no_reference() -> TrainError {
    TrainError::Failed("a divergence is wanted from a reference model that was not loaded".to_owned())
}

/// The processor.
#[derive(Debug)]
struct Cpu {
    gradients: Parameters<f32>,
    /// Whether every label's value since the gradient was cleared was finite.
    finite: bool,
    optimiser: AdamW,
    reference: Option<Decoder>,
}

impl Cpu {
    fn new(settings: AdamWConfig, decoder: &Decoder, state: Option<State>) -> Result<Self, TrainError> {
        let parameters = &decoder.parameters;
        let optimiser = match state {
            Some(state) => AdamW::with_state(settings, state, parameters),
            None => AdamW::new(settings, parameters),
        }
        .map_err(|error| TrainError::Input(error.to_string()))?;
        Ok(Self { gradients: Parameters::filled(&decoder.config, 0.0), finite: true, optimiser, reference: None })
    }
}

impl Engine for Cpu {
    fn saved(&self, model: &ModelConfig, tokens: usize) -> Saved {
        plan::saved(model, tokens)
    }

    fn min_shared(&self) -> usize {
        MIN_SHARED
    }

    fn accumulate(
        &mut self,
        decoder: &Decoder,
        tree: &PrefixTree,
        options: &StepOptions,
        objective: &mut dyn TokenObjective,
    ) -> Result<Pending, TrainError> {
        let values = decoder.forward_backward(tree, options, objective, &mut self.gradients);
        self.finite &= values.iter().all(|value| value.log_prob.is_finite() && value.entropy.is_finite());
        Ok(Box::new(|| Ok(values)))
    }

    fn log_probs(&self, decoder: &Decoder, tree: &PrefixTree, temperature: f64) -> Result<Vec<LabelValue>, TrainError> {
        Ok(decoder.log_probs(tree, temperature))
    }

    fn keep_reference(&mut self, reference: Decoder) -> Result<(), TrainError> {
        self.reference = Some(reference);
        Ok(())
    }

    fn reference_log_probs(&self, tree: &PrefixTree, temperature: f64) -> Result<Vec<LabelValue>, TrainError> {
        let reference = self.reference.as_ref().ok_or_else(no_reference)?;
        Ok(reference.log_probs(tree, temperature))
    }

    fn generate(&self, decoder: &Decoder, rollout: &Rollout<'_>) -> Result<Vec<Completion>, TrainError> {
        rollout::generate(decoder, rollout, &|_| ()).map_err(|error| TrainError::Failed(error.to_string()))
    }

    fn parameters<'a>(&'a self, decoder: &'a Decoder) -> Result<Cow<'a, Parameters<f32>>, TrainError> {
        Ok(Cow::Borrowed(&decoder.parameters))
    }

    fn gradients(&self) -> Result<Cow<'_, Parameters<f32>>, TrainError> {
        Ok(Cow::Borrowed(&self.gradients))
    }

    fn clear(&mut self) -> Result<(), TrainError> {
        self.gradients.named_mut().iter_mut().for_each(|tensor| tensor.values.fill(0.0));
        self.finite = true;
        Ok(())
    }

    fn step(&mut self, decoder: &mut Decoder, rate: f64, max_norm: f64) -> Result<f64, TrainError> {
        let norm = if self.finite { global_norm(&self.gradients) } else { f64::NAN };
        if norm.is_finite() {
            let scale = clip_scale(norm, max_norm);
            self.optimiser
                .step(&mut decoder.parameters, &self.gradients, rate, scale)
                .map_err(|error| TrainError::Failed(error.to_string()))?;
            self.clear()?;
        }
        Ok(norm)
    }

    fn steps(&self) -> u64 {
        self.optimiser.state().step
    }

    fn state(&self) -> Result<Cow<'_, State>, TrainError> {
        Ok(Cow::Borrowed(self.optimiser.state()))
    }
}
