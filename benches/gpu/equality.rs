//! Exactness in bf16: log-probabilities and gradients on the device against the f32 decoder of the CPU on the same
//! rounded weights, and the shared prefix against separate sequences.

use std::path::Path;
use std::rc::Rc;

use attending::cuda::{self, Bf16, CudaError, Device};
use attending::model::folder;
use attending::model::parameters::Parameters;
use attending::model::{Decoder, Saved, StepOptions};
use attending::objective::{Label, LabelValue};
use attending::prefix::{PrefixTree, Sequence};
use serde_json::json;

use crate::measurement::Results;
use crate::support::{self, Random, Weighted};

/// What bf16 may cost: mean and largest difference of a log-probability, relative L2 distance of the gradient. PyTorch's
/// own figures on four layers of this width were 0.011, 0.05 and 0.02.
const BARS: [f64; 3] = [1.5e-2, 8e-2, 3e-2];
const OPTIONS: StepOptions = StepOptions { saved: Saved::Input, temperature: 1.0 };

/// Values of the labels and the gradient.
type Passed = (Vec<LabelValue>, Parameters<f32>);

/// Measures the model in `folder`, and writes the sequences with the oracle's log-probabilities to `written`. Whether
/// all is within the bars.
pub fn run(device: &Rc<Device>, folder: &Path, written: &Path, tiny: bool, results: &Results) -> anyhow::Result<bool> {
    let model = folder::load(folder)?;
    let (config, mut parameters) = (model.config, model.parameters);
    round(&mut parameters);
    let (prompt, responses, new) = if tiny { (40, 4, 24) } else { (256, 4, 64) };
    let mut random = Random(1);
    let beginning = random.tokens(prompt, config.vocab_size);
    let sequences: Vec<Vec<u32>> =
        (0..responses).map(|_| [&beginning[..], &random.tokens(new, config.vocab_size)].concat()).collect();
    // The first sequence learns the prompt too, for more figures.
    let trained = |i: usize| if i == 0 { 1 } else { prompt };
    let inputs: Vec<Sequence<'_>> = (sequences.iter().enumerate())
        .map(|(i, tokens)| Sequence { tokens, trained: trained(i)..tokens.len() })
        .collect();
    let (shared, plain) = (PrefixTree::from_sequences(&inputs, 16)?, PrefixTree::from_sequences(&inputs, usize::MAX)?);

    let oracle = Decoder::new(config.clone(), parameters);
    let want = on_cpu(&oracle, &shared);
    let decoder = cuda::Decoder::<Bf16>::new(device, config, &oracle.parameters)?;
    let (got, alone) = (on_device(&decoder, &shared)?, on_device(&decoder, &plain)?);
    let log_probs = by_token(&shared, &want.0);
    write(written, &sequences, trained, &log_probs)?;

    let of = |a: (&PrefixTree, &Passed), b: (&PrefixTree, &Passed)| {
        let (mean, max) = apart(&by_token(a.0, &a.1.0), &by_token(b.0, &b.1.0));
        [mean, max, distance(&a.1.1, &b.1.1)]
    };
    let mut exact = true;
    for (what, [mean, max, gradient]) in [
        ("equality", of((&shared, &got), (&shared, &want))),
        ("equality_plain", of((&plain, &alone), (&shared, &want))),
        ("equality_shared_plain", of((&shared, &got), (&plain, &alone))),
    ] {
        // Not a number is above the bar too.
        exact &= [mean, max, gradient].iter().zip(BARS).all(|(value, bar)| *value <= bar);
        results.add(what, json!({ "mean": mean, "max": max, "gradient": gradient }))?;
    }
    Ok(exact)
}

/// To the nearest bf16, the upper half of an f32; ties to even.
fn round(parameters: &mut Parameters<f32>) {
    for tensor in parameters.named_mut() {
        for value in tensor.values {
            let bits = value.to_bits();
            *value = f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000);
        }
    }
}

/// dLoss/dlogp of a token, the same for both sides.
fn coefficient(label: &Label) -> (f64, f64) {
    (f64::from(support::scattered(label).0 as f32), 0.0)
}

fn on_cpu(decoder: &Decoder<f32>, tree: &PrefixTree) -> Passed {
    let mut gradients = Parameters::filled(&decoder.config, 0.0);
    let mut objective = Weighted(&coefficient);
    let values = decoder.forward_backward(tree, &OPTIONS, &mut objective, &mut gradients);
    (values, gradients)
}

fn on_device(decoder: &cuda::Decoder<Bf16>, tree: &PrefixTree) -> Result<Passed, CudaError> {
    let mut gradients = decoder.zero_gradients()?;
    let values = decoder.forward_backward(tree, &OPTIONS, &Weighted(&coefficient), &mut gradients)?;
    Ok((values.read()?, decoder.gradients_to_host(&gradients)?))
}

/// Log-probabilities by sequence and token, whatever the packing.
fn by_token(tree: &PrefixTree, values: &[LabelValue]) -> Vec<f64> {
    let mut all: Vec<_> = tree.labels().iter().zip(values).map(|(l, v)| (l.sequence, l.index, v.log_prob)).collect();
    all.sort_by_key(|&(sequence, index, _)| (sequence, index));
    all.into_iter().map(|(.., log_prob)| log_prob).collect()
}

/// Mean and largest difference; not a number where a value is none.
fn apart(a: &[f64], b: &[f64]) -> (f64, f64) {
    let apart = || a.iter().zip(b).map(|(a, b)| (a - b).abs());
    let sum: f64 = apart().sum();
    (sum / a.len() as f64, if sum.is_nan() { sum } else { apart().fold(0.0, f64::max) })
}

/// L2 distance of two gradients, relative to the second.
fn distance(a: &Parameters<f32>, b: &Parameters<f32>) -> f64 {
    let pairs = a.named().into_iter().zip(b.named());
    let (apart, all) = pairs.fold((0.0, 0.0), |(apart, all), (a, b)| {
        (apart + support::distance(a.values, b.values).powi(2), all + support::norm(b.values).powi(2))
    });
    f64::sqrt(apart / all)
}

/// The sequences for `pytorch/equality.py`.
fn write(
    path: &Path,
    sequences: &[Vec<u32>],
    trained: impl Fn(usize) -> usize,
    log_probs: &[f64],
) -> anyhow::Result<()> {
    let described = sequences.iter().enumerate().map(|(sequence, tokens)| {
        let first = trained(sequence);
        let label = |i: usize| Label { row: 0, target: 0, sequence: sequence as u32, index: i as u32 };
        let coefficients: Vec<f64> = (first..tokens.len()).map(|i| coefficient(&label(i)).0).collect();
        json!({ "tokens": tokens, "trained_from": first, "coefficients": coefficients })
    });
    let described: Vec<_> = described.collect();
    std::fs::write(path, json!({ "sequences": described, "log_probs": log_probs }).to_string())?;
    Ok(())
}
