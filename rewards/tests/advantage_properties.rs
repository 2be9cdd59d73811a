//! What must hold of the advantages of any group, whatever the rewards.

use attending_rewards::Objective;
use attending_rewards::advantage::{Config, Estimator, Multipliers, Rewarded, Whiten};
use proptest::prelude::*;

/// Mostly the values that verifiers give, now and then any value of [0, 1] or none at all.
fn value() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        4 => prop::sample::select(vec![0.0, 0.25, 0.5, 1.0]).prop_map(Some),
        3 => (0.0..=1.0).prop_map(Some),
        1 => (0.9985..=1.0).prop_map(Some),
        1 => Just(None),
    ]
}

fn rewarded() -> impl Strategy<Value = Rewarded> {
    let accuracy =
        prop_oneof![4 => Just(Some(1.0)), 4 => Just(Some(0.0)), 2 => (0.0..1.0).prop_map(Some), 1 => Just(None)];
    (accuracy, value(), value(), value(), 0usize..300).prop_map(|(a, f, c, t, tokens)| Rewarded {
        objectives: Objective::ALL.into_iter().zip([a, f, c, t]).collect(),
        scalar: None,
        tokens,
    })
}

fn batch(largest: usize) -> impl Strategy<Value = Vec<Vec<Rewarded>>> {
    prop::collection::vec(prop::collection::vec(rewarded(), 0..largest), 0..5)
}

/// Any weights and floors, and every kind of whitening; the gates stay the default ones.
fn default_gates() -> impl Strategy<Value = Config> {
    let whiten = prop::sample::select(vec![Whiten::None, Whiten::Sequences, Whiten::Tokens]);
    (prop::collection::vec(0.0..3.0f64, 4), 0.0..0.3f64, whiten, 0.1..8.0f64).prop_map(
        |(weights, floor, whiten, clip)| Config {
            weights: Objective::ALL.into_iter().zip(weights).collect(),
            floor,
            whiten,
            clip,
            ..Config::default()
        },
    )
}

/// No right response of a group may stand below one that is wrong or only partly right.
fn right_is_never_below_wrong(
    config: &Config,
    multipliers: &Multipliers,
    batch: &[Vec<Rewarded>],
) -> Result<(), TestCaseError> {
    let got = config.advantages_under(multipliers, batch).map_err(|e| TestCaseError::fail(e.to_string()))?;
    for (responses, group) in batch.iter().zip(&got) {
        for values in [&group.combined, &group.advantages] {
            let with = |right: bool| {
                let of = move |r: &Rewarded| r.value(Objective::Accuracy).is_some_and(|a| (a == 1.0) == right);
                responses.iter().zip(values).filter(move |(r, _)| of(r)).map(|(_, v)| *v)
            };
            let lowest_right = with(true).fold(f64::INFINITY, f64::min);
            let highest_wrong = with(false).fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(lowest_right >= highest_wrong, "right {lowest_right} < wrong {highest_wrong}: {responses:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn right_beats_wrong_under_the_defaults(batch in batch(12)) {
        right_is_never_below_wrong(&Config::default(), &Multipliers::default(), &batch)?;
    }

    #[test]
    fn right_beats_wrong_under_any_weights(config in default_gates(), batch in batch(12)) {
        right_is_never_below_wrong(&config, &Multipliers::default(), &batch)?;
    }

    /// Whatever dual ascent made of the multipliers, and wherever the thresholds lie.
    #[test]
    fn right_beats_wrong_under_constraints(
        config in default_gates(),
        thresholds in prop::array::uniform3(0.0..=1.0f64),
        history in prop::collection::vec(batch(6), 0..4),
        batch in batch(12),
    ) {
        let mut config = Config { estimator: Estimator::Constrained, ..config };
        config.constrained.step = 1.0;
        for (constraint, threshold) in config.constrained.constraints.values_mut().zip(thresholds) {
            constraint.threshold = threshold;
        }
        let mut multipliers = Multipliers::default();
        for batch in &history {
            multipliers.ascend(&config.constrained, batch);
        }
        right_is_never_below_wrong(&config, &multipliers, &batch)?;
    }

    /// Group statistics see the group alone: neither the order of responses nor other groups matter.
    #[test]
    fn crpo_knows_nothing_of_order_and_neighbours(group in prop::collection::vec(rewarded(), 1..9), other in batch(6)) {
        let advantages = |batch: &[Vec<Rewarded>]| Config::default().advantages(batch)
            .map(|groups| groups[0].advantages.clone())
            .map_err(|e| TestCaseError::fail(e.to_string()));
        let alone = advantages(std::slice::from_ref(&group))?;
        let mut together = vec![group.clone()];
        together.extend(other);
        prop_assert_eq!(&alone, &advantages(&together)?);
        let mut reversed = advantages(&[group.into_iter().rev().collect()])?;
        reversed.reverse();
        for (a, b) in alone.iter().zip(&reversed) {
            prop_assert!((a - b).abs() < 1e-9);
        }
    }

    /// Finite whatever the rewards; a group of one is exactly 0.
    #[test]
    fn advantages_are_finite(
        batch in batch(4),
        (_, estimator) in prop::sample::select(Estimator::NAMES.to_vec()),
    ) {
        let config = Config { estimator, ..Config::default() };
        let mut multipliers = Multipliers::default();
        multipliers.ascend(&config.constrained, &batch);
        let got = config.advantages_under(&multipliers, &batch).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for group in &got {
            prop_assert!(group.advantages.iter().all(|a| a.is_finite()));
            // A peer's group of one is the peer's affair.
            prop_assert!(estimator.is_peer() || group.advantages.len() != 1 || group.advantages == [0.0]);
        }
    }
}
