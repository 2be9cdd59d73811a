//! The cases of a run: read, checked against what training must not see, and turned into prompts.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use attending_datasets::{Case, read_cases};
use rayon::prelude::*;

use crate::config::{OverLong, RunConfig};
use crate::model::config::ModelConfig;
use crate::model::tokenizer::Tokenizer;
use crate::prompt::{Format, Prompter};

use super::error::TrainError;
use super::order::hash;

/// A case with its prompt.
#[derive(Debug, Clone)]
pub struct PromptedCase {
    /// The case.
    pub case: Case,
    /// The prompt's tokens.
    pub prompt: Vec<u32>,
}

/// The cases of one purpose.
#[derive(Debug, Clone, Default)]
pub struct CaseSet {
    /// Those whose prompts fit.
    pub cases: Vec<PromptedCase>,
    /// Number of those left out because their prompts are too long.
    pub dropped: usize,
    /// How responses to them are to be read; the same for all, since it follows from prompt format and chat template.
    pub response_format: Option<&'static str>,
}

/// What turns cases into prompts.
#[derive(Debug)]
pub struct Prompting<'a> {
    /// The run's settings.
    pub config: &'a RunConfig,
    /// The model's shape, for its context length.
    pub model: &'a ModelConfig,
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The prompt format.
    pub prompter: &'a Prompter,
}

/// The prompt format that the configuration describes.
pub fn prompter(config: &RunConfig) -> Result<Prompter, TrainError> {
    let prompt = &config.raw.prompt;
    let format = Format::named(&prompt.format)
        .ok_or_else(|| TrainError::Input(format!("prompt.format: there is no format {}", prompt.format)))?;
    Prompter::new(format, &prompt.system, &prompt.user_template)
        .map_err(|error| TrainError::Input(format!("prompt.user_template: {error}")))
}

/// Reads case files; ids must be unique over all of them.
pub fn read(files: &[String]) -> Result<Vec<Case>, TrainError> {
    let mut all: Vec<Case> = Vec::new();
    let mut seen: HashMap<String, &str> = HashMap::new();
    for file in files {
        let (cases, _) = read_cases(Path::new(file), false).map_err(|e| TrainError::Input(e.to_string()))?;
        for case in cases {
            if let Some(first) = seen.insert(case.id.clone(), file) {
                return Err(TrainError::Input(format!(
                    "{file}: the case id {} stands in {first} already; ids must be unique within a run",
                    case.id
                )));
            }
            all.push(case);
        }
    }
    Ok(all)
}

/// Refuses training cases whose split is `test`.
pub fn refuse_test_split(cases: &[Case], allowed: bool) -> Result<(), TrainError> {
    match cases.iter().find(|case| case.split == "test") {
        Some(case) if !allowed => Err(TrainError::Input(format!(
            "case {} is of the split `test`, which training must not see; set data.allow_test_split = true to train on \
             it all the same",
            case.id
        ))),
        _ => Ok(()),
    }
}

/// Number of held-out cases whose evidence and question stand in the training cases too, whatever their ids.
pub fn overlap(train: &[Case], held_out: &[Case]) -> usize {
    let known: HashSet<u64> = train.iter().map(normalised).collect();
    held_out.iter().filter(|case| known.contains(&normalised(case))).count()
}

/// A hash of the letters and digits of a case's documents and question: another layout or other options of the same
/// question give the same.
fn normalised(case: &Case) -> u64 {
    let texts = case.context.iter().map(|d| d.text.as_str()).chain([case.question.as_str()]);
    let letters: String =
        texts.flat_map(|t| t.chars()).filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    hash(letters.as_bytes())
}

impl Prompting<'_> {
    /// The prompts of `cases`, those beyond `data.max_prompt_tokens` dropped or refused; `what` names the cases in
    /// errors.
    pub fn prompts(&self, cases: Vec<Case>, what: &str) -> Result<CaseSet, TrainError> {
        let data = &self.config.raw.data;
        let (longest, new) = (data.max_prompt_tokens, self.config.raw.rollout.max_new_tokens);
        let context = self.model.max_position_embeddings;
        if new >= context {
            return Err(TrainError::Input(format!(
                "rollout.max_new_tokens is {new}, but the model's whole context is {context} tokens"
            )));
        }
        let limit = longest.min(context - new);
        let total = cases.len();
        let prompted = cases
            .into_par_iter()
            .map(|case| {
                let prompt =
                    self.prompter.prompt(&case, self.tokenizer).map_err(|e| TrainError::Input(e.to_string()))?;
                Ok((prompt.response_format, PromptedCase { case, prompt: prompt.tokens }))
            })
            .collect::<Result<Vec<_>, TrainError>>()?;
        let response_format = prompted.first().map(|(format, _)| *format);
        let (kept, long): (Vec<_>, Vec<_>) =
            prompted.into_iter().map(|(_, prompted)| prompted).partition(|p| p.prompt.len() <= limit);
        if let Some(case) = long.first() {
            let reason = if limit < longest {
                format!("the {limit} that the model's context of {context} leaves beside {new} new tokens")
            } else {
                format!("data.max_prompt_tokens = {longest}")
            };
            let sentence =
                format!("the prompt of {} has {} tokens, more than {reason}", case.case.id, case.prompt.len());
            if self.config.over_long == OverLong::Error {
                return Err(TrainError::Input(format!("{sentence}; shorten it, or set data.over_long = \"drop\"")));
            }
            if kept.is_empty() {
                return Err(TrainError::Input(format!("all {total} {what} are too long: {sentence}")));
            }
        }
        Ok(CaseSet { cases: kept, dropped: long.len(), response_format })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn case(id: &str, split: &str, note: &str, question: &str) -> Case {
        serde_json::from_value(serde_json::json!({
            "id": id, "split": split, "task": "single_choice", "question": question,
            "context": [{"id": "note", "text": note}],
        }))
        .unwrap()
    }

    #[test]
    fn the_same_question_in_another_dress_is_an_overlap() {
        let train = [case("a", "train", "A 40-year-old man.", "What now?")];
        let held_out =
            [case("b", "dev", "a 40 year old MAN", "what now"), case("c", "dev", "A 41-year-old man.", "What now?")];
        assert_eq!(overlap(&train, &held_out), 1);
    }

    #[test]
    fn the_test_split_is_refused() {
        let cases = [case("a", "train", "", "?"), case("b", "test", "", "?")];
        let error = refuse_test_split(&cases, false).unwrap_err();
        assert!(error.to_string().starts_with("case b is of the split `test`"), "{error}");
        refuse_test_split(&cases, true).unwrap();
    }

    #[test]
    fn ids_are_unique_over_files() {
        let folder = tempfile::tempdir().unwrap();
        let line = serde_json::to_string(&serde_json::json!({
            "schema": "attending.case/1", "id": "a", "task": "single_choice", "question": "Q?",
            "options": [{"key": "A", "text": "x"}, {"key": "B", "text": "y"}], "answer": {"keys": ["A"]},
        }))
        .unwrap();
        let files: Vec<String> = ["x", "y"].map(|n| folder.path().join(n).display().to_string()).to_vec();
        files.iter().for_each(|f| std::fs::write(f, &line).unwrap());
        let error = read(&files).unwrap_err().to_string();
        assert!(error.contains("the case id a stands in"), "{error}");
        assert_eq!(read(&files[..1]).unwrap().len(), 1);
    }
}
