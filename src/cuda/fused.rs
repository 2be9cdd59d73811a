//! Attention over a prefix tree by calls of a fused kernel on packed runs of rows.
//!
//! Every node attends to itself causally; everything below a node attends to all of it. The first are calls over all
//! nodes of about equal length, the second over inner nodes; results are merged by their log-sum-exps. The backward makes
//! the same calls with the merged output and log-sum-exps: the kernel computes P = exp(s - lse) and D = rowsum(dO O) from
//! what it is given, so that the gradient is exact. Keys and values of a prefix are read in place by every response. What
//! a call writes goes to memory of its own with room behind it, since a kernel may round the last run's rows up.

use std::fmt::Debug;
use std::rc::Rc;

use super::attention::{Gradients, KeysValues};
use super::device::{Buffer, Device, Slice};
use super::error::CudaError;
use super::gemm::Stored;
use super::ops::{self, Heads, Order};
use crate::prefix::Node;

/// What the buffers are called in an error.
const PART: &str = "attention";

/// What a plan is made for. Laid out as `struct AttentionShape` of `cudnn/attention.cpp`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
#[allow(missing_docs)]
pub struct CallShape {
    /// Pairs of a run of query rows and a run of key rows.
    pub batch: i64,
    pub q_heads: i64,
    pub kv_heads: i64,
    pub dim: i64,
    /// At least the rows of the longest run.
    pub q_rows: i64,
    pub kv_rows: i64,
    /// Whether row i of the queries sees key rows up to i, of which there are as many.
    pub causal: i32,
    pub backward: i32,
    /// Whether sums have one order.
    pub deterministic: i32,
    /// Of the scores.
    pub scale: f32,
}

/// Addresses on the device of a call's arrays: bf16 `[rows, heads, dim]`, log-sum-exps f32 `[rows, heads]`, lengths i32,
/// offsets i64 in values. Laid out as `struct AttentionArrays` of `cudnn/attention.cpp`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
#[allow(missing_docs)]
pub struct CallArrays {
    pub q: u64,
    pub k: u64,
    pub v: u64,
    /// Written by the forward, read by the backward; as `lse`.
    pub o: u64,
    pub lse: u64,
    pub d_o: u64,
    pub dq: u64,
    pub dk: u64,
    pub dv: u64,
    pub q_lengths: u64,
    pub kv_lengths: u64,
    /// Where runs begin in q, d_o and the backward's o.
    pub q_offsets: u64,
    /// In k and v.
    pub kv_offsets: u64,
    /// In the backward's lse.
    pub lse_offsets: u64,
    /// In the forward's o.
    pub o_offsets: u64,
    /// In the forward's lse.
    pub lse_out_offsets: u64,
    /// In dq.
    pub dq_offsets: u64,
    /// In dk and dv.
    pub dkv_offsets: u64,
    pub workspace: u64,
}

/// A kernel that attends packed runs in bf16.
pub trait Fused: Debug {
    /// Whether it has kernels for such heads.
    fn serves(&self, heads: &Heads) -> bool;

    /// Bytes that a call works in.
    ///
    /// # Errors
    /// Where there is no kernel for the shape.
    fn workspace(&self, shape: &CallShape) -> Result<usize, CudaError>;

    /// Queues a call.
    ///
    /// # Errors
    /// Where the call is refused.
    fn run(&self, device: &Device, shape: &CallShape, arrays: &CallArrays) -> Result<(), CudaError>;
}

/// Consecutive rows of the packed tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    start: usize,
    len: usize,
}

/// The runs of one side of a call, on the device.
#[derive(Debug)]
struct Runs {
    lengths: Buffer<i32>,
    /// First row of each run among the packed rows, and among the rows of this call; the rows' end.
    begins: [Vec<usize>; 2],
    /// Packed row of each row of this call.
    rows: Buffer<u32>,
    /// Rows of the longest run, rounded up.
    bucket: usize,
}

#[derive(Debug)]
struct Call {
    causal: bool,
    q: Runs,
    kv: Runs,
    /// As in [`CallArrays`]: q, kv, lse, o and dq, lse_out, dkv.
    offsets: [Buffer<i64>; 6],
}

/// The calls of a tree.
#[derive(Debug)]
pub(super) struct FusedTree {
    engine: Rc<dyn Fused>,
    heads: Heads,
    deterministic: bool,
    rows: usize,
    calls: Vec<Call>,
}

/// Rows of which a plan is made for a run of `rows`: half steps of powers of two, so that plans are few.
fn bucket(rows: usize) -> usize {
    let step = (rows.next_power_of_two() / 4).max(128);
    rows.next_multiple_of(step)
}

