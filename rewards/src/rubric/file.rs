//! A rubric as a TOML file. Every key is optional; what is not given is the preset's.
//!
//! ```toml
//! preset = "crpo"                    # crpo, accuracy-only, held-out, clinical-r1: what the other keys start from
//! format = "think_answer"            # think_answer, dx_conclusion, plain, json, prefilled_think
//! verifiers = ["answer", "claims", "coverage", "differential", "items", "economy", "sections"]
//! lexicons = ["built-in"]            # built-in, and files of the same format; paths from this file's folder
//! weights = { accuracy = 1.0, faithfulness = 0.5, comprehensiveness = 0.3, format = 0.1 }
//! gates = { faithfulness = "response", comprehensiveness = "response", format = "response" }
//!
//! [thresholds]
//! wrong_answer = 0.3                 # what gated terms are multiplied by beside a wrong answer
//! coverage_share = 0.65              # coverage's part of comprehensiveness, where the differential applies too
//! length_words = 1200                # words beyond which a response pays for its length
//! repetition = 0.25                  # share of repeated words that is free
//! known_words = 0.3                  # share of common and clinical words below which a text is gibberish
//! latin_letters = 0.95               # share of Latin letters below which the format pays
//!
//! [answers]
//! multi_choice = "exact"             # exact: the whole set or nothing; f1: the mean of precision and recall (harmonic)
//! ranked_list = "reciprocal_rank"    # reciprocal_rank of the first gold item, or ndcg of the whole list
//! numeric_tolerance = 0.05           # part of the gold value by which a number may be off
//! ```
//!
//! Under `clinical-r1`, which is one published formula, only `preset` and `eos` (its end-of-sequence marker) may stand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::{Table, Value};

use super::nearest::nearest;
use super::{Preset, Rubric, RubricError, Thresholds, Verifier};
use crate::advantage::Gate;
use crate::answer::{RankMeasure, SetMeasure, Settings};
use crate::lexicon::Lexicon;
use crate::scored::Objective;
use crate::scorer::Scorer;
use crate::sections::Format;

/// The keys of the first level.
const KEYS: &[&str] =
    &["preset", "format", "verifiers", "lexicons", "eos", "weights", "gates", "thresholds", "answers"];
/// The keys of `answers`.
const ANSWERS: &[&str] = &["multi_choice", "ranked_list", "numeric_tolerance"];
/// The name of the embedded lexicon in `lexicons`.
const BUILT_IN: &str = "built-in";
const GATES: &[(&str, Gate)] = &[("none", Gate::None), ("response", Gate::Response), ("group", Gate::Group)];

/// A rubric with the lexicons that it names.
#[derive(Debug, Clone, PartialEq)]
pub struct RubricFile {
    /// The rubric.
    pub rubric: Rubric,
    /// Lexicon files, in the order in which they are read.
    pub lexicons: Vec<PathBuf>,
    /// Whether the built-in lexicon stands before them.
    pub built_in: bool,
}

impl From<Rubric> for RubricFile {
    fn from(rubric: Rubric) -> Self {
        Self { rubric, lexicons: Vec::new(), built_in: true }
    }
}

impl RubricFile {
    /// Reads a file, or takes the preset of that name.
    ///
    /// # Errors
    /// The file cannot be read, or as [`RubricFile::parse`].
    pub fn open(path_or_preset: &str) -> Result<RubricFile, RubricError> {
        if let Ok(preset) = Preset::named(path_or_preset) {
            return Ok(Rubric::preset(preset).into());
        }
        let path = Path::new(path_or_preset);
        let text = read(path, |error| format!("{error} (presets are {})", Preset::names()))?;
        let mut file = Self::parse(path_or_preset, &text)?;
        if let Some(folder) = path.parent() {
            file.lexicons.iter_mut().for_each(|lexicon| *lexicon = folder.join(&lexicon));
        }
        Ok(file)
    }

