//! Names of run directories.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where runs without `--run` go.
const RUNS: &str = "runs";

/// `runs/2026-01-31T09-05-00`, in UTC.
pub(super) fn now() -> PathBuf {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map(|d| d.as_secs()).unwrap_or_default();
    Path::new(RUNS).join(stamp(seconds))
}

/// The last run below `runs/`, for `--resume` without `--run`.
pub(super) fn last() -> Option<PathBuf> {
    let entries = std::fs::read_dir(RUNS).ok()?;
    entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.join("config.toml").exists())
        .max_by_key(|p| p.join("config.toml").metadata().and_then(|m| m.modified()).ok())
}

fn stamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}-{:02}-{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Days since 1970-01-01 to year, month and day (H. Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_dates_in_utc() {
        // `date -u -d @N +%FT%H-%M-%S`
        assert_eq!(stamp(0), "1970-01-01T00-00-00");
        assert_eq!(stamp(951_827_696), "2000-02-29T12-34-56");
        assert_eq!(stamp(4_102_444_799), "2099-12-31T23-59-59");
    }
}
