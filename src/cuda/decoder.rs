//! The whole decoder over a prefix tree on a device: [`crate::model::decoder`] step by step.

use std::cell::RefCell;
use std::rc::Rc;

use super::attention::Tiles;
use super::device::{Bf16, Buffer, Device, Scalar};
use super::error::CudaError;
use super::fused::FusedTree;
use super::gemm::Stored;
use super::head::{Head, HeadGradients, Labels, Values, chunk_logits};
use super::layer::{Context, Rows};
use super::layout::{LayerLayout, Layout};
use super::ops::{self, Heads, Rotation, TokenRows};
use crate::model::config::ModelConfig;
use crate::model::head::labelled_rows;
use crate::model::parameters::Parameters;
use crate::model::{Saved, StepOptions};
use crate::objective::{LabelValue, TokenObjective};
use crate::prefix::PrefixTree;

/// Positions by which the rotary table grows.
const POSITIONS: usize = 4096;

/// A decoder whose weights are on a device, in the element type `S`.
#[derive(Debug)]
pub struct Decoder<S> {
    /// Sizes and constants.
    pub config: ModelConfig,
    /// Where each tensor stands in the flat arrays of weights and gradients.
    pub layout: Layout,
    /// How attention is cut into products.
    pub tiles: Tiles,
    /// Logits that are in memory at once.
    pub chunk_logits: usize,
    /// Whether fused attention adds up in one order, so that the same input gives the same bits; all else does always.
    pub deterministic: bool,
    pub(super) device: Rc<Device>,
    pub(super) weights: Buffer<S>,
    /// Of the longest sequence so far. Interior mutability: the table is a constant of the model, made when it is met.
    rotation: RefCell<Rc<Rotation>>,
}

impl<S: Stored> Decoder<S> {
    /// Puts parameters on the device, rounded to the element type.
    ///
    /// # Errors
    /// Where the device's memory does not hold them.
    pub fn new(device: &Rc<Device>, config: ModelConfig, parameters: &Parameters<f32>) -> Result<Self, CudaError> {
        Self::of(device, config, parameters, "weights")
    }

    /// As [`Decoder::new`], called `part` in an error. Tensor by tensor, so that the f32 values are never whole there.
    pub(super) fn of(
        device: &Rc<Device>,
        config: ModelConfig,
        parameters: &Parameters<f32>,
        part: &'static str,
    ) -> Result<Self, CudaError> {
        let layout = Layout::new(&config);
        let mut weights = device.buffer::<S>(layout.len, part)?;
        for (tensor, place) in parameters.named().iter().zip(&layout.named) {
            let values = device.upload(tensor.values, part)?;
            ops::round_to(device, values.view(), &weights.at_mut(place.clone()))?;
        }
        Self::with(device, config, layout, weights)
    }

    /// The weights of flat f32 values that are on the device already.
    pub(super) fn of_master(
        device: &Rc<Device>,
        config: ModelConfig,
        layout: Layout,
        master: &Buffer<f32>,
    ) -> Result<Self, CudaError> {
        let mut weights = device.buffer::<S>(layout.len, "weights")?;
        ops::round_to(device, master.view(), &weights.view_mut())?;
        Self::with(device, config, layout, weights)
    }

    fn with(device: &Rc<Device>, config: ModelConfig, layout: Layout, weights: Buffer<S>) -> Result<Self, CudaError> {
        Ok(Self {
            rotation: RefCell::new(Rc::new(Rotation::new(device, &config.rope, config.head_dim, 0)?)),
            config,
            layout,
            tiles: Tiles::default(),
            chunk_logits: chunk_logits(),
            deterministic: true,
            device: Rc::clone(device),
            weights,
        })
    }

    /// The device.
    pub fn device(&self) -> &Rc<Device> {
        &self.device
    }

