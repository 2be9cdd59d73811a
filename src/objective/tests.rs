#![allow(clippy::unwrap_used)]

use serde::Deserialize;

use super::*;

/// Labels of whole sequences, all trained from token index `first` on, on consecutive rows.
fn labels(lengths: &[usize], first: usize) -> Vec<Label> {
    let mut all = Vec::new();
    for (sequence, length) in lengths.iter().enumerate() {
        for i in 0..*length {
            let row = all.len() as u32;
            all.push(Label { row, target: 7, sequence: sequence as u32, index: (first + i) as u32 });
        }
    }
    all
}

fn run(objective: &mut dyn TokenObjective, labels: &[Label], values: &[LabelValue], chunk: usize) -> Vec<Coefficient> {
    let mut out = vec![Coefficient::default(); labels.len()];
    if objective.needs_all() {
        objective.begin(labels, values);
    }
    for ((l, v), o) in labels.chunks(chunk).zip(values.chunks(chunk)).zip(out.chunks_mut(chunk)) {
        objective.coefficients(l, v, o);
    }
    out
}

fn plain(loss: Loss) -> PolicyConfig {
    PolicyConfig { loss, clip_low: 0.2, clip_high: 0.28, kl: None, entropy_coefficient: 0.0 }
}

fn sequence(advantage: f64, old: Option<Vec<f32>>, length: usize) -> TrainedSequence {
    TrainedSequence { advantage, first: 0, length, old, reference: None }
}

#[derive(Deserialize)]
struct Fixture {
    clip_low: f64,
    clip_high: f64,
    kl_coefficient: f64,
    entropy_coefficient: f64,
    constant: usize,
    advantages: Vec<f64>,
    old: Vec<Vec<f32>>,
    log_probs: Vec<Vec<f32>>,
    reference: Vec<Vec<f32>>,
    entropies: Vec<Vec<f32>>,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    loss: Loss,
    aggregation: Aggregation,
    kl: Option<Kl>,
    off_policy: bool,
    value: f64,
    log_prob: Vec<Vec<f64>>,
    entropy: Vec<Vec<f64>>,
}

/// tests/fixtures/objective.py: PyTorch's autograd in float64 on the same float32 log-probabilities.
#[test]
fn losses_and_gradients_equal_pytorch() {
    let fixture: Fixture = serde_json::from_str(include_str!("../../tests/fixtures/objective.json")).unwrap();
    let lengths: Vec<usize> = fixture.old.iter().map(Vec::len).collect();
    let (log_probs, entropies) = (fixture.log_probs.concat(), fixture.entropies.concat());
    let values: Vec<LabelValue> =
        log_probs.iter().zip(&entropies).map(|(&l, &e)| LabelValue { log_prob: l.into(), entropy: e.into() }).collect();
    let first = 11;
    let sequences: Vec<TrainedSequence> = (0..lengths.len())
        .map(|i| TrainedSequence {
            advantage: fixture.advantages[i],
            first,
            length: lengths[i],
            old: Some(fixture.old[i].clone()),
            reference: Some(fixture.reference[i].clone()),
        })
        .collect();
    let labels = labels(&lengths, first);
    assert_eq!(fixture.runs.len(), 63);
    for run_expected in &fixture.runs {
        let config = PolicyConfig {
            loss: run_expected.loss,
            clip_low: fixture.clip_low,
            clip_high: fixture.clip_high,
            kl: run_expected.kl.map(|kind| KlLoss {
                kind,
                coefficient: fixture.kl_coefficient,
                off_policy: run_expected.off_policy,
            }),
            entropy_coefficient: fixture.entropy_coefficient,
        };
        let normaliser = Normaliser::over(run_expected.aggregation, lengths.iter().copied(), fixture.constant);
        for chunk in [1, 4, 100] {
            let mut objective = PolicyObjective::new(config, &normaliser, sequences.clone()).unwrap();
            let got = run(&mut objective, &labels, &values, chunk);
            let what = format!("{config:?} {:?} chunk {chunk}", run_expected.aggregation);
            assert!((objective.sums(&labels, &values).loss - run_expected.value).abs() < 1e-12, "{what}");
            for ((got, log_prob), entropy) in
                got.iter().zip(run_expected.log_prob.concat()).zip(run_expected.entropy.concat())
            {
                assert!((got.log_prob - log_prob).abs() < 1e-12, "{what}: {} {log_prob}", got.log_prob);
                assert!((got.entropy - entropy).abs() < 1e-12, "{what}");
            }
        }
    }
}

