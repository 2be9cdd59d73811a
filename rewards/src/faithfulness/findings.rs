//! Rule 2: what the patient is said to have, to have had, or not to have.

use super::{Claims, Key};
use crate::assertion::Status;
use crate::evidence::{self, Fact};
use crate::lexicon::{Cues, Kind};
use crate::reading::Mention;
use crate::scored::Outcome;
use crate::text::{Kind as TokenKind, hash_word};

/// Words that a denied finding may stand with without being denied itself: "no worsening ascites".
const MODIFIERS: &[&str] =
    &["worsening", "increasing", "further", "additional", "other", "new", "progressive", "significant", "worsened"];

/// Words before a verb that what follows is concluded, not told: "the most likely cause is immobilization".
const CONCLUDED: &str = "cause causes diagnosis explanation mechanism factor reason source mode etiology complication \
    condition conclusion answer option consequence result";

/// Words of plans: what stands with them need not have happened.
const PLANS: &str = "step management treatment therapy recommended recommend necessary indicated appropriate perform \
    performing administer administering should required needed consider option initial";

fn has_word(words: &str, hash: u64) -> bool {
    words.split_whitespace().any(|word| hash_word(word) == hash)
}

/// What stands around a mention.
struct Place {
    /// Whether its clause names the patient or the record.
    patient: bool,
    /// Whether its sentence tells what to do.
    plans: bool,
    /// Whether the word before it says that a change is meant.
    modified: bool,
}

impl Place {
    fn of(claims: &Claims, mention: &Mention) -> Place {
        let reading = &claims.response.reading;
        let range = reading.sentences[mention.sentence].tokens.clone();
        let clause = claims.clause(mention.sentence, mention.tokens.start).map_or(range.clone(), |c| c.tokens.clone());
        let cues = reading.cues_of(mention.sentence);
        let patient = cues.iter().any(|cue| cue.value.has(Cues::PATIENT) && clause.contains(&cue.tokens.start));
        let plans = reading.tokens[range.clone()].iter().any(|token| has_word(PLANS, token.hash));
        let before = mention.tokens.start.checked_sub(1).filter(|at| *at >= range.start);
        let word = before.map_or("", |at| reading.tokens[at].text(claims.response.text));
        Place { patient, plans, modified: MODIFIERS.iter().any(|known| known.eq_ignore_ascii_case(word)) }
    }
}

/// Whether the mention is what a sentence concludes: "the most likely cause of this is immobilization".
fn is_inferred(claims: &Claims, mention: &Mention) -> bool {
    let reading = &claims.response.reading;
    let start = reading.sentences[mention.sentence].tokens.start;
    let from = mention.tokens.start.saturating_sub(5).max(start);
    let verb = (from..mention.tokens.start).rev().find(|&at| {
        matches!(reading.tokens[at].text(claims.response.text), "is" | "are" | "was" | "be" | "through" | ":" | "as")
    });
    let Some(verb) = verb else { return false };
    let comma = (verb..mention.tokens.start).any(|at| reading.tokens[at].is_mark(','));
    let subject = &reading.tokens[verb.saturating_sub(14).max(start)..verb];
    !comma && subject.iter().any(|token| token.kind == TokenKind::Word && has_word(CONCLUDED, token.hash))
}

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
    let place = Place::of(claims, mention);
    if is_inferred(claims, mention) || (concept.kind == Kind::History && affirming.is_empty() && place.plans) {
        return;
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
    let (outcome, places, note): (Outcome, &[Fact], String) = if affirmed {
        if !affirming.is_empty() {
            (Outcome::Supported, affirming, say("in the evidence"))
        } else if !denying.is_empty() {
            if !hedged && denies(claims, mention, &denying) {
                (Outcome::Contradicted, &denying, say("denied in the evidence"))
            } else {
                (Outcome::Unverified, &denying, say("the evidence is at the border"))
            }
        } else if concept.kind == Kind::State || hedged || !place.patient {
            (Outcome::Unverified, &[], say("an inference that the evidence does not state"))
        } else if loosely_stated(claims, mention) {
            (Outcome::Unverified, &[], say("only something like it in the evidence"))
        } else {
            (Outcome::Unsupported, &[], say("stands nowhere in the evidence"))
        }
    } else if !denying.is_empty() {
        (Outcome::Supported, &denying, say("denied in the evidence"))
    } else if !place.modified && affirming.iter().any(|fact| fact.clear && fact.status == Status::Present) {
        (Outcome::Contradicted, affirming, say("in the evidence"))
    } else {
        (Outcome::Unverified, &[], say("not mentioned in the evidence"))
    };
    let places: Vec<evidence::Place> = places.iter().map(|fact| fact.place).collect();
    claims.push("assertion", outcome, weight, mention.span, &places, note);
}

/// Whether what denies a concept does so beyond doubt: every reading of it says so, of the concept itself or of all of
/// what it is a kind of, and nothing else in the evidence names it.
fn denies(claims: &Claims, mention: &Mention, denying: &[Fact]) -> bool {
    let evidence = claims.evidence;
    if !evidence.named(mention.concept).is_empty() {
        return false;
    }
    let own = |fact: &&Fact| match mention.measure {
        // "High hematocrit" is denied by the hematocrit, not by the hemoglobin.
        Some(id) => !fact.derived || evidence.values(id).iter().any(|value| value.place == fact.place),
        None => true,
    };
    let mut facts = denying.iter().filter(own).peekable();
    if facts.peek().is_none() || !facts.clone().all(|fact| fact.clear) {
        return false;
    }
    // A normal value now does not deny what was there before.
    let said = facts.clone().any(|fact| !fact.derived);
    said || (mention.status != Status::Historical && !stated_in_words(claims, mention))
}

/// Whether some wording of the concept has all of its telling words in the evidence.
fn stated_in_words(claims: &Claims, mention: &Mention) -> bool {
    let forms = &claims.lexicon.concept(mention.concept).forms;
    forms.iter().any(|form| claims.evidence.has_words(form))
}

/// Whether the evidence names the concept without affirming it, a broader one or one beside it, or has the words of one
/// of its wordings or of its lay descriptions.
fn loosely_stated(claims: &Claims, mention: &Mention) -> bool {
    let (evidence, lexicon) = (claims.evidence, claims.lexicon);
    let broader = &lexicon.concept(mention.concept).ancestors;
    let measured = mention.measure.or_else(|| lexicon.measure_of(mention.concept));
    !evidence.named(mention.concept).is_empty()
        || broader.iter().any(|id| !evidence.affirmed(*id).is_empty() || !evidence.named(*id).is_empty())
        || measured.is_some_and(|id| !evidence.values(id).is_empty())
        || evidence.has_words(claims.text(mention.span))
        || stated_in_words(claims, mention)
        || super::lay::describes(&lexicon.concept(mention.concept).name, evidence)
        || broader.iter().any(|id| super::lay::describes(&lexicon.concept(*id).name, evidence))
}
