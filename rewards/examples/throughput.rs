//! Megabytes of response text that one core scores a second with the full rubric, and of evidence that it indexes.
//!
//! `cargo run --release -p attending-rewards --example throughput [CASES RESPONSES]`; without files, synthetic cases.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use attending_datasets::{Case, CaseFile, Choice, Records, synth};
use attending_rewards::{Response, Rubric, Scorer};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (cases, responses) = match arguments.as_slice() {
        [cases, responses] => read(Path::new(cases), Path::new(responses))?,
        [] => synthetic(),
        _ => return Err("expected no argument, or CASES RESPONSES".into()),
    };
    let scorer = Scorer::new(Rubric::default());
    let start = Instant::now();
    let evidence: HashMap<&str, _> = cases.iter().map(|(id, case)| (id.as_str(), scorer.index(case))).collect();
    let documents = |case: &Case| case.context.iter().map(|document| document.text.len()).sum::<usize>();
    let bytes: usize = cases.values().map(|case| case.question.len() + documents(case)).sum();
    let rate = bytes as f64 / 1e6 / start.elapsed().as_secs_f64();
    println!("evidence: {} cases, {:.2} MB, {rate:.1} MB/s", cases.len(), bytes as f64 / 1e6);
    let bytes: usize = responses.iter().filter_map(|response| response.text.as_ref()).map(String::len).sum();
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        let mut checks = 0;
        for response in &responses {
            let id = response.case_id.as_str();
            if let (Some(case), Some(evidence)) = (cases.get(id), evidence.get(id)) {
                checks += scorer.score(case, evidence, response).checks.len();
            }
        }
        best = best.min(start.elapsed().as_secs_f64());
        std::hint::black_box(checks);
    }
    let (rate, mean) = (bytes as f64 / 1e6 / best, bytes as f64 / responses.len() as f64);
    println!("responses: {} of {mean:.0} bytes on average, {rate:.1} MB/s on one core, best of 5", responses.len());
    Ok(())
}

type Work = (HashMap<String, Case>, Vec<Response>);

fn read(cases: &Path, responses: &Path) -> Result<Work, Box<dyn Error>> {
    let mut found = HashMap::new();
    for case in &mut CaseFile::open(cases, &Choice::Auto, false)? {
        let case = case?;
        found.insert(case.id.clone(), case);
    }
    let mut records: Records<Response> = Records::open(responses, false, |_| Ok(()))?;
    let mut read = Vec::new();
    while let Some(record) = records.next_record() {
        read.push(record?.1);
    }
    Ok((found, read))
}

fn synthetic() -> Work {
    let cases = synth::cases(500, 21, synth::Split::Train);
    let references = cases.iter().flat_map(|case| synth::references(case, 2, 8, synth::COLD_START));
    let responses = references
        .map(|r| Response { case_id: r.case_id, sample: r.sample, text: Some(r.text), ..Response::default() })
        .collect();
    (cases.into_iter().map(|case| (case.id.clone(), case)).collect(), responses)
}
