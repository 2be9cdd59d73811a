//! The run configuration as it is written: plain values, every key optional, defaults here and nowhere else.
//!
//! The names, the order and the defaults are those of the file format; [`RawConfig::default`] written as TOML is the
//! list of known keys. What the values mean, and which are refused, is decided in [`super::resolve`].

use serde::{Deserialize, Serialize};

/// Defines one section: a struct whose fields are its keys, with their defaults.
macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$key_doc:meta])* $key:ident : $type:ty = $default:expr),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $($(#[$key_doc])* pub $key: $type),* }
        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default),* }
            }
        }
    };
}

section! {
    /// All sections.
    RawConfig {
        /// The model that is trained.
        model: Model = Model::default(),
        /// The cases.
        data: Data = Data::default(),
        /// How a case becomes a prompt.
        prompt: Prompt = Prompt::default(),
        /// How responses are sampled.
        rollout: Rollout = Rollout::default(),
        /// How responses are scored.
        rewards: Rewards = Rewards::default(),
        /// How scores become advantages.
        advantage: Advantage = Advantage::default(),
        /// The policy-gradient loss.
        objective: Objective = Objective::default(),
        /// The optimiser.
        optim: Optim = Optim::default(),
        /// The loop.
        trainer: Trainer = Trainer::default(),
        /// The comparison of the shared-prefix path with plain sequences on the first batch.
        check: Check = Check::default(),
        /// Supervised training (`attending sft`).
        sft: Sft = Sft::default(),
    }
}

section! {
    /// `[model]`
    Model {
        /// A Hugging Face folder, a `.gguf` file, or `embedded`.
        path: String = "embedded".to_owned(),
        /// `f32`, or on a GPU `bf16`.
        dtype: String = "f32".to_owned(),
        /// Empty, or `linear:2`, `yarn:4`: stretches rotary positions beyond the model's own context.
        rope_override: String = String::new(),
    }
}

section! {
    /// `[data]`
    Data {
        /// Files of training cases; empty: the synthetic clinic.
        train: Vec<String> = Vec::new(),
        /// Files of held-out cases; empty: none, or the synthetic clinic's where `train` is empty too.
        held_out: Vec<String> = Vec::new(),
        /// Longest prompt, tokens.
        max_prompt_tokens: usize = 1024,
        /// What happens to longer ones: `drop` (counted) or `error`.
        over_long: String = "drop".to_owned(),
        /// Whether cases whose split is `test` may be trained on.
        allow_test_split: bool = false,
        /// Number of training cases that the synthetic clinic writes where `train` is empty.
        synthetic: usize = 4096,
        /// Number of its held-out cases.
        synthetic_held_out: usize = 240,
    }
}

section! {
    /// `[prompt]`
    Prompt {
        /// `think_answer`, `dx_conclusion` or `plain`.
        format: String = "think_answer".to_owned(),
        /// System message; empty: the format's own.
        system: String = String::new(),
        /// minijinja template over the case's fields; empty: the format's own.
        user_template: String = String::new(),
    }
}

section! {
    /// `[rollout]`
    Rollout {
        /// `local`.
        engine: String = "local".to_owned(),
        /// Responses to each prompt (TRL `num_generations`, verl `rollout.n`).
        group_size: usize = 8,
        /// Prompts of one step.
        prompts_per_step: usize = 16,
        /// Longest response, tokens.
        max_new_tokens: usize = 256,
        /// Temperature of sampling and of every log-probability.
        temperature: f64 = 1.0,
        /// Nucleus: the smallest set of tokens with this share of the probability; 1 keeps all.
        top_p: f64 = 1.0,
        /// Number of most likely tokens kept; 0 keeps all.
        top_k: usize = 0,
        /// Most tokens whose keys and values a GPU keeps at once, while other prompts wait; 0: what its memory holds.
        cache_tokens: usize = 0,
    }
}

section! {
    /// Values by objective.
    Weights {
        /// Is the answer right?
        accuracy: f64 = 1.0,
        /// Does every claim stand in the evidence?
        faithfulness: f64 = 0.5,
        /// Is the evidence taken up?
        comprehensiveness: f64 = 0.3,
        /// Are the sections there?
        format: f64 = 0.1,
    }
}

section! {
    /// Gates by objective: `none`, `response` or `group`.
    Gates {
        /// Is the answer right?
        accuracy: String = "none".to_owned(),
        /// Does every claim stand in the evidence?
        faithfulness: String = "response".to_owned(),
        /// Is the evidence taken up?
        comprehensiveness: String = "response".to_owned(),
        /// Are the sections there?
        format: String = "response".to_owned(),
    }
}

section! {
    /// `[rewards]`
    Rewards {
        /// `crpo`, `clinical-r1` or `accuracy-only`, or a rubric file (TOML) as `attending score --rubric` reads it.
        preset: String = "crpo".to_owned(),
        /// Weight of each objective; those not named are the rubric's.
        weights: Weights = Weights::default(),
        /// Share of responses that could not be scored above which the run stops.
        max_unscorable: f64 = 0.05,
    }
}

