//! Who, where, when: the patient's sex as named, the side of a body site, the order of two events. Read alike from the
//! evidence and from a response; [`crate::faithfulness`] compares them.

use std::ops::Range;

use crate::lexicon::{ConceptId, Lexicon, Sex};
use crate::reading::{Mention, Reading, is_clinical};
use crate::text::{Kind, Token, WordMap, Words, hash_word};

/// A side of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Side {
    Left,
    Right,
    Both,
}

/// A body site with its side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sided {
    /// Stands for the site's words ("lower", "leg"), whatever the side.
    pub site: u64,
    /// The side.
    pub side: Side,
    /// The token that names the side.
    pub token: usize,
    /// One past the site's last token.
    pub end: usize,
    /// Whether the site is no noun of the list: then only its wording binds it.
    pub worded: bool,
}

/// Two events in the order in which they happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ordered {
    /// What came first.
    pub first: ConceptId,
    /// What came then.
    pub then: ConceptId,
    /// Its tokens, from the one mention to the other.
    pub tokens: [usize; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Side(Side),
    Site,
    /// "upper", "lower": a part of the site's name.
    Part,
    /// "sided": the next word is the site, whatever it is.
    Sided,
    Sex(Sex),
    /// "this", "the": may stand before the patient's noun.
    Determiner,
    /// "old", behind an age.
    Old,
    Before,
    After,
    FollowedBy,
    PrecededBy,
}

/// Nouns of sites that have a left and a right one, or a left and a right part.
const SITES: &str = "arm arms leg legs hand hands foot feet knee knees hip hips shoulder shoulders elbow elbows wrist \
    wrists ankle ankles eye eyes ear ears breast breasts flank flanks thigh thighs calf calves groin testis testicle \
    testicles ovary ovaries kidney kidneys lung lungs cheek forearm forearms thumb toe toes tonsil nipple axilla \
    hemithorax extremity extremities limb limbs lobe quadrant fossa adnexa hemiscrotum jaw temple buttock eyelid \
    forehead iliac femur tibia fibula humerus radius ulna clavicle scapula chest neck face side";

static ROLES: WordMap<Role> = WordMap::new(&[
    (SITES, Role::Site),
    ("upper lower middle mid", Role::Part),
    ("sided side", Role::Sided),
    ("left", Role::Side(Side::Left)),
    ("right", Role::Side(Side::Right)),
    ("bilateral bilaterally both", Role::Side(Side::Both)),
    ("woman lady girl female", Role::Sex(Sex::Female)),
    ("man gentleman boy male", Role::Sex(Sex::Male)),
    ("this the a an", Role::Determiner),
    ("old", Role::Old),
    ("before preceding", Role::Before),
    ("after following", Role::After),
    ("then", Role::FollowedBy),
]);

fn role(hash: u64) -> Option<Role> {
    ROLES.get(hash)
}

/// Plural and singular of a site are one.
fn site_key(text: &str) -> u64 {
    let lower = text.to_lowercase();
    hash_word(match lower.as_str() {
        "feet" => "foot",
        "calves" => "calf",
        "ovaries" => "ovary",
        "extremities" => "extremity",
        other => other.strip_suffix('s').filter(|stem| stem.len() >= 3 && !stem.ends_with('i')).unwrap_or(other),
    })
}

/// The sided sites of a sentence.
pub fn sided(text: &str, reading: &Reading, sentence: usize) -> Vec<Sided> {
    let range = reading.sentences[sentence].tokens.clone();
    let role_at = |at: usize| {
        let token = reading.tokens.get(at).filter(|token| at < range.end && token.kind == Kind::Word)?;
        role(token.hash)
    };
    let mut found = Vec::new();
    for at in range.clone() {
        let Some(Role::Side(side)) = role_at(at) else { continue };
        let mut next = at + 1;
        let mut parts = 0_u64;
        // "left and right lower extremities" names both.
        let joined = reading.tokens.get(next).is_some_and(|t| matches!(t.text(text), "and" | "or"))
            && matches!(role_at(next + 1), Some(Role::Side(_)));
        if joined {
            continue;
        }
        let after_pair = at >= range.start + 2
            && matches!(role_at(at - 2), Some(Role::Side(_)))
            && matches!(reading.tokens[at - 1].text(text), "and" | "or");
        let side = if after_pair { Side::Both } else { side };
        if reading.tokens.get(next).is_some_and(|token| next < range.end && token.is_mark('-')) {
            next += 1;
        }
        let mut any = false;
        let mut site = None;
        while next < range.end && next <= at + 5 {
            match role_at(next) {
                Some(Role::Sided) if next <= at + 2 => any = true,
                Some(Role::Part) => parts ^= reading.tokens[next].hash.rotate_left(11),
                Some(Role::Site) => {
                    site = Some((site_key(reading.tokens[next].text(text)) ^ parts, next + 1, false));
                    break;
                }
                _ if any && reading.tokens[next].kind == Kind::Word => {
                    let word = crate::text::head(reading.tokens[next].text(text), 6);
                    site = Some((hash_word(word) ^ 1, next + 1, false));
                    break;
                }
                _ => break,
            }
            next += 1;
        }
        let site = site.or_else(|| worded(text, reading, &range, at));
        found.extend(site.map(|(site, end, worded)| Sided { site, side, token: at, end, worded }));
    }
    found
}

