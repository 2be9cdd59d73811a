//! The layouts in which frameworks write responses: one file each, found by the fields of the first record.
//!
//! Each turns a record of the file into [`Record`]s: usually one, for a log of inspect all of its samples.

mod cell;
mod framework;
mod inspect;
mod lm_eval;
mod mapped;
mod native;

use attending_datasets::Problem;
use attending_rewards::Scored;
use serde_json::{Map, Value};

pub use mapped::Columns;

/// A response with everything that its file says of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    /// The case, where the file names it.
    pub(super) case_id: Option<String>,
    /// The prompt, by which the case is found where the file does not name it.
    pub(super) prompt: Option<String>,
    /// What the file calls the question, where that is no case of ours; else the prompt's hash stands for it.
    pub(super) name: Option<String>,
    /// Which sample of the case; else counted in order of the file.
    pub(super) sample: Option<u64>,
    /// The training step or evaluation.
    pub(super) step: Option<u64>,
    /// The group, where it is not the case (or prompt) at its step.
    pub(super) group: Option<String>,
    pub(super) model: Option<String>,
    pub(super) text: Option<String>,
    pub(super) reasoning: Option<String>,
    /// Rewards that came with the file, by name; `None` could not be scored.
    pub(super) rewards: Vec<(String, Option<f64>)>,
    /// What people say, by name.
    pub(super) labels: Vec<(String, f64)>,
    /// A score of ours that came with the file.
    pub(super) scored: Option<Scored>,
    /// lm-evaluation-harness: the filter that the rewards were computed after. The same responses come again with each.
    pub(super) filter: Option<String>,
    /// Whether no response came: an error of the run that was logged, no wrong answer.
    pub(super) failed: bool,
}

/// How a file's records are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// `{"case_id":..., "text":...}`, a scored record, or both in one, as a training run's `held_out` folder has them.
    Native,
    /// TRL's completions: step, prompt, completion, one column a reward, advantage.
    Trl,
    /// verl's rollouts: input, output, gts, score, step, and what the reward function returned.
    Verl,
    /// lm-evaluation-harness's samples: doc_id, doc, arguments, resps, filter, metrics.
    LmEval,
    /// inspect's log as JSON: eval, samples with input, output and scores.
    Inspect,
    /// Any other, by naming its columns.
    Mapped(Columns),
}

impl Layout {
    /// The layouts that can be named.
    pub const NAMED: [(&str, Layout); 5] = [
        ("native", Layout::Native),
        ("trl", Layout::Trl),
        ("verl", Layout::Verl),
        ("lm-eval", Layout::LmEval),
        ("inspect", Layout::Inspect),
    ];

    /// The layout of that name.
    pub fn named(name: &str) -> Option<Layout> {
        Self::NAMED.into_iter().find(|(known, _)| *known == name).map(|(_, layout)| layout)
    }

    /// The layout that a file's first record shows.
    pub(super) fn of(first: &Map<String, Value>) -> Option<Layout> {
        let has = |names: &[&str]| names.iter().all(|name| first.contains_key(*name));
        match () {
            () if has(&["doc_id", "arguments", "resps"]) => Some(Layout::LmEval),
            () if has(&["eval", "samples"]) || has(&["eval", "status", "version"]) => Some(Layout::Inspect),
            () if has(&["completion", "prompt"]) => Some(Layout::Trl),
            () if has(&["input", "output"]) => Some(Layout::Verl),
            () if has(&["case_id"]) || has(&["scored"]) => Some(Layout::Native),
            () => None,
        }
    }

