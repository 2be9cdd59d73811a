//! The lexicon's text format.
//!
//! ```text
//! # a comment
//! [finding]                      also: state, history, condition, drug, procedure, other
//! fever = febrile, pyrexia       name = further forms
//! high fever < fever             "<": what it is a kind of
//! [condition]
//! pneumonia = PNA
//!   + fever, crackles            speaks for it when present
//!   ! cough                      speaks for it when present, against it when absent
//!   - rhinorrhea                 speaks against it when present
//! [measure]                      name | unit | mg/dL in one mmol/L, or nothing | forms | findings
//! potassium | mmol/L | | K+, serum potassium | < 3.5 hypokalemia, > 5.0 hyperkalemia
//! hemoglobin | g/dL | | Hb | < 12 female anemia, < 13 male anemia
//! [cue]
//! negates what follows = no, denies
//! ```
//!
//! A form in capitals matches capitals only. Plurals, hyphens, possessives and British spelling need no entry. A form
//! that two concepts claim belongs to the first. Relations may name concepts of any file.

use std::collections::{BTreeMap, HashMap};

use thiserror::Error;

use super::cue::Cues;
use super::phrase::{KeyMap, MAX_WORDS, PhraseTrie, Vocabulary};
use super::{Concept, ConceptId, Kind, Lexicon, Measure, MeasureId, Relation, Sex, Term, Threshold, pair};
use crate::quantity::Unit;

/// Why a lexicon could not be read.
#[derive(Debug, Error)]
#[error("{file}, line {line}: {problem}")]
pub struct LexiconError {
    /// The file's name.
    pub file: String,
    /// The line, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub problem: String,
}

#[derive(Debug, Default)]
struct Builder {
    concepts: Vec<Concept>,
    parents: Vec<Vec<(String, Place)>>,
    measures: Vec<Measure>,
    names: BTreeMap<String, Term>,
    forms: Vec<(String, Term)>,
    cues: BTreeMap<String, Cues>,
    relations: Vec<(String, ConceptId, Relation, Place)>,
    thresholds: Vec<Limit>,
}

/// Words that a longer cue may start with without changing what its rest says.
const AUXILIARIES: &[&str] = &["is", "are", "was", "were", "be", "has", "been", "makes", "make", "more", "which"];

/// A threshold as written: its finding is resolved when all files are read.
#[derive(Debug)]
struct Limit {
    measure: MeasureId,
    finding: String,
    limit: f64,
    above: bool,
    inclusive: bool,
    sex: Option<Sex>,
    place: Place,
}

/// File and line of an entry.
type Place = (usize, usize);

pub(super) fn parse(files: &[(&str, &str)]) -> Result<Lexicon, LexiconError> {
    let mut builder = Builder::default();
    for (file, (_, text)) in files.iter().enumerate() {
        let mut section = String::new();
        let mut last: Option<ConceptId> = None;
        for (index, raw) in text.lines().enumerate() {
            let place = (file, index + 1);
            let line = raw.split('#').next().unwrap_or("").trim_end();
            if line.trim().is_empty() {
                continue;
            }
            let result = if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.to_owned();
                Ok(())
            } else {
                builder.line(&section, line, place, &mut last)
            };
            result.map_err(|problem| error(files, place, problem))?;
        }
    }
    builder.finish().map_err(|(place, problem)| error(files, place, problem))
}

