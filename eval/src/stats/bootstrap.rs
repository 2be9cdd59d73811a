//! Percentile bootstrap of a mean (Efron and Tibshirani, 1993, chapter 13), with whole questions resampled.

use std::collections::BTreeMap;

use super::Interval;
use super::random::Stream;

/// One value and the question that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation<'a> {
    /// Case id; values of one question are not independent and are drawn together.
    pub question: &'a str,
    /// The value.
    pub value: f64,
}

/// How often to resample, and from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// Resamples; 10,000 leave about 1 % of the interval's width as noise in its bounds.
    pub resamples: usize,
    /// The seed.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 10_000, seed: 0 }
    }
}

impl Bootstrap {
    /// The mean of all values with its interval; questions are drawn with replacement, each with all of its values.
    /// `None` without values or resamples, or where a value is not finite.
    pub fn mean(&self, observations: &[Observation]) -> Option<Interval> {
        if observations.is_empty() || self.resamples == 0 || observations.iter().any(|o| !o.value.is_finite()) {
            return None;
        }
        // In order of question id, so that the order of the file does not matter.
        let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for observation in observations {
            let (sum, count) = sums.entry(observation.question).or_default();
            *sum += observation.value;
            *count += 1.0;
        }
        let questions: Vec<(f64, f64)> = sums.into_values().collect();
        let mean = |(sum, count): (f64, f64)| sum / count;
        let add = |(a, n): (f64, f64), (b, m): (f64, f64)| (a + b, n + m);
        let estimate = mean(questions.iter().copied().fold((0.0, 0.0), add));
        let mut means: Vec<f64> = (0..self.resamples)
            .map(|resample| {
                let mut stream = Stream::new(self.seed, resample as u64);
                mean((0..questions.len()).map(|_| questions[stream.below(questions.len())]).fold((0.0, 0.0), add))
            })
            .collect();
        means.sort_by(f64::total_cmp);
        Some(Interval { estimate, low: quantile(&means, 0.025), high: quantile(&means, 0.975) })
    }
}

/// The quantile of sorted values, linear between neighbours (numpy's default).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}
