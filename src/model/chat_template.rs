//! Chat templates: Jinja as transformers renders it (`trim_blocks`, `lstrip_blocks`, Python's methods,
//! `raise_exception`, `strftime_now`, loop controls).

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{Environment, Error, ErrorKind, context};
use serde::Serialize;

use crate::model::error::ModelError;

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// The text.
    pub content: String,
}

impl Message {
    /// A turn of the given role.
    pub fn new(role: &str, content: impl Into<String>) -> Self {
        Self { role: role.to_owned(), content: content.into() }
    }
}

/// The day and time that `strftime_now` tells a template.
///
/// It is an argument and no clock, because a prompt that changes from day to day would make runs irreproducible. The
/// default, 26 July 2024, is the date that the templates of Llama 3.1 and 3.2 name where they are given none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Gregorian year.
    pub year: i32,
    /// From 1.
    pub month: u8,
    /// From 1.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

impl Default for Moment {
    fn default() -> Self {
        Self { year: 2024, month: 7, day: 26, hour: 0, minute: 0, second: 0 }
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

impl Moment {
    /// Day of the week, 0 is Sunday (Sakamoto's method).
    fn weekday(self) -> usize {
        const SHIFT: [i32; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
        let y = if self.month < 3 { self.year - 1 } else { self.year };
        let month = usize::from(self.month.clamp(1, 12)) - 1;
        (y + y / 4 - y / 100 + y / 400 + SHIFT[month] + i32::from(self.day)).rem_euclid(7) as usize
    }

    /// Python's `strftime` in the C locale; codes beyond the common ones are an error.
    fn format(self, format: &str) -> Result<String, Error> {
        let month = MONTHS[usize::from(self.month.clamp(1, 12)) - 1];
        let weekday = WEEKDAYS[self.weekday()];
        let mut out = String::new();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('d') => out += &format!("{:02}", self.day),
                Some('m') => out += &format!("{:02}", self.month),
                Some('b') => out += &month[..3],
                Some('B') => out += month,
                Some('Y') => out += &self.year.to_string(),
                Some('y') => out += &format!("{:02}", self.year.rem_euclid(100)),
                Some('a') => out += &weekday[..3],
                Some('A') => out += weekday,
                Some('H') => out += &format!("{:02}", self.hour),
                Some('M') => out += &format!("{:02}", self.minute),
                Some('S') => out += &format!("{:02}", self.second),
                Some('%') => out.push('%'),
                other => {
                    let code = other.map_or(String::new(), String::from);
                    let reason = format!("strftime_now: %{code} is not supported");
                    return Err(Error::new(ErrorKind::InvalidOperation, reason));
                }
            }
        }
        Ok(out)
    }
}

/// A compiled chat template.
#[derive(Clone)]
pub struct ChatTemplate {
    source: String,
    environment: Arc<Environment<'static>>,
    special: BTreeMap<String, String>,
}

impl std::fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatTemplate").field("source", &self.source).field("special", &self.special).finish()
    }
}

const NAME: &str = "chat_template";

impl ChatTemplate {
    /// Compiles a template. `special` are the variables `bos_token`, `eos_token` and the like.
    pub fn new(source: &str, special: BTreeMap<String, String>, now: Moment) -> Result<Self, ModelError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(failed)?;
        environment.set_syntax(syntax);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", to_json);
        environment.add_function("raise_exception", |reason: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, reason))
        });
        environment.add_function("strftime_now", move |format: String| now.format(&format));
        environment.add_template_owned(NAME, source.to_owned()).map_err(failed)?;
        Ok(Self { source: source.to_owned(), environment: Arc::new(environment), special })
    }

    /// The template's text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text of a conversation; `add_generation_prompt` opens the assistant's next turn.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, ModelError> {
        let template = self.environment.get_template(NAME).map_err(failed)?;
        let variables = context! {
            messages => Value::from(Serde(messages)),
            add_generation_prompt => add_generation_prompt,
            tools => Value::from(()),
            documents => Value::from(()),
        };
        let special = Value::from(Serde(&self.special));
        template.render(context! { ..variables, ..special }).map_err(failed)
    }
}

fn failed(error: Error) -> ModelError {
    // An exception that the template raised speaks for itself; other errors need their kind and line.
    ModelError::ChatTemplate { reason: error.to_string() }
}

/// Python's `json.dumps(value, ensure_ascii=False, indent=indent)`.
fn to_json(value: Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let mut out = Vec::new();
    let done = match indent {
        Some(n) => {
            let indent = " ".repeat(n);
            let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, PythonFormatter)),
    };
    let bad = |e: String| Error::new(ErrorKind::BadSerialization, e);
    done.map_err(|e| bad(e.to_string()))?;
    String::from_utf8(out).map(Value::from_safe_string).map_err(|e| bad(e.to_string()))
}

/// `", "` between elements and `": "` after keys.
struct PythonFormatter;

impl serde_json::ser::Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn render(source: &str) -> Result<String, String> {
        let special = BTreeMap::from([("bos_token".to_owned(), "<s>".to_owned())]);
        let template = ChatTemplate::new(source, special, Moment::default()).map_err(|e| e.to_string())?;
        template.render(&[Message::new("user", " Hi <b> ")], true).map_err(|e| e.to_string())
    }

    #[test]
    fn variables_methods_and_whitespace() {
        assert_eq!(render("{{ bos_token }}{{ messages[0]['content'].strip() }}").unwrap(), "<s>Hi <b>");
        // trim_blocks takes the newline after a block, lstrip_blocks the blanks before it.
        let source = "  {% for m in messages %}\n{{ m.role }}\n  {% endfor %}\nend";
        assert_eq!(render(source).unwrap(), "user\nend");
        // Python's json.dumps of {"role": "user", "content": " Hi <b> "}.
        let json = r#"{"role": "user", "content": " Hi <b> "}"#;
        assert_eq!(render("{{ messages[0] | tojson }}{{ 1 if tools is none }}").unwrap(), format!("{json}1"));
    }

    #[test]
    fn the_date_is_given() {
        // Friday, 26 July 2024, by any calendar.
        assert_eq!(render("{{ strftime_now('%A %d %b %Y, %H:%M') }}").unwrap(), "Friday 26 Jul 2024, 00:00");
        assert!(render("{{ strftime_now('%Q') }}").unwrap_err().contains("%Q is not supported"));
        let leap = Moment { year: 2000, month: 2, day: 29, ..Moment::default() };
        assert_eq!(leap.format("%a").unwrap(), "Tue");
    }

    #[test]
    fn refusals_say_why() {
        let error = render("{{ raise_exception('roles must alternate') }}").unwrap_err();
        assert!(error.contains("chat template:") && error.contains("roles must alternate"), "{error}");
        assert!(render("{% for %}").unwrap_err().starts_with("chat template: syntax error"));
    }
}
