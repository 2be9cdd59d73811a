#![allow(clippy::unwrap_used)]
//! Expected numbers are worked out by hand in the comments; published ones are marked so.

use super::*;
use Objective::{Accuracy, Comprehensiveness, Faithfulness, Format};

fn response(values: &[(Objective, Option<f64>)]) -> Rewarded {
    Rewarded { objectives: values.iter().copied().collect(), scalar: None, tokens: 1 }
}

/// One response for each value of accuracy alone.
fn accuracies(values: &[f64]) -> Vec<Rewarded> {
    values.iter().map(|v| response(&[(Accuracy, Some(*v))])).collect()
}

fn with(estimator: Estimator) -> Config {
    Config { estimator, ..Config::default() }
}

fn advantages(config: &Config, group: Vec<Rewarded>) -> Vec<f64> {
    config.advantages(&[group]).unwrap().remove(0).advantages
}

#[track_caller]
fn close(got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    assert!(got.iter().zip(expected).all(|(g, e)| (g - e).abs() <= tolerance), "got {got:?}, expected {expected:?}");
}

#[test]
fn scalar_estimators_by_hand() {
    // [1, 0, 0, 0]: mean 0.25; squares 0.5625 + 3 * 0.0625 = 0.75; std = sqrt(0.75 / 3) = 0.5.
    let group = || accuracies(&[1.0, 0.0, 0.0, 0.0]);
    close(&advantages(&with(Estimator::Grpo), group()), &[1.5, -0.5, -0.5, -0.5], 1e-5);
    close(&advantages(&with(Estimator::DrGrpo), group()), &[0.75, -0.25, -0.25, -0.25], 1e-12);
    // Others' means: 0 for the first, 1/3 for the rest.
    close(&advantages(&with(Estimator::Rloo), group()), &[1.0, -1.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0], 1e-12);
    // eps stands outside the root: 0.75 / (0.5 + 1e-6).
    assert!((advantages(&with(Estimator::Grpo), group())[0] - 0.75 / 0.500_001).abs() < 1e-12);
}

#[test]
fn batch_standard_deviation_by_hand() {
    // Groups [1, 0] and [1, 1]: batch mean 0.75, squares 3 * 0.0625 + 0.5625 = 0.75, std = sqrt(0.75 / 3) = 0.5.
    // First group's mean 0.5: +-0.5 / 0.5 = +-1. The second is tied: 0.
    let batch = [accuracies(&[1.0, 0.0]), accuracies(&[1.0, 1.0])];
    let got = with(Estimator::BatchStd).advantages(&batch).unwrap();
    close(&got[0].advantages, &[1.0, -1.0], 1e-5);
    assert_eq!(got[1].advantages, [0.0, 0.0]);
}

/// The published scalar through grpo; the three groups are published with their advantages (three decimals).
#[test]
fn clinical_r1_gives_the_published_numbers() {
    let of = |scalars: [f64; 5]| {
        let group = scalars.iter().map(|s| Rewarded { scalar: Some(*s), ..Rewarded::default() }).collect();
        advantages(&Config::clinical_r1(), group)
    };
    // One micro sign among 350 characters: 1 + 0.5 + 0.5 * (349 / 350) = 1.99857.
    close(&of([2.0, 2.0, 2.0, 2.0, 1.5 + 0.5 * 349.0 / 350.0]), &[0.447, 0.447, 0.447, 0.447, -1.786], 6e-4);
    close(&of([12.0, 2.0, 2.0, 2.0, 2.0]), &[1.789, -0.447, -0.447, -0.447, -0.447], 6e-4);
    // Ten boxes: -99.5.
    close(&of([-99.5, 12.0, 2.0, 2.0, 2.0]), &[-1.781, 0.606, 0.392, 0.392, 0.392], 6e-4);
}

