//! Answers that are a day, or a pair of weeks and days.

use attending_datasets::Case;

use super::{Read, boxes, statement_span, trim_span};
use crate::scored::Span;
use crate::text::{Kind, Token, tokenize};

/// A day of the calendar, or a duration in days that was given as weeks and days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Day { year: i64, month: i64, day: i64 },
    Span { days: i64 },
}

impl Value {
    fn text(self) -> String {
        match self {
            Value::Day { year, month, day } => format!("{year:04}-{month:02}-{day:02}"),
            Value::Span { days } => format!("{} weeks {} days", days / 7, days % 7),
        }
    }
}

const MONTHS: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The month of a name or its first three letters ("Sept" has four).
fn month(word: &str) -> Option<i64> {
    let word = word.to_lowercase();
    let at = MONTHS.iter().position(|name| {
        *name == word || (word.len() == 3 && name.starts_with(&word)) || word == "sept" && *name == "september"
    })?;
    Some(at as i64 + 1)
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn day(year: i64, month: i64, day: i64) -> Option<Value> {
    let longest = match month {
        2 => 28 + i64::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    ((1000..=9999).contains(&year) && (1..=longest).contains(&day)).then_some(Value::Day { year, month, day })
}

/// All distinct days and durations of a text.
fn values(text: &str) -> Vec<Value> {
    let tokens = tokenize(text);
    let mut found: Vec<Value> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match value_at(text, &tokens, at) {
            Some((value, end)) => {
                if !found.contains(&value) {
                    found.push(value);
                }
                at = end;
            }
            None => at += 1,
        }
    }
    found
}

/// The day or duration that starts at a token, and one past its last token.
fn value_at(text: &str, tokens: &[Token], at: usize) -> Option<(Value, usize)> {
    let number = |index: usize| -> Option<i64> {
        let token = tokens.get(index)?;
        let digits = token.text(text).trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let ordinal = token.kind == Kind::Word && digits.len() + 2 == token.text(text).len();
        (token.kind == Kind::Number || ordinal).then(|| digits.parse().ok()).flatten()
    };
    let mark = |index: usize, marks: &str| tokens.get(index).is_some_and(|t| marks.chars().any(|mark| t.is_mark(mark)));
    let word = |index: usize| tokens.get(index).map_or("", |token| token.text(text));
    // "March 5, 2024", "Mar 5th 2024".
    if let Some(named) = month(word(at)) {
        let dot = usize::from(mark(at + 1, "."));
        let comma = usize::from(mark(at + 2 + dot, ","));
        let value = day(number(at + 2 + dot + comma)?, named, number(at + 1 + dot)?)?;
        return Some((value, at + 3 + dot + comma));
    }
    let first = number(at)?;
    // "5 March 2024", "5th of March, 2024".
    let of = usize::from(word(at + 1).eq_ignore_ascii_case("of"));
    if let Some(named) = month(word(at + 1 + of)) {
        let comma = usize::from(mark(at + 2 + of, ".,"));
        return Some((day(number(at + 2 + of + comma)?, named, first)?, at + 3 + of + comma));
    }
    // "2024-03-05", "3/5/2024"; a first number above 12 must be the day.
    if mark(at + 1, "-/") && tokens[at + 1].glued && mark(at + 3, "-/") && word(at + 1) == word(at + 3) {
        let (second, third) = (number(at + 2)?, number(at + 4)?);
        let value = if first > 31 {
            day(first, second, third)
        } else if first > 12 {
            day(third, second, first)
        } else {
            day(third, first, second)
        };
        return Some((value?, at + 5));
    }
    span_at(text, tokens, at, first)
}

/// "8 weeks and 3 days", "('8 weeks', '3 days')", "8w3d", "59 days".
fn span_at(text: &str, tokens: &[Token], at: usize, first: i64) -> Option<(Value, usize)> {
    let unit = |index: usize| -> Option<i64> {
        match tokens.get(index)?.text(text).to_lowercase().as_str() {
            "week" | "weeks" | "wk" | "wks" | "w" => Some(7),
            "day" | "days" | "d" => Some(1),
            _ => None,
        }
    };
    // "8w3d" is one word behind the number.
    if let Some((weeks_word, rest)) =
        tokens.get(at + 1).filter(|t| t.glued).and_then(|t| t.text(text).split_at_checked(1))
        && weeks_word.eq_ignore_ascii_case("w")
        && let Some(days) = rest.strip_suffix(['d', 'D']).and_then(|digits| digits.parse::<i64>().ok())
    {
        return Some((Value::Span { days: first * 7 + days }, at + 2));
    }
    let size = unit(at + 1)?;
    if size == 1 {
        return Some((Value::Span { days: first }, at + 2));
    }
    let mut next = at + 2;
    while tokens.get(next).is_some_and(|t| {
        next < at + 6 && (t.kind == Kind::Mark && !t.is_mark('.') || t.text(text).eq_ignore_ascii_case("and"))
    }) {
        next += 1;
    }
    let more = tokens.get(next).filter(|t| t.kind == Kind::Number && unit(next + 1) == Some(1));
    match more.and_then(|t| t.text(text).parse::<i64>().ok()) {
        Some(days) => Some((Value::Span { days: first * 7 + days }, next + 2)),
        None => Some((Value::Span { days: first * 7 }, at + 2)),
    }
}

/// Whether the gold answer can be parsed.
pub(super) fn has_gold(case: &Case) -> bool {
    gold(case).is_some()
}

fn gold(case: &Case) -> Option<Value> {
    if let Some((weeks, days)) = case.answer.weeks_days {
        return Some(Value::Span { days: weeks * 7 + days });
    }
    match values(case.answer.date.as_deref()?)[..] {
        [one] => Some(one),
        _ => None,
    }
}

pub(super) fn read(case: &Case, text: &str, scope: Span, from_whole: bool) -> Option<Read> {
    let wanted = gold(case);
    // A duration is no answer to a question for a day, and the other way round.
    let of_kind = |span: Span| -> Vec<Value> {
        let all = values(&text[span[0]..span[1]]);
        all.into_iter()
            .filter(|value| wanted.is_none_or(|w| std::mem::discriminant(&w) == std::mem::discriminant(value)))
            .collect()
    };
    let mut found: Vec<(Vec<Value>, Span, &'static str)> = boxes(text, scope)
        .into_iter()
        .map(|span| (of_kind(span), span, "boxed"))
        .filter(|(values, _, _)| !values.is_empty())
        .collect();
    if found.is_empty() {
        let span = trim_span(text, scope);
        let stated = statement_span(&text[span[0]..span[1]], &["answer", "date"])
            .map(|[start, end]| [span[0] + start, span[0] + end]);
        let stated = stated.map(|span| (of_kind(span), span, "statement")).filter(|(values, _, _)| !values.is_empty());
        let whole = || (!from_whole).then(|| (of_kind(span), span, "date"));
        found.extend(stated.or_else(whole).filter(|(values, _, _)| !values.is_empty()));
    }
    let (last, span, tier) = found.last()?.clone();
    let differ = !from_whole && found.iter().any(|(values, _, _)| *values != last);
    let conflict = last.len() > 1 || differ;
    Some(Read { values: vec![last[0].text()], tier, span, conflict })
}

pub(super) fn judge(case: &Case, value: &str) -> (f64, String) {
    let expected = gold(case).map(Value::text).unwrap_or_default();
    (f64::from(u8::from(!expected.is_empty() && value == expected)), expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_durations_in_their_wordings() {
        let day = Value::Day { year: 2024, month: 3, day: 5 };
        for text in [
            "2024-03-05",
            "03/05/2024",
            "March 5, 2024",
            "Mar. 5 2024",
            "5 March 2024",
            "5th of March, 2024",
            "on 3/5/2024.",
        ] {
            assert_eq!(values(text), [day], "{text}");
        }
        assert_eq!(values("25/03/2024"), [Value::Day { year: 2024, month: 3, day: 25 }]);
        for text in ["8 weeks and 3 days", "('8 weeks', '3 days')", "8w3d", "59 days", "8 weeks, 3 days", "8 wk 3 d"] {
            assert_eq!(values(text), [Value::Span { days: 59 }], "{text}");
        }
        for text in ["02/30/2024", "13/13/2024", "March 2024", "5.2", "", "2024", "4-6-8"] {
            assert!(values(text).is_empty(), "{text}: {:?}", values(text));
        }
        assert_eq!(values("02/29/2024 or 03/01/2024").len(), 2);
    }
}
