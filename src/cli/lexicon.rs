//! `attending data lexicon`: looks into lexicons, and turns ontologies and tables into the lexicon's format.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use attending_datasets::AtomicFile;
use attending_datasets::reader::{display, read_text};
use attending_rewards::lexicon::source::{self, Layout};
use attending_rewards::lexicon::{ConceptId, Kind, Lexicon, Relation, Term};
use attending_rewards::reading::Reading;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// Lexicons: look into them, convert ontologies and tables
#[derive(Debug, Args)]
pub(super) struct LexiconArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Counts what a lexicon holds, shows a concept, or shows what is read in a text
    #[command(after_help = "Examples:
  attending data lexicon inspect
  attending data lexicon inspect --find \"heart attack\"
  attending data lexicon inspect --text \"Pedal oedema, no SOB, on Lasix\" --json
  attending data lexicon inspect hp.obo.gz --find Arachnodactyly")]
    Inspect(Inspect),
    /// Writes an OBO ontology (HPO, DOID, MONDO) or a table as a file of the lexicon's format
    #[command(after_help = "Examples:
  attending data lexicon convert hp.obo.gz --out hpo.txt
  attending data lexicon convert icd10cm_2026_tabular.jsonl.gz --no-built-in --out icd.txt

Tables: terms, ICD-10-CM codes, substances with synonyms, abbreviations, lab units, diseases with symptoms; the layout is
recognised. Exact synonyms alone become forms. What the built-in lexicon knows is added to (+=).")]
    Convert(Convert),
}