/// Pairs of runs by the buckets of both, in pieces of a power of two: a plan serves one number of pairs.
fn batches(mut pairs: Vec<(Run, Run)>) -> Vec<Vec<(Run, Run)>> {
    let buckets = |&(q, kv): &(Run, Run)| (bucket(q.len), bucket(kv.len));
    pairs.sort_by_key(buckets);
    let mut batches = Vec::new();
    for mut rest in pairs.chunk_by(|a, b| buckets(a) == buckets(b)) {
        while !rest.is_empty() {
            let (piece, further) = rest.split_at(1 << rest.len().ilog2());
            batches.push(piece.to_vec());
            rest = further;
        }
    }
    batches
}

impl Runs {
    fn new(device: &Rc<Device>, runs: &[Run]) -> Result<Self, CudaError> {
        let lengths: Vec<i32> = runs.iter().map(|run| run.len as i32).collect();
        let rows: Vec<u32> =
            runs.iter().flat_map(|run| (run.start..run.start + run.len).map(|row| row as u32)).collect();
        let mut begins = [Vec::new(), vec![0]];
        for run in runs {
            begins[0].push(run.start);
            begins[1].push(begins[1][begins[1].len() - 1] + run.len);
        }
        begins[0].extend(runs.last().map(|run| run.start + run.len));
        Ok(Self {
            lengths: device.upload(&lengths, PART)?,
            begins,
            rows: device.upload(&rows, PART)?,
            bucket: runs.iter().map(|run| bucket(run.len)).max().unwrap_or(0),
        })
    }

    /// Where runs begin among values `width` to a row: packed, or in this call's own memory.
    fn offsets(&self, device: &Rc<Device>, own: bool, width: usize) -> Result<Buffer<i64>, CudaError> {
        let offsets: Vec<i64> = self.begins[usize::from(own)].iter().map(|row| (row * width) as i64).collect();
        device.upload(&offsets, PART)
    }

    /// Rows of this call's own memory, with room for a last run that is rounded up.
    fn room(&self) -> usize {
        self.rows.len() + self.bucket
    }
}

impl FusedTree {
    /// The calls for a tree of `nodes`, which hold `rows` rows.
    pub(super) fn new(
        device: &Rc<Device>,
        engine: Rc<dyn Fused>,
        heads: Heads,
        nodes: &[Node],
        (rows, deterministic): (usize, bool),
    ) -> Result<Self, CudaError> {
        let own = |node: &Node| Run { start: node.start, len: node.end - node.start };
        let below = |node: &Node| Run { start: node.end, len: node.subtree_end - node.end };
        let causal = batches(nodes.iter().map(|node| (own(node), own(node))).collect());
        let inner = nodes.iter().filter(|node| node.subtree_end > node.end);
        let full = batches(inner.map(|node| (below(node), own(node))).collect());
        let all = causal.into_iter().map(|pairs| (true, pairs)).chain(full.into_iter().map(|pairs| (false, pairs)));
        let call = |(causal, pairs): (bool, Vec<(Run, Run)>)| {
            let (q, kv): (Vec<Run>, Vec<Run>) = pairs.into_iter().unzip();
            let (q, kv) = (Runs::new(device, &q)?, Runs::new(device, &kv)?);
            let q_heads = heads.kv_heads * heads.group;
            let (q_width, kv_width) = (q_heads * heads.dim, heads.kv_heads * heads.dim);
            let offsets = [
                q.offsets(device, false, q_width)?,
                kv.offsets(device, false, kv_width)?,
                q.offsets(device, false, q_heads)?,
                q.offsets(device, true, q_width)?,
                q.offsets(device, true, q_heads)?,
                kv.offsets(device, true, kv_width)?,
            ];
            Ok(Call { causal, q, kv, offsets })
        };
        let calls = all.map(call).collect::<Result<_, CudaError>>()?;
        Ok(Self { engine, heads, deterministic, rows, calls })
    }

    fn q_heads(&self) -> usize {
        self.heads.kv_heads * self.heads.group
    }

    fn run(&self, device: &Rc<Device>, call: &Call, backward: bool, arrays: CallArrays) -> Result<(), CudaError> {
        let shape = CallShape {
            batch: call.q.lengths.len() as i64,
            q_heads: self.q_heads() as i64,
            kv_heads: self.heads.kv_heads as i64,
            dim: self.heads.dim as i64,
            q_rows: call.q.bucket as i64,
            kv_rows: call.kv.bucket as i64,
            causal: i32::from(call.causal),
            backward: i32::from(backward),
            deterministic: i32::from(backward && self.deterministic),
            scale: 1.0 / (self.heads.dim as f32).sqrt(),
        };
        let workspace = device.buffer::<u8>(self.engine.workspace(&shape)?, "attention's workspace")?;
        let [q, kv, lse, o, lse_out, dkv] = call.offsets.each_ref().map(|offsets| offsets.view().address);
        let arrays = CallArrays {
            q_lengths: call.q.lengths.view().address,
            kv_lengths: call.kv.lengths.view().address,
            q_offsets: q,
            kv_offsets: kv,
            lse_offsets: lse,
            o_offsets: o,
            lse_out_offsets: lse_out,
            dq_offsets: o,
            dkv_offsets: dkv,
            workspace: workspace.view().address,
            ..arrays
        };
        self.engine.run(device, &shape, &arrays)
    }

