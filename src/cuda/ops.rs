//! The primitives of [`crate::ops`] on a device: each a launch or two of the kernels of the same names.

use std::rc::Rc;

use super::device::{Argument, Buffer, Device, Scalar, Slice, SliceMut};
use super::error::CudaError;
use super::gemm::{self, Options, Shape, Stored};
use crate::model::config::RopeConfig;
use crate::ops::rope::RopeTable;

/// Threads of a block that works on one row, and of element-wise blocks.
pub(super) const THREADS: usize = 256;
/// Blocks of element-wise kernels at most; threads go on to further elements.
const BLOCKS: usize = 4096;
/// Rows whose sum is one partial sum; fixed, so that sums have one shape.
const PIECE: usize = 256;

fn blocks(elements: usize) -> (usize, usize) {
    (elements.div_ceil(THREADS).min(BLOCKS), 1)
}

/// `x[rows, width]`, the embeddings of the tokens.
pub fn embed<S: Scalar>(
    device: &Device,
    table: Slice<'_, S>,
    tokens: Slice<'_, u32>,
    width: usize,
    x: &SliceMut<'_, f32>,
) -> Result<(), CudaError> {
    let launch = device.kernel::<S>("embed", (tokens.len, 1), THREADS)?;
    launch.read(table).read(tokens).value(width as i32).write(x).run()
}

/// The rows of each token, for the embedding's gradient.
#[derive(Debug)]
pub struct TokenRows {
    order: Buffer<u32>,
    starts: Buffer<u32>,
    tokens: Buffer<u32>,
}

impl TokenRows {
    /// Sorts the rows by token, then by row.
    pub fn new(device: &Rc<Device>, tokens: &[u32]) -> Result<Self, CudaError> {
        let mut order: Vec<u32> = (0..tokens.len() as u32).collect();
        order.sort_by_key(|&row| tokens[row as usize]);
        let mut starts = Vec::new();
        let mut distinct: Vec<u32> = Vec::new();
        for (at, &row) in order.iter().enumerate() {
            if distinct.last() != Some(&tokens[row as usize]) {
                distinct.push(tokens[row as usize]);
                starts.push(at as u32);
            }
        }
        starts.push(order.len() as u32);
        Ok(Self {
            order: device.upload(&order, "token rows")?,
            starts: device.upload(&starts, "token rows")?,
            tokens: device.upload(&distinct, "token rows")?,
        })
    }
}

/// Adds each row of `dx` to its token's row of `d_table`.
pub fn embed_backward<S: Scalar>(
    device: &Device,
    rows: &TokenRows,
    dx: Slice<'_, f32>,
    width: usize,
    d_table: &SliceMut<'_, f32>,
) -> Result<(), CudaError> {
    let launch = device.kernel::<S>("embed_backward", (rows.tokens.len(), 1), THREADS)?;
    let launch = launch.read(dx).read(rows.order.view()).read(rows.starts.view()).read(rows.tokens.view());
    launch.value(width as i32).write(d_table).run()
}

/// `y = x / sqrt(mean(x^2) + eps) w`.
pub fn rms_norm<S: Scalar>(
    device: &Device,
    x: Slice<'_, f32>,
    weight: Slice<'_, S>,
    eps: f64,
    y: &SliceMut<'_, S>,
) -> Result<(), CudaError> {
    let width = weight.len;
    let launch = device.kernel::<S>("rms_norm", (x.len / width, 1), THREADS)?;
    launch.read(x).read(weight).value(width as i32).value(eps as f32).write(y).run()
}

/// Adds the gradients by the input and by the weight.
pub fn rms_norm_backward<S: Scalar>(
    device: &Rc<Device>,
    (x, weight, eps): (Slice<'_, f32>, Slice<'_, S>, f64),
    dy: Slice<'_, f32>,
    dx: &SliceMut<'_, f32>,
    d_weight: &SliceMut<'_, f32>,
) -> Result<(), CudaError> {
    let width = weight.len;
    let rows = x.len / width;
    let mut inverse = device.buffer::<f32>(rows, "normalisation")?;
    let launch = device.kernel::<S>("rms_norm_backward", (rows, 1), THREADS)?.read(x).read(weight).read(dy);
    launch.value(width as i32).value(eps as f32).write(dx).write(&inverse.view_mut()).run()?;
    column_sums::<S>(device, rows, width, d_weight, |grid, partial| {
        let launch = device.kernel::<S>("norm_weight_partial", grid, THREADS)?.read(dy).read(x).read(inverse.view());
        launch.value(rows as i32).value(width as i32).value(PIECE as i32).write(partial).run()
    })
}

