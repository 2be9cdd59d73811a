//! A case's evidence, indexed once and shared by all of its responses.

mod computed;
mod copies;
mod fact;
mod person;
mod salience;
mod study;
mod value;
mod wording;

use std::borrow::Cow;

use attending_datasets::Case;

use crate::assertion::Status;
use crate::frame::{self, Ordered, SexNoun, Side};
use crate::lexicon::{ConceptId, Cues, KeyMap, Lexicon, MeasureId, Person, Sex};
use crate::options::Options;
use crate::quantity::{Dimension, Quantity, Subject};
use crate::reading::Reading;
use crate::scored::{EvidenceSpan, Span};
use crate::statement::Statements;
use crate::text::{Kind, Words, hash_word, head, tokenize};

use copies::Copies;
pub use fact::{Fact, Item, Place, Salient};
pub use person::sex_of;
use person::{age_of, sex_by_age};
pub use study::{Cited, Labels};
pub use value::{Value, canonical, years};
use wording::{asks_for_exception, is_denied_whole};

/// Share of a limit around it in which words and numbers may part ("hypotension" at 95 mm Hg) without contradiction.
const GREY: f64 = 0.15;

/// Measures that vary little have a narrower grey zone (temperature, saturation, pH), enzymes a wider one.
fn grey(dimension: Dimension) -> f64 {
    match dimension {
        Dimension::Temperature | Dimension::Percent | Dimension::Number => 0.1,
        // So do those of many concentrations, and what a reader calls high depends on the risk (LDL cholesterol).
        Dimension::MassConcentration => 1.7,
        // Ranges of enzymes differ from laboratory to laboratory.
        Dimension::Activity => 2.7,
        _ => 1.0,
    }
}

/// Places that are kept of one number: a "1" stands everywhere.
const MOST_PLACES: usize = 16;

/// The evidence of one case.
#[derive(Debug, Default)]
pub struct EvidenceIndex {
    /// Document ids, as spans name them. The question's is a literal, which checks share without a copy.
    pub documents: Vec<Cow<'static, str>>,
    /// The case's options.
    pub options: Options,
    /// Salient findings, most salient first.
    pub salient: Vec<Salient>,
    /// Where each item stands in `salient`, by its key.
    ranks: KeyMap<u64, usize>,
    /// The patient's sex, where stated.
    pub sex: Option<Sex>,
    /// The patient's age in years, where stated.
    pub age: Option<f64>,
    /// Concepts that the patient has or had, under their own id and all broader ones.
    affirmed: KeyMap<u32, Vec<Fact>>,
    /// Concepts that the patient has not, under their own id.
    denied: KeyMap<u32, Vec<Fact>>,
    /// Concepts that are named otherwise: possible, of the family, general.
    named: KeyMap<u32, Vec<Fact>>,
    values: KeyMap<u32, Vec<Value>>,
    ages: Vec<Value>,
    durations: Vec<Value>,
    others: Vec<(Dimension, Value)>,
    /// Stems of all words, for word families.
    stems: KeyMap<u64, ()>,
    /// Every printed number, by its bits.
    numbers: KeyMap<u64, Vec<Place>>,
    /// Sides of body sites.
    sides: KeyMap<u64, Vec<(Side, Place)>>,
    /// Events in their order.
    orders: Vec<(Ordered, Place)>,
    /// Whether a person of either sex is named anywhere: female, male.
    sexes: [bool; 2],
    /// The same by a noun such as "woman"; the nouns with an age.
    nouns: [bool; 2],
    aged: Vec<(u64, Sex)>,
    /// Whether "left" and "right" stand anywhere.
    side_words: [bool; 2],
    /// Whether the evidence is a study's, not a patient's.
    study: bool,
    /// The documents' sentences, where responses are matched with them.
    statements: Statements,
    /// How citations name the documents.
    labels: Labels,
    /// Whether the question asks for what does not fit: "EXCEPT", "least likely", "should be avoided".
    reversed: bool,
    /// Whether the answer is what does not hold ([`crate::answer::is_negative`]).
    negative: bool,
    /// Hashes of all tokens of each document, for quotations.
    tokens: Vec<Vec<u64>>,
    /// Its runs of words and the options', for what is taken over.
    copies: Copies,
}

