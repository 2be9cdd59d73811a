//! The sections of a response: reasoning and conclusion, as spans, whatever state the tags are in.

use serde::{Deserialize, Serialize};

use crate::scored::Span;

/// How a response is asked to be laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `<think>...</think><answer>...</answer>`.
    #[default]
    ThinkAnswer,
    /// `<dx>...</dx><conclusion>...</conclusion>`.
    DxConclusion,
    /// Prose without sections.
    Plain,
    /// An object with a field of reasoning and a field of the answer.
    Json,
    /// As `think_answer`, but the template already opened `<think>`.
    PrefilledThink,
}

impl Format {
    /// The tags of reasoning and conclusion, where the format has tags.
    pub fn tags(self) -> Option<(&'static str, &'static str)> {
        match self {
            Format::ThinkAnswer | Format::PrefilledThink => Some(("think", "answer")),
            Format::DxConclusion => Some(("dx", "conclusion")),
            Format::Plain | Format::Json => None,
        }
    }

    /// Every format with its name in configurations.
    pub const NAMES: &'static [(&'static str, Format)] = &[
        ("think_answer", Format::ThinkAnswer),
        ("dx_conclusion", Format::DxConclusion),
        ("plain", Format::Plain),
        ("json", Format::Json),
        ("prefilled_think", Format::PrefilledThink),
    ];

    /// The format of that name in configurations.
    pub fn named(name: &str) -> Option<Format> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }
}

/// Field names of the `json` format, in order of preference.
const REASONING_FIELDS: &[&str] = &["step_by_step_thinking", "reasoning", "rationale", "explanation", "thinking"];
const ANSWER_FIELDS: &[&str] = &["answer_choice", "answer", "final_answer", "choice", "prediction"];

/// Something wrong with the sections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// What.
    pub kind: DefectKind,
    /// The tag or field that it concerns.
    pub tag: &'static str,
    /// Where, if it is somewhere.
    pub span: Option<Span>,
}

/// What can be wrong with a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DefectKind {
    Missing,
    Repeated,
    Misordered,
    Unclosed,
    Unopened,
    Empty,
    TextBefore,
    TextBetween,
    TextAfter,
    BrokenJson,
}

impl DefectKind {
    /// A clause for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Missing => "the section is missing",
            Self::Repeated => "the section is repeated",
            Self::Misordered => "the sections are out of order",
            Self::Unclosed => "the section is not closed",
            Self::Unopened => "the section is not opened",
            Self::Empty => "the section is empty",
            Self::TextBefore => "text stands before the first section",
            Self::TextBetween => "text stands between the sections",
            Self::TextAfter => "text stands after the last section",
            Self::BrokenJson => "the JSON is broken or truncated",
        }
    }
}

/// The parts of a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sections {
    /// The reasoning; the whole text where there are no sections.
    pub reasoning: Option<Span>,
    /// The conclusion, from which the answer is read.
    pub conclusion: Option<Span>,
    /// What is wrong, judged by the asked format.
    pub defects: Vec<Defect>,
    /// Whether the conclusion is a JSON value.
    pub json: bool,
    /// Markup that is no part of the text: tags, the frame of a JSON object, its escaped line breaks. In order.
    pub markup: Vec<Span>,
}

/// Finds the sections of `text`, asked for in `format`. Where its tags are absent, the tags of the other formats and
/// JSON are tried, so that a response can be read even where it disobeys; the defects still count against it.
pub fn sections(text: &str, format: Format) -> Sections {
    let marked = text.contains('<');
    let asked = read(text, format, marked);
    if asked.conclusion.is_some() || asked.reasoning.is_some() && format != Format::Plain {
        return asked;
    }
    for other in [Format::ThinkAnswer, Format::DxConclusion, Format::Json] {
        if other != format && !(format == Format::PrefilledThink && other == Format::ThinkAnswer) {
            let read = read(text, other, marked);
            if read.conclusion.is_some() {
                return Sections { defects: asked.defects, ..read };
            }
        }
    }
    Sections { reasoning: Some([0, text.len()]), ..asked }
}

/// Reads one format; `marked` says whether there can be tags at all.
fn read(text: &str, format: Format, marked: bool) -> Sections {
    match format.tags() {
        Some((first, second)) if marked => tagged(text, first, second, format == Format::PrefilledThink),
        Some((first, second)) => untagged(first, second),
        None if format == Format::Json => json(text),
        None => Sections::default(),
    }
}

