//! The report is one offline page, and nothing in a response becomes markup.
#![allow(clippy::unwrap_used)]

use attending_datasets::case::{AnswerOption, Case, Document, Task};
use attending_eval::report::{Comparison, Fact, LinePlot, Page, Row, Sample, Series, TrainingReport};
use attending_eval::stats::Interval;
use attending_rewards::scored::{AnswerReading, EvidenceSpan};
use attending_rewards::{Check, Objective, Outcome, Scored};

const HOSTILE: &str = "<script>alert(1)</script> \" onload='x' </style><img src=x onerror=y> & \u{0} <!-- ]]>";

fn case(text: &str) -> Case {
    let json = serde_json::json!({
        "schema": "attending.case/1", "id": text, "task": Task::SingleChoice, "question": text,
        "answer": {"keys": ["B"]},
    });
    let mut case: Case = serde_json::from_value(json).unwrap();
    case.context =
        vec![Document { id: "note".to_owned(), title: text.to_owned(), text: text.to_owned(), ..Document::default() }];
    case.options = vec![AnswerOption::new("A", text), AnswerOption::new("B", text)];
    case
}

fn scored(text: &str, check: Check) -> Scored {
    Scored {
        case_id: text.to_owned(),
        sample: 0,
        reward: Some(0.5),
        objectives: [(Objective::Accuracy, Some(1.0)), (Objective::Faithfulness, None)].into(),
        reasons: [(Objective::Faithfulness, text.to_owned())].into(),
        answer: AnswerReading { read: Some(text.to_owned()), tier: None },
        checks: vec![check],
    }
}

fn check(text: &str, response: [usize; 2], evidence: [usize; 2]) -> Check {
    Check {
        objective: Objective::Faithfulness,
        rule: text.to_owned().into(),
        outcome: Outcome::Contradicted,
        weight: 1.0,
        response: Some(response),
        field: None,
        evidence: vec![EvidenceSpan { document: "note".into(), span: evidence }],
        note: text.to_owned(),
    }
}

fn report(text: &str) -> TrainingReport {
    let words = || text.to_owned();
    let interval = Interval { estimate: 0.2, low: 0.1, high: 0.3 };
    let row = Row { measure: words(), first: interval, second: interval, difference: interval, pairs: 7 };
    let points = (0..30).map(|i| (f64::from(i), f64::from(i % 7))).collect();
    TrainingReport {
        title: words(),
        subtitle: words(),
        before_after: Some(Comparison { first: words(), second: words(), rows: vec![row], caption: words() }),
        curves: vec![LinePlot {
            title: words(),
            x: words(),
            y: words(),
            range: None,
            series: vec![Series { name: words(), points, smooth: true }],
        }],
        samples: vec![Sample::new(words(), &case(text), Some(text), &scored(text, check(text, [0, 8], [3, 9])))],
        facts: vec![Fact::new(words(), words())],
        notes: vec![words()],
        ..TrainingReport::default()
    }
}

/// Names of the elements and attributes that the page really has: a scan of the markup, not of the text.
fn tags(html: &str) -> Vec<&str> {
    html.split('<').skip(1).filter_map(|t| t.split('>').next()).collect()
}

