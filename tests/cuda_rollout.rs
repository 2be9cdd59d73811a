//! Rollouts on a device against those of the CPU, and their kernels against sums by hand. Runs on a card, or on the
//! emulated device (tests/cuda_emulator); skipped, with the reason, where there is neither.
#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)]

#[path = "support/device.rs"]
mod device;
mod support;

use std::rc::Rc;

use attending::config::ConfigSource;
use attending::cuda::decode_attention::{DecodeAttention, Seen, Span};
use attending::cuda::draw::draw;
use attending::cuda::gemm::Stored;
use attending::cuda::ops::{self, Heads};
use attending::cuda::{self, Bf16, Buffer, Device};
use attending::model::Decoder;
use attending::model::config::{Architecture, ModelConfig};
use attending::objective::{CrossEntropy, Normaliser};
use attending::prefix::{PrefixTree, Sequence};
use attending::rollout::{Completion, Finish, Prompt, Rollout, SamplingParams, Stopping, generate};
use attending::trainer::learner::Learner;
use attending::trainer::pack::TokenGroup;
use device::device;
use support::Random;

const VOCAB: usize = 61;

fn params(temperature: f64, top_p: f64, top_k: usize, max_new_tokens: usize) -> SamplingParams {
    SamplingParams { temperature, top_p, top_k, max_new_tokens }
}

/// Prompts of several lengths: two share a beginning, two are equal, one is a single token.
fn prompts() -> Vec<Vec<u32>> {
    let mut random = Random(21);
    let shared = random.tokens(20, VOCAB);
    let mut all: Vec<Vec<u32>> = (0..2).map(|i| [shared.clone(), random.tokens(3 + 4 * i, VOCAB)].concat()).collect();
    all.push(random.tokens(6, VOCAB));
    all.push(all[0].clone());
    all.push(vec![5]);
    all
}

fn decode(tokens: &[u32]) -> String {
    tokens.iter().map(|t| char::from(b'A' + (t % 26) as u8)).collect()
}

/// Calls `f` with the rollout of three responses to each of the prompts.
fn with_rollout<R>(prompts: &[Vec<u32>], params: &SamplingParams, f: impl FnOnce(&Rollout<'_>) -> R) -> R {
    let ids: Vec<String> = (0..prompts.len()).map(|i| format!("case:{i}")).collect();
    let prompts: Vec<Prompt<'_>> = prompts.iter().zip(&ids).map(|(tokens, id)| Prompt { id, tokens }).collect();
    let strings = ["QX".to_owned()];
    let stopping = Stopping { eos: &[7, 8, 9, 10, 11, 12, 13, 14, 15, 16], strings: &strings, decode: &decode };
    f(&Rollout { prompts: &prompts, group_size: 3, params, stopping: &stopping, seed: 3, step: 5 })
}

/// The same tokens, and log-probabilities that are as near as f32 sums in another order.
fn same(got: &[Completion], want: &[Completion], what: &str) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        let of = |c: &Completion| (c.prompt, c.sample, c.tokens.clone(), c.finish);
        assert_eq!(of(got), of(want), "{what}");
        for (g, w) in got.log_probs.iter().zip(&want.log_probs) {
            assert!((g - w).abs() <= 1e-4, "{what}: {g}, not {w}");
        }
    }
}

/// A model whose heads are 64 wide, three to a key head.
fn wide_heads() -> ModelConfig {
    let config = support::config(Architecture::Qwen2, 2);
    ModelConfig { hidden_size: 48, heads: 6, kv_heads: 2, head_dim: 64, ..config }
}

#[test]
fn in_f32_the_tokens_are_those_of_the_cpu() {
    let Some(device) = device() else { return };
    let prompts = prompts();
    // The sampled distributions, then the room in the cache: all at once, a few, one response at a time.
    let narrow = [(params(0.8, 1.0, 0, 9), 90), (params(0.9, 0.7, 0, 5), 60), (params(0.0, 1.0, 0, 5), 0)];
    let wide = [(params(1.0, 1.0, 5, 5), 1), (params(1.2, 0.8, 12, 5), 0)];
    for (config, ways) in [(support::config(Architecture::Llama, 2), &narrow[..]), (wide_heads(), &wide)] {
        let parameters = support::parameters::<f32>(&config, 4);
        let on_device = cuda::Decoder::<f32>::new(&device, config.clone(), &parameters).unwrap();
        let cpu = Decoder::new(config, parameters);
        let mut lengths = Vec::new();
        for (params, cache_tokens) in ways {
            let (want, got) = with_rollout(&prompts, params, |rollout| {
                let want = generate(&cpu, rollout, &|_| ()).unwrap();
                (want, on_device.generate(rollout, *cache_tokens, &|_| ()).unwrap())
            });
            same(&got, &want, &format!("{params:?} in {cache_tokens}"));
            lengths.extend(want.iter().map(|c| c.tokens.len()));
        }
        lengths.sort_unstable();
        lengths.dedup();
        assert!(lengths.len() >= 4, "sequences leave the batch at different times: {lengths:?}");
    }
}