/// Where a tag's opening and closing forms stand.
#[derive(Debug, Default)]
struct Tag {
    opens: Vec<Span>,
    closes: Vec<Span>,
}

fn find_tag(text: &str, name: &str) -> Tag {
    let mut tag = Tag::default();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(offset) = text[at..].find('<') {
        let start = at + offset;
        let closing = bytes.get(start + 1) == Some(&b'/');
        let from = start + 1 + usize::from(closing);
        let end = from + name.len();
        if bytes.get(from..end).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
            && bytes.get(end) == Some(&b'>')
        {
            if closing { &mut tag.closes } else { &mut tag.opens }.push([start, end + 1]);
            at = end + 1;
        } else {
            at = start + 1;
        }
    }
    tag
}

fn blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c == '\0')
}

/// A text without either tag.
fn untagged(first: &'static str, second: &'static str) -> Sections {
    let missing = |tag| Defect { kind: DefectKind::Missing, tag, span: None };
    Sections { defects: vec![missing(first), missing(second)], ..Sections::default() }
}

fn tagged(text: &str, first: &'static str, second: &'static str, prefilled: bool) -> Sections {
    let mut found = Sections::default();
    let (mut think, answer) = (find_tag(text, first), find_tag(text, second));
    if think.opens.is_empty() && think.closes.is_empty() && answer.opens.is_empty() && answer.closes.is_empty() {
        return untagged(first, second);
    }
    if prefilled && think.opens.first().is_none_or(|open| think.closes.first().is_some_and(|close| close[0] < open[0]))
    {
        think.opens.insert(0, [0, 0]);
    }
    // The conclusion is the last opened one; the reasoning what the first tag encloses, up to the conclusion.
    let conclusion = last_section(&answer, text.len());
    let limit = answer.opens.last().map_or(text.len(), |open| open[0]);
    found.conclusion = conclusion.map(|(span, _)| span);
    found.markup =
        [&think.opens, &think.closes, &answer.opens, &answer.closes].into_iter().flatten().copied().collect();
    found.markup.retain(|span| span[0] < span[1]);
    found.markup.sort_unstable();
    let open = think.opens.first().filter(|open| open[0] <= limit);
    found.reasoning = match open {
        Some(open) => {
            // With several blocks of reasoning, all of them up to the conclusion are read.
            let close = think.closes.iter().rev().find(|close| close[0] >= open[1] && close[0] <= limit);
            Some([open[1], close.map_or(limit, |close| close[0]).max(open[1])])
        }
        None => think.closes.first().filter(|close| close[0] <= limit).map(|close| [0, close[0]]),
    };
    let mut defect = |kind, tag, span| found.defects.push(Defect { kind, tag, span });
    for (name, tag) in [(first, &think), (second, &answer)] {
        match (tag.opens.len(), tag.closes.len()) {
            (0, 0) => defect(DefectKind::Missing, name, None),
            (0, _) => defect(DefectKind::Unopened, name, tag.closes.first().copied()),
            (_, 0) => defect(DefectKind::Unclosed, name, tag.opens.first().copied()),
            (1, 1) => {
                if tag.closes[0][0] < tag.opens[0][1] {
                    defect(DefectKind::Misordered, name, Some(tag.closes[0]));
                }
            }
            _ => defect(DefectKind::Repeated, name, tag.opens.get(1).or(tag.closes.get(1)).copied()),
        }
    }
    if let (Some(think_close), Some(answer_open)) = (think.closes.first(), answer.opens.first()) {
        if answer_open[0] < think_close[1] {
            defect(DefectKind::Misordered, second, Some(*answer_open));
        } else if !blank(&text[think_close[1]..answer_open[0]]) {
            defect(DefectKind::TextBetween, second, Some([think_close[1], answer_open[0]]));
        }
    }
    let opens = think.opens.first().into_iter().chain(answer.opens.first()).min();
    if let Some(open) = opens.filter(|open| !think.opens.is_empty() && !blank(&text[..open[0]])) {
        defect(DefectKind::TextBefore, first, Some([0, open[0]]));
    }
    let closes = think.closes.last().into_iter().chain(answer.closes.last()).max();
    if let Some(close) = closes.filter(|close| !answer.closes.is_empty() && !blank(&text[close[1]..])) {
        defect(DefectKind::TextAfter, second, Some([close[1], text.len()]));
    }
    for (name, section) in [(first, found.reasoning), (second, found.conclusion)] {
        if let Some(span) = section.filter(|span| blank(&text[span[0]..span[1]])) {
            found.defects.push(Defect { kind: DefectKind::Empty, tag: name, span: Some(span) });
        }
    }
    found
}

