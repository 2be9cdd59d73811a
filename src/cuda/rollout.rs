//! Rollouts on a device: [`crate::rollout::generate`] with the prompts' keys and values in a cache of the device, where
//! each prompt stands once, and a batch that sequences join when there is room and leave when they end.

use std::collections::{HashMap, VecDeque};

use super::cache::{Cache, Span};
use super::decode::{Decoding, Row};
use super::decode_attention::{Seen, WIDEST};
use super::decoder::Decoder;
use super::draw::draw;
use super::error::CudaError;
use super::gemm::Stored;
use crate::rollout::{Completion, READ_TOKENS, Rollout};

/// Sequences that decode at once: beyond about 180 the products are bound by arithmetic, and more gain nothing.
const MAX_ROWS: usize = 512;

impl<S: Stored> Decoder<S> {
    /// Samples `group_size` responses to each prompt, in (prompt, sample) order, with the random numbers of the CPU's
    /// [`crate::rollout::generate`]. The cache holds at most `cache_tokens` tokens (0: three quarters of the memory that
    /// is free), or one response with its prompt where that is more; other prompts wait. `progress` is told how many
    /// responses are finished.
    ///
    /// # Errors
    /// [`CudaError::Rollout`] for prompts that are empty or too long, and for a model whose logits are not finite; else
    /// where the device's memory is used up, or the device fails.
    pub fn generate(
        &self,
        rollout: &Rollout<'_>,
        cache_tokens: usize,
        progress: &dyn Fn(usize),
    ) -> Result<Vec<Completion>, CudaError> {
        rollout.check(self.config.max_position_embeddings)?;
        if self.config.head_dim > WIDEST {
            return Err(CudaError::HeadWidth { dim: self.config.head_dim, widest: WIDEST });
        }
        let mut batch = Batch::new(self, rollout, cache_tokens)?;
        while batch.join()? {
            batch.step()?;
            progress(batch.done.len());
        }
        batch.done.sort_by_key(|c| (c.prompt, c.sample));
        Ok(batch.done)
    }
}

/// A response under way.
#[derive(Debug)]
struct Active {
    completion: Completion,
    /// The rows that were taken for it, of which the first `written` are.
    rows: Span,
    written: usize,
}

/// Sequences that decode together, those that wait, and those that are done.
struct Batch<'a, S> {
    decoder: &'a Decoder<S>,
    rollout: &'a Rollout<'a>,
    decoding: Decoding<'a, S>,
    /// Of each prompt the first that is equal to it: equal prompts are stored once.
    first: Vec<usize>,
    /// The rows of each of those prompts while it is in the cache: all its tokens but the last, which every response
    /// reads for itself, as the token that its first one follows.
    prefixes: Vec<Option<Span>>,
    /// Responses to each of them that are not done.
    left: Vec<usize>,
    /// Prompt and sample, equal prompts together.
    waiting: VecDeque<(usize, usize)>,
    active: Vec<Active>,
    done: Vec<Completion>,
}

impl<'a, S: Stored> Batch<'a, S> {
    fn new(decoder: &'a Decoder<S>, rollout: &'a Rollout<'a>, cache_tokens: usize) -> Result<Self, CudaError> {
        let (prompts, new) = (rollout.prompts, rollout.params.max_new_tokens);
        let mut known: HashMap<&[u32], usize> = HashMap::new();
        let first: Vec<usize> = prompts.iter().enumerate().map(|(i, p)| *known.entry(p.tokens).or_insert(i)).collect();
        let mut left = vec![0; prompts.len()];
        first.iter().for_each(|&i| left[i] += rollout.group_size);
        let mut order: Vec<usize> = (0..prompts.len()).collect();
        order.sort_by_key(|&prompt| (first[prompt], prompt));
        let all = order.into_iter().flat_map(|prompt| (0..rollout.group_size).map(move |sample| (prompt, sample)));
        let (mut waiting, mut done) = (VecDeque::new(), Vec::new());
        if new == 0 {
            done.extend(all.map(|(prompt, sample)| rollout.begin(prompt, sample)));
        } else {
            waiting.extend(all);
        }
        let longest = prompts.iter().map(|p| p.tokens.len()).max().unwrap_or(0);
        let stored = |i: usize| if left[i] > 0 { prompts[i].tokens.len() - 1 + left[i] * new } else { 0 };
        let wanted = if waiting.is_empty() { 0 } else { (0..prompts.len()).map(stored).sum() };
        let limit = match cache_tokens {
            // The rest is for reading prompts and for logits.
            0 => decoder.device().available()? / 4 * 3 / Cache::<S>::token_bytes(&decoder.config),
            limit => limit,
        };
        let rows = limit.max(longest + new).min(wanted);
        Ok(Self {
            decoder,
            rollout,
            decoding: Decoding::new(decoder, rows, longest + new)?,
            prefixes: vec![None; prompts.len()],
            first,
            left,
            waiting,
            active: Vec::new(),
            done,
        })
    }

