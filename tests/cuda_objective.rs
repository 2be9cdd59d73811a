//! Objectives on a device against PyTorch (tests/fixtures/objective.py). Runs on a card, or on the emulated device
//! (tests/cuda_emulator); skipped, with the reason, where there is neither.
#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)]

#[path = "support/device.rs"]
mod device;

use attending::cuda::objective::Objective;
use attending::objective::{
    Aggregation, Kl, KlLoss, Label, Loss, Normaliser, PolicyConfig, PolicyObjective, TokenObjective, TrainedSequence,
};
use device::device;
use serde::Deserialize;

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
    log_prob: Vec<Vec<f64>>,
    entropy: Vec<Vec<f64>>,
}

/// Labels of whole sequences on consecutive rows.
fn labels(lengths: &[usize]) -> Vec<Label> {
    let of = |(sequence, &length): (usize, &usize)| (0..length).map(move |index| (sequence as u32, index as u32));
    let all = lengths.iter().enumerate().flat_map(of).enumerate();
    all.map(|(row, (sequence, index))| Label { row: row as u32, target: 7, sequence, index }).collect()
}

#[test]
fn derivatives_equal_pytorch() {
    let Some(device) = device() else { return };
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/objective.json")).unwrap();
    let lengths: Vec<usize> = fixture.old.iter().map(Vec::len).collect();
    let labels = labels(&lengths);
    let (log_probs, entropies) = (fixture.log_probs.concat(), fixture.entropies.concat());
    let values: Vec<f64> = log_probs.iter().zip(&entropies).flat_map(|(l, e)| [f64::from(*l), f64::from(*e)]).collect();
    let values = device.upload(&values, "test").unwrap();
    let sequences: Vec<TrainedSequence> = (0..lengths.len())
        .map(|i| TrainedSequence {
            advantage: fixture.advantages[i],
            first: 0,
            length: lengths[i],
            old: Some(fixture.old[i].clone()),
            reference: Some(fixture.reference[i].clone()),
        })
        .collect();
    for run in &fixture.runs {
        let kl = run.kl.map(|kind| KlLoss { kind, coefficient: fixture.kl_coefficient, off_policy: run.off_policy });
        let config = PolicyConfig {
            loss: run.loss,
            clip_low: fixture.clip_low,
            clip_high: fixture.clip_high,
            kl,
            entropy_coefficient: fixture.entropy_coefficient,
        };
        let normaliser = Normaliser::over(run.aggregation, lengths.iter().copied(), fixture.constant);
        let objective = PolicyObjective::new(config, &normaliser, sequences.clone()).unwrap();
        let mut on_device = Objective::new(&device, &objective.terms(&labels)).unwrap();
        assert_eq!(on_device.needs_all(), objective.needs_all());
        on_device.begin::<f32>(&device, values.view()).unwrap();
        let mut flag = device.filled(1, 0.0, "test").unwrap();
        // The labels in two pieces, as the head's chunks ask for them.
        let cut = labels.len() / 3;
        let (mut by_log_prob, mut by_entropy) = (Vec::new(), Vec::new());
        for range in [0..cut, cut..labels.len()] {
            let own = values.at(2 * range.start..2 * range.end);
            let by = on_device.derivatives::<f32>(&device, range.start, own, &flag.view_mut()).unwrap();
            by_log_prob.extend(by.by_log_prob.to_host().unwrap());
            by_entropy.extend(by.by_entropy.to_host().unwrap());
        }
        let same = |got: &[f32], want: Vec<f64>| {
            // f32 holds 7 digits of what was computed in f64.
            let near = |(g, w): (&f32, &f64)| (f64::from(*g) - w).abs() <= 1e-7 * w.abs() + 1e-12;
            got.len() == want.len() && got.iter().zip(&want).all(near)
        };
        assert!(same(&by_log_prob, run.log_prob.concat()), "{config:?} {:?}", run.aggregation);
        assert!(same(&by_entropy, run.entropy.concat()), "{config:?} {:?}", run.aggregation);
        assert_eq!(flag.to_host().unwrap(), [0.0]);
    }
}

#[test]
fn what_is_not_finite_is_marked() {
    let Some(device) = device() else { return };
    let config = PolicyConfig { loss: Loss::Ppo, clip_low: 0.2, clip_high: 0.2, kl: None, entropy_coefficient: 0.0 };
    let normaliser = Normaliser::over(Aggregation::TokenMean, [2], 1);
    let of = |old: Option<Vec<f32>>, values: [f64; 4]| {
        let sequence = TrainedSequence { advantage: -1.0, first: 0, length: 2, old, reference: None };
        let objective = PolicyObjective::new(config, &normaliser, vec![sequence]).unwrap();
        let objective = Objective::new(&device, &objective.terms(&labels(&[2]))).unwrap();
        let values = device.upload(&values, "test").unwrap();
        let mut flag = device.filled(1, 0.0, "test").unwrap();
        objective.derivatives::<f32>(&device, 0, values.view(), &flag.view_mut()).unwrap();
        flag.to_host().unwrap()[0].is_nan()
    };
    assert!(!of(None, [-1.0, 0.5, -2.0, 0.5]));
    assert!(of(None, [-1.0, 0.5, f64::NEG_INFINITY, 0.5]));
    assert!(of(None, [f64::NAN, 0.5, -2.0, 0.5]));
    // A ratio beyond f64: e^(0 + 1000).
    assert!(of(Some(vec![-1000.0, 0.0]), [0.0, 0.5, -2.0, 0.5]));
}
