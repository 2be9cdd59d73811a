//! The results as a page.

use std::collections::{BTreeMap, HashMap};

use attending_datasets::Case;
use attending_rewards::{Objective, Response};

use super::{Judged, Mean, Results, Subject};
use crate::names::Names;
use crate::report::{
    Block, Calibration, Cell, Detail, Explorer, ExplorerCase, ExplorerRow, Fact, Figure, Histogram, LinePlot, Page,
    Plane, Section, Series, Table, cells,
};
use crate::stats::{Bootstrap, Interval, Said, Units, calibration, draw, wilson};

/// Answers in the page's table; of more, whole cases are drawn.
const SHOWN: usize = 10_000;

/// The results of `judged`, the answers to `cases`, for people. The page holds the texts of the answers.
pub fn page(results: &Results, cases: &[Case], judged: &[Judged]) -> Page {
    let section =
        |heading: &str, intro: &str, block| Section { heading: heading.to_owned(), intro: intro.to_owned(), block };
    let settings = &results.settings;
    let several = if results.samples > 1 { format!(", {} answers each", results.samples) } else { String::new() };
    Page {
        title: format!("Evaluation on {}", settings.benchmark),
        subtitle: format!(
            "{}: {} cases{several}, protocol {}",
            settings.model.name, results.cases, settings.protocol.name
        ),
        sections: vec![
            section(
                "Results",
                "Intervals are at 95 %: Wilson's for one right or wrong answer a case, else bootstrapped over cases.",
                Block::Figures(figures(results)),
            ),
            section("Not among the answers", "", Block::Notes(left_out(results))),
            section(
                "Several answers a case",
                "The chance that one of k answers is right (pass), and that the most frequent of k is (maj).",
                Block::Plots(several_answers(results)),
            ),
            section("By subject", "", Block::Tables(subjects(&results.subjects))),
            section(
                "Distributions",
                "How often each value occurs. The broken line is the mean.",
                Block::Histograms(histograms(judged)),
            ),
            section(
                "Reward against length",
                "The area of a circle is the number of answers in its place.",
                Block::Planes(planes(judged)),
            ),
            section(
                "Confidence",
                "How often the likeliest option is right at each probability that the model gives it among the options. On the \
                 line, it is as often right as it is sure.",
                Block::Calibrations(confidence(judged)),
            ),
            section("How answers were read", "", Block::Tables(vec![tiers(&results.tiers)])),
            section(
                "Answers",
                "Marks show what each check rests on: solid underline passed, wavy failed, dashed open, dotted exempt. Choose a \
                 mark or a line of the list of checks, and its places light up in both texts.",
                Block::Explorer(Box::new(explorer(cases, judged))),
            ),
            section("Settings", "", Block::Facts(facts(results))),
        ],
    }
}

fn figures(results: &Results) -> Vec<Figure> {
    let figure = |name: &str, interval: &Interval, note: String| Figure {
        name: name.to_owned(),
        value: interval.estimate,
        interval: Some(*interval),
        note,
    };
    let of_cases = || format!("{} cases", results.cases);
    let mut figures = Vec::new();
    figures.extend(results.accuracy.iter().map(|i| figure("accuracy", i, of_cases())));
    figures.extend(
        results
            .accuracy_normalised
            .iter()
            .map(|i| figure("accuracy by length", i, "log-likelihood a character".into())),
    );
    if let Some(found) = &results.compatible {
        figures.push(figure(&format!("as {} reads", found.scorer), &found.accuracy, "its own rules".to_owned()));
        figures.push(figure("without its fallback", &found.strict, "unreadable is wrong".to_owned()));
    }
    for (name, at) in [("pass", &results.pass_at_k), ("maj", &results.maj_at_k)] {
        figures.extend(at.iter().next_back().map(|(k, i)| figure(&format!("{name}@{k}"), i, of_cases())));
    }
    figures.extend(
        results
            .objectives
            .iter()
            .map(|(objective, Mean { mean, scored })| figure(objective.name(), mean, format!("{scored} answers"))),
    );
    let whole = results.answers as u64;
    let shares = [("unreadable answers", results.unreadable), ("truncated answers", results.truncated)];
    figures.extend(shares.into_iter().filter_map(|(name, share)| {
        let interval = wilson((share * whole as f64).round() as u64, whole)?;
        Some(figure(name, &interval, "share of answers".to_owned()))
    }));
    figures.extend(results.mean_tokens.map(|tokens| Figure {
        name: "mean length".to_owned(),
        value: tokens,
        interval: None,
        note: "tokens".to_owned(),
    }));
    figures
}

