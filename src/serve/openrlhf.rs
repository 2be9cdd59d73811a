//! OpenRLHF's remote reward (`--remote_rm_url`): query, prompts and labels in, rewards, scores and extra_logs out.

use attending_datasets::Problem;
use attending_datasets::reader::parse;
use attending_rewards::{Objective, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Server;
use super::payload::{Cases, bad, fits, reason, scored, text};
use super::reply::Fault;

/// Markers that tokenizers put after a response, which is sent with its special tokens.
const ENDS: [&str; 6] = ["<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>", "</s>"];

/// Lists of one entry a response.
#[derive(Deserialize)]
struct Request {
    /// Prompt and response.
    query: Vec<String>,
    /// The prompt alone.
    prompts: Vec<String>,
    /// The case: its JSON, or the id of one that the server was started with.
    labels: Vec<String>,
}

/// The body of a reply to a body, and how many responses it scores.
///
/// `rewards` are the rubric's scalars, `scores` (from 0 to 1, for dynamic filtering) the accuracy, and where a case has none the
/// reward. `extra_logs` has each objective, 0 where it does not apply, and beside it whether it does: its lists always have
/// the same names and hold numbers alone, since the trainer makes tensors of them.
pub(super) fn rewards(server: &Server, body: &[u8]) -> Result<(Vec<u8>, usize), Fault> {
    let Request { query, prompts, labels } = parse(text(body)?).map_err(bad)?;
    if query.len() != prompts.len() || query.len() != labels.len() {
        let counts = format!("{} queries, {} prompts and {} labels", query.len(), prompts.len(), labels.len());
        return Err(Fault::Bad(format!("found {counts}, expected as many of each")));
    }
    fits(server, query.len())?;
    let cases = Cases::read(labels.iter().map(String::as_str).filter(|label| is_json(label)));
    let mut work = Vec::with_capacity(query.len());
    for (index, ((query, prompt), label)) in query.iter().zip(&prompts).zip(&labels).enumerate() {
        let case = if is_json(label) {
            cases.of(label)
        } else {
            server.cases.get(label.trim()).cloned().ok_or_else(|| {
                Problem::new("", "is neither the JSON of a case nor the id of one that the server was started with")
            })
        };
        let case = case.map_err(|problem| Fault::Bad(format!("field `labels[{index}]`: {problem}")))?;
        let Some(answer) = query.strip_prefix(prompt.as_str()) else {
            return Err(Fault::Bad(format!(
                "field `query[{index}]`: does not begin with prompts[{index}], expected both in one"
            )));
        };
        let (case_id, text) = (case.id.clone(), Some(without_ends(answer).to_owned()));
        work.push((case, Response { case_id, sample: index as u64, text, ..Response::default() }));
    }
    let scored = scored(server, &work);
    let mut rewards = Vec::with_capacity(scored.len());
    for (index, one) in scored.iter().enumerate() {
        let reward = one.reward.or(server.settings.unscorable);
        rewards.push(reward.ok_or_else(|| {
            let reason = reason(one).unwrap_or_default();
            let hint = "expected a case that can be scored, or a server started with --unscorable-reward";
            Fault::Unscorable(format!("response {index} cannot be scored ({reason}), {hint}"))
        })?);
    }
    let scores: Vec<f64> = scored
        .iter()
        .zip(&rewards)
        .map(|(one, reward)| {
            one.objectives.get(&Objective::Accuracy).copied().flatten().unwrap_or(reward.clamp(0.0, 1.0))
        })
        .collect();
    let mut logs = Map::new();
    for objective in Objective::ALL {
        let values = scored.iter().map(|one| one.objectives.get(&objective).copied().flatten());
        let (value, applies): (Vec<f64>, Vec<u8>) =
            values.map(|value| (value.unwrap_or(0.0), u8::from(value.is_some()))).unzip();
        logs.insert(objective.name().to_owned(), json!(value));
        logs.insert(format!("{}_applicable", objective.name()), json!(applies));
    }
    let reply = json!({ "rewards": rewards, "scores": scores, "extra_logs": Value::Object(logs) });
    Ok((reply.to_string().into_bytes(), scored.len()))
}

/// Whether a label is the case itself.
fn is_json(label: &str) -> bool {
    label.trim_start().starts_with('{')
}

/// A response without the markers that end it.
fn without_ends(text: &str) -> &str {
    let mut rest = text.trim_end();
    while let Some(shorter) = ENDS.iter().find_map(|end| rest.strip_suffix(end)) {
        rest = shorter.trim_end();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_markers_are_dropped() {
        assert_eq!(without_ends("So B.<|im_end|>\n<|endoftext|><|endoftext|>"), "So B.");
        assert_eq!(without_ends("a < b </s>"), "a < b");
        assert_eq!(without_ends("<|im_end|> goes on"), "<|im_end|> goes on");
        assert_eq!(without_ends(""), "");
    }
}
