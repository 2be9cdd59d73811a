//! A model in memory as an engine: the rollout's sampling, and options compared over a prefix tree.

use std::ops::ControlFlow;

use attending_eval::run::{
    ChoiceRequest, Engine, EngineError, Generated, Outcome, Prompt as Asked, Request, Sampling, Sink,
};

use crate::model::decoder::Decoder;
use crate::model::error::ModelError;
use crate::model::folder::Model;
use crate::model::tokenizer::Tokenizer;
use crate::prefix::{PrefixTree, Sequence};
use crate::rollout::{Finish, Prompt, Rollout, SamplingParams, Stopping, generate};

/// Responses sampled together: what one batch's keys and values take stays small, and progress is seen.
const TOGETHER: usize = 32;
/// Tokens of questions whose options are compared together.
const TOGETHER_TOKENS: usize = 4096;
/// A shared segment of fewer tokens is repeated.
const MIN_SHARED: usize = 8;

/// A model in memory.
pub struct Local {
    decoder: Decoder,
    tokenizer: Tokenizer,
    /// Longest prompt, tokens.
    longest: usize,
}

fn failed(error: ModelError) -> EngineError {
    EngineError::Failed(error.to_string())
}

impl Local {
    /// A model whose prompts may have `longest` tokens, or as many as its context leaves beside a response.
    pub fn new(model: Model, longest: usize) -> Self {
        Self { decoder: Decoder::new(model.config, model.parameters), tokenizer: model.tokenizer, longest }
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    fn tokens(&self, prompt: &Asked) -> Result<Vec<u32>, EngineError> {
        match prompt {
            // Templates write the begin token themselves.
            Asked::Text(text) => self.tokenizer.encode(text, self.tokenizer.chat_template().is_none()).map_err(failed),
            Asked::Messages(_) => Err(EngineError::Failed("a local model is asked by text".to_owned())),
        }
    }

    /// Samples one batch.
    fn sample(
        &self,
        batch: &[(usize, &Request<'_>, Vec<u32>)],
        sampling: &Sampling,
    ) -> Result<Vec<(usize, Outcome)>, EngineError> {
        let Sampling { temperature, top_p, top_k, max_new_tokens, seed } = *sampling;
        let params = SamplingParams { temperature, top_p, top_k, max_new_tokens };
        // Each sample is a prompt of its own, so that any of them can be asked alone; equal prompts are read once.
        let ids: Vec<String> = batch.iter().map(|(_, r, _)| format!("{}#{}", r.case_id, r.sample)).collect();
        let prompts: Vec<Prompt<'_>> =
            batch.iter().zip(&ids).map(|((_, _, tokens), id)| Prompt { id, tokens }).collect();
        // A token that is no text cannot end a stop string.
        let decode = |tokens: &[u32]| self.tokenizer.decode(tokens).unwrap_or_default();
        let stopping = Stopping { eos: self.tokenizer.eos_ids(), strings: &[], decode: &decode };
        let (prompts, params, stopping) = (&prompts, &params, &stopping);
        let rollout = Rollout { prompts, group_size: 1, params, stopping, seed, step: 0 };
        let completions =
            generate(&self.decoder, &rollout, &|_| ()).map_err(|error| EngineError::Failed(error.to_string()))?;
        let outcome = |completion: &crate::rollout::Completion| {
            let (index, _, prompt) = &batch[completion.prompt];
            let finish = if completion.finish == Finish::Length { "length" } else { "stop" };
            let generated = Generated {
                text: self.tokenizer.decode(&completion.tokens).map_err(failed)?,
                reasoning: None,
                finish_reason: Some(finish.to_owned()),
                model: None,
                prompt_tokens: Some(prompt.len() as u64),
                completion_tokens: Some(completion.tokens.len() as u64),
            };
            Ok((*index, Outcome::Generated(generated)))
        };
        completions.iter().map(outcome).collect()
    }

    /// Context and continuation as lm-evaluation-harness cuts them: white space at the context's end goes to the
    /// continuation, both are encoded as one text, and what is too long for the model loses its beginning. Gives all
    /// tokens and the index of the first of the continuation.
    fn sequence(&self, context: &str, continuation: &str) -> Result<Continued, EngineError> {
        let kept = context.trim_end();
        let encode = |text: &str| self.tokenizer.encode(text, true).map_err(failed);
        let mut whole = encode(&format!("{context}{continuation}"))?;
        let mut first = encode(kept)?.len();
        // The last token is predicted and never read, so that it needs no position.
        let surplus = whole.len().saturating_sub(self.decoder.config.max_position_embeddings + 1);
        whole.drain(..surplus);
        first = first.saturating_sub(surplus);
        if first == 0 || first >= whole.len() {
            return Err(EngineError::Failed(format!(
                "the tokenizer joins {continuation:?} with what stands before it, so that it has no log-probability"
            )));
        }
        Ok((whole, first))
    }

    /// Scores the sequences of one batch.
    fn compare(&self, batch: &[(usize, Vec<Continued>)]) -> Result<Vec<(usize, Outcome)>, EngineError> {
        let sequences: Vec<Sequence<'_>> = batch
            .iter()
            .flat_map(|(_, options)| options)
            .map(|(tokens, first)| Sequence { tokens, trained: *first..tokens.len() })
            .collect();
        let tree = PrefixTree::from_sequences(&sequences, MIN_SHARED)
            .map_err(|error| EngineError::Failed(error.to_string()))?;
        let mut sums = vec![0.0; sequences.len()];
        for (label, value) in tree.labels().iter().zip(self.decoder.log_probs(&tree, 1.0)) {
            sums[label.sequence as usize] += value.log_prob;
        }
        let mut sums = sums.into_iter();
        let taken = batch.iter().map(|(index, options)| (*index, sums.by_ref().take(options.len()).collect()));
        Ok(taken.map(|(index, values)| (index, Outcome::LogLikelihoods(values))).collect())
    }
}

/// The tokens of a context and what continues it, and the index of the continuation's first.
type Continued = (Vec<u32>, usize);

impl Engine for Local {
    fn generate(&self, requests: &[Request<'_>], sampling: &Sampling, sink: Sink<'_>) -> Result<(), EngineError> {
        let room = self.decoder.config.max_position_embeddings.saturating_sub(sampling.max_new_tokens);
        let limit = self.longest.min(room);
        for (chunk, requests) in requests.chunks(TOGETHER).enumerate() {
            let (mut batch, mut outcomes) = (Vec::new(), Vec::new());
            for (i, request) in requests.iter().enumerate() {
                let (index, tokens) = (chunk * TOGETHER + i, self.tokens(request.prompt)?);
                if tokens.len() > limit {
                    outcomes.push((index, Outcome::TooLong));
                } else {
                    batch.push((index, request, tokens));
                }
            }
            if !batch.is_empty() {
                outcomes.extend(self.sample(&batch, sampling)?);
            }
            if let ControlFlow::Break(()) = sink(outcomes) {
                break;
            }
        }
        Ok(())
    }

    fn option_log_likelihoods(&self, requests: &[ChoiceRequest<'_>], sink: Sink<'_>) -> Result<(), EngineError> {
        let (mut batch, mut tokens) = (Vec::new(), 0);
        for (index, request) in requests.iter().enumerate() {
            let options = request
                .continuations
                .iter()
                .map(|continuation| self.sequence(request.context, continuation))
                .collect::<Result<Vec<_>, _>>()?;
            // The context is shared: about one sequence's tokens are read.
            tokens += options.iter().map(|(tokens, _)| tokens.len()).max().unwrap_or(0);
            batch.push((index, options));
            if tokens >= TOGETHER_TOKENS || index + 1 == requests.len() {
                if let ControlFlow::Break(()) = sink(self.compare(&batch)?) {
                    break;
                }
                (batch, tokens) = (Vec::new(), 0);
            }
        }
        Ok(())
    }
}
