//! The samples that lm-evaluation-harness writes with `--log_samples`, one document and filter a line.

use attending_datasets::Problem;
use serde_json::{Map, Value};

use super::Record;
use super::cell::{number, text};
use crate::results::likeliest;

/// One request to the model: what it was given, and for log-likelihoods what was scored.
struct Argument<'v> {
    context: &'v str,
    continuation: Option<&'v str>,
}

/// The responses of a line. Of compared options the likeliest one is the response; of several texts (`repeats`) the
/// metrics belong to the one that the filter took.
pub(super) fn read(fields: &Map<String, Value>) -> Result<Vec<Record>, Problem> {
    let arguments = arguments(fields.get("arguments"))?;
    let wrong = || Problem::new("resps", "expected the texts of the responses, or a log-likelihood for each option");
    let replies = fields.get("resps").and_then(Value::as_array).ok_or_else(wrong)?;
    let first = arguments.first().ok_or_else(|| Problem::new("arguments", "is empty, expected a prompt"))?;
    let record = Record {
        prompt: Some(first.context.to_owned()),
        filter: fields.get("filter").map(|value| text("filter", value)).transpose()?,
        rewards: metrics(fields),
        ..Record::default()
    };
    if first.continuation.is_some() {
        // With mutual information, the options without their question follow the options.
        let options = arguments.iter().take_while(|argument| argument.context == first.context);
        let options: Vec<&str> = options.filter_map(|argument| argument.continuation).collect();
        let values: Option<Vec<f64>> = replies.iter().take(options.len()).map(log_likelihood).collect();
        let values = values.filter(|values| values.len() == options.len()).ok_or_else(wrong)?;
        let chosen = likeliest(&values, &[]).map(|at| options[at].trim().to_owned());
        return Ok(vec![Record { text: chosen, ..record }]);
    }
    let texts = replies.first().and_then(Value::as_array).ok_or_else(wrong)?;
    let texts: Vec<&str> = texts.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(wrong)?;
    match texts.as_slice() {
        [] => Err(wrong()),
        [only] => Ok(vec![Record { text: Some((*only).to_owned()), ..record }]),
        several => {
            let taken = fields.get("filtered_resps").and_then(|value| value.get(0)).and_then(Value::as_str);
            let taken = several.iter().position(|text| Some(*text) == taken);
            let one = |(at, text): (usize, &&str)| Record {
                sample: Some(at as u64),
                text: Some((*text).to_owned()),
                rewards: if taken == Some(at) { record.rewards.clone() } else { Vec::new() },
                ..record.clone()
            };
            Ok(several.iter().enumerate().map(one).collect())
        }
    }
}

/// `{"gen_args_0": {"arg_0": context, "arg_1": continuation or settings}, ...}`; older versions have lists.
fn arguments(value: Option<&Value>) -> Result<Vec<Argument<'_>>, Problem> {
    let wrong = || Problem::new("arguments", "expected gen_args_0 with arg_0, the prompt");
    match value {
        Some(Value::Object(named)) => (0..named.len())
            .map(|at| argument(named.get(&format!("gen_args_{at}"))?))
            .collect::<Option<_>>()
            .ok_or_else(wrong),
        Some(Value::Array(listed)) => listed.iter().map(argument).collect::<Option<_>>().ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

fn argument(pair: &Value) -> Option<Argument<'_>> {
    let at = |place: usize| pair.get(format!("arg_{place}")).or_else(|| pair.get(place));
    Some(Argument { context: at(0)?.as_str()?, continuation: at(1).and_then(Value::as_str) })
}

/// `[[log-likelihood, whether greedy]]`, both as text.
fn log_likelihood(reply: &Value) -> Option<f64> {
    number(reply.get(0)?.get(0)?).flatten()
}

/// The numbers of the metrics that the line lists; a metric of pairs or lists is no reward.
fn metrics(fields: &Map<String, Value>) -> Vec<(String, Option<f64>)> {
    let names = fields.get("metrics").and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.filter_map(|name| Some((name.to_owned(), number(fields.get(name)?)?))).collect()
}
