//! A learner's engine on a GPU: weights in f32 or bf16, master weights, moments and gradients in f32.

use std::borrow::Cow;
use std::rc::Rc;

use crate::config::{Dtype, RunConfig};
use crate::cuda::gemm::Stored;
use crate::cuda::{AdamW, Bf16, Buffer, CudaError, Decoder as DeviceDecoder, Device};
use crate::model::Saved;
use crate::model::config::ModelConfig;
use crate::model::decoder::{Decoder, StepOptions};
use crate::model::parameters::Parameters;
use crate::objective::{LabelValue, TokenObjective};
use crate::optim::{AdamWConfig, State};
use crate::prefix::PrefixTree;
use crate::rollout::{Completion, Rollout};

use super::engine::Engine;
use super::error::TrainError;

/// The engine on an open device.
pub(super) fn engine(
    device: &Rc<Device>,
    config: &RunConfig,
    settings: AdamWConfig,
    decoder: &Decoder,
    state: Option<&State>,
) -> Result<Box<dyn Engine>, TrainError> {
    settings.validate().map_err(|error| TrainError::Input(error.to_string()))?;
    let engine: Box<dyn Engine> = match config.dtype {
        Dtype::F32 => Box::new(Gpu::<f32>::new(device, config, settings, decoder, state)?),
        Dtype::Bf16 => Box::new(Gpu::<Bf16>::new(device, config, settings, decoder, state)?),
    };
    Ok(engine)
}

impl From<CudaError> for TrainError {
    fn from(error: CudaError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A graphics card.
#[derive(Debug)]
struct Gpu<S> {
    decoder: DeviceDecoder<S>,
    gradients: Buffer<f32>,
    optimiser: AdamW,
    /// Tokens whose keys and values a rollout keeps; 0: as many as there is room for.
    cache_tokens: usize,
}

impl<S: Stored> Gpu<S> {
    fn new(
        device: &Rc<Device>,
        config: &RunConfig,
        settings: AdamWConfig,
        decoder: &Decoder,
        state: Option<&State>,
    ) -> Result<Self, CudaError> {
        let (optimiser, decoder) = AdamW::new(device, settings, decoder.config.clone(), &decoder.parameters, state)?;
        let cache_tokens = config.raw.rollout.cache_tokens;
        Ok(Self { gradients: decoder.zero_gradients()?, decoder, optimiser, cache_tokens })
    }
}

impl<S: Stored + std::fmt::Debug> Engine for Gpu<S> {
    /// A card's memory is what bounds the context, and recomputing costs a third of a step.
    fn saved(&self, _: &ModelConfig, _: usize) -> Saved {
        Saved::Input
    }

    fn accumulate(
        &mut self,
        _: &Decoder,
        tree: &PrefixTree,
        options: &StepOptions,
        objective: &mut dyn TokenObjective,
    ) -> Result<Vec<LabelValue>, TrainError> {
        Ok(self.decoder.forward_backward(tree, options, objective, &mut self.gradients)?)
    }

    fn log_probs(&self, _: &Decoder, tree: &PrefixTree, temperature: f64) -> Result<Vec<LabelValue>, TrainError> {
        Ok(self.decoder.log_probs(tree, temperature)?)
    }

    fn generate(&self, _: &Decoder, rollout: &Rollout<'_>) -> Result<Vec<Completion>, TrainError> {
        Ok(self.decoder.generate(rollout, self.cache_tokens, &|_| ())?)
    }

    fn parameters<'a>(&'a self, _: &'a Decoder) -> Result<Cow<'a, Parameters<f32>>, TrainError> {
        Ok(Cow::Owned(self.optimiser.parameters(&self.decoder)?))
    }

    fn gradients(&self) -> Result<Cow<'_, Parameters<f32>>, TrainError> {
        Ok(Cow::Owned(self.decoder.gradients_to_host(&self.gradients)?))
    }

    fn clear(&mut self) -> Result<(), TrainError> {
        Ok(self.gradients.view_mut().fill(self.decoder.device(), 0.0)?)
    }

    fn step(&mut self, _: &mut Decoder, rate: f64, max_norm: f64) -> Result<f64, TrainError> {
        // The loss is judged by the caller, after the step: a loss that is not finite has no finite gradient.
        let stepped = self.optimiser.step(&mut self.decoder, &mut self.gradients, rate, (max_norm, 0.0))?;
        Ok(stepped.norm)
    }

    fn steps(&self) -> u64 {
        self.optimiser.steps()
    }

    fn state(&self) -> Result<Cow<'_, State>, TrainError> {
        Ok(Cow::Owned(self.optimiser.state(&self.decoder)?))
    }
}
