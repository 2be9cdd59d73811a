//! Sentences as statements: their content words, and what they say happened to the outcome. A sentence of a response is
//! matched with the one of the evidence that says most of the same, and their results are compared.
//!
//! This is what papers and citations are judged by, where no patient's findings can be.

use std::sync::OnceLock;

use crate::lexicon::KeyMap;
use crate::reading::Reading;
use crate::text::{Kind, Token, hash_word, head};

/// What a sentence says of its outcome, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found(u8);

impl Found {
    /// More, higher, longer.
    pub const UP: Found = Found(1);
    /// Less, lower, shorter.
    pub const DOWN: Found = Found(2);
    /// Improved, better.
    pub const BETTER: Found = Found(4);
    /// Worsened, worse.
    pub const WORSE: Found = Found(8);
    /// A difference, an association, an effect.
    pub const EFFECT: Found = Found(16);
    /// None of these: "no difference", "not associated", "similar".
    pub const NONE: Found = Found(32);

    fn with(self, other: Found) -> Found {
        Found(self.0 | other.0)
    }

    /// Whether two sentences that state one result each state opposite ones.
    pub fn opposes(self, other: Found) -> bool {
        let positive = Found(31);
        let pair = |a: Found, b: Found| (self == a && other == b) || (self == b && other == a);
        let some = |found: Found| found.0 != 0 && found.0 & !positive.0 == 0;
        pair(Found::UP, Found::DOWN)
            || pair(Found::BETTER, Found::WORSE)
            || (self == Found::NONE && some(other))
            || (other == Found::NONE && some(self))
    }

    /// Whether anything is stated.
    pub fn any(self) -> bool {
        self.0 != 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A word that carries no content.
    Stop,
    Result(Found),
    Negation,
    Similar,
}

/// Letters of a word that stand for its family.
const STEM: usize = 6;
/// Words between a negation and the result that it negates.
const REACH: usize = 4;

const STOPPED: &str = "a an the of to in is are was were be been being and or but not no with without for from by on at as \
    that these those this it its he she his her him they them their there which who what when where while because since \
    so therefore than then thus also only if such has have had do does did can could may might would will should must \
    very most more less both all any some other due after before during including about into over between however \
    document documents study studies stated states state suggest suggests suggesting found finding findings show shows \
    showed shown indicates indicate indicating reported report reports provided relevant evidence information mention \
    mentions mentioned conclude concludes concluded based given according answer option question among within using";

fn roles() -> &'static KeyMap<u64, Role> {
    static ROLES: OnceLock<KeyMap<u64, Role>> = OnceLock::new();
    ROLES.get_or_init(|| {
        let mut roles = KeyMap::default();
        let mut add = |words: &str, role: Role| {
            for word in words.split_whitespace() {
                roles.entry(stem(word)).or_insert(role);
            }
        };
        add("not no without neither nor never lack failed fails cannot insufficient", Role::Negation);
        add("increase higher greater elevated raised rise rose longer larger gain gained superior exceeded", Role::Result(Found::UP));
        add("decrease lower fewer reduce reduction decline fell shorter smaller drop dropped inferior", Role::Result(Found::DOWN));
        add("improve improvement better benefit beneficial", Role::Result(Found::BETTER));
        add("worse worsen worsening deteriorated harmful", Role::Result(Found::WORSE));
        add(
            "differ difference different associated correlated correlation predict predictor predictive effect effective \
             effect influence influenced significant significantly affected affects linked relationship related",
            Role::Result(Found::EFFECT),
        );
        add("similar comparable equivalent unchanged nonsignificant insignificant equal identical", Role::Similar);
        add(STOPPED, Role::Stop);
        roles
    })
}

fn stem(word: &str) -> u64 {
    hash_word(head(word, STEM))
}

fn role(text: &str, token: &Token) -> (u64, Option<Role>) {
    let stem = stem(token.text(text));
    (stem, roles().get(&stem).copied())
}

/// The content of a sentence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statement {
    /// Stems of its content words, sorted, once each; words of results are not among them.
    pub words: Vec<u64>,
    /// What it states.
    pub found: Found,
    /// Whether a comparison turns on "than": which side is named first then matters.
    pub compares: bool,
}

