//! Each primitive on a device against the same primitive on the CPU. Runs on a card, or on the emulated device
//! (tests/cuda_emulator); skipped, with the reason, where there is neither.
#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)]

#[path = "support/device.rs"]
mod device;
mod support;

use std::rc::Rc;

use attending::cuda::gemm::{Options, Shape, matmul};
use attending::cuda::ops::{self, Arranged, Heads, Order, Rotation, TokenRows, Turn};
use attending::cuda::{Bf16, Buffer, Device};
use attending::model::config::{RopeConfig, RopeScaling};
use attending::ops::rope::RopeTable;
use attending::ops::{embedding, linear, rms_norm, rope, swiglu};
use device::device;
use support::Random;

fn random(seed: u64, n: usize) -> Vec<f32> {
    let mut random = Random(seed);
    (0..n).map(|_| random.unit() as f32).collect()
}

fn up(device: &Rc<Device>, values: &[f32]) -> Buffer<f32> {
    device.upload(values, "test").unwrap()
}

/// Relative to the largest value expected.
fn close(got: &[f32], want: &[f32], bar: f32) {
    assert_eq!(got.len(), want.len());
    let largest = want.iter().fold(1e-30_f32, |m, v| m.max(v.abs()));
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= bar * largest, "value {i}: {g}, not {w}");
    }
}

/// Ragged sizes, so that every kernel has a part of a block left over.
const ROWS: usize = 300;
const WIDTH: usize = 72;

#[test]
fn normalisation_with_its_gradients() {
    let Some(device) = device() else { return };
    let (x, dy, base) = (random(1, ROWS * WIDTH), random(2, ROWS * WIDTH), random(3, ROWS * WIDTH));
    let weight: Vec<f32> = random(4, WIDTH).iter().map(|v| 1.0 + 0.3 * v).collect();
    let (mut y, mut dx, mut dw) = (vec![0.0; x.len()], base.clone(), vec![0.5; WIDTH]);
    rms_norm::forward(&x, &weight, 1e-6, &mut y);
    rms_norm::backward(&x, &weight, 1e-6, &dy, &mut dx, &mut dw);

    let (on_x, on_w, on_dy) = (up(&device, &x), up(&device, &weight), up(&device, &dy));
    let (mut on_y, mut on_dx, mut on_dw) = (up(&device, &base), up(&device, &base), up(&device, &[0.5; WIDTH]));
    ops::rms_norm(&device, on_x.view(), on_w.view(), 1e-6, &on_y.view_mut()).unwrap();
    close(&on_y.to_host().unwrap(), &y, 1e-6);
    let forward = (on_x.view(), on_w.view(), 1e-6);
    ops::rms_norm_backward(&device, forward, on_dy.view(), &on_dx.view_mut(), &on_dw.view_mut()).unwrap();
    close(&on_dx.to_host().unwrap(), &dx, 1e-6);
    close(&on_dw.to_host().unwrap(), &dw, 3e-6);
}

#[test]
fn gated_unit_with_its_gradients() {
    let Some(device) = device() else { return };
    let n = 1013;
    let scaled = |seed| random(seed, n).iter().map(|v| 6.0 * v).collect::<Vec<_>>();
    let (gate, up_values, da) = (scaled(1), scaled(2), scaled(3));
    let (mut g, mut u, mut a) = (gate.clone(), up_values.clone(), vec![0.0; n]);
    swiglu::backward(&mut g, &mut u, &mut a, &da);

    let (mut on_g, mut on_u, on_da) = (up(&device, &gate), up(&device, &up_values), up(&device, &da));
    let mut on_a = up(&device, &da);
    ops::swiglu(&device, on_g.view(), on_u.view(), &on_a.view_mut()).unwrap();
    close(&on_a.to_host().unwrap(), &a, 1e-6);
    let both = (&on_g.view_mut(), &on_u.view_mut());
    ops::swiglu_backward(&device, both, on_da.view(), &on_a.view_mut()).unwrap();
    close(&on_g.to_host().unwrap(), &g, 1e-6);
    close(&on_u.to_host().unwrap(), &u, 1e-6);
    close(&on_a.to_host().unwrap(), &a, 1e-6);
}

#[test]
fn embedding_with_its_gradient() {
    let Some(device) = device() else { return };
    let (vocab, tokens) = (19, Random(7).tokens(ROWS, 19));
    let (table, dx) = (random(1, vocab * WIDTH), random(2, ROWS * WIDTH));
    let (mut x, mut d_table) = (vec![0.0; ROWS * WIDTH], table.clone());
    embedding::forward(&table, &tokens, WIDTH, &mut x);
    embedding::backward(&tokens, &dx, WIDTH, &mut d_table);

    let (on_table, on_dx, mut on_x) = (up(&device, &table), up(&device, &dx), up(&device, &dx));
    let on_tokens = device.upload(&tokens, "test").unwrap();
    ops::embed(&device, on_table.view(), on_tokens.view(), WIDTH, &on_x.view_mut()).unwrap();
    assert_eq!(on_x.to_host().unwrap(), x);
    let rows = TokenRows::new(&device, &tokens).unwrap();
    let mut on_d = up(&device, &table);
    ops::embed_backward::<f32>(&device, &rows, on_dx.view(), WIDTH, &on_d.view_mut()).unwrap();
    close(&on_d.to_host().unwrap(), &d_table, 1e-6);
}

