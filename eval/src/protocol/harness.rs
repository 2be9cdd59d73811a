//! Prompts whose options are compared by log-probability: the text of four tasks of lm-evaluation-harness 0.4
//! (`medqa_4options`, `medmcqa`, `pubmedqa`, `mmlu_*`), which published figures rest on.

use attending_datasets::Case;
use serde_json::Value;

/// One of the tasks. A prompt is compared as `context` + `continuation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harness {
    /// `medqa_4options`; with five options, the fifth follows in the same way.
    MedQa,
    /// `medmcqa`.
    MedMcqa,
    /// `pubmedqa`: the abstract's sections without titles, the words yes, no and maybe.
    PubMedQa,
    /// `mmlu_*`: a description names the subject.
    Mmlu,
}

/// A prompt and what may follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChoicePrompt {
    /// Everything before the answer.
    pub context: String,
    /// Keys of the options, in the order compared; the first of equals wins.
    pub keys: Vec<String>,
    /// What is scored: a space and the key.
    pub continuations: Vec<String>,
}

impl ChoicePrompt {
    /// Characters of each option as written after the space, by which `acc_norm` divides.
    pub fn lengths(&self) -> Vec<usize> {
        self.keys.iter().map(|key| key.chars().count()).collect()
    }
}

impl Harness {
    /// The task's name there, for a case.
    pub fn task(self, case: &Case) -> String {
        match self {
            Self::MedQa if case.options.len() == 4 => "medqa_4options".to_owned(),
            Self::MedQa => format!("medqa_{}options", case.options.len()),
            Self::MedMcqa => "medmcqa".to_owned(),
            Self::PubMedQa => "pubmedqa".to_owned(),
            Self::Mmlu => "mmlu".to_owned(),
        }
    }