fn error(files: &[(&str, &str)], (file, line): Place, problem: String) -> LexiconError {
    LexiconError { file: files.get(file).map_or("", |f| f.0).to_owned(), line, problem }
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

impl Builder {
    fn line(&mut self, section: &str, line: &str, place: Place, last: &mut Option<ConceptId>) -> Result<(), String> {
        let kind = match section {
            "finding" => Kind::Finding,
            "state" => Kind::State,
            "history" => Kind::History,
            "condition" => Kind::Condition,
            "drug" => Kind::Drug,
            "procedure" => Kind::Procedure,
            "other" => Kind::Other,
            "measure" => return self.measure(line, place),
            "cue" => return self.cue(line),
            other => {
                return Err(format!(
                    "unknown section [{other}]: expected finding, state, history, condition, drug, procedure, other, measure or cue"
                ));
            }
        };
        if line.starts_with(' ') {
            let condition = last.ok_or("a relation stands before any condition")?;
            return self.relation(line.trim(), condition, place);
        }
        *last = Some(self.concept(line, kind, place)?);
        Ok(())
    }

    fn concept(&mut self, line: &str, kind: Kind, place: Place) -> Result<ConceptId, String> {
        let (line, parents) = line.split_once('<').unwrap_or((line, ""));
        let (name, forms) = line.split_once('=').unwrap_or((line, ""));
        let id = self.add(name.trim(), kind)?;
        for form in std::iter::once(name.trim()).chain(items(forms)) {
            self.form(form, Term::Concept(id))?;
        }
        self.parents[id.0 as usize].extend(items(parents).map(|parent| (parent.to_owned(), place)));
        Ok(id)
    }

    fn add(&mut self, name: &str, kind: Kind) -> Result<ConceptId, String> {
        let id = ConceptId(self.concepts.len() as u32);
        if name.is_empty() {
            return Err("a concept without a name: expected `name = form, form`".to_owned());
        }
        if self.names.insert(name.to_owned(), Term::Concept(id)).is_some() {
            return Err(format!("`{name}` is defined twice"));
        }
        self.concepts.push(Concept { name: name.to_owned(), kind, forms: Vec::new(), ancestors: Vec::new() });
        self.parents.push(Vec::new());
        Ok(id)
    }

    fn form(&mut self, form: &str, term: Term) -> Result<(), String> {
        let words = crate::text::tokenize(form).len();
        if words == 0 || words > MAX_WORDS {
            return Err(format!("the form `{form}` has {words} words: expected 1 to {MAX_WORDS}"));
        }
        if let Term::Concept(id) = term {
            self.concepts[id.0 as usize].forms.push(form.to_owned());
        }
        self.forms.push((form.to_owned(), term));
        Ok(())
    }

    fn relation(&mut self, line: &str, condition: ConceptId, place: Place) -> Result<(), String> {
        let relation = match line.as_bytes().first() {
            Some(b'+') => Relation::Supports,
            Some(b'!') => Relation::Expected,
            Some(b'-') => Relation::Against,
            _ => return Err(format!("a relation starts with `+`, `!` or `-`, not `{line}`")),
        };
        self.relations.extend(items(&line[1..]).map(|finding| (finding.to_owned(), condition, relation, place)));
        Ok(())
    }

    fn measure(&mut self, line: &str, place: Place) -> Result<(), String> {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let [name, unit, molar, forms, thresholds] = fields[..] else {
            return Err(format!(
                "a measure has 5 fields, not {}: name | unit | molar | forms | findings",
                fields.len()
            ));
        };
        let id = MeasureId(self.measures.len() as u32);
        let unit = Unit::parse(unit).ok_or_else(|| format!("unknown unit `{unit}`"))?;
        let molar = match molar {
            "" => None,
            number => {
                Some(number.parse::<f64>().map_err(|_| format!("`{number}` is no number of mg/dL in one mmol/L"))?)
            }
        };
        if self.names.insert(name.to_owned(), Term::Measure(id)).is_some() {
            return Err(format!("`{name}` is defined twice"));
        }
        self.measures.push(Measure { name: name.to_owned(), unit, molar, thresholds: Vec::new() });
        for form in std::iter::once(name).chain(items(forms)) {
            self.form(form, Term::Measure(id))?;
        }
        for threshold in items(thresholds) {
            let expected = || format!("`{threshold}` is no threshold: expected `> 5.0 hyperkalemia`");
            let mut words = threshold.split_whitespace();
            let (above, inclusive) = match words.next() {
                Some(">") => (true, false),
                Some(">=") => (true, true),
                Some("<") => (false, false),
                Some("<=") => (false, true),
                _ => return Err(expected()),
            };
            let limit = words.next().and_then(|number| number.parse::<f64>().ok()).ok_or_else(expected)?;
            let mut rest: Vec<&str> = words.collect();
            let sex = match rest.first() {
                Some(&"female") => Some(Sex::Female),
                Some(&"male") => Some(Sex::Male),
                _ => None,
            };
            if sex.is_some() {
                rest.remove(0);
            }
            let finding =
                if rest.is_empty() { format!("{} {name}", if above { "high" } else { "low" }) } else { rest.join(" ") };
            self.thresholds.push(Limit { measure: id, finding, limit, above, inclusive, sex, place });
        }
        Ok(())
    }

    fn cue(&mut self, line: &str) -> Result<(), String> {
        let (role, forms) = line.split_once('=').ok_or("a cue line reads `role = phrase, phrase`")?;
        let cue = Cues::named(role.trim()).ok_or_else(|| format!("unknown role `{}`", role.trim()))?;
        for form in items(forms) {
            *self.cues.entry(form.to_owned()).or_default() |= cue;
        }
        Ok(())
    }

    fn resolve(&self, name: &str, place: Place) -> Result<ConceptId, (Place, String)> {
        match self.names.get(name) {
            Some(Term::Concept(id)) => Ok(*id),
            Some(Term::Measure(_)) => Err((place, format!("`{name}` is a measure, not a concept"))),
            None => Err((place, format!("`{name}` is not defined"))),
        }
    }

    fn finish(mut self) -> Result<Lexicon, (Place, String)> {
        // A threshold may name a finding that no file defines: the value itself is then its only wording.
        for written in std::mem::take(&mut self.thresholds) {
            let Limit { measure, finding, limit, above, inclusive, sex, place } = written;
            if !self.names.contains_key(&finding) {
                let id = self.add(&finding, Kind::Finding).map_err(|problem| (place, problem))?;
                self.form(&finding, Term::Concept(id)).map_err(|problem| (place, problem))?;
            }
            let finding = self.resolve(&finding, place)?;
            self.measures[measure.0 as usize].thresholds.push(Threshold { limit, above, inclusive, sex, finding });
        }
        self.link_ancestors()?;
        let mut relations = KeyMap::default();
        let mut related = vec![false; self.concepts.len()];
        for (finding, condition, relation, place) in &self.relations {
            relations.insert(pair(self.resolve(finding, *place)?, *condition), *relation);
            related[condition.0 as usize] = true;
        }
        for index in 0..self.concepts.len() {
            related[index] |= self.concepts[index].ancestors.iter().any(|a| related[a.0 as usize]);
        }
        let mut vocabulary = Vocabulary::default();
        let mut terms = PhraseTrie::default();
        // "elevated potassium" is left to the measure: the number behind it must find its measure.
        let measured: HashMap<String, ()> = self
            .forms
            .iter()
            .filter(|(_, term)| matches!(term, Term::Measure(_)))
            .map(|(form, _)| (form.clone(), ()))
            .collect();
        let levels = |word: &str| self.cues.get(word).is_some_and(|cue| cue.has(Cues::HIGH | Cues::LOW));
        for (form, term) in &self.forms {
            let split = form.split_once(' ');
            if matches!(term, Term::Concept(_))
                && split.is_some_and(|(level, rest)| levels(level) && measured.contains_key(rest))
            {
                continue;
            }
            let words = vocabulary.phrase(form);
            terms.insert(&words, *term);
        }
        let mut cues = PhraseTrie::default();
        for (form, cue) in &self.cues {
            let words = vocabulary.phrase(form);
            cues.insert(&words, *cue | self.inherited(form));
        }
        vocabulary.add_variants();
        let Builder { concepts, measures, names, .. } = self;
        Ok(Lexicon { vocabulary, terms, cues, concepts, measures, names, relations, related })
    }

    /// The longest cue wins: "is unlikely" must keep what "is" and "unlikely" say.
    fn inherited(&self, form: &str) -> Cues {
        let mut inherited = Cues::default();
        let mut rest = form;
        while let Some((first, tail)) = rest.split_once(' ') {
            if !AUXILIARIES.contains(&first) {
                break;
            }
            inherited |= self.cues.get(first).copied().unwrap_or_default() & Cues::VERB;
            inherited |= self.cues.get(tail).copied().unwrap_or_default();
            rest = tail;
        }
        if [" is", " are", " was", " were"].iter().any(|verb| form.ends_with(verb)) {
            inherited |= Cues::VERB;
        }
        inherited
    }

    fn link_ancestors(&mut self) -> Result<(), (Place, String)> {
        let mut direct = Vec::with_capacity(self.concepts.len());
        for parents in &self.parents {
            let ids: Result<Vec<_>, _> = parents.iter().map(|(name, place)| self.resolve(name, *place)).collect();
            direct.push(ids?);
        }
        for index in 0..self.concepts.len() {
            let own = ConceptId(index as u32);
            let mut ancestors: Vec<ConceptId> = direct[index].clone();
            let mut seen: HashMap<ConceptId, ()> = ancestors.iter().map(|&id| (id, ())).collect();
            let mut at = 0;
            while at < ancestors.len() {
                if ancestors[at] == own {
                    let place = self.parents[index].first().map_or((0, 0), |p| p.1);
                    return Err((place, format!("`{}` is a kind of itself", self.concepts[index].name)));
                }
                for &next in &direct[ancestors[at].0 as usize] {
                    if seen.insert(next, ()).is_none() {
                        ancestors.push(next);
                    }
                }
                at += 1;
            }
            self.concepts[index].ancestors = ancestors;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        parse(&[("test.txt", text)]).unwrap_err().to_string()
    }

    #[test]
    fn the_built_in_lexicon_is_sound() {
        let lexicon = Lexicon::built_in();
        assert!(lexicon.len().0 > 500, "{:?}", lexicon.len());
        let crackles = lexicon.concept_named("crackles").unwrap();
        let bibasilar = lexicon.concept_named("bibasilar crackles").unwrap();
        assert!(lexicon.is_a(bibasilar, crackles) && !lexicon.is_a(crackles, bibasilar));
        let pneumonia = lexicon.concept_named("pneumonia").unwrap();
        assert!(lexicon.relation(bibasilar, pneumonia).is_some());
    }

    #[test]
    fn errors_name_the_line() {
        assert_eq!(problem("[finding]\nfever\nfever"), "test.txt, line 3: `fever` is defined twice");
        assert_eq!(problem("[finding]\na < b\nb < a"), "test.txt, line 2: `a` is a kind of itself");
        assert_eq!(problem("[finding]\na < c"), "test.txt, line 2: `c` is not defined");
        assert!(problem("[plant]\nrose").starts_with("test.txt, line 2: unknown section [plant]"));
        assert!(problem("[measure]\nx | furlong | | |").contains("unknown unit `furlong`"));
        assert!(problem("[cue]\nshouts = hey").contains("unknown role `shouts`"));
    }

    #[test]
    fn thresholds_mind_the_sex() {
        let text = "[measure]\nhemoglobin | g/dL | | Hb | < 12 female anemia, < 13 male anemia";
        let lexicon = parse(&[("test.txt", text)]).unwrap();
        let measure = lexicon.measure(MeasureId(0));
        assert_eq!(measure.findings(12.5, Some(Sex::Male)).count(), 1);
        assert_eq!(measure.findings(12.5, Some(Sex::Female)).count(), 0);
        assert_eq!(measure.findings(12.5, None).count(), 0);
        assert!(measure.findings(11.0, None).count() > 0);
    }
}
