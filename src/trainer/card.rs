//! The memory and the work of training on a GPU, from shapes alone: what `--plan` shows for a card.
//!
//! The parts are those of [`crate::cuda`]: weights and activations in two or four bytes; master weights, moments,
//! gradients and the residual stream in four; logits and attention scores in chunks.

use crate::config::{Dtype, RunConfig};
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

/// Bytes of each part of a full fine-tune.
pub fn memory(model: &ModelConfig, dtype: Dtype, work: &Work, saved: Saved) -> Vec<(&'static str, usize)> {
    let (n, element) = (parameters(model), size(dtype));
    let (h, f) = (model.hidden_size, model.intermediate_size);
    let (q, kv) = (model.heads * model.head_dim, model.kv_heads * model.head_dim);
    let tokens = work.tokens();
    // The attention's output with its log-sum-exps; queries, keys, values, gate and up, the stream after attention.
    let attended = q * element + model.heads * F32;
    let inner = (q + 2 * kv + 2 * f) * element + h * F32;
    let kept = match saved {
        Saved::Input => 0,
        Saved::Attention => attended,
        Saved::All => attended + inner,
    };
    // While a layer is differentiated: its inner values, the gradients of those, normalised rows and two streams.
    let feed_forward = 2 * f * element + h * (element + 2 * F32);
    let attention = (q + 2 * kv) * (element + F32) + q * 2 * element + h * 2 * F32;
    let live = attended + inner + feed_forward.max(attention);
    let trained = work.responses * work.new;
    let logits = CHUNK_LOGITS.min(trained * model.vocab_size) * (F32 + element);
    let scores = TILE_SCORES.min(work.pairs() * model.heads) * 2 * (F32 + element);
    vec![
        ("weights", n * element),
        ("master weights (f32)", n * F32),
        ("optimiser moments (f32)", 2 * n * F32),
        ("gradients (f32)", n * F32),
        ("layer inputs (f32)", tokens * model.layers * h * F32),
        ("kept besides", tokens * model.layers * kept),
        // The head works before any layer is differentiated, so the larger of the two counts.
        ("one layer or the logits", (tokens * live + scores).max(logits + 2 * trained * h * F32)),
        ("matrix products", WORKSPACE),
    ]
}

/// Bytes of the keys and values of `tokens` tokens.
pub fn cache(model: &ModelConfig, dtype: Dtype, tokens: usize) -> usize {
    2 * tokens * model.layers * model.kv_heads * model.head_dim * size(dtype)
}

/// Floating-point operations of forward and backward: matrix products 6 a weight and token, attention 12 a pair, layer
/// and value of a head, the vocabulary's head 6 a weight and trained token. What is computed a second time for want of
/// memory is not counted.
pub fn operations(model: &ModelConfig, work: &Work) -> f64 {
    let embeddings = model.vocab_size * model.hidden_size * if model.tie_word_embeddings { 1 } else { 2 };
    let matrices = (parameters(model) - embeddings) as f64;
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
    let parts = memory(model, config.dtype, &work, saved);
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
                 rollout.max_new_tokens, set trainer.saved = \"input\" or model.dtype = \"bf16\", or train a smaller \
                 model\n"
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
    if config.policy.kl.is_some() {
        text += "  the reference model is kept in the memory of the host; objective.kl_coefficient = 0 needs none\n";
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
        let parts = memory(&model, Dtype::Bf16, &work, Saved::Input);
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
    fn keeping_more_takes_more() {
        let model = random::like("smollm2-135m").unwrap();
        let work = Work { prompt: 300, responses: 4, new: 100 };
        let total = |dtype, saved| memory(&model, dtype, &work, saved).iter().map(|(_, bytes)| bytes).sum::<usize>();
        assert!(total(Dtype::Bf16, Saved::Input) < total(Dtype::Bf16, Saved::Attention));
        assert!(total(Dtype::Bf16, Saved::Attention) < total(Dtype::Bf16, Saved::All));
        assert!(total(Dtype::Bf16, Saved::Input) < total(Dtype::F32, Saved::Input));
    }
}
