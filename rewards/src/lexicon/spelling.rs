//! Spellings of one word: singular and plural, American and British.
//!
//! A phrase is entered by its words' *lemmas* (singular, American) and each lemma's spellings all lead to it, so that
//! "oedemas" finds "edema" whatever other phrases hold. The rules are regular; a wrong lemma ("diabete") does no harm
//! as long as all spellings share it.

/// American stems and their British spelling.
const BRITISH: &[(&str, &str)] = &[
    ("edema", "oedema"),
    ("hemo", "haemo"),
    ("hema", "haema"),
    ("hemi", "haemi"),
    ("hemorrh", "haemorrh"),
    ("anemi", "anaemi"),
    ("leukemi", "leukaemi"),
    ("ischem", "ischaem"),
    ("emia", "aemia"),
    ("emic", "aemic"),
    ("rrhea", "rrhoea"),
    ("esoph", "oesoph"),
    ("leukocyt", "leucocyt"),
    ("tumor", "tumour"),
    ("color", "colour"),
    ("fetal", "foetal"),
    ("fetus", "foetus"),
    ("gynec", "gynaec"),
    ("celiac", "coeliac"),
    ("cecum", "caecum"),
    ("pnea", "pnoea"),
    ("goiter", "goitre"),
    ("feces", "faeces"),
    ("fecal", "faecal"),
    ("odor", "odour"),
    ("paresthes", "paraesthes"),
    ("anesthe", "anaesthe"),
    ("cesarean", "caesarean"),
    ("pediatr", "paediatr"),
    ("orthoped", "orthopaed"),
    ("labor", "labour"),
    ("behavior", "behaviour"),
    ("fiber", "fibre"),
    ("center", "centre"),
    ("estrogen", "oestrogen"),
    ("etiolog", "aetiolog"),
    ("sulf", "sulph"),
    ("ization", "isation"),
    ("ized", "ised"),
    ("izing", "ising"),
    ("paralyz", "paralys"),
    ("maneuver", "manoeuvre"),
    ("ameba", "amoeba"),
    ("amebi", "amoebi"),
    ("melena", "melaena"),
    ("coprolog", "koprolog"),
    ("uremi", "uraemi"),
    ("dyspnea", "dyspnoea"),
];

/// Words whose American stem above means something else: "hemiparesis" is spelled so everywhere.
const NOT_BRITISH: &[&str] = &["hemip", "hemis", "hemib", "academi", "systemic", "polemic"];

/// Plurals that no rule makes.
const IRREGULAR: &[(&str, &str)] = &[
    ("emboli", "embolus"),
    ("thrombi", "thrombus"),
    ("bullae", "bulla"),
    ("vertebrae", "vertebra"),
    ("conjunctivae", "conjunctiva"),
    ("bacteria", "bacterium"),
    ("diverticula", "diverticulum"),
    ("fungi", "fungus"),
    ("calculi", "calculus"),
    ("bronchi", "bronchus"),
    ("nuclei", "nucleus"),
    ("ova", "ovum"),
    ("larvae", "larva"),
    ("fistulae", "fistula"),
    ("maculae", "macula"),
    ("papulae", "papula"),
    ("aortae", "aorta"),
    ("ganglia", "ganglion"),
    ("criteria", "criterion"),
    ("indices", "index"),
    ("appendices", "appendix"),
    ("cervices", "cervix"),
    ("cortices", "cortex"),
    ("varices", "varix"),
    ("biceps", "biceps"),
    ("feet", "foot"),
    ("teeth", "tooth"),
    ("lice", "louse"),
    ("verrucae", "verruca"),
    ("scapulae", "scapula"),
    ("tibiae", "tibia"),
    ("nevi", "nevus"),
    ("naevi", "nevus"),
    ("comedones", "comedo"),
    ("sarcomata", "sarcoma"),
    ("stigmata", "stigma"),
    ("phalanges", "phalanx"),
    ("striae", "stria"),
];

/// Greek plurals in -es of words in -is.
const GREEK: &[&str] = &["stases", "gnoses", "croses", "broses", "lyses", "choses", "uloses", "boses", "ptoses"];

/// The lemma of a word in lower case.
pub(super) fn lemma(word: &str) -> String {
    singular(&american(word))
}

