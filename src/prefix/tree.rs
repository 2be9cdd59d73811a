//! Building a [`PrefixTree`] from token sequences.

use std::ops::Range;

use super::Label;

/// A sequence of tokens of which some are trained.
#[derive(Debug, Clone)]
pub struct Sequence<'a> {
    /// The whole sequence, prompt first.
    pub tokens: &'a [u32],
    /// Indices of the tokens whose log-probability is wanted; the first token has none, so they start at 1.
    pub trained: Range<usize>,
}

/// One segment of the tree: packed rows `start..end`, with all rows of its descendants up to `subtree_end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// First packed row of the segment.
    pub start: usize,
    /// One past the segment's last packed row.
    pub end: usize,
    /// One past the last packed row of the segment's descendants.
    pub subtree_end: usize,
}

/// Why sequences make no tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A sequence without a trained token adds nothing.
    #[error("sequence {sequence} has no trained token: at least one token after the first must be trained")]
    NothingTrained {
        /// Which one.
        sequence: usize,
    },
    /// A prompt without tokens predicts nothing.
    #[error("prompt {sequence} has no tokens")]
    Empty {
        /// Which one.
        sequence: usize,
    },
    /// The trained range leaves the sequence.
    #[error("sequence {sequence} trains tokens {start}..{end}, outside 1..{length}")]
    OutOfRange {
        /// Which one.
        sequence: usize,
        /// First trained index.
        start: usize,
        /// One past the last trained index.
        end: usize,
        /// Tokens in the sequence.
        length: usize,
    },
    /// Rows are counted in 32 bits.
    #[error("{rows} packed tokens are more than a batch can hold")]
    TooLarge {
        /// Tokens before merging.
        rows: usize,
    },
}

/// Sequences merged by longest common prefix, in depth-first order: the rows of a node's descendants follow its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixTree {
    tokens: Vec<u32>,
    positions: Vec<u32>,
    nodes: Vec<Node>,
    labels: Vec<Label>,
    last_rows: Vec<u32>,
    unshared_tokens: usize,
}

impl PrefixTree {
    /// Merges `sequences`. A shared segment of fewer than `min_shared` tokens is repeated instead, since each node costs
    /// attention calls of its own; results are exact either way.
    ///
    /// # Errors
    /// [`TreeError`] where a sequence has no trained token or its range is not inside the sequence.
    pub fn from_sequences(sequences: &[Sequence<'_>], min_shared: usize) -> Result<Self, TreeError> {
        for (sequence, s) in sequences.iter().enumerate() {
            let (start, end, length) = (s.trained.start, s.trained.end, s.tokens.len());
            if start >= end {
                return Err(TreeError::NothingTrained { sequence });
            }
            if start == 0 || end > length {
                return Err(TreeError::OutOfRange { sequence, start, end, length });
            }
        }
        Self::build(sequences, min_shared)
    }

    /// Merges prompts that are only read, without labels; see [`PrefixTree::last_rows`].
    ///
    /// # Errors
    /// [`TreeError::Empty`] for a prompt without tokens.
    pub fn from_prompts(prompts: &[&[u32]], min_shared: usize) -> Result<Self, TreeError> {
        if let Some(sequence) = prompts.iter().position(|p| p.is_empty()) {
            return Err(TreeError::Empty { sequence });
        }
        let sequences: Vec<Sequence<'_>> = prompts.iter().map(|tokens| Sequence { tokens, trained: 0..0 }).collect();
        Self::build(&sequences, min_shared)
    }

    fn build(sequences: &[Sequence<'_>], min_shared: usize) -> Result<Self, TreeError> {
        let total: usize = sequences.iter().map(|s| s.tokens.len()).sum();
        if total >= u32::MAX as usize {
            return Err(TreeError::TooLarge { rows: total });
        }
        let tree = Self {
            tokens: Vec::with_capacity(total),
            positions: Vec::with_capacity(total),
            nodes: Vec::new(),
            labels: Vec::new(),
            last_rows: vec![0; sequences.len()],
            unshared_tokens: total,
        };
        let mut builder = Builder { sequences, min_shared: min_shared.max(1), tree };
        builder.branches((0..sequences.len()).collect(), 0);
        let mut tree = builder.tree;
        tree.labels.sort_by_key(|l| (l.row, l.sequence, l.index));
        Ok(tree)
    }

    /// The packed tokens.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Position of each packed token in its sequence.
    pub fn positions(&self) -> &[u32] {
        &self.positions
    }

    /// The segments in depth-first order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The wanted log-probabilities, sorted by row; several may stand on one row.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The packed row of each sequence's last token.
    pub fn last_rows(&self) -> &[u32] {
        &self.last_rows
    }

    /// Packed ranges that spell the sequence that ends at `row`, root first.
    pub fn path(&self, row: u32) -> Vec<Range<usize>> {
        let row = row as usize;
        let above = self.nodes.iter().filter(|n| n.start <= row && row < n.subtree_end);
        above.map(|n| n.start..n.end.min(row + 1)).collect()
    }

    /// Tokens of all sequences before merging.
    pub fn unshared_tokens(&self) -> usize {
        self.unshared_tokens
    }
}

struct Builder<'a> {
    sequences: &'a [Sequence<'a>],
    min_shared: usize,
    tree: PrefixTree,
}

