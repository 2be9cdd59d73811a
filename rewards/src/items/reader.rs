//! Statements, and the passages of a text that may make them.

use crate::lexicon::{ConceptId, KeyMap, Lexicon};
use crate::reading::Reading;
use crate::scored::Span;
use crate::text::{Kind, Token};

use super::grams::{Grams, distinct};
use super::numeral::numeral;
use super::wording::Wording;

/// Sentences that a passage spans, at most.
const PASSAGE: usize = 3;
/// What each further sentence of a passage leaves of its score.
const SPREAD: f64 = 0.97;
/// What a passage keeps of its score where its polarity is the opposite.
const OPPOSED: f64 = 0.35;
/// Share of a statement that a passage must hold before its polarity is compared: what is about something else denies
/// nothing.
const ABOUT: f64 = 0.5;
/// Passages that hold nearly as much as the best are judged too; the best score counts.
const NEARLY: f64 = 0.9;
/// What a passage keeps where none of the statement's numbers is in it.
const OTHER_NUMBER: f64 = 0.7;
/// Share of an element that a broader or narrower concept earns.
const KINDRED: f64 = 0.7;
/// Share of an element that counts where it stands in the text, but not in the passage.
const ELSEWHERE: f64 = 0.6;
/// Share of an element that a question earns which is not answered by yes or no; it neither affirms nor denies.
const ASKED: f64 = 0.5;
/// The least weight of a concept beside the weight of a word that the text does not have.
const CONCEPT: f64 = 0.7;
/// The weight of an element, at most: a long name is one thing.
const HEAVIEST: f64 = 2.0;
/// What a word of any talk weighs beside others.
const LIGHT: f64 = 0.4;
/// What an element loses that all statements of a rubric share, and one that the question holds: the topic tells none of
/// them.
const SHARED: f64 = 0.9;
const IN_QUESTION: f64 = 0.5;
/// What runs of letters count in a score beside the elements. From 0.3 to 0.5 the tuning halves of K-QA and PriMock57
/// tell no difference.
const LETTERS: f64 = 0.3;
/// Sentences within which a question is answered.
const REPLY: usize = 3;
/// Statements from which on what they share is a topic.
const SIBLINGS: usize = 3;

/// One sentence, ready for matching.
#[derive(Debug, Default)]
struct Unit {
    span: Span,
    /// Families of its content words, with whether each is denied wherever it stands.
    words: KeyMap<u64, bool>,
    /// Its concepts, with whether each is denied.
    concepts: Vec<(ConceptId, bool)>,
    /// Its numbers, by their bits.
    numbers: Vec<u64>,
    question: bool,
    /// What a short answer to a question makes of it.
    answer: Option<bool>,
}

/// What a statement is made of: a concept of the lexicon with the words of its name, or a word.
#[derive(Debug)]
struct Element {
    concept: Option<ConceptId>,
    words: Vec<u64>,
    denied: bool,
}

impl Element {
    /// The same for all wordings of a concept.
    fn key(&self) -> u64 {
        match self.concept {
            Some(concept) => 1 << 63 | u64::from(concept.0),
            None => self.words.first().copied().unwrap_or(0),
        }
    }
}

/// How much of an element a sentence holds, and whether it denies it: an open question does neither.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    degree: f64,
    denied: Option<bool>,
}

/// A text that statements are looked up in, read once for all of them.
#[derive(Debug)]
pub struct Passages {
    units: Vec<Unit>,
    frequency: KeyMap<u64, u32>,
    grams: Grams,
}

/// What the statements of a rubric have in common: it tells none of them from the others.
#[derive(Debug, Default)]
pub struct Topic {
    statements: usize,
    shared: KeyMap<u64, u32>,
    question: KeyMap<u64, ()>,
    /// The same of runs of letters.
    shared_runs: KeyMap<u64, u32>,
    question_runs: KeyMap<u64, ()>,
}

impl Topic {
    /// What of a weight is left where `others` of the statements have the same, or the question has it.
    fn left(&self, shared: Option<&u32>, asked: bool) -> f64 {
        let mut left = 1.0;
        if self.statements >= SIBLINGS {
            let others = shared.map_or(0.0, |count| f64::from(count - 1));
            left *= 1.0 - SHARED * others / (self.statements - 1) as f64;
        }
        if asked {
            left *= 1.0 - IN_QUESTION;
        }
        left
    }