/// Central differences of the stated loss. Log-probabilities and the step are multiples of 2^-12, exact in f32; the
/// error of the difference is about h^2 times the third derivative.
#[test]
fn coefficients_are_the_derivative_of_the_loss() {
    let h = 1.0f32 / 4096.0;
    let on_grid = |x: f32| (x / h).round() * h;
    let lengths = [3, 2];
    let old = [vec![on_grid(-1.0), on_grid(-2.0), on_grid(-0.3)], vec![on_grid(-0.9), on_grid(-1.7)]];
    let shifts = [0.1, -0.15, 0.4, -0.35, 0.2].map(on_grid);
    let labels = labels(&lengths, 0);
    let normaliser = Normaliser::over(Aggregation::TokenMean, lengths, 1);
    for loss in [Loss::Ppo, Loss::Gspo] {
        for (kind, off_policy) in [(Kl::K2, false), (Kl::K3, false), (Kl::K3, true)] {
            let kl = Some(KlLoss { kind, coefficient: 0.3, off_policy });
            let config = PolicyConfig { kl, entropy_coefficient: 0.02, ..plain(loss) };
            let sequences: Vec<TrainedSequence> = [0.8, -1.1]
                .iter()
                .zip(&old)
                .map(|(advantage, old)| TrainedSequence {
                    reference: Some(old.iter().map(|x| x - 0.6).collect()),
                    ..sequence(*advantage, Some(old.clone()), old.len())
                })
                .collect();
            let base: Vec<LabelValue> = old
                .concat()
                .iter()
                .zip(shifts)
                .map(|(x, shift)| LabelValue { log_prob: f64::from(x + shift), entropy: 1.0 })
                .collect();
            let loss_at = |values: &[LabelValue]| {
                let mut objective = PolicyObjective::new(config, &normaliser, sequences.clone()).unwrap();
                let coefficients = run(&mut objective, &labels, values, 2);
                (objective.sums(&labels, values).loss, coefficients)
            };
            let (_, coefficients) = loss_at(&base);
            let h = f64::from(h);
            for i in 0..labels.len() {
                let moved = |log_prob: f64, entropy: f64| {
                    let mut values = base.clone();
                    values[i].log_prob += log_prob;
                    values[i].entropy += entropy;
                    loss_at(&values).0
                };
                let by_log_prob = (moved(h, 0.0) - moved(-h, 0.0)) / (2.0 * h);
                let by_entropy = (moved(0.0, h) - moved(0.0, -h)) / (2.0 * h);
                assert!((by_log_prob - coefficients[i].log_prob).abs() < 1e-6, "{loss:?} {kind:?} {off_policy} {i}");
                assert!((by_entropy - coefficients[i].entropy).abs() < 1e-9, "{loss:?} {kind:?} {i}");
            }
        }
    }
}

#[test]
fn ppo_by_hand() {
    // Ratios e^0.5 = 1.64872 and e^-0.5 = 0.60653 against the bounds 0.8 and 1.28.
    // A = 2: the high ratio is clipped, -1.28 * 2 = -2.56, derivative 0; the low one is open, -0.60653 * 2 = -1.21306.
    // A = -2: the high ratio is open, 3.29744; the low one is clipped, 0.8 * 2 = 1.6, derivative 0.
    let labels = labels(&[2], 0);
    let values = [-0.5, -1.5].map(|log_prob| LabelValue { log_prob, entropy: 0.0 });
    let normaliser = Normaliser::over(Aggregation::TokenMean, [2], 1);
    let of = |advantage| {
        let sequences = vec![sequence(advantage, Some(vec![-1.0, -1.0]), 2)];
        let mut objective = PolicyObjective::new(plain(Loss::Ppo), &normaliser, sequences).unwrap();
        let c = run(&mut objective, &labels, &values, 8);
        (c[0].log_prob, c[1].log_prob, objective.sums(&labels, &values))
    };
    let (first, second, sums) = of(2.0);
    assert_eq!(first, 0.0);
    assert!((second + 1.213_06 / 2.0).abs() < 1e-5);
    assert!((sums.loss - (-2.56 - 1.213_06) / 2.0).abs() < 1e-5);
    assert_eq!((sums.clipped_low, sums.clipped_high, sums.tokens), (0, 1, 2));
    assert!((sums.ratio_max - 1.648_72).abs() < 1e-5);
    let (first, second, sums) = of(-2.0);
    assert!((first - 3.297_44 / 2.0).abs() < 1e-5);
    assert_eq!(second, 0.0);
    assert!((sums.loss - (3.297_44 + 1.6) / 2.0).abs() < 1e-5);
    assert_eq!((sums.clipped_low, sums.clipped_high), (1, 0));
}