impl Builder<'_> {
    /// Adds the nodes that hold `members` from token `start` on; all members are longer than `start`.
    fn branches(&mut self, members: Vec<usize>, start: usize) {
        for class in split(self.sequences, members, start) {
            self.class(class, start, start);
        }
    }

    /// Adds sequences that agree from `start` to beyond `compared` as one node where they share enough, else splits them
    /// where they first differ.
    fn class(&mut self, members: Vec<usize>, start: usize, compared: usize) {
        let shared = shared_end(self.sequences, &members, compared);
        if members.len() == 1 || shared - start >= self.min_shared {
            self.node(members, start, shared);
            return;
        }
        let (ended, longer): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|&s| self.sequences[s].tokens.len() == shared);
        for sequence in ended {
            self.node(vec![sequence], start, shared);
        }
        for class in split(self.sequences, longer, shared) {
            self.class(class, start, shared);
        }
    }

    /// Adds the segment `start..end` of `members`, then what follows it.
    fn node(&mut self, members: Vec<usize>, start: usize, end: usize) {
        let tree = &mut self.tree;
        let row = tree.tokens.len();
        let own = row..row + end - start;
        tree.tokens.extend_from_slice(&self.sequences[members[0]].tokens[start..end]);
        tree.positions.extend(start as u32..end as u32);
        let index = tree.nodes.len();
        tree.nodes.push(Node { start: own.start, end: own.end, subtree_end: own.end });
        for &sequence in &members {
            let Sequence { tokens, trained } = &self.sequences[sequence];
            if tokens.len() == end {
                tree.last_rows[sequence] = (own.end - 1) as u32;
            }
            // The row of token t predicts token t + 1.
            for index in trained.start.max(start + 1)..trained.end.min(end + 1) {
                let row = (row + index - 1 - start) as u32;
                let (sequence, target) = (sequence as u32, tokens[index]);
                tree.labels.push(Label { row, target, sequence, index: index as u32 });
            }
        }
        let longer: Vec<usize> = members.into_iter().filter(|&s| self.sequences[s].tokens.len() > end).collect();
        self.branches(longer, end);
        self.tree.nodes[index].subtree_end = self.tree.tokens.len();
    }
}

