//! Mean and unbiased standard deviation of the values that apply.

/// Count, mean and unbiased standard deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Statistics {
    pub(super) mean: f64,
    /// 0 for fewer than two values.
    pub(super) std: f64,
    /// Fewer than two values, or all exactly equal: nothing to compare.
    pub(super) tied: bool,
}

impl Statistics {
    /// Of values that each count `weight` times (1 for responses, the length for tokens).
    pub(super) fn weighted(values: &[(f64, f64)]) -> Self {
        let count: f64 = values.iter().map(|(_, weight)| weight).sum();
        let (low, high) =
            values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), (v, _)| (l.min(*v), h.max(*v)));
        // The mean of equal values is rarely equal to them in floating point; the comparison is exact.
        if count <= 1.0 || low >= high {
            let mean = if values.is_empty() { 0.0 } else { low };
            return Self { mean, std: 0.0, tied: true };
        }
        let mean = values.iter().map(|(v, w)| v * w).sum::<f64>() / count;
        let squares: f64 = values.iter().map(|(v, w)| (v - mean).powi(2) * w).sum();
        Self { mean, std: (squares / (count - 1.0)).sqrt(), tied: false }
    }

    /// Of the values that apply.
    pub(super) fn of(values: impl Iterator<Item = Option<f64>>) -> Self {
        Self::weighted(&values.flatten().map(|v| (v, 1.0)).collect::<Vec<_>>())
    }
}