#[test]
fn gspo_by_hand_sees_the_whole_sequence() {
    // Log-ratios 0.5 and -0.3: mean 0.1, ratio e^0.1 = 1.10517, inside the bounds although both tokens are outside.
    // Loss -1.10517 (the tokens' weights add up to 1); derivative of each log-probability -1.10517 / 2.
    let sequences = vec![sequence(1.0, Some(vec![-1.0, -1.0]), 2)];
    let normaliser = Normaliser::over(Aggregation::SequenceMean, [2], 1);
    let mut objective = PolicyObjective::new(plain(Loss::Gspo), &normaliser, sequences).unwrap();
    assert!(objective.needs_all());
    let values = [-0.5, -1.3].map(|log_prob| LabelValue { log_prob, entropy: 0.0 });
    let labels = labels(&[2], 0);
    let c = run(&mut objective, &labels, &values, 1);
    assert!(c.iter().all(|c| (c.log_prob + 1.105_17 / 2.0).abs() < 1e-5));
    assert!((objective.sums(&labels, &values).loss + 1.105_17).abs() < 1e-5);
}

#[test]
fn the_first_step_needs_no_old_values() {
    // Ratio exactly 1: the derivative is -A / tokens under every loss.
    let normaliser = Normaliser::over(Aggregation::TokenMean, [2], 1);
    for loss in [Loss::Ppo, Loss::Gspo, Loss::Cispo] {
        let mut objective = PolicyObjective::new(plain(loss), &normaliser, vec![sequence(1.5, None, 2)]).unwrap();
        let values = [-2.5, -0.1].map(|log_prob| LabelValue { log_prob, entropy: 0.0 });
        let labels = labels(&[2], 0);
        let c = run(&mut objective, &labels, &values, 8);
        assert!(c.iter().all(|c| c.log_prob == -0.75), "{loss:?}");
        let sums = objective.sums(&labels, &values);
        assert_eq!((sums.clipped_low + sums.clipped_high, sums.ratio_max), (0, 1.0));
    }
}

#[test]
fn normalisers_by_hand() {
    // Lengths 2 and 6; token_mean 1/8; sequence_mean 1/(2*2) and 1/(2*6); constant 1/(2*10).
    let of = |aggregation| {
        let n = Normaliser::over(aggregation, [2, 6], 10);
        [n.token_weight(2), n.token_weight(6)]
    };
    assert_eq!(of(Aggregation::TokenMean), [0.125, 0.125]);
    assert_eq!(of(Aggregation::SequenceMean), [0.25, 1.0 / 12.0]);
    assert_eq!(of(Aggregation::Constant), [0.05, 0.05]);
}

#[test]
fn the_cut_into_micro_batches_does_not_matter() {
    let sequences = [sequence(1.0, Some(vec![-1.0, -0.4]), 2), sequence(-0.5, Some(vec![-2.0]), 1)];
    let values = [-0.9, -0.6, -1.9].map(|log_prob| LabelValue { log_prob, entropy: 0.7 });
    for aggregation in [Aggregation::TokenMean, Aggregation::SequenceMean, Aggregation::Constant] {
        let normaliser = Normaliser::over(aggregation, [2, 1], 4);
        let of = |sequences: &[TrainedSequence], values: &[LabelValue]| {
            let lengths: Vec<usize> = sequences.iter().map(|s| s.length).collect();
            let labels = labels(&lengths, 0);
            let mut objective = PolicyObjective::new(plain(Loss::Ppo), &normaliser, sequences.to_vec()).unwrap();
            (run(&mut objective, &labels, values, 8), objective.sums(&labels, values))
        };
        let (whole, sums) = of(&sequences, &values);
        let (mut cut, mut added) = of(&sequences[..1], &values[..2]);
        let (rest, other) = of(&sequences[1..], &values[2..]);
        cut.extend(rest);
        added.add(&other);
        assert_eq!(whole, cut);
        assert!((sums.loss - added.loss).abs() < 1e-15);
        assert_eq!((sums.tokens, sums.clipped_low), (added.tokens, added.clipped_low));
    }
}

