//! From which value on something is a finding, and how much is looked at. A share, a correlation or a difference counts
//! where its whole 95 % interval is beyond the value. A TOML file sets any of them:
//!
//! ```toml
//! [distribution]
//! constant = 0.99           # share of responses with one and the same value of an objective
//! unscorable = 0.05         # share of responses without a reward
//! redundant = 0.95          # correlation of two objectives
//! length = 0.5              # rank correlation of a reward with length, either sign
//! [groups]
//! flat = 0.5                # share of groups whose rewards are all equal
//! all_wrong = 0.5           # share of groups without a right response
//! inverted = 0.0            # share of groups in which the rubric's estimator puts a wrong response above a right one
//! [probes]
//! paid = 0.01               # share of cases in which a trick earns as much as the right responses
//! unnoticed = 0.1           # share of single edits after which the objective that must fall does not
//! [reading]
//! drop = 0.02               # what an objective must lose when what it should read is exchanged, upper bound
//! [labels]
//! auroc = 0.6               # area under the curve against people's yes or no, upper bound of the interval
//! [second_opinion]
//! evaluations = 3           # evaluations over which the trained score may not rise alone
//! share = 0.1               # part of the trained rise that the held-out scorer must confirm
//! drift = 0.05              # rise of the repeated, exempt or unverified share
//! [sample]
//! cases = 300               # cases that probes and exchanges run on
//! shown = 10000             # responses in the report
//! seed = 0
//! ```

use std::path::Path;

use attending_datasets::reader::read_text;
use attending_rewards::rubric::nearest;
use serde::Serialize;
use toml::de::{DeTable, DeValue};

use super::AuditError;

/// The settings of an audit; see the module for what each means.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Thresholds {
    pub constant: f64,
    pub unscorable: f64,
    pub redundant: f64,
    pub length: f64,
    pub flat: f64,
    pub all_wrong: f64,
    pub inverted: f64,
    pub paid: f64,
    pub unnoticed: f64,
    pub drop: f64,
    pub auroc: f64,
    pub evaluations: f64,
    pub share: f64,
    pub drift: f64,
    pub cases: f64,
    pub shown: f64,
    pub seed: f64,
}

/// A setting: its key, where it lives, and what it may be.
struct Setting {
    key: &'static str,
    field: fn(&mut Thresholds) -> &mut f64,
    default: f64,
    range: Range,
}

#[derive(Clone, Copy)]
enum Range {
    /// A share or correlation.
    Unit,
    /// A whole number from this one on.
    Whole(f64),
}

const SETTINGS: &[Setting] = &[
    Setting { key: "distribution.constant", field: |t| &mut t.constant, default: 0.99, range: Range::Unit },
    Setting { key: "distribution.unscorable", field: |t| &mut t.unscorable, default: 0.05, range: Range::Unit },
    Setting { key: "distribution.redundant", field: |t| &mut t.redundant, default: 0.95, range: Range::Unit },
    Setting { key: "distribution.length", field: |t| &mut t.length, default: 0.5, range: Range::Unit },
    Setting { key: "groups.flat", field: |t| &mut t.flat, default: 0.5, range: Range::Unit },
    Setting { key: "groups.all_wrong", field: |t| &mut t.all_wrong, default: 0.5, range: Range::Unit },
    Setting { key: "groups.inverted", field: |t| &mut t.inverted, default: 0.0, range: Range::Unit },
    Setting { key: "probes.paid", field: |t| &mut t.paid, default: 0.01, range: Range::Unit },
    Setting { key: "probes.unnoticed", field: |t| &mut t.unnoticed, default: 0.1, range: Range::Unit },
    Setting { key: "reading.drop", field: |t| &mut t.drop, default: 0.02, range: Range::Unit },
    Setting { key: "labels.auroc", field: |t| &mut t.auroc, default: 0.6, range: Range::Unit },
    Setting {
        key: "second_opinion.evaluations",
        field: |t| &mut t.evaluations,
        default: 3.0,
        range: Range::Whole(2.0),
    },
    Setting { key: "second_opinion.share", field: |t| &mut t.share, default: 0.1, range: Range::Unit },
    Setting { key: "second_opinion.drift", field: |t| &mut t.drift, default: 0.05, range: Range::Unit },
    Setting { key: "sample.cases", field: |t| &mut t.cases, default: 300.0, range: Range::Whole(1.0) },
    Setting { key: "sample.shown", field: |t| &mut t.shown, default: 10_000.0, range: Range::Whole(0.0) },
    Setting { key: "sample.seed", field: |t| &mut t.seed, default: 0.0, range: Range::Whole(0.0) },
];

impl Default for Thresholds {
    fn default() -> Self {
        let mut thresholds = Self {
            constant: 0.0,
            unscorable: 0.0,
            redundant: 0.0,
            length: 0.0,
            flat: 0.0,
            all_wrong: 0.0,
            inverted: 0.0,
            paid: 0.0,
            unnoticed: 0.0,
            drop: 0.0,
            auroc: 0.0,
            evaluations: 0.0,
            share: 0.0,
            drift: 0.0,
            cases: 0.0,
            shown: 0.0,
            seed: 0.0,
        };
        SETTINGS.iter().for_each(|setting| *(setting.field)(&mut thresholds) = setting.default);
        thresholds
    }
}

