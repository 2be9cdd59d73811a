//! The words that ask for a kind of answer in a layout. None of them may look like an answer: a model that repeats its
//! instructions has said nothing.

use attending_datasets::{Case, case::Task};

use crate::prompt::Format;

/// What is asked of `case` in `format`.
pub(super) fn instruction(format: Format, case: &Case) -> String {
    let answer = wanted(case);
    match format.tags() {
        Some((reasoning, conclusion)) => format!(
            "Reason between <{reasoning}> and </{reasoning}>: take up the findings one by one and weigh what each says \
             for and against{}. Then conclude between <{conclusion}> and </{conclusion}>: sum up the decisive findings \
             and {answer}.",
            if case.options.is_empty() { " the possibilities" } else { " the options" },
        ),
        None => format!("Reason step by step, then {answer}."),
    }
}

/// The answer itself, as the last clause of a sentence.
fn wanted(case: &Case) -> &'static str {
    // Lettered options may stand for yes, no and maybe.
    let lettered = case.options.iter().any(|o| o.value.is_some());
    match case.task {
        Task::SingleChoice => r"put the letter of the one best option, nothing else, in \boxed{}",
        Task::MultiChoice => r"put the letters of all options that apply, separated by commas, in \boxed{}",
        Task::YesNoMaybe if lettered => r"put the letter of the one best option, nothing else, in \boxed{}",
        Task::YesNoMaybe => r"put one of the words yes, no, maybe in \boxed{}",
        Task::Numeric => r"put one number with its unit in \boxed{}",
        Task::Date => r"put one date, written as year-month-day, in \boxed{}",
        Task::Diagnosis => r"put the name of the diagnosis in \boxed{}",
        Task::RankedList => r"put the diagnoses, the most likely one first, separated by semicolons, in \boxed{}",
        Task::Rubric | Task::Dialogue => "reply in full sentences",
    }
}
