//! Answers that are conditions in words: one diagnosis, or a list of them.
//!
//! A wording is the gold one where the words are the same in any order, or where both name one concept of the lexicon.
//! One edge away earns half, a broader concept only where it has few others below it.

use attending_datasets::Case;

use super::{RankMeasure, Read, boxes, statement_span, trim_span};
use crate::lexicon::{ConceptId, Kind as ConceptKind, Lexicon, Term};
use crate::scored::Span;
use crate::text::{Kind, tokenize};

/// What a concept one edge away from the gold one earns.
const EDGE: f64 = 0.5;
/// A broader concept with more narrower ones than this says nothing ("infection").
const BROADEST: usize = 20;
/// Words beyond which a line is no name of a condition.
const LONGEST: usize = 14;
/// Items of a list that are read; further ones could not earn a tenth.
const ITEMS: usize = 30;

/// Words that name no condition by themselves, in front of one or between its parts.
const FILLERS: &[&str] = &[
    "a",
    "an",
    "the",
    "of",
    "is",
    "most",
    "likely",
    "probable",
    "probably",
    "suspected",
    "diagnosis",
    "final",
    "answer",
    "primary",
    "this",
    "patient",
    "has",
    "with",
    "in",
    "and",
    "be",
    "would",
    "clinical",
    "working",
    "possible",
];

/// Words behind which a cause or a complication stands, not the diagnosis.
const BEHIND: &[&str] =
    &["due", "secondary", "complicated", "because", "given", "caused", "based", "presenting", "as", "rather", "which"];

/// Words that make a wording the denial of a diagnosis.
const DENIALS: &[&str] = &["not", "no", "unlikely", "excluded", "without", "against", "unclear", "unknown"];

/// A diagnosis as named.
#[derive(Debug, Clone, PartialEq)]
struct Name {
    text: String,
    /// Its content words, folded, in order of their hashes.
    words: Vec<u64>,
    concepts: Vec<ConceptId>,
}

impl Name {
    /// Reads a wording; `None` where it names nothing or denies it.
    fn new(wording: &str, lexicon: &Lexicon) -> Option<Name> {
        let wording = without_brackets(wording);
        let tokens = tokenize(&wording);
        let word = |index: usize| tokens[index].text(&wording).to_lowercase();
        let is = |index: usize, list: &[&str]| list.contains(&word(index).as_str());
        if (0..tokens.len()).any(|at| is(at, DENIALS)) {
            return None;
        }
        let end = (1..tokens.len()).find(|&at| is(at, BEHIND)).unwrap_or(tokens.len());
        let content: Vec<usize> = (0..end).filter(|&at| tokens[at].kind != Kind::Mark && !is(at, FILLERS)).collect();
        let (first, last) = (*content.first()?, *content.last()?);
        if content.len() > LONGEST {
            return None;
        }
        let text = wording[tokens[first].start as usize..tokens[last].end as usize].to_owned();
        let looked_up = lexicon.look_up(&tokens);
        let mut words: Vec<u64> = content
            .iter()
            .map(|&at| if looked_up[at].lemma != 0 { u64::from(looked_up[at].lemma) } else { tokens[at].hash })
            .collect();
        words.sort_unstable();
        let mut concepts: Vec<ConceptId> = lexicon.meanings(&text).into_iter().filter_map(concept_of).collect();
        if concepts.is_empty() {
            // "Acute viral pericarditis with effusion": the first condition named stands for the whole.
            let found = lexicon.find_terms(&looked_up, first..last + 1);
            let conditions = found.iter().filter_map(|m| concept_of(m.value));
            concepts.extend(conditions.filter(|&id| lexicon.concept(id).kind == ConceptKind::Condition).take(1));
        }
        Some(Name { text, words, concepts })
    }

    fn same(&self, other: &Name) -> bool {
        self.words == other.words || self.concepts.iter().any(|id| other.concepts.contains(id))
    }

    /// What it earns beside a gold wording.
    fn value(&self, gold: &Name, lexicon: &Lexicon) -> f64 {
        if self.same(gold) {
            return 1.0;
        }
        let near = |own: ConceptId, other: ConceptId| {
            lexicon.is_edge(own, other) && (lexicon.is_a(own, other) || lexicon.concept(own).descendants <= BROADEST)
        };
        let edge = self.concepts.iter().any(|&own| gold.concepts.iter().any(|&other| near(own, other)));
        if edge { EDGE } else { 0.0 }
    }
}

fn concept_of(term: Term) -> Option<ConceptId> {
    match term {
        Term::Concept(id) => Some(id),
        Term::Measure(_) => None,
    }
}

