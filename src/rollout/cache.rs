//! Keys and values of everything read so far: each prompt once, whatever the number of its responses, and prompts that
//! begin alike share that beginning too.

use std::ops::Range;

use rayon::prelude::*;

use crate::model::Decoder;
use crate::model::layer::{self, Context};
use crate::ops::element::{dot, maximum, sum, vectorised};
use crate::ops::matmul::{Threads, View, matmul};
use crate::ops::rope::{self, RopeTable};
use crate::ops::{Buffer, Element, embedding, linear, rms_norm};
use crate::prefix::PrefixTree;

/// Prompts read by the decoder: per layer the keys and values `[kv_heads, packed rows, head_dim]`.
pub(super) struct PromptCache<'d> {
    layers: Vec<(Buffer<'d, f32>, Buffer<'d, f32>)>,
    rows: usize,
    /// Packed ranges of each prompt, root first.
    paths: Vec<Vec<Range<usize>>>,
    /// Logits after each prompt, `[prompts, vocab]`.
    pub(super) logits: Vec<f32>,
}

impl<'d> PromptCache<'d> {
    /// Reads the prompts of a tree.
    pub(super) fn read(decoder: &'d Decoder, tree: &PrefixTree, table: &RopeTable<f32>) -> Self {
        let workspace = decoder.workspace();
        let rows = tree.tokens().len();
        let all: Vec<u32> = (0..rows as u32).collect();
        let mut wanted = tree.last_rows().to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let mut x = workspace.buffer(rows * decoder.config.hidden_size);
        embedding::forward(&decoder.parameters.embedding, tree.tokens(), decoder.config.hidden_size, &mut x);
        let mut layers = Vec::new();
        for (i, layer) in decoder.parameters.layers.iter().enumerate() {
            let last = i + 1 == decoder.parameters.layers.len();
            let context = Context {
                config: &decoder.config,
                table,
                nodes: tree.nodes(),
                positions: tree.positions(),
                rows: if last { &wanted } else { &all },
                workspace,
            };
            let (y, k, v) = context.prefill(layer, &x);
            layers.push((k, v));
            x = y;
        }
        let row_logits = logits(decoder, &x);
        let vocab = decoder.config.vocab_size;
        let of_prompt = |row: &u32| {
            let at = wanted.partition_point(|w| w < row);
            row_logits[at * vocab..(at + 1) * vocab].to_vec()
        };
        Self {
            layers,
            rows,
            paths: tree.last_rows().iter().map(|&row| tree.path(row)).collect(),
            logits: tree.last_rows().iter().flat_map(of_prompt).collect(),
        }
    }
}

/// Logits of normalised rows `x[rows, hidden]`.
fn logits(decoder: &Decoder, x: &[f32]) -> Vec<f32> {
    let (width, vocab) = (decoder.config.hidden_size, decoder.config.vocab_size);
    let mut hidden = decoder.workspace().buffer(x.len());
    rms_norm::forward(x, &decoder.parameters.final_norm, decoder.config.rms_norm_eps, &mut hidden);
    let mut logits = vec![0.0; x.len() / width * vocab];
    linear::forward(&hidden, decoder.head_weight(), &[], &mut logits, width, false);
    logits
}

/// A response that is being written: its own keys and values per layer, `[tokens, kv_heads * head_dim]`.
pub(super) struct OwnCache {
    pub(super) prompt: usize,
    pub(super) position: u32,
    layers: Vec<(Vec<f32>, Vec<f32>)>,
}

impl OwnCache {
    /// The cache of a response to `prompt`, whose next token stands at `position`.
    pub(super) fn new(prompt: usize, position: u32, layers: usize) -> Self {
        Self { prompt, position, layers: vec![(Vec::new(), Vec::new()); layers] }
    }
}

/// Feeds one token to each sequence and returns the logits after it, `[sequences, vocab]`. Sequences of one prompt must
/// stand together: their queries meet the prompt's keys as one matrix product.
pub(super) fn decode(
    decoder: &Decoder,
    prompts: &PromptCache<'_>,
    table: &RopeTable<f32>,
    sequences: &mut [OwnCache],
    tokens: &[u32],
) -> Vec<f32> {
    let (c, w) = (&decoder.config, decoder.workspace());
    let (count, hidden) = (tokens.len(), c.hidden_size);
    let positions: Vec<u32> = sequences.iter().map(|s| s.position).collect();
    let mut x = w.buffer(count * hidden);
    embedding::forward(&decoder.parameters.embedding, tokens, hidden, &mut x);
    let kv_width = c.kv_heads * c.head_dim;
    for (i, layer) in decoder.parameters.layers.iter().enumerate() {
        let mut h = w.buffer(x.len());
        rms_norm::forward(&x, &layer.attention_norm, c.rms_norm_eps, &mut h);
        let project = |weight: &[f32], bias: &[f32]| {
            let mut y = w.buffer(count * (weight.len() / hidden));
            linear::forward(&h, weight, bias, &mut y, hidden, false);
            y
        };
        let (q_flat, k_flat, v) =
            (project(&layer.q, &layer.q_bias), project(&layer.k, &layer.k_bias), project(&layer.v, &layer.v_bias));
        let (mut q, mut k_heads) = (w.buffer(q_flat.len()), w.buffer(k_flat.len()));
        rope::to_heads(&q_flat, table, &positions, c.heads, &mut q);
        rope::to_heads(&k_flat, table, &positions, c.kv_heads, &mut k_heads);
        let mut k = k_flat;
        rope::join_heads(&k_heads, c.kv_heads, c.head_dim, &mut k);
        for (s, sequence) in sequences.iter_mut().enumerate() {
            let own = &mut sequence.layers[i];
            own.0.extend_from_slice(&k[s * kv_width..(s + 1) * kv_width]);
            own.1.extend_from_slice(&v[s * kv_width..(s + 1) * kv_width]);
        }
        let joined = attend(decoder, prompts, i, sequences, &q);
        layer::add_attention(c, layer, &joined, &mut x);
        layer::feed_forward(c, w, layer, &mut x);
    }
    for sequence in sequences.iter_mut() {
        sequence.position += 1;
    }
    logits(decoder, &x)
}

