//! Token embedding and its gradient.

use rayon::prelude::*;

use super::Element;

/// `x[tokens, width]`, row i the embedding of `tokens[i]`.
pub fn forward<T: Element>(table: &[T], tokens: &[u32], width: usize, x: &mut [T]) {
    x.par_chunks_mut(width).zip(tokens).for_each(|(x, &token)| {
        let at = token as usize * width;
        x.copy_from_slice(&table[at..at + width]);
    });
}

/// Adds each row of `dx` to its token's row, token by token and in row order, so that the sums have one shape.
pub fn backward<T: Element>(tokens: &[u32], dx: &[T], width: usize, d_table: &mut [T]) {
    for (dx, &token) in dx.chunks_exact(width).zip(tokens) {
        let at = token as usize * width;
        for (d, &v) in d_table[at..at + width].iter_mut().zip(dx) {
            *d += v;
        }
    }
}
