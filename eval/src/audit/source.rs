//! The files of responses, read as one: each response with its case, its group and its number.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attending_datasets::raw::{Raw, RawRecords};
use attending_datasets::reader::{Skipped, display};
use attending_datasets::{Case, DataError, Place, Problem};

use super::layout::{Layout, Record};
use super::{AuditError, Auditor};
use crate::stats::draw;

/// Responses scored at once, and bytes of their text: enough work for many cores, little memory.
const BATCH: usize = 2048;
const BATCH_BYTES: usize = 16 << 20;
/// A response on its way to be scored.
pub(super) struct Item {
    pub(super) record: Record,
    pub(super) case: Option<Arc<Case>>,
    /// The case's id; a prompt's where no case is known.
    pub(super) id: String,
    pub(super) sample: u64,
    pub(super) group: String,
}

/// A file that is being read.
struct Open {
    records: RawRecords,
    /// As asked for, or as the first good record shows it.
    layout: Option<Layout>,
    /// Responses of the last record that have not been given yet.
    waiting: VecDeque<(Place, Record)>,
    /// The filter of the file's first record.
    filter: Option<String>,
}

impl Open {
    fn new(path: &Path, layout: Option<&Layout>) -> Result<Self, DataError> {
        if path.extension().is_some_and(|ending| ending == "eval") {
            let message = "is inspect's packed log, which is not read; expected its JSON, which `inspect log convert --to \
                           json --output-dir DIR FILE` writes";
            return Err(DataError::Layout { file: display(path), message: message.to_owned() });
        }
        let (records, layout) = (RawRecords::open(path)?, layout.cloned());
        Ok(Self { records, layout, waiting: VecDeque::new(), filter: None })
    }

    /// The next response with its place; `None` at the end.
    fn next(&mut self) -> Result<Option<(Place, Record)>, DataError> {
        while self.waiting.is_empty() {
            let Some(raw) = self.records.next() else { return Ok(None) };
            let raw = raw?;
            let layout = match self.layout.clone().or_else(|| Layout::of(&raw.fields)) {
                Some(layout) => self.layout.insert(layout),
                None => return Err(unknown(&self.records, &raw)),
            };
            let place = raw.place;
            let records = layout.records(raw.fields).map_err(|problem| self.records.fault(place, problem))?;
            self.waiting.extend(records.into_iter().map(|record| (place, record)));
        }
        Ok(self.waiting.pop_front())
    }

    /// Why a record is no response to be looked at.
    fn excluded(&mut self, record: &Record) -> Option<&'static str> {
        if record.failed {
            return Some("samples that ended in an error");
        }
        let filter = record.filter.as_ref()?;
        let first = self.filter.get_or_insert_with(|| filter.clone());
        (first != filter).then_some("responses repeated for another filter than the first")
    }
}

/// The files, read as one.
pub(super) struct Source<'a> {
    auditor: &'a Auditor,
    files: &'a [PathBuf],
    at: usize,
    open: Option<Open>,
    pub(super) skipped: Skipped,
    /// What is not among the responses, and how often.
    pub(super) left_out: BTreeMap<&'static str, u64>,
    seen: HashSet<u64>,
    counted: HashMap<String, u64>,
    pub(super) model: Option<String>,
}

impl<'a> Source<'a> {
    pub(super) fn new(auditor: &'a Auditor, files: &'a [PathBuf]) -> Self {
        Self {
            auditor,
            files,
            at: 0,
            open: None,
            skipped: Skipped::default(),
            left_out: BTreeMap::new(),
            seen: HashSet::new(),
            counted: HashMap::new(),
            model: None,
        }
    }

    /// The next items; fewer than a batch at the end.
    pub(super) fn batch(&mut self) -> Result<Vec<Item>, AuditError> {
        let (mut items, mut bytes) = (Vec::new(), 0);
        while items.len() < BATCH && bytes < BATCH_BYTES {
            let Some(item) = self.next()? else { break };
            bytes += item.record.text.as_ref().map_or(0, String::len);
            items.push(item);
        }
        Ok(items)
    }

