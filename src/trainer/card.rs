//! The memory and the work of training on a GPU, from shapes alone: what `--plan` shows for a card.
//!
//! The parts are those of [`crate::cuda`]: weights and activations in two or four bytes; master weights, moments,
//! gradients and the residual stream in four; logits and attention scores in chunks.

use crate::config::{Dtype, Memory, RunConfig};
use crate::model::Saved;
use crate::model::config::ModelConfig;

use super::plan::{self, parameters};

/// Bytes of one f32.
const F32: usize = 4;
/// Logits, and scores of the attention, that are in memory at once (`cuda::head` and `cuda::attention`).
const CHUNK_LOGITS: usize = 256 << 20;
const TILE_SCORES: usize = 64 << 20;
/// What cublasLt works in.
const WORKSPACE: usize = 32 << 20;
/// Values of optimiser states that are on their way at once where they are in the host's memory (`cuda::optimiser`).
const TRAVELLING: usize = 3 * (8 << 20);
/// Memory of common cards, GB.
const CARDS: [(&str, f64); 4] = [("24 GB", 24.0), ("48 GB", 48.0), ("80 GB", 80.0), ("141 GB", 141.0)];
/// Share of a card that buffers may take: the driver, fragments and the display need the rest.
const USABLE: f64 = 0.95;
/// Floating-point operations a second of an H200's matrix products in bf16, the highest that was measured.
const H200_SPEED: f64 = 7.9e14;

/// One micro-batch: a group's prompt with its responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Responses.
    pub responses: usize,
    /// Tokens of each.
    pub new: usize,
}

impl Work {
    /// Packed tokens, the prompt once.
    pub fn tokens(&self) -> usize {
        self.prompt + self.responses * self.new
    }

    /// Pairs of a query and a key that attention visits.
    pub fn pairs(&self) -> usize {
        let causal = |n: usize| n * n / 2;
        causal(self.prompt) + self.responses * (causal(self.new) + self.prompt * self.new)
    }
}

/// Where the arrays are that may be in either memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// Master weights and moments.
    pub states: Memory,
    /// The reference; `None`: there is none.
    pub reference: Option<Memory>,
}

impl Places {
    fn of(config: &RunConfig) -> Self {
        Self { states: config.states, reference: config.policy.kl.map(|_| config.reference) }
    }
}

/// Bytes that one packed token takes in one layer.
struct PerToken {
    /// The attention's output with its log-sum-exps.
    attended: usize,
    /// Queries, keys, values, gate and up, the stream after attention.
    inner: usize,
    /// While the layer is differentiated: its inner values, the gradients of those, normalised rows and two streams.
    live: usize,
}

impl PerToken {
    fn new(model: &ModelConfig, element: usize) -> Self {
        let (h, f) = (model.hidden_size, model.intermediate_size);
        let (q, kv) = (model.heads * model.head_dim, model.kv_heads * model.head_dim);
        let attended = q * element + model.heads * F32;
        let inner = (q + 2 * kv + 2 * f) * element + h * F32;
        let feed_forward = 2 * f * element + h * (element + 2 * F32);
        let attention = (q + 2 * kv) * (element + F32) + q * 2 * element + h * 2 * F32;
        Self { attended, inner, live: attended + inner + feed_forward.max(attention) }
    }

    /// What a layer keeps besides its input.
    fn kept(&self, saved: Saved) -> usize {
        match saved {
            Saved::Input => 0,
            Saved::Attention => self.attended,
            Saved::All => self.attended + self.inner,
        }
    }
}

/// What layers keep for their backward over `tokens` packed tokens of values of `element` bytes, where `available` bytes
/// of a card are left for activations: as much as fits.
pub fn saved(model: &ModelConfig, element: usize, tokens: usize, available: usize) -> Saved {
    let one = PerToken::new(model, element);
    let chunks = TILE_SCORES * 2 * (F32 + element) + CHUNK_LOGITS * (F32 + element);
    let needed = |saved| tokens * (model.layers * (model.hidden_size * F32 + one.kept(saved)) + one.live) + chunks;
    let fits = |saved: &Saved| needed(*saved) as f64 <= available as f64 * USABLE;
    [Saved::All, Saved::Attention].into_iter().find(fits).unwrap_or(Saved::Input)
}

