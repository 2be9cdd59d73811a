//! Published ontologies and tables as lexicons: each is turned into the text format of [`super::parse`], so that what is
//! read from it can be looked at, corrected and kept.
//!
//! Only names and *exact* synonyms become forms: a broader, narrower or related wording is another concept, and reading
//! it as the same would make wrong verdicts. With a base lexicon, what it knows is added to (`+=`) and keeps its place
//! in the base's hierarchy; no cycle can arise, as new concepts stand below the base's and never above.

mod obo;
mod tables;

use std::collections::{HashMap, HashSet};

use super::phrase::MAX_WORDS;
use super::syntax::escape;
use super::{Kind, Lexicon, LexiconError, Term};

/// A file turned into the lexicon's format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// The text.
    pub text: String,
    /// Which layout was recognised.
    pub layout: Layout,
    /// Entries of the file that became entries of the text.
    pub entries: usize,
    /// Of these, how many add to a concept of the base lexicon.
    pub known: usize,
    /// Entries that have no place in a lexicon, or none beside this base: too long, obsolete, unknown units or meanings.
    pub left_out: usize,
}

/// The layouts that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// OBO 1.2 or 1.4, as the Human Phenotype Ontology, the Disease Ontology and MONDO are published.
    Obo,
    /// A term of an ontology a line: `{"id", "label", "parents": [label], "synonyms": [{"text", "scope"}]}`.
    Terms,
    /// A code of ICD-10-CM a line: `{"code", "desc", "parent", "terms": [text]}`.
    Icd10cm,
    /// A substance a line: `{"unii", "name", "official": [text], "synonyms": [text]}`.
    Drugs,
    /// One object: `{"ABC": ["meaning", ..]}`.
    Abbreviations,
    /// One object: `{"id": {"name", "traditional_units", "conversion_factor", "si_units"}}`.
    LabUnits,
    /// Tab-separated, with columns `disease_label` and `symptom_label`.
    Symptoms,
}

impl Layout {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Obo => "OBO",
            Layout::Terms => "terms",
            Layout::Icd10cm => "ICD-10-CM",
            Layout::Drugs => "drug names",
            Layout::Abbreviations => "abbreviations",
            Layout::LabUnits => "lab units",
            Layout::Symptoms => "disease-symptom table",
        }
    }

    /// The layout of a text, by its first lines; `None` where it is none of these.
    pub fn of(text: &str) -> Option<Layout> {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let first = text.lines().next()?;
        if first.starts_with("format-version:") || text.contains("\n[Term]") {
            return Some(Layout::Obo);
        }
        if first.contains("disease_label") && first.contains('\t') {
            return Some(Layout::Symptoms);
        }
        if !first.starts_with('{') {
            return None;
        }
        let head = crate::text::head(text, 2000);
        let has = |key: &str| head.contains(&format!("\"{key}\""));
        if has("unii") {
            Some(Layout::Drugs)
        } else if has("code") && has("desc") {
            Some(Layout::Icd10cm)
        } else if has("label") {
            Some(Layout::Terms)
        } else if has("traditional_units") {
            Some(Layout::LabUnits)
        } else {
            Some(Layout::Abbreviations)
        }
    }
}

/// Turns a published file into the lexicon's format. `file` is its name for messages; `base` the lexicon that the result
/// is to stand behind, if any.
///
/// # Errors
/// The layout is none that is read, a line is malformed, or a term names a parent that the file does not hold: file,
/// line, and what is wrong.
pub fn convert(file: &str, text: &str, base: Option<&Lexicon>) -> Result<Converted, LexiconError> {
    let layout = Layout::of(text).ok_or_else(|| {
        fault(file, 1, "is no OBO file, and no table of terms, codes, substances, abbreviations, units or symptoms")
    })?;
    match layout {
        Layout::Obo => Ok(write(layout, &obo::read(file, text)?, base)),
        Layout::Terms => Ok(write(layout, &tables::terms(file, text)?, base)),
        Layout::Icd10cm => Ok(write(layout, &tables::icd10cm(file, text)?, base)),
        Layout::Drugs => Ok(write(layout, &tables::drugs(file, text)?, base)),
        Layout::Abbreviations => tables::abbreviations(file, text, base),
        Layout::LabUnits => tables::lab_units(file, text, base),
        Layout::Symptoms => tables::symptoms(file, text, base),
    }
}