/// Eight responses, four right; one of the right ones is untidy, all the wrong ones are tidy.
fn untidy_right() -> Vec<Rewarded> {
    let of = |accuracy: f64, tidy: f64| {
        response(&[
            (Accuracy, Some(accuracy)),
            (Faithfulness, Some(tidy)),
            (Comprehensiveness, Some(tidy)),
            (Format, Some(tidy)),
        ])
    };
    let mut group = vec![of(1.0, 0.0), of(1.0, 1.0), of(1.0, 1.0), of(1.0, 1.0)];
    group.extend((0..4).map(|_| of(0.0, 1.0)));
    group
}

/// The design's example of what the gate is for: -1.29 (right, untidy) below -0.62 (wrong, tidy) without it, +0.28 and
/// -1.59 with it.
#[test]
fn the_gate_puts_right_above_tidy() {
    // Accuracy: mean 0.5, std = sqrt(8 * 0.25 / 7) = 0.53452, z = +-0.93541.
    // Without the gate the others are [0, 1 x 7]: mean 0.875, std = sqrt((0.765625 + 7 * 0.015625) / 7) = 0.35355;
    // z = -2.47487 and +0.35355; weights 0.5 + 0.3 + 0.1 = 0.9.
    //   right, untidy: 0.93541 - 0.9 * 2.47487 = -1.29197.   wrong, tidy: -0.93541 + 0.9 * 0.35355 = -0.61722.
    let open = Config { gates: BTreeMap::new(), ..Config::default() };
    let got = advantages(&open, untidy_right());
    close(&[got[0], got[4]], &[-1.291_97, -0.617_22], 1e-4);
    // With it the others are [0, 1, 1, 1, 0 x 4]: mean 0.375, std = sqrt((5 * 0.140625 + 3 * 0.390625) / 7) = 0.51755;
    // z = -0.72457 and +1.20761.
    //   right, untidy: 0.93541 - 0.9 * 0.72457 = 0.28330.  right, tidy: 0.93541 + 0.9 * 1.20761 = 2.02226.
    //   wrong: -0.93541 - 0.9 * 0.72457 = -1.58752.
    let got = advantages(&Config::default(), untidy_right());
    close(&[got[0], got[1], got[4]], &[0.283_30, 2.022_26, -1.587_52], 1e-4);
}

/// With equal weights and no gate a wrong, tidy answer earns a positive advantage; the summed reward does not do that
/// where accuracy counts ten times.
#[test]
fn equal_weights_pay_for_tidiness() {
    // Accuracy [1, 1, 0, 0]: mean 0.5, std sqrt(1 / 3) = 0.57735, z = +-0.86603. Format [0, 0, 1, 0] and the same for
    // comprehensiveness: mean 0.25, std 0.5, z = 1.5 for the wrong, tidy one: -0.86603 + 1.5 + 1.5 = 2.13397.
    let of = |a: f64, f: f64| response(&[(Accuracy, Some(a)), (Format, Some(f)), (Comprehensiveness, Some(f))]);
    let group = vec![of(1.0, 0.0), of(1.0, 0.0), of(0.0, 1.0), of(0.0, 0.0)];
    let equal = [Accuracy, Format, Comprehensiveness].map(|o| (o, 1.0));
    let got = advantages(&Config { weights: equal.into(), ..with(Estimator::MoGrpo) }, group.clone());
    close(&got[2..3], &[2.133_97], 1e-4);
    // 10, 10, 2, 0: mean 5.5, squares 20.25 * 2 + 12.25 + 30.25 = 83, std = sqrt(83 / 3) = 5.25991;
    // (2 - 5.5) / 5.25991 = -0.66541.
    let summed = [(Accuracy, 10.0), (Format, 1.0), (Comprehensiveness, 1.0)];
    let got = advantages(&Config { weights: summed.into(), ..with(Estimator::Grpo) }, group);
    close(&got[2..3], &[-0.665_41], 1e-4);
}

