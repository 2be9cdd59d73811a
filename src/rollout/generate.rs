//! The rollout: prompts in, responses out.

use rayon::prelude::*;

use super::cache::{OwnCache, PromptCache, decode};
use super::sampler::{SamplingParams, draw, uniform};
use crate::model::Decoder;
use crate::prefix::{PrefixTree, TreeError};

/// Prompt tokens that are read at once; bounds the memory of reading, not what can be read.
const READ_TOKENS: usize = 16_384;
/// Shared beginnings shorter than this are read twice.
const MIN_SHARED: usize = 16;

/// A prompt to answer.
#[derive(Debug, Clone, Copy)]
pub struct Prompt<'a> {
    /// The case's id; with the sample's and the token's number it seeds every draw.
    pub id: &'a str,
    /// Its tokens.
    pub tokens: &'a [u32],
}

/// When a response ends before its last allowed token.
#[derive(Clone, Copy)]
pub struct Stopping<'a> {
    /// Token ids that end a response; the id is kept as its last token.
    pub eos: &'a [u32],
    /// Strings that end a response once its text holds one.
    pub strings: &'a [String],
    /// Text of tokens, for the strings.
    pub decode: &'a (dyn Fn(&[u32]) -> String + Sync),
}

/// Why a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// An end token or a stop string.
    Stop,
    /// It was cut.
    Length,
}

/// One response.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// Index of the prompt.
    pub prompt: usize,
    /// Which of the prompt's responses.
    pub sample: usize,
    /// As sampled, with the end token if there is one.
    pub tokens: Vec<u32>,
    /// Of each token, under softmax(logits / T) before top-k and top-p.
    pub log_probs: Vec<f32>,
    /// Why it ended.
    pub finish: Finish,
}

/// Why nothing was sampled.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RolloutError {
    /// The model's positions end before the response could.
    #[error(
        "prompt {id}: {prompt} tokens and up to {new} new ones exceed the model's context of {context}; \
         shorten the prompt or lower max_new_tokens"
    )]
    TooLong {
        /// The case.
        id: String,
        /// Its tokens.
        prompt: usize,
        /// Tokens that may follow.
        new: usize,
        /// The model's limit.
        context: usize,
    },
    /// A prompt without tokens.
    #[error(transparent)]
    Prompt(#[from] TreeError),
    /// The model gives no distribution.
    #[error("prompt {id}: the model's logits are not finite")]
    NotFinite {
        /// The case.
        id: String,
    },
}

/// A response under way.
struct Running {
    completion: Completion,
    done: bool,
}

/// Samples `group_size` responses to each prompt, in (prompt, sample) order. Each prompt is read and stored once; all
/// responses decode as one batch, and finished ones leave it. The same seed and step give the same tokens whatever the
/// batch, the order or the number of threads. `progress` is told how many responses are finished.
///
/// # Errors
/// [`RolloutError`] for prompts that are empty or too long, and for a model whose logits are not finite.
#[allow(clippy::too_many_arguments)]
pub fn generate(
    decoder: &Decoder,
    prompts: &[Prompt<'_>],
    group_size: usize,
    params: &SamplingParams,
    stopping: &Stopping<'_>,
    (seed, step): (u64, u64),
    progress: &dyn Fn(usize),
) -> Result<Vec<Completion>, RolloutError> {
    let context = decoder.config.max_position_embeddings;
    for p in prompts {
        if p.tokens.len() + params.max_new_tokens > context {
            let (id, prompt, new) = (p.id.to_owned(), p.tokens.len(), params.max_new_tokens);
            return Err(RolloutError::TooLong { id, prompt, new, context });
        }
    }
    let mut done = Vec::with_capacity(prompts.len() * group_size);
    let mut first = 0;
    while first < prompts.len() {
        let mut tokens = 0;
        let fits = prompts[first..].iter().take_while(|p| {
            tokens += p.tokens.len();
            tokens <= READ_TOKENS
        });
        let end = first + fits.count().max(1);
        let finished = done.len();
        let batch = Batch { decoder, prompts, params, stopping, seed, step };
        batch.run(first..end, group_size, &mut done, &|n| progress(finished + n))?;
        first = end;
    }
    Ok(done)
}

struct Batch<'a> {
    decoder: &'a Decoder,
    prompts: &'a [Prompt<'a>],
    params: &'a SamplingParams,
    stopping: &'a Stopping<'a>,
    seed: u64,
    step: u64,
}