/// Bytes of each part of a full fine-tune: on the card, and page-locked in the host's memory.
pub fn memory(
    model: &ModelConfig,
    dtype: Dtype,
    work: &Work,
    saved: Saved,
    places: Places,
) -> [Vec<(&'static str, usize)>; 2] {
    let (n, element) = (parameters(model), size(dtype));
    let h = model.hidden_size;
    let tokens = work.tokens();
    let one = PerToken::new(model, element);
    let trained = work.responses * work.new;
    let logits = CHUNK_LOGITS.min(trained * model.vocab_size) * (F32 + element);
    let scores = TILE_SCORES.min(work.pairs() * model.heads) * 2 * (F32 + element);
    let states = [("master weights (f32)", n * F32), ("optimiser moments (f32)", 2 * n * F32)];
    let vocabulary = vocabulary(model);
    let (mut card, mut host) = (vec![("weights", n * element)], Vec::new());
    match places.states {
        Memory::Device => card.extend(states),
        Memory::Host => {
            card.push(("optimiser states on their way", 3 * TRAVELLING * F32));
            host.extend(states);
        }
    }
    match places.reference {
        None => {}
        Some(Memory::Device) => card.push(("reference model", n * element)),
        Some(Memory::Host) => {
            let layer = (n - vocabulary) / model.layers.max(1);
            card.push(("reference model: vocabulary, two layers", (vocabulary + 2 * layer) * element));
            host.push(("reference model: layers", (n - vocabulary) * element));
        }
    }
    card.extend([
        ("gradients (f32)", n * F32),
        ("layer inputs (f32)", tokens * model.layers * h * F32),
        ("kept besides", tokens * model.layers * one.kept(saved)),
        // The head works before any layer is differentiated, so the larger of the two counts.
        ("one layer or the logits", (tokens * one.live + scores).max(logits + 2 * trained * h * F32)),
        ("matrix products", WORKSPACE),
    ]);
    [card, host]
}

/// Weights of embedding and head.
fn vocabulary(model: &ModelConfig) -> usize {
    model.vocab_size * model.hidden_size * if model.tie_word_embeddings { 1 } else { 2 }
}

/// Bytes of the keys and values of `tokens` tokens.
pub fn cache(model: &ModelConfig, dtype: Dtype, tokens: usize) -> usize {
    2 * tokens * model.layers * model.kv_heads * model.head_dim * size(dtype)
}

/// Floating-point operations of forward and backward: matrix products 6 a weight and token, attention 12 a pair, layer
/// and value of a head, the vocabulary's head 6 a weight and trained token. What is computed a second time for want of
/// memory is not counted.
pub fn operations(model: &ModelConfig, work: &Work) -> f64 {
    let matrices = (parameters(model) - vocabulary(model)) as f64;
    let heads = (model.layers * model.heads * model.head_dim) as f64;
    let head = (model.vocab_size * model.hidden_size) as f64;
    6.0 * matrices * work.tokens() as f64
        + 12.0 * heads * work.pairs() as f64
        + 6.0 * head * (work.responses * work.new) as f64
}

/// The plan of a run whose gradients are computed on a card, as lines of text.
pub fn of_run(config: &RunConfig, model: &ModelConfig) -> String {
    let raw = &config.raw;
    let (prompt, new) = (raw.data.max_prompt_tokens, raw.rollout.max_new_tokens);
    // A group beyond the budget is cut by responses.
    let fit = raw.trainer.max_packed_tokens.saturating_sub(prompt) / new.max(1);
    let work = Work { prompt, responses: raw.rollout.group_size.min(fit.max(1)), new };
    let saved = config.saved.unwrap_or(Saved::Input);
    let [parts, host] = memory(model, config.dtype, &work, saved, Places::of(config));
    let total: usize = parts.iter().map(|(_, bytes)| bytes).sum();
    let mut text = format!(
        "model {}: {:.1} M weights, {} layers, width {}, vocabulary {}\n\nmemory of the card (at most; {} packed tokens: \
         a prompt of {prompt} with {} responses of {new})\n",
        raw.model.path,
        parameters(model) as f64 / 1e6,
        model.layers,
        model.hidden_size,
        model.vocab_size,
        work.tokens(),
        work.responses
    );
    for (name, bytes) in &parts {
        text += &format!("  {name:<42}{:>10}\n", plan::size(*bytes));
    }
    text += &format!("  {:<42}{:>10}\n", "together", plan::size(total));
    let fits = CARDS.iter().find(|(_, gb)| total as f64 <= gb * 1e9 * USABLE);
    text += &match fits {
        Some((name, _)) => format!("  fits a card of {name}\n"),
        None => "  fits no single card: lower trainer.max_packed_tokens, data.max_prompt_tokens or \
                 rollout.max_new_tokens, set trainer.saved = \"input\", model.dtype = \"bf16\", optim.states = \"host\" or \
                 objective.reference = \"host\", or train a smaller model\n"
            .to_owned(),
    };
    let rollout = raw.rollout.prompts_per_step * (prompt + raw.rollout.group_size * new);
    let cached = match raw.rollout.cache_tokens {
        0 => rollout,
        limit => rollout.min(limit),
    };
    text += &format!(
        "  rollouts, before there are activations: keys and values of {cached} tokens {}; where less is free, prompts \
         wait\n",
        plan::size(cache(model, config.dtype, cached))
    );
    if !host.is_empty() {
        text += "\nmemory of the host, page-locked\n";
        for (name, bytes) in &host {
            text += &format!("  {name:<42}{:>10}\n", plan::size(*bytes));
        }
    }
    if config.policy.kl.is_some() {
        text += "  objective.kl_coefficient = 0 needs no reference model\n";
    }
    let operations = operations(model, &work);
    text += &format!(
        "\nwork of one such group: {:.1} TFLOP forward and backward, at least {:.2} s on an H200 in bf16\n",
        operations / 1e12,
        operations / H200_SPEED
    );
    text
}

fn size(dtype: Dtype) -> usize {
    match dtype {
        Dtype::F32 => 4,
        Dtype::Bf16 => 2,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::random;

    fn part(parts: &[(&'static str, usize)], name: &str) -> usize {
        parts.iter().find(|(n, _)| *n == name).unwrap().1
    }

    #[test]
    fn a_3b_model_by_hand() {
        let model = random::like("qwen2.5-3b").unwrap();
        let work = Work { prompt: 8192, responses: 8, new: 512 };
        assert_eq!(work.tokens(), 12_288);
        // 8192^2 / 2 + 8 (512^2 / 2 + 8192 * 512) = 33,554,432 + 8 * (131,072 + 4,194,304) = 68,157,440.
        assert_eq!(work.pairs(), 68_157_440);
        let near = Places { states: Memory::Device, reference: None };
        let [parts, host] = memory(&model, Dtype::Bf16, &work, Saved::Input, near);
        assert!(host.is_empty());
        // 3,085,938,688 weights (the model's page) in 2, 4, 8 and 4 bytes.
        assert_eq!(part(&parts, "weights"), 6_171_877_376);
        assert_eq!(part(&parts, "master weights (f32)"), 12_343_754_752);
        assert_eq!(part(&parts, "optimiser moments (f32)"), 24_687_509_504);
        assert_eq!(part(&parts, "gradients (f32)"), 12_343_754_752);
        // 36 layers of 2,048 values in 4 bytes: 294,912 bytes a token.
        assert_eq!(part(&parts, "layer inputs (f32)"), 12_288 * 294_912);
        // Logits: 268,435,456 of 6 bytes and two streams of 4,096 rows, 1,677,721,600 together. One layer: 61,504 bytes
        // of values a token (q 2,048, k and v 512, gate and up 22,016, o 2,048 in 2 bytes; log-sum-exps 16 and the
        // stream 2,048 in 4), then 64,512 for the feed-forward's gradients (22,016 and 2,048 in 2 bytes, 2 x 2,048 in 4;
        // attention takes 39,936), and tiles of 67,108,864 scores in 12 bytes.
        assert_eq!(part(&parts, "one layer or the logits"), 12_288 * (61_504 + 64_512) + 805_306_368);
        // Two heads of 128, keys and values, 36 layers, in 2 bytes: 36,864 bytes a token.
        assert_eq!(cache(&model, Dtype::Bf16, 10), 368_640);
        // In the host's memory: 12 bytes of states a weight; of the reference all but 151,936 x 2,048 weights of the
        // vocabulary, 2,774,773,760, in 2 bytes. A 36th of them is a layer, of which the card holds two.
        let far = Places { states: Memory::Host, reference: Some(Memory::Host) };
        let [card, host] = memory(&model, Dtype::Bf16, &work, Saved::Input, far);
        assert_eq!(host.iter().map(|(_, bytes)| bytes).sum::<usize>(), 12 * 3_085_938_688 + 2 * 2_774_773_760);
        let kept = 2 * (311_164_928 + 2 * 77_077_048);
        assert_eq!(part(&card, "reference model: vocabulary, two layers"), kept);
        assert_eq!(part(&card, "optimiser states on their way"), 3 * 3 * 8_388_608 * 4);
        // 2.72e14: the figure that a step is measured by.
        assert!((operations(&model, &work) / 2.72e14 - 1.0).abs() < 0.005, "{}", operations(&model, &work));
    }

    #[test]
    fn the_plan_names_the_smallest_card_and_what_to_lower() {
        let model = random::like("qwen2.5-3b").unwrap();
        let plan = |settings: &[&str]| {
            let mut source = crate::config::ConfigSource::default();
            settings.iter().for_each(|setting| source.set(setting).unwrap());
            // The checked names are the plan's, not the device's: a build without CUDA makes no such configuration.
            let config = RunConfig { dtype: Dtype::Bf16, ..source.resolve().unwrap() };
            of_run(&config, &model)
        };
        let usual = ["data.max_prompt_tokens=8192", "rollout.max_new_tokens=512"];
        // 55.5 GB of states, 3.6 GB of layer inputs, 2.4 GB of one layer.
        let text = plan(&usual);
        assert!(text.contains("fits a card of 80 GB"), "{text}");
        assert!(text.contains("12288 packed tokens: a prompt of 8192 with 8 responses of 512"), "{text}");
        // A budget below the group's size leaves room for (9,500 - 8,192) / 512 = 2 responses.
        assert!(plan(&[&usual[..], &["trainer.max_packed_tokens=9500"]].concat()).contains("with 2 responses"));
        let long = ["data.max_prompt_tokens=400000", "trainer.max_packed_tokens=500000"];
        assert!(plan(&long).contains("fits no single card: lower trainer.max_packed_tokens"));
    }

    #[test]
    fn as_much_is_kept_as_fits() {
        let model = random::like("qwen2.5-3b").unwrap();
        // 12,288 tokens: 36 x 8,192 bytes of input and 126,016 of one layer each, 5.17 GB; with 36 x 4,160 of attention
        // 7.01 GB; with 36 x 57,344 more 32.38 GB; and 2.42 GB for scores and logits. 95 % of a card counts.
        for (gb, want) in [(37.0, Saved::All), (36.0, Saved::Attention), (10.0, Saved::Attention), (9.9, Saved::Input)]
        {
            assert_eq!(saved(&model, 2, 12_288, (gb * 1e9) as usize), want, "{gb} GB");
        }
    }

    #[test]
    fn keeping_more_takes_more() {
        let model = random::like("smollm2-135m").unwrap();
        let work = Work { prompt: 300, responses: 4, new: 100 };
        let near = Places { states: Memory::Device, reference: None };
        let total = |dtype, saved| {
            let [card, _] = memory(&model, dtype, &work, saved, near);
            card.iter().map(|(_, bytes)| bytes).sum::<usize>()
        };
        assert!(total(Dtype::Bf16, Saved::Input) < total(Dtype::Bf16, Saved::Attention));
        assert!(total(Dtype::Bf16, Saved::Attention) < total(Dtype::Bf16, Saved::All));
        assert!(total(Dtype::Bf16, Saved::Input) < total(Dtype::F32, Saved::Input));
    }
}
