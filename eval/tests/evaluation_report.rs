//! The page of an evaluation: what it shows, and that nothing in an answer becomes markup.
#![allow(clippy::unwrap_used)]

mod browser;

use std::collections::BTreeMap;

use attending_datasets::synth::{self, Kind, Options, Rng, Split, respond};
use attending_datasets::{Case, Task};
use attending_eval::protocol::{Harness, Protocol};
use attending_eval::results::{Counts, Judging, LeftOut, build, page, score};
use attending_eval::run::{Model, Sample, Sampling, Settings};
use attending_rewards::{Rubric, Scorer};

/// Markup, ends of scripts and comments, line ends of old scripts, and a character that HTML forbids.
const HOSTILE: &str =
    "</script><script>window.injected = 1</script><img src=x onerror=\"window.injected=1\"><!-- \u{2028} \u{0}";

fn settings() -> Settings {
    Settings {
        benchmark: HOSTILE.to_owned(),
        data_hash: "d".to_owned(),
        protocol: Protocol {
            name: "generate:think_answer".to_owned(),
            version: "1".to_owned(),
            kind: None,
            few_shot: 3,
            few_shot_source: Some(HOSTILE.to_owned()),
            chat_template_hash: None,
        },
        model: Model { name: HOSTILE.to_owned(), hash: None, endpoint: None },
        sampling: Some(Sampling { temperature: 0.5, top_p: 1.0, top_k: 0, max_new_tokens: 64, seed: 3 }),
    }
}

fn cases() -> Vec<Case> {
    let options = Options { tasks: vec![(Task::SingleChoice, 1.0)], ..Options::default() };
    let mut cases: Vec<Case> = (0..30).map(|index| synth::case(index, 7, Split::HeldOut, &options)).collect();
    for (at, case) in cases.iter_mut().enumerate() {
        case.metadata.insert("subject".to_owned(), ["cardiology", HOSTILE][at % 2].into());
    }
    cases
}

fn counts(samples: u64) -> Counts {
    let left_out = LeftOut { failed: 2, ..LeftOut::default() };
    Counts { samples, left_out, subjects: vec!["subject".to_owned()], mirage: false }
}

#[test]
fn written_answers() {
    let cases = cases();
    let kinds = [Kind::Faithful, Kind::WrongAnswer, Kind::AlteredValue, Kind::Faithful];
    let samples: Vec<Sample> = (cases.iter())
        .flat_map(|case| kinds.iter().enumerate().map(move |(sample, kind)| (case, sample as u64, *kind)))
        .map(|(case, sample, kind)| Sample {
            case_id: case.id.clone(),
            sample,
            text: respond(case, kind, &mut Rng::keyed(&[sample, 1])).map(|text| format!("{text} {HOSTILE}")),
            completion_tokens: Some(40 + sample),
            ..Sample::default()
        })
        .collect();
    let scorer = Scorer::new(Rubric::default());
    let judged = score(&cases, &samples, Judging::Responses { scorer: &scorer, strip_thinking: false }).unwrap();
    let results = build(settings(), &cases, &judged, counts(4));
    let html = page(&results, &cases, &judged).to_html();
    for part in [
        "pass@4",
        "maj@4",
        "By subject",
        "cardiology",
        "2 failed samples",
        "faithfulness against length",
        "All answers.",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(!html.contains("<img") && !html.contains('\u{0}') && !html.contains("<script>window"));
    assert_eq!(html.matches("<script").count(), html.matches("</script>").count());
    // The figure in large type is the one of results.json: three right of four, in every case.
    assert_eq!(results.accuracy.unwrap().estimate, 0.75);
    assert!(html.contains("<div class=\"muted\">accuracy</div><div class=\"value\">0.750</div>"));
    let folder = tempfile::tempdir().unwrap();
    page(&results, &cases, &judged).write(folder.path()).unwrap();
    browser::read(&folder.path().join("report.html"));
}

#[test]
fn compared_options() {
    let cases = cases();
    // The gold option is the likeliest in two of three cases, by more each time.
    let sample = |(at, case): (usize, &Case)| {
        let gold = case.options.iter().position(|option| option.key == case.answer.keys[0]).unwrap();
        let liked = if at % 3 == 0 { (gold + 1) % case.options.len() } else { gold };
        let value = |option: usize| if option == liked { -1.0 } else { -1.5 - 0.1 * at as f64 };
        let log_likelihoods = Some((0..case.options.len()).map(value).collect());
        Sample { case_id: case.id.clone(), log_likelihoods, ..Sample::default() }
    };
    let samples: Vec<Sample> = cases.iter().enumerate().map(sample).collect();
    let judged = score(&cases, &samples, Judging::Choices(Harness::MedQa)).unwrap();
    let results = build(settings(), &cases, &judged, counts(1));
    let html = page(&results, &cases, &judged).to_html();
    assert!(html.contains("Accuracy against confidence") && html.contains("accuracy by length"));
    assert!(!html.contains("against length</figcaption>"), "keys have no length worth a plot");
    let right: BTreeMap<bool, usize> = judged.iter().fold(BTreeMap::new(), |mut counts, one| {
        *counts.entry(one.scored.reward == Some(1.0)).or_default() += 1;
        counts
    });
    assert_eq!((right[&true], right[&false]), (20, 10));
}
