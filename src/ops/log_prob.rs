//! Log-probability and entropy of tokens from rows of logits, and their gradient.
//!
//! With z = logits / T, p = softmax(z), H the entropy of p, c_k the derivative of the loss by the log-probability of
//! target k and e its derivative by H: dz = sum_k c_k onehot(y_k) - (sum_k c_k) p - e p (log p + H), dlogits = dz / T.

use super::Element;
use super::element::{maximum, vectorised};

/// What a row of logits says.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RowStatistics {
    /// log sum exp of z.
    pub log_sum_exp: f64,
    /// Entropy of softmax(z), nats.
    pub entropy: f64,
}

/// Divides the row by the temperature in place and returns its statistics.
pub fn forward<T: Element>(z: &mut [T], temperature: f64) -> RowStatistics {
    vectorised(|| {
        if temperature != 1.0 {
            let inverse = T::of(1.0 / temperature);
            for x in z.iter_mut() {
                *x *= inverse;
            }
        }
        let top = maximum(z);
        // Sums in short runs of T, joined in double precision: vocabularies are long.
        let (mut total, mut weighted) = (0.0, 0.0);
        for run in z.chunks(512) {
            let (mut sums, mut products) = ([T::ZERO; 16], [T::ZERO; 16]);
            let lanes = run.chunks_exact(16);
            let rest = lanes.remainder();
            for x in lanes {
                for i in 0..16 {
                    let e = (x[i] - top).exp();
                    sums[i] += e;
                    products[i] += e * (x[i] - top);
                }
            }
            for (i, &x) in rest.iter().enumerate() {
                let e = (x - top).exp();
                sums[i] += e;
                products[i] += e * (x - top);
            }
            for i in 0..16 {
                total += sums[i].f64();
                weighted += products[i].f64();
            }
        }
        let log_total = total.ln();
        RowStatistics { log_sum_exp: top.f64() + log_total, entropy: log_total - weighted / total }
    })
}

/// Overwrites z by dlogits. `targets` are (token, c) pairs; `d_entropy` is e.
pub fn backward<T: Element>(
    z: &mut [T],
    statistics: &RowStatistics,
    targets: &[(u32, f64)],
    d_entropy: f64,
    temperature: f64,
) {
    let inverse = 1.0 / temperature;
    let total: f64 = targets.iter().map(|t| t.1).sum();
    let lse = T::of(statistics.log_sum_exp);
    let c = T::of(-total * inverse);
    vectorised(|| {
        if d_entropy == 0.0 {
            for x in z.iter_mut() {
                *x = (*x - lse).exp() * c;
            }
        } else {
            let (e, h) = (T::of(-d_entropy * inverse), T::of(statistics.entropy));
            for x in z.iter_mut() {
                let log_p = *x - lse;
                *x = log_p.exp() * (c + e * (log_p + h));
            }
        }
    });
    for &(token, c) in targets {
        z[token as usize] += T::of(c * inverse);
    }
}
