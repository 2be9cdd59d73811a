//! Every hand-written derivative against candle's autograd, in double precision: the primitives one by one, then the
//! whole decoder over a prefix tree against plain sequences.
#![allow(clippy::unwrap_used)]

mod reference;
mod support;

use std::ops::Range;

use attending::model::config::{Architecture, RopeConfig, RopeScaling};
use attending::model::parameters::Parameters;
use attending::model::{Decoder, Saved, StepOptions};
use attending::objective::Label;
use attending::ops::attention::{self, Shape};
use attending::ops::rope::{self, RopeTable};
use attending::ops::{Workspace, embedding, linear, log_prob, rms_norm, swiglu};
use attending::prefix::{Node, PrefixTree, Sequence};
use candle_core::{Device, Tensor};
use reference::{gradient, random_var, tensor, values};
use support::Random;

/// Bar of every comparison: relative L2 distance.
const BAR: f64 = 1e-10;

/// Bar where the true value is exactly 0, as the query's gradient where it sees a single key: rounding alone.
const ZERO_BAR: f64 = 1e-15;

fn close(what: &str, got: &[f64], want: &[f64]) {
    let (apart, size) = (support::distance(got, want), support::norm(want));
    let bar = if size == 0.0 { ZERO_BAR } else { BAR * size };
    assert!(apart <= bar, "{what}: {apart} apart, of {size}");
}

fn random(random: &mut Random, n: usize) -> Vec<f64> {
    (0..n).map(|_| random.unit()).collect()
}

/// What must stand in a buffer that held `before` once `added` was added to it.
fn plus(before: &[f64], added: &[f64]) -> Vec<f64> {
    before.iter().zip(added).map(|(a, b)| a + b).collect()
}

#[test]
fn linear_with_and_without_bias() {
    let mut r = Random(1);
    for (rows, width_in, width_out) in [(1, 1, 1), (5, 7, 3), (130, 24, 40)] {
        for with_bias in [false, true] {
            let what = format!("linear {rows} x {width_in} x {width_out}, bias {with_bias}");
            let x = random_var(&mut r, &[rows, width_in]);
            let w = random_var(&mut r, &[width_out, width_in]);
            let b = random_var(&mut r, &[width_out]);
            let dy = random(&mut r, rows * width_out);
            let y = reference::linear(&x, &w, with_bias.then_some(b.as_tensor())).unwrap();
            let grads = y.mul(&tensor(&dy, &[rows, width_out])).unwrap().sum_all().unwrap().backward().unwrap();

            let (xs, ws) = (values(&x), values(&w));
            let bias = if with_bias { values(&b) } else { Vec::new() };
            let mut got = vec![f64::NAN; rows * width_out];
            linear::forward(&xs, &ws, &bias, &mut got, width_in, false);
            close(&what, &got, &values(&y));
            if !with_bias {
                let residual = random(&mut r, got.len());
                let mut got = residual.clone();
                linear::forward(&xs, &ws, &[], &mut got, width_in, true);
                close(&format!("{what}, added"), &got, &plus(&residual, &values(&y)));
            }

            let mut dx = vec![f64::NAN; xs.len()];
            linear::backward_input(&dy, &ws, &mut dx, width_in, false);
            close(&format!("{what}, dx"), &dx, &gradient(&grads, &x));
            linear::backward_input(&dy, &ws, &mut dx, width_in, true);
            close(&format!("{what}, dx twice"), &dx, &plus(&gradient(&grads, &x), &gradient(&grads, &x)));
            let (before_w, before_b) = (random(&mut r, ws.len()), random(&mut r, bias.len()));
            let (mut dw, mut db) = (before_w.clone(), before_b.clone());
            linear::backward_weight(&xs, &dy, &mut dw, &mut db, width_in);
            close(&format!("{what}, dw"), &dw, &plus(&before_w, &gradient(&grads, &w)));
            if with_bias {
                close(&format!("{what}, db"), &db, &plus(&before_b, &gradient(&grads, &b)));
            }
        }
    }
}