#[derive(Debug, Args)]
struct Inspect {
    /// Files of the lexicon's format, or of any layout that convert reads
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Without the built-in lexicon
    #[arg(long, requires = "files")]
    no_built_in: bool,
    /// Show what a wording names: forms, broader concepts, relations
    #[arg(long, value_name = "WORDING", conflicts_with = "text")]
    find: Option<String>,
    /// Show the concepts that are read in a text, with their status
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Convert {
    /// File to read, packed or not; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// File to write; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Stand alone, without the built-in lexicon as base
    #[arg(long)]
    no_built_in: bool,
    /// Print the counts as JSON (on standard error where the lexicon goes to standard output)
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// A file cannot be read or written, or says something that a lexicon must not: file, line, what would be right.
pub(super) fn run(args: &LexiconArgs) -> Result<ExitCode> {
    match &args.command {
        Command::Inspect(args) => inspect(args),
        Command::Convert(args) => convert(args),
    }
}

fn convert(args: &Convert) -> Result<ExitCode> {
    let text = read_text(&args.file)?;
    let base = (!args.no_built_in).then(Lexicon::built_in);
    let converted = source::convert(&display(&args.file), &text, base.as_deref())?;
    let to_output = args.out.as_os_str() == "-";
    if to_output {
        std::io::stdout().write_all(converted.text.as_bytes())?;
    } else {
        let mut file = AtomicFile::create(&args.out)?;
        file.write_all(converted.text.as_bytes()).with_context(|| format!("{}: cannot write", args.out.display()))?;
        file.finish()?;
    }
    let (entries, known, left_out) = (converted.entries, converted.known, converted.left_out);
    let layout = converted.layout.name();
    let line = if args.json {
        json!({"layout": layout, "entries": entries, "known": known, "left_out": left_out}).to_string()
    } else {
        format!("{layout}: {entries} entries, {known} of them add to known concepts, {left_out} left out")
    };
    if args.json && !to_output {
        writeln!(std::io::stdout(), "{line}")?;
    } else {
        eprintln!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The built-in lexicon with the files behind it; files of other layouts are converted first.
fn load(files: &[PathBuf], built_in: bool) -> Result<Lexicon> {
    let mut texts: Vec<(String, String)> = Vec::with_capacity(files.len());
    for path in files {
        let (name, text) = (display(path), read_text(path)?);
        let text = match Layout::of(&text) {
            Some(_) => {
                let base = (built_in || !texts.is_empty()).then(|| parse(&texts, built_in)).transpose()?;
                source::convert(&name, &text, base.as_ref())?.text
            }
            None => text,
        };
        texts.push((name, text));
    }
    parse(&texts, built_in)
}

fn parse(texts: &[(String, String)], built_in: bool) -> Result<Lexicon> {
    let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Ok(if built_in { Lexicon::built_in_with(&files)? } else { Lexicon::parse(&files)? })
}

fn inspect(args: &Inspect) -> Result<ExitCode> {
    let lexicon = load(&args.files, !args.no_built_in)?;
    let shown = match (&args.find, &args.text) {
        (Some(wording), _) => find(&lexicon, wording),
        (None, Some(text)) => read(&lexicon, text),
        (None, None) => count(&lexicon),
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{shown:#}")?;
    } else {
        print(&mut out, &shown, 0)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn count(lexicon: &Lexicon) -> Value {
    let (concepts, measures) = lexicon.len();
    let of = |kind: Kind| lexicon.concepts().filter(|(_, concept)| concept.kind == kind).count();
    let kinds: serde_json::Map<String, Value> =
        Kind::ALL.iter().map(|(name, kind)| ((*name).to_owned(), json!(of(*kind)))).collect();
    let forms: usize = lexicon.concepts().map(|(_, concept)| concept.forms.len()).sum();
    json!({"concepts": concepts, "kinds": kinds, "forms": forms, "measures": measures, "relations": lexicon.relation_count()})
}

fn find(lexicon: &Lexicon, wording: &str) -> Value {
    let names = |ids: &[ConceptId]| ids.iter().map(|&id| json!(lexicon.concept(id).name)).collect::<Vec<_>>();
    let shown = lexicon.meanings(wording).into_iter().map(|term| match term {
        Term::Concept(id) => {
            let concept = lexicon.concept(id);
            let related = |wanted: Relation| {
                let found = lexicon.relations_of(id).filter(|(_, relation)| *relation == wanted);
                found.map(|(finding, _)| json!(lexicon.concept(finding).name)).collect::<Vec<_>>()
            };
            json!({"name": concept.name, "kind": concept.kind.name(), "forms": concept.forms,
                "broader": names(&concept.ancestors), "narrower concepts": concept.descendants,
                "expected": related(Relation::Expected), "for": related(Relation::Supports),
                "against": related(Relation::Against)})
        }
        Term::Measure(id) => {
            let measure = lexicon.measure(id);
            let limits = measure.thresholds.iter().map(|t| {
                let sign = if t.above { ">" } else { "<" };
                json!(format!("{sign} {} {}", t.limit, lexicon.concept(t.finding).name))
            });
            json!({"name": measure.name, "kind": "measure", "limits": limits.collect::<Vec<_>>()})
        }
    });
    Value::Array(shown.collect())
}

fn read(lexicon: &Lexicon, text: &str) -> Value {
    let reading = Reading::new(text, lexicon);
    let shown = reading.mentions.iter().map(|mention| {
        let concept = lexicon.concept(mention.concept);
        json!({"text": text.get(mention.span[0]..mention.span[1]), "span": mention.span, "concept": concept.name,
            "kind": concept.kind.name(), "status": format!("{:?}", mention.status).to_lowercase()})
    });
    Value::Array(shown.collect())
}

/// Prints a value for people: a key a line, lists on one line, one object after another.
fn print(out: &mut impl Write, value: &Value, indent: usize) -> std::io::Result<()> {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        Value::Array(items) if items.is_empty() => writeln!(out, "nothing found"),
        Value::Array(items) => items.iter().try_for_each(|item| {
            print(out, item, indent)?;
            writeln!(out)
        }),
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| match value {
            Value::Object(_) => {
                writeln!(out, "{:indent$}{key}", "")?;
                print(out, value, indent + 2)
            }
            Value::Array(items) if items.is_empty() => Ok(()),
            Value::Array(items) => {
                let list: Vec<String> = items.iter().map(plain).collect();
                writeln!(out, "{:indent$}{key:<18}{}", "", list.join(", "))
            }
            other => writeln!(out, "{:indent$}{key:<18}{}", "", plain(other)),
        }),
        other => writeln!(out, "{}", plain(other)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_wording_is_found_with_its_place_in_the_lexicon() {
        let lexicon = load(&[], true).unwrap();
        let shown = find(&lexicon, "STEMI");
        assert_eq!(shown[0]["name"], "STEMI");
        assert_eq!(shown[0]["broader"][0], "myocardial infarction");
        let mut text = Vec::new();
        print(&mut text, &shown, 0).unwrap();
        assert!(String::from_utf8(text).unwrap().contains("broader           myocardial infarction"));
        assert_eq!(read(&lexicon, "No fever.")[0]["status"], "absent");
    }

    #[test]
    fn files_are_read_behind_the_built_in_lexicon() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.txt");
        std::fs::write(&path, "[condition]\nzebra lung < pneumonia\n").unwrap();
        let lexicon = load(std::slice::from_ref(&path), true).unwrap();
        assert_eq!(find(&lexicon, "zebra lungs")[0]["broader"][0], "pneumonia");
        std::fs::write(&path, "[condition]\nzebra lung < no such thing\n").unwrap();
        let error = load(std::slice::from_ref(&path), true).unwrap_err().to_string();
        assert!(error.ends_with("own.txt, line 2: `no such thing` is not defined"), "{error}");
    }
}
