//! Question 1: what each score's distribution is, and how the scores move together and with length.

use rayon::prelude::*;
use serde::Serialize;

use super::finding::Findings;
use super::table::{Column, Table};
use super::thresholds::Thresholds;
use crate::stats::{Bootstrap, Interval, Observation, Spread, pearson, spearman};

/// Resamples of the intervals; they leave about 3 % of their width as noise in their bounds.
pub(super) const RESAMPLES: usize = 1000;

/// One score over all responses.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distribution {
    /// `reward`, an objective, `held-out reward`, or `file: NAME`.
    pub name: String,
    /// Responses that have it.
    pub scored: usize,
    /// Responses that have not.
    pub missing: usize,
    /// Its mean, clustered by case.
    pub mean: Option<Interval>,
    /// Lowest value, 5 %, 25 %, 50 %, 75 %, 95 %, highest.
    pub quantiles: [f64; 7],
    /// Share of the most frequent value.
    pub most_frequent: f64,
    /// Ends of the histogram.
    pub range: [f64; 2],
    /// Responses in each of its bars, from low to high; the highest value is in the last.
    pub bars: Vec<usize>,
    /// Pearson's correlation with the number of words.
    pub length_pearson: Option<f64>,
    /// Spearman's.
    pub length_spearman: Option<f64>,
}

/// Two scores over the responses that have both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Correlation {
    /// The scores.
    pub names: [String; 2],
    /// Responses.
    pub count: usize,
    /// Pearson's.
    pub pearson: Option<f64>,
    /// Spearman's.
    pub spearman: Option<f64>,
}

pub(super) fn distributions(table: &Table, columns: &[Column], seed: u64) -> Vec<Distribution> {
    columns.par_iter().filter_map(|column| distribution(table, column, seed)).collect()
}

/// `None` where no response has the score.
fn distribution(table: &Table, column: &Column, seed: u64) -> Option<Distribution> {
    let with_length: Vec<(f64, f64)> = column
        .values
        .iter()
        .zip(&table.rows)
        .filter(|(value, _)| value.is_finite())
        .map(|(value, row)| (*value, f64::from(row.words)))
        .collect();
    let mut sorted: Vec<f64> = with_length.iter().map(|pair| pair.0).collect();
    sorted.sort_by(f64::total_cmp);
    let spread = Spread::of(&sorted)?;
    let most = sorted.chunk_by(|a, b| a == b).map(<[f64]>::len).max().unwrap_or(0);
    let observations: Vec<Observation> = column
        .values
        .iter()
        .zip(&table.rows)
        .filter(|(value, _)| value.is_finite())
        .map(|(value, row)| Observation { question: table.case(row), value: *value })
        .collect();
    Some(Distribution {
        name: column.name.clone(),
        scored: sorted.len(),
        missing: table.rows.len() - sorted.len(),
        mean: Bootstrap { resamples: RESAMPLES, seed }.mean(&observations),
        quantiles: spread.quantiles,
        most_frequent: most as f64 / sorted.len() as f64,
        range: spread.range,
        bars: spread.bars,
        length_pearson: pearson(&with_length),
        length_spearman: spearman(&with_length),
    })
}

pub(super) fn correlations(columns: &[Column]) -> Vec<Correlation> {
    let pairs: Vec<(usize, usize)> =
        (0..columns.len()).flat_map(|a| (a + 1..columns.len()).map(move |b| (a, b))).collect();
    let of = |&(a, b): &(usize, usize)| {
        let (a, b) = (&columns[a], &columns[b]);
        let both = a.values.iter().copied().zip(b.values.iter().copied());
        let both: Vec<(f64, f64)> = both.filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        Correlation {
            names: [a.name.clone(), b.name.clone()],
            count: both.len(),
            pearson: pearson(&both),
            spearman: spearman(&both),
        }
    };
    pairs.par_iter().map(of).collect()
}

/// Objectives of the rubric; the scalar is made of them and moves with them.
fn is_objective(name: &str) -> bool {
    name != "reward" && !name.starts_with("held-out")
}

pub(super) fn findings(
    distributions: &[Distribution],
    correlations: &[Correlation],
    limits: &Thresholds,
    findings: &mut Findings,
) {
    for d in distributions.iter().filter(|d| !d.name.starts_with("held-out")) {
        let most = (d.most_frequent * d.scored as f64).round() as usize;
        findings.share((1, "distribution.constant"), (most, d.scored), limits.constant, || {
            format!(
                "{} is {} in {:.1} % of the responses: it tells almost nothing apart",
                d.name,
                d.quantiles[3],
                100.0 * d.most_frequent
            )
        });
        if let Some(correlation) = d.length_spearman {
            findings.correlation((1, "distribution.length"), (correlation, d.scored), limits.length, || {
                let word = if correlation > 0.0 { "longer" } else { "shorter" };
                format!("{} rises with {word} responses: rank correlation with length {correlation:.2}", d.name)
            });
        }
    }
    if let Some(reward) = distributions.iter().find(|d| d.name == "reward") {
        let share = reward.missing as f64 / (reward.scored + reward.missing) as f64;
        let part = (reward.missing, reward.scored + reward.missing);
        findings.share((1, "distribution.unscorable"), part, limits.unscorable, || {
            format!("{:.1} % of the responses have no reward", 100.0 * share)
        });
    }
    for c in correlations.iter().filter(|c| c.names.iter().all(|name| is_objective(name))) {
        if let Some(correlation) = c.pearson {
            findings.correlation((1, "distribution.redundant"), (correlation, c.count), limits.redundant, || {
                format!("{} and {} say the same: correlation {correlation:.2}", c.names[0], c.names[1])
            });
        }
    }
}
