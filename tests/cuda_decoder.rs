//! The decoder and the optimiser on a device against those on the CPU, and the shared prefix against plain sequences on
//! the device. Runs on a card, or on the emulated device (tests/cuda_emulator); skipped, with the reason, where there
//! is neither.
#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)]

#[path = "support/device.rs"]
mod device;
#[path = "support/fused.rs"]
mod fused;
mod support;

use std::ops::Range;
use std::rc::Rc;

use attending::cuda::attention::Tiles;
use attending::cuda::gemm::Stored;
use attending::cuda::{self, Bf16, Device};
use attending::model::config::{Architecture, ModelConfig};
use attending::model::parameters::Parameters;
use attending::model::{Decoder, Saved, StepOptions};
use attending::objective::{Kl, KlLoss, LabelValue, Loss, Normaliser, PolicyConfig, PolicyObjective, TrainedSequence};
use attending::optim::{self, AdamWConfig};
use attending::prefix::{PrefixTree, Sequence};
use device::device;
use support::Random;

const TEMPERATURE: f64 = 0.8;

type Sequences = Vec<(Vec<u32>, Range<usize>)>;

/// Trees that have caught implementations out: ragged responses, equal ones, one that is a prefix of another, a second
/// level, a lone sequence.
fn cases() -> Vec<(&'static str, Sequences)> {
    let mut random = Random(5);
    let prompt = random.tokens(19, 61);
    let answer = |random: &mut Random, n: usize| [prompt.clone(), random.tokens(n, 61)].concat();
    let trained = |tokens: Vec<u32>, first: usize| {
        let n = tokens.len();
        (tokens, first..n)
    };
    let ragged = [1, 9, 14, 4].map(|n| trained(answer(&mut random, n), 19)).to_vec();
    let twin = answer(&mut random, 8);
    let nested = vec![
        trained(twin.clone(), 19),
        trained(twin.clone(), 19),
        trained(twin[..23].to_vec(), 19),
        trained(answer(&mut random, 3), 19),
    ];
    let mut deep = Vec::new();
    for _ in 0..2 {
        let question = [prompt.clone(), random.tokens(11, 61)].concat();
        for n in [5, 2] {
            deep.push(trained([question.clone(), random.tokens(n, 61)].concat(), question.len()));
        }
    }
    let lone = vec![trained(answer(&mut random, 20), 1)];
    vec![("ragged", ragged), ("nested", nested), ("two levels", deep), ("one sequence", lone)]
}

fn tree(sequences: &Sequences, min_shared: usize) -> PrefixTree {
    let inputs: Vec<Sequence<'_>> =
        sequences.iter().map(|(tokens, trained)| Sequence { tokens, trained: trained.clone() }).collect();
    PrefixTree::from_sequences(&inputs, min_shared).unwrap()
}

fn on_cpu(decoder: &Decoder<f32>, tree: &PrefixTree) -> (Vec<LabelValue>, Parameters<f32>) {
    let mut gradients = Parameters::filled(&decoder.config, 0.0);
    let options = StepOptions { saved: Saved::All, temperature: TEMPERATURE };
    let mut objective = support::Weighted(&support::scattered);
    let values = decoder.forward_backward(tree, &options, &mut objective, &mut gradients);
    (values, gradients)
}

fn on_device<S: Stored>(
    decoder: &cuda::Decoder<S>,
    tree: &PrefixTree,
    saved: Saved,
) -> (Vec<LabelValue>, Parameters<f32>) {
    let mut gradients = decoder.zero_gradients().unwrap();
    let options = StepOptions { saved, temperature: TEMPERATURE };
    let objective = support::Weighted(&support::scattered);
    let values = decoder.forward_backward(tree, &options, &objective, &mut gradients).unwrap();
    (values.read().unwrap(), decoder.gradients_to_host(&gradients).unwrap())
}

/// A decoder on the device whose attention and head are cut into several pieces even in these small cases.
fn small_pieces<S: Stored>(
    device: &Rc<Device>,
    config: &ModelConfig,
    parameters: &Parameters<f32>,
) -> cuda::Decoder<S> {
    let mut decoder = cuda::Decoder::new(device, config.clone(), parameters).unwrap();
    decoder.tiles = Tiles { keys: 7, scores: 4 * 8 * 5 };
    decoder.chunk_logits = 61 * 6;
    decoder
}