impl Thresholds {
    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read, or as [`Thresholds::parse`].
    pub fn open(path: &Path) -> Result<Self, AuditError> {
        Self::parse(&path.display().to_string(), &read_text(path)?)
    }

    /// Every key with its value.
    pub(super) fn listed(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let mut own = self.clone();
        SETTINGS.iter().map(move |setting| (setting.key, *(setting.field)(&mut own)))
    }

    /// Reads a TOML text; `name` is what errors call it.
    ///
    /// # Errors
    /// The text is no TOML, a key is unknown, a value is no number or out of its range.
    pub fn parse(name: &str, text: &str) -> Result<Self, AuditError> {
        let line =
            |offset: usize| text.as_bytes()[..offset.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1;
        let fault = |offset: usize, problem: String| AuditError::Thresholds {
            place: format!("{name}:{}", line(offset)),
            problem,
        };
        let table = DeTable::parse(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            fault(offset, format!("not valid TOML: {}", error.message().replace('\n', " ")))
        })?;
        let mut thresholds = Self::default();
        for (section, value) in table.get_ref() {
            let entries: Vec<(String, usize, &DeValue)> = match value.get_ref().as_table() {
                Some(entries) => entries
                    .iter()
                    .map(|(key, v)| (format!("{}.{}", section.get_ref(), key.get_ref()), key.span().start, v.get_ref()))
                    .collect(),
                None => vec![(section.get_ref().to_string(), section.span().start, value.get_ref())],
            };
            for (key, offset, value) in entries {
                let setting = SETTINGS.iter().find(|setting| setting.key == key);
                let setting = setting.ok_or_else(|| fault(offset, unknown(&key)))?;
                *(setting.field)(&mut thresholds) = setting.read(value).map_err(|problem| fault(offset, problem))?;
            }
        }
        Ok(thresholds)
    }
}

impl Setting {
    fn read(&self, value: &DeValue) -> Result<f64, String> {
        let number = value.as_integer().map(|i| i.as_str()).or_else(|| value.as_float().map(|f| f.as_str()));
        let number = number.and_then(|digits| digits.replace('_', "").parse::<f64>().ok());
        let (right, fits): (String, fn(f64, f64) -> bool) = match self.range {
            Range::Unit => ("a number from 0 to 1".to_owned(), |v, _| (0.0..=1.0).contains(&v)),
            Range::Whole(least) => {
                (format!("a whole number from {least} on"), |v, least| v >= least && v.fract() == 0.0)
            }
        };
        let least = if let Range::Whole(least) = self.range { least } else { 0.0 };
        match number {
            Some(number) if fits(number, least) => Ok(number),
            Some(number) => Err(format!("`{}` is {number}, expected {right}", self.key)),
            None => Err(format!("`{}` is no number, expected {right}", self.key)),
        }
    }
}

/// The sentence for an unknown key, with the nearest known one: also one that stands in another table.
fn unknown(key: &str) -> String {
    let last = |key: &'static str| key.rsplit('.').next().unwrap_or_default();
    let known = || SETTINGS.iter().map(|setting| setting.key);
    let given = key.rsplit('.').next().unwrap_or_default();
    let elsewhere = || nearest(given, known().map(last)).and_then(|name| known().find(|key| last(key) == name));
    match nearest(key, known()).or_else(elsewhere) {
        Some(nearest) => format!("unknown key `{key}`; did you mean `{nearest}`?"),
        None => format!("unknown key `{key}`; known are {}", known().collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_documentation_is_the_default() {
        let text: String = include_str!("thresholds.rs")
            .lines()
            .skip_while(|line| *line != "//! ```toml")
            .skip(1)
            .take_while(|line| *line != "//! ```")
            .map(|line| line.trim_start_matches("//!").to_owned() + "\n")
            .collect();
        assert_eq!(text.matches('=').count(), SETTINGS.len());
        assert_eq!(Thresholds::parse("t.toml", &text).unwrap(), Thresholds::default());
    }

    #[test]
    fn every_fault_is_one_sentence_with_its_line() {
        for (text, sentence) in [
            ("[groups]\nflatt = 1\n", "t.toml:2: unknown key `groups.flatt`; did you mean `groups.flat`?"),
            ("paid = 0.1\n", "t.toml:1: unknown key `paid`; did you mean `probes.paid`?"),
            ("[groups]\nflat = 1.5\n", "t.toml:2: `groups.flat` is 1.5, expected a number from 0 to 1"),
            ("[sample]\n\ncases = 2.5\n", "t.toml:3: `sample.cases` is 2.5, expected a whole number from 1 on"),
            ("[groups]\nflat = \"all\"\n", "t.toml:2: `groups.flat` is no number, expected a number from 0 to 1"),
        ] {
            assert_eq!(Thresholds::parse("t.toml", text).unwrap_err().to_string(), sentence);
        }
        assert!(Thresholds::parse("t.toml", "[groups\n").unwrap_err().to_string().starts_with("t.toml:1: not valid"));
        let set = Thresholds::parse("t.toml", "[groups]\nflat = 1\n[sample]\nshown = 10_000\n").unwrap();
        assert_eq!((set.flat, set.shown), (1.0, 10_000.0));
    }
}
