//! The audit of a reward: seven questions about responses with any reward in them.
//!
//! 1. What is each score's distribution, and how do the scores move together and with length? ([`Distribution`])
//! 2. Which groups are flat or all wrong, and what are the advantages under each estimator? ([`Groups`])
//! 3. Why did one response get its number? (the report's reading view)
//! 4. Which tricks would pay, on the user's own cases? ([`Probe`])
//! 5. Does the reward read the response at all? ([`Exchange`])
//! 6. Does it agree with people? ([`Agreement`])
//! 7. Does a second opinion agree? ([`SecondOpinion`])
//!
//! Design decision: one pass over the file scores each response and keeps its numbers, some two hundred bytes; texts are
//! kept of a drawn sample of whole groups alone. The cost is that the report of a large file shows a part of it; the gain is
//! that a hundred thousand responses need neither their texts nor their checks in memory. Everything is the same for any
//! number of threads and any order of the file.

mod agreement;
mod cases;
mod distribution;
mod error;
mod finding;
mod groups;
mod layout;
mod pass;
mod probes;
mod program;
mod reading;
mod report;
mod reward_function;
mod second_opinion;
mod source;
mod table;
mod thresholds;

use std::collections::BTreeMap;
use std::path::PathBuf;

use attending_rewards::{Format, Preset, Rubric, RubricFile, Scorer};
use serde::Serialize;

pub use agreement::Agreement;
pub use cases::Cases;
pub use distribution::{Correlation, Distribution};
pub use error::AuditError;
pub use finding::Finding;
pub use groups::{EstimatorLine, Groups};
pub use layout::{Columns, Layout};
pub use probes::Probe;
pub use program::Program;
pub use reading::{Exchange, Exchanged};
pub use reward_function::{Connection, Posted, RewardFunction};
pub use second_opinion::{Alone, Curve, Pair, SecondOpinion};
pub use thresholds::Thresholds;

use crate::report::Page;
use reward_function::Judge;

/// What an audit is made with.
#[derive(Debug)]
pub struct Auditor {
    cases: Option<Cases>,
    layout: Option<Layout>,
    scorer: Scorer,
    /// The same rubric, asking for the tags that probes are written in.
    tagged: Scorer,
    held_out: Scorer,
    function: Option<RewardFunction>,
    thresholds: Thresholds,
    skip_bad: bool,
}

/// The answers. Written as JSON it holds ids and numbers, no text of a response.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audit {
    /// The files.
    pub files: Vec<String>,
    /// The reward function whose rewards these are; none where they are the rubric's.
    pub reward_function: Option<String>,
    /// The model that the responses name.
    pub model: Option<String>,
    /// Responses read.
    pub responses: usize,
    /// Different cases (or prompts).
    pub cases: usize,
    /// Responses whose answer could not be read.
    pub unreadable: u64,
    /// Malformed records that were left out.
    pub skipped: u64,
    /// What else of the files is not among the responses, and how often.
    pub left_out: BTreeMap<&'static str, u64>,
    /// Question 1.
    pub distributions: Vec<Distribution>,
    /// Question 1.
    pub correlations: Vec<Correlation>,
    /// Question 2.
    pub groups: Option<Groups>,
    /// Question 4.
    pub probes: Vec<Probe>,
    /// Question 5.
    pub exchanges: Vec<Exchange>,
    /// Question 6.
    pub agreements: Vec<Agreement>,
    /// Question 7.
    pub second_opinion: Option<SecondOpinion>,
    /// Questions that the file does not answer, and what would.
    pub unanswered: Vec<String>,
    /// What is beyond the thresholds.
    pub findings: Vec<Finding>,
    /// The thresholds.
    pub thresholds: Thresholds,
}

impl Auditor {
    /// An auditor of the rewards that `rubric` gives.
    ///
    /// # Errors
    /// A lexicon that the rubric names cannot be read.
    pub fn new(mut rubric: RubricFile) -> Result<Self, AuditError> {
        let scorer = rubric.clone().scorer()?;
        rubric.rubric.format = Format::ThinkAnswer;
        Ok(Self {
            cases: None,
            layout: None,
            scorer,
            tagged: rubric.scorer()?,
            held_out: Scorer::new(Rubric::preset(Preset::HeldOut)),
            function: None,
            thresholds: Thresholds::default(),
            skip_bad: false,
        })
    }

