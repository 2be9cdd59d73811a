//! Printed numbers: digits with separators, and number words before units of time.

use crate::text::{Kind, Sentence, Token, WordMap};

/// What number words before units of time come to, and the units of time, whose number may be printed as a word (0).
static VALUES: WordMap<f64> = WordMap::new(&[
    ("an one", 1.0),
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
    ("day days week weeks month months year years hour hours minute minutes", 0.0),
]);

/// Whether a number starts here: in digits, or as a word before a unit of time ("three months ago").
pub(super) fn is_number(tokens: &[Token], sentence: &Sentence, at: usize) -> bool {
    match tokens[at].kind {
        Kind::Number => true,
        Kind::Mark => false,
        Kind::Word => {
            VALUES.get(tokens[at].hash).is_some_and(|value| value > 0.0) && {
                let joined = tokens.get(at + 1).is_some_and(|next| next.is_mark('-'));
                let unit = at + 1 + usize::from(joined);
                unit < sentence.tokens.end && VALUES.get(tokens[unit].hash) == Some(0.0)
            }
        }
    }
}

/// The value of a number token, in digits or as a word.
pub(super) fn number(text: &str, token: &Token) -> Option<f64> {
    if token.kind == Kind::Word {
        return VALUES.get(token.hash);
    }
    let printed = token.text(text);
    if printed.contains(',') { printed.replace(',', "").parse().ok() } else { printed.parse().ok() }
}

/// Half a unit of the last printed digit.
pub(super) fn precision(text: &str, token: &Token) -> f64 {
    let decimals = token.text(text).split_once('.').map_or(0, |(_, decimals)| decimals.len());
    0.5 * 10_f64.powi(-(decimals.min(12) as i32))
}
