//! Rule 2: what the patient is said to have, to have had, or not to have.

use super::{Claims, Key};
use crate::assertion::Status;
use crate::evidence::{self, Fact};
use crate::lexicon::{Cues, Kind};
use crate::reading::Mention;
use crate::scored::Outcome;
use crate::text::{Kind as TokenKind, Words};

/// Words that a denied finding may stand with without being denied itself: "no worsening ascites".
const MODIFIERS: &[&str] =
    &["worsening", "increasing", "further", "additional", "other", "new", "progressive", "significant", "worsened"];

/// Words before a verb that what follows is concluded, not told: "the most likely cause is immobilization".
static CONCLUDED: Words = Words::new(
    "indicating indicates suggesting suggests known called cause causes diagnosis explanation mechanism factor reason source mode etiology complication \
    condition conclusion answer option consequence result",
);

/// Words of plans: what stands with them need not have happened.
static PLANS: Words = Words::new(
    "best prophylaxis address prevent step management treatment therapy recommended recommend necessary indicated appropriate perform \
    performing administer administering should required needed consider option initial",
);

static LIKELY: Words = Words::new("likely possible appears seems probable suspected");
static MAY: Words = Words::new("may might could would can");
static NOT: Words = Words::new("not cannot doesn't isn't don't aren't");
static THAT: Words = Words::new("that");

/// What stands around a mention.
struct Place {
    /// Whether its clause names the patient or the record.
    patient: bool,
    /// Whether its denial is of something narrower, or of something else.
    modified: bool,
}

static TESTED: Words = Words::new("test tests testing screen screening cessation prophylaxis prevention clinic risk");

impl Place {
    fn of(claims: &Claims, mention: &Mention) -> Place {
        let reading = &claims.response.reading;
        let range = reading.sentences[mention.sentence].tokens.clone();
        let clause = claims.clause(mention.sentence, mention.tokens.start).map_or(range.clone(), |c| c.tokens.clone());
        let cues = reading.cues_of(mention.sentence);
        let patient = cues.iter().any(|cue| cue.value.has(Cues::PATIENT) && clause.contains(&cue.tokens.start));
        let text = claims.response.text;
        let word = |at: usize| if range.contains(&at) { reading.tokens[at].text(text) } else { "" };
        let before = |back: usize| mention.tokens.start.checked_sub(back).map_or("", &word);
        // "no cough with hemoptysis", "due to radiation, not external radiation".
        let changed = MODIFIERS.iter().any(|known| known.eq_ignore_ascii_case(before(1)));
        let contrast = (2..=4).any(|back| before(back) == "," && before(back - 1) == "not");
        // "not a requirement for prescribing a drug for smoking cessation": a denial far off that no list carries on.
        let negated =
            cues.iter().rev().find(|c| c.value.has(Cues::NEGATES_AFTER) && c.tokens.end <= mention.tokens.start);
        let far = negated.is_some_and(|cue| {
            let between = cue.tokens.end..mention.tokens.start;
            between.len() > 3 && !between.clone().any(|at| matches!(word(at), "," | "or" | "nor" | "and"))
        });
        // "Which one is not associated with a": said of options, where the clause has no patient.
        let of_others = !patient
            && negated.is_some_and(|cue| reading.tokens[cue.tokens.clone()].iter().any(|token| NOT.has(token.hash)));
        let modified = changed || contrast || far || of_others || word(mention.tokens.end) == "with";
        Place { patient, modified }
    }
}

/// Whether a sentence tells what to do.
fn stands_in_plan(claims: &Claims, mention: &Mention) -> bool {
    let reading = &claims.response.reading;
    reading.tokens[reading.sentences[mention.sentence].tokens.clone()].iter().any(|token| PLANS.has(token.hash))
}

/// Whether a mention only names a test, or a measure against it: "pregnancy test", "smoking cessation".
fn names_test(claims: &Claims, mention: &Mention) -> bool {
    let reading = &claims.response.reading;
    let range = &reading.sentences[mention.sentence].tokens;
    range.contains(&mention.tokens.end) && TESTED.has(reading.tokens[mention.tokens.end].hash)
}

/// Words behind which stands what a finding is taken to mean.
const MEANING: &[&str] = &["indicating", "indicates", "indicate", "suggesting", "suggests", "suggest", "implying"];

