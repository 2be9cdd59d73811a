//! `crpo`: every objective is standardised by itself, floored, gated by accuracy, and then weighted by name.
//!
//! The steps, in this order (r^k: the value of objective k in [0, 1]; group: the responses to one case):
//!
//! 1. Gate `response`: where a response's accuracy is below 1, its r^k becomes the lowest applicable r^k of the group.
//!    That holds for a value that could not be scored as well; else failing to be scored (z = 0) could beat a right
//!    response whose z is negative.
//! 2. z^k = (r^k - mean) / (max(std, floor_k) + eps) over the responses to which k applies; exactly 0 if fewer than two
//!    apply or all are equal, and 0 where k does not apply.
//! 3. Gate `group`: z^k = 0 if no response of the group has accuracy 1.
//! 4. A = sum of w_k z^k, not renormalised.
//! 5. Whitening, if any. 6. Clip. (Both in the parent module: they look at the whole batch.)
//!
//! Where accuracy does not apply to the case (no response has one), gates are open.
//!
//! Why right beats wrong under the default gates: z^accuracy grows with accuracy; the gate gives every wrong response
//! the group's lowest z^k, and a right one has at least that, or 0, which the lowest never exceeds. Each step is
//! monotone in floating point too, and so are whitening and clip. `tests/advantage_properties.rs` checks it.

use std::collections::BTreeMap;

use super::statistics::Statistics;
use super::{Gate, Rewarded};
use crate::scored::Objective;

/// Steps 1 to 4 for one group; `None` where no weighted objective applies to the response.
pub(super) fn combined(
    weights: &BTreeMap<Objective, f64>,
    gate: &dyn Fn(Objective) -> Gate,
    floor: &dyn Fn(Objective) -> f64,
    eps: f64,
    group: &[Rewarded],
) -> Vec<Option<f64>> {
    let accuracy: Vec<Option<f64>> = group.iter().map(|r| r.value(Objective::Accuracy)).collect();
    let judged = accuracy.iter().any(Option::is_some);
    let any_right = accuracy.iter().flatten().any(|a| *a >= 1.0);
    let mut sum = vec![None; group.len()];
    for (&objective, &weight) in weights.iter().filter(|(_, weight)| **weight != 0.0) {
        let gate = gate(objective);
        let mut values: Vec<Option<f64>> = group.iter().map(|r| r.value(objective)).collect();
        if gate == Gate::Response {
            close_to_wrong(&accuracy, &mut values);
        }
        let muted = gate == Gate::Group && judged && !any_right;
        for (total, z) in sum.iter_mut().zip(standardised(&values, floor(objective), eps)) {
            if let Some(z) = z {
                *total = Some(total.unwrap_or(0.0) + if muted { 0.0 } else { weight * z });
            }
        }
    }
    sum
}

/// Step 1.
fn close_to_wrong(accuracy: &[Option<f64>], values: &mut [Option<f64>]) {
    let Some(lowest) = values.iter().flatten().copied().reduce(f64::min) else { return };
    for (value, accuracy) in values.iter_mut().zip(accuracy) {
        if accuracy.is_some_and(|a| a < 1.0) {
            *value = Some(lowest);
        }
    }
}

/// Step 2; `None` where the objective does not apply.
fn standardised(values: &[Option<f64>], floor: f64, eps: f64) -> Vec<Option<f64>> {
    let own = Statistics::of(values.iter().copied());
    let divisor = own.std.max(floor) + eps;
    values.iter().map(|value| value.map(|v| if own.tied { 0.0 } else { (v - own.mean) / divisor })).collect()
}