fn largest(got: &[LabelValue], want: &[LabelValue]) -> f64 {
    assert_eq!(got.len(), want.len());
    let apart = |(g, w): (&LabelValue, &LabelValue)| (g.log_prob - w.log_prob).abs().max((g.entropy - w.entropy).abs());
    got.iter().zip(want).map(apart).fold(0.0, f64::max)
}

#[test]
fn in_f32_it_is_the_decoder_of_the_cpu() {
    let Some(device) = device() else { return };
    // What they differ in, biases and the head, does not depend on how trees are cut.
    for (architecture, cuts) in [(Architecture::Qwen2, &[1, 8][..]), (Architecture::Llama, &[1])] {
        let config = support::config(architecture, 2);
        let parameters = support::parameters::<f32>(&config, 9);
        let cpu = Decoder::new(config.clone(), parameters.clone());
        let pieces = small_pieces::<f32>(&device, &config, &parameters);
        let whole = cuda::Decoder::<f32>::new(&device, config, &parameters).unwrap();
        for (name, sequences) in cases() {
            for &min_shared in cuts {
                let tree = tree(&sequences, min_shared);
                let (want, want_gradients) = on_cpu(&cpu, &tree);
                for (decoder, saved) in [(&pieces, Saved::Attention), (&whole, Saved::All), (&whole, Saved::Input)] {
                    let (got, gradients) = on_device(decoder, &tree, saved);
                    let apart = largest(&got, &want);
                    assert!(apart <= 1e-5, "{name}: values differ by {apart}");
                    let apart = support::compare_gradients(&gradients, &want_gradients, 1e-5);
                    assert!(apart <= 1e-5, "{name} {saved:?}: gradients differ by {apart}");
                }
                assert!(largest(&pieces.log_probs(&tree, TEMPERATURE).unwrap(), &want) <= 1e-5, "{name}");
            }
        }
    }
}

#[test]
fn in_bf16_it_is_within_the_rounding_and_sharing_adds_nothing() {
    let Some(device) = device() else { return };
    device.set_fused(None);
    bf16_against_the_cpu(&device);
}

/// With cuDNN on a card; on the emulated device with attention by its definition.
#[test]
fn fused_attention_is_within_the_rounding_and_sharing_adds_nothing() {
    let Some(device) = device() else { return };
    match device.fused() {
        Ok(_) => {}
        Err(_) if device.name().starts_with("emulated") => device.set_fused(Some(Rc::new(fused::Definition))),
        Err(error) => return println!("skipped, there is no fused attention: {error}"),
    }
    bf16_against_the_cpu(&device);
}

fn bf16_against_the_cpu(device: &Rc<Device>) {
    let config = support::config(Architecture::Qwen2, 2);
    let mut parameters = support::parameters::<f32>(&config, 9);
    // The oracle has the same, rounded weights: bf16 is the upper half of an f32, to the nearest, ties to even.
    for tensor in parameters.named_mut() {
        for value in tensor.values {
            let bits = value.to_bits();
            *value = f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000);
        }
    }
    let cpu = Decoder::new(config.clone(), parameters.clone());
    let decoder = cuda::Decoder::<Bf16>::new(device, config, &parameters).unwrap();
    let mean = |a: &[LabelValue], b: &[LabelValue]| {
        a.iter().zip(b).map(|(a, b)| (a.log_prob - b.log_prob).abs()).sum::<f64>() / a.len() as f64
    };
    let relative = |a: &Parameters<f32>, b: &Parameters<f32>| {
        let square = |d: f64| d * d;
        let pairs = a.named().into_iter().zip(b.named());
        let (apart, all) = pairs.fold((0.0, 0.0), |(apart, all), (a, b)| {
            (apart + square(support::distance(a.values, b.values)), all + square(support::norm(b.values)))
        });
        f64::sqrt(apart / all)
    };
    for (name, sequences) in cases() {
        let (shared, plain) = (tree(&sequences, 1), tree(&sequences, usize::MAX));
        let (want, want_gradients) = on_cpu(&cpu, &shared);
        let (got, gradients) = on_device(&decoder, &shared, Saved::Input);
        assert_eq!(on_device(&decoder, &shared, Saved::All), (got.clone(), gradients.clone()), "{name}: what is kept");
        // The bars of one layer of the true width are 1.5e-2 and 3e-2; these narrow layers with large random weights
        // (standard deviation 1 of every product) round as coarsely.
        let (values, gradient) = (mean(&got, &want), relative(&gradients, &want_gradients));
        let (alone, alone_gradients) = on_device(&decoder, &plain, Saved::Input);
        let (cpu_alone, cpu_alone_gradients) = on_cpu(&cpu, &plain);
        let (plain_values, plain_gradient) =
            (mean(&alone, &cpu_alone), relative(&alone_gradients, &cpu_alone_gradients));
        println!(
            "{name}: mean {values:.5} (plain {plain_values:.5}), gradient {gradient:.5} (plain {plain_gradient:.5})"
        );
        assert!(values <= 1.5e-2 && gradient <= 3e-2, "{name}: {values}, {gradient}");
        assert!(values <= 2.0 * plain_values && gradient <= 2.0 * plain_gradient, "{name}");
    }
}

