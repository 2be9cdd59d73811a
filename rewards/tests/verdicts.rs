//! Verdicts on published completions that were read by eye: a reader's label for each, without a word of their text.
//!
//! `fixtures/verdicts.tsv` holds completion, span, rule, verdict and label, of several readings: verdicts that were wrong
//! once must not come back, those that were right must stay. On vignettes (MedQA, MMLU) what is still given must keep the
//! bars, at most a tenth of `unsupported` and a twentieth of `contradicted` wrong; the rules were corrected by these
//! readings, so that the shares are lower estimates. MedMCQA's short questions, many with scanning errors, are counted
//! apart.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use attending_rewards::{Objective, Outcome, Scorer};

mod completions;

struct Label {
    id: String,
    span: [usize; 2],
    rule: String,
    verdict: String,
    right: bool,
}

fn labels() -> Vec<Label> {
    let lines = include_str!("fixtures/verdicts.tsv").lines().filter(|line| !line.starts_with('#'));
    let parsed = lines.map(|line| {
        let [id, start, end, rule, verdict, label] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("a label has six fields: {line}")
        };
        assert!(matches!(label, "right" | "wrong"), "{line}");
        Label {
            id: id.to_owned(),
            span: [start.parse().unwrap(), end.parse().unwrap()],
            rule: rule.to_owned(),
            verdict: verdict.to_owned(),
            right: label == "right",
        }
    });
    parsed.collect()
}

#[test]
fn verdicts_that_were_read_by_eye() {
    let labels = labels();
    let Some(pairs) = completions::read(&completions::folder()) else {
        println!("skipped: no completions in {}", completions::folder().display());
        return;
    };
    let scorer = Scorer::new(completions::rubric());
    let by_id: HashMap<&str, _> = pairs.iter().map(|pair| (pair.1.case_id.as_str(), pair)).collect();
    // Of each verdict, on vignettes and elsewhere: how many labelled ones are still given, how many of these are wrong.
    let mut counts: HashMap<(&str, bool), (usize, usize)> = HashMap::new();
    let (mut right, mut kept) = (0, 0);
    for label in &labels {
        let (case, response) = by_id[label.id.as_str()];
        let scored = scorer.score(case, &scorer.index(case), response);
        let still = scored.checks.iter().any(|check| {
            let outcome = match check.outcome {
                Outcome::Contradicted => "contradicted",
                Outcome::Unsupported => "unsupported",
                Outcome::Supported => "supported",
                _ => "",
            };
            check.objective == Objective::Faithfulness
                && check.response == Some(label.span)
                && check.rule == label.rule
                && outcome == label.verdict
        });
        let vignette = label.id.starts_with("medqa") || label.id.starts_with("mmlu");
        right += usize::from(label.right);
        if still {
            let count = counts.entry((label.verdict.as_str(), vignette)).or_default();
            count.0 += 1;
            count.1 += usize::from(!label.right);
            kept += usize::from(label.right);
            if !label.right {
                println!("still given, and wrong: {} {:?} {} {}", label.id, label.span, label.rule, label.verdict);
            }
        }
    }
    println!("{} labels; {kept} of {right} right verdicts are still given", labels.len());
    for ((verdict, vignette), (given, wrong)) in &counts {
        println!("{verdict}, on vignettes {vignette}: {given} given, {wrong} wrong");
    }
    for (verdict, share) in [("unsupported", 0.10), ("contradicted", 0.05)] {
        let (given, wrong) = counts.get(&(verdict, true)).copied().unwrap_or_default();
        assert!(wrong as f64 <= share * given as f64, "{verdict}: {wrong} of {given} are wrong");
    }
    assert!(kept * 10 >= right * 9, "{kept} of {right}");
}
