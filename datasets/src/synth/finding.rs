//! What can be found in a patient: the vocabulary of the synthetic clinic.
//!
//! Phrases: a leading article is dropped after "no" and after a possessive; a leading `~` marks a plural.

/// Where a finding stands in a record, which decides how it is worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What the patient reports.
    Symptom,
    /// What the examination shows.
    Sign,
    /// Risk factors and past illnesses, worded "a history of ...".
    History,
    /// The result of a study; the text names the study ("A chest X-ray").
    Study(&'static str),
}

/// A finding that is either there or not.
#[derive(Debug)]
pub struct Finding {
    /// Its key in the tables.
    pub id: &'static str,
    /// Where it stands.
    pub kind: Kind,
    /// Noun phrases that mean the same, the first being the usual one.
    pub phrases: &'static [&'static str],
}

/// A measured quantity.
#[derive(Debug)]
pub struct Measure {
    /// Its key in the tables.
    pub id: &'static str,
    /// Its name in running text.
    pub name: &'static str,
    /// Its unit, as printed after the number.
    pub unit: &'static str,
    /// Digits after the point.
    pub decimals: u32,
    /// Values of people without the disease are drawn from here, well inside `reference`.
    pub normal: (f64, f64),
    /// Reference range: below is low, above is high.
    pub reference: (f64, f64),
    /// The name of a low value, empty where there is none in common use.
    pub low: &'static str,
    /// The name of a high value, empty where there is none in common use.
    pub high: &'static str,
    /// Whether it is a vital sign (else a laboratory value).
    pub vital: bool,
}

