//! Reading prompts into the cache, and decoding: one new token of each of many sequences through all layers.
//!
//! A step is ten launches a layer: projections that stand side by side in the flat weights are one product, residual
//! adds are part of the products, biases, rotation and the new keys' and values' way to the cache are one kernel.

use std::ops::Range;
use std::rc::Rc;

use super::cache::{Cache, Span};
use super::decode_attention::{DecodeAttention, Seen};
use super::decoder::Decoder;
use super::device::{Buffer, Device, Slice};
use super::error::CudaError;
use super::gemm::{Options, Shape, Stored, matmul};
use super::layer::{Context, Prefilled, Rows};
use super::ops::{self, Heads, Rotation};
use crate::prefix::PrefixTree;
use crate::rollout::MIN_SHARED;

/// Rows of products are multiples of this: fewer shapes to prepare, and whole tiles.
const ROW_STEP: usize = 8;
/// What a step's buffers are called in an error.
const PART: &str = "decoding";

/// The next token of one sequence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) token: u32,
    pub(super) position: usize,
    /// The cache row that its keys and values go to.
    pub(super) at: usize,
    pub(super) seen: Seen,
}

/// A decoder with the keys and values of the sequences that it goes on from.
#[derive(Debug)]
pub(super) struct Decoding<'d, S> {
    decoder: &'d Decoder<S>,
    rotation: Rc<Rotation>,
    pub(super) cache: Cache<S>,
}

impl<'d, S: Stored> Decoding<'d, S> {
    /// With room for `rows` tokens, at positions below `positions`.
    pub(super) fn new(decoder: &'d Decoder<S>, rows: usize, positions: usize) -> Result<Self, CudaError> {
        let cache = Cache::new(decoder.device(), &decoder.config, rows)?;
        Ok(Self { decoder, rotation: decoder.rotation(positions)?, cache })
    }