impl Batch<'_> {
    fn run(
        &self,
        range: std::ops::Range<usize>,
        group_size: usize,
        done: &mut Vec<Completion>,
        progress: &dyn Fn(usize),
    ) -> Result<(), RolloutError> {
        let prompts = &self.prompts[range.clone()];
        let tokens: Vec<&[u32]> = prompts.iter().map(|p| p.tokens).collect();
        let tree = PrefixTree::from_prompts(&tokens, MIN_SHARED)?;
        let longest = tokens.iter().map(|t| t.len()).max().unwrap_or(0);
        let table = self.decoder.rope_table(longest + self.params.max_new_tokens);
        let cache = PromptCache::read(self.decoder, &tree, &table);

        let mut running: Vec<Running> = Vec::new();
        let mut own: Vec<OwnCache> = Vec::new();
        for (prompt, read) in tokens.iter().enumerate() {
            for sample in 0..group_size {
                let completion = Completion {
                    prompt: range.start + prompt,
                    sample,
                    tokens: Vec::new(),
                    log_probs: Vec::new(),
                    finish: Finish::Length,
                };
                running.push(Running { completion, done: self.params.max_new_tokens == 0 });
                own.push(OwnCache::new(prompt, read.len() as u32, self.decoder.parameters.layers.len()));
            }
        }
        let vocab = self.decoder.config.vocab_size;
        let mut logits: Vec<f32> =
            own.iter().flat_map(|s| &cache.logits[s.prompt * vocab..(s.prompt + 1) * vocab]).copied().collect();
        let mut finished: Vec<Completion> = Vec::new();
        while !running.is_empty() {
            running
                .par_iter_mut()
                .zip(logits.par_chunks(vocab))
                .filter(|(r, _)| !r.done)
                .try_for_each(|(r, logits)| self.extend(r, logits))?;
            let mut kept = Vec::with_capacity(running.len());
            let mut kept_own = Vec::with_capacity(running.len());
            for (r, o) in running.into_iter().zip(own) {
                if r.done {
                    finished.push(r.completion);
                } else {
                    kept.push(r);
                    kept_own.push(o);
                }
            }
            (running, own) = (kept, kept_own);
            progress(finished.len());
            if !running.is_empty() {
                let next: Vec<u32> = running.iter().filter_map(|r| r.completion.tokens.last().copied()).collect();
                logits = decode(self.decoder, &cache, &table, &mut own, &next);
            }
        }
        finished.sort_by_key(|c| (c.prompt, c.sample));
        done.append(&mut finished);
        Ok(())
    }

    /// Draws the next token and notes whether it is the last.
    fn extend(&self, running: &mut Running, logits: &[f32]) -> Result<(), RolloutError> {
        let c = &mut running.completion;
        let id = self.prompts[c.prompt].id;
        if !logits.iter().all(|x| x.is_finite()) {
            return Err(RolloutError::NotFinite { id: id.to_owned() });
        }
        let u = uniform(self.seed, self.step, id, c.sample as u64, c.tokens.len() as u64);
        let (token, log_prob) = draw(logits, self.params, u);
        c.tokens.push(token);
        c.log_probs.push(log_prob);
        if self.stopping.eos.contains(&token) || self.holds_stop_string(&c.tokens) {
            c.finish = Finish::Stop;
            running.done = true;
        } else if c.tokens.len() >= self.params.max_new_tokens {
            running.done = true;
        }
        Ok(())
    }

    fn holds_stop_string(&self, tokens: &[u32]) -> bool {
        let strings = self.stopping.strings;
        let Some(longest) = strings.iter().map(String::len).max() else { return false };
        // A token adds at least a byte, so a stop string that ends with the last token lies within this many.
        let tail = &tokens[tokens.len().saturating_sub(longest + 4)..];
        let text = (self.stopping.decode)(tail);
        strings.iter().any(|s| text.contains(s.as_str()))
    }
}