    fn left_of_run(&self, run: u64) -> f64 {
        self.left(self.shared_runs.get(&run), self.question_runs.contains_key(&run))
    }
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
    /// How many things the statement says: its concepts and other content words.
    pub elements: usize,
}

/// A reader of texts and statements.
#[derive(Debug)]
pub struct Reader<'a> {
    lexicon: &'a Lexicon,
    wording: &'static Wording,
}

impl<'a> Reader<'a> {
    /// A reader with a lexicon.
    pub fn new(lexicon: &'a Lexicon) -> Reader<'a> {
        Reader { lexicon, wording: Wording::built_in() }
    }

    /// Reads a text.
    pub fn passages(&self, text: &str) -> Passages {
        let (mut units, _) = self.read(text);
        // A question is answered by what follows it: "Any fever?" "No."
        for at in 0..units.len() {
            if units[at].question {
                let next = units[at + 1..].iter().take(REPLY).find(|unit| !unit.question);
                units[at].answer = next.and_then(|unit| opening(&text[unit.span[0]..unit.span[1]]));
            }
        }
        let mut frequency: KeyMap<u64, u32> = KeyMap::default();
        for family in units.iter().flat_map(|unit| unit.words.keys()) {
            *frequency.entry(*family).or_default() += 1;
        }
        let grams = Grams::new(units.iter().map(|unit| &text[unit.span[0]..unit.span[1]]));
        Passages { units, frequency, grams }
    }

    /// What the statements of one rubric, and the question that they answer, have in common.
    pub fn topic<'t>(&self, question: &str, statements: impl IntoIterator<Item = &'t str>) -> Topic {
        let asked = self.read(question).0.into_iter().flat_map(|unit| unit.words);
        let mut topic = Topic {
            question: asked.map(|(word, _)| (word, ())).collect(),
            question_runs: distinct(question),
            ..Topic::default()
        };
        for statement in statements {
            topic.statements += 1;
            for element in self.read(statement).1 {
                *topic.shared.entry(element.key()).or_default() += 1;
            }
            for run in distinct(statement).into_keys() {
                *topic.shared_runs.entry(run).or_default() += 1;
            }
        }
        topic
    }

    /// Looks a statement up.
    pub fn find(&self, statement: &str, passages: &Passages) -> Found {
        self.find_within(statement, passages, &Topic::default())
    }

    /// Looks a statement up that is one of several; what the topic holds counts little.
    pub fn find_within(&self, statement: &str, passages: &Passages, topic: &Topic) -> Found {
        let (units, elements) = self.read(statement);
        let numbers: Vec<u64> = units.into_iter().flat_map(|unit| unit.numbers).collect();
        let weights: Vec<f64> = elements.iter().map(|element| self.weight(element, passages, topic)).collect();
        let whole: f64 = weights.iter().sum();
        let count = elements.len();
        let mut best = Found { score: 0.0, opposed: false, span: None, elements: count };
        if whole <= 0.0 {
            return best;
        }
        // Of each sentence and element.
        let held: Vec<Vec<Held>> = passages
            .units
            .iter()
            .map(|unit| elements.iter().map(|element| self.holds(unit, element, passages)).collect())
            .collect();
        let anywhere: Vec<f64> =
            (0..count).map(|at| held.iter().map(|unit| unit[at].degree).fold(0.0, f64::max)).collect();
        let mut judged: Vec<(f64, Found)> = Vec::new();
        for from in 0..passages.units.len() {
            for to in from + 1..=(from + PASSAGE).min(passages.units.len()) {
                let (mut inside, mut outside, mut same, mut opposite) = (0.0, 0.0, 0.0, 0.0);
                for (at, element) in elements.iter().enumerate() {
                    let here = held[from..to].iter().map(|unit| unit[at]);
                    let Held { degree, denied } =
                        here.fold(Held::default(), |best, other| if other.degree > best.degree { other } else { best });
                    inside += weights[at] * degree;
                    outside += weights[at] * (anywhere[at] - degree);
                    let told = weights[at] * degree * if element.concept.is_some() { 2.0 } else { 1.0 };
                    match denied {
                        Some(denied) if denied == element.denied => same += told,
                        Some(_) => opposite += told,
                        None => {}
                    }
                }
                if inside <= 0.0 {
                    continue;
                }
                let spread = SPREAD.powi((to - from - 1) as i32);
                let opposed = opposite > same && inside >= ABOUT * whole;
                let mut score = (inside + ELSEWHERE * outside) / whole * spread;
                let has = |number: &&u64| passages.units[from..to].iter().any(|unit| unit.numbers.contains(number));
                if !numbers.is_empty() {
                    let missing = 1.0 - numbers.iter().filter(has).count() as f64 / numbers.len() as f64;
                    score *= 1.0 - (1.0 - OTHER_NUMBER) * missing;
                }
                if opposed {
                    score *= OPPOSED;
                }
                let span = Some([passages.units[from].span[0], passages.units[to - 1].span[1]]);
                judged.push((inside * spread, Found { score: score.clamp(0.0, 1.0), opposed, span, elements: count }));
            }
        }
        let most = judged.iter().map(|(inside, _)| *inside).fold(0.0, f64::max);
        for (_, found) in judged.iter().filter(|(inside, _)| *inside >= NEARLY * most) {
            if found.score > best.score {
                best = *found;
            }
        }
        // Letters know no denial: what the elements say of it holds for them too.
        let letters = passages.grams.held(statement, |run| topic.left_of_run(run)).best(PASSAGE, SPREAD);
        let letters = if best.opposed { OPPOSED * letters } else { letters };
        best.score = (1.0 - LETTERS) * best.score + LETTERS * letters;
        best
    }

