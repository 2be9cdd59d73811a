//! A report in headless Chromium, used as a reader would: report.mjs says what is tried.

use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Runs the script on a report. Where there is no node, no playwright-core or no Chromium, it passes and says so, past the
/// test harness, which would keep it back.
pub(crate) fn read(report: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/report.mjs");
    // How fast ten thousand responses open is measured by hand, on a machine with nothing else to do.
    let said = match Command::new("node").arg(script).arg(report).env("OPEN_SECONDS", "60").output() {
        Err(error) => format!("skipped: no node ({error})\n"),
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
    };
    // A closed standard error is no reason to fail.
    let _ = write!(std::io::stderr(), "the report in a browser: {}", said.replace('\n', "; ").trim_end_matches("; "));
    let _ = writeln!(std::io::stderr());
}