#[test]
fn the_trainer_samples_on_its_device_under_its_latest_weights() {
    let Some(_) = device() else { return };
    let mut source = ConfigSource::default();
    for setting in ["trainer.device=cuda", "optim.lr=0.05", "rollout.cache_tokens=80"] {
        source.set(setting).unwrap();
    }
    let config = support::config(Architecture::Qwen2, 1);
    let decoder = Decoder::new(config.clone(), support::parameters(&config, 4));
    let mut learner = Learner::new(decoder, None, &source.resolve().unwrap(), 10, 0.8).unwrap();
    let (prompts, params) = (prompts(), params(0.8, 1.0, 0, 6));
    let mut sampled = Vec::new();
    for _ in 0..2 {
        let cpu = Decoder::new(config.clone(), learner.parameters().unwrap().into_owned());
        sampled.push(with_rollout(&prompts, &params, |rollout| {
            let got = learner.generate(rollout).unwrap();
            same(&got, &generate(&cpu, rollout, &|_| ()).unwrap(), "trainer");
            got
        }));
        let groups = [TokenGroup { prompt: prompts[0].clone(), responses: vec![vec![3, 4, 5], vec![6]] }];
        let normaliser = Normaliser::over(Default::default(), [3, 1], 1);
        for parts in learner.cut(&groups) {
            let packed = learner.pack(&groups, &parts).unwrap();
            let mut objective = CrossEntropy::new(&normaliser, &packed.lengths);
            let _ = learner.accumulate(&packed, &mut objective).unwrap();
        }
        assert!(learner.apply().unwrap().grad_norm > 0.0);
    }
    assert_ne!(sampled[0], sampled[1]);
}

#[test]
fn nothing_to_write_and_nothing_to_answer() {
    let Some(device) = device() else { return };
    let config = support::config(Architecture::Llama, 1);
    let decoder = cuda::Decoder::<f32>::new(&device, config.clone(), &support::parameters(&config, 1)).unwrap();
    let got = with_rollout(&prompts(), &params(1.0, 1.0, 0, 0), |rollout| decoder.generate(rollout, 0, &|_| ()));
    let got = got.unwrap();
    assert_eq!(got.len(), 15);
    assert!(got.iter().all(|c| c.tokens.is_empty() && c.finish == Finish::Length));
    let got = with_rollout(&[], &params(1.0, 1.0, 0, 4), |rollout| decoder.generate(rollout, 0, &|_| ()));
    assert_eq!(got.unwrap(), []);
}

#[test]
fn what_cannot_be_sampled_is_an_error() {
    let Some(device) = device() else { return };
    let config = support::config(Architecture::Llama, 1);
    let mut parameters = support::parameters::<f32>(&config, 1);
    let decoder = cuda::Decoder::<f32>::new(&device, config.clone(), &parameters).unwrap();
    let refused = |decoder: &cuda::Decoder<f32>, prompts: &[Vec<u32>]| {
        let params = params(1.0, 1.0, 0, 24);
        with_rollout(prompts, &params, |rollout| decoder.generate(rollout, 0, &|_| ())).unwrap_err().to_string()
    };
    let message = refused(&decoder, &[vec![1; 4086]]);
    assert!(message.starts_with("prompt case:0: 4086 tokens and up to 24 new ones exceed"), "{message}");
    assert_eq!(refused(&decoder, &[vec![1], Vec::new()]), "prompt 1 has no tokens");
    // Only the second prompt reads token 3.
    parameters.embedding[3 * config.hidden_size] = f32::NAN;
    let decoder = cuda::Decoder::<f32>::new(&device, config, &parameters).unwrap();
    assert_eq!(refused(&decoder, &[vec![1, 2], vec![3, 2]]), "prompt case:1: the model's logits are not finite");
}

