//! Comprehensiveness, rule 2: is each rival taken up, and kept or rejected for a reason of its own?
//!
//! Where the question asks for what does not hold ("all of the following except"), the rivals are what holds: they must
//! be kept. The same where "all of the above" is the answer; where "none of the above" is, they must be rejected. Such an
//! option is itself no rival: what is said of the others settles it.

use attending_datasets::{Case, Task};

use crate::evidence::EvidenceIndex;
use crate::lexicon::KeyMap;
use crate::options::Collective;
use crate::parsed::Parsed;
use crate::scored::{Check, Objective, Outcome, Span};
use crate::text::Kind;

/// Rivals that suffice.
const SATURATION: usize = 3;
/// What a verdict earns without a reason of its own.
const UNREASONED: f64 = 0.25;

/// Whether the rule applies: the case has rivals to tell apart.
pub(crate) fn applies(case: &Case) -> bool {
    matches!(case.task, Task::SingleChoice | Task::MultiChoice) && case.options.len() >= 2
}

/// The value from its checks: what the rivals earned, over what the asked number is worth.
pub(crate) fn value(checks: &[Check]) -> Option<f64> {
    let rivals = checks.iter().filter(|c| c.objective == Objective::Comprehensiveness && c.rule == "differential");
    let (mut paid, mut count) = (0.0, 0_usize);
    for check in rivals {
        count += 1;
        paid += match check.outcome {
            Outcome::Covered => check.weight,
            Outcome::Unverified => check.weight * UNREASONED,
            _ => 0.0,
        };
    }
    (count > 0).then(|| (paid / count.min(SATURATION) as f64).min(1.0))
}

/// The verdict that settles a rival: kept, rejected, or either.
fn wanted(evidence: &EvidenceIndex, chosen: &[String]) -> Option<bool> {
    let mut chosen = evidence.options.all.iter().filter(|option| chosen.contains(&option.key));
    match chosen.find_map(|option| option.collective) {
        Some(Collective::All) => Some(true),
        Some(Collective::None) => Some(false),
        _ => evidence.is_negative().then_some(true),
    }
}

/// The best verdict on a rival: its reason, its place, whether it has a reason at all, whether it is the wanted one.
type Judged = (u64, Span, bool, bool);

/// Makes one check a rival. `chosen` are the keys of the answer.
pub(crate) fn check(response: &Parsed, evidence: &EvidenceIndex, chosen: &[String], out: &mut Vec<Check>) {
    let wanted = wanted(evidence, chosen);
    let answers: Vec<usize> = chosen.iter().filter_map(|key| evidence.options.position(key)).collect();
    // Of each rival: its verdict with the reason that stands with it.
    let mut reasons: KeyMap<u64, usize> = KeyMap::default();
    let mut rivals: Vec<(usize, Option<Judged>)> = Vec::new();
    // Without an answer, all options but one are rivals.
    let skipped = if answers.is_empty() { vec![evidence.options.all.len().saturating_sub(1)] } else { answers };
    let own = |option: &usize| evidence.options.all[*option].collective.is_none();
    for option in (0..evidence.options.all.len()).filter(|option| !skipped.contains(option)).filter(own) {
        let verdicts = response.verdicts.iter().filter(|verdict| verdict.option == option && verdict.kept.is_some());
        let best = verdicts
            .map(|verdict| {
                let reason = reason(response, verdict.sentence);
                let fits = wanted.is_none() || verdict.kept == wanted;
                (reason.unwrap_or(0), verdict.span, reason.is_some(), fits)
            })
            .max_by_key(|(_, _, reasoned, fits)| (*fits, *reasoned));
        if let Some((reason, _, true, true)) = best {
            *reasons.entry(reason).or_default() += 1;
        }
        rivals.push((option, best));
    }
    let count = rivals.len();
    for (option, best) in rivals {
        let key = &evidence.options.all[option].key;
        let (outcome, span, note) = match best {
            None => (Outcome::Missing, None, format!("{key} is not taken up")),
            Some((_, span, _, false)) => {
                let asked = if wanted == Some(true) { "kept" } else { "rejected" };
                (Outcome::Contradicted, Some(span), format!("{key} should be {asked}, as the answer stands"))
            }
            Some((_, span, false, true)) => {
                (Outcome::Unverified, Some(span), format!("{key} is judged without a reason"))
            }
            // A reason that serves every rival alike rejects none; one that serves some is shared.
            Some((reason, span, true, true)) if reasons[&reason] == count && count > 1 => {
                (Outcome::Repeated, Some(span), format!("the reason for or against {key} serves every rival alike"))
            }
            Some((_, span, true, true)) => (Outcome::Covered, Some(span), format!("{key} is judged for a reason")),
        };
        out.push(Check {
            objective: Objective::Comprehensiveness,
            rule: "differential".into(),
            outcome,
            weight: 1.0,
            response: span,
            field: None,
            evidence: Vec::new(),
            note,
        });
    }
}