#[test]
fn rms_norm_of_several_pieces() {
    let mut r = Random(2);
    // 150 rows are three pieces; 24 is whole lanes of 8, 13 and 5 are not. A large eps must matter.
    for (rows, width, eps) in [(1, 5, 1e-6), (3, 24, 0.3), (150, 13, 1e-5)] {
        let what = format!("rms_norm {rows} x {width}");
        let (x, w) = (random_var(&mut r, &[rows, width]), random_var(&mut r, &[width]));
        let dy = random(&mut r, rows * width);
        let y = reference::rms_norm(&x, &w, eps).unwrap();
        let grads = y.mul(&tensor(&dy, &[rows, width])).unwrap().sum_all().unwrap().backward().unwrap();

        let (xs, ws) = (values(&x), values(&w));
        let mut got = vec![f64::NAN; xs.len()];
        rms_norm::forward(&xs, &ws, eps, &mut got);
        close(&what, &got, &values(&y));
        let (before_x, before_w) = (random(&mut r, xs.len()), random(&mut r, width));
        let (mut dx, mut dw) = (before_x.clone(), before_w.clone());
        rms_norm::backward(&xs, &ws, eps, &dy, &mut dx, &mut dw);
        close(&format!("{what}, dx"), &dx, &plus(&before_x, &gradient(&grads, &x)));
        close(&format!("{what}, dw"), &dw, &plus(&before_w, &gradient(&grads, &w)));
    }
}

#[test]
fn rotation_and_its_gradient() {
    let mut r = Random(3);
    for (rows, heads, dim, theta) in [(1, 1, 2, 1e4), (150, 3, 8, 1e4), (70, 2, 12, 1e6)] {
        let what = format!("rope {rows} x {heads} x {dim}");
        // Positions in the order of a tree's rows: they restart.
        let positions: Vec<u32> = (0..rows).map(|i| (i as u32 * 7) % 61).collect();
        let x = random_var(&mut r, &[rows, heads * dim]);
        let dy = random(&mut r, rows * heads * dim);
        let y = reference::rope(&x, theta, &positions, heads).unwrap();
        let grads = y.mul(&tensor(&dy, &[heads, rows, dim])).unwrap().sum_all().unwrap().backward().unwrap();

        let table = RopeTable::new(&RopeConfig { theta, scaling: RopeScaling::Default }, dim, 61);
        let mut got = vec![f64::NAN; dy.len()];
        rope::to_heads(&values(&x), &table, &positions, heads, &mut got);
        close(&what, &got, &values(&y));
        let mut dx = vec![f64::NAN; dy.len()];
        rope::from_heads(&dy, &table, &positions, heads, &mut dx);
        close(&format!("{what}, dx"), &dx, &gradient(&grads, &x));

        // The unrotated layouts: there, by candle's transpose, and back.
        let mut split = vec![f64::NAN; dy.len()];
        rope::split_heads(&values(&x), heads, dim, &mut split);
        let moved = x.reshape((rows, heads, dim)).unwrap().transpose(0, 1).unwrap();
        assert_eq!(split, values(&moved));
        let mut joined = vec![f64::NAN; dy.len()];
        rope::join_heads(&split, heads, dim, &mut joined);
        assert_eq!(joined, values(&x));
    }
}

