//! Rule 3: who, where, when. Sex, side and order can contradict; what agrees is told by the other rules already.

use super::{Claims, Key};
use crate::assertion::Status;
use crate::evidence::Place;
use crate::frame::{SexNoun, Side, names, ordered, pronoun, sex_nouns, sided};
use crate::lexicon::{Cues, Sex};
use crate::scored::Outcome;

/// Checks sex, sides and orders of one sentence.
pub(super) fn check(claims: &mut Claims, sentence: usize) {
    let named = names(&claims.response.reading, sentence);
    sex(claims, sentence, named.sex);
    if named.side {
        sides(claims, sentence);
    }
    orders(claims, sentence);
}

/// "This 45-year-old man", where the evidence knows a woman only; "She has", where it knows no one but a man.
fn sex(claims: &mut Claims, sentence: usize, named: bool) {
    let Some(known) = claims.evidence.sex else { return };
    let reading = &claims.response.reading;
    let copied = claims.response.prose(claims.evidence).copied();
    let other = |noun: &SexNoun| {
        let claimed = claims.is_claimed(sentence, noun.token) || copied[noun.token];
        noun.bound && claimed && claims.evidence.mistakes_sex(noun)
    };
    let noun = || sex_nouns(reading, sentence).find(other).map(|noun| (noun.sex, noun.token));
    let pronoun = || {
        let first = reading.sentences[sentence].tokens.start;
        let said = pronoun(reading.tokens[first].hash).filter(|sex| *sex != known && !claims.evidence.names_sex(*sex));
        said.filter(|_| claims.is_claimed(sentence, first)).map(|sex| (sex, first))
    };
    let Some((sex, token)) = named.then(noun).flatten().or_else(pronoun) else { return };
    if claims.first(Key::Other(u64::MAX)) {
        let (said, stands) = match sex {
            Sex::Female => ("a woman", "a man"),
            Sex::Male => ("a man", "a woman"),
        };
        let note = format!("{said}, the evidence tells of {stands}");
        claims.push("sex", Outcome::Contradicted, 1.0, reading.tokens[token].span(), &[], note);
    }
}

/// The right leg, where the evidence has the left one only. What stands there in the same words but for the side is
/// compared wherever it is said, and so is a site that the evidence, which never says "right", calls left.
fn sides(claims: &mut Claims, sentence: usize) {
    let reading = &claims.response.reading;
    let all = sided(claims.response.text, reading, sentence);
    for found in &all {
        // "From the left ventricle to the right ventricle" tells the two apart.
        if all.iter().any(|other| other.site == found.site && other.side != found.side) {
            continue;
        }
        let known: Vec<(Side, Place)> = claims.evidence.sides(found.site).to_vec();
        let other = |side: Side| side != Side::Both && side != found.side;
        let unheard = !claims.evidence.names_side(found.side);
        let one_sided = match unheard {
            true => known.iter().any(|(side, _)| other(*side)),
            false => !found.worded && !known.is_empty() && known.iter().all(|(side, _)| other(*side)),
        };
        if found.side == Side::Both || !one_sided || claims.response.is_option(found.token) {
            continue;
        }
        let copied = claims.response.prose(claims.evidence).copied()[found.token];
        let claimed = claims.is_claimed(sentence, found.token) && (unheard || !unsure(claims, sentence, found.token));
        if (claimed || (copied && unheard)) && claims.first(Key::Other(found.site ^ found.side as u64)) {
            let span = reading.span(&(found.token..found.end));
            let places: Vec<Place> = known.iter().map(|(_, place)| *place).collect();
            let note = format!("{}: the evidence names the other side", claims.text(span));
            claims.push("side", Outcome::Contradicted, 1.0, span, &places, note);
        }
    }
}

/// Rash before fever, where the evidence has fever before rash.
fn orders(claims: &mut Claims, sentence: usize) {
    let reading = &claims.response.reading;
    for found in ordered(claims.response.text, reading, sentence, claims.lexicon) {
        let agrees = claims.evidence.ordered(found.first, found.then).is_some();
        let Some(place) = claims.evidence.ordered(found.then, found.first).filter(|_| !agrees) else { continue };
        let key = u64::from(found.first.0) << 32 | u64::from(found.then.0);
        if claims.is_claimed(sentence, found.tokens[0]) && claims.first(Key::Other(key ^ 1 << 61)) {
            let span = reading.span(&(found.tokens[0]..found.tokens[1]));
            let note = "the evidence has the two the other way about".to_owned();
            claims.push("order", Outcome::Contradicted, 1.0, span, &[place], note);
        }
    }
}

/// Whether the sentence doubts or supposes what stands at the token, or compares sides.
fn unsure(claims: &Claims, sentence: usize, token: usize) -> bool {
    let roles = Cues::DOUBTS_AFTER | Cues::SUPPOSES | Cues::NEGATES_AFTER;
    let reading = &claims.response.reading;
    let cued = reading.cues_of(sentence).iter().any(|cue| cue.value.has(roles) && cue.tokens.start < token);
    let near = |status: Status| !status.affirmed();
    cued || reading.mentions_of(sentence).iter().any(|m| m.tokens.contains(&token) && near(m.status))
}