#[test]
fn the_floor_keeps_a_tie_small() {
    // Values [1, 1, 1, 1, 0.99857]: std 0.00064, far below the floor; (0.99857 - 0.999714) / (0.05 + 1e-6) = -0.02288,
    // (1 - 0.999714) / 0.050001 = 0.00572. Weight 0.1. Without the floor it would be -1.786 * 0.1.
    let group = |last| {
        let of = |v| response(&[(Accuracy, Some(1.0)), (Format, Some(v))]);
        vec![of(1.0), of(1.0), of(1.0), of(1.0), of(last)]
    };
    let got = advantages(&Config::default(), group(0.998_57));
    close(&got, &[5.72e-4, 5.72e-4, 5.72e-4, 5.72e-4, -2.288e-3], 1e-6);
    let got = advantages(&with(Estimator::MoGrpo), group(0.998_57));
    close(&got[4..], &[-0.178_6], 1e-4);
    let own = Config { floors: [(Format, 0.0)].into(), ..Config::default() };
    close(&advantages(&own, group(0.998_57))[4..], &[-0.178_6], 1e-4);
}

#[test]
fn all_wrong_groups_are_muted_and_all_right_ones_still_teach() {
    let group = |a: f64| -> Vec<Rewarded> {
        [0.2, 0.9, 0.5].iter().map(|f| response(&[(Accuracy, Some(a)), (Faithfulness, Some(*f))])).collect()
    };
    let wrong = Config::default().advantages(&[group(0.0)]).unwrap().remove(0);
    assert_eq!(wrong.advantages, [0.0; 3]);
    assert!(!wrong.carries_signal());
    // mean 1.6 / 3 = 0.53333, std = sqrt((0.11111 + 0.13444 + 0.00111) / 2) = 0.35119; z = -0.94916, 1.04408, -0.09492;
    // weight 0.5.
    let right = Config::default().advantages(&[group(1.0)]).unwrap().remove(0);
    close(&right.advantages, &[-0.474_58, 0.522_04, -0.047_46], 1e-4);
    assert!(right.carries_signal());
    // The group gate mutes the all-wrong group too, and opens where accuracy does not apply to the case.
    let gated = Config { gates: [(Faithfulness, Gate::Group)].into(), ..Config::default() };
    assert_eq!(advantages(&gated, group(0.0)), [0.0; 3]);
    close(&advantages(&gated, group(1.0)), &right.advantages, 0.0);
    let open: Vec<Rewarded> = [0.2, 0.9, 0.5].iter().map(|f| response(&[(Faithfulness, Some(*f))])).collect();
    close(&advantages(&gated, open.clone()), &right.advantages, 0.0);
    close(&advantages(&Config::default(), open), &right.advantages, 0.0);
}

#[test]
fn groups_of_one_and_tied_groups_give_exactly_zero() {
    // 0.1 * 3 summed in floating point is not 0.3: ties must be found on the values, not on a computed deviation.
    let one = accuracies(&[0.7]);
    let tied = accuracies(&[0.1, 0.1, 0.1]);
    let multipliers = Multipliers::default();
    for (_, estimator) in Estimator::NAMES.iter().filter(|(_, estimator)| !estimator.is_peer()) {
        for whiten in [Whiten::None, Whiten::Sequences, Whiten::Tokens] {
            let config = Config { whiten, ..with(*estimator) };
            let batch = [one.clone(), tied.clone(), accuracies(&[1.0, 0.0]), Vec::new()];
            let got = config.advantages_under(&multipliers, &batch).unwrap();
            assert_eq!(got[0].advantages, [0.0], "{estimator:?} {whiten:?}");
            assert_eq!(got[1].advantages, [0.0; 3], "{estimator:?} {whiten:?}");
            assert!(got[2].advantages[0] > 0.0, "{estimator:?} {whiten:?}");
            assert!(got[3].advantages.is_empty());
        }
    }
}

