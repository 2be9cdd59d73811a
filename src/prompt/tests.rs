#![allow(clippy::unwrap_used)]

use attending_datasets::Case;
use attending_datasets::case::Task;
use serde_json::{Value, json};

use super::*;
use crate::model::tokenizer::{self, SpecialTokens};

fn case(fields: Value) -> Case {
    let mut all = json!({ "id": "t:1", "task": "single_choice", "question": "Which drug?\n" });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn choice() -> Case {
    case(json!({
        "context": [{ "id": "n", "title": "Note", "text": "Potassium 5.9 mmol/L." }, { "id": "m", "text": "No fever." }],
        "options": [{ "key": "A", "text": "Insulin" }, { "key": "B", "text": "Aspirin" }],
        "answer": { "keys": ["A"] },
    }))
}

fn user(prompter: &Prompter, case: &Case) -> String {
    prompter.messages(case).unwrap().pop().unwrap().content
}

fn tokenizer(chat_template: &str) -> Tokenizer {
    let special = SpecialTokens { chat_template: chat_template.to_owned(), ..SpecialTokens::default() };
    tokenizer::train(std::iter::empty(), 263, &special).unwrap()
}

#[test]
fn the_words_of_version_1() {
    let prompter = Prompter::new(Format::ThinkAnswer, "", "").unwrap();
    assert_eq!(prompter.version(), "think_answer/1");
    let expected = "Note:\nPotassium 5.9 mmol/L.\n\nNo fever.\n\nWhich drug?\n\nA) Insulin\nB) Aspirin\n\n\
        Reason between <think> and </think>: take up the findings one by one and weigh what each says for and against \
        the options. Then conclude between <answer> and </answer>: sum up the decisive findings and put the letter of \
        the one best option, nothing else, in \\boxed{}.";
    assert_eq!(user(&prompter, &choice()), expected);
    let dx = user(&Prompter::new(Format::DxConclusion, "", "").unwrap(), &choice());
    assert!(dx.contains("<dx> and </dx>") && dx.contains("<conclusion> and </conclusion>"));
    let plain = user(&Prompter::new(Format::Plain, "", "").unwrap(), &case(json!({ "task": "numeric" })));
    assert_eq!(plain, "Which drug?\n\nReason step by step, then put one number with its unit in \\boxed{}.");
}

#[test]
fn without_a_chat_template_the_prompt_is_short() {
    let prompter = Prompter::new(Format::ThinkAnswer, "", "").unwrap();
    let short = prompter.prompt(&choice(), &tokenizer("")).unwrap();
    assert_eq!(short.text, "Potassium 5.9 mmol/L.\nNo fever.\nWhich drug?\nA) Insulin\nB) Aspirin\n");
    assert_eq!(short.response_format, "think_answer");
    let t = tokenizer("");
    assert_eq!(t.decode(&short.tokens).unwrap(), short.text);
    let system = Prompter::new(Format::ThinkAnswer, "Be brief.", "").unwrap();
    assert!(system.prompt(&choice(), &t).unwrap().text.starts_with("Be brief.\n\nPotassium"));
}

#[test]
fn a_template_that_opens_the_reasoning() {
    let template = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]<think>\n";
    let prompter = Prompter::new(Format::ThinkAnswer, "S", "").unwrap();
    // Jinja strips one newline at the end of a template; the check must not depend on blanks.
    let prompt = prompter.prompt(&choice(), &tokenizer(template)).unwrap();
    assert!(prompt.text.starts_with("[system]S[user]Note:"), "{}", prompt.text);
    assert_eq!(prompt.response_format, "prefilled_think");
    let dx = Prompter::new(Format::DxConclusion, "S", "").unwrap();
    assert_eq!(dx.prompt(&choice(), &tokenizer(template)).unwrap().response_format, "dx_conclusion");
}

#[test]
fn own_templates() {
    let own = "{{ question | trim }} [{{ task }}] {{ metadata.subject }}{% for o in options %} {{ o.key }}{% endfor %}";
    let prompter = Prompter::new(Format::Plain, "", own).unwrap();
    assert_eq!(prompter.version(), "plain/custom");
    let mut c = choice();
    c.metadata.insert("subject".into(), "renal".into());
    assert_eq!(user(&prompter, &c), "Which drug? [single_choice] renal A B");
    let error = prompter.messages(&choice()).unwrap_err().to_string();
    assert!(error.starts_with("prompt.user_template, line 1, case t:1: undefined value"), "{error}");
    assert!(error.ends_with("known are id, dataset, split, task, context, question, options, metadata, instruction"));
    // The gold answer is out of reach.
    assert!(Prompter::new(Format::Plain, "", "{{ answer.keys }}").unwrap().messages(&choice()).is_err());
    let error = Prompter::new(Format::Plain, "", "a\n{% for %}").unwrap_err().to_string();
    assert!(error.starts_with("prompt.user_template, line 2: syntax error"), "{error}");
}

#[test]
fn every_task_and_format_has_words() {
    let tasks = [
        Task::SingleChoice,
        Task::MultiChoice,
        Task::YesNoMaybe,
        Task::Numeric,
        Task::Date,
        Task::Diagnosis,
        Task::RankedList,
        Task::Rubric,
        Task::Dialogue,
    ];
    for task in tasks {
        for format in Format::ALL {
            let mut c = choice();
            c.task = task;
            let text = instruction(format, &c);
            assert!(text.ends_with('.') && !text.contains("  ") && text.is_ascii(), "{text}");
        }
    }
}

#[test]
fn a_repeated_prompt_answers_nothing() {
    use attending_rewards::{answer, sections};

    for (task, answer) in [
        ("single_choice", json!({ "keys": ["A"] })),
        ("multi_choice", json!({ "keys": ["A", "B"] })),
        ("yes_no_maybe", json!({ "keys": ["yes"] })),
        ("numeric", json!({ "number": { "value": 5.9, "unit": "mmol/L" } })),
    ] {
        let mut c = choice();
        if matches!(task, "yes_no_maybe" | "numeric") {
            c.options.clear();
        }
        c.task = serde_json::from_value(json!(task)).unwrap();
        c.answer = serde_json::from_value(answer).unwrap();
        for format in Format::ALL {
            let words = instruction(format, &c);
            let layout = attending_rewards::Format::named(format.name()).unwrap();
            // Said back as it stands, and inside the tags that were asked for.
            let wrapped = match format.tags() {
                Some((a, b)) => format!("<{a}>{words}</{a}><{b}>sum up and {}</{b}>", wanted_part(&words)),
                None => words.clone(),
            };
            for text in [words, wrapped] {
                let judged = answer::judge(&c, &text, &sections::sections(&text, layout));
                assert_eq!(judged.reading.read, None, "{task} {text}");
            }
        }
    }
}

/// The clause that asks for the answer.
fn wanted_part(words: &str) -> &str {
    words.rsplit_once(" and put ").or(words.rsplit_once(", then put ")).unwrap().1
}
