//! Projections: `y = x W^T + b` with `W` `[out, in]`.

use rayon::prelude::*;

use super::Element;
use super::element::vectorised;
use super::matmul::{Threads, View, matmul};

/// `y[rows, out] = x[rows, in] W^T + b`; an empty bias is none. With `accumulate` the product is added to `y`, which is
/// how a residual connection costs no pass of its own (there must be no bias then).
pub fn forward<T: Element>(x: &[T], weight: &[T], bias: &[T], y: &mut [T], width_in: usize, accumulate: bool) {
    let rows = x.len() / width_in;
    let width_out = weight.len() / width_in;
    let fill = !bias.is_empty();
    if fill {
        y.par_chunks_mut(width_out).for_each(|row| row.copy_from_slice(bias));
    }
    let (x, w) = (View::new(x, rows, width_in), View::new(weight, width_out, width_in));
    matmul(y, x, w.t(), T::ONE, accumulate || fill, Threads::All);
}

/// `dx (+)= dy W`.
pub fn backward_input<T: Element>(dy: &[T], weight: &[T], dx: &mut [T], width_in: usize, accumulate: bool) {
    let width_out = weight.len() / width_in;
    let rows = dy.len() / width_out;
    let (dy, w) = (View::new(dy, rows, width_out), View::new(weight, width_out, width_in));
    matmul(dx, dy, w, T::ONE, accumulate, Threads::All);
}

/// `dW += dy^T x`, `db += column sums of dy` (an empty `d_bias` has none).
pub fn backward_weight<T: Element>(x: &[T], dy: &[T], d_weight: &mut [T], d_bias: &mut [T], width_in: usize) {
    let rows = x.len() / width_in;
    let width_out = d_weight.len() / width_in;
    let (x, dy_view) = (View::new(x, rows, width_in), View::new(dy, rows, width_out));
    matmul(d_weight, dy_view.t(), x, T::ONE, true, Threads::All);
    if !d_bias.is_empty() {
        vectorised(|| {
            for row in dy.chunks_exact(width_out) {
                for (d, &v) in d_bias.iter_mut().zip(row) {
                    *d += v;
                }
            }
        });
    }
}
