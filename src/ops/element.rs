//! The number types that the primitives run on, and loops that use the widest vectors of the processor.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub};

/// Lanes of the running sums below: wide enough for AVX-512, and fixed so that results do not depend on the processor.
const LANES: usize = 16;

/// f32 or f64.
pub trait Element:
    Copy
    + Default
    + Debug
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + MulAssign
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Minus infinity.
    const NEG_INFINITY: Self;
    /// The nearest value of this type.
    fn of(value: f64) -> Self;
    /// The same value in double precision.
    fn f64(self) -> f64;
    /// e^x, accurate to two units in the last place; f32 underflows to 0 below -87.
    fn exp(self) -> Self;
    /// The larger of two numbers.
    fn larger(self, other: Self) -> Self {
        if self > other { self } else { other }
    }
}

impl Element for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const NEG_INFINITY: Self = f32::NEG_INFINITY;

    fn of(value: f64) -> Self {
        value as f32
    }

    fn f64(self) -> f64 {
        f64::from(self)
    }

    /// Cody-Waite reduction and the degree-6 minimax polynomial of Cephes' `expf`, without branches so that loops over
    /// it become vector code (the library's `expf` is scalar).
    #[inline(always)]
    fn exp(self) -> Self {
        /// 1.5 x 2^23: adding it leaves the nearest integer in the low bits of the sum.
        const ROUND: f32 = 12_582_912.0;
        const LN_2_HIGH: f32 = 0.693_359_4;
        const LN_2_LOW: f32 = -2.121_944_4e-4;
        let x = if self > 88.0 { 88.0 } else { self };
        let clamped = if x < -87.0 { -87.0 } else { x };
        let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
        let n = shifted - ROUND;
        let r = (clamped - n * LN_2_HIGH) - n * LN_2_LOW;
        let mut p = 1.987_569_1e-4_f32;
        p = p * r + 1.398_199_9e-3;
        p = p * r + 8.333_452e-3;
        p = p * r + 4.166_579_6e-2;
        p = p * r + 1.666_666_5e-1;
        p = p * r + 0.5;
        p = p * (r * r) + r + 1.0;
        let scale = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
        let y = p * scale;
        if x < -87.0 { 0.0 } else { y }
    }
}

impl Element for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const NEG_INFINITY: Self = f64::NEG_INFINITY;

    fn of(value: f64) -> Self {
        value
    }

    fn f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn exp(self) -> Self {
        f64::exp(self)
    }
}

/// Runs `f` compiled for the widest vectors that the processor has. Loops written plainly inside become vector code;
/// what they call must be inlined.
#[inline(always)]
pub fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}

/// Sum in `LANES` running sums, then in order.
#[inline(always)]
pub fn sum<T: Element>(x: &[T]) -> T {
    let mut lanes = [T::ZERO; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (l, &v) in lanes.iter_mut().zip(chunk) {
            *l += v;
        }
    }
    for (l, &v) in lanes.iter_mut().zip(rest) {
        *l += v;
    }
    fold(lanes)
}

/// Inner product, summed as [`sum`].
#[inline(always)]
pub fn dot<T: Element>(x: &[T], y: &[T]) -> T {
    let mut lanes = [T::ZERO; LANES];
    let n = x.len().min(y.len());
    let (x, y) = (&x[..n], &y[..n]);
    let (xs, ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let (x_rest, y_rest) = (xs.remainder(), ys.remainder());
    for (a, b) in xs.zip(ys) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    for ((l, &a), &b) in lanes.iter_mut().zip(x_rest).zip(y_rest) {
        *l += a * b;
    }
    fold(lanes)
}

/// Largest value; minus infinity of nothing.
#[inline(always)]
pub fn maximum<T: Element>(x: &[T]) -> T {
    let mut lanes = [T::NEG_INFINITY; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (l, &v) in lanes.iter_mut().zip(chunk) {
            *l = l.larger(v);
        }
    }
    for (l, &v) in lanes.iter_mut().zip(rest) {
        *l = l.larger(v);
    }
    lanes.into_iter().fold(T::NEG_INFINITY, T::larger)
}

/// Pairwise, so that the shape of the sum is fixed.
#[inline(always)]
fn fold<T: Element>(mut lanes: [T; LANES]) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            let other = lanes[i + width];
            lanes[i] += other;
        }
        width /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_double_precision() {
        let mut worst = 0.0_f64;
        for i in -860..=870 {
            for j in 0..37 {
                let x = (f64::from(i) + f64::from(j) / 37.0) / 10.0;
                let x = x as f32;
                let (got, want) = (f64::from(Element::exp(x)), f64::from(x).exp());
                worst = worst.max((got - want).abs() / want);
            }
        }
        assert!(worst < 2.5e-7, "{worst}");
        assert_eq!(Element::exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(Element::exp(0.0_f32), 1.0);
    }

    #[test]
    fn sums_of_any_length() {
        for n in 0..70 {
            let x: Vec<f64> = (0..n).map(|i| f64::from(i) + 0.5).collect();
            assert_eq!(sum(&x), f64::from(n * n) / 2.0);
            assert_eq!(dot(&x, &vec![2.0; x.len()]), f64::from(n * n));
            assert_eq!(maximum(&x), x.last().copied().unwrap_or(f64::NEG_INFINITY));
        }
    }
}