    /// Reads a TOML text; `name` is what errors call it.
    ///
    /// # Errors
    /// A key is unknown, a value is of another kind or out of range, nothing would count.
    pub fn parse(name: &str, text: &str) -> Result<RubricFile, RubricError> {
        let source = Source::new(name, text)?;
        let preset = match source.string(&source.table, "preset")? {
            Some(text) => {
                let known: Vec<(&str, Preset)> = Preset::ALL.to_vec();
                source.named("preset", text, &known)?
            }
            None => Preset::default(),
        };
        source.known(&source.table, "", KEYS)?;
        let mut file = RubricFile::from(Rubric::preset(preset));
        if let Some(eos) = source.string(&source.table, "eos")? {
            if eos.is_empty() {
                return Err(source.wrong("eos", "is empty; it must be a marker that ends a response"));
            }
            file.rubric.eos = eos.to_owned();
        }
        if preset == Preset::ClinicalR1 {
            return match source.table.keys().find(|key| !matches!(key.as_str(), "preset" | "eos")) {
                Some(key) => Err(source.wrong(key, "has no meaning under clinical-r1, which is one published formula")),
                None => Ok(file),
            };
        }
        source.fill(&mut file)?;
        file.rubric.check().map_err(|error| match error {
            RubricError::NoWeight => source.wrong("weights", "are all 0: at least one objective must count"),
            RubricError::NoVerifier { name } => {
                let problem = "is above 0, but none of the verifiers that can earn it is in `verifiers`";
                source.wrong(&format!("weights.{name}"), problem)
            }
            other => other,
        })?;
        Ok(file)
    }

    /// A scorer by this rubric, with its lexicons.
    ///
    /// # Errors
    /// A lexicon cannot be read, or says something that it must not.
    pub fn scorer(self) -> Result<Scorer, RubricError> {
        if self.lexicons.is_empty() {
            return Ok(Scorer::new(self.rubric));
        }
        let mut texts = Vec::new();
        for path in &self.lexicons {
            texts.push((path.display().to_string(), read(path, |error| error.to_string())?));
        }
        let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let lexicon = if self.built_in { Lexicon::built_in_with(&files) } else { Lexicon::parse(&files) };
        let lexicon = lexicon.map_err(|error| RubricError::Lexicon { problem: error.to_string() })?;
        Ok(Scorer::with_lexicon(self.rubric, Arc::new(lexicon)))
    }
}

/// The text of a file; `absent` says why it cannot be opened.
fn read(path: &Path, absent: impl Fn(std::io::Error) -> String) -> Result<String, RubricError> {
    let fail = |reason: String| RubricError::Read { path: path.display().to_string(), reason };
    let bytes = std::fs::read(path).map_err(|error| fail(absent(error)))?;
    let invalid = |error: std::string::FromUtf8Error| {
        fail(format!("byte {} is not UTF-8, expected UTF-8 text", error.utf8_error().valid_up_to()))
    };
    String::from_utf8(bytes).map_err(invalid)
}

/// A parsed file: its values, and the line of each key.
struct Source<'a> {
    name: &'a str,
    table: Table,
    lines: BTreeMap<String, usize>,
}

impl<'a> Source<'a> {
    fn new(name: &'a str, text: &str) -> Result<Self, RubricError> {
        let syntax = |error: toml::de::Error| RubricError::Syntax {
            place: match error.span() {
                Some(span) => format!("{name}:{}", line_of(text, span.start)),
                None => name.to_owned(),
            },
            problem: error.message().replace('\n', " "),
        };
        let table = toml::from_str(text).map_err(syntax)?;
        let mut lines = BTreeMap::new();
        let spanned = toml::de::DeTable::parse(text).map_err(syntax)?;
        for (key, value) in spanned.get_ref().iter() {
            lines.insert(key.get_ref().to_string(), line_of(text, key.span().start));
            for (inner, _) in value.get_ref().as_table().into_iter().flat_map(|table| table.iter()) {
                lines.insert(format!("{}.{}", key.get_ref(), inner.get_ref()), line_of(text, inner.span().start));
            }
        }
        Ok(Source { name, table, lines })
    }

