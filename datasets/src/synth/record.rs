//! Long records: the patient's facts spread over an admission note and laboratory results, among medication lists,
//! daily panels and papers that have nothing to do with the question.
//!
//! Nothing added here bears on any condition of the clinic: the further analytes are none of the table's measures, and
//! the further papers speak of none of its findings. So the best answer stays what the stated facts make it.

use super::finding;
use super::patient::Patient;
use super::phrase::capital;
use super::rng::{Rng, round};
use super::truth::{Fact, print_number};
use super::vignette;
use crate::Document;

/// Characters a token: about four in English text for the usual vocabularies (OpenAI's and Qwen's guides say so).
pub const CHARACTERS_A_TOKEN: usize = 4;

/// Past illnesses with their usual medicine; none is a finding of the table.
const PAST: &[(&str, &str)] = &[
    ("hyperlipidemia", "atorvastatin 20 mg once a day"),
    ("seasonal allergic conjunctivitis", "olopatadine eye drops twice a day"),
    ("vitamin D deficiency", "cholecalciferol 1000 units once a day"),
    ("glaucoma", "latanoprost eye drops at night"),
    ("insomnia", "melatonin 3 mg at night"),
    ("osteopenia", "calcium carbonate 500 mg once a day"),
    ("onychomycosis", "terbinafine cream once a day"),
    ("seborrheic dermatitis of the scalp", "ketoconazole shampoo twice a week"),
    ("restless legs", "pramipexole 0.125 mg at night"),
    ("sensorineural hearing loss", "no medicine, hearing aids in both ears"),
];

/// Analytes that no condition of the table changes: name, unit, decimals, range.
const NEUTRAL: &[(&str, &str, u32, f64, f64)] = &[
    ("chloride", "mEq/L", 0, 99.0, 105.0),
    ("calcium", "mg/dL", 1, 8.8, 10.0),
    ("magnesium", "mg/dL", 1, 1.8, 2.3),
    ("phosphate", "mg/dL", 1, 2.8, 4.2),
    ("creatinine", "mg/dL", 1, 0.7, 1.1),
    ("albumin", "g/dL", 1, 3.7, 4.6),
    ("total protein", "g/dL", 1, 6.4, 7.8),
    ("platelet count", "/mm3", 0, 180_000.0, 340_000.0),
    ("alkaline phosphatase", "U/L", 0, 48.0, 105.0),
];

/// Papers about something else: title, and sentences with numbers to draw (`{low-high}`).
const ELSEWHERE: &[(&str, &[&str])] = &[
    (
        "Eye clinic",
        &[
            "Visual acuity is 20/{20-40} in the right eye and 20/{20-40} in the left eye.",
            "Intraocular pressure is {12-19} in the right eye and {12-19} in the left eye.",
            "The lens is clear and the optic disc is sharp with a cup ratio of 0.{2-4}.",
            "New glasses were prescribed; the next visit is in {6-18} months.",
            "The patient reads large print without difficulty.",
            "Tear film break-up time is {8-14} seconds.",
        ],
    ),
    (
        "Dental record",
        &[
            "Tooth {2-31} has a composite filling in good order.",
            "Periodontal probing depths are 2 to {3-4} mm.",
            "Cleaning and polishing were done; fluoride varnish was applied.",
            "A crown on tooth {2-31} was recemented.",
            "The next recall is in {4-8} months.",
            "Bitewing films show intact restorations.",
        ],
    ),
    (
        "Audiology",
        &[
            "Pure tone threshold at 1,000 Hz is {20-40} dB in the right ear and {20-40} dB in the left ear.",
            "Word recognition is {84-98} percent in quiet.",
            "Both hearing aids were cleaned and the tubing was replaced.",
            "Tympanometry is normal in both ears.",
            "Battery life was discussed; the warranty runs for {6-30} months.",
        ],
    ),
    (
        "Immunization record",
        &[
            "Influenza vaccine was given in October {2015-2023}, lot {10000-99999}.",
            "Tetanus and diphtheria booster was given in {2012-2022}.",
            "Pneumococcal vaccine was given in {2014-2022}, lot {10000-99999}.",
            "Recombinant zoster vaccine, dose {1-2}, was given in {2018-2023}.",
            "No reaction to earlier vaccines is recorded.",
        ],
    ),
    (
        "Insurance and administration",
        &[
            "Authorization {100000-999999} covers the stay until further notice.",
            "The address and the emergency contact were confirmed by telephone.",
            "A copy of the advance directive is filed under number {1000-9999}.",
            "The parking permit is valid for {2-9} days.",
            "The interpreter service was offered and declined.",
            "The belongings list names a watch, a wallet and {2-4} books.",
        ],
    ),
    (
        "Foot care",
        &[
            "Nails were trimmed; the left great toenail is thickened by fungus.",
            "Monofilament sensation is intact at {9-10} of 10 sites.",
            "Insoles of size {37-46} were fitted.",
            "Calluses over both heels were pared.",
            "The next visit is in {8-14} weeks.",
        ],
    ),
    (
        "Occupational therapy",
        &[
            "The patient lives on floor {1-5} with {8-22} steps and a rail.",
            "Grip strength is {22-38} kg on the right and {20-36} kg on the left.",
            "A bath board and a raised seat were advised.",
            "Kitchen safety was reviewed; no adaptation is needed.",
            "The home visit took {35-70} minutes.",
        ],
    ),
    (
        "Skin clinic",
        &[
            "{2-9} seborrheic keratoses on the back were documented by photograph.",
            "A skin tag of {2-5} mm at the neck was removed by shave.",
            "Sun protection was explained; sunscreen of factor {30-50} was advised.",
            "No suspicious mole was seen by dermoscopy.",
            "The next full skin check is in {10-14} months.",
        ],
    ),
];