impl Statement {
    /// Reads a sentence.
    pub fn new(text: &str, reading: &Reading, sentence: usize) -> Statement {
        let mut statement = Statement::default();
        let mut negated_at = None;
        let mut counted = 0_usize;
        for token in &reading.tokens[reading.sentences[sentence].tokens.clone()] {
            if token.kind == Kind::Mark {
                // A clause ends what a negation reaches.
                if token.is_mark(',') || token.is_mark(';') {
                    negated_at = None;
                }
                continue;
            }
            counted += 1;
            if token.kind == Kind::Number {
                continue;
            }
            let (stem, role) = role(text, token);
            let negated = negated_at.is_some_and(|at| counted - at <= REACH);
            match role {
                Some(Role::Negation) => negated_at = Some(counted),
                Some(Role::Result(_)) if negated => {
                    statement.found = statement.found.with(Found::NONE);
                    // "not significantly different": one negation, several words of the result.
                    negated_at = Some(counted);
                }
                Some(Role::Result(found)) => statement.found = statement.found.with(found),
                Some(Role::Similar) => statement.found = statement.found.with(Found::NONE),
                Some(Role::Stop) => statement.compares |= token.text(text) == "than",
                None if token.end - token.start >= 3 => statement.words.push(stem),
                None => {}
            }
        }
        // "Significantly" beside a direction says nothing of its own.
        if statement.found.0 & (Found::UP.0 | Found::DOWN.0 | Found::BETTER.0 | Found::WORSE.0) != 0 {
            statement.found = Found(statement.found.0 & !Found::EFFECT.0);
        }
        statement.words.sort_unstable();
        statement.words.dedup();
        statement
    }
}

/// A sentence of the evidence.
#[derive(Debug)]
pub struct Known {
    /// Its content.
    pub statement: Statement,
    /// Index of its document.
    pub document: u32,
    /// Its bytes.
    pub span: [u32; 2],
}

/// All sentences of a case's evidence, found by their words.
#[derive(Debug, Default)]
pub struct Statements {
    all: Vec<Known>,
    postings: KeyMap<u64, Vec<u32>>,
}

/// The best match of a statement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// Index of the sentence.
    pub index: usize,
    /// Share of the statement's words, weighted by their rarity in the evidence, that the sentence has.
    pub share: f64,
}

impl Statements {
    /// Adds the sentences of a document.
    pub fn add(&mut self, document: u32, text: &str, reading: &Reading) {
        for (index, sentence) in reading.sentences.iter().enumerate() {
            let statement = Statement::new(text, reading, index);
            if statement.words.is_empty() {
                continue;
            }
            let number = self.all.len() as u32;
            for &word in &statement.words {
                self.postings.entry(word).or_default().push(number);
            }
            let span = [sentence.span[0] as u32, sentence.span[1] as u32];
            self.all.push(Known { statement, document, span });
        }
    }

    /// A sentence.
    pub fn get(&self, index: usize) -> &Known {
        &self.all[index]
    }

    /// How many of them state a result, counted up to `most`.
    pub fn results(&self, most: usize) -> usize {
        self.all.iter().filter(|known| known.statement.found.any()).take(most).count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The sentence that says most of what `statement` says, of one document or of all; the first of equals.
    pub fn best(&self, statement: &Statement, document: Option<u32>) -> Option<Best> {
        let count = self.all.len() as f64;
        let mut shares: KeyMap<u64, f64> = KeyMap::default();
        let mut whole = 0.0;
        for word in &statement.words {
            let postings = self.postings.get(word).map_or(&[][..], Vec::as_slice);
            let weight = 1.0 + ((count + 1.0) / (postings.len() as f64 + 1.0)).ln();
            whole += weight;
            // A word of most sentences tells none of them.
            if postings.len() > COMMON && postings.len() * 2 > self.all.len() {
                continue;
            }
            for &number in postings {
                if document.is_none_or(|document| self.all[number as usize].document == document) {
                    *shares.entry(u64::from(number)).or_default() += weight;
                }
            }
        }
        let better = |a: &(&u64, &f64), b: &(&u64, &f64)| a.1.total_cmp(b.1).then(b.0.cmp(a.0));
        let (index, share) = shares.iter().max_by(better)?;
        Some(Best { index: *index as usize, share: share / whole })
    }
}

/// Sentences beyond which a word of more than half of them is passed over.
const COMMON: usize = 64;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::lexicon::Lexicon;

    fn found(text: &str) -> Found {
        Statement::new(text, &Reading::new(text, &Lexicon::built_in()), 0).found
    }

    #[test]
    fn results() {
        assert_eq!(found("Mortality was significantly higher in the treated group."), Found::UP);
        assert_eq!(found("Treatment reduced the length of stay."), Found::DOWN);
        assert_eq!(found("There was no significant difference in pain."), Found::NONE);
        assert_eq!(found("Pain did not differ between the groups."), Found::NONE);
        assert_eq!(found("Smoking was associated with relapse."), Found::EFFECT);
        assert_eq!(found("Scores were similar in both arms."), Found::NONE);
        assert!(found("It increased.").opposes(found("It decreased.")));
        assert!(found("It did not increase.").opposes(found("It increased.")));
        assert!(!found("It increased.").opposes(found("It increased but pain decreased.")));
    }

    #[test]
    fn the_best_sentence() {
        let lexicon = Lexicon::built_in();
        let text = "Patients received heparin. Bleeding occurred more often with warfarin. Costs were lower.";
        let mut statements = Statements::default();
        statements.add(0, text, &Reading::new(text, &lexicon));
        let query = "Warfarin caused more bleeding.";
        let best = statements.best(&Statement::new(query, &Reading::new(query, &lexicon), 0), None).unwrap();
        assert_eq!(best.index, 1);
        assert!(best.share > 0.6, "{}", best.share);
    }
}