#[test]
fn swiglu_of_several_pieces() {
    let mut r = Random(4);
    for n in [1, 100, 40_000] {
        let (gate, up) = (random_var(&mut r, &[n]), random_var(&mut r, &[n]));
        // Beyond [-1, 1), where the gate is curved.
        let gate = candle_core::Var::from_tensor(&(gate.as_tensor() * 6.0).unwrap()).unwrap();
        let da = random(&mut r, n);
        let a = reference::swiglu(&gate, &up).unwrap();
        let grads = a.mul(&tensor(&da, &[n])).unwrap().sum_all().unwrap().backward().unwrap();

        let (mut g, mut u) = (values(&gate), values(&up));
        let mut got = vec![f64::NAN; n];
        swiglu::forward(&g, &u, &mut got);
        close("swiglu", &got, &values(&a));
        let mut again = vec![f64::NAN; n];
        swiglu::backward(&mut g, &mut u, &mut again, &da);
        close("swiglu, recomputed", &again, &values(&a));
        close("swiglu, d gate", &g, &gradient(&grads, &gate));
        close("swiglu, d up", &u, &gradient(&grads, &up));
    }
}

#[test]
fn embedding_with_repeated_tokens() {
    let mut r = Random(5);
    let (vocab, width) = (11, 6);
    let tokens = [3_u32, 10, 3, 0, 3, 7];
    let table = random_var(&mut r, &[vocab, width]);
    let dx = random(&mut r, tokens.len() * width);
    let x = table.index_select(&Tensor::new(&tokens, &Device::Cpu).unwrap(), 0).unwrap();
    let grads = x.mul(&tensor(&dx, &[tokens.len(), width])).unwrap().sum_all().unwrap().backward().unwrap();

    let mut got = vec![f64::NAN; dx.len()];
    embedding::forward(&values(&table), &tokens, width, &mut got);
    assert_eq!(got, values(&x));
    let before = random(&mut r, vocab * width);
    let mut d_table = before.clone();
    embedding::backward(&tokens, &dx, width, &mut d_table);
    close("embedding", &d_table, &plus(&before, &gradient(&grads, &table)));
}

#[test]
fn log_probabilities_of_several_targets_a_row() {
    let mut r = Random(6);
    // 1100 is more than two runs of 512 and no whole number of lanes.
    for vocab in [2, 61, 1100] {
        for (temperature, d_entropy) in [(1.0, 0.0), (0.7, 0.0), (1.0, 0.9), (1.6, -0.4)] {
            let what = format!("log_prob of {vocab} at {temperature}, entropy {d_entropy}");
            let logits = random_var(&mut r, &[1, vocab]);
            let logits = candle_core::Var::from_tensor(&(logits.as_tensor() * 5.0).unwrap()).unwrap();
            // The first target comes twice: two sequences that continue alike.
            let mut targets: Vec<(u32, f64)> = (0..3).map(|_| (r.below(vocab) as u32, r.unit())).collect();
            targets.push((targets[0].0, r.unit()));
            let (log_p, entropy) = reference::log_softmax(&logits, temperature).unwrap();
            let ids: Vec<u32> = targets.iter().map(|t| t.0).collect();
            let weights: Vec<f64> = targets.iter().map(|t| t.1).collect();
            let ids = Tensor::from_slice(&ids, (1, 4), &Device::Cpu).unwrap();
            let chosen = log_p.gather(&ids, 1).unwrap();
            let loss = chosen.mul(&tensor(&weights, &[1, 4])).unwrap().sum_all().unwrap();
            let loss = (loss + (entropy.sum_all().unwrap() * d_entropy).unwrap()).unwrap();
            let grads = loss.backward().unwrap();

            let mut z = values(&logits);
            let statistics = log_prob::forward(&mut z, temperature);
            let got: Vec<f64> = targets.iter().map(|t| z[t.0 as usize] - statistics.log_sum_exp).collect();
            close(&what, &got, &values(&chosen));
            close(&format!("{what}: entropy"), &[statistics.entropy], &values(&entropy));
            log_prob::backward(&mut z, &statistics, &targets, d_entropy, temperature);
            close(&format!("{what}: dlogits"), &z, &gradient(&grads, &logits));
        }
    }
}

