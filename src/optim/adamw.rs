//! AdamW (Loshchilov and Hutter, arXiv 1711.05101): Adam with weight decay apart from the gradient.

use rayon::prelude::*;
use thiserror::Error;

use super::CHUNK;
use crate::model::parameters::Parameters;

/// The settings that do not change during a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWConfig {
    /// Decay rates of the two moments.
    pub betas: [f64; 2],
    /// Added to the square root of the second moment.
    pub eps: f64,
    /// Each step multiplies matrices by `1 - lr * weight_decay`; vectors (norms, biases) do not decay.
    pub weight_decay: f64,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0 }
    }
}

impl AdamWConfig {
    /// Refuses settings under which a step makes no sense.
    pub fn validate(&self) -> Result<(), Error> {
        let settings = [
            ("betas[0]", self.betas[0], (0.0..1.0).contains(&self.betas[0]), "at least 0 and below 1"),
            ("betas[1]", self.betas[1], (0.0..1.0).contains(&self.betas[1]), "at least 0 and below 1"),
            ("eps", self.eps, self.eps > 0.0 && self.eps.is_finite(), "above 0"),
            (
                "weight_decay",
                self.weight_decay,
                self.weight_decay >= 0.0 && self.weight_decay.is_finite(),
                "at least 0",
            ),
        ];
        match settings.into_iter().find(|(_, _, fine, _)| !fine) {
            Some((name, value, _, right)) => Err(Error::Setting { name, value, right }),
            None => Ok(()),
        }
    }
}

/// What has to be kept between steps, and in a checkpoint, to go on to the same bits.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Steps done.
    pub step: u64,
    /// First moments (running mean of gradients).
    pub first: Parameters<f32>,
    /// Second moments (running mean of squared gradients).
    pub second: Parameters<f32>,
}

/// Why the optimiser could not be set up.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Error {
    /// A setting is out of range.
    #[error("optim.{name} is {value}; it must be {right}")]
    Setting {
        /// The key below `[optim]`.
        name: &'static str,
        /// What stood there.
        value: f64,
        /// What would be right.
        right: &'static str,
    },
    /// Moments and parameters differ.
    #[error("optimiser state: {name} has {found} values, the model's has {expected}")]
    Shape {
        /// The tensor, or `tensors` where the lists of tensors differ.
        name: String,
        /// Values found.
        found: usize,
        /// Values of the model's tensor.
        expected: usize,
    },
}

/// The optimiser with its moments.
#[derive(Debug, Clone)]
pub struct AdamW {
    config: AdamWConfig,
    state: State,
}

/// The same range of one tensor in all four places.
struct Chunk<'a> {
    values: &'a mut [f32],
    gradients: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    decays: bool,
}

/// The scalars of one step, rounded once. Laid out as `struct Factors` of `cuda/kernels/adamw.cu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Factors {
    beta1: f32,
    rest1: f32,
    beta2: f32,
    rest2: f32,
    /// lr / (1 - beta1^t)
    step: f32,
    /// 1 / sqrt(1 - beta2^t)
    root: f32,
    eps: f32,
    decay: f32,
}

impl Factors {
    /// Of step `step`, counted from 1, at learning rate `rate`.
    pub(crate) fn new(config: &AdamWConfig, step: u64, rate: f64) -> Self {
        let [beta1, beta2] = config.betas;
        let corrected = |beta: f64| 1.0 - beta.powi(i32::try_from(step).unwrap_or(i32::MAX));
        Self {
            beta1: beta1 as f32,
            rest1: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            rest2: (1.0 - beta2) as f32,
            step: (rate / corrected(beta1)) as f32,
            root: (1.0 / corrected(beta2).sqrt()) as f32,
            eps: config.eps as f32,
            decay: (1.0 - rate * config.weight_decay) as f32,
        }
    }

    /// The same for vectors, which do not decay.
    pub(crate) fn without_decay(self) -> Self {
        Self { decay: 1.0, ..self }
    }
}

impl AdamW {
    /// With moments of 0, for parameters of the shapes of `parameters`.
    pub fn new(config: AdamWConfig, parameters: &Parameters<f32>) -> Result<Self, Error> {
        let zeros = || {
            let mut zeros = parameters.clone();
            zeros.named_mut().iter_mut().for_each(|tensor| tensor.values.fill(0.0));
            zeros
        };
        Self::with_state(config, State { step: 0, first: zeros(), second: zeros() }, parameters)
    }

    /// With the moments of a checkpoint, which must have the shapes of `parameters`.
    pub fn with_state(config: AdamWConfig, state: State, parameters: &Parameters<f32>) -> Result<Self, Error> {
        config.validate()?;
        for moments in [&state.first, &state.second] {
            same_shapes(moments, parameters)?;
        }
        Ok(Self { config, state })
    }

    /// The moments and the step count.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// One step at learning rate `rate`. Gradients are multiplied by `scale` as they are read ([`super::clip_scale`],
    /// or 1). Errors where `gradients` or `parameters` do not have the shapes of the moments; then nothing has changed.
    pub fn step(
        &mut self,
        parameters: &mut Parameters<f32>,
        gradients: &Parameters<f32>,
        rate: f64,
        scale: f64,
    ) -> Result<(), Error> {
        same_shapes(parameters, &self.state.first)?;
        same_shapes(gradients, &self.state.first)?;
        self.state.step += 1;
        let factors = Factors::new(&self.config, self.state.step, rate);
        let values = parameters.named_mut();
        let gradients = gradients.named();
        let first = self.state.first.named_mut();
        let second = self.state.second.named_mut();
        let mut chunks = Vec::new();
        for (((value, gradient), first), second) in values.into_iter().zip(&gradients).zip(first).zip(second) {
            let decays = value.shape.len() > 1;
            let of_tensor = value
                .values
                .chunks_mut(CHUNK)
                .zip(gradient.values.chunks(CHUNK))
                .zip(first.values.chunks_mut(CHUNK))
                .zip(second.values.chunks_mut(CHUNK));
            chunks.extend(of_tensor.map(|(((values, gradients), first), second)| Chunk {
                values,
                gradients,
                first,
                second,
                decays,
            }));
        }
        chunks.into_par_iter().for_each(|chunk| update(chunk, factors, scale as f32));
        Ok(())
    }
}

/// One pass over a chunk: each of the four streams is read once and three are written once.
fn update(chunk: Chunk, factors: Factors, scale: f32) {
    let f = if chunk.decays { factors } else { factors.without_decay() };
    let Chunk { values, gradients, first, second, .. } = chunk;
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for (((value, gradient), first), second) in values.iter_mut().zip(gradients).zip(first).zip(second) {
                let g = gradient * scale;
                let m = f.beta1 * *first + f.rest1 * g;
                let v = f.beta2 * *second + f.rest2 * (g * g);
                *first = m;
                *second = v;
                *value = *value * f.decay - f.step * m / (v.sqrt() * f.root + f.eps);
            }
        },
    );
}

fn same_shapes(found: &Parameters<f32>, expected: &Parameters<f32>) -> Result<(), Error> {
    let (found, expected) = (found.named(), expected.named());
    if found.len() != expected.len() {
        return Err(Error::Shape { name: "tensors".to_owned(), found: found.len(), expected: expected.len() });
    }
    let differs = found.iter().zip(&expected).find(|(f, e)| f.values.len() != e.values.len() || f.name != e.name);
    match differs {
        Some((f, e)) => Err(Error::Shape { name: f.name.clone(), found: f.values.len(), expected: e.values.len() }),
        None => Ok(()),
    }
}