impl EvidenceIndex {
    /// Indexes the documents of a case, and its question.
    pub fn new(case: &Case, lexicon: &Lexicon) -> EvidenceIndex {
        let mut index = EvidenceIndex { options: Options::new(case, lexicon), ..EvidenceIndex::default() };
        let documents = case.context.iter().map(|document| document.text.as_str());
        let texts: Vec<&str> = documents.chain([case.question.as_str()]).collect();
        let readings: Vec<Reading> = texts.iter().map(|text| Reading::new(text, lexicon)).collect();
        let ids = case.context.iter().map(|document| Cow::Owned(document.id.clone()));
        index.documents = ids.chain([Cow::Borrowed("question")]).collect();
        // "A mother brings her 5-year-old boy": the noun with the age is the patient's.
        index.sex = readings.iter().find_map(sex_by_age).or_else(|| readings.iter().find_map(sex_of));
        index.age = readings.iter().find_map(age_of);
        index.labels = Labels::new(case);
        index.reversed = asks_for_exception(&case.question);
        index.negative = crate::answer::is_negative(&case.question);
        index.study = study::is_study(&case.context, &readings[..case.context.len()]);
        for (document, (reading, text)) in readings.iter().zip(&texts).enumerate() {
            index.add(document as u32, text, reading, lexicon);
        }
        for option in &case.options {
            index.copies.add(&tokenize(&option.text));
        }
        index.rank(lexicon);
        index
    }

    fn add(&mut self, document: u32, text: &str, reading: &Reading, lexicon: &Lexicon) {
        let place = |span: Span| Place { document, span: [span[0] as u32, span[1] as u32] };
        for token in &reading.tokens {
            if token.kind == Kind::Word {
                self.stems.insert(stem(token.text(text)), ());
                self.side_words[0] |= LEFT.has(token.hash);
                self.side_words[1] |= RIGHT.has(token.hash);
            }
        }
        for mention in &reading.mentions {
            let fact = Fact {
                concept: mention.concept,
                status: mention.status,
                place: place(mention.span),
                derived: false,
                clear: mention.status != Status::Absent || is_denied_whole(reading, mention),
            };
            self.state(mention.concept, fact, lexicon);
        }
        for quantity in reading.quantities.iter().filter(|quantity| !quantity.target) {
            self.measure(quantity, place(quantity.span), lexicon);
        }
        for quantity in &reading.quantities {
            self.print(quantity.value, place(quantity.span));
        }
        for token in reading.tokens.iter().filter(|token| token.kind == Kind::Number) {
            if let Ok(value) = token.text(text).replace(',', "").parse::<f64>() {
                self.print(value, place(token.span()));
            }
        }
        for cue in &reading.cues {
            self.sexes[0] |= cue.value.has(Cues::FEMALE);
            self.sexes[1] |= cue.value.has(Cues::MALE);
        }
        for sentence in 0..reading.sentences.len() {
            for noun in frame::sex_nouns(reading, sentence) {
                self.nouns[usize::from(noun.sex == Sex::Male)] = true;
                self.aged.extend(noun.age.map(|age| (age, noun.sex)));
            }
            for sided in frame::sided(text, reading, sentence) {
                let place = place(reading.span(&(sided.token..sided.end)));
                self.sides.entry(sided.site).or_default().push((sided.side, place));
            }
            for ordered in frame::ordered(text, reading, sentence, lexicon) {
                let place = place(reading.span(&(ordered.tokens[0]..ordered.tokens[1])));
                self.orders.push((ordered, place));
            }
        }
        self.copies.add(&reading.tokens);
        let words: Vec<u64> = reading.tokens.iter().filter(|t| t.kind != Kind::Mark).map(|t| t.hash).collect();
        self.tokens.push(words);
        // The question of a study is no statement; a patient's story stands in it.
        let is_question = document as usize + 1 == self.documents.len();
        if self.documents.len() > 1 && !is_question {
            self.statements.add(document, text, reading);
        }
    }

    fn state(&mut self, concept: ConceptId, fact: Fact, lexicon: &Lexicon) {
        match fact.status {
            Status::Present | Status::Historical => {
                self.affirmed.entry(concept.0).or_default().push(fact);
                for ancestor in &lexicon.concept(concept).ancestors {
                    self.affirmed.entry(ancestor.0).or_default().push(fact);
                }
            }
            Status::Absent => self.denied.entry(concept.0).or_default().push(fact),
            _ => self.named.entry(concept.0).or_default().push(fact),
        }
    }