/// A tree's nodes from (length, parent) in depth-first order, and the node of each row.
fn tree(spec: &[(usize, Option<usize>)]) -> (Vec<Node>, Vec<usize>) {
    let mut nodes: Vec<Node> = Vec::new();
    let mut owner = Vec::new();
    for (i, &(length, parent)) in spec.iter().enumerate() {
        let start = owner.len();
        owner.resize(start + length, i);
        nodes.push(Node { start, end: start + length, subtree_end: start + length });
        let mut above = parent;
        while let Some(a) = above {
            nodes[a].subtree_end = start + length;
            above = spec[a].1;
        }
    }
    (nodes, owner)
}

fn check_attention(what: &str, spec: &[(usize, Option<usize>)], (heads, kv_heads, dim): (usize, usize, usize)) {
    let (nodes, owner) = tree(spec);
    let keys = owner.len();
    // By the parents alone: row i sees key j where j comes no later and its node is i's own or one above.
    let sees = |i: usize, j: usize| {
        let mut node = Some(owner[i]);
        while node.is_some_and(|n| n != owner[j]) {
            node = node.and_then(|n| spec[n].1);
        }
        node.is_some() && j <= i
    };
    let leaf = |row: &usize| nodes[owner[*row]].end == nodes[owner[*row]].subtree_end;
    let subsets: [(&str, Vec<usize>); 5] = [
        ("all rows", (0..keys).collect()),
        ("every third row", (2..keys).step_by(3).collect()),
        ("leaves", (0..keys).filter(leaf).collect()),
        ("the last row", vec![keys - 1]),
        ("no row", Vec::new()),
    ];
    let mut r = Random(keys as u64);
    for (subset, rows) in subsets {
        let what = format!("{what}, {heads}/{kv_heads} heads of {dim}, {subset}");
        let count = rows.len();
        let shape = Shape { heads, kv_heads, dim, keys };
        let packed: Vec<u32> = rows.iter().map(|&r| r as u32).collect();
        let q = random(&mut r, heads * count * dim);
        let (k, v) = (random_var(&mut r, &[kv_heads, keys, dim]), random_var(&mut r, &[kv_heads, keys, dim]));
        let (ks, vs) = (values(&k), values(&v));
        let d_o = random(&mut r, q.len());
        let (mut o, mut lse) = (vec![f64::NAN; q.len()], vec![f64::NAN; heads * count]);
        attention::forward(&shape, &nodes, &packed, (&q, &ks, &vs), (&mut o, &mut lse));
        let (mut dq, mut dk, mut dv) = (vec![f64::NAN; q.len()], vec![f64::NAN; ks.len()], vec![f64::NAN; ks.len()]);
        let saved = attention::Saved { q: &q, k: &ks, v: &vs, o: &o, lse: &lse };
        let workspace = Workspace::new();
        attention::backward(&shape, &nodes, &packed, &saved, &d_o, (&mut dq, &mut dk, &mut dv), &workspace);
        if rows.is_empty() {
            assert!(dk.iter().chain(&dv).all(|&d| d == 0.0), "{what}");
            continue;
        }

        let q = reference::var(&q, &[heads, count, dim]);
        let (want, sums) = reference::attention(&q, &k, &v, |i, j| sees(rows[i], j)).unwrap();
        let d_o = tensor(&d_o, &[heads, count, dim]);
        let grads = want.mul(&d_o).unwrap().sum_all().unwrap().backward().unwrap();
        close(&what, &o, &values(&want));
        close(&format!("{what}, lse"), &lse, &values(&sums));
        close(&format!("{what}, dq"), &dq, &gradient(&grads, &q));
        close(&format!("{what}, dk"), &dk, &gradient(&grads, &k));
        close(&format!("{what}, dv"), &dv, &gradient(&grads, &v));
    }
}

