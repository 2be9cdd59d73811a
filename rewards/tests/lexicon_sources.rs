//! Published ontologies and tables as lexicons: what is taken from them, what is refused, and 200,000 terms at once.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;

use aho_corasick::{AhoCorasick, MatchKind};
use attending_datasets::{Case, synth};
use attending_rewards::lexicon::source::{Layout, convert};
use attending_rewards::lexicon::{Lexicon, PhraseTrie, Reading, Term, Vocabulary};
use attending_rewards::text::tokenize;
use attending_rewards::{Response, Rubric, Scorer};
use proptest::prelude::*;

const OBO: &str = "format-version: 1.2\n\n[Term]\nid: X:1\nname: Renal thing\n\n[Term]\nid: X:2\nname: Zebra kidney\n\
    synonym: \"Striped \\\"kidney\\\", left\" EXACT layperson []\nsynonym: \"Kidney\" BROAD []\nis_a: X:1 ! Renal thing\n\n\
    [Term]\nid: X:3\nname: Old thing\nis_obsolete: true\n\n[Typedef]\nid: part_of\n";

#[test]
fn an_ontology_keeps_exact_synonyms_and_parents() {
    let converted = convert("x.obo", OBO, None).unwrap();
    assert_eq!((converted.layout, converted.entries, converted.left_out), (Layout::Obo, 2, 0));
    let lexicon = Lexicon::parse(&[("x.txt", &converted.text)]).unwrap();
    let zebra = lexicon.concept(lexicon.concept_named("Zebra kidney").unwrap());
    assert_eq!(zebra.forms, ["Zebra kidney", "Striped \"kidney\", left"]);
    assert_eq!(zebra.ancestors, [lexicon.concept_named("Renal thing").unwrap()]);
}

#[test]
fn faults_name_file_and_line() {
    let problem = |text: &str| convert("x.obo", text, None).unwrap_err().to_string();
    let head = "format-version: 1.2\n[Term]\nid: X:1\nname: a\n";
    assert_eq!(problem(&format!("{head}is_a: X:9\n")), "x.obo, line 5: is_a names X:9, which the file does not define");
    assert_eq!(
        problem(&format!("{head}[Term]\nid: X:1\nname: b\n")),
        "x.obo, line 5: the id X:1 is defined twice, first in line 2"
    );
    assert_eq!(
        problem(&format!("{head}synonym: b EXACT\n")),
        "x.obo, line 5: a synonym without quotes: expected `synonym: \"text\" EXACT []`"
    );
    assert_eq!(problem("format-version: 1.2\n[Term]\nid: X:1\n"), "x.obo, line 2: a [Term] without id or name");
    assert!(problem("hello").starts_with("x.obo, line 1: is no OBO file"));
    assert!(problem("{\"unii\": 1}").starts_with("x.obo, line 1: malformed record"));
    let orphan = convert("x.jsonl", "{\"id\":\"D:1\",\"label\":\"a\",\"parents\":[\"b\"]}", None).unwrap();
    assert_eq!(orphan.entries, 1, "the root of an extract is left out");
    // A cycle of parents is found where the text is read.
    let cycle = format!("{head}is_a: X:2\n[Term]\nid: X:2\nname: b\nis_a: X:1\n");
    let converted = convert("x.obo", &cycle, None).unwrap();
    let error = Lexicon::parse(&[("x.obo", &converted.text)]).unwrap_err().to_string();
    assert!(error.ends_with("`a` is a kind of itself"), "{error}");
}

