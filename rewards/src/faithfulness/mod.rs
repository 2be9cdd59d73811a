//! Faithfulness: does every checkable claim of the response stand in the evidence?
//!
//! Over distinct claims, S supported, U unsupported, C contradicted, V unverified:
//! `(S + 0.25 V) / (S + U + 2 C + V + max(0, m - n))` with n = S + V and m the claims that are asked for.
//! Saying nothing checkable is thus not free, and repeating a claim adds nothing.
//!
//! In two things this is not the formula of the design. A claim that fails answers for none of those asked for: counted
//! in n, an invented finding cost one published completion in ten nothing. And an
//! argument in the response's own words counts as one unverified claim where fewer than m are made: without it one right
//! completion in fifteen earned no more than gibberish, and no further error could cost it anything.
//!
//! Where an answer is to be reasoned for, the whole is multiplied by the share of own prose (the module `prose`): findings
//! that are pasted, put into a template or listed stand in the evidence, too, but no reasoning was faithful to it.
//!
//! The rules: [`values`] and [`arithmetic`] for numbers, [`findings`] for what the patient has, [`frame`] for who, where
//! and when, [`quotation`], [`citation`], [`agreement`] of reasoning and answer; [`study`] in place of the patient's
//! rules where the evidence is a paper's.

mod agreement;
mod arithmetic;
mod citation;
mod findings;
mod frame;
mod lay;
mod quotation;
mod study;
mod values;

use crate::claims::Clause;
use crate::evidence::{EvidenceIndex, Place};
use crate::lexicon::{ConceptId, KeyMap, Lexicon};
use crate::parsed::Parsed;
use crate::scored::{Check, EvidenceSpan, Objective, Outcome, Span};
use crate::text::Words;

/// Claims that are asked for, at most.
const ASKED: usize = 3;
/// Share of exempt sentences above which twice as many claims are asked for.
const EXEMPT_SHARE: f64 = 0.6;
/// What an unverified claim earns.
const UNVERIFIED: f64 = 0.25;

/// Sentences and quotations of a response that are matched with those of the evidence, at most.
const MATCHED: usize = 2000;

static PRONOUNS: Words = Words::new("it they this these the");

/// The score from its checks.
pub fn score(checks: &[Check]) -> f64 {
    let (mut s, mut u, mut c, mut v, mut silent, mut own) = (0.0, 0.0, 0.0, 0.0, 0.0, 1.0);
    for check in checks.iter().filter(|check| check.objective == Objective::Faithfulness) {
        match check.outcome {
            Outcome::Supported => s += check.weight,
            Outcome::Unsupported => u += check.weight,
            Outcome::Contradicted => c += check.weight,
            Outcome::Unverified => v += check.weight,
            Outcome::Missing => silent += check.weight,
            Outcome::Repeated => own *= check.weight,
            _ => {}
        }
    }
    let whole = s + u + 2.0 * c + v + silent;
    if whole == 0.0 { 0.0 } else { own * (s + UNVERIFIED * v) / whole }
}

/// Makes the checks of a response. `chosen` are the keys of its answer.
pub fn check(response: &Parsed, evidence: &EvidenceIndex, chosen: &[String], lexicon: &Lexicon, out: &mut Vec<Check>) {
    let mut claims = Claims { response, evidence, lexicon, seen: KeyMap::default(), stand: 0.0, matched: 0, out };
    let quoted = quotation::check(&mut claims);
    let count = response.reading.sentences.len();
    let (mut exempt, mut foreign_before) = (0, false);
    for sentence in 0..count {
        let foreign = citation::check(&mut claims, sentence) || (foreign_before && claims.goes_on(sentence));
        foreign_before = foreign;
        if evidence.is_study() {
            exempt += i32::from(!study::check(&mut claims, sentence, foreign));
            continue;
        }
        // What another document tells of is no claim about this patient.
        if !foreign {
            frame::check(&mut claims, sentence);
        }
        if foreign || response.clauses_of(sentence).iter().all(|clause| clause.general) {
            exempt += 1;
            continue;
        }
        arithmetic::check(&mut claims, sentence);
        for quantity in response.reading.quantities_of(sentence) {
            if claims.is_claimed(sentence, quantity.tokens.start) && !within(&quoted, quantity.span) {
                values::check(&mut claims, sentence, quantity);
            }
        }
        for mention in response.reading.mentions_of(sentence) {
            if claims.is_claimed(sentence, mention.tokens.start) && !within(&quoted, mention.span) {
                findings::check(&mut claims, mention);
            }
        }
    }
    let n = claims.stand;
    let mut asked = evidence.asked(ASKED) as f64;
    if f64::from(exempt) > EXEMPT_SHARE * count as f64 {
        asked *= 2.0;
    }
    let prose = response.prose(evidence);
    let argument = prose.argument().min(asked - n);
    if argument > 0.0 {
        let note = "an argument of its own beside what can be checked".to_owned();
        out.push(make("argument", Outcome::Unverified, argument, None, Vec::new(), note));
    }
    let answered = n + argument.max(0.0);
    if answered < asked {
        let note = format!("{n} claims that may stand of {asked} asked for");
        out.push(make("claims", Outcome::Missing, asked - answered, None, Vec::new(), note));
    }
    if evidence.asks_for_choice() && prose.factor() < 1.0 {
        out.push(make("prose", Outcome::Repeated, prose.factor(), None, Vec::new(), prose.note()));
    }
    agreement::check(response, evidence, chosen, lexicon, out);
}

