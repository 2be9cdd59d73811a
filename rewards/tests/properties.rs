//! What holds for every text: values in range, spans on character boundaries, the same result on any number of
//! threads. That time is linear in the length stands in `linear_time`.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use attending_datasets::{Case, synth};
use attending_rewards::{Preset, Response, Rubric, Scorer, score_batch};
use proptest::prelude::*;

#[path = "../fuzz/src/lib.rs"]
#[allow(dead_code, unreachable_pub)] // One check of many; a library there, a module here.
mod targets;

/// The pieces that responses are made of, and those that break parsers.
const PIECES: &[&str] = &[
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "\\boxed{",
    "}",
    "A",
    "(B)",
    " C. ",
    "the answer is ",
    "no ",
    "fever",
    " denies ",
    "pneumonia ",
    "argues against ",
    "potassium ",
    "5.9 mmol/L ",
    "120/80",
    "\u{0}",
    "\u{fe0f}",
    "\u{202e}",
    "\u{4e2d}\u{6587}",
    "e\u{301}",
    "\u{1f600}",
    "\n",
    ". ",
    ", ",
    "1,2,3",
    "because ",
    "{\"answer_choice\": \"",
    "[[",
    "'s ",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![proptest::sample::select(PIECES).prop_map(str::to_owned), "\\PC{0,8}"];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn values_and_spans(text in text(), reasoning in proptest::option::of(text()), index in 0_u64..40) {
        let mut case = synth::case(index, 3, synth::Split::Train, &synth::Options::default());
        if index % 3 == 0 {
            // Any text may be evidence, too.
            case.question = format!("{} {text}", case.question);
        }
        let response = Response { case_id: case.id.clone(), text: Some(text), reasoning, ..Response::default() };
        for (_, preset) in Preset::ALL {
            let scorer = Scorer::new(Rubric::preset(preset));
            let scored = scorer.score(&case, &scorer.index(&case), &response);
            targets::within(&scored, &case, &response);
        }
    }

    /// What is `null` depends on the case alone.
    #[test]
    fn silence_is_no_way_out(text in text(), index in 0_u64..40) {
        let case = synth::case(index, 4, synth::Split::Train, &synth::Options::default());
        let scorer = Scorer::new(Rubric::default());
        let evidence = scorer.index(&case);
        let nulls = |text: &str| {
            let response = Response { text: Some(text.to_owned()), ..Response::default() };
            let scored = scorer.score(&case, &evidence, &response);
            scored.objectives.values().map(Option::is_none).collect::<Vec<_>>()
        };
        prop_assert_eq!(nulls(&text), nulls(""));
    }
}

#[test]
fn any_number_of_threads_gives_the_same() {
    let cases = synth::cases(40, 9, synth::Split::Train);
    let batch: Vec<(Arc<Case>, Response)> = cases
        .into_iter()
        .flat_map(|case| {
            let references = synth::references(&case, 1, 3, synth::COLD_START);
            let case = Arc::new(case);
            references.into_iter().map(move |r| {
                (
                    case.clone(),
                    Response { case_id: r.case_id, sample: r.sample, text: Some(r.text), ..Response::default() },
                )
            })
        })
        .collect();
    let scorer = Scorer::new(Rubric::default());
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| serde_json::to_string(&score_batch(&scorer, &batch)).unwrap())
    };
    let one = run(1);
    assert_eq!(one, run(3));
    assert_eq!(one, run(1));
}