/// `d_bias += ` column sums of `dy[rows, d_bias.len]`.
pub fn bias_backward<S: Scalar>(
    device: &Rc<Device>,
    dy: Slice<'_, S>,
    d_bias: &SliceMut<'_, f32>,
) -> Result<(), CudaError> {
    let width = d_bias.len;
    if width == 0 {
        return Ok(());
    }
    let rows = dy.len / width;
    column_sums::<S>(device, rows, width, d_bias, |grid, partial| {
        let launch = device.kernel::<S>("bias_partial", grid, THREADS)?.read(dy);
        launch.value(rows as i32).value(width as i32).value(PIECE as i32).write(partial).run()
    })
}

/// Sums over pieces of rows by `partial`, added to `out` in order.
fn column_sums<S: Scalar>(
    device: &Rc<Device>,
    rows: usize,
    width: usize,
    out: &SliceMut<'_, f32>,
    partial: impl FnOnce((usize, usize), &SliceMut<'_, f32>) -> Result<(), CudaError>,
) -> Result<(), CudaError> {
    let (columns, pieces) = (width.div_ceil(THREADS), rows.div_ceil(PIECE));
    let mut sums = device.buffer::<f32>(pieces * width, "partial sums")?;
    partial((columns, pieces), &sums.view_mut())?;
    let launch = device.kernel::<S>("add_partials", (columns, 1), THREADS)?;
    launch.read(sums.view()).value(pieces as i32).value(width as i32).write(out).run()
}

/// `out[i] = x[rows[i]]` of the residual stream.
pub fn gather_stream<S: Scalar>(
    device: &Device,
    x: Slice<'_, f32>,
    rows: Slice<'_, u32>,
    width: usize,
    out: &SliceMut<'_, f32>,
) -> Result<(), CudaError> {
    let launch = device.kernel::<S>("gather_stream", (rows.len, 1), THREADS)?;
    launch.read(x).read(rows).value(width as i32).write(out).run()
}

/// `out[i] = x[rows[i]]`.
pub fn gather<S: Scalar>(
    device: &Device,
    x: Slice<'_, S>,
    rows: Slice<'_, u32>,
    width: usize,
    out: &SliceMut<'_, S>,
) -> Result<(), CudaError> {
    let launch = device.kernel::<S>("gather", (rows.len, 1), THREADS)?;
    launch.read(x).read(rows).value(width as i32).write(out).run()
}

/// `out[rows[i]] = part[i]`.
pub fn scatter<S: Scalar>(
    device: &Device,
    part: Slice<'_, S>,
    rows: Slice<'_, u32>,
    width: usize,
    out: &SliceMut<'_, S>,
) -> Result<(), CudaError> {
    let launch = device.kernel::<S>("scatter", (rows.len, 1), THREADS)?;
    launch.read(part).read(rows).value(width as i32).write(out).run()
}

/// `out[rows[i]] += part[i]`; each row stands once in `rows`.
pub fn scatter_add<S: Scalar>(
    device: &Device,
    part: Slice<'_, f32>,
    rows: Slice<'_, u32>,
    width: usize,
    out: &SliceMut<'_, f32>,
) -> Result<(), CudaError> {
    let launch = device.kernel::<S>("scatter_add", (rows.len, 1), THREADS)?;
    launch.read(part).read(rows).value(width as i32).write(out).run()
}

/// `out = x`, rounded to the element type.
pub fn round_to<S: Scalar>(device: &Device, x: Slice<'_, f32>, out: &SliceMut<'_, S>) -> Result<(), CudaError> {
    let launch = device.kernel::<S>("round_to", blocks(x.len), THREADS)?;
    launch.read(x).value(x.len as u64).write(out).run()
}

/// `a = silu(gate) up`.
pub fn swiglu<S: Scalar>(
    device: &Device,
    gate: Slice<'_, S>,
    up: Slice<'_, S>,
    a: &SliceMut<'_, S>,
) -> Result<(), CudaError> {
    let launch = device.kernel::<S>("swiglu", blocks(gate.len), THREADS)?;
    launch.read(gate).read(up).value(gate.len as u64).write(a).run()
}

/// From `da`: `gate` and `up` are overwritten by their gradients, `a` by the forward's output.
pub fn swiglu_backward<S: Scalar>(
    device: &Device,
    (gate, up): (&SliceMut<'_, S>, &SliceMut<'_, S>),
    da: Slice<'_, S>,
    a: &SliceMut<'_, S>,
) -> Result<(), CudaError> {
    let launch = device.kernel::<S>("swiglu_backward", blocks(gate.len), THREADS)?;
    launch.write(gate).write(up).read(da).value(gate.len as u64).write(a).run()
}

/// `y[rows, out] (+)= x[rows, in] W^T + b` with W `[out, in]`; an empty bias is none.
pub fn linear<S: Stored, R: Stored>(
    device: &Device,
    x: Slice<'_, S>,
    weight: Slice<'_, S>,
    bias: Slice<'_, R>,
    y: SliceMut<'_, R>,
    (width_in, accumulate): (usize, bool),
) -> Result<(), CudaError> {
    let (rows, width_out) = (x.len / width_in, weight.len / width_in);
    let options = Options { accumulate, bias: (bias.len > 0).then_some(bias), ..Options::default() };
    let (x_shape, w_shape) = (Shape::dense(rows, width_in), Shape::dense(width_out, width_in).t());
    gemm::matmul(device, (y, Shape::dense(rows, width_out)), (x, x_shape), (weight, w_shape), options)
}

/// `dx (+)= dy W`.
pub fn linear_backward_input<S: Stored, R: Stored>(
    device: &Device,
    dy: Slice<'_, S>,
    weight: Slice<'_, S>,
    dx: SliceMut<'_, R>,
    (width_in, accumulate): (usize, bool),
) -> Result<(), CudaError> {
    let width_out = weight.len / width_in;
    let rows = dy.len / width_out;
    let (dy_shape, w_shape) = (Shape::dense(rows, width_out), Shape::dense(width_out, width_in));
    let options = Options { accumulate, ..Options::default() };
    gemm::matmul(device, (dx, Shape::dense(rows, width_in)), (dy, dy_shape), (weight, w_shape), options)
}

/// `dW += dy^T x`, in f32 and in place.
pub fn linear_backward_weight<S: Stored>(
    device: &Device,
    x: Slice<'_, S>,
    dy: Slice<'_, S>,
    d_weight: SliceMut<'_, f32>,
    width_in: usize,
) -> Result<(), CudaError> {
    let (rows, width_out) = (x.len / width_in, d_weight.len / width_in);
    let (x_shape, dy_shape) = (Shape::dense(rows, width_in), Shape::dense(rows, width_out).t());
    let options = Options { accumulate: true, ..Options::default() };
    gemm::matmul(device, (d_weight, Shape::dense(width_out, width_in)), (dy, dy_shape), (x, x_shape), options)
}

/// Cosines and sines on the device, `[positions, dim / 2]` each.
#[derive(Debug)]
pub struct Rotation {
    positions: usize,
    pub(super) cos: Buffer<f32>,
    pub(super) sin: Buffer<f32>,
}

impl Rotation {
    /// The table of the first `positions` positions.
    pub fn new(device: &Rc<Device>, config: &RopeConfig, head_dim: usize, positions: usize) -> Result<Self, CudaError> {
        let table = RopeTable::<f32>::new(config, head_dim, positions);
        let (cos, sin) = table.values();
        Ok(Self { positions, cos: device.upload(cos, "positions")?, sin: device.upload(sin, "positions")? })
    }

    /// Positions in the table.
    pub fn positions(&self) -> usize {
        self.positions
    }
}

/// The order of the rows of attention heads in an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `[rows, kv_heads, group, dim]`, as the projections write.
    Plain,
    /// `[kv_heads, rows, group, dim]`: query heads that share a key head are rows of one matrix.
    Folded,
}

