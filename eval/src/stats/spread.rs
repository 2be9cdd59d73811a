//! How values are spread: quantiles, and counts in equal parts of their range.

/// Parts that the range is cut into.
const BARS: usize = 20;

/// The spread of some values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spread {
    /// Lowest value, 5 %, 25 %, 50 %, 75 %, 95 %, highest.
    pub(crate) quantiles: [f64; 7],
    /// Ends of the counted range: 0 and 1 where all values lie between them, else the lowest and the highest.
    pub(crate) range: [f64; 2],
    /// Values in each part of the range, from low to high; the highest value is in the last.
    pub(crate) bars: Vec<usize>,
}

impl Spread {
    /// Of values in ascending order; `None` without any.
    pub(crate) fn of(sorted: &[f64]) -> Option<Self> {
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share).round() as usize];
        // Scores are shares unless their values say otherwise.
        let range = if low >= 0.0 && high <= 1.0 { [0.0, 1.0] } else { [low, high] };
        let mut bars = vec![0; BARS];
        let width = if range[1] > range[0] { range[1] - range[0] } else { 1.0 };
        sorted.iter().for_each(|v| bars[(((v - range[0]) / width * BARS as f64) as usize).min(BARS - 1)] += 1);
        Some(Self { quantiles: [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0].map(at), range, bars })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_other_values() {
        let shares =
            Spread::of(&[0.0, 0.24, 0.26, 1.0]).map(|s| (s.range, s.bars[0], s.bars[4], s.bars[5], s.bars[19]));
        assert_eq!(shares, Some(([0.0, 1.0], 1, 1, 1, 1)));
        let others =
            Spread::of(&[-2.0, 0.0, 2.0]).map(|s| (s.range, s.bars[0], s.bars[10], s.bars[19], s.quantiles[3]));
        assert_eq!(others, Some(([-2.0, 2.0], 1, 1, 1, 0.0)));
        assert_eq!(Spread::of(&[3.0]).map(|s| s.bars[0]), Some(1));
        assert_eq!(Spread::of(&[]), None);
    }
}
