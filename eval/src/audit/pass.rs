//! The one pass over the responses: read, scored, counted; texts are kept of a sample alone.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use attending_datasets::reader::Skipped;
use attending_datasets::{Case, DataError};
use attending_rewards::{Outcome, Response, Scored, score_batch};

use super::source::{Item, Source};
use super::table::{Row, Table, drift, objectives};
use super::{AuditError, Auditor};
use crate::names::Names;
use crate::report::Detail;
use crate::stats::{Units, draw};

/// Responses of one case that probes and exchanges look at.
pub(super) const PER_CASE: usize = 8;

/// A response of the sample that probes and exchanges run on.
pub(super) struct Held {
    pub(super) case: Arc<Case>,
    pub(super) response: Response,
    pub(super) scored: Scored,
}

/// What the pass found.
pub(super) struct Collected {
    pub(super) table: Table,
    /// Whole cases.
    pub(super) held: Vec<Vec<Held>>,
    /// What the report shows, in order of the file: place in the table, and the texts.
    pub(super) shown: Vec<(u32, Detail)>,
    /// `objective rule outcome` of the shown checks.
    pub(super) kinds: Names,
    /// The cases of the shown responses.
    pub(super) cases: HashMap<u32, Arc<Case>>,
    pub(super) skipped: Skipped,
    /// What is not among the responses, and how often.
    pub(super) left_out: BTreeMap<&'static str, u64>,
    pub(super) unreadable: u64,
    /// Whether the responses were scored here.
    pub(super) scored: bool,
    pub(super) model: Option<String>,
}

/// An item with its scores.
struct Done {
    item: Item,
    response: Response,
    scored: Option<Scored>,
    opinion: Option<Scored>,
}

/// Goes over all responses.
pub(super) fn collect(auditor: &Auditor, files: &[PathBuf]) -> Result<Collected, AuditError> {
    let mut source = Source::new(auditor, files);
    let thresholds = &auditor.thresholds;
    let mut keeper = Keeper {
        seed: thresholds.seed as u64,
        table: Table::default(),
        kinds: Names::default(),
        held: Units::new(thresholds.cases as usize * PER_CASE),
        shown: Units::new(thresholds.shown as usize),
        cases: HashMap::new(),
        unreadable: 0,
    };
    let mut batch = source.batch()?;
    while !batch.is_empty() {
        // While one batch is scored the next is read.
        let (done, next) = rayon::join(|| score(auditor, batch), || source.batch());
        done?.into_iter().for_each(|done| keeper.keep(done));
        batch = next?;
    }
    if keeper.table.rows.is_empty() {
        let file = files.first().map_or(String::new(), |file| file.display().to_string());
        return Err(DataError::Empty { file, what: "responses", bad: source.skipped.count }.into());
    }
    let mut shown: Vec<(u32, Detail)> = keeper.shown.into_units().flatten().collect();
    shown.sort_by_key(|(row, _)| *row);
    let (table, cases) = (keeper.table, keeper.cases);
    Ok(Collected {
        held: keeper.held.into_units().collect(),
        cases: shown
            .iter()
            .filter_map(|(row, _)| {
                let case = table.rows[*row as usize].case;
                Some((case, cases.get(&case)?.clone()))
            })
            .collect(),
        scored: table.rows.iter().any(|row| row.reward.is_some()),
        table,
        shown,
        kinds: keeper.kinds,
        skipped: source.skipped,
        left_out: source.left_out,
        unreadable: keeper.unreadable,
        model: source.model,
    })
}

/// Scores items by both scorers, where their cases are known; else takes the score that came with the file.
fn score(auditor: &Auditor, items: Vec<Item>) -> Result<Vec<Done>, AuditError> {
    let mut done: Vec<Done> = items
        .into_iter()
        .map(|mut item| {
            let response = Response {
                case_id: item.id.clone(),
                sample: item.sample,
                text: item.record.text.take(),
                reasoning: item.record.reasoning.take(),
                ..Response::default()
            };
            let scored = item.record.scored.take().filter(|_| response.text.is_none() || item.case.is_none());
            Done { item, response, scored, opinion: None }
        })
        .collect();
    let wanted = |done: &Done| done.item.case.is_some() && done.scored.is_none();
    let mut work = Vec::new();
    for done in done.iter_mut().filter(|done| wanted(done)) {
        if let Some(case) = &done.item.case {
            work.push((case.clone(), std::mem::take(&mut done.response)));
        }
    }
    let scored = auditor.judge(&auditor.scorer).score(&work)?;
    let mut scores = scored.into_iter().zip(score_batch(&auditor.held_out, &work)).zip(work);
    for done in done.iter_mut().filter(|done| wanted(done)) {
        if let Some(((scored, opinion), (_, response))) = scores.next() {
            (done.scored, done.opinion, done.response) = (Some(scored), Some(opinion), response);
        }
    }
    Ok(done)
}

/// Puts finished responses where they belong.
struct Keeper {
    seed: u64,
    table: Table,
    kinds: Names,
    held: Units<Held>,
    shown: Units<(u32, Detail)>,
    cases: HashMap<u32, Arc<Case>>,
    unreadable: u64,
}

impl Keeper {
    fn keep(&mut self, done: Done) {
        let Done { item, response, scored, opinion } = done;
        let table = &mut self.table;
        let place = table.rows.len() as u32;
        let case = table.cases.place(&item.id);
        let words = [&response.text, &response.reasoning];
        let words = words.into_iter().flatten().map(|text| text.split_ascii_whitespace().count()).sum::<usize>();
        let spread = |names: &mut Names, values: &[(String, Option<f64>)]| {
            let mut cells: Vec<f64> = Vec::new();
            for (name, value) in values {
                let at = names.place(name) as usize;
                cells.resize(cells.len().max(at + 1), f64::NAN);
                cells[at] = value.unwrap_or(f64::NAN);
            }
            cells.into_boxed_slice()
        };
        let labels: Vec<_> = item.record.labels.iter().map(|(name, value)| (name.clone(), Some(*value))).collect();
        let none = [None; 4];
        table.rows.push(Row {
            case,
            group: table.groups.place(&item.group),
            step: item.record.step,
            sample: item.sample,
            words: words as u32,
            reward: scored.as_ref().and_then(|scored| scored.reward),
            objectives: scored.as_ref().map_or(none, objectives),
            opinion: opinion.as_ref().map_or(none, |opinion| {
                let [accuracy, faithfulness, comprehensiveness, _] = objectives(opinion);
                [opinion.reward, accuracy, faithfulness, comprehensiveness]
            }),
            drift: scored.as_ref().map_or([None; 3], |scored| drift(&scored.checks)),
            given: spread(&mut table.rewards, &item.record.rewards),
            labels: spread(&mut table.labels, &labels),
        });
        if let Some(case_record) = &item.case {
            self.cases.entry(case).or_insert_with(|| case_record.clone());
        }
        let unread = scored.as_ref().is_some_and(|s| s.checks.iter().any(|check| check.outcome == Outcome::Unreadable));
        self.unreadable += u64::from(unread);
        let group = draw(self.seed, &item.group);
        if self.shown.takes(group) {
            let detail = Detail::new(&mut self.kinds, &response, scored.as_ref(), item.case.as_deref());
            self.shown.push(group, (place, detail));
        }
        let unit = draw(self.seed, &item.id);
        if let (Some(case), Some(scored)) = (item.case, scored)
            && self.held.takes(unit)
            && self.held.of(unit).len() < PER_CASE
            && (response.text.is_some() || response.reasoning.is_some())
        {
            self.held.push(unit, Held { case, response, scored });
        }
    }
}
