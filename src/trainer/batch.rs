//! Cutting an optimiser batch into micro-batches of a bounded number of packed tokens.

use std::ops::Range;

/// One prompt with the responses that are trained: lengths only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLengths {
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Tokens of each response.
    pub responses: Vec<usize>,
}

/// A group, or a part of one, inside a micro-batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Index of the group.
    pub group: usize,
    /// Which of its responses.
    pub responses: Range<usize>,
}

/// Cuts groups into micro-batches of at most `budget` packed tokens, in their order.
///
/// A group's cost is its prompt once and its responses. Groups stay whole; one that alone exceeds the budget is cut by
/// responses, and its prompt is encoded again for each part. A single response that exceeds the budget with its prompt
/// stands alone: nothing smaller exists.
pub fn cut(groups: &[GroupLengths], budget: usize) -> Vec<Vec<Part>> {
    let mut batches = Vec::new();
    let mut open: Vec<Part> = Vec::new();
    let mut used = 0;
    for (index, group) in groups.iter().enumerate() {
        for part in parts(index, group, budget) {
            let cost = group.prompt + group.responses[part.responses.clone()].iter().sum::<usize>();
            if used + cost > budget && !open.is_empty() {
                batches.push(std::mem::take(&mut open));
                used = 0;
            }
            used += cost;
            open.push(part);
        }
    }
    if !open.is_empty() {
        batches.push(open);
    }
    batches
}

fn parts(group: usize, lengths: &GroupLengths, budget: usize) -> Vec<Part> {
    let mut all = Vec::new();
    let (mut start, mut used) = (0, lengths.prompt);
    for (i, &length) in lengths.responses.iter().enumerate() {
        if used + length > budget && i > start {
            all.push(Part { group, responses: start..i });
            (start, used) = (i, lengths.prompt);
        }
        used += length;
    }
    if start < lengths.responses.len() {
        all.push(Part { group, responses: start..lengths.responses.len() });
    }
    all
}

/// Splits `count` groups into `steps` runs of nearly equal length, for several optimiser steps a batch.
pub fn mini_batches(count: usize, steps: usize) -> Vec<Range<usize>> {
    (0..steps).map(|i| i * count / steps..(i + 1) * count / steps).filter(|range| !range.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(prompt: usize, responses: &[usize]) -> GroupLengths {
        GroupLengths { prompt, responses: responses.to_vec() }
    }

    fn part(group: usize, responses: Range<usize>) -> Part {
        Part { group, responses }
    }

    #[test]
    fn groups_stay_whole_where_they_fit() {
        // Costs 10 + 6 = 16, 10 + 4 = 14, 5 + 5 = 10; budget 30: the first two fit together (30), the third does not.
        let groups = [group(10, &[3, 3]), group(10, &[2, 2]), group(5, &[5])];
        assert_eq!(cut(&groups, 30), [vec![part(0, 0..2), part(1, 0..2)], vec![part(2, 0..1)]]);
        assert_eq!(cut(&groups, 29), [vec![part(0, 0..2)], vec![part(1, 0..2), part(2, 0..1)]]);
    }

    #[test]
    fn a_large_group_is_cut_by_responses() {
        // 10 + 4 + 4 = 18 <= 20, the third response would make 22; the last two cost 10 + 4 + 30, which is over, so each
        // stands alone, and the response of 30 exceeds the budget by itself.
        let groups = [group(10, &[4, 4, 4, 30])];
        assert_eq!(cut(&groups, 20), [vec![part(0, 0..2)], vec![part(0, 2..3)], vec![part(0, 3..4)]]);
    }

    #[test]
    fn nothing_is_lost_or_doubled() {
        let groups: Vec<_> = (0..13).map(|i| group(i * 3 + 1, &vec![i % 5 + 1; i % 4 + 1])).collect();
        for budget in [1, 5, 17, 40, 1000] {
            let mut seen: Vec<(usize, usize)> = cut(&groups, budget)
                .into_iter()
                .flatten()
                .flat_map(|p| p.responses.map(move |r| (p.group, r)))
                .collect();
            let expected: Vec<_> =
                groups.iter().enumerate().flat_map(|(g, l)| (0..l.responses.len()).map(move |r| (g, r))).collect();
            seen.sort_unstable();
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn mini_batches_cover_all_groups() {
        assert!(mini_batches(16, 1).into_iter().eq(std::iter::once(0..16)));
        assert_eq!(mini_batches(7, 3), [0..2, 2..4, 4..7]);
        assert!(mini_batches(1, 3).into_iter().eq(std::iter::once(0..1)));
    }
}
