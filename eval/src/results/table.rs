//! Results for people, in a terminal.

use std::fmt::Write as _;

use super::Results;
use crate::stats::Interval;

/// The results as lines of a name and a figure, with intervals at 95 %. `subjects` adds the tables by subject.
pub fn table(results: &Results, subjects: bool) -> String {
    let settings = &results.settings;
    let mut text = format!("{} on {}: {} cases", settings.model.name, settings.benchmark, results.cases);
    if results.samples > 1 {
        let _ = write!(text, ", {} answers each", results.samples);
    }
    let protocol = &settings.protocol;
    let _ = writeln!(text, "; protocol {} (version {})", protocol.name, protocol.version);
    let mut row = |name: &str, figure: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<26}{figure}");
    };
    match &results.accuracy {
        Some(accuracy) => row("accuracy", percent(accuracy)),
        None => row("accuracy", "no answer has a gold answer to compare with".to_owned()),
    }
    if let Some(normalised) = &results.accuracy_normalised {
        row("accuracy by length", percent(normalised));
    }
    if let Some(found) = &results.compatible {
        row(&format!("as {} reads", found.scorer), percent(&found.accuracy));
        row("  without its fallback", percent(&found.strict));
        row("  it could not read", share(found.unreadable));
    }
    for (k, interval) in &results.pass_at_k {
        row(&format!("pass@{k}"), percent(interval));
    }
    for (k, interval) in &results.maj_at_k {
        row(&format!("maj@{k}"), percent(interval));
    }
    for (objective, mean) in &results.objectives {
        row(objective.name(), format!("{}  ({} scored)", number(&mean.mean), mean.scored));
    }
    row("unreadable answers", share(results.unreadable));
    let tiers: Vec<String> = results.tiers.iter().map(|(tier, part)| format!("{tier} {}", share(*part))).collect();
    if !tiers.is_empty() {
        row("read by", tiers.join(", "));
    }
    row("truncated responses", share(results.truncated));
    if let Some(tokens) = results.mean_tokens {
        row("mean length", format!("{tokens:.1} tokens"));
    }
    for (count, what) in results.left_out.listed() {
        row(&count.to_string(), what.to_owned());
    }
    for (field, rows) in results.subjects.iter().filter(|(_, rows)| subjects && rows.len() > 1) {
        let _ = writeln!(text, "  by {field}");
        for (subject, found) in rows {
            let _ = writeln!(text, "    {subject:<32} {}  ({} cases)", percent(&found.accuracy), found.cases);
        }
    }
    text
}

fn percent(interval: &Interval) -> String {
    let Interval { estimate, low, high } = interval;
    format!("{:6.2} %  ({:.2} to {:.2})", 100.0 * estimate, 100.0 * low, 100.0 * high)
}

fn number(interval: &Interval) -> String {
    format!("{:6.3}  ({:.3} to {:.3})", interval.estimate, interval.low, interval.high)
}

fn share(value: f64) -> String {
    format!("{:.2} %", 100.0 * value)
}
