//! How much memory a run needs, estimated from shapes alone: for `--plan`, and for the choice of what layers keep.

use crate::config::{DeviceChoice, RunConfig};
use crate::model::Saved;
use crate::model::config::ModelConfig;

use super::card;
use super::error::TrainError;
use super::source;

/// Bytes of one f32.
const F32: usize = 4;
/// Floating-point operations a second of one core that time is estimated with: half of what the matrix products of small
/// models reach on a core with AVX-512, since the rest of a step computes nothing.
const CORE_SPEED: f64 = 2e10;
/// Share of the free memory that activations may take before less is kept: keeping everything saves a quarter of a step
/// at most, and a 135 M model on exam questions stays under 6 GB with it.
const ACTIVATION_SHARE: f64 = 0.125;

/// Number of weights of a decoder.
pub fn parameters(config: &ModelConfig) -> usize {
    let (h, f) = (config.hidden_size, config.intermediate_size);
    let (q, kv) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
    let biases = if config.qkv_bias { q + 2 * kv } else { 0 };
    let layer = 2 * h + 2 * q * h + 2 * kv * h + 3 * f * h + biases;
    let vocabulary = config.vocab_size * h * if config.tie_word_embeddings { 1 } else { 2 };
    vocabulary + config.layers * layer + h
}

/// Bytes that the layers keep for the backward of `tokens` packed tokens, with one layer's working memory.
pub fn activations(config: &ModelConfig, tokens: usize, saved: Saved) -> usize {
    let (h, f) = (config.hidden_size, config.intermediate_size);
    let (q, kv) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
    let attention = q + config.heads;
    // Queries, keys, values, the stream after attention, gate and up.
    let inner = q + 2 * kv + h + 2 * f;
    let kept = match saved {
        Saved::Input => h,
        Saved::Attention => h + attention,
        Saved::All => h + attention + inner,
    };
    // While a layer is differentiated its inner values exist with their gradients.
    let working = 2 * (attention + inner) + 3 * h + f;
    tokens * F32 * (config.layers * kept + working)
}

/// Bytes of the keys and values of `tokens` tokens.
pub fn cache(config: &ModelConfig, tokens: usize) -> usize {
    2 * tokens * config.layers * config.kv_heads * config.head_dim * F32
}

/// What layers keep for `tokens` packed tokens: as much as an eighth of the free memory holds.
pub fn saved(config: &ModelConfig, tokens: usize) -> Saved {
    let Some(free) = free_memory() else { return Saved::Attention };
    let fits = |saved: Saved| activations(config, tokens, saved) as f64 <= free as f64 * ACTIVATION_SHARE;
    [Saved::All, Saved::Attention].into_iter().find(|&saved| fits(saved)).unwrap_or(Saved::Input)
}

/// Bytes of memory that can be had without swapping; `None` where the system does not say.
pub fn free_memory() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok().map(|kilobytes| kilobytes * 1024)
}

