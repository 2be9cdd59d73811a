//! Jinja templates over the fields of a case.

use std::sync::Arc;

use attending_datasets::Case;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, UndefinedBehavior, context};

/// A user template is wrong, or does not suit a case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It cannot be read.
    #[error("prompt.user_template, line {line}: {reason}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// It uses a field that the case does not have, or fails otherwise.
    #[error("prompt.user_template, line {line}, case {id}: {reason}; known are {KNOWN}")]
    Render {
        /// Line, from 1.
        line: usize,
        /// The case.
        id: String,
        /// What is wrong.
        reason: String,
    },
}

const KNOWN: &str = "id, dataset, split, task, context, question, options, metadata, instruction";
const NAME: &str = "user_template";

/// A compiled template.
#[derive(Clone)]
pub(super) struct UserTemplate(Arc<Environment<'static>>);

impl std::fmt::Debug for UserTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UserTemplate")
    }
}

impl UserTemplate {
    pub(super) fn new(source: &str) -> Result<Self, TemplateError> {
        let syntax = |e: Error| TemplateError::Syntax { line: e.line().unwrap_or(1), reason: reason(&e) };
        let mut environment = Environment::new();
        let config = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(syntax)?;
        environment.set_syntax(config);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        // A misspelt field must not become an empty place in every prompt; asking whether one is there is fine.
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.add_template_owned(NAME, source.to_owned()).map_err(syntax)?;
        Ok(Self(Arc::new(environment)))
    }

    pub(super) fn render(&self, case: &Case, instruction: &str) -> Result<String, TemplateError> {
        let failed = |e: Error| {
            let (line, id) = (e.line().unwrap_or(1), case.id.clone());
            TemplateError::Render { line, id, reason: reason(&e) }
        };
        let variables = context! {
            id => &case.id,
            dataset => &case.dataset,
            split => &case.split,
            task => Value::from(Serde(case.task)),
            context => Value::from(Serde(&case.context)),
            question => &case.question,
            options => Value::from(Serde(&case.options)),
            metadata => Value::from(Serde(&case.metadata)),
            instruction => instruction,
        };
        self.0.get_template(NAME).and_then(|t| t.render(variables)).map_err(failed)
    }
}

/// The engine's words without its name for the template.
fn reason(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}
