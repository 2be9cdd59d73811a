//! Printed numbers: digits with separators, and number words before units of time.

use std::sync::OnceLock;

use crate::lexicon::KeyMap;
use crate::text::{Kind, Sentence, Token, hash_word};

/// Number words that stand before units of time in prose.
const WORDS: &[(&str, f64)] = &[
    ("an", 1.0),
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
pub(super) fn is_number(tokens: &[Token], sentence: &Sentence, at: usize) -> bool {
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

/// The value of a number token, in digits or as a word.
pub(super) fn number(text: &str, token: &Token) -> Option<f64> {
    if token.kind == Kind::Word {
        return word_value(token.hash);
    }
    let printed = token.text(text);
    if printed.contains(',') { printed.replace(',', "").parse().ok() } else { printed.parse().ok() }
}

/// Half a unit of the last printed digit.
pub(super) fn precision(text: &str, token: &Token) -> f64 {
    let decimals = token.text(text).split_once('.').map_or(0, |(_, decimals)| decimals.len());
    0.5 * 10_f64.powi(-(decimals.min(12) as i32))
}
