//! Layers of configuration: defaults, a file, the command line's `--set`; each value remembers where it was given.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use super::RunConfig;
use super::error::ConfigError;
use super::raw::RawConfig;
use super::resolve;

/// Parts of the file format that a later release brings; a configuration that has them is refused, not half obeyed.
const UNAVAILABLE: [(&str, &str); 2] = [
    ("agent", "multi-turn training comes with a later release; remove the section"),
    ("model.lora", "low-rank adapters come with a later release; remove the section to train all weights"),
];

/// A configuration under construction.
#[derive(Debug, Clone)]
pub struct ConfigSource {
    table: Table,
    places: Places,
}

/// Where each key was given (`run.toml:12`, `--set`); keys that were not given are at their defaults.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(BTreeMap<String, String>);

impl Places {
    /// Whether `key` was given.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// The place of `key`, or of the section or table that it stands in.
    pub(super) fn of(&self, key: &str) -> String {
        self.0.get(key).cloned().unwrap_or_else(|| "configuration".to_owned())
    }
}

impl Default for ConfigSource {
    fn default() -> Self {
        Self { table: known_keys(), places: Places::default() }
    }
}

impl ConfigSource {
    /// Puts a file's values over those so far.
    pub fn file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        self.text(&path.display().to_string(), &text)
    }

    /// Puts a TOML text over the values so far; `name` is what errors call it.
    pub fn text(&mut self, name: &str, text: &str) -> Result<(), ConfigError> {
        let syntax = |error: toml::de::Error| {
            let place = match error.span() {
                Some(span) => format!("{name}:{}", line_of(text, span.start)),
                None => name.to_owned(),
            };
            ConfigError::Syntax { place, message: error.message().replace('\n', " ") }
        };
        let given: Table = toml::from_str(text).map_err(syntax)?;
        let mut lines = BTreeMap::new();
        let spanned = toml::de::DeTable::parse(text).map_err(syntax)?;
        collect_lines(spanned.get_ref(), "", text, &mut lines);
        let place = |key: &str| match lines.get(key) {
            Some(line) => format!("{name}:{line}"),
            None => name.to_owned(),
        };
        merge(&mut self.table, &given, "", &place, &mut self.places)
    }

    /// Obeys one `--set section.key=value`; the text is read as the kind of value that the key has.
    pub fn set(&mut self, assignment: &str) -> Result<(), ConfigError> {
        let (key, text) =
            assignment.split_once('=').ok_or_else(|| ConfigError::Set { given: assignment.to_owned() })?;
        let (key, text) = (key.trim(), text.trim());
        let known = lookup(&self.table, key);
        let value = match known {
            Some(Value::String(_)) => Value::String(unquoted(text).to_owned()),
            Some(Value::Array(items)) if !text.starts_with('[') && !matches!(items.first(), Some(Value::Float(_))) => {
                Value::Array(text.split(',').map(|s| Value::String(s.trim().to_owned())).collect())
            }
            _ => toml::from_str::<Table>(&format!("value = {text}"))
                .ok()
                .and_then(|mut t| t.remove("value"))
                .unwrap_or_else(|| Value::String(text.to_owned())),
        };
        self.value(key, value, "--set")
    }

    /// Gives `section.key` a value; `place` is what errors call the source, such as `--model`.
    pub fn value(&mut self, key: &str, value: Value, place: &str) -> Result<(), ConfigError> {
        let mut given = value;
        for part in key.rsplit('.') {
            given = Value::Table(Table::from_iter([(part.to_owned(), given)]));
        }
        let Value::Table(given) = given else { return Err(ConfigError::Set { given: key.to_owned() }) };
        merge(&mut self.table, &given, "", &|_| place.to_owned(), &mut self.places)
    }

    /// The value of `section.key` so far.
    pub fn get(&self, key: &str) -> Option<&Value> {
        lookup(&self.table, key)
    }

    /// Whether `section.key` was given by any layer.
    pub fn is_given(&self, key: &str) -> bool {
        self.places.has(key)
    }

    /// Checks all values and gives the configuration that the run uses.
    pub fn resolve(self) -> Result<RunConfig, ConfigError> {
        let raw = RawConfig::deserialize_from(self.table, &self.places)?;
        resolve::resolve(raw, &self.places)
    }

    /// As [`ConfigSource::resolve`], for a plan: the device may be one that this build does not have.
    pub fn resolve_to_plan(self) -> Result<RunConfig, ConfigError> {
        let raw = RawConfig::deserialize_from(self.table, &self.places)?;
        resolve::to_plan(raw, &self.places)
    }
}