fn fault(file: &str, line: usize, problem: impl Into<String>) -> LexiconError {
    LexiconError { file: file.to_owned(), line, problem: problem.into() }
}

/// A concept as a source states it.
#[derive(Debug, Clone)]
struct Draft {
    id: String,
    name: String,
    kind: Kind,
    /// Exact synonyms.
    forms: Vec<String>,
    /// Ids of its parents, all of them in the file.
    parents: Vec<String>,
}

/// Whether a wording can be a form: between one and [`MAX_WORDS`] tokens, one of them with a letter.
fn fits(form: &str) -> bool {
    let tokens = crate::text::tokenize(form);
    (1..=MAX_WORDS).contains(&tokens.len()) && form.chars().any(char::is_alphabetic)
}

/// The concept of the base that a name stands for, if just one of the same sort does.
fn known<'a>(name: &str, kind: Kind, base: &'a Lexicon) -> Option<&'a str> {
    let clinical = |kind: Kind| matches!(kind, Kind::Finding | Kind::State | Kind::History | Kind::Condition);
    match base.meanings(name)[..] {
        [Term::Concept(id)] => {
            let concept = base.concept(id);
            let same = concept.kind == kind || clinical(concept.kind) && clinical(kind);
            same.then_some(concept.name.as_str())
        }
        _ => None,
    }
}

/// Writes drafts as text. A draft whose name does not fit is left out, its children hang from its own parents.
fn write(layout: Layout, drafts: &[Draft], base: Option<&Lexicon>) -> Converted {
    let by_id: HashMap<&str, &Draft> = drafts.iter().map(|draft| (draft.id.as_str(), draft)).collect();
    // Names must differ: a second term of a name carries its id.
    let mut taken: HashSet<String> = HashSet::new();
    let mut names: HashMap<&str, (String, bool)> = HashMap::new();
    for draft in drafts.iter().filter(|draft| fits(&draft.name)) {
        let old = base.and_then(|base| known(&draft.name, draft.kind, base));
        let is_old = old.is_some();
        let mut name = old.unwrap_or(&draft.name).to_owned();
        let clash = base.is_some_and(|base| base.term(&name).is_some()) || !taken.insert(name.clone());
        if !is_old && clash {
            name = format!("{} ({})", draft.name, draft.id);
            if !fits(&name) {
                continue;
            }
            taken.insert(name.clone());
        }
        names.insert(&draft.id, (name, is_old));
    }
    let mut text = String::new();
    let (mut section, mut entries, mut old) = (None, 0, 0);
    for draft in drafts {
        let Some((name, is_old)) = names.get(draft.id.as_str()) else { continue };
        let forms: Vec<String> = std::iter::once(&draft.name)
            .chain(&draft.forms)
            .filter(|form| *form != name && fits(form))
            .map(|form| escape(form))
            .collect();
        let mut parents: Vec<String> = Vec::new();
        let mut open: Vec<&str> = draft.parents.iter().map(String::as_str).collect();
        let mut seen: HashSet<&str> = HashSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            match (names.get(id), by_id.get(id)) {
                (Some((parent, _)), _) if parent != name => parents.push(escape(parent)),
                (None, Some(parent)) => open.extend(parent.parents.iter().map(String::as_str)),
                _ => {}
            }
        }
        entries += 1;
        if section != Some(draft.kind) {
            section = Some(draft.kind);
            text.push_str(&format!("[{}]\n", draft.kind.name()));
        }
        text.push_str(&escape(name));
        if *is_old {
            old += 1;
            text.push_str(&format!(" += {}\n", forms.join(", ")));
            continue;
        }
        if !forms.is_empty() {
            text.push_str(&format!(" = {}", forms.join(", ")));
        }
        if !parents.is_empty() {
            parents.sort_unstable();
            parents.dedup();
            text.push_str(&format!(" < {}", parents.join(", ")));
        }
        text.push('\n');
    }
    Converted { text, layout, entries, known: old, left_out: drafts.len() - entries }
}