    fn place(&self, key: &str) -> String {
        let section = key.split('.').next().unwrap_or(key);
        match self.lines.get(key).or_else(|| self.lines.get(section)) {
            Some(line) => format!("{}:{line}", self.name),
            None => self.name.to_owned(),
        }
    }

    fn wrong(&self, key: &str, problem: impl Into<String>) -> RubricError {
        RubricError::Value { place: self.place(key), key: key.to_owned(), problem: problem.into() }
    }

    fn kind(&self, key: &str, expected: &'static str, found: &Value) -> RubricError {
        let found = match found {
            Value::String(_) => "a string",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::Boolean(_) => "true or false",
            Value::Datetime(_) => "a date",
            Value::Array(_) => "a list",
            Value::Table(_) => "a table",
        };
        RubricError::Kind { place: self.place(key), key: key.to_owned(), expected, found }
    }

    /// Refuses keys of a table that are not in `known`.
    fn known(&self, table: &Table, section: &str, known: &[&str]) -> Result<(), RubricError> {
        let Some(key) = table.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
        let path = |key: &str| if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
        // Here first; then a key that stands in the wrong table.
        let objectives = Objective::ALL.map(Objective::name);
        let tables = [
            ("weights", &objectives[..]),
            ("gates", &objectives),
            ("thresholds", Thresholds::NAMES),
            ("answers", ANSWERS),
        ];
        let found = nearest(key, known.iter().copied()).map(&path).or_else(|| {
            let within = |(table, keys): &(&str, &[&'static str])| {
                nearest(key, keys.iter().copied()).map(|key| format!("{table}.{key}"))
            };
            tables.iter().find_map(within).or_else(|| nearest(key, KEYS.iter().copied()).map(str::to_owned))
        });
        Err(RubricError::UnknownKey { place: self.place(&path(key)), key: path(key), nearest: found })
    }

    fn string<'t>(&self, table: &'t Table, key: &str) -> Result<Option<&'t str>, RubricError> {
        match table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.kind(key, "a string", other)),
        }
    }

    fn strings(&self, key: &str) -> Result<Option<Vec<&str>>, RubricError> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let Value::Array(items) = value else { return Err(self.kind(key, "a list of strings", value)) };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            let Value::String(text) = item else { return Err(self.kind(key, "a list of strings", item)) };
            texts.push(text.as_str());
        }
        Ok(Some(texts))
    }

    fn table(&self, key: &str, known: &[&str]) -> Result<Option<&Table>, RubricError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::Table(table)) => self.known(table, key, known).map(|()| Some(table)),
            Some(other) => Err(self.kind(key, "a table", other)),
        }
    }

    fn number(&self, key: &str, value: &Value) -> Result<f64, RubricError> {
        match value {
            Value::Float(number) => Ok(*number),
            Value::Integer(number) => Ok(*number as f64),
            other => Err(self.kind(key, "a number", other)),
        }
    }

    /// The value of that name; else which names there are, and which is the nearest.
    fn named<T: Copy>(&self, key: &str, text: &str, names: &[(&str, T)]) -> Result<T, RubricError> {
        if let Some((_, value)) = names.iter().find(|(name, _)| *name == text) {
            return Ok(*value);
        }
        let all: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        let guess = nearest(text, all.iter().copied()).map(|name| format!("; did you mean `{name}`?"));
        let problem = format!("is \"{text}\"; it must be one of {}{}", all.join(", "), guess.unwrap_or_default());
        Err(self.wrong(key, problem))
    }

    /// Puts all keys but preset and eos over the preset's values.
    fn fill(&self, file: &mut RubricFile) -> Result<(), RubricError> {
        let rubric = &mut file.rubric;
        let objectives = Objective::ALL.map(|objective| (objective.name(), objective));
        let names = objectives.map(|(name, _)| name);
        if let Some(text) = self.string(&self.table, "format")? {
            rubric.format = self.named("format", text, Format::NAMES)?;
        }
        if let Some(given) = self.strings("verifiers")? {
            let known: Vec<(&str, Verifier)> = rubric.preset.verifiers().iter().map(|v| (v.name(), *v)).collect();
            let verifiers = given.iter().map(|text| self.named("verifiers", text, &known));
            rubric.verifiers = verifiers.collect::<Result<_, _>>()?;
            // An objective that no verifier earns any more weighs nothing, unless the file says otherwise.
            for objective in Objective::ALL.into_iter().filter(|o| !rubric.earns(*o)).collect::<Vec<_>>() {
                rubric.weights.insert(objective, 0.0);
            }
        }
        for (key, value) in self.table("weights", &names)?.into_iter().flatten() {
            let path = format!("weights.{key}");
            let weight = self.number(&path, value)?;
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(self.wrong(&path, format!("is {weight}; it must be a number from 0")));
            }
            rubric.weights.insert(self.named(&path, key, &objectives)?, weight);
        }
        for (key, value) in self.table("gates", &names)?.into_iter().flatten() {
            let path = format!("gates.{key}");
            let Value::String(text) = value else { return Err(self.kind(&path, "a string", value)) };
            let gate = self.named(&path, text, GATES)?;
            rubric.gates.insert(self.named(&path, key, &objectives)?, gate);
        }
        for (key, value) in self.table("thresholds", Thresholds::NAMES)?.into_iter().flatten() {
            let path = format!("thresholds.{key}");
            let number = self.number(&path, value)?;
            rubric.thresholds.set(key, number).map_err(|right| self.wrong(&path, format!("is {number}; {right}")))?;
        }
        if let Some(table) = self.table("answers", ANSWERS)? {
            self.answers(table, &mut rubric.answers)?;
        }
        if let Some(given) = self.strings("lexicons")? {
            if given.is_empty() {
                return Err(self.wrong("lexicons", "is empty; name built-in, files, or both"));
            }
            file.built_in = given.contains(&BUILT_IN);
            file.lexicons = given.iter().filter(|name| **name != BUILT_IN).map(PathBuf::from).collect();
        }
        Ok(())
    }
}

