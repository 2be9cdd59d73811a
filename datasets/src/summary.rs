//! What a file of cases holds: counts and lengths, gathered in one pass.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Case;

/// Mean and largest of a length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Length {
    /// Sum over the cases, for the mean.
    #[serde(skip)]
    sum: f64,
    /// Mean over all cases.
    pub mean: f64,
    /// Largest.
    pub most: usize,
}

impl Length {
    fn add(&mut self, length: usize, cases: u64) {
        self.sum += length as f64;
        self.mean = self.sum / cases as f64;
        self.most = self.most.max(length);
    }
}

/// Counts over a file of cases.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Cases.
    pub cases: u64,
    /// Cases that carry a gold answer.
    pub with_answer: u64,
    /// By data set.
    pub datasets: BTreeMap<String, u64>,
    /// By split.
    pub splits: BTreeMap<String, u64>,
    /// By task.
    pub tasks: BTreeMap<&'static str, u64>,
    /// By number of options.
    pub options: BTreeMap<usize, u64>,
    /// How often each key is the (first) right one.
    pub answers: BTreeMap<String, u64>,
    /// Documents of all cases.
    pub documents: u64,
    /// Words of the question.
    pub question_words: Length,
    /// Words of the documents together.
    pub context_words: Length,
}

impl Summary {
    /// Counts one more case.
    pub fn add(&mut self, case: &Case) {
        self.cases += 1;
        self.with_answer += u64::from(!case.answer.is_empty());
        *self.datasets.entry(case.dataset.clone()).or_default() += 1;
        *self.splits.entry(case.split.clone()).or_default() += 1;
        *self.tasks.entry(case.task.name()).or_default() += 1;
        *self.options.entry(case.options.len()).or_default() += 1;
        if let Some(key) = case.answer.keys.first() {
            *self.answers.entry(key.clone()).or_default() += 1;
        }
        self.documents += case.context.len() as u64;
        let words = |text: &str| text.split_whitespace().count();
        self.question_words.add(words(&case.question), self.cases);
        self.context_words.add(case.context.iter().map(|document| words(&document.text)).sum(), self.cases);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, Document, Task};

    #[test]
    fn counts_by_hand() {
        let mut summary = Summary::default();
        let mut case = Case::new("1", Task::YesNoMaybe, "one two three");
        case.answer = Answer::key("yes");
        case.context = vec![Document { id: "a".into(), text: "four words are here".into(), ..Document::default() }];
        summary.add(&case);
        summary.add(&Case::new("2", Task::Numeric, "five"));
        assert_eq!((summary.cases, summary.with_answer, summary.documents), (2, 1, 1));
        // (3 + 1) / 2 and (4 + 0) / 2.
        assert_eq!((summary.question_words.mean, summary.context_words.mean), (2.0, 2.0));
        assert_eq!((summary.question_words.most, summary.context_words.most), (3, 4));
        assert_eq!(summary.answers["yes"], 1);
        assert_eq!(summary.tasks.keys().copied().collect::<Vec<_>>(), ["numeric", "yes_no_maybe"]);
    }
}
