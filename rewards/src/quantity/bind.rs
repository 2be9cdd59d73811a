//! Finding the quantities of a text, and what each one measures.

use std::ops::Range;
use std::sync::OnceLock;

use super::unit::{Dimension, Unit, read_unit};
use crate::assertion::Status;
use crate::lexicon::{Cues, KeyMap, Lexicon, Match, Measure, MeasureId, Term};
use crate::text::{Kind, Sentence, Token, hash_word};

/// What a number is a value of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Subject {
    /// A laboratory value or vital sign.
    Measure(MeasureId),
    /// The age of a person.
    Age,
    /// How long, or how long ago.
    Duration,
    /// Something with a unit, or in percent, that no measure claims.
    Other,
}

/// One number with its unit and subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    /// Tokens from the number to its unit.
    pub tokens: Range<usize>,
    /// Bytes from the number to its unit.
    pub span: [usize; 2],
    /// The printed value; the lower end of a range.
    pub value: f64,
    /// The upper end of a range.
    pub high: Option<f64>,
    /// Half a unit of the last printed digit.
    pub precision: f64,
    /// The printed unit.
    pub unit: Option<Unit>,
    /// What it measures.
    pub subject: Subject,
    /// Whether the text says that it is rounded.
    pub about: bool,
    /// Whether it is a limit, a target or a reference range, not a measurement.
    pub target: bool,
    /// For durations: whether it tells of the past or the present course ("for 3 days", "3-day history").
    pub past: bool,
    /// Whether it is said to be so, supposed, or another person's.
    pub status: Status,
    /// Whether it stands in shown arithmetic.
    pub shown: bool,
}

/// A number as printed, before it is bound.
#[derive(Debug, Clone)]
struct Printed {
    tokens: Range<usize>,
    end: usize,
    value: f64,
    high: Option<f64>,
    precision: f64,
    unit: Option<Unit>,
    /// The lower number of a pair like 120/80.
    second: Option<(f64, Range<usize>)>,
    name: bool,
}

/// All quantities of one sentence. `terms` and `cues` are the sentence's own, in order; `under_specimen` says that a
/// heading before it named a specimen other than blood.
#[allow(clippy::too_many_arguments)] // the parts of one parsed sentence
pub fn quantities(
    text: &str,
    tokens: &[Token],
    sentence: &Sentence,
    terms: &[Match<Term>],
    cues: &[Match<Cues>],
    lexicon: &Lexicon,
    under_specimen: bool,
    out: &mut Vec<Quantity>,
) {
    let mut at = sentence.tokens.start;
    let mut last_end = sentence.tokens.start;
    while at < sentence.tokens.end {
        if !is_number(tokens, sentence, at) || terms.iter().any(|term| term.tokens.contains(&at)) {
            at += 1;
            continue;
        }
        let printed = printed(text, tokens, sentence, at);
        at = printed.tokens.end.max(at + 1);
        if printed.name {
            continue;
        }
        let before = printed.tokens.start;
        let target = cues.iter().any(|cue| {
            cue.value.has(Cues::TARGET) && cue.tokens.end <= before + 1 && before.saturating_sub(cue.tokens.end) <= 5
        });
        // A limit stands right before its number: "above 140", "within the first 3 days".
        let limit = cues.iter().any(|cue| cue.value.has(Cues::LIMIT) && cue.tokens.end == before);
        let symbol = before > 0 && "<>\u{2264}\u{2265}".chars().any(|mark| tokens[before - 1].is_mark(mark));
        let target = target || symbol || limit;
        let past = tells_course(text, tokens, sentence, &printed.tokens);
        let about = cues.iter().any(|cue| cue.value.has(Cues::ABOUT) && cue.tokens.end == before);
        let specimen =
            cues.iter().rev().find(|cue| cue.value.has(Cues::SPECIMEN | Cues::BLOOD) && cue.tokens.end <= before);
        let specimen = specimen.map_or(under_specimen, |cue| cue.value.has(Cues::SPECIMEN));
        bind(text, tokens, sentence, terms, lexicon, &printed, last_end, |subject, value, tokens, span| {
            // Glucose of the cerebrospinal fluid is not the glucose of the blood.
            let subject = match subject {
                Subject::Measure(id) if specimen && !is_vital_or_urine(lexicon.measure(id)) => Subject::Other,
                subject => subject,
            };
            out.push(Quantity {
                tokens,
                span,
                value,
                high: printed.high,
                precision: printed.precision,
                unit: printed.unit,
                subject,
                about,
                target,
                past,
                status: Status::Present,
                shown: false,
            });
        });
        last_end = printed.tokens.end;
    }
}

