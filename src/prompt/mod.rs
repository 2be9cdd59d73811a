//! What a model is asked: from a [`Case`] to messages, text and token ids.
//!
//! The built-in templates are versioned, because a trained model depends on their wording: a changed wording is a new
//! version. The gold answer is never among a template's variables, so that no template can give it away.

mod instruction;
mod template;

use attending_datasets::Case;

use crate::model::chat_template::Message;
use crate::model::error::ModelError;
use crate::model::tokenizer::Tokenizer;

pub use template::TemplateError;

use instruction::instruction;
use template::UserTemplate;

/// The layout that a response is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `<think>...</think><answer>...</answer>`.
    ThinkAnswer,
    /// `<dx>...</dx><conclusion>...</conclusion>`.
    DxConclusion,
    /// Prose.
    Plain,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 3] = [Self::ThinkAnswer, Self::DxConclusion, Self::Plain];

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::ThinkAnswer => "think_answer",
            Self::DxConclusion => "dx_conclusion",
            Self::Plain => "plain",
        }
    }

    /// The format of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }

    /// The tags of reasoning and conclusion.
    pub fn tags(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::ThinkAnswer => Some(("think", "answer")),
            Self::DxConclusion => Some(("dx", "conclusion")),
            Self::Plain => None,
        }
    }
}

/// A case could not be put to the model.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The user's template is wrong, or does not suit the case.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The chat template or the tokenizer refused; what they said is the error's source.
    #[error("case {id}")]
    Model {
        /// The case.
        id: String,
        /// What they said.
        source: Box<ModelError>,
    },
}

/// A case as the model sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The whole text.
    pub text: String,
    /// Its token ids.
    pub tokens: Vec<u32>,
    /// How a response to it is to be read: the format's name, or `prefilled_think` where the chat template ends by
    /// opening `<think>`, so that the response starts inside.
    pub response_format: &'static str,
}

/// Turns cases into prompts.
#[derive(Debug, Clone)]
pub struct Prompter {
    format: Format,
    system: String,
    /// The user's own template, or the built-in one with the instruction.
    full: UserTemplate,
    /// As `full`, for models without a chat template: no instruction, few tokens.
    compact: UserTemplate,
    custom: bool,
}

/// Documents, question, options, and what is asked for.
const FULL: &str = "\
{% for document in context %}
{% if document.title %}
{{ document.title | trim }}:
{% endif %}
{{ document.text | trim }}

{% endfor %}
{{ question | trim }}
{% if options %}

{% for option in options %}
{{ option.key }}) {{ option.text | trim }}
{% endfor %}
{% endif %}

{{ instruction }}";

/// The evidence alone: a model without a chat template was trained on the layout itself and needs no instruction.
const COMPACT: &str = "\
{% for document in context %}
{{ document.text | trim }}
{% endfor %}
{{ question | trim }}
{% for option in options %}
{{ option.key }}) {{ option.text | trim }}
{% endfor %}";

/// The system message where none is given.
const SYSTEM: &str =
    "You are a careful clinician. You reason from the evidence in front of you and say only what it supports.";

impl Prompter {
    /// Version of the built-in templates' wording.
    pub const VERSION: u32 = 1;

    /// `system` and `user_template` are the configuration's; empty for the built-in ones. A template is Jinja over
    /// `id`, `dataset`, `split`, `task`, `context` (each `id`, `title`, `text`, ..), `question`, `options` (each `key`,
    /// `text`), `metadata` and `instruction`, the built-in words that ask for the format.
    pub fn new(format: Format, system: &str, user_template: &str) -> Result<Self, TemplateError> {
        let custom = !user_template.is_empty();
        let of = |own: &str| UserTemplate::new(if custom { user_template } else { own });
        Ok(Self { format, system: system.to_owned(), full: of(FULL)?, compact: of(COMPACT)?, custom })
    }

    /// Name and version of the wording, for records: `think_answer/1`, or `think_answer/custom`.
    pub fn version(&self) -> String {
        if self.custom {
            format!("{}/custom", self.format.name())
        } else {
            format!("{}/{}", self.format.name(), Self::VERSION)
        }
    }

    /// The layout that is asked for.
    pub fn format(&self) -> Format {
        self.format
    }

    /// System and user message.
    pub fn messages(&self, case: &Case) -> Result<Vec<Message>, PromptError> {
        let system = if self.system.is_empty() { SYSTEM } else { &self.system };
        let user = self.full.render(case, &instruction(self.format, case))?;
        Ok(vec![Message::new("system", system), Message::new("user", user)])
    }

    /// Text and tokens of the case for a model. A model without a chat template gets the compact template, with the
    /// system message before it only where one is configured.
    pub fn prompt(&self, case: &Case, tokenizer: &Tokenizer) -> Result<Prompt, PromptError> {
        let of_case = |e: ModelError| PromptError::Model { id: case.id.clone(), source: Box::new(e) };
        let (text, tokens) = if tokenizer.chat_template().is_some() {
            let text = tokenizer.render_chat(&self.messages(case)?).map_err(of_case)?;
            let tokens = tokenizer.encode(&text, false).map_err(of_case)?;
            (text, tokens)
        } else {
            let mut text = String::new();
            if !self.system.is_empty() {
                text = format!("{}\n\n", self.system);
            }
            text += self.compact.render(case, &instruction(self.format, case))?.trim_end();
            text.push('\n');
            let tokens = tokenizer.encode(&text, true).map_err(of_case)?;
            (text, tokens)
        };
        let prefilled = self.format == Format::ThinkAnswer && text.trim_end().ends_with("<think>");
        let response_format = if prefilled { "prefilled_think" } else { self.format.name() };
        Ok(Prompt { text, tokens, response_format })
    }
}

#[cfg(test)]
mod tests;
