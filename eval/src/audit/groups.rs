//! Question 2: which groups teach nothing, and what the advantages would be under each estimator.

use std::collections::BTreeMap;

use attending_rewards::advantage::{Config, Estimator, GroupAdvantage, Rewarded, ScalarSource};
use attending_rewards::{Objective, Rubric};
use rayon::prelude::*;
use serde::Serialize;

use super::AuditError;
use super::finding::Findings;
use super::table::{Row, Table};
use super::thresholds::Thresholds;

/// The groups of the file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Groups {
    /// Groups of more than one response.
    pub compared: usize,
    /// Groups of one, in which nothing can be compared.
    pub of_one: usize,
    /// Mean responses in a compared group.
    pub size: f64,
    /// Compared groups whose rewards are all equal.
    pub flat: usize,
    /// Compared groups without a right response, where accuracy applies.
    pub all_wrong: usize,
    /// Compared groups of right responses alone.
    pub all_right: usize,
    /// Compared groups to which accuracy applies.
    pub judged: usize,
    /// Of each objective: compared groups that it tells nothing apart in, and those it applies to.
    pub flat_objectives: BTreeMap<&'static str, [usize; 2]>,
    /// Each estimator.
    pub estimators: Vec<EstimatorLine>,
}

/// What an estimator would make of the groups.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EstimatorLine {
    /// Its name in configurations.
    pub name: &'static str,
    /// Compared groups that carry signal.
    pub signal: usize,
    /// Mean absolute advantage.
    pub mean_absolute: f64,
    /// Groups with right and wrong responses.
    pub mixed: usize,
    /// Of those, groups in which a wrong response has a higher advantage than a right one.
    pub inverted: usize,
}

/// Advantages of every response under every estimator that could be computed.
pub(super) struct Advantages {
    pub(super) names: Vec<&'static str>,
    /// One row a response, one column an estimator.
    pub(super) values: Vec<Vec<f64>>,
}

/// The groups of a step and their rewards.
type Batch<'t> = (Vec<&'t Vec<u32>>, Vec<Vec<Rewarded>>);