/// The documents of a record of about `tokens` tokens, the admission note and the facts' results always whole.
pub fn documents(patient: &Patient, tokens: usize, rng: &mut Rng) -> Vec<Document> {
    let budget = tokens.saturating_mul(CHARACTERS_A_TOKEN);
    let day = rng.between(1, 20);
    let month = rng.between(1, 12);
    let date = |offset: i64| format!("2024-{month:02}-{:02}", day + offset);
    let mut past = PAST.to_vec();
    rng.shuffle(&mut past);
    past.truncate(2 + rng.below(3));
    let mut documents = vec![note(patient, &past, &date(0), rng)];
    let results: Vec<&Fact> = patient.facts.iter().filter(|fact| is_laboratory(fact)).collect();
    let mut used = documents[0].text.len();
    let days = (budget / 2500).clamp(1, 7) as i64;
    for offset in 0..days {
        let full = used + 500 < budget;
        if offset > 0 && !full {
            break;
        }
        let text = panel(&results, offset, full, rng);
        if text.is_empty() {
            continue;
        }
        used += text.len();
        documents.push(Document {
            id: format!("labs-{}", offset + 1),
            title: format!("Laboratory results, day {}", offset + 1),
            text,
            date: Some(date(offset)),
            kind: Some("labs".to_owned()),
            ..Document::default()
        });
    }
    if used + 300 < budget {
        let text = medications(&past);
        used += text.len();
        documents.push(Document {
            id: "medications".to_owned(),
            title: "Medication list".to_owned(),
            text,
            date: Some(date(0)),
            kind: Some("medications".to_owned()),
            ..Document::default()
        });
    }
    let mut number = 0;
    while used + 60 < budget {
        number += 1;
        let (title, sentences) = rng.pick(ELSEWHERE);
        let text = elsewhere(sentences, budget - used, rng);
        used += text.len();
        documents.push(Document {
            id: format!("paper-{number}"),
            title: (*title).to_owned(),
            text,
            date: Some(format!("{}-{:02}-{:02}", rng.between(2016, 2023), rng.between(1, 12), rng.between(1, 28))),
            kind: Some("note".to_owned()),
            ..Document::default()
        });
    }
    // The note is found anywhere among the papers.
    rng.shuffle(&mut documents);
    documents
}

/// Laboratory values stand in the results, not in the note.
fn is_laboratory(fact: &Fact) -> bool {
    finding::measure(&fact.id).is_some_and(|measure| !measure.vital)
}

fn note(patient: &Patient, past: &[(&str, &str)], date: &str, rng: &mut Rng) -> Document {
    let mut shown = patient.clone();
    shown.facts.retain(|fact| !is_laboratory(fact));
    let past: Vec<&str> = past.iter().map(|(illness, _)| *illness).collect();
    let job = rng.text(&["teacher", "bus driver", "accountant", "gardener", "nurse", "carpenter", "librarian", "cook"]);
    let home = rng.text(&["alone", "with a partner", "with two children", "with a sister"]);
    let text = format!(
        "History of present illness and examination: {}\nPast medical history: {}.\nSocial history: {} by profession, lives {home}.\nAllergies: none known.\nPlan: admit for observation and further assessment.",
        vignette::vignette(&shown, rng),
        past.join(", "),
        capital(job),
    );
    Document {
        id: "note".to_owned(),
        title: "Admission note".to_owned(),
        text,
        date: Some(date.to_owned()),
        kind: Some("note".to_owned()),
        ..Document::default()
    }
}

