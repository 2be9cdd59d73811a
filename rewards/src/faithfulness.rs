//! Faithfulness: does every checkable claim of the response stand in the evidence?
//!
//! Over distinct claims, S supported, U unsupported, C contradicted, V unverified:
//! `(S + 0.25 V) / (S + U + 2 C + V + max(0, m - n))` with n = S + U + C + V and m the claims that are asked for.
//! Saying nothing checkable is thus not free, and repeating a claim adds nothing.

use crate::assertion::Status;
use crate::claims::Clause;
use crate::evidence::{EvidenceIndex, Fact, Value, canonical, years};
use crate::lexicon::{ConceptId, KeyMap, Kind, Lexicon};
use crate::parsed::Parsed;
use crate::quantity::{Dimension, Quantity, Subject};
use crate::reading::Mention;
use crate::scored::{Check, EvidenceSpan, Objective, Outcome, Span};

/// Claims that are asked for, at most.
const ASKED: usize = 3;
/// Share of exempt sentences above which twice as many claims are asked for.
const EXEMPT_SHARE: f64 = 0.6;
/// What an unverified claim earns.
const UNVERIFIED: f64 = 0.25;

/// The score from its checks.
pub fn score(checks: &[Check]) -> f64 {
    let (mut s, mut u, mut c, mut v, mut silent) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for check in checks.iter().filter(|check| check.objective == Objective::Faithfulness) {
        match check.outcome {
            Outcome::Supported => s += check.weight,
            Outcome::Unsupported => u += check.weight,
            Outcome::Contradicted => c += check.weight,
            Outcome::Unverified => v += check.weight,
            Outcome::Missing => silent += check.weight,
            _ => {}
        }
    }
    let whole = s + u + 2.0 * c + v + silent;
    if whole == 0.0 { 0.0 } else { (s + UNVERIFIED * v) / whole }
}

/// A claimed value, its upper end, and half a unit of its last digit.
type Stated = (f64, Option<f64>, f64);

/// What makes two claims one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Concept(ConceptId, bool),
    Value(u32, u64),
}

/// Makes the checks of a response. `chosen` are the keys of its answer.
pub fn check(response: &Parsed, evidence: &EvidenceIndex, chosen: &[String], lexicon: &Lexicon, out: &mut Vec<Check>) {
    let mut claims = Claims { response, evidence, lexicon, seen: KeyMap::default(), total: 0.0, out };
    let mut exempt = 0;
    for sentence in 0..response.reading.sentences.len() {
        let clauses = &response.clauses[sentence];
        if clauses.iter().all(|clause| clause.general) {
            exempt += 1;
            continue;
        }
        for quantity in response.reading.quantities_of(sentence) {
            if claimed(clauses, quantity.tokens.start) {
                claims.quantity(quantity);
            }
        }
        for mention in response.reading.mentions_of(sentence) {
            if claimed(clauses, mention.tokens.start) {
                claims.mention(mention);
            }
        }
    }
    let n = claims.total;
    let mut asked = evidence.clinical().min(ASKED) as f64;
    if response.reading.sentences.len() >= 3
        && f64::from(exempt) > EXEMPT_SHARE * response.reading.sentences.len() as f64
    {
        asked *= 2.0;
    }
    if n < asked {
        let note = format!("{n} checkable claims of {asked} asked for");
        out.push(make("claims", Outcome::Missing, asked - n, None, Vec::new(), note));
    }
    agreement(response, evidence, chosen, lexicon, out);
}

fn claimed(clauses: &[Clause], token: usize) -> bool {
    clauses.iter().any(|clause| clause.tokens.contains(&token) && !clause.general)
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

struct Claims<'a> {
    response: &'a Parsed<'a>,
    evidence: &'a EvidenceIndex,
    lexicon: &'a Lexicon,
    seen: KeyMap<u64, ()>,
    total: f64,
    out: &'a mut Vec<Check>,
}

