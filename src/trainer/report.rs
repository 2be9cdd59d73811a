//! `report.html` of a run, from the files of its directory.

use std::collections::BTreeMap;

use attending_eval::report::{Comparison, Fact, Figure, LinePlot, Row, Sample, Series, TrainingReport};
use attending_eval::stats::{Bootstrap, Interval, Observation, Pair, wilson};
use attending_rewards::{Objective, Scored};
use serde_json::{Map, Value};

use crate::config::RunConfig;

use super::data::PromptedCase;
use super::error::TrainError;
use super::held_out::{self, Record};
use super::metrics;
use super::run_dir::{RunDir, write_whole};
use super::state::TrainerState;

/// Held-out cases whose answers are shown, before and after.
const SHOWN: usize = 6;

/// Writes the report of what has happened so far.
pub fn write(
    run: &RunDir,
    config: &RunConfig,
    held_out: &[PromptedCase],
    state: &TrainerState,
) -> Result<(), TrainError> {
    let lines = metrics::read(&run.metrics())?;
    let steps = held_out::steps(run);
    let (first, last) = (steps.first().copied(), steps.last().copied());
    let (before, after) = match (first, last) {
        (Some(first), Some(last)) => (held_out::read(&run.held_out(first))?, held_out::read(&run.held_out(last))?),
        _ => (BTreeMap::new(), BTreeMap::new()),
    };
    let compared = first != last;
    let name = run.path().file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let report = TrainingReport {
        title: format!("Training run {name}"),
        subtitle: format!(
            "{}, {} steps of {} prompts x {} responses, estimator {}",
            model_name(config),
            state.step,
            config.raw.rollout.prompts_per_step,
            config.raw.rollout.group_size,
            config.raw.advantage.estimator
        ),
        figures: figures(&after, last),
        before_after: compared.then(|| comparison(&before, &after, first, last, config)).filter(|c| !c.rows.is_empty()),
        curves: curves(&lines),
        samples: if compared { samples(&before, &after, held_out) } else { Vec::new() },
        facts: facts(config, state, &lines),
        notes: notes(config),
    };
    Ok(write_whole(&run.report(), report.to_html().as_bytes())?)
}

/// The paired comparison of two evaluations, one row a measure that both have.
pub fn comparison(
    before: &BTreeMap<String, Record>,
    after: &BTreeMap<String, Record>,
    first: Option<u64>,
    last: Option<u64>,
    config: &RunConfig,
) -> Comparison {
    type Measure<'m> = (String, Box<dyn Fn(&Record) -> Option<f64> + 'm>);
    let mut measures: Vec<Measure<'_>> = Objective::ALL
        .into_iter()
        .map(|o| -> Measure<'_> { (o.name().to_owned(), Box::new(move |r: &Record| value(&r.scored, o))) })
        .collect();
    measures.push(("reward".to_owned(), Box::new(|r| r.scored.reward)));
    measures.push(("accuracy of the greedy answer".to_owned(), Box::new(|r| r.greedy)));
    let rows = measures.iter().filter_map(|(measure, value)| row(measure, before, after, value)).collect();
    let at = |step: Option<u64>| match step {
        Some(0) | None => "before".to_owned(),
        Some(step) => format!("after step {step}"),
    };
    Comparison {
        first: at(first),
        second: at(last),
        rows,
        caption: format!(
            "{} held-out cases, one answer each with the same random numbers, temperature {}",
            after.len(),
            config.raw.rollout.temperature
        ),
    }
}

fn row(
    measure: &str,
    before: &BTreeMap<String, Record>,
    after: &BTreeMap<String, Record>,
    value: &dyn Fn(&Record) -> Option<f64>,
) -> Option<Row> {
    let pairs: Vec<Pair<'_>> = before
        .iter()
        .filter_map(|(id, record)| Some(Pair { question: id, before: value(record)?, after: value(after.get(id)?)? }))
        .collect();
    let bootstrap = Bootstrap::default();
    let mean = |of: fn(&Pair<'_>) -> f64| {
        let values: Vec<_> = pairs.iter().map(|p| Observation { question: p.question, value: of(p) }).collect();
        bootstrap.mean(&values)
    };
    Some(Row {
        measure: measure.to_owned(),
        first: mean(|p| p.before)?,
        second: mean(|p| p.after)?,
        difference: bootstrap.difference(&pairs)?,
        pairs: pairs.len(),
    })
}

