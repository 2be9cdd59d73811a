//! Three ways of finding the phrases of a lexicon in text, with the same semantics (leftmost-longest on word
//! boundaries, plural, hyphen, case and spelling tolerant): speed, build time and size of each.
//!
//! `cargo run --release -p attending-rewards --example matcher [TEXT [FILE ...]]`: a file of plain text, and files of the
//! lexicon's format or of any layout that can be converted to it; without, the built-in terms and synthetic cases.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use attending_datasets::reader::read_text;
use attending_datasets::synth;
use attending_rewards::lexicon::source::{Layout, convert};
use attending_rewards::lexicon::{Lexicon, PhraseTrie, Reading, Vocabulary, Word};
use attending_rewards::text::{Kind, Token, tokenize};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = match arguments.first() {
        Some(file) => read_text(Path::new(file))?,
        None => synth::cases(2000, 5, synth::Split::Train).into_iter().map(|case| case.question + "\n").collect(),
    };
    let base = Lexicon::built_in();
    let mut files: Vec<(&str, String)> = Vec::new();
    for file in arguments.iter().skip(1) {
        let text = read_text(Path::new(file))?;
        let text = if Layout::of(&text).is_some() { convert(file, &text, Some(&base))?.text } else { text };
        files.push((file, text));
    }
    // Read one by one: here the files need not agree on names.
    let lexicons: Result<Vec<Lexicon>, _> =
        files.iter().map(|(name, text)| Lexicon::built_in_with(&[(name, text)])).collect();
    let lexicons = lexicons?;
    let mut forms: Vec<&str> = Vec::new();
    for lexicon in lexicons.iter().chain([base.as_ref()]) {
        forms.extend(lexicon.concepts().flat_map(|(_, concept)| &concept.forms).map(String::as_str));
    }
    forms.sort_unstable();
    forms.dedup();
    println!("{} forms, {:.1} MB of text", forms.len(), text.len() as f64 / 1e6);

    let start = Instant::now();
    let mut vocabulary = Vocabulary::default();
    let phrases: Vec<Vec<u32>> = forms.iter().map(|form| vocabulary.phrase(form)).collect();
    vocabulary.add_variants();
    println!("vocabulary: built in {:.2} s", start.elapsed().as_secs_f64());

    let start = Instant::now();
    let mut trie = PhraseTrie::new(Reading::Lemma);
    for (index, phrase) in phrases.iter().enumerate() {
        trie.insert(phrase, index as u32);
    }
    let built = start.elapsed().as_secs_f64();
    let rate = measure(&text, |text| {
        let tokens = tokenize(text);
        let words = vocabulary.look_up(&tokens);
        trie.find(&words, 0..words.len()).len()
    });
    report("trie of words", built, trie.bytes(), rate);

    let start = Instant::now();
    let symbols = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(phrases.iter().map(|phrase| phrase.iter().copied().flat_map(symbol).collect::<Vec<u8>>()))?;
    let built = start.elapsed().as_secs_f64();
    let rate = measure(&text, |text| {
        let tokens = tokenize(text);
        let words = vocabulary.look_up(&tokens);
        let coded: Vec<u8> = words.iter().filter(|word| !word.skipped).flat_map(|word| symbol(first(word))).collect();
        symbols.find_iter(&coded).count()
    });
    report("Aho-Corasick over word symbols", built, symbols.memory_usage(), rate);

    // Over bytes, singular and plural of the last word are patterns of their own (the other ways of tolerance are left
    // out, in this automaton's favour); a pattern ends with the blank that the next one starts with, so that the search
    // is taken up again at that blank.
    let start = Instant::now();
    let mut patterns: HashMap<String, ()> = HashMap::new();
    for form in &forms {
        let mut folded = String::new();
        fold(form, &tokenize(form), &mut folded);
        let one = folded.trim_end().trim_end_matches('s').to_owned();
        patterns.insert(format!("{one} "), ());
        patterns.insert(format!("{one}s "), ());
    }
    let mut patterns: Vec<String> = patterns.into_keys().collect();
    patterns.sort_unstable();
    let bytes = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&patterns)?;
    let built = start.elapsed().as_secs_f64();
    let rate = measure(&text, |text| {
        let mut folded = String::with_capacity(text.len() + 2);
        fold(text, &tokenize(text), &mut folded);
        let (mut at, mut count) = (0, 0);
        while let Some(found) = bytes.find(Input::new(&folded).span(at..folded.len())) {
            count += 1;
            at = found.end() - 1;
        }
        count
    });
    report("Aho-Corasick over folded bytes", built, bytes.memory_usage(), rate);
    Ok(())
}

/// Lower case, words parted by one blank, hyphens within compounds left out.
fn fold(text: &str, tokens: &[Token], out: &mut String) {
    out.push(' ');
    for token in tokens {
        if token.kind == Kind::Mark && token.glued && token.is_mark('-') {
            continue;
        }
        let word = token.text(text);
        out.extend(word.strip_suffix("'s").unwrap_or(word).chars().flat_map(char::to_lowercase));
        out.push(' ');
    }
}

/// The reading in capitals where there is one: the automaton knows one reading a word.
fn first(word: &Word) -> u32 {
    if word.capitals != 0 { word.capitals } else { word.lemma }
}

/// A word as three bytes, of which only the first is below 128: no pattern can match across words.
fn symbol(id: u32) -> [u8; 3] {
    [(id >> 14 & 0x7f) as u8, 0x80 | (id >> 7 & 0x7f) as u8, 0x80 | (id & 0x7f) as u8]
}

/// Megabytes a second, best of five passes, and how many phrases were found.
fn measure(text: &str, mut pass: impl FnMut(&str) -> usize) -> (f64, usize) {
    let (mut best, mut found) = (f64::INFINITY, 0);
    for _ in 0..5 {
        let start = Instant::now();
        found = pass(text);
        best = best.min(start.elapsed().as_secs_f64());
    }
    (text.len() as f64 / 1e6 / best, found)
}

fn report(name: &str, built: f64, bytes: usize, (rate, found): (f64, usize)) {
    println!("{name:32} built in {built:5.2} s, {:6.1} MB, {rate:6.1} MB/s, {found} found", bytes as f64 / 1e6);
}
