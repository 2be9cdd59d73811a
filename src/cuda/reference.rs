//! A frozen decoder that is only asked for log-probabilities: on the device, or in the memory of the host, from where its
//! layers travel one after the other while the one before computes.

use std::rc::Rc;

use super::copies::{CopyQueue, Event, HostBuffer, Plain};
use super::decoder::{Decoder, Run};
use super::device::{Buffer, Device};
use super::error::CudaError;
use super::gemm::Stored;
use super::layout::Layout;
use super::ops;
use crate::model::Saved;
use crate::model::config::ModelConfig;
use crate::model::parameters::Parameters;
use crate::objective::LabelValue;
use crate::prefix::PrefixTree;

/// What the weights are called in an error.
const PART: &str = "reference";

/// A frozen decoder.
#[derive(Debug)]
pub struct Reference<S>(Kind<S>);

#[derive(Debug)]
enum Kind<S> {
    Device(Decoder<S>),
    Host(Travelling<S>),
}

/// A decoder whose layers are in the memory of the host.
#[derive(Debug)]
struct Travelling<S> {
    /// Embedding, last normalisation and head: a decoder without layers.
    ends: Decoder<S>,
    count: usize,
    /// Layer after layer, each as `layout` says.
    layers: HostBuffer<S>,
    /// Of a decoder with one layer and no vocabulary.
    layout: Layout,
    queue: CopyQueue,
}

impl<S: Stored + Plain> Reference<S> {
    /// A reference on the device.
    ///
    /// # Errors
    /// Where the device's memory does not hold it.
    pub fn new(device: &Rc<Device>, config: ModelConfig, parameters: &Parameters<f32>) -> Result<Self, CudaError> {
        Ok(Self(Kind::Device(Decoder::of(device, config, parameters, PART)?)))
    }

    /// A reference whose layers are in the memory of the host.
    ///
    /// # Errors
    /// Where the host's memory does not hold the layers, or the device's the vocabulary.
    pub fn on_host(device: &Rc<Device>, config: ModelConfig, parameters: &Parameters<f32>) -> Result<Self, CudaError> {
        let ends = Parameters {
            embedding: parameters.embedding.clone(),
            layers: Vec::new(),
            final_norm: parameters.final_norm.clone(),
            head: parameters.head.clone(),
        };
        let ends = Decoder::of(device, ModelConfig { layers: 0, ..config.clone() }, &ends, PART)?;
        let layout = Layout::new(&ModelConfig { layers: 1, vocab_size: 0, ..config });
        let mut layers = HostBuffer::zeros(device, parameters.layers.len() * layout.len, PART)?;
        let queue = CopyQueue::new()?;
        let mut rounded = device.buffer::<S>(layout.len, PART)?;
        for (i, layer) in parameters.layers.iter().enumerate() {
            let alone = Parameters {
                embedding: Vec::new(),
                layers: vec![layer.clone()],
                final_norm: parameters.final_norm.clone(),
                head: parameters.head.as_ref().map(|_| Vec::new()),
            };
            let values = device.upload(&layout.flatten(&alone), PART)?;
            ops::round_to(device, values.view(), &rounded.view_mut())?;
            queue.wait(&device.mark()?)?;
            queue.download(rounded.view(), &mut layers, i * layout.len)?;
            device.wait(&queue.mark()?)?;
        }
        let count = parameters.layers.len();
        Ok(Self(Kind::Host(Travelling { ends, count, layers, layout, queue })))
    }

    /// As [`Decoder::log_probs`].
    ///
    /// # Errors
    /// Where the device's memory is used up, or the device fails.
    pub fn log_probs(&self, tree: &PrefixTree, temperature: f64) -> Result<Vec<LabelValue>, CudaError> {
        match &self.0 {
            Kind::Device(decoder) => decoder.log_probs(tree, temperature),
            Kind::Host(travelling) => travelling.log_probs(tree, temperature),
        }
    }
}

/// A place on the device for one layer.
struct Place<S> {
    weights: Buffer<S>,
    /// When the layer has come, and when it is no longer needed.
    come: Option<Event>,
    done: Option<Event>,
}

impl<S: Stored> Travelling<S> {
    fn log_probs(&self, tree: &PrefixTree, temperature: f64) -> Result<Vec<LabelValue>, CudaError> {
        let device = self.ends.device();
        let run = Run::new(&self.ends, tree)?;
        let mut x = run.embed()?;
        let place = || {
            let weights = device.buffer::<S>(self.layout.len, "travelling reference layers")?;
            Ok::<_, CudaError>(Place { weights, come: None, done: None })
        };
        let mut places = [place()?, place()?];
        // What is queued may still read the memory of the places.
        self.queue.wait(&device.mark()?)?;
        self.fetch(0, &mut places[0])?;
        for i in 0..self.count {
            if i + 1 < self.count {
                self.fetch(i + 1, &mut places[(i + 1) % 2])?;
            }
            let place = &mut places[i % 2];
            if let Some(come) = place.come.take() {
                device.wait(&come)?;
            }
            let context = run.context_of(&place.weights, &self.layout.layers[0], i + 1 == self.count);
            x = context.forward(x, Saved::Input)?.0;
            place.done = Some(device.mark()?);
        }
        run.values(x, temperature)
    }

    fn fetch(&self, layer: usize, place: &mut Place<S>) -> Result<(), CudaError> {
        if let Some(done) = place.done.take() {
            self.queue.wait(&done)?;
        }
        self.queue.upload(&self.layers, layer * self.layout.len, &place.weights.view_mut())?;
        place.come = Some(self.queue.mark()?);
        Ok(())
    }
}