/// A wording without what stands in brackets: "pulmonary embolism (PE)".
fn without_brackets(wording: &str) -> String {
    let mut depth = 0_usize;
    let mut kept = String::with_capacity(wording.len());
    for c in wording.chars() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    if kept.trim().is_empty() { wording.replace(['(', ')', '[', ']'], " ") } else { kept }
}

/// The items of an answer: numbered or bulleted lines, a JSON list, or what stands between commas, semicolons and
/// "or". Whether they are ranked: numbered.
fn items(text: &str) -> (Vec<&str>, bool) {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    fn numbered(line: &str) -> Option<&str> {
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        ((1..=2).contains(&digits) && line[digits..].starts_with(['.', ')', ':'])).then(|| &line[digits + 1..])
    }
    let ranked: Vec<&str> =
        lines.iter().filter_map(|line| numbered(line.trim_start_matches(['*', '_', '#', ' ']))).collect();
    let inline = inline_numbers(text);
    if inline.len() > ranked.len().max(1) {
        return (inline, true);
    }
    if !ranked.is_empty() {
        return (ranked, true);
    }
    let bullets: Vec<&str> =
        lines.iter().filter_map(|line| line.strip_prefix(['-', '*', '\u{2022}']).map(str::trim)).collect();
    if bullets.len() > 1 {
        return (bullets, false);
    }
    let parts = text
        .split([',', ';', '\n', '/', '|'])
        .flat_map(|part| part.split(" or "))
        .flat_map(|part| part.split(" versus "));
    let parts = parts.flat_map(|part| part.split(" vs "));
    (parts.map(str::trim).filter(|part| part.chars().any(char::is_alphabetic)).collect(), false)
}

/// "1. X 2. Y 3. Z" on one line.
fn inline_numbers(text: &str) -> Vec<&str> {
    let mut cuts = Vec::new();
    let mut next = 1;
    let mut from = 0;
    while let Some(offset) = text[from..].find(&format!("{next}")) {
        let at = from + offset;
        let digits = at + next.to_string().len();
        let starts = at == 0 || text[..at].ends_with([' ', '\n', '(']);
        if starts && text[digits..].starts_with(['.', ')']) {
            cuts.push((at, digits + 1));
            next += 1;
        }
        from = digits;
    }
    let ends = cuts.iter().skip(1).map(|(at, _)| *at).chain([text.len()]);
    cuts.iter().zip(ends).map(|((_, start), end)| text[*start..end].trim().trim_end_matches([',', ';', '('])).collect()
}

/// The part of the text that holds the answer.
fn place(text: &str, scope: Span, from_whole: bool, json: bool) -> Option<(Span, &'static str, bool)> {
    let all = boxes(text, scope);
    if let Some(last) = all.last() {
        // Different boxes in a conclusion are several answers; without a conclusion the last one counts.
        let fold = |span: &Span| text[span[0]..span[1]].trim().to_lowercase();
        let conflict = !from_whole && all.iter().any(|other| fold(other) != fold(last));
        return Some((trim_span(text, *last), "boxed", conflict));
    }
    let span = trim_span(text, scope);
    let part = &text[span[0]..span[1]];
    if json && !from_whole {
        return Some((span, "json", false));
    }
    if let Some([start, end]) = statement_span(part, &["diagnosis", "answer", "condition"]) {
        return Some(([span[0] + start, span[0] + end], "statement", false));
    }
    let short = tokenize(part).len() <= 2 * LONGEST || part.lines().count() > 1;
    (!from_whole && short && !part.is_empty()).then_some((span, "text", false))
}

/// Reads one diagnosis; several unranked ones stand as several values.
pub(super) fn read(text: &str, scope: Span, from_whole: bool, json: bool, lexicon: &Lexicon) -> Option<Read> {
    let (span, tier, conflict) = place(text, scope, from_whole, json)?;
    let (items, ranked) = items(&text[span[0]..span[1]]);
    let mut names: Vec<Name> = Vec::new();
    for name in items.iter().take(ITEMS).filter_map(|item| Name::new(item, lexicon)) {
        if !names.iter().any(|known| known.same(&name)) {
            names.push(name);
        }
    }
    if ranked {
        names.truncate(1);
    }
    let values: Vec<String> = names.into_iter().map(|name| name.text).collect();
    (!values.is_empty()).then_some(Read { values, tier, span, conflict })
}

/// The best of the diagnoses, divided by their number.
pub(super) fn judge(case: &Case, values: &[String], lexicon: &Lexicon) -> (f64, String) {
    let gold: Vec<Name> = case.answer.texts.iter().filter_map(|text| Name::new(text, lexicon)).collect();
    let value = |text: &String| {
        let name = Name::new(text, lexicon)?;
        gold.iter().map(|gold| name.value(gold, lexicon)).max_by(f64::total_cmp)
    };
    let best = values.iter().filter_map(value).fold(0.0, f64::max);
    (best / values.len().max(1) as f64, case.answer.texts.join(" / "))
}

