//! Economy: what multiplies comprehensiveness down. Repetition, gibberish, another language, length beyond a budget.

use crate::language;
use crate::lexicon::{KeyMap, Lexicon};
use crate::parsed::Parsed;
use crate::rubric::Thresholds;
use crate::scored::{Check, Objective, Outcome};
use crate::text::{Kind, hash_word};

/// The product of the economy checks.
pub(crate) fn value(checks: &[Check]) -> f64 {
    let economy =
        checks.iter().filter(|c| c.objective == Objective::Comprehensiveness && c.rule.starts_with("economy"));
    economy.map(|check| check.weight).product()
}

/// Makes a check for each way in which the response wastes its reader's time.
pub(crate) fn check(response: &Parsed, lexicon: &Lexicon, thresholds: &Thresholds, out: &mut Vec<Check>) {
    let mut push = |rule: &'static str, factor: f64, note: String| {
        if factor < 1.0 {
            out.push(Check {
                objective: Objective::Comprehensiveness,
                rule: rule.into(),
                outcome: Outcome::Repeated,
                weight: factor.max(0.0),
                response: None,
                field: None,
                evidence: Vec::new(),
                note,
            });
        }
    };
    let reading = &response.reading;
    let mut seen: KeyMap<u64, ()> = KeyMap::default();
    let (mut words, mut repeated) = (0_usize, 0_usize);
    for sentence in &reading.sentences {
        let tokens = &reading.tokens[sentence.tokens.clone()];
        let count = tokens.iter().filter(|token| token.kind != Kind::Mark).count();
        words += count;
        if count < 4 {
            continue;
        }
        let hash = tokens
            .iter()
            .filter(|token| token.kind != Kind::Mark)
            .fold(0_u64, |hash, token| (hash ^ token.hash).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(9));
        if seen.insert(hash, ()).is_some() {
            repeated += count;
        }
    }
    // Within a sentence: runs of the same word, and of the same short pattern.
    let runs = runs(response);
    let share = (repeated + runs) as f64 / words.max(1) as f64;
    if share > thresholds.repetition || runs > 8 {
        push("economy_repetition", 1.0 - share, format!("{:.0} % of the words repeat", share * 100.0));
    }
    let (english, letters) = language::share(response.text);
    if letters >= 20 && english < 0.8 {
        push("economy_language", english, format!("{:.0} % of the letters are Latin", english * 100.0));
    }
    let known = known_words(response, lexicon);
    if words >= 12 && known < thresholds.known_words {
        let note = format!("{:.0} % of the words are common English or clinical", known * 100.0);
        push("economy_gibberish", known / thresholds.known_words, note);
    }
    let budget = thresholds.length_words;
    if words as f64 > budget {
        push("economy_length", budget / words as f64, format!("{words} words, budget {budget}"));
    }
}

/// Words that repeat the word before, or the one before that.
fn runs(response: &Parsed) -> usize {
    let words: Vec<u64> = response.reading.tokens.iter().filter(|t| t.kind != Kind::Mark).map(|t| t.hash).collect();
    words.windows(3).filter(|w| w[2] == w[1] || w[2] == w[0]).count()
}

/// The commonest English words: without them a text is no English prose.
const COMMON: &str = "a an the of to in is are was were be been being and or but not no with without for from by on at as this \
    that these those it its he she his her him they their there which who what when where while because since so therefore \
    has have had do does did can could may might would should will most more less likely than then thus also only if such \
    very patient case presents suggests suggesting supports consistent unlikely symptoms signs findings history diagnosis \
    disease answer option correct question given based however although both all any some other due after before during \
    including about into over between normal high low elevated increased decreased makes make fits fit points point argue \
    argues against explains explain condition treatment think first we i know best";

fn known_words(response: &Parsed, lexicon: &Lexicon) -> f64 {
    static WORDS: std::sync::OnceLock<KeyMap<u64, ()>> = std::sync::OnceLock::new();
    let common = WORDS.get_or_init(|| COMMON.split_whitespace().map(|word| (hash_word(word), ())).collect());
    let (mut all, mut known) = (0_usize, 0_usize);
    for token in response.reading.tokens.iter().filter(|token| token.kind == Kind::Word) {
        all += 1;
        known += usize::from(common.contains_key(&token.hash) || lexicon.vocabulary.knows(token.hash));
    }
    known as f64 / all.max(1) as f64
}
