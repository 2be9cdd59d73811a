//! Comprehensiveness, rule 4: is a statement of a rubric made in a text? By concept, words, quantity and polarity.
//!
//! Design decision: a statement is cut into elements (the lexicon's concepts, numbers, and the stems of its other content
//! words), each as heavy as it is rare in the text; the score is the share of that weight that one passage of the text
//! holds, and falls where a number differs or where what the passage affirms is denied. The cost is that a
//! paraphrase without a shared word or concept is missed; the gain is that each point can be shown.

use std::collections::HashMap;

use attending_datasets::case::{RubricItem, RubricKind};

use crate::assertion::Status;
use crate::lexicon::{ConceptId, KeyMap, Lexicon};
use crate::reading::Reading;
use crate::scored::{Check, Objective, Outcome, Span};
use crate::text::{Kind, hash_word};

/// Score from which an item counts as met.
pub const MET: f64 = 0.6;
/// Sentences that a passage spans, at most.
const PASSAGE: usize = 2;
/// What a passage keeps of its score where its polarity is the opposite.
const OPPOSED: f64 = 0.35;
/// What a passage keeps where a number of the statement is not in it.
const OTHER_NUMBER: f64 = 0.7;
/// Share of an element that a broader or narrower concept earns.
const KINDRED: f64 = 0.7;
/// Share of an element that counts where it stands in the text, but not in the passage.
const ELSEWHERE: f64 = 0.35;

/// Words that say nothing on their own.
const EMPTY: &str = "a an the of to in is are was were be been being am and or but if then than also only such very into \
    about over under between during both all any some other others each per more most less least many much few your you i \
    we our my me us nor too just for from by on at as this that these those it its he his him she her they their them \
    there here which who what when where while because since so therefore has have had having do does did doing done can \
    could may might would should will must shall with within one patient patients include includes included including use \
    used using usually often commonly common typically called known e.g i.e eg ie etc however although even still up out \
    off down after before yes ok okay um uh well like really quite got get gets getting getting's mean know think see said \
    says say hello hi thank thanks please doctor right sure";

/// Words that turn what they stand with.
const NEGATORS: &str = "no not never none nothing nobody denies denied deny without cannot can't don't doesn't didn't isn't \
    aren't wasn't weren't hasn't haven't hadn't won't wouldn't shouldn't avoid nope nah nil neither nor negative unlikely absent";

fn listed(words: &str) -> KeyMap<u64, ()> {
    words.split_whitespace().map(|word| (hash_word(word), ())).collect()
}

/// The stem of a word: folded, British spelling and endings removed. Two words of one family mostly share it.
pub fn stem(word: &str) -> u64 {
    let mut stem = word.to_lowercase().replace('\u{2019}', "'");
    for (british, american) in
        [("oea", "ea"), ("oed", "ed"), ("aem", "em"), ("oes", "es"), ("isation", "ization"), ("our", "or")]
    {
        if stem.contains(british) {
            stem = stem.replace(british, american);
        }
    }
    const ENDINGS: [&str; 20] = [
        "'s", "izations", "ization", "ations", "ation", "ically", "ings", "ing", "ments", "ment", "edly", "ied", "ies",
        "ed", "es", "ers", "er", "ly", "s", "y",
    ];
    if let Some(ending) = ENDINGS.iter().find(|ending| stem.ends_with(**ending) && stem.len() - ending.len() >= 4) {
        stem.truncate(stem.len() - ending.len());
    } else if stem.len() > 3 && stem.ends_with('s') && !stem.ends_with("ss") {
        stem.pop();
    }
    if stem.len() > 4 && stem.ends_with(['e', 'i']) {
        stem.pop();
    }
    hash_word(&stem)
}

/// One sentence, ready for matching.
#[derive(Debug, Default)]
struct Unit {
    span: Span,
    /// Stems of its content words, with whether each stands in a negated stretch.
    stems: KeyMap<u64, bool>,
    /// Its concepts with their status.
    concepts: Vec<(ConceptId, Status)>,
    numbers: Vec<u64>,
    question: bool,
    /// What a short answer to a question makes of it.
    answer: Option<bool>,
}

/// A text that statements are looked up in, read once for all of them.
#[derive(Debug)]
pub struct Passages {
    units: Vec<Unit>,
    frequency: KeyMap<u64, u32>,
}

/// What was found for a statement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// How much of the statement the best passage makes, in [0, 1].
    pub score: f64,
    /// Whether the passage denies what the statement affirms, or the other way round.
    pub opposed: bool,
    /// The passage's bytes.
    pub span: Option<Span>,
}

