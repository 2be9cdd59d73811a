//! Tokens: words, numbers and marks, in one linear pass.
//!
//! Design decision: text is never rewritten. A word's folded form (lower case, accents and zero-width characters
//! removed, possessive `'s` dropped) exists only as a 64-bit hash, so that spans stay byte ranges of the original.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A word, possibly with digits inside (`CD15`, `b12`), or an ordinal (`2nd`).
    Word,
    /// A number: digits with thousands separators and one decimal point.
    Number,
    /// Any other visible character, one a token.
    Mark,
}

/// One token with its byte span.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Token {
    /// Hash of the folded word (see [`hash_word`]); for numbers of the printed digits, for marks the
    /// character's code.
    pub hash: u64,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// What it is.
    pub kind: Kind,
    /// Whether a word's letters are all capitals (digits allowed).
    pub upper: bool,
    /// Whether a word starts with a capital.
    pub capital: bool,
    /// Whether it stands directly behind the token before, with no white space between.
    pub glued: bool,
    /// Line breaks in the white space before it, at most 2.
    pub breaks: u8,
}

impl Token {
    /// The bytes of the text that the token covers.
    pub fn span(&self) -> [usize; 2] {
        [self.start as usize, self.end as usize]
    }

    /// The token's text.
    pub fn text<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.start as usize..self.end as usize).unwrap_or("")
    }

    /// Whether the token is this mark.
    pub fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark && self.hash == mark as u64
    }
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

fn mix(hash: u64, byte: u8) -> u64 {
    // FNV-1a: short words, no allocation, the same on every machine.
    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
}

/// The hash of a word's folded form; equal for `Oedème` and `oedeme`, `patient's` and `patient`.
pub fn hash_word(word: &str) -> u64 {
    let mut hash = SEED;
    let chars = word.char_indices().peekable();
    for (at, c) in chars {
        if is_apostrophe(c) {
            if possessive(&word[at + c.len_utf8()..]) {
                break;
            }
            continue;
        }
        hash = fold_into(hash, c);
    }
    hash
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{2bc}')
}

/// Whether what follows an apostrophe is the possessive `s` alone.
fn possessive(rest: &str) -> bool {
    let mut chars = rest.chars();
    matches!(chars.next(), Some('s' | 'S')) && !chars.next().is_some_and(|c| c.is_alphanumeric())
}

fn fold_into(hash: u64, c: char) -> u64 {
    if c.is_ascii() {
        return mix(hash, (c as u8).to_ascii_lowercase());
    }
    if is_zero_width(c) {
        return hash;
    }
    if let Some(plain) = without_accent(c) {
        return mix(hash, plain as u8);
    }
    let mut folded = hash;
    for lower in c.to_lowercase() {
        let mut buffer = [0; 4];
        for byte in lower.encode_utf8(&mut buffer).bytes() {
            folded = mix(folded, byte);
        }
    }
    folded
}

fn is_zero_width(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}' | '\u{300}'..='\u{36f}')
}

/// The ASCII letter behind an accented Latin-1 letter.
fn without_accent(c: char) -> Option<char> {
    Some(match c {
        '\u{c0}'..='\u{c5}' | '\u{e0}'..='\u{e5}' => 'a',
        '\u{c7}' | '\u{e7}' => 'c',
        '\u{c8}'..='\u{cb}' | '\u{e8}'..='\u{eb}' => 'e',
        '\u{cc}'..='\u{cf}' | '\u{ec}'..='\u{ef}' => 'i',
        '\u{d1}' | '\u{f1}' => 'n',
        '\u{d2}'..='\u{d6}' | '\u{d8}' | '\u{f2}'..='\u{f6}' | '\u{f8}' => 'o',
        '\u{d9}'..='\u{dc}' | '\u{f9}'..='\u{fc}' => 'u',
        _ => return None,
    })
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || is_zero_width(c)
}

fn is_superscript(c: char) -> bool {
    matches!(c, '\u{b2}' | '\u{b3}' | '\u{b9}' | '\u{2070}'..='\u{2079}' | '\u{2080}'..='\u{2089}')
}

/// Splits `text` into tokens. Linear in the length; any UTF-8. Text beyond 4 GiB is not read.
pub fn tokenize(text: &str) -> Vec<Token> {
    let text = super::head(text, u32::MAX as usize - 8);
    let bytes = text.as_bytes();
    let mut tokens = Vec::with_capacity(bytes.len() / 5 + 4);
    let mut at = 0;
    let (mut glued, mut breaks) = (false, 0_u8);
    while at < bytes.len() {
        let byte = bytes[at];
        if byte <= b' ' {
            glued = false;
            breaks = (breaks + u8::from(byte == b'\n')).min(2);
            at += 1;
            continue;
        }
        let start = at;
        let mut token = Token {
            hash: 0,
            start: start as u32,
            end: 0,
            kind: Kind::Mark,
            upper: false,
            capital: false,
            glued,
            breaks,
        };
        if byte.is_ascii_digit() {
            at = number_end(bytes, at);
            token.kind = Kind::Number;
            token.hash = bytes[start..at].iter().fold(SEED, |hash, &digit| mix(hash, digit));
            let ordinal = matches!(bytes.get(at..at + 2), Some(b"st" | b"nd" | b"rd" | b"th"))
                && !bytes.get(at + 2).is_some_and(u8::is_ascii_alphanumeric);
            if ordinal {
                at += 2;
                token.kind = Kind::Word;
                token.hash = hash_word(&text[start..at]);
            }
        } else if byte.is_ascii_alphabetic() {
            (at, token.hash, token.upper) = word(text, at);
            token.kind = Kind::Word;
            token.capital = byte.is_ascii_uppercase();
        } else if byte.is_ascii() {
            token.hash = u64::from(byte);
            at += 1;
        } else {
            let c = text[at..].chars().next().unwrap_or(' ');
            if c.is_whitespace() || is_zero_width(c) {
                glued = glued && !c.is_whitespace();
                at += c.len_utf8();
                continue;
            }
            // The modifier letter apostrophe is alphabetic, yet begins no word.
            if c.is_alphabetic() && !is_superscript(c) && !is_apostrophe(c) {
                (at, token.hash, token.upper) = word(text, at);
                token.kind = Kind::Word;
                token.capital = c.is_uppercase();
            } else {
                token.hash = c as u64;
                at += c.len_utf8();
            }
        }
        token.end = at as u32;
        tokens.push(token);
        (glued, breaks) = (true, 0);
    }
    tokens
}

