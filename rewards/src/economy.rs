//! Economy: what multiplies comprehensiveness down. Repetition, padding, gibberish, another language, length beyond a
//! budget.

use crate::evidence::EvidenceIndex;
use crate::lexicon::{Cues, KeyMap, Word};
use crate::parsed::Parsed;
use crate::prose::Prose;
use crate::rubric::Thresholds;
use crate::scored::{Check, Objective, Outcome};
use crate::text::{Kind, Token, Words};

/// The product of the economy checks.
pub(crate) fn value(checks: &[Check]) -> f64 {
    let economy =
        checks.iter().filter(|c| c.objective == Objective::Comprehensiveness && c.rule.starts_with("economy"));
    economy.map(|check| check.weight).product()
}

/// Makes a check for each way in which the response wastes its reader's time.
pub(crate) fn check(response: &Parsed, evidence: &EvidenceIndex, thresholds: &Thresholds, out: &mut Vec<Check>) {
    let mut push = |rule: &'static str, factor: f64, note: &dyn Fn() -> String| {
        if factor < 1.0 {
            out.push(Check {
                objective: Objective::Comprehensiveness,
                rule: rule.into(),
                outcome: Outcome::Repeated,
                weight: factor.max(0.0),
                response: None,
                field: None,
                evidence: Vec::new(),
                note: note(),
            });
        }
    };
    let prose = response.prose(evidence);
    let words = prose.words;
    let count = prose.told.len();
    let mut seen: KeyMap<u64, ()> = KeyMap::with_capacity_and_hasher(count, Default::default());
    let mut skeletons: KeyMap<u64, usize> = KeyMap::with_capacity_and_hasher(count, Default::default());
    let mut repeated = 0_usize;
    for told in prose.told.iter().filter(|told| told.words >= REPEATABLE) {
        let times = skeletons.entry(told.pattern.skeleton).or_default();
        *times += 1;
        if seen.insert(told.wording, ()).is_some() || (told.pattern.words >= SKELETON && *times > SAME_SKELETON) {
            repeated += told.words;
        }
    }
    if evidence.asks_for_choice() {
        push("economy_prose", prose.factor(), &|| prose.note());
    }
    let padding = padding(response, prose);
    if padding > FREE_PADDING {
        let note = || format!("{:.0} % of the text says nothing of the case", padding * 100.0);
        push("economy_padding", 1.0 - (padding - FREE_PADDING) / (1.0 - FREE_PADDING), &note);
    }
    // Within a sentence: runs of the same word, and of the same short pattern.
    let runs = runs(response);
    let share = (repeated + runs) as f64 / words.max(1) as f64;
    if share > thresholds.repetition || runs > 8 {
        push("economy_repetition", 1.0 - share, &|| format!("{:.0} % of the words repeat", share * 100.0));
    }
    let (english, letters) = response.letters;
    if letters >= 20 && english < 0.8 {
        push("economy_language", english, &|| format!("{:.0} % of the letters are Latin", english * 100.0));
    }
    let (known, all) = prose.told.iter().fold((0, 0), |(known, all), told| (known + told.known.0, all + told.known.1));
    let known = known as f64 / all.max(1) as f64;
    if words >= 12 && known < thresholds.known_words {
        let note = || format!("{:.0} % of the words are common English or clinical", known * 100.0);
        push("economy_gibberish", known / thresholds.known_words, &note);
    }
    let budget = thresholds.length_words;
    if words as f64 > budget {
        push("economy_length", budget / words as f64, &|| format!("{words} words, budget {budget}"));
    }
}

/// Words from which on a sentence said twice is a repetition.
const REPEATABLE: usize = 4;
/// Words that a skeleton must hold for its return to be a repetition: items of a list have fewer.
const SKELETON: usize = 4;
/// Sentences of one skeleton that are free: one an option or so.
const SAME_SKELETON: usize = 3;
/// Share of a text that may say nothing of the case: its frame, its transitions.
const FREE_PADDING: f64 = 0.4;
/// Letters or digits beyond which a token is no word or number that anyone reads.
const LONGEST_TOKEN: u32 = 40;

/// Whether a sentence says anything of the case: it has a concept, a number, an option, a verdict or a longer word of it.
pub(crate) fn says(response: &Parsed, evidence: &EvidenceIndex, sentence: usize) -> bool {
    let reading = &response.reading;
    let of_case = |token: &Token| {
        token.kind == Kind::Word
            && (5..LONGEST_TOKEN).contains(&(token.end - token.start))
            && !COMMON.has(token.hash)
            && evidence.has_words(token.text(response.text))
    };
    !reading.mentions_of(sentence).is_empty()
        || !reading.quantities_of(sentence).is_empty()
        || !response.named_in(sentence).is_empty()
        || reading.cues_of(sentence).iter().any(|cue| cue.value.has(Cues::VERDICT))
        || reading.tokens[reading.sentences[sentence].tokens.clone()].iter().any(of_case)
}

/// The share of a text's bytes that say nothing: sentences that say nothing of the case; tokens of absurd length; rows of the same mark.
fn padding(response: &Parsed, prose: &Prose) -> f64 {
    let reading = &response.reading;
    let (mut all, mut empty) = (0_usize, 0_usize);
    for (index, sentence) in reading.sentences.iter().enumerate() {
        let tokens = &reading.tokens[sentence.tokens.clone()];
        let bytes = || tokens.iter().map(|token| token.end - token.start);
        let whole = bytes().sum::<u32>() as usize;
        all += whole;
        if !prose.told[index].says {
            empty += whole;
            continue;
        }
        empty += bytes().filter(|&bytes| bytes > LONGEST_TOKEN).sum::<u32>() as usize;
        empty += tokens.windows(4).filter(|w| w[0].kind == Kind::Mark && w.iter().all(|t| t.hash == w[0].hash)).count();
    }
    // A short text has no room for padding.
    if all < SHORT { 0.0 } else { empty as f64 / all as f64 }
}

/// Bytes of words below which a text is not searched for padding.
const SHORT: usize = 200;

/// Words that repeat the word before, or the one before that.
fn runs(response: &Parsed) -> usize {
    let words = response.reading.tokens.iter().filter(|token| token.kind != Kind::Mark);
    let mut before = [None; 2];
    let repeats = |token: &&Token| {
        let [first, second] = before;
        before = [second, Some(token.hash)];
        first.is_some() && (before[1] == second || before[1] == first)
    };
    words.filter(repeats).count()
}

/// The commonest English words: without them a text is no English prose.
static COMMON: Words = Words::new(
    "a an the of to in is are was were be been being and or but not no with without for from by on at as this \
    that these those it its he she his her him they their there which who what when where while because since so therefore \
    has have had do does did can could may might would should will most more less likely than then thus also only if such \
    very patient case presents suggests suggesting supports consistent unlikely symptoms signs findings history diagnosis \
    disease answer option correct question given based however although both all any some other due after before during \
    including about into over between normal high low elevated increased decreased makes make fits fit points point argue \
    argues against explains explain condition treatment think first we i know best",
);

/// How many words are common English or clinical, and how many there are.
pub(crate) fn known_words(tokens: &[Token], words: &[Word]) -> (usize, usize) {
    let words = tokens.iter().zip(words).filter(|(token, _)| token.kind == Kind::Word);
    words.fold((0, 0), |(known, all), (token, word)| {
        (known + usize::from(word.is_known() || COMMON.has(token.hash)), all + 1)
    })
}
