//! Rule 1: a number said of the patient is looked up by what it measures, in the measure's own unit.

use super::{Claims, Key};
use crate::assertion::Status;
use crate::evidence::{Place, Value, canonical, years};
use crate::lexicon::{Cues, MeasureId};
use crate::quantity::{Dimension, Quantity, Subject};
use crate::scored::Outcome;
use crate::text::hash_word;

/// A claimed value, its upper end, and half a unit of its last digit.
type Stated = (f64, Option<f64>, f64);

/// Words of a sentence that tell a course or a comparison: a number in it need not be a measured value.
const TRENDS: &[&str] = &[
    "increase",
    "increased",
    "decrease",
    "decreased",
    "rise",
    "rose",
    "fall",
    "fell",
    "drop",
    "dropped",
    "difference",
    "change",
    "changed",
    "loss",
    "lost",
    "gain",
    "gained",
    "reduction",
    "improved",
    "trend",
    "points",
    "score",
];

/// Checks one quantity of a clause about the patient.
pub(super) fn check(claims: &mut Claims, sentence: usize, quantity: &Quantity) {
    let supposed = quantity.status == Status::Hypothetical;
    if quantity.target
        || quantity.shown
        || supposed
        || quantity.value.is_nan()
        || claims.response.is_option(quantity.tokens.start)
    {
        return;
    }
    let (evidence, lexicon) = (claims.evidence, claims.lexicon);
    let (subject, name, value, values): (u32, &str, Stated, Vec<Value>) = match quantity.subject {
        Subject::Measure(id) => {
            let Some(value) = canonical(quantity, id, lexicon) else { return };
            (id.0, lexicon.measure(id).name.as_str(), value, evidence.values(id).to_vec())
        }
        Subject::Age => (u32::MAX, "age", (years(quantity), None, quantity.precision), evidence.ages().to_vec()),
        Subject::Duration => {
            let factor = quantity.unit.map_or(1.0, |unit| unit.factor);
            let value = (quantity.value * factor, quantity.high.map(|h| h * factor), quantity.precision * factor);
            (u32::MAX - 1, "duration", value, evidence.durations().to_vec())
        }
        Subject::Other => {
            let Some(unit) = quantity.unit else { return };
            let base = |value: f64| value * unit.factor + unit.offset;
            let value = (base(quantity.value), quantity.high.map(base), quantity.precision * unit.factor);
            let values = evidence.others(unit.dimension).copied().collect();
            (u32::MAX - 2 - unit.dimension as u32, "value", value, values)
        }
    };
    let found = values.iter().find(|known| same(known, value, quantity)).map(|known| vec![known.place]);
    let found = found.or_else(|| computed(claims, quantity, value, &values)).or_else(|| printed(claims, quantity));
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
    if found.is_none() && (!history || evidence.options.has_number(quantity.value)) {
        return;
    }
    if !claims.first(Key::Value(subject, value.0.to_bits())) {
        return;
    }
    let printed = claims.text(quantity.span).to_owned();
    let hedged = quantity.status == Status::Possible;
    let weight = if hedged { 0.5 } else { 1.0 };
    if let Some(places) = found {
        claims.push("quantity", Outcome::Supported, weight, quantity.span, &places, format!("{name} {printed}"));
        return;
    }
    // A measure that the evidence gives other values for is contradicted; a duration may be about anything, and so may
    // a number in a sentence that tells a limit or a course, or another person's.
    let places: Vec<Place> = values.iter().map(|v| v.place).collect();
    let measured = matches!(quantity.subject, Subject::Measure(_) | Subject::Age) && !values.is_empty();
    let clear = !hedged && quantity.status != Status::Family && !tells_trend(claims, sentence);
    if measured && clear {
        let stated: Vec<String> = values.iter().take(2).map(|v| format!("{}", v.printed)).collect();
        let note = format!("{name} {printed}, evidence {}", stated.join(" and "));
        claims.push("quantity", Outcome::Contradicted, weight, quantity.span, &places, note);
    } else if let (Subject::Measure(id), true) = (quantity.subject, values.is_empty()) {
        let derived = evidence.derived(id, lexicon);
        match derived.first() {
            Some((other, _, places)) if clear => {
                let note = format!("{name} {printed}, from the evidence {other:.1}");
                claims.push("quantity", Outcome::Contradicted, weight, quantity.span, places, note);
            }
            _ => {
                let note = format!("{name} {printed} stands nowhere in the evidence");
                claims.push("quantity", Outcome::Unsupported, weight, quantity.span, &[], note);
            }
        }
    } else {
        let note = format!("{name} {printed} stands nowhere in the evidence");
        claims.push("quantity", Outcome::Unsupported, weight, quantity.span, &[], note);
    }
}

