//! Spans in the units of other languages: bytes here, characters in Python, UTF-16 units in JavaScript.

use std::borrow::Cow;

use attending_datasets::Case;

use crate::{Response, Scored, Span};

/// What the numbers of a span count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Offsets {
    /// Bytes of UTF-8.
    #[default]
    Bytes,
    /// Unicode code points, as Python counts.
    Chars,
    /// UTF-16 code units, as JavaScript counts.
    Utf16,
}

impl Offsets {
    /// The units of that name on the command line.
    pub fn named(name: &str) -> Option<Offsets> {
        [("bytes", Offsets::Bytes), ("chars", Offsets::Chars), ("utf16", Offsets::Utf16)]
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, offsets)| offsets)
    }
}

/// Bytes between two entries of a [`Table`].
const STRIDE: usize = 128;

/// Counts of units at every [`STRIDE`] bytes, so that a span in a long text costs no pass over it.
struct Table<'a> {
    text: &'a str,
    counts: Vec<usize>,
    offsets: Offsets,
}

impl<'a> Table<'a> {
    fn new(text: &'a str, offsets: Offsets) -> Self {
        let mut table = Table { text, counts: vec![0], offsets };
        let mut from = 0;
        while from + STRIDE <= text.len() {
            let counted = table.count(from, from + STRIDE);
            let last = table.counts.last().copied().unwrap_or(0);
            table.counts.push(last + counted);
            from += STRIDE;
        }
        table
    }

    /// Units of the characters that start in these bytes.
    fn count(&self, from: usize, to: usize) -> usize {
        let bytes = &self.text.as_bytes()[from..to];
        let starts = bytes.iter().filter(|&&byte| byte & 0xc0 != 0x80).count();
        match self.offsets {
            Offsets::Bytes => to - from,
            Offsets::Chars => starts,
            // A character of four bytes takes two UTF-16 units.
            Offsets::Utf16 => starts + bytes.iter().filter(|&&byte| byte >= 0xf0).count(),
        }
    }

    fn convert(&self, span: Span) -> Span {
        span.map(|byte| {
            let byte = byte.min(self.text.len());
            let entry = byte / STRIDE;
            self.counts[entry] + self.count(entry * STRIDE, byte)
        })
    }
}

/// The text that a span of `document` points into: a document of the case, its question, an option.
pub fn document_text<'a>(case: &'a Case, document: &str) -> Option<&'a str> {
    if document == "question" {
        return Some(&case.question);
    }
    if let Some(key) = document.strip_prefix("option:") {
        return case.options.iter().find(|option| option.key == key).map(|option| option.text.as_str());
    }
    case.context.iter().find(|known| known.id == document).map(|known| known.text.as_str())
}

/// Rewrites all spans of a scored response in other units.
pub fn convert(scored: &mut Scored, case: &Case, response: &Response, offsets: Offsets) {
    if offsets == Offsets::Bytes {
        return;
    }
    let text = Table::new(response.text.as_deref().unwrap_or(""), offsets);
    let reasoning = Table::new(response.reasoning.as_deref().unwrap_or(""), offsets);
    let mut documents: Vec<(Cow<str>, Table)> = Vec::new();
    for check in &mut scored.checks {
        let own = if check.field.is_some() { &reasoning } else { &text };
        check.response = check.response.map(|span| own.convert(span));
        for evidence in &mut check.evidence {
            let known = documents.iter().position(|(name, _)| *name == evidence.document);
            let index = known.unwrap_or_else(|| {
                let text = document_text(case, &evidence.document).unwrap_or("");
                documents.push((evidence.document.clone(), Table::new(text, offsets)));
                documents.len() - 1
            });
            evidence.span = documents[index].1.convert(evidence.span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_a_span() {
        // Two bytes, one code point and one UTF-16 unit each; the emoji four bytes, one code point, two units.
        let text = format!("{}\u{e9}\u{1f600}x", "\u{e9}".repeat(100));
        let span = [202, 207];
        assert_eq!(Table::new(&text, Offsets::Chars).convert(span), [101, 103]);
        assert_eq!(Table::new(&text, Offsets::Utf16).convert(span), [101, 104]);
        assert_eq!(Table::new(&text, Offsets::Bytes).convert(span), span);
    }
}
