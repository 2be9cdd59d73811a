//! A learner's engine on a GPU: weights in f32 or bf16, master weights, moments and gradients in f32.

use std::borrow::Cow;
use std::rc::Rc;

use crate::config::{Dtype, Memory, RunConfig};
use crate::cuda::copies::Plain;
use crate::cuda::gemm::Stored;
use crate::cuda::{AdamW, Bf16, Buffer, CudaError, Decoder as DeviceDecoder, Device, Reference};
use crate::model::Saved;
use crate::model::config::ModelConfig;
use crate::model::decoder::{Decoder, StepOptions};
use crate::model::parameters::Parameters;
use crate::objective::{LabelValue, TokenObjective};
use crate::optim::{AdamWConfig, State};
use crate::prefix::PrefixTree;
use crate::rollout::{Completion, Rollout};

use super::card;
use super::engine::{Engine, Pending, no_reference};
use super::error::TrainError;

/// [`Engine::min_shared`]: a call takes some ten microseconds, in which a card runs dozens of tokens through a layer.
const MIN_SHARED: usize = 64;

/// The engine on an open device.
pub(super) fn engine(
    device: &Rc<Device>,
    config: &RunConfig,
    settings: AdamWConfig,
    decoder: &Decoder,
    state: Option<&State>,
) -> Result<Box<dyn Engine>, TrainError> {
    settings.validate().map_err(|error| TrainError::Input(error.to_string()))?;
    if let (Dtype::Bf16, Err(reason)) = (config.dtype, device.fused()) {
        eprintln!("attending: attention by matrix products, which are slower than a fused kernel: {reason}");
    }
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
    /// Where the reference's weights are to stay, and the reference once it is known.
    reference_memory: Memory,
    reference: Option<Reference<S>>,
    /// Tokens whose keys and values a rollout keeps; 0: as many as there is room for.
    cache_tokens: usize,
}

impl<S: Stored + Plain> Gpu<S> {
    fn new(
        device: &Rc<Device>,
        config: &RunConfig,
        settings: AdamWConfig,
        decoder: &Decoder,
        state: Option<&State>,
    ) -> Result<Self, CudaError> {
        let make = match config.states {
            Memory::Device => AdamW::new,
            Memory::Host => AdamW::on_host,
        };
        let (optimiser, mut decoder) = make(device, settings, decoder.config.clone(), &decoder.parameters, state)?;
        decoder.deterministic = config.raw.trainer.deterministic;
        Ok(Self {
            gradients: decoder.zero_gradients()?,
            decoder,
            optimiser,
            reference_memory: config.reference,
            reference: None,
            cache_tokens: config.raw.rollout.cache_tokens,
        })
    }
}

impl<S: Stored + Plain + std::fmt::Debug> Engine for Gpu<S> {
    /// As much as fits: recomputing costs a quarter of a step.
    fn saved(&self, model: &ModelConfig, tokens: usize) -> Saved {
        let available = self.decoder.device().available().unwrap_or(0);
        card::saved(model, size_of::<S>(), tokens, available)
    }

    fn min_shared(&self) -> usize {
        MIN_SHARED
    }

    fn accumulate(
        &mut self,
        _: &Decoder,
        tree: &PrefixTree,
        options: &StepOptions,
        objective: &mut dyn TokenObjective,
    ) -> Result<Pending, TrainError> {
        let values = self.decoder.forward_backward(tree, options, objective, &mut self.gradients)?;
        Ok(Box::new(move || Ok(values.read()?)))
    }

    fn log_probs(&self, _: &Decoder, tree: &PrefixTree, temperature: f64) -> Result<Vec<LabelValue>, TrainError> {
        Ok(self.decoder.log_probs(tree, temperature)?)
    }

    fn keep_reference(&mut self, reference: Decoder) -> Result<(), TrainError> {
        let make = match self.reference_memory {
            Memory::Device => Reference::new,
            Memory::Host => Reference::on_host,
        };
        self.reference = Some(make(self.decoder.device(), reference.config, &reference.parameters)?);
        Ok(())
    }

    fn reference_log_probs(&self, tree: &PrefixTree, temperature: f64) -> Result<Vec<LabelValue>, TrainError> {
        let reference = self.reference.as_ref().ok_or_else(no_reference)?;
        Ok(reference.log_probs(tree, temperature)?)
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
        let stepped = self.optimiser.step(&mut self.decoder, &mut self.gradients, rate, max_norm)?;
        Ok(stepped.norm)
    }

    fn steps(&self) -> u64 {
        self.optimiser.steps()
    }

    fn state(&self) -> Result<Cow<'_, State>, TrainError> {
        Ok(Cow::Owned(self.optimiser.state(&self.decoder)?))
    }
}