/// Reads a list, best first.
pub(super) fn read_list(text: &str, scope: Span, from_whole: bool, json: bool, lexicon: &Lexicon) -> Option<Read> {
    let (span, tier, conflict) = match place(text, scope, from_whole, json) {
        Some((span, "statement", _)) if !items(&text[span[0]..span[1]]).1 => (trim_span(text, scope), "list", false),
        Some(found) => found,
        None => (trim_span(text, scope), "list", false),
    };
    let (items, ranked) = items(&text[span[0]..span[1]]);
    // Prose without a list is no ranking.
    if tier == "list" && !ranked {
        return None;
    }
    let values: Vec<String> =
        items.iter().take(ITEMS).filter_map(|item| Some(Name::new(head(item), lexicon)?.text)).collect();
    (!values.is_empty()).then_some(Read { values, tier, span, conflict })
}

/// An item without its explanation: "**Pneumonia** - fever and cough".
fn head(item: &str) -> &str {
    let item = item.trim().trim_start_matches(['*', '_', '"', '\'']);
    let cuts = [":", " - ", " \u{2013} ", " \u{2014} ", "**", ". ", "\n", "\""];
    let end = cuts.iter().filter_map(|cut| item.find(cut)).filter(|at| *at > 0).min().unwrap_or(item.len());
    &item[..end]
}

/// Judges a list: the reciprocal rank of the first gold item, or nDCG with relevance falling by one along the gold list
/// (Jarvelin and Kekalainen 2002, discount log2(rank + 1)). An item counts at its first place.
pub(super) fn judge_list(case: &Case, values: &[String], measure: RankMeasure, lexicon: &Lexicon) -> (f64, String) {
    let gold: Vec<Vec<Name>> = case
        .answer
        .ranked
        .iter()
        .map(|item| {
            std::iter::once(&item.text).chain(&item.synonyms).filter_map(|text| Name::new(text, lexicon)).collect()
        })
        .collect();
    let expected: Vec<&str> = case.answer.ranked.iter().map(|item| item.text.as_str()).collect();
    let names: Vec<Option<Name>> = values.iter().map(|text| Name::new(text, lexicon)).collect();
    let rank = |wordings: &Vec<Name>| {
        names.iter().position(|name| name.as_ref().is_some_and(|name| wordings.iter().any(|gold| name.same(gold))))
    };
    let value = match measure {
        RankMeasure::ReciprocalRank => gold.first().and_then(rank).map_or(0.0, |place| 1.0 / (place + 1) as f64),
        RankMeasure::Ndcg => {
            let gain = |relevance: usize, place: usize| relevance as f64 / ((place + 2) as f64).log2();
            let count = gold.len();
            let best: f64 = (0..count).map(|place| gain(count - place, place)).sum();
            let got: f64 = gold.iter().enumerate().filter_map(|(at, item)| Some(gain(count - at, rank(item)?))).sum();
            if best > 0.0 { (got / best).min(1.0) } else { 0.0 }
        }
    };
    (value, expected.join(" > "))
}

/// Whether the gold answer can be judged.
pub(super) fn has_gold(case: &Case) -> bool {
    let usable = |text: &String| text.chars().any(char::is_alphanumeric);
    case.answer.texts.iter().any(usable)
}

/// Whether the gold list can be judged.
pub(super) fn has_gold_list(case: &Case) -> bool {
    case.answer.ranked.first().is_some_and(|item| item.text.chars().any(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_an_answer() {
        assert_eq!(items("1. Asthma\n2) COPD"), (vec![" Asthma", " COPD"], true));
        assert_eq!(items("1. Asthma 2. COPD 3. Flu"), (vec!["Asthma", "COPD", "Flu"], true));
        assert_eq!(items("asthma or COPD, flu"), (vec!["asthma", "COPD", "flu"], false));
        assert_eq!(items("- asthma\n- COPD"), (vec!["asthma", "COPD"], false));
    }

    #[test]
    fn a_name_without_its_frame() {
        let lexicon = Lexicon::built_in();
        let name = |text: &str| Name::new(text, &lexicon);
        assert_eq!(
            name("The most likely diagnosis is acute appendicitis (AA).").map(|n| n.text),
            Some("acute appendicitis".to_owned())
        );
        assert_eq!(name("not pneumonia"), None);
        assert_eq!(name(""), None);
    }
}