/// The plan of a run: what it will hold in memory and compute, part by part.
pub fn of_run(config: &RunConfig) -> Result<String, TrainError> {
    let model = source::published_shape(config)?;
    if let DeviceChoice::Cuda(_) = config.device {
        return Ok(card::of_run(config, &model));
    }
    let raw = &config.raw;
    let (rollout, count) = (&raw.rollout, parameters(&model));
    let weights = count * F32;
    let budget = raw.trainer.max_packed_tokens;
    let prompt = raw.data.max_prompt_tokens;
    let group = prompt + rollout.group_size * rollout.max_new_tokens;
    let packed = budget.min(rollout.prompts_per_step * group).max(prompt + rollout.max_new_tokens);
    let kept = config.saved.unwrap_or_else(|| saved(&model, packed));
    let cached = cache(&model, rollout.prompts_per_step * group);
    // The head works on chunks of rows, so logits are never whole; its gradient is part of `gradients`.
    let mut parts = vec![("weights (f32)", weights)];
    if config.policy.kl.is_some() {
        parts.push(("reference model", weights));
    }
    parts.extend([("gradients", weights), ("optimiser moments", 2 * weights)]);
    let training = activations(&model, packed, kept);
    let working = training.max(cached);
    parts.push(("largest of activations and rollout cache", working));
    let total: usize = parts.iter().map(|(_, bytes)| bytes).sum();

    let responses = rollout.prompts_per_step * rollout.group_size;
    let new = responses * rollout.max_new_tokens;
    let prompts = rollout.prompts_per_step * prompt;
    // 2 operations a weight and token forward, 4 backward, 2 for what is computed a second time.
    let recompute = if kept == Saved::All { 0 } else { 2 };
    let reference = if config.policy.kl.is_some() { 2 } else { 0 };
    let per_token = (2 + 4 + recompute + reference) * count;
    let sampling = 2 * count * (prompts + new);
    let learning = per_token * (prompts + new);
    let teraflops = |operations: usize| operations as f64 / 1e12;

    let mut text = format!(
        "model {}: {:.1} M weights, {} layers, width {}, vocabulary {}, context {}\n\nmemory (at most)\n",
        raw.model.path,
        count as f64 / 1e6,
        model.layers,
        model.hidden_size,
        model.vocab_size,
        model.max_position_embeddings
    );
    for (name, bytes) in &parts {
        text += &format!("  {name:<42}{:>10}\n", size(*bytes));
    }
    text += &format!("  {:<42}{:>10}\n", "together", size(total));
    if let Some(free) = free_memory() {
        text += &format!("  {:<42}{:>10}\n", "free now", size(free));
    }
    text += &format!(
        "  activations: {} for {packed} packed tokens, layers keep {}; rollout cache: {}\n",
        size(training),
        match kept {
            Saved::Input => "their input",
            Saved::Attention => "their input and the attention's result",
            Saved::All => "everything",
        },
        size(cached)
    );
    text += &format!(
        "\nwork of a step (at most, without attention): {} prompts of {prompt} and {responses} responses of {} tokens\n",
        rollout.prompts_per_step, rollout.max_new_tokens
    );
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for (name, operations) in [("sampling", sampling), ("learning", learning)] {
        let seconds = operations as f64 / (cores as f64 * CORE_SPEED);
        text += &format!(
            "  {name:<10}{:>10.2} TFLOP, about {:.0} s on {cores} cores at {:.0} GFLOP/s each\n",
            teraflops(operations),
            seconds,
            CORE_SPEED / 1e9
        );
    }
    let whole = (sampling + learning) as f64 * raw.trainer.steps as f64 / (cores as f64 * CORE_SPEED);
    let clock = super::progress::clock(std::time::Duration::from_secs_f64(whole));
    text += &format!("  {} steps: about {clock}, evaluations apart\n", raw.trainer.steps);
    Ok(text)
}

pub(super) fn size(bytes: usize) -> String {
    match bytes as f64 {
        b if b >= 1e9 => format!("{:.2} GB", b / 1e9),
        b => format!("{:.1} MB", b / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::{Architecture, RopeConfig, RopeScaling};

    fn config() -> ModelConfig {
        ModelConfig {
            architecture: Architecture::Qwen2,
            vocab_size: 100,
            hidden_size: 8,
            intermediate_size: 16,
            layers: 2,
            heads: 2,
            kv_heads: 1,
            head_dim: 4,
            rms_norm_eps: 1e-6,
            rope: RopeConfig { theta: 1e4, scaling: RopeScaling::Default },
            tie_word_embeddings: false,
            qkv_bias: true,
            max_position_embeddings: 64,
        }
    }

    #[test]
    fn the_count_is_that_of_the_tensors() {
        use crate::model::parameters::Parameters;
        for tied in [false, true] {
            let config = ModelConfig { tie_word_embeddings: tied, qkv_bias: !tied, ..config() };
            assert_eq!(parameters(&config), Parameters::filled(&config, 0.0_f32).count());
        }
    }

    #[test]
    fn keeping_less_takes_less() {
        let of = |saved| activations(&config(), 100, saved);
        assert!(of(Saved::Input) < of(Saved::Attention) && of(Saved::Attention) < of(Saved::All));
        // Two layers, keys and values of one head of 4, f32: 2 * 2 * 4 * 4 bytes a token.
        assert_eq!(cache(&config(), 10), 640);
    }
}
