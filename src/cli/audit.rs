//! `attending audit`: what a reward pays for, in one report.

use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use attending_datasets::{Choice, DataError};
use attending_eval::audit::{
    Audit, AuditError, Auditor, Cases, Columns, Layout, Posted, Program, RewardFunction, Thresholds,
};
use attending_eval::report::Page;
use clap::Args;

use super::rubric::RubricArgs;
use crate::evaluation::http::{Http, shown};
use crate::trainer::write_whole;

/// Audit the rewards of responses
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  attending audit answers.jsonl --cases cases.jsonl --report audit/
  attending audit runs/first/held_out/*.jsonl --cases held_out.jsonl --report audit/
  attending audit 40.jsonl --json > audit.json                       verl's rollouts, their own scores alone
  attending audit answers.csv --cases cases.jsonl --map text=reply,case=question_id,rewards=score,labels=ok
  attending audit samples_medqa.jsonl --cases cases.jsonl --format plain                lm-eval's --log_samples
  attending audit answers.jsonl --cases cases.jsonl --rubric ward.toml --thresholds audit.toml
  attending audit answers.jsonl --cases cases.jsonl --reward-command 'python scripts/reward_function.py verl mine.py'

Answers seven questions: distributions and correlations; flat groups and advantages under each estimator; why a response
got its number; which tricks would pay; whether the reward reads what it should; agreement with people (`labels`); a
second opinion over the steps. With --cases the responses are scored by the rubric; without, only the rewards in the
file are looked at. With --reward-command or --reward-url, tricks, faults and exchanges are tried on that function, and the
rubric's objectives stand beside its reward. The report holds the texts of responses; everything else holds ids and numbers.
Exit status: 0 nothing beyond the thresholds, 1 findings, 2 bad input, 3 failed.")]
pub(super) struct AuditArgs {
    /// Responses: ours, TRL's completions, verl's rollouts, lm-eval's samples (JSON Lines), inspect's log (JSON), or any JSON
    /// Lines or CSV with --map
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Cases that they answer, in any layout that `attending data` reads
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
    #[command(flatten)]
    rubric: RubricArgs,
    /// Audits a reward function of your own in place of the rubric's reward: a command that reads
    /// {"op":"score","items":[{"case":..,"response":..}]}, one JSON object a line, and writes {"scores":[{"value":0.7}]}
    #[arg(long, value_name = "COMMAND", requires = "cases")]
    reward_command: Option<String>,
    /// The same over HTTP: the address that these objects are posted to, such as http://127.0.0.1:8080/score
    #[arg(long, value_name = "URL", requires = "cases", conflicts_with = "reward_command")]
    reward_url: Option<String>,
    /// Longest wait for one reply of the reward function (64 responses), seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0)]
    reward_timeout: f64,
    /// Layout of the responses; without it, their first records show it
    #[arg(long, value_parser = Layout::NAMED.map(|(name, _)| name), conflicts_with = "map")]
    layout: Option<String>,
    /// Columns of the responses: text=..., case, prompt, sample, step, group, model, reasoning, rewards=a;b, labels=c;d
    #[arg(long, value_name = "LIST")]
    map: Option<String>,
    /// From which values on something is a finding (TOML)
    #[arg(long, value_name = "FILE")]
    thresholds: Option<PathBuf>,
    /// Folder for report.html and audit.json
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Replaces the report in a folder that is not empty
    #[arg(long, requires = "report")]
    force: bool,
    /// Prints the answers as JSON
    #[arg(long)]
    json: bool,
    /// Leaves malformed records out and counts them
    #[arg(long)]
    skip_bad: bool,
}

/// Runs the command.
pub(super) fn run(args: &AuditArgs) -> Result<ExitCode> {
    if let Some(folder) = &args.report {
        // Before the work: nobody wants to learn it afterwards.
        check_folder(folder, args.force)?;
    }
    let mut auditor = Auditor::new(args.rubric.file()?)?.skipping_bad(args.skip_bad);
    if let Some(function) = reward_function(args)? {
        auditor = auditor.with_reward_function(function);
    }
    if let Some(path) = &args.thresholds {
        auditor = auditor.with_thresholds(Thresholds::open(path)?);
    }
    let layout = match (&args.map, &args.layout) {
        (Some(map), _) => Some(Layout::Mapped(Columns::parse(map)?)),
        (None, name) => name.as_deref().and_then(Layout::named),
    };
    if let Some(layout) = layout {
        auditor = auditor.with_layout(layout);
    }
    if let Some(path) = &args.cases {
        let (cases, skipped) = Cases::open(path, &Choice::Auto, args.skip_bad)?;
        skipped.messages.iter().for_each(|message| eprintln!("skipped: {message}"));
        auditor = auditor.with_cases(cases);
    }
    let (audit, page) = auditor.audit(&args.files, args.report.is_some())?;
    let json = serde_json::to_string_pretty(&audit)? + "\n";
    if let (Some(folder), Some(page)) = (&args.report, &page) {
        write(folder, page, &json)?;
    }
    let text = if args.json { json } else { table(&audit, args.report.as_deref()) };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(if audit.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The function that is audited, where there is one.
fn reward_function(args: &AuditArgs) -> Result<Option<RewardFunction>, AuditError> {
    let timeout = Duration::try_from_secs_f64(args.reward_timeout).ok().filter(|timeout| !timeout.is_zero());
    let timeout = timeout.ok_or_else(|| {
        let seconds = args.reward_timeout;
        DataError::Argument(format!("--reward-timeout is {seconds}, expected a number of seconds above 0"))
    })?;
    Ok(match (&args.reward_command, &args.reward_url) {
        (Some(command), _) => {
            let program = Program::start(command, timeout)
                .map_err(|problem| AuditError::RewardFunction { name: command.clone(), problem })?;
            Some(RewardFunction::new(command, program))
        }
        (None, Some(url)) => {
            let http = Http::new(url.clone(), None, timeout);
            Some(RewardFunction::new(shown(url), Posted::new(http)))
        }
        (None, None) => None,
    })
}

fn check_folder(folder: &Path, force: bool) -> Result<(), AuditError> {
    let fail = |reason| DataError::Write { file: folder.display().to_string(), reason };
    std::fs::create_dir_all(folder).map_err(fail)?;
    let empty = std::fs::read_dir(folder).map_err(fail)?.next().is_none();
    if empty || force { Ok(()) } else { Err(AuditError::FolderExists(folder.to_owned())) }
}

fn write(folder: &Path, page: &Page, json: &str) -> Result<()> {
    page.write(folder)?;
    Ok(write_whole(&folder.join("audit.json"), json.as_bytes())?)
}

/// The answers for people, in short: the report has them in full.
fn table(audit: &Audit, report: Option<&Path>) -> String {
    let mut text = format!("{} responses to {} cases\n", audit.responses, audit.cases);
    // Writing to a string cannot fail.
    let mut line = |line: String| {
        let _ = writeln!(text, "{line}");
    };
    if let Some(name) = &audit.reward_function {
        line(format!("reward: {name}"));
    }
    if audit.skipped > 0 {
        line(format!("{} malformed records left out", audit.skipped));
    }
    for (what, count) in &audit.left_out {
        line(format!("{count} {what}, left out"));
    }
    line(format!("{:<28}{:>9}{:>22}{:>10}", "", "mean", "95 %", "scored"));
    for d in &audit.distributions {
        if let Some(mean) = d.mean {
            let bounds = format!("{:.4} to {:.4}", mean.low, mean.high);
            line(format!("{:<28}{:>9.4}{bounds:>22}{:>10}", d.name, mean.estimate, d.scored));
        }
    }
    if let Some(groups) = &audit.groups {
        let (compared, flat, wrong) = (groups.compared, groups.flat, groups.all_wrong);
        line(format!("{compared} groups: {flat} flat, {wrong} all wrong"));
    }
    for question in &audit.unanswered {
        line(format!("not answered: {question}"));
    }
    match audit.findings.len() {
        0 => line("no findings".to_owned()),
        1 => line("1 finding".to_owned()),
        count => line(format!("{count} findings")),
    }
    for finding in &audit.findings {
        line(format!("  {}. {}", finding.question, finding.message));
    }
    if let Some(folder) = report {
        line(format!("report: {}", folder.join(Page::FILE).display()));
    }
    text
}
