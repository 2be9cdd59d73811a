//! Rule 2: what the patient is said to have, to have had, or not to have.

use super::{Claims, Key};
use crate::assertion::Status;
use crate::evidence::{Fact, Place};
use crate::lexicon::Kind;
use crate::reading::Mention;
use crate::scored::Outcome;

/// Checks one mention of a clause about the patient.
pub(super) fn check(claims: &mut Claims, mention: &Mention) {
    let (evidence, lexicon) = (claims.evidence, claims.lexicon);
    let concept = lexicon.concept(mention.concept);
    let affirmed = match mention.status {
        Status::Present | Status::Historical | Status::Possible => true,
        Status::Absent => false,
        Status::Hypothetical | Status::Family => return,
    };
    let affirming = evidence.affirmed(mention.concept);
    let denying: Vec<Fact> = evidence.denied(mention.concept, lexicon).copied().collect();
    match concept.kind {
        Kind::Finding | Kind::State | Kind::History => {}
        Kind::Condition => {
            // A condition is a claim where it is told as history, or stands in the evidence; otherwise it is the
            // conclusion, judged by accuracy and by the agreement of reasoning and answer.
            let stated = !affirming.is_empty() || (!denying.is_empty() && mention.status == Status::Historical);
            if mention.status != Status::Historical && !(stated && affirmed) {
                return;
            }
        }
        _ => return,
    }
    // What an option says is quotable, never a claim.
    if claims.response.is_option(mention.tokens.start)
        || evidence.options.all.iter().any(|o| o.concept == Some(mention.concept))
    {
        return;
    }
    if !claims.first(Key::Concept(mention.concept, affirmed)) {
        return;
    }
    let name = concept.name.as_str();
    let say = |what: &str| format!("{}{name}: {what}", if affirmed { "" } else { "no " });
    // A claim that is hedged weighs half, and cannot be contradicted.
    let hedged = mention.status == Status::Possible;
    let weight = if hedged { 0.5 } else { 1.0 };
    let clear = |facts: &[Fact]| !hedged && facts.iter().any(|fact| fact.clear);
    let (outcome, places, note): (Outcome, &[Fact], String) = if affirmed {
        if !affirming.is_empty() {
            (Outcome::Supported, affirming, say("in the evidence"))
        } else if clear(&denying) {
            (Outcome::Contradicted, &denying, say("denied in the evidence"))
        } else if !denying.is_empty() {
            (Outcome::Unverified, &denying, say("the evidence is at the border"))
        } else if concept.kind == Kind::State || hedged {
            (Outcome::Unverified, &[], say("an inference that the evidence does not state"))
        } else if loosely_stated(claims, mention) {
            (Outcome::Unverified, &[], say("only something like it in the evidence"))
        } else {
            (Outcome::Unsupported, &[], say("stands nowhere in the evidence"))
        }
    } else if !denying.is_empty() {
        (Outcome::Supported, &denying, say("denied in the evidence"))
    } else if clear(affirming) {
        (Outcome::Contradicted, affirming, say("in the evidence"))
    } else {
        (Outcome::Unverified, &[], say("not mentioned in the evidence"))
    };
    let places: Vec<Place> = places.iter().map(|fact| fact.place).collect();
    claims.push("assertion", outcome, weight, mention.span, &places, note);
}

/// Whether the evidence names the concept without affirming it, a broader one, or all of its words.
fn loosely_stated(claims: &Claims, mention: &Mention) -> bool {
    let broader = &claims.lexicon.concept(mention.concept).ancestors;
    !claims.evidence.named(mention.concept).is_empty()
        || broader.iter().any(|id| !claims.evidence.affirmed(*id).is_empty())
        || claims.evidence.has_words(claims.text(mention.span))
}
