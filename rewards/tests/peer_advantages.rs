//! The peers' presets against the peers' own numbers: `fixtures/peer_advantages.json`, written by the script beside it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use attending_rewards::Objective;
use attending_rewards::advantage::{Config, Estimator, Rewarded};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    weights: BTreeMap<Objective, f64>,
    batches: Vec<Batch>,
}

#[derive(Deserialize)]
struct Batch {
    name: String,
    batch: Vec<Vec<Response>>,
    advantages: BTreeMap<String, Vec<f64>>,
    not_a_number: Vec<String>,
}

#[derive(Deserialize)]
struct Response {
    rewards: BTreeMap<Objective, Option<f64>>,
    tokens: usize,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/peer_advantages.json")).unwrap()
}

fn rewarded(batch: &Batch) -> Vec<Vec<Rewarded>> {
    let one = |r: &Response| Rewarded { objectives: r.rewards.clone(), scalar: None, tokens: r.tokens };
    batch.batch.iter().map(|group| group.iter().map(one).collect()).collect()
}

fn estimator(name: &str) -> Estimator {
    Estimator::NAMES.iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn presets_give_the_peers_numbers() {
    let fixture = fixture();
    let mut compared = BTreeMap::<&str, usize>::new();
    for batch in &fixture.batches {
        for (preset, expected) in &batch.advantages {
            // The trainer's own settings must not matter.
            let config = Config {
                estimator: estimator(preset),
                weights: fixture.weights.clone(),
                clip: 0.5,
                floor: 10.0,
                ..Config::default()
            };
            let got = config.advantages(&rewarded(batch)).unwrap();
            let got: Vec<f64> = got.into_iter().flat_map(|group| group.advantages).collect();
            assert_eq!(got.len(), expected.len());
            for (got, expected) in got.iter().zip(expected) {
                // The peers compute in 32 bits.
                assert!((got - expected).abs() < 5e-6, "{preset}, {}: {got}, expected {expected}", batch.name);
            }
            *compared.entry(preset).or_default() += expected.len();
        }
    }
    // mixed, tied 12 each, pairs 4, not_applicable 8, singles 3; TRL's holes 8; the others' uneven 11.
    let expected = [("nemo:gdpo", 50), ("trl:normalize_then_sum", 47), ("verl:gdpo", 50)];
    assert_eq!(compared.into_iter().collect::<Vec<_>>(), expected);
}

/// Where a value is missing in single responses, verl and NeMo-RL give nothing but "not a number"; the presets leave it
/// out, as TRL does.
#[test]
fn missing_values_never_poison_the_batch() {
    let fixture = fixture();
    let holes = fixture.batches.iter().find(|batch| batch.name == "holes").unwrap();
    assert_eq!(holes.not_a_number, ["verl:gdpo", "nemo:gdpo"]);
    for preset in ["verl:gdpo", "nemo:gdpo", "trl:normalize_then_sum"] {
        let config = Config { estimator: estimator(preset), weights: fixture.weights.clone(), ..Config::default() };
        let got = config.advantages(&rewarded(holes)).unwrap();
        assert!(got.iter().flat_map(|group| &group.advantages).all(|a| a.is_finite()));
        // Nothing applies to the third response of the second group.
        assert_eq!((got[1].combined[2], got[1].advantages[2]), (0.0, 0.0), "{preset}");
    }
}

/// What a missing gate costs: a tidy wrong answer passes an untidy right one. (In NeMo-RL the untidy one is compared with
/// equal others alone, whose deviation is 0, and so nothing is divided: this once it is spared.)
#[test]
fn without_a_gate_tidy_beats_right() {
    let of = |accuracy: f64, tidy: f64| Rewarded {
        objectives: Objective::ALL.into_iter().zip([accuracy, tidy, tidy, tidy].map(Some)).collect(),
        scalar: None,
        tokens: 10,
    };
    let mut group = vec![of(1.0, 0.0), of(1.0, 1.0), of(1.0, 1.0), of(1.0, 1.0)];
    group.extend((0..4).map(|_| of(0.0, 1.0)));
    for preset in ["verl:gdpo", "trl:normalize_then_sum", "crpo"] {
        let config = Config { estimator: estimator(preset), ..Config::default() };
        let got = &config.advantages(&[group.clone()]).unwrap()[0].advantages;
        assert_eq!(got[0] < got[4], preset != "crpo", "{preset}: {got:?}");
    }
}

#[test]
fn nemo_refuses_a_single_objective_as_its_peer_does() {
    let config =
        Config { estimator: Estimator::NemoGdpo, weights: [(Objective::Accuracy, 1.0)].into(), ..Config::default() };
    assert!(config.validate().unwrap_err().to_string().contains("at least two objectives"));
}
