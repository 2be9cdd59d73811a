//! The rollout: prompts in, responses out.

use std::ops::Range;

use rayon::prelude::*;

use super::cache::{OwnCache, PromptCache, decode};
use super::sampler::{SamplingParams, draw, uniform};
use crate::model::Decoder;
use crate::prefix::{PrefixTree, TreeError};

/// Prompt tokens that are read at once; bounds the memory of reading, not what can be read.
pub(crate) const READ_TOKENS: usize = 16_384;
/// Shared beginnings shorter than this are read twice.
pub(crate) const MIN_SHARED: usize = 16;

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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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

/// What is to be sampled.
#[derive(Clone, Copy)]
pub struct Rollout<'a> {
    /// The prompts.
    pub prompts: &'a [Prompt<'a>],
    /// Responses to each of them.
    pub group_size: usize,
    /// How tokens are drawn.
    pub params: &'a SamplingParams,
    /// When a response ends.
    pub stopping: &'a Stopping<'a>,
    /// Seed of the run.
    pub seed: u64,
    /// The step, which the random numbers depend on.
    pub step: u64,
}

impl Rollout<'_> {
    /// Refuses prompts that are empty, or too long for a context of `context` tokens.
    ///
    /// # Errors
    /// [`RolloutError`] for the first of them.
    pub(crate) fn check(&self, context: usize) -> Result<(), RolloutError> {
        let new = self.params.max_new_tokens;
        for (sequence, p) in self.prompts.iter().enumerate() {
            if p.tokens.is_empty() {
                return Err(TreeError::Empty { sequence }.into());
            }
            if p.tokens.len() + new > context {
                let (id, prompt) = (p.id.to_owned(), p.tokens.len());
                return Err(RolloutError::TooLong { id, prompt, new, context });
            }
        }
        Ok(())
    }

    /// A response of which nothing is written yet.
    pub(crate) fn begin(&self, prompt: usize, sample: usize) -> Completion {
        Completion { prompt, sample, tokens: Vec::new(), log_probs: Vec::new(), finish: Finish::Length }
    }

    /// The uniform number that the response's next token is drawn with.
    pub(crate) fn uniform(&self, completion: &Completion) -> f64 {
        let id = self.prompts[completion.prompt].id;
        uniform(self.seed, self.step, id, completion.sample as u64, completion.tokens.len() as u64)
    }

    /// That the model gave no distribution for the response's next token.
    pub(crate) fn not_finite(&self, completion: &Completion) -> RolloutError {
        RolloutError::NotFinite { id: self.prompts[completion.prompt].id.to_owned() }
    }

    /// Whether a response is complete as it stands.
    fn is_cut(&self, completion: &Completion) -> bool {
        completion.tokens.len() >= self.params.max_new_tokens
    }

    /// Adds a token to a response; whether it is the last.
    pub(crate) fn extend(&self, completion: &mut Completion, token: u32, log_prob: f32) -> bool {
        completion.tokens.push(token);
        completion.log_probs.push(log_prob);
        if self.stopping.eos.contains(&token) || self.holds_stop_string(&completion.tokens) {
            completion.finish = Finish::Stop;
            return true;
        }
        self.is_cut(completion)
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
pub fn generate(
    decoder: &Decoder,
    rollout: &Rollout<'_>,
    progress: &dyn Fn(usize),
) -> Result<Vec<Completion>, RolloutError> {
    rollout.check(decoder.config.max_position_embeddings)?;
    let prompts = rollout.prompts;
    let mut done = Vec::with_capacity(prompts.len() * rollout.group_size);
    let mut first = 0;
    while first < prompts.len() {
        let mut tokens = 0;
        let fits = prompts[first..].iter().take_while(|p| {
            tokens += p.tokens.len();
            tokens <= READ_TOKENS
        });
        let end = first + fits.count().max(1);
        let finished = done.len();
        run(decoder, rollout, first..end, &mut done, &|n| progress(finished + n))?;
        first = end;
    }
    Ok(done)
}

/// Answers the prompts in `range`, which are read at once.
fn run(
    decoder: &Decoder,
    rollout: &Rollout<'_>,
    range: Range<usize>,
    done: &mut Vec<Completion>,
    progress: &dyn Fn(usize),
) -> Result<(), RolloutError> {
    let tokens: Vec<&[u32]> = rollout.prompts[range.clone()].iter().map(|p| p.tokens).collect();
    let tree = PrefixTree::from_prompts(&tokens, MIN_SHARED)?;
    let longest = tokens.iter().map(|t| t.len()).max().unwrap_or(0);
    let table = decoder.rope_table(longest + rollout.params.max_new_tokens);
    let cache = PromptCache::read(decoder, &tree, &table);

    let mut running: Vec<Running> = Vec::new();
    let mut own: Vec<OwnCache> = Vec::new();
    for (prompt, read) in tokens.iter().enumerate() {
        for sample in 0..rollout.group_size {
            let completion = rollout.begin(range.start + prompt, sample);
            running.push(Running { done: rollout.is_cut(&completion), completion });
            own.push(OwnCache::new(prompt, read.len() as u32, decoder.parameters.layers.len()));
        }
    }
    let vocab = decoder.config.vocab_size;
    let mut logits: Vec<f32> =
        own.iter().flat_map(|s| &cache.logits[s.prompt * vocab..(s.prompt + 1) * vocab]).copied().collect();
    let mut finished: Vec<Completion> = Vec::new();
    while !running.is_empty() {
        running
            .par_iter_mut()
            .zip(logits.par_chunks(vocab))
            .filter(|(r, _)| !r.done)
            .try_for_each(|(r, logits)| extend(rollout, r, logits))?;
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
            logits = decode(decoder, &cache, &table, &mut own, &next);
        }
    }
    finished.sort_by_key(|c| (c.prompt, c.sample));
    done.append(&mut finished);
    Ok(())
}

/// Draws the next token and notes whether it is the last.
fn extend(rollout: &Rollout<'_>, running: &mut Running, logits: &[f32]) -> Result<(), RolloutError> {
    let completion = &mut running.completion;
    if !logits.iter().all(|x| x.is_finite()) {
        return Err(rollout.not_finite(completion));
    }
    let (token, log_prob) = draw(logits, rollout.params, rollout.uniform(completion));
    running.done = rollout.extend(completion, token, log_prob);
    Ok(())
}
