//! The synthetic clinic's reference responses: each kind of flaw lowers the objective that it touches, and leaves the
//! others. Means over 100 cases, the same cases for every kind.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use attending_datasets::Task;
use attending_datasets::synth::{self, Kind, Rng, Split, respond};
use attending_rewards::{Objective, Response, Rubric, Scored, Scorer};

/// Scores of one kind of response to the first `count` single-choice cases.
fn scores(kind: Kind, count: usize) -> Vec<Scored> {
    let scorer = Scorer::new(Rubric::default());
    let options = synth::Options { tasks: vec![(Task::SingleChoice, 1.0)], ..synth::Options::default() };
    (0..count as u64)
        .filter_map(|index| {
            let case = synth::case(index, 11, Split::Train, &options);
            let text = respond(&case, kind, &mut Rng::keyed(&[5, index]))?;
            let response = Response { case_id: case.id.clone(), text: Some(text), ..Response::default() };
            let evidence = scorer.index(&case);
            let scored = scorer.score(&case, &evidence, &response);
            if std::env::var("SHOW").is_ok_and(|show| show == kind.name()) && index < 12 {
                println!("\n{}\n{:?}\n{}", case.question, case.answer.keys, response.text.as_deref().unwrap());
                println!("{:?}", scored.objectives);
                for check in &scored.checks {
                    println!(
                        "  {:?} {} {:?} {:.2} {:?} {}",
                        check.objective, check.rule, check.outcome, check.weight, check.response, check.note
                    );
                }
            }
            if std::env::var("WRONG").is_ok_and(|show| show == kind.name()) {
                for check in &scored.checks {
                    let bad = check.objective == Objective::Faithfulness
                        && check.outcome != attending_rewards::Outcome::Supported;
                    if bad {
                        println!(
                            "{:?} {} || {} || {}",
                            check.outcome,
                            check.note,
                            response.text.as_deref().unwrap(),
                            case.question
                        );
                    }
                }
            }
            Some(scored)
        })
        .collect()
}

fn means(kind: Kind) -> BTreeMap<Objective, f64> {
    let scored = scores(kind, 100);
    assert!(scored.len() >= 50, "{} of 100 cases allow {kind:?}", scored.len());
    let mean = |objective: Objective| {
        let values: Vec<f64> = scored.iter().filter_map(|s| s.objectives[&objective]).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    Objective::ALL.into_iter().map(|objective| (objective, mean(objective))).collect()
}

#[test]
fn each_flaw_lowers_what_it_touches() {
    let all: BTreeMap<Kind, BTreeMap<Objective, f64>> = Kind::ALL.into_iter().map(|kind| (kind, means(kind))).collect();
    for (kind, means) in &all {
        println!("{:18} {:.3?}", kind.name(), means.values().collect::<Vec<_>>());
    }
}