/// Number words that stand before units of time in prose.
const WORDS: &[(&str, f64)] = &[
    ("one", 1.0),
    ("two", 2.0),
    ("three", 3.0),
    ("four", 4.0),
    ("five", 5.0),
    ("six", 6.0),
    ("seven", 7.0),
    ("eight", 8.0),
    ("nine", 9.0),
    ("ten", 10.0),
    ("eleven", 11.0),
    ("twelve", 12.0),
    ("fifteen", 15.0),
    ("twenty", 20.0),
    ("thirty", 30.0),
    ("forty", 40.0),
    ("fifty", 50.0),
    ("sixty", 60.0),
];

/// Units of time, whose number may be printed as a word.
const TIMES: &[&str] =
    &["day", "days", "week", "weeks", "month", "months", "year", "years", "hour", "hours", "minute", "minutes"];

/// What a number word comes to, and whether a word is a unit of time (0).
fn word_value(hash: u64) -> Option<f64> {
    static VALUES: OnceLock<KeyMap<u64, f64>> = OnceLock::new();
    let values = VALUES.get_or_init(|| {
        let words = WORDS.iter().map(|(word, value)| (hash_word(word), *value));
        words.chain(TIMES.iter().map(|word| (hash_word(word), 0.0))).collect()
    });
    values.get(&hash).copied()
}

/// Whether a number starts here: in digits, or as a word before a unit of time ("three months ago").
fn is_number(tokens: &[Token], sentence: &Sentence, at: usize) -> bool {
    match tokens[at].kind {
        Kind::Number => true,
        Kind::Mark => false,
        Kind::Word => {
            let joined = tokens.get(at + 1).is_some_and(|next| next.is_mark('-'));
            let unit = at + 1 + usize::from(joined);
            word_value(tokens[at].hash).is_some_and(|value| value > 0.0)
                && unit < sentence.tokens.end
                && word_value(tokens[unit].hash) == Some(0.0)
        }
    }
}

fn number(text: &str, token: &Token) -> Option<f64> {
    if token.kind == Kind::Word {
        return word_value(token.hash);
    }
    let printed = token.text(text);
    if printed.contains(',') { printed.replace(',', "").parse().ok() } else { printed.parse().ok() }
}

/// Half a unit of the last printed digit.
fn precision(text: &str, token: &Token) -> f64 {
    let decimals = token.text(text).split_once('.').map_or(0, |(_, decimals)| decimals.len());
    0.5 * 10_f64.powi(-(decimals.min(12) as i32))
}

