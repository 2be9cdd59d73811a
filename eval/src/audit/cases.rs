//! The cases of an audit, found by id or by the question inside a prompt.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use aho_corasick::AhoCorasick;
use attending_datasets::reader::{Skipped, display};
use attending_datasets::{Case, CaseFile, Choice, DataError};

/// Cases in memory.
#[derive(Debug)]
pub struct Cases {
    /// Where they came from, for messages.
    pub(super) file: String,
    cases: Vec<Arc<Case>>,
    by_id: HashMap<String, usize>,
    /// Finds the beginnings of questions; built when the first prompt asks for it.
    beginnings: OnceLock<Option<AhoCorasick>>,
}

/// Bytes of a question that are searched for; the rest is compared where they are found.
const BEGINNING: usize = 64;

impl Cases {
    /// Reads a file in any layout that the loaders know; `choice` says how.
    ///
    /// # Errors
    /// The file cannot be read, a case is malformed (unless `skip_bad`), or there is none.
    pub fn open(path: &Path, choice: &Choice, skip_bad: bool) -> Result<(Self, Skipped), DataError> {
        let mut file = CaseFile::open(path, choice, skip_bad)?;
        let cases: Vec<Case> = (&mut file).collect::<Result<_, _>>()?;
        if cases.is_empty() {
            return Err(DataError::Empty { file: display(path), what: "cases", bad: file.skipped().count });
        }
        Ok((Self::new(display(path), cases), file.skipped().clone()))
    }

    /// From cases, whose ids must differ; `file` is what messages call them.
    pub fn new(file: String, cases: impl IntoIterator<Item = Case>) -> Self {
        let cases: Vec<Arc<Case>> = cases.into_iter().map(Arc::new).collect();
        let by_id = cases.iter().enumerate().map(|(at, case)| (case.id.clone(), at)).collect();
        Self { file, cases, by_id, beginnings: OnceLock::new() }
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Arc<Case>> {
        self.by_id.get(id).map(|&at| &self.cases[at])
    }

    /// The case whose question stands in the prompt; where several do, the one that ends last, since worked examples come
    /// first, then the longest, then the one whose options stand there too.
    pub(super) fn by_prompt(&self, prompt: &str) -> Option<&Arc<Case>> {
        let build = || AhoCorasick::new(self.cases.iter().map(|case| beginning(case.question.trim()))).ok();
        let finder = self.beginnings.get_or_init(build).as_ref()?;
        let fits = |at: usize, start: usize| {
            let question = self.cases[at].question.trim();
            !question.is_empty() && prompt[start..].starts_with(question)
        };
        let found = finder.find_overlapping_iter(prompt).map(|m| (m.pattern().as_usize(), m.start()));
        found
            .filter(|(at, start)| fits(*at, *start))
            .map(|(at, start)| {
                let case = &self.cases[at];
                let options = case.options.iter().filter(|option| prompt.contains(option.text.as_str())).count();
                let length = case.question.trim().len();
                // The first of several that suit equally.
                (start + length, length, options, usize::MAX - at)
            })
            .max()
            .map(|(.., at)| &self.cases[usize::MAX - at])
    }
}

fn beginning(question: &str) -> &str {
    let end = (0..=BEGINNING.min(question.len())).rev().find(|&end| question.is_char_boundary(end)).unwrap_or(0);
    &question[..end]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use attending_datasets::{AnswerOption, Task};

    #[test]
    fn a_prompt_names_its_case() {
        let case = |id: &str, question: &str, option: &str| {
            let mut case = Case::new(id, Task::SingleChoice, question);
            case.options = vec![AnswerOption::new("A", option)];
            case
        };
        let long = "A man of 60 with chest pain since two hours, pale and sweating, comes to the clinic.";
        let cases = Cases::new(
            "c.jsonl".to_owned(),
            [
                case("a", long, "Angina"),
                case("b", &format!("{long} What next?"), "ECG"),
                case("c", &format!("{long} What next?"), "Aspirin"),
            ],
        );
        let found = |prompt: &str| cases.by_prompt(prompt).map(|case| case.id.clone());
        assert_eq!(found(&format!("Answer this. {long} Why?")).as_deref(), Some("a"));
        assert_eq!(found(&format!("{long} What next?\nA. Aspirin")).as_deref(), Some("c"));
        assert_eq!(found(&format!("{long} What next?\nA. ECG")).as_deref(), Some("b"));
        assert_eq!(found("A man of 60"), None);
        let examples = format!("{long} What next?\nA. ECG\nAnswer: A\n\n{long}\nA. Angina\nAnswer:");
        assert_eq!(found(&examples).as_deref(), Some("a"));
        assert_eq!(cases.by_id("b").unwrap().id, "b");
    }
}
