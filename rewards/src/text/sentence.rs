//! Sentences of clinical prose and notes, as ranges of tokens.

use std::ops::Range;

use super::token::{Kind, Token};

/// One sentence, list item or header.
#[derive(Debug, Clone, PartialEq)]
pub struct Sentence {
    /// Its tokens.
    pub tokens: Range<usize>,
    /// Its bytes, from the first token to the last.
    pub span: [usize; 2],
}

/// Abbreviations whose period ends no sentence.
const ABBREVIATIONS: &[&str] = &[
    "dr", "mr", "mrs", "ms", "prof", "st", "vs", "e.g", "i.e", "eg", "ie", "fig", "no", "approx", "ca", "cf", "al",
    "resp", "temp", "wt", "ht", "pt", "hx", "dx", "tx", "rx", "sx", "yr", "yrs", "mo", "wk", "wks", "hr", "hrs", "min",
    "sec", "max", "incl", "dept", "inc", "jr", "sr", "lab", "labs", "neg", "pos", "p.o", "b.i.d", "t.i.d", "q.d",
];

/// Tokens after which a sentence is cut wherever it stands: rules compare what stands in one sentence, so that its
/// length must be bounded for their time to be linear. Sentences of notes and papers are shorter.
const LONGEST: usize = 200;

/// Splits tokens into sentences: at `.`, `!`, `?` before a capital, digit or line end, at `;` never, and at line breaks
/// that end a list item, a header or a paragraph. A wrapped line goes on.
pub fn sentences(text: &str, tokens: &[Token]) -> Vec<Sentence> {
    let mut found = Vec::with_capacity(tokens.len() / 12 + 1);
    let mut start = 0;
    for at in 0..tokens.len() {
        if at + 1 == tokens.len() || at + 1 - start >= LONGEST || ends_after(text, tokens, at) {
            let span = [tokens[start].start as usize, tokens[at].end as usize];
            found.push(Sentence { tokens: start..at + 1, span });
            start = at + 1;
        }
    }
    found
}

fn ends_after(text: &str, tokens: &[Token], at: usize) -> bool {
    let (token, next) = (&tokens[at], &tokens[at + 1]);
    // Nearly every token is a word within a line.
    if next.breaks == 0 && next.kind != Kind::Number && token.kind != Kind::Mark {
        return false;
    }
    if next.breaks >= 2 {
        return true;
    }
    if next.breaks == 1 {
        let bullet = next.kind == Kind::Mark && "-*\u{2022}#>|".chars().any(|mark| next.is_mark(mark));
        let numbered = next.kind == Kind::Number
            && tokens.get(at + 2).is_some_and(|after| after.glued && (after.is_mark('.') || after.is_mark(')')));
        let closed = token.kind == Kind::Mark && ".!?:;)]}>|".chars().any(|mark| token.is_mark(mark));
        return bullet || numbered || closed || next.capital || next.kind == Kind::Number;
    }
    if starts_item(tokens, at + 1) {
        return true;
    }
    if token.is_mark('!') || token.is_mark('?') {
        return !next.glued || next.capital;
    }
    if !token.is_mark('.') {
        return false;
    }
    let before = at.checked_sub(1).map(|index| &tokens[index]);
    // A period that is glued to the next word ends a sentence only between a word or number and a capitalised word of
    // more than one letter ("normal.No evidence"), and behind a glued list number ("1.No evidence") it does not.
    if next.glued {
        let word = next.kind == Kind::Word && next.capital && next.end - next.start > 1;
        return word && before.is_some_and(|b| b.kind == Kind::Word && b.end - b.start > 2);
    }
    let Some(before) = before else { return false };
    if before.kind == Kind::Word && before.glued_to(token) {
        let word = before.text(text);
        let single = before.end - before.start == 1 && before.capital && at >= 2 && !tokens[at - 2].is_mark(')');
        if single && next.kind == Kind::Word && next.capital && at >= 2 && tokens[at - 2].is_mark('.') {
            return false;
        }
        if ABBREVIATIONS.iter().any(|abbreviation| abbreviation.eq_ignore_ascii_case(word)) {
            return !(next.kind == Kind::Number || !next.capital || is_title(word));
        }
    }
    // A list number at the start of a line: "1. Fever".
    if before.kind == Kind::Number && (at == 1 || tokens[at - 1].breaks > 0) && before.end - before.start <= 2 {
        return false;
    }
    next.capital || next.kind != Kind::Word || before.kind != Kind::Word || before.end - before.start > 3
}

/// Whether an item of a list starts within the line: "no effusion 2.Small nodule", "no effusion 2) small nodule".
fn starts_item(tokens: &[Token], at: usize) -> bool {
    let number = &tokens[at];
    let [Some(mark), Some(word)] = [1, 2].map(|ahead| tokens.get(at + ahead)) else { return false };
    if number.kind != Kind::Number || number.end - number.start > 2 || number.glued || !mark.glued {
        return false;
    }
    let behind_word = at > 0 && tokens[at - 1].kind == Kind::Word;
    if !behind_word {
        return false;
    }
    // Within brackets, "(grade 2)" closes what was opened.
    let open = tokens[at.saturating_sub(8)..at].iter().any(|token| token.is_mark('('));
    (mark.is_mark('.') && word.glued && word.capital && word.end - word.start > 1)
        || (mark.is_mark(')') && !open && word.kind == Kind::Word && !word.glued)
}

fn is_title(word: &str) -> bool {
    ["dr", "mr", "mrs", "ms", "prof", "st", "vs", "fig"].iter().any(|title| title.eq_ignore_ascii_case(word))
}

impl Token {
    /// Whether `next` stands directly behind this token.
    pub(crate) fn glued_to(&self, next: &Token) -> bool {
        next.glued && self.end <= next.start
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokenize;
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        let tokens = tokenize(text);
        sentences(text, &tokens).iter().map(|sentence| &text[sentence.span[0]..sentence.span[1]]).collect()
    }

    #[test]
    fn clinical_prose() {
        assert_eq!(
            split("His pulse is 102/min. Temp. 38.5\u{b0}C vs. 37 before. Dr. Smith saw him at 4 p.m. He left."),
            ["His pulse is 102/min.", "Temp. 38.5\u{b0}C vs. 37 before.", "Dr. Smith saw him at 4 p.m.", "He left."]
        );
        assert_eq!(split("Is it PE? Yes! No fever."), ["Is it PE?", "Yes!", "No fever."]);
        assert_eq!(split("Potassium is 4.1. Sodium is 138."), ["Potassium is 4.1.", "Sodium is 138."]);
    }

    #[test]
    fn notes() {
        assert_eq!(
            split("Labs:\nK 4.1\n- no fever\n1. Cough\nand sputum\n\nPlan"),
            ["Labs:", "K 4.1", "- no fever", "1. Cough\nand sputum", "Plan"]
        );
        assert_eq!(split("1.No effusion 2.Small nodule"), ["1.No effusion", "2.Small nodule"]);
        assert_eq!(
            split("1) no effusion 2) small nodule (grade 2) seen"),
            ["1) no effusion", "2) small nodule (grade 2) seen"]
        );
        assert_eq!(split("Lungs are normal.No effusion is seen"), ["Lungs are normal.", "No effusion is seen"]);
    }
}
