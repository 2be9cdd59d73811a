//! The preset `clinical-r1`: the scalar of the published Clinical-R1 training run, reproduced with its edge cases.
//!
//! Source: arXiv 2512.00601 and the authors' released scorer; the behaviour is recorded case by case in this module's
//! tests. It looks at tags and one letter, never at content, and pays for most tricks: it is kept so that anyone can
//! compare, not as advice.

/// The end-of-sequence marker at which the published run cut its responses (Qwen2.5's).
pub const EOS: &str = "<|im_end|>";

/// The three parts of the published scalar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parts {
    /// 1 right, 0 wrong, -0.5 not a capital letter, -1 no closed box on one line, minus the number of boxes otherwise.
    pub accuracy: f64,
    /// 0, 1 (tags) or 1.5 (tags, and an answer that is more than its box).
    pub format: f64,
    /// Share of characters in a fixed ASCII set, in [0, 1].
    pub english: f64,
}

impl Parts {
    /// The scalar used in training: `10 * accuracy + format + 0.5 * english`, at most 12, unbounded below.
    pub fn total(self) -> f64 {
        self.accuracy * 10.0 + self.format + self.english * 0.5
    }
}

/// Scores `text` against the gold letter `gold`, as the published scorer does with the marker `eos`.
pub fn parts(text: &str, gold: &str, eos: &str) -> Parts {
    let text = prepare(text, eos);
    Parts { accuracy: accuracy(&text, gold), format: format(&text), english: english(&text) }
}

/// What Python's `str.strip` removes: Unicode white space and the four separators U+001C to U+001F.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

fn prepare(text: &str, eos: &str) -> String {
    let text = strip(text.split(eos).next().unwrap_or(""));
    let text = text.replace("<\\think>", "</think>").replace("<\\answer>", "</answer>");
    // The published scorer keeps only what stands between the first and the second of these markers.
    match text.split("## Final Response").nth(1) {
        Some(after) => strip(after).to_owned(),
        None => text,
    }
}

/// The contents of each box that opens and closes on one line, in order.
fn boxes(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("\\boxed{") {
        let body = &rest[at + 7..];
        let line = body.split('\n').next().unwrap_or("");
        match line.find('}') {
            Some(end) => {
                found.push(&body[..end]);
                rest = &body[end + 1..];
            }
            None => rest = body,
        }
    }
    found
}

fn accuracy(text: &str, gold: &str) -> f64 {
    let count = text.matches("\\boxed").count();
    if count != 1 {
        return -(count as f64);
    }
    match boxes(text).first() {
        None => -1.0,
        Some(content) if content.len() == 1 && content.as_bytes()[0].is_ascii_uppercase() => {
            f64::from(u8::from(*content == gold))
        }
        Some(_) => -0.5,
    }
}

fn format(text: &str) -> f64 {
    let Some(body) = answer_body(text) else { return 0.0 };
    let body = strip(body);
    let found = boxes(body);
    let summary = found.len() == 1 && body.len() != found[0].len() + "\\boxed{}".len();
    if summary { 1.5 } else { 1.0 }
}

/// What the lazy pattern `^<think>.*?</think>\s*<answer>(.*?)</answer>$` captures.
fn answer_body(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("<think>")?.strip_suffix("</answer>")?;
    let mut from = 0;
    while let Some(at) = inner[from..].find("</think>") {
        from += at + "</think>".len();
        if let Some(body) = inner[from..].trim_start_matches(is_space).strip_prefix("<answer>") {
            return Some(body);
        }
    }
    None
}

