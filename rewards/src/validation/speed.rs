//! Speed on one core: full rubric, evidence index; and another system's figures beside ours.

use std::time::Instant;

use attending_datasets::loaders::{evidence_inference, mirage, negex_context};
use attending_datasets::{Case, DataError, Document, Task};

use super::{Report, Settings, find};
use crate::assertion::status_at;
use crate::lexicon::Lexicon;
use crate::{Response, Rubric, Scorer};

/// Runs of which the best counts.
const RUNS: usize = 3;

fn best(mut work: impl FnMut()) -> f64 {
    (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

pub(super) fn speed(settings: &Settings, report: &mut Report) -> Result<(), DataError> {
    let scorer = Scorer::new(Rubric::default());
    let predictions = "mirage/predictions/medqa.cot.gpt-35-turbo-16k.jsonl.gz";
    if let (Some(cases), Some(predictions)) =
        (find(settings, "medqa/us_4opt_test.jsonl", report), find(settings, predictions, report))
    {
        let work: Vec<_> = mirage::pairs(&cases, &predictions)?
            .into_iter()
            .map(|(case, completion)| {
                let evidence = scorer.index(&case);
                (case, evidence, Response { text: completion.text, ..Response::default() })
            })
            .collect();
        let bytes: usize = work.iter().filter_map(|(_, _, response)| response.text.as_ref()).map(String::len).sum();
        let seconds = best(|| {
            for (case, evidence, response) in &work {
                std::hint::black_box(scorer.score(case, evidence, response));
            }
        });
        let rate = bytes as f64 / 1e6 / seconds;
        report.notes.push(format!(
            "speed: {rate:.1} MB of response text a second on one core, full rubric, best of {RUNS} (to reach: 20)"
        ));
    }
    let folder = "validation/evidence_inference";
    if let (Some(articles), Some(prompts)) = (
        find(settings, &format!("{folder}/articles.jsonl.gz"), report),
        find(settings, &format!("{folder}/prompts.jsonl"), report),
    ) {
        let papers = evidence_inference::cases(&articles, &prompts)?;
        let mut text = String::new();
        // 16,000 tokens of such prose are about 12,300 words (1.3 tokens a word).
        for paper in papers.iter().map(|case| &case.context[0].text) {
            if text.split_whitespace().count() >= 12_300 {
                break;
            }
            text.push_str(paper);
        }
        let words: Vec<&str> = text.split_whitespace().take(12_300).collect();
        let mut case = Case::new("long", Task::Rubric, "What was found?");
        case.context.push(Document { id: "paper".to_owned(), text: words.join(" "), ..Document::default() });
        let seconds = best(|| {
            std::hint::black_box(scorer.index(&case));
        });
        report.notes.push(format!("speed: evidence of 16k tokens indexed in {:.1} ms (to reach: 5)", seconds * 1e3));
    }
    if let Some(path) = find(settings, "validation/negex_context/sentences_odd.tsv", report) {
        let (sentences, lexicon) = (negex_context::sentences(&path)?, Lexicon::built_in());
        let bytes: usize = sentences.iter().map(|sentence| sentence.text.len()).sum();
        let seconds = best(|| {
            for sentence in &sentences {
                std::hint::black_box(status_at(&sentence.text, sentence.span, &lexicon));
            }
        });
        let rate = bytes as f64 / 1e6 / seconds;
        report
            .notes
            .push(format!("speed: assertion of one target a sentence, NegEx sentences, {rate:.2} MB/s on one core"));
        peer(settings, rate, report)?;
    }
    Ok(())
}

/// The other system's figures, where a file of them was named.
fn peer(settings: &Settings, rate: f64, report: &mut Report) -> Result<(), DataError> {
    let Some(path) = &settings.peer else {
        report.notes.push(
            "the comparison with medSpaCy was not run (tests/fixtures/medspacy_peer.py makes its figures)".to_owned(),
        );
        return Ok(());
    };
    let text = attending_datasets::reader::read_text(path)?;
    let fault = |message: &str| DataError::Layout { file: path.display().to_string(), message: message.to_owned() };
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|_| fault("not JSON, expected the output of medspacy_peer.py"))?;
    let number = |name: &str| {
        let number = value.get(name).and_then(serde_json::Value::as_f64);
        number.ok_or_else(|| fault(&format!("no number `{name}`, expected the output of medspacy_peer.py")))
    };
    let theirs = number("megabytes_per_second")?;
    report.notes.push(format!(
        "medSpaCy (ConText and target matching) on the same sentences: negated F1 {:.3}, historical {:.3}, hypothetical {:.3}, half `report` {:.3} / {:.3} / {:.3}; {theirs:.4} MB/s, ours {:.0} times as fast (to reach: 100)",
        number("negated")?,
        number("historical")?,
        number("hypothetical")?,
        number("negated_report")?,
        number("historical_report")?,
        number("hypothetical_report")?,
        rate / theirs
    ));
    Ok(())
}
