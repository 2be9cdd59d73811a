//! The statistics of the suite: areas under curves, correlations, F1, and intervals from resampled units.
//!
//! Everything is deterministic. Statistics that the data do not define (one class only, no variance) are `None`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::lexicon::KeyMap;

/// One judged record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged<'a> {
    /// What was sampled as a whole: a question, a dialogue, a consultation.
    pub unit: &'a str,
    /// What people say, as a number (1 = yes).
    pub truth: f64,
    /// What the verifier says.
    pub score: f64,
    /// What is held fixed, where something is: a length.
    pub fixed: f64,
}

/// An estimate with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// From the data as they are.
    pub value: f64,
    /// 2.5 % bound.
    pub low: f64,
    /// 97.5 % bound.
    pub high: f64,
}

/// Ranks from 1, ties sharing their mean rank.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    while from < order.len() {
        let mut to = from + 1;
        while to < order.len() && values[order[to]] == values[order[from]] {
            to += 1;
        }
        let rank = (from + to + 1) as f64 / 2.0;
        order[from..to].iter().for_each(|&at| ranks[at] = rank);
        from = to;
    }
    ranks
}

/// Area under the ROC curve: the chance that a positive (truth above 0.5) scores above a negative, ties counting half
/// (Mann-Whitney U over the product of the numbers).
pub fn auroc(records: &[Judged]) -> Option<f64> {
    let scores: Vec<f64> = records.iter().map(|record| record.score).collect();
    let ranks = ranks(&scores);
    let positives = records.iter().filter(|record| record.truth > 0.5).count() as f64;
    let negatives = records.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let sum: f64 = records.iter().zip(&ranks).filter(|(record, _)| record.truth > 0.5).map(|(_, rank)| rank).sum();
    Some((sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

fn pearson_of(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> Option<f64> {
    let n = pairs.clone().count() as f64;
    let (x, y) = pairs.clone().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let (xy, xx, yy) = pairs.fold((0.0, 0.0, 0.0), |(xy, xx, yy), (a, b)| {
        (xy + (a - x) * (b - y), xx + (a - x) * (a - x), yy + (b - y) * (b - y))
    });
    (xx > 0.0 && yy > 0.0).then(|| xy / (xx * yy).sqrt())
}

/// Pearson's correlation of truth and score.
pub fn pearson(records: &[Judged]) -> Option<f64> {
    pearson_of(records.iter().map(|record| (record.truth, record.score)))
}

/// Their correlation with `fixed` held fixed (first-order partial correlation).
pub fn partial_pearson(records: &[Judged]) -> Option<f64> {
    let xy = pearson(records)?;
    let xz = pearson_of(records.iter().map(|record| (record.truth, record.fixed)))?;
    let yz = pearson_of(records.iter().map(|record| (record.score, record.fixed)))?;
    let rest = (1.0 - xz * xz) * (1.0 - yz * yz);
    (rest > 1e-12).then(|| (xy - xz * yz) / rest.sqrt())
}

/// Their correlation within units: of the distances from each unit's means.
pub fn pearson_within(records: &[Judged]) -> Option<f64> {
    let mut means: BTreeMap<&str, (f64, f64, f64)> = BTreeMap::new();
    for record in records {
        let (truth, score, n) = means.entry(record.unit).or_default();
        (*truth, *score, *n) = (*truth + record.truth, *score + record.score, *n + 1.0);
    }
    let distance = |record: &Judged| {
        let (truth, score, n) = means[record.unit];
        (record.truth - truth / n, record.score - score / n)
    };
    pearson_of(records.iter().map(distance))
}

/// F1 of "score above 0.5" for "truth above 0.5"; `None` where neither says yes to anything.
pub fn f1(records: &[Judged]) -> Option<f64> {
    let count = |truth: bool, said: bool| {
        records.iter().filter(|r| (r.truth > 0.5) == truth && (r.score > 0.5) == said).count() as f64
    };
    let (hit, missed, alarm) = (count(true, true), count(true, false), count(false, true));
    (hit + missed + alarm > 0.0).then(|| 2.0 * hit / (2.0 * hit + missed + alarm))
}

/// The mean score.
pub fn mean(records: &[Judged]) -> Option<f64> {
    (!records.is_empty()).then(|| records.iter().map(|record| record.score).sum::<f64>() / records.len() as f64)
}

/// Resamples of an interval; they leave about 3 % of its width as noise in its bounds.
const RESAMPLES: usize = 1000;

/// A statistic with the 95 % interval of the percentile bootstrap over units: whole units are drawn with replacement
/// (Efron and Tibshirani 1993, chapter 13). Resamples for which the statistic is undefined are left out.
pub fn estimate(records: &[Judged], statistic: impl Fn(&[Judged]) -> Option<f64>) -> Option<Estimate> {
    let value = statistic(records)?;
    let mut units: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, record) in records.iter().enumerate() {
        units.entry(record.unit).or_default().push(at);
    }
    let units: Vec<(&str, Vec<usize>)> = units.into_iter().collect();
    let names: Vec<String> = (0..units.len()).map(|draw| draw.to_string()).collect();
    let mut values = Vec::with_capacity(RESAMPLES);
    let mut sample = Vec::with_capacity(records.len());
    for resample in 0..RESAMPLES {
        sample.clear();
        let mut random = Random::new(resample as u64);
        for name in &names {
            // A unit drawn twice counts as two units.
            let drawn = &units[random.below(units.len())].1;
            sample.extend(drawn.iter().map(|&at| Judged { unit: name, ..records[at] }));
        }
        values.extend(statistic(&sample));
    }
    values.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        let at = share * values.len().saturating_sub(1) as f64;
        let (below, above) = (values.get(at.floor() as usize)?, values.get(at.ceil() as usize)?);
        Some(below + (above - below) * at.fract())
    };
    Some(Estimate { value, low: quantile(0.025)?, high: quantile(0.975)? })
}

/// A stream of random indices (SplitMix64; Steele, Lea, Flood, OOPSLA 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Random {
        Random(mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)))
    }

    /// The stream of a seed and a text.
    pub fn keyed(seed: u64, text: &str) -> Random {
        Random::new(seed ^ fingerprint(text))
    }

    /// An index below `n`; 0 for `n` = 0.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((u128::from(mix(self.0)) * n as u128) >> 64) as usize
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// FNV-1a of a text, its halves folded, so that the low bit is a fair coin.
fn fingerprint(text: &str) -> u64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash ^ (hash >> 32)
}