fn value(scored: &Scored, objective: Objective) -> Option<f64> {
    scored.objectives.get(&objective).copied().flatten()
}

fn figures(after: &BTreeMap<String, Record>, step: Option<u64>) -> Vec<Figure> {
    let Some(step) = step else { return Vec::new() };
    let note = format!("{} held-out cases, after step {step}", after.len());
    let figure = |name: &str, interval: Interval| Figure {
        name: name.to_owned(),
        value: interval.estimate,
        interval: Some(interval),
        note: note.clone(),
    };
    let mut all = Vec::new();
    let judged: Vec<f64> = after.values().filter_map(|r| value(&r.scored, Objective::Accuracy)).collect();
    let right = judged.iter().filter(|a| **a >= 1.0).count() as u64;
    all.extend(wilson(right, judged.len() as u64).map(|interval| figure("accuracy", interval)));
    for objective in [Objective::Faithfulness, Objective::Comprehensiveness] {
        let values: Vec<Observation<'_>> = after
            .iter()
            .filter_map(|(id, r)| Some(Observation { question: id, value: value(&r.scored, objective)? }))
            .collect();
        all.extend(Bootstrap::default().mean(&values).map(|interval| figure(objective.name(), interval)));
    }
    all
}

/// The curves: a name, an axis, the fixed ends of the axis, and the series with whether they are smoothed.
type Plan<'a> = (&'a str, &'a str, Option<(f64, f64)>, &'a [(&'a str, &'a str, bool)]);

/// What is drawn, where the run has it.
const PLOTS: &[Plan<'static>] = &[
    (
        "Rewards in training",
        "mean over the batch",
        Some((0.0, 1.0)),
        &[
            ("accuracy", "rewards/accuracy/mean", true),
            ("faithfulness", "rewards/faithfulness/mean", true),
            ("comprehensiveness", "rewards/comprehensiveness/mean", true),
            ("format", "rewards/format/mean", true),
            ("reward", "reward", true),
        ],
    ),
    (
        "Rewards on held-out cases",
        "mean over the cases",
        Some((0.0, 1.0)),
        &[
            ("accuracy", "eval/rewards/accuracy/mean", false),
            ("faithfulness", "eval/rewards/faithfulness/mean", false),
            ("comprehensiveness", "eval/rewards/comprehensiveness/mean", false),
            ("format", "eval/rewards/format/mean", false),
            ("reward", "eval/reward", false),
        ],
    ),
    (
        "Signal",
        "share",
        Some((0.0, 1.0)),
        &[
            ("groups without signal", "frac_reward_zero_std", true),
            ("responses cut short", "completions/clipped_ratio", true),
        ],
    ),
    ("Length of responses", "tokens", None, &[("mean", "completions/mean_length", true)]),
    ("Divergence from the reference", "nats a token", None, &[("kl", "kl", true)]),
    ("Entropy", "nats a token", None, &[("entropy", "entropy", true)]),
    ("Gradient norm", "before clipping", None, &[("grad norm", "grad_norm", true)]),
];

fn curves(lines: &[Map<String, Value>]) -> Vec<LinePlot> {
    let points = |name: &str| -> Vec<(f64, f64)> {
        lines.iter().filter_map(|line| Some((line.get("step")?.as_f64()?, line.get(name)?.as_f64()?))).collect()
    };
    let plot = |&(title, y, range, series): &Plan<'_>| {
        let series: Vec<Series> = series
            .iter()
            .map(|&(name, key, smooth)| Series { name: name.to_owned(), points: points(key), smooth })
            .filter(|s| s.points.len() > 1)
            .collect();
        (!series.is_empty()).then(|| LinePlot {
            title: title.to_owned(),
            x: "step".to_owned(),
            y: y.to_owned(),
            range: range
                .filter(|(low, high)| series.iter().flat_map(|s| &s.points).all(|(_, v)| (*low..=*high).contains(v))),
            series,
        })
    };
    PLOTS.iter().filter_map(plot).collect()
}