fn singular(word: &str) -> String {
    if let Some((_, singular)) = IRREGULAR.iter().find(|(plural, _)| *plural == word) {
        return (*singular).to_owned();
    }
    let Some(stem) = word.strip_suffix('s') else { return word.to_owned() };
    if word.len() < 4 || ["ss", "us", "is"].iter().any(|ending| word.ends_with(ending)) {
        return word.to_owned();
    }
    if GREEK.iter().any(|ending| word.ends_with(ending)) {
        return format!("{}is", &word[..word.len() - 2]);
    }
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.len() >= 3) {
        return format!("{stem}y");
    }
    let hissing = ["sses", "uses", "xes", "ches", "shes", "zes"].iter().any(|ending| word.ends_with(ending));
    if hissing && !word.ends_with("aches") && !["causes", "pauses", "abuses", "bruises"].contains(&word) {
        return word[..word.len() - 2].to_owned();
    }
    stem.to_owned()
}

fn american(word: &str) -> String {
    let mut spelled = word.to_owned();
    for (american, british) in BRITISH {
        // "raised" and "exercise" are spelled so everywhere: -ise is only folded behind a consonant.
        if matches!(*british, "ised" | "ising" | "isation") {
            continue;
        }
        if spelled.contains(british) {
            spelled = spelled.replacen(british, american, 1);
        }
    }
    spelled
}

/// The spellings of a lemma other than itself.
pub(super) fn spellings(lemma: &str) -> Vec<String> {
    let mut found: Vec<String> =
        IRREGULAR.iter().filter(|(_, one)| *one == lemma).map(|(many, _)| (*many).to_owned()).collect();
    found.extend(plural(lemma));
    let british = british(lemma);
    if british != lemma {
        found.extend(plural(&british));
        found.push(british);
    }
    found
}

fn british(word: &str) -> String {
    if NOT_BRITISH.iter().any(|stem| word.starts_with(stem)) && !word.ends_with("emia") {
        return word.to_owned();
    }
    let mut spelled = word.to_owned();
    for (american, british) in BRITISH {
        if spelled.contains(american) && !spelled.contains(british) {
            spelled = spelled.replacen(american, british, 1);
        }
    }
    spelled
}

/// The regular plural.
fn plural(word: &str) -> Option<String> {
    if word.len() < 2 {
        return None;
    }
    if let Some(stem) = word.strip_suffix("is") {
        return Some(format!("{stem}es"));
    }
    if let Some(stem) = word.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u'])) {
        return Some(format!("{stem}ies"));
    }
    let hissing = ["s", "x", "z", "ch", "sh"].iter().any(|ending| word.ends_with(ending));
    Some(format!("{word}{}", if hissing { "es" } else { "s" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lemma_for_all_spellings() {
        let rows = [
            ("edema", "oedemas"),
            ("headache", "headaches"),
            ("rash", "rashes"),
            ("biopsy", "biopsies"),
            ("embolus", "emboli"),
            ("metastasis", "metastases"),
            ("abscess", "abscesses"),
            ("disease", "diseases"),
            ("anemia", "anaemias"),
            ("diarrhea", "diarrhoea"),
            ("esophagus", "oesophagus"),
            ("hemoglobin", "haemoglobin"),
            ("ischemia", "ischaemia"),
            ("hypoglycemia", "hypoglycaemia"),
            ("virus", "viruses"),
            ("reflex", "reflexes"),
            ("hemorrhoid", "haemorrhoids"),
            ("tumor", "tumours"),
            ("hematuria", "haematuria"),
            ("dyspnea", "dyspnoea"),
        ];
        for (american, other) in rows {
            assert_eq!(lemma(american), lemma(other), "{other}");
            assert!(spellings(&lemma(american)).iter().any(|word| word == other), "{other}");
        }
        for word in ["hemiparesis", "systemic", "pus", "sepsis", "raised", "exercise"] {
            assert_eq!(lemma(word), *word);
            assert_eq!(british(word), *word);
        }
    }

    proptest::proptest! {
        /// Every spelling of a lemma that is itself a lemma leads back to it, so that no phrase is lost by its number.
        #[test]
        fn a_regular_plural_has_its_singular_as_lemma(word in "[a-z]{3,10}[bdfgklmnprtw]") {
            let one = lemma(&word);
            proptest::prop_assert_eq!(lemma(&format!("{one}s")), one);
        }
    }
}
