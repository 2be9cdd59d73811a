//! Scores of several samples a question.

use std::collections::BTreeMap;

use super::random::Stream;

/// The chance that at least one of `k` samples is right, estimated without bias from `n` samples of which `right` are
/// (Chen et al., arXiv 2107.03374, eq. 1): `1 - C(n - right, k) / C(n, k)`. `None` for k = 0 or k > n or right > n.
pub fn pass_at_k(n: usize, right: usize, k: usize) -> Option<f64> {
    if k == 0 || k > n || right > n {
        return None;
    }
    if n - right < k {
        return Some(1.0);
    }
    // The product form: factorials overflow.
    Some(1.0 - (n - right + 1..=n).map(|i| 1.0 - k as f64 / i as f64).product::<f64>())
}

/// Subsets up to this many are all visited; beyond it as many are drawn.
const SUBSETS: usize = 20_000;

/// The chance that the most frequent answer among `k` of the samples is `right`, over all subsets of size k (or over
/// 20,000 drawn ones where there are more). A tie counts as its share; unreadable answers (`None`) do not vote, and no
/// vote at all is wrong. `None` for k = 0 or k > n.
pub fn maj_at_k(answers: &[Option<&str>], right: &str, k: usize, seed: u64) -> Option<f64> {
    let n = answers.len();
    if k == 0 || k > n {
        return None;
    }
    let vote = |chosen: &[usize]| {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for answer in chosen.iter().filter_map(|i| answers[*i]) {
            *votes.entry(answer).or_default() += 1;
        }
        let most = votes.values().copied().max().unwrap_or(0);
        let winners = votes.values().filter(|count| **count == most).count();
        if most > 0 && votes.get(right) == Some(&most) { 1.0 / winners as f64 } else { 0.0 }
    };
    let mut total = 0.0;
    let mut count = 0.0;
    if subsets(n, k) <= SUBSETS as f64 {
        let mut chosen: Vec<usize> = (0..k).collect();
        loop {
            total += vote(&chosen);
            count += 1.0;
            // The next subset in lexical order: advance the last index that can still move.
            let Some(i) = (0..k).rev().find(|i| chosen[*i] < n - k + i) else { break };
            chosen[i] += 1;
            for j in i + 1..k {
                chosen[j] = chosen[j - 1] + 1;
            }
        }
    } else {
        let mut order: Vec<usize> = (0..n).collect();
        for resample in 0..SUBSETS {
            let mut stream = Stream::new(seed, resample as u64);
            // The first k places of a Fisher-Yates shuffle; any starting order will do.
            for i in 0..k {
                order.swap(i, i + stream.below(n - i));
            }
            total += vote(&order[..k]);
            count += 1.0;
        }
    }
    Some(total / count)
}

fn subsets(n: usize, k: usize) -> f64 {
    (0..k.min(n - k)).map(|i| (n - i) as f64 / (i + 1) as f64).product()
}