#[test]
fn in_bf16_log_probabilities_are_the_trainers() {
    let Some(device) = device() else { return };
    for config in [support::config(Architecture::Llama, 2), wide_heads()] {
        let parameters = support::parameters::<f32>(&config, 4);
        let decoder = cuda::Decoder::<Bf16>::new(&device, config, &parameters).unwrap();
        let prompts = prompts();
        let completions = with_rollout(&prompts, &params(0.9, 1.0, 0, 8), |rollout| {
            let completions = decoder.generate(rollout, 0, &|_| ()).unwrap();
            assert_eq!(decoder.generate(rollout, 0, &|_| ()).unwrap(), completions, "the same bits run to run");
            completions
        });
        let whole: Vec<Vec<u32>> =
            completions.iter().map(|c| [prompts[c.prompt].clone(), c.tokens.clone()].concat()).collect();
        let sequences: Vec<Sequence<'_>> = (whole.iter().zip(&completions))
            .map(|(tokens, c)| Sequence { tokens, trained: prompts[c.prompt].len()..tokens.len() })
            .collect();
        let tree = PrefixTree::from_sequences(&sequences, 8).unwrap();
        let (mut sum, mut count) = (0.0, 0_usize);
        for (label, value) in tree.labels().iter().zip(decoder.log_probs(&tree, 0.9).unwrap()) {
            let c = &completions[label.sequence as usize];
            let own = c.log_probs[label.index as usize - prompts[c.prompt].len()];
            sum += (f64::from(own) - value.log_prob).abs();
            count += 1;
        }
        assert_eq!(count, completions.iter().map(|c| c.tokens.len()).sum::<usize>());
        // The bar of the trainer's own two paths is 1.5e-2 each against f32.
        let mean = sum / count as f64;
        assert!(mean <= 2e-2, "mean difference {mean}");
    }
}

/// An array on the device in the element type, and its values as the device has them.
fn up<S: Stored>(device: &Rc<Device>, values: &[f32]) -> (Buffer<S>, Vec<f64>) {
    let mut buffer = device.buffer::<S>(values.len(), "test").unwrap();
    ops::round_to(device, device.upload(values, "test").unwrap().view(), &buffer.view_mut()).unwrap();
    let widened = host(device, &buffer);
    (buffer, widened)
}

/// Values of the device as numbers.
fn host<S: Stored>(device: &Rc<Device>, buffer: &Buffer<S>) -> Vec<f64> {
    // Widened as the one row of an embedding.
    let rows = device.upload(&[0_u32], "test").unwrap();
    let mut wide = device.buffer::<f32>(buffer.len(), "test").unwrap();
    ops::embed(device, buffer.view(), rows.view(), buffer.len(), &wide.view_mut()).unwrap();
    wide.to_host().unwrap().into_iter().map(f64::from).collect()
}

