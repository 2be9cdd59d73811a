//! The update step of a 3 B model: forward, recompute, backward and one AdamW step, without a pass for old
//! log-probabilities.

use std::rc::Rc;

use attending::cuda::{self, Bf16, Buffer, CudaError, Device};
use attending::model::config::{ModelConfig, RopeOverride};
use attending::model::parameters::Parameters;
use attending::model::{Saved, StepOptions, random};
use attending::optim::AdamWConfig;
use attending::prefix::{PrefixTree, Sequence};
use attending::trainer::card::{self, Work};
use serde_json::{Value, json};

use crate::measurement::{Measured, Results};
use crate::support::{Random, Weighted, scattered};
use crate::{Part, fitting};

/// Beginnings shorter than this are repeated, as in training on a GPU.
const MIN_SHARED: usize = 64;
/// The settings of a step: the gradient's largest norm, and the learning rate.
const MAX_NORM: f64 = 1.0;
const RATE: f64 = 1e-6;

/// A model with its gradients and its optimiser on the device.
struct Trained {
    decoder: cuda::Decoder<Bf16>,
    optimiser: cuda::AdamW,
    gradients: Buffer<f32>,
}

impl Trained {
    fn new(device: &Rc<Device>, config: &ModelConfig, parameters: &Parameters<f32>) -> Result<Self, CudaError> {
        let (optimiser, decoder) = cuda::AdamW::new(device, AdamWConfig::default(), config.clone(), parameters, None)?;
        Ok(Self { gradients: decoder.zero_gradients()?, optimiser, decoder })
    }

    fn step(&mut self, tree: &PrefixTree) -> Result<(), CudaError> {
        let options = StepOptions { saved: Saved::Input, temperature: 1.0 };
        let objective = Weighted(&scattered);
        self.decoder.forward_backward(tree, &options, &objective, &mut self.gradients)?;
        self.optimiser.step(&mut self.decoder, &mut self.gradients, RATE, MAX_NORM)?;
        Ok(())
    }
}

/// Random sequences: a prompt that all share, and responses of `new` tokens, which are trained.
fn group(work: &Work, vocabulary: usize) -> PrefixTree {
    let mut random = Random(1);
    let prompt = random.tokens(work.prompt, vocabulary);
    let sequences: Vec<Vec<u32>> =
        (0..work.responses).map(|_| [&prompt[..], &random.tokens(work.new, vocabulary)].concat()).collect();
    // Without a prompt nothing predicts the first token.
    tree(&sequences, work.prompt.max(1), MIN_SHARED)
}

fn tree(sequences: &[Vec<u32>], trained_from: usize, min_shared: usize) -> PrefixTree {
    let inputs: Vec<_> =
        sequences.iter().map(|tokens| Sequence { tokens, trained: trained_from..tokens.len() }).collect();
    PrefixTree::from_sequences(&inputs, min_shared).expect("the sequences are not empty")
}

/// Measures the parts, all with one model.
pub fn run(device: &Rc<Device>, parts: &[Part], tiny: bool, results: &Results) -> anyhow::Result<()> {
    let (shape, one, plain) = if tiny {
        ("tiny", Work { prompt: 128, responses: 8, new: 16 }, Work { prompt: 0, responses: 8, new: 32 })
    } else {
        ("qwen2.5-3b", Work { prompt: 8192, responses: 8, new: 512 }, Work { prompt: 0, responses: 8, new: 2048 })
    };
    let config = random::like(shape).expect("a shape that is known");
    let parameters = random::parameters(&config, 0);
    let mut trained = Trained::new(device, &config, &parameters)?;
    for part in parts {
        match part {
            Part::Group => step(device, &mut trained, "group", &one, 7, results)?,
            Part::Plain => step(device, &mut trained, "plain", &plain, 7, results)?,
            Part::Memory => memory(device, &mut trained, &parameters, tiny, results)?,
            Part::Equality | Part::Rollout => {}
        }
    }
    Ok(())
}

fn step(
    device: &Device,
    trained: &mut Trained,
    what: &str,
    work: &Work,
    runs: usize,
    results: &Results,
) -> anyhow::Result<()> {
    let tree = group(work, trained.decoder.config.vocab_size);
    let measured = fitting(Measured::of(device, (2, runs), || trained.step(&tree)))?;
    results.add(what, described(trained, work, measured.as_ref()))?;
    Ok(())
}

/// What was measured, with the work that it did.
fn described(trained: &Trained, work: &Work, measured: Option<&Measured>) -> Value {
    let mut line = json!({ "prompt": work.prompt, "responses": work.responses, "new": work.new });
    let of = |line: &mut Value, values: Value| {
        if let (Some(line), Value::Object(values)) = (line.as_object_mut(), values) {
            line.extend(values);
        }
    };
    match measured {
        Some(measured) => {
            let useful = card::operations(&trained.decoder.config, work);
            of(&mut line, measured.json());
            of(&mut line, json!({ "useful_flop": useful, "useful_flop_per_s": useful / measured.median() }));
        }
        None => of(&mut line, json!({ "out_of_memory": true })),
    }
    line
}

/// Longer and longer prompts: without a reference model up to 65,536 tokens, then with one, and rotary positions
/// stretched as `model.rope_override = "yarn:4"` does it.
fn memory(
    device: &Rc<Device>,
    trained: &mut Trained,
    parameters: &Parameters<f32>,
    tiny: bool,
    results: &Results,
) -> anyhow::Result<()> {
    let prompts = if tiny { ([256, 128], [384, 512]) } else { ([65_536, 32_768], [131_072, 163_840]) };
    let mut at = |trained: &mut Trained, prompt: usize, reference: Option<&cuda::Decoder<Bf16>>| {
        let work = Work { prompt, responses: 8, new: if tiny { 16 } else { 512 } };
        let tree = group(&work, trained.decoder.config.vocab_size);
        let measured = fitting(Measured::of(device, (0, 1), || {
            if let Some(reference) = reference {
                reference.log_probs(&tree, 1.0)?;
            }
            trained.step(&tree)
        }))?;
        let mut line = described(trained, &work, measured.as_ref());
        line["reference"] = reference.is_some().into();
        results.add("memory", line)?;
        anyhow::Ok(measured.is_some())
    };
    for prompt in prompts.0 {
        at(trained, prompt, None)?;
    }
    let config = trained.decoder.config.clone().stretched(RopeOverride::Yarn(4.0));
    let reference = cuda::Decoder::<Bf16>::new(device, config.clone(), parameters)?;
    trained.decoder.config = config;
    for prompt in prompts.1 {
        if !at(trained, prompt, Some(&reference))? {
            break;
        }
    }
    Ok(())
}
