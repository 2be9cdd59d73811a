//! The sentences of NegEx and ConText (Chapman et al. 2001, Harkema et al. 2009): a concept in a sentence of a note, and
//! whether people find it negated, when it was, and whose it is.

use std::path::Path;

use crate::error::{DataError, Place, Problem};
use crate::reader::{Lines, display};

/// One labelled sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// Its number in the published set.
    pub number: u64,
    /// The sentence, as published.
    pub text: String,
    /// Bytes of the concept in it.
    pub span: [usize; 2],
    /// Whether the concept is negated.
    pub negated: bool,
    /// When it was.
    pub time: Time,
    /// Whether another person than the patient has it.
    pub other: bool,
}

/// When a concept was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// Now, or lately.
    Recent,
    /// Before.
    Historical,
    /// At no particular time: a supposition, a warning ("Not particular").
    Hypothetical,
}

/// Reads `sentences_*.tsv`: number, concept, sentence, Negated or Affirmed, Recent or Historical or Not particular,
/// Patient or Other or Family member. A concept that does not stand in its sentence (in any case of letters) is left out.
///
/// # Errors
/// The file cannot be read, or a line has other columns or other labels.
pub fn sentences(path: &Path) -> Result<Vec<Sentence>, DataError> {
    let mut lines = Lines::open(path)?;
    let mut found = Vec::new();
    while let Some((number, line)) = lines.next_line()? {
        let sentence = sentence(line).map_err(|problem| DataError::Record {
            file: display(path),
            place: Place::Line(number),
            problem,
        })?;
        found.extend(sentence);
    }
    if found.is_empty() {
        return Err(DataError::Empty { file: display(path), what: "sentence", bad: 0 });
    }
    Ok(found)
}

fn sentence(line: &str) -> Result<Option<Sentence>, Problem> {
    let columns: Vec<&str> = line.split('\t').map(str::trim).collect();
    let [number, .., concept, text, negation, time, whose] = columns[..] else {
        let message = format!("{} columns, expected number, concept, sentence and three labels", columns.len());
        return Err(Problem::new("", message));
    };
    let wrong =
        |field: &str, found: &str, expected: &str| Problem::new(field, format!("found {found:?}, expected {expected}"));
    let number = number.parse().map_err(|_| wrong("number", number, "a whole number"))?;
    let negated = match negation {
        "Negated" => true,
        "Affirmed" => false,
        other => return Err(wrong("negation", other, "Negated or Affirmed")),
    };
    let time = match time {
        "Recent" => Time::Recent,
        "Historical" => Time::Historical,
        "Not particular" => Time::Hypothetical,
        other => return Err(wrong("temporality", other, "Recent, Historical or Not particular")),
    };
    let other = match whose {
        "Patient" => false,
        "Other" | "Family member" => true,
        found => return Err(wrong("experiencer", found, "Patient, Other or Family member")),
    };
    // The concept stands in capitals; where it is elsewhere in the sentence too, the capitals tell which one is meant.
    let upper = concept.to_ascii_uppercase();
    let at = text.find(&upper).or_else(|| text.to_ascii_lowercase().find(&concept.to_ascii_lowercase()));
    Ok(at.map(|start| Sentence {
        number,
        text: text.to_owned(),
        span: [start, start + concept.len()],
        negated,
        time,
        other,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_capitals_tell_which_mention_is_meant() {
        let line = "5\t \tfever \tNo fever, but later FEVER.\tAffirmed\tHistorical\tPatient\r";
        let found = sentence(line.trim_end()).unwrap().unwrap();
        assert_eq!((&found.text[found.span[0]..found.span[1]], found.time), ("FEVER", Time::Historical));
        assert_eq!(sentence("5\tgout\tNo FEVER.\tNegated\tRecent\tPatient").unwrap(), None);
        for (bad, expected) in [
            ("5\tx", "2 columns, expected"),
            ("a\tx\tX\tNegated\tRecent\tPatient", "field `number`: found \"a\""),
            ("5\tx\tX\tYes\tRecent\tPatient", "field `negation`: found \"Yes\", expected Negated or Affirmed"),
            ("5\tx\tX\tNegated\tNow\tPatient", "field `temporality`"),
            (
                "5\tx\tX\tNegated\tRecent\tMother",
                "field `experiencer`: found \"Mother\", expected Patient, Other or Family member",
            ),
        ] {
            let fault = sentence(bad).unwrap_err().to_string();
            assert!(fault.contains(expected), "{fault}");
        }
    }
}