#[test]
fn attention_within_a_tile() {
    for heads in [(2, 2, 4), (4, 2, 8), (3, 1, 6)] {
        check_attention("one token", &[(1, None)], heads);
        check_attention("one sequence", &[(23, None)], heads);
        check_attention("two sequences", &[(9, None), (14, None)], heads);
        check_attention("a group", &[(37, None), (5, Some(0)), (9, Some(0)), (1, Some(0))], heads);
        let two_levels = [
            (20, None),
            (11, Some(0)),
            (4, Some(1)),
            (1, Some(1)),
            (6, Some(0)),
            (2, Some(4)),
            (7, Some(4)),
            (13, None),
            (3, Some(7)),
        ];
        check_attention("two levels, two roots", &two_levels, heads);
    }
}

#[test]
fn attention_over_several_tiles() {
    // Keys beyond one tile of 256 in the root and beyond 128 queries in the leaves; siblings share tiles of queries.
    let group = [(600, None), (150, Some(0)), (40, Some(0)), (30, Some(0))];
    check_attention("a long group", &group, (4, 2, 8));
    let two_levels =
        [(300, None), (129, Some(0)), (3, Some(1)), (140, Some(1)), (257, Some(0)), (1, Some(4)), (60, None)];
    check_attention("long, two levels", &two_levels, (2, 1, 6));
    // Forty short nodes between the edges of two tiles.
    let mut many = vec![(140, None)];
    many.extend((0..40).map(|i| (1 + i % 5, Some(0))));
    check_attention("many leaves", &many, (2, 2, 4));
}

/// Sequences with a shared prompt, equal responses, a response that is a prefix of another, a deeper branch, and one that
/// shares nothing; with the range of trained tokens.
fn batch() -> Vec<(Vec<u32>, Range<usize>)> {
    let mut r = Random(8);
    let prompt = r.tokens(19, 61);
    let deeper = [prompt.clone(), r.tokens(12, 61)].concat();
    let twin = [prompt.clone(), r.tokens(14, 61)].concat();
    let mut sequences =
        vec![twin.clone(), [prompt.clone(), r.tokens(7, 61)].concat(), twin.clone(), twin[..25].to_vec()];
    sequences.push([deeper.clone(), r.tokens(5, 61)].concat());
    sequences.push([deeper, r.tokens(9, 61)].concat());
    let mut batch: Vec<_> = sequences.into_iter().map(|s| (s.clone(), 19..s.len())).collect();
    // Trained in the middle alone, and from the first token that can be.
    let other = r.tokens(16, 61);
    batch.push((other.clone(), 4..11));
    batch.push((r.tokens(6, 61), 1..6));
    batch
}

/// The reference's log-probabilities and entropies of the trained tokens of each sequence, and the gradient of the sum of
/// coefficients times values.
fn plain(model: &reference::Model, temperature: f64) -> (Vec<Vec<(f64, f64)>>, Parameters<f64>) {
    let mut all = Vec::new();
    let mut total = tensor(&[0.0], &[]);
    for (sequence, (tokens, trained)) in batch().into_iter().enumerate() {
        let (log_p, entropy) = reference::log_softmax(&model.logits(&tokens).unwrap(), temperature).unwrap();
        let n = trained.len();
        let targets = Tensor::from_slice(&tokens[trained.clone()], (n, 1), &Device::Cpu).unwrap();
        let log_p = log_p.narrow(0, trained.start - 1, n).unwrap().contiguous().unwrap().gather(&targets, 1).unwrap();
        let entropy = entropy.narrow(0, trained.start - 1, n).unwrap();
        let coefficients: Vec<(f64, f64)> = trained
            .map(|i| support::scattered(&Label { row: 0, target: 0, sequence: sequence as u32, index: i as u32 }))
            .collect();
        let (c, e): (Vec<f64>, Vec<f64>) = coefficients.into_iter().unzip();
        let loss = log_p.mul(&tensor(&c, &[n, 1])).unwrap().sum_all().unwrap();
        let bonus = entropy.mul(&tensor(&e, &[n, 1])).unwrap().sum_all().unwrap();
        total = (((total + loss).unwrap()) + bonus).unwrap();
        all.push(values(&log_p).into_iter().zip(values(&entropy)).collect());
    }
    (all, model.gradients(&total))
}

