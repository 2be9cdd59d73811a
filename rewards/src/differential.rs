//! Comprehensiveness, rule 2: is each rival taken up, and kept or rejected for a reason of its own?

use attending_datasets::{Case, Task};

use crate::evidence::EvidenceIndex;
use crate::lexicon::KeyMap;
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

/// The best verdict on a rival: its reason, its place, whether it has a reason at all.
type Judged = (u64, Span, bool);

/// Makes one check a rival. `chosen` are the keys of the answer.
pub(crate) fn check(response: &Parsed, evidence: &EvidenceIndex, chosen: &[String], out: &mut Vec<Check>) {
    let answers: Vec<usize> = chosen.iter().filter_map(|key| evidence.options.position(key)).collect();
    // Of each rival: its verdict with the reason that stands with it.
    let mut reasons: KeyMap<u64, usize> = KeyMap::default();
    let mut rivals: Vec<(usize, Option<Judged>)> = Vec::new();
    // Without an answer, all options but one are rivals.
    let skipped = if answers.is_empty() { vec![evidence.options.all.len().saturating_sub(1)] } else { answers };
    for option in (0..evidence.options.all.len()).filter(|option| !skipped.contains(option)) {
        let verdicts = response.verdicts.iter().filter(|verdict| verdict.option == option && verdict.kept.is_some());
        let best = verdicts
            .map(|verdict| {
                let reason = reason(response, verdict.sentence);
                (reason.unwrap_or(0), verdict.span, reason.is_some())
            })
            .max_by_key(|(_, _, reasoned)| *reasoned);
        if let Some((reason, _, true)) = best {
            *reasons.entry(reason).or_default() += 1;
        }
        rivals.push((option, best));
    }
    let count = rivals.len();
    for (option, best) in rivals {
        let key = &evidence.options.all[option].key;
        let (outcome, span, note) = match best {
            None => (Outcome::Missing, None, format!("{key} is not taken up")),
            Some((_, span, false)) => (Outcome::Unverified, Some(span), format!("{key} is judged without a reason")),
            // A reason that serves every rival alike rejects none; one that serves some is shared.
            Some((reason, span, true)) if reasons[&reason] == count && count > 1 => {
                (Outcome::Repeated, Some(span), format!("the reason against {key} serves every rival alike"))
            }
            Some((_, span, true)) => (Outcome::Covered, Some(span), format!("{key} is judged for a reason")),
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
    let named = &response.named[sentence];
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
