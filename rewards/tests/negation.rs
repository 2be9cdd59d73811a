//! Negation against people's labels: the NegEx/ConText sentences (odd half) of the validation data. The cue lists were
//! corrected by looking at errors in this half, so its figure is an upper estimate.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use attending_rewards::assertion::{Status, status_at};
use attending_rewards::lexicon::Lexicon;

fn f1(pairs: &[(bool, bool)]) -> f64 {
    let count = |wanted: (bool, bool)| pairs.iter().filter(|pair| **pair == wanted).count() as f64;
    let (hit, missed, false_alarm) = (count((true, true)), count((true, false)), count((false, true)));
    2.0 * hit / (2.0 * hit + missed + false_alarm)
}

#[test]
fn negated_concepts_of_the_labelled_sentences() {
    let data = std::env::var("ATTENDING_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data").to_owned());
    let file = Path::new(&data).join("validation/negex_context/sentences_odd.tsv");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: no labelled sentences at {}", file.display());
        return;
    };
    let lexicon = Lexicon::built_in();
    let mut pairs = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
        let [.., concept, sentence, negated, _, _] = fields[..] else { continue };
        let folded = sentence.to_ascii_lowercase();
        let Some(start) = folded.find(&concept.to_ascii_lowercase()) else { continue };
        let status = status_at(sentence, [start, start + concept.len()], &lexicon).unwrap();
        let (gold, found) = (negated == "Negated", status == Status::Absent);
        if gold != found {
            println!("{gold} {found} [{concept}] {sentence}");
        }
        pairs.push((gold, found));
    }
    let f1 = f1(&pairs);
    println!("negation F1 {f1:.3} over {} sentences", pairs.len());
    assert!(f1 >= 0.97, "{f1}");
}
