//! Runs of four characters ("character n-grams"): what two wordings of one thing have in common where neither a word, a
//! word family nor a concept does: "nauseous" and "nausea", "cardioprotective" and "protects the heart".

use crate::lexicon::KeyMap;

/// Characters of a run. Three and five tell statements apart as well.
const RUN: usize = 4;

/// The runs of a text, in order: letters and digits folded to lower case, everything else one space, a space at both
/// ends.
fn runs(text: &str) -> impl Iterator<Item = u64> + '_ {
    let folded = text.chars().flat_map(char::to_lowercase);
    let letters = folded.map(|c| if c.is_alphanumeric() { c } else { ' ' });
    let mut last = ' ';
    let (mut run, mut count) = (u64::from(b' '), 1_usize);
    letters.chain([' ']).filter_map(move |c| {
        if c == ' ' && last == ' ' {
            return None;
        }
        last = c;
        // Sixteen bits a character: those that do not fit are rare enough to be taken for others.
        run = run << 16 | u64::from(c as u32 & 0xffff);
        count += 1;
        (count >= RUN).then_some(run)
    })
}

/// The different runs of a text.
pub(super) fn distinct(text: &str) -> KeyMap<u64, ()> {
    runs(text).map(|run| (run, ())).collect()
}

/// In which sentences of a text each run stands.
#[derive(Debug, Default)]
pub(super) struct Grams {
    sentences: usize,
    places: KeyMap<u64, Vec<u32>>,
}

impl Grams {
    /// Reads the sentences of a text.
    pub(super) fn new<'a>(sentences: impl Iterator<Item = &'a str>) -> Grams {
        let mut grams = Grams::default();
        for sentence in sentences {
            let number = grams.sentences as u32;
            for run in runs(sentence) {
                let places = grams.places.entry(run).or_default();
                if places.last() != Some(&number) {
                    places.push(number);
                }
            }
            grams.sentences += 1;
        }
        grams
    }

    /// What a run weighs: more the fewer sentences have it.
    fn rarity(&self, run: u64) -> f64 {
        let frequency = self.places.get(&run).map_or(0, Vec::len) as f64;
        (1.0 + (self.sentences as f64 + 1.0) / (1.0 + frequency)).ln()
    }

    /// Which runs of a statement each sentence has. `worth` is what a run counts beside its rarity.
    pub(super) fn held(&self, statement: &str, worth: impl Fn(u64) -> f64) -> Held {
        let mut held = Held { weights: Vec::new(), whole: 0.0, by_sentence: vec![Vec::new(); self.sentences] };
        let mut own: Vec<u64> = distinct(statement).into_keys().collect();
        // Sums of floating-point numbers depend on their order.
        own.sort_unstable();
        for (index, &run) in own.iter().enumerate() {
            let weight = self.rarity(run) * worth(run);
            held.weights.push(weight);
            held.whole += weight;
            for &sentence in self.places.get(&run).map_or(&[][..], Vec::as_slice) {
                held.by_sentence[sentence as usize].push(index as u32);
            }
        }
        held
    }
}

/// The runs of a statement that each sentence of a text has.
#[derive(Debug)]
pub(super) struct Held {
    weights: Vec<f64>,
    whole: f64,
    by_sentence: Vec<Vec<u32>>,
}

impl Held {
    /// The share of the statement's runs, by weight, that the best passage of at most `most` sentences has; each
    /// further sentence leaves `spread` of it.
    pub(super) fn best(&self, most: usize, spread: f64) -> f64 {
        let mut best = 0.0_f64;
        // The passage's first sentence by which each run was counted.
        let mut counted = vec![usize::MAX; self.weights.len()];
        for from in 0..self.by_sentence.len() {
            let (mut sum, mut left) = (0.0, 1.0);
            for runs in self.by_sentence[from..].iter().take(most) {
                for &run in runs {
                    if std::mem::replace(&mut counted[run as usize], from) != from {
                        sum += self.weights[run as usize];
                    }
                }
                best = best.max(sum * left);
                left *= spread;
            }
        }
        if self.whole > 0.0 { best / self.whole } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Vec<String> {
        let letters = |run: u64| [48, 32, 16, 0].map(|bits| char::from((run >> bits) as u8)).iter().collect();
        runs(text).map(letters).collect()
    }

    #[test]
    fn runs_of_letters_and_single_spaces() {
        assert_eq!(written("No -- Fever"), [" no ", "no f", "o fe", " fev", "feve", "ever", "ver "]);
        assert_eq!(written(""), Vec::<String>::new());
        assert_eq!(written("a"), Vec::<String>::new());
        assert_eq!(written("5%, ab"), [" 5 a", "5 ab", " ab "]);
    }

    /// By hand: "cats" has " cat", "cats", "ats "; the first sentence has " cat", the third "ats ". A run that one of
    /// three sentences has weighs ln(1 + 4 / 2), one that none has ln(1 + 4 / 1).
    #[test]
    fn the_best_passage() {
        let grams = Grams::new(["a cat", "a dog", "hats on"].into_iter());
        let held = grams.held("cats", |_| 1.0);
        let (rare, absent) = (3.0_f64.ln(), 5.0_f64.ln());
        let whole = 2.0 * rare + absent;
        assert!((held.best(2, 0.5) - rare / whole).abs() < 1e-12);
        assert!((held.best(3, 0.9) - 2.0 * rare * 0.81 / whole).abs() < 1e-12);
        assert_eq!(grams.held("", |_| 1.0).best(3, 1.0), 0.0);
    }
}