/// Whether the mention is what a sentence concludes: "the most likely cause of this is immobilization".
fn is_inferred(claims: &Claims, mention: &Mention) -> bool {
    let reading = &claims.response.reading;
    let start = reading.sentences[mention.sentence].tokens.start;
    let from = mention.tokens.start.saturating_sub(5).max(start);
    let verb = (from..mention.tokens.start).rev().find(|&at| {
        matches!(reading.tokens[at].text(claims.response.text), "is" | "are" | "was" | "be" | "through" | ":" | "as")
    });
    // "indicating rupture", "suggesting the presence of edema", "due to malnutrition": what a finding is taken to mean.
    let word = |at: usize| reading.tokens[at].text(claims.response.text);
    let lead = (start..mention.tokens.start).rev().find(|&at| {
        !matches!(
            word(at),
            "the" | "a" | "an" | "presence" | "of" | "possible" | "underlying" | "diagnosis" | "pulmonary"
        )
    });
    let before = |back: usize| lead.and_then(|at| at.checked_sub(back)).filter(|at| *at >= start).map_or("", word);
    let meant = MEANING.contains(&before(0))
        || MEANING.contains(&before(1))
        || (before(0) == "to" && matches!(before(1), "due" | "secondary"))
        || (before(0) == "by" && before(1) == "caused");
    if meant {
        return true;
    }
    let Some(verb) = verb else { return false };
    let comma = (verb..mention.tokens.start).any(|at| reading.tokens[at].is_mark(','));
    let subject = &reading.tokens[verb.saturating_sub(14).max(start)..verb];
    !comma && subject.iter().any(|token| token.kind == TokenKind::Word && CONCLUDED.has(token.hash))
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
    // A claim made before costs nothing more, in responses of any length.
    let key = Key::Concept(mention.concept, affirmed);
    if claims.made(key) {
        return;
    }
    let affirming = evidence.affirmed(mention.concept);
    // What affirms a claim settles it.
    let denying: Vec<Fact> = match affirmed && !affirming.is_empty() {
        true => Vec::new(),
        false => evidence.denied(mention.concept, lexicon).copied().collect(),
    };
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
    let planned = concept.kind == Kind::History && affirming.is_empty() && stands_in_plan(claims, mention);
    if planned || names_test(claims, mention) || is_inferred(claims, mention) || !claims.first(key) {
        return;
    }
    let place = Place::of(claims, mention);
    let name = concept.name.as_str();
    let say = |what: &str| [if affirmed { "" } else { "no " }, name, ": ", what].concat();
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
        } else if let Some(places) = computed(claims, mention) {
            claims.push(
                "assertion",
                Outcome::Supported,
                weight,
                mention.span,
                &places,
                say("from the evidence's values"),
            );
            return;
        } else if matches!(concept.kind, Kind::State | Kind::Condition)
            || hedged
            || !place.patient
            || supposed(claims, mention)
        {
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
    match places {
        [] => claims.push("assertion", outcome, weight, mention.span, &[], note),
        [one] => claims.push("assertion", outcome, weight, mention.span, &[one.place], note),
        [one, two, ..] => claims.push("assertion", outcome, weight, mention.span, &[one.place, two.place], note),
    }
}

/// Whether the sentence says before the mention that it is likely, seems so, or may be.
fn supposed(claims: &Claims, mention: &Mention) -> bool {
    let reading = &claims.response.reading;
    let start = reading.sentences[mention.sentence].tokens.start;
    let before = &reading.tokens[start..mention.tokens.start];
    let may = before.iter().any(|token| MAY.has(token.hash));
    may || before.windows(2).any(|two| THAT.has(two[1].hash) && LIKELY.has(two[0].hash))
}

/// A value in words of a measure that a formula gives: "increased anion gap" of stated electrolytes.
fn computed(claims: &Claims, mention: &Mention) -> Option<Vec<evidence::Place>> {
    let id = mention.measure.or_else(|| claims.lexicon.measure_of(mention.concept))?;
    let derived = claims.evidence.derived(id, claims.lexicon);
    let found = derived.into_iter().find(|(value, _, _)| {
        let abnormal = claims.evidence.abnormal(id, *value, claims.lexicon);
        abnormal.into_iter().any(|finding| claims.lexicon.is_a(finding, mention.concept))
    });
    found.map(|(_, _, places)| places)
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
    said || (mention.status != Status::Historical && !named_in_a_word(claims, mention))
}

/// Whether some wording of the concept has all of its telling words in the evidence.
fn stated_in_words(claims: &Claims, mention: &Mention) -> bool {
    let forms = &claims.lexicon.concept(mention.concept).forms;
    forms.iter().any(|form| claims.evidence.has_words(form))
}

/// Whether the evidence has a word for the concept ("fever", "febrile"), beside the value that denies it.
fn named_in_a_word(claims: &Claims, mention: &Mention) -> bool {
    let forms = &claims.lexicon.concept(mention.concept).forms;
    forms.iter().filter(|form| !form.contains(' ')).any(|form| claims.evidence.has_words(form))
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
