//! From the values as written to the configuration that a run uses: names are looked up, numbers are checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use attending_rewards::advantage::{self, Constrained, Constraint, Estimator, Gate, ScalarSource, Whiten};
use attending_rewards::{Objective, Preset, RubricError, RubricFile};

use super::error::ConfigError;
use super::raw::RawConfig;
use super::source::Places;
use super::{DeviceChoice, Dtype, Memory, ModelPath, OverLong, RunConfig};
use crate::model::Saved;
use crate::model::config::RopeOverride;
use crate::objective::{Aggregation, Kl, KlLoss, Loss, PolicyConfig};
use crate::optim::ScheduleKind;

/// Names of the gates.
const GATES: &[(&str, Gate)] = &[("none", Gate::None), ("response", Gate::Response), ("group", Gate::Group)];
/// Names of the kinds of whitening.
const WHITENS: &[(&str, Whiten)] =
    &[("none", Whiten::None), ("sequences", Whiten::Sequences), ("tokens", Whiten::Tokens)];
/// Names of the losses.
const LOSSES: &[(&str, Loss)] = &[("ppo", Loss::Ppo), ("gspo", Loss::Gspo), ("cispo", Loss::Cispo)];
/// Names of the aggregations.
const AGGREGATIONS: &[(&str, Aggregation)] = &[
    ("token_mean", Aggregation::TokenMean),
    ("sequence_mean", Aggregation::SequenceMean),
    ("constant", Aggregation::Constant),
];
/// Names of the learning-rate schedules.
const SCHEDULES: &[(&str, ScheduleKind)] =
    &[("constant", ScheduleKind::Constant), ("linear", ScheduleKind::Linear), ("cosine", ScheduleKind::Cosine)];
/// Names of what layers may keep.
const SAVED: &[(&str, Saved)] = &[("input", Saved::Input), ("attention", Saved::Attention), ("all", Saved::All)];
/// Names of the KL terms.
const KLS: &[(&str, Kl)] = &[("k2", Kl::K2), ("k3", Kl::K3), ("k3+", Kl::K3Plus)];

/// Checks every value, and that this build has the device.
pub(super) fn resolve(raw: RawConfig, places: &Places) -> Result<RunConfig, ConfigError> {
    Checker { places }.device_available(&raw)?;
    to_plan(raw, places)
}

/// Checks every value; the device may be one that this build does not have.
pub(super) fn to_plan(mut raw: RawConfig, places: &Places) -> Result<RunConfig, ConfigError> {
    let check = Checker { places };
    check.not_available(&raw)?;
    let mut rubric = check.rubric(&raw.rewards.preset)?;
    check.take_over(&rubric, &mut raw);
    check.numbers(&raw)?;
    check.weigh(&mut rubric, &raw)?;
    let device = check.device(&raw.trainer.device)?;
    let config = RunConfig {
        model: match raw.model.path.as_str() {
            "" => return Err(check.wrong("model.path", "is empty; give a folder, a .gguf file or `embedded`")),
            "embedded" => ModelPath::Embedded,
            path => ModelPath::File(PathBuf::from(path)),
        },
        rope_override: check.rope_override(&raw.model.rope_override)?,
        over_long: check.name("data.over_long", &raw.data.over_long, OverLong::NAMES)?,
        advantage: check.advantage(&raw, rubric.rubric.preset)?,
        policy: check.policy(&raw)?,
        aggregation: check.name("objective.aggregation", &raw.objective.aggregation, AGGREGATIONS)?,
        schedule: check.name("optim.schedule", &raw.optim.schedule, SCHEDULES)?,
        device,
        dtype: check.dtype(&raw.model.dtype, device)?,
        states: check.name("optim.states", &raw.optim.states, Memory::NAMES)?,
        reference: check.name("objective.reference", &raw.objective.reference, Memory::NAMES)?,
        saved: match raw.trainer.saved.as_str() {
            "auto" => None,
            other => Some(check.name("trainer.saved", other, SAVED)?),
        },
        rubric,
        raw,
    };
    check.one_of("prompt.format", &config.raw.prompt.format, &["think_answer", "dx_conclusion", "plain"])?;
    Ok(config)
}

