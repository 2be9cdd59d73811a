//! Causal attention over a prefix tree: every token sees its own node up to itself and all of the nodes above.
//!
//! In depth-first packing the rows that see key j are exactly `j..end of the subtree of j's node`, so one rule, "key j
//! of node n is seen by the rows of n's subtree from j on", covers the causal part and the shared part alike: no mask,
//! no copy of a prefix's keys per response. Tiles of queries meet tiles of keys; the softmax is merged over tiles by the
//! running maximum and sum (log-sum-exp), as in FlashAttention (arXiv 2205.14135). Exact for any tree.
//!
//! Layouts are head-major: queries `[heads, rows, dim]`, keys and values `[kv_heads, keys, dim]`. Queries may be a subset
//! of the packed rows (the last layer needs only rows with labels); `rows` names them, ascending.

use std::ops::Range;

use rayon::prelude::*;

use super::element::{dot, maximum, sum, vectorised};
use super::matmul::{Threads, View, matmul};
use super::{Element, Workspace};
use crate::prefix::Node;

/// Query rows in one tile.
const QUERIES: usize = 128;
/// Keys in one tile: a tile of scores stays in the second-level cache.
const KEYS: usize = 256;

/// Sizes of one attention.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of a head.
    pub dim: usize,
    /// Keys, which are the packed rows of the tree.
    pub keys: usize,
}

impl Shape {
    fn scale<T: Element>(&self) -> T {
        T::of(1.0 / (self.dim as f64).sqrt())
    }
}

/// Where the packed row `row` or a later one first stands among the ascending `rows`.
fn position(rows: &[u32], row: usize) -> usize {
    rows.partition_point(|&r| (r as usize) < row)
}

/// `o[heads, rows, dim]` and `lse[heads, rows]`, the log-sum-exp of each row's scaled scores.
pub fn forward<T: Element>(
    shape: &Shape,
    nodes: &[Node],
    rows: &[u32],
    (q, k, v): (&[T], &[T], &[T]),
    (o, lse): (&mut [T], &mut [T]),
) {
    let (count, dim, keys) = (rows.len(), shape.dim, shape.keys);
    if count == 0 {
        return;
    }
    let group = shape.heads / shape.kv_heads;
    o.par_chunks_mut(count * dim).zip(lse.par_chunks_mut(count)).enumerate().for_each(|(h, (o, lse))| {
        let q = &q[h * count * dim..(h + 1) * count * dim];
        let plane = h / group * keys * dim..(h / group + 1) * keys * dim;
        let (k, v) = (&k[plane.clone()], &v[plane]);
        o.par_chunks_mut(QUERIES * dim).zip(lse.par_chunks_mut(QUERIES)).enumerate().for_each_init(
            || (vec![T::ZERO; QUERIES * KEYS], vec![T::ZERO; QUERIES]),
            |(scores, maxima), (tile, (o, lse))| {
                let first = tile * QUERIES;
                let rows = &rows[first..first + lse.len()];
                let q = &q[first * dim..(first + rows.len()) * dim];
                forward_tile(shape, nodes, rows, (q, k, v), (o, lse), (scores, maxima));
            },
        );
    });
}

