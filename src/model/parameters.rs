//! The trainable tensors of a decoder, by name; gradients have the same type and layout.

use crate::model::config::ModelConfig;

/// A named view of one tensor: Hugging Face name, shape, row-major values.
#[derive(Debug)]
pub struct Named<'a, T> {
    /// Name as in `model.safetensors`.
    pub name: String,
    /// One or two dimensions; projections are `[out, in]`.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: &'a [T],
}

/// As [`Named`], writable.
#[derive(Debug)]
pub struct NamedMut<'a, T> {
    /// Name as in `model.safetensors`.
    pub name: String,
    /// One or two dimensions; projections are `[out, in]`.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: &'a mut [T],
}

/// All tensors of a decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters<T> {
    /// `[vocab, hidden]`; also the head where embeddings are tied.
    pub embedding: Vec<T>,
    /// One entry a layer.
    pub layers: Vec<LayerParameters<T>>,
    /// `[hidden]`.
    pub final_norm: Vec<T>,
    /// `[vocab, hidden]`; `None` where embeddings are tied.
    pub head: Option<Vec<T>>,
}

/// The tensors of one layer. Projections are `[out, in]`, biases `[out]`, empty where the model has none.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)]
pub struct LayerParameters<T> {
    pub attention_norm: Vec<T>,
    pub q: Vec<T>,
    pub k: Vec<T>,
    pub v: Vec<T>,
    pub q_bias: Vec<T>,
    pub k_bias: Vec<T>,
    pub v_bias: Vec<T>,
    pub o: Vec<T>,
    pub mlp_norm: Vec<T>,
    pub gate: Vec<T>,
    pub up: Vec<T>,
    pub down: Vec<T>,
}

impl<T: Clone> Parameters<T> {
    /// Tensors of the configuration's shapes, every value `value`.
    pub fn filled(config: &ModelConfig, value: T) -> Self {
        let (h, f) = (config.hidden_size, config.intermediate_size);
        let (q, kv) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
        let of = |n: usize| vec![value.clone(); n];
        let bias = |n: usize| if config.qkv_bias { of(n) } else { Vec::new() };
        let layer = || LayerParameters {
            attention_norm: of(h),
            q: of(q * h),
            k: of(kv * h),
            v: of(kv * h),
            q_bias: bias(q),
            k_bias: bias(kv),
            v_bias: bias(kv),
            o: of(h * q),
            mlp_norm: of(h),
            gate: of(f * h),
            up: of(f * h),
            down: of(h * f),
        };
        Self {
            embedding: of(config.vocab_size * h),
            layers: (0..config.layers).map(|_| layer()).collect(),
            final_norm: of(h),
            head: (!config.tie_word_embeddings).then(|| of(config.vocab_size * h)),
        }
    }
}

/// One layer's tensors in file order, with their names' suffixes; `cols` of 0 marks a vector.
macro_rules! layer_tensors {
    ($layer:expr, $hidden:expr, $iter:ident) => {{
        let l = $layer;
        [
            ("input_layernorm.weight", 0, l.attention_norm.$iter()),
            ("self_attn.q_proj.weight", $hidden, l.q.$iter()),
            ("self_attn.q_proj.bias", 0, l.q_bias.$iter()),
            ("self_attn.k_proj.weight", $hidden, l.k.$iter()),
            ("self_attn.k_proj.bias", 0, l.k_bias.$iter()),
            ("self_attn.v_proj.weight", $hidden, l.v.$iter()),
            ("self_attn.v_proj.bias", 0, l.v_bias.$iter()),
            ("self_attn.o_proj.weight", usize::MAX, l.o.$iter()),
            ("post_attention_layernorm.weight", 0, l.mlp_norm.$iter()),
            ("mlp.gate_proj.weight", $hidden, l.gate.$iter()),
            ("mlp.up_proj.weight", $hidden, l.up.$iter()),
            ("mlp.down_proj.weight", usize::MAX, l.down.$iter()),
        ]
    }};
}

/// Shape of a tensor of `len` values: `cols` 0 is a vector; `usize::MAX` is a matrix whose rows are the hidden width.
fn shape(len: usize, cols: usize, hidden: usize) -> Vec<usize> {
    match cols {
        0 => vec![len],
        usize::MAX => vec![hidden, len / hidden],
        c => vec![len / c, c],
    }
}

impl<T> Parameters<T> {
    /// Every tensor with its Hugging Face name and shape, in a fixed order. Absent biases are left out.
    pub fn named(&self) -> Vec<Named<'_, T>> {
        let hidden = self.final_norm.len();
        let matrix = |len: usize| shape(len, hidden, hidden);
        let mut all = vec![Named {
            name: "model.embed_tokens.weight".to_owned(),
            shape: matrix(self.embedding.len()),
            values: &self.embedding,
        }];
        for (i, layer) in self.layers.iter().enumerate() {
            for (suffix, cols, values) in layer_tensors!(layer, hidden, as_slice) {
                if !values.is_empty() {
                    let name = format!("model.layers.{i}.{suffix}");
                    all.push(Named { name, shape: shape(values.len(), cols, hidden), values });
                }
            }
        }
        all.push(Named { name: "model.norm.weight".to_owned(), shape: vec![hidden], values: &self.final_norm });
        if let Some(head) = &self.head {
            all.push(Named { name: "lm_head.weight".to_owned(), shape: matrix(head.len()), values: head });
        }
        all
    }

    /// As [`Parameters::named`], writable, in the same order.
    pub fn named_mut(&mut self) -> Vec<NamedMut<'_, T>> {
        let hidden = self.final_norm.len();
        let matrix = |len: usize| shape(len, hidden, hidden);
        let mut all = vec![NamedMut {
            name: "model.embed_tokens.weight".to_owned(),
            shape: matrix(self.embedding.len()),
            values: &mut self.embedding,
        }];
        for (i, layer) in self.layers.iter_mut().enumerate() {
            for (suffix, cols, values) in layer_tensors!(layer, hidden, as_mut_slice) {
                if !values.is_empty() {
                    let name = format!("model.layers.{i}.{suffix}");
                    all.push(NamedMut { name, shape: shape(values.len(), cols, hidden), values });
                }
            }
        }
        all.push(NamedMut { name: "model.norm.weight".to_owned(), shape: vec![hidden], values: &mut self.final_norm });
        if let Some(head) = &mut self.head {
            all.push(NamedMut { name: "lm_head.weight".to_owned(), shape: matrix(head.len()), values: head });
        }
        all
    }

    /// Number of values.
    pub fn count(&self) -> usize {
        self.named().iter().map(|t| t.values.len()).sum()
    }
}
