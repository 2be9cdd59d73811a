//! One decoder layer on a device, forward and backward: [`crate::model::layer`] step by step, with the residual stream
//! in f32 and everything that a matrix product reads in the element type.

use std::rc::Rc;

use super::attention::{Attention, Gradients, KeysValues, Tiles};
use super::device::{Buffer, Device, Slice};
use super::error::CudaError;
use super::fused::FusedTree;
use super::gemm::{Options, Shape, Stored, matmul};
use super::layout::LayerLayout;
use super::ops::{self, Arranged, Heads, Order, Rotation, Turn};
use crate::model::Saved;
use crate::model::config::ModelConfig;
use crate::prefix::Node;

/// What activations are called in an error.
const PART: &str = "activations";

/// Packed rows on both sides, with their positions on the device.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) host: Vec<u32>,
    pub(super) device: Buffer<u32>,
    pub(super) positions: Buffer<u32>,
}

impl Rows {
    /// The given rows of a tree whose rows stand at `positions`.
    pub(super) fn new(device: &Rc<Device>, rows: Vec<u32>, positions: &[u32]) -> Result<Self, CudaError> {
        let own: Vec<u32> = rows.iter().map(|&row| positions[row as usize]).collect();
        let (on_device, positions) = (device.upload(&rows, PART)?, device.upload(&own, PART)?);
        Ok(Self { host: rows, device: on_device, positions })
    }
}

/// What a layer needs besides its input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'c, S> {
    pub(super) device: &'c Rc<Device>,
    pub(super) config: &'c ModelConfig,
    pub(super) rotation: &'c Rotation,
    pub(super) nodes: &'c [Node],
    /// All packed rows: keys and values are computed for these.
    pub(super) all: &'c Rows,
    /// The rows whose output is wanted, ascending.
    pub(super) wanted: &'c Rows,
    pub(super) tiles: Tiles,
    /// The tree's calls, where a fused kernel serves the heads; it then takes the place of tiles.
    pub(super) fused: Option<&'c FusedTree>,
    /// All weights of the model, and where this layer's stand.
    pub(super) weights: &'c Buffer<S>,
    pub(super) layout: &'c LayerLayout,
}

/// What a layer kept.
#[derive(Debug)]
pub(super) struct Kept<S> {
    x: Buffer<f32>,
    attended: Option<Attended<S>>,
    inner: Option<Inner<S>>,
}

/// The attention's result, token-major, with its log-sum-exps: folded; those of fused calls `[packed rows, heads]`.
#[derive(Debug)]
struct Attended<S> {
    o: Buffer<S>,
    lse: Buffer<f32>,
}

/// The inputs of the attention after rotation: queries, folded for tiles and token-major for fused calls; token-major keys
/// and values.
#[derive(Debug)]
struct Projected<S> {
    q: Buffer<S>,
    k: Buffer<S>,
    v: Buffer<S>,
}

impl<S: Copy> Projected<S> {
    fn keys_values(&self) -> KeysValues<'_, S> {
        KeysValues { k: self.k.view(), v: self.v.view() }
    }
}

/// Everything between the two ends of the layer that is dear to compute.
#[derive(Debug)]
struct Inner<S> {
    projected: Projected<S>,
    /// The residual stream after attention, `[wanted rows, hidden]`.
    middle: Buffer<f32>,
    gate: Buffer<S>,
    up: Buffer<S>,
}

/// A layer's output `[wanted rows, hidden]`, with all that was computed on the way.
#[derive(Debug)]
struct Passed<S> {
    y: Buffer<f32>,
    attended: Attended<S>,
    inner: Inner<S>,
}

/// Keys and values of all rows, `[packed rows, kv_heads * dim]`, and the output; none where no row is wanted.
#[derive(Debug)]
pub(super) struct Prefilled<S> {
    pub(super) k: Buffer<S>,
    pub(super) v: Buffer<S>,
    pub(super) y: Option<Buffer<f32>>,
}

