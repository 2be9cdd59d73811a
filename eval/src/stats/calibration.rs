//! Reliability: what is true, in bins of what was said (Niculescu-Mizil and Caruana, ICML 2005).

use super::{Bootstrap, Interval, Observation};

/// Bins of equal width over the scores' range.
const BINS: usize = 10;

/// A score, what it should tell, and the question that both belong to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Said<'a> {
    /// Case id; the bootstrap draws the values of a question together.
    pub(crate) question: &'a str,
    /// The score.
    pub(crate) score: f64,
    /// What it should tell.
    pub(crate) truth: f64,
}

/// In each bin that is not empty: the mean score, the mean truth with its interval, and the number of values. The range
/// is that of the scores, and at least from 0 to 1.
pub(crate) fn calibration(said: &[Said<'_>], bootstrap: Bootstrap) -> Vec<(f64, Interval, usize)> {
    let ends = said.iter().fold((0.0, 1.0), |(l, h): (f64, f64), r| (l.min(r.score), h.max(r.score)));
    let mut bins: Vec<Vec<&Said<'_>>> = vec![Vec::new(); BINS];
    for one in said {
        let at = (one.score - ends.0) / (ends.1 - ends.0) * BINS as f64;
        bins[(at as usize).min(BINS - 1)].push(one);
    }
    let of = |bin: Vec<&Said<'_>>| {
        let truths: Vec<Observation> =
            bin.iter().map(|one| Observation { question: one.question, value: one.truth }).collect();
        let mean = bootstrap.mean(&truths)?;
        Some((bin.iter().map(|one| one.score).sum::<f64>() / bin.len() as f64, mean, bin.len()))
    };
    bins.into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_by_hand() {
        let one = |score, truth| Said { question: "q", score, truth };
        let found = calibration(&[one(0.91, 1.0), one(0.99, 0.0), one(0.05, 0.0), one(1.0, 1.0)], Bootstrap::default());
        let means: Vec<(f64, f64, usize)> = found.iter().map(|(score, mean, n)| (*score, mean.estimate, *n)).collect();
        assert_eq!(means.len(), 2);
        assert_eq!((means[0], means[1].2), ((0.05, 0.0, 1), 3));
        assert!((means[1].0 - 2.9 / 3.0).abs() < 1e-12 && (means[1].1 - 2.0 / 3.0).abs() < 1e-12);
    }
}