    fn measure(&mut self, quantity: &Quantity, place: Place, lexicon: &Lexicon) {
        let value = |value: f64, high: Option<f64>, precision: f64| Value {
            value,
            high,
            precision,
            printed: quantity.value,
            unit: quantity.unit.is_some(),
            place,
        };
        match quantity.subject {
            Subject::Measure(id) => {
                let measure = lexicon.measure(id);
                let Some((converted, high, precision)) = canonical(quantity, id, lexicon) else { return };
                self.values.entry(id.0).or_default().push(value(converted, high, precision));
                let abnormal = self.abnormal(id, converted, lexicon);
                for threshold in &measure.thresholds {
                    let met = abnormal.contains(&threshold.finding);
                    let status = if met { Status::Present } else { Status::Absent };
                    // Where the limit of this age and that of adults part, words may follow either.
                    let general = measure.findings(converted, self.sex).any(|finding| finding == threshold.finding);
                    let far = (converted - threshold.limit).abs()
                        > GREY * grey(measure.unit.dimension) * threshold.limit.abs();
                    let clear = far && met == general;
                    let fact = Fact { concept: threshold.finding, status, place, derived: true, clear };
                    self.state(threshold.finding, fact, lexicon);
                }
                // What is a finding at this age alone.
                let own = |finding: &&ConceptId| !measure.thresholds.iter().any(|t| t.finding == **finding);
                for &finding in abnormal.iter().filter(own) {
                    let fact = Fact { concept: finding, status: Status::Present, place, derived: true, clear: false };
                    self.state(finding, fact, lexicon);
                }
            }
            Subject::Age => self.ages.push(value(years(quantity), None, quantity.precision)),
            Subject::Duration => {
                let factor = quantity.unit.map_or(1.0, |unit| unit.factor);
                let high = quantity.high.map(|high| high * factor);
                self.durations.push(value(quantity.value * factor, high, quantity.precision * factor));
            }
            Subject::Other => {
                let Some(unit) = quantity.unit else { return };
                let base = quantity.value * unit.factor + unit.offset;
                let high = quantity.high.map(|high| high * unit.factor + unit.offset);
                self.others.push((unit.dimension, value(base, high, quantity.precision * unit.factor)));
            }
        }
    }

    /// Whom the evidence is about, as limits of values need it.
    pub fn person(&self) -> Person {
        Person { sex: self.sex, age: self.age }
    }

    /// The findings that a value (in the measure's unit) is in this patient, by sex and age.
    pub fn abnormal(&self, measure: MeasureId, value: f64, lexicon: &Lexicon) -> Vec<ConceptId> {
        lexicon.findings(measure, value, self.person())
    }

    /// What affirms a concept: facts about it or about a kind of it.
    pub fn affirmed(&self, concept: ConceptId) -> &[Fact] {
        self.affirmed.get(&concept.0).map_or(&[], Vec::as_slice)
    }

    /// What denies a concept: facts about it or about what it is a kind of.
    pub fn denied<'a>(&'a self, concept: ConceptId, lexicon: &'a Lexicon) -> impl Iterator<Item = &'a Fact> {
        let all = std::iter::once(concept).chain(lexicon.concept(concept).ancestors.iter().copied());
        all.filter_map(|id| self.denied.get(&id.0)).flatten()
    }

    /// Where a concept is named as possible, in the family, or in general.
    pub fn named(&self, concept: ConceptId) -> &[Fact] {
        self.named.get(&concept.0).map_or(&[], Vec::as_slice)
    }

    /// The values of a measure.
    pub fn values(&self, measure: MeasureId) -> &[Value] {
        self.values.get(&measure.0).map_or(&[], Vec::as_slice)
    }

    /// Stated ages, in years.
    pub fn ages(&self) -> &[Value] {
        &self.ages
    }

    /// Stated durations, in days.
    pub fn durations(&self) -> &[Value] {
        &self.durations
    }

    /// Values of that dimension that no measure claims, in its base.
    pub fn others(&self, dimension: Dimension) -> impl Iterator<Item = &Value> {
        self.others.iter().filter(move |(other, _)| *other == dimension).map(|(_, value)| value)
    }

    fn print(&mut self, value: f64, place: Place) {
        let known = self.numbers.entry(value.to_bits()).or_default();
        if known.len() < MOST_PLACES {
            known.push(place);
        }
    }

    /// Where a number is printed first, whatever it measures.
    pub fn number(&self, value: f64) -> Option<Place> {
        self.numbers(value).first().copied()
    }

    /// Where a number is printed, the first places of many.
    pub fn numbers(&self, value: f64) -> &[Place] {
        self.numbers.get(&value.to_bits()).map_or(&[], Vec::as_slice)
    }

    /// The sides that the evidence gives a body site.
    pub fn sides(&self, site: u64) -> &[(Side, Place)] {
        self.sides.get(&site).map_or(&[], Vec::as_slice)
    }

    /// Where two events stand in that order.
    pub fn ordered(&self, first: ConceptId, then: ConceptId) -> Option<Place> {
        self.orders.iter().find(|(order, _)| order.first == first && order.then == then).map(|(_, place)| *place)
    }

