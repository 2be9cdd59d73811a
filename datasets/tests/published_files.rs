//! The loaders on the files as their authors published them. Set `ATTENDING_DATA` to the folder that holds them; without
//! it the tests print why they did nothing.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use attending_datasets::{Case, CaseFile, Choice, Task};

fn data(file: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ATTENDING_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")), PathBuf::from);
    let path = root.join(file);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there (set ATTENDING_DATA to the folder of published data sets)", path.display());
    None
}

fn load(path: &std::path::Path, loader: &str) -> Vec<Case> {
    let file = CaseFile::open(path, &Choice::Auto, false).unwrap();
    assert_eq!(file.loader(), loader);
    file.collect::<Result<_, _>>().unwrap()
}

#[test]
fn medqa_has_the_published_numbers_of_questions() {
    for (file, cases, options, split) in [
        ("medqa/us_4opt_test.jsonl", 1273, 4, "test"),
        ("medqa/us_5opt_dev.jsonl", 1272, 5, "validation"),
        ("medqa/us_5opt_test.jsonl", 1273, 5, "test"),
    ] {
        let Some(path) = data(file) else { continue };
        let loaded = load(&path, "medqa");
        assert_eq!(loaded.len(), cases, "{file}");
        assert!(loaded.iter().all(|c| c.options.len() == options && c.split == split && c.task == Task::SingleChoice));
        assert!(loaded.iter().all(|c| c.answer.keys.len() == 1));
    }
}

#[test]
fn medqa_letters_belong_to_their_own_file() {
    let (Some(four), Some(five)) = (data("medqa/us_4opt_test.jsonl"), data("medqa/us_5opt_test.jsonl")) else { return };
    let text = |case: &Case| {
        let key = &case.answer.keys[0];
        (case.question.clone(), case.options.iter().find(|option| &option.key == key).unwrap().text.clone())
    };
    let (four, five) = (load(&four, "medqa"), load(&five, "medqa"));
    let same_text = four.iter().zip(&five).filter(|(a, b)| text(a) == text(b)).count();
    let same_letter = four.iter().zip(&five).filter(|(a, b)| a.answer == b.answer).count();
    // Same questions in the same order with the same right texts; chance alone would make a fourth of the letters equal.
    assert!(same_text > 1200, "{same_text}");
    assert!(same_letter < 1000, "{same_letter}");
}

#[test]
fn medical_o1_has_the_published_number_of_questions() {
    let Some(path) = data("medical_o1/mcq.jsonl.gz") else { return };
    let loaded = load(&path, "medical_o1");
    assert_eq!(loaded.len(), 2129);
    assert!(loaded.iter().all(|case| case.metadata.contains_key("reference") && case.context.is_empty()));
}