/// Which half of a set a unit belongs to: rules may be tuned on the even half alone, figures are of the other.
pub fn is_tuning(unit: &str) -> bool {
    fingerprint(unit) & 1 == 0
}

/// How many different units there are.
pub fn units(records: &[Judged]) -> usize {
    let seen: KeyMap<u64, ()> = records.iter().map(|record| (fingerprint(record.unit), ())).collect();
    seen.len()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Ten records; numbers of scipy 1 and scikit-learn 1 from tests/fixtures/statistics.py.
    fn ten() -> Vec<Judged<'static>> {
        let truth = [1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0];
        let score = [0.9, 0.2, 0.6, 0.4, 0.4, 0.7, 0.8, 0.1, 0.3, 0.4];
        let fixed = [3.0, 1.0, 2.0, 5.0, 2.0, 4.0, 6.0, 1.0, 2.0, 3.0];
        let unit = ["a", "a", "b", "b", "b", "c", "c", "d", "d", "d"];
        (0..10).map(|i| Judged { unit: unit[i], truth: truth[i], score: score[i], fixed: fixed[i] }).collect()
    }

    #[test]
    fn against_scipy_and_sklearn() {
        let near = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-10, "{a:?} {b}");
        near(auroc(&ten()), SKLEARN_AUROC);
        near(f1(&ten()), SKLEARN_F1);
        near(pearson(&ten()), SCIPY_PEARSON);
        near(partial_pearson(&ten()), SCIPY_PARTIAL);
        near(pearson_within(&ten()), SCIPY_WITHIN);
    }

    include!("../../tests/fixtures/statistics.in");

    #[test]
    fn undefined_statistics_are_none() {
        let same: Vec<Judged> = ten().into_iter().map(|r| Judged { truth: 1.0, score: 0.0, ..r }).collect();
        assert_eq!((auroc(&same), pearson(&same), partial_pearson(&same)), (None, None, None));
        let none: Vec<Judged> = ten().into_iter().map(|r| Judged { truth: 0.0, score: 0.0, ..r }).collect();
        assert_eq!((f1(&none), mean(&[]), estimate(&[], mean)), (None, None, None));
    }

    /// The standard error of a mean of n independent units is s / sqrt(n): the interval is 1.96 of it on each side.
    #[test]
    fn the_interval_of_a_mean_and_of_clusters() {
        let names: Vec<String> = (0..400).map(|i| i.to_string()).collect();
        let record =
            |i: usize, unit: usize| Judged { unit: &names[unit], truth: 0.0, score: (i % 2) as f64, fixed: 0.0 };
        let alone: Vec<Judged> = (0..400).map(|i| record(i, i)).collect();
        let found = estimate(&alone, mean).unwrap();
        assert!((found.high - found.low - 2.0 * 1.96 * 0.5 / 20.0).abs() < 0.012, "{found:?}");
        // The same records in 20 units of one value each: the interval is sqrt(20) times as wide.
        let units: Vec<Judged> =
            (0..400).map(|i| Judged { score: ((i / 20) % 2) as f64, ..record(i, i / 20) }).collect();
        let found = estimate(&units, mean).unwrap();
        assert!((found.high - found.low - 2.0 * 1.96 * 0.5 / 20_f64.sqrt()).abs() < 0.06, "{found:?}");
    }

    #[test]
    fn halves_are_halves() {
        let tuning = (0..1000).filter(|i| is_tuning(&format!("question {i}"))).count();
        assert!((440..560).contains(&tuning), "{tuning}");
    }
}
