//! One decoder layer, forward and backward, over the packed rows of a prefix tree.
//!
//! A layer keeps as little as it is told to ([`Saved`]) and recomputes the rest: with `Input` the whole layer, with
//! `Attention` all but the attention, with `All` only the cheap element-wise parts.

use std::str::FromStr;

use crate::model::config::ModelConfig;
use crate::model::parameters::LayerParameters;
use crate::ops::attention::{self, Shape};
use crate::ops::rope::{self, RopeTable};
use crate::ops::{Buffer, Element, Workspace, linear, rms_norm, swiglu};
use crate::prefix::Node;

/// What each layer keeps for its backward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// Its input; everything is computed a second time.
    Input,
    /// Its input, the attention's output and log-sum-exp: no attention is recomputed.
    Attention,
    /// What the matrix products and the attention produced: nothing expensive is recomputed.
    All,
}

impl FromStr for Saved {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "input" => Ok(Self::Input),
            "attention" => Ok(Self::Attention),
            "all" => Ok(Self::All),
            other => Err(format!("`{other}` is none of input, attention, all")),
        }
    }
}

/// What a layer needs besides its input and parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'c, 'w, T: Element> {
    pub(crate) config: &'c ModelConfig,
    pub(crate) table: &'c RopeTable<T>,
    pub(crate) nodes: &'c [Node],
    /// Position of each packed row.
    pub(crate) positions: &'c [u32],
    /// Ascending packed rows whose output is wanted; keys and values are computed for all rows.
    pub(crate) rows: &'c [u32],
    pub(crate) workspace: &'w Workspace<T>,
}

/// What a layer kept.
#[derive(Debug)]
pub(crate) struct Kept<'w, T: Element> {
    x: Buffer<'w, T>,
    attended: Option<Attended<'w, T>>,
    inner: Option<Inner<'w, T>>,
}

/// The attention's result, head-major, with its log-sum-exp.
#[derive(Debug)]
struct Attended<'w, T: Element> {
    o: Buffer<'w, T>,
    lse: Buffer<'w, T>,
}

/// The inputs of the attention, head-major, after rotation.
#[derive(Debug)]
struct Projected<'w, T: Element> {
    q: Buffer<'w, T>,
    k: Buffer<'w, T>,
    v: Buffer<'w, T>,
}

/// Everything between the two ends of the layer that is dear to compute.
#[derive(Debug)]
struct Inner<'w, T: Element> {
    projected: Projected<'w, T>,
    /// The residual stream after attention, `[rows, hidden]`.
    middle: Buffer<'w, T>,
    gate: Buffer<'w, T>,
    up: Buffer<'w, T>,
}