#[test]
fn not_applicable_is_left_out_of_the_statistics() {
    // All right; faithfulness [0.2, 0.8, null]: mean 0.5, std = sqrt(0.18) = 0.42426, z = -0.70711, 0.70711, 0.
    let of = |f| response(&[(Accuracy, Some(1.0)), (Faithfulness, f)]);
    let got = advantages(&Config::default(), vec![of(Some(0.2)), of(Some(0.8)), of(None)]);
    close(&got, &[-0.353_55, 0.353_55, 0.0], 1e-4);
    assert_eq!(got[2], 0.0);
    // Fewer than two apply: 0.
    assert_eq!(advantages(&Config::default(), vec![of(Some(0.2)), of(None)]), [0.0; 2]);
    // A response without any applicable objective gets 0, under every estimator, and is in nobody's mean:
    // [1, 0] alone have mean 0.5.
    let group = vec![response(&[(Accuracy, Some(1.0))]), response(&[(Accuracy, Some(0.0))]), response(&[])];
    close(&advantages(&with(Estimator::DrGrpo), group.clone()), &[0.5, -0.5, 0.0], 1e-12);
    // z = +-0.70711, mean 0, std = sqrt(2 * 0.5 / 1) = 1 over the two that have an advantage.
    let half = std::f64::consts::FRAC_1_SQRT_2;
    close(&advantages(&with(Estimator::Gdpo), group), &[half, -half, 0.0], 1e-4);
}

/// A wrong response whose value could not be scored gets the lowest value too; with z = 0 it would pass a right one.
#[test]
fn unscored_wrong_responses_do_not_slip_past_the_gate() {
    // 50 right (one of them unfaithful), 50 wrong that could not be scored.
    let mut group: Vec<Rewarded> = (0..50)
        .map(|i| response(&[(Accuracy, Some(1.0)), (Faithfulness, Some(if i == 0 { 0.0 } else { 1.0 }))]))
        .collect();
    group.extend((0..50).map(|_| response(&[(Accuracy, Some(0.0)), (Faithfulness, None)])));
    // Accuracy: std = sqrt(100 * 0.25 / 99) = 0.50252, z = +-0.99499. Faithfulness after the gate: 49 ones, 51 zeros,
    // mean 0.49, std = sqrt((49 * 0.2601 + 51 * 0.2401) / 99) = 0.50242; z(0) = -0.97528.
    // right: 0.99499 - 0.48764 = 0.50735; wrong: -0.99499 - 0.48764 = -1.48263.
    let got = advantages(&Config::default(), group);
    close(&[got[0], got[99]], &[0.507_35, -1.482_63], 1e-4);
}

#[test]
fn objectives_that_sum_to_a_constant_cancel() {
    let of = |f: f64| response(&[(Faithfulness, Some(f)), (Comprehensiveness, Some(1.0 - f))]);
    let config = Config { weights: [(Faithfulness, 1.0), (Comprehensiveness, 1.0)].into(), ..with(Estimator::MoGrpo) };
    let got = config.advantages(&[vec![of(0.1), of(0.7), of(0.35)]]).unwrap().remove(0);
    assert!(!got.carries_signal(), "{got:?}");
}

#[test]
fn whitening_over_sequences_and_tokens_by_hand() {
    // dr_grpo of [1, 0] and [1, 0, 0, 0]: 0.5, -0.5, 0.75, -0.25 x 3; mean 0; squares 0.25 * 2 + 0.5625 + 3 * 0.0625
    // = 1.25; std = sqrt(1.25 / 5) = 0.5.
    let mut batch = vec![accuracies(&[1.0, 0.0]), accuracies(&[1.0, 0.0, 0.0, 0.0])];
    let config = Config { whiten: Whiten::Sequences, ..with(Estimator::DrGrpo) };
    let got = config.advantages(&batch).unwrap();
    close(&got[0].advantages, &[1.0, -1.0], 1e-5);
    close(&got[1].advantages, &[1.5, -0.5, -0.5, -0.5], 1e-5);
    // The value before whitening is kept.
    close(&got[0].combined, &[0.5, -0.5], 1e-12);
    // Tokens: the very first response has 3 tokens, all others 1: sum 3 * 0.5 - 0.5 + 0 = 1 over 8, mean 0.125;
    // squares 3 * 0.140625 + 0.390625 + 0.390625 + 3 * 0.140625 = 1.625; std = sqrt(1.625 / 7) = 0.48181;
    // (0.5 - 0.125) / 0.48181 = 0.77832, (-0.5 - 0.125) / 0.48181 = -1.29719.
    batch[0][0].tokens = 3;
    let config = Config { whiten: Whiten::Tokens, ..with(Estimator::DrGrpo) };
    close(&config.advantages(&batch).unwrap()[0].advantages, &[0.778_32, -1.297_19], 1e-4);
}

