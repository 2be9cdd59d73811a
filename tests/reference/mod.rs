//! The decoder a second time, written for clarity on candle tensors, so that candle's autograd yields the gradients that
//! ours must equal. Only basic operations with a backward are used: candle-nn's fused ones drop gradients silently.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use attending::model::config::{ModelConfig, RopeScaling};
use attending::model::parameters::Parameters;
use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor, Var};

use crate::support::Random;

/// A trainable tensor of random values in [-1, 1).
pub fn random_var(random: &mut Random, shape: &[usize]) -> Var {
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| random.unit()).collect();
    var(&values, shape)
}

pub fn var(values: &[f64], shape: &[usize]) -> Var {
    Var::from_slice(values, shape, &Device::Cpu).unwrap()
}

pub fn tensor(values: &[f64], shape: &[usize]) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
}

pub fn values(t: &Tensor) -> Vec<f64> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

/// The gradient by `var`, which must exist.
pub fn gradient(grads: &GradStore, var: &Var) -> Vec<f64> {
    values(grads.get(var).unwrap())
}

/// `x W^T + b`.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let y = x.matmul(&weight.t()?)?;
    bias.map_or(Ok(y.clone()), |bias| y.broadcast_add(bias))
}

pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let rms = (x.sqr()?.mean_keepdim(1)? + eps)?.sqrt()?;
    x.broadcast_div(&rms)?.broadcast_mul(weight)
}

/// Rotated `[heads, rows, dim]` of `[rows, heads * dim]`. Frequencies, angles, cosines and sines are rounded to f32, as
/// in transformers, whatever the type of x.
pub fn rope(x: &Tensor, theta: f64, positions: &[u32], heads: usize) -> Result<Tensor> {
    let rows = positions.len();
    let dim = x.dim(1)? / heads;
    let half = dim / 2;
    let (mut cos, mut sin) = (Vec::new(), Vec::new());
    for &position in positions {
        for i in 0..half {
            let frequency = 1.0 / theta.powf(f64::from(2.0 * i as f32 / dim as f32)) as f32;
            let angle = f64::from(position as f32 * frequency);
            cos.push(f64::from(angle.cos() as f32));
            sin.push(f64::from(angle.sin() as f32));
        }
    }
    let (cos, sin) = (tensor(&cos, &[rows, 1, half]), tensor(&sin, &[rows, 1, half]));
    let x = x.reshape((rows, heads, dim))?;
    let (a, b) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
    let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
    let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
    Tensor::cat(&[first, second], 2)?.transpose(0, 1)?.contiguous()
}

/// `silu(gate) * up`.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.mul(&(gate.neg()?.exp()? + 1.0)?.recip()?)?.mul(up)
}

/// `[rows, 1]` of `[rows, n]`. The maximum is a constant: the result does not depend on it.
pub fn log_sum_exp(x: &Tensor) -> Result<Tensor> {
    let top = x.max_keepdim(1)?.detach();
    x.broadcast_sub(&top)?.exp()?.sum_keepdim(1)?.log()?.broadcast_add(&top)
}

/// Log-probabilities `[rows, n]` and entropies `[rows, 1]` of softmax(logits / temperature).
pub fn log_softmax(logits: &Tensor, temperature: f64) -> Result<(Tensor, Tensor)> {
    let z = (logits / temperature)?;
    let log_p = z.broadcast_sub(&log_sum_exp(&z)?)?;
    let entropy = log_p.exp()?.mul(&log_p)?.sum_keepdim(1)?.neg()?;
    Ok((log_p, entropy))
}