    /// Gradients of 0, flat, and behind them one value more, which a loss that is not finite makes NaN: the norm then is
    /// not finite either, and the optimiser takes no step.
    ///
    /// # Errors
    /// Where the device's memory does not hold them.
    pub fn zero_gradients(&self) -> Result<Buffer<f32>, CudaError> {
        self.device.filled(self.layout.len + 1, 0.0, "gradients")
    }

    /// Log-probability under softmax(logits / temperature) and row entropy of every label of the tree, in its order.
    ///
    /// # Errors
    /// Where the device's memory is used up, or the device fails.
    pub fn log_probs(&self, tree: &PrefixTree, temperature: f64) -> Result<Vec<LabelValue>, CudaError> {
        let run = Run::new(self, tree)?;
        let mut x = run.embed()?;
        for i in 0..self.config.layers {
            x = run.context(i).forward(x, Saved::Input)?.0;
        }
        run.values(x, temperature)
    }

    /// Queues forward and backward; the gradient of the objective is added to `gradients`, those of
    /// [`Decoder::zero_gradients`]. The host waits for nothing; the labels' values can be read at any time after.
    ///
    /// # Errors
    /// As [`Decoder::log_probs`]; the gradient is then of no use.
    pub fn forward_backward(
        &self,
        tree: &PrefixTree,
        options: &StepOptions,
        objective: &dyn TokenObjective,
        gradients: &mut Buffer<f32>,
    ) -> Result<Values, CudaError> {
        let run = Run::new(self, tree)?;
        let token_rows = TokenRows::new(&self.device, tree.tokens())?;
        let mut x = run.embed()?;
        let mut kept = Vec::with_capacity(self.config.layers);
        for i in 0..self.config.layers {
            let (y, k) = run.context(i).forward(x, options.saved)?;
            kept.push(k);
            x = y;
        }
        let hidden = run.normalise(&x)?;
        let mut d_hidden = self.device.buffer::<f32>(hidden.len(), "logits")?;
        let to = HeadGradients {
            hidden: &mut d_hidden,
            flat: gradients,
            weight: self.layout.head.clone(),
            not_finite: self.layout.len,
        };
        let values = run.head(&hidden, options.temperature).forward_backward(objective, tree.labels(), to)?;
        drop(hidden);
        let mut dx = self.device.filled(x.len(), 0.0, "activations")?;
        let norm = (x.view(), self.weights.at(self.layout.final_norm.clone()), self.config.rms_norm_eps);
        let d_norm = gradients.at_mut(self.layout.final_norm.clone());
        ops::rms_norm_backward(&self.device, norm, d_hidden.view(), &dx.view_mut(), &d_norm)?;
        drop((d_hidden, x));
        for (i, kept) in kept.into_iter().enumerate().rev() {
            dx = run.context(i).backward(kept, dx, gradients)?;
        }
        let d_embedding = gradients.at_mut(self.layout.embedding.clone());
        ops::embed_backward::<S>(&self.device, &token_rows, dx.view(), self.config.hidden_size, &d_embedding)?;
        Ok(values)
    }

    /// The calls of fused attention over a tree; `None` where there is none for this type or these heads.
    pub(super) fn fused_tree(&self, tree: &PrefixTree) -> Result<Option<FusedTree>, CudaError> {
        let (device, c) = (&self.device, &self.config);
        let heads = Heads { kv_heads: c.kv_heads, group: c.heads / c.kv_heads, dim: c.head_dim };
        let engine = device.fused().ok().filter(|engine| S::SUFFIX == Bf16::SUFFIX && engine.serves(&heads));
        let size = (tree.tokens().len(), self.deterministic);
        engine.map(|engine| FusedTree::new(device, engine, heads, tree.nodes(), size)).transpose()
    }

    /// The rotary table of at least `positions` positions.
    pub(super) fn rotation(&self, positions: usize) -> Result<Rc<Rotation>, CudaError> {
        let mut table = self.rotation.borrow_mut();
        if table.positions() < positions {
            let positions = positions.next_multiple_of(POSITIONS);
            *table = Rc::new(Rotation::new(&self.device, &self.config.rope, self.config.head_dim, positions)?);
        }
        Ok(Rc::clone(&table))
    }