/// The decode attention of `rows` by its definition, and how far the device's is from it.
fn attention_error<S: Stored>(device: &Rc<Device>, heads: Heads, rows: &[Seen], cache_rows: usize) -> f64 {
    let Heads { kv_heads, group, dim } = heads;
    let (width, stride) = (kv_heads * dim, (kv_heads * group + 2 * kv_heads) * dim);
    let mut random = Random(9);
    let mut values = |n: usize, scale: f64| -> Vec<f32> { (0..n).map(|_| (scale * random.unit()) as f32).collect() };
    let (q, mut keys, mut cached) =
        (values(rows.len() * stride, 2.0), values(cache_rows * width, 2.0), values(cache_rows * width, 1.0));
    // Rows of nobody: who reads them, gets what is not a number.
    let owned = |row: usize| {
        let inside = |span: Span| (span.start..span.start + span.len).contains(&row);
        rows.iter().any(|seen| inside(seen.prefix) || inside(seen.own))
    };
    for row in (0..cache_rows).filter(|&row| !owned(row)) {
        keys[row * width..(row + 1) * width].fill(f32::NAN);
        cached[row * width..(row + 1) * width].fill(f32::NAN);
    }
    let ((on_q, q), (on_k, keys), (on_v, cached)) = (up::<S>(device, &q), up::<S>(device, &keys), up(device, &cached));
    let out_len = rows.len() * kv_heads * group * dim;
    // A row of canaries behind the output.
    let (mut out, canaries) = up::<S>(device, &vec![7.0; out_len + kv_heads * group * dim]);
    let mut attention = DecodeAttention::new(device, heads, rows).unwrap();
    attention.run(device, (on_q.view(), stride), (on_k.view(), on_v.view()), &out.view_mut()).unwrap();
    let got = host(device, &out);
    assert_eq!(got[out_len..], canaries[out_len..], "rows behind the output are as they were");

    let mut apart = 0.0_f64;
    for (row, seen) in rows.iter().enumerate() {
        let tokens: Vec<usize> =
            [seen.prefix, seen.own].iter().flat_map(|span| span.start..span.start + span.len).collect();
        for head in 0..kv_heads * group {
            let query = &q[row * stride + head * dim..][..dim];
            let at = |values: &[f64], token: usize| values[token * width + head / group * dim..][..dim].to_vec();
            let scores: Vec<f64> = tokens
                .iter()
                .map(|&token| query.iter().zip(at(&keys, token)).map(|(q, k)| q * k).sum::<f64>() / (dim as f64).sqrt())
                .collect();
            let top = scores.iter().copied().fold(f64::MIN, f64::max);
            let total: f64 = scores.iter().map(|s| (s - top).exp()).sum();
            let mut want = vec![0.0; dim];
            for (&token, score) in tokens.iter().zip(&scores) {
                let weight = (score - top).exp() / total;
                want.iter_mut().zip(at(&cached, token)).for_each(|(w, v)| *w += weight * v);
            }
            let got = &got[(row * kv_heads * group + head) * dim..][..dim];
            // Written so that what is not a number counts.
            let far =
                got.iter().zip(&want).map(|(g, w)| (g - w).abs()).fold(0.0, |m: f64, d| if d <= m { m } else { d });
            apart = if far <= apart { apart } else { far };
        }
    }
    apart
}

#[test]
fn decode_attention_is_its_definition() {
    let Some(device) = device() else { return };
    let span = |start, len| Span { start, len };
    // One prefix of two pieces with a ragged end, shared; one without; own keys from one to more than a tile.
    let shared = span(3, 300);
    let rows = [
        Seen { prefix: shared, own: span(310, 1) },
        Seen { prefix: shared, own: span(320, 70) },
        Seen { prefix: shared, own: span(400, 17) },
        Seen { prefix: span(420, 5), own: span(430, 16) },
        Seen { prefix: Span::default(), own: span(450, 2) },
    ];
    for (kv_heads, group, dim) in [(2, 8, 128), (2, 3, 64), (1, 12, 64), (1, 1, 128), (2, 4, 80)] {
        let heads = Heads { kv_heads, group, dim };
        let exact = attention_error::<f32>(&device, heads, &rows, 460);
        // Weights are rounded to bf16, and so is the output, of values up to 1: 2^-8 together.
        let rounded = attention_error::<Bf16>(&device, heads, &rows, 460);
        assert!(exact <= 2e-6 && rounded <= 4e-3, "{heads:?}: {exact} in f32, {rounded} in bf16");
    }
}

