//! AdamW with f32 master weights and moments: [`crate::optim::AdamW`] over flat arrays, which stay on the device or in
//! the memory of the host.
//!
//! The gradient's norm, the clipping scale and the decision to take no step (a loss or gradient that is not finite)
//! stay on the device; the host reads the norm once, after the update is queued.

use std::ops::Range;
use std::rc::Rc;

use super::copies::{CopyQueue, Event, HostBuffer};
use super::decoder::Decoder;
use super::device::{Argument, Buffer, Device, SliceMut};
use super::error::CudaError;
use super::gemm::Stored;
use super::layout::Layout;
use crate::model::config::ModelConfig;
use crate::model::parameters::Parameters;
use crate::optim::{AdamWConfig, Factors, State};

/// Values whose squares are one partial sum.
const PIECE: usize = 1 << 16;
/// Threads of a block.
const THREADS: usize = 256;
/// What the arrays are called in an error.
const PART: &str = "optimiser states";
/// Values of each array that travel at once where the states are in the host's memory, and places for them on the
/// device: one fills while the second is worked on and the third goes back.
pub(crate) const TRAVELLING: usize = 8 << 20;
pub(crate) const PLACES: usize = 3;

impl Argument for Factors {}

/// The optimiser with its master weights and moments.
#[derive(Debug)]
pub struct AdamW {
    config: AdamWConfig,
    step: u64,
    states: States,
    /// Of squares of the gradient.
    partial: Buffer<f64>,
    /// Norm and scale.
    clip: Buffer<f64>,
}

/// Master weights, first and second moments.
#[derive(Debug)]
enum States {
    Device([Buffer<f32>; 3]),
    Host { arrays: [HostBuffer<f32>; 3], to_device: CopyQueue, to_host: CopyQueue },
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stepped {
    /// Norm of the gradient before it was clipped; not a number where a loss was not finite.
    pub norm: f64,
    /// Whether the weights changed: not where the norm is not finite; the gradient then is as it was.
    pub taken: bool,
}

impl AdamW {
    /// With moments of 0, or those of a checkpoint; and the decoder of its weights, rounded to `S`.
    ///
    /// # Errors
    /// Where the device's memory does not hold them.
    pub fn new<S: Stored>(
        device: &Rc<Device>,
        config: AdamWConfig,
        model: ModelConfig,
        parameters: &Parameters<f32>,
        state: Option<&State>,
    ) -> Result<(Self, Decoder<S>), CudaError> {
        let layout = Layout::new(&model);
        let master = device.upload(&layout.flatten(parameters), "master weights")?;
        let decoder = Decoder::of_master(device, model, layout, &master)?;
        let moments = |of: Option<&Parameters<f32>>| match of {
            Some(moments) => device.upload(&decoder.layout.flatten(moments), PART),
            None => device.filled(decoder.layout.len, 0.0, PART),
        };
        let (first, second) = (moments(state.map(|s| &s.first))?, moments(state.map(|s| &s.second))?);
        Ok((Self::with(config, state, States::Device([master, first, second]), &decoder)?, decoder))
    }

    /// As [`AdamW::new`], with master weights and moments in the memory of the host: each step they travel through the
    /// device piece by piece.
    ///
    /// # Errors
    /// Where the host's memory does not hold the states, or the device's the weights.
    pub fn on_host<S: Stored>(
        device: &Rc<Device>,
        config: AdamWConfig,
        model: ModelConfig,
        parameters: &Parameters<f32>,
        state: Option<&State>,
    ) -> Result<(Self, Decoder<S>), CudaError> {
        let decoder = Decoder::new(device, model, parameters)?;
        let array = |of: Option<&Parameters<f32>>| {
            let mut array = HostBuffer::zeros(device, decoder.layout.len, PART)?;
            of.map(|values| array.write(&decoder.layout.flatten(values))).transpose()?;
            Ok::<_, CudaError>(array)
        };
        let arrays = [array(Some(parameters))?, array(state.map(|s| &s.first))?, array(state.map(|s| &s.second))?];
        let states = States::Host { arrays, to_device: CopyQueue::new()?, to_host: CopyQueue::new()? };
        Ok((Self::with(config, state, states, &decoder)?, decoder))
    }

    fn with<S: Stored>(
        config: AdamWConfig,
        state: Option<&State>,
        states: States,
        decoder: &Decoder<S>,
    ) -> Result<Self, CudaError> {
        let device = &decoder.device;
        Ok(Self {
            config,
            step: state.map_or(0, |state| state.step),
            states,
            partial: device.buffer((decoder.layout.len + 1).div_ceil(PIECE), PART)?,
            clip: device.buffer(2, PART)?,
        })
    }