fn left_out(results: &Results) -> Vec<String> {
    results.left_out.listed().map(|(count, what)| format!("{count} {what}")).collect()
}

fn several_answers(results: &Results) -> Vec<LinePlot> {
    let series = |name: &str, at: &BTreeMap<usize, Interval>| Series {
        name: name.to_owned(),
        points: at.iter().map(|(k, interval)| (*k as f64, interval.estimate)).collect(),
        smooth: false,
    };
    if results.pass_at_k.is_empty() {
        return Vec::new();
    }
    vec![LinePlot {
        title: "Accuracy of k answers".to_owned(),
        x: "k".to_owned(),
        y: "share of cases".to_owned(),
        range: Some((0.0, 1.0)),
        series: vec![series("pass@k", &results.pass_at_k), series("maj@k", &results.maj_at_k)],
    }]
}

fn subjects(by_field: &BTreeMap<String, BTreeMap<String, Subject>>) -> Vec<Table> {
    let row = |(subject, found): (&String, &Subject)| {
        let accuracy = Some(found.accuracy);
        vec![Cell::Text(subject.clone()), found.cases.into(), Cell::Interval(accuracy), Cell::Drawn(found.accuracy)]
    };
    let table = |(field, rows): (&String, &BTreeMap<String, Subject>)| Table {
        caption: format!("By {}", field.replace('_', " ")),
        columns: ["Subject", "Cases", "Accuracy (95 %)", "From 0 to 1"].map(str::to_owned).into(),
        rows: rows.iter().map(row).collect(),
    };
    by_field.iter().filter(|(_, rows)| rows.len() > 1).map(table).collect()
}

fn tiers(tiers: &BTreeMap<String, f64>) -> Table {
    let row = |(tier, share): (&String, &f64)| vec![Cell::Text(tier.clone()), Cell::Share(*share)];
    Table {
        caption: "The rule that read the answer".to_owned(),
        columns: ["Rule", "Share of answers"].map(str::to_owned).into(),
        rows: tiers.iter().map(row).collect(),
    }
}

/// A number of each answer.
type Measure = fn(&Judged) -> Option<f64>;

fn objective(one: &Judged, objective: Objective) -> Option<f64> {
    one.scored.objectives.get(&objective).copied().flatten()
}

