//! Question 6: how the scores agree with what people say.

use std::collections::BTreeMap;

use attending_rewards::validation::{Judged, auroc, estimate, pearson};
use rayon::prelude::*;
use serde::Serialize;

use super::distribution::RESAMPLES;
use super::finding::Findings;
use super::table::{Column, Table};
use super::thresholds::Thresholds;
use crate::stats::{Bootstrap, Interval, Said, calibration, draw, kappa, spearman};

/// Most labelled responses that the intervals are resampled from; whole cases of more are drawn.
const MOST: usize = 4000;

/// One score against one label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// The label.
    pub label: String,
    /// The score.
    pub score: String,
    /// Responses that have both.
    pub responses: usize,
    /// Responses that the intervals rest on.
    pub resampled: usize,
    /// Labels of yes or no: area under the ROC curve.
    pub auroc: Option<Interval>,
    /// Labels of yes or no: Cohen's kappa with "score of at least 0.5".
    pub kappa: Option<Interval>,
    /// Other labels: Pearson's correlation.
    pub pearson: Option<Interval>,
    /// Other labels: Spearman's correlation.
    pub spearman: Option<Interval>,
    /// Mean label in bins of the score: the bin's mean score, the mean label, responses.
    pub calibration: Vec<(f64, Interval, usize)>,
}

pub(super) fn agreements(table: &Table, columns: &[Column], seed: u64) -> Vec<Agreement> {
    let labels = table.labels.all();
    let pairs: Vec<(usize, &Column)> =
        (0..labels.len()).flat_map(|label| columns.iter().map(move |column| (label, column))).collect();
    pairs.par_iter().filter_map(|(label, column)| agreement(table, *label, column, seed)).collect()
}

fn agreement(table: &Table, label: usize, column: &Column, seed: u64) -> Option<Agreement> {
    let value = table.label(label);
    let judged = column.values.iter().zip(&table.rows).map(|(score, row)| Judged {
        unit: table.case(row),
        truth: value(row),
        score: *score,
        fixed: 0.0,
    });
    let records: Vec<Judged> = judged.filter(|j| j.truth.is_finite() && j.score.is_finite()).collect();
    if records.len() < 2 {
        return None;
    }
    let drawn = drawn(&records, seed);
    let binary = records.iter().all(|record| record.truth == 0.0 || record.truth == 1.0);
    let interval = |statistic: &dyn Fn(&[Judged]) -> Option<f64>| -> Option<Interval> {
        let found = estimate(&drawn, statistic)?;
        Some(Interval { estimate: statistic(&records)?, low: found.low, high: found.high })
    };
    let kappa = |records: &[Judged]| {
        kappa(&records.iter().map(|record| (record.truth > 0.5, record.score >= 0.5)).collect::<Vec<_>>())
    };
    let ranked =
        |records: &[Judged]| spearman(&records.iter().map(|record| (record.truth, record.score)).collect::<Vec<_>>());
    let said: Vec<Said> =
        records.iter().map(|record| Said { question: record.unit, score: record.score, truth: record.truth }).collect();
    Some(Agreement {
        label: table.labels.all()[label].clone(),
        score: column.name.clone(),
        responses: records.len(),
        resampled: drawn.len(),
        auroc: if binary { interval(&auroc) } else { None },
        kappa: if binary { interval(&kappa) } else { None },
        pearson: if binary { None } else { interval(&pearson) },
        spearman: if binary { None } else { interval(&ranked) },
        calibration: calibration(&said, Bootstrap { resamples: RESAMPLES, seed }),
    })
}

/// Whole cases whose ids hash lowest, up to [`MOST`] records.
fn drawn<'a>(records: &[Judged<'a>], seed: u64) -> Vec<Judged<'a>> {
    let mut units: BTreeMap<(u64, &str), Vec<Judged>> = BTreeMap::new();
    for record in records {
        units.entry((draw(seed, record.unit), record.unit)).or_default().push(*record);
    }
    let mut kept = Vec::new();
    for unit in units.into_values() {
        if !kept.is_empty() && kept.len() + unit.len() > MOST {
            break;
        }
        kept.extend(unit);
    }
    kept
}

pub(super) fn findings(agreements: &[Agreement], limits: &Thresholds, findings: &mut Findings) {
    let mut best: BTreeMap<&str, f64> = BTreeMap::new();
    for agreement in agreements {
        if let Some(area) = agreement.auroc {
            let best = best.entry(&agreement.label).or_insert(0.0);
            *best = best.max(area.high);
        }
    }
    for (label, high) in best {
        findings.below((6, "labels.auroc"), high, limits.auroc, || {
            format!("no score agrees with people's `{label}`: the best area under the curve is at most {high:.2}")
        });
    }
}