#[test]
fn gdpo_is_mo_grpo_whitened_over_the_batch() {
    // z of [1, 0] is +-0.70711 (std 0.70711); of [1, 0, 0, 0] 1.5, -0.5 x 3. Mean 0; squares 2 * 0.5 + 2.25 + 0.75 = 4;
    // std = sqrt(4 / 5) = 0.89443: 0.79057, 1.67705, -0.55902.
    let batch = [accuracies(&[1.0, 0.0]), accuracies(&[1.0, 0.0, 0.0, 0.0])];
    let got = with(Estimator::Gdpo).advantages(&batch).unwrap();
    close(&got[0].advantages, &[0.790_57, -0.790_57], 1e-4);
    close(&got[1].advantages[..2], &[1.677_05, -0.559_02], 1e-4);
}

#[test]
fn the_clip_bounds_outliers() {
    // One right among 64: mean 1/64, std = 1/8, z = (63/64) / (1/8) = 7.875, and -0.125 for the others.
    let mut values = vec![0.0; 64];
    values[0] = 1.0;
    close(&advantages(&Config::default(), accuracies(&values))[..2], &[5.0, -0.125], 1e-4);
    let open = Config { clip: f64::INFINITY, ..Config::default() };
    close(&advantages(&open, accuracies(&values))[..1], &[7.875], 1e-3);
}

/// Faithfulness below 0.5 violates: two of four responses do.
fn half_violates() -> Vec<Rewarded> {
    let of = |a: f64, f: f64| response(&[(Accuracy, Some(a)), (Faithfulness, Some(f))]);
    vec![of(1.0, 0.2), of(1.0, 0.9), of(0.0, 0.49), of(0.0, 0.5)]
}

fn constrained() -> Config {
    let constraint = Constraint { threshold: 0.5, target: 0.1 };
    let constrained =
        Constrained { constraints: [(Faithfulness, constraint)].into(), step: 0.5, max: 0.5, ..Constrained::default() };
    Config { constrained, gates: BTreeMap::new(), ..with(Estimator::Constrained) }
}

#[test]
fn dual_ascent_by_hand() {
    let config = constrained();
    let mut multipliers = Multipliers::default();
    // Rate 2 / 4, target 0.1: 0 + 0.5 * (0.5 - 0.1) = 0.2, then 0.4, then 0.6 is clipped to 0.5.
    for expected in [0.2, 0.4, 0.5] {
        multipliers.ascend(&config.constrained, &[half_violates()]);
        assert!((multipliers.of(Faithfulness) - expected).abs() < 1e-12);
    }
    // Nothing violates: 0.5 - 0.5 * 0.1 = 0.45, and at last 0, never below.
    let good = || vec![response(&[(Accuracy, Some(0.0)), (Faithfulness, Some(1.0))]); 2];
    multipliers.ascend(&config.constrained, &[good(), good()]);
    assert!((multipliers.of(Faithfulness) - 0.45).abs() < 1e-12);
    (0..20).for_each(|_| multipliers.ascend(&config.constrained, &[good()]));
    assert_eq!(multipliers.of(Faithfulness), 0.0);
    // Where it applies nowhere, it stays: rates are over the responses to which it applies.
    multipliers.ascend(&config.constrained, &[half_violates()]);
    let before = multipliers.clone();
    multipliers.ascend(&config.constrained, &[accuracies(&[0.0, 1.0])]);
    assert_eq!(multipliers, before);
    let mut mixed = half_violates();
    mixed.extend(accuracies(&[0.0, 1.0]));
    multipliers.ascend(&config.constrained, &[mixed]);
    assert!((multipliers.of(Faithfulness) - 0.4).abs() < 1e-12);
    // The state survives a checkpoint.
    let text = serde_json::to_string(&multipliers).unwrap();
    assert_eq!(serde_json::from_str::<Multipliers>(&text).unwrap(), multipliers);
}

