//! Sentences of a response that stand in the evidence word by word: repeating the record takes up nothing, so coverage
//! does not pay for them. Faithfulness does: a sentence that earned less as it stands would earn more with an error in it.

use crate::lexicon::KeyMap;
use crate::reading::Reading;
use crate::text::Kind;

/// Words in a run. Shorter ones are common phrases: "has a history of type 2 diabetes".
const RUN: usize = 6;
/// Share of a sentence's words within such runs from which on it is a copy. Honest sentences take over lists of values
/// but add what they mean.
const SHARE: f64 = 0.8;

/// Runs of words of the evidence.
#[derive(Debug, Default)]
pub(super) struct Copies {
    runs: KeyMap<u64, ()>,
}

impl Copies {
    /// Adds the words of a document.
    pub(super) fn add(&mut self, words: &[u64]) {
        self.runs.extend(words.windows(RUN).map(|run| (hash(run), ())));
    }

    /// Whether each sentence of a response is a copy.
    pub(super) fn sentences(&self, reading: &Reading) -> Vec<bool> {
        let of_sentence = |sentence: &crate::text::Sentence| {
            let tokens = &reading.tokens[sentence.tokens.clone()];
            let words: Vec<u64> = tokens.iter().filter(|t| t.kind != Kind::Mark).map(|t| t.hash).collect();
            let (mut copied, mut end) = (0, 0);
            for (at, run) in words.windows(RUN).enumerate() {
                if self.runs.contains_key(&hash(run)) {
                    copied += at + RUN - end.max(at);
                    end = at + RUN;
                }
            }
            copied > 0 && copied as f64 >= SHARE * words.len() as f64
        };
        reading.sentences.iter().map(of_sentence).collect()
    }
}

fn hash(run: &[u64]) -> u64 {
    run.iter().fold(0, |h: u64, word| (h.rotate_left(5) ^ word).wrapping_mul(0xf135_7aea_2e62_a9c5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexicon::Lexicon;

    #[test]
    fn whole_sentences_are_copies_and_findings_with_their_meaning_are_not() {
        let lexicon = Lexicon::built_in();
        let vignette = Reading::new(
            "A 54-year-old man has had a productive cough and chills for 3 days. His heart rate is 112/min.",
            &lexicon,
        );
        let mut copies = Copies::default();
        let words: Vec<u64> = vignette.tokens.iter().filter(|t| t.kind != Kind::Mark).map(|t| t.hash).collect();
        copies.add(&words);
        let copied = |text: &str| copies.sentences(&Reading::new(text, &lexicon));
        assert_eq!(copied("A 54-year-old man has had a productive cough and chills for 3 days."), [true]);
        assert_eq!(copied("Indeed, a 54-year-old man has had a productive cough and chills."), [true]);
        let honest = "The man has had a productive cough and chills for 3 days, which together point to an infection.";
        assert_eq!(copied(honest), [false]);
        assert_eq!(copied("His heart rate is 112."), [false], "a sentence shorter than a run is no copy");
    }
}
