//! The audit as a page.

use std::collections::HashMap;

use attending_rewards::{Objective, Rubric};

use super::groups::{Advantages, Groups};
use super::pass::Collected;
use super::second_opinion::{Curve, SecondOpinion};
use super::{Agreement, Audit, Correlation, Distribution, Exchange, Probe};
use crate::report::{
    Block, Calibration, Cell, Explorer, ExplorerCase, ExplorerRow, Fact, Figure, Histogram, LinePlot, Page, Plane,
    Section, Series, Table, cells,
};
use crate::stats::{Interval, wilson};

/// Planes of two objectives that are drawn; the table has them all.
const PLANES: usize = 6;

pub(super) fn page(audit: &Audit, collected: &Collected, advantages: Option<&Advantages>, rubric: &Rubric) -> Page {
    let section =
        |heading: &str, intro: &str, block| Section { heading: heading.to_owned(), intro: intro.to_owned(), block };
    let mut sections = vec![
        section("Findings", "What is beyond the thresholds, in the order of the questions.", findings(audit)),
        section("Results", "Means over all responses; intervals are at 95 %, bootstrapped over cases.", figures(audit)),
        section(
            "1. Distributions",
            "How often each value occurs. The broken line is the mean.",
            Block::Histograms(audit.distributions.iter().map(histogram).collect()),
        ),
        section(
            "Rewards against length, objectives against each other",
            "The area of a circle is the number of responses in its place.",
            Block::Planes(planes(audit, collected)),
        ),
        section("", "", Block::Tables(vec![correlations(&audit.correlations)])),
    ];
    if let Some(groups) = &audit.groups {
        let intro = "A group without differences teaches nothing. Inverted: a wrong response has a higher advantage than a \
                     right one of its group.";
        sections.push(section("2. Groups and advantages", intro, Block::Tables(groups_tables(groups))));
    }
    let explorer = explorer(audit, collected, advantages);
    sections.push(section(
        "3. Responses",
        "Marks show what each check rests on: solid underline passed, wavy failed, dashed open, dotted exempt. Choose a mark or \
         a line of the list of checks, and its places light up in both texts.",
        Block::Explorer(Box::new(explorer)),
    ));
    sections.extend([
        section(
            "4. Tricks and single faults",
            "Tricks are compared with the mean of the case's right responses: one that earns as much would be learnt. Where \
             nothing but the answer applies to a case, every trick that answers rightly earns as much. Faults are put into the best right response: what is named must fall.",
            Block::Tables(probe_tables(&audit.probes)),
        ),
        section(
            "5. Does the reward read what it should?",
            "What it should read is exchanged, over the responses that had something to lose.",
            Block::Tables(vec![exchanges(&audit.exchanges)]),
        ),
        section(
            "6. Agreement with people",
            "Area under the ROC curve (0.5: chance) and Cohen's kappa for labels of yes or no, correlations for others. Intervals \
             resample whole cases.",
            Block::Tables(vec![agreements(&audit.agreements)]),
        ),
        section("", "", Block::Calibrations(calibrations(&audit.agreements))),
    ]);
    if let Some(opinion) = &audit.second_opinion {
        let intro = "The held-out scorer shares no rule with the rubric and nothing is trained on it. A score that rises alone is \
                     being earned by something else.";
        sections.push(section("7. Second opinion", intro, Block::Plots(curves(opinion))));
    }
    sections.push(section("Not answered", "", Block::Notes(audit.unanswered.clone())));
    sections.push(section("Settings", "", Block::Facts(facts(audit, rubric))));
    let name = audit.files.first().map_or("", String::as_str);
    let more = if audit.files.len() > 1 { format!(" and {} more", audit.files.len() - 1) } else { String::new() };
    let model = audit.model.as_ref().map(|model| format!(", model {model}")).unwrap_or_default();
    Page {
        title: "Reward audit".to_owned(),
        subtitle: format!("{} responses to {} cases from {name}{more}{model}", audit.responses, audit.cases),
        sections,
    }
}

fn findings(audit: &Audit) -> Block {
    if audit.findings.is_empty() {
        return Block::Notes(vec!["Nothing is beyond the thresholds.".to_owned()]);
    }
    let row = |finding: &super::Finding| {
        vec![
            Cell::Text(format!("{}", finding.question)),
            Cell::Text(finding.message.clone()),
            Cell::Number(Some(finding.value)),
            Cell::Number(Some(finding.limit)),
            Cell::Text(finding.threshold.to_owned()),
        ]
    };
    let columns = ["Question", "Finding", "Value", "Limit", "Threshold"].map(str::to_owned).into();
    Block::Tables(vec![Table { caption: String::new(), columns, rows: audit.findings.iter().map(row).collect() }])
}

