//! Fused attention for the emulated device, whose memory is the processor's: the definition, in f32, with all that
//! [`Fused`] allows a kernel to do to memory.
#![allow(unsafe_code, unreachable_pub)]

use attending::cuda::fused::{CallArrays, CallShape, Fused};
use attending::cuda::ops::Heads;
use attending::cuda::{CudaError, Device};

/// Attention by its definition.
#[derive(Debug)]
pub struct Definition;

/// Values at an address, by index.
struct At<T>(*mut T);

impl<T: Copy> At<T> {
    fn new(address: u64) -> Self {
        Self(address as *mut T)
    }

    fn get(&self, i: usize) -> T {
        unsafe { *self.0.add(i) }
    }

    fn set(&self, i: usize, value: T) {
        unsafe { *self.0.add(i) = value }
    }
}

impl At<u16> {
    fn number(&self, i: usize) -> f32 {
        f32::from_bits(u32::from(self.get(i)) << 16)
    }

    fn round(&self, i: usize, value: f32) {
        let bits = value.to_bits();
        let rounded = if value.is_nan() { 0x7fff } else { (bits + 0x7fff + (bits >> 16 & 1)) >> 16 };
        self.set(i, rounded as u16);
    }
}

/// One run of queries against one of keys.
struct Pair {
    q_rows: usize,
    kv_rows: usize,
    causal: bool,
    group: usize,
    scale: f32,
}

impl Pair {
    fn seen(&self, i: usize) -> usize {
        if self.causal { i + 1 } else { self.kv_rows }
    }
}

impl Fused for Definition {
    fn serves(&self, _: &Heads) -> bool {
        true
    }

    fn workspace(&self, shape: &CallShape) -> Result<usize, CudaError> {
        Ok(if shape.backward != 0 { 1 } else { 0 })
    }

    fn run(&self, _: &Device, shape: &CallShape, a: &CallArrays) -> Result<(), CudaError> {
        let (heads, kv_heads, dim) = (shape.q_heads as usize, shape.kv_heads as usize, shape.dim as usize);
        let batch = shape.batch as usize;
        let length = |address: u64, i: usize| At::<i32>::new(address).get(i) as usize;
        let offset = |address: u64, i: usize| At::<i64>::new(address).get(i) as usize;
        for b in 0..batch {
            let pair = Pair {
                q_rows: length(a.q_lengths, b),
                kv_rows: length(a.kv_lengths, b),
                causal: shape.causal != 0,
                group: heads / kv_heads,
                scale: shape.scale,
            };
            assert!(pair.q_rows <= shape.q_rows as usize && pair.kv_rows <= shape.kv_rows as usize);
            assert!(!pair.causal || pair.q_rows == pair.kv_rows);
            let from = |address, offsets| At::<u16>(unsafe { At::<u16>::new(address).0.add(offset(offsets, b)) });
            let (q, k, v) = (from(a.q, a.q_offsets), from(a.k, a.kv_offsets), from(a.v, a.kv_offsets));
            let of_lse = if shape.backward != 0 { a.lse_offsets } else { a.lse_out_offsets };
            let lse = At::<f32>(unsafe { At::<f32>::new(a.lse).0.add(offset(of_lse, b)) });
            let at = |row: usize, head: usize| (row * heads + head) * dim;
            let key = |row: usize, head: usize| (row * kv_heads + head / pair.group) * dim;
            let dot = |x: &At<u16>, i: usize, y: &At<u16>, j: usize| -> f32 {
                (0..dim).map(|d| x.number(i + d) * y.number(j + d)).sum()
            };
            let rows = (0..heads).flat_map(|h| (0..pair.q_rows).map(move |i| (h, i)));
            if shape.backward == 0 {
                let o = from(a.o, a.o_offsets);
                for (h, i) in rows {
                    let scores: Vec<f32> =
                        (0..pair.seen(i)).map(|j| pair.scale * dot(&q, at(i, h), &k, key(j, h))).collect();
                    let top = scores.iter().fold(f32::NEG_INFINITY, |m, s| m.max(*s));
                    let l = top + scores.iter().map(|s| (s - top).exp()).sum::<f32>().ln();
                    lse.set(i * heads + h, l);
                    for d in 0..dim {
                        let sum = scores.iter().enumerate().map(|(j, s)| (s - l).exp() * v.number(key(j, h) + d)).sum();
                        o.round(at(i, h) + d, sum);
                    }
                }
                if b + 1 == batch {
                    // Rounded up, the last run leaves anything behind.
                    for row in pair.q_rows..shape.q_rows as usize {
                        (0..heads * dim).for_each(|i| o.round(row * heads * dim + i, f32::NAN));
                        (0..heads).for_each(|h| lse.set(row * heads + h, f32::NAN));
                    }
                }
                continue;
            }
            let (o, d_o) = (from(a.o, a.q_offsets), from(a.d_o, a.q_offsets));
            let mut dq = vec![0.0; pair.q_rows * heads * dim];
            let (mut dk, mut dv) = (vec![0.0; pair.kv_rows * kv_heads * dim], vec![0.0; pair.kv_rows * kv_heads * dim]);
            for (h, i) in rows {
                let delta = dot(&o, at(i, h), &d_o, at(i, h));
                for j in 0..pair.seen(i) {
                    let p = (pair.scale * dot(&q, at(i, h), &k, key(j, h)) - lse.get(i * heads + h)).exp();
                    let ds = p * (dot(&d_o, at(i, h), &v, key(j, h)) - delta) * pair.scale;
                    for d in 0..dim {
                        dv[key(j, h) + d] += p * d_o.number(at(i, h) + d);
                        dq[at(i, h) + d] += ds * k.number(key(j, h) + d);
                        dk[key(j, h) + d] += ds * q.number(at(i, h) + d);
                    }
                }
            }
            let outputs = [
                (dq, from(a.dq, a.dq_offsets), shape.q_rows as usize * heads * dim),
                (dk, from(a.dk, a.dkv_offsets), shape.kv_rows as usize * kv_heads * dim),
                (dv, from(a.dv, a.dkv_offsets), shape.kv_rows as usize * kv_heads * dim),
            ];
            for (sums, out, room) in outputs {
                sums.iter().enumerate().for_each(|(i, sum)| out.round(i, *sum));
                if b + 1 == batch {
                    (sums.len()..room).for_each(|i| out.round(i, f32::NAN));
                }
            }
        }
        Ok(())
    }
}
