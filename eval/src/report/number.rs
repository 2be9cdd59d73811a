//! Numbers as people read them.

/// Three or four significant digits, so that a column lines up: `1,234`, `12.30`, `0.120`, `1.2e-5`; whole numbers bare, a
/// dash where there is no number.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "-".to_owned()
    } else if value == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e9).contains(&size) {
        format!("{value:.1e}")
    } else if size >= 1000.0 {
        thousands(value)
    } else {
        let decimals = if size >= 100.0 {
            1
        } else if size >= 10.0 {
            2
        } else {
            3
        };
        if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.decimals$}") }
    }
}

/// As [`number`], with a sign before positive values too.
pub(super) fn signed(value: f64) -> String {
    format!("{}{}", if value > 0.0 { "+" } else { "" }, number(value))
}

fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

/// As [`number`], without zeros at the end: for the round values of an axis.
pub(super) fn tick(value: f64) -> String {
    let text = number(value);
    let plain = text.contains('.') && !text.contains('e');
    if plain { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (0.12345, "0.123"),
            (0.5, "0.500"),
            (3.0, "3"),
            (12.345, "12.35"),
            (123.46, "123.5"),
            (1234.4, "1,234"),
            (-1_234_567.0, "-1,234,567"),
            (1.2e-5, "1.2e-5"),
            (f64::NAN, "-"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(signed(0.25), "+0.250");
        assert_eq!(signed(-0.25), "-0.250");
        assert_eq!(signed(0.0), "0");
        // 0.1 * 3 is not quite 0.3, and axes are full of such values.
        assert_eq!([0.1 * 3.0, 20.0, 1e-4].map(tick), ["0.3", "20", "1.0e-4"]);
    }
}
