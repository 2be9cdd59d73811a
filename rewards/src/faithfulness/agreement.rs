//! Rule 6: the reasoning and the answer agree. It can lose, never earn. A question for the exception ("all EXCEPT") is
//! answered by the option that the reasoning rejects, and is left alone.

use super::make;
use crate::evidence::EvidenceIndex;
use crate::lexicon::{Kind, Lexicon};
use crate::parsed::Parsed;
use crate::scored::{Check, Outcome};

/// Makes at most one check: the chosen option was rejected after its last keep, or another one alone was kept.
pub(super) fn check(
    response: &Parsed,
    evidence: &EvidenceIndex,
    chosen: &[String],
    lexicon: &Lexicon,
    out: &mut Vec<Check>,
) {
    let [key] = chosen else { return };
    if evidence.is_reversed() {
        return;
    }
    let Some(option) = evidence.options.position(key) else { return };
    let limit = response.reasoning_end();
    let reasoned = response.verdicts.iter().filter(|verdict| verdict.span[1] <= limit);
    let last = |wanted: usize| reasoned.clone().rfind(|v| v.option == wanted && v.kept.is_some());
    let make_check = |outcome, weight, span, note: String| make("agreement", outcome, weight, span, Vec::new(), note);
    match last(option) {
        Some(verdict) if verdict.kept == Some(false) => {
            let note = format!("the reasoning rejects {key}, the answer chooses it");
            out.push(make_check(Outcome::Contradicted, 1.0, Some(verdict.span), note));
        }
        Some(_) => {}
        None => {
            // Another option alone is kept, and the chosen one is not: the answer comes from nowhere.
            // That can be told where the options are diagnoses; a treatment may be named on the way to another.
            let kinds = evidence.options.all.iter().map(|option| option.concept.map(|c| lexicon.concept(c).kind));
            if !kinds.clone().all(|kind| kind == Some(Kind::Condition)) {
                return;
            }
            let kept: Vec<_> = (0..evidence.options.all.len())
                .filter_map(|other| last(other).filter(|v| v.kept == Some(true)))
                .collect();
            match kept.as_slice() {
                [] => {
                    out.push(make_check(Outcome::Missing, 0.0, None, format!("no verdict on {key} in the reasoning")))
                }
                [first, ..] => {
                    let other = &evidence.options.all[first.option].key;
                    let note = format!("the reasoning keeps {other}, the answer is {key}");
                    out.push(make_check(Outcome::Contradicted, 1.0, Some(first.span), note));
                }
            }
        }
    }
}