#[test]
fn the_same_input_gives_the_same_bits() {
    let Some(device) = device() else { return };
    let config = support::config(Architecture::Llama, 2);
    let decoder = cuda::Decoder::<Bf16>::new(&device, config.clone(), &support::parameters(&config, 2)).unwrap();
    let tree = tree(&cases()[1].1, 1);
    assert_eq!(on_device(&decoder, &tree, Saved::Input), on_device(&decoder, &tree, Saved::Input));
}

#[test]
fn a_loss_of_sequences_and_every_other_is_that_of_the_cpu() {
    let Some(device) = device() else { return };
    let config = support::config(Architecture::Qwen2, 2);
    let parameters = support::parameters::<f32>(&config, 9);
    let cpu = Decoder::new(config.clone(), parameters.clone());
    let on_card = small_pieces::<f32>(&device, &config, &parameters);
    let sequences = &cases()[1].1;
    let tree = tree(sequences, 1);
    let before = cpu.log_probs(&tree, TEMPERATURE);
    let mut random = Random(77);
    let trained: Vec<TrainedSequence> = sequences
        .iter()
        .enumerate()
        .map(|(sequence, (_, range))| {
            // The values of this sequence's labels, moved so that some ratios leave the bounds.
            let own = tree.labels().iter().zip(&before).filter(|(label, _)| label.sequence as usize == sequence);
            let mut own: Vec<_> = own.map(|(label, value)| (label.index, value.log_prob as f32)).collect();
            own.sort_by_key(|(index, _)| *index);
            let mut moved = |by: f64| Some(own.iter().map(|(_, v)| v + (by * random.unit()) as f32).collect());
            TrainedSequence {
                advantage: [1.0, -0.7, 0.3, -1.2][sequence],
                first: range.start,
                length: range.len(),
                old: moved(0.5),
                reference: moved(1.0),
            }
        })
        .collect();
    let normaliser = Normaliser::over(Default::default(), trained.iter().map(|t| t.length), 1);
    let options = StepOptions { saved: Saved::Input, temperature: TEMPERATURE };
    for loss in [Loss::Ppo, Loss::Gspo, Loss::Cispo] {
        let kl = Some(KlLoss { kind: Kl::K3, coefficient: 0.2, off_policy: true });
        let settings = PolicyConfig { loss, clip_low: 0.2, clip_high: 0.28, kl, entropy_coefficient: 0.05 };
        let mut objective = PolicyObjective::new(settings, &normaliser, trained.clone()).unwrap();
        let mut want = Parameters::filled(&config, 0.0);
        let values = cpu.forward_backward(&tree, &options, &mut objective, &mut want);
        let mut gradients = on_card.zero_gradients().unwrap();
        let got = on_card.forward_backward(&tree, &options, &objective, &mut gradients).unwrap().read().unwrap();
        assert!(largest(&got, &values) <= 1e-5, "{loss:?}");
        let apart = support::compare_gradients(&on_card.gradients_to_host(&gradients).unwrap(), &want, 1e-5);
        assert!(apart <= 1e-5, "{loss:?}: gradients differ by {apart}");
        let sums = |values| objective.sums(tree.labels(), values);
        assert!((sums(&got).loss - sums(&values).loss).abs() <= 1e-5);
        assert!(sums(&got).clipped_low + sums(&got).clipped_high > 0 || loss == Loss::Gspo, "a bound takes effect");
    }
}

