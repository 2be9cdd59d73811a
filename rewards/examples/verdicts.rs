//! Prints a seeded sample of verdicts on published completions, for reading by eye.
//!
//! `cargo run --release -p attending-rewards --example verdicts -- OUTCOME COUNT SEED [FILE]`, where FILE is the start
//! of a completion file's name (`medqa`, `pubmedqa`); `counts` for OUTCOME counts rules and outcomes instead. Each
//! verdict stands with its sentence, the marked claim, the evidence that it rests on, and the case's whole text.

use std::collections::BTreeMap;
use std::error::Error;

use attending_datasets::Case;
use attending_datasets::synth::Rng;
use attending_rewards::offsets::document_text;
use attending_rewards::text::{sentences, tokenize};
use attending_rewards::{Check, Objective, Response, Scorer, Span};

#[path = "../tests/completions/mod.rs"]
mod completions;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize| arguments.get(at).map(String::as_str);
    let wanted = argument(0).unwrap_or("counts");
    let count: usize = argument(1).unwrap_or("20").parse()?;
    let seed: u64 = argument(2).unwrap_or("1").parse()?;
    let file = argument(3).unwrap_or("");
    let folder = completions::folder();
    let pairs = completions::read(&folder).ok_or_else(|| format!("no completions in {}", folder.display()))?;
    let scorer = Scorer::new(completions::rubric());
    let mut found: Vec<(&Case, &Response, Check)> = Vec::new();
    for (case, response) in pairs.iter().filter(|(_, response)| response.case_id.starts_with(file)) {
        let scored = scorer.score(case, &scorer.index(case), response);
        let checks = scored.checks.into_iter().filter(|check| check.objective == Objective::Faithfulness);
        found.extend(checks.map(|check| (case, response, check)));
    }
    if wanted == "counts" {
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (_, _, check) in &found {
            *counts.entry((check.rule.to_string(), format!("{:?}", check.outcome))).or_default() += 1;
        }
        for ((rule, outcome), count) in counts {
            println!("{rule:14} {outcome:14} {count}");
        }
        return Ok(());
    }
    found.retain(|(_, _, check)| format!("{:?}", check.outcome).eq_ignore_ascii_case(wanted));
    let total = found.len();
    let mut rng = Rng::keyed(&[seed]);
    for at in 0..count.min(total) {
        let pick = at + rng.below(total - at);
        found.swap(at, pick);
    }
    for (number, (case, response, check)) in found.iter().take(count).enumerate() {
        print(number, case, response, check);
    }
    println!("{total} {wanted} in all");
    Ok(())
}

fn print(number: usize, case: &Case, response: &Response, check: &Check) {
    let text = response.text.as_deref().unwrap_or("");
    println!(
        "=== {number} {} {:?} {} {:?} | {}",
        response.case_id, check.outcome, check.rule, check.response, check.note
    );
    if let Some(span) = check.response {
        println!("R: {}", marked(text, span));
    }
    for evidence in &check.evidence {
        println!("E: {}", marked(document_text(case, &evidence.document).unwrap_or(""), evidence.span));
    }
    for document in &case.context {
        println!("D: {} {}", document.title, document.text);
    }
    println!("Q: {}", case.question);
    let options: Vec<String> = case.options.iter().map(|option| format!("{} {}", option.key, option.text)).collect();
    println!("O: {}", options.join(" | "));
}

/// The sentence around a span, with the span marked.
fn marked(text: &str, span: Span) -> String {
    let tokens = tokenize(text);
    let sentences = sentences(text, &tokens);
    let sentence = sentences.iter().find(|s| s.span[0] <= span[0] && span[0] < s.span[1]).map_or(span, |s| s.span);
    let end = sentence[1].max(span[1]);
    format!("{}[[{}]]{}", &text[sentence[0]..span[0]], &text[span[0]..span[1]], &text[span[1]..end])
}