fn figures(audit: &Audit) -> Block {
    let mean = |d: &Distribution| Figure {
        name: d.name.clone(),
        value: d.mean.map_or(f64::NAN, |mean| mean.estimate),
        interval: d.mean,
        note: if d.missing > 0 {
            format!("{} responses, {} without", d.scored, d.missing)
        } else {
            format!("{} responses", d.scored)
        },
    };
    let mut figures: Vec<Figure> = audit.distributions.iter().map(mean).collect();
    let share = |name: &str, part: u64, whole: usize, note: &str| {
        let interval = wilson(part, whole as u64)?;
        Some(Figure {
            name: name.to_owned(),
            value: interval.estimate,
            interval: Some(interval),
            note: note.to_owned(),
        })
    };
    let judged = audit.distributions.iter().find(|d| d.name == "accuracy").map_or(0, |d| d.scored);
    if judged > 0 {
        figures.extend(share("unreadable answers", audit.unreadable, audit.responses, "share of responses"));
    }
    if let Some(groups) = &audit.groups {
        figures.extend(share("flat groups", groups.flat as u64, groups.compared, "share of groups of two or more"));
        if groups.judged > 0 {
            figures.extend(share("groups all wrong", groups.all_wrong as u64, groups.judged, "share of judged groups"));
        }
    }
    Block::Figures(figures)
}

fn histogram(d: &Distribution) -> Histogram {
    let mean = d.mean.map(|mean| mean.estimate);
    let mut histogram = Histogram::new(&d.name, "value", &d.quantiles, d.range, d.bars.clone(), mean);
    if d.missing > 0 {
        histogram.note += &format!("; {} without a value", d.missing);
    }
    histogram
}

fn printed(value: Option<f64>) -> String {
    value.map_or("none".to_owned(), |value| format!("{value:.2}"))
}

fn planes(audit: &Audit, collected: &Collected) -> Vec<Plane> {
    let rows = &collected.table.rows;
    let columns = collected.table.scores();
    let mut planes: Vec<Plane> = columns
        .iter()
        .zip(&audit.distributions)
        .filter(|(column, _)| column.name == "reward" || column.name.starts_with("file: "))
        .map(|(column, d)| Plane {
            title: format!("{} against length", column.name),
            x: "words".to_owned(),
            y: column.name.clone(),
            cells: cells(rows.iter().zip(&column.values).map(|(row, value)| (f64::from(row.words), *value))),
            note: format!("Pearson {}, Spearman {}", printed(d.length_pearson), printed(d.length_spearman)),
        })
        .collect();
    let by_name: HashMap<&str, &Vec<f64>> = columns.iter().map(|c| (c.name.as_str(), &c.values)).collect();
    // The scalar and the second opinion first, then the objectives against each other.
    let shown = |c: &&Correlation| {
        let pair = [c.names[0].as_str(), c.names[1].as_str()];
        pair == ["reward", "held-out reward"]
            || !pair.iter().any(|name| *name == "reward" || name.starts_with("held-out"))
    };
    planes.extend(audit.correlations.iter().filter(shown).filter(|c| c.pearson.is_some()).take(PLANES).map(|c| {
        let [x, y] = [0, 1].map(|i| by_name[c.names[i].as_str()]);
        Plane {
            title: format!("{} against {}", c.names[1], c.names[0]),
            x: c.names[0].clone(),
            y: c.names[1].clone(),
            cells: cells(x.iter().copied().zip(y.iter().copied())),
            note: format!("Pearson {}, Spearman {}, {} responses", printed(c.pearson), printed(c.spearman), c.count),
        }
    }));
    planes
}

fn correlations(all: &[Correlation]) -> Table {
    let row = |c: &Correlation| {
        vec![
            Cell::Text(format!("{} and {}", c.names[0], c.names[1])),
            Cell::Signed(c.pearson),
            Cell::Signed(c.spearman),
            c.count.into(),
        ]
    };
    Table {
        caption: "Correlations of all scores".to_owned(),
        columns: ["Scores", "Pearson", "Spearman", "Responses"].map(str::to_owned).into(),
        rows: all.iter().map(row).collect(),
    }
}

