//! OBO files: `[Term]` stanzas with `id`, `name`, `synonym`, `is_a`, `is_obsolete` (OBO Flat File Format 1.4).

use std::collections::{HashMap, HashSet};

use super::{Draft, fault};
use crate::lexicon::{Kind, LexiconError};

/// The root of the phenotypes in the Human Phenotype Ontology: its other branches (inheritance, onset, frequency) are
/// no findings.
const PHENOTYPES: &str = "HP:0000118";

/// A stanza as read, with the line on which it starts.
#[derive(Debug, Default)]
struct Stanza {
    line: usize,
    id: String,
    name: String,
    synonyms: Vec<String>,
    parents: Vec<(String, usize)>,
    obsolete: bool,
}

pub(super) fn read(file: &str, text: &str) -> Result<Vec<Draft>, LexiconError> {
    let mut stanzas: Vec<Stanza> = Vec::new();
    let mut open: Option<Stanza> = None;
    for (index, raw) in text.lines().enumerate() {
        let line = raw.trim();
        if line.starts_with('[') {
            stanzas.extend(open.take());
            open = (line == "[Term]").then(|| Stanza { line: index + 1, ..Stanza::default() });
            continue;
        }
        let (Some(stanza), Some((tag, value))) = (open.as_mut(), line.split_once(':')) else {
            if open.is_some() && !line.is_empty() && !line.starts_with('!') {
                return Err(fault(file, index + 1, format!("`{line}` is no tag: expected `tag: value`")));
            }
            continue;
        };
        let value = value.trim();
        match tag {
            "id" => stanza.id = bare(value).to_owned(),
            "name" => stanza.name = unescape(value),
            "is_obsolete" => stanza.obsolete = value.starts_with("true"),
            "is_a" => stanza.parents.push((bare(value).to_owned(), index + 1)),
            "synonym" => {
                let (wording, scope) = quoted(value).ok_or_else(|| {
                    fault(file, index + 1, "a synonym without quotes: expected `synonym: \"text\" EXACT []`")
                })?;
                if scope.trim_start().starts_with("EXACT") && !scope.contains("obsolete_synonym") {
                    stanza.synonyms.push(wording);
                }
            }
            _ => {}
        }
    }
    stanzas.extend(open);
    if stanzas.is_empty() {
        return Err(fault(file, 0, "holds no [Term]"));
    }
    if let Some(stanza) = stanzas.iter().find(|s| s.id.is_empty() || (s.name.is_empty() && !s.obsolete)) {
        return Err(fault(file, stanza.line, "a [Term] without id or name"));
    }
    let mut lines: HashMap<&str, usize> = HashMap::new();
    for stanza in &stanzas {
        if let Some(first) = lines.insert(&stanza.id, stanza.line) {
            let id = &stanza.id;
            return Err(fault(file, stanza.line, format!("the id {id} is defined twice, first in line {first}")));
        }
    }
    for (parent, line) in stanzas.iter().filter(|s| !s.obsolete).flat_map(|s| &s.parents) {
        if !lines.contains_key(parent.as_str()) {
            return Err(fault(file, *line, format!("is_a names {parent}, which the file does not define")));
        }
    }
    let kept = phenotypes(&stanzas);
    let drafts = stanzas.into_iter().filter(|s| !s.obsolete && kept.as_ref().is_none_or(|kept| kept.contains(&s.id)));
    Ok(drafts
        .map(|s| {
            let kind =
                if s.id.starts_with("HP:") || s.id.starts_with("SYMP:") { Kind::Finding } else { Kind::Condition };
            let parents = s.parents.into_iter().map(|(id, _)| id).collect();
            Draft { id: s.id, name: s.name, kind, forms: s.synonyms, parents }
        })
        .collect())
}

/// The ids below the root of phenotypes, where the file has one.
fn phenotypes(stanzas: &[Stanza]) -> Option<HashSet<String>> {
    stanzas.iter().find(|s| s.id == PHENOTYPES)?;
    let mut children: HashMap<&str, Vec<&str>> = HashMap::new();
    for stanza in stanzas {
        for (parent, _) in &stanza.parents {
            children.entry(parent).or_default().push(&stanza.id);
        }
    }
    let mut kept: HashSet<String> = HashSet::new();
    let mut open = vec![PHENOTYPES];
    while let Some(id) = open.pop() {
        for child in children.get(id).into_iter().flatten() {
            if kept.insert((*child).to_owned()) {
                open.push(child);
            }
        }
    }
    Some(kept)
}

/// An id without its comment and qualifiers: `HP:0000107 {x="y"} ! Renal cyst`.
fn bare(value: &str) -> &str {
    value.split(['!', '{']).next().unwrap_or("").trim()
}

/// What stands between the first quotes, and what follows.
fn quoted(value: &str) -> Option<(String, &str)> {
    let inner = value.strip_prefix('"')?;
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            '"' if !escaped => return Some((unescape(&inner[..at]), &inner[at + 1..])),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut escaped = false;
    for c in text.chars() {
        if c == '\\' && !escaped {
            escaped = true;
            continue;
        }
        escaped = false;
        plain.push(c);
    }
    plain
}