    /// The task's version there; `Yaml` where its file states none.
    pub fn version(self) -> &'static str {
        match self {
            Self::MedQa | Self::MedMcqa => "Yaml",
            Self::PubMedQa | Self::Mmlu => "1.0",
        }
    }

    /// The prompt of a case after worked examples of the same task, `None` where the case has no gold answer among the
    /// options or, as an example, none to show.
    pub fn prompt(self, case: &Case, examples: &[&Case]) -> Option<ChoicePrompt> {
        let keys = self.keys(case);
        if keys.len() < 2 || self.right(case, &keys).is_none() {
            return None;
        }
        let mut context = self.description(case);
        for example in examples {
            let right = self.right(example, &self.keys(example))?;
            context += &format!("{} {right}\n\n", self.text(example));
        }
        context += &self.text(case);
        let continuations = keys.iter().map(|key| format!(" {key}")).collect();
        Some(ChoicePrompt { context, keys, continuations })
    }

    /// The worked examples of a case: the first `count` of `pool`; for MMLU the first of the same subject, whose task has a
    /// development part of its own.
    ///
    /// # Errors
    /// There are fewer: the sentence says of what.
    pub fn examples<'p>(self, case: &Case, pool: &'p [Case], count: usize) -> Result<Vec<&'p Case>, String> {
        let subject = |case: &Case| case.metadata.get("subject").cloned().filter(|_| self == Self::Mmlu);
        let own = subject(case);
        let found: Vec<&Case> = pool.iter().filter(|example| subject(example) == own).take(count).collect();
        if found.len() < count {
            let of = own.as_ref().and_then(Value::as_str).map(|name| format!(" of subject {name}")).unwrap_or_default();
            return Err(format!("has {} cases{of}, expected {count} as worked examples", found.len()));
        }
        Ok(found)
    }

    /// The gold option's key as it is compared.
    fn right(self, case: &Case, keys: &[String]) -> Option<String> {
        case.answer.keys.first().filter(|key| keys.contains(key)).cloned()
    }

    fn keys(self, case: &Case) -> Vec<String> {
        match self {
            Self::PubMedQa => ["yes", "no", "maybe"].map(str::to_owned).to_vec(),
            _ => case.options.iter().map(|option| option.key.clone()).collect(),
        }
    }

    fn description(self, case: &Case) -> String {
        if self != Self::Mmlu {
            return String::new();
        }
        let subject = case.metadata.get("subject").and_then(Value::as_str).unwrap_or("medicine").replace('_', " ");
        format!("The following are multiple choice questions (with answers) about {subject}.\n\n")
    }

    fn text(self, case: &Case) -> String {
        let options: String = case.options.iter().map(|option| format!("{}. {}\n", option.key, option.text)).collect();
        match self {
            Self::MedQa => format!("Question: {}\n{options}Answer:", case.question),
            Self::MedMcqa => format!("Question: {}\nChoices:\n{options}Answer:", case.question),
            Self::PubMedQa => {
                let sections: Vec<&str> = case.context.iter().map(|document| document.text.as_str()).collect();
                format!("Abstract: {}\nQuestion: {}\nAnswer:", sections.join("\n"), case.question)
            }
            Self::Mmlu => format!("{}\n{options}Answer:", case.question.trim()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn case(json: &str) -> Case {
        serde_json::from_str(json).unwrap()
    }

    const CHOICE: &str = r#"{"id":"a","task":"single_choice","question":" Which? ","options":[{"key":"A","text":"x"},
        {"key":"B","text":"y"}],"answer":{"keys":["B"]},"metadata":{"subject":"college_medicine"}}"#;

    /// The expected texts were put together by hand from the tasks' files in lm-eval 0.4.13.
    #[test]
    fn prompts_are_those_of_the_harness() {
        let case_ = case(CHOICE);
        let prompt = |harness: Harness| harness.prompt(&case_, &[]).unwrap().context;
        assert_eq!(prompt(Harness::MedQa), "Question:  Which? \nA. x\nB. y\nAnswer:");
        assert_eq!(prompt(Harness::MedMcqa), "Question:  Which? \nChoices:\nA. x\nB. y\nAnswer:");
        let description = "The following are multiple choice questions (with answers) about college medicine.\n\n";
        assert_eq!(prompt(Harness::Mmlu), format!("{description}Which?\nA. x\nB. y\nAnswer:"));
        let shot = Harness::Mmlu.prompt(&case_, &[&case_]).unwrap();
        assert_eq!(shot.context, format!("{description}Which?\nA. x\nB. y\nAnswer: B\n\nWhich?\nA. x\nB. y\nAnswer:"));
        assert_eq!(shot.continuations, [" A", " B"]);
        let abstracts = case(
            r#"{"id":"p","task":"yes_no_maybe","question":"Does it?","context":[{"id":"1","title":"AIM","text":"One."},
            {"id":"2","text":"Two."}],"answer":{"keys":["no"]}}"#,
        );
        let prompt = Harness::PubMedQa.prompt(&abstracts, &[]).unwrap();
        assert_eq!(prompt.context, "Abstract: One.\nTwo.\nQuestion: Does it?\nAnswer:");
        assert_eq!((prompt.continuations.join(""), prompt.lengths()), (" yes no maybe".to_owned(), vec![3, 2, 5]));
    }

    #[test]
    fn examples_of_mmlu_are_of_the_subject() {
        let of = |subject: &str| case(&CHOICE.replace("college_medicine", subject));
        let pool = [of("anatomy"), of("college_medicine"), of("anatomy")];
        let found = |harness: Harness, count| harness.examples(&pool[2], &pool, count);
        assert_eq!(found(Harness::Mmlu, 2), Ok(vec![&pool[0], &pool[2]]));
        assert_eq!(found(Harness::MedQa, 2), Ok(vec![&pool[0], &pool[1]]));
        let message = "has 2 cases of subject anatomy, expected 3 as worked examples";
        assert_eq!(found(Harness::Mmlu, 3), Err(message.to_owned()));
    }

    #[test]
    fn a_case_without_a_key_has_no_prompt() {
        let mut case = case(CHOICE);
        case.answer.keys = vec!["E".to_owned()];
        assert_eq!(Harness::MedQa.prompt(&case, &[]), None);
    }
}
