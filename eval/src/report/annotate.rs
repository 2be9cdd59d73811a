//! Text cut at the ends of the checks' spans, so that every piece knows which checks cover it.

use attending_rewards::Span;

/// A piece of text under the same checks throughout.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// Indices of the checks that cover it, in the order given.
    pub(super) checks: Vec<usize>,
    /// Those whose span ends with this piece.
    pub(super) ends: Vec<usize>,
}

/// Cuts `text` by `spans`, each with the index of its check. A span that is empty, runs past the text or splits a
/// character marks nothing: the check still stands in the list.
pub(super) fn pieces<'a>(text: &'a str, spans: &[(Span, usize)]) -> Vec<Piece<'a>> {
    let valid: Vec<(Span, usize)> =
        spans.iter().copied().filter(|([from, to], _)| from < to && text.get(*from..*to).is_some()).collect();
    let mut cuts: Vec<usize> = valid.iter().flat_map(|(span, _)| *span).chain([0, text.len()]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let of = |test: &dyn Fn(Span) -> bool| -> Vec<usize> {
        let mut found: Vec<usize> = valid.iter().filter(|(span, _)| test(*span)).map(|(_, check)| *check).collect();
        found.dedup();
        found
    };
    cuts.windows(2)
        .map(|cut| Piece {
            text: &text[cut[0]..cut[1]],
            checks: of(&|[from, to]| from <= cut[0] && cut[1] <= to),
            ends: of(&|[_, to]| to == cut[1]),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut<'a>(text: &'a str, spans: &[(Span, usize)]) -> Vec<(&'a str, Vec<usize>, Vec<usize>)> {
        pieces(text, spans).into_iter().map(|p| (p.text, p.checks, p.ends)).collect()
    }

    #[test]
    fn overlapping_spans() {
        assert_eq!(
            cut("abcdef", &[([1, 4], 0), ([3, 6], 1)]),
            [("a", vec![], vec![]), ("bc", vec![0], vec![]), ("d", vec![0, 1], vec![0]), ("ef", vec![1], vec![1])]
        );
    }

    #[test]
    fn spans_that_do_not_fit_mark_nothing() {
        // The second byte of the two-byte letter is no boundary.
        let spans = [([1, 2], 0), ([0, 99], 1), ([2, 1], 2), ([0, 0], 3)];
        assert_eq!(cut("\u{b5}g", &spans), [("\u{b5}g", vec![], vec![])]);
        assert!(cut("", &[]).is_empty());
    }
}