/// Whether a quotation covers the span: what is quoted is checked as such. Quotations stand in order, apart from each
/// other, so that only the first that ends behind the span can.
fn within(quoted: &[Span], span: Span) -> bool {
    let next = quoted.partition_point(|quote| quote[1] < span[1]);
    quoted.get(next).is_some_and(|quote| quote[0] <= span[0])
}

fn make(
    rule: &'static str,
    outcome: Outcome,
    weight: f64,
    response: Option<Span>,
    evidence: Vec<EvidenceSpan>,
    note: String,
) -> Check {
    Check {
        objective: Objective::Faithfulness,
        rule: rule.into(),
        outcome,
        weight,
        response,
        field: None,
        evidence,
        note,
    }
}

/// What makes two claims one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Concept(ConceptId, bool),
    Value(u32, u64),
    /// Anything else, by a hash of the rule and what it is about.
    Other(u64),
}

impl Key {
    fn hash(self) -> u64 {
        match self {
            Key::Concept(id, affirmed) => u64::from(id.0) << 1 | u64::from(affirmed),
            Key::Value(subject, bits) => bits.rotate_left(17) ^ (u64::from(subject) << 33) ^ 1 << 63,
            Key::Other(hash) => hash ^ 1 << 62,
        }
    }
}

/// The claims of a response as they are checked.
struct Claims<'a> {
    response: &'a Parsed<'a>,
    evidence: &'a EvidenceIndex,
    lexicon: &'a Lexicon,
    seen: KeyMap<u64, ()>,
    /// The weight of claims that are not refuted: supported or unverified.
    stand: f64,
    /// Sentences matched with the evidence's so far.
    matched: usize,
    out: &'a mut Vec<Check>,
}

impl Claims<'_> {
    /// Whether a claim is made for the first time; it is made then.
    fn first(&mut self, key: Key) -> bool {
        self.seen.insert(key.hash(), ()).is_none()
    }

    /// Whether a claim was made before.
    fn made(&self, key: Key) -> bool {
        self.seen.contains_key(&key.hash())
    }

    /// Adds a claim, resting on at most two places of the evidence.
    fn push(&mut self, rule: &'static str, outcome: Outcome, weight: f64, span: Span, places: &[Place], note: String) {
        if matches!(outcome, Outcome::Supported | Outcome::Unverified) {
            self.stand += weight;
        }
        self.out.push(make(rule, outcome, weight, Some(span), self.spans(places), note));
    }

    /// Adds what can lose but never earn: it counts among the claims only where it failed.
    fn lose(&mut self, rule: &'static str, outcome: Outcome, span: Span, places: &[Place], note: String) {
        let failed = matches!(outcome, Outcome::Unsupported | Outcome::Contradicted);
        let weight = if failed { 1.0 } else { 0.0 };
        self.push(rule, outcome, weight, span, places, note);
    }

    /// Whether one more sentence may be matched: what responses of any length cost stays bounded.
    fn may_match(&mut self) -> bool {
        self.matched += 1;
        self.matched <= MATCHED
    }

    /// Whether a sentence goes on about what the one before it spoke of: "It shows ...".
    fn goes_on(&self, sentence: usize) -> bool {
        let tokens = &self.response.reading.tokens[self.response.reading.sentences[sentence].tokens.clone()];
        tokens.first().is_some_and(|token| PRONOUNS.has(token.hash))
    }

    fn spans(&self, places: &[Place]) -> Vec<EvidenceSpan> {
        places.iter().take(2).map(|place| self.evidence.span(*place)).collect()
    }

    fn clause(&self, sentence: usize, token: usize) -> Option<&Clause> {
        self.response.clauses_of(sentence).iter().find(|clause| clause.tokens.contains(&token))
    }

    /// Whether a token stands in a clause about the patient.
    fn is_claimed(&self, sentence: usize, token: usize) -> bool {
        self.clause(sentence, token).is_some_and(|clause| !clause.general)
    }

    fn text(&self, span: Span) -> &str {
        self.response.text.get(span[0]..span[1]).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(outcomes: &[(Outcome, f64)]) -> Vec<Check> {
        let check = |(outcome, weight): &(Outcome, f64)| make("r", *outcome, *weight, None, Vec::new(), String::new());
        outcomes.iter().map(check).collect()
    }

    /// By hand: 2 supported, 1 unsupported, 1 contradicted, 2 unverified, 1 silent: (2 + 0.5) / (2 + 1 + 2 + 2 + 1).
    #[test]
    fn the_formula() {
        use Outcome::{Contradicted, Exempt, Missing, Supported, Unsupported, Unverified};
        let all = checks(&[
            (Supported, 2.0),
            (Unsupported, 1.0),
            (Contradicted, 1.0),
            (Unverified, 2.0),
            (Missing, 1.0),
            (Exempt, 5.0),
        ]);
        assert_eq!(score(&all), 2.5 / 8.0);
        let own = checks(&[(Supported, 2.0), (Missing, 2.0), (Outcome::Repeated, 0.5)]);
        assert_eq!(score(&own), 0.25, "half of the prose that honest reasoning has");
        assert_eq!(score(&checks(&[(Unverified, 4.0)])), 0.25);
        assert_eq!(score(&[]), 0.0);
    }
}
