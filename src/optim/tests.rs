#![allow(clippy::unwrap_used)]

use serde::Deserialize;

use super::*;
use crate::model::parameters::{LayerParameters, Parameters};

#[derive(Deserialize)]
struct Tensors {
    embedding: Vec<f64>,
    q: Vec<f64>,
    attention_norm: Vec<f64>,
    final_norm: Vec<f64>,
}

impl Tensors {
    fn parameters(&self) -> Parameters<f32> {
        let of = |values: &[f64]| values.iter().map(|v| *v as f32).collect();
        Parameters {
            embedding: of(&self.embedding),
            layers: vec![LayerParameters {
                attention_norm: of(&self.attention_norm),
                q: of(&self.q),
                ..LayerParameters::default()
            }],
            final_norm: of(&self.final_norm),
            head: None,
        }
    }
}

#[derive(Deserialize)]
struct Fixture {
    betas: [f64; 2],
    eps: f64,
    weight_decay: f64,
    max_norm: f64,
    start: Tensors,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    rate: f64,
    norm: f64,
    gradients: Tensors,
    after: Tensors,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../../tests/fixtures/adamw.json")).unwrap()
}

fn config(fixture: &Fixture) -> AdamWConfig {
    AdamWConfig { betas: fixture.betas, eps: fixture.eps, weight_decay: fixture.weight_decay }
}

fn distance(a: &Parameters<f32>, b: &Parameters<f32>) -> f32 {
    let (a, b) = (a.named(), b.named());
    let pairs = a.iter().zip(&b).flat_map(|(a, b)| a.values.iter().zip(b.values));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// tests/fixtures/adamw.py: torch.optim.AdamW and clip_grad_norm_ in float64.
#[test]
fn steps_equal_pytorch() {
    let fixture = fixture();
    let mut parameters = fixture.start.parameters();
    let mut optimiser = AdamW::new(config(&fixture), &parameters).unwrap();
    for step in &fixture.steps {
        let gradients = step.gradients.parameters();
        let norm = global_norm(&gradients);
        assert!((norm - step.norm).abs() < 1e-6 * step.norm);
        optimiser.step(&mut parameters, &gradients, step.rate, clip_scale(norm, fixture.max_norm)).unwrap();
        // Values are of size 1: 2e-7 is two units of the last place of f32.
        assert!(distance(&parameters, &step.after.parameters()) < 5e-7);
    }
    assert_eq!(optimiser.state().step, 6);
}

#[test]
fn a_restored_state_goes_on_to_the_same_bits() {
    let fixture = fixture();
    let mut unbroken = fixture.start.parameters();
    let mut optimiser = AdamW::new(config(&fixture), &unbroken).unwrap();
    let mut saved = None;
    for (i, step) in fixture.steps.iter().enumerate() {
        if i == 3 {
            saved = Some((unbroken.clone(), optimiser.state().clone()));
        }
        optimiser.step(&mut unbroken, &step.gradients.parameters(), step.rate, 0.5).unwrap();
    }
    let (mut resumed, state) = saved.unwrap();
    let mut optimiser = AdamW::with_state(config(&fixture), state, &resumed).unwrap();
    for step in &fixture.steps[3..] {
        optimiser.step(&mut resumed, &step.gradients.parameters(), step.rate, 0.5).unwrap();
    }
    assert_eq!(resumed, unbroken);
}

#[test]
fn threads_do_not_change_a_bit() {
    // Several chunks and a remainder; values that do not add up exactly.
    let wave = |n: usize, f: f32| (0..n).map(|i| (i as f32 * f).sin()).collect::<Vec<_>>();
    let parameters = |f| Parameters {
        embedding: wave(3 * CHUNK + 17, f),
        layers: Vec::new(),
        final_norm: wave(1, f),
        head: Some(wave(CHUNK, f)),
    };
    let run = |threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let (mut values, gradients) = (parameters(0.37), parameters(0.11));
            let mut optimiser = AdamW::new(AdamWConfig::default(), &values).unwrap();
            for _ in 0..3 {
                optimiser.step(&mut values, &gradients, 1e-3, 0.7).unwrap();
            }
            (values, global_norm(&gradients).to_bits())
        })
    };
    assert_eq!(run(1), run(2));
    assert_eq!(run(1), run(7));
}

#[test]
fn the_norm_adds_in_f64() {
    // 2^20 - 1 ones beside one 2^14: in f32 the ones would be lost beside its square, 2^28.
    let mut embedding = vec![1.0f32; 1 << 20];
    embedding[5] = 16384.0;
    let parameters = Parameters { embedding, layers: Vec::new(), final_norm: vec![0.0], head: None };
    assert!((global_norm(&parameters) - ((1u64 << 28) as f64 + ((1 << 20) - 1) as f64).sqrt()).abs() < 1e-9);
    let broken = Parameters { embedding: vec![f32::NAN], layers: Vec::new(), final_norm: vec![0.0], head: None };
    assert!(global_norm(&broken).is_nan());
    assert_eq!(clip_scale(0.5, 1.0), 1.0);
    assert!((clip_scale(4.0, 1.0) - 0.25).abs() < 1e-6);
    assert_eq!(clip_scale(4.0, 0.0), 1.0);
}

#[test]
fn schedules_by_hand() {
    let of = |kind, step| Schedule { kind, peak: 2.0, warmup: 2, total: 6 }.rate(step);
    // Warm-up: 1/2, 2/2 of the peak. Then 4 steps: progress 0, 1/4, 1/2, 3/4, and 1 from there on.
    for kind in [ScheduleKind::Constant, ScheduleKind::Linear, ScheduleKind::Cosine] {
        assert_eq!((of(kind, 0), of(kind, 1), of(kind, 2)), (1.0, 2.0, 2.0));
    }
    assert_eq!(of(ScheduleKind::Constant, 99), 2.0);
    assert_eq!([3, 4, 5, 6, 99].map(|s| of(ScheduleKind::Linear, s)), [1.5, 1.0, 0.5, 0.0, 0.0]);
    // 2 * (1 + cos(pi / 4)) / 2 = 1.70711; at half way 1.
    assert!((of(ScheduleKind::Cosine, 3) - 1.707_106_8).abs() < 1e-6);
    assert!((of(ScheduleKind::Cosine, 4) - 1.0).abs() < 1e-12);
    assert!(of(ScheduleKind::Cosine, 99).abs() < 1e-12);
    let no_warmup = Schedule { kind: ScheduleKind::Linear, peak: 1.0, warmup: 0, total: 0 };
    assert_eq!(no_warmup.rate(0), 1.0);
}

#[test]
fn bad_input_is_refused_in_one_sentence() {
    let parameters = fixture().start.parameters();
    let refused = |config| AdamW::new(config, &parameters).unwrap_err().to_string();
    assert_eq!(
        refused(AdamWConfig { betas: [0.9, 1.0], ..AdamWConfig::default() }),
        "optim.betas[1] is 1; it must be at least 0 and below 1"
    );
    assert!(refused(AdamWConfig { eps: 0.0, ..AdamWConfig::default() }).contains("optim.eps"));
    let mut optimiser = AdamW::new(AdamWConfig::default(), &parameters).unwrap();
    let mut other = parameters.clone();
    other.embedding.pop();
    let error = optimiser.step(&mut other, &parameters, 0.1, 1.0).unwrap_err();
    assert_eq!(error.to_string(), "optimiser state: model.embed_tokens.weight has 11 values, the model's has 12");
    assert_eq!(optimiser.state().step, 0);
}
