//! The whole decoder over a prefix tree: log-probabilities of its labels, and the gradient of an objective of them.

use crate::model::config::ModelConfig;
use crate::model::head::{Head, labelled_rows};
use crate::model::layer::{Context, Saved};
use crate::model::parameters::Parameters;
use crate::objective::{LabelValue, TokenObjective};
use crate::ops::rope::RopeTable;
use crate::ops::{Buffer, Element, Workspace, embedding, rms_norm};
use crate::prefix::PrefixTree;

/// How one forward and backward is run.
#[derive(Debug, Clone, Copy)]
pub struct StepOptions {
    /// What layers keep.
    pub saved: Saved,
    /// T of softmax(logits / T); the rollout's.
    pub temperature: f64,
}

/// A decoder with its parameters: Qwen2, Qwen2.5, Llama and their kin.
#[derive(Debug)]
pub struct Decoder<T: Element = f32> {
    /// Sizes and constants.
    pub config: ModelConfig,
    /// The trained tensors.
    pub parameters: Parameters<T>,
    workspace: Workspace<T>,
}

impl<T: Element> Decoder<T> {
    /// A decoder of these parameters, whose shapes must be the configuration's.
    pub fn new(config: ModelConfig, parameters: Parameters<T>) -> Self {
        Self { config, parameters, workspace: Workspace::new() }
    }

    /// The buffers of the forward and backward, for measuring and for the rollout.
    pub fn workspace(&self) -> &Workspace<T> {
        &self.workspace
    }

    pub(crate) fn head_weight(&self) -> &[T] {
        self.parameters.head.as_deref().unwrap_or(&self.parameters.embedding)
    }

    pub(crate) fn rope_table(&self, positions: usize) -> RopeTable<T> {
        RopeTable::new(&self.config.rope, self.config.head_dim, positions)
    }

    /// Log-probability under softmax(logits / temperature) and row entropy of every label of the tree, in its order.
    pub fn log_probs(&self, tree: &PrefixTree, temperature: f64) -> Vec<LabelValue> {
        let run = Run::new(self, tree);
        let mut x = run.embed();
        for (i, layer) in self.parameters.layers.iter().enumerate() {
            x = run.context(i).forward(layer, x, Saved::Input).0;
        }
        let hidden = run.normalise(&x);
        run.head(&hidden, temperature).values()
    }

    /// Runs forward and backward; the gradient of the objective is added to `gradients`. Returns the labels' values.
    pub fn forward_backward(
        &self,
        tree: &PrefixTree,
        options: &StepOptions,
        objective: &mut dyn TokenObjective,
        gradients: &mut Parameters<T>,
    ) -> Vec<LabelValue> {
        let run = Run::new(self, tree);
        let parameters = &self.parameters;
        let mut x = run.embed();
        let mut kept = Vec::with_capacity(parameters.layers.len());
        for (i, layer) in parameters.layers.iter().enumerate() {
            let (y, k) = run.context(i).forward(layer, x, options.saved);
            kept.push(k);
            x = y;
        }
        let hidden = run.normalise(&x);
        let mut d_hidden = self.workspace.buffer(hidden.len());
        let d_weight = gradients.head.as_mut().unwrap_or(&mut gradients.embedding);
        let values = run.head(&hidden, options.temperature).forward_backward(objective, &mut d_hidden, d_weight);
        drop(hidden);
        let mut dx = self.workspace.zeros(x.len());
        let eps = self.config.rms_norm_eps;
        rms_norm::backward(&x, &parameters.final_norm, eps, &d_hidden, &mut dx, &mut gradients.final_norm);
        drop((d_hidden, x));
        for (i, kept) in kept.into_iter().enumerate().rev() {
            dx = run.context(i).backward(&parameters.layers[i], kept, dx, &mut gradients.layers[i]);
        }
        embedding::backward(tree.tokens(), &dx, self.config.hidden_size, &mut gradients.embedding);
        values
    }
}

/// One pass of a decoder over a tree.
struct Run<'a, T: Element> {
    decoder: &'a Decoder<T>,
    tree: &'a PrefixTree,
    table: RopeTable<T>,
    all_rows: Vec<u32>,
    labelled: Vec<u32>,
}

impl<'a, T: Element> Run<'a, T> {
    fn new(decoder: &'a Decoder<T>, tree: &'a PrefixTree) -> Self {
        let longest = tree.positions().iter().max().map_or(0, |&p| p as usize + 1);
        Self {
            decoder,
            tree,
            table: decoder.rope_table(longest),
            all_rows: (0..tree.tokens().len() as u32).collect(),
            labelled: labelled_rows(tree.labels()),
        }
    }

    /// The surroundings of layer `i`; the last layer's output is wanted only where a label reads it.
    fn context(&self, i: usize) -> Context<'_, 'a, T> {
        let last = i + 1 == self.decoder.parameters.layers.len();
        Context {
            config: &self.decoder.config,
            table: &self.table,
            nodes: self.tree.nodes(),
            positions: self.tree.positions(),
            rows: if last { &self.labelled } else { &self.all_rows },
            workspace: &self.decoder.workspace,
        }
    }

    fn embed(&self) -> Buffer<'a, T> {
        let width = self.decoder.config.hidden_size;
        let mut x = self.decoder.workspace.buffer(self.tree.tokens().len() * width);
        embedding::forward(&self.decoder.parameters.embedding, self.tree.tokens(), width, &mut x);
        x
    }

    fn normalise(&self, x: &[T]) -> Buffer<'a, T> {
        let mut hidden = self.decoder.workspace.buffer(x.len());
        rms_norm::forward(x, &self.decoder.parameters.final_norm, self.decoder.config.rms_norm_eps, &mut hidden);
        hidden
    }

    fn head<'r>(&'r self, hidden: &'r [T], temperature: f64) -> Head<'r, T> {
        Head {
            config: &self.decoder.config,
            weight: self.decoder.head_weight(),
            hidden,
            labels: self.tree.labels(),
            temperature,
            workspace: &self.decoder.workspace,
        }
    }
}