const CAPITAL: u8 = 1;
const SMALL: u8 = 2;
const DIGIT: u8 = 4;

/// What each byte is within a word; 0 where it is no ASCII letter or digit.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'A'..=b'Z' => CAPITAL,
            b'a'..=b'z' => SMALL,
            b'0'..=b'9' => DIGIT,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// Reads the word that starts at `at`: its end, its hash, whether it is all capitals.
fn word(text: &str, at: usize) -> (usize, u64, bool) {
    let bytes = text.as_bytes();
    let mut hash = SEED;
    let mut end = at;
    let mut letters = 0;
    loop {
        for &byte in &bytes[end..] {
            let class = CLASSES[usize::from(byte)];
            if class == 0 {
                break;
            }
            letters |= class;
            // The bit by which small letters differ from capitals; digits have it too.
            hash = mix(hash, byte | 0x20);
            end += 1;
        }
        if bytes.get(end).is_none_or(|&byte| byte.is_ascii() && byte != b'\'') {
            break;
        }
        let c = text[end..].chars().next().unwrap_or(' ');
        let after = end + c.len_utf8();
        if is_apostrophe(c) {
            let rest = &text[after..];
            if possessive(rest) {
                end = after + 1;
                break;
            }
            if !rest.chars().next().is_some_and(char::is_alphabetic) {
                break;
            }
        } else if is_word_char(c) && !is_superscript(c) {
            letters |= if c.is_lowercase() { SMALL } else { 0 } | if c.is_uppercase() { CAPITAL } else { 0 };
            hash = fold_into(hash, c);
        } else {
            break;
        }
        end = after;
    }
    (end, hash, letters & (CAPITAL | SMALL) == CAPITAL)
}

/// One past the number that starts at `at`: digits, groups of three behind commas, a decimal part.
fn number_end(bytes: &[u8], at: usize) -> usize {
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut end = at + digits(at);
    while end - at <= 15 && bytes.get(end) == Some(&b',') {
        match digits(end + 1) {
            3 => end += 4,
            // Lakhs and crores: 3,75,000.
            2 if bytes.get(end + 3) == Some(&b',') => end += 3,
            _ => break,
        }
    }
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end += 1 + digits(end + 1);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        tokenize(text).iter().map(|token| token.text(text)).collect()
    }

    #[test]
    fn words_numbers_and_marks() {
        assert_eq!(split("K+ 5.9, WBC 14,000/mm3."), ["K", "+", "5.9", ",", "WBC", "14,000", "/", "mm3", "."]);
        assert_eq!(split("38.5\u{b0}C 2nd CD15 1,2"), ["38.5", "\u{b0}", "C", "2nd", "CD15", "1", ",", "2"]);
        assert_eq!(split("5mg."), ["5", "mg", "."]);
    }

    #[test]
    fn folding_joins_spellings() {
        assert_eq!(hash_word("Oed\u{e8}me"), hash_word("oedeme"));
        assert_eq!(tokenize("Crohn\u{2019}s")[0].hash, hash_word("crohn"));
        assert_eq!(tokenize("doesn't")[0].hash, hash_word("doesnt"));
        assert_eq!(tokenize("fe\u{200b}ver")[0].hash, hash_word("fever"));
        assert_eq!(tokenize("ABC")[0].text("ABC"), "ABC");
        assert!(tokenize("PE")[0].upper && !tokenize("Pe")[0].upper && tokenize("A")[0].upper);
    }

    /// Found by `tests/any_bytes.rs`: the word that began there was empty, and the reader never went on.
    #[test]
    fn an_apostrophe_that_is_a_letter_ends() {
        assert_eq!(split("\u{2bc}"), ["\u{2bc}"]);
        assert_eq!(split("\u{2bc}5 O\u{2bc}Neil \u{2bc}tis"), ["\u{2bc}", "5", "O\u{2bc}Neil", "\u{2bc}", "tis"]);
    }

    #[test]
    fn glue_and_line_breaks() {
        let tokens = tokenize("a-b\n\n\nc");
        assert_eq!(tokens.iter().map(|t| t.glued).collect::<Vec<_>>(), [false, true, true, false]);
        assert_eq!(tokens[3].breaks, 2);
    }

    proptest::proptest! {
        #[test]
        fn spans_lie_on_character_boundaries_in_order(text in "\\PC*|[ -~\n]*") {
            let mut last = 0;
            for token in tokenize(&text) {
                let [start, end] = token.span();
                proptest::prop_assert!(start >= last && end > start);
                proptest::prop_assert!(text.is_char_boundary(start) && text.is_char_boundary(end));
                last = end;
            }
        }
    }
}