#[test]
fn kl_by_hand_and_at_its_bounds() {
    // d = 0.5: k2 = 0.125; k3 = e^-0.5 - 1 + 0.5 = 0.10653, derivative 1 - e^-0.5 = 0.39347.
    let near = |got: (f64, f64), value: f64, derivative: f64| {
        assert!((got.0 - value).abs() < 1e-5 && (got.1 - derivative).abs() < 1e-5, "{got:?}");
    };
    near(Kl::K2.value_and_derivative(0.5), 0.125, 0.5);
    near(Kl::K3.value_and_derivative(0.5), 0.106_53, 0.393_47);
    near(Kl::K3Plus.value_and_derivative(0.5), 0.106_53, 0.5);
    // d = -3: e^3 - 1 - 3 = 16.08, above the bound; k2 is 4.5.
    near(Kl::K3.value_and_derivative(-3.0), 10.0, 0.0);
    near(Kl::K3Plus.value_and_derivative(-3.0), 10.0, 0.0);
    near(Kl::K2.value_and_derivative(-3.0), 4.5, -3.0);
    // |d| = 5: 12.5 is above the bound.
    near(Kl::K2.value_and_derivative(5.0), 10.0, 0.0);
    // d = 1000 must not overflow.
    for kl in [Kl::K2, Kl::K3, Kl::K3Plus] {
        near(kl.value_and_derivative(1000.0), 10.0, 0.0);
        near(kl.value_and_derivative(-1000.0), 10.0, 0.0);
        assert_eq!(kl.value_and_derivative(0.0), (0.0, 0.0));
        assert_eq!(kl.name().parse::<Kl>(), Ok(kl));
    }
    assert!("k1".parse::<Kl>().unwrap_err().contains("expected gradient"));
    assert!(serde_json::from_str::<Kl>("\"k1\"").unwrap_err().to_string().contains("expected gradient"));
    assert!("k4".parse::<Kl>().is_err());
}

#[test]
fn cross_entropy_by_hand() {
    // -(-0.5 - 1.5 - 1.0) / 3 = 1.
    let normaliser = Normaliser::over(Aggregation::TokenMean, [2, 1], 1);
    let mut objective = CrossEntropy::new(&normaliser, &[2, 1]);
    let values = [-0.5, -1.5, -1.0].map(|log_prob| LabelValue { log_prob, entropy: 0.25 });
    let labels = labels(&[2, 1], 0);
    let c = run(&mut objective, &labels, &values, 2);
    assert!(c.iter().all(|c| *c == Coefficient { log_prob: -1.0 / 3.0, entropy: 0.0 }));
    let sums = objective.sums(&labels, &values);
    assert!((sums.loss - 1.0).abs() < 1e-12);
    assert_eq!((sums.tokens, sums.log_prob, sums.entropy), (3, -3.0, 0.75));
    // The second token of the first sequence counts four times: (0.5 + 4 x 1.5 + 1.0) / 3 = 2.5.
    let weighted = vec![(0, vec![1.0, 4.0]), (0, vec![1.0])];
    let mut objective = CrossEntropy::new(&normaliser, &[2, 1]).with_token_weights(weighted);
    let c = run(&mut objective, &labels, &values, 2);
    let of = |log_prob| Coefficient { log_prob, entropy: 0.0 };
    assert_eq!(c, [of(-1.0 / 3.0), of(-4.0 / 3.0), of(-1.0 / 3.0)]);
    assert!((objective.sums(&labels, &values).loss - 2.5).abs() < 1e-12);
}

#[test]
fn bad_input_is_refused_in_one_sentence() {
    let normaliser = Normaliser::over(Aggregation::TokenMean, [2], 1);
    let refused = |config, sequence| PolicyObjective::new(config, &normaliser, vec![sequence]).unwrap_err().to_string();
    let good = || sequence(1.0, Some(vec![0.0; 2]), 2);
    let short = TrainedSequence { old: Some(vec![0.0]), ..good() };
    assert_eq!(refused(plain(Loss::Ppo), short), "sequence 0 trains 2 tokens but comes with 1 old log-probabilities");
    let kl = Some(KlLoss { kind: Kl::K3, coefficient: 0.001, off_policy: false });
    assert!(refused(PolicyConfig { kl, ..plain(Loss::Ppo) }, good()).contains("no reference"));
    assert!(refused(plain(Loss::Ppo), TrainedSequence { advantage: f64::NAN, ..good() }).contains("finite"));
    let clip = PolicyConfig { clip_low: -0.1, ..plain(Loss::Ppo) };
    assert_eq!(refused(clip, good()), "objective.clip_low is -0.1; it must be between 0 and 1");
}