#[test]
fn draws_follow_the_distribution_and_log_probabilities_ignore_the_cuts() {
    let Some(device) = device() else { return };
    // Probabilities 0.125, 0.5, 0.125, 0.25.
    let row: Vec<f32> = [0.125_f32, 0.5, 0.125, 0.25].iter().map(|p| p.ln()).collect();
    let draws = |uniform: &[f64], temperature, top_p, top_k| -> Vec<(u32, f32)> {
        let logits = device.upload(&row.repeat(uniform.len()), "test").unwrap();
        let drawn = draw(&device, logits.view(), 4, &params(temperature, top_p, top_k, 1), uniform).unwrap();
        drawn.into_iter().map(|d| d.map(|d| (d.token, d.log_prob)).unwrap()).collect()
    };
    let tokens = |uniform: &[f64], temperature, top_p, top_k| -> Vec<u32> {
        draws(uniform, temperature, top_p, top_k).into_iter().map(|(token, _)| token).collect()
    };
    // Without cuts in the order of the tokens: sums 0.125, 0.625, 0.75, 1.
    assert_eq!(tokens(&[0.0, 0.124, 0.126, 0.624, 0.626, 0.749, 0.751, 0.999], 1.0, 1.0, 0), [0, 0, 1, 1, 2, 2, 3, 3]);
    // The two best, most probable first: 2/3 and 1/3; by number or by share; a cut of four is none.
    for (top_p, top_k) in [(1.0, 2), (0.7, 0), (0.75, 3), (0.9, 2)] {
        let drawn = draws(&[0.0, 0.66, 0.67, 0.99], 1.0, top_p, top_k);
        assert_eq!(drawn.iter().map(|d| d.0).collect::<Vec<_>>(), [1, 1, 3, 3], "{top_p} {top_k}");
        assert!(drawn.iter().zip([0.5_f32, 0.5, 0.25, 0.25]).all(|(d, p)| (d.1 - p.ln()).abs() < 1e-6));
    }
    // Of equal tokens the first is kept: 4/7, 2/7 and 1/7.
    assert_eq!(tokens(&[0.57, 0.58, 0.85, 0.86, 0.99], 1.0, 1.0, 3), [1, 3, 3, 0, 0]);
    assert_eq!(tokens(&[0.0, 0.6, 0.8, 0.99], 1.0, 0.9, 0), [1, 3, 0, 2]);
    // T = 0.5 squares: 1/22, 16/22, 1/22, 4/22.
    assert_eq!(tokens(&[0.04, 0.05, 0.77, 0.78, 0.81, 0.82], 0.5, 1.0, 0), [0, 1, 1, 2, 2, 3]);
    assert!((draws(&[0.9], 0.5, 1.0, 0)[0].1 - (4.0_f32 / 22.0).ln()).abs() < 1e-6);
    // Greedy, at T = 1; of equal ones the first.
    assert_eq!(draws(&[0.999], 0.0, 0.1, 1)[0].0, 1);
    let level = device.upload(&[1.0_f32, 2.0, 2.0, f32::NAN, 2.0, 1.0], "test").unwrap();
    let drawn = draw(&device, level.view(), 3, &params(0.0, 1.0, 0, 1), &[0.0, 0.0]).unwrap();
    assert_eq!(drawn[0].unwrap().token, 1);
    assert!(drawn[1].is_none());
}

#[test]
fn draws_from_a_large_vocabulary_are_those_of_sorted_sums() {
    let Some(device) = device() else { return };
    let vocab = 1000;
    let mut random = Random(17);
    // Logits in steps of a sixteenth, so that many are equal, with a few far above.
    let logits: Vec<f32> =
        (0..vocab).map(|i| (random.below(64) as f32) / 16.0 + if i % 197 == 0 { 6.0 } else { 0.0 }).collect();
    let uniform: Vec<f64> = (0..8).map(|i| (f64::from(i) + 0.37) / 8.0).collect();
    let on_device = device.upload(&logits.repeat(uniform.len()), "test").unwrap();
    for (temperature, top_p, top_k) in [(1.0, 1.0, 0), (0.7, 0.6, 0), (1.0, 1.0, 140), (1.3, 0.9, 300)] {
        let params = params(temperature, top_p, top_k, 1);
        let drawn = draw(&device, on_device.view(), vocab, &params, &uniform).unwrap();
        let weight = |i: usize| (f64::from(logits[i]) / temperature).exp();
        let total: f64 = (0..vocab).map(weight).sum();
        let mut order: Vec<usize> = (0..vocab).collect();
        if top_k > 0 || top_p < 1.0 {
            order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
            order.truncate(if top_k > 0 { top_k } else { vocab });
            let kept: f64 = order.iter().map(|&i| weight(i)).sum();
            let sums = order.iter().scan(0.0, |sum, &i| {
                *sum += weight(i);
                Some(*sum)
            });
            let fewer = sums.take_while(|sum| *sum < top_p * kept).count();
            order.truncate(fewer + 1);
        }
        let kept: f64 = order.iter().map(|&i| weight(i)).sum();
        for (drawn, u) in drawn.into_iter().zip(&uniform) {
            let mut sum = 0.0;
            let want = order.iter().copied().find(|&i| {
                sum += weight(i);
                sum > u * kept
            });
            let (drawn, want) = (drawn.unwrap(), want.unwrap());
            assert_eq!(drawn.token as usize, want, "{params:?} at {u}");
            assert!((f64::from(drawn.log_prob) - (weight(want) / total).ln()).abs() < 1e-5);
        }
    }
}
