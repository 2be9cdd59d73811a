//! Tables: terms, codes and substances a line; abbreviations and units as one object; diseases with symptoms.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Converted, Draft, Layout, escape, fault, fits, known};
use crate::lexicon::{Kind, Lexicon, LexiconError, Term};
use crate::quantity::Unit;

/// The records of JSON Lines, each with its line.
fn lines<T: DeserializeOwned>(file: &str, text: &str) -> Result<Vec<(usize, T)>, LexiconError> {
    let filled = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    filled
        .map(|(index, line)| match serde_json::from_str(line) {
            Ok(record) => Ok((index + 1, record)),
            Err(error) => Err(fault(file, index + 1, format!("malformed record: {error}"))),
        })
        .collect()
}

fn object<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, LexiconError> {
    serde_json::from_str(text).map_err(|error| fault(file, error.line(), format!("malformed object: {error}")))
}

#[derive(Deserialize)]
struct TermRow {
    id: String,
    label: String,
    #[serde(default)]
    parents: Vec<String>,
    #[serde(default)]
    synonyms: Vec<Synonym>,
}

#[derive(Deserialize)]
struct Synonym {
    text: String,
    #[serde(default)]
    scope: String,
}

/// Terms whose parents are named by label. A parent that the file does not hold, as the root of an extract, is left out.
pub(super) fn terms(file: &str, text: &str) -> Result<Vec<Draft>, LexiconError> {
    let rows: Vec<(usize, TermRow)> = lines(file, text)?;
    let ids: HashMap<&str, &str> = rows.iter().map(|(_, row)| (row.label.as_str(), row.id.as_str())).collect();
    let drafts = rows
        .iter()
        .map(|(_, row)| {
            let parent = |label: &String| ids.get(label.as_str()).map(|id| (*id).to_owned());
            let exact = row.synonyms.iter().filter(|synonym| synonym.scope == "exact");
            Draft {
                id: row.id.clone(),
                name: row.label.clone(),
                kind: if row.id.starts_with("HP:") { Kind::Finding } else { Kind::Condition },
                forms: exact.map(|synonym| synonym.text.clone()).collect(),
                parents: row.parents.iter().filter_map(parent).collect(),
            }
        })
        .collect();
    Ok(drafts)
}

#[derive(Deserialize)]
struct CodeRow {
    code: String,
    desc: String,
    #[serde(default)]
    parent: String,
    #[serde(default)]
    terms: Vec<String>,
}

/// Codes of ICD-10-CM. Its inclusion terms are conditions that are coded there, not synonyms: they stand below.
pub(super) fn icd10cm(file: &str, text: &str) -> Result<Vec<Draft>, LexiconError> {
    let rows: Vec<(usize, CodeRow)> = lines(file, text)?;
    let codes: HashMap<&str, ()> = rows.iter().map(|(_, row)| (row.code.as_str(), ())).collect();
    let mut drafts = Vec::with_capacity(rows.len() * 2);
    for (line, row) in &rows {
        let is_code = !row.parent.is_empty() && !row.parent.contains('-') && row.parent.parse::<u32>().is_err();
        if is_code && !codes.contains_key(row.parent.as_str()) {
            return Err(fault(file, *line, format!("the parent {} is no code of the file", row.parent)));
        }
        // Blocks ("A00-A09") and chapters group codes; where they have no row, the code is a root.
        let parents = codes.get(row.parent.as_str()).map(|()| row.parent.clone()).into_iter().collect();
        drafts.push(draft(row.code.clone(), row.desc.clone(), parents));
        for (index, term) in row.terms.iter().enumerate() {
            drafts.push(draft(format!("{}/{}", row.code, index + 1), term.clone(), vec![row.code.clone()]));
        }
    }
    Ok(drafts)
}

fn draft(id: String, name: String, parents: Vec<String>) -> Draft {
    Draft { id, name, kind: Kind::Condition, forms: Vec::new(), parents }
}

#[derive(Deserialize)]
struct DrugRow {
    unii: String,
    name: String,
    #[serde(default)]
    official: Vec<String>,
    #[serde(default)]
    synonyms: Vec<String>,
}

/// Substances; printed in capitals, which are no abbreviations, they are folded to small letters.
pub(super) fn drugs(file: &str, text: &str) -> Result<Vec<Draft>, LexiconError> {
    let rows: Vec<(usize, DrugRow)> = lines(file, text)?;
    Ok(rows
        .into_iter()
        .map(|(_, row)| Draft {
            id: row.unii,
            name: row.name.to_lowercase(),
            kind: Kind::Drug,
            // Codes and symbols of few letters would be read as words.
            forms: row
                .official
                .into_iter()
                .chain(row.synonyms)
                .filter(|form| form.len() >= 5)
                .map(|form| form.to_lowercase())
                .collect(),
            parents: Vec::new(),
        })
        .collect())
}

fn base_needed<'a>(file: &str, base: Option<&'a Lexicon>) -> Result<&'a Lexicon, LexiconError> {
    base.ok_or_else(|| fault(file, 0, "names concepts of another lexicon: it needs one as its base"))
}

/// The concept or measure of the base that a wording names, by the name that other entries use.
fn name_of<'a>(wording: &str, base: &'a Lexicon) -> Option<&'a str> {
    match base.meanings(wording)[..] {
        [Term::Concept(id)] => Some(base.concept(id).name.as_str()),
        [Term::Measure(id)] => Some(base.measure(id).name.as_str()),
        _ => None,
    }
}

/// A value of a table of abbreviations: meanings, or a note on the file ("_version").
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Meanings(Vec<String>),
    Note(serde::de::IgnoredAny),
}