    /// Flat gradients as tensors on the host.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn gradients_to_host(&self, gradients: &Buffer<f32>) -> Result<Parameters<f32>, CudaError> {
        Ok(self.layout.unflatten(&self.config, &gradients.to_host()?))
    }
}

/// One pass of a decoder over a tree.
pub(super) struct Run<'a, S> {
    decoder: &'a Decoder<S>,
    tree: &'a PrefixTree,
    rotation: Rc<Rotation>,
    all: Rows,
    labelled: Rows,
    labels: Labels,
    fused: Option<FusedTree>,
}

impl<'a, S: Stored> Run<'a, S> {
    pub(super) fn new(decoder: &'a Decoder<S>, tree: &'a PrefixTree) -> Result<Self, CudaError> {
        let positions = tree.positions();
        let longest = positions.iter().max().map_or(0, |&p| p as usize + 1);
        let device = &decoder.device;
        Ok(Self {
            fused: decoder.fused_tree(tree)?,
            decoder,
            tree,
            rotation: decoder.rotation(longest)?,
            all: Rows::new(device, (0..positions.len() as u32).collect(), positions)?,
            labelled: Rows::new(device, labelled_rows(tree.labels()), positions)?,
            labels: Labels::new(device, tree.labels())?,
        })
    }

    /// The surroundings of layer `i`.
    fn context(&self, i: usize) -> Context<'_, S> {
        let last = i + 1 == self.decoder.config.layers;
        self.context_of(&self.decoder.weights, &self.decoder.layout.layers[i], last)
    }

    /// The surroundings of a layer with these weights; the last layer's output is wanted only where a label reads it.
    pub(super) fn context_of<'r>(
        &'r self,
        weights: &'r Buffer<S>,
        layout: &'r LayerLayout,
        last: bool,
    ) -> Context<'r, S> {
        Context {
            device: &self.decoder.device,
            config: &self.decoder.config,
            rotation: &self.rotation,
            nodes: self.tree.nodes(),
            all: &self.all,
            wanted: if last { &self.labelled } else { &self.all },
            tiles: self.decoder.tiles,
            fused: self.fused.as_ref(),
            weights,
            layout,
        }
    }

    pub(super) fn embed(&self) -> Result<Buffer<f32>, CudaError> {
        let (d, width) = (self.decoder, self.decoder.config.hidden_size);
        let mut x = d.device.buffer::<f32>(self.tree.tokens().len() * width, "activations")?;
        let tokens = d.device.upload(self.tree.tokens(), "activations")?;
        let table = d.weights.at(d.layout.embedding.clone());
        ops::embed(&d.device, table, tokens.view(), width, &x.view_mut())?;
        Ok(x)
    }

    /// The labels' values from the last layer's output.
    pub(super) fn values(&self, x: Buffer<f32>, temperature: f64) -> Result<Vec<LabelValue>, CudaError> {
        let hidden = self.normalise(&x)?;
        drop(x);
        self.head(&hidden, temperature).values()?.read()
    }

    fn normalise(&self, x: &Buffer<f32>) -> Result<Buffer<S>, CudaError> {
        let d = self.decoder;
        let mut hidden = d.device.buffer(x.len(), "activations")?;
        let weight = d.weights.at(d.layout.final_norm.clone());
        ops::rms_norm(&d.device, x.view(), weight, d.config.rms_norm_eps, &hidden.view_mut())?;
        Ok(hidden)
    }

    fn head<'r>(&'r self, hidden: &'r Buffer<S>, temperature: f64) -> Head<'r, S> {
        let d = self.decoder;
        Head {
            device: &d.device,
            weight: d.weights.at(d.layout.head.clone()),
            width: d.config.hidden_size,
            hidden: hidden.view(),
            labels: &self.labels,
            temperature,
            chunk: d.chunk_logits,
        }
    }
}
