//! A training report with invented numbers, to look at: `cargo run -p attending-eval --example training_report > report.html`.

use attending_eval::report::{Comparison, EvidenceText, Fact, Figure, LinePlot, Row, Sample, Series, TrainingReport};
use attending_eval::stats::Interval;
use attending_rewards::scored::EvidenceSpan;
use attending_rewards::{Check, Objective, Outcome, Span};

fn curve(name: &str, from: f64, to: f64, phase: f64) -> Series {
    let points = (0..=100).map(|i| {
        let x = f64::from(i);
        let noise = 0.04 * ((x * 12.9898 + phase).sin() * 43_758.545).sin();
        (x, from + (to - from) * (1.0 - (-x / 35.0).exp()) + noise)
    });
    Series { name: name.to_owned(), points: points.collect(), smooth: true }
}

fn interval(estimate: f64, half: f64) -> Interval {
    Interval { estimate, low: estimate - half, high: estimate + half }
}

fn find(text: &str, part: &str) -> Span {
    text.find(part).map_or([0, 0], |at| [at, at + part.len()])
}

fn main() {
    let note = "A 58-year-old man with burning chest pain for 2 hours. Blood pressure 142/90 mmHg, pulse 96/min. \
                Troponin 0.9 ng/mL. He denies fever. ECG: ST elevation in II, III and aVF.";
    let response = "<think>A 58-year-old man has chest pain and a troponin of 4.0 ng/mL. He has fever. ST elevation in \
                    II, III and aVF points to the inferior wall; <b>pericarditis</b> would be diffuse.</think>\n\
                    <answer>Inferior infarction. \\boxed{B}</answer>";
    let check = |objective, rule: &str, outcome, part: &str, evidence: &str, remark: &str| Check {
        objective,
        rule: rule.to_owned().into(),
        outcome,
        weight: 1.0,
        response: Some(find(response, part)),
        field: None,
        evidence: if evidence.is_empty() {
            Vec::new()
        } else {
            vec![EvidenceSpan { document: "note".into(), span: find(note, evidence) }]
        },
        note: remark.to_owned(),
    };
    use Objective::{Accuracy, Comprehensiveness, Faithfulness, Format};
    let checks = vec![
        check(Accuracy, "boxed", Outcome::Correct, "\\boxed{B}", "", "B is the right option"),
        check(Faithfulness, "demographics", Outcome::Supported, "58-year-old man", "58-year-old man", ""),
        check(
            Faithfulness,
            "quantity",
            Outcome::Contradicted,
            "4.0 ng/mL",
            "0.9 ng/mL",
            "troponin 4.0 ng/mL, evidence 0.9",
        ),
        check(
            Faithfulness,
            "assertion",
            Outcome::Contradicted,
            "He has fever",
            "denies fever",
            "present against absent",
        ),
        check(
            Comprehensiveness,
            "coverage",
            Outcome::Covered,
            "ST elevation in II, III and aVF",
            "ST elevation in II, III and aVF",
            "",
        ),
        check(Comprehensiveness, "coverage", Outcome::Missing, "", "142/90 mmHg", "blood pressure is not taken up"),
        check(Faithfulness, "general", Outcome::Exempt, "pericarditis", "", "general knowledge"),
    ];
    let sample = |heading: &str, reward| Sample {
        heading: heading.to_owned(),
        case_id: "synth:train:17".to_owned(),
        evidence: [("note", "Admission note", note), ("question", "Question", "What is the most likely diagnosis?")]
            .map(|(id, title, text)| EvidenceText {
                document: id.to_owned(),
                title: title.to_owned(),
                text: text.to_owned(),
            })
            .into(),
        reasoning: None,
        response: Some(response.to_owned()),
        reward: Some(reward),
        advantage: Some(reward - 0.5),
        objectives: [(Accuracy, Some(1.0)), (Faithfulness, Some(0.25)), (Comprehensiveness, Some(0.5)), (Format, None)]
            .into(),
        reasons: [(Format, "not asked for".to_owned())].into(),
        answer: Some("B".to_owned()),
        gold: "B".to_owned(),
        checks: checks.clone(),
    };
    let row = |measure: &str, first: f64, second: f64, half: f64| Row {
        measure: measure.to_owned(),
        first: interval(first, 0.06),
        second: interval(second, 0.06),
        difference: interval(second - first, half),
        pairs: 256,
    };
    let figure = |name: &str, value, interval, note: &str| Figure {
        name: name.to_owned(),
        value,
        interval,
        note: note.to_owned(),
    };
    let plot = |title: &str, y: &str, range, series| LinePlot {
        title: title.to_owned(),
        x: "step".to_owned(),
        y: y.to_owned(),
        range,
        series,
    };
    let report = TrainingReport {
        title: "Training report".to_owned(),
        subtitle: "An example with invented numbers.".to_owned(),
        figures: vec![
            figure("Accuracy, held out", 0.71, Some(interval(0.71, 0.055)), "256 cases, greedy"),
            figure("Mean reward, last steps", 0.82, Some(interval(0.82, 0.02)), "0 to 1"),
            figure("Tokens a second", 12_345.0, None, "whole step, 2 threads"),
            figure("Time", 4.2, None, "minutes"),
        ],
        before_after: Some(Comparison {
            first: "Before".to_owned(),
            second: "After".to_owned(),
            rows: vec![
                row("accuracy", 0.48, 0.71, 0.07),
                row("faithfulness", 0.52, 0.80, 0.04),
                row("comprehensiveness", 0.55, 0.61, 0.03),
                row("format", 0.97, 0.98, 0.02),
                row("unreadable", 0.05, 0.01, 0.03),
            ],
            caption: "256 held-out cases, one sample each at temperature 1, the same seeds.".to_owned(),
        }),
        curves: vec![
            plot(
                "Rewards",
                "mean value (0 to 1)",
                Some((0.0, 1.0)),
                vec![
                    curve("accuracy", 0.48, 0.75, 0.0),
                    curve("faithfulness", 0.5, 0.85, 1.0),
                    curve("comprehensiveness", 0.55, 0.65, 2.0),
                    curve("format", 0.9, 0.99, 3.0),
                ],
            ),
            plot("Divergence from the reference", "KL (nats a token)", None, vec![curve("kl", 0.0, 0.3, 4.0)]),
            plot(
                "Response length",
                "tokens",
                None,
                vec![curve("mean", 90.0, 74.0, 5.0), curve("longest", 128.0, 120.0, 6.0)],
            ),
            plot(
                "Learning rate",
                "rate",
                None,
                vec![Series {
                    name: "lr".to_owned(),
                    points: (0..=100).map(|i| (f64::from(i), 1e-4 * (1.0 - f64::from(i) / 101.0))).collect(),
                    smooth: false,
                }],
            ),
        ],
        samples: vec![sample("Step 100, lowest reward", 0.31), sample("Step 100, highest reward", 0.94)],
        facts: vec![
            Fact::new("Model", "embedded, 2.1 M parameters"),
            Fact::new("Seed", "0"),
            Fact::new("Configuration", "rollout.group_size = 8, rollout.prompts_per_step = 16, optim.lr = 1e-4"),
        ],
        notes: vec![
            "This is the real method at toy size: a model of two million parameters on synthetic cases.".to_owned(),
        ],
    };
    println!("{}", report.to_html());
}