impl RawConfig {
    fn deserialize_from(table: Table, places: &Places) -> Result<Self, ConfigError> {
        // Kinds were checked in `merge`; what is left are numbers out of range and the elements of arrays.
        Value::Table(table).try_into().map_err(|error: toml::de::Error| ConfigError::Syntax {
            place: places.of(""),
            message: error.message().replace('\n', " "),
        })
    }
}

/// Every known key with its default.
fn known_keys() -> Table {
    // Plain structs of plain values always serialise.
    Table::try_from(RawConfig::default()).unwrap_or_default()
}

fn lookup<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        None => table.get(key),
        Some((section, rest)) => lookup(table.get(section)?.as_table()?, rest),
    }
}

fn unquoted(text: &str) -> &str {
    ['"', '\''].iter().find_map(|&q| text.strip_prefix(q).and_then(|t| t.strip_suffix(q))).unwrap_or(text)
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|&&b| b == b'\n').count() + 1
}

fn collect_lines(table: &toml::de::DeTable<'_>, prefix: &str, text: &str, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table.iter() {
        let path = joined(prefix, key.get_ref());
        lines.insert(path.clone(), line_of(text, key.span().start));
        if let Some(inner) = value.get_ref().as_table() {
            collect_lines(inner, &path, text, lines);
        }
    }
}

