//! Single edits: each makes one thing of a faithful response wrong.

use attending_datasets::Case;

use super::Variant;
use crate::evidence::EvidenceIndex;
use crate::lexicon::{Kind as ConceptKind, Lexicon};
use crate::parsed::Parsed;
use crate::quantity::Subject;
use crate::scored::{Objective, Span};
use crate::sections::Format;
use crate::validation::Random;

/// What an edit works on.
#[derive(Debug)]
pub struct Edit<'a> {
    /// The case.
    pub case: &'a Case,
    /// Its evidence.
    pub evidence: &'a EvidenceIndex,
    /// The faithful response, in the format `think_answer` with a boxed letter.
    pub response: &'a str,
    /// The lexicon.
    pub lexicon: &'a Lexicon,
    /// The seed.
    pub seed: u64,
}

/// What the reasoning's facts may move: faithfulness, and with it what is covered.
const FACTS: &[Objective] = &[Objective::Faithfulness, Objective::Comprehensiveness];

fn replaced(text: &str, span: Span, new: &str) -> String {
    format!("{}{new}{}", text.get(..span[0]).unwrap_or(""), text.get(span[1]..).unwrap_or(""))
}

/// All edits for which the response has a place.
pub fn edits(input: &Edit) -> Vec<Variant> {
    let parsed = Parsed::new(input.response, 0, Format::ThinkAnswer, input.evidence, input.lexicon);
    let mut random = Random::keyed(input.seed, &input.case.id);
    let mut found = Vec::new();
    let mut push = |name, falls, may_move, (base, text): (Option<String>, String)| {
        let base = base.unwrap_or_else(|| input.response.to_owned());
        found.push(Variant { name, base, text, falls, may_move });
    };
    let text = input.response;
    if let Some(edited) = value(text, &parsed, input.evidence) {
        push("value changed", Objective::Faithfulness, FACTS, (None, edited));
    }
    if let Some(edited) = unit(text, &parsed, input.evidence) {
        push("unit swapped", Objective::Faithfulness, FACTS, (None, edited));
    }
    if let Some(edited) = negation(text, &parsed, input) {
        push("negation flipped", Objective::Faithfulness, FACTS, (None, edited));
    }
    if let Some(edited) = laterality(text, input.case) {
        push("laterality flipped", Objective::Faithfulness, FACTS, (None, edited));
    }
    if let Some(sentence) = invented(input, &mut random) {
        push("finding invented", Objective::Faithfulness, FACTS, (None, appended(text, &sentence)));
    }
    if let Some((base, edited)) = quotation(text, input.case, &mut random) {
        push("quotation altered", Objective::Faithfulness, FACTS, (Some(base), edited));
    }
    if let Some((base, edited)) = citation(text, input.case) {
        push("citation invented", Objective::Faithfulness, FACTS, (Some(base), edited));
    }
    if let Some(edited) = sex(text, &parsed) {
        push("sex changed", Objective::Faithfulness, FACTS, (None, edited));
    }
    if let Some(edited) = age(text, &parsed, input.evidence) {
        push("age changed", Objective::Faithfulness, FACTS, (None, edited));
    }
    if let Some(edited) = answer(text, input.case) {
        let may = &[Objective::Accuracy, Objective::Faithfulness, Objective::Comprehensiveness];
        push("answer swapped", Objective::Accuracy, may, (None, edited));
    }
    if let Some([start, end]) = parsed.sections.reasoning.filter(|span| span[1] > span[0]) {
        let may = &[Objective::Faithfulness, Objective::Comprehensiveness, Objective::Format];
        push("reasoning removed", Objective::Faithfulness, may, (None, replaced(text, [start, end], "")));
    }
    if let Some(edited) = rivals(text, &parsed, input) {
        push("differential dropped", Objective::Comprehensiveness, FACTS, (None, edited));
    }
    found
}

/// Quantities of the response that the evidence has.
fn supported<'a>(
    parsed: &'a Parsed,
    evidence: &'a EvidenceIndex,
) -> impl Iterator<Item = &'a crate::quantity::Quantity> {
    parsed.reading.quantities.iter().filter(move |quantity| match quantity.subject {
        Subject::Measure(id) => {
            !quantity.target && evidence.values(id).iter().any(|value| value.printed == quantity.value)
        }
        _ => false,
    })
}

/// The printed number at the start of a span.
fn digits(text: &str, span: Span) -> Option<Span> {
    let shown = text.get(span[0]..span[1])?;
    let start = shown.find(|c: char| c.is_ascii_digit())?;
    let end = shown[start..].find(|c: char| !c.is_ascii_digit() && c != '.').map_or(shown.len(), |at| start + at);
    let end = start + shown[start..end].trim_end_matches('.').len();
    Some([span[0] + start, span[0] + end])
}

/// The first supported value, nearly doubled.
fn value(text: &str, parsed: &Parsed, evidence: &EvidenceIndex) -> Option<String> {
    let quantity = supported(parsed, evidence).next()?;
    let span = digits(text, quantity.span)?;
    let shown = &text[span[0]..span[1]];
    let decimals = shown.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let new = shown.parse::<f64>().ok()? * 1.7 + 1.0;
    Some(replaced(text, span, &format!("{new:.decimals$}")))
}