#[test]
fn the_decoder_over_a_tree_equals_plain_sequences() {
    let sequences = batch();
    let inputs: Vec<Sequence<'_>> =
        sequences.iter().map(|(tokens, trained)| Sequence { tokens, trained: trained.clone() }).collect();
    for architecture in [Architecture::Qwen2, Architecture::Llama] {
        let config = support::config(architecture, 3);
        let parameters = support::parameters::<f64>(&config, 11);
        let model = reference::Model::new(&config, &parameters);
        let decoder = Decoder::new(config.clone(), parameters);
        for temperature in [1.0, 0.8] {
            let (wanted, want) = plain(&model, temperature);
            for (min_shared, saved) in [
                (1, Saved::Input),
                (1, Saved::Attention),
                (1, Saved::All),
                (16, Saved::Input),
                (usize::MAX, Saved::All),
            ] {
                let what = format!("{architecture:?} at {temperature}, {saved:?}, sharing from {min_shared}");
                let tree = PrefixTree::from_sequences(&inputs, min_shared).unwrap();
                let mut got = Parameters::filled(&config, 0.0);
                let options = StepOptions { saved, temperature };
                let mut objective = support::Weighted(&support::scattered);
                let values = decoder.forward_backward(&tree, &options, &mut objective, &mut got);
                assert_eq!(values.len(), sequences.iter().map(|s| s.1.len()).sum::<usize>(), "{what}");
                for (label, value) in tree.labels().iter().zip(values) {
                    let sequence = label.sequence as usize;
                    let (log_prob, entropy) = wanted[sequence][label.index as usize - sequences[sequence].1.start];
                    assert!((value.log_prob - log_prob).abs() <= BAR, "{what}: {label:?} {value:?} not {log_prob}");
                    assert!((value.entropy - entropy).abs() <= BAR, "{what}: {label:?} {value:?} not {entropy}");
                }
                let apart = support::compare_gradients(&got, &want, BAR);
                assert!(apart <= BAR, "{what}: gradients {apart} apart");
                println!("{what}: gradients {apart:.1e} apart");
            }
        }
    }
}

/// No parameter is left out: every single value of every tensor has a gradient, but for the embeddings of tokens that
/// no trained token looks back on.
#[test]
fn every_parameter_receives_a_gradient() {
    let sequences = batch();
    let inputs: Vec<Sequence<'_>> =
        sequences.iter().map(|(tokens, trained)| Sequence { tokens, trained: trained.clone() }).collect();
    let tree = PrefixTree::from_sequences(&inputs, 1).unwrap();
    let mut read = [false; 61];
    for (tokens, trained) in &sequences {
        tokens[..trained.end - 1].iter().for_each(|&t| read[t as usize] = true);
    }
    assert!(read.iter().any(|&r| !r), "the case of an unread token is missing");
    for architecture in [Architecture::Qwen2, Architecture::Llama] {
        let config = support::config(architecture, 3);
        let decoder = Decoder::new(config.clone(), support::parameters::<f64>(&config, 11));
        let mut gradients = Parameters::filled(&config, 0.0);
        let options = StepOptions { saved: Saved::Attention, temperature: 1.0 };
        decoder.forward_backward(&tree, &options, &mut support::Weighted(&support::scattered), &mut gradients);
        for tensor in gradients.named() {
            for (i, &v) in tensor.values.iter().enumerate() {
                // A tied head reads every row.
                let unread = !config.tie_word_embeddings
                    && tensor.name == "model.embed_tokens.weight"
                    && !read[i / config.hidden_size];
                assert_eq!(v == 0.0, unread, "{architecture:?} {} at {i}: {v}", tensor.name);
            }
        }
    }
}