/// Numbers and width of attention heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Key and value heads.
    pub kv_heads: usize,
    /// Query heads to each key head.
    pub group: usize,
    /// Width of a head.
    pub dim: usize,
}

/// Which rotation [`arrange`] applies.
#[derive(Debug, Clone, Copy)]
pub enum Turn<'a> {
    /// None.
    No,
    /// To each row's position.
    Forward(&'a Rotation, Slice<'a, u32>),
    /// Back from it: the gradient of the former.
    Back(&'a Rotation, Slice<'a, u32>),
}

/// Values that [`arrange`] reads: of the element type, or sums in f32.
#[derive(Debug, Clone, Copy)]
pub enum Arranged<'a, S> {
    /// Of the element type.
    Values(Slice<'a, S>),
    /// Sums in f32.
    Sums(Slice<'a, f32>),
}

/// Copies heads from one order to another, rotated as wanted. Input and output may be one array where the order stays.
pub fn arrange<S: Scalar>(
    device: &Device,
    heads: &Heads,
    (input, from): (Arranged<'_, S>, Order),
    (output, to): (&SliceMut<'_, S>, Order),
    turn: Turn<'_>,
) -> Result<(), CudaError> {
    let rows = output.len / (heads.kv_heads * heads.group * heads.dim);
    let grid = (rows, 1);
    let launch = match input {
        Arranged::Values(values) => device.kernel::<S>("arrange_heads", grid, THREADS)?.read(values),
        Arranged::Sums(sums) => device.kernel::<S>("arrange_sums", grid, THREADS)?.read(sums),
    };
    let folded = |order| i32::from(order == Order::Folded);
    let launch = launch.write(output).value(heads.kv_heads as i32).value(heads.group as i32);
    let launch = launch.value(heads.dim as i32).value(folded(from)).value(folded(to));
    let turned = |rotation: &Rotation, positions: Slice<'_, u32>, sign: f32| {
        (positions.address, rotation.cos.view().address, rotation.sin.view().address, sign)
    };
    let (positions, cos, sin, sign) = match turn {
        Turn::No => (0, 0, 0, 1.0),
        Turn::Forward(rotation, positions) => turned(rotation, positions, 1.0),
        Turn::Back(rotation, positions) => turned(rotation, positions, -1.0),
    };
    launch.value(positions).value(cos).value(sin).value(sign).run()
}

/// `struct Tile` of `kernels/attention.cu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct Tile {
    /// First query row.
    pub(super) begin: i32,
    /// Query heads to a key head.
    pub(super) group: i32,
    /// Query rows in all.
    pub(super) total: i32,
    /// Packed row of the first key.
    pub(super) at: i32,
    /// Keys.
    pub(super) keys: i32,
    /// Scores from one row to the next.
    pub(super) stride: i32,
}

impl Argument for Tile {}

impl Tile {
    /// Scores of all heads, for `count` query rows.
    pub(super) fn scores(&self, kv_heads: usize, count: usize) -> usize {
        kv_heads * count * (self.group * self.stride) as usize
    }
}

/// What the softmax of a tile goes on from: maxima, sums and outputs of the folded query rows.
pub(super) struct Running<'a> {
    pub(super) maxima: &'a SliceMut<'a, f32>,
    pub(super) sums: &'a SliceMut<'a, f32>,
    pub(super) o: &'a SliceMut<'a, f32>,
}