    /// With the cases that the responses answer: without them nothing is scored, and only the file's own rewards are seen.
    pub fn with_cases(mut self, cases: Cases) -> Self {
        self.cases = Some(cases);
        self
    }

    /// With the layout of the files; else their first records show it.
    pub fn with_layout(mut self, layout: Layout) -> Self {
        self.layout = Some(layout);
        self
    }

    /// With a reward function in place of the rubric's scalar; the rubric's objectives stand beside it. It is asked about the
    /// responses, the tricks, the faults and the exchanges, each with its case.
    pub fn with_reward_function(mut self, function: RewardFunction) -> Self {
        self.function = Some(function);
        self
    }

    /// The judge of responses in their own layout, or in the tags of probes.
    fn judge<'a>(&'a self, scorer: &'a Scorer) -> Judge<'a> {
        Judge { scorer, function: self.function.as_ref() }
    }

    /// With other thresholds.
    pub fn with_thresholds(mut self, thresholds: Thresholds) -> Self {
        self.thresholds = thresholds;
        self
    }

    /// Leaving malformed records out, which are then counted.
    pub fn skipping_bad(mut self, skip: bool) -> Self {
        self.skip_bad = skip;
        self
    }

    /// Audits the responses of the files, read as one. The page is made where it is asked for; it holds the texts.
    ///
    /// # Errors
    /// A file cannot be read, a record is malformed, a response names no case, is given twice or is of another model; a
    /// reward function fails.
    pub fn audit(&self, files: &[PathBuf], with_page: bool) -> Result<(Audit, Option<Page>), AuditError> {
        let collected = pass::collect(self, files)?;
        let table = &collected.table;
        let seed = self.thresholds.seed as u64;
        let columns = table.scores();
        let distributions = distribution::distributions(table, &columns, seed);
        let correlations = distribution::correlations(&columns);
        let (groups, advantages) = groups::groups(table, self.scorer.rubric(), self.function.is_some())?.unzip();
        let held = &collected.held[..collected.held.len().min(self.thresholds.cases as usize)];
        let probes = probes::probes(self.judge(&self.tagged), self.scorer.rubric().format, held, seed)?;
        let exchanges = reading::exchanges(self.judge(&self.scorer), held, seed)?;
        let agreements = agreement::agreements(table, &columns, seed);
        let second_opinion = second_opinion::second_opinion(table, &self.thresholds);
        let mut findings = finding::Findings::default();
        let limits = &self.thresholds;
        distribution::findings(&distributions, &correlations, limits, &mut findings);
        groups.iter().for_each(|groups| groups::findings(groups, limits, &mut findings));
        probes::findings(&probes, limits, &mut findings);
        reading::findings(&exchanges, limits, &mut findings);
        agreement::findings(&agreements, limits, &mut findings);
        second_opinion.iter().for_each(|opinion| second_opinion::findings(opinion, limits, &mut findings));
        let mut unanswered = Vec::new();
        let mut missing = |absent: bool, sentence: &str| {
            if absent {
                unanswered.push(sentence.to_owned());
            }
        };
        missing(columns.is_empty(), "1. distributions: no response has a reward; --cases FILE scores them");
        missing(groups.is_none(), "2. groups: no case has more than one response");
        missing(!collected.scored, "3. reasons: nothing was scored; --cases FILE says what was asked");
        missing(probes.is_empty(), "4. tricks: no sampled case has options and a right response to compare with");
        missing(exchanges.is_empty(), "5. exchanges: nothing was scored from text; --cases FILE says what was asked");
        missing(agreements.is_empty(), "6. people: no response has `labels`");
        missing(
            second_opinion.is_none(),
            "7. second opinion over time: the scored responses name fewer than two steps",
        );
        let audit = Audit {
            files: files.iter().map(|file| attending_datasets::reader::display(file)).collect(),
            reward_function: self.function.as_ref().map(|function| function.name().to_owned()),
            model: collected.model.clone(),
            responses: table.rows.len(),
            cases: table.cases.all().len(),
            unreadable: collected.unreadable,
            skipped: collected.skipped.count,
            left_out: collected.left_out.clone(),
            distributions,
            correlations,
            groups,
            probes,
            exchanges,
            agreements,
            second_opinion,
            unanswered,
            findings: findings.0,
            thresholds: self.thresholds.clone(),
        };
        let page = with_page.then(|| report::page(&audit, &collected, advantages.as_ref(), self.scorer.rubric()));
        Ok((audit, page))
    }
}