/// The last section of a tag, and whether it is closed. Unclosed sections reach to the end.
fn last_section(tag: &Tag, end: usize) -> Option<(Span, bool)> {
    let open = tag.opens.last()?;
    let close = tag.closes.iter().find(|close| close[0] >= open[1]);
    Some(([open[1], close.map_or(end, |close| close[0])], close.is_some()))
}

/// The sections of a JSON object, read by scanning for its fields, so that truncation does no harm.
fn json(text: &str) -> Sections {
    let mut found = Sections { json: true, ..Sections::default() };
    let Some(start) = text.find('{') else {
        for tag in [REASONING_FIELDS[0], ANSWER_FIELDS[0]] {
            found.defects.push(Defect { kind: DefectKind::Missing, tag, span: None });
        }
        return found;
    };
    let [reasoning, answer] = json_fields(text, start, [REASONING_FIELDS, ANSWER_FIELDS]);
    for (names, field, is_answer) in [(REASONING_FIELDS, reasoning, false), (ANSWER_FIELDS, answer, true)] {
        match field {
            Some((tag, (span, closed))) => {
                if !closed {
                    found.defects.push(Defect { kind: DefectKind::Unclosed, tag, span: Some(span) });
                }
                if blank(&text[span[0]..span[1]]) {
                    found.defects.push(Defect { kind: DefectKind::Empty, tag, span: Some(span) });
                }
                if is_answer { found.conclusion = Some(span) } else { found.reasoning = Some(span) }
            }
            None => found.defects.push(Defect { kind: DefectKind::Missing, tag: names[0], span: None }),
        }
    }
    let whole = text
        .rfind('}')
        .is_some_and(|end| end > start && serde_json::from_str::<serde::de::IgnoredAny>(&text[start..=end]).is_ok());
    if !whole {
        found.defects.push(Defect { kind: DefectKind::BrokenJson, tag: "json", span: None });
    }
    // What is neither reasoning nor answer is frame.
    let mut at = 0;
    let mut parts: Vec<Span> = [found.reasoning, found.conclusion].into_iter().flatten().collect();
    parts.sort_unstable();
    for [from, to] in parts {
        if at < from {
            found.markup.push([at, from]);
        }
        let mut inside = from;
        while let Some(offset) = text[inside.min(to)..to].find('\\') {
            inside += offset;
            // Behind a backslash that is none may stand the line break's.
            if text[inside..to].starts_with("\\n") {
                found.markup.push([inside, inside + 2]);
                inside += 2;
            } else {
                inside += 1;
            }
        }
        at = at.max(to);
    }
    if at < text.len() {
        found.markup.push([at, text.len()]);
    }
    found
}

/// A field's name, the span of its value, and whether the value ends.
type Field = (&'static str, (Span, bool));

/// Of each list of names the first that has a field, in one pass: its first value in the text.
fn json_fields<const N: usize>(text: &str, from: usize, lists: [&'static [&'static str]; N]) -> [Option<Field>; N] {
    let mut found: [Option<(usize, Field)>; N] = [None; N];
    let mut at = from;
    while let Some(offset) = text[at..].find('"') {
        at += offset + 1;
        for (names, best) in lists.iter().zip(&mut found) {
            // A name further down the list tells nothing any more.
            let wanted = best.map_or(names.len(), |(rank, _)| rank);
            let inside = &text[at..];
            let named = names[..wanted]
                .iter()
                .position(|name| inside.strip_prefix(name).is_some_and(|behind| behind.starts_with('"')));
            if let Some(rank) = named
                && let Some(value) = json_value(text, at + names[rank].len() + 1)
            {
                *best = Some((rank, (names[rank], value)));
            }
        }
    }
    found.map(|best| best.map(|(_, field)| field))
}

