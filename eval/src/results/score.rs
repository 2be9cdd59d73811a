//! From samples to judged answers.

use std::collections::HashMap;
use std::sync::Arc;

use attending_datasets::Case;
use attending_rewards::{AnswerReading, Check, Format, Objective, Outcome, Response, Scored, Scorer, score_batch};

use crate::error::EvalError;
use crate::protocol::{ChoicePrompt, Harness};
use crate::run::Sample;

/// Responses whose evidence is held at once.
const BATCH: usize = 2048;

/// How samples are judged.
#[derive(Debug, Clone, Copy)]
pub enum Judging<'a> {
    /// Responses, by a scorer.
    Responses {
        /// The scorer.
        scorer: &'a Scorer,
        /// Takes a leading `<think>...</think>` for reasoning, whatever the layout that was asked for.
        strip_thinking: bool,
    },
    /// Log-likelihoods, by the likeliest option.
    Choices(Harness),
}

/// A judged answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Its values, and what they rest on.
    pub scored: Scored,
    /// The answer as it was judged: what was stripped off the text stands as reasoning.
    pub response: Response,
    /// Whether the likeliest option by characters is right, for log-likelihoods.
    pub normalised: Option<f64>,
    /// The probability of the likeliest option among the options, for log-likelihoods.
    pub confidence: Option<f64>,
    /// Whether it was cut at its greatest length.
    pub truncated: bool,
    /// Tokens of the response, where known.
    pub tokens: Option<u64>,
}

/// Judges samples, in their order.
///
/// # Errors
/// A sample names no case, or does not suit its case's options.
pub fn score(cases: &[Case], samples: &[Sample], judging: Judging<'_>) -> Result<Vec<Judged>, EvalError> {
    let by_id: HashMap<&str, &Case> = cases.iter().map(|case| (case.id.as_str(), case)).collect();
    let case = |sample: &Sample| {
        by_id.get(sample.case_id.as_str()).copied().ok_or_else(|| {
            EvalError::Input(format!("sample {} of case {}: no such case", sample.sample, sample.case_id))
        })
    };
    match judging {
        Judging::Choices(harness) => samples
            .iter()
            .map(|sample| {
                let case = case(sample)?;
                let prompt = harness.prompt(case, &[]);
                let judged = prompt.as_ref().and_then(|prompt| choice(case, prompt, sample));
                judged.ok_or_else(|| {
                    let id = &sample.case_id;
                    EvalError::Input(format!("case {id}: the sample's log-likelihoods are not of the case's options"))
                })
            })
            .collect(),
        Judging::Responses { scorer, strip_thinking } => {
            let mut shared: HashMap<&str, Arc<Case>> = HashMap::new();
            let mut judged = Vec::with_capacity(samples.len());
            for batch in samples.chunks(BATCH) {
                let pairs = batch
                    .iter()
                    .map(|sample| {
                        let case = case(sample)?;
                        let shared = shared.entry(case.id.as_str()).or_insert_with(|| Arc::new(case.clone()));
                        let mut response = sample.response();
                        if strip_thinking {
                            strip(&mut response, scorer.rubric().format);
                        }
                        Ok((shared.clone(), response))
                    })
                    .collect::<Result<Vec<_>, EvalError>>()?;
                let scored = score_batch(scorer, &pairs);
                judged.extend(scored.into_iter().zip(pairs).zip(batch).map(|((scored, (_, response)), sample)| {
                    Judged {
                        scored,
                        response,
                        normalised: None,
                        confidence: None,
                        truncated: sample.finish_reason.as_deref() == Some("length"),
                        tokens: sample.completion_tokens,
                    }
                }));
            }
            Ok(judged)
        }
    }
}

/// Moves what stands between a leading `<think>` and its end out of the answer.
fn strip(response: &mut Response, format: Format) {
    let (Some(text), None, Format::Plain | Format::Json) = (&response.text, &response.reasoning, format) else {
        return;
    };
    let Some((thinking, answer)) = text.split_once("</think>") else { return };
    let thinking = thinking.trim_start();
    // Some templates open the tag themselves, so that the response holds its end alone.
    let thinking = thinking.strip_prefix("<think>").unwrap_or(thinking).trim().to_owned();
    (response.reasoning, response.text) = (Some(thinking), Some(answer.trim_start().to_owned()));
}

/// The index of the greatest value, each divided by its length where there are lengths; the first of equals.
pub fn likeliest(values: &[f64], lengths: &[usize]) -> Option<usize> {
    let value = |at: usize| values[at] / lengths.get(at).map_or(1.0, |&length| length.max(1) as f64);
    (0..values.len()).reduce(|best, at| if value(at) > value(best) { at } else { best })
}