/// `members` by their token at `at`, in order of first appearance.
fn split(sequences: &[Sequence<'_>], members: Vec<usize>, at: usize) -> Vec<Vec<usize>> {
    let mut classes: Vec<(u32, Vec<usize>)> = Vec::new();
    for sequence in members {
        let token = sequences[sequence].tokens[at];
        match classes.iter_mut().find(|(t, _)| *t == token) {
            Some((_, class)) => class.push(sequence),
            None => classes.push((token, vec![sequence])),
        }
    }
    classes.into_iter().map(|(_, class)| class).collect()
}

/// The index up to which all `members` agree, given that they do up to `known`.
fn shared_end(sequences: &[Sequence<'_>], members: &[usize], known: usize) -> usize {
    let first = sequences[members[0]].tokens;
    members[1..].iter().fold(first.len(), |end, &s| {
        let other = sequences[s].tokens;
        let limit = end.min(other.len());
        (known..limit).find(|&i| first[i] != other[i]).unwrap_or(limit)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn tree(sequences: &[(&[u32], Range<usize>)], min_shared: usize) -> PrefixTree {
        let sequences: Vec<_> =
            sequences.iter().map(|(tokens, trained)| Sequence { tokens, trained: trained.clone() }).collect();
        PrefixTree::from_sequences(&sequences, min_shared).unwrap()
    }

    /// Follows each label back: the row's path from the root must spell the sequence up to the label's token.
    fn spells(tree: &PrefixTree, sequences: &[(&[u32], Range<usize>)]) {
        for label in tree.labels() {
            let path: Vec<u32> = tree.path(label.row).into_iter().flat_map(|r| tree.tokens()[r].to_vec()).collect();
            let (tokens, _) = sequences[label.sequence as usize];
            assert_eq!(path, tokens[..label.index as usize]);
            assert_eq!(label.target, tokens[label.index as usize]);
        }
        for ((tokens, _), &row) in sequences.iter().zip(tree.last_rows()) {
            let path: Vec<u32> = tree.path(row).into_iter().flat_map(|r| tree.tokens()[r].to_vec()).collect();
            assert_eq!(&path, tokens);
        }
        let wanted: usize = sequences.iter().map(|s| s.1.len()).sum();
        assert_eq!(tree.labels().len(), wanted);
    }

    #[test]
    fn a_group_is_a_tree_of_depth_two() {
        let s: [(&[u32], _); 2] = [(&[1, 2, 3, 4], 3..4), (&[1, 2, 3, 5, 6], 3..5)];
        let t = tree(&s, 1);
        assert_eq!(t.tokens(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(t.positions(), [0, 1, 2, 3, 3, 4]);
        let node = |start, end, subtree_end| Node { start, end, subtree_end };
        assert_eq!(t.nodes(), [node(0, 3, 6), node(3, 4, 4), node(4, 6, 6)]);
        spells(&t, &s);
    }

    #[test]
    fn thirteen_labels_of_five_responses_fall_on_four_rows() {
        // Prompt [1, 2]; responses 7 8 9 | 7 8 9 | 7 8 | 7 6 9 | 7 8: 3 + 3 + 2 + 3 + 2 = 13 labels.
        // Rows with labels: prompt's last (all five), 7 (five), 8 after 7 (two go on to 9), 6 (one): the tree has
        // prompt, 7, then 8 9 and 6 9; labelled rows are 2, 7, 8, 6.
        let s: [(&[u32], _); 5] = [
            (&[1, 2, 7, 8, 9], 2..5),
            (&[1, 2, 7, 8, 9], 2..5),
            (&[1, 2, 7, 8], 2..4),
            (&[1, 2, 7, 6, 9], 2..5),
            (&[1, 2, 7, 8], 2..4),
        ];
        let t = tree(&s, 1);
        assert_eq!(t.labels().len(), 13);
        let mut rows: Vec<u32> = t.labels().iter().map(|l| l.row).collect();
        rows.dedup();
        assert_eq!(rows.len(), 4);
        spells(&t, &s);
    }

    #[test]
    fn a_tiny_overlap_is_repeated_and_a_long_one_below_it_is_found() {
        let a: Vec<u32> = (0..40).collect();
        let mut b = a.clone();
        b[30] = 99;
        let mut c = a.clone();
        c[3] = 98;
        let s: [(&[u32], _); 3] = [(&a, 1..40), (&b, 20..40), (&c, 35..40)];
        let t = tree(&s, 8);
        // a and b share 30 tokens; c shares three with them, which are repeated: 30 + 10 + 10 + 40 rows.
        assert_eq!(t.tokens().len(), 90);
        spells(&t, &s);
        let exact = tree(&s, 1);
        assert_eq!(exact.tokens().len(), 3 + 27 + 10 + 10 + 37);
        spells(&exact, &s);
    }

    #[test]
    fn sequences_may_end_inside_or_be_equal() {
        let s: [(&[u32], _); 4] = [(&[1, 2, 3], 1..3), (&[1, 2], 1..2), (&[1, 2, 3], 2..3), (&[5, 6], 1..2)];
        for min_shared in [1, 2, 3, 9] {
            spells(&tree(&s, min_shared), &s);
        }
        assert_eq!(tree(&s, 1).tokens(), [1, 2, 3, 5, 6]);
        assert_eq!(tree(&s, 9).tokens().len(), 10);
    }

    #[test]
    fn what_cannot_be_trained_is_refused() {
        let refuse = |tokens: &[u32], trained: Range<usize>| {
            PrefixTree::from_sequences(&[Sequence { tokens, trained }], 1).unwrap_err()
        };
        assert_eq!(refuse(&[1, 2], 2..2), TreeError::NothingTrained { sequence: 0 });
        assert_eq!(refuse(&[], 0..0), TreeError::NothingTrained { sequence: 0 });
        assert_eq!(refuse(&[1, 2], 0..1), TreeError::OutOfRange { sequence: 0, start: 0, end: 1, length: 2 });
        assert_eq!(refuse(&[1, 2], 1..3), TreeError::OutOfRange { sequence: 0, start: 1, end: 3, length: 2 });
    }
}
