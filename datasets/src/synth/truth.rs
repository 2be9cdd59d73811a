//! What is true of a synthetic patient: the ground truth that a case carries in its metadata.

use serde::{Deserialize, Serialize};

use super::condition::{BACKGROUND, Condition};
use super::finding::{self, Kind};
use crate::Case;

/// The metadata field that holds the [`Truth`].
pub const FIELD: &str = "truth";

/// Everything that the record states of the patient, and what the question is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Key of the patient's condition.
    pub condition: String,
    /// Years.
    pub age: i64,
    /// Else a man.
    pub female: bool,
    /// How long the illness has lasted: a number and its unit (hour, day, week, month).
    pub course: (i64, String),
    /// What is asked.
    pub asked: Asked,
    /// The findings that the record states, in no particular order.
    pub facts: Vec<Fact>,
}

/// The question's kind, with what its reference answers need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Asked {
    /// Which of these conditions (keys, in the order of the options)?
    Diagnosis {
        /// Condition keys, aligned with the case's options.
        options: Vec<String>,
    },
    /// Does the record support this condition?
    Support {
        /// The condition asked about.
        condition: String,
        /// The condition that it must be told apart from.
        rival: String,
        /// `yes`, `no` or `maybe`.
        answer: String,
    },
    /// A named quantity computed from stated values.
    Calculation {
        /// The quantity, such as `anion gap`.
        quantity: String,
        /// The operands in the order of the formula, each with its name in running text.
        operands: Vec<(String, f64)>,
        /// The result as printed.
        result: String,
    },
}

/// Whether a finding is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The record says that it is there.
    Present,
    /// The record says that it is not.
    Absent,
    /// A measured value.
    Measured,
}

/// One statement of the record about the patient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Key of the finding or measure.
    pub id: String,
    /// What is said of it.
    pub status: Status,
    /// The words used: a noun phrase with its article, or the measure's name.
    pub phrase: String,
    /// The value as printed with its unit; empty for findings.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// The number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<f64>,
}

impl Truth {
    /// The ground truth of a synthetic case; `None` for any other case.
    pub fn of(case: &Case) -> Option<Truth> {
        serde_json::from_value(case.metadata.get(FIELD)?.clone()).ok()
    }

    /// What the record says of a finding or measure.
    pub fn fact(&self, id: &str) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.id == id)
    }
}

impl Fact {
    /// A finding, stated as there or not, in the given words.
    pub fn finding(id: &str, present: bool, phrase: &str) -> Fact {
        let status = if present { Status::Present } else { Status::Absent };
        Fact {
            id: id.to_owned(),
            status,
            phrase: phrase.trim_start_matches('~').to_owned(),
            value: String::new(),
            number: None,
        }
    }

    /// A measured value.
    pub fn measured(measure: &finding::Measure, value: f64) -> Fact {
        Fact {
            id: measure.id.to_owned(),
            status: Status::Measured,
            phrase: measure.name.to_owned(),
            value: format!("{}{}", print_number(value, measure.decimals), measure.unit),
            number: Some(value),
        }
    }

    /// Where it stands in a record; `None` for measures.
    pub fn kind(&self) -> Option<Kind> {
        finding::finding(&self.id).map(|finding| finding.kind)
    }

    /// Whether the phrase is a plural.
    pub fn plural(&self) -> bool {
        finding::finding(&self.id)
            .is_some_and(|finding| finding.phrases.iter().any(|phrase| phrase.strip_prefix('~') == Some(&self.phrase)))
    }

    /// Below (-1), inside (0) or above (1) the reference range; 0 for findings.
    pub fn level(&self) -> i8 {
        match (finding::measure(&self.id), self.number) {
            (Some(measure), Some(number)) => finding::level(measure, number),
            _ => 0,
        }
    }

    /// A present finding or an abnormal value, as against a pertinent negative.
    pub fn positive(&self) -> bool {
        match self.status {
            Status::Present => true,
            Status::Absent => false,
            Status::Measured => self.level() != 0,
        }
    }

    /// The logarithm of the statement's probability in a condition (findings are taken as independent).
    pub fn log_likelihood(&self, condition: &Condition) -> f64 {
        let p = match self.status {
            Status::Present => condition.probability(&self.id),
            Status::Absent => 1.0 - condition.probability(&self.id),
            Status::Measured => {
                let level = self.level();
                match condition.typical(&self.id) {
                    None if level == 0 => 1.0 - BACKGROUND,
                    None => BACKGROUND,
                    Some((_, p, ..)) if level == 0 => 1.0 - p,
                    // Within a factor of 1.5 of the typical range counts as typical.
                    Some((_, p, low, high)) => {
                        let number = self.number.unwrap_or_default();
                        if (low / 1.5..=high * 1.5).contains(&number) { *p } else { BACKGROUND }
                    }
                }
            }
        };
        p.ln()
    }
}

/// Posterior probability of each condition given the facts, from equal priors.
pub fn posterior(facts: &[Fact], conditions: &[&Condition]) -> Vec<f64> {
    let logs: Vec<f64> = conditions.iter().map(|c| facts.iter().map(|fact| fact.log_likelihood(c)).sum()).collect();
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logs.iter().map(|log| (log - most).exp()).sum();
    logs.iter().map(|log| (log - most).exp() / total).collect()
}

/// A number as a record prints it: fixed decimals, thousands separated by commas.
pub fn print_number(value: f64, decimals: u32) -> String {
    let digits = format!("{value:.*}", decimals as usize);
    let (whole, rest) = digits.split_once('.').map_or((digits.as_str(), String::new()), |(w, r)| (w, format!(".{r}")));
    if whole.len() < 4 || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return digits;
    }
    let mut out = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out + &rest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::synth::condition::condition;

    #[test]
    fn numbers_and_units_are_printed_as_in_records() {
        assert_eq!(print_number(14200.0, 0), "14,200");
        assert_eq!(print_number(1234567.0, 0), "1,234,567");
        assert_eq!(print_number(999.0, 0), "999");
        assert_eq!(print_number(38.94, 1), "38.9");
        let temperature = Fact::measured(finding::measure("temperature").unwrap(), 38.9);
        assert_eq!(temperature.value, "38.9 °C");
        assert_eq!(Fact::measured(finding::measure("lipase").unwrap(), 820.0).value, "820 U/L");
        assert_eq!(Fact::measured(finding::measure("saturation").unwrap(), 91.0).value, "91%");
        assert_eq!(temperature.level(), 1);
    }

    #[test]
    fn posterior_by_hand() {
        // Two conditions, one fact: wheezing present, 0.92 in asthma against the background of 0.03 in pneumonia:
        // 0.92 / 0.95 = 0.968421.
        let facts = [Fact::finding("wheezing", true, "wheezing")];
        let p = posterior(&facts, &[condition("asthma").unwrap(), condition("pneumonia").unwrap()]);
        assert!((p[0] - 0.968_421_052_631_579).abs() < 1e-12 && (p[0] + p[1] - 1.0).abs() < 1e-12);
    }
}