/// Weights of a tile of `count` query rows from its scores; the running values move on.
pub(super) fn softmax_tile<S: Scalar>(
    device: &Device,
    (scores, rows): (Slice<'_, f32>, Slice<'_, u32>),
    (tile, heads, count): (Tile, &Heads, usize),
    weights: &SliceMut<'_, S>,
    running: &Running<'_>,
) -> Result<(), CudaError> {
    let launch = device.kernel::<S>("softmax_tile", (count * heads.group, heads.kv_heads), THREADS)?;
    let launch = launch.read(scores).read(rows).value(tile).value(heads.dim as i32).write(weights);
    launch.write(running.maxima).write(running.sums).write(running.o).run()
}

/// Divides the outputs by the sums; maxima become log-sum-exps.
pub(super) fn softmax_finish<S: Scalar>(device: &Device, running: &Running<'_>) -> Result<(), CudaError> {
    let (rows, dim) = (running.sums.len, running.o.len / running.sums.len.max(1));
    let launch = device.kernel::<S>("softmax_finish", (rows, 1), 128)?;
    launch.write(running.o).write(running.maxima).write(running.sums).value(dim as i32).run()
}

/// `delta` = sum(o do) of each head, folded; both inputs token-major.
pub(super) fn attention_delta<S: Scalar>(
    device: &Device,
    heads: &Heads,
    (o, d_o): (Slice<'_, S>, Slice<'_, S>),
    delta: &SliceMut<'_, f32>,
) -> Result<(), CudaError> {
    let (kv_heads, group) = (heads.kv_heads, heads.group);
    let launch = device.kernel::<S>("attention_delta", (delta.len, 1), 32)?.read(o).read(d_o);
    let launch = launch.value((delta.len / (kv_heads * group)) as i32).value(kv_heads as i32);
    launch.value(group as i32).value(heads.dim as i32).write(delta).run()
}

