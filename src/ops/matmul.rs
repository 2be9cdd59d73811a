//! Matrix products over strided views, through the `gemm` crate.

use super::Element;

/// A read-only matrix inside a slice: element (i, j) stands at `i * row_stride + j * col_stride`.
#[derive(Debug, Clone, Copy)]
pub struct View<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T> View<'a, T> {
    /// Row-major `[rows, cols]` at the start of `data`.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The transpose, without moving anything.
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }
}

/// Who shares the work of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread alone, inside a parallel task.
    One,
    /// All threads of the rayon pool.
    All,
}

/// `out = scale a b`, or `out += scale a b` where `accumulate`; `out` is row-major `[a.rows, b.cols]`.
///
/// # Panics
/// Where the shapes do not fit: a bug of the caller, never of the data.
pub fn matmul<T: Element>(out: &mut [T], a: View<'_, T>, b: View<'_, T>, scale: T, accumulate: bool, threads: Threads) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    assert_eq!(a.cols, b.rows, "inner dimensions differ");
    assert!(out.len() >= m * n, "output too short");
    let fits = |v: &View<'_, T>| {
        v.rows == 0 || v.cols == 0 || (v.rows - 1) * v.row_stride + (v.cols - 1) * v.col_stride < v.data.len()
    };
    assert!(fits(&a) && fits(&b), "operand too short");
    if m == 0 || n == 0 {
        return;
    }
    let parallelism = match threads {
        Threads::One => gemm::Parallelism::None,
        Threads::All => gemm::Parallelism::Rayon(0),
    };
    // SAFETY: every element that the product reads or writes lies inside the three slices: checked above for both
    // operands, `out` holds m x n values with row stride n, and it is borrowed mutably, so it overlaps neither operand.
    #[allow(unsafe_code)]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            T::ONE,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_by_hand() {
        let a = [1.0_f64, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [1.0, 0.0, 2.0, 0.0, 1.0, 1.0];
        let mut out = [10.0; 4];
        // [1 2 3; 4 5 6] x [1 0; 2 0; 1 1] = [8 3; 20 6]
        matmul(&mut out, View::new(&a, 2, 3), View::new(&b, 3, 2), 1.0, false, Threads::One);
        assert_eq!(out, [8.0, 3.0, 20.0, 6.0]);
        // a^T a, first row (1, 4).(1, 4) = 17, 22, 27; twice added to what is there.
        let mut gram = [1.0; 9];
        matmul(&mut gram, View::new(&a, 2, 3).t(), View::new(&a, 2, 3), 2.0, true, Threads::All);
        assert_eq!(gram[..3], [35.0, 45.0, 55.0]);
    }
}
