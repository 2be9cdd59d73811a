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

/// Number of records as the README of the data says, and the claims or documents that each has.
#[test]
fn labelled_sets_have_the_published_numbers_of_records() {
    for (file, loader, cases, claims) in [
        ("k_qa/questions_w_answers.jsonl", "k_qa", 201, 0),
        ("validation/k_qa_nli/physician_labels_half.csv", "k_qa_labels", 205, 205),
        ("validation/mts_dialog_fact_scores/fact_scores_even.jsonl", "mts_fact_scores", 200, 200),
        ("mts_dialog/MTS-Dialog-ValidationSet.csv", "mts_dialog", 100, 0),
        ("mts_dialog/MTS-Dialog-TrainingSet.csv", "mts_dialog", 1201, 0),
        ("primock57/consultations.jsonl", "primock57", 57, 0),
        ("validation/medec/medec_ms_validation.jsonl", "medec", 574, 574 + 319),
        ("validation/medhallu/medhallu_even.csv", "medhallu", 500, 1000),
        ("medmcqa/dev.jsonl", "medmcqa", 4183, 0),
        ("pubmedqa/ori_pqal.json", "pubmedqa", 1000, 0),
        ("mmlu_medical/test.jsonl", "mmlu_medical", 1089, 0),
    ] {
        let Some(path) = data(file) else { continue };
        let loaded = load(&path, loader);
        let found = (loaded.len(), loaded.iter().map(|case| case.claims.len()).sum::<usize>());
        assert_eq!(found, (cases, claims), "{file}");
        let carriage = |case: &Case| case.context.iter().any(|document| document.text.contains('\r'));
        assert!(loader == "k_qa_labels" || !loaded.iter().any(carriage), "{file}");
    }
}

#[test]
fn joined_sets_find_their_partners() {
    use attending_datasets::loaders::{evidence_inference, mirage, negex_context, primock57};
    if let (Some(articles), Some(prompts)) =
        (data("validation/evidence_inference/articles.jsonl.gz"), data("validation/evidence_inference/prompts.jsonl"))
    {
        let cases = evidence_inference::cases(&articles, &prompts).unwrap();
        assert_eq!((cases.len(), cases.iter().map(|case| case.evidence_spans.len()).sum::<usize>()), (235, 440));
        let (case, span) = (&cases[0], cases[0].evidence_spans[0].span);
        assert!(case.context[0].text[span[0]..span[1]].starts_with("Treatment with liraglutide resulted in a greater"));
    }
    if let (Some(consultations), Some(lists), Some(statements)) = (
        data("primock57/consultations.jsonl"),
        data("validation/primock57_checklists/checklists.jsonl"),
        data("validation/primock57_checklists/note_statements.jsonl"),
    ) {
        let cases = primock57::judged(&consultations, &lists, &statements).unwrap();
        let count = |label: &str| cases.iter().flat_map(|c| &c.claims).filter(|c| c.label == label).count();
        assert_eq!((count("correct"), count("incorrect")), (235, 61));
    }
    if let Some(path) = data("validation/negex_context/sentences_odd.tsv") {
        let sentences = negex_context::sentences(&path).unwrap();
        assert!(sentences.len() > 1180 && sentences.iter().filter(|sentence| sentence.negated).count() > 230);
    }
    for (cases, predictions, n) in [
        ("medqa/us_4opt_test.jsonl", "medqa", 1273),
        ("medmcqa/dev.jsonl", "medmcqa", 4183),
        ("mmlu_medical/test.jsonl", "mmlu", 1089),
        ("pubmedqa/ori_pqal.json", "pubmedqa", 500),
    ] {
        let (Some(cases), Some(predictions)) =
            (data(cases), data(&format!("mirage/predictions/{predictions}.cot.gpt-35-turbo-16k.jsonl.gz")))
        else {
            continue;
        };
        assert_eq!(mirage::pairs(&cases, &predictions).unwrap().len(), n);
    }
}
