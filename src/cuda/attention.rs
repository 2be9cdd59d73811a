//! Causal attention over a prefix tree by matrix products of tiles: the rule of [`crate::ops::attention`], "key j of a
//! node is seen by the rows of the node's subtree from j on", with the softmax merged over tiles of keys.
//!
//! Keys and values stay as the projections write them, `[keys, kv_heads * dim]`: a prefix's are read in place by every
//! response. Queries are folded ([`ops::Order::Folded`]), so that the heads of a group are rows of one product and the
//! gradient of a key sums over them by itself.

use std::rc::Rc;

use super::device::{Buffer, Device, Slice};
use super::error::CudaError;
use super::gemm::{Options, Shape, Stored, matmul};
use super::ops::{self, Arranged, Heads, Order, Running, Tile, Turn};
use crate::prefix::Node;

/// Rows of scores start at multiples of this many values: of 16 bytes in either type.
const GRAIN: usize = 8;
/// Tiles on the diagonal are multiples of this many keys wide.
const WIDTHS: usize = 256;

/// How the scores are cut into tiles.
#[derive(Debug, Clone, Copy)]
pub struct Tiles {
    /// Keys of one tile.
    pub keys: usize,
    /// Scores of all heads of one tile: what decides its rows.
    pub scores: usize,
}

impl Default for Tiles {
    /// 64 Mi scores: 256 MiB, a small part of a step's memory, and products large enough to fill a card.
    fn default() -> Self {
        Self { keys: 4096, scores: 64 << 20 }
    }
}

/// One attention: which rows ask, over which tree.
#[derive(Debug, Clone, Copy)]
pub struct Attention<'a> {
    /// Sizes.
    pub heads: Heads,
    /// The tree.
    pub nodes: &'a [Node],
    /// Ascending packed rows of the queries, on the host.
    pub rows: &'a [u32],
    /// The same on the device.
    pub device_rows: Slice<'a, u32>,
    /// How the scores are cut.
    pub tiles: Tiles,
}

/// Keys and values, `[keys, kv_heads * dim]`.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct KeysValues<'a, S> {
    pub k: Slice<'a, S>,
    pub v: Slice<'a, S>,
}

/// Gradients in f32: by the queries, whose order is given, by the keys and by the values as these are laid out.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Gradients {
    pub order: Order,
    pub dq: Buffer<f32>,
    pub dk: Buffer<f32>,
    pub dv: Buffer<f32>,
}

