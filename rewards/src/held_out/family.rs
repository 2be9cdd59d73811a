//! Word families: a word without its endings, so that `vomited` and `vomiting`, `diabetes` and `diabetic` are one.

use crate::text::hash_word;

/// Endings that are cut, the longest first where several fit.
const ENDINGS: &[&str] = &[
    "ations", "ically", "ation", "ities", "ments", "ement", "ment", "ness", "ical", "ious", "ings", "ions", "ing",
    "ion", "ive", "ous", "ity", "ies", "ial", "ics", "al", "ic", "ed", "es", "ly", "ia", "is", "e", "s", "y",
];

/// What must be left of a word when an ending is cut.
const STEM: usize = 4;

/// Words that say nothing of a patient: function words, and the words that reasoning is made of.
const EMPTY: &str = "a about above after again against all also although am among an and another any are around as at \
    away be became because become been before being below between both but by came can cannot come could did do does \
    doing done down due during each either else even ever every few first for from further gave get given gives go had has \
    have having he her here hers herself him himself his how however i if in include includes including indeed instead \
    into is it its itself just know known last least less let like likely made mainly make makes many may me might mine \
    more most much must my myself near need next nor now of off often on once one only or other others our ours out over \
    own per perhaps possible possibly probably quite rather really same seem seems several shall she should show showed \
    showing shown shows since so some such than that the their theirs them then there therefore these they think this those \
    though through thus to together too two typical typically under unless until up upon us use used using usual usually \
    very was way we well were what when where whether which while who whom whose why will with within would yet you your \
    analysis answer appears argue argues associated best case cause caused causes characterised characterized choice \
    choose classic clear clearly common commonly compatible compared concern conclude conclusion consider considered \
    considering consistent correct describe described describes describing diagnosis differential dx especially evaluate \
    evidence explain explained explains explanation fact favor favors favour favours final finding findings fit fits \
    following found help helps highly history important indicate indicated indicates indicating indicative involve involved \
    involves key lead leading leads main make management mean means mention mentioned note noted option options overall \
    part patient patients point points present presentation presented presenting presents question rather reason reasonable \
    reasoning related relevant remain remaining result results right rule ruled scenario seen sign significant signs step \
    strongly suggest suggested suggesting suggestive suggests support supported supporting supports symptom symptoms text \
    think thinking treatment true typical unlikely year years old";

/// Words that deny what follows them, or in this sentence stands behind them.
const NEGATORS: &str = "no not without denies denied deny denying absent absence never none lack lacks lacking negative nor \
    neither cannot doesnt didnt isnt wasnt hasnt havent free";

/// Which hashes of folded words are empty, and which negate.
#[derive(Debug)]
pub(super) struct Lists {
    empty: std::collections::HashSet<u64>,
    negators: std::collections::HashSet<u64>,
}

impl Lists {
    /// The lists, built once.
    pub(super) fn get() -> &'static Lists {
        static LISTS: std::sync::OnceLock<Lists> = std::sync::OnceLock::new();
        let hashed = |words: &str| words.split_whitespace().map(hash_word).collect();
        LISTS.get_or_init(|| Lists { empty: hashed(EMPTY), negators: hashed(NEGATORS) })
    }

    /// Whether a folded word says nothing by itself.
    pub(super) fn is_empty(&self, hash: u64) -> bool {
        self.empty.contains(&hash) || self.negators.contains(&hash)
    }

    /// Whether a folded word negates.
    pub(super) fn negates(&self, hash: u64) -> bool {
        self.negators.contains(&hash)
    }
}

/// The family of a word: the hash of what is left when up to two endings are cut.
pub(super) fn family(word: &str) -> u64 {
    let lower = word.to_lowercase();
    let mut stem = lower.as_str();
    for _ in 0..2 {
        let cut =
            ENDINGS.iter().find_map(|ending| stem.strip_suffix(ending).filter(|rest| rest.chars().count() >= STEM));
        let Some(rest) = cut else { break };
        stem = rest;
    }
    hash_word(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_join_forms_and_part_opposites() {
        for words in [
            &["vomited", "vomiting", "Vomits"][..],
            &["diabetes", "diabetic"],
            &["tachycardia", "tachycardic"],
            &["hypertension", "hypertensive"],
            &["infection", "infections", "infectious", "infected"],
            &["biopsy", "biopsies"],
        ] {
            assert!(words.iter().all(|word| family(word) == family(words[0])), "{words:?}");
        }
        for [one, other] in [["hyperkalemia", "hypokalemia"], ["hypertension", "hypotension"], ["renal", "rectal"]] {
            assert_ne!(family(one), family(other));
        }
        // Nothing shorter than a stem is left, and no text is too odd.
        assert_eq!(family("ions"), hash_word("ions"));
        assert_eq!(family(""), hash_word(""));
        assert_eq!(family("\u{e9}dit\u{e9}s"), family("EDITES"));
    }
}