fn joined(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

/// What a value is, for people.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "an integer",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// Copies the values of `given` over those of `known`; keys must exist, and kinds agree.
fn merge(
    known: &mut Table,
    given: &Table,
    prefix: &str,
    place: &dyn Fn(&str) -> String,
    places: &mut Places,
) -> Result<(), ConfigError> {
    for (key, value) in given {
        let path = joined(prefix, key);
        if let Some((_, what)) = UNAVAILABLE.iter().find(|(name, _)| *name == path) {
            return Err(ConfigError::NotAvailable { place: place(&path), key: path, what });
        }
        let Some(old) = known.get_mut(key) else {
            return Err(unknown(known, prefix, &path, place(&path)));
        };
        let mismatch = |expected, found| ConfigError::Kind { place: place(&path), key: path.clone(), expected, found };
        match (&mut *old, value) {
            (Value::Table(inner), Value::Table(table)) => merge(inner, table, &path, place, places)?,
            (Value::Float(old), Value::Integer(n)) => *old = *n as f64,
            (Value::Integer(_), Value::Integer(n)) if *n < 0 => {
                return Err(mismatch("a whole number of at least 0", "negative"));
            }
            (Value::Array(old), Value::Array(items)) => *old = merged_list(old, items, &mismatch)?,
            (old, value) if std::mem::discriminant(old) == std::mem::discriminant(value) => *old = value.clone(),
            (old, value) => return Err(mismatch(kind(old), kind(value))),
        }
        places.0.insert(path.clone(), place(&path));
    }
    Ok(())
}

/// A list's elements: numbers where the default holds numbers (and as many), strings elsewhere.
fn merged_list(
    old: &[Value],
    items: &[Value],
    mismatch: &dyn Fn(&'static str, &'static str) -> ConfigError,
) -> Result<Vec<Value>, ConfigError> {
    let numbers = matches!(old.first(), Some(Value::Float(_)));
    if numbers && items.len() != old.len() {
        return Err(mismatch("a list of two numbers", "a list of another length"));
    }
    let element = |value: &Value| match value {
        Value::Float(x) if numbers => Ok(Value::Float(*x)),
        Value::Integer(n) if numbers => Ok(Value::Float(*n as f64)),
        Value::String(_) if !numbers => Ok(value.clone()),
        other if numbers => Err(mismatch("a list of numbers", kind(other))),
        other => Err(mismatch("a list of strings", kind(other))),
    };
    items.iter().map(element).collect()
}

/// The error for a key that is not in `known`, with the nearest one: here, or under the same name in another section.
fn unknown(known: &Table, prefix: &str, path: &str, place: String) -> ConfigError {
    let key = path.rsplit('.').next().unwrap_or(path);
    let here = known.keys().map(|k| (strsim::normalized_damerau_levenshtein(key, k), joined(prefix, k)));
    let all = known_keys();
    let elsewhere = all.iter().flat_map(|(section, inner)| {
        inner.as_table().into_iter().flat_map(move |t| {
            t.keys().map(move |k| (strsim::normalized_damerau_levenshtein(key, k), joined(section, k)))
        })
    });
    // A half of the letters in common: `group` still finds `group_size`, random words find nothing.
    let nearest = here
        .chain(elsewhere)
        .filter(|(likeness, _)| *likeness >= 0.5)
        .fold(None::<(f64, String)>, |best, next| match best {
            Some(best) if best.0 >= next.0 => Some(best),
            _ => Some(next),
        })
        .map(|(_, name)| name);
    ConfigError::UnknownKey { place, key: path.to_owned(), nearest }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let mut source = ConfigSource::default();
        match source.text("run.toml", text) {
            Err(error) => error.to_string(),
            Ok(()) => source.resolve().unwrap_err().to_string(),
        }
    }

    #[test]
    fn unknown_keys_are_refused_with_the_nearest() {
        assert_eq!(error("[optim]\nlrr = 1.0\n"), "run.toml:2: unknown key `optim.lrr`; did you mean `optim.lr`?");
        assert_eq!(
            error("[trainer]\ngroup_sizes = 4\n"),
            "run.toml:2: unknown key `trainer.group_sizes`; did you mean `rollout.group_size`?"
        );
        assert_eq!(error("[rollouts]\n"), "run.toml:1: unknown key `rollouts`; did you mean `rollout`?");
        assert_eq!(error("[optim]\nzzzzzzzzzz = 1\n"), "run.toml:2: unknown key `optim.zzzzzzzzzz`");
        assert_eq!(
            error("[rewards]\nweights = { accurracy = 1.0 }\n"),
            "run.toml:2: unknown key `rewards.weights.accurracy`; did you mean `rewards.weights.accuracy`?"
        );
    }

    #[test]
    fn kinds_are_checked() {
        assert_eq!(error("[optim]\nlr = \"fast\"\n"), "run.toml:2: `optim.lr` is a string, expected a number");
        assert_eq!(
            error("[trainer]\nsteps = -1\n"),
            "run.toml:2: `trainer.steps` is negative, expected a whole number of at least 0"
        );
        assert_eq!(
            error("[data]\ntrain = [1]\n"),
            "run.toml:2: `data.train` is an integer, expected a list of strings"
        );
        assert!(error("[optim\n").starts_with("run.toml:1: not valid TOML"), "{}", error("[optim\n"));
    }

    #[test]
    fn later_parts_are_refused() {
        assert!(error("[agent]\n").contains("not available in this build"));
        assert!(error("[model.lora]\nrank = 8\n").starts_with("run.toml:1: `model.lora` is not available"));
    }

    #[test]
    fn set_reads_the_kind_of_the_key() {
        let mut source = ConfigSource::default();
        for assignment in [
            "optim.lr=3",
            "model.path=my model",
            "data.train=a.jsonl,b.jsonl",
            "optim.betas=[0.8, 0.9]",
            "objective.mask_truncated=true",
            "rewards.weights.format=0",
        ] {
            source.set(assignment).unwrap();
        }
        let config = source.resolve().unwrap();
        assert_eq!(config.raw.optim.lr, 3.0);
        assert_eq!(config.raw.model.path, "my model");
        assert_eq!(config.raw.data.train, ["a.jsonl", "b.jsonl"]);
        assert_eq!(config.raw.optim.betas, [0.8, 0.9]);
        assert!(config.raw.objective.mask_truncated);
        assert_eq!(config.raw.rewards.weights.format, 0.0);

        let mut source = ConfigSource::default();
        assert_eq!(
            source.set("trainer.steps=many").unwrap_err().to_string(),
            "--set: `trainer.steps` is a string, expected an integer"
        );
        assert_eq!(source.set("steps").unwrap_err().to_string(), "--set takes section.key=value, got `steps`");
    }

    #[test]
    fn the_written_configuration_reads_back() {
        let config = ConfigSource::default().resolve().unwrap();
        let mut again = ConfigSource::default();
        again.text("config.toml", &config.to_toml()).unwrap();
        assert_eq!(again.resolve().unwrap().raw, config.raw);
    }
}
