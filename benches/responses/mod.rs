//! What the benches of scoring share: responses of two kilobytes to synthetic cases.

use std::sync::Arc;

use attending_datasets::Case;
use attending_datasets::synth::{self, Split};
use attending_rewards::Response;

/// Bytes of each response.
pub(crate) const BYTES: usize = 2000;
/// Responses to each case.
#[allow(dead_code)] // each bench is a program of its own and uses a part of this
pub(crate) const EACH: usize = 8;

/// `cases` synthetic cases with eight responses each, whose reasoning is repeated up to the length.
pub(crate) fn responses(cases: usize) -> impl Iterator<Item = (Arc<Case>, Response)> {
    synth::cases(cases, 21, Split::Train).into_iter().flat_map(|case| {
        let case = Arc::new(case);
        let references = synth::references(&case, 2, EACH as u64, synth::COLD_START);
        references.into_iter().map(move |reference| {
            let (reasoning, rest) = reference.text.split_once("</think>").unwrap_or(("<think>", &reference.text));
            let mut text = reasoning.to_owned();
            let said = reasoning.trim_start_matches("<think>");
            while text.len() + rest.len() + 8 < BYTES && !said.trim().is_empty() {
                text.push(' ');
                text.push_str(said);
            }
            let mut end = (BYTES - (rest.len() + 8).min(BYTES)).min(text.len());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            let text = Some(format!("{text}</think>{rest}"));
            (case.clone(), Response { case_id: case.id.clone(), sample: reference.sample, text, ..Response::default() })
        })
    })
}