section! {
    /// Bounds of the objectives that `constrained` keeps, in [0, 1].
    Thresholds {
        /// A faithfulness below it violates.
        faithfulness: f64 = 0.5,
        /// A comprehensiveness below it violates.
        comprehensiveness: f64 = 0.5,
        /// A format below it violates.
        format: f64 = 0.5,
    }
}

section! {
    /// Shares of responses that may violate.
    Targets {
        /// Of faithfulness.
        faithfulness: f64 = 0.1,
        /// Of comprehensiveness.
        comprehensiveness: f64 = 0.1,
        /// Of the format.
        format: f64 = 0.1,
    }
}

section! {
    /// `[advantage.constrained]`: read by the estimator of that name.
    Constrained {
        /// Below which value an objective is violated.
        thresholds: Thresholds = Thresholds::default(),
        /// How often it may be.
        targets: Targets = Targets::default(),
        /// How far a multiplier moves for each unit of the rate above its target.
        step: f64 = 0.05,
        /// The largest multiplier.
        max: f64 = 2.0,
    }
}

section! {
    /// `[advantage]`
    Advantage {
        /// Name of the estimator.
        estimator: String = "crpo".to_owned(),
        /// Gate of each objective; those not named keep their defaults.
        gates: Gates = Gates::default(),
        /// Least standard deviation that a group is divided by.
        floor: f64 = 0.05,
        /// `none`, `sequences` or `tokens`.
        whiten: String = "none".to_owned(),
        /// Largest absolute advantage.
        clip: f64 = 5.0,
        /// The bounds of the estimator `constrained`.
        constrained: Constrained = Constrained::default(),
    }
}

section! {
    /// `[objective]`
    Objective {
        /// `ppo`, `gspo` or `cispo`.
        loss: String = "ppo".to_owned(),
        /// The ratio is clipped below 1 - this.
        clip_low: f64 = 0.2,
        /// The ratio is clipped above 1 + this.
        clip_high: f64 = 0.28,
        /// `token_mean`, `sequence_mean` or `constant`.
        aggregation: String = "token_mean".to_owned(),
        /// `k2`, `k3` or `k3+`.
        kl: String = "k3".to_owned(),
        /// Weight of the KL term (TRL `beta`); 0: no reference model.
        kl_coefficient: f64 = 0.001,
        /// Where a GPU keeps the reference model's weights: `device`, or `host`, from where they travel for each pass.
        reference: String = "device".to_owned(),
        /// Weight of the entropy bonus.
        entropy_coefficient: f64 = 0.0,
        /// Optimiser steps a batch of rollouts.
        steps_per_batch: usize = 1,
        /// Whether responses cut at `max_new_tokens` are left out of the loss.
        mask_truncated: bool = false,
        /// Whether groups without signal are dropped and replaced.
        dynamic_sampling: bool = false,
    }
}

section! {
    /// `[optim]`
    Optim {
        /// Learning rate at its peak.
        lr: f64 = 1e-6,
        /// AdamW's decay rates.
        betas: [f64; 2] = [0.9, 0.999],
        /// Decoupled weight decay.
        weight_decay: f64 = 0.0,
        /// Gradients longer than this are shortened to it.
        max_grad_norm: f64 = 1.0,
        /// `constant`, `linear` or `cosine`.
        schedule: String = "constant".to_owned(),
        /// Optimiser steps over which the learning rate rises from 0.
        warmup_steps: usize = 0,
        /// Where a GPU keeps master weights and moments: `device`, or `host`, from where they travel for each step.
        states: String = "device".to_owned(),
    }
}

section! {
    /// `[trainer]`
    Trainer {
        /// Batches of rollouts.
        steps: usize = 100,
        /// Seed of all randomness.
        seed: u64 = 0,
        /// `auto`, `cpu`, `cuda` or, of several, `cuda:1`: where rollouts and gradients are computed.
        device: String = "auto".to_owned(),
        /// Whether a GPU adds up in one order everywhere, so that a seed gives the same losses run to run. Fused attention
        /// is faster without.
        deterministic: bool = true,
        /// Most packed tokens of one micro-batch.
        max_packed_tokens: usize = 16384,
        /// What is kept for the backward: `auto`, `input`, `attention` or `all`.
        saved: String = "auto".to_owned(),
        /// Steps between evaluations on the held-out cases; 0: only before and after.
        eval_every: usize = 20,
        /// Steps between checkpoints; 0: only at the end.
        save_every: usize = 20,
        /// Checkpoints kept, besides the best.
        keep: usize = 2,
    }
}

section! {
    /// `[check]`
    Check {
        /// Whether the check is made.
        first_batch: bool = true,
        /// Largest accepted difference of a log-probability.
        max_log_prob: f64 = 1e-3,
        /// Largest accepted relative L2 difference of the gradient.
        max_gradient: f64 = 1e-3,
    }
}

section! {
    /// `[sft]`
    Sft {
        /// Files of responses to learn.
        responses: Vec<String> = Vec::new(),
        /// Sequences of one optimiser step.
        sequences_per_step: usize = 64,
        /// Passes over the data.
        epochs: f64 = 1.0,
        /// Weight of a token of the final answer (what the last box holds) in the loss, where the others have 1.
        answer_weight: f64 = 1.0,
    }
}