    /// The responses of one record of the file.
    pub(super) fn records(&self, fields: Map<String, Value>) -> Result<Vec<Record>, Problem> {
        match self {
            Layout::Native => Ok(vec![native::read(fields)?]),
            Layout::Trl => Ok(vec![framework::read(&fields, "prompt", "completion")?]),
            Layout::Verl => Ok(vec![framework::read(&fields, "input", "output")?]),
            Layout::LmEval => lm_eval::read(&fields),
            Layout::Inspect => inspect::read(fields),
            Layout::Mapped(columns) => Ok(vec![mapped::read(&fields, columns)?]),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(layout: &Layout, json: &str) -> Result<Record, String> {
        let read = layout.records(serde_json::from_str(json).unwrap()).map_err(|problem| problem.to_string());
        read.map(|mut records| records.remove(0))
    }

    #[test]
    fn each_framework_by_name() {
        let trl = r#"{"step":4,"prompt":[{"role":"user","content":"Q?"}],"completion":[{"role":"assistant","content":"A."}],
            "accuracy_reward":1.0,"format_reward":null,"target":"B","advantage":0.3}"#;
        let first: Map<String, Value> = serde_json::from_str(trl).unwrap();
        let layout = Layout::of(&first).unwrap();
        assert_eq!(layout, Layout::Trl);
        let record = read(&layout, trl).unwrap();
        assert_eq!((record.prompt.as_deref(), record.text.as_deref(), record.step), (Some("Q?"), Some("A."), Some(4)));
        assert_eq!(record.rewards, [("accuracy_reward".to_owned(), Some(1.0)), ("format_reward".to_owned(), None)]);
        // Older dumps of verl write every value as text.
        let verl = r#"{"input":"Q?","output":"A.","gts":"B","score":"0.5","step":"12","acc":"True"}"#;
        let layout = Layout::of(&serde_json::from_str(verl).unwrap()).unwrap();
        let record = read(&layout, verl).unwrap();
        assert_eq!((layout, record.step), (Layout::Verl, Some(12)));
        assert_eq!(record.rewards, [("score".to_owned(), Some(0.5)), ("acc".to_owned(), Some(1.0))]);
    }

    #[test]
    fn our_own_records() {
        let record = read(
            &Layout::Native,
            r#"{"case_id":"a","text":null,"step":3,"rewards":{"x":0.5},"labels":{"good":{"value":true,"kind":"binary"},"fluency":4}}"#,
        );
        let record = record.unwrap();
        assert_eq!((record.text, record.sample, record.step), (None, None, Some(3)));
        assert_eq!(record.labels, [("good".to_owned(), 1.0), ("fluency".to_owned(), 4.0)]);
        let scored = r#"{"case_id":"a","sample":2,"reward":0.5,"objectives":{"accuracy":1.0},"answer":{"read":"C"},"checks":[]}"#;
        let record = read(&Layout::Native, scored).unwrap();
        assert_eq!((record.sample, record.scored.unwrap().reward, record.rewards.len()), (Some(2), Some(0.5), 0));
        let record = read(&Layout::Native, &format!(r#"{{"step":5,"text":"t","truncated":false,"scored":{scored}}}"#));
        let record = record.unwrap();
        assert_eq!((record.case_id.as_deref(), record.text.as_deref(), record.step), (Some("a"), Some("t"), Some(5)));
    }

    #[test]
    fn columns_by_name() {
        let layout = Layout::Mapped(Columns::parse("text=d.answer,case=q,rewards=r,labels=ok").unwrap());
        let record = read(&layout, r#"{"q":7,"d":{"answer":"A."},"r":"0.25","ok":"yes"}"#).unwrap();
        assert_eq!((record.case_id.as_deref(), record.text.as_deref()), (Some("7"), Some("A.")));
        assert_eq!((record.rewards, record.labels), (vec![("r".into(), Some(0.25))], vec![("ok".into(), 1.0)]));
        let fault = read(&layout, r#"{"q":7,"r":1}"#).unwrap_err();
        assert!(fault.contains("expected one of the columns q, r"), "{fault}");
        for (text, expected) in [
            ("case=q", "no column for the text, expected text=column"),
            ("text", "\"text\" is no assignment, expected name=column"),
            ("txt=a", "\"txt\" is no field of a response, expected one of case, prompt"),
        ] {
            let message = Columns::parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