/// What a sentence gives as its reason: a hash of its findings, numbers and longer words, options left out; `None`
/// where it has none.
fn reason(response: &Parsed, sentence: usize) -> Option<u64> {
    let reading = &response.reading;
    let named = response.named_in(sentence);
    let option = |token: usize| named.iter().any(|n| n.start <= token && token < n.end);
    let cues = reading.cues_of(sentence);
    let cued = |token: usize| cues.iter().any(|cue| cue.tokens.contains(&token));
    let mut hash = 0_u64;
    let mut words = 0;
    for at in reading.sentences[sentence].tokens.clone() {
        let token = &reading.tokens[at];
        let long = token.end - token.start >= 4 || token.kind == Kind::Number;
        if token.kind == Kind::Mark || option(at) || cued(at) || !long {
            continue;
        }
        words += 1;
        hash = hash.wrapping_add(token.hash.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
    let finding = reading.mentions_of(sentence).iter().any(|m| !option(m.tokens.start));
    let quantity = !reading.quantities_of(sentence).is_empty();
    (finding || quantity || words >= 3).then_some(hash)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Response, Rubric, Scorer};
    use serde_json::json;

    fn outcomes(question: &str, last: &str, answer: &str, text: &str) -> Vec<Outcome> {
        let case: Case = serde_json::from_value(json!({
            "schema": "attending.case/1", "id": "t", "task": "single_choice", "question": question,
            "options": [{"key": "A", "text": "Asthma"}, {"key": "B", "text": "Pneumonia"},
                {"key": "C", "text": "Pulmonary embolism"}, {"key": "D", "text": last}],
            "answer": {"keys": [answer]}
        }))
        .unwrap();
        let scorer = Scorer::new(Rubric::default());
        let text = format!("<think>{text}</think><answer>\\boxed{{{answer}}}</answer>");
        let response = Response { text: Some(text), ..Response::default() };
        let scored = scorer.score(&case, &scorer.index(&case), &response);
        scored.checks.iter().filter(|check| check.rule == "differential").map(|check| check.outcome).collect()
    }

    const REASONS: &str =
        "Asthma is unlikely because there is no wheezing. Pneumonia is unlikely because there is no fever. ";

    #[test]
    fn each_rival_for_a_reason_of_its_own() {
        let found = outcomes("Which is it?", "Gout", "C", &format!("{REASONS}Gout is unlikely."));
        assert_eq!(found, [Outcome::Covered, Outcome::Covered, Outcome::Unverified]);
        let shared = "Asthma is unlikely because of the fever. Pneumonia is unlikely because of the fever. Gout is unlikely because of the fever.";
        assert_eq!(outcomes("Which is it?", "Gout", "C", shared), [Outcome::Repeated; 3]);
    }

    #[test]
    fn an_except_question_reverses_the_polarity() {
        let question = "All of the following cause wheezing EXCEPT";
        let found = outcomes(
            question,
            "Gout",
            "D",
            &format!("{REASONS}Pulmonary embolism is likely because of sudden dyspnea."),
        );
        assert_eq!(found, [Outcome::Contradicted, Outcome::Contradicted, Outcome::Covered]);
    }

    #[test]
    fn all_of_the_above_is_understood() {
        // As the answer it keeps the others; as a rival it is settled by them.
        let kept = "Asthma is likely because of wheezing. Pneumonia is likely because of the fever and sputum.";
        let found = outcomes("Which is it?", "All of the above", "D", kept);
        assert_eq!(found, [Outcome::Covered, Outcome::Covered, Outcome::Missing]);
        assert_eq!(outcomes("Which is it?", "All of the above", "C", REASONS), [Outcome::Covered, Outcome::Covered]);
        let found = outcomes("Which is it?", "None of the above", "D", REASONS);
        assert_eq!(found, [Outcome::Covered, Outcome::Covered, Outcome::Missing]);
    }
}
