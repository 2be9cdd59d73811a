//! Drawing one token from a row of logits.

/// How tokens are drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingParams {
    /// T of softmax(logits / T); 0 is greedy.
    pub temperature: f64,
    /// The smallest set of tokens whose probability reaches this; 1 is all.
    pub top_p: f64,
    /// The most probable tokens only; 0 is all.
    pub top_k: usize,
    /// Tokens after which a response is cut.
    pub max_new_tokens: usize,
}

/// A uniform number in [0, 1) that depends on its place alone, so that no draw depends on order or threads.
pub(super) fn uniform(seed: u64, step: u64, id: &str, sample: u64, token: u64) -> f64 {
    // FNV-1a of the id, then SplitMix64 rounds over the counters.
    let id = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let mixed = [step, id, sample, token].iter().fold(mix(seed), |state, &x| mix(state ^ mix(x)));
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Draws a token with the uniform number `u`. The log-probability is under softmax(logits / T) before top-k and top-p
/// (T = 1 when greedy), as the trainer computes it.
pub(super) fn draw(logits: &[f32], params: &SamplingParams, u: f64) -> (u32, f32) {
    let temperature = if params.temperature == 0.0 { 1.0 } else { params.temperature };
    let z = |i: usize| f64::from(logits[i]) / temperature;
    let best = (0..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best });
    let top = z(best);
    let weights: Vec<f64> = (0..logits.len()).map(|i| (z(i) - top).exp()).collect();
    let total: f64 = weights.iter().sum();
    let chosen = if params.temperature == 0.0 {
        best
    } else if params.top_k == 0 && params.top_p >= 1.0 {
        pick(weights.iter().copied().enumerate(), u * total, best)
    } else {
        let mut order: Vec<usize> = (0..logits.len()).collect();
        // Ties by token id, so that the order is a fact of the logits.
        order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]).then(a.cmp(&b)));
        if params.top_k > 0 {
            order.truncate(params.top_k);
        }
        let kept: f64 = order.iter().map(|&i| weights[i]).sum();
        let mut sum = 0.0;
        let enough = order.iter().position(|&i| {
            sum += weights[i];
            sum >= params.top_p * kept
        });
        order.truncate(enough.map_or(order.len(), |i| i + 1));
        let kept: f64 = order.iter().map(|&i| weights[i]).sum();
        pick(order.iter().map(|&i| (i, weights[i])), u * kept, best)
    };
    (chosen as u32, (z(chosen) - top - total.ln()) as f32)
}

/// The first candidate at which the running sum passes `goal`; rounding at the end falls on the last with any weight.
fn pick(candidates: impl Iterator<Item = (usize, f64)>, goal: f64, otherwise: usize) -> usize {
    let (mut sum, mut last) = (0.0, otherwise);
    for (i, weight) in candidates {
        if weight > 0.0 {
            sum += weight;
            last = i;
            if sum > goal {
                break;
            }
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(temperature: f64, top_p: f64, top_k: usize) -> SamplingParams {
        SamplingParams { temperature, top_p, top_k, max_new_tokens: 1 }
    }

    /// Probabilities 0.5, 0.25, 0.125, 0.125.
    fn logits() -> Vec<f32> {
        [0.5_f32, 0.25, 0.125, 0.125].iter().map(|p| p.ln()).collect()
    }

    #[test]
    fn draws_follow_the_distribution_and_log_probabilities_ignore_the_cuts() {
        let at = |u: f64, p: &SamplingParams| draw(&logits(), p, u);
        let plain = params(1.0, 1.0, 0);
        assert_eq!([0.0, 0.49, 0.51, 0.76, 0.99].map(|u| at(u, &plain).0), [0, 0, 1, 2, 3]);
        // The two best only: 2/3 and 1/3; but the log-probability stays ln 0.25.
        for cut in [params(1.0, 1.0, 2), params(1.0, 0.75, 0)] {
            assert_eq!([0.0, 0.66, 0.67, 0.99].map(|u| at(u, &cut).0), [0, 0, 1, 1]);
            assert!((f64::from(at(0.9, &cut).1) - 0.25_f64.ln()).abs() < 1e-6);
        }
        // T = 0.5 squares: 16/22, 4/22, 1/22, 1/22.
        let sharp = params(0.5, 1.0, 0);
        assert!((f64::from(at(0.75, &sharp).1) - (4.0_f64 / 22.0).ln()).abs() < 1e-6);
        assert_eq!(at(0.999, &params(0.0, 1.0, 0)).0, 0);
    }

    #[test]
    fn uniform_numbers_depend_on_every_counter_and_spread_evenly() {
        let base = uniform(1, 2, "a", 3, 4);
        for other in [
            uniform(2, 2, "a", 3, 4),
            uniform(1, 3, "a", 3, 4),
            uniform(1, 2, "b", 3, 4),
            uniform(1, 2, "a", 4, 4),
            uniform(1, 2, "a", 3, 5),
            uniform(1, 2, "a", 4, 3),
        ] {
            assert_ne!(base, other);
        }
        let mut counts = [0; 10];
        for token in 0..10_000 {
            counts[(uniform(7, 0, "case", 0, token) * 10.0) as usize] += 1;
        }
        // Standard deviation 30; five of them.
        assert!(counts.iter().all(|c| (850..1150).contains(c)), "{counts:?}");
    }
}