/// Units that are swapped: the number stays and means something else.
const UNITS: [(&str, &str); 10] = [
    ("mg/dL", "mmol/L"),
    ("mmol/L", "mg/dL"),
    ("mEq/L", "mg/dL"),
    ("g/dL", "mmol/L"),
    ("\u{b0}F", "\u{b0}C"),
    ("\u{b0}C", "\u{b0}F"),
    ("kg", "lb"),
    ("lb", "kg"),
    ("cm", "in"),
    ("ng/mL", "g/dL"),
];

fn unit(text: &str, parsed: &Parsed, evidence: &EvidenceIndex) -> Option<String> {
    supported(parsed, evidence).find_map(|quantity| {
        let [start, end] = quantity.span;
        let shown = text.get(start..end)?;
        let (old, new) = UNITS.iter().find(|(old, _)| shown.ends_with(old))?;
        Some(replaced(text, [end - old.len(), end], new))
    })
}

/// A finding that the evidence affirms is denied, or one that it denies affirmed.
fn negation(text: &str, parsed: &Parsed, input: &Edit) -> Option<String> {
    let claimed = |mention: &&crate::reading::Mention| {
        mention.measure.is_none()
            && matches!(input.lexicon.concept(mention.concept).kind, ConceptKind::Finding | ConceptKind::History)
            && parsed
                .clauses_of(mention.sentence)
                .iter()
                .any(|c| c.tokens.contains(&mention.tokens.start) && !c.general)
            && !parsed.is_option(mention.tokens.start)
    };
    for mention in parsed.reading.mentions.iter().filter(claimed) {
        let affirmed = input.evidence.affirmed(mention.concept).iter().any(|fact| !fact.derived);
        let denied = input.evidence.denied(mention.concept, input.lexicon).any(|fact| !fact.derived);
        if mention.status.affirmed() && affirmed && !denied {
            let start = article(text, mention.span[0]);
            return Some(replaced(text, [start, mention.span[0]], "no "));
        }
        if mention.status == crate::assertion::Status::Absent && denied && !affirmed {
            let before = &text[..mention.span[0]];
            for cue in ["no ", "No ", "denies ", "without "] {
                if before.ends_with(cue) {
                    let new = if cue == "denies " { "reports " } else { "" };
                    let start = mention.span[0] - cue.len();
                    return Some(replaced(text, [start, mention.span[0]], new));
                }
            }
        }
    }
    None
}

/// Where an article right before `at` starts, or `at`.
fn article(text: &str, at: usize) -> usize {
    ["a ", "an ", "the "]
        .iter()
        .filter(|word| text[..at].ends_with(**word) && text[..at - word.len()].ends_with(' '))
        .map(|word| at - word.len())
        .next()
        .unwrap_or(at)
}

/// A side that the evidence states, and whose opposite it does not.
fn laterality(text: &str, case: &Case) -> Option<String> {
    let evidence =
        format!("{} {}", case.question, case.context.iter().map(|d| d.text.as_str()).collect::<Vec<_>>().join(" "));
    for (side, other) in [("left", "right"), ("right", "left")] {
        if word_at(&evidence, side, 0).is_none() || word_at(&evidence, other, 0).is_some() {
            continue;
        }
        let mut from = 0;
        while let Some(at) = word_at(text, side, from) {
            // "the right answer" is no side, nor is what "has not left his room".
            let next = text[at + side.len()..].trim_start().split(|c: char| !c.is_alphabetic()).next().unwrap_or("");
            if !["answer", "option", "choice", "diagnosis", "away", "the", "his", "her", "him", "a", "an"]
                .contains(&next)
            {
                return Some(replaced(text, [at, at + side.len()], other));
            }
            from = at + side.len();
        }
    }
    None
}