/// One day's values: the facts on the first day, on later days on their way back to normal; with `full`, others too.
fn panel(results: &[&Fact], day: i64, full: bool, rng: &mut Rng) -> String {
    let mut lines: Vec<String> = Vec::new();
    for fact in results {
        let (Some(measure), Some(number)) = (finding::measure(&fact.id), fact.number) else { continue };
        let target = (measure.normal.0 + measure.normal.1) / 2.0;
        // A tenth to a fifth of the way each day.
        let share = (0.1 + 0.1 * rng.unit()) * day as f64;
        let value = super::patient::reported(
            round(number + (target - number) * share.min(1.0), measure.decimals),
            measure.decimals,
        );
        let value = if day == 0 { number } else { value };
        lines.push(format!("{}: {}{}", capital(measure.name), print_number(value, measure.decimals), measure.unit));
    }
    if full {
        for (name, unit, decimals, low, high) in NEUTRAL {
            let value = super::patient::reported(rng.value(*low, *high, *decimals), *decimals);
            lines.push(format!("{}: {} {unit}", capital(name), print_number(value, *decimals)));
        }
    }
    rng.shuffle(&mut lines);
    lines.join("\n")
}

/// The medicines of the past illnesses.
fn medications(past: &[(&str, &str)]) -> String {
    let home = past.iter().filter(|(_, medicine)| !medicine.starts_with("no medicine"));
    let mut lines: Vec<String> = home
        .map(|(illness, medicine)| format!("{}, for {illness} (home medication, continued)", capital(medicine)))
        .collect();
    lines.push("Docusate 100 mg as needed (hospital)".to_owned());
    lines.join("\n")
}

/// Sentences of one paper up to a length in bytes.
fn elsewhere(sentences: &[&str], room: usize, rng: &mut Rng) -> String {
    let mut order: Vec<&str> = sentences.to_vec();
    rng.shuffle(&mut order);
    let mut text = String::new();
    for template in order {
        let sentence = draw_numbers(template, rng);
        if !text.is_empty() && text.len() + sentence.len() > room {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&sentence);
    }
    text
}

/// Replaces each `{low-high}` by an integer of that range.
fn draw_numbers(template: &str, rng: &mut Rng) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (range, tail) = after.split_once('}').unwrap_or((after, ""));
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        let bounds = (low.parse::<i64>().unwrap_or_default(), high.parse::<i64>().unwrap_or_default());
        out.push_str(&rng.between(bounds.0, bounds.1).to_string());
        rest = tail;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::Task;
    use crate::synth::finding::{FINDINGS, MEASURES};
    use crate::synth::{Options, Split, Truth, case};

    #[test]
    fn a_record_has_the_asked_length_and_every_fact() {
        for tokens in [400, 1024, 4096, 16384] {
            let options = Options { tokens: Some(tokens), ..Options::default() };
            for index in 0..12 {
                let case = case(index, 1, Split::Train, &options);
                crate::validate(&case).unwrap();
                let text: String = case.context.iter().map(|d| d.text.as_str()).collect::<Vec<_>>().join("\n");
                let length = text.len() / super::CHARACTERS_A_TOKEN;
                assert!(length < tokens + 120, "{length} for {tokens}");
                assert!(length + 60 > tokens, "{length} for {tokens}");
                for fact in Truth::of(&case).unwrap().facts {
                    assert!(text.contains(&fact.value), "{fact:?} in {text}");
                    let phrase = crate::synth::phrase::bare(&fact.phrase).to_lowercase();
                    assert!(text.to_lowercase().contains(&phrase), "{fact:?} in {text}");
                }
                if case.task == Task::SingleChoice {
                    assert!(case.question.split_whitespace().count() < 12, "{}", case.question);
                }
            }
        }
    }

    #[test]
    fn the_other_papers_speak_of_no_finding() {
        let papers = super::ELSEWHERE.iter().flat_map(|(_, sentences)| sentences.iter().copied());
        let past = super::PAST.iter().flat_map(|(illness, medicine)| [*illness, *medicine]);
        let neutral = super::NEUTRAL.iter().map(|(name, ..)| *name);
        for text in papers.chain(past).chain(neutral) {
            let text = format!(" {} ", text.to_lowercase());
            for finding in FINDINGS {
                for phrase in finding.phrases {
                    let phrase = crate::synth::phrase::bare(phrase.trim_start_matches('~')).to_lowercase();
                    assert!(!text.contains(&format!(" {phrase} ")), "{text} speaks of {phrase}");
                }
            }
            assert!(MEASURES.iter().all(|m| !text.contains(&m.name.to_lowercase())), "{text} names a measure");
        }
    }
}
