//! `attending.score/1`: items of a case and a response in, a score for each out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attending_datasets::reader::{from_value, parse};
use attending_datasets::{Case, Problem, validate};
use attending_rewards::{Response, Scored, score_batch, score_batch_with};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Server;
use super::reply::Fault;

/// A request's items; `op` stands there where the record also goes over standard input.
#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(default)]
    op: Option<String>,
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

/// A response, and its case unless the server knows it by its id. Both are still JSON, so that all items of a request are
/// read in parallel, and a case once however many items carry it.
#[derive(Deserialize)]
pub(super) struct Item<'a> {
    #[serde(default, borrow)]
    case: Option<&'a RawValue>,
    #[serde(borrow)]
    response: &'a RawValue,
}

/// What is scored: a response beside its case; equal cases are one.
pub(super) type Work = Vec<(Arc<Case>, Response)>;

/// A score: the record of `attending score`, with the value and the reason of the protocol.
#[derive(Serialize)]
struct Score<'a> {
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    scored: &'a Scored,
}

/// The body of a reply to a body, and how many responses it scores.
pub(super) fn score(server: &Server, body: &[u8]) -> Result<(Vec<u8>, usize), Fault> {
    let batch: Batch = parse(text(body)?).map_err(bad)?;
    if let Some(op) = batch.op.filter(|op| op != "score") {
        return Err(bad(Problem::new("op", format!("found {op:?}, expected score"))));
    }
    fits(server, batch.items.len())?;
    let items: Vec<_> = batch.items.into_iter().map(Ok).collect();
    let work = read(server, &items).into_iter().enumerate();
    let work = work.map(|(index, item)| item.map_err(|problem| under(&format!("items[{index}]"), problem)));
    let work: Work = work.collect::<Result<_, _>>().map_err(bad)?;
    let mut reply = b"{\"scores\":[".to_vec();
    for (index, line) in records(server, &work).into_iter().enumerate() {
        if index > 0 {
            reply.push(b',');
        }
        reply.extend(line.map_err(|_| Fault::Defect)?);
    }
    reply.extend(b"]}");
    Ok((reply, work.len()))
}

/// A body as text.
pub(super) fn text(body: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(body)
        .map_err(|error| Fault::Bad(format!("byte {} is not UTF-8, expected UTF-8 text", error.valid_up_to() + 1)))
}

/// Whether a request may hold that many responses.
pub(super) fn fits(server: &Server, responses: usize) -> Result<(), Fault> {
    let most = server.settings.limits.batch;
    if responses > most {
        return Err(Fault::TooLarge(format!("{responses} responses in one request, expected at most {most}")));
    }
    Ok(())
}

/// A fault of the body.
pub(super) fn bad(problem: Problem) -> Fault {
    Fault::Bad(problem.to_string())
}

/// A problem of a part, told of the whole.
fn under(part: &str, problem: Problem) -> Problem {
    let dot = if problem.field.is_empty() { "" } else { "." };
    Problem::new(format!("{part}{dot}{}", problem.field), problem.message)
}

/// Scores, and counts what was scored.
pub(super) fn scored(server: &Server, work: &[(Arc<Case>, Response)]) -> Vec<Scored> {
    let scored = score_batch(&server.scorer, work);
    server.metrics.scored(&scored);
    scored
}

/// The same, each score as JSON.
pub(super) fn records(server: &Server, work: &[(Arc<Case>, Response)]) -> Vec<serde_json::Result<Vec<u8>>> {
    score_batch_with(&server.scorer, work, |scored| {
        server.metrics.scored(std::slice::from_ref(&scored));
        serde_json::to_vec(&Score { value: scored.reward, reason: reason(&scored), scored: &scored })
    })
}

/// Why there is no reward.
pub(super) fn reason(scored: &Scored) -> Option<String> {
    if scored.reward.is_some() {
        return None;
    }
    let reasons: Vec<String> =
        scored.reasons.iter().map(|(objective, reason)| format!("{}: {reason}", objective.name())).collect();
    Some(if reasons.is_empty() { "no objective could be scored".to_owned() } else { reasons.join("; ") })
}

/// Each item's case and response, both checked; what is no item stays the problem that it is.
pub(super) fn read(server: &Server, items: &[Result<Item, Problem>]) -> Vec<Result<(Arc<Case>, Response), Problem>> {
    let cases = Cases::read(items.iter().flatten().filter_map(|item| item.case.map(RawValue::get)));
    let read = |item: &Result<Item, Problem>| resolve(server, &cases, item.as_ref().map_err(Problem::clone)?);
    items.par_iter().map(read).collect()
}

fn resolve(server: &Server, cases: &Cases, item: &Item) -> Result<(Arc<Case>, Response), Problem> {
    let carried = item.case.map(|text| cases.of(text.get()).map_err(|problem| under("case", problem))).transpose()?;
    let response = response(item.response.get(), carried.as_deref()).map_err(|problem| under("response", problem))?;
    let case = match carried {
        Some(case) if case.id != response.case_id => {
            let message = format!("found {:?} beside the case {:?}, expected the same", response.case_id, case.id);
            return Err(Problem::new("response.case_id", message));
        }
        Some(case) => case,
        None => server.cases.get(&response.case_id).cloned().ok_or_else(|| {
            let message = format!("is missing, and the server knows no case {:?}", response.case_id);
            Problem::new("case", message)
        })?,
    };
    Ok((case, response))
}

/// A response, which need not name the case that it comes with.
fn response(text: &str, case: Option<&Case>) -> Result<Response, Problem> {
    if let Ok(response) = serde_json::from_str(text) {
        return Ok(response);
    }
    let mut fields: Map<String, Value> = parse(text)?;
    if let (Some(case), None) = (case, fields.get("case_id")) {
        fields.insert("case_id".to_owned(), case.id.clone().into());
    }
    from_value(Value::Object(fields))
}

/// The cases that a request carries, by their JSON.
pub(super) struct Cases<'a>(BTreeMap<&'a str, Result<Arc<Case>, Problem>>);

impl<'a> Cases<'a> {
    /// Reads and checks each once, all of them in parallel.
    pub(super) fn read(texts: impl Iterator<Item = &'a str>) -> Self {
        let texts: BTreeSet<&str> = texts.collect();
        let case = |text| {
            let case = parse::<Case>(text).and_then(|case| validate(&case).map(|()| Arc::new(case)));
            (text, case)
        };
        Self(texts.into_par_iter().map(case).collect())
    }

    /// The case of a text that was read.
    pub(super) fn of(&self, text: &str) -> Result<Arc<Case>, Problem> {
        self.0.get(text).cloned().unwrap_or_else(|| Err(Problem::new("", "was not read")))
    }
}