/// One tile of queries of one head against all keys that it sees.
fn forward_tile<T: Element>(
    shape: &Shape,
    nodes: &[Node],
    rows: &[u32],
    (q, k, v): (&[T], &[T], &[T]),
    (o, sums): (&mut [T], &mut [T]),
    (scores, maxima): (&mut [T], &mut [T]),
) {
    let dim = shape.dim;
    let (first, last) = (rows[0] as usize, rows[rows.len() - 1] as usize);
    o.fill(T::ZERO);
    sums.fill(T::ZERO);
    maxima.fill(T::NEG_INFINITY);
    for node in nodes.iter().filter(|n| n.start <= last && n.subtree_end > first) {
        let end = position(rows, node.subtree_end);
        let begin = position(rows, node.start);
        if begin == end {
            continue;
        }
        let key_end = node.end.min(rows[end - 1] as usize + 1);
        for at in (node.start..key_end).step_by(KEYS) {
            let n = KEYS.min(key_end - at);
            let begin = position(rows, at);
            let m = end - begin;
            let s = &mut scores[..m * n];
            let (keys, values) = (&k[at * dim..(at + n) * dim], &v[at * dim..(at + n) * dim]);
            let queries = View::new(&q[begin * dim..end * dim], m, dim);
            matmul(s, queries, View::new(keys, n, dim).t(), shape.scale(), false, Threads::One);
            vectorised(|| {
                for i in 0..m {
                    let seen = n.min(rows[begin + i] as usize + 1 - at);
                    let (s, unseen) = s[i * n..(i + 1) * n].split_at_mut(seen);
                    unseen.fill(T::ZERO);
                    let old = maxima[begin + i];
                    let new = old.larger(maximum(s));
                    for x in s.iter_mut() {
                        *x = (*x - new).exp();
                    }
                    let shrink = (old - new).exp();
                    maxima[begin + i] = new;
                    sums[begin + i] = sums[begin + i] * shrink + sum(s);
                    if shrink != T::ONE {
                        for x in &mut o[(begin + i) * dim..(begin + i + 1) * dim] {
                            *x *= shrink;
                        }
                    }
                }
            });
            let o = &mut o[begin * dim..end * dim];
            matmul(o, View::new(s, m, n), View::new(values, n, dim), T::ONE, true, Threads::One);
        }
    }
    vectorised(|| {
        for (i, o) in o.chunks_exact_mut(dim).enumerate() {
            let inverse = T::ONE / sums[i];
            for x in o {
                *x *= inverse;
            }
            sums[i] = T::of(maxima[i].f64() + sums[i].f64().ln());
        }
    });
}

/// What the backward reads, laid out as in [`forward`].
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Saved<'a, T> {
    pub q: &'a [T],
    pub k: &'a [T],
    pub v: &'a [T],
    pub o: &'a [T],
    pub lse: &'a [T],
}

/// Gradients, overwritten: `dq[heads, rows, dim]`, `dk` and `dv` `[kv_heads, keys, dim]`. The gradient of a shared key is
/// the sum over every row that sees it, in a fixed order.
///
/// With P = exp(s q.k - lse) and D = rowsum(do * o): dV += P^T do, dS = P (do V^T - D), dQ += s dS K, dK += s dS^T Q.
pub fn backward<T: Element>(
    shape: &Shape,
    nodes: &[Node],
    rows: &[u32],
    saved: &Saved<'_, T>,
    d_o: &[T],
    (dq, dk, dv): (&mut [T], &mut [T], &mut [T]),
    workspace: &Workspace<T>,
) {
    let (count, dim, keys) = (rows.len(), shape.dim, shape.keys);
    if count == 0 {
        dk.fill(T::ZERO);
        dv.fill(T::ZERO);
        return;
    }
    let group = shape.heads / shape.kv_heads;
    let plane = keys * dim;
    // Each query head sums its own dK and dV, so that heads run in parallel; the heads of a group are added after.
    let mut dk_heads = workspace.buffer(shape.heads * plane);
    let mut dv_heads = workspace.buffer(shape.heads * plane);
    dq.par_chunks_mut(count * dim)
        .zip(dk_heads.par_chunks_mut(plane))
        .zip(dv_heads.par_chunks_mut(plane))
        .enumerate()
        .for_each(|(h, ((dq, dk), dv))| {
            let own = h * count * dim..(h + 1) * count * dim;
            let shared = h / group * plane..(h / group + 1) * plane;
            let saved = Saved {
                q: &saved.q[own.clone()],
                k: &saved.k[shared.clone()],
                v: &saved.v[shared],
                o: &saved.o[own.clone()],
                lse: &saved.lse[h * count..(h + 1) * count],
            };
            backward_head(shape, nodes, rows, &saved, &d_o[own], (dq, dk, dv));
        });
    let add_group = |out: &mut [T], parts: &[T]| {
        out.par_chunks_mut(plane).zip(parts.par_chunks(group * plane)).for_each(|(out, parts)| {
            out.copy_from_slice(&parts[..plane]);
            vectorised(|| {
                for part in parts.chunks_exact(plane).skip(1) {
                    for (d, &v) in out.iter_mut().zip(part) {
                        *d += v;
                    }
                }
            });
        });
    };
    add_group(dk, &dk_heads);
    add_group(dv, &dv_heads);
}