const fn f(id: &'static str, kind: Kind, phrases: &'static [&'static str]) -> Finding {
    Finding { id, kind, phrases }
}

use Kind::{History, Sign, Study, Symptom};

const CHEST_XRAY: Kind = Study("A chest X-ray");
const ECG: Kind = Study("An ECG");
const CT: Kind = Study("A CT scan");
const ULTRASOUND: Kind = Study("An ultrasound");
const URINE: Kind = Study("Urinalysis");
const FLUID: Kind = Study("Joint fluid analysis");
const CSF: Kind = Study("Lumbar puncture");
const SMEAR: Kind = Study("A blood smear");

/// All findings.
pub const FINDINGS: &[Finding] = &[
    // Breathing and chest.
    f("productive_cough", Symptom, &["a productive cough", "a cough with purulent sputum"]),
    f("dry_cough", Symptom, &["a dry cough"]),
    f("dyspnea", Symptom, &["shortness of breath", "dyspnea"]),
    f("orthopnea", Symptom, &["orthopnea"]),
    f("pleuritic_pain", Symptom, &["pleuritic chest pain"]),
    f("crushing_pain", Symptom, &["crushing chest pain", "pressure-like chest pain"]),
    f("tearing_pain", Symptom, &["tearing chest pain"]),
    f("heartburn", Symptom, &["heartburn"]),
    f("positional_pain", Symptom, &["chest pain relieved by leaning forward"]),
    f("hemoptysis", Symptom, &["hemoptysis"]),
    f("palpitations", Symptom, &["~palpitations"]),
    f("diaphoresis", Symptom, &["diaphoresis", "sweating"]),
    f("chills", Symptom, &["~chills"]),
    f("crackles", Sign, &["~crackles"]),
    f("wheezing", Sign, &["wheezing"]),
    f("unilateral_breath_sounds", Sign, &["~decreased breath sounds on one side"]),
    f("jvd", Sign, &["jugular venous distension"]),
    f("friction_rub", Sign, &["a pericardial friction rub"]),
    f("irregular_pulse", Sign, &["an irregular pulse"]),
    f("pulse_deficit", Sign, &["unequal arm blood pressures"]),
    f("leg_edema", Sign, &["bilateral leg edema"]),
    f("calf_swelling", Sign, &["unilateral calf swelling"]),
    f("consolidation", CHEST_XRAY, &["lobar consolidation"]),
    f("congestion", CHEST_XRAY, &["pulmonary congestion"]),
    f("hyperinflation", CHEST_XRAY, &["hyperinflation"]),
    f("pleural_air", CHEST_XRAY, &["a visible pleural line"]),
    f("wide_mediastinum", CHEST_XRAY, &["a widened mediastinum"]),
    f("st_elevation", ECG, &["focal ST elevation"]),
    f("diffuse_st", ECG, &["diffuse ST elevation"]),
    f("irregular_rhythm", ECG, &["an irregularly irregular rhythm"]),
    // Abdomen and urine.
    f("nausea", Symptom, &["nausea"]),
    f("vomiting", Symptom, &["vomiting"]),
    f("diarrhea", Symptom, &["watery diarrhea"]),
    f("constipation", Symptom, &["constipation"]),
    f("rlq_pain", Symptom, &["right lower quadrant pain"]),
    f("ruq_pain", Symptom, &["right upper quadrant pain"]),
    f("llq_pain", Symptom, &["left lower quadrant pain"]),
    f("epigastric_pain", Symptom, &["epigastric pain radiating to the back"]),
    f("crampy_pain", Symptom, &["crampy abdominal pain"]),
    f("anorexia", Symptom, &["loss of appetite", "anorexia"]),
    f("vaginal_bleeding", Symptom, &["vaginal bleeding"]),
    f("missed_period", Symptom, &["a missed period"]),
    f("dark_urine", Symptom, &["dark urine"]),
    f("dysuria", Symptom, &["dysuria", "burning with urination"]),
    f("frequency", Symptom, &["urinary frequency"]),
    f("flank_pain", Symptom, &["flank pain"]),
    f("colicky_groin_pain", Symptom, &["colicky pain radiating to the groin"]),
    f("rebound", Sign, &["rebound tenderness"]),
    f("murphy", Sign, &["a positive Murphy sign"]),
    f("distension", Sign, &["abdominal distension"]),
    f("cva_tenderness", Sign, &["costovertebral angle tenderness"]),
    f("suprapubic_tenderness", Sign, &["suprapubic tenderness"]),
    f("jaundice", Sign, &["jaundice"]),
    f("pyuria", URINE, &["pyuria"]),
    f("hematuria", URINE, &["hematuria"]),
    f("ketonuria", URINE, &["ketonuria"]),
    f("gallstones", ULTRASOUND, &["~gallstones"]),
    f("adnexal_mass", ULTRASOUND, &["an adnexal mass"]),
    f("dilated_bowel", CT, &["~dilated bowel loops"]),
    f("diverticular_inflammation", CT, &["inflamed colonic diverticula"]),
    f("dilated_appendix", CT, &["a dilated appendix"]),
    f("ureteral_stone", CT, &["a ureteral stone"]),
    // Metabolism and blood.
    f("polyuria", Symptom, &["polyuria"]),
    f("thirst", Symptom, &["excessive thirst", "polydipsia"]),
    f("fatigue", Symptom, &["fatigue"]),
    f("weight_gain", Symptom, &["weight gain"]),
    f("weight_loss", Symptom, &["weight loss"]),
    f("cold_intolerance", Symptom, &["cold intolerance"]),
    f("heat_intolerance", Symptom, &["heat intolerance"]),
    f("tremor", Symptom, &["a tremor"]),
    f("dizziness", Symptom, &["dizziness"]),
    f("salt_craving", Symptom, &["salt craving"]),
    f("pica", Symptom, &["ice craving"]),
    f("paresthesia", Symptom, &["tingling in the feet"]),
    f("pallor", Sign, &["pallor"]),
    f("dry_skin", Sign, &["dry skin"]),
    f("goiter", Sign, &["a goiter"]),
    f("exophthalmos", Sign, &["exophthalmos"]),
    f("hyperpigmentation", Sign, &["skin hyperpigmentation"]),
    f("vibration_loss", Sign, &["loss of vibration sense"]),
    f("kussmaul", Sign, &["deep rapid breathing"]),
    f("hypersegmented", SMEAR, &["hypersegmented neutrophils"]),
    // Head and nerves.
    f("headache", Symptom, &["headache"]),
    f("throbbing_headache", Symptom, &["a throbbing one-sided headache"]),
    f("thunderclap", Symptom, &["a sudden thunderclap headache"]),
    f("photophobia", Symptom, &["photophobia"]),
    f("visual_aura", Symptom, &["a visual aura"]),
    f("confusion", Sign, &["confusion"]),
    f("neck_stiffness", Sign, &["neck stiffness"]),
    f("hemiparesis", Sign, &["weakness of one arm"]),
    f("facial_droop", Sign, &["facial droop"]),
    f("slurred_speech", Sign, &["slurred speech"]),
    f("petechiae", Sign, &["~petechiae"]),
    f("subarachnoid_blood", CT, &["subarachnoid blood"]),
    f("csf_neutrophils", CSF, &["cerebrospinal fluid pleocytosis"]),
    // Joints, skin, throat.
    f("toe_pain", Symptom, &["big toe pain"]),
    f("knee_pain", Symptom, &["knee pain"]),
    f("hand_pain", Symptom, &["pain in both hands"]),
    f("morning_stiffness", Symptom, &["prolonged morning stiffness"]),
    f("joint_swelling", Sign, &["a swollen warm joint"]),
    f("symmetric_swelling", Sign, &["symmetric swelling of the finger joints"]),
    f("crepitus", Sign, &["joint crepitus"]),
    f("spreading_erythema", Sign, &["spreading skin redness"]),
    f("tophi", Sign, &["~tophi"]),
    f("urate_crystals", FLUID, &["~urate crystals"]),
    f("joint_bacteria", FLUID, &["~gram-positive cocci"]),
    f("vein_clot", ULTRASOUND, &["a noncompressible femoral vein"]),
    f("sore_throat", Symptom, &["a sore throat"]),
    f("tonsillar_exudate", Sign, &["tonsillar exudate"]),
    f("cervical_nodes", Sign, &["~tender cervical lymph nodes"]),
    f("posterior_nodes", Sign, &["~posterior cervical lymph nodes"]),
    f("splenomegaly", Sign, &["splenomegaly"]),
    f("rash", Sign, &["a maculopapular rash"]),
    f("rhinorrhea", Symptom, &["rhinorrhea", "a runny nose"]),
    f("atypical_lymphocytes", SMEAR, &["~atypical lymphocytes"]),
    // History and exposures.
    f("smoking", History, &["smoking"]),
    f("alcohol", History, &["heavy alcohol use"]),
    f("immobilization", History, &["recent immobilization"]),
    f("surgery", History, &["recent surgery"]),
    f("cancer", History, &["cancer"]),
    f("asthma_history", History, &["asthma"]),
    f("hypertension", History, &["hypertension"]),
    f("coronary_disease", History, &["coronary artery disease"]),
    f("diabetes", History, &["diabetes"]),
    f("type1_diabetes", History, &["type 1 diabetes"]),
    f("viral_illness", History, &["a recent viral infection"]),
    f("abdominal_surgery", History, &["abdominal surgery"]),
    f("spoiled_food", History, &["eating spoiled food"]),
    f("injection_drugs", History, &["injection drug use"]),
    f("heavy_menses", History, &["heavy menstrual bleeding"]),
    f("vegan_diet", History, &["a strict vegan diet"]),
    f("autoimmune", History, &["autoimmune disease"]),
    f("kidney_stones", History, &["kidney stones"]),
    f("prosthesis", History, &["a joint prosthesis"]),
    f("skin_wound", History, &["a skin wound"]),
];

#[allow(clippy::too_many_arguments)] // one row of the table
const fn m(
    id: &'static str,
    name: &'static str,
    unit: &'static str,
    decimals: u32,
    normal: (f64, f64),
    reference: (f64, f64),
    names: (&'static str, &'static str),
    vital: bool,
) -> Measure {
    Measure { id, name, unit, decimals, normal, reference, low: names.0, high: names.1, vital }
}

/// Pairs that name one thing, or a part of another: where one is there, the other is not denied.
pub const OVERLAPS: &[(&str, &str)] = &[
    ("headache", "throbbing_headache"),
    ("headache", "thunderclap"),
    ("throbbing_headache", "thunderclap"),
    ("irregular_pulse", "irregular_rhythm"),
    ("joint_swelling", "symmetric_swelling"),
    ("joint_swelling", "spreading_erythema"),
    ("cervical_nodes", "posterior_nodes"),
    ("leg_edema", "calf_swelling"),
    ("productive_cough", "dry_cough"),
    ("flank_pain", "colicky_groin_pain"),
    ("flank_pain", "cva_tenderness"),
    ("nausea", "vomiting"),
    ("confusion", "slurred_speech"),
    ("crampy_pain", "rlq_pain"),
    ("crampy_pain", "llq_pain"),
    ("pleuritic_pain", "positional_pain"),
];

/// Findings that half of all illnesses bring: they tell nothing against a condition.
pub const UNSPECIFIC: &[&str] =
    &["fatigue", "nausea", "vomiting", "headache", "anorexia", "chills", "dizziness", "weight_gain", "diaphoresis"];

/// Whether a finding may be denied in a patient in whom these are there.
pub fn deniable<'a>(id: &str, mut present: impl Iterator<Item = &'a str>) -> bool {
    present.all(|there| there != id && !OVERLAPS.contains(&(there, id)) && !OVERLAPS.contains(&(id, there)))
}

