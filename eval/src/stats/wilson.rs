//! Wilson's interval for a share.

use super::Interval;

/// The standard normal's 97.5 % quantile (Abramowitz and Stegun, table 26.5; scipy.stats.norm.ppf(0.975)).
const Z: f64 = 1.959_963_984_540_054;

/// The share `successes / total` with Wilson's score interval (JASA 22:209, 1927), which stays inside [0, 1] and does
/// not shrink to a point at 0 or 1. For independent cases; several samples a case need [`super::Bootstrap`].
/// `None` for no cases or more successes than cases.
pub fn wilson(successes: u64, total: u64) -> Option<Interval> {
    if total == 0 || successes > total {
        return None;
    }
    let n = total as f64;
    let share = successes as f64 / n;
    let scale = 1.0 / (1.0 + Z * Z / n);
    let centre = scale * (share + Z * Z / (2.0 * n));
    let half = scale * Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    // At a share of 0 or 1 the bound is exactly that; floating point leaves 1e-17.
    let low = if successes == 0 { 0.0 } else { centre - half };
    let high = if successes == total { 1.0 } else { centre + half };
    Some(Interval { estimate: share, low, high })
}
