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

/// A flaw, the objectives that it lowers with the least drop, and those that it leaves.
type Row = (Kind, &'static [(Objective, f64)], &'static [Objective]);

/// How far an objective may move where a flaw does not touch it: faithful references differ in length, too.
const STILL: f64 = 0.12;

#[test]
fn each_flaw_lowers_what_it_touches() {
    use Objective::{Accuracy, Comprehensiveness, Faithfulness, Format};
    let faithful = means(Kind::Faithful);
    println!("{:18} {:.3?}", Kind::Faithful.name(), faithful.values().collect::<Vec<_>>());
    assert_eq!(faithful[&Accuracy], 1.0);
    assert_eq!(faithful[&Format], 1.0);
    assert!(faithful[&Faithfulness] >= 0.95, "{faithful:?}");
    assert!(faithful[&Comprehensiveness] >= 0.75, "{faithful:?}");
    // Of each flaw: what must fall and by how much at least, what must stay.
    let table: &[Row] = &[
        (Kind::WrongAnswer, &[(Accuracy, 1.0)], &[Faithfulness, Format]),
        (Kind::Terse, &[(Faithfulness, 0.3), (Comprehensiveness, 0.3)], &[Accuracy, Format]),
        (Kind::InventedFinding, &[(Faithfulness, 0.1)], &[Accuracy, Comprehensiveness, Format]),
        (Kind::AlteredValue, &[(Faithfulness, 0.15)], &[Accuracy, Comprehensiveness, Format]),
        (Kind::FlippedNegation, &[(Faithfulness, 0.15)], &[Accuracy, Format]),
        (Kind::NoDifferential, &[(Comprehensiveness, 0.2)], &[Accuracy, Faithfulness, Format]),
        (Kind::Repetitive, &[(Comprehensiveness, 0.3)], &[Accuracy, Faithfulness, Format]),
        (Kind::Contradicting, &[(Faithfulness, 0.2)], &[Accuracy, Format]),
        (Kind::Malformed, &[(Format, 0.2)], &[]),
    ];
    for (kind, touched, still) in table {
        let flawed = means(*kind);
        println!("{:18} {:.3?}", kind.name(), flawed.values().collect::<Vec<_>>());
        for (objective, drop) in *touched {
            let fell = faithful[objective] - flawed[objective];
            assert!(fell >= *drop, "{kind:?} lowers {objective:?} by {fell:.3} only");
        }
        for objective in *still {
            let moved = (faithful[objective] - flawed[objective]).abs();
            assert!(moved <= STILL, "{kind:?} moves {objective:?} by {moved:.3}");
        }
    }
}