/// Words behind a side that make it no side ("the right answer", "right after"), or end its phrase.
static NO_SITES: Words = Words::new(
    "answer option choice diagnosis treatment step now away after before amount approach person time dose thing way \
    decision the a an to of in on at for with from by and or is was are were be that this as his her it its he she \
    without due because against",
);
static OWNERS: Words = Words::new("the his her");

/// What a side is said of where no noun of the list follows: the word behind it ("right maxillary"), else, for "on the
/// left", the longer word before.
fn worded(text: &str, reading: &Reading, range: &Range<usize>, at: usize) -> Option<(u64, usize, bool)> {
    let word = |at: usize| reading.tokens.get(at).filter(|token| range.contains(&at) && token.kind == Kind::Word);
    let key = |token: &Token| hash_word(crate::text::head(token.text(text), 6));
    let behind = if reading.tokens.get(at + 1).is_some_and(|token| token.is_mark('-')) { at + 2 } else { at + 1 };
    if let Some(next) = word(behind).filter(|next| !NO_SITES.has(next.hash)) {
        return Some((key(next) ^ 2, behind + 1, true));
    }
    word(at.checked_sub(1)?).filter(|owner| OWNERS.has(owner.hash))?;
    let before = (at.saturating_sub(5).max(range.start)..at - 1).rev().filter_map(word);
    let before = before.into_iter().find(|token| token.end - token.start > 3 && !NO_SITES.has(token.hash))?;
    Some((key(before) ^ 4, at + 1, true))
}

/// What a sentence names at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Names {
    /// A noun such as "woman".
    pub sex: bool,
    /// "Left", "right", "bilateral".
    pub side: bool,
}

/// What a sentence names: most name neither a sex nor a side, and one pass tells.
pub fn names(reading: &Reading, sentence: usize) -> Names {
    let tokens = &reading.tokens[reading.sentences[sentence].tokens.clone()];
    tokens.iter().fold(Names::default(), |names, token| match role(token.hash) {
        Some(Role::Sex(_)) => Names { sex: true, ..names },
        Some(Role::Side(_)) => Names { side: true, ..names },
        _ => names,
    })
}

/// A noun that names someone's sex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SexNoun {
    /// The sex.
    pub sex: Sex,
    /// Its token.
    pub token: usize,
    /// The number of the age that stands with it, as printed: "45-year-old woman".
    pub age: Option<u64>,
    /// Whether a determiner or an age binds it: "this woman", not "in women".
    pub bound: bool,
}

/// Tokens within which an age or a determiner stands before the noun: "a 29-year-old gravida 2, para 1 woman".
const NOUN_REACH: usize = 8;

/// The nouns that name a sex in a sentence, in order.
pub fn sex_nouns(reading: &Reading, sentence: usize) -> impl Iterator<Item = SexNoun> + '_ {
    let range = reading.sentences[sentence].tokens.clone();
    range.clone().filter_map(move |token| {
        let Some(Role::Sex(sex)) = role(reading.tokens[token].hash) else { return None };
        // "A female fetus" is not the patient.
        let next = reading.tokens.get(token + 1).filter(|_| token + 1 < range.end);
        if next.is_some_and(|next| OTHERS.has(next.hash)) {
            return None;
        }
        let mut noun = SexNoun { sex, token, age: None, bound: false };
        for at in (token.saturating_sub(NOUN_REACH).max(range.start)..token).rev() {
            match role(reading.tokens[at].hash) {
                Some(Role::Old) => (noun.age, noun.bound) = (age_before(reading, range.start, at), true),
                Some(Role::Determiner) => noun.bound = true,
                Some(Role::Sex(_)) => break,
                _ if reading.tokens[at].is_mark(';') || ENDS.has(reading.tokens[at].hash) => break,
                _ => continue,
            }
            break;
        }
        Some(noun)
    })
}

/// The number two words before "old": "45" of "45-year-old".
fn age_before(reading: &Reading, start: usize, old: usize) -> Option<u64> {
    let mut words = reading.tokens[start..old].iter().rev().filter(|token| token.kind != Kind::Mark);
    words.nth(1).map(|number| number.hash)
}

/// The sex that a pronoun tells.
pub fn pronoun(hash: u64) -> Option<Sex> {
    static SHE: Words = Words::new("she her");
    static HE: Words = Words::new("he his");
    match (SHE.has(hash), HE.has(hash)) {
        (true, _) => Some(Sex::Female),
        (_, true) => Some(Sex::Male),
        _ => None,
    }
}