    /// One step at learning rate `rate` with the gradient clipped to `max_norm` (0 or less: not), which is cleared.
    /// Nothing changes where the norm, or a loss that went into `gradients`, is not finite.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn step<S: Stored>(
        &mut self,
        decoder: &mut Decoder<S>,
        gradients: &mut Buffer<f32>,
        rate: f64,
        max_norm: f64,
    ) -> Result<Stepped, CudaError> {
        let (device, layout) = (Rc::clone(&decoder.device), &decoder.layout);
        let pieces = gradients.len().div_ceil(PIECE);
        let launch = device.kernel::<S>("squares", (pieces, 1), THREADS)?.read(gradients.view());
        launch.value(gradients.len() as u64).value(PIECE as u64).write(&self.partial.view_mut()).run()?;
        let launch = device.kernel::<S>("clip_gradient", (1, 1), 1024)?.read(self.partial.view());
        launch.value(pieces as i32).value(max_norm).write(&self.clip.view_mut()).run()?;

        let factors = Factors::new(&self.config, self.step + 1, rate);
        let parts = [(0..layout.decaying, factors), (layout.decaying..layout.len, factors.without_decay())];
        let clip = &self.clip;
        let mut update = |states: [SliceMut<'_, f32>; 3], range: Range<usize>, factors: Factors| {
            let [master, first, second] = states;
            let launch = device.kernel::<S>("adamw", (range.len().div_ceil(THREADS).min(8192), 1), THREADS)?;
            let launch = launch.write(&master).write(&decoder.weights.at_mut(range.clone()));
            let launch = launch.write(&first).write(&second).write(&gradients.at_mut(range.clone()));
            launch.value(range.len() as u64).value(factors).read(clip.view()).run()
        };
        match &mut self.states {
            States::Device(arrays) => {
                for (range, factors) in parts {
                    update(arrays.each_mut().map(|array| array.at_mut(range.clone())), range, factors)?;
                }
            }
            States::Host { arrays, to_device, to_host } => {
                let mut places = Vec::with_capacity(PLACES);
                for _ in 0..PLACES {
                    places.push(Place::new(&device)?);
                }
                // The places may still be read by what is queued, and the arrays written by the step before.
                to_device.wait(&device.mark()?)?;
                let pieces = parts.into_iter().flat_map(|(range, factors)| {
                    range.clone().step_by(TRAVELLING).map(move |at| (at..range.end.min(at + TRAVELLING), factors))
                });
                for (i, (range, factors)) in pieces.enumerate() {
                    let place = &mut places[i % PLACES];
                    if let Some(left) = place.left.take() {
                        to_device.wait(&left)?;
                    }
                    let mut own = place.arrays.each_mut().map(|array| array.at_mut(0..range.len()));
                    for (array, own) in arrays.iter().zip(&own) {
                        to_device.upload(array, range.start, own)?;
                    }
                    device.wait(&to_device.mark()?)?;
                    update(own.each_mut().map(|own| own.again()), range.clone(), factors)?;
                    to_host.wait(&device.mark()?)?;
                    for (array, own) in arrays.iter_mut().zip(&own) {
                        to_host.download(own.view(), array, range.start)?;
                    }
                    place.left = Some(to_host.mark()?);
                }
                device.wait(&to_host.mark()?)?;
            }
        }
        let clip = self.clip.to_host()?;
        let taken = clip[1] != 0.0;
        self.step += u64::from(taken);
        Ok(Stepped { norm: clip[0], taken })
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Master weights on the host.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn parameters<S>(&self, decoder: &Decoder<S>) -> Result<Parameters<f32>, CudaError> {
        self.array(0, decoder)
    }

    /// Moments and step count on the host, as a checkpoint keeps them.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn state<S>(&self, decoder: &Decoder<S>) -> Result<State, CudaError> {
        Ok(State { step: self.step, first: self.array(1, decoder)?, second: self.array(2, decoder)? })
    }

    fn array<S>(&self, i: usize, decoder: &Decoder<S>) -> Result<Parameters<f32>, CudaError> {
        let tensors = |flat: &[f32]| decoder.layout.unflatten(&decoder.config, flat);
        Ok(match &self.states {
            States::Device(arrays) => tensors(&arrays[i].to_host()?),
            States::Host { arrays, .. } => tensors(arrays[i].read()?),
        })
    }
}

/// Where a piece of the three arrays stays on the device while it is worked on.
struct Place {
    arrays: [Buffer<f32>; 3],
    /// When the last piece has left.
    left: Option<Event>,
}

impl Place {
    fn new(device: &Rc<Device>) -> Result<Self, CudaError> {
        let array = || device.buffer(TRAVELLING, "travelling optimiser states");
        Ok(Self { arrays: [array()?, array()?, array()?], left: None })
    }
}