    /// What one word of the statement weighs: more the fewer sentences of the text have it.
    fn rarity(&self, word: u64, passages: &Passages) -> f64 {
        let frequency = f64::from(passages.frequency.get(&word).copied().unwrap_or(0));
        let rarity = (1.0 + (passages.units.len() as f64 + 1.0) / (1.0 + frequency)).ln();
        if self.wording.is_light(word) { LIGHT * rarity } else { rarity }
    }

    fn weight(&self, element: &Element, passages: &Passages, topic: &Topic) -> f64 {
        let mut weight: f64 = element.words.iter().map(|word| self.rarity(*word, passages)).sum();
        if element.words.is_empty() {
            weight = 1.0;
        }
        if element.concept.is_some() && !element.words.iter().all(|word| self.wording.is_light(*word)) {
            weight = weight.max(CONCEPT * (2.0 + passages.units.len() as f64).ln());
        }
        let asked = !element.words.is_empty() && element.words.iter().all(|word| topic.question.contains_key(word));
        weight.min(HEAVIEST) * topic.left(topic.shared.get(&element.key()), asked)
    }

    /// How much of an element a sentence holds.
    fn holds(&self, unit: &Unit, element: &Element, passages: &Passages) -> Held {
        let mut best = Held::default();
        let mut take = |degree: f64, denied: bool| {
            if degree > best.degree {
                best = Held { degree, denied: Some(unit.answer.map_or(denied, |yes| !yes)) };
            }
        };
        if let Some(concept) = element.concept {
            for &(id, denied) in &unit.concepts {
                if id == concept {
                    take(1.0, denied);
                } else if self.lexicon.is_a(id, concept) || self.lexicon.is_a(concept, id) {
                    take(KINDRED, denied);
                }
            }
        }
        let known = || element.words.iter().filter_map(|word| Some((*word, *unit.words.get(word)?)));
        let there: f64 = known().map(|(word, _)| self.rarity(word, passages)).sum();
        if there > 0.0 {
            let all: f64 = element.words.iter().map(|word| self.rarity(*word, passages)).sum();
            take(there / all, known().all(|(_, denied)| denied));
        }
        if unit.question && unit.answer.is_none() {
            best = Held { degree: ASKED * best.degree, denied: None };
        }
        best
    }

    /// The sentences of a text, and its elements, once each.
    fn read(&self, text: &str) -> (Vec<Unit>, Vec<Element>) {
        let reading = Reading::new(text, self.lexicon);
        let mut units = Vec::with_capacity(reading.sentences.len());
        let mut elements: Vec<Element> = Vec::new();
        let mut known: KeyMap<u64, ()> = KeyMap::default();
        for index in 0..reading.sentences.len() {
            let mut own = Vec::new();
            units.push(self.unit(text, &reading, index, &mut own));
            elements.extend(own.into_iter().filter(|element| known.insert(element.key(), ()).is_none()));
        }
        (units, elements)
    }