/// Whether the sentence tells a limit, a goal or a course.
fn tells_trend(claims: &Claims, sentence: usize) -> bool {
    let reading = &claims.response.reading;
    let cued = reading.cues_of(sentence).iter().any(|cue| cue.value.has(Cues::TARGET));
    let trend = |hash: u64| TRENDS.iter().any(|word| hash_word(word) == hash);
    cued || reading.tokens[reading.sentences[sentence].tokens.clone()].iter().any(|token| trend(token.hash))
}

/// What a value follows from: its measure's formula, two values of the same measure, or the age less a duration.
fn computed(claims: &Claims, quantity: &Quantity, value: Stated, values: &[Value]) -> Option<Vec<Place>> {
    let near = |x: f64, slack: f64| (x - value.0).abs() <= value.2.max(slack) * (1.0 + 1e-9) + 1e-9;
    match quantity.subject {
        Subject::Measure(id) => {
            let derived = claims.evidence.derived(id, claims.lexicon);
            let formula = derived.into_iter().find(|(x, slack, _)| near(*x, *slack)).map(|(_, _, places)| places);
            formula.or_else(|| course(claims, quantity, id, values))
        }
        Subject::Age => {
            let (ages, durations) = (claims.evidence.ages(), claims.evidence.durations());
            let pair = ages.iter().find_map(|age| {
                durations.iter().find(|d| near(age.value - d.value / 365.25, 0.5)).map(|d| vec![age.place, d.place])
            });
            pair.filter(|_| durations.len() <= 12)
        }
        _ => None,
    }
}

/// The difference of two values of the same measure: "dropped by 20", "a loss of 5 kg".
fn course(claims: &Claims, quantity: &Quantity, id: MeasureId, values: &[Value]) -> Option<Vec<Place>> {
    let reading = &claims.response.reading;
    let start = quantity.tokens.start;
    let before = reading.tokens.get(start.checked_sub(1)?)?;
    let told = ["by", "of"].iter().any(|word| hash_word(word) == before.hash);
    if !told || values.len() > 12 {
        return None;
    }
    let unit = claims.lexicon.measure(id).unit;
    let step = quantity.unit.map_or(quantity.value, |printed| quantity.value * printed.factor / unit.factor);
    let slack = quantity.precision.max(0.01 * step);
    for (at, a) in values.iter().enumerate() {
        for b in &values[at + 1..] {
            if ((a.value - b.value).abs() - step).abs() <= slack {
                return Some(vec![a.place, b.place]);
            }
        }
    }
    None
}

/// The same printed number with a unit, for something that the reader bound otherwise in the evidence: a duration that
/// stands there as an age, a value whose name the lexicon does not know.
fn printed(claims: &Claims, quantity: &Quantity) -> Option<Vec<Place>> {
    let loose = matches!(quantity.subject, Subject::Duration | Subject::Other);
    let place = claims.evidence.number(quantity.value).filter(|_| loose)?;
    quantity.high.is_none_or(|high| claims.evidence.number(high).is_some()).then(|| vec![place])
}

/// Whether a value of the evidence is the claimed one: within the rounding of the printed digits, the coarser of both.
fn same(known: &Value, (value, high, precision): Stated, quantity: &Quantity) -> bool {
    let slack = if quantity.about { 0.05 * known.value.abs() } else { 0.0 };
    let tolerance = known.precision.max(precision).max(slack) * (1.0 + 1e-9) + 1e-9;
    // Equal printed numbers agree where one of them has no unit ("14" for "14 g/dL").
    let bare = !known.unit || quantity.unit.is_none();
    let equal = (known.value - value).abs() <= tolerance || (bare && (known.printed - quantity.value).abs() <= 1e-9);
    let within =
        |low: f64, high: Option<f64>, x: f64| high.is_some_and(|high| low - tolerance <= x && x <= high + tolerance);
    equal || within(known.value, known.high, value) || within(value, high, known.value)
}