fn printed(text: &str, tokens: &[Token], sentence: &Sentence, at: usize) -> Printed {
    let end = sentence.tokens.end;
    let token = &tokens[at];
    let mut found = Printed {
        tokens: at..at + 1,
        end: token.end as usize,
        value: number(text, token).unwrap_or(f64::NAN),
        high: None,
        precision: precision(text, token),
        unit: None,
        second: None,
        name: token.kind == Kind::Number && !token.text(text).bytes().any(|b| b.is_ascii_digit()),
    };
    // A number behind a glued hyphen is a name ("IL-6", "COVID-19"), behind a sign a value.
    if at > 0 && token.glued && tokens[at - 1].is_mark('-') {
        let minus = &tokens[at - 1];
        found.name |= minus.glued && at >= 2 && tokens[at - 2].kind == Kind::Word;
        if !minus.glued {
            found.value = -found.value;
        }
    }
    found.name |= at > 0 && token.glued && tokens[at - 1].is_mark('#');
    let numeric = |index: usize| index < end && tokens[index].kind == Kind::Number;
    // 120/80: a pair, both parts glued.
    if at + 2 < end && tokens[at + 1].is_mark('/') && tokens[at + 1].glued && numeric(at + 2) && tokens[at + 2].glued {
        if let Some(second) = number(text, &tokens[at + 2]) {
            found.second = Some((second, at + 2..at + 3));
            found.tokens.end = at + 3;
            found.end = tokens[at + 2].end as usize;
        }
    } else {
        // 3-5, 3 to 5: a range.
        let dash = at + 1 < end
            && (tokens[at + 1].is_mark('-') || tokens[at + 1].is_mark('\u{2013}') || tokens[at + 1].text(text) == "to");
        if dash
            && numeric(at + 2)
            && let Some(high) = number(text, &tokens[at + 2]).filter(|high| *high > found.value)
        {
            found.high = Some(high);
            found.precision = found.precision.max(precision(text, &tokens[at + 2]));
            found.tokens.end = at + 3;
            found.end = tokens[at + 2].end as usize;
        }
    }
    if let Some((unit, length)) = read_unit(&text[found.end..sentence.span[1].max(found.end)]) {
        found.unit = Some(unit);
        found.end += length;
        while found.tokens.end < end && (tokens[found.tokens.end].start as usize) < found.end {
            found.tokens.end += 1;
        }
    } else {
        // Digits glued to letters that are no unit are a name: "5HT", "21q".
        let next = tokens.get(found.tokens.end);
        found.name |= found.tokens.end < end && next.is_some_and(|next| next.glued && next.kind == Kind::Word);
        // "25-hydroxyvitamin D".
        let behind = tokens.get(found.tokens.end + 1).filter(|behind| behind.glued && behind.kind == Kind::Word);
        found.name |=
            found.tokens.end + 1 < end && behind.is_some() && next.is_some_and(|next| next.glued && next.is_mark('-'));
    }
    found
}

#[allow(clippy::too_many_arguments)] // the parts of one parsed sentence
fn bind(
    text: &str,
    tokens: &[Token],
    sentence: &Sentence,
    terms: &[Match<Term>],
    lexicon: &Lexicon,
    printed: &Printed,
    last_end: usize,
    mut emit: impl FnMut(Subject, f64, Range<usize>, [usize; 2]),
) {
    let range = printed.tokens.clone();
    let span = [tokens[range.start].start as usize, printed.end];
    let measure = nearest_measure(text, tokens, terms, lexicon, printed, last_end, sentence);
    if let Some((low, low_tokens)) = &printed.second {
        let pressures = pressures(lexicon);
        let plausible = (50.0..=300.0).contains(&printed.value) && (20.0..=200.0).contains(low) && printed.value > *low;
        let pressure = measure.is_some_and(|id| pressures.is_some_and(|(systolic, _)| id == systolic))
            || printed.unit.is_some_and(|unit| unit.dimension == Dimension::Pressure)
            || (measure.is_none() && printed.unit.is_none() && plausible);
        if let (true, Some((systolic, diastolic))) = (pressure && printed.value > *low, pressures) {
            let first = range.start..range.start + 1;
            emit(Subject::Measure(systolic), printed.value, first.clone(), tokens[first.start].span());
            let second = [tokens[low_tokens.start].start as usize, printed.end];
            emit(Subject::Measure(diastolic), *low, low_tokens.start..range.end, second);
        }
        return;
    }
    if let Some(measure) = measure {
        emit(Subject::Measure(measure), printed.value, range, span);
        return;
    }
    let implied = |name: &str| match lexicon.term(name) {
        Some(Term::Measure(id)) => Subject::Measure(id),
        _ => Subject::Other,
    };
    let subject = match printed.unit {
        Some(unit) if unit.dimension == Dimension::Time => {
            let years = (unit.factor - 365.25).abs() < 1e-9 || (unit.factor - 30.4375).abs() < 1e-9;
            if years && is_age(text, tokens, sentence, &range) { Subject::Age } else { Subject::Duration }
        }
        Some(unit) => match unit.dimension {
            Dimension::Temperature => implied("temperature"),
            Dimension::BodyMassIndex => implied("body mass index"),
            _ => Subject::Other,
        },
        None if is_age(text, tokens, sentence, &range) => Subject::Age,
        None => return,
    };
    emit(subject, printed.value, range, span);
}