    fn unit(&self, text: &str, reading: &Reading, index: usize, elements: &mut Vec<Element>) -> Unit {
        let sentence = &reading.sentences[index];
        let mut unit = Unit { span: sentence.span, ..Unit::default() };
        let start = sentence.tokens.start + label(text, &reading.tokens[sentence.tokens.clone()]);
        let tokens = &reading.tokens[..sentence.tokens.end];
        // "An extra dose should not be taken" denies what stands before its verb too.
        let passive = tokens[start..]
            .windows(2)
            .any(|pair| self.wording.denies(pair[0].hash) && pair[1].text(text).eq_ignore_ascii_case("be"));
        let mut mentions = reading.mentions_of(index).iter().filter(|mention| mention.tokens.start >= start).peekable();
        let mut denied = passive;
        let mut named: Option<(usize, Element)> = None;
        let mut at = start;
        while at < tokens.len() {
            let token = &tokens[at];
            if named.as_ref().is_some_and(|(end, _)| *end <= at) {
                elements.extend(named.take().map(|(_, element)| element));
            }
            if named.is_none()
                && let Some(mention) = mentions.next_if(|mention| mention.tokens.start <= at)
                && mention.tokens.end > at
            {
                let absent = denied || is_non(text, tokens, at);
                unit.concepts.push((mention.concept, absent));
                let element = Element { concept: Some(mention.concept), words: Vec::new(), denied: absent };
                named = Some((mention.tokens.end, element));
            }
            let number = numeral(text, tokens, at);
            if let Some((value, _)) = number {
                unit.numbers.push(value.to_bits());
            }
            if let (Some((_, end)), None) = (number, &named) {
                at = end;
                continue;
            }
            at += 1;
            if token.kind != Kind::Word {
                unit.question |= token.is_mark('?');
                // A denial reaches to the next clause.
                denied &= !(token.is_mark(';') || token.is_mark(':'));
                continue;
            }
            denied &= !self.wording.turns(token.hash);
            if self.wording.denies(token.hash) && named.is_none() {
                denied = true;
            }
            if self.wording.is_empty(token.hash) || token.text(text).starts_with(|c: char| c.is_ascii_digit()) {
                continue;
            }
            let word = self.wording.family(token.text(text));
            let absent = denied || is_non(text, tokens, at - 1);
            *unit.words.entry(word).or_insert(true) &= absent;
            match &mut named {
                Some((_, element)) => element.words.push(word),
                None => elements.push(Element { concept: None, words: vec![word], denied: absent }),
            }
        }
        elements.extend(named.map(|(_, element)| element));
        unit
    }
}

/// Whether "non-" stands before a token: "non-smoker".
fn is_non(text: &str, tokens: &[Token], at: usize) -> bool {
    let mut before = tokens[..at].iter().rev().skip_while(|token| token.is_mark('-'));
    before.next().is_some_and(|token| token.text(text).eq_ignore_ascii_case("non"))
}

/// How many tokens name the speaker of a line: "Doctor: ...".
fn label(text: &str, tokens: &[Token]) -> usize {
    const SPEAKERS: [&str; 6] = ["doctor", "patient", "clinician", "family", "guest", "nurse"];
    let speaks = tokens.first().is_some_and(|token| SPEAKERS.iter().any(|s| token.text(text).eq_ignore_ascii_case(s)));
    let colon = tokens.iter().take(4).position(|token| token.is_mark(':'));
    if speaks { colon.map_or(0, |at| at + 1) } else { 0 }
}

/// What a reply that opens with these words makes of the question before it.
fn opening(reply: &str) -> Option<bool> {
    let reply = reply.split_once(": ").map_or(reply, |(_, said)| said);
    let words =
        reply.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '\u{2019}').filter(|word| !word.is_empty());
    for word in words.take(5) {
        match word.to_ascii_lowercase().replace('\u{2019}', "'").as_str() {
            "no" | "nope" | "nah" | "not" | "none" | "never" | "nothing" | "nil" | "negative" | "don't" | "haven't"
            | "didn't" | "isn't" | "wasn't" | "hasn't" | "can't" | "doesn't" => return Some(false),
            "yes" | "yeah" | "yep" | "yup" | "yah" | "ya" | "correct" | "definitely" | "mhm" | "sure"
            | "absolutely" | "exactly" | "right" | "indeed" | "do" | "have" | "did" | "am" | "does" | "is" => {
                return Some(true);
            }
            "um" | "uh" | "so" | "well" | "oh" | "ohh" | "ah" | "er" | "erm" | "okay" | "ok" | "hmm" | "like"
            | "think" | "i" | "it" | "he" | "she" | "that" => {}
            _ => return None,
        }
    }
    None
}