/// The weight of each objective.
fn weights(raw: &RawConfig) -> [(Objective, f64); 4] {
    let weights = &raw.rewards.weights;
    [
        (Objective::Accuracy, weights.accuracy),
        (Objective::Faithfulness, weights.faithfulness),
        (Objective::Comprehensiveness, weights.comprehensiveness),
        (Objective::Format, weights.format),
    ]
}

struct Checker<'a> {
    places: &'a Places,
}

impl Checker<'_> {
    fn wrong(&self, key: &str, problem: impl Into<String>) -> ConfigError {
        ConfigError::Value { place: self.places.of(key), key: key.to_owned(), problem: problem.into() }
    }

    fn name<T: Copy>(&self, key: &str, text: &str, names: &[(&str, T)]) -> Result<T, ConfigError> {
        match names.iter().find(|(name, _)| *name == text) {
            Some((_, value)) => Ok(*value),
            None => Err(self.not_one_of(key, text, &names.iter().map(|(name, _)| *name).collect::<Vec<_>>())),
        }
    }

    /// A rubric that training may use: what judges the training must never be trained on.
    fn rubric(&self, text: &str) -> Result<RubricFile, ConfigError> {
        let key = "rewards.preset";
        let file = RubricFile::open(text).map_err(|error| match error {
            RubricError::Read { reason, .. } if !text.contains(['.', '/', '\\']) => {
                let names: Vec<&str> =
                    Preset::ALL.iter().filter(|(_, preset)| preset.is_trainable()).map(|(name, _)| *name).collect();
                self.wrong(
                    key,
                    format!("is \"{text}\"; it must be one of {}, or a rubric file ({reason})", names.join(", ")),
                )
            }
            error => self.wrong(key, format!("names a rubric that cannot be used: {error}")),
        })?;
        if !file.rubric.preset.is_trainable() {
            let name = file.rubric.preset.name();
            return Err(self.wrong(
                key,
                format!("is \"{text}\", the second opinion that no model is trained on; `attending score --rubric {name}` scores by it"),
            ));
        }
        Ok(file)
    }

    /// Weights and gates that the run configuration does not give are the rubric's; what the run used is thus written down.
    fn take_over(&self, file: &RubricFile, raw: &mut RawConfig) {
        let (weights, gates) = (&mut raw.rewards.weights, &mut raw.advantage.gates);
        for (objective, weight, gate) in [
            (Objective::Accuracy, &mut weights.accuracy, &mut gates.accuracy),
            (Objective::Faithfulness, &mut weights.faithfulness, &mut gates.faithfulness),
            (Objective::Comprehensiveness, &mut weights.comprehensiveness, &mut gates.comprehensiveness),
            (Objective::Format, &mut weights.format, &mut gates.format),
        ] {
            if !self.places.has(&format!("rewards.weights.{}", objective.name())) {
                *weight = file.rubric.weights.get(&objective).copied().unwrap_or(0.0);
            }
            if !self.places.has(&format!("advantage.gates.{}", objective.name())) {
                let own = file.rubric.gates.get(&objective).copied().unwrap_or(Gate::None);
                *gate = GATES.iter().find(|(_, gate)| *gate == own).map_or("none", |(name, _)| name).to_owned();
            }
        }
    }

    /// Puts the weights of the run into its rubric. The published scalar has none of its own.
    fn weigh(&self, file: &mut RubricFile, raw: &RawConfig) -> Result<(), ConfigError> {
        if file.rubric.preset == Preset::ClinicalR1 {
            return Ok(());
        }
        let weighted =
            file.rubric.clone().with_weights(weights(raw).map(|(objective, weight)| (objective.name(), weight)));
        file.rubric = weighted.map_err(|error| self.wrong("rewards.weights", format!("cannot be used: {error}")))?;
        Ok(())
    }

    fn one_of(&self, key: &str, text: &str, names: &[&str]) -> Result<(), ConfigError> {
        if names.contains(&text) { Ok(()) } else { Err(self.not_one_of(key, text, names)) }
    }

    fn not_one_of(&self, key: &str, text: &str, names: &[&str]) -> ConfigError {
        self.wrong(key, format!("is \"{text}\"; it must be one of {}", names.join(", ")))
    }

    fn device(&self, text: &str) -> Result<DeviceChoice, ConfigError> {
        match (text, text.strip_prefix("cuda:").map(str::parse)) {
            ("auto", _) => Ok(DeviceChoice::Auto),
            ("cpu", _) => Ok(DeviceChoice::Cpu),
            ("cuda", _) => Ok(DeviceChoice::Cuda(0)),
            (_, Some(Ok(ordinal))) => Ok(DeviceChoice::Cuda(ordinal)),
            _ => Err(self.not_one_of("trainer.device", text, &["auto", "cpu", "cuda", "cuda:1"])),
        }
    }

    /// The type of the weights, which the device must have.
    fn dtype(&self, text: &str, device: DeviceChoice) -> Result<Dtype, ConfigError> {
        match self.name("model.dtype", text, Dtype::NAMES)? {
            Dtype::Bf16 if device == DeviceChoice::Cpu => {
                Err(self.wrong("model.dtype", "is \"bf16\", which needs a CUDA device; use f32 on the CPU"))
            }
            dtype => Ok(dtype),
        }
    }

    fn rope_override(&self, text: &str) -> Result<Option<RopeOverride>, ConfigError> {
        if text.is_empty() {
            return Ok(None);
        }
        let (kind, factor) = text.split_once(':').unwrap_or((text, ""));
        match (kind, factor.parse::<f64>()) {
            ("linear", Ok(factor)) if factor >= 1.0 && factor.is_finite() => Ok(Some(RopeOverride::Linear(factor))),
            ("yarn", Ok(factor)) if factor >= 1.0 && factor.is_finite() => Ok(Some(RopeOverride::Yarn(factor))),
            _ => Err(self.wrong(
                "model.rope_override",
                format!(
                    "is \"{text}\"; it must be linear:FACTOR or yarn:FACTOR with a factor of at least 1, as yarn:4"
                ),
            )),
        }
    }

    fn kl(&self, text: &str) -> Result<Kl, ConfigError> {
        if text == "k1" {
            return Err(
                self.wrong("objective.kl", "is \"k1\", whose expected gradient as a loss is zero; use k2, k3 or k3+")
            );
        }
        self.name("objective.kl", text, KLS)
    }

    fn policy(&self, raw: &RawConfig) -> Result<PolicyConfig, ConfigError> {
        let objective = &raw.objective;
        let kind = self.kl(&objective.kl)?;
        let coefficient = objective.kl_coefficient;
        // With several steps a batch the later ones are off policy.
        let off_policy = objective.steps_per_batch > 1;
        Ok(PolicyConfig {
            loss: self.name("objective.loss", &objective.loss, LOSSES)?,
            clip_low: objective.clip_low,
            clip_high: objective.clip_high,
            kl: (coefficient > 0.0).then_some(KlLoss { kind, coefficient, off_policy }),
            entropy_coefficient: objective.entropy_coefficient,
        })
    }

    fn advantage(&self, raw: &RawConfig, preset: Preset) -> Result<advantage::Config, ConfigError> {
        use Objective::{Accuracy, Comprehensiveness, Faithfulness, Format};
        let gates = &raw.advantage.gates;
        let mut by_objective = BTreeMap::new();
        for (objective, text) in [
            (Accuracy, &gates.accuracy),
            (Faithfulness, &gates.faithfulness),
            (Comprehensiveness, &gates.comprehensiveness),
            (Format, &gates.format),
        ] {
            by_objective.insert(objective, self.name(&format!("advantage.gates.{}", objective.name()), text, GATES)?);
        }
        // The published preset is a scalar of its own; the vector's weights do not enter it.
        let scalar = if preset == Preset::ClinicalR1 { ScalarSource::Preset } else { ScalarSource::Weighted };
        let estimator = self.name("advantage.estimator", &raw.advantage.estimator, Estimator::NAMES)?;
        if scalar == ScalarSource::Preset && !estimator.is_scalar() {
            return Err(self.wrong(
                "advantage.estimator",
                format!(
                    "is {}, which needs a value for each objective, but the preset clinical-r1 gives one number; use \
                     grpo, dr_grpo, rloo or batch_std",
                    raw.advantage.estimator
                ),
            ));
        }
        Ok(advantage::Config {
            estimator,
            weights: weights(raw).into(),
            gates: by_objective,
            floor: raw.advantage.floor,
            whiten: self.name("advantage.whiten", &raw.advantage.whiten, WHITENS)?,
            clip: raw.advantage.clip,
            scalar,
            constrained: self.constrained(raw)?,
            ..advantage::Config::default()
        })
    }

    /// The bounds of dual ascent; accuracy is what is improved.
    fn constrained(&self, raw: &RawConfig) -> Result<Constrained, ConfigError> {
        let given = &raw.advantage.constrained;
        let (thresholds, targets) = (&given.thresholds, &given.targets);
        let mut constraints = BTreeMap::new();
        for (objective, threshold, target) in [
            (Objective::Faithfulness, thresholds.faithfulness, targets.faithfulness),
            (Objective::Comprehensiveness, thresholds.comprehensiveness, targets.comprehensiveness),
            (Objective::Format, thresholds.format, targets.format),
        ] {
            self.share(&format!("advantage.constrained.thresholds.{}", objective.name()), threshold)?;
            self.share(&format!("advantage.constrained.targets.{}", objective.name()), target)?;
            constraints.insert(objective, Constraint { threshold, target });
        }
        self.positive("advantage.constrained.step", given.step)?;
        self.positive("advantage.constrained.max", given.max)?;
        Ok(Constrained { primary: Objective::Accuracy, constraints, step: given.step, max: given.max })
    }

    fn positive(&self, key: &str, value: f64) -> Result<(), ConfigError> {
        if value.is_finite() && value > 0.0 {
            Ok(())
        } else {
            Err(self.wrong(key, format!("is {value}; it must be above 0")))
        }
    }

    fn share(&self, key: &str, value: f64) -> Result<(), ConfigError> {
        if (0.0..=1.0).contains(&value) {
            Ok(())
        } else {
            Err(self.wrong(key, format!("is {value}; it must be within 0 and 1")))
        }
    }

    fn refuse(&self, key: &str, what: &'static str) -> Result<(), ConfigError> {
        Err(ConfigError::NotAvailable { place: self.places.of(key), key: key.to_owned(), what })
    }

    /// Devices and types that only a build with CUDA has.
    fn device_available(&self, raw: &RawConfig) -> Result<(), ConfigError> {
        if cfg!(feature = "cuda") {
            return Ok(());
        }
        if let DeviceChoice::Cuda(_) = self.device(&raw.trainer.device)? {
            let what = "it was built without CUDA (cargo's --features cuda); use cpu";
            return self.refuse("trainer.device", what);
        }
        if raw.model.dtype == "bf16" {
            return self.refuse("model.dtype", "bf16 needs a CUDA device; use f32");
        }
        Ok(())
    }

    /// Values that the format knows and no build does.
    fn not_available(&self, raw: &RawConfig) -> Result<(), ConfigError> {
        match raw.rollout.engine.as_str() {
            "local" => {}
            "remote" => return self.refuse("rollout.engine", "remote rollouts come with a later release; use local"),
            other => return Err(self.not_one_of("rollout.engine", other, &["local"])),
        }
        match raw.advantage.estimator.as_str() {
            "gigpo" => {
                self.refuse("advantage.estimator", "gigpo needs multi-turn training, which comes with a later release")
            }
            _ => Ok(()),
        }
    }

    fn numbers(&self, raw: &RawConfig) -> Result<(), ConfigError> {
        let (rollout, advantage, objective) = (&raw.rollout, &raw.advantage, &raw.objective);
        let (optim, trainer) = (&raw.optim, &raw.trainer);
        for (key, value) in [
            ("data.max_prompt_tokens", raw.data.max_prompt_tokens),
            ("rollout.group_size", rollout.group_size),
            ("rollout.prompts_per_step", rollout.prompts_per_step),
            ("rollout.max_new_tokens", rollout.max_new_tokens),
            ("objective.steps_per_batch", objective.steps_per_batch),
            ("trainer.max_packed_tokens", trainer.max_packed_tokens),
            ("trainer.keep", trainer.keep),
            ("sft.sequences_per_step", raw.sft.sequences_per_step),
        ] {
            if value == 0 {
                return Err(self.wrong(key, "is 0; it must be at least 1"));
            }
        }
        if rollout.group_size == 1 {
            return Err(self.wrong(
                "rollout.group_size",
                format!(
                    "is 1, but the estimator {} compares the responses to one prompt; it must be at least 2",
                    advantage.estimator
                ),
            ));
        }
        if objective.steps_per_batch > rollout.prompts_per_step {
            return Err(self.wrong(
                "objective.steps_per_batch",
                format!(
                    "is {}, more than the {} prompts of a step",
                    objective.steps_per_batch, rollout.prompts_per_step
                ),
            ));
        }
        let positive = |key: &str, value: f64| self.positive(key, value);
        let share = |key: &str, value: f64| self.share(key, value);
        let not_negative = |key: &str, value: f64| {
            if value.is_finite() && value >= 0.0 {
                Ok(())
            } else {
                Err(self.wrong(key, format!("is {value}; it must be at least 0")))
            }
        };
        positive("rollout.temperature", rollout.temperature)?;
        share("rollout.top_p", rollout.top_p)?;
        positive("rollout.top_p", rollout.top_p)?;
        let weights = &raw.rewards.weights;
        not_negative("rewards.weights.accuracy", weights.accuracy)?;
        not_negative("rewards.weights.faithfulness", weights.faithfulness)?;
        not_negative("rewards.weights.comprehensiveness", weights.comprehensiveness)?;
        not_negative("rewards.weights.format", weights.format)?;
        if weights.accuracy + weights.faithfulness + weights.comprehensiveness + weights.format == 0.0 {
            return Err(self.wrong("rewards.weights", "are all 0; nothing would be learned"));
        }
        share("rewards.max_unscorable", raw.rewards.max_unscorable)?;
        not_negative("advantage.floor", advantage.floor)?;
        positive("advantage.clip", advantage.clip)?;
        share("objective.clip_low", objective.clip_low)?;
        not_negative("objective.clip_high", objective.clip_high)?;
        not_negative("objective.kl_coefficient", objective.kl_coefficient)?;
        not_negative("objective.entropy_coefficient", objective.entropy_coefficient)?;
        positive("optim.lr", optim.lr)?;
        for beta in optim.betas {
            if !(0.0..1.0).contains(&beta) {
                return Err(self.wrong("optim.betas", format!("holds {beta}; both must be at least 0 and below 1")));
            }
        }
        not_negative("optim.weight_decay", optim.weight_decay)?;
        positive("optim.max_grad_norm", optim.max_grad_norm)?;
        positive("check.max_log_prob", raw.check.max_log_prob)?;
        positive("check.max_gradient", raw.check.max_gradient)?;
        positive("sft.epochs", raw.sft.epochs)?;
        positive("sft.answer_weight", raw.sft.answer_weight)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::ConfigSource;

    fn refusal(assignment: &str) -> String {
        let mut source = ConfigSource::default();
        source.set(assignment).unwrap();
        source.resolve().unwrap_err().to_string()
    }

    #[test]
    fn values_are_refused_in_a_sentence() {
        for (assignment, sentence) in [
            (
                "rollout.group_size=1",
                "--set: `rollout.group_size` is 1, but the estimator crpo compares the responses to one prompt; it must \
                 be at least 2",
            ),
            (
                "objective.kl=k1",
                "--set: `objective.kl` is \"k1\", whose expected gradient as a loss is zero; use k2, k3 or k3+",
            ),
            ("rollout.max_new_tokens=0", "--set: `rollout.max_new_tokens` is 0; it must be at least 1"),
            ("objective.loss=pppo", "--set: `objective.loss` is \"pppo\"; it must be one of ppo, gspo, cispo"),
            ("rollout.temperature=0", "--set: `rollout.temperature` is 0; it must be above 0"),
            ("rollout.top_p=1.5", "--set: `rollout.top_p` is 1.5; it must be within 0 and 1"),
            ("optim.betas=[0.9, 1.0]", "--set: `optim.betas` holds 1; both must be at least 0 and below 1"),
            (
                "objective.steps_per_batch=17",
                "--set: `objective.steps_per_batch` is 17, more than the 16 prompts of a step",
            ),
            (
                "rewards.preset=held-out",
                "--set: `rewards.preset` is \"held-out\", the second opinion that no model is trained on; `attending \
                 score --rubric held-out` scores by it",
            ),
            (
                "advantage.constrained.targets.format=2",
                "--set: `advantage.constrained.targets.format` is 2; it must be within 0 and 1",
            ),
            (
                "model.rope_override=yarn",
                "--set: `model.rope_override` is \"yarn\"; it must be linear:FACTOR or yarn:FACTOR with a factor of at \
                 least 1, as yarn:4",
            ),
            (
                "rollout.engine=remote",
                "--set: `rollout.engine` is not available in this build: remote rollouts come with a later release; use \
                 local",
            ),
        ] {
            assert_eq!(refusal(assignment), sentence);
        }
        #[cfg(not(feature = "cuda"))]
        assert_eq!(
            refusal("trainer.device=cuda:1"),
            "--set: `trainer.device` is not available in this build: it was built without CUDA (cargo's --features \
             cuda); use cpu"
        );
        assert_eq!(
            refusal("trainer.device=gpu"),
            "--set: `trainer.device` is \"gpu\"; it must be one of auto, cpu, cuda, cuda:1"
        );
    }

    #[test]
    fn defaults_are_accepted() {
        let config = ConfigSource::default().resolve().unwrap();
        // One default for training and for scoring.
        assert_eq!(config.advantage.weights, attending_rewards::Rubric::default().weights);
        assert_eq!(config.advantage.constrained, attending_rewards::advantage::Constrained::default());
    }

    /// A file of `attending score` says what the training pays for; what the run configuration gives stands over it.
    #[test]
    fn a_rubric_file_is_trained_by() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ward.toml");
        let text = "weights = { faithfulness = 0.25, format = 0 }\n[gates]\nfaithfulness = \"none\"\n[thresholds]\nlength_words = 300\n";
        std::fs::write(&path, text).unwrap();
        let preset = format!("rewards.preset={}", path.display());
        let mut source = ConfigSource::default();
        source.set(&preset).unwrap();
        source.set("rewards.weights.format=0.2").unwrap();
        let config = source.resolve().unwrap();
        let weights: Vec<f64> = config.rubric.rubric.weights.values().copied().collect();
        assert_eq!(weights, [1.0, 0.25, 0.3, 0.2]);
        assert_eq!(config.advantage.weights, config.rubric.rubric.weights);
        assert_eq!(config.advantage.gates[&attending_rewards::Objective::Faithfulness], super::Gate::None);
        assert_eq!(config.rubric.rubric.thresholds.length_words, 300.0);
        // What is written down reads back to the same run.
        let mut again = ConfigSource::default();
        again.text("config.toml", &config.to_toml()).unwrap();
        assert_eq!(again.resolve().unwrap(), config);

        std::fs::write(&path, "[weights]\nfaithfullness = 1\n").unwrap();
        let error = refusal(&preset);
        assert!(
            error.contains("ward.toml:2: unknown key `weights.faithfullness`; did you mean `weights.faithfulness`?"),
            "{error}"
        );
        std::fs::write(&path, "preset = \"held-out\"\n").unwrap();
        assert!(refusal(&preset).contains("the second opinion that no model is trained on"));
        std::fs::write(&path, "verifiers = [\"answer\"]\n").unwrap();
        let mut source = ConfigSource::default();
        source.set(&preset).unwrap();
        source.set("rewards.weights.format=0.2").unwrap();
        let error = source.resolve().unwrap_err().to_string();
        assert!(error.contains("format has a weight, but the rubric runs no verifier that can earn it"), "{error}");
        assert!(
            refusal("rewards.preset=crop").starts_with("--set: `rewards.preset` is \"crop\"; it must be one of crpo, ")
        );
    }

    #[test]
    fn every_estimator_can_be_named() {
        for (name, estimator) in attending_rewards::advantage::Estimator::NAMES {
            let mut source = ConfigSource::default();
            source.set(&format!("advantage.estimator={name}")).unwrap();
            assert_eq!(source.resolve().unwrap().advantage.estimator, *estimator);
        }
    }
}