/// Abbreviations of concepts that the base knows and does not abbreviate so yet. Where one has several meanings, the
/// longer words of each meaning are its context.
pub(super) fn abbreviations(file: &str, text: &str, base: Option<&Lexicon>) -> Result<Converted, LexiconError> {
    let base = base_needed(file, base)?;
    let rows: BTreeMap<String, Entry> = object(file, text)?;
    let rows = rows.iter().filter_map(|(short, entry)| match entry {
        Entry::Meanings(meanings) => Some((short, meanings)),
        Entry::Note(_) => None,
    });
    let mut out = String::from("[abbreviation]\n");
    let (mut entries, mut left_out) = (0, 0);
    for (short, meanings) in rows {
        let found: Vec<(&str, &String)> = meanings.iter().filter_map(|m| Some((name_of(m, base)?, m))).collect();
        let capitals = short.len() >= 2 && short.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if found.is_empty() || !capitals || !base.meanings(short).is_empty() {
            left_out += 1;
            continue;
        }
        entries += 1;
        for (name, wording) in found {
            let words: Vec<&str> = wording.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 3).collect();
            let context = if meanings.len() == 1 || words.is_empty() {
                String::new()
            } else {
                format!(" : {}", words.join(", "))
            };
            if meanings.len() > 1 && context.is_empty() {
                continue;
            }
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{} = {}{context}", escape(short), escape(name));
        }
    }
    Ok(Converted { text: out, layout: Layout::Abbreviations, entries, known: entries, left_out })
}

#[derive(Deserialize)]
struct UnitRow {
    name: String,
    traditional_units: String,
    conversion_factor: f64,
    si_units: String,
}

/// Analytes as measures, with the mass of one mmol/L where the factor says it.
pub(super) fn lab_units(file: &str, text: &str, base: Option<&Lexicon>) -> Result<Converted, LexiconError> {
    let rows: BTreeMap<String, UnitRow> = object(file, text)?;
    let mut out = String::from("[measure]\n");
    let mut written: Vec<String> = Vec::new();
    for row in rows.values() {
        // "Alanine aminotransferase (ALT, SGPT)": the bracket holds further forms or a condition of the test.
        let (name, inside) = row.name.split_once('(').unwrap_or((&row.name, ""));
        let name = name.trim().to_lowercase();
        let short = |form: &&str| form.len() >= 2 && form.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        let forms: Vec<&str> = inside.trim_end_matches(')').split(',').map(str::trim).filter(short).collect();
        let taken = base.is_some_and(|base| !base.meanings(&name).is_empty()) || written.contains(&name);
        if taken || Unit::parse(&row.traditional_units).is_none() || !fits(&name) {
            continue;
        }
        let per_mmol = match row.si_units.as_str() {
            "mmol/L" => row.conversion_factor,
            "\u{3bc}mol/L" | "\u{b5}mol/L" | "umol/L" => row.conversion_factor / 1e3,
            _ => 0.0,
        };
        let molar = (row.traditional_units == "mg/dL" && per_mmol > 0.0).then(|| format!("{:.4}", 1.0 / per_mmol));
        let free = |form: &&&str| base.is_none_or(|base| base.meanings(form).is_empty());
        let forms: Vec<String> = forms.iter().filter(free).map(|form| escape(form)).collect();
        let _ = writeln!(
            out,
            "{} | {} | {} | {} |",
            escape(&name),
            row.traditional_units,
            molar.unwrap_or_default(),
            forms.join(", ")
        );
        written.push(name);
    }
    let (entries, left_out) = (written.len(), rows.len() - written.len());
    Ok(Converted { text: out, layout: Layout::LabUnits, entries, known: 0, left_out })
}

/// Whether the base says something of the pair: its own word stands.
fn related(disease: &str, symptom: &str, base: &Lexicon) -> bool {
    let ids = base.concept_named(symptom).zip(base.concept_named(disease));
    ids.is_some_and(|(symptom, disease)| base.relation(symptom, disease).is_some())
}

/// Symptoms that speak for a disease, where the base knows both.
pub(super) fn symptoms(file: &str, text: &str, base: Option<&Lexicon>) -> Result<Converted, LexiconError> {
    let base = base_needed(file, base)?;
    let mut rows = text.lines().enumerate();
    let header: Vec<&str> = rows.next().map_or("", |(_, line)| line).split('\t').collect();
    let column = |name: &str| {
        header
            .iter()
            .position(|title| title.trim() == name)
            .ok_or_else(|| fault(file, 1, format!("has no column {name}")))
    };
    let (disease, symptom) = (column("disease_label")?, column("symptom_label")?);
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let (mut entries, mut left_out) = (0, 0);
    for (index, line) in rows.filter(|(_, line)| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split('\t').collect();
        let (Some(disease), Some(symptom)) = (fields.get(disease), fields.get(symptom)) else {
            return Err(fault(file, index + 1, format!("has {} fields, the header {}", fields.len(), header.len())));
        };
        match (known(disease, Kind::Condition, base), known(symptom, Kind::Finding, base)) {
            (Some(disease), Some(symptom)) if disease != symptom && !related(disease, symptom, base) => {
                let list = found.entry(disease).or_default();
                if !list.contains(&symptom) {
                    list.push(symptom);
                }
                entries += 1;
            }
            _ => left_out += 1,
        }
    }
    let mut out = String::from("[condition]\n");
    for (disease, symptoms) in &found {
        let list: Vec<String> = symptoms.iter().map(|symptom| escape(symptom)).collect();
        let _ = writeln!(out, "{} +=\n  + {}", escape(disease), list.join(", "));
    }
    Ok(Converted { text: out, layout: Layout::Symptoms, entries, known: entries, left_out })
}