fn groups_tables(groups: &Groups) -> Vec<Table> {
    let share = |part: usize, whole: usize| wilson(part as u64, whole as u64);
    let line = |name: &str, part: usize, whole: usize| {
        vec![Cell::Text(name.to_owned()), part.into(), whole.into(), Cell::Interval(share(part, whole))]
    };
    let mut rows = vec![
        line("all rewards equal", groups.flat, groups.compared),
        line("all wrong", groups.all_wrong, groups.judged),
        line("all right", groups.all_right, groups.judged),
    ];
    rows.extend(groups.flat_objectives.iter().map(|(name, [flat, of])| line(&format!("{name} equal"), *flat, *of)));
    let kinds = Table {
        caption: format!(
            "{} groups of {:.1} responses on average, {} of one response",
            groups.compared, groups.size, groups.of_one
        ),
        columns: ["Groups", "Number", "Of", "Share (95 %)"].map(str::to_owned).into(),
        rows,
    };
    let estimator = |e: &super::EstimatorLine| {
        vec![
            Cell::Text(e.name.to_owned()),
            Cell::Share(e.signal as f64 / groups.compared as f64),
            Cell::Number(Some(e.mean_absolute)),
            e.inverted.into(),
            e.mixed.into(),
        ]
    };
    let estimators = Table {
        caption: "What each estimator would make of them, a step being a batch".to_owned(),
        columns: ["Estimator", "Groups with signal", "Mean absolute advantage", "Inverted groups", "Of mixed groups"]
            .map(str::to_owned)
            .into(),
        rows: groups.estimators.iter().map(estimator).collect(),
    };
    vec![kinds, estimators]
}

fn explorer(audit: &Audit, collected: &Collected, advantages: Option<&Advantages>) -> Explorer {
    let table = &collected.table;
    let scores = table.scores();
    let mut columns: Vec<String> = scores.iter().map(|column| column.name.clone()).collect();
    columns.extend(table.labels.all().iter().map(|name| format!("label: {name}")));
    columns.push("words".to_owned());
    let labels: Vec<_> = (0..table.labels.all().len()).map(|at| table.label(at)).collect();
    // Cases are numbered by their first shown response.
    let mut places: HashMap<u32, usize> = HashMap::new();
    let mut cases = Vec::new();
    let rows = collected.shown.iter().map(|(at, detail)| {
        let row = &table.rows[*at as usize];
        let case = *places.entry(row.case).or_insert_with(|| {
            cases.push(ExplorerCase::new(table.case(row), collected.cases.get(&row.case).map(|case| case.as_ref())));
            cases.len() - 1
        });
        let values =
            scores.iter().map(|column| column.values[*at as usize]).chain(labels.iter().map(|label| label(row)));
        ExplorerRow {
            case,
            group: row.group,
            sample: row.sample,
            step: row.step,
            answer: detail.answer.clone(),
            right: row.right(),
            values: values.chain([f64::from(row.words)]).collect(),
            advantages: advantages.map(|a| a.values[*at as usize].clone()).unwrap_or_default(),
            kinds: detail.kinds.clone(),
            detail: detail.json.clone(),
        }
    });
    let rows: Vec<ExplorerRow> = rows.collect();
    let note = if rows.len() == audit.responses {
        "All responses.".to_owned()
    } else {
        format!(
            "{} of {} responses: whole groups, drawn by seed {}.",
            rows.len(),
            audit.responses,
            audit.thresholds.seed
        )
    };
    Explorer {
        columns,
        rows,
        cases,
        kinds: collected.kinds.all().to_vec(),
        estimators: advantages.map(|a| a.names.iter().map(|name| (*name).to_owned()).collect()).unwrap_or_default(),
        note,
    }
}

fn probe_tables(probes: &[Probe]) -> Vec<Table> {
    let objective = |probe: &Probe, objective: Objective| Cell::Signed(probe.objectives.get(&objective).copied());
    let row = |probe: &Probe| {
        let mut cells = vec![Cell::Text(probe.name.to_owned()), probe.cases.into()];
        cells.extend(probe.falls.map(Cell::from));
        cells.extend([Cell::Share(probe.passed), Cell::Difference(probe.gap)]);
        cells.extend(Objective::ALL.map(|o| objective(probe, o)));
        cells
    };
    let columns = |middle: &[&str]| -> Vec<String> {
        let names = Objective::ALL.map(Objective::name);
        ["Probe", "Cases"]
            .iter()
            .chain(middle)
            .chain(&["Gap in reward (95 %)"])
            .chain(&names)
            .map(|s| (*s).to_owned())
            .collect()
    };
    let of = |edit: bool| probes.iter().filter(|probe| probe.edit == edit).map(row).collect();
    vec![
        Table { caption: "Tricks".to_owned(), columns: columns(&["Earns as much in"]), rows: of(false) },
        Table { caption: "Single faults".to_owned(), columns: columns(&["Must fall", "Does not in"]), rows: of(true) },
    ]
}

