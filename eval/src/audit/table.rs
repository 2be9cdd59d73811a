//! What is kept of every response: numbers, no text.

use attending_rewards::advantage::Rewarded;
use attending_rewards::{Check, Objective, Outcome, Scored};

use crate::names::Names;

/// The numbers of one response.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Index in [`Table::cases`].
    pub(super) case: u32,
    /// Index in [`Table::groups`].
    pub(super) group: u32,
    pub(super) step: Option<u64>,
    pub(super) sample: u64,
    pub(super) words: u32,
    /// The rubric's scalar.
    pub(super) reward: Option<f64>,
    /// In the order of [`Objective::ALL`].
    pub(super) objectives: [Option<f64>; 4],
    /// The held-out scorer's scalar, then its objectives.
    pub(super) opinion: [Option<f64>; 4],
    /// Shares of repeated, exempt and unverified checks.
    pub(super) drift: [Option<f64>; 3],
    /// Rewards that came with the file, by index in [`Table::rewards`]; NaN where there is none.
    pub(super) given: Box<[f64]>,
    /// What people say, by index in [`Table::labels`]; NaN where they do not.
    pub(super) labels: Box<[f64]>,
}

/// Names of [`Row::opinion`].
pub(super) const OPINION: [&str; 4] =
    ["held-out reward", "held-out accuracy", "held-out faithfulness", "held-out comprehensiveness"];
/// Names of [`Row::drift`].
pub(super) const DRIFT: [&str; 3] = ["repeated", "exempt", "unverified"];

impl Row {
    pub(super) fn objective(&self, objective: Objective) -> Option<f64> {
        Objective::ALL.iter().position(|o| *o == objective).and_then(|at| self.objectives[at])
    }

    /// Whether the answer is right in full; `None` where accuracy does not apply.
    pub(super) fn right(&self) -> Option<bool> {
        self.objective(Objective::Accuracy).map(|value| value >= 1.0)
    }
}

/// A column of scores with its name.
pub(super) struct Column {
    pub(super) name: String,
    /// One a response; NaN where there is none.
    pub(super) values: Vec<f64>,
}

/// All responses.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    pub(super) cases: Names,
    pub(super) groups: Names,
    pub(super) rewards: Names,
    pub(super) labels: Names,
}

impl Table {
    /// Every score that any response has: the rubric's, the held-out scorer's, the file's.
    pub(super) fn scores(&self) -> Vec<Column> {
        let column =
            |name: String, value: &dyn Fn(&Row) -> f64| Column { name, values: self.rows.iter().map(value).collect() };
        let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
        let mut columns = vec![column("reward".to_owned(), &|row| or_nan(row.reward))];
        for (at, objective) in Objective::ALL.iter().enumerate() {
            columns.push(column(objective.name().to_owned(), &|row| or_nan(row.objectives[at])));
        }
        columns.push(column(OPINION[0].to_owned(), &|row| or_nan(row.opinion[0])));
        for (at, name) in self.rewards.all().iter().enumerate() {
            let value = move |row: &Row| row.given.get(at).copied().unwrap_or(f64::NAN);
            columns.push(column(format!("file: {name}"), &value));
        }
        columns.retain(|column| column.values.iter().any(|value| value.is_finite()));
        columns
    }

    pub(super) fn label(&self, at: usize) -> impl Fn(&Row) -> f64 {
        move |row| row.labels.get(at).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn case(&self, row: &Row) -> &str {
        &self.cases.all()[row.case as usize]
    }

    /// Places of the rows of each group, in order of the file.
    pub(super) fn members(&self) -> Vec<Vec<u32>> {
        let mut members = vec![Vec::new(); self.groups.all().len()];
        for (at, row) in self.rows.iter().enumerate() {
            members[row.group as usize].push(at as u32);
        }
        members
    }

    /// The scalar that a trainer would have used: the rubric's; else the file's own `reward` or `score`; else the sum of
    /// its rewards.
    pub(super) fn scalar(&self, row: &Row) -> Option<f64> {
        let named = |name: &str| self.rewards.all().iter().position(|known| known == name);
        let given = |at: usize| row.given.get(at).copied().filter(|value| value.is_finite());
        row.reward.or_else(|| match named("reward").or_else(|| named("score")) {
            Some(at) => given(at),
            None => row.given.iter().copied().filter(|value| value.is_finite()).reduce(|sum, value| sum + value),
        })
    }

    pub(super) fn rewarded(&self, row: &Row) -> Rewarded {
        let objectives = Objective::ALL.into_iter().zip(row.objectives).collect();
        Rewarded { objectives, scalar: self.scalar(row), tokens: row.words.max(1) as usize }
    }
}

/// The objectives of a score in the order of [`Objective::ALL`].
pub(super) fn objectives(scored: &Scored) -> [Option<f64>; 4] {
    Objective::ALL.map(|objective| scored.objectives.get(&objective).copied().flatten())
}

/// Shares of checks that repeat, of claims that are exempt, and of claims that could not be verified.
pub(super) fn drift(checks: &[Check]) -> [Option<f64>; 3] {
    let share = |objective: Objective, outcome: Outcome| {
        let of = |test: &dyn Fn(&Check) -> bool| {
            checks
                .iter()
                .filter(|check| check.objective == objective && check.response.is_some() && test(check))
                .count()
        };
        let all = of(&|_| true);
        (all > 0).then(|| of(&|check| check.outcome == outcome) as f64 / all as f64)
    };
    [
        share(Objective::Comprehensiveness, Outcome::Repeated),
        share(Objective::Faithfulness, Outcome::Exempt),
        share(Objective::Faithfulness, Outcome::Unverified),
    ]
}
