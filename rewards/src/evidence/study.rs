//! Whether a case's evidence is a study's rather than a patient's, and how citations name its documents.

use attending_datasets::{Case, Document};

use crate::lexicon::KeyMap;
use crate::reading::Reading;
use crate::text::hash_word;

/// Kinds of documents whose subject is a study.
const KINDS: &[&str] = &["abstract", "paper", "article", "trial", "publication", "study"];

/// Words that reports of studies use and patients' records do not; this many different ones tell a study.
const WORDS: &str = "participants cohort randomized randomised trial controls retrospective retrospectively prospective \
    prospectively regression confidence hazard odds median enrolled subjects placebo multivariate statistically \
    respondents questionnaire specimens baseline";
const NEEDED: usize = 3;

/// Whether the documents tell of a study: by their kind, else by their words where no single patient is introduced.
pub(super) fn is_study(documents: &[Document], readings: &[Reading]) -> bool {
    if documents.is_empty() {
        return false;
    }
    if documents.iter().any(|document| document.kind.is_some()) {
        let study = |document: &Document| document.kind.as_deref().is_some_and(|kind| KINDS.contains(&kind));
        return documents.iter().all(study);
    }
    if readings.iter().any(introduces_patient) {
        return false;
    }
    let mut words: KeyMap<u64, bool> = WORDS.split_whitespace().map(|word| (hash_word(word), false)).collect();
    let mut different = 0;
    for token in readings.iter().flat_map(|reading| &reading.tokens) {
        if let Some(seen) = words.get_mut(&token.hash)
            && !std::mem::replace(seen, true)
        {
            different += 1;
        }
    }
    different >= NEEDED
}

/// Whether a single patient is introduced: "a 45-year-old".
fn introduces_patient(reading: &Reading) -> bool {
    let (year, old) = (hash_word("year"), hash_word("old"));
    reading.tokens.windows(3).any(|three| three[2].hash == old && three[0].hash == year)
}

/// How citations name the documents of a case.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Labels {
    /// The number of the first document, where the case says it.
    base: Option<usize>,
    /// Labels of the documents, without the word before their number, lower case.
    labels: Vec<(String, u32)>,
    /// How many documents there are.
    count: usize,
}

/// What a citation points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cited {
    /// A document of the case.
    Document(u32),
    /// None, though the case names its documents.
    Absent,
    /// The case does not say how its documents are cited, or has none.
    Unknown,
}

impl Labels {
    /// Reads `metadata.citation_base` and the documents' labels.
    pub(super) fn new(case: &Case) -> Labels {
        let base = case.metadata.get("citation_base").and_then(serde_json::Value::as_u64);
        let named = case.context.iter().enumerate().filter_map(|(index, document)| {
            document.label.as_deref().map(|label| (plain(label).to_owned(), index as u32))
        });
        Labels { base: base.map(|base| base as usize), labels: named.collect(), count: case.context.len() }
    }

    /// The document of a citation printed as `label` ("3", "PMID 123", "Smith 2004").
    pub fn document(&self, label: &str) -> Cited {
        let label = plain(label);
        if let Some((_, document)) = self.labels.iter().find(|(known, _)| *known == label) {
            return Cited::Document(*document);
        }
        match (self.base, label.parse::<usize>()) {
            (Some(base), Ok(number)) => match number.checked_sub(base).filter(|index| *index < self.count) {
                Some(index) => Cited::Document(index as u32),
                None => Cited::Absent,
            },
            _ if !self.labels.is_empty() => Cited::Absent,
            _ => Cited::Unknown,
        }
    }
}

/// A label in lower case, without the word before its number.
fn plain(label: &str) -> String {
    let lower = label.trim().trim_matches(['[', ']', '(', ')']).to_lowercase();
    for word in ["document", "pmid", "doc", "ref", "reference", "source", "passage"] {
        if let Some(rest) = lower.strip_prefix(word) {
            return rest.trim_matches([' ', ':', '.', '[', ']', '#']).to_owned();
        }
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;
    use attending_datasets::Task;

    fn case(base: Option<u64>, labels: &[Option<&str>]) -> Case {
        let mut case = Case::new("c", Task::YesNoMaybe, "?");
        for (index, label) in labels.iter().enumerate() {
            let label = label.map(str::to_owned);
            case.context.push(Document { id: format!("d{index}"), text: "x".into(), label, ..Document::default() });
        }
        if let Some(base) = base {
            case.metadata.insert("citation_base".to_owned(), base.into());
        }
        case
    }

    #[test]
    fn the_base_comes_from_the_case() {
        let labels = Labels::new(&case(Some(0), &[None, None]));
        assert_eq!(labels.document("0"), Cited::Document(0));
        assert_eq!(labels.document("2"), Cited::Absent);
        let labels = Labels::new(&case(Some(1), &[None, None]));
        assert_eq!((labels.document("0"), labels.document("2")), (Cited::Absent, Cited::Document(1)));
        assert_eq!(Labels::new(&case(None, &[None])).document("1"), Cited::Unknown);
        let labels = Labels::new(&case(None, &[Some("PMID 123"), Some("7")]));
        assert_eq!(labels.document("PMID: 123"), Cited::Document(0));
        assert_eq!((labels.document("7"), labels.document("8")), (Cited::Document(1), Cited::Absent));
    }
}