fn exchanges(all: &[Exchange]) -> Table {
    let row = |e: &Exchange| {
        vec![
            Cell::Text(e.exchanged.name().to_owned()),
            e.objective.into(),
            e.responses.into(),
            Cell::Number(Some(e.before)),
            Cell::Number(Some(e.after)),
            Cell::Difference(e.drop),
        ]
    };
    Table {
        caption: String::new(),
        columns: ["Exchanged", "Must fall", "Responses", "Before", "After", "Loss (95 %)"].map(str::to_owned).into(),
        rows: all.iter().map(row).collect(),
    }
}

fn agreements(all: &[Agreement]) -> Table {
    let row = |a: &Agreement| {
        vec![
            Cell::Text(a.label.clone()),
            Cell::Text(a.score.clone()),
            a.responses.into(),
            Cell::Interval(a.auroc),
            Cell::Interval(a.kappa),
            Cell::Interval(a.pearson),
            Cell::Interval(a.spearman),
        ]
    };
    Table {
        caption: String::new(),
        columns: ["Label", "Score", "Responses", "AUROC (95 %)", "Kappa (95 %)", "Pearson (95 %)", "Spearman (95 %)"]
            .map(str::to_owned)
            .into(),
        rows: all.iter().map(row).collect(),
    }
}

/// Of each label, the reward and the score that agrees best.
fn calibrations(all: &[Agreement]) -> Vec<Calibration> {
    let degree = |a: &Agreement| a.auroc.or(a.spearman).map_or(f64::NEG_INFINITY, |i| i.estimate);
    let shown = |a: &&Agreement| {
        let better = |other: &Agreement| other.label == a.label && degree(other) > degree(a);
        a.score == "reward" || !all.iter().any(better)
    };
    let plot = |a: &Agreement| Calibration {
        title: format!("{} against {}", a.label, a.score),
        x: a.score.clone(),
        y: format!("mean {}", a.label),
        points: a.calibration.clone(),
        diagonal: a.auroc.is_some(),
        note: format!("{} responses in {} bins; bars are 95 % intervals", a.responses, a.calibration.len()),
    };
    all.iter().filter(shown).map(plot).collect()
}

fn curves(opinion: &SecondOpinion) -> Vec<LinePlot> {
    let series = |curve: &Curve| {
        let point =
            |(steps, mean): (&[u64; 2], &Option<Interval>)| (steps[1] as f64, mean.map_or(f64::NAN, |m| m.estimate));
        Series {
            name: curve.name.clone(),
            points: opinion.steps.iter().zip(&curve.means).map(point).collect(),
            smooth: false,
        }
    };
    let plot = |title: String, y: &str, series: Vec<Series>| LinePlot {
        title,
        x: "step".to_owned(),
        y: y.to_owned(),
        range: None,
        series,
    };
    let known = |curve: &Curve| curve.means.iter().any(Option::is_some);
    let mut plots: Vec<LinePlot> = opinion
        .scores
        .iter()
        .filter(|pair| known(&pair.trained) || known(&pair.held_out))
        .map(|pair| plot(pair.trained.name.clone(), "mean", vec![series(&pair.trained), series(&pair.held_out)]))
        .collect();
    let drift: Vec<Series> = opinion.drift.iter().filter(|curve| known(curve)).map(series).collect();
    if !drift.is_empty() {
        plots.push(plot("Repeated, exempt and unverified checks".to_owned(), "share of checks", drift));
    }
    plots
}

fn facts(audit: &Audit, rubric: &Rubric) -> Vec<Fact> {
    let weights = rubric.weights.iter().filter(|(_, weight)| **weight > 0.0);
    let weights: Vec<String> = weights.map(|(objective, weight)| format!("{} {weight}", objective.name())).collect();
    let mut facts = vec![
        Fact::new("files", audit.files.join(", ")),
        Fact::new("program", format!("attending {}", env!("CARGO_PKG_VERSION"))),
        Fact::new("rubric", format!("{}: {}", rubric.preset.name(), weights.join(", "))),
    ];
    facts.extend(
        audit.reward_function.iter().map(|name| Fact::new("reward function, in place of the rubric's sum", name)),
    );
    if audit.skipped > 0 {
        facts.push(Fact::new("malformed records left out", audit.skipped.to_string()));
    }
    facts.extend(audit.left_out.iter().map(|(what, count)| Fact::new(format!("{what}, left out"), count.to_string())));
    facts.extend(audit.thresholds.listed().map(|(key, value)| Fact::new(key, value.to_string())));
    facts
}