    fn next(&mut self) -> Result<Option<Item>, AuditError> {
        loop {
            let Some(open) = &mut self.open else {
                let Some(path) = self.files.get(self.at) else { return Ok(None) };
                self.at += 1;
                self.open = Some(Open::new(path, self.auditor.layout.as_ref())?);
                continue;
            };
            let item = match open.next() {
                Ok(None) => {
                    self.open = None;
                    continue;
                }
                Ok(Some((place, record))) => match open.excluded(&record) {
                    Some(reason) => {
                        *self.left_out.entry(reason).or_default() += 1;
                        continue;
                    }
                    None => self.item(place, record).map_err(|problem| self.fault(place, problem)),
                },
                Err(error) => Err(error),
            };
            match item {
                Ok(item) => return Ok(Some(item)),
                Err(error) if error.skippable() && self.auditor.skip_bad => self.skipped.add(error.to_string()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn fault(&self, place: Place, problem: Problem) -> DataError {
        let file = self.open.as_ref().map_or(String::new(), |open| open.records.file().to_owned());
        DataError::Record { file, place, problem }
    }

    fn item(&mut self, place: Place, record: Record) -> Result<Item, Problem> {
        let case =
            match (&self.auditor.cases, &record.case_id, &record.prompt) {
                (None, ..) => None,
                (Some(cases), Some(id), _) => {
                    Some(cases.by_id(id).ok_or_else(|| {
                        Problem::new("case_id", format!("no case is called {id:?} in {}", cases.file))
                    })?)
                }
                (Some(cases), None, Some(prompt)) => Some(cases.by_prompt(prompt).ok_or_else(|| {
                    Problem::new("prompt", format!("holds the question of no case in {}", cases.file))
                })?),
                (Some(_), None, None) => {
                    return Err(Problem::new(
                        "",
                        "names neither a case nor a prompt, expected one; --map case=COLUMN says which",
                    ));
                }
            };
        let case = case.cloned();
        if let Some(model) = &record.model {
            let first = self.model.get_or_insert_with(|| model.clone());
            if first != model {
                return Err(Problem::new(
                    "model",
                    format!("is {model:?}, before it was {first:?}; audit one model at a time"),
                ));
            }
        }
        let id = match (&case, &record.case_id, &record.prompt) {
            (Some(case), ..) => case.id.clone(),
            (None, Some(id), _) => id.clone(),
            (None, None, Some(_)) if record.name.is_some() => record.name.clone().unwrap_or_default(),
            // A prompt may be pages of clinical text: its hash is a name that can be logged.
            (None, None, Some(prompt)) => format!("prompt-{:016x}", draw(0, prompt)),
            (None, None, None) => place.to_string(),
        };
        let group = record.group.clone().unwrap_or_else(|| id.clone());
        let group = record.step.map_or_else(|| group.clone(), |step| format!("{step} {group}"));
        let sample = record.sample.unwrap_or_else(|| {
            let count = self.counted.entry(group.clone()).or_default();
            *count += 1;
            *count - 1
        });
        if !self.seen.insert(draw(1, &format!("{sample} {group} {id}"))) {
            let step = record.step.map(|step| format!(" of step {step}")).unwrap_or_default();
            let message = format!("sample {sample} of case {id:?}{step} was given before, expected each response once");
            return Err(Problem::new("sample", message));
        }
        Ok(Item { record, case, id, sample, group })
    }
}

fn unknown(records: &RawRecords, raw: &Raw) -> DataError {
    let names: Vec<&str> = raw.fields.keys().map(String::as_str).take(12).collect();
    let message = format!(
        "neither our responses (case_id, text) nor TRL's (prompt, completion), verl's (input, output), lm-eval's (doc_id, \
         resps) or inspect's (eval, samples): it has {}; --map text=COLUMN,case=COLUMN says which is what",
        names.join(", ")
    );
    records.fault(raw.place, Problem::new("", message))
}