/// A reader of texts and statements.
#[derive(Debug)]
pub struct Reader<'a> {
    lexicon: &'a Lexicon,
    empty: KeyMap<u64, ()>,
    negators: KeyMap<u64, ()>,
}

impl<'a> Reader<'a> {
    /// A reader with a lexicon.
    pub fn new(lexicon: &'a Lexicon) -> Reader<'a> {
        Reader { lexicon, empty: listed(EMPTY), negators: listed(NEGATORS) }
    }

    fn units(&self, text: &str) -> Vec<Unit> {
        let reading = Reading::new(text, self.lexicon);
        let mut units: Vec<Unit> = Vec::with_capacity(reading.sentences.len());
        for (index, sentence) in reading.sentences.iter().enumerate() {
            let mut unit = Unit { span: sentence.span, ..Unit::default() };
            let tokens = &reading.tokens[sentence.tokens.clone()];
            // "An extra dose should not be taken" denies what stands before its verb too.
            let denied = tokens
                .windows(2)
                .any(|pair| self.negators.contains_key(&pair[0].hash) && pair[1].text(text).eq_ignore_ascii_case("be"));
            let mut negated = denied;
            for token in tokens {
                match token.kind {
                    Kind::Mark => {
                        unit.question |= token.is_mark('?');
                        // A negation reaches to the next clause.
                        negated &= !(token.is_mark(';') || token.is_mark(':'));
                    }
                    Kind::Number => unit.numbers.push(token.hash),
                    Kind::Word => {
                        let word = token.text(text);
                        if self.negators.contains_key(&token.hash) {
                            negated = true;
                        } else if word.eq_ignore_ascii_case("but") {
                            negated = false;
                        } else if let Some(number) = spelled(word) {
                            unit.numbers.push(hash_word(number));
                        } else if !self.empty.contains_key(&token.hash) {
                            *unit.stems.entry(stem(word)).or_insert(true) &= negated;
                        }
                    }
                }
            }
            let status = |status| if denied && status == Status::Present { Status::Absent } else { status };
            let mentions = reading.mentions_of(index).iter();
            unit.concepts = mentions.map(|mention| (mention.concept, status(mention.status))).collect();
            units.push(unit);
        }
        // A question is answered by what follows it: "Any fever?" "No."
        for at in 0..units.len() {
            if units[at].question {
                let next = units[at + 1..].iter().take(3).find(|unit| !unit.question);
                units[at].answer = next.and_then(|unit| opening(&text[unit.span[0]..unit.span[1]]));
            }
        }
        units
    }

    /// Reads a text.
    pub fn passages(&self, text: &str) -> Passages {
        let units = self.units(text);
        let mut frequency: KeyMap<u64, u32> = KeyMap::default();
        for stem in units.iter().flat_map(|unit| unit.stems.keys()) {
            *frequency.entry(*stem).or_default() += 1;
        }
        Passages { units, frequency }
    }

    /// Looks a statement up.
    pub fn find(&self, statement: &str, passages: &Passages) -> Found {
        let own = self.units(statement);
        let mut elements: HashMap<u64, (f64, bool)> = HashMap::new();
        let count = passages.units.len() as f64;
        for (stem, negated) in own.iter().flat_map(|unit| &unit.stems) {
            let frequency = f64::from(passages.frequency.get(stem).copied().unwrap_or(0));
            let weight = (1.0 + (count + 1.0) / (1.0 + frequency)).ln();
            elements.insert(*stem, (weight, *negated));
        }
        let concepts: Vec<(ConceptId, Status)> = own.iter().flat_map(|unit| unit.concepts.iter().copied()).collect();
        let numbers: Vec<u64> = own.iter().flat_map(|unit| unit.numbers.iter().copied()).collect();
        let mut elements: Vec<(u64, f64, bool)> = elements.into_iter().map(|(stem, (w, n))| (stem, w, n)).collect();
        elements.sort_by_key(|(stem, ..)| *stem);
        let rare = (2.0 + count).ln();
        let whole: f64 = elements.iter().map(|(_, weight, _)| weight).sum::<f64>() + rare * concepts.len() as f64;
        let mut best = Found { score: 0.0, opposed: false, span: None };
        if whole == 0.0 {
            return best;
        }
        let elsewhere: f64 =
            elements.iter().filter(|(stem, ..)| passages.frequency.contains_key(stem)).map(|(_, w, _)| w).sum();
        for from in 0..passages.units.len() {
            for to in from + 1..=(from + PASSAGE).min(passages.units.len()) {
                let found =
                    self.compare(&passages.units[from..to], &elements, &concepts, &numbers, (rare, whole, elsewhere));
                if found.score > best.score {
                    best = found;
                }
            }
        }
        best
    }

    fn compare(
        &self,
        passage: &[Unit],
        elements: &[(u64, f64, bool)],
        concepts: &[(ConceptId, Status)],
        numbers: &[u64],
        (rare, whole, elsewhere): (f64, f64, f64),
    ) -> Found {
        let (mut held, mut same, mut opposite) = (0.0, 0.0, 0.0);
        let mut words = 0.0;
        for &(stem, weight, negated) in elements {
            let units = passage.iter().filter_map(|unit| Some((unit, *unit.stems.get(&stem)?)));
            let Some((unit, there)) = units.max_by_key(|(unit, _)| unit.answer.is_some()) else { continue };
            held += weight;
            words += weight;
            let there = unit.answer.map_or(there, |yes| !yes);
            *(if there == negated { &mut same } else { &mut opposite }) += weight;
        }
        held += ELSEWHERE * (elsewhere - words).max(0.0);
        for &(concept, status) in concepts {
            let known = passage.iter().flat_map(|unit| unit.concepts.iter().map(move |(id, s)| (*id, *s, unit.answer)));
            let matching = known.filter_map(|(id, s, answer)| {
                let degree = match () {
                    () if id == concept => 1.0,
                    () if self.lexicon.is_a(id, concept) || self.lexicon.is_a(concept, id) => KINDRED,
                    () => return None,
                };
                let absent = answer.map_or(s == Status::Absent, |yes| !yes);
                Some((degree, absent))
            });
            let Some((degree, absent)) = matching.max_by(|a, b| a.0.total_cmp(&b.0)) else { continue };
            held += degree * rare;
            let agrees = absent == (status == Status::Absent);
            *(if agrees { &mut same } else { &mut opposite }) += 2.0 * degree * rare;
        }
        let opposed = opposite > same;
        let mut score: f64 = held / whole;
        let missing = numbers.iter().filter(|number| !passage.iter().any(|unit| unit.numbers.contains(number))).count();
        if missing > 0 {
            score *= 1.0 - (1.0 - OTHER_NUMBER) * missing as f64 / numbers.len() as f64;
        }
        if opposed {
            score *= OPPOSED;
        }
        let span = match (passage.first(), passage.last()) {
            (Some(first), Some(last)) => Some([first.span[0], last.span[1]]),
            _ => None,
        };
        Found { score: score.clamp(0.0, 1.0), opposed, span }
    }
}

/// What a reply that opens with these words makes of the question before it.
fn opening(reply: &str) -> Option<bool> {
    let reply = reply.split_once(": ").map_or(reply, |(_, said)| said);
    let words = reply.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty());
    for word in words.take(4) {
        match word.to_ascii_lowercase().as_str() {
            "no" | "nope" | "nah" | "not" | "none" | "never" | "nothing" => return Some(false),
            "yes" | "yeah" | "yep" | "yup" | "correct" | "definitely" => return Some(true),
            "um" | "uh" | "so" | "well" | "oh" | "ah" | "er" | "okay" => {}
            _ => return None,
        }
    }
    None
}

