//! The benchmarks by name: which published file, which part of it, and which prompt.
//!
//! A new benchmark is one entry of [`BENCHMARKS`]; reading its file is the task of the loaders of `attending-datasets`.

mod set;

use attending_datasets::{Case, Task};

use crate::error::EvalError;
use crate::protocol::Harness;

pub use set::{CaseSet, sha256};

/// Which cases of a file belong to a benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All.
    All,
    /// Those whose ids end with a key of the JSON object in this file, beside the benchmark's own.
    Keys(&'static str),
    /// Those whose `metadata.subject` is this.
    Subject(&'static str),
}

/// One benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Benchmark {
    /// The name for `--benchmark`.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// The published file, below the data folder.
    pub file: &'static str,
    /// The loader that reads it.
    pub loader: &'static str,
    /// Which of its cases.
    pub part: Part,
    /// Whether the documents of a case are shown.
    pub documents: bool,
    /// The prompt under which log-likelihoods are compared; `None` where none is established.
    pub harness: Option<Harness>,
    /// Fields of `metadata` by which results are split.
    pub subjects: &'static [&'static str],
}

/// A benchmark with documents, all of its file, and no tables by subject.
const PLAIN: Benchmark = Benchmark {
    name: "",
    about: "",
    file: "",
    loader: "",
    part: Part::All,
    documents: true,
    harness: None,
    subjects: &[],
};

/// One of MMLU's medical subjects.
const fn mmlu(name: &'static str, about: &'static str, part: Part) -> Benchmark {
    let (file, loader, harness) = ("mmlu_medical/test.jsonl", "mmlu_medical", Some(Harness::Mmlu));
    Benchmark { name, about, file, loader, part, harness, subjects: &["subject"], ..PLAIN }
}

/// All benchmarks.
pub const BENCHMARKS: &[Benchmark] = &[
    Benchmark {
        name: "medqa",
        about: "MedQA, US exam, four options, test (1,273)",
        file: "medqa/us_4opt_test.jsonl",
        loader: "medqa",
        harness: Some(Harness::MedQa),
        subjects: &["meta_info"],
        ..PLAIN
    },
    Benchmark {
        name: "medqa_5options",
        about: "MedQA, US exam, five options, test (1,273)",
        file: "medqa/us_5opt_test.jsonl",
        loader: "medqa",
        harness: Some(Harness::MedQa),
        subjects: &["meta_info"],
        ..PLAIN
    },
    Benchmark {
        name: "medmcqa",
        about: "MedMCQA, validation (4,183), the part that is reported, since the test part has no key",
        file: "medmcqa/dev.jsonl",
        loader: "medmcqa",
        harness: Some(Harness::MedMcqa),
        subjects: &["subject_name", "choice_type"],
        ..PLAIN
    },
    Benchmark {
        name: "pubmedqa",
        about: "PubMedQA, labelled, test (500), with the abstract",
        file: "pubmedqa/ori_pqal.json",
        loader: "pubmedqa",
        part: Part::Keys("test_ground_truth.json"),
        harness: Some(Harness::PubMedQa),
        ..PLAIN
    },
    Benchmark {
        name: "pubmedqa_closed",
        about: "PubMedQA, labelled, test (500), without the abstract",
        file: "pubmedqa/ori_pqal.json",
        loader: "pubmedqa",
        part: Part::Keys("test_ground_truth.json"),
        documents: false,
        ..PLAIN
    },
    Benchmark {
        name: "bioasq",
        about: "BioASQ task B, yes/no questions, with their snippets (bioasq/golden.json: the official file, by registration)",
        file: "bioasq/golden.json",
        loader: "bioasq",
        ..PLAIN
    },
    Benchmark {
        name: "bioasq_closed",
        about: "BioASQ task B, yes/no questions, without their snippets",
        file: "bioasq/golden.json",
        loader: "bioasq",
        documents: false,
        ..PLAIN
    },
    mmlu("mmlu_medical", "MMLU, six medical subjects, test (1,089)", Part::All),
    mmlu("mmlu_anatomy", "MMLU anatomy, test (135)", Part::Subject("anatomy")),
    mmlu("mmlu_clinical_knowledge", "MMLU clinical knowledge, test (265)", Part::Subject("clinical_knowledge")),
    mmlu("mmlu_college_biology", "MMLU college biology, test (144)", Part::Subject("college_biology")),
    mmlu("mmlu_college_medicine", "MMLU college medicine, test (173)", Part::Subject("college_medicine")),
    mmlu("mmlu_medical_genetics", "MMLU medical genetics, test (100)", Part::Subject("medical_genetics")),
    mmlu(
        "mmlu_professional_medicine",
        "MMLU professional medicine, test (272)",
        Part::Subject("professional_medicine"),
    ),
];

/// The benchmark of that name.
///
/// # Errors
/// There is none; the sentence lists those that are.
pub fn named(name: &str) -> Result<&'static Benchmark, EvalError> {
    BENCHMARKS.iter().find(|benchmark| benchmark.name == name).ok_or_else(|| {
        let known: Vec<&str> = BENCHMARKS.iter().map(|benchmark| benchmark.name).collect();
        EvalError::Input(format!("no benchmark is called {name:?}; expected one of {}", known.join(", ")))
    })
}

/// The prompt for log-likelihoods of a case that belongs to no benchmark: the options below the question, or the
/// abstract above it.
pub fn harness_of(case: &Case) -> Option<Harness> {
    match case.task {
        Task::SingleChoice => Some(Harness::MedQa),
        Task::YesNoMaybe if case.options.is_empty() => Some(Harness::PubMedQa),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_loaders_exist() {
        for (i, benchmark) in BENCHMARKS.iter().enumerate() {
            assert!(BENCHMARKS[..i].iter().all(|other| other.name != benchmark.name), "{}", benchmark.name);
            let known = attending_datasets::loaders::LOADERS.iter().any(|loader| loader.name() == benchmark.loader);
            assert!(known, "{}", benchmark.loader);
        }
        assert!(named("medqs").is_err_and(|error| error.to_string().contains("expected one of medqa, ")));
    }
}