    /// Whether anyone of that sex is named.
    pub fn names_sex(&self, sex: Sex) -> bool {
        self.sexes[usize::from(sex == Sex::Male)]
    }

    /// Whether a noun names someone other than the evidence does: who is of that age is of the other sex, or no one of any
    /// age, and without an age no one at all, is of this sex.
    pub fn mistakes_sex(&self, noun: &SexNoun) -> bool {
        let same = self.aged.iter().filter(|(age, _)| Some(*age) == noun.age);
        match noun.age {
            Some(_) if same.clone().next().is_some() => same.clone().all(|(_, sex)| *sex != noun.sex),
            Some(_) => self.sex.is_some_and(|sex| sex != noun.sex) && self.aged.iter().all(|(_, sex)| *sex != noun.sex),
            None => self.sex.is_some_and(|sex| sex != noun.sex) && !self.nouns[usize::from(noun.sex == Sex::Male)],
        }
    }

    /// Whether the word for a side stands anywhere.
    pub fn names_side(&self, side: Side) -> bool {
        match side {
            Side::Left => self.side_words[0],
            Side::Right => self.side_words[1],
            Side::Both => true,
        }
    }

    /// Whether the question asks for the option that does not fit, so that rejecting it is choosing it.
    pub fn is_reversed(&self) -> bool {
        self.reversed
    }

    /// Whether the question asks for what does not hold ([`crate::answer::is_negative`]).
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Whether an option is to be chosen, and reasoned for; a summary or a calculation is judged by its facts alone.
    pub fn asks_for_choice(&self) -> bool {
        self.options.all.len() >= 2
    }

    /// Whether the evidence is a study's.
    pub fn is_study(&self) -> bool {
        self.study
    }

    /// The sentences of the documents.
    pub fn statements(&self) -> &Statements {
        &self.statements
    }

    /// How citations name the documents.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Hashes of the words and numbers of each document, the question last.
    pub fn tokens(&self) -> &[Vec<u64>] {
        &self.tokens
    }

    /// Whether each token of a response is taken over from the evidence or the options, in a run of words.
    pub fn copied(&self, reading: &Reading) -> Vec<bool> {
        self.copies.tokens(reading)
    }

    /// Claims that are asked for, at most `most`: the salient findings, of a study its sentences that state results.
    pub fn asked(&self, most: usize) -> usize {
        if self.study { self.statements.results(most) } else { self.clinical().min(most) }
    }

    /// Whether every longer word of `text` has its word family in the evidence, words that tell nothing left out.
    pub fn has_words(&self, text: &str) -> bool {
        let telling = |word: &&str| word.len() > 3 && !TELLS_NOTHING.spells(hash_word(word), word);
        let mut words = text.split(|c: char| !c.is_alphanumeric()).filter(telling).peekable();
        words.peek().is_some() && words.all(|word| self.has_word(word))
    }

    /// Whether a word of the same family stands in the evidence.
    pub fn has_word(&self, word: &str) -> bool {
        self.stems.contains_key(&stem(word))
    }

    /// Whether faithfulness can be judged: a document, or at least two salient findings in the question.
    pub fn has_evidence(&self) -> bool {
        self.documents.len() > 1 || self.clinical() >= 2
    }

    /// Whether faithfulness is scored: there is evidence, and something in it to be faithful to.
    pub fn is_judged(&self) -> bool {
        self.has_evidence() && (self.study || !self.salient.is_empty())
    }

    /// Where an item stands in `salient`.
    pub(crate) fn rank_of(&self, item: Item) -> Option<usize> {
        self.ranks.get(&item.key()).copied()
    }

    /// Salient findings other than age, sex and course.
    pub fn clinical(&self) -> usize {
        self.salient.iter().filter(|s| matches!(s.item, Item::Concept(..) | Item::Measure(_) | Item::Normal(_))).count()
    }

    /// A place as records name it.
    pub fn span(&self, place: Place) -> EvidenceSpan {
        EvidenceSpan {
            document: self.documents.get(place.document as usize).cloned().unwrap_or_default(),
            span: [place.span[0] as usize, place.span[1] as usize],
        }
    }
}

static LEFT: Words = Words::new("left");
static RIGHT: Words = Words::new("right");

/// Words of names that say nothing of what is named.
static TELLS_NOTHING: Words = Words::new(
    "elevated increased decreased reduced high with from level levels acute chronic severe mild sign \
    signs positive recent prior history loss change changes disease syndrome difficulty abnormal altered \
    impaired impairment symptoms symptom",
);

/// Letters of a word that stand for its family: "warm" and "warmth" share their first four.
const STEM: usize = 4;

fn stem(word: &str) -> u64 {
    hash_word(head(word, STEM))
}
