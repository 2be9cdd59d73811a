//! Somebody else's reward function, asked over `attending.score/1`: `{"op":"score","items":[{"case":..,"response":..}]}`
//! there, `{"scores":[{"value":0.7},{"value":null,"reason":".."}]}` back.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use attending_datasets::Case;
use attending_rewards::{Response, Scored, Scorer, score_batch};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::AuditError;
use crate::endpoint::{Backoff, Transport};

/// Responses in one request.
const BATCH: usize = 64;
/// Responses whose evidence is held at once.
const HELD: usize = 1024;
/// Tries of a request that a busy server refuses.
const TRIES: u32 = 6;

/// The way to a reward function: one JSON object there, one back.
pub trait Connection: Debug + Send + Sync {
    /// Sends a request and waits for its reply.
    ///
    /// # Errors
    /// A sentence where no reply came.
    fn ask(&self, request: &str) -> Result<String, String>;
}

/// A reward function behind a connection.
#[derive(Debug)]
pub struct RewardFunction {
    name: String,
    connection: Box<dyn Connection>,
}

#[derive(Serialize)]
struct Request<'a> {
    op: &'static str,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    case: &'a Case,
    response: &'a Response,
}

#[derive(Deserialize)]
struct Reply {
    scores: Option<Vec<Score>>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Score {
    value: Value,
}

impl RewardFunction {
    /// `name` stands in results and messages: the command, or the address.
    pub fn new(name: impl Into<String>, connection: impl Connection + 'static) -> Self {
        Self { name: name.into(), connection: Box::new(connection) }
    }

    /// As it was named.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A reward for each response; `None` where the function gives none.
    fn rewards(&self, work: &[(Arc<Case>, Response)]) -> Result<Vec<Option<f64>>, AuditError> {
        let fault = |problem: String| AuditError::RewardFunction { name: self.name.clone(), problem };
        let mut rewards = Vec::with_capacity(work.len());
        for batch in work.chunks(BATCH) {
            let items = batch.iter().map(|(case, response)| Item { case, response }).collect();
            let request =
                serde_json::to_string(&Request { op: "score", items }).map_err(|error| fault(error.to_string()))?;
            let reply = self.connection.ask(&request).map_err(fault)?;
            let reply: Reply = serde_json::from_str(&reply).map_err(|error| {
                fault(format!(
                    "replied what is no JSON of scores ({error}); expected one line {{\"scores\":[{{\"value\":..}}]}}"
                ))
            })?;
            if let Some(error) = reply.error {
                return Err(fault(format!("says: {}", error.replace('\n', " "))));
            }
            let scores = reply.scores.unwrap_or_default();
            if scores.len() != batch.len() {
                return Err(fault(format!(
                    "gave {} scores to {} responses, expected one each",
                    scores.len(),
                    batch.len()
                )));
            }
            for (score, (case, _)) in scores.into_iter().zip(batch) {
                let number = score.value.as_f64().filter(|number| number.is_finite());
                if number.is_none() && !score.value.is_null() {
                    let (id, value) = (&case.id, &score.value);
                    return Err(fault(format!(
                        "gave the value {value} to a response to {id}, expected a number or null"
                    )));
                }
                rewards.push(number);
            }
        }
        Ok(rewards)
    }
}

/// A reward function behind HTTP: a 429 or 503 is tried again after the wait that it asks for.
#[derive(Debug)]
pub struct Posted<T> {
    transport: T,
    backoff: Backoff,
}

impl<T: Transport> Posted<T> {
    /// Over a transport to the function's address.
    pub fn new(transport: T) -> Self {
        Self { transport, backoff: Backoff::default() }
    }
}

impl<T: Transport + Debug + Send> Connection for Posted<T> {
    fn ask(&self, request: &str) -> Result<String, String> {
        let mut attempt = 0;
        loop {
            let reply = self.transport.post(request)?;
            attempt += 1;
            match reply.status {
                200..=299 => return Ok(reply.body),
                429 | 503 if attempt < TRIES => {
                    let own = self.backoff.wait(attempt, "", 0);
                    let asked = reply.retry_after.map_or(Duration::ZERO, Duration::from_secs);
                    std::thread::sleep(asked.clamp(own, self.backoff.longest));
                }
                status => {
                    let sentence = serde_json::from_str::<Reply>(&reply.body).ok().and_then(|reply| reply.error);
                    let sentence = sentence.unwrap_or_else(|| reply.body.chars().take(200).collect());
                    return Err(format!("answers with status {status}: {}", sentence.replace('\n', " ")));
                }
            }
        }
    }
}

/// What gives the rewards that are audited: the rubric, or a function in place of its scalar. The objectives are the
/// rubric's in either case: they tell what a reward moves with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) scorer: &'a Scorer,
    pub(super) function: Option<&'a RewardFunction>,
}

impl Judge<'_> {
    /// Scores, in the order of the work.
    pub(super) fn score(&self, work: &[(Arc<Case>, Response)]) -> Result<Vec<Scored>, AuditError> {
        let mut all = Vec::with_capacity(work.len());
        for part in work.chunks(HELD) {
            let mut scored = score_batch(self.scorer, part);
            if let Some(function) = self.function {
                for (scored, reward) in scored.iter_mut().zip(function.rewards(part)?) {
                    scored.reward = reward;
                }
            }
            all.append(&mut scored);
        }
        Ok(all)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::endpoint;

    /// Replies with one text, whatever is asked.
    #[derive(Debug)]
    struct Says(&'static str);

    impl Connection for Says {
        fn ask(&self, _: &str) -> Result<String, String> {
            Ok(self.0.to_owned())
        }
    }

    fn work() -> Vec<(Arc<Case>, Response)> {
        let case: Case = serde_json::from_str(r#"{"id":"a","task":"numeric","question":"Q?"}"#).unwrap();
        let case = Arc::new(case);
        ["x", "y"].map(|text| (case.clone(), Response { text: Some(text.to_owned()), ..Response::default() })).to_vec()
    }

    #[test]
    fn scores_are_read_one_each() {
        let rewards = |says| RewardFunction::new("f", Says(says)).rewards(&work()).map_err(|error| error.to_string());
        assert_eq!(
            rewards(r#"{"scores":[{"value":0.5,"checks":[]},{"value":null,"reason":"r"}]}"#),
            Ok(vec![Some(0.5), None])
        );
        for (says, sentence) in [
            ("loaded\n", "reward function f: replied what is no JSON of scores (expected value at line 1 column 1)"),
            (r#"{"error":"no model"}"#, "reward function f: says: no model"),
            (r#"{"scores":[{"value":1}]}"#, "gave 1 scores to 2 responses, expected one each"),
            (
                r#"{"scores":[{"value":"0.5"},{"value":1}]}"#,
                "gave the value \"0.5\" to a response to a, expected a number or null",
            ),
            (r#"{"scores":[{"reward":1},{"reward":1}]}"#, "missing field `value`"),
        ] {
            let message = rewards(says).unwrap_err();
            assert!(message.contains(sentence) && !message.contains('\n'), "{message}");
        }
    }

    #[derive(Debug)]
    struct Refuses;

    impl Transport for Refuses {
        fn post(&self, _: &str) -> Result<endpoint::Reply, String> {
            let body = r#"{"error":"items[0].case: is missing"}"#.to_owned();
            Ok(endpoint::Reply { status: 400, retry_after: None, body })
        }
    }

    #[test]
    fn a_refusal_is_passed_on() {
        let error = Posted::new(Refuses).ask("{}").unwrap_err();
        assert_eq!(error, "answers with status 400: items[0].case: is missing");
    }
}