/// The first whole word from `from` on.
fn word_at(text: &str, word: &str, from: usize) -> Option<usize> {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut from = from;
    loop {
        let at = from + text.get(from..)?.find(word)?;
        let (before, after) = (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
        if !letter(before) && !letter(after) {
            return Some(at);
        }
        from = at + word.len();
    }
}

/// Findings that are claimed where the evidence does not know them.
const INVENTED: [&str; 12] = [
    "hemoptysis",
    "papilledema",
    "jaundice",
    "hematuria",
    "splinter hemorrhages",
    "a malar rash",
    "nuchal rigidity",
    "photophobia",
    "dysphagia",
    "tophi",
    "clubbing",
    "spider angiomata",
];

fn invented(input: &Edit, random: &mut Random) -> Option<String> {
    let from = random.below(INVENTED.len());
    let mut names = (0..INVENTED.len()).map(|at| INVENTED[(from + at) % INVENTED.len()]);
    let unknown = |name: &&str| {
        let concept = input.lexicon.concept_named(name.trim_start_matches("a "));
        concept.is_some_and(|id| {
            input.evidence.affirmed(id).is_empty() && input.evidence.denied(id, input.lexicon).next().is_none()
        }) && !input.case.question.contains(name.trim_start_matches("a "))
    };
    Some(format!("The patient also has {}.", names.find(unknown)?))
}

/// A sentence put at the end of the reasoning.
fn appended(text: &str, sentence: &str) -> String {
    match text.find("</think>") {
        Some(at) => format!("{} {sentence}{}", text[..at].trim_end(), &text[at..]),
        None => format!("{text} {sentence}"),
    }
}

/// A sentence of the evidence quoted, then quoted with some of its words exchanged.
fn quotation(text: &str, case: &Case, random: &mut Random) -> Option<(String, String)> {
    let source = case.context.first().map_or(case.question.as_str(), |document| document.text.as_str());
    let sentences: Vec<&str> = source
        .split_inclusive(". ")
        .map(|sentence| sentence.trim().trim_end_matches('.'))
        .filter(|sentence| (6..30).contains(&sentence.split(' ').count()) && !sentence.contains(['"', '?', '<', '\n']))
        .collect();
    let sentence = sentences.get(random.below(sentences.len()))?;
    let mut words: Vec<&str> = sentence.split(' ').collect();
    let middle = words.len() / 2;
    words.splice(middle - 1..middle + 2, ["markedly", "worse", "since", "yesterday"]);
    let quote = |quoted: &str| appended(text, &format!("The vignette says \"{quoted}\"."));
    Some((quote(sentence), quote(&words.join(" "))))
}

/// A citation of a document that is there, then of one that is not.
fn citation(text: &str, case: &Case) -> Option<(String, String)> {
    let document = case.context.first()?;
    let label = document.label.as_deref()?;
    let sentence = document
        .text
        .split_inclusive(". ")
        .map(|s| s.trim().trim_end_matches('.'))
        .find(|s| s.split(' ').count() >= 6)?;
    let cite = |label: &str| appended(text, &format!("{sentence} [{label}]."));
    let other: String =
        label.chars().map(|c| c.to_digit(10).map_or(c, |d| char::from(b'0' + ((d + 3) % 10) as u8))).collect();
    (other != label).then(|| (cite(label), cite(&other)))
}

/// The first word for the patient's sex, exchanged.
fn sex(text: &str, parsed: &Parsed) -> Option<String> {
    const SEXES: [(&str, &str); 8] = [
        ("woman", "man"),
        ("man", "woman"),
        ("female", "male"),
        ("male", "female"),
        ("girl", "boy"),
        ("boy", "girl"),
        ("lady", "gentleman"),
        ("gentleman", "lady"),
    ];
    let end = parsed.reasoning_end();
    let places =
        SEXES.iter().filter_map(|(word, other)| Some((word_at(text, word, 0).filter(|at| *at < end)?, *word, *other)));
    let (at, word, other) = places.min_by_key(|(at, ..)| *at)?;
    // "A female fetus": not the patient's sex.
    if ["fetus", "partner"].iter().any(|noun| text[at + word.len()..].trim_start().starts_with(noun)) {
        return None;
    }
    Some(replaced(text, [at, at + word.len()], other))
}

/// The patient's age, changed by 23 years.
fn age(text: &str, parsed: &Parsed, evidence: &EvidenceIndex) -> Option<String> {
    let known = |quantity: &&crate::quantity::Quantity| {
        quantity.subject == Subject::Age && evidence.ages().iter().any(|age| age.printed == quantity.value)
    };
    let quantity = parsed.reading.quantities.iter().find(known)?;
    let span = digits(text, quantity.span)?;
    let years: i64 = text[span[0]..span[1]].parse().ok()?;
    Some(replaced(text, span, &(if years > 40 { years - 23 } else { years + 23 }).to_string()))
}

/// The boxed letter, exchanged for the next option's.
fn answer(text: &str, case: &Case) -> Option<String> {
    let key = case.answer.keys.first()?;
    let at = case.options.iter().position(|option| option.key == *key || option.value.as_ref() == Some(key))?;
    let (own, other) = (&case.options[at].key, &case.options[(at + 1) % case.options.len()].key);
    let boxed = format!("\\boxed{{{own}}}");
    let place = text.rfind(&boxed)?;
    Some(replaced(text, [place, place + boxed.len()], &format!("\\boxed{{{other}}}")))
}

/// The response without the sentences that judge a rival, where it has any.
fn rivals(text: &str, parsed: &Parsed, input: &Edit) -> Option<String> {
    let key = input.case.answer.keys.first()?;
    let own = input.evidence.options.position(key)?;
    let end = parsed.reasoning_end();
    let judges = |sentence: &usize| {
        parsed
            .verdicts
            .iter()
            .any(|v| v.sentence == *sentence && v.kept.is_some() && v.option != own && v.span[1] <= end)
    };
    let dropped: Vec<usize> = (0..parsed.reading.sentences.len()).filter(judges).collect();
    let mut edited = text.to_owned();
    for sentence in dropped.iter().rev() {
        let [start, stop] = parsed.reading.sentences[*sentence].span;
        edited.replace_range(start..stop.min(end), "");
    }
    (!dropped.is_empty()).then_some(edited)
}