    fn device(&self) -> &'d Rc<Device> {
        self.decoder.device()
    }

    fn weight(&self, place: &Range<usize>) -> Slice<'d, S> {
        self.decoder.weights.at(place.clone())
    }

    fn norm(&self, x: Slice<'_, f32>, weight: &Range<usize>) -> Result<Buffer<S>, CudaError> {
        let mut h = self.device().buffer(x.len, PART)?;
        ops::rms_norm(self.device(), x, self.weight(weight), self.decoder.config.rms_norm_eps, &h.view_mut())?;
        Ok(h)
    }

    /// Reads token sequences, none of them empty, each into its rows of the cache.
    pub(super) fn read(&mut self, sequences: &[(&[u32], Span)]) -> Result<(), CudaError> {
        let tokens: Vec<&[u32]> = sequences.iter().map(|(tokens, _)| *tokens).collect();
        let tree = PrefixTree::from_prompts(&tokens, MIN_SHARED).map_err(crate::rollout::RolloutError::from)?;
        let paths = tree.last_rows().iter().flat_map(|&row| tree.path(row).into_iter().flatten());
        let from: Vec<u32> = paths.map(|row| row as u32).collect();
        let to = sequences.iter().flat_map(|(_, span)| span.start..span.start + span.len);
        let to: Vec<u32> = to.map(|row| row as u32).collect();
        let (device, d, c) = (self.device(), self.decoder, &self.decoder.config);
        let (from, to) = (device.upload(&from, PART)?, device.upload(&to, PART)?);
        let width = c.kv_heads * c.head_dim;
        let all = Rows::new(device, (0..tree.tokens().len() as u32).collect(), tree.positions())?;
        let none = Rows::new(device, Vec::new(), tree.positions())?;
        let fused = d.fused_tree(&tree)?;
        let tokens = device.upload(tree.tokens(), PART)?;
        let mut x = device.buffer::<f32>(tokens.len() * c.hidden_size, "activations")?;
        ops::embed(device, self.weight(&d.layout.embedding), tokens.view(), c.hidden_size, &x.view_mut())?;
        for (i, (keys, values)) in self.cache.layers.iter_mut().enumerate() {
            let context = Context {
                device,
                config: c,
                rotation: &self.rotation,
                nodes: tree.nodes(),
                all: &all,
                wanted: if i + 1 == c.layers { &none } else { &all },
                tiles: d.tiles,
                fused: fused.as_ref(),
                weights: &d.weights,
                layout: &d.layout.layers[i],
            };
            let Prefilled { k, v, y } = context.prefill(&x)?;
            let launch = device.kernel::<S>("cache_rows", (from.len(), 1), ops::THREADS)?.read(k.view()).read(v.view());
            let launch = launch.read(from.view()).read(to.view()).value(width as i32);
            launch.write(&keys.view_mut()).write(&values.view_mut()).run()?;
            x = y.unwrap_or(x);
        }
        Ok(())
    }

    /// Feeds each sequence its next token; gives the logits after it, `[rows, vocab]` in the first of the buffer's rows.
    /// Rows that share a prefix stand together.
    pub(super) fn logits(&mut self, rows: &[Row]) -> Result<Buffer<f32>, CudaError> {
        let (device, d, c) = (self.device(), self.decoder, &self.decoder.config);
        let heads = Heads { kv_heads: c.kv_heads, group: c.heads / c.kv_heads, dim: c.head_dim };
        let padded = rows.len().next_multiple_of(ROW_STEP);
        let of_rows = |value: &dyn Fn(&Row) -> u32| -> Vec<u32> {
            rows.iter().map(value).chain(std::iter::repeat_n(0, padded - rows.len())).collect()
        };
        let tokens = device.upload(&of_rows(&|row| row.token), PART)?;
        let positions = device.upload(&of_rows(&|row| row.position as u32), PART)?;
        let at = device.upload(&of_rows(&|row| row.at as u32), PART)?;
        let seen: Vec<Seen> = rows.iter().map(|row| row.seen).collect();
        let mut attention = DecodeAttention::new(device, heads, &seen)?;

        let (width, q_width) = (c.hidden_size, c.heads * c.head_dim);
        let mut x = device.buffer::<f32>(padded * width, PART)?;
        ops::embed(device, self.weight(&d.layout.embedding), tokens.view(), width, &x.view_mut())?;
        let mut o = device.buffer::<S>(padded * q_width, PART)?;
        for (i, l) in d.layout.layers.iter().enumerate() {
            let h = self.norm(x.view(), &l.attention_norm)?;
            let (mut qkv, stride) = self.side_by_side(&h, [&l.q, &l.k, &l.v])?;
            let (keys, values) = &mut self.cache.layers[i];
            let launch = device.kernel::<S>("decode_project", (rows.len(), 1), ops::THREADS)?.write(&qkv.view_mut());
            let bias = |place: &Range<usize>| match place.len() {
                0 => Slice::empty(),
                _ => d.weights.at(place.clone()),
            };
            let launch = launch.read(bias(&l.q_bias)).read(bias(&l.k_bias)).read(bias(&l.v_bias));
            let launch = launch.read(positions.view()).read(at.view());
            let launch = launch.read(self.rotation.cos.view()).read(self.rotation.sin.view());
            let launch = launch.value(c.heads as i32).value(c.kv_heads as i32).value(c.head_dim as i32);
            launch.write(&keys.view_mut()).write(&values.view_mut()).run()?;
            attention.run(device, (qkv.view(), stride), (keys.view(), values.view()), &o.view_mut())?;
            drop(qkv);
            let output = self.weight(&l.o);
            ops::linear(device, o.view(), output, Slice::empty(), x.view_mut(), (q_width, true))?;

            let h = self.norm(x.view(), &l.mlp_norm)?;
            let (gate_up, _) = self.side_by_side(&h, [&l.gate, &l.up])?;
            let mut a = device.buffer::<S>(padded * c.intermediate_size, PART)?;
            let columns = c.intermediate_size.div_ceil(4 * ops::THREADS);
            let launch = device.kernel::<S>("swiglu_rows", (columns, padded), ops::THREADS)?.read(gate_up.view());
            launch.value(c.intermediate_size as i32).write(&a.view_mut()).run()?;
            let down = self.weight(&l.down);
            ops::linear(device, a.view(), down, Slice::empty(), x.view_mut(), (c.intermediate_size, true))?;
        }
        let hidden = self.norm(x.view(), &d.layout.final_norm)?;
        let mut logits = device.buffer(padded * c.vocab_size, "logits")?;
        let head = self.weight(&d.layout.head);
        ops::linear(device, hidden.view(), head, Slice::empty(), logits.view_mut(), (width, false))?;
        Ok(logits)
    }

    /// `[rows, columns of all]` and the number of columns: the products of normalised rows with several projections,
    /// side by side. Those that follow each other in the flat weights are one product.
    fn side_by_side<const N: usize>(
        &self,
        h: &Buffer<S>,
        projections: [&Range<usize>; N],
    ) -> Result<(Buffer<S>, usize), CudaError> {
        let width = self.decoder.config.hidden_size;
        let mut joined: Vec<Range<usize>> = Vec::with_capacity(N);
        for place in projections {
            match joined.last_mut() {
                Some(last) if last.end == place.start => last.end = place.end,
                _ => joined.push(place.clone()),
            }
        }
        let (rows, stride) = (h.len() / width, joined.iter().map(Range::len).sum::<usize>() / width);
        let mut y = self.device().buffer(rows * stride, PART)?;
        let (mut column, end) = (0, y.len());
        for place in joined {
            let columns = place.len() / width;
            let shape = Shape { stride, ..Shape::dense(rows, columns) };
            let weight = (self.weight(&place), Shape::dense(columns, width).t());
            let input = (h.view(), Shape::dense(rows, width));
            matmul(self.device(), (y.at_mut(column..end), shape), input, weight, Options::default())?;
            column += columns;
        }
        Ok((y, stride))
    }
}
