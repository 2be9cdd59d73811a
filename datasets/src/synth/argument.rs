//! The reasoning of a reference response: which findings speak for a condition, and what speaks against each rival.

use super::condition::Condition;
use super::finding::{Kind, UNSPECIFIC};
use super::phrase::{Deck, Slots};
use super::rng::Rng;
use super::truth::{Fact, Status, Truth};

/// What a response argues, before it is worded.
#[derive(Debug, Clone)]
pub struct Argument {
    /// The condition argued for.
    pub chosen: &'static Condition,
    /// Findings that speak for it, strongest first.
    pub supports: Vec<Fact>,
    /// Rivals, each with a reason of its own from this case.
    pub rejects: Vec<(&'static Condition, Fact)>,
}

/// A log-likelihood ratio from which a finding is worth naming: about two to one.
const WORTH_NAMING: f64 = 0.7;

/// Findings rarer than one in ten in a condition are not named for it (logarithm).
const MINIMUM: f64 = -2.303;

const FIRST: &[&str] = &[
    "{She} has {F}, which supports {x}.",
    "{She} has {F}, so {x} is likely.",
    "The patient has {F}, in keeping with {x}.",
    "{Her} {f} point{s} to {x}.",
    "{Her} {f} suggest{s} {x}.",
    "{X} is likely because {she} has {F}.",
    "This {age}-year-old {person} has {F}, which fits {x}.",
    "This {age}-year-old {person} has {F}, so {x} is most likely.",
];
const MORE: &[&str] = &[
    "{She} also has {F}, which fits {x}.",
    "{X} is further supported by {her} {f}.",
    "{Her} {f} add{s} support for {x}.",
    "In addition, {she} has {F}, as seen in {x}.",
    "{Her} {f} also favor{s} {x}.",
];
const ABSENT: &[&str] = &[
    "{She} has no {f}, which argues against {x}.",
    "{X} is unlikely because {she} has no {f}.",
    "There is no {f}, so {x} is less likely.",
    "{X} is less likely, as {she} does not have {F}.",
];
const DENIED: &[&str] = &["{She} denies {f}, which makes {x} unlikely.", "{X} is unlikely because {she} denies {f}."];
const NORMAL: &[&str] = &[
    "{Her} {f} is normal, which argues against {x}.",
    "{X} is unlikely because {her} {f} is normal.",
    "{She} has a normal {f}, so {x} is unlikely.",
    "With {her} normal {f}, {x} is less likely.",
];
const PRESENT: &[&str] = &[
    "{She} has {F}, which does not fit {x}.",
    "{X} is less likely because {she} has {F}.",
    "{X} would not explain {her} {f}.",
    "{Her} {f} argue{s} against {x}.",
];

impl Argument {
    /// Builds the argument for `chosen` against `rivals` from the patient's facts; `take` rivals are dealt with.
    pub fn new(
        truth: &Truth,
        chosen: &'static Condition,
        rivals: &[&'static Condition],
        take: usize,
        rng: &mut Rng,
    ) -> Self {
        let ratio = |fact: &Fact, other: &Condition| fact.log_likelihood(chosen) - fact.log_likelihood(other);
        let mut supports: Vec<(f64, Fact)> = truth
            .facts
            .iter()
            .filter(|fact| fact.positive())
            .map(|fact| {
                let mean = rivals.iter().map(|rival| ratio(fact, rival)).sum::<f64>() / rivals.len().max(1) as f64;
                // A little noise, so that reference answers to like cases differ.
                (mean + 0.5 * rng.unit(), fact.clone())
            })
            .collect();
        supports.sort_by(|a, b| b.0.total_cmp(&a.0));
        // Only what the condition brings and more often than its rivals; at least one finding is named in any case.
        let speaks =
            supports.iter().filter(|(score, fact)| *score > 0.3 && fact.log_likelihood(chosen) > MINIMUM).count();
        supports.retain(|(score, fact)| speaks == 0 || (*score > 0.3 && fact.log_likelihood(chosen) > MINIMUM));
        let keep = speaks.clamp(1, 5);
        let mut supports: Vec<Fact> = supports.into_iter().map(|(_, fact)| fact).take(keep).collect();
        let mut rejects: Vec<(&'static Condition, Fact)> = Vec::new();
        let mut order: Vec<&'static Condition> = rivals.to_vec();
        rng.shuffle(&mut order);
        for rival in order {
            let used = |fact: &Fact| rejects.iter().any(|(_, reason)| reason.id == fact.id);
            let best = truth
                .facts
                .iter()
                .filter(|fact| !used(fact) && ratio(fact, rival) > WORTH_NAMING && !(fact.positive() && vague(fact)))
                .map(|fact| {
                    // What is missing is the natural reason; a finding already used as support only if need be.
                    let natural = if fact.positive() { 0.0 } else { 1.5 };
                    let taken = if supports.iter().any(|s| s.id == fact.id) { 1.0 } else { 0.0 };
                    (ratio(fact, rival) + natural - taken, fact)
                })
                .max_by(|a, b| a.0.total_cmp(&b.0));
            if let Some((_, fact)) = best {
                rejects.push((rival, fact.clone()));
            }
            if rejects.len() == take {
                break;
            }
        }
        // A finding spent on a rival is not said twice where enough others remain.
        if supports.len() > 3 {
            supports.retain(|fact| rejects.iter().all(|(_, reason)| reason.id != fact.id));
        }
        Self { chosen, supports, rejects }
    }

    /// The sentences, no two of the same shape while shapes last.
    pub fn sentences(&self, truth: &Truth, rng: &mut Rng) -> Vec<String> {
        let female = truth.female;
        let person = if female { "woman" } else { "man" };
        let mut deck = Deck::default();
        let mut out = Vec::new();
        let most = if self.supports.len() >= 4 { 3 } else { 2 + usize::from(rng.chance(0.4)) };
        let template = deck.draw(FIRST, rng);
        // Age and sex are a finding too: with them a sentence has room for two more.
        let most = if template.contains("{age}") { 2 } else { most };
        let (now, later) = self.supports.split_at(self.supports.len().min(most));
        if !now.is_empty() {
            let sentence = fill(now, self.chosen.name, female, template);
            out.push(sentence.replace("{age}", &truth.age.to_string()).replace("{person}", person));
        }
        if !later.is_empty() {
            out.push(fill(later, self.chosen.name, female, deck.draw(MORE, rng)));
        }
        for (rival, fact) in &self.rejects {
            out.push(reject(rival.name, fact, female, &mut deck, rng));
        }
        out
    }
}

/// One sentence that names facts for a condition.
fn fill(facts: &[Fact], name: &str, female: bool, template: &str) -> String {
    let facts: Vec<&Fact> = facts.iter().collect();
    Slots::of(female, &facts, name).fill(template)
}

/// Unspecific complaints and past illnesses exclude nothing.
fn vague(fact: &Fact) -> bool {
    UNSPECIFIC.contains(&fact.id.as_str()) || fact.kind() == Some(Kind::History)
}

/// One sentence that rejects a condition because of one fact.
pub fn reject(name: &str, fact: &Fact, female: bool, deck: &mut Deck, rng: &mut Rng) -> String {
    let templates = match fact.status {
        Status::Present => PRESENT,
        Status::Absent if fact.kind() == Some(Kind::Symptom) && rng.chance(0.35) => DENIED,
        Status::Absent => ABSENT,
        Status::Measured if fact.level() == 0 => NORMAL,
        Status::Measured => PRESENT,
    };
    let mut slots = Slots::of(female, &[fact], name);
    if fact.status == Status::Absent && slots.plural {
        // "There are no crackles".
        return slots.fill(&deck.draw(templates, rng).replace("There is no", "There are no"));
    }
    if fact.status == Status::Absent && fact.kind() == Some(Kind::History) {
        slots.bare = format!("history of {}", fact.phrase);
    }
    slots.fill(deck.draw(templates, rng))
}
