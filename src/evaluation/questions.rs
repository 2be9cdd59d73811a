//! From cases to questions: prompts of the trainer's templates, or of the harness, after worked examples.

use attending_datasets::{Case, Task};
use attending_eval::EvalError;
use attending_eval::protocol::Harness;
use attending_eval::run::{Asked, Message, Prompt, Question};

use crate::model::chat_template;
use crate::model::tokenizer::Tokenizer;
use crate::prompt::{Format, Prompter};

/// Cases that worked examples are taken from.
#[derive(Debug, Default)]
pub struct Examples {
    /// The cases, in the file's order.
    pub cases: Vec<Case>,
    /// The file, for messages.
    pub file: String,
}

impl Examples {
    /// The first `count` cases.
    ///
    /// # Errors
    /// There are fewer.
    pub fn first(&self, count: usize) -> Result<&[Case], EvalError> {
        self.cases.get(..count).ok_or_else(|| {
            let (file, found) = (&self.file, self.cases.len());
            EvalError::Input(format!("{file}: has {found} cases, fewer than --few-shot {count}"))
        })
    }
}

/// The questions of a `generate` protocol, and the layout in which responses are to be read. Examples are earlier turns
/// of the conversation: a question and its answer in the layout, without reasoning, which no data set gives.
///
/// # Errors
/// A template does not suit a case, or an example has no answer to show.
pub fn generate(
    prompter: &Prompter,
    tokenizer: Option<&Tokenizer>,
    cases: &[Case],
    examples: &[Case],
) -> Result<(Vec<Question>, &'static str), EvalError> {
    let input = |error: crate::prompt::PromptError| EvalError::Input(error.to_string());
    let mut shots = Vec::new();
    for example in examples {
        let user = prompter.messages(example).map_err(input)?.pop().map(|message| message.content);
        shots.push((user.unwrap_or_default(), answer(prompter.format(), example)?));
    }
    let mut layout = prompter.format().name();
    let mut questions = Vec::with_capacity(cases.len());
    for case in cases {
        let prompt = match tokenizer {
            Some(tokenizer) if tokenizer.chat_template().is_none() => {
                let mut text = String::new();
                for (example, (_, answer)) in examples.iter().zip(&shots) {
                    text += &format!("{}{answer}\n\n", prompter.prompt(example, tokenizer).map_err(input)?.text);
                }
                Prompt::Text(text + &prompter.prompt(case, tokenizer).map_err(input)?.text)
            }
            _ => {
                let mut messages = prompter.messages(case).map_err(input)?;
                let last = messages.pop();
                for (user, answer) in &shots {
                    messages.push(chat_template::Message::new("user", user));
                    messages.push(chat_template::Message::new("assistant", answer));
                }
                messages.extend(last);
                match tokenizer {
                    Some(tokenizer) => {
                        let text = tokenizer.render_chat(&messages);
                        let text = text.map_err(|error| EvalError::Input(format!("case {}: {error}", case.id)))?;
                        if prompter.format() == Format::ThinkAnswer && text.trim_end().ends_with("<think>") {
                            layout = "prefilled_think";
                        }
                        Prompt::Text(text)
                    }
                    None => Prompt::Messages(
                        messages.into_iter().map(|m| Message { role: m.role, content: m.content }).collect(),
                    ),
                }
            }
        };
        questions.push(Question { case_id: case.id.clone(), asked: Asked::Response(prompt) });
    }
    Ok((questions, layout))
}

/// The gold answer of an example, in the layout that is asked for.
fn answer(format: Format, example: &Case) -> Result<String, EvalError> {
    let gold = &example.answer;
    let text = match example.task {
        Task::SingleChoice | Task::MultiChoice | Task::YesNoMaybe => gold.keys.join(", "),
        Task::Numeric => gold.number.as_ref().map_or(String::new(), |n| format!("{} {}", n.value, n.unit)),
        Task::Diagnosis => gold.texts.first().cloned().unwrap_or_default(),
        _ => String::new(),
    };
    if text.is_empty() {
        return Err(EvalError::Input(format!("case {}: has no answer that an example could show", example.id)));
    }
    let boxed = format!("\\boxed{{{}}}", text.trim());
    Ok(match format.tags() {
        Some((_, conclusion)) => format!("<{conclusion}>{boxed}</{conclusion}>"),
        None => boxed,
    })
}

/// The questions of a `loglikelihood` protocol, each after `shots` examples from a file of them.
///
/// # Errors
/// A case is no question whose gold answer is among its options, or there are too few examples for it.
pub fn loglikelihood(
    harness: Harness,
    cases: &[Case],
    examples: &Examples,
    shots: usize,
) -> Result<Vec<Question>, EvalError> {
    cases
        .iter()
        .map(|case| {
            let shown = harness.examples(case, &examples.cases, shots);
            let shown = shown.map_err(|why| EvalError::Input(format!("{}: {why}", examples.file)))?;
            let prompt = harness.prompt(case, &shown).ok_or_else(|| {
                EvalError::Input(format!(
                    "case {}: its options cannot be compared by log-likelihood (they, or the gold answer among them, are \
                     missing); use --protocol generate",
                    case.id
                ))
            })?;
            Ok(Question { case_id: case.id.clone(), asked: Asked::Choice(prompt) })
        })
        .collect()
}