/// All measures. Reference limits follow the sources beside them; the normal values drawn lie well inside.
pub const MEASURES: &[Measure] = &[
    // Fever from 38.0 degrees (NICE NG143, SIRS criteria 1992); low below 36.0.
    m("temperature", "temperature", " °C", 1, (36.5, 37.3), (36.0, 37.9), ("hypothermia", "fever"), true),
    // Tachycardia above 100, bradycardia below 60 (AHA).
    m("heart_rate", "heart rate", "/min", 0, (64.0, 90.0), (60.0, 100.0), ("bradycardia", "tachycardia"), true),
    // Tachypnea above 20 (SIRS criteria 1992).
    m("respiratory_rate", "respiratory rate", "/min", 0, (13.0, 18.0), (12.0, 20.0), ("", "tachypnea"), true),
    // Hypotension below 90, hypertension from 140 mm Hg systolic (ESC 2018).
    m(
        "systolic",
        "systolic blood pressure",
        " mm Hg",
        0,
        (112.0, 132.0),
        (90.0, 139.0),
        ("hypotension", "hypertension"),
        true,
    ),
    // Hypoxemia below 94 % on room air (BTS oxygen guideline 2017: target 94-98 %).
    m("saturation", "oxygen saturation", "%", 0, (96.0, 99.0), (94.0, 100.0), ("hypoxemia", ""), true),
    // 4,500 to 11,000 a microlitre (ABIM laboratory reference ranges 2024: 4,000-11,000).
    m(
        "leukocytes",
        "leukocyte count",
        "/mm3",
        0,
        (5200.0, 9400.0),
        (4500.0, 11000.0),
        ("leukopenia", "leukocytosis"),
        false,
    ),
    // Anemia below 12 (women) or 13 (men) g/dL (WHO 2011); drawn normal values are normal for both.
    m("hemoglobin", "hemoglobin", " g/dL", 1, (13.4, 15.4), (12.0, 17.0), ("anemia", "polycythemia"), false),
    // 80 to 100 fL (ABIM 2024).
    m("mcv", "mean corpuscular volume", " fL", 0, (84.0, 95.0), (80.0, 100.0), ("microcytosis", "macrocytosis"), false),
    // Iron deficiency below 15 ng/mL, likely below 30 (WHO 2020, BSG 2021).
    m("ferritin", "ferritin", " ng/mL", 0, (45.0, 180.0), (30.0, 300.0), ("", ""), false),
    // Deficient below 200 pg/mL (BCSH 2014).
    m("b12", "vitamin B12", " pg/mL", 0, (320.0, 700.0), (200.0, 900.0), ("", ""), false),
    // 0.4 to 4.0 mIU/L (ATA 2014).
    m("tsh", "TSH", " mIU/L", 1, (0.9, 3.4), (0.4, 4.0), ("", ""), false),
    // Random glucose from 200 mg/dL is diabetic (ADA); ketoacidosis usually above 250 (ADA 2009).
    m("glucose", "glucose", " mg/dL", 0, (82.0, 118.0), (70.0, 140.0), ("hypoglycemia", "hyperglycemia"), false),
    // 22 to 28 mEq/L; ketoacidosis below 18 (ADA 2009).
    m("bicarbonate", "bicarbonate", " mEq/L", 0, (23.0, 27.0), (22.0, 28.0), ("", ""), false),
    // 135 to 145 mEq/L (ABIM 2024).
    m("sodium", "sodium", " mEq/L", 0, (137.0, 143.0), (135.0, 145.0), ("hyponatremia", "hypernatremia"), false),
    // 3.5 to 5.0 mEq/L (ABIM 2024).
    m("potassium", "potassium", " mEq/L", 1, (3.7, 4.7), (3.5, 5.0), ("hypokalemia", "hyperkalemia"), false),
    // Three times the upper limit of 60 U/L is diagnostic of pancreatitis (revised Atlanta 2012).
    m("lipase", "lipase", " U/L", 0, (18.0, 52.0), (10.0, 60.0), ("", ""), false),
    // 10 to 40 U/L (ABIM 2024).
    m("alt", "ALT", " U/L", 0, (14.0, 36.0), (10.0, 40.0), ("", ""), false),
    // 0.3 to 1.0 mg/dL (ABIM 2024).
    m("bilirubin", "bilirubin", " mg/dL", 1, (0.4, 0.9), (0.3, 1.2), ("", "hyperbilirubinemia"), false),
    // 99th percentile 0.04 ng/mL (conventional troponin I; fourth universal definition 2018).
    m("troponin", "troponin", " ng/mL", 2, (0.01, 0.03), (0.0, 0.04), ("", ""), false),
    // Heart failure unlikely below 100 pg/mL (ESC 2021).
    m("bnp", "BNP", " pg/mL", 0, (15.0, 70.0), (0.0, 100.0), ("", ""), false),
    // Pulmonary embolism excluded below 500 ng/mL at low probability (ESC 2019).
    m("d_dimer", "D-dimer", " ng/mL", 0, (150.0, 420.0), (0.0, 500.0), ("", ""), false),
    // Below 10 mg/L (ABIM 2024: up to 8).
    m("crp", "C-reactive protein", " mg/L", 0, (1.0, 6.0), (0.0, 10.0), ("", ""), false),
    // Urate saturates at 6.8 mg/dL (ACR 2020).
    m("uric_acid", "uric acid", " mg/dL", 1, (4.0, 6.2), (2.5, 7.0), ("", "hyperuricemia"), false),
    // Not pregnant below 5 mIU/mL.
    m("hcg", "beta-hCG", " mIU/mL", 0, (1.0, 4.0), (0.0, 5.0), ("", ""), false),
];

/// The finding of that key.
pub fn finding(id: &str) -> Option<&'static Finding> {
    FINDINGS.iter().find(|finding| finding.id == id)
}

/// The measure of that key.
pub fn measure(id: &str) -> Option<&'static Measure> {
    MEASURES.iter().find(|measure| measure.id == id)
}

/// Whether a value is below (-1), inside (0) or above (1) the reference range.
pub fn level(measure: &Measure, value: f64) -> i8 {
    if value < measure.reference.0 {
        -1
    } else if value > measure.reference.1 {
        1
    } else {
        0
    }
}