fn backward_head<T: Element>(
    shape: &Shape,
    nodes: &[Node],
    rows: &[u32],
    saved: &Saved<'_, T>,
    d_o: &[T],
    (dq, dk, dv): (&mut [T], &mut [T], &mut [T]),
) {
    let dim = shape.dim;
    dq.fill(T::ZERO);
    dk.fill(T::ZERO);
    dv.fill(T::ZERO);
    let mut delta = vec![T::ZERO; rows.len()];
    vectorised(|| {
        for ((delta, o), d_o) in delta.iter_mut().zip(saved.o.chunks_exact(dim)).zip(d_o.chunks_exact(dim)) {
            *delta = dot(o, d_o);
        }
    });
    let (mut p, mut ds) = (vec![T::ZERO; QUERIES * KEYS], vec![T::ZERO; QUERIES * KEYS]);
    for node in nodes {
        let end = position(rows, node.subtree_end);
        for at in (node.start..node.end).step_by(KEYS) {
            let n = KEYS.min(node.end - at);
            let tile = at * dim..(at + n) * dim;
            for begin in (position(rows, at)..end).step_by(QUERIES) {
                let queries = begin..end.min(begin + QUERIES);
                let seen = |i: usize| n.min(rows[queries.start + i] as usize + 1 - at);
                let d_keys = (&mut dk[tile.clone()], &mut dv[tile.clone()]);
                let keys = (&saved.k[tile.clone()], &saved.v[tile.clone()]);
                backward_tile(shape, &queries, seen, saved, keys, (d_o, &delta), (dq, d_keys), (&mut p, &mut ds));
            }
        }
    }
}

/// One tile of queries against one tile of keys of one head.
#[allow(clippy::too_many_arguments)]
fn backward_tile<T: Element>(
    shape: &Shape,
    queries: &Range<usize>,
    seen: impl Fn(usize) -> usize,
    saved: &Saved<'_, T>,
    (k, v): (&[T], &[T]),
    (d_o, delta): (&[T], &[T]),
    (dq, (dk, dv)): (&mut [T], (&mut [T], &mut [T])),
    (p, ds): (&mut [T], &mut [T]),
) {
    let dim = shape.dim;
    let scale: T = shape.scale();
    let (m, n) = (queries.len(), k.len() / dim);
    let values = queries.start * dim..queries.end * dim;
    let (p, ds) = (&mut p[..m * n], &mut ds[..m * n]);
    let (q, d_o) = (View::new(&saved.q[values.clone()], m, dim), View::new(&d_o[values.clone()], m, dim));
    let (k, v) = (View::new(k, n, dim), View::new(v, n, dim));
    matmul(p, q, k.t(), scale, false, Threads::One);
    matmul(ds, d_o, v.t(), T::ONE, false, Threads::One);
    vectorised(|| {
        for i in 0..m {
            let seen = seen(i);
            let (lse, delta) = (saved.lse[queries.start + i], delta[queries.start + i]);
            let (p, p_unseen) = p[i * n..(i + 1) * n].split_at_mut(seen);
            let (ds, ds_unseen) = ds[i * n..(i + 1) * n].split_at_mut(seen);
            p_unseen.fill(T::ZERO);
            ds_unseen.fill(T::ZERO);
            for (p, ds) in p.iter_mut().zip(ds) {
                *p = (*p - lse).exp();
                *ds = *p * (*ds - delta);
            }
        }
    });
    matmul(dv, View::new(p, m, n).t(), d_o, T::ONE, true, Threads::One);
    matmul(&mut dq[values], View::new(ds, m, n), k, scale, true, Threads::One);
    matmul(dk, View::new(ds, m, n).t(), q, scale, true, Threads::One);
}
