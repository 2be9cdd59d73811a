//! How evidence and question are worded, where it matters for what they state.

use crate::reading::{Mention, Reading};
use crate::text::{Kind, Words};

static JOINTS: Words =
    Words::new("any of a an or and nor the no such as other his her signs symptoms evidence significant recent");

/// Whether a denial is of the concept as such: "no lymphadenopathy", not "no cervical lymphadenopathy".
pub(super) fn is_denied_whole(reading: &Reading, mention: &Mention) -> bool {
    let Some(at) = mention.tokens.start.checked_sub(1) else { return true };
    let range = &reading.sentences[mention.sentence].tokens;
    let token = &reading.tokens[at];
    let listed = !range.contains(&at) || token.kind == Kind::Mark || JOINTS.has(token.hash);
    let cued = reading.cues_of(mention.sentence).iter().any(|cue| cue.tokens.contains(&at));
    let named = reading.mentions_of(mention.sentence).iter().any(|other| other.tokens.contains(&at));
    listed || cued || named
}

/// Whether a question's last sentence asks for the exception.
pub(super) fn asks_for_exception(question: &str) -> bool {
    let end = question.trim_end();
    let from = end.trim_end_matches(['?', '.', ':', '"']).rfind(['.', '?', '!', '\n']).map_or(0, |at| at + 1);
    let asked = &end[from..];
    let lower = asked.to_lowercase();
    let marked = asked.split(|c: char| !c.is_alphabetic()).any(|word| matches!(word, "EXCEPT" | "NOT" | "LEAST"));
    marked
        || [
            "except",
            "least likely",
            "least probable",
            "doesn't",
            "does not",
            "is false",
            "not true",
            "contraindicated",
            "avoid",
            "not be used",
            "is not true",
            "incorrect",
            "inappropriate",
        ]
        .iter()
        .any(|words| lower.contains(words))
}