fn pressures(lexicon: &Lexicon) -> Option<(MeasureId, MeasureId)> {
    match (lexicon.term("systolic blood pressure"), lexicon.term("diastolic blood pressure")) {
        (Some(Term::Measure(systolic)), Some(Term::Measure(diastolic))) => Some((systolic, diastolic)),
        _ => None,
    }
}

/// "45-year-old", "45 years of age", "aged 45", "age 45".
fn is_age(text: &str, tokens: &[Token], sentence: &Sentence, range: &Range<usize>) -> bool {
    let word = |index: usize| if index < sentence.tokens.end { tokens[index].text(text) } else { "" };
    let mut after = range.end;
    if word(after) == "-" {
        after += 1;
    }
    if word(after).eq_ignore_ascii_case("old") || (word(after) == "of" && word(after + 1) == "age") {
        return true;
    }
    if word(range.end.saturating_sub(1)).eq_ignore_ascii_case("yo") || word(range.end.saturating_sub(1)) == "o" {
        return true;
    }
    let mut before = range.start;
    while before > sentence.tokens.start && [":", "is", "of", "about"].contains(&word(before - 1)) {
        before -= 1;
    }
    before > sentence.tokens.start && ["aged", "age"].iter().any(|age| word(before - 1).eq_ignore_ascii_case(age))
}

/// "for 3 days", "3-day history", "3 days ago", "over the past 3 days", "3 days of".
fn tells_course(text: &str, tokens: &[Token], sentence: &Sentence, range: &Range<usize>) -> bool {
    let word = |index: usize| if index < sentence.tokens.end { tokens[index].text(text) } else { "" };
    let after =
        (range.end..range.end + 2).any(|index| ["history", "ago", "duration", "earlier", "of"].contains(&word(index)));
    let from = range.start.saturating_sub(3).max(sentence.tokens.start);
    let before = (from..range.start).any(|index| {
        ["for", "past", "last", "since", "over", "lasting", "began", "started"]
            .iter()
            .any(|w| word(index).eq_ignore_ascii_case(w))
    });
    after || before
}

/// Measures that no specimen changes: those of the body, and those that name their specimen.
fn is_vital_or_urine(measure: &Measure) -> bool {
    let vital = matches!(
        measure.unit.dimension,
        Dimension::Temperature | Dimension::Rate | Dimension::Pressure | Dimension::BodyMassIndex | Dimension::Mass
    );
    vital || measure.name.starts_with("urine") || measure.name == "oxygen saturation"
}

/// Nouns of values: right behind a measure they belong to it, further on to another one.
fn is_head(text: &str, token: &Token) -> bool {
    matches!(token.text(text), "count" | "score" | "gradient" | "gap" | "ratio" | "clearance" | "percentile" | "index")
}

/// Words between a measure and its number.
const REACH: usize = 9;

