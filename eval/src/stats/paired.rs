//! Comparison of two runs on the same questions.

use super::{Bootstrap, Interval, Observation};

/// The same question answered before and after, or by two models.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair<'a> {
    /// Case id.
    pub question: &'a str,
    /// The first value.
    pub before: f64,
    /// The second value.
    pub after: f64,
}

impl Bootstrap {
    /// The mean of `after - before` with its interval, questions resampled as in [`Bootstrap::mean`]. Pairing removes
    /// what makes a question hard for both.
    pub fn difference(&self, pairs: &[Pair]) -> Option<Interval> {
        let differences: Vec<Observation> =
            pairs.iter().map(|p| Observation { question: p.question, value: p.after - p.before }).collect();
        self.mean(&differences)
    }
}

/// McNemar's exact two-sided p-value (Psychometrika 12:153, 1947) for two classifiers on the same cases: `gained` were
/// wrong and became right, `lost` the other way round. Under the null each is a fair coin: min(1, 2 P(X <= min)) with
/// X ~ Binomial(gained + lost, 1/2).
pub fn mcnemar(gained: u64, lost: u64) -> f64 {
    let n = gained + lost;
    // Terms C(n, i) / 2^n as logarithms: 2^-n alone underflows from n = 1,075 on.
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let mut sum = 0.0;
    for i in 0..=gained.min(lost) {
        if i > 0 {
            log_term += ((n - i + 1) as f64 / i as f64).ln();
        }
        sum += log_term.exp();
    }
    (2.0 * sum).min(1.0)
}
