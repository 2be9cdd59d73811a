//! The claim of the trainer: one pass over a prefix tree gives what separate, unpadded sequences give.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::ops::Range;

use attending::model::config::Architecture;
use attending::model::parameters::Parameters;
use attending::model::{Decoder, Saved, StepOptions};
use attending::objective::LabelValue;
use attending::ops::Element;
use attending::prefix::{PrefixTree, Sequence};
use support::Random;

type Case = (&'static str, Vec<(Vec<u32>, Range<usize>)>);

/// The shapes and label cases that have caught implementations out.
fn cases() -> Vec<Case> {
    let mut random = Random(5);
    let prompt = random.tokens(37, 61);
    let response = |random: &mut Random, n: usize| [prompt.clone(), random.tokens(n, 61)].concat();
    let from_prompt = |tokens: Vec<u32>| {
        let n = tokens.len();
        (tokens, prompt.len()..n)
    };
    let mut ragged = Vec::new();
    for n in [1, 9, 30, 4, 17] {
        ragged.push(from_prompt(response(&mut random, n)));
    }
    let twin = response(&mut random, 12);
    let identical = vec![from_prompt(twin.clone()), from_prompt(response(&mut random, 7)), from_prompt(twin.clone())];
    let cut = twin[..prompt.len() + 5].to_vec();
    let nested = vec![from_prompt(twin.clone()), from_prompt(cut), from_prompt(response(&mut random, 3))];
    let one_token = (0..5).map(|t| from_prompt([prompt.clone(), vec![t % 3]].concat())).collect();
    let first_words =
        (0..4).map(|i| from_prompt([prompt.clone(), vec![3, 4, 5 + i % 2], random.tokens(6, 61)].concat())).collect();
    // Prompts that are prefixes of each other, each with two responses.
    let mut prompts = Vec::new();
    for cut in [10, 20, 37] {
        for _ in 0..2 {
            let tokens = [prompt[..cut].to_vec(), random.tokens(8, 61)].concat();
            prompts.push((tokens.clone(), cut..tokens.len()));
        }
    }
    // A system prompt over two questions, each with three answers: a tree of depth three, siblings apart.
    let mut deep = Vec::new();
    for _ in 0..2 {
        let question = [prompt.clone(), random.tokens(21, 61)].concat();
        for n in [5, 11, 2] {
            let tokens = [question.clone(), random.tokens(n, 61)].concat();
            deep.push((tokens.clone(), question.len()..tokens.len()));
        }
    }
    // Longer than one tile of queries and of keys.
    let long_prompt = random.tokens(700, 61);
    let long = [150, 300, 40]
        .map(|n| {
            let tokens = [long_prompt.clone(), random.tokens(n, 61)].concat();
            (tokens.clone(), 700..tokens.len())
        })
        .to_vec();
    let all_trained = ragged.iter().map(|(t, _)| (t.clone(), 1..t.len())).collect();
    vec![
        ("one sequence", vec![from_prompt(response(&mut random, 20))]),
        ("ragged group", ragged),
        ("identical responses", identical),
        ("a response that is a prefix of another", nested),
        ("one-token responses", one_token),
        ("shared first tokens", first_words),
        ("prompts that are prefixes of each other", prompts),
        ("two levels", deep),
        ("several tiles", long),
        ("every token trained", all_trained),
        ("nothing shared", (0..3).map(|_| (random.tokens(19, 61), 4..19)).collect()),
    ]
}

struct Outcome<T> {
    values: HashMap<(u32, u32), LabelValue>,
    gradients: Parameters<T>,
}

/// Runs the batches one after another, adding up gradients; sequence numbers count through the batches.
fn run<T: Element>(decoder: &Decoder<T>, batches: &[Vec<Sequence<'_>>], min_shared: usize, saved: Saved) -> Outcome<T> {
    let mut gradients = Parameters::filled(&decoder.config, T::ZERO);
    let mut values = HashMap::new();
    let mut first = 0;
    for batch in batches {
        let tree = PrefixTree::from_sequences(batch, min_shared).unwrap();
        let weights = |l: &attending::prefix::Label| {
            support::scattered(&attending::prefix::Label { sequence: l.sequence + first, ..*l })
        };
        let options = StepOptions { saved, temperature: 0.8 };
        let got = decoder.forward_backward(&tree, &options, &mut support::Weighted(&weights), &mut gradients);
        let forward_only = decoder.log_probs(&tree, 0.8);
        assert_eq!(got, forward_only);
        for (label, value) in tree.labels().iter().zip(got) {
            values.insert((label.sequence + first, label.index), value);
        }
        first += batch.len() as u32;
    }
    Outcome { values, gradients }
}

fn compare<T: Element>(bar: f64) {
    for architecture in [Architecture::Qwen2, Architecture::Llama] {
        let config = support::config(architecture, 3);
        let decoder = Decoder::new(config.clone(), support::parameters::<T>(&config, 9));
        for (name, sequences) in cases() {
            let inputs: Vec<Sequence<'_>> =
                sequences.iter().map(|(tokens, trained)| Sequence { tokens, trained: trained.clone() }).collect();
            let alone: Vec<Vec<Sequence<'_>>> = inputs.iter().map(|s| vec![s.clone()]).collect();
            let want = run(&decoder, &alone, usize::MAX, Saved::All);
            for min_shared in [1, 8] {
                for saved in [Saved::Input, Saved::Attention, Saved::All] {
                    let got = run(&decoder, std::slice::from_ref(&inputs), min_shared, saved);
                    assert_eq!(got.values.len(), want.values.len(), "{name}");
                    for (key, value) in &got.values {
                        let difference = (value.log_prob - want.values[key].log_prob).abs();
                        assert!(difference <= bar, "{name}: log-probability of {key:?} differs by {difference}");
                    }
                    let apart = support::compare_gradients(&got.gradients, &want.gradients, bar);
                    assert!(apart <= bar, "{name} {saved:?}: gradients differ by {apart}");
                }
            }
        }
    }
}

#[test]
fn exact_in_double_precision() {
    compare::<f64>(1e-10);
}

#[test]
fn within_1e_5_in_single_precision() {
    compare::<f32>(1e-5);
}

#[test]
fn every_parameter_receives_a_gradient() {
    for architecture in [Architecture::Qwen2, Architecture::Llama] {
        let config = support::config(architecture, 2);
        let decoder = Decoder::new(config.clone(), support::parameters::<f32>(&config, 3));
        let sequences = &cases()[1].1;
        let inputs: Vec<Sequence<'_>> =
            sequences.iter().map(|(tokens, trained)| Sequence { tokens, trained: trained.clone() }).collect();
        for tensor in run(&decoder, &[inputs], 1, Saved::Input).gradients.named() {
            assert!(support::norm(tensor.values) > 0.0, "{} has no gradient", tensor.name);
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let config = support::config(Architecture::Qwen2, 2);
    let sequences = &cases()[8].1;
    let inputs: Vec<Sequence<'_>> =
        sequences.iter().map(|(tokens, trained)| Sequence { tokens, trained: trained.clone() }).collect();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let decoder = Decoder::new(config.clone(), support::parameters::<f32>(&config, 3));
            run(&decoder, std::slice::from_ref(&inputs), 1, Saved::Attention).gradients
        })
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(5));
}
