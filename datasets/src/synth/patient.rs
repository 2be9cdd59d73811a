//! Drawing a patient: a condition, its rivals, and the findings that the record will state.

use super::condition::{CONDITIONS, Condition, condition};
use super::finding::{self, FINDINGS, Kind};
use super::rng::{Rng, round};
use super::truth::{Fact, Status, posterior};

/// A drawn patient, before anything is worded.
#[derive(Debug, Clone)]
pub struct Patient {
    /// What the patient has.
    pub condition: &'static Condition,
    /// Years.
    pub age: i64,
    /// Else a man.
    pub female: bool,
    /// How long the illness has lasted.
    pub course: (i64, &'static str),
    /// The conditions that the question offers, shuffled; one is `condition`.
    pub options: Vec<&'static Condition>,
    /// What the record states.
    pub facts: Vec<Fact>,
}

/// A best answer must be at least this probable among the options given the stated facts.
pub const MIN_POSTERIOR: f64 = 0.9;

/// Findings that many patients have whatever their illness: the noise of a record.
const NOISE: &[&str] =
    &["hypertension", "smoking", "diabetes", "fatigue", "headache", "alcohol", "kidney_stones", "dizziness"];

/// Findings that only women have.
const WOMEN_ONLY: &[&str] = &["vaginal_bleeding", "missed_period", "heavy_menses", "hcg", "adnexal_mass"];

/// Draws a patient with any condition and three rivals.
pub fn draw(rng: &mut Rng) -> Patient {
    let condition = rng.pick(CONDITIONS);
    draw_with(condition, rng)
}

/// Draws a patient with the given condition; facts are redrawn until the condition is clearly the best option.
pub fn draw_with(condition: &'static Condition, rng: &mut Rng) -> Patient {
    let female = rng.chance(condition.female);
    let age = rng.between(condition.age.0, condition.age.1);
    let course = (rng.between(condition.course.0, condition.course.1), condition.course.2);
    let options = options(condition, female, age, rng);
    let mut best: Option<(f64, Vec<Fact>)> = None;
    for attempt in 0..40 {
        let facts = facts(condition, &options, female, age, attempt >= 20, rng);
        let at = options.iter().position(|option| option.id == condition.id).unwrap_or_default();
        let p = posterior(&facts, &options)[at];
        let enough = p >= MIN_POSTERIOR;
        if best.as_ref().is_none_or(|(most, _)| p > *most) {
            best = Some((p, facts));
        }
        if enough {
            break;
        }
    }
    Patient { condition, age, female, course, options, facts: best.map(|(_, facts)| facts).unwrap_or_default() }
}

/// The condition and three rivals that the person could have, shuffled.
fn options(condition_: &'static Condition, female: bool, age: i64, rng: &mut Rng) -> Vec<&'static Condition> {
    let fits = |c: &&'static Condition| c.possible_for(female, age);
    let mut near: Vec<&Condition> = condition_.rivals.iter().filter_map(|id| condition(id)).filter(fits).collect();
    // Too few for this person: the rivals' own rivals.
    if near.len() < 3 {
        let far: Vec<&Condition> =
            near.iter().flat_map(|c| c.rivals).filter_map(|id| condition(id)).filter(fits).collect();
        for c in far.into_iter().chain(CONDITIONS.iter().filter(fits)) {
            if near.len() < 4 && c.id != condition_.id && near.iter().all(|n| n.id != c.id) {
                near.push(c);
            }
        }
    }
    rng.shuffle(&mut near);
    near.truncate(3);
    near.push(condition_);
    rng.shuffle(&mut near);
    near
}

/// One draw of the stated facts; `all` states every finding that is there.
fn facts(
    condition: &'static Condition,
    options: &[&'static Condition],
    female: bool,
    age: i64,
    all: bool,
    rng: &mut Rng,
) -> Vec<Fact> {
    let possible = |id: &str| (female || !WOMEN_ONLY.contains(&id)) && (id != "heavy_menses" || age <= 50);
    let mut facts: Vec<Fact> = Vec::new();
    // What is there.
    let mut present: Vec<&str> =
        condition.findings.iter().filter(|(id, p)| possible(id) && rng.chance(*p)).map(|(id, _)| *id).collect();
    rng.shuffle(&mut present);
    // Decisive studies are often not back yet, else every case would be read off one line.
    let show = if all { 6 } else { 3 + rng.below(2) };
    let study = |id: &str| matches!(finding::finding(id).map(|f| f.kind), Some(Kind::Study(_)));
    let study_known = all || rng.chance(0.45);
    let mut shown: Vec<&str> = present.iter().copied().filter(|id| study_known || !study(id)).collect();
    shown.truncate(show);
    for id in &shown {
        facts.extend(stated(id, true, rng));
    }
    // Abnormal values.
    let mut abnormal: Vec<_> = condition.measures.iter().filter(|(id, p, ..)| possible(id) && rng.chance(*p)).collect();
    rng.shuffle(&mut abnormal);
    abnormal.truncate(if all { 3 } else { 1 + rng.below(2) });
    for (id, _, low, high) in abnormal {
        facts.extend(measured(id, *low, *high, rng));
    }
    // Noise, where no option says anything of it.
    if rng.chance(0.3) {
        let id = *rng.pick(NOISE);
        if options.iter().all(|c| c.findings.iter().all(|(known, _)| *known != id)) {
            facts.extend(stated(id, true, rng));
        }
    }
    // Pertinent negatives: what a rival would show and this patient does not.
    let mut rivals: Vec<&Condition> = options.iter().copied().filter(|c| c.id != condition.id).collect();
    rng.shuffle(&mut rivals);
    let negatives = if all { 3 } else { 2 + usize::from(rng.chance(0.4)) };
    for rival in rivals.into_iter().take(negatives) {
        let taken = |id: &str, facts: &[Fact]| facts.iter().any(|fact| fact.id == id);
        let mut absent: Vec<&str> = rival
            .findings
            .iter()
            .filter(|(id, p)| {
                *p >= 0.55
                    && possible(id)
                    && condition.probability(id) <= 0.4
                    && finding::deniable(id, present.iter().copied().chain(facts.iter().map(|f| f.id.as_str())))
                    && !taken(id, &facts)
                    && (study_known || !study(id))
            })
            .map(|(id, _)| *id)
            .collect();
        let normal: Vec<&str> = rival
            .measures
            .iter()
            .filter(|(id, p, ..)| *p >= 0.65 && possible(id) && condition.typical(id).is_none() && !taken(id, &facts))
            .map(|(id, ..)| *id)
            .collect();
        if !normal.is_empty() && (absent.is_empty() || rng.chance(0.35)) {
            let id = *rng.pick(&normal);
            if let Some(measure) = finding::measure(id) {
                facts.extend(measured(id, measure.normal.0, measure.normal.1, rng));
            }
        } else if !absent.is_empty() {
            rng.shuffle(&mut absent);
            facts.extend(stated(absent[0], false, rng));
        }
    }
    // Every record has at least one measurement.
    if facts.iter().all(|fact| fact.status != Status::Measured) {
        let id = *rng.pick(&["temperature", "heart_rate", "systolic"]);
        if let (None, Some(measure)) = (condition.typical(id), finding::measure(id)) {
            facts.extend(measured(id, measure.normal.0, measure.normal.1, rng));
        } else if let Some((_, _, low, high)) = condition.typical(id) {
            facts.extend(measured(id, *low, *high, rng));
        }
    }
    facts
}

/// A finding in one of its wordings, the usual one most often.
pub fn stated(id: &str, present: bool, rng: &mut Rng) -> Option<Fact> {
    let finding = finding::finding(id)?;
    let phrase = if rng.chance(0.6) { finding.phrases.first()? } else { rng.pick(finding.phrases) };
    Some(Fact::finding(id, present, phrase))
}

/// A measured value drawn from a range, rounded as people report it.
pub fn measured(id: &str, low: f64, high: f64, rng: &mut Rng) -> Option<Fact> {
    let measure = finding::measure(id)?;
    let value = reported(rng.value(low, high, measure.decimals), measure.decimals);
    Some(Fact::measured(measure, value))
}

/// A large value to the two or three digits that people report.
pub fn reported(value: f64, decimals: u32) -> f64 {
    match value {
        v if decimals == 0 && v >= 1000.0 => round(v / 100.0, 0) * 100.0,
        v if decimals == 0 && v >= 300.0 => round(v / 10.0, 0) * 10.0,
        v => v,
    }
}

/// A finding typical of the condition (probability at least 0.4) that the facts do not mention.
pub fn unmentioned(condition: &Condition, facts: &[Fact], rng: &mut Rng) -> Option<Fact> {
    let open = |id: &str| facts.iter().all(|fact| fact.id != id);
    let typical: Vec<&str> =
        condition.findings.iter().filter(|(id, p)| *p >= 0.4 && open(id)).map(|(id, _)| *id).collect();
    if typical.is_empty() {
        let any: Vec<&str> = FINDINGS.iter().map(|f| f.id).filter(|id| open(id)).collect();
        return stated(rng.text(&any), true, rng);
    }
    stated(rng.text(&typical), true, rng)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn patients_are_possible_and_mostly_decidable() {
        let mut clear = 0;
        for index in 0..2000 {
            let patient = draw(&mut Rng::keyed(&[7, index]));
            let mut ids: Vec<_> = patient.options.iter().map(|c| c.id).collect();
            assert_eq!(ids.len(), 4);
            assert!(ids.contains(&patient.condition.id));
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), 4, "options repeat");
            assert!(patient.female || !ids.contains(&"ectopic_pregnancy"));
            assert!(patient.female || patient.facts.iter().all(|f| !WOMEN_ONLY.contains(&f.id.as_str())));
            let mut keys: Vec<_> = patient.facts.iter().map(|f| &f.id).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), patient.facts.len(), "a finding is stated twice");
            assert!(patient.facts.iter().any(|f| f.status == Status::Measured));
            let at = patient.options.iter().position(|c| c.id == patient.condition.id).unwrap();
            clear += usize::from(posterior(&patient.facts, &patient.options)[at] >= MIN_POSTERIOR);
        }
        assert!(clear >= 1960, "{clear} of 2000 patients have a clear best answer");
    }
}