fn english(text: &str) -> f64 {
    const MARKS: &str = ".,!?;:'\"()[]{}<>-_/\\|`~@#$%^&*+= \n";
    let (mut all, mut english) = (0_usize, 0_usize);
    for c in text.chars() {
        all += 1;
        english += usize::from(c.is_ascii_alphanumeric() || MARKS.contains(c));
    }
    if all == 0 { 0.0 } else { english as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row of the recorded behaviour (gold answer C, training split): text, and the published total with its
    /// parts. The numbers were obtained by running the published scorer.
    #[test]
    fn full_marks_that_the_published_rule_pays() {
        let zeros = format!("<think>{}</think><answer>. \\boxed{{C}}</answer>", "0".repeat(50_000));
        let rows: &[&str] = &[
            r"<think></think><answer>.\boxed{C}</answer>",
            r"<think>aaaa aaaa aaaa</think><answer>x \boxed{C}</answer>",
            r"<think>Heparin is clearly right; warfarin would kill the patient.</think><answer>The answer is B. \boxed{C}</answer>",
            r"<think>x</think><answer>Not \boxed{C}</answer>",
            r"<think>The troponin of 40 ng/mL and K 9.9 (not in the case) prove it.</think><answer>So \boxed{C}</answer>",
            &zeros,
            r"<think>a</think><answer>b</answer><think>c</think><answer>d \boxed{C}</answer>",
            r"<think>x</think><answer>A B D are wrong</answer> random text <answer>\boxed{C}</answer>",
            r"<think></think><answer><think>real thinking here</think>\boxed{C}</answer>",
            r"I think it's A \boxed{A} \boxed{B} \boxed{D} ## Final Response <think>x</think><answer>So \boxed{C}</answer>",
            r"x ## Final Response <think>x</think><answer>So \boxed{C}</answer> ## Final Response \boxed{B}\boxed{D}",
            "<think>x</think><answer>So \\boxed{C}</answer><|im_end|>\\boxed{A} \u{4e2d}\u{6587}",
            r"<think>x<\think><answer>So \boxed{C}<\answer>",
            r"<think>huan zhe you fang chan, ying yong hua fa lin</think><answer>da an \boxed{C}</answer>",
        ];
        for row in rows {
            let parts = parts(row, "C", EOS);
            assert_eq!((parts.accuracy, parts.format, parts.english), (1.0, 1.5, 1.0), "{row:.80}");
            assert_eq!(parts.total(), 12.0);
        }
    }

    #[test]
    fn partial_marks() {
        let rows: &[(&str, f64)] = &[
            (r"\boxed{C}", 10.5),
            (r"<think>So \boxed{C}</think><answer>see above</answer>", 11.5),
            ("<think>x</think><answer>y</answer>\n\\boxed{C}", 10.5),
            (r"\boxed{C}<think>x</think><answer>y</answer>", 10.5),
            (r"<think>x</think><answer>So \boxed{C}</answer> Thanks!", 10.5),
            (r"Sure!<think>x</think><answer>So \boxed{C}</answer>", 10.5),
            (r"<think>x</think><answer>So \fbox{C}</answer>", 1.5),
            (r"<think>x</think><answer>The answer is C.</answer>", 1.5),
            (r"<think>x</think><answer>So \boxed{A}</answer>", 2.0),
            (r"<think>x</think><answer>So \boxed{Z}</answer>", 2.0),
            ("I do not know.", 0.5),
        ];
        for (row, total) in rows {
            assert_eq!(parts(row, "C", EOS).total(), *total, "{row}");
        }
    }

    #[test]
    fn right_answers_that_the_published_rule_punishes() {
        for content in ["c", " C ", "(C)", "C. Warfarin", r"\text{C}", "Warfarin", "A,C", ""] {
            let text = format!("<think>x</think><answer>So \\boxed{{{content}}}</answer>");
            let parts = parts(&text, "C", EOS);
            assert_eq!((parts.accuracy, parts.format), (-0.5, 1.5), "{content}");
            assert_eq!(parts.total(), -3.0);
        }
        let rows: &[(&str, f64)] = &[
            ("<think>x</think><answer>So \\boxed{\nC\n}</answer>", -8.5),
            (r"<think>x</think><answer>So \boxed{C</answer>", -8.5),
            (r"<think>x</think><answer>So \boxed C</answer>", -8.5),
            (r"<think>x gives \boxed{C}</think><answer>So \boxed{C}</answer>", -18.0),
            (r"<think>\boxed will be used</think><answer>So \boxed{C}</answer>", -18.0),
            (r"<think>format is \boxed{A} or \boxed{B}</think><answer>So \boxed{C}</answer>", -28.0),
        ];
        for (row, total) in rows {
            assert_eq!(parts(row, "C", EOS).total(), *total, "{row}");
        }
        assert_eq!(parts(&"\\boxed{A}".repeat(10), "C", EOS).total(), -99.5);
    }

    /// Counted by hand: mu, degree, subscript two, greater-or-equal and beta are outside the set.
    #[test]
    fn language_counts_clinical_notation_as_foreign() {
        let line = "Cr 88 \u{3bc}mol/L, 38.5\u{b0}C, SpO\u{2082} \u{2265} 92%, \u{3b2}-blocker -> stop";
        let share = english(line);
        let all = line.chars().count() as f64;
        assert_eq!(share, (all - 5.0) / all);
        assert_eq!(english("\t\t"), 0.0);
        assert_eq!(english(""), 0.0);
    }

    #[test]
    fn the_empty_text() {
        let parts = parts("", "C", EOS);
        assert_eq!((parts.accuracy, parts.format, parts.english), (0.0, 0.0, 0.0));
        assert_eq!(parts.accuracy.to_bits() & !(1 << 63), 0);
    }
}