/// Attention with a dense mask: `o[heads, rows, dim]` and `lse[heads, rows]` from `q[heads, rows, dim]` and `k`, `v`
/// `[kv_heads, keys, dim]`; `seen(i, j)` says whether row i sees key j.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, seen: impl Fn(usize, usize) -> bool) -> Result<(Tensor, Tensor)> {
    let (heads, rows, dim) = q.dims3()?;
    let (kv_heads, keys, _) = k.dims3()?;
    let mask: Vec<f64> =
        (0..rows * keys).map(|at| if seen(at / keys, at % keys) { 0.0 } else { f64::NEG_INFINITY }).collect();
    let mask = tensor(&mask, &[rows, keys]);
    let (mut outputs, mut sums) = (Vec::new(), Vec::new());
    for head in 0..heads {
        let shared = head / (heads / kv_heads);
        let scores = (q.get(head)?.matmul(&k.get(shared)?.t()?)? / (dim as f64).sqrt())?.add(&mask)?;
        let lse = log_sum_exp(&scores)?;
        outputs.push(scores.broadcast_sub(&lse)?.exp()?.matmul(&v.get(shared)?)?);
        sums.push(lse.squeeze(1)?);
    }
    Ok((Tensor::stack(&outputs, 0)?, Tensor::stack(&sums, 0)?))
}

/// A decoder on candle variables.
pub struct Model {
    config: ModelConfig,
    vars: Vec<(String, Var)>,
}

impl Model {
    pub fn new(config: &ModelConfig, parameters: &Parameters<f64>) -> Self {
        assert_eq!(config.rope.scaling, RopeScaling::Default);
        let vars = parameters.named().into_iter().map(|t| (t.name, var(t.values, &t.shape))).collect();
        Self { config: config.clone(), vars }
    }

    fn find(&self, name: &str) -> Option<&Tensor> {
        self.vars.iter().find(|(n, _)| n == name).map(|(_, var)| var.as_tensor())
    }

    fn get(&self, name: &str) -> &Tensor {
        self.find(name).unwrap()
    }

    /// Logits `[tokens, vocab]` of one sequence.
    pub fn logits(&self, tokens: &[u32]) -> Result<Tensor> {
        let c = &self.config;
        let positions: Vec<u32> = (0..tokens.len() as u32).collect();
        let ids = Tensor::new(tokens, &Device::Cpu)?;
        let mut x = self.get("model.embed_tokens.weight").index_select(&ids, 0)?;
        for i in 0..c.layers {
            let weight = |module: &str| self.get(&format!("model.layers.{i}.{module}.weight"));
            let project = |x: &Tensor, module: &str| {
                linear(x, weight(module), self.find(&format!("model.layers.{i}.{module}.bias")))
            };
            let h = rms_norm(&x, weight("input_layernorm"), c.rms_norm_eps)?;
            let q = rope(&project(&h, "self_attn.q_proj")?, c.rope.theta, &positions, c.heads)?;
            let k = rope(&project(&h, "self_attn.k_proj")?, c.rope.theta, &positions, c.kv_heads)?;
            let v = project(&h, "self_attn.v_proj")?.reshape((tokens.len(), c.kv_heads, c.head_dim))?;
            let (o, _) = attention(&q, &k, &v.transpose(0, 1)?.contiguous()?, |i, j| j <= i)?;
            let joined = o.transpose(0, 1)?.reshape((tokens.len(), c.heads * c.head_dim))?;
            x = (x + project(&joined, "self_attn.o_proj")?)?;
            let h = rms_norm(&x, weight("post_attention_layernorm"), c.rms_norm_eps)?;
            let a = swiglu(&project(&h, "mlp.gate_proj")?, &project(&h, "mlp.up_proj")?)?;
            x = (x + project(&a, "mlp.down_proj")?)?;
        }
        let h = rms_norm(&x, self.get("model.norm.weight"), c.rms_norm_eps)?;
        let head = if c.tie_word_embeddings { "model.embed_tokens.weight" } else { "lm_head.weight" };
        linear(&h, self.get(head), None)
    }

    /// The gradients of `loss` by all parameters, every one of which must have one.
    pub fn gradients(&self, loss: &Tensor) -> Parameters<f64> {
        let grads = loss.backward().unwrap();
        let mut out = Parameters::filled(&self.config, 0.0);
        for (tensor, (name, var)) in out.named_mut().into_iter().zip(&self.vars) {
            assert_eq!(&tensor.name, name);
            tensor.values.copy_from_slice(&gradient(&grads, var));
        }
        out
    }
}