/// The measures that any answer has, with their names.
fn measures(judged: &[Judged]) -> Vec<(&'static str, Measure)> {
    let known: [(&'static str, Measure); 9] = [
        ("reward", |one| one.scored.reward.filter(|_| one.confidence.is_none())),
        ("accuracy", |one| objective(one, Objective::Accuracy)),
        ("accuracy by length", |one| one.normalised),
        ("faithfulness", |one| objective(one, Objective::Faithfulness)),
        ("comprehensiveness", |one| objective(one, Objective::Comprehensiveness)),
        ("format", |one| objective(one, Objective::Format)),
        ("confidence", |one| one.confidence),
        ("words", |one| one.confidence.is_none().then(|| words(&one.response))),
        ("tokens", |one| one.tokens.map(|tokens| tokens as f64)),
    ];
    known.into_iter().filter(|(_, of)| judged.iter().any(|one| of(one).is_some())).collect()
}

fn words(response: &Response) -> f64 {
    let texts = [&response.text, &response.reasoning];
    texts.into_iter().flatten().map(|text| text.split_ascii_whitespace().count()).sum::<usize>() as f64
}

fn histograms(judged: &[Judged]) -> Vec<Histogram> {
    let measures = measures(judged).into_iter();
    measures.filter_map(|(name, of)| Histogram::of(name, "value", judged.iter().filter_map(of))).collect()
}

fn planes(judged: &[Judged]) -> Vec<Plane> {
    let (length, of_length): (_, Measure) = match judged.iter().any(|one| one.tokens.is_some()) {
        true => ("tokens", |one| one.tokens.map(|tokens| tokens as f64)),
        false => ("words", |one| Some(words(&one.response))),
    };
    let shown = ["reward", "faithfulness", "comprehensiveness"];
    let plane = |(name, of): (&str, Measure)| {
        let points = judged.iter().filter_map(|one| Some((of_length(one)?, of(one)?)));
        Plane {
            title: format!("{name} against length"),
            x: length.to_owned(),
            y: name.to_owned(),
            cells: cells(points),
            note: String::new(),
        }
    };
    measures(judged).into_iter().filter(|(name, _)| shown.contains(name)).map(plane).collect()
}

fn confidence(judged: &[Judged]) -> Vec<Calibration> {
    let said =
        |one: &'_ Judged| -> Option<(f64, f64)> { Some((one.confidence?, objective(one, Objective::Accuracy)?)) };
    let said: Vec<Said<'_>> = judged
        .iter()
        .filter_map(|one| said(one).map(|(score, truth)| Said { question: &one.scored.case_id, score, truth }))
        .collect();
    if said.is_empty() {
        return Vec::new();
    }
    let points = calibration(&said, Bootstrap::default());
    vec![Calibration {
        title: "Accuracy against confidence".to_owned(),
        x: "probability of the likeliest option".to_owned(),
        y: "accuracy".to_owned(),
        note: format!("{} answers in {} bins; bars are 95 % intervals", said.len(), points.len()),
        points,
        diagonal: true,
    }]
}

fn explorer(cases: &[Case], judged: &[Judged]) -> Explorer {
    let mut drawn = Units::new(SHOWN);
    for (at, one) in judged.iter().enumerate() {
        drawn.push(draw(0, &one.scored.case_id), at);
    }
    let mut shown: Vec<usize> = drawn.into_units().flatten().collect();
    shown.sort_unstable();
    let by_id: HashMap<&str, &Case> = cases.iter().map(|case| (case.id.as_str(), case)).collect();
    let measures = measures(judged);
    let mut kinds = Names::default();
    // Cases are numbered by their first shown answer.
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut known: Vec<ExplorerCase> = Vec::new();
    let mut rows = Vec::with_capacity(shown.len());
    for one in shown.into_iter().map(|at| &judged[at]) {
        let id = one.scored.case_id.as_str();
        let case = by_id.get(id).copied();
        let place = *places.entry(id).or_insert_with(|| {
            known.push(ExplorerCase::new(id, case));
            known.len() - 1
        });
        let detail = Detail::new(&mut kinds, &one.response, Some(&one.scored), case);
        rows.push(ExplorerRow {
            case: place,
            group: place as u32,
            sample: one.scored.sample,
            step: None,
            answer: detail.answer,
            right: objective(one, Objective::Accuracy).map(|value| value >= 1.0),
            values: measures.iter().map(|(_, of)| of(one).unwrap_or(f64::NAN)).collect(),
            advantages: Vec::new(),
            kinds: detail.kinds,
            detail: detail.json,
        });
    }
    let note = match rows.len() == judged.len() {
        true => "All answers.".to_owned(),
        false => format!("{} of {} answers: whole cases, drawn at random.", rows.len(), judged.len()),
    };
    Explorer {
        columns: measures.iter().map(|(name, _)| (*name).to_owned()).collect(),
        rows,
        cases: known,
        kinds: kinds.all().to_vec(),
        estimators: Vec::new(),
        note,
    }
}

fn facts(results: &Results) -> Vec<Fact> {
    let settings = &results.settings;
    let protocol = &settings.protocol;
    let mut facts = vec![Fact::new("model", &settings.model.name)];
    let mut optional = |name: &str, value: Option<String>| facts.extend(value.map(|value| Fact::new(name, value)));
    optional("hash of the weights", settings.model.hash.clone());
    optional("endpoint", settings.model.endpoint.clone());
    optional("benchmark", Some(settings.benchmark.clone()));
    optional("SHA-256 of the data", Some(settings.data_hash.clone()));
    optional("protocol", Some(format!("{} (version {})", protocol.name, protocol.version)));
    optional("examples before each question", (protocol.few_shot > 0).then(|| protocol.few_shot.to_string()));
    optional("examples from", protocol.few_shot_source.clone());
    optional("SHA-256 of the chat template", protocol.chat_template_hash.clone());
    if let Some(sampling) = &settings.sampling {
        optional("temperature", Some(sampling.temperature.to_string()));
        optional("top-p", Some(sampling.top_p.to_string()));
        optional("top-k", Some(sampling.top_k.to_string()));
        optional("longest answer, tokens", Some(sampling.max_new_tokens.to_string()));
        optional("seed", Some(sampling.seed.to_string()));
    }
    optional("answers", Some(results.answers.to_string()));
    optional("program", Some(format!("attending {}", env!("CARGO_PKG_VERSION"))));
    facts
}