/// Numbers up to twelve in words.
fn spelled(word: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 12] = [
        ("two", "2"),
        ("three", "3"),
        ("four", "4"),
        ("five", "5"),
        ("six", "6"),
        ("seven", "7"),
        ("eight", "8"),
        ("nine", "9"),
        ("ten", "10"),
        ("eleven", "11"),
        ("twelve", "12"),
        ("twenty", "20"),
    ];
    WORDS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, digits)| *digits)
}

/// Makes one check an item: covered, missing, or contradicted (a negative item that is met is contradicted).
pub fn check(items: &[RubricItem], text: &str, lexicon: &Lexicon, out: &mut Vec<Check>) {
    let reader = Reader::new(lexicon);
    let passages = reader.passages(text);
    for item in items {
        let found = reader.find(&item.text, &passages);
        let met = found.score >= MET && !found.opposed;
        let negative = item.kind == RubricKind::Negative || item.points < 0.0;
        let (rule, share) = match item.kind {
            _ if negative => ("item_negative", 1.0),
            RubricKind::Must => ("item_must", 1.0),
            RubricKind::Nice => ("item_nice", NICE),
            RubricKind::Negative | RubricKind::Criterion => ("item_criterion", 1.0),
        };
        let outcome = match (met, negative) {
            (true, false) => Outcome::Covered,
            (true, true) => Outcome::Contradicted,
            (false, true) => Outcome::Exempt,
            (false, false) if found.opposed => Outcome::Contradicted,
            (false, false) => Outcome::Missing,
        };
        out.push(Check {
            objective: Objective::Comprehensiveness,
            rule: rule.into(),
            outcome,
            weight: share * item.points.abs(),
            response: found.span.filter(|_| outcome != Outcome::Missing),
            field: None,
            evidence: Vec::new(),
            note: format!("{}: {:.2} of it in one passage", item.id, found.score),
        });
    }
}

