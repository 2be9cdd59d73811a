//! What several integration tests need: random models, objectives with given coefficients, distances between gradients.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use attending::model::config::{Architecture, ModelConfig, RopeConfig, RopeScaling};
use attending::model::parameters::Parameters;
use attending::objective::{Coefficient, Label, LabelValue, Loss, PolicyConfig, Term, Terms, TokenObjective};
use attending::ops::Element;

/// A small deterministic generator (SplitMix64), so that the tests need no crate for it.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Uniform in [-1, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub fn tokens(&mut self, n: usize, vocab: usize) -> Vec<u32> {
        (0..n).map(|_| self.below(vocab) as u32).collect()
    }
}

pub fn config(architecture: Architecture, layers: usize) -> ModelConfig {
    ModelConfig {
        architecture,
        vocab_size: 61,
        hidden_size: 24,
        intermediate_size: 40,
        layers,
        heads: 4,
        kv_heads: 2,
        head_dim: 8,
        rms_norm_eps: 1e-6,
        rope: RopeConfig { theta: 10_000.0, scaling: RopeScaling::Default },
        tie_word_embeddings: architecture == Architecture::Qwen2,
        qkv_bias: architecture == Architecture::Qwen2,
        max_position_embeddings: 4096,
    }
}

/// Random values of a sensible size: projections scaled by their width, norms around 1.
pub fn parameters<T: Element>(config: &ModelConfig, seed: u64) -> Parameters<T> {
    let mut random = Random(seed);
    let mut parameters = Parameters::filled(config, T::ZERO);
    for tensor in parameters.named_mut() {
        let norm = tensor.name.ends_with("norm.weight");
        let scale = if tensor.shape.len() == 1 { 0.3 } else { 1.7 / (tensor.shape[1] as f64).sqrt() };
        for v in tensor.values {
            *v = T::of(if norm { 1.0 } else { 0.0 } + scale * random.unit());
        }
    }
    parameters
}

/// Sum of c log p + e H with c and e given for each (sequence, index).
pub struct Weighted<'a>(pub &'a dyn Fn(&Label) -> (f64, f64));

impl TokenObjective for Weighted<'_> {
    fn coefficients(&self, labels: &[Label], _: &[LabelValue], out: &mut [Coefficient]) {
        for (out, label) in out.iter_mut().zip(labels) {
            let (log_prob, entropy) = (self.0)(label);
            *out = Coefficient { log_prob, entropy };
        }
    }

    /// The derivatives of `w (-A log p - H)` are -w A and -w, so w = -e and A = c / e; without H, w = -c and A = 1.
    fn terms(&self, labels: &[Label]) -> Terms {
        let with_entropy = labels.iter().any(|label| (self.0)(label).1 != 0.0);
        let entropy_coefficient = if with_entropy { 1.0 } else { 0.0 };
        let config = PolicyConfig { loss: Loss::Cispo, clip_low: 1.0, clip_high: 0.0, kl: None, entropy_coefficient };
        let term = |label: &Label| {
            let (log_prob, entropy) = (self.0)(label);
            let (weight, advantage) = if with_entropy { (-entropy, log_prob / entropy) } else { (-log_prob, 1.0) };
            Term::new(weight, advantage, label.sequence)
        };
        Terms { config, labels: labels.iter().map(term).collect() }
    }
}

/// Coefficients that look random and depend on the token alone, not on the packing.
pub fn scattered(label: &Label) -> (f64, f64) {
    let mut random = Random(u64::from(label.sequence) << 32 | u64::from(label.index));
    (random.unit(), 0.1 * random.unit())
}

pub fn norm<T: Element>(x: &[T]) -> f64 {
    x.iter().map(|v| v.f64() * v.f64()).sum::<f64>().sqrt()
}

pub fn distance<T: Element>(x: &[T], y: &[T]) -> f64 {
    assert_eq!(x.len(), y.len());
    x.iter().zip(y).map(|(a, b)| (a.f64() - b.f64()).powi(2)).sum::<f64>().sqrt()
}

/// Relative L2 distance of whole gradients, after checking each tensor: its distance is at most `bar` of its own norm
/// plus a tenth of `bar` of the whole gradient's.
pub fn compare_gradients<T: Element>(got: &Parameters<T>, want: &Parameters<T>, bar: f64) -> f64 {
    let (got, want) = (got.named(), want.named());
    let square = |d: f64| d * d;
    let all = want.iter().map(|t| square(norm(t.values))).sum::<f64>().sqrt();
    let mut apart = 0.0;
    for (g, w) in got.iter().zip(&want) {
        let d = distance(g.values, w.values);
        assert!(d <= bar * norm(w.values) + 0.1 * bar * all, "{}: {d} of {}", w.name, norm(w.values));
        apart += square(d);
    }
    apart.sqrt() / all
}