/// `scalar`: the reward is one number, whatever objectives stand beside it.
pub(super) fn groups(table: &Table, rubric: &Rubric, scalar: bool) -> Result<Option<(Groups, Advantages)>, AuditError> {
    let members: Vec<Vec<u32>> = table.members();
    let rows = |group: &[u32]| -> Vec<&Row> { group.iter().map(|&at| &table.rows[at as usize]).collect() };
    let compared: Vec<&Vec<u32>> = members.iter().filter(|group| group.len() > 1).collect();
    if compared.is_empty() {
        return Ok(None);
    }
    let tied = |values: &[Option<f64>]| {
        let mut known = values.iter().flatten();
        let first = known.next();
        known.all(|value| Some(value) == first)
    };
    let mut found = Groups {
        compared: compared.len(),
        of_one: members.len() - compared.len(),
        size: compared.iter().map(|group| group.len()).sum::<usize>() as f64 / compared.len() as f64,
        flat: 0,
        all_wrong: 0,
        all_right: 0,
        judged: 0,
        flat_objectives: BTreeMap::new(),
        estimators: Vec::new(),
    };
    for group in &compared {
        let rows = rows(group);
        found.flat += usize::from(tied(&rows.iter().map(|row| table.scalar(row)).collect::<Vec<_>>()));
        let right: Vec<bool> = rows.iter().filter_map(|row| row.right()).collect();
        found.judged += usize::from(!right.is_empty());
        found.all_wrong += usize::from(!right.is_empty() && right.iter().all(|right| !right));
        found.all_right += usize::from(!right.is_empty() && right.iter().all(|right| *right));
        for objective in Objective::ALL {
            let values: Vec<Option<f64>> = rows.iter().map(|row| row.objective(objective)).collect();
            if values.iter().any(Option::is_some) {
                let [flat, applies] = found.flat_objectives.entry(objective.name()).or_default();
                *flat += usize::from(tied(&values));
                *applies += 1;
            }
        }
    }
    // A batch is a step: estimators that look at the batch see what the trainer would have seen.
    let mut steps: BTreeMap<Option<u64>, Vec<&Vec<u32>>> = BTreeMap::new();
    for group in &members {
        steps.entry(table.rows[group[0] as usize].step).or_default().push(group);
    }
    let batches: Vec<Batch> = steps
        .into_values()
        .map(|groups| {
            let rewards = groups.iter().map(|group| rows(group).into_iter().map(|row| table.rewarded(row)).collect());
            let rewards = rewards.collect();
            (groups, rewards)
        })
        .collect();
    let objectives = !scalar && table.rows.iter().any(|row| row.objectives.iter().any(Option::is_some));
    let estimators: Vec<(&'static str, Config)> = Estimator::NAMES
        .iter()
        // `constrained` has a state that no file holds; without objectives only scalars can be compared.
        .filter(|(_, estimator)| *estimator != Estimator::Constrained && (objectives || estimator.is_scalar()))
        .map(|(name, estimator)| {
            let scalar = if objectives { ScalarSource::Weighted } else { ScalarSource::Preset };
            let (weights, gates) = (rubric.weights.clone(), rubric.gates.clone());
            (*name, Config { estimator: *estimator, weights, gates, scalar, ..Config::default() })
        })
        .collect();
    let computed: Vec<Vec<Vec<GroupAdvantage>>> = estimators
        .par_iter()
        .map(|(_, config)| batches.iter().map(|(_, rewards)| config.advantages(rewards)).collect::<Result<_, _>>())
        .collect::<Result<_, _>>()?;
    let mut values = vec![Vec::with_capacity(estimators.len()); table.rows.len()];
    for ((name, _), batched) in estimators.iter().zip(&computed) {
        let mut line = EstimatorLine { name, signal: 0, mean_absolute: 0.0, mixed: 0, inverted: 0 };
        let mut count = 0_usize;
        for ((groups, _), advantages) in batches.iter().zip(batched) {
            for (group, of) in groups.iter().zip(advantages) {
                group.iter().zip(&of.advantages).for_each(|(&at, advantage)| values[at as usize].push(*advantage));
                if group.len() < 2 {
                    continue;
                }
                line.signal += usize::from(of.carries_signal());
                line.mean_absolute += of.advantages.iter().map(|a| a.abs()).sum::<f64>();
                count += group.len();
                let side = |right: bool| {
                    let rows = rows(group);
                    let side = rows.iter().zip(&of.combined).filter(|(row, _)| row.right() == Some(right));
                    side.map(|(_, advantage)| *advantage).collect::<Vec<f64>>()
                };
                let (right, wrong) = (side(true), side(false));
                if !right.is_empty() && !wrong.is_empty() {
                    line.mixed += 1;
                    let least = right.iter().copied().fold(f64::INFINITY, f64::min);
                    line.inverted += usize::from(wrong.iter().any(|wrong| *wrong > least + 1e-9));
                }
            }
        }
        line.mean_absolute /= count.max(1) as f64;
        found.estimators.push(line);
    }
    Ok(Some((found, Advantages { names: estimators.iter().map(|(name, _)| *name).collect(), values })))
}

pub(super) fn findings(groups: &Groups, limits: &Thresholds, findings: &mut Findings) {
    findings.share((2, "groups.flat"), (groups.flat, groups.compared), limits.flat, || {
        format!("{} of {} groups are flat: all of their rewards are equal", groups.flat, groups.compared)
    });
    findings.share((2, "groups.all_wrong"), (groups.all_wrong, groups.judged), limits.all_wrong, || {
        format!("{} of {} groups have no right response", groups.all_wrong, groups.judged)
    });
    // The rubric's own estimator; of rewards that are one number, the plain one.
    let named = |name: &str| groups.estimators.iter().find(|line| line.name == name);
    if let Some(line) = named("crpo").or_else(|| named("grpo")) {
        findings.share((2, "groups.inverted"), (line.inverted, line.mixed), limits.inverted, || {
            format!(
                "under {} a wrong response has a higher advantage than a right one in {} of {} mixed groups",
                line.name, line.inverted, line.mixed
            )
        });
    }
}
