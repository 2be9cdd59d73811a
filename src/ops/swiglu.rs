//! The gated unit of the feed-forward block (arXiv 2002.05202): `a = silu(gate) * up`, `silu(x) = x / (1 + e^-x)`.

use rayon::prelude::*;

use super::Element;
use super::element::vectorised;

/// Values in one parallel piece.
const PIECE: usize = 1 << 14;

/// `a = silu(gate) * up`, element by element.
pub fn forward<T: Element>(gate: &[T], up: &[T], a: &mut [T]) {
    a.par_chunks_mut(PIECE).zip(gate.par_chunks(PIECE)).zip(up.par_chunks(PIECE)).for_each(|((a, g), u)| {
        vectorised(|| {
            for ((a, &g), &u) in a.iter_mut().zip(g).zip(u) {
                *a = g / (T::ONE + (-g).exp()) * u;
            }
        });
    });
}

/// From `da`: `d_up = da silu(g)`, `d_gate = da up s (1 + g (1 - s))` with s the logistic function of g. The gate and up
/// values are overwritten by their gradients, `a` by the forward's output (which the down projection's gradient needs).
pub fn backward<T: Element>(gate: &mut [T], up: &mut [T], a: &mut [T], da: &[T]) {
    gate.par_chunks_mut(PIECE)
        .zip(up.par_chunks_mut(PIECE))
        .zip(a.par_chunks_mut(PIECE))
        .zip(da.par_chunks(PIECE))
        .for_each(|(((gate, up), a), da)| {
            vectorised(|| {
                for (((gate, up), a), &da) in gate.iter_mut().zip(up.iter_mut()).zip(a.iter_mut()).zip(da) {
                    let (g, u) = (*gate, *up);
                    let s = T::ONE / (T::ONE + (-g).exp());
                    let silu = g * s;
                    *a = silu * u;
                    *up = da * silu;
                    *gate = da * u * s * (T::ONE + g * (T::ONE - s));
                }
            });
        });
}