    /// From queries `[rows, heads * dim]` the output, laid out as they are, and the log-sum-exps `[rows, heads]`.
    pub(super) fn forward<S: Stored>(
        &self,
        device: &Rc<Device>,
        q: Slice<'_, S>,
        kv: &KeysValues<'_, S>,
    ) -> Result<(Buffer<S>, Buffer<f32>), CudaError> {
        let (heads, width) = (self.q_heads(), self.q_heads() * self.heads.dim);
        let (mut o, mut lse) = (device.buffer::<S>(q.len, PART)?, device.buffer::<f32>(self.rows * heads, PART)?);
        for call in &self.calls {
            let part_o = device.buffer::<S>(call.q.room() * width, PART)?;
            let part_lse = device.buffer::<f32>(call.q.room() * heads, PART)?;
            let arrays = CallArrays {
                q: q.address,
                k: kv.k.address,
                v: kv.v.address,
                o: part_o.view().address,
                lse: part_lse.view().address,
                ..CallArrays::default()
            };
            self.run(device, call, false, arrays)?;
            let part = (part_o.view(), part_lse.view(), call.q.rows.view());
            // Causal calls come first, and each row is in one of them.
            ops::merge_rows(device, part, (heads, self.heads.dim), call.causal, (&o.view_mut(), &lse.view_mut()))?;
        }
        Ok((o, lse))
    }

    /// Gradients from that of the output, all laid out as in [`FusedTree::forward`], whose results `o` and `lse` are.
    pub(super) fn backward<S: Stored>(
        &self,
        device: &Rc<Device>,
        (q, kv): (Slice<'_, S>, &KeysValues<'_, S>),
        (o, lse): (Slice<'_, S>, Slice<'_, f32>),
        d_o: Slice<'_, S>,
    ) -> Result<Gradients, CudaError> {
        const PART: &str = "attention's gradient";
        let (width, kv_width) = (self.q_heads() * self.heads.dim, self.heads.kv_heads * self.heads.dim);
        let mut gradients = Gradients {
            order: Order::Plain,
            dq: device.buffer(q.len, PART)?,
            dk: device.buffer(kv.k.len, PART)?,
            dv: device.buffer(kv.v.len, PART)?,
        };
        for call in &self.calls {
            let dq = device.buffer::<S>(call.q.room() * width, PART)?;
            let dk = device.buffer::<S>(call.kv.room() * kv_width, PART)?;
            let dv = device.buffer::<S>(call.kv.room() * kv_width, PART)?;
            let arrays = CallArrays {
                q: q.address,
                k: kv.k.address,
                v: kv.v.address,
                o: o.address,
                lse: lse.address,
                d_o: d_o.address,
                dq: dq.view().address,
                dk: dk.view().address,
                dv: dv.view().address,
                ..CallArrays::default()
            };
            self.run(device, call, true, arrays)?;
            let Gradients { dq: all_dq, dk: all_dk, dv: all_dv, .. } = &mut gradients;
            let sides =
                [(dq, &call.q, width, all_dq), (dk, &call.kv, kv_width, all_dk), (dv, &call.kv, kv_width, all_dv)];
            for (part, runs, width, all) in sides {
                ops::add_rows(device, (part.view(), runs.rows.view()), width, call.causal, &all.view_mut())?;
            }
        }
        Ok(gradients)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_by_hand() {
        let rows = [1, 128, 129, 256, 300, 513, 768, 769, 8192, 8193, 12_289];
        let want = [128, 128, 256, 256, 384, 768, 768, 1024, 8192, 12_288, 16_384];
        assert_eq!(rows.map(bucket), want);
    }

    #[test]
    fn batches_are_powers_of_two_of_one_bucket() {
        let pair = |start, len| (Run { start, len }, Run { start, len });
        // Eleven runs of up to 128 rows and one of 200.
        let pairs: Vec<_> = (0..11).map(|i| pair(200 + i, 1)).chain([pair(0, 200)]).collect();
        let batches = batches(pairs);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [8, 2, 1, 1]);
        assert_eq!(batches[3], [pair(0, 200)]);
    }
}