#[test]
fn constrained_advantages_by_hand() {
    let mut config = constrained();
    let mut multipliers = Multipliers::default();
    multipliers.ascend(&config.constrained, &[half_violates()]);
    // Accuracy [1, 1, 0, 0] and violation [1, 0, 1, 0]: z = +-0.5 / sqrt(1 / 3) = +-0.86603; lambda 0.2:
    // 0.86603 * (1 - 0.2), (1 + 0.2), (-1 - 0.2), (-1 + 0.2).
    let got = config.advantages_under(&multipliers, &[half_violates()]).unwrap().remove(0);
    close(&got.advantages, &[0.692_82, 1.039_23, -1.039_23, -0.692_82], 1e-4);
    // Before the first ascent it is the primary objective alone.
    let got = config.advantages_under(&Multipliers::default(), &[half_violates()]).unwrap().remove(0);
    close(&got.advantages, &[0.866_03, 0.866_03, -0.866_03, -0.866_03], 1e-4);
    // With the gate a wrong response counts as violating where any does: violation [1, 0, 1, 1], mean 0.75,
    // std sqrt((3 * 0.0625 + 0.5625) / 3) = 0.5: z = 0.5 and -1.5.
    config.gates = Config::default().gates;
    let got = config.advantages_under(&multipliers, &[half_violates()]).unwrap().remove(0);
    close(&got.advantages, &[0.766_03, 1.166_03, -0.966_03, -0.966_03], 1e-4);
    // A tied group and one that faithfulness does not apply to.
    let got = config.advantages_under(&multipliers, &[accuracies(&[1.0, 1.0]), accuracies(&[1.0, 0.0])]).unwrap();
    assert_eq!(got[0].advantages, [0.0, 0.0]);
    let half = std::f64::consts::FRAC_1_SQRT_2;
    close(&got[1].advantages, &[half, -half], 1e-4);
    assert_eq!(config.advantages(&[]), Err(Error::NoMultipliers));
}

#[test]
fn bad_constraints_are_refused() {
    let with = |change: &dyn Fn(&mut Constrained)| {
        let mut config = constrained();
        change(&mut config.constrained);
        config.validate().unwrap_err().to_string()
    };
    let own = Constraint { threshold: 0.5, target: 0.1 };
    let text = with(&|c| c.constraints.extend([(Accuracy, own)]));
    assert!(text.contains("accuracy is both the primary objective and a constraint"), "{text}");
    let text = with(&|c| c.constraints.extend([(Format, Constraint { threshold: 1.5, ..own })]));
    assert_eq!(text, "advantage.constrained.thresholds.format is 1.5; it must be within 0 and 1");
    let text = with(&|c| c.constraints.extend([(Format, Constraint { target: f64::NAN, ..own })]));
    assert_eq!(text, "advantage.constrained.targets.format is NaN; it must be within 0 and 1");
    assert!(with(&|c| c.step = 0.0).contains("constrained.step is 0; it must be above 0"));
}

#[test]
fn bad_input_is_refused_in_one_sentence() {
    let batch = [accuracies(&[1.0, f64::NAN])];
    let error = Config::default().advantages(&batch).unwrap_err();
    assert!(matches!(error, Error::NotFinite { group: 0, response: 1, name: "accuracy", .. }), "{error}");
    let weights = [(Faithfulness, -0.5)].into();
    let error = Config { weights, ..Config::default() }.advantages(&[]).unwrap_err();
    assert_eq!(error.to_string(), "advantage.weights.faithfulness is -0.5; it must be a number of at least 0");
    assert!(Config { clip: 0.0, ..Config::default() }.validate().is_err());
    assert!(Config { clip: f64::NAN, ..Config::default() }.validate().is_err());
    assert!(Config { eps: f64::INFINITY, ..Config::default() }.validate().is_err());
}