/// Attention of one new token a sequence: `q[heads, sequences, dim]` to `[sequences, heads * dim]`.
fn attend(decoder: &Decoder, prompts: &PromptCache<'_>, layer: usize, sequences: &[OwnCache], q: &[f32]) -> Vec<f32> {
    let c = &decoder.config;
    let (count, dim, group) = (sequences.len(), c.head_dim, c.heads / c.kv_heads);
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (s, sequence) in sequences.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if sequences[run.start].prompt == sequence.prompt => run.end = s + 1,
            _ => runs.push(s..s + 1),
        }
    }
    let tasks: Vec<(Range<usize>, usize)> =
        runs.into_iter().flat_map(|run| (0..c.kv_heads).map(move |head| (run.clone(), head))).collect();
    let parts: Vec<Vec<f32>> = tasks
        .par_iter()
        .map(|(run, kv_head)| {
            // Rows of the run's queries: head by head of the group, sequence by sequence.
            let mut queries = Vec::with_capacity(group * run.len() * dim);
            for head in kv_head * group..(kv_head + 1) * group {
                queries.extend_from_slice(&q[(head * count + run.start) * dim..(head * count + run.end) * dim]);
            }
            attend_run(decoder, prompts, layer, &sequences[run.clone()], *kv_head, &queries)
        })
        .collect();
    let mut joined = vec![0.0; count * c.heads * dim];
    for ((run, kv_head), part) in tasks.iter().zip(&parts) {
        for (row, values) in part.chunks_exact(dim).enumerate() {
            let (head, s) = (kv_head * group + row / run.len(), run.start + row % run.len());
            joined[(s * c.heads + head) * dim..][..dim].copy_from_slice(values);
        }
    }
    joined
}

/// One key head's queries `[group * sequences, dim]` of sequences that share a prompt.
fn attend_run(
    decoder: &Decoder,
    prompts: &PromptCache<'_>,
    layer: usize,
    run: &[OwnCache],
    kv_head: usize,
    queries: &[f32],
) -> Vec<f32> {
    let c = &decoder.config;
    let dim = c.head_dim;
    let rows = queries.len() / dim;
    let scale = 1.0 / (dim as f32).sqrt();
    let paths = &prompts.paths[run[0].prompt];
    let shared: usize = paths.iter().map(Range::len).sum();
    let plane = kv_head * prompts.rows * dim;
    let (keys, values) = (&prompts.layers[layer].0[plane..], &prompts.layers[layer].1[plane..]);
    let mut out = vec![0.0; rows * dim];
    let mut parts: Vec<(Vec<f32>, &Range<usize>)> = Vec::with_capacity(paths.len());
    for range in paths {
        let mut scores = vec![0.0; rows * range.len()];
        let k = View::new(&keys[range.start * dim..range.end * dim], range.len(), dim);
        matmul(&mut scores, View::new(queries, rows, dim), k.t(), scale, false, Threads::One);
        parts.push((scores, range));
    }
    let width = c.kv_heads * dim;
    let mut totals = vec![0.0; rows];
    let mut own_scores = Vec::new();
    vectorised(|| {
        for row in 0..rows {
            let (own_k, own_v) = &run[row % run.len()].layers[layer];
            let query = &queries[row * dim..(row + 1) * dim];
            own_scores.clear();
            own_scores.extend(own_k.chunks_exact(width).map(|k| scale * dot(query, &k[kv_head * dim..][..dim])));
            let mut top = maximum(&own_scores);
            for (scores, range) in &parts {
                top = top.larger(maximum(&scores[row * range.len()..(row + 1) * range.len()]));
            }
            let mut total = 0.0;
            for (scores, range) in &mut parts {
                let scores = &mut scores[row * range.len()..(row + 1) * range.len()];
                for s in scores.iter_mut() {
                    *s = Element::exp(*s - top);
                }
                total += sum(scores);
            }
            let out = &mut out[row * dim..(row + 1) * dim];
            for (s, v) in own_scores.iter_mut().zip(own_v.chunks_exact(width)) {
                *s = Element::exp(*s - top);
                for (o, &v) in out.iter_mut().zip(&v[kv_head * dim..][..dim]) {
                    *o += *s * v;
                }
            }
            totals[row] = total + sum(&own_scores);
        }
    });
    debug_assert_eq!(parts.iter().map(|p| p.1.len()).sum::<usize>(), shared);
    for (scores, range) in &parts {
        let v = View::new(&values[range.start * dim..range.end * dim], range.len(), dim);
        matmul(&mut out, View::new(scores, rows, range.len()), v, 1.0, true, Threads::One);
    }
    for (out, total) in out.chunks_exact_mut(dim).zip(totals) {
        for o in out {
            *o /= total;
        }
    }
    out
}