/// Answers to the first held-out cases, before and after: the same cases for every run, so that none is hand-picked.
fn samples(before: &BTreeMap<String, Record>, after: &BTreeMap<String, Record>, cases: &[PromptedCase]) -> Vec<Sample> {
    let mut all = Vec::new();
    for prompted in cases.iter().take(SHOWN) {
        for (moment, records) in [("before", before), ("after", after)] {
            if let Some(record) = records.get(&prompted.case.id) {
                let heading = format!("{} ({moment})", prompted.case.id);
                all.push(Sample::new(heading, &prompted.case, Some(&record.text), &record.scored));
            }
        }
    }
    all
}

fn facts(config: &RunConfig, state: &TrainerState, lines: &[Map<String, Value>]) -> Vec<Fact> {
    let seconds: f64 = ["perf/step_seconds", "perf/eval_seconds"]
        .iter()
        .flat_map(|name| lines.iter().filter_map(move |line| line.get(*name)?.as_f64()))
        .sum();
    let raw = &config.raw;
    let mut facts = vec![
        Fact::new("model", model_name(config)),
        Fact::new(
            "training cases",
            if raw.data.train.is_empty() { "synthetic clinic".to_owned() } else { raw.data.train.join(", ") },
        ),
        Fact::new("steps", state.step.to_string()),
        Fact::new("responses sampled", state.sequences.to_string()),
        Fact::new("tokens trained on", state.tokens.to_string()),
        Fact::new("time of steps and evaluations", super::progress::clock(std::time::Duration::from_secs_f64(seconds))),
        Fact::new("seed", raw.trainer.seed.to_string()),
        Fact::new("starting weights", state.reference.clone()),
        Fact::new("program", format!("attending {}", env!("CARGO_PKG_VERSION"))),
    ];
    facts.push(Fact::new("configuration", config.to_toml()));
    facts
}

fn notes(config: &RunConfig) -> Vec<String> {
    let mut notes = vec![
        "Rewards are computed by rules; each value follows from the checks that are shown with the responses."
            .to_owned(),
    ];
    if config.raw.data.train.is_empty() {
        notes.push(
            "The cases are written by a generator with known ground truth. They are no evidence of clinical ability."
                .to_owned(),
        );
    }
    notes
}

fn model_name(config: &RunConfig) -> String {
    match config.raw.model.path.as_str() {
        "embedded" => "the embedded clinic model".to_owned(),
        path => path.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::ConfigSource;

    fn record(id: &str, accuracy: f64) -> (String, Record) {
        let scored = Scored {
            case_id: id.to_owned(),
            sample: 0,
            reward: Some(accuracy),
            objectives: BTreeMap::from([(Objective::Accuracy, Some(accuracy))]),
            reasons: BTreeMap::new(),
            answer: Default::default(),
            checks: Vec::new(),
        };
        (id.to_owned(), Record { step: 0, text: String::new(), truncated: false, scored, greedy: None })
    }

    #[test]
    fn cases_are_paired_by_id() {
        let config = ConfigSource::default().resolve().unwrap();
        let before = BTreeMap::from([record("a", 0.0), record("b", 1.0), record("only before", 1.0)]);
        let after = BTreeMap::from([record("b", 1.0), record("a", 1.0)]);
        let compared = comparison(&before, &after, Some(0), Some(5), &config);
        let accuracy = &compared.rows[0];
        assert_eq!((accuracy.measure.as_str(), accuracy.pairs), ("accuracy", 2));
        // (0 + 1) / 2 before, (1 + 1) / 2 after.
        assert_eq!((accuracy.first.estimate, accuracy.second.estimate, accuracy.difference.estimate), (0.5, 1.0, 0.5));
        assert_eq!(compared.rows.iter().map(|r| r.measure.as_str()).collect::<Vec<_>>(), ["accuracy", "reward"]);
    }
}