    /// Lets in whom there is room for; whether there is anyone to decode.
    fn join(&mut self) -> Result<bool, CudaError> {
        let mut fresh = self.admit();
        if let (true, Some(&(prompt, _))) = (self.active.is_empty(), self.waiting.front()) {
            // The rows that are free lie on both sides of the prompt's own: nothing else is kept, so it can move.
            self.forget(self.first[prompt]);
            fresh = self.admit();
        }
        fresh.retain(|&prompt| self.rollout.prompts[prompt].tokens.len() > 1);
        let mut next = 0;
        while next < fresh.len() {
            let mut tokens = 0;
            let fits = fresh[next..].iter().take_while(|&&prompt| {
                tokens += self.rollout.prompts[prompt].tokens.len();
                tokens <= READ_TOKENS
            });
            let end = next + fits.count().max(1);
            let sequence = |&prompt: &usize| {
                let tokens = self.rollout.prompts[prompt].tokens;
                Some((&tokens[..tokens.len() - 1], self.prefixes[prompt]?))
            };
            let sequences: Vec<_> = fresh[next..end].iter().filter_map(sequence).collect();
            self.decoding.read(&sequences)?;
            next = end;
        }
        Ok(!self.active.is_empty())
    }

    /// Moves those that wait to the batch, as far as there are rows; the prompts that must be read for them.
    fn admit(&mut self) -> Vec<usize> {
        let mut fresh = Vec::new();
        while self.active.len() < MAX_ROWS {
            let Some(&(prompt, sample)) = self.waiting.front() else { break };
            let first = self.first[prompt];
            if self.prefixes[first].is_none() {
                let Some(rows) = self.decoding.cache.rows.take(self.rollout.prompts[first].tokens.len() - 1) else {
                    break;
                };
                self.prefixes[first] = Some(rows);
                fresh.push(first);
            }
            let Some(rows) = self.decoding.cache.rows.take(self.rollout.params.max_new_tokens) else { break };
            self.active.push(Active { completion: self.rollout.begin(prompt, sample), rows, written: 0 });
            self.waiting.pop_front();
        }
        fresh
    }

    /// Gives back the rows of a prompt.
    fn forget(&mut self, first: usize) {
        if let Some(rows) = self.prefixes[first].take() {
            self.decoding.cache.rows.give(rows);
        }
    }

    /// One token more of each sequence.
    fn step(&mut self) -> Result<(), CudaError> {
        let rows: Vec<Row> = self.active.iter().map(|active| self.row(active)).collect();
        let logits = self.decoding.logits(&rows)?;
        let uniform: Vec<f64> = self.active.iter().map(|active| self.rollout.uniform(&active.completion)).collect();
        let (device, vocab) = (self.decoder.device(), self.decoder.config.vocab_size);
        let drawn = draw(device, logits.view(), vocab, self.rollout.params, &uniform)?;
        for (mut active, drawn) in std::mem::take(&mut self.active).into_iter().zip(drawn) {
            let Some(drawn) = drawn else { return Err(self.rollout.not_finite(&active.completion).into()) };
            active.written += 1;
            if self.rollout.extend(&mut active.completion, drawn.token, drawn.log_prob) {
                self.retire(active);
            } else {
                self.active.push(active);
            }
        }
        Ok(())
    }

    /// What the sequence's next token needs.
    fn row(&self, active: &Active) -> Row {
        let prompt = active.completion.prompt;
        let tokens = self.rollout.prompts[prompt].tokens;
        let prefix = self.prefixes[self.first[prompt]].unwrap_or_default();
        Row {
            token: active.completion.tokens.last().copied().unwrap_or(tokens[tokens.len() - 1]),
            position: tokens.len() - 1 + active.written,
            at: active.rows.start + active.written,
            seen: Seen { prefix, own: Span { start: active.rows.start, len: active.written + 1 } },
        }
    }

    fn retire(&mut self, Active { completion, rows, .. }: Active) {
        let first = self.first[completion.prompt];
        self.done.push(completion);
        self.decoding.cache.rows.give(rows);
        self.left[first] -= 1;
        if self.left[first] == 0 {
            self.forget(first);
        }
    }
}
