//! From token sequences to a prefix tree, and from its labels' values back to sequences.

use crate::objective::LabelValue;
use crate::prefix::{PrefixTree, Sequence, TreeError};

use super::batch::{GroupLengths, Part};

/// A shared segment of fewer tokens is repeated: on the CPU its attention call would cost more than the tokens do.
pub const MIN_SHARED: usize = 8;

/// One prompt with the responses that are trained, as token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenGroup {
    /// The prompt's tokens; at least one.
    pub prompt: Vec<u32>,
    /// The tokens of each response; at least one each.
    pub responses: Vec<Vec<u32>>,
}

impl TokenGroup {
    /// What the cut into micro-batches needs to know.
    pub fn lengths(&self) -> GroupLengths {
        GroupLengths { prompt: self.prompt.len(), responses: self.responses.iter().map(Vec::len).collect() }
    }
}

/// A micro-batch as a tree.
#[derive(Debug)]
pub struct Packed {
    /// The tree of all sequences; its labels are all response tokens.
    pub tree: PrefixTree,
    /// Group and response of each of the tree's sequences.
    pub members: Vec<(usize, usize)>,
    /// Index of the first trained token of each sequence: the prompt's length.
    pub first: Vec<usize>,
    /// Trained tokens of each sequence.
    pub lengths: Vec<usize>,
}

impl Packed {
    /// Packs the parts of one micro-batch.
    pub fn new(groups: &[TokenGroup], parts: &[Part], min_shared: usize) -> Result<Self, TreeError> {
        let members: Vec<(usize, usize)> =
            parts.iter().flat_map(|part| part.responses.clone().map(|response| (part.group, response))).collect();
        let whole: Vec<Vec<u32>> = members
            .iter()
            .map(|&(group, response)| [&groups[group].prompt[..], &groups[group].responses[response]].concat())
            .collect();
        let first: Vec<usize> = members.iter().map(|&(group, _)| groups[group].prompt.len()).collect();
        let sequences: Vec<Sequence<'_>> = whole
            .iter()
            .zip(&first)
            .map(|(tokens, &first)| Sequence { tokens, trained: first..tokens.len() })
            .collect();
        let tree = PrefixTree::from_sequences(&sequences, min_shared)?;
        let lengths = whole.iter().zip(&first).map(|(tokens, first)| tokens.len() - first).collect();
        Ok(Self { tree, members, first, lengths })
    }

    /// The labels' values by sequence, in token order.
    pub fn by_sequence(&self, values: &[LabelValue]) -> Vec<Vec<LabelValue>> {
        let mut sorted: Vec<Vec<LabelValue>> =
            self.lengths.iter().map(|&length| vec![LabelValue::default(); length]).collect();
        for (label, value) in self.tree.labels().iter().zip(values) {
            let sequence = label.sequence as usize;
            sorted[sequence][label.index as usize - self.first[sequence]] = *value;
        }
        sorted
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_find_their_way_back() {
        let groups = [
            TokenGroup { prompt: vec![1, 2, 3], responses: vec![vec![4, 5], vec![4, 6], vec![7]] },
            TokenGroup { prompt: vec![1, 2], responses: vec![vec![9, 8]] },
        ];
        let parts = [Part { group: 0, responses: 1..3 }, Part { group: 1, responses: 0..1 }];
        let packed = Packed::new(&groups, &parts, 1).unwrap();
        assert_eq!(packed.members, [(0, 1), (0, 2), (1, 0)]);
        assert_eq!(packed.lengths, [2, 1, 2]);
        // A value that names its token shows where it ended up.
        let values: Vec<LabelValue> =
            packed.tree.labels().iter().map(|l| LabelValue { log_prob: f64::from(l.target), entropy: 0.0 }).collect();
        let back: Vec<Vec<f64>> =
            packed.by_sequence(&values).iter().map(|s| s.iter().map(|v| v.log_prob).collect()).collect();
        assert_eq!(back, [vec![4.0, 6.0], vec![7.0], vec![9.0, 8.0]]);
    }
}