#[test]
fn text_never_becomes_markup() {
    let html = report(HOSTILE).to_html();
    // Every '<' of the page opens an element that a page with harmless text has too, and there are equally many.
    let harmless = report(&"x".repeat(HOSTILE.len())).to_html();
    let names = |html: &str| -> Vec<String> {
        let name = |tag: &str| tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap_or("").to_owned();
        tags(html).into_iter().map(name).collect()
    };
    let without_style = |html: &str| {
        let (before, rest) = html.split_once("<style>").unwrap();
        format!("{before}{}", rest.split_once("</style>").unwrap().1)
    };
    assert_eq!(names(&without_style(&html)), names(&without_style(&harmless)));
    assert!(!html.contains("<script") && !html.contains("<img"));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    // Quotes cannot leave an attribute.
    assert!(!html.contains("\" onload"));
    // NUL cannot stand in HTML; its picture does.
    assert!(!html.contains('\u{0}') && html.contains('\u{2400}'));
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let html = report("plain").to_html();
    assert!(html.starts_with("<!DOCTYPE html>"));
    for outside in ["http:", "https:", "src=", "@import", "url(", "<script", "<link"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(html.contains("default-src 'none'"));
    assert!(html.contains("prefers-color-scheme: dark"));
}

#[test]
fn checks_are_marked_in_both_texts() {
    let text = "Potassium 5.9 mmol/L.";
    let mut sample_check = check("quantity", [10, 20], [0, 9]);
    sample_check.note = "evidence 4.1".to_owned();
    let sample = Sample::new("step 3", &case(text), Some(text), &scored("c", sample_check));
    let html = TrainingReport { samples: vec![sample], ..TrainingReport::default() }.to_html();
    let tooltip = "title=\"1. quantity contradicted, weight 1: evidence 4.1\"";
    // In the response, then in the document.
    let id = html
        .split("id=\"")
        .filter_map(|t| t.split('"').next())
        .find(|id| id.ends_with("-1") && id.starts_with('s'))
        .unwrap();
    assert!(html.contains(&format!(
        "Potassium <mark class=\"bad\" {tooltip}>5.9 mmol/L</mark><sup><a href=\"#{id}\">1</a></sup>."
    )));
    assert!(html.contains(&format!("<mark class=\"bad\" {tooltip}>Potassium</mark>")));
    assert!(html.contains("right answer <strong>B</strong>"));
    // One row in the list, which both numbers lead to.
    assert_eq!(html.matches(&format!("<tr id=\"{id}\">")).count(), 1);
}

#[test]
fn reasoning_that_came_apart_has_its_own_marks() {
    let mut of_reasoning = check("quantity", [4, 7], [0, 9]);
    of_reasoning.field = Some("reasoning".into());
    let mut sample = Sample::new("x", &case("Potassium"), Some("The answer"), &scored("c", of_reasoning));
    sample.reasoning = Some("low 5.9 here".to_owned());
    let html = TrainingReport { samples: vec![sample], ..TrainingReport::default() }.to_html();
    assert!(html.contains(">5.9</mark>"));
    // The same bytes of the text are not marked.
    assert!(html.contains(">The answer</div>"));
}

#[test]
fn empty_parts_are_left_out() {
    let html = TrainingReport { title: "t".to_owned(), ..TrainingReport::default() }.to_html();
    assert!(!html.contains("<h2"));
    assert!(Page::default().to_html().ends_with("</html>"));
    let unreadable = Sample::new("x", &case("q"), None, &scored("c", check("r", [0, 5], [0, 1])));
    assert!(TrainingReport { samples: vec![unreadable], ..TrainingReport::default() }.to_html().contains("No text."));
}

#[test]
fn intervals_are_read_in_words() {
    let interval = |low, high| Interval { estimate: (low + high) / 2.0, low, high };
    let row = |low, high| Row {
        measure: "m".to_owned(),
        first: interval(0.0, 1.0),
        second: interval(0.0, 1.0),
        difference: interval(low, high),
        pairs: 3,
    };
    let rows = vec![row(0.1, 0.3), row(-0.3, -0.1), row(-0.1, 0.3)];
    let comparison = Comparison { first: "a".to_owned(), second: "b".to_owned(), rows, caption: String::new() };
    let html = TrainingReport { before_after: Some(comparison), ..TrainingReport::default() }.to_html();
    for reading in ["higher", "lower", "not told apart"] {
        assert_eq!(html.matches(reading).count(), 1, "{reading}");
    }
    assert!(html.contains("+0.200") && html.contains("(+0.100 to +0.300)"));
}