#[test]
fn tables_add_to_what_the_base_knows() {
    let base = Lexicon::built_in();
    let terms = "{\"id\":\"D:1\",\"label\":\"asthma\",\"parents\":[],\"synonyms\":[{\"text\":\"exercise-induced asthma\",\"scope\":\"narrow\"},{\"text\":\"bronchial hyperreactivity disease\",\"scope\":\"exact\"}]}\n\
        {\"id\":\"D:2\",\"label\":\"zebra asthma\",\"parents\":[\"asthma\"],\"synonyms\":[]}\n";
    let converted = convert("d.jsonl", terms, Some(&base)).unwrap();
    assert_eq!((converted.entries, converted.known), (2, 1));
    let lexicon = Lexicon::built_in_with(&[("d.txt", &converted.text)]).unwrap();
    let asthma = lexicon.concept_named("asthma").unwrap();
    assert_eq!(lexicon.meanings("bronchial hyperreactivity disease"), [Term::Concept(asthma)]);
    assert!(lexicon.is_a(lexicon.concept_named("zebra asthma").unwrap(), asthma));
    // What the base has is not doubled; a unit that is known makes a measure with its molar mass.
    let units = "{\"1\":{\"name\":\"Glucose\",\"traditional_units\":\"mg/dL\",\"conversion_factor\":0.0555,\"si_units\":\"mmol/L\"},\
        \"2\":{\"name\":\"Xylose\",\"traditional_units\":\"mg/dL\",\"conversion_factor\":0.0667,\"si_units\":\"mmol/L\"},\
        \"3\":{\"name\":\"Zed\",\"traditional_units\":\"furlong\",\"conversion_factor\":1,\"si_units\":\"furlong\"}}";
    let converted = convert("u.json", units, Some(&base)).unwrap();
    assert_eq!(converted.text, "[measure]\nxylose | mg/dL | 14.9925 |  |\n");
    assert_eq!(converted.left_out, 2);
    // An abbreviation of several meanings is told by their words.
    let short = "{\"ZQX\": [\"asthma\", \"not a known thing\"], \"DVT\": [\"deep vein thrombosis\"]}";
    let converted = convert("a.json", short, Some(&base)).unwrap();
    assert_eq!(converted.text, "[abbreviation]\nZQX = asthma : asthma\n");
    let table = "disease_id\tdisease_label\tsymptom_id\tsymptom_label\n1\trubella\t2\trash\n1\tasthma\t2\twheezing\n1\tnone\t2\trash\n";
    let converted = convert("s.tsv", table, Some(&base)).unwrap();
    assert_eq!(converted.text, "[condition]\nrubella +=\n  + rash\n");
}

fn data() -> Option<PathBuf> {
    let folder = std::env::var("ATTENDING_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data").to_owned());
    let folder = PathBuf::from(folder).join("lexicons");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no lexicons at {}", folder.display());
    None
}

/// All published files at once: read, merged with the built-in lexicon, and matched.
#[test]
fn two_hundred_thousand_terms() {
    let Some(folder) = data() else { return };
    let base = Lexicon::built_in();
    let mut texts = Vec::new();
    for file in [
        "hpo/hp.obo.gz",
        "disease_ontology/doid_terms.jsonl.gz",
        "icd10cm/icd10cm_2026_tabular.jsonl.gz",
        "drug_names/unii_substances.jsonl.gz",
        "abbreviations/medical_abbreviations.json",
        "lab_units/analytes.json",
        "disease_ontology/disease-symptom.tsv",
    ] {
        let text = attending_datasets::reader::read_text(&folder.join(file)).unwrap();
        // Each file stands behind the ones before it.
        let so_far: Vec<(&str, &str)> =
            texts.iter().map(|(name, text): &(&str, String)| (*name, text.as_str())).collect();
        let before = if so_far.is_empty() { None } else { Some(Lexicon::built_in_with(&so_far).unwrap()) };
        let converted = convert(file, &text, Some(before.as_ref().unwrap_or(&base))).unwrap();
        println!(
            "{file}: {} entries, {} of them known, {} left out",
            converted.entries, converted.known, converted.left_out
        );
        assert!(converted.entries > 20, "{file}");
        texts.push((file, converted.text));
    }
    let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let start = Instant::now();
    let lexicon = Lexicon::built_in_with(&files).unwrap();
    let forms: usize = lexicon.concepts().map(|(_, concept)| concept.forms.len()).sum();
    println!("{} concepts with {forms} forms, built in {:.1} s", lexicon.len().0, start.elapsed().as_secs_f64());
    assert!(forms >= 200_000, "{forms}");
    for name in ["fever", "myocardial infarction", "Arachnodactyly", "ciprofloxacin", "Zellweger syndrome"] {
        assert!(!lexicon.meanings(name).is_empty(), "{name}");
    }
    // The built-in meanings stand.
    assert_eq!(lexicon.meanings("heart attack"), base.meanings("heart attack"));

    let scorer = Scorer::with_lexicon(Rubric::default(), lexicon.into());
    let cases: Vec<Case> = synth::cases(100, 21, synth::Split::Train);
    let responses: Vec<(usize, Response)> = cases
        .iter()
        .enumerate()
        .flat_map(|(at, case)| synth::references(case, 2, 8, synth::COLD_START).into_iter().map(move |r| (at, r.text)))
        .map(|(at, text)| (at, Response { text: Some(text), ..Response::default() }))
        .collect();
    let evidence: Vec<_> = cases.iter().map(|case| scorer.index(case)).collect();
    let bytes: usize = responses.iter().filter_map(|(_, r)| r.text.as_ref()).map(String::len).sum();
    let start = Instant::now();
    for (at, response) in &responses {
        let scored = scorer.score(&cases[*at], &evidence[*at], response);
        assert!(scored.reward.is_some());
    }
    println!("{:.1} MB/s with {forms} forms", bytes as f64 / 1e6 / start.elapsed().as_secs_f64());
}

