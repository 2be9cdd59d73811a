//! Wording: a patient's facts as a short vignette.

use super::finding::{self, Kind};
use super::patient::Patient;
use super::phrase::{Slots, bare, capital, list, list_or, noun};
use super::rng::Rng;
use super::truth::{Fact, Status};

const OPENINGS: &[&str] = &[
    "A {age}-year-old {person} has had {F} for {course}.",
    "A {age}-year-old {person} comes to the emergency department with {F} for {course}.",
    "A {age}-year-old {person} comes to the clinic because of {F} for {course}.",
    "A {age}-year-old {person} has a {adjective} history of {f}.",
    "A {age}-year-old {person} reports {F} that began {course} ago.",
    "For {course}, a {age}-year-old {person} has had {F}.",
    "A {age}-year-old {person} is seen for {F} of {course} duration.",
];
const DENIALS: &[&str] = &["{She} denies {or}.", "{She} has no {or}.", "{She} has had no {or}.", "There is no {or}."];
const SIGNS: &[&str] = &[
    "Examination shows {F}.",
    "On examination, {she} has {F}.",
    "Physical examination reveals {F}.",
    "The examination is notable for {F}.",
];
const NO_SIGNS: &[&str] =
    &["Examination shows no {or}.", "On examination, {she} has no {or}.", "The examination shows no {or}."];
const HISTORY: &[&str] =
    &["{She} has a history of {list}.", "{Her} past history includes {list}.", "{She} reports a history of {list}."];
const NO_HISTORY: &[&str] = &["{She} has no history of {or}.", "There is no history of {or}."];
const LABS: &[&str] = &["Laboratory tests show {F}.", "Blood tests show {F}."];
const VITALS: &[&str] = &["Vital signs show {F}.", "{She} has {F}."];

/// Signs that people see themselves: they may be what a patient comes for.
const VISIBLE: &[&str] = &[
    "hemiparesis",
    "facial_droop",
    "slurred_speech",
    "joint_swelling",
    "symmetric_swelling",
    "spreading_erythema",
    "calf_swelling",
    "leg_edema",
    "jaundice",
    "rash",
    "petechiae",
    "wheezing",
    "confusion",
];

/// The vignette, without the question.
pub fn vignette(patient: &Patient, rng: &mut Rng) -> String {
    let facts = &patient.facts;
    let of = |status: Status, wanted: fn(Kind) -> bool| -> Vec<&Fact> {
        facts.iter().filter(|f| f.status == status && f.kind().is_some_and(wanted)).collect()
    };
    let symptom: fn(Kind) -> bool = |k| k == Kind::Symptom;
    let sign: fn(Kind) -> bool = |k| k == Kind::Sign;
    let history: fn(Kind) -> bool = |k| k == Kind::History;
    let mut complaints = of(Status::Present, symptom);
    let mut signs = of(Status::Present, sign);
    if complaints.is_empty() {
        (complaints, signs) = signs.into_iter().partition(|fact| VISIBLE.contains(&fact.id.as_str()));
    }
    let mut sentences = vec![opening(patient, &complaints, rng)];
    let mut middle = Vec::new();
    let words = |facts: &[&Fact]| facts.iter().map(|f| f.phrase.clone()).collect::<Vec<_>>();
    let bares = |facts: &[&Fact]| facts.iter().map(|f| bare(&f.phrase).to_owned()).collect::<Vec<_>>();
    let say = |templates: &[&str], facts: &[&Fact], rng: &mut Rng| {
        let slots = Slots::of(patient.female, facts, "");
        slots
            .fill(&rng.pick(templates).replace("{or}", &list_or(&bares(facts))).replace("{list}", &list(&words(facts))))
    };
    for (templates, facts) in [
        (HISTORY, of(Status::Present, history)),
        (NO_HISTORY, of(Status::Absent, history)),
        (DENIALS, of(Status::Absent, symptom)),
    ] {
        if !facts.is_empty() {
            middle.push(say(templates, &facts, rng));
        }
    }
    rng.shuffle(&mut middle);
    sentences.append(&mut middle);
    let measured = |vital: bool| -> Vec<&Fact> {
        facts.iter().filter(|f| finding::measure(&f.id).is_some_and(|m| m.vital == vital)).collect()
    };
    for (templates, facts) in [(VITALS, measured(true)), (SIGNS, signs), (NO_SIGNS, of(Status::Absent, sign))] {
        if facts.is_empty() {
            continue;
        }
        let vital = facts.iter().any(|f| f.status == Status::Measured);
        middle.push(if vital && rng.chance(0.5) { plain(&facts) } else { say(templates, &facts, rng) });
    }
    if rng.chance(0.5) {
        rng.shuffle(&mut middle);
    }
    sentences.append(&mut middle);
    let labs = measured(false);
    if !labs.is_empty() {
        middle.push(if rng.chance(0.5) { plain(&labs) } else { say(LABS, &labs, rng) });
    }
    middle.extend(studies(facts));
    if rng.chance(0.5) {
        rng.shuffle(&mut middle);
    }
    sentences.append(&mut middle);
    sentences.join(" ")
}

/// The opening sentence, with age, sex, complaints and course.
fn opening(patient: &Patient, complaints: &[&Fact], rng: &mut Rng) -> String {
    let (amount, unit) = patient.course;
    let course = format!("{amount} {unit}{}", if amount == 1 { "" } else { "s" });
    let person = if patient.female { "woman" } else { "man" };
    let template = if complaints.is_empty() {
        "A {age}-year-old {person} has felt unwell for {course}."
    } else {
        rng.pick(OPENINGS)
    };
    let text = Slots::of(patient.female, complaints, "").fill(
        &template
            .replace("{age}", &patient.age.to_string())
            .replace("{person}", person)
            .replace("{course}", &course)
            .replace("{adjective}", &format!("{amount}-{unit}")),
    );
    // "an 18-year-old", "an 80-year-old".
    let vowel = patient.age == 18 || patient.age / 10 == 8;
    if vowel {
        text.replace(&format!("A {}-", patient.age), &format!("An {}-", patient.age))
            .replace(&format!(" a {}-", patient.age), &format!(" an {}-", patient.age))
    } else if amount == 8 || amount == 18 {
        text.replace(&format!("has a {amount}-"), &format!("has an {amount}-"))
    } else {
        text
    }
}

/// "Temperature is 38.9 °C and heart rate is 112/min."
fn plain(facts: &[&Fact]) -> String {
    let items: Vec<String> = facts.iter().map(|f| format!("{} is {}", f.phrase, f.value)).collect();
    format!("{}.", capital(&list(&items)))
}

/// "A chest X-ray shows lobar consolidation.", one sentence a study.
fn studies(facts: &[Fact]) -> Vec<String> {
    let mut names: Vec<&'static str> = Vec::new();
    for fact in facts {
        if let Some(Kind::Study(name)) = fact.kind()
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
        .into_iter()
        .map(|name| {
            let of = |status| -> Vec<&Fact> {
                facts.iter().filter(|f| f.status == status && f.kind() == Some(Kind::Study(name))).collect()
            };
            let present: Vec<String> = of(Status::Present).into_iter().map(noun).collect();
            let absent: Vec<String> = of(Status::Absent).iter().map(|f| bare(&f.phrase).to_owned()).collect();
            match (present.is_empty(), absent.is_empty()) {
                (false, true) => format!("{name} shows {}.", list(&present)),
                (true, _) => format!("{name} shows no {}.", list_or(&absent)),
                (false, false) => format!("{name} shows {} but no {}.", list(&present), list_or(&absent)),
            }
        })
        .collect()
}
