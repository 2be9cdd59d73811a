//! Time grows with the length of a response and not faster, whatever it is made of.
//!
//! Two bounds for each text that is made to hurt. 2 MB of it cost at most [`COSTLY`] times as much as 2 MB of ordinary
//! prose in the same run; and they cost at most [`GROWTH`] times as much as sixteen responses of 125 KB, where one is
//! linear, what caches and fresh memory add stays below three, and a quadratic rule makes sixteen. 10 MB of each would
//! say no more and take a minute.

use std::time::Instant;

use attending_datasets::{Case, synth};
use attending_rewards::{EvidenceIndex, Response, Rubric, Scorer};

const COSTLY: f64 = 8.0;
const GROWTH: f64 = 4.0;
const LONG: usize = 2_000_000;
const PARTS: usize = 16;
/// Times that a text is measured before it counts as too slow.
const TRIES: usize = 5;
/// Seconds below which a time is as much the clock's as the rules'.
const SHORT: f64 = 0.05;

/// Seconds of this thread's own work where the system tells them, so that a busy machine does no harm; else of the clock.
fn seconds() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| START.get_or_init(Instant::now).elapsed().as_secs_f64(), |told| told * 1e-9)
}

struct Bench {
    case: Case,
    scorer: Scorer,
    evidence: EvidenceIndex,
}

impl Bench {
    /// The time of scoring [`LONG`] bytes of `unit` repeated, as that many responses.
    fn time(&self, unit: &str, responses: usize) -> f64 {
        let text = unit.repeat(LONG / responses / unit.len());
        let response = Response { text: Some(text), ..Response::default() };
        let start = seconds();
        for _ in 0..responses {
            let scored = self.scorer.score(&self.case, &self.evidence, &response);
            assert!(scored.reward.is_some());
        }
        seconds() - start
    }
}

#[test]
fn time_is_linear_in_the_length() {
    let case = synth::case(1, 3, synth::Split::Train, &synth::Options::default());
    let scorer = Scorer::new(Rubric::default());
    let bench = Bench { evidence: scorer.index(&case), scorer, case };
    let cases = synth::cases(300, 5, synth::Split::Train);
    let prose: String = cases
        .iter()
        .flat_map(|case| synth::references(case, 2, 2, synth::COLD_START))
        .map(|reference| reference.text.replace(['<', '>'], " ") + "\n\n")
        .collect();
    let units = [
        // Tags, nested and unclosed.
        "<think>",
        "</think>",
        "<think><answer>",
        "<think></think><answer></answer>",
        "<",
        // Digits, numbers, arithmetic.
        "9",
        "5.9 ",
        "1,234,",
        "1 + ",
        "2 + 2 = 4 ",
        "120/80 ",
        "potassium 5.9 mmol/L and no fever, ",
        // Trigger words of the rules.
        "no ",
        "not ",
        "is absent ",
        "history of ",
        "because ",
        "and, ",
        "fever ",
        "the fever of the man and his cough ",
        "pneumonia argues against ",
        "rash before ",
        "the left ",
        // Quotes, brackets, citations.
        "\"",
        "\" a ",
        "\u{201c}no fever in the man at all\u{201d} ",
        "((((",
        "[[",
        "[3] ",
        "document [1, 2, ",
        // Answers.
        "\\boxed{",
        "\\boxed{A} ",
        "the answer is ",
        "option B is ",
        "{\"answer\": \"",
        "\"answer_choice\" ",
        // Bytes that are no words.
        "a",
        "\n",
        "\n- x",
        " ",
        ".",
        "\u{4e2d}",
        "e\u{301}",
        "\u{200b}",
        "\u{0}",
    ];
    for unit in units {
        let (mut cost, mut growth) = (f64::INFINITY, f64::INFINITY);
        // What else runs on the machine slows the caches down for a while: what is compared is measured within one try,
        // and the least ratio of a few tries counts.
        for _ in 0..TRIES {
            let long = bench.time(unit, 1);
            cost = cost.min(long / bench.time(&prose, 1));
            growth = growth.min(if long < SHORT { 1.0 } else { long / bench.time(unit, PARTS) });
            if cost <= COSTLY && growth <= GROWTH {
                break;
            }
        }
        assert!(cost <= COSTLY, "{unit:?}: {cost:.1} times the time of prose");
        assert!(growth <= GROWTH, "{unit:?}: {growth:.1} times the time of {PARTS} parts");
    }
}