/// Words that phrases are made of, some within others, and one that is in no phrase.
const WORDS: &[&str] = &["iron", "deficiency", "anemia", "severe", "acute", "renal", "failure", "of", "zzz"];

fn words(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<&'static str>> {
    proptest::collection::vec(proptest::sample::select(WORDS), count)
}

/// Pieces of the formats, whole and broken.
const PIECES: &[&str] = &[
    "[finding]",
    "[condition]",
    "[measure]",
    "[abbreviation]",
    "[cue]",
    "[",
    "]",
    "\n",
    "\n  + ",
    "fever",
    "a b",
    " = ",
    " < ",
    " += ",
    ", ",
    "\\",
    "#",
    " | ",
    "> 5 ",
    "age:1-",
    "mg/dL",
    " : ",
    "format-version: 1.2\n",
    "[Term]\n",
    "id: X:1\n",
    "name: a\n",
    "is_a: X:1\n",
    "synonym: \"b\" EXACT []\n",
    "{\"unii\":",
    "{\"code\":\"A\",\"desc\":\"b\"}",
    "\t",
    "\u{feff}",
    "disease_label\tsymptom_label\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any text is a lexicon or an error with a line, never a panic.
    #[test]
    fn no_text_breaks_the_readers(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..30), noise in "\\PC{0,10}") {
        let text = format!("{}{noise}", pieces.concat());
        if let Err(error) = Lexicon::parse(&[("x.txt", &text)]) {
            prop_assert!(error.line <= text.lines().count() && !error.problem.is_empty());
        }
        let base = Lexicon::built_in();
        if let Ok(converted) = convert("x", &text, Some(&base)) {
            let read = Lexicon::built_in_with(&[("x.txt", &converted.text)]);
            // What was written can be read, but for a cycle that the source itself has.
            prop_assert!(read.is_ok() || read.is_err_and(|e| e.problem.ends_with("is a kind of itself")), "{}", converted.text);
        }
    }

    /// The trie finds what an Aho-Corasick automaton finds, leftmost-longest on word boundaries.
    #[test]
    fn the_same_as_aho_corasick(phrases in proptest::collection::vec(words(1..4), 1..8), text in words(0..40)) {
        let mut text_line = String::from(" ");
        text.iter().for_each(|word| { let _ = write!(text_line, "{word} "); });
        let patterns: Vec<String> = phrases.iter().map(|phrase| format!(" {} ", phrase.join(" "))).collect();
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&patterns).unwrap();
        let mut wanted = Vec::new();
        let mut at = 0;
        while let Some(found) = automaton.find(aho_corasick::Input::new(&text_line).span(at..text_line.len())) {
            wanted.push(text_line[found.range()].trim().to_owned());
            at = found.end() - 1;
        }
        let mut vocabulary = Vocabulary::default();
        let mut trie = PhraseTrie::new(Reading::Lemma);
        for phrase in &phrases {
            trie.insert(&vocabulary.phrase(&phrase.join(" ")), ());
        }
        vocabulary.add_variants();
        let tokens = tokenize(&text_line);
        let looked_up = vocabulary.look_up(&tokens);
        let found: Vec<String> = trie
            .find(&looked_up, 0..tokens.len())
            .iter()
            .map(|m| text_line[tokens[m.tokens.start].start as usize..tokens[m.tokens.end - 1].end as usize].to_owned())
            .collect();
        prop_assert_eq!(found, wanted);
    }
}