/// Weights and gradients by the scores of a tile.
#[allow(clippy::too_many_arguments)]
pub(super) fn softmax_tile_backward<S: Scalar>(
    device: &Device,
    (scores, dp, rows): (Slice<'_, f32>, Slice<'_, f32>, Slice<'_, u32>),
    (tile, heads, count): (Tile, &Heads, usize),
    (lse, delta): (Slice<'_, f32>, Slice<'_, f32>),
    weights: &SliceMut<'_, S>,
    ds: &SliceMut<'_, S>,
) -> Result<(), CudaError> {
    let launch = device.kernel::<S>("softmax_tile_backward", (count * heads.group, heads.kv_heads), THREADS)?;
    let launch = launch.read(scores).read(dp).read(rows).value(tile).read(lse).read(delta);
    launch.write(weights).write(ds).run()
}

/// Output and log-sum-exps of the packed rows `rows[i]` from those of a call's row i: taken over where `first` is set, else
/// merged with what stands there.
pub(super) fn merge_rows<S: Scalar>(
    device: &Device,
    (part, part_lse, rows): (Slice<'_, S>, Slice<'_, f32>, Slice<'_, u32>),
    (heads, dim): (usize, usize),
    first: bool,
    (o, lse): (&SliceMut<'_, S>, &SliceMut<'_, f32>),
) -> Result<(), CudaError> {
    let launch = device.kernel::<S>("merge_rows", (rows.len, 1), THREADS)?.read(part).read(part_lse).read(rows);
    let launch = launch.value(heads as i32).value(dim as i32).value(i32::from(first));
    launch.write(o).write(lse).run()
}

/// `out[rows[i]] += part[i]` of a call's row i, or `=` where `first` is set.
pub(super) fn add_rows<S: Scalar>(
    device: &Device,
    (part, rows): (Slice<'_, S>, Slice<'_, u32>),
    width: usize,
    first: bool,
    out: &SliceMut<'_, f32>,
) -> Result<(), CudaError> {
    let launch = device.kernel::<S>("add_rows", (rows.len, 1), THREADS)?.read(part).read(rows);
    launch.value(width as i32).value(i32::from(first)).write(out).run()
}

/// `statistics[row]` = (log-sum-exp, entropy) of logits `z[rows, vocab]`, which are divided by the temperature already.
pub(super) fn logit_statistics<S: Scalar>(
    device: &Device,
    z: Slice<'_, f32>,
    vocab: usize,
    statistics: &SliceMut<'_, f64>,
) -> Result<(), CudaError> {
    let launch = device.kernel::<S>("logit_statistics", (z.len / vocab, 1), 512)?;
    launch.read(z).value(vocab as i32).write(statistics).run()
}

/// `values[label]` = (log-probability, entropy) of the labels that stand in `rows` and predict `targets`; the logits
/// begin with row `first`.
pub(super) fn label_values<S: Scalar>(
    device: &Device,
    (z, vocab): (Slice<'_, f32>, usize),
    statistics: Slice<'_, f64>,
    (rows, first): (Slice<'_, u32>, usize),
    targets: Slice<'_, u32>,
    values: &SliceMut<'_, f64>,
) -> Result<(), CudaError> {
    let count = targets.len;
    let launch = device.kernel::<S>("label_values", (count.div_ceil(128), 1), 128)?;
    let launch = launch.read(z).value(vocab as i32).read(statistics).read(rows).value(first as i32);
    launch.read(targets).value(count as i32).write(values).run()
}

/// Gradient by the logits of rows, whose labels stand from `starts[row] - starts[0]` on in `targets` and in the
/// derivatives of the loss by log-probability and by entropy.
pub(super) fn log_prob_backward<S: Scalar>(
    device: &Device,
    (z, vocab, temperature): (Slice<'_, f32>, usize, f64),
    statistics: Slice<'_, f64>,
    starts: Slice<'_, u32>,
    targets: Slice<'_, u32>,
    (by_log_prob, by_entropy): (Slice<'_, f32>, Slice<'_, f32>),
    d_logits: &SliceMut<'_, S>,
) -> Result<(), CudaError> {
    let launch = device.kernel::<S>("log_prob_backward", (starts.len - 1, 1), 512)?;
    let launch = launch.read(z).value(vocab as i32).read(statistics).read(starts);
    let launch = launch.read(targets).read(by_log_prob).read(by_entropy);
    launch.value((1.0 / temperature) as f32).write(d_logits).run()
}