#[test]
fn a_reference_gives_the_same_bits_from_either_memory() {
    let Some(device) = device() else { return };
    for architecture in [Architecture::Qwen2, Architecture::Llama] {
        let config = support::config(architecture, 3);
        let parameters = support::parameters(&config, 4);
        let tree = tree(&cases()[2].1, 1);
        let want = cuda::Decoder::<Bf16>::new(&device, config.clone(), &parameters).unwrap();
        let want = want.log_probs(&tree, TEMPERATURE).unwrap();
        let near = cuda::Reference::<Bf16>::new(&device, config.clone(), &parameters).unwrap();
        let far = cuda::Reference::<Bf16>::on_host(&device, config, &parameters).unwrap();
        for reference in [near, far] {
            assert_eq!(reference.log_probs(&tree, TEMPERATURE).unwrap(), want);
        }
    }
}

#[test]
fn the_optimiser_takes_the_steps_of_the_cpu_from_either_memory_and_skips_what_is_not_finite() {
    let Some(device) = device() else { return };
    for on_host in [false, true] {
        optimiser_against_the_cpu(&device, on_host);
    }
}

fn optimiser_against_the_cpu(device: &Rc<Device>, on_host: bool) {
    let make = if on_host { cuda::AdamW::on_host::<f32> } else { cuda::AdamW::new::<f32> };
    let config = support::config(Architecture::Qwen2, 1);
    let settings = AdamWConfig { weight_decay: 0.1, ..AdamWConfig::default() };
    let mut parameters = support::parameters::<f32>(&config, 3);
    let mut cpu = optim::AdamW::new(settings, &parameters).unwrap();
    let (mut optimiser, mut decoder) = make(device, settings, config.clone(), &parameters, None).unwrap();
    for step in 0..3 {
        let gradient = support::parameters::<f32>(&config, 40 + step);
        // The second step's gradient is far above the bound, the others below.
        let max_norm = if step == 1 { 0.5 } else { 1e6 };
        let norm = optim::global_norm(&gradient);
        cpu.step(&mut parameters, &gradient, 0.01, optim::clip_scale(norm, max_norm)).unwrap();
        let mut flat = device.upload(&decoder.layout.flatten(&gradient), "test").unwrap();
        let stepped = optimiser.step(&mut decoder, &mut flat, 0.01, max_norm).unwrap();
        assert!(stepped.taken && (stepped.norm - norm).abs() <= 1e-9 * norm);
        assert!(flat.to_host().unwrap().iter().all(|v| *v == 0.0), "the gradient is cleared");
    }
    let got = optimiser.parameters(&decoder).unwrap();
    support::compare_gradients(&got, &parameters, 1e-6);
    let state = optimiser.state(&decoder).unwrap();
    assert_eq!((state.step, optimiser.steps()), (3, 3));
    support::compare_gradients(&state.first, &cpu.state().first, 1e-5);
    support::compare_gradients(&state.second, &cpu.state().second, 1e-5);

    let mut bad = support::parameters::<f32>(&config, 50);
    bad.layers[0].k[5] = f32::INFINITY;
    let bad = decoder.layout.flatten(&bad);
    // What a loss that is not finite leaves behind the gradients.
    let mut lost = decoder.layout.flatten(&support::parameters::<f32>(&config, 51));
    lost.push(f32::NAN);
    for flat in [bad, lost] {
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        let mut on_device = device.upload(&flat, "test").unwrap();
        assert!(!optimiser.step(&mut decoder, &mut on_device, 0.01, 1.0).unwrap().taken);
        assert_eq!(bits(&on_device.to_host().unwrap()), bits(&flat), "the gradient is as it was");
    }
    assert_eq!(optimiser.parameters(&decoder).unwrap(), got);
    assert_eq!(optimiser.steps(), 3);
    // A checkpoint's state goes on to the same bits.
    let (resumed, _) = make(device, settings, config, &got, Some(&state)).unwrap();
    assert_eq!(resumed.state(&decoder).unwrap(), state);
}