/// The share of the likeliest in the probability of all.
fn confidence(values: &[f64]) -> f64 {
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    1.0 / values.iter().map(|value| (value - highest).exp()).sum::<f64>()
}

/// Accuracy by log-likelihood, as a scored record whose one check says what was compared.
fn choice(case: &Case, prompt: &ChoicePrompt, sample: &Sample) -> Option<Judged> {
    let values = sample.log_likelihoods.as_ref().filter(|values| values.len() == prompt.keys.len())?;
    let right = |lengths: &[usize]| {
        let key = &prompt.keys[likeliest(values, lengths)?];
        Some((key.clone(), f64::from(u8::from(case.answer.keys.contains(key)))))
    };
    let ((key, value), (_, normalised)) = (right(&[])?, right(&prompt.lengths())?);
    let shown: Vec<String> = prompt.keys.iter().zip(values).map(|(key, value)| format!("{key} {value:.3}")).collect();
    let check = Check {
        objective: Objective::Accuracy,
        rule: "log_likelihood".into(),
        outcome: if value >= 1.0 { Outcome::Correct } else { Outcome::Wrong },
        weight: value,
        response: None,
        field: None,
        evidence: Vec::new(),
        note: shown.join(", "),
    };
    let scored = Scored {
        case_id: sample.case_id.clone(),
        sample: sample.sample,
        reward: Some(value),
        objectives: [(Objective::Accuracy, Some(value))].into(),
        reasons: Default::default(),
        answer: AnswerReading { read: Some(key.clone()), tier: Some("log_likelihood".to_owned()) },
        checks: vec![check],
    };
    let response = Response { text: Some(key), ..sample.response() };
    let confidence = Some(confidence(values));
    Some(Judged { scored, response, normalised: Some(normalised), confidence, truncated: false, tokens: None })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn length_changes_the_likeliest() {
        // -3 / 3 = -1, -2.4 / 2 = -1.2, -4 / 5 = -0.8.
        let values = [-3.0, -2.4, -4.0];
        assert_eq!(likeliest(&values, &[]), Some(1));
        assert_eq!(likeliest(&values, &[3, 2, 5]), Some(2));
        assert_eq!(likeliest(&[-1.0, -1.0], &[]), Some(0), "numpy's argmax takes the first");
        assert_eq!(likeliest(&[], &[]), None);
    }

    #[test]
    fn thinking_is_taken_off() {
        let stripped = |text: &str, format| {
            let mut response = Response { text: Some(text.to_owned()), ..Response::default() };
            strip(&mut response, format);
            (response.reasoning, response.text.unwrap())
        };
        let thought = (Some("A? No.".to_owned()), "Answer: B".to_owned());
        assert_eq!(stripped("<think>A? No.</think>\n\nAnswer: B", Format::Plain), thought);
        assert_eq!(stripped("A? No.</think>Answer: B", Format::Plain), thought);
        let tagged = "<think>x</think><answer>B</answer>";
        assert_eq!(stripped(tagged, Format::ThinkAnswer), (None, tagged.to_owned()));
        assert_eq!(stripped("<think>A and on", Format::Plain), (None, "<think>A and on".to_owned()));
    }

    #[test]
    fn choices_are_judged_with_and_without_length() {
        let case: Case = serde_json::from_str(
            r#"{"id":"p","task":"yes_no_maybe","question":"Does it?","answer":{"keys":["maybe"]}}"#,
        )
        .unwrap();
        let sample =
            Sample { case_id: "p".to_owned(), log_likelihoods: Some(vec![-3.0, -2.4, -4.0]), ..Sample::default() };
        let judged =
            score(std::slice::from_ref(&case), std::slice::from_ref(&sample), Judging::Choices(Harness::PubMedQa))
                .unwrap();
        assert_eq!(judged[0].scored.answer.read.as_deref(), Some("no"));
        assert_eq!((judged[0].scored.reward, judged[0].normalised), (Some(0.0), Some(1.0)));
        // 1 / (1 + e^-0.6 + e^-1.6).
        assert!((judged[0].confidence.unwrap() - 0.571_197).abs() < 1e-6, "{:?}", judged[0].confidence);
        let short = Sample { log_likelihoods: Some(vec![-3.0]), ..sample };
        assert!(score(&[case], &[short], Judging::Choices(Harness::PubMedQa)).is_err());
    }
}
