//! Root-mean-square normalisation (arXiv 1910.07467): `y = x / sqrt(mean(x^2) + eps) * w`.

use rayon::prelude::*;

use super::Element;
use super::element::{dot, vectorised};

/// Rows in one parallel piece; fixed, so that sums have one shape whatever the number of threads.
const PIECE: usize = 64;

/// The factor by which a row is divided out.
#[inline(always)]
fn inverse_rms<T: Element>(row: &[T], eps: f64) -> T {
    T::of(1.0 / (dot(row, row).f64() / row.len() as f64 + eps).sqrt())
}

/// `y[rows, width]` of `x[rows, width]`.
pub fn forward<T: Element>(x: &[T], weight: &[T], eps: f64, y: &mut [T]) {
    let width = weight.len();
    y.par_chunks_mut(PIECE * width).zip(x.par_chunks(PIECE * width)).for_each(|(y, x)| {
        vectorised(|| {
            for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                let r = inverse_rms(x, eps);
                for ((y, &x), &w) in y.iter_mut().zip(x).zip(weight) {
                    *y = x * r * w;
                }
            }
        });
    });
}

/// `dx += w r dy - x r^3 mean(w dy x)`, `dw += sum over rows of dy x r`, with r the inverse root mean square.
pub fn backward<T: Element>(x: &[T], weight: &[T], eps: f64, dy: &[T], dx: &mut [T], d_weight: &mut [T]) {
    let width = weight.len();
    let piece = PIECE * width;
    let parts: Vec<Vec<T>> = dx
        .par_chunks_mut(piece)
        .zip(x.par_chunks(piece))
        .zip(dy.par_chunks(piece))
        .map(|((dx, x), dy)| {
            let mut d_weight = vec![T::ZERO; width];
            vectorised(|| {
                let rows = dx.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(dy.chunks_exact(width));
                for ((dx, x), dy) in rows {
                    let r = inverse_rms(x, eps);
                    let mut scaled = T::ZERO;
                    let mut lanes = [T::ZERO; 8];
                    let n = width / 8 * 8;
                    for i in (0..n).step_by(8) {
                        for l in 0..8 {
                            lanes[l] += dy[i + l] * weight[i + l] * x[i + l];
                        }
                    }
                    for i in n..width {
                        scaled += dy[i] * weight[i] * x[i];
                    }
                    for l in lanes {
                        scaled += l;
                    }
                    let c = scaled * r * r * r * T::of(1.0 / width as f64);
                    for i in 0..width {
                        dx[i] += dy[i] * weight[i] * r - x[i] * c;
                        d_weight[i] += dy[i] * x[i] * r;
                    }
                }
            });
            d_weight
        })
        .collect();
    for part in parts {
        for (d, v) in d_weight.iter_mut().zip(part) {
            *d += v;
        }
    }
}