impl Claims<'_> {
    /// Whether a claim is made for the first time.
    fn first(&mut self, key: Key) -> bool {
        let hash = match key {
            Key::Concept(id, affirmed) => u64::from(id.0) << 1 | u64::from(affirmed),
            Key::Value(subject, bits) => bits.rotate_left(17) ^ (u64::from(subject) << 33) ^ 1 << 63,
        };
        self.seen.insert(hash, ()).is_none()
    }

    fn push(&mut self, rule: &'static str, outcome: Outcome, weight: f64, span: Span, places: &[Fact], note: String) {
        let evidence = places.iter().take(2).map(|fact| self.evidence.span(fact.place)).collect();
        self.total += weight;
        self.out.push(make(rule, outcome, weight, Some(span), evidence, note));
    }

    fn quantity(&mut self, quantity: &Quantity) {
        if quantity.target || quantity.value.is_nan() || self.response.is_option(quantity.tokens.start) {
            return;
        }
        let (subject, name, value, values): (u32, &str, Stated, Vec<Value>) = match quantity.subject {
            Subject::Measure(id) => {
                let Some(value) = canonical(quantity, id, self.lexicon) else { return };
                (id.0, self.lexicon.measure(id).name.as_str(), value, self.evidence.values(id).to_vec())
            }
            Subject::Age => {
                (u32::MAX, "age", (years(quantity), None, quantity.precision), self.evidence.ages().to_vec())
            }
            Subject::Duration => {
                let factor = quantity.unit.map_or(1.0, |unit| unit.factor);
                let value = (quantity.value * factor, quantity.high.map(|h| h * factor), quantity.precision * factor);
                (u32::MAX - 1, "duration", value, self.evidence.durations().to_vec())
            }
            Subject::Other => {
                let Some(unit) = quantity.unit else { return };
                let base = |value: f64| value * unit.factor + unit.offset;
                let value = (base(quantity.value), quantity.high.map(base), quantity.precision * unit.factor);
                let values = self.evidence.others(unit.dimension).copied().collect();
                (u32::MAX - 2 - unit.dimension as u32, "value", value, values)
            }
        };
        let found = values.iter().find(|known| same(known, value, quantity));
        // Times of plans and rules ("within 4 hours", "repeat in 3 months") are no claims; a number of an option is
        // quotable.
        let history = match quantity.subject {
            Subject::Duration => quantity.past,
            // Doses, volumes and shares that no measure claims are plans or rates as often as findings.
            Subject::Other => !quantity.unit.is_some_and(|unit| {
                matches!(unit.dimension, Dimension::Mass | Dimension::Volume | Dimension::Flow | Dimension::Percent)
            }),
            Subject::Measure(_) | Subject::Age => true,
        };
        if found.is_none() && (!history || self.evidence.options.has_number(quantity.value)) {
            return;
        }
        if !self.first(Key::Value(subject, value.0.to_bits())) {
            return;
        }
        let printed = &self.response.text[quantity.span[0]..quantity.span[1]];
        if let Some(known) = found {
            let place =
                Fact { concept: ConceptId(0), status: Status::Present, place: known.place, derived: true, clear: true };
            self.push("quantity", Outcome::Supported, 1.0, quantity.span, &[place], format!("{name} {printed}"));
            return;
        }
        // A measure that the evidence gives other values for is contradicted; a duration may be about anything.
        let known = matches!(quantity.subject, Subject::Measure(_) | Subject::Age) && !values.is_empty();
        let places: Vec<Fact> = values
            .iter()
            .map(|v| Fact {
                concept: ConceptId(0),
                status: Status::Present,
                place: v.place,
                derived: true,
                clear: true,
            })
            .collect();
        if known {
            let stated: Vec<String> = values.iter().take(2).map(|v| format!("{}", v.printed)).collect();
            let note = format!("{name} {printed}, evidence {}", stated.join(" and "));
            self.push("quantity", Outcome::Contradicted, 1.0, quantity.span, &places, note);
        } else {
            let note = format!("{name} {printed} stands nowhere in the evidence");
            self.push("quantity", Outcome::Unsupported, 1.0, quantity.span, &[], note);
        }
    }

    fn mention(&mut self, mention: &Mention) {
        let concept = self.lexicon.concept(mention.concept);
        let affirmed = match mention.status {
            Status::Present | Status::Historical | Status::Possible => true,
            Status::Absent => false,
            Status::Hypothetical | Status::Family => return,
        };
        let affirming = self.evidence.affirmed(mention.concept);
        let denying: Vec<Fact> = self.evidence.denied(mention.concept, self.lexicon).copied().collect();
        match concept.kind {
            Kind::Finding | Kind::State | Kind::History => {}
            Kind::Condition => {
                // A condition is a claim where it is told as history, or stands in the evidence; otherwise it is
                // the conclusion, judged by accuracy and by the agreement of reasoning and answer.
                let stated = !affirming.is_empty() || (!denying.is_empty() && mention.status == Status::Historical);
                if mention.status != Status::Historical && !(stated && affirmed) {
                    return;
                }
            }
            _ => return,
        }
        // What an option says is quotable, never a claim.
        let options = &self.evidence.options;
        if self.response.is_option(mention.tokens.start)
            || options.all.iter().any(|o| o.concept == Some(mention.concept))
        {
            return;
        }
        if !self.first(Key::Concept(mention.concept, affirmed)) {
            return;
        }
        let name = concept.name.as_str();
        let say = |what: &str| format!("{}{name}: {what}", if affirmed { "" } else { "no " });
        // A claim that is hedged weighs half, and cannot be contradicted.
        let hedged = mention.status == Status::Possible;
        let weight = if hedged { 0.5 } else { 1.0 };
        let clear = |facts: &[Fact]| !hedged && facts.iter().any(|fact| fact.clear);
        let (outcome, places, note): (Outcome, &[Fact], String) = if affirmed {
            if !affirming.is_empty() {
                (Outcome::Supported, affirming, say("in the evidence"))
            } else if clear(&denying) {
                (Outcome::Contradicted, &denying, say("denied in the evidence"))
            } else if !denying.is_empty() {
                (Outcome::Unverified, &denying, say("the evidence is at the border"))
            } else if concept.kind == Kind::State || hedged {
                (Outcome::Unverified, &[], say("an inference that the evidence does not state"))
            } else if self.loosely_stated(mention) {
                (Outcome::Unverified, &[], say("only something like it in the evidence"))
            } else {
                (Outcome::Unsupported, &[], say("stands nowhere in the evidence"))
            }
        } else if !denying.is_empty() {
            (Outcome::Supported, &denying, say("denied in the evidence"))
        } else if clear(affirming) {
            (Outcome::Contradicted, affirming, say("in the evidence"))
        } else {
            (Outcome::Unverified, &[], say("not mentioned in the evidence"))
        };
        let places = places.to_vec();
        self.push("assertion", outcome, weight, mention.span, &places, note);
    }

    /// Whether the evidence names the concept without affirming it, a broader one, or all of its words.
    fn loosely_stated(&self, mention: &Mention) -> bool {
        let broader = self.lexicon.concept(mention.concept).ancestors.iter();
        let words = &self.response.text[mention.span[0]..mention.span[1]];
        !self.evidence.named(mention.concept).is_empty()
            || broader.clone().any(|id| !self.evidence.affirmed(*id).is_empty())
            || self.evidence.has_words(words)
    }
}