/// What a nice-to-have item counts beside a must-have one.
const NICE: f64 = 0.5;

/// The value from its checks: the points earned, less those of negative items, over the points that can be had; `None`
/// where no item can earn.
pub fn value(checks: &[Check]) -> Option<f64> {
    let (mut earned, mut whole) = (0.0, 0.0);
    for check in checks.iter().filter(|check| check.rule.starts_with("item_")) {
        match (check.rule.as_ref(), check.outcome) {
            ("item_negative", Outcome::Contradicted) => earned -= check.weight,
            ("item_negative", _) => {}
            (_, outcome) => {
                whole += check.weight;
                earned += if outcome == Outcome::Covered { check.weight } else { 0.0 };
            }
        }
    }
    (whole > 0.0).then(|| (earned / whole).clamp(0.0, 1.0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn found(statement: &str, text: &str) -> Found {
        let lexicon = Lexicon::built_in();
        let reader = Reader::new(&lexicon);
        reader.find(statement, &reader.passages(text))
    }

    #[test]
    fn word_families_and_spelling_are_one() {
        for (a, b) in [
            ("vomiting", "vomited"),
            ("diarrhoea", "diarrhea"),
            ("haematuria", "hematuria"),
            ("medications", "medication"),
            ("doses", "dose"),
            ("sneezing", "sneeze"),
            ("tablets", "Tablet"),
            ("colour", "color"),
            ("infections", "infection"),
        ] {
            assert_eq!(stem(a), stem(b), "{a} {b}");
        }
        for (a, b) in [("fever", "favor"), ("headache", "heart"), ("gas", "gad")] {
            assert_ne!(stem(a), stem(b), "{a} {b}");
        }
    }

    /// Each row: a statement, a text, whether it is met there.
    #[test]
    fn statements_are_met_by_content_quantity_and_polarity() {
        let rows = [
            ("The patient vomited.", "He started vomiting on Monday. He also has a cough.", true),
            ("The patient vomited.", "He has a cough and a fever.", false),
            ("No fever.", "Doctor: Any fever?\nPatient: No, nothing like that.", true),
            ("He has a fever.", "Doctor: Any fever?\nPatient: No, nothing like that.", false),
            ("He has a fever.", "Doctor: Any fever?\nPatient: Yeah, since Monday.", true),
            ("No chest pain.", "She reports chest pain on exertion.", false),
            ("An extra dose of Saxenda should not be taken.", "Do not take an extra dose of Saxenda.", true),
            ("Tablets are taken twice a day.", "", false),
        ];
        for (statement, text, met) in rows {
            let found = found(statement, text);
            assert_eq!(found.score >= MET && !found.opposed, met, "{statement} | {text}: {found:?}");
        }
        let dose = |n: &str| found("Take 600 mg of ibuprofen", &format!("Take {n} mg of ibuprofen.")).score;
        assert!(dose("600") > dose("200"));
    }

    /// must 1 of 2 points, nice 0.5 of 0.5, one negative met: (1 + 0.5 - 1) / 2.5 = 0.2.
    #[test]
    fn the_value_by_hand() {
        let item = |id: &str, text: &str, points, kind| RubricItem {
            id: id.to_owned(),
            text: text.to_owned(),
            points,
            kind,
            extra: Default::default(),
        };
        let items = [
            item("1", "Ivermectin is taken by mouth", 1.0, RubricKind::Must),
            item("2", "Bedding is washed in hot water", 1.0, RubricKind::Must),
            item("3", "Permethrin cream is an alternative", 1.0, RubricKind::Nice),
            item("4", "Antibiotics cure scabies", -1.0, RubricKind::Criterion),
        ];
        let text = "Ivermectin is taken by mouth. Permethrin cream is an alternative. Antibiotics cure scabies.";
        let mut checks = Vec::new();
        check(&items, text, &Lexicon::built_in(), &mut checks);
        assert_eq!(
            checks.iter().map(|c| c.outcome).collect::<Vec<_>>(),
            [Outcome::Covered, Outcome::Missing, Outcome::Covered, Outcome::Contradicted]
        );
        assert!((value(&checks).unwrap() - 0.2).abs() < 1e-12);
        assert_eq!(value(&[]), None);
    }
}