/// The value behind a field's name: the inside of its string, or the bare value; and whether it ends.
fn json_value(text: &str, from: usize) -> Option<(Span, bool)> {
    let value = text[from..].trim_start().strip_prefix(':')?.trim_start();
    let start = text.len() - value.len();
    if let Some(inside) = value.strip_prefix('"') {
        let (bytes, mut at) = (inside.as_bytes(), 0);
        while let Some(offset) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| matches!(b, b'"' | b'\\'))) {
            at += offset;
            if bytes[at] == b'"' {
                return Some(([start + 1, start + 1 + at], true));
            }
            // What a backslash stands before ends nothing.
            at += 2;
        }
        return Some(([start + 1, text.len()], false));
    }
    let end = value.find([',', '}', '\n']).unwrap_or(value.len());
    Some(([start, start + end], end < value.len()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parts(text: &str, format: Format) -> (Option<&str>, Option<&str>, Vec<DefectKind>) {
        let found = sections(text, format);
        let cut = |span: Option<Span>| span.map(|[start, end]| &text[start..end]);
        (cut(found.reasoning), cut(found.conclusion), found.defects.iter().map(|d| d.kind).collect())
    }

    #[test]
    fn whole_sections() {
        let text = "<think>a</think>\n<answer>b</answer>";
        assert_eq!(parts(text, Format::ThinkAnswer), (Some("a"), Some("b"), vec![]));
        assert_eq!(parts("<dx>a</dx><conclusion>b</conclusion>", Format::DxConclusion), (Some("a"), Some("b"), vec![]));
        assert_eq!(parts("a</think><answer>b</answer>", Format::PrefilledThink), (Some("a"), Some("b"), vec![]));
        let json = r#"{"step_by_step_thinking": "a \"q\" b", "answer_choice": "C"}"#;
        assert_eq!(parts(json, Format::Json), (Some(r#"a \"q\" b"#), Some("C"), vec![]));
        assert_eq!(parts("all of it", Format::Plain), (Some("all of it"), None, vec![]));
    }

    #[test]
    #[allow(clippy::type_complexity)] // a table
    fn broken_tags() {
        use DefectKind::*;
        let rows: &[(&str, Option<&str>, Option<&str>, &[DefectKind])] = &[
            ("<think>a</think>", Some("a"), None, &[Missing]),
            ("<think>a", Some("a"), None, &[Unclosed, Missing]),
            ("<think>a<answer>b</answer>", Some("a"), Some("b"), &[Unclosed]),
            ("a</think><answer>b</answer>", Some("a"), Some("b"), &[Unopened]),
            ("<think>a</think><answer>b", Some("a"), Some("b"), &[Unclosed]),
            ("<answer>b</answer><think>a</think>", None, Some("b"), &[Misordered]),
            ("x<think>a</think>y<answer>b</answer>z", Some("a"), Some("b"), &[TextBetween, TextBefore, TextAfter]),
            ("<think></think><answer> </answer>", Some(""), Some(" "), &[Empty, Empty]),
            ("<think>a</think><answer>b</answer><answer>c</answer>", Some("a"), Some("c"), &[Repeated]),
            ("no tags", Some("no tags"), None, &[Missing, Missing]),
            ("<dx>a</dx><conclusion>b</conclusion>", Some("a"), Some("b"), &[Missing, Missing]),
        ];
        for (text, reasoning, conclusion, defects) in rows {
            let (r, c, d) = parts(text, Format::ThinkAnswer);
            assert_eq!((r, c, d.as_slice()), (*reasoning, *conclusion, *defects), "{text}");
        }
    }

    #[test]
    fn truncated_json() {
        let (reasoning, answer, defects) = parts(r#"{"step_by_step_thinking": "a and b"#, Format::Json);
        assert_eq!((reasoning, answer), (Some("a and b"), None));
        assert!(defects.contains(&DefectKind::Unclosed) && defects.contains(&DefectKind::BrokenJson));
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_spans_on_boundaries(text in "(<think>|</think>|<answer>|</answer>|<dx>|[a{}:\"\\\\é\u{0}]|answer_choice)*") {
            for format in [Format::ThinkAnswer, Format::DxConclusion, Format::Plain, Format::Json, Format::PrefilledThink] {
                let found = sections(&text, format);
                let spans = [found.reasoning, found.conclusion].into_iter().flatten().chain(found.defects.iter().filter_map(|d| d.span));
                for [start, end] in spans {
                    proptest::prop_assert!(start <= end && text.get(start..end).is_some());
                }
            }
        }
    }
}