/// Whether a value of the evidence is the claimed one: within the rounding of the printed digits, the coarser of both.
fn same(known: &Value, (value, high, precision): (f64, Option<f64>, f64), quantity: &Quantity) -> bool {
    let slack = if quantity.about { 0.05 * known.value.abs() } else { 0.0 };
    let tolerance = known.precision.max(precision).max(slack) * (1.0 + 1e-9) + 1e-9;
    // Equal printed numbers agree where one of them has no unit ("14" for "14 g/dL").
    let bare = !known.unit || quantity.unit.is_none();
    let equal = (known.value - value).abs() <= tolerance || (bare && (known.printed - quantity.value).abs() <= 1e-9);
    let within =
        |low: f64, high: Option<f64>, x: f64| high.is_some_and(|high| low - tolerance <= x && x <= high + tolerance);
    equal || within(known.value, known.high, value) || within(value, high, known.value)
}

/// Rule 6: the reasoning and the answer agree. It can lose, never earn.
fn agreement(response: &Parsed, evidence: &EvidenceIndex, chosen: &[String], lexicon: &Lexicon, out: &mut Vec<Check>) {
    let [key] = chosen else { return };
    let Some(option) = evidence.options.position(key) else { return };
    let limit = response.reasoning_end();
    let reasoned = response.verdicts.iter().filter(|verdict| verdict.span[1] <= limit);
    let last = |wanted: usize| reasoned.clone().rfind(|v| v.option == wanted && v.kept.is_some());
    let own = last(option);
    let make_check = |outcome, weight, span, note: String| make("agreement", outcome, weight, span, Vec::new(), note);
    match own {
        Some(verdict) if verdict.kept == Some(false) => {
            let note = format!("the reasoning rejects {key}, the answer chooses it");
            out.push(make_check(Outcome::Contradicted, 1.0, Some(verdict.span), note));
        }
        Some(_) => {}
        None => {
            // Another option alone is kept, and the chosen one is not: the answer comes from nowhere.
            // That can be told where the options are diagnoses; a treatment may be named on the way to another.
            let kinds = evidence.options.all.iter().map(|option| option.concept.map(|c| lexicon.concept(c).kind));
            if !kinds.clone().all(|kind| kind == Some(Kind::Condition)) {
                return;
            }
            let kept: Vec<_> = (0..evidence.options.all.len())
                .filter_map(|other| last(other).filter(|v| v.kept == Some(true)))
                .collect();
            match kept.as_slice() {
                [] => out.push(make_check(Outcome::Exempt, 0.0, None, format!("no verdict on {key} in the reasoning"))),
                [first, ..] => {
                    let other = &evidence.options.all[first.option].key;
                    let note = format!("the reasoning keeps {other}, the answer is {key}");
                    out.push(make_check(Outcome::Contradicted, 1.0, Some(first.span), note));
                }
            }
        }
    }
}
