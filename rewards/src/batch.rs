//! Scoring many responses at once, in parallel, in the order given.

use std::collections::HashMap;
use std::sync::Arc;

use attending_datasets::Case;
use rayon::prelude::*;

use crate::{EvidenceIndex, Response, Scored, Scorer};

/// Scores responses with their cases. The evidence of a case is indexed once for all of its responses in the batch.
/// The result is in the order of the input and does not depend on the number of threads.
pub fn score_batch(scorer: &Scorer, batch: &[(Arc<Case>, Response)]) -> Vec<Scored> {
    score_batch_with(scorer, batch, |scored| scored)
}

/// [`score_batch`], each score made into what is wanted of it on the thread that computed it, so that the checks of a large
/// batch need not all be held, nor dropped by one thread.
pub fn score_batch_with<T: Send>(
    scorer: &Scorer,
    batch: &[(Arc<Case>, Response)],
    of: impl Fn(Scored) -> T + Sync,
) -> Vec<T> {
    let mut places: HashMap<*const Case, usize> = HashMap::new();
    let mut cases: Vec<&Case> = Vec::new();
    let indices: Vec<usize> = batch
        .iter()
        .map(|(case, _)| {
            *places.entry(Arc::as_ptr(case)).or_insert_with(|| {
                cases.push(case);
                cases.len() - 1
            })
        })
        .collect();
    let evidence: Vec<EvidenceIndex> = cases.par_iter().map(|case| scorer.index(case)).collect();
    let work = batch.par_iter().zip(&indices);
    work.map(|((case, response), &index)| of(scorer.score(case, &evidence[index], response))).collect()
}