static OTHERS: Words = Words::new("fetus fetuses partner partners sex friend friends relatives relative");
/// Words that no noun phrase goes over.
static ENDS: Words = Words::new("is was are were has had of with from by for in on to who whom that his her");

/// Tokens between two events that an order word may join.
const ORDER_REACH: usize = 7;

/// The ordered pairs of events of a sentence: neighbouring mentions joined by "before", "followed by" and the like.
pub fn ordered(text: &str, reading: &Reading, sentence: usize, lexicon: &Lexicon) -> Vec<Ordered> {
    let event = |mention: &&Mention| mention.status.affirmed() && is_clinical(lexicon.concept(mention.concept).kind);
    let mut events = reading.mentions_of(sentence).iter().filter(event);
    let mut found = Vec::new();
    let Some(mut next) = events.next() else { return found };
    for b in events {
        let a = std::mem::replace(&mut next, b);
        if b.tokens.start < a.tokens.end || b.tokens.start - a.tokens.end > ORDER_REACH {
            continue;
        }
        let mut order = None;
        let mut words = 0;
        for at in a.tokens.end..b.tokens.start {
            let token = &reading.tokens[at];
            let by = reading.tokens.get(at + 1).is_some_and(|next| next.text(text) == "by");
            let named = match token.text(text) {
                "followed" if by => Some(Role::FollowedBy),
                "preceded" if by => Some(Role::PrecededBy),
                "prior" => Some(Role::Before),
                _ => role(token.hash).filter(|r| matches!(r, Role::Before | Role::After | Role::FollowedBy)),
            };
            words += usize::from(named.is_some());
            order = order.or(named);
        }
        // Two order words in a row ("then after") are not read.
        if words != 1 {
            continue;
        }
        let (first, then) = match order {
            Some(Role::Before | Role::FollowedBy) => (a, b),
            Some(Role::After | Role::PrecededBy) => (b, a),
            _ => continue,
        };
        if first.concept != then.concept {
            let tokens = [a.tokens.start, b.tokens.end];
            found.push(Ordered { first: first.concept, then: then.concept, tokens });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sides(text: &str) -> Vec<(u64, Side)> {
        let lexicon = Lexicon::built_in();
        let reading = Reading::new(text, &lexicon);
        (0..reading.sentences.len())
            .flat_map(|sentence| sided(text, &reading, sentence))
            .map(|sided| (sided.site, sided.side))
            .collect()
    }

    #[test]
    fn sides_of_sites() {
        let one = |text: &str| sides(text).first().copied();
        assert_eq!(one("pain in the left leg").map(|s| s.1), Some(Side::Left));
        assert_eq!(one("his left legs").map(|s| s.0), one("the right leg").map(|s| s.0));
        assert_ne!(one("left lower extremity").map(|s| s.0), one("left upper extremity").map(|s| s.0));
        assert_eq!(one("right-sided weakness").map(|s| s.0), one("left-sided weakness").map(|s| s.0));
        assert_eq!(one("left and right arms").map(|s| s.1), Some(Side::Both));
        assert_eq!(sides("She left the hospital. The right answer is B, right?"), []);
        assert_eq!(one("the right maxillary sinus").map(|s| s.0), one("her left maxillary sinus").map(|s| s.0));
        assert_eq!(one("breath sounds on the right").map(|s| s.0), one("sounds on the left.").map(|s| s.0));
        assert_ne!(one("the right maxillary sinus").map(|s| s.0), one("the left frontal sinus").map(|s| s.0));
    }

    #[test]
    fn nouns_of_sex() {
        let lexicon = Lexicon::built_in();
        let nouns = |text: &str| -> Vec<(Sex, bool, bool)> {
            let reading = Reading::new(text, &lexicon);
            sex_nouns(&reading, 0).map(|noun| (noun.sex, noun.age.is_some(), noun.bound)).collect()
        };
        assert_eq!(nouns("A 29-year-old gravida 2, para 1 woman comes in."), [(Sex::Female, true, true)]);
        assert_eq!(nouns("This young man is ill."), [(Sex::Male, false, true)]);
        assert_eq!(nouns("She has a male partner and a female fetus."), []);
        assert_eq!(nouns("It is rare in man."), [(Sex::Male, false, false)]);
    }

    #[test]
    fn orders_of_events() {
        let lexicon = Lexicon::built_in();
        let name = |id: ConceptId| lexicon.concept(id).name.as_str();
        for (text, first, then) in [
            ("He had fever before the rash.", "fever", "rash"),
            ("He had a rash after the fever.", "fever", "rash"),
            ("Fever followed by rash.", "fever", "rash"),
            ("A rash that was preceded by fever.", "fever", "rash"),
        ] {
            let reading = Reading::new(text, &lexicon);
            let found = ordered(text, &reading, 0, &lexicon);
            let found: Vec<_> = found.iter().map(|o| (name(o.first), name(o.then))).collect();
            assert_eq!(found, [(first, then)], "{text}");
        }
    }
}