impl<'w, T: Element> Context<'_, 'w, T> {
    fn shape(&self) -> Shape {
        let c = self.config;
        Shape { heads: c.heads, kv_heads: c.kv_heads, dim: c.head_dim, keys: self.positions.len() }
    }

    fn all_rows(&self) -> bool {
        self.rows.len() == self.positions.len()
    }

    /// The wanted rows of `x[packed rows, hidden]`.
    fn gather(&self, x: &[T]) -> Buffer<'w, T> {
        if self.all_rows() {
            return self.workspace.copy(x);
        }
        let width = self.config.hidden_size;
        let mut out = self.workspace.buffer(self.rows.len() * width);
        for (out, &row) in out.chunks_exact_mut(width).zip(self.rows) {
            let at = row as usize * width;
            out.copy_from_slice(&x[at..at + width]);
        }
        out
    }

    /// Adds `part[wanted rows, hidden]` to their rows of `out`.
    fn scatter(&self, part: &[T], out: &mut [T]) {
        let width = self.config.hidden_size;
        for (part, &row) in part.chunks_exact(width).zip(self.rows) {
            let at = row as usize * width;
            for (out, &v) in out[at..at + width].iter_mut().zip(part) {
                *out += v;
            }
        }
    }

    fn norm(&self, x: &[T], weight: &[T]) -> Buffer<'w, T> {
        let mut h = self.workspace.buffer(x.len());
        rms_norm::forward(x, weight, self.config.rms_norm_eps, &mut h);
        h
    }

    fn linear(&self, x: &[T], width_in: usize, weight: &[T], bias: &[T]) -> Buffer<'w, T> {
        let mut y = self.workspace.buffer(x.len() / width_in * (weight.len() / width_in));
        linear::forward(x, weight, bias, &mut y, width_in, false);
        y
    }

    fn project(&self, layer: &LayerParameters<T>, x: &[T]) -> Projected<'w, T> {
        let c = self.config;
        let h = self.norm(x, &layer.attention_norm);
        let hidden = c.hidden_size;
        let flat = self.linear(&h, hidden, &layer.k, &layer.k_bias);
        let mut k = self.workspace.buffer(flat.len());
        rope::to_heads(&flat, self.table, self.positions, c.kv_heads, &mut k);
        drop(flat);
        let flat = self.linear(&h, hidden, &layer.v, &layer.v_bias);
        let mut v = self.workspace.buffer(flat.len());
        rope::split_heads(&flat, c.kv_heads, c.head_dim, &mut v);
        drop(flat);
        let wanted = if self.all_rows() { h } else { self.gather(&h) };
        let flat = self.linear(&wanted, hidden, &layer.q, &layer.q_bias);
        let mut q = self.workspace.buffer(flat.len());
        rope::to_heads(&flat, self.table, &self.wanted_positions(), c.heads, &mut q);
        Projected { q, k, v }
    }

    fn wanted_positions(&self) -> Vec<u32> {
        self.rows.iter().map(|&r| self.positions[r as usize]).collect()
    }

    fn attend(&self, p: &Projected<'_, T>) -> Attended<'w, T> {
        let mut o = self.workspace.buffer(p.q.len());
        let mut lse = self.workspace.buffer(self.rows.len() * self.config.heads);
        attention::forward(&self.shape(), self.nodes, self.rows, (&p.q, &p.k, &p.v), (&mut o, &mut lse));
        Attended { o, lse }
    }

    fn join(&self, o: &[T]) -> Buffer<'w, T> {
        let mut joined = self.workspace.buffer(o.len());
        rope::join_heads(o, self.config.heads, self.config.head_dim, &mut joined);
        joined
    }

    /// The residual stream after attention.
    fn middle(&self, layer: &LayerParameters<T>, x: &[T], o: &[T]) -> Buffer<'w, T> {
        let mut middle = self.gather(x);
        add_attention(self.config, layer, &self.join(o), &mut middle);
        middle
    }

    fn gate_and_up(&self, layer: &LayerParameters<T>, middle: &[T]) -> (Buffer<'w, T>, Buffer<'w, T>) {
        let h = self.norm(middle, &layer.mlp_norm);
        let hidden = self.config.hidden_size;
        (self.linear(&h, hidden, &layer.gate, &[]), self.linear(&h, hidden, &layer.up, &[]))
    }

    fn inner(&self, layer: &LayerParameters<T>, x: &[T], projected: Projected<'w, T>, o: &[T]) -> Inner<'w, T> {
        let middle = self.middle(layer, x, o);
        let (gate, up) = self.gate_and_up(layer, &middle);
        Inner { projected, middle, gate, up }
    }

    /// `x[packed rows, hidden]` to `y[wanted rows, hidden]`, and what `saved` says to keep.
    pub(crate) fn forward(
        &self,
        layer: &LayerParameters<T>,
        x: Buffer<'w, T>,
        saved: Saved,
    ) -> (Buffer<'w, T>, Kept<'w, T>) {
        let projected = self.project(layer, &x);
        let attended = self.attend(&projected);
        let inner = self.inner(layer, &x, projected, &attended.o);
        let mut a = self.workspace.buffer(inner.gate.len());
        swiglu::forward(&inner.gate, &inner.up, &mut a);
        let mut y = self.workspace.copy(&inner.middle);
        linear::forward(&a, &layer.down, &[], &mut y, self.config.intermediate_size, true);
        drop(a);
        let kept = match saved {
            Saved::Input => Kept { x, attended: None, inner: None },
            Saved::Attention => Kept { x, attended: Some(attended), inner: None },
            Saved::All => Kept { x, attended: Some(attended), inner: Some(inner) },
        };
        (y, kept)
    }

    /// As [`Context::forward`], keeping the rotated keys and the values `[kv_heads, packed rows, head_dim]` instead.
    pub(crate) fn prefill(&self, layer: &LayerParameters<T>, x: &[T]) -> (Buffer<'w, T>, Buffer<'w, T>, Buffer<'w, T>) {
        let projected = self.project(layer, x);
        let mut y = self.middle(layer, x, &self.attend(&projected).o);
        feed_forward(self.config, self.workspace, layer, &mut y);
        (y, projected.k, projected.v)
    }

    /// From `dy[wanted rows, hidden]` to the gradient by the layer's input `[packed rows, hidden]`; parameter gradients
    /// are added to `grads`.
    pub(crate) fn backward(
        &self,
        layer: &LayerParameters<T>,
        kept: Kept<'w, T>,
        mut dy: Buffer<'w, T>,
        grads: &mut LayerParameters<T>,
    ) -> Buffer<'w, T> {
        let (c, w) = (self.config, self.workspace);
        let (hidden, eps) = (c.hidden_size, c.rms_norm_eps);
        let Kept { x, attended, inner } = kept;
        let (attended, inner) = match (attended, inner) {
            (Some(attended), Some(inner)) => (attended, inner),
            (attended, _) => {
                let projected = self.project(layer, &x);
                let attended = attended.unwrap_or_else(|| self.attend(&projected));
                let inner = self.inner(layer, &x, projected, &attended.o);
                (attended, inner)
            }
        };
        let Inner { projected, middle, mut gate, mut up } = inner;

        // Feed-forward block.
        let mut a = w.buffer(gate.len());
        let mut da = w.buffer(gate.len());
        linear::backward_input(&dy, &layer.down, &mut da, c.intermediate_size, false);
        swiglu::backward(&mut gate, &mut up, &mut a, &da);
        drop(da);
        linear::backward_weight(&a, &dy, &mut grads.down, &mut [], c.intermediate_size);
        drop(a);
        let h = self.norm(&middle, &layer.mlp_norm);
        linear::backward_weight(&h, &gate, &mut grads.gate, &mut [], hidden);
        linear::backward_weight(&h, &up, &mut grads.up, &mut [], hidden);
        let mut dh = h;
        linear::backward_input(&gate, &layer.gate, &mut dh, hidden, false);
        linear::backward_input(&up, &layer.up, &mut dh, hidden, true);
        drop((gate, up));
        rms_norm::backward(&middle, &layer.mlp_norm, eps, &dh, &mut dy, &mut grads.mlp_norm);
        drop((dh, middle));
        // dy is now the gradient by the residual stream after attention.

        // Output projection and attention.
        let heads_width = c.heads * c.head_dim;
        let joined = self.join(&attended.o);
        linear::backward_weight(&joined, &dy, &mut grads.o, &mut [], heads_width);
        let mut d_joined = joined;
        linear::backward_input(&dy, &layer.o, &mut d_joined, heads_width, false);
        let mut d_o = w.buffer(d_joined.len());
        rope::split_heads(&d_joined, c.heads, c.head_dim, &mut d_o);
        drop(d_joined);
        let Projected { q, k, v } = projected;
        let (mut dq, mut dk, mut dv) = (w.buffer(q.len()), w.buffer(k.len()), w.buffer(v.len()));
        let saved = attention::Saved { q: &q, k: &k, v: &v, o: &attended.o, lse: &attended.lse };
        let gradients = (&mut *dq, &mut *dk, &mut *dv);
        attention::backward(&self.shape(), self.nodes, self.rows, &saved, &d_o, gradients, w);
        drop(d_o);

        // Projections: the head-major buffers of q, k, v take the token-major gradients.
        let (mut dq_flat, mut dk_flat, mut dv_flat) = (q, k, v);
        rope::from_heads(&dq, self.table, &self.wanted_positions(), c.heads, &mut dq_flat);
        rope::from_heads(&dk, self.table, self.positions, c.kv_heads, &mut dk_flat);
        rope::join_heads(&dv, c.kv_heads, c.head_dim, &mut dv_flat);
        drop((dq, dk, dv, attended));
        let h = self.norm(&x, &layer.attention_norm);
        linear::backward_weight(&h, &dk_flat, &mut grads.k, &mut grads.k_bias, hidden);
        linear::backward_weight(&h, &dv_flat, &mut grads.v, &mut grads.v_bias, hidden);
        let wanted = if self.all_rows() { None } else { Some(self.gather(&h)) };
        let wanted_h: &[T] = wanted.as_ref().map_or(&h, |wanted| wanted);
        linear::backward_weight(wanted_h, &dq_flat, &mut grads.q, &mut grads.q_bias, hidden);
        let mut dh = h;
        linear::backward_input(&dk_flat, &layer.k, &mut dh, hidden, false);
        linear::backward_input(&dv_flat, &layer.v, &mut dh, hidden, true);
        let mut dx = match wanted {
            None => {
                linear::backward_input(&dq_flat, &layer.q, &mut dh, hidden, true);
                dy
            }
            Some(mut part) => {
                linear::backward_input(&dq_flat, &layer.q, &mut part, hidden, false);
                self.scatter(&part, &mut dh);
                let mut dx = w.zeros(x.len());
                self.scatter(&dy, &mut dx);
                dx
            }
        };
        rms_norm::backward(&x, &layer.attention_norm, eps, &dh, &mut dx, &mut grads.attention_norm);
        dx
    }
}

/// Adds the output projection of the attention's result (token-major) to the residual stream.
pub(crate) fn add_attention<T: Element>(c: &ModelConfig, layer: &LayerParameters<T>, joined: &[T], x: &mut [T]) {
    linear::forward(joined, &layer.o, &[], x, c.heads * c.head_dim, true);
}

/// Adds the feed-forward block to the residual stream.
pub(crate) fn feed_forward<T: Element>(
    c: &ModelConfig,
    workspace: &Workspace<T>,
    layer: &LayerParameters<T>,
    x: &mut [T],
) {
    let width = layer.gate.len() / c.hidden_size;
    let rows = x.len() / c.hidden_size;
    let mut h = workspace.buffer(x.len());
    rms_norm::forward(x, &layer.mlp_norm, c.rms_norm_eps, &mut h);
    let (mut gate, mut up) = (workspace.buffer(rows * width), workspace.buffer(rows * width));
    linear::forward(&h, &layer.gate, &[], &mut gate, c.hidden_size, false);
    linear::forward(&h, &layer.up, &[], &mut up, c.hidden_size, false);
    let mut a = workspace.buffer(rows * width);
    swiglu::forward(&gate, &up, &mut a);
    linear::forward(&a, &layer.down, &[], x, width, true);
}