impl<S: Stored> Context<'_, S> {
    fn weight(&self, place: &std::ops::Range<usize>) -> Slice<'_, S> {
        self.weights.at(place.clone())
    }

    fn heads(&self) -> Heads {
        let c = self.config;
        Heads { kv_heads: c.kv_heads, group: c.heads / c.kv_heads, dim: c.head_dim }
    }

    fn attention(&self) -> Attention<'_> {
        Attention {
            heads: self.heads(),
            nodes: self.nodes,
            rows: &self.wanted.host,
            device_rows: self.wanted.device.view(),
            tiles: self.tiles,
        }
    }

    fn all_wanted(&self) -> bool {
        self.wanted.host.len() == self.all.host.len()
    }

    fn norm(&self, x: &Buffer<f32>, weight: &std::ops::Range<usize>) -> Result<Buffer<S>, CudaError> {
        let mut h = self.device.buffer(x.len(), PART)?;
        ops::rms_norm(self.device, x.view(), self.weight(weight), self.config.rms_norm_eps, &h.view_mut())?;
        Ok(h)
    }

    fn linear(
        &self,
        x: &Buffer<S>,
        weight: &std::ops::Range<usize>,
        bias: &std::ops::Range<usize>,
    ) -> Result<Buffer<S>, CudaError> {
        let hidden = self.config.hidden_size;
        let mut y = self.device.buffer(x.len() / hidden * (weight.len() / hidden), PART)?;
        let (weight, bias) = (self.weight(weight), self.weight(bias));
        ops::linear(self.device, x.view(), weight, bias, y.view_mut(), (hidden, false))?;
        Ok(y)
    }

    /// The wanted rows of normalised rows; `None` where that is all.
    fn wanted_of(&self, h: &Buffer<S>) -> Result<Option<Buffer<S>>, CudaError> {
        if self.all_wanted() {
            return Ok(None);
        }
        let width = self.config.hidden_size;
        let mut out = self.device.buffer(self.wanted.host.len() * width, PART)?;
        ops::gather(self.device, h.view(), self.wanted.device.view(), width, &out.view_mut())?;
        Ok(Some(out))
    }

    fn project(&self, x: &Buffer<f32>) -> Result<Projected<S>, CudaError> {
        let (device, l) = (self.device, self.layout);
        let h = self.norm(x, &l.attention_norm)?;
        let mut k = self.linear(&h, &l.k, &l.k_bias)?;
        let key_heads = Heads { group: 1, ..self.heads() };
        let turn = Turn::Forward(self.rotation, self.all.positions.view());
        // In place: each pair of values is read and written by one thread.
        let keys = k.view_mut();
        ops::arrange(device, &key_heads, (Arranged::Values(keys.view()), Order::Plain), (&keys, Order::Plain), turn)?;
        let v = self.linear(&h, &l.v, &l.v_bias)?;
        let wanted = self.wanted_of(&h)?;
        let mut plain = self.linear(wanted.as_ref().unwrap_or(&h), &l.q, &l.q_bias)?;
        drop((wanted, h));
        let turn = Turn::Forward(self.rotation, self.wanted.positions.view());
        if self.fused.is_some() {
            let queries = plain.view_mut();
            let input = (Arranged::Values(queries.view()), Order::Plain);
            ops::arrange(device, &self.heads(), input, (&queries, Order::Plain), turn)?;
            return Ok(Projected { q: plain, k, v });
        }
        let mut q = device.buffer(plain.len(), PART)?;
        let input = (Arranged::Values(plain.view()), Order::Plain);
        ops::arrange(device, &self.heads(), input, (&q.view_mut(), Order::Folded), turn)?;
        Ok(Projected { q, k, v })
    }

    fn attend(&self, p: &Projected<S>) -> Result<Attended<S>, CudaError> {
        let Some(fused) = self.fused else {
            let (o, lse) = self.attention().forward(self.device, p.q.view(), &p.keys_values())?;
            return Ok(Attended { o, lse });
        };
        let spread = self.spread(&p.q)?;
        let (all, lse) = fused.forward(self.device, spread.as_ref().unwrap_or(&p.q).view(), &p.keys_values())?;
        if spread.is_none() {
            return Ok(Attended { o: all, lse });
        }
        let mut o = self.device.buffer(p.q.len(), PART)?;
        ops::gather(self.device, all.view(), self.wanted.device.view(), self.width(), &o.view_mut())?;
        Ok(Attended { o, lse })
    }

    /// From the gradient of the attention's output, as [`Attention::backward`].
    fn attend_backward(&self, p: &Projected<S>, a: &Attended<S>, d_o: &Buffer<S>) -> Result<Gradients, CudaError> {
        let (device, kv) = (self.device, &p.keys_values());
        let Some(fused) = self.fused else {
            return self.attention().backward(device, (p.q.view(), kv), (a.o.view(), a.lse.view()), d_o.view());
        };
        // Rows that are not wanted have no gradient, so what they add is 0.
        let (q, o, all) = (self.spread(&p.q)?, self.spread(&a.o)?, self.spread(d_o)?);
        let (q, o, d_o) = (q.as_ref().unwrap_or(&p.q), o.as_ref().unwrap_or(&a.o), all.as_ref().unwrap_or(d_o));
        let outputs = (o.view(), a.lse.view());
        let mut gradients = fused.backward(device, (q.view(), kv), outputs, d_o.view())?;
        if !self.all_wanted() {
            let mut dq = device.buffer(p.q.len(), PART)?;
            let rows = self.wanted.device.view();
            ops::gather_stream::<S>(device, gradients.dq.view(), rows, self.width(), &dq.view_mut())?;
            gradients.dq = dq;
        }
        Ok(gradients)
    }

    /// Values of all heads.
    fn width(&self) -> usize {
        self.config.heads * self.config.head_dim
    }

    /// Heads of the wanted rows among all packed rows, the others 0; `None` where all are wanted.
    fn spread(&self, x: &Buffer<S>) -> Result<Option<Buffer<S>>, CudaError> {
        if self.all_wanted() {
            return Ok(None);
        }
        let mut out = self.device.buffer(self.all.host.len() * self.width(), PART)?;
        out.view_mut().clear(self.device)?;
        ops::scatter(self.device, x.view(), self.wanted.device.view(), self.width(), &out.view_mut())?;
        Ok(Some(out))
    }

    fn inner(&self, x: &Buffer<f32>, projected: Projected<S>, o: &Buffer<S>) -> Result<Inner<S>, CudaError> {
        let (c, l) = (self.config, self.layout);
        let gathered = if self.all_wanted() {
            None
        } else {
            let mut rows = self.device.buffer(self.wanted.host.len() * c.hidden_size, PART)?;
            let wanted = self.wanted.device.view();
            ops::gather_stream::<S>(self.device, x.view(), wanted, c.hidden_size, &rows.view_mut())?;
            Some(rows)
        };
        let middle = self.with_product(gathered.as_ref().unwrap_or(x), o, &l.o, self.width())?;
        drop(gathered);
        let h = self.norm(&middle, &l.mlp_norm)?;
        let (gate, up) = (self.linear(&h, &l.gate, &(0..0))?, self.linear(&h, &l.up, &(0..0))?);
        Ok(Inner { projected, middle, gate, up })
    }

    /// The residual stream with `x W^T` added.
    fn with_product(
        &self,
        stream: &Buffer<f32>,
        x: &Buffer<S>,
        weight: &std::ops::Range<usize>,
        width_in: usize,
    ) -> Result<Buffer<f32>, CudaError> {
        let mut sum = self.device.buffer(stream.len(), PART)?;
        let (rows, width_out) = (x.len() / width_in, weight.len() / width_in);
        let (x_shape, w_shape) = (Shape::dense(rows, width_in), Shape::dense(width_out, width_in).t());
        let options = Options { onto: Some(stream.view()), ..Options::default() };
        let out = (sum.view_mut(), Shape::dense(rows, width_out));
        matmul(self.device, out, (x.view(), x_shape), (self.weight(weight), w_shape), options)?;
        Ok(sum)
    }

    /// `x[packed rows, hidden]` to `y[wanted rows, hidden]`, and what `saved` says to keep.
    pub(super) fn forward(&self, x: Buffer<f32>, saved: Saved) -> Result<(Buffer<f32>, Kept<S>), CudaError> {
        let Passed { y, attended, inner } = self.pass(&x)?;
        let kept = match saved {
            Saved::Input => Kept { x, attended: None, inner: None },
            Saved::Attention => Kept { x, attended: Some(attended), inner: None },
            Saved::All => Kept { x, attended: Some(attended), inner: Some(inner) },
        };
        Ok((y, kept))
    }

    /// What a cache keeps of `x[packed rows, hidden]`.
    pub(super) fn prefill(&self, x: &Buffer<f32>) -> Result<Prefilled<S>, CudaError> {
        if self.wanted.host.is_empty() {
            let Projected { k, v, .. } = self.project(x)?;
            return Ok(Prefilled { k, v, y: None });
        }
        let Passed { y, inner, .. } = self.pass(x)?;
        let Projected { k, v, .. } = inner.projected;
        Ok(Prefilled { k, v, y: Some(y) })
    }

    fn pass(&self, x: &Buffer<f32>) -> Result<Passed<S>, CudaError> {
        let projected = self.project(x)?;
        let attended = self.attend(&projected)?;
        let inner = self.inner(x, projected, &attended.o)?;
        let mut a = self.device.buffer(inner.gate.len(), PART)?;
        ops::swiglu(self.device, inner.gate.view(), inner.up.view(), &a.view_mut())?;
        let y = self.with_product(&inner.middle, &a, &self.layout.down, self.config.intermediate_size)?;
        Ok(Passed { y, attended, inner })
    }

    /// From `dy[wanted rows, hidden]` to the gradient by the layer's input `[packed rows, hidden]`; gradients of the
    /// weights are added to `gradients`, the model's flat array.
    pub(super) fn backward(
        &self,
        kept: Kept<S>,
        mut dy: Buffer<f32>,
        gradients: &mut Buffer<f32>,
    ) -> Result<Buffer<f32>, CudaError> {
        let (c, l, device) = (self.config, self.layout, self.device);
        let (hidden, eps) = (c.hidden_size, c.rms_norm_eps);
        let Kept { x, attended, inner } = kept;
        let (attended, inner) = match (attended, inner) {
            (Some(attended), Some(inner)) => (attended, inner),
            (attended, _) => {
                let projected = self.project(&x)?;
                let attended = match attended {
                    Some(attended) => attended,
                    None => self.attend(&projected)?,
                };
                let inner = self.inner(&x, projected, &attended.o)?;
                (attended, inner)
            }
        };
        let Inner { projected, middle, mut gate, mut up } = inner;
        let round = |stream: &Buffer<f32>| {
            let mut rounded = device.buffer::<S>(stream.len(), PART)?;
            ops::round_to(device, stream.view(), &rounded.view_mut())?;
            Ok::<_, CudaError>(rounded)
        };

        // Feed-forward block.
        let d_out = round(&dy)?;
        let mut a = device.buffer::<S>(gate.len(), PART)?;
        let mut da = device.buffer::<S>(gate.len(), PART)?;
        let down = self.weight(&l.down);
        ops::linear_backward_input(device, d_out.view(), down, da.view_mut(), (c.intermediate_size, false))?;
        ops::swiglu_backward(device, (&gate.view_mut(), &up.view_mut()), da.view(), &a.view_mut())?;
        drop(da);
        let d_weight = gradients.at_mut(l.down.clone());
        ops::linear_backward_weight(device, a.view(), d_out.view(), d_weight, c.intermediate_size)?;
        drop((a, d_out));
        let h = self.norm(&middle, &l.mlp_norm)?;
        let mut dh = device.buffer::<f32>(h.len(), PART)?;
        for (i, (d, place)) in [(&gate, &l.gate), (&up, &l.up)].into_iter().enumerate() {
            ops::linear_backward_weight(device, h.view(), d.view(), gradients.at_mut(place.clone()), hidden)?;
            ops::linear_backward_input(device, d.view(), self.weight(place), dh.view_mut(), (hidden, i > 0))?;
        }
        drop((gate, up, h));
        let norm = (middle.view(), self.weight(&l.mlp_norm), eps);
        let d_norm = gradients.at_mut(l.mlp_norm.clone());
        ops::rms_norm_backward(device, norm, dh.view(), &dy.view_mut(), &d_norm)?;
        drop((dh, middle));
        // dy is now the gradient by the residual stream after attention.

        // Output projection and attention.
        let width = self.width();
        let d_out = round(&dy)?;
        let d_weight = gradients.at_mut(l.o.clone());
        ops::linear_backward_weight(device, attended.o.view(), d_out.view(), d_weight, width)?;
        let mut d_o = device.buffer::<S>(attended.o.len(), PART)?;
        ops::linear_backward_input(device, d_out.view(), self.weight(&l.o), d_o.view_mut(), (width, false))?;
        drop(d_out);
        let sums = self.attend_backward(&projected, &attended, &d_o)?;
        drop((d_o, projected, attended));
        let positions = (self.wanted.positions.view(), self.all.positions.view());
        let [dq, dk, dv] = self.attention().gradients_by_projections(device, sums, self.rotation, positions)?;

        // Projections.
        let h = self.norm(&x, &l.attention_norm)?;
        let mut dh = device.buffer::<f32>(h.len(), PART)?;
        for (i, (d, place, bias)) in [(&dk, &l.k, &l.k_bias), (&dv, &l.v, &l.v_bias)].into_iter().enumerate() {
            ops::linear_backward_weight(device, h.view(), d.view(), gradients.at_mut(place.clone()), hidden)?;
            ops::bias_backward(device, d.view(), &gradients.at_mut(bias.clone()))?;
            ops::linear_backward_input(device, d.view(), self.weight(place), dh.view_mut(), (hidden, i > 0))?;
        }
        let wanted = self.wanted_of(&h)?;
        let of_queries = wanted.as_ref().unwrap_or(&h).view();
        ops::linear_backward_weight(device, of_queries, dq.view(), gradients.at_mut(l.q.clone()), hidden)?;
        ops::bias_backward(device, dq.view(), &gradients.at_mut(l.q_bias.clone()))?;
        let mut dx = if wanted.is_none() {
            ops::linear_backward_input(device, dq.view(), self.weight(&l.q), dh.view_mut(), (hidden, true))?;
            dy
        } else {
            let mut part = device.buffer::<f32>(dy.len(), PART)?;
            ops::linear_backward_input(device, dq.view(), self.weight(&l.q), part.view_mut(), (hidden, false))?;
            let rows = self.wanted.device.view();
            ops::scatter_add::<S>(device, part.view(), rows, hidden, &dh.view_mut())?;
            let mut dx = device.filled(x.len(), 0.0, PART)?;
            ops::scatter_add::<S>(device, dy.view(), rows, hidden, &dx.view_mut())?;
            dx
        };
        let norm = (x.view(), self.weight(&l.attention_norm), eps);
        let d_norm = gradients.at_mut(l.attention_norm.clone());
        ops::rms_norm_backward(device, norm, dh.view(), &dx.view_mut(), &d_norm)?;
        Ok(dx)
    }
}