/// The measure that a number belongs to: the last one before it within reach whose unit fits, else one right behind it.
fn nearest_measure(
    text: &str,
    tokens: &[Token],
    terms: &[Match<Term>],
    lexicon: &Lexicon,
    printed: &Printed,
    last_end: usize,
    sentence: &Sentence,
) -> Option<MeasureId> {
    let fits = |id: MeasureId| {
        let measure = lexicon.measure(id);
        match printed.unit {
            None => true,
            Some(unit) => unit.convert(printed.value, measure).is_some(),
        }
    };
    let measures = terms.iter().filter_map(|term| match term.value {
        Term::Measure(id) => Some((id, term.tokens.clone())),
        Term::Concept(_) => None,
    });
    let mut before: Option<(usize, MeasureId)> = None;
    let mut behind = None;
    for (id, range) in measures {
        if range.end <= printed.tokens.start && printed.tokens.start - range.end <= REACH {
            // Another number between takes the measure, unless this one repeats it in brackets or another unit.
            let taken = range.end < last_end;
            // A table prints values of several days side by side.
            let beside = taken && printed.tokens.start == last_end;
            let repeats = taken && printed.tokens.start - last_end <= 2 && printed.unit.is_some() && {
                let between = (last_end..printed.tokens.start).map(|index| tokens[index].text(text));
                between.clone().any(|word| matches!(word, "(" | "or" | "/" | "[" | "to" | "then" | "and" | ","))
            };
            // "an elevated leukocyte count and a lymphocyte count of 50,000": another noun's value.
            let another = range.end + 1 < printed.tokens.start
                && (range.end + 1..printed.tokens.start).any(|at| is_head(text, &tokens[at]));
            if fits(id) && !another && (!taken || repeats || beside) {
                // Without a unit the number must follow closely: "potassium 5.9", "a potassium level of 5.9".
                let reach = if printed.unit.is_some() { REACH } else { 5 };
                if printed.tokens.start - range.end <= reach {
                    before = Some((printed.tokens.start - range.end, id));
                }
            }
        } else if range.start >= printed.tokens.end && range.start - printed.tokens.end <= 2 && behind.is_none() {
            let joined = (printed.tokens.end..range.start).all(|index| ["of", "%"].contains(&tokens[index].text(text)));
            // "5.9 potassium": only where no number follows that the measure belongs to.
            let followed =
                (range.end..(range.end + 4).min(sentence.tokens.end)).any(|i| tokens[i].kind == Kind::Number);
            if fits(id) && joined && !followed && printed.unit.is_some() {
                behind = Some(id);
            }
        }
    }
    // "leukocytosis (15,000/mm3)": the finding's own measure.
    let bracketed =
        printed.unit.is_some() && printed.tokens.start >= 2 && tokens[printed.tokens.start - 1].is_mark('(');
    if bracketed && behind.is_none() {
        let named =
            terms.iter().find(|term| term.tokens.end + 1 == printed.tokens.start).and_then(|term| match term.value {
                Term::Concept(finding) => lexicon.measure_of(finding),
                Term::Measure(_) => None,
            });
        if let Some(id) = named.filter(|&id| fits(id)) {
            return Some(id);
        }
    }
    match (before, behind) {
        // "a mask with 100% FiO2": right behind the number is nearer than far before it.
        (Some((distance, _)), Some(id)) if distance > 3 => Some(id),
        (Some((_, id)), _) | (None, Some(id)) => Some(id),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Reading;

    /// Subject, value and unit factor of each quantity of a text.
    fn read(text: &str) -> Vec<(String, f64)> {
        let lexicon = Lexicon::built_in();
        let reading = Reading::new(text, &lexicon);
        let name = |subject: Subject| match subject {
            Subject::Measure(id) => lexicon.measure(id).name.clone(),
            other => format!("{other:?}").to_lowercase(),
        };
        reading.quantities.iter().map(|q| (name(q.subject), q.value)).collect()
    }

    fn expect(text: &str, expected: &[(&str, f64)]) {
        let found = read(text);
        let found: Vec<(&str, f64)> = found.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn vital_signs() {
        expect(
            "Her temperature is 39.2\u{b0}C (102.6\u{b0}F), pulse is 102/min, respirations are 24/min, and blood pressure is 110/70 mm Hg.",
            &[
                ("temperature", 39.2),
                ("temperature", 102.6),
                ("heart rate", 102.0),
                ("respiratory rate", 24.0),
                ("systolic blood pressure", 110.0),
                ("diastolic blood pressure", 70.0),
            ],
        );
        expect(
            "BP 90/60, SpO2 of 91% on room air",
            &[("systolic blood pressure", 90.0), ("diastolic blood pressure", 60.0), ("oxygen saturation", 91.0)],
        );
    }

    #[test]
    fn laboratory_values() {
        expect(
            "Serum studies show K+ 5.9 mEq/L, a leukocyte count of 14,000/mm3 and hemoglobin 9.",
            &[("potassium", 5.9), ("leukocyte count", 14_000.0), ("hemoglobin", 9.0)],
        );
    }

    #[test]
    fn ages_and_durations() {
        expect("A 45-year-old man with a 3-day history of cough.", &[("age", 45.0), ("duration", 3.0)]);
        expect("He has leukocytosis (15,000/mm3).", &[("leukocyte count", 15_000.0)]);
        expect("She is aged 60 and fell 2 weeks ago.", &[("age", 60.0), ("duration", 2.0)]);
    }

    #[test]
    fn names_are_no_quantities() {
        expect("25-hydroxyvitamin D, IL-6, COVID-19, CD15, FEV1, 5HT3, type 2 diabetes, HHV-8, B12", &[]);
    }
}