#[test]
fn rotation_and_the_two_orders() {
    let Some(device) = device() else { return };
    let config = RopeConfig { theta: 1e4, scaling: RopeScaling::Default };
    let (rows, kv, group, dim) = (45, 2, 3, 8);
    let heads = Heads { kv_heads: kv, group, dim };
    let x = random(5, rows * kv * group * dim);
    let positions: Vec<u32> = (0..rows as u32).map(|i| i * 7 % 50).collect();
    let table = RopeTable::<f32>::new(&config, dim, 50);
    // Head-major [heads, rows, dim] of the CPU; folded is [kv, rows, group, dim].
    let mut planes = vec![0.0; x.len()];
    rope::to_heads(&x, &table, &positions, kv * group, &mut planes);
    let mut folded = vec![0.0; x.len()];
    for head in 0..kv * group {
        for row in 0..rows {
            let to = ((head / group * rows + row) * group + head % group) * dim;
            folded[to..to + dim].copy_from_slice(&planes[(head * rows + row) * dim..][..dim]);
        }
    }
    let rotation = Rotation::new(&device, &config, dim, 50).unwrap();
    let on_positions = device.upload(&positions, "test").unwrap();
    let (on_x, mut out) = (up(&device, &x), up(&device, &x));
    let turn = Turn::Forward(&rotation, on_positions.view());
    let input = (Arranged::Values(on_x.view()), Order::Plain);
    ops::arrange(&device, &heads, input, (&out.view_mut(), Order::Folded), turn).unwrap();
    close(&out.to_host().unwrap(), &folded, 1e-6);
    // Turned back, and laid out as before, it is what it was.
    let mut back = up(&device, &x);
    let turn = Turn::Back(&rotation, on_positions.view());
    let input = (Arranged::Sums(out.view()), Order::Folded);
    ops::arrange(&device, &heads, input, (&back.view_mut(), Order::Plain), turn).unwrap();
    close(&back.to_host().unwrap(), &x, 1e-6);
}

#[test]
fn projections_with_their_gradients() {
    let Some(device) = device() else { return };
    let (rows, width_in, width_out) = (37, 24, 40);
    let (x, w, dy) = (random(1, rows * width_in), random(2, width_out * width_in), random(3, rows * width_out));
    let (bias, base) = (random(4, width_out), random(5, width_out * width_in));
    let (mut y, mut dx) = (vec![0.0; rows * width_out], vec![0.0; rows * width_in]);
    let (mut dw, mut db) = (base.clone(), bias.clone());
    linear::forward(&x, &w, &bias, &mut y, width_in, false);
    linear::backward_input(&dy, &w, &mut dx, width_in, false);
    linear::backward_weight(&x, &dy, &mut dw, &mut db, width_in);

    let (on_x, on_w, on_dy, on_b) = (up(&device, &x), up(&device, &w), up(&device, &dy), up(&device, &bias));
    let mut on_y = up(&device, &dy);
    ops::linear(&device, on_x.view(), on_w.view(), on_b.view(), on_y.view_mut(), (width_in, false)).unwrap();
    close(&on_y.to_host().unwrap(), &y, 1e-6);
    let mut on_dx = up(&device, &x);
    ops::linear_backward_input(&device, on_dy.view(), on_w.view(), on_dx.view_mut(), (width_in, false)).unwrap();
    close(&on_dx.to_host().unwrap(), &dx, 1e-6);
    let (mut on_dw, mut on_db) = (up(&device, &base), up(&device, &bias));
    ops::linear_backward_weight(&device, on_x.view(), on_dy.view(), on_dw.view_mut(), width_in).unwrap();
    ops::bias_backward(&device, on_dy.view(), &on_db.view_mut()).unwrap();
    close(&on_dw.to_host().unwrap(), &dw, 1e-6);
    close(&on_db.to_host().unwrap(), &db, 1e-6);
}

#[test]
fn products_in_bf16_add_up_in_f32() {
    let Some(device) = device() else { return };
    // Values that bf16 holds exactly, so that the sums are exact: 257 = 2^8 + 1 needs nine bits and f32.
    let (m, n, k) = (5, 3, 257);
    let ones = up(&device, &vec![1.0; m * k]);
    let other = up(&device, &(0..n * k).map(|i| if i < k { 1.0 } else { -0.5 }).collect::<Vec<_>>());
    let (mut a, mut b) = (device.buffer::<Bf16>(m * k, "test").unwrap(), device.buffer::<Bf16>(n * k, "test").unwrap());
    ops::round_to(&device, ones.view(), &a.view_mut()).unwrap();
    ops::round_to(&device, other.view(), &b.view_mut()).unwrap();
    let mut out = up(&device, &vec![0.25; m * n]);
    let shapes = (Shape::dense(m, k), Shape::dense(n, k).t());
    let options = Options { accumulate: true, ..Options::default() };
    let to = (out.view_mut(), Shape::dense(m, n));
    matmul(&device, to, (a.view(), shapes.0), (b.view(), shapes.1), options).unwrap();
    let row = [257.25, -128.25, -128.25];
    assert_eq!(out.to_host().unwrap(), row.repeat(m));
}

#[test]
fn too_large_a_buffer_is_an_error_that_says_what_it_was_for() {
    let Some(device) = device() else { return };
    let message = device.buffer::<f32>(1 << 40, "activations").unwrap_err().to_string();
    assert!(message.starts_with("out of GPU memory for activations: 4398.05 GB wanted"), "{message}");
    assert!(message.contains("lower trainer.max_packed_tokens"), "{message}");
    // The device goes on working.
    assert_eq!(up(&device, &[3.0]).to_host().unwrap(), [3.0]);
}