impl Attention<'_> {
    fn scale(&self) -> f32 {
        1.0 / (self.heads.dim as f32).sqrt()
    }

    /// Every tile with its number of query rows, keys in ascending order for each query.
    fn each_tile(&self, mut f: impl FnMut(Tile, usize) -> Result<(), CudaError>) -> Result<(), CudaError> {
        let position = |row: usize| self.rows.partition_point(|&r| (r as usize) < row);
        for node in self.nodes {
            let end = position(node.subtree_end);
            for at in (node.start..node.end).step_by(self.tiles.keys.max(1)) {
                let keys = self.tiles.keys.min(node.end - at);
                let scores = self.heads.kv_heads * self.heads.group * keys.next_multiple_of(GRAIN);
                let rows = (self.tiles.scores / scores).max(1);
                for begin in (position(at)..end).step_by(rows) {
                    let count = rows.min(end - begin);
                    // No row of this tile sees keys behind its last; few widths, so that few products are prepared.
                    let last = self.rows[begin + count - 1] as usize;
                    let keys = keys.min((last + 1 - at).next_multiple_of(WIDTHS));
                    let stride = keys.next_multiple_of(GRAIN);
                    let tile = Tile {
                        begin: begin as i32,
                        group: self.heads.group as i32,
                        total: self.rows.len() as i32,
                        at: at as i32,
                        keys: keys as i32,
                        stride: stride as i32,
                    };
                    f(tile, count)?;
                }
            }
        }
        Ok(())
    }

    /// The most scores of one tile.
    fn largest_tile(&self) -> Result<usize, CudaError> {
        let mut largest = 0;
        self.each_tile(|tile, count| {
            largest = largest.max(tile.scores(self.heads.kv_heads, count));
            Ok(())
        })?;
        Ok(largest)
    }

    /// The tile's scores, as a batch over key heads.
    fn scores_shape(&self, tile: &Tile, count: usize) -> Shape {
        let (rows, stride) = (count * self.heads.group, tile.stride as usize);
        Shape { rows, cols: tile.keys as usize, stride, batch_stride: rows * stride, transposed: false }
    }

    /// The tile's rows of a folded array.
    fn folded_shape(&self, count: usize) -> Shape {
        let (rows, dim) = (count * self.heads.group, self.heads.dim);
        let batch_stride = self.rows.len() * self.heads.group * dim;
        Shape { rows, cols: dim, stride: dim, batch_stride, transposed: false }
    }

    /// The tile's keys or values.
    fn keys_shape(&self, tile: &Tile) -> Shape {
        let (dim, stride) = (self.heads.dim, self.heads.kv_heads * self.heads.dim);
        Shape { rows: tile.keys as usize, cols: dim, stride, batch_stride: dim, transposed: false }
    }

    /// Where the tile's folded rows start, in values.
    fn folded_start(&self, tile: &Tile) -> usize {
        tile.begin as usize * self.heads.group * self.heads.dim
    }

    /// Where the tile's keys start, in values.
    fn keys_start(&self, tile: &Tile) -> usize {
        tile.at as usize * self.heads.kv_heads * self.heads.dim
    }

    fn options<S>(&self, scale: f32, accumulate: bool) -> Options<'static, S> {
        Options { scale, accumulate, batch: self.heads.kv_heads, ..Options::default() }
    }

    /// From folded queries the output, token-major `[rows, heads * dim]`, and the folded log-sum-exps.
    pub fn forward<S: Stored>(
        &self,
        device: &Rc<Device>,
        q: Slice<'_, S>,
        kv: &KeysValues<'_, S>,
    ) -> Result<(Buffer<S>, Buffer<f32>), CudaError> {
        const PART: &str = "attention";
        let folded_rows = q.len / self.heads.dim.max(1);
        let mut sums = device.filled(folded_rows, 0.0, PART)?;
        let mut maxima = device.filled(folded_rows, f32::NEG_INFINITY, PART)?;
        let mut o = device.filled(q.len, 0.0, PART)?;
        let largest = self.largest_tile()?;
        let mut scores = device.buffer::<f32>(largest, PART)?;
        let mut weights = device.buffer::<S>(largest, PART)?;
        self.each_tile(|tile, count| {
            let (query, key) = (self.folded_start(&tile), self.keys_start(&tile));
            let (scores_shape, keys) = (self.scores_shape(&tile, count), self.keys_shape(&tile));
            let folded = self.folded_shape(count);
            matmul(
                device,
                (scores.view_mut(), scores_shape),
                (q.from(query), folded),
                (kv.k.from(key), keys.t()),
                self.options(self.scale(), false),
            )?;
            let running = Running { maxima: &maxima.view_mut(), sums: &sums.view_mut(), o: &o.view_mut() };
            let (of_scores, of_tile) = ((scores.view(), self.device_rows), (tile, &self.heads, count));
            ops::softmax_tile(device, of_scores, of_tile, &weights.view_mut(), &running)?;
            let out = o.at_mut(query..q.len);
            matmul(
                device,
                (out, folded),
                (weights.view(), scores_shape),
                (kv.v.from(key), keys),
                self.options(1.0, true),
            )
        })?;
        drop((scores, weights));
        let running = Running { maxima: &maxima.view_mut(), sums: &sums.view_mut(), o: &o.view_mut() };
        ops::softmax_finish::<S>(device, &running)?;
        let mut out = device.buffer::<S>(q.len, PART)?;
        let from = (Arranged::Sums(o.view()), Order::Folded);
        ops::arrange(device, &self.heads, from, (&out.view_mut(), Order::Plain), Turn::No)?;
        Ok((out, maxima))
    }

    /// Gradients from that of the output. `q`, `kv` and `lse` are the forward's, `o` its output, token-major as `d_o`.
    ///
    /// With P = exp(s q.k - lse) and D = rowsum(do * o): dV += P^T do, dS = P (do V^T - D), dQ += s dS K, dK += s dS^T Q.
    pub fn backward<S: Stored>(
        &self,
        device: &Rc<Device>,
        (q, kv): (Slice<'_, S>, &KeysValues<'_, S>),
        (o, lse): (Slice<'_, S>, Slice<'_, f32>),
        d_o: Slice<'_, S>,
    ) -> Result<Gradients, CudaError> {
        const PART: &str = "attention's gradient";
        let mut delta = device.buffer::<f32>(lse.len, PART)?;
        ops::attention_delta(device, &self.heads, (o, d_o), &delta.view_mut())?;
        let mut folded_d_o = device.buffer::<S>(q.len, PART)?;
        let from = (Arranged::Values(d_o), Order::Plain);
        ops::arrange(device, &self.heads, from, (&folded_d_o.view_mut(), Order::Folded), Turn::No)?;
        let mut gradients = Gradients {
            order: Order::Folded,
            dq: device.filled(q.len, 0.0, PART)?,
            dk: device.filled(kv.k.len, 0.0, PART)?,
            dv: device.filled(kv.v.len, 0.0, PART)?,
        };
        let largest = self.largest_tile()?;
        let mut scores = device.buffer::<f32>(largest, PART)?;
        let mut dp = device.buffer::<f32>(largest, PART)?;
        let mut weights = device.buffer::<S>(largest, PART)?;
        let mut ds = device.buffer::<S>(largest, PART)?;
        let scale = self.scale();
        self.each_tile(|tile, count| {
            let (query, key) = (self.folded_start(&tile), self.keys_start(&tile));
            let (tile_shape, keys) = (self.scores_shape(&tile, count), self.keys_shape(&tile));
            let folded = self.folded_shape(count);
            let (q, d_o) = ((q.from(query), folded), (folded_d_o.view().from(query), folded));
            let (k, v) = ((kv.k.from(key), keys), (kv.v.from(key), keys));
            let transposed = |(values, shape): (_, Shape)| (values, shape.t());
            let out = (scores.view_mut(), tile_shape);
            matmul(device, out, q, transposed(k), self.options(scale, false))?;
            matmul(device, (dp.view_mut(), tile_shape), d_o, transposed(v), self.options(1.0, false))?;
            ops::softmax_tile_backward(
                device,
                (scores.view(), dp.view(), self.device_rows),
                (tile, &self.heads, count),
                (lse, delta.view()),
                &weights.view_mut(),
                &ds.view_mut(),
            )?;
            let Gradients { dq, dk, dv, .. } = &mut gradients;
            let (p, ds) = ((weights.view(), tile_shape), (ds.view(), tile_shape));
            let end = dv.len();
            matmul(device, (dv.at_mut(key..end), keys), transposed(p), d_o, self.options(1.0, true))?;
            let end = dq.len();
            matmul(device, (dq.at_mut(query..end), folded), ds, k, self.options(scale, true))?;
            let end = dk.len();
            matmul(device, (dk.at_mut(key..end), keys), transposed(ds), q, self.options(scale, true))
        })?;
        Ok(gradients)
    }

    /// Gradients rounded and laid out as the projections write: dq and dk turned back by the rows' positions.
    pub(super) fn gradients_by_projections<S: Stored>(
        &self,
        device: &Rc<Device>,
        gradients: Gradients,
        rotation: &ops::Rotation,
        (query_positions, key_positions): (Slice<'_, u32>, Slice<'_, u32>),
    ) -> Result<[Buffer<S>; 3], CudaError> {
        const PART: &str = "attention's gradient";
        let Gradients { order, dq, dk, dv } = gradients;
        let arranged = |sums: Buffer<f32>, heads: &Heads, order: Order, turn: Turn<'_>| {
            let mut out = device.buffer::<S>(sums.len(), PART)?;
            let from = (Arranged::Sums(sums.view()), order);
            ops::arrange(device, heads, from, (&out.view_mut(), Order::Plain), turn)?;
            Ok::<_, CudaError>(out)
        };
        let key_heads = Heads { group: 1, ..self.heads };
        Ok([
            arranged(dq, &self.heads, order, Turn::Back(rotation, query_positions))?,
            arranged(dk, &key_heads, Order::Plain, Turn::Back(rotation, key_positions))?,
            arranged(dv, &key_heads, Order::Plain, Turn::No)?,
        ])
    }
}
