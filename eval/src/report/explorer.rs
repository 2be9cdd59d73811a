//! Many responses to sort, filter, search and read: the one part of a page that needs a script.
//!
//! The data stand in the page as JSON: the rows' numbers in one block, which is read at once; texts, checks and evidence in
//! blocks of some hundred, each read when one of its responses is opened or searched. The script puts text into the page as
//! text alone (`textContent`), and the page's content-security policy allows this script, by its digest, and no other.

use attending_datasets::Case;
use maud::{Markup, PreEscaped, html};
use serde_json::{Value, json};

use super::digest::sha256_base64;
use super::sample::{EvidenceText, gold};

const SCRIPT: &str = include_str!("explorer.js");
pub(super) const STYLE: &str = include_str!("explorer.css");
/// Responses (or cases) in one block of texts.
const BLOCK: usize = 200;

/// Responses with their scores, checks and evidence.
#[derive(Debug, Clone, Default)]
pub struct Explorer {
    /// Names of the numbers of each row.
    pub columns: Vec<String>,
    /// The responses.
    pub rows: Vec<ExplorerRow>,
    /// What they answer.
    pub cases: Vec<ExplorerCase>,
    /// `objective rule outcome`, which checks name by place.
    pub kinds: Vec<String>,
    /// Names of the estimators that each row has an advantage under.
    pub estimators: Vec<String>,
    /// Which responses of how many these are.
    pub note: String,
}

/// One response.
#[derive(Debug, Clone, Default)]
pub struct ExplorerRow {
    /// Place of its case.
    pub case: usize,
    /// Its group; rows of one number are compared.
    pub group: u32,
    /// Which sample.
    pub sample: u64,
    /// The step, where there are steps.
    pub step: Option<u64>,
    /// The answer as it was read.
    pub answer: Option<String>,
    /// Whether it is right.
    pub right: Option<bool>,
    /// One a column; NaN where there is none.
    pub values: Vec<f64>,
    /// One an estimator.
    pub advantages: Vec<f64>,
    /// Kinds of its checks, each once.
    pub kinds: Vec<u32>,
    /// JSON of its texts and checks: `{"t": text, "r": reasoning, "w": {objective: why it has no value},
    /// "c": [[kind, weight, whether in the reasoning, start, end, note, [[document, start, end], ...]], ...]}`; spans count
    /// UTF-16 units and are -1 where there is none.
    pub detail: String,
}

/// What is answered.
#[derive(Debug, Clone, Default)]
pub struct ExplorerCase {
    /// Its id.
    pub id: String,
    /// The right answer.
    pub gold: String,
    /// The texts that checks point into, in the order by which they name them.
    pub documents: Vec<EvidenceText>,
}

impl ExplorerCase {
    /// A case by its id, with its texts where it is known.
    pub(crate) fn new(id: &str, case: Option<&Case>) -> Self {
        Self {
            id: id.to_owned(),
            gold: case.map(|case| gold(&case.answer)).unwrap_or_default(),
            documents: case.map(EvidenceText::of).unwrap_or_default(),
        }
    }
}

/// The source of the script for the content-security policy.
pub(super) fn policy() -> String {
    format!("script-src 'sha256-{}'", sha256_base64(SCRIPT.as_bytes()))
}

/// Shorter than a float's seventeen digits; NaN is null.
fn rounded(values: &[f64]) -> Value {
    values.iter().map(|v| if v.fract() == 0.0 { json!(*v as i64) } else { json!((v * 1e6).round() / 1e6) }).collect()
}

fn row(row: &ExplorerRow) -> Value {
    json!([
        row.case,
        row.group,
        row.step,
        row.sample,
        row.answer,
        row.right,
        rounded(&row.values),
        rounded(&row.advantages),
        row.kinds
    ])
}

/// JSON that can stand in a script element: nothing in it can end the element, open a comment or, as U+2028 did before
/// ECMAScript 2019, end a line. These characters stand inside strings only, where the escape means the same.
fn embedded(json: &str) -> String {
    let mut text = String::with_capacity(json.len() + json.len() / 50);
    for c in json.chars() {
        match c {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            c => text.push(c),
        }
    }
    text
}

fn block(class: &str, json: &str) -> Markup {
    html! { script type="application/json" class=(class) { (PreEscaped(embedded(json))) } }
}

pub(super) fn markup(explorer: &Explorer) -> Markup {
    let head = json!({
        "columns": explorer.columns, "kinds": explorer.kinds, "estimators": explorer.estimators, "block": BLOCK,
        "rows": explorer.rows.iter().map(row).collect::<Vec<_>>(),
        "cases": explorer.cases.iter().map(|case| json!([case.id, case.gold])).collect::<Vec<_>>(),
    });
    let documents = |case: &ExplorerCase| -> Value {
        case.documents.iter().map(|document| json!([document.title, document.text])).collect()
    };
    html! {
        p class="muted" { (explorer.note) }
        noscript { p { "The table of responses needs its script, which this reader does not run. All other parts are complete." } }
        div id="explorer" {}
        (block("explorer-head", &head.to_string()))
        @for rows in explorer.rows.chunks(BLOCK) {
            @let details: Vec<&str> = rows.iter().map(|row| row.detail.as_str()).collect();
            (block("explorer-details", &format!("[{}]", details.join(","))))
        }
        @for cases in explorer.cases.chunks(BLOCK) {
            (block("explorer-cases", &Value::from(cases.iter().map(documents).collect::<Vec<_>>()).to_string()))
        }
        script { (PreEscaped(SCRIPT)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_json_keeps_its_meaning_and_ends_nothing() {
        let hostile = "</script><!-- <script> ]]> & \u{2028}\u{2029}\u{0} \u{1f600}";
        let text = embedded(&json!([hostile]).to_string());
        assert!(!text.contains(['<', '>', '&', '\u{2028}', '\u{2029}', '\u{0}']), "{text}");
        let back: Result<Vec<String>, _> = serde_json::from_str(&text);
        assert_eq!(back.ok(), Some(vec![hostile.to_owned()]));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(rounded(&[0.1 + 0.2, 2.0, f64::NAN, -0.0]).to_string(), "[0.3,2,null,0]");
    }

    /// The script holds nothing that would end its element, and puts no text into the page as markup.
    #[test]
    fn the_script_writes_text_alone() {
        assert!(!SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
        for unsafe_name in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("] {
            assert!(!SCRIPT.contains(unsafe_name), "{unsafe_name}");
        }
    }
}
