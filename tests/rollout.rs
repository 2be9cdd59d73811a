//! Sampling with a shared prompt cache against the plain forward of the trainer.
#![allow(clippy::unwrap_used)]

mod support;

use attending::model::Decoder;
use attending::model::config::Architecture;
use attending::prefix::{PrefixTree, Sequence};
use attending::rollout::{Completion, Finish, Prompt, Rollout, SamplingParams, Stopping, generate};
use support::Random;

const VOCAB: usize = 61;

fn params(temperature: f64) -> SamplingParams {
    SamplingParams { temperature, top_p: 1.0, top_k: 0, max_new_tokens: 24 }
}

fn decode(tokens: &[u32]) -> String {
    tokens.iter().map(|t| char::from(b'A' + (t % 26) as u8)).collect()
}

fn stopping<'a>(eos: &'a [u32], strings: &'a [String]) -> Stopping<'a> {
    Stopping { eos, strings, decode: &decode }
}

/// Four prompts: two share a beginning, one is the beginning of another.
fn prompts() -> Vec<Vec<u32>> {
    let mut random = Random(21);
    let shared = random.tokens(40, VOCAB);
    let mut all: Vec<Vec<u32>> = (0..2).map(|_| [shared.clone(), random.tokens(13, VOCAB)].concat()).collect();
    all.push(shared[..25].to_vec());
    all.push(random.tokens(7, VOCAB));
    all
}

fn model(architecture: Architecture) -> Decoder {
    let config = support::config(architecture, 2);
    Decoder::new(config.clone(), support::parameters(&config, 4))
}

fn rollout<'a>(
    prompts: &'a [Prompt<'a>],
    group_size: usize,
    params: &'a SamplingParams,
    stopping: &'a Stopping<'a>,
) -> Rollout<'a> {
    Rollout { prompts, group_size, params, stopping, seed: 3, step: 5 }
}

fn sample(
    decoder: &Decoder,
    prompts: &[Vec<u32>],
    group: usize,
    p: &SamplingParams,
    s: &Stopping<'_>,
) -> Vec<Completion> {
    let ids: Vec<String> = (0..prompts.len()).map(|i| format!("case:{i}")).collect();
    let inputs: Vec<Prompt<'_>> = prompts.iter().zip(&ids).map(|(tokens, id)| Prompt { id, tokens }).collect();
    generate(decoder, &rollout(&inputs, group, p, s), &|_| ()).unwrap()
}

#[test]
fn log_probabilities_are_the_trainers() {
    for architecture in [Architecture::Qwen2, Architecture::Llama] {
        let decoder = model(architecture);
        let prompts = prompts();
        let completions = sample(&decoder, &prompts, 5, &params(0.7), &stopping(&[7], &[]));
        assert_eq!(completions.len(), 20);
        let whole: Vec<Vec<u32>> =
            completions.iter().map(|c| [prompts[c.prompt].clone(), c.tokens.clone()].concat()).collect();
        let sequences: Vec<Sequence<'_>> = (whole.iter().zip(&completions))
            .map(|(tokens, c)| Sequence { tokens, trained: prompts[c.prompt].len()..tokens.len() })
            .collect();
        let tree = PrefixTree::from_sequences(&sequences, 8).unwrap();
        let mut compared = 0;
        for (label, value) in tree.labels().iter().zip(decoder.log_probs(&tree, 0.7)) {
            let c = &completions[label.sequence as usize];
            let own = c.log_probs[label.index as usize - prompts[c.prompt].len()];
            assert!((f64::from(own) - value.log_prob).abs() < 1e-4, "{own} {}", value.log_prob);
            compared += 1;
        }
        assert_eq!(compared, completions.iter().map(|c| c.tokens.len()).sum::<usize>());
    }
}

#[test]
fn greedy_follows_the_plain_forward() {
    let decoder = model(Architecture::Qwen2);
    let prompt = &prompts()[0];
    let greedy = &sample(&decoder, std::slice::from_ref(prompt), 1, &params(0.0), &stopping(&[], &[]))[0];
    let mut tokens = prompt.clone();
    for &token in &greedy.tokens {
        // The best next token by asking for each one's log-probability.
        let trials: Vec<Vec<u32>> = (0..VOCAB as u32).map(|t| [tokens.clone(), vec![t]].concat()).collect();
        let sequences: Vec<Sequence<'_>> =
            trials.iter().map(|t| Sequence { tokens: t, trained: t.len() - 1..t.len() }).collect();
        let tree = PrefixTree::from_sequences(&sequences, 1).unwrap();
        let values = decoder.log_probs(&tree, 1.0);
        let best = tree.labels().iter().zip(&values).max_by(|a, b| a.1.log_prob.total_cmp(&b.1.log_prob)).unwrap().0;
        assert_eq!(best.target, token);
        tokens.push(token);
    }
}

#[test]
fn neither_company_nor_threads_change_a_response() {
    let decoder = model(Architecture::Llama);
    let prompts = prompts();
    let ids: Vec<String> = (0..prompts.len()).map(|i| format!("case:{i}")).collect();
    let all = sample(&decoder, &prompts, 4, &params(1.0), &stopping(&[7], &[]));
    for (i, tokens) in prompts.iter().enumerate() {
        let alone = [Prompt { id: &ids[i], tokens }];
        let pool = rayon::ThreadPoolBuilder::new().num_threads(i + 1).build().unwrap();
        let got = pool.install(|| {
            let stopping = Stopping { eos: &[7], strings: &[], decode: &decode };
            generate(&decoder, &rollout(&alone, 2, &params(1.0), &stopping), &|_| ()).unwrap()
        });
        for (c, want) in got.iter().zip(all.iter().filter(|c| c.prompt == i)) {
            assert_eq!(c.tokens, want.tokens);
        }
    }
}

#[test]
fn responses_end_at_end_tokens_stop_strings_and_the_limit() {
    let decoder = model(Architecture::Qwen2);
    let prompts = prompts();
    let strings = ["AB".to_owned(), "Q".to_owned()];
    let completions = sample(&decoder, &prompts, 8, &params(1.0), &stopping(&[7, 8], &strings));
    let mut seen = [0; 3];
    for c in &completions {
        let (last, before) = c.tokens.split_last().unwrap();
        assert!(!before.iter().any(|t| [7, 8].contains(t)));
        assert!(!strings.iter().any(|s| decode(before).contains(s)));
        assert_eq!(c.tokens.len(), c.log_probs.len());
        let text = decode(&c.tokens);
        if [7, 8].contains(last) {
            seen[0] += 1;
            assert_eq!(c.finish, Finish::Stop);
        } else if strings.iter().any(|s| text.contains(s)) {
            seen[1] += 1;
            assert_eq!(c.finish, Finish::Stop);
        } else {
            seen[2] += 1;
            assert_eq!((c.finish, c.tokens.len()), (Finish::Length, 24));
        }
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
}

#[test]
fn a_prompt_beyond_the_context_is_refused() {
    let decoder = model(Architecture::Qwen2);
    let tokens = vec![1; decoder.config.max_position_embeddings - 10];
    let prompt = [Prompt { id: "long", tokens: &tokens }];
    let refused = |prompts: &[Prompt<'_>]| {
        generate(&decoder, &rollout(prompts, 1, &params(1.0), &stopping(&[], &[])), &|_| ()).unwrap_err()
    };
    let error = refused(&prompt);
    assert!(error.to_string().contains("prompt long: 4086 tokens and up to 24 new ones"), "{error}");
    let empty = [Prompt { id: "none", tokens: &[] }];
    assert_eq!(refused(&empty).to_string(), "prompt 0 has no tokens");
}