impl Source<'_> {
    /// Puts the keys of `answers` over the defaults.
    fn answers(&self, table: &Table, settings: &mut Settings) -> Result<(), RubricError> {
        for (key, value) in table {
            let path = format!("answers.{key}");
            if key == "numeric_tolerance" {
                let number = self.number(&path, value)?;
                if !(0.0..1.0).contains(&number) {
                    return Err(self.wrong(&path, format!("is {number}; it must be from 0 to below 1")));
                }
                settings.tolerance = number;
                continue;
            }
            let Value::String(text) = value else { return Err(self.kind(&path, "a string", value)) };
            match key.as_str() {
                "multi_choice" => settings.set = self.named(&path, text, SetMeasure::NAMES)?,
                _ => settings.rank = self.named(&path, text, RankMeasure::NAMES)?,
            }
        }
        Ok(())
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|&&byte| byte == b'\n').count() + 1
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        RubricFile::parse("r.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn the_file_of_the_documentation_is_the_default() {
        let text: String = include_str!("file.rs")
            .lines()
            .skip_while(|line| *line != "//! ```toml")
            .skip(1)
            .take_while(|line| *line != "//! ```")
            .map(|line| line.trim_start_matches("//!").to_owned() + "\n")
            .collect();
        let file = RubricFile::parse("r.toml", &text).unwrap();
        assert_eq!(file, RubricFile::from(Rubric::default()));
        assert_eq!(RubricFile::parse("r.toml", "").unwrap(), file);
    }

    #[test]
    fn keys_change_what_they_name() {
        let text = "preset = \"crpo\"\nverifiers = [\"answer\", \"coverage\"]\nformat = \"json\"\n\
            lexicons = [\"built-in\", \"ward.txt\"]\n[weights]\ncomprehensiveness = 2\n[gates]\ncomprehensiveness = \"none\"\n\
            [thresholds]\nlength_words = 300\n\
            [answers]\nmulti_choice = \"f1\"\nranked_list = \"ndcg\"\nnumeric_tolerance = 0.01\n";
        let RubricFile { rubric, lexicons, built_in } = RubricFile::parse("r.toml", text).unwrap();
        assert_eq!(rubric.format, Format::Json);
        assert_eq!(rubric.weights[&Objective::Comprehensiveness], 2.0);
        assert!(rubric.counts(Objective::Accuracy) && rubric.counts(Objective::Comprehensiveness));
        assert!(!rubric.counts(Objective::Faithfulness) && !rubric.counts(Objective::Format));
        assert!(rubric.uses(Verifier::Coverage) && !rubric.uses(Verifier::Differential));
        assert_eq!(rubric.gates[&Objective::Comprehensiveness], Gate::None);
        assert_eq!(rubric.thresholds.length_words, 300.0);
        let answers = Settings { set: SetMeasure::F1, rank: RankMeasure::Ndcg, tolerance: 0.01 };
        assert_eq!(rubric.answers, answers);
        assert!(built_in && lexicons == [PathBuf::from("ward.txt")]);
        let held_out =
            RubricFile::parse("r.toml", "preset = \"held-out\"\nverifiers = [\"last_words\", \"grounding\"]");
        assert!(held_out.unwrap().rubric.uses(Verifier::Grounding));
        assert_eq!(RubricFile::parse("r.toml", "preset = \"clinical-r1\"\neos = \"</s>\"").unwrap().rubric.eos, "</s>");
    }

    #[test]
    fn every_fault_is_one_sentence_with_its_line() {
        for (text, sentence) in [
            ("weigths = {}\n", "r.toml:1: unknown key `weigths`; did you mean `weights`?"),
            (
                "\n[weights]\naccurracy = 1\n",
                "r.toml:3: unknown key `weights.accurracy`; did you mean `weights.accuracy`?",
            ),
            ("length_word = 3\n", "r.toml:1: unknown key `length_word`; did you mean `thresholds.length_words`?"),
            ("qqqq = 3\n", "r.toml:1: unknown key `qqqq`"),
            (
                "[gates]\nformat = \"maybe\"\n",
                "r.toml:2: `gates.format` is \"maybe\"; it must be one of none, response, group",
            ),
            (
                "preset = \"crop\"",
                "r.toml:1: `preset` is \"crop\"; it must be one of crpo, clinical-r1, accuracy-only, held-out; did you mean `crpo`?",
            ),
            ("weights = 3", "r.toml:1: `weights` is a number, expected a table"),
            ("[weights]\nformat = \"much\"", "r.toml:2: `weights.format` is a string, expected a number"),
            ("[weights]\nformat = -1", "r.toml:2: `weights.format` is -1; it must be a number from 0"),
            ("[weights]\nformat = nan", "r.toml:2: `weights.format` is NaN; it must be a number from 0"),
            (
                "\n[weights]\naccuracy = 0\nfaithfulness = 0\ncomprehensiveness = 0\nformat = 0\n",
                "r.toml:2: `weights` are all 0: at least one objective must count",
            ),
            ("verifiers = []\n", "r.toml: `weights` are all 0: at least one objective must count"),
            (
                "verifiers = [\"answer\", \"economy\"]\n[weights]\ncomprehensiveness = 1\n",
                "r.toml:3: `weights.comprehensiveness` is above 0, but none of the verifiers that can earn it is in `verifiers`",
            ),
            ("verifiers = \"answer\"", "r.toml:1: `verifiers` is a string, expected a list of strings"),
            ("verifiers = [1]", "r.toml:1: `verifiers` is a number, expected a list of strings"),
            (
                "[thresholds]\nwrong_answer = 1.5\n",
                "r.toml:2: `thresholds.wrong_answer` is 1.5; it must be within 0 and 1",
            ),
            ("[thresholds]\nlength_words = 0\n", "r.toml:2: `thresholds.length_words` is 0; it must be at least 1"),
            (
                "[answers]\nmulti_choise = \"f1\"\n",
                "r.toml:2: unknown key `answers.multi_choise`; did you mean `answers.multi_choice`?",
            ),
            (
                "numeric_tolerence = 0.1\n",
                "r.toml:1: unknown key `numeric_tolerence`; did you mean `answers.numeric_tolerance`?",
            ),
            (
                "[answers]\nranked_list = \"mrr\"\n",
                "r.toml:2: `answers.ranked_list` is \"mrr\"; it must be one of reciprocal_rank, ndcg",
            ),
            ("[answers]\nmulti_choice = 1\n", "r.toml:2: `answers.multi_choice` is a number, expected a string"),
            (
                "[answers]\nnumeric_tolerance = 1\n",
                "r.toml:2: `answers.numeric_tolerance` is 1; it must be from 0 to below 1",
            ),
            ("lexicons = []\n", "r.toml:1: `lexicons` is empty; name built-in, files, or both"),
            ("eos = \"\"\n", "r.toml:1: `eos` is empty; it must be a marker that ends a response"),
            (
                "preset = \"clinical-r1\"\nweights = { format = 1 }\n",
                "r.toml:2: `weights` has no meaning under clinical-r1, which is one published formula",
            ),
            (
                "preset = \"held-out\"\nverifiers = [\"claims\"]\n",
                "r.toml:2: `verifiers` is \"claims\"; it must be one of last_words, grounding, figures, polarity, families, rivals",
            ),
        ] {
            assert_eq!(error(text), sentence, "{text}");
        }
        assert!(error("[weights\n").starts_with("r.toml:1: not valid TOML: "));
        assert!(error("format = \"plain\"\nformat = \"json\"\n").starts_with("r.toml:2: not valid TOML: "));
        let missing = RubricFile::open("nowhere/rubric.toml").unwrap_err().to_string();
        assert!(missing.starts_with("nowhere/rubric.toml: cannot read: ") && missing.contains("held-out"), "{missing}");
    }

    #[test]
    fn lexicons_are_read_from_the_folder_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rubric.toml");
        let name = path.display().to_string();
        std::fs::write(&path, "lexicons = [\"built-in\", \"ward.txt\"]").unwrap();
        let error = RubricFile::open(&name).unwrap().scorer().unwrap_err().to_string();
        assert!(error.contains("ward.txt: cannot read"), "{error}");
        std::fs::write(folder.path().join("ward.txt"), "nonsense\n").unwrap();
        let error = RubricFile::open(&name).unwrap().scorer().unwrap_err().to_string();
        assert!(error.contains("ward.txt") && error.lines().count() == 1, "{error}");
        std::fs::write(&path, b"preset = \"\xff\"").unwrap();
        let error = RubricFile::open(&name).unwrap_err().to_string();
        assert!(error.ends_with("byte 10 is not UTF-8, expected UTF-8 text"), "{error}");
        assert_eq!(RubricFile::open("held-out").unwrap().rubric.preset, Preset::HeldOut);
    }

    proptest::proptest! {
        /// Whatever is written, the answer is a rubric or a sentence of one line.
        #[test]
        fn any_text_is_read_or_refused(text in "(preset|weights|gates|[a-z]{1,6}| |=|\"|\\[|\\]|\\{|\\}|\n|\\.|[0-9]|\\PC){0,40}") {
            if let Err(error) = RubricFile::parse("r.toml", &text) {
                proptest::prop_assert_eq!(error.to_string().lines().count(), 1);
            }
        }
    }
}
