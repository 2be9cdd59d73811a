//! The conditions of the synthetic clinic: who gets them, what is found, and what they are mistaken for.
//!
//! Probabilities are rounded textbook sensitivities (Harrison's Principles of Internal Medicine, 21st ed.; Tintinalli's
//! Emergency Medicine, 9th ed.; McGee, Evidence-Based Physical Diagnosis, 5th ed.). They make plausible cases and
//! a well-defined best answer; they are not meant for the care of anyone. Value ranges are typical of the condition
//! and lie clearly outside the reference range of [`super::finding::MEASURES`].

/// One measure of a condition: key, probability of being abnormal, range of abnormal values.
pub type Typical = (&'static str, f64, f64, f64);

/// A condition and its picture.
#[derive(Debug)]
pub struct Condition {
    /// Its key in the tables.
    pub id: &'static str,
    /// Its name as an answer option.
    pub name: &'static str,
    /// Ages in years.
    pub age: (i64, i64),
    /// Share of women; 1 and 0 also exclude the other sex where the condition is only an option.
    pub female: f64,
    /// How long it has lasted: least, most, unit.
    pub course: (i64, i64, &'static str),
    /// Findings and their probabilities; all others have [`BACKGROUND`].
    pub findings: &'static [(&'static str, f64)],
    /// Measures that it changes; all others are normal with probability 1 - [`BACKGROUND`].
    pub measures: &'static [Typical],
    /// Keys of the conditions it is told apart from.
    pub rivals: &'static [&'static str],
}

/// Probability of a finding that a condition says nothing about.
pub const BACKGROUND: f64 = 0.03;

macro_rules! condition {
    ($id:literal, $name:literal, $age:expr, $female:expr, $course:expr,
     [$($finding:literal $p:literal),* $(,)?], [$($typical:expr),* $(,)?], [$($rival:literal),* $(,)?]) => {
        Condition {
            id: $id, name: $name, age: $age, female: $female, course: $course,
            findings: &[$(($finding, $p)),*], measures: &[$($typical),*], rivals: &[$($rival),*],
        }
    };
}

/// All conditions.
#[rustfmt::skip]
pub const CONDITIONS: &[Condition] = &[
    condition!("pneumonia", "Pneumonia", (24, 85), 0.5, (2, 6, "day"),
        ["productive_cough" 0.85, "dyspnea" 0.7, "pleuritic_pain" 0.45, "chills" 0.55, "crackles" 0.75, "consolidation" 0.85,
         "fatigue" 0.3, "smoking" 0.3],
        [("temperature", 0.85, 38.3, 39.8), ("respiratory_rate", 0.7, 22.0, 30.0), ("heart_rate", 0.6, 102.0, 122.0),
         ("saturation", 0.6, 87.0, 93.0), ("leukocytes", 0.8, 12500.0, 21000.0), ("crp", 0.9, 80.0, 240.0)],
        ["pulmonary_embolism", "heart_failure", "copd", "asthma", "pneumothorax"]),
    condition!("pulmonary_embolism", "Pulmonary embolism", (28, 78), 0.5, (1, 3, "day"),
        ["dyspnea" 0.85, "pleuritic_pain" 0.65, "hemoptysis" 0.2, "calf_swelling" 0.45, "immobilization" 0.45, "cancer" 0.25,
         "surgery" 0.3, "dry_cough" 0.25],
        [("heart_rate", 0.8, 104.0, 132.0), ("respiratory_rate", 0.75, 22.0, 32.0), ("saturation", 0.7, 86.0, 93.0),
         ("d_dimer", 0.97, 1100.0, 5200.0)],
        ["pneumonia", "pneumothorax", "pericarditis", "myocardial_infarction", "heart_failure"]),
    condition!("heart_failure", "Heart failure", (55, 88), 0.5, (1, 4, "week"),
        ["dyspnea" 0.9, "orthopnea" 0.75, "crackles" 0.75, "jvd" 0.6, "leg_edema" 0.75, "congestion" 0.8,
         "hypertension" 0.6, "coronary_disease" 0.5, "fatigue" 0.5, "weight_gain" 0.5],
        [("bnp", 0.95, 520.0, 2600.0), ("saturation", 0.5, 88.0, 93.0), ("respiratory_rate", 0.6, 22.0, 28.0)],
        ["pneumonia", "copd", "pulmonary_embolism", "pericarditis", "atrial_fibrillation"]),
    condition!("copd", "COPD exacerbation", (50, 82), 0.45, (2, 6, "day"),
        ["dyspnea" 0.9, "productive_cough" 0.75, "wheezing" 0.8, "smoking" 0.92, "hyperinflation" 0.7],
        [("saturation", 0.75, 85.0, 92.0), ("respiratory_rate", 0.7, 22.0, 30.0), ("heart_rate", 0.4, 102.0, 116.0)],
        ["asthma", "pneumonia", "heart_failure", "pulmonary_embolism", "pneumothorax"]),
    condition!("asthma", "Asthma exacerbation", (18, 42), 0.55, (1, 3, "day"),
        ["dyspnea" 0.92, "wheezing" 0.92, "dry_cough" 0.7, "asthma_history" 0.85, "rhinorrhea" 0.35],
        [("respiratory_rate", 0.75, 22.0, 32.0), ("heart_rate", 0.6, 102.0, 124.0), ("saturation", 0.5, 89.0, 93.0)],
        ["copd", "pneumonia", "pneumothorax", "pulmonary_embolism", "heart_failure"]),
    condition!("pneumothorax", "Pneumothorax", (18, 40), 0.25, (2, 20, "hour"),
        ["dyspnea" 0.85, "pleuritic_pain" 0.85, "unilateral_breath_sounds" 0.85, "pleural_air" 0.95, "smoking" 0.6],
        [("heart_rate", 0.6, 102.0, 124.0), ("saturation", 0.5, 88.0, 93.0), ("respiratory_rate", 0.6, 22.0, 30.0)],
        ["pulmonary_embolism", "pneumonia", "asthma", "pericarditis", "myocardial_infarction"]),
    condition!("myocardial_infarction", "Myocardial infarction", (45, 82), 0.4, (1, 8, "hour"),
        ["crushing_pain" 0.85, "diaphoresis" 0.65, "nausea" 0.5, "dyspnea" 0.45, "st_elevation" 0.7, "smoking" 0.5,
         "hypertension" 0.55, "diabetes" 0.35, "coronary_disease" 0.4],
        [("troponin", 0.95, 0.9, 14.0), ("heart_rate", 0.35, 102.0, 116.0)],
        ["pericarditis", "aortic_dissection", "pulmonary_embolism", "gerd", "pneumothorax"]),
    condition!("pericarditis", "Acute pericarditis", (20, 50), 0.35, (1, 4, "day"),
        ["pleuritic_pain" 0.8, "positional_pain" 0.8, "friction_rub" 0.6, "diffuse_st" 0.8, "viral_illness" 0.6, "autoimmune" 0.15],
        [("temperature", 0.45, 38.1, 38.8), ("crp", 0.8, 25.0, 110.0), ("heart_rate", 0.4, 102.0, 114.0)],
        ["myocardial_infarction", "pulmonary_embolism", "aortic_dissection", "pneumonia", "gerd"]),
    condition!("aortic_dissection", "Aortic dissection", (52, 80), 0.35, (1, 6, "hour"),
        ["tearing_pain" 0.85, "pulse_deficit" 0.5, "wide_mediastinum" 0.7, "hypertension" 0.8, "diaphoresis" 0.4, "smoking" 0.35],
        [("systolic", 0.75, 162.0, 212.0), ("d_dimer", 0.9, 1200.0, 6000.0), ("heart_rate", 0.4, 102.0, 120.0)],
        ["myocardial_infarction", "pericarditis", "pulmonary_embolism", "gerd", "pneumothorax"]),
    condition!("gerd", "Gastroesophageal reflux disease", (28, 70), 0.5, (2, 8, "month"),
        ["heartburn" 0.92, "dry_cough" 0.3, "nausea" 0.2, "weight_gain" 0.25],
        [],
        ["myocardial_infarction", "pericarditis", "aortic_dissection", "pancreatitis", "cholecystitis"]),
    condition!("atrial_fibrillation", "Atrial fibrillation", (55, 86), 0.45, (1, 5, "day"),
        ["palpitations" 0.85, "dyspnea" 0.45, "dizziness" 0.45, "fatigue" 0.4, "irregular_pulse" 0.92, "irregular_rhythm" 0.97,
         "hypertension" 0.6],
        [("heart_rate", 0.85, 114.0, 158.0)],
        ["hyperthyroidism", "heart_failure", "pulmonary_embolism", "myocardial_infarction"]),
    condition!("appendicitis", "Appendicitis", (18, 45), 0.45, (12, 36, "hour"),
        ["rlq_pain" 0.92, "anorexia" 0.75, "nausea" 0.65, "vomiting" 0.5, "rebound" 0.65, "dilated_appendix" 0.9],
        [("temperature", 0.6, 38.0, 38.9), ("leukocytes", 0.85, 12200.0, 18500.0), ("crp", 0.8, 25.0, 130.0)],
        ["gastroenteritis", "kidney_stone", "cholecystitis", "diverticulitis", "ectopic_pregnancy"]),
    condition!("cholecystitis", "Acute cholecystitis", (35, 75), 0.65, (1, 3, "day"),
        ["ruq_pain" 0.92, "nausea" 0.7, "vomiting" 0.6, "murphy" 0.75, "gallstones" 0.9, "chills" 0.3],
        [("temperature", 0.65, 38.1, 39.1), ("leukocytes", 0.8, 12200.0, 18000.0), ("alt", 0.3, 60.0, 140.0)],
        ["pancreatitis", "hepatitis", "appendicitis", "gastroenteritis", "gerd"]),
    condition!("pancreatitis", "Acute pancreatitis", (30, 70), 0.4, (1, 3, "day"),
        ["epigastric_pain" 0.92, "nausea" 0.8, "vomiting" 0.75, "alcohol" 0.5, "gallstones" 0.35, "distension" 0.25],
        [("lipase", 0.97, 420.0, 3200.0), ("leukocytes", 0.6, 12000.0, 18000.0), ("heart_rate", 0.6, 102.0, 122.0)],
        ["cholecystitis", "bowel_obstruction", "gastroenteritis", "hepatitis", "gerd"]),
    condition!("diverticulitis", "Diverticulitis", (48, 82), 0.5, (2, 5, "day"),
        ["llq_pain" 0.92, "constipation" 0.5, "nausea" 0.35, "diverticular_inflammation" 0.93, "rebound" 0.25],
        [("temperature", 0.6, 38.0, 38.9), ("leukocytes", 0.75, 12000.0, 18000.0), ("crp", 0.85, 50.0, 190.0)],
        ["appendicitis", "bowel_obstruction", "gastroenteritis", "kidney_stone", "pyelonephritis"]),
    condition!("bowel_obstruction", "Small bowel obstruction", (40, 85), 0.5, (1, 3, "day"),
        ["crampy_pain" 0.85, "vomiting" 0.85, "constipation" 0.7, "distension" 0.8, "abdominal_surgery" 0.75, "dilated_bowel" 0.93],
        [("heart_rate", 0.45, 102.0, 118.0), ("potassium", 0.35, 2.8, 3.3)],
        ["gastroenteritis", "pancreatitis", "diverticulitis", "appendicitis"]),
    condition!("gastroenteritis", "Viral gastroenteritis", (18, 65), 0.5, (1, 3, "day"),
        ["diarrhea" 0.93, "vomiting" 0.7, "nausea" 0.8, "crampy_pain" 0.65, "spoiled_food" 0.35],
        [("temperature", 0.4, 38.0, 38.8), ("potassium", 0.3, 2.9, 3.3), ("heart_rate", 0.4, 102.0, 116.0)],
        ["appendicitis", "bowel_obstruction", "diverticulitis", "pancreatitis", "hepatitis"]),
    condition!("ectopic_pregnancy", "Ectopic pregnancy", (19, 40), 1.0, (1, 3, "day"),
        ["vaginal_bleeding" 0.75, "missed_period" 0.8, "rlq_pain" 0.5, "adnexal_mass" 0.75, "dizziness" 0.35],
        [("hcg", 0.99, 900.0, 4800.0), ("heart_rate", 0.4, 102.0, 122.0)],
        ["appendicitis", "kidney_stone", "cystitis", "gastroenteritis"]),
    condition!("hepatitis", "Acute viral hepatitis", (20, 55), 0.4, (1, 3, "week"),
        ["jaundice" 0.75, "dark_urine" 0.7, "fatigue" 0.8, "anorexia" 0.7, "nausea" 0.6, "ruq_pain" 0.45, "injection_drugs" 0.4],
        [("alt", 0.98, 620.0, 2800.0), ("bilirubin", 0.85, 3.1, 11.5)],
        ["cholecystitis", "pancreatitis", "gastroenteritis", "mononucleosis"]),
    condition!("pyelonephritis", "Pyelonephritis", (20, 70), 0.8, (1, 4, "day"),
        ["flank_pain" 0.85, "chills" 0.65, "dysuria" 0.6, "frequency" 0.5, "nausea" 0.5, "cva_tenderness" 0.85, "pyuria" 0.93],
        [("temperature", 0.9, 38.5, 40.0), ("leukocytes", 0.8, 12500.0, 21000.0), ("heart_rate", 0.6, 102.0, 120.0)],
        ["cystitis", "kidney_stone", "appendicitis", "cholecystitis", "diverticulitis"]),
    condition!("cystitis", "Acute cystitis", (19, 60), 0.9, (1, 4, "day"),
        ["dysuria" 0.93, "frequency" 0.88, "suprapubic_tenderness" 0.6, "pyuria" 0.93, "hematuria" 0.35],
        [],
        ["pyelonephritis", "kidney_stone", "ectopic_pregnancy", "appendicitis"]),
    condition!("kidney_stone", "Kidney stone", (25, 65), 0.35, (2, 18, "hour"),
        ["flank_pain" 0.9, "colicky_groin_pain" 0.75, "nausea" 0.6, "vomiting" 0.45, "hematuria" 0.85, "ureteral_stone" 0.95,
         "kidney_stones" 0.4],
        [("heart_rate", 0.4, 102.0, 114.0)],
        ["pyelonephritis", "cystitis", "appendicitis", "diverticulitis", "ectopic_pregnancy"]),
    condition!("ketoacidosis", "Diabetic ketoacidosis", (18, 50), 0.5, (1, 3, "day"),
        ["polyuria" 0.85, "thirst" 0.85, "vomiting" 0.6, "fatigue" 0.5, "kussmaul" 0.6, "type1_diabetes" 0.7, "ketonuria" 0.95],
        [("glucose", 0.98, 330.0, 680.0), ("bicarbonate", 0.95, 6.0, 15.0), ("heart_rate", 0.7, 102.0, 126.0),
         ("potassium", 0.4, 5.3, 6.3)],
        ["hyperthyroidism", "adrenal_insufficiency", "gastroenteritis", "pancreatitis"]),
    condition!("hypothyroidism", "Hypothyroidism", (28, 72), 0.85, (3, 9, "month"),
        ["fatigue" 0.85, "cold_intolerance" 0.75, "weight_gain" 0.7, "constipation" 0.5, "dry_skin" 0.65, "goiter" 0.3, "autoimmune" 0.2],
        [("tsh", 0.98, 12.0, 68.0), ("heart_rate", 0.45, 48.0, 57.0)],
        ["iron_deficiency", "b12_deficiency", "adrenal_insufficiency", "heart_failure", "hyperthyroidism"]),
    condition!("hyperthyroidism", "Hyperthyroidism", (22, 65), 0.8, (1, 6, "month"),
        ["palpitations" 0.8, "weight_loss" 0.75, "heat_intolerance" 0.75, "tremor" 0.75, "diarrhea" 0.2, "goiter" 0.65, "exophthalmos" 0.4],
        [("tsh", 0.98, 0.0, 0.2), ("heart_rate", 0.8, 104.0, 128.0)],
        ["atrial_fibrillation", "hypothyroidism", "adrenal_insufficiency", "ketoacidosis", "iron_deficiency"]),
    condition!("adrenal_insufficiency", "Primary adrenal insufficiency", (22, 60), 0.6, (2, 6, "month"),
        ["fatigue" 0.9, "weight_loss" 0.8, "salt_craving" 0.4, "dizziness" 0.6, "nausea" 0.5, "hyperpigmentation" 0.75, "autoimmune" 0.3],
        [("sodium", 0.85, 122.0, 132.0), ("potassium", 0.7, 5.3, 6.2), ("systolic", 0.65, 78.0, 88.0)],
        ["hypothyroidism", "hyperthyroidism", "ketoacidosis", "iron_deficiency", "gastroenteritis"]),
    condition!("iron_deficiency", "Iron deficiency anemia", (22, 70), 0.75, (2, 8, "month"),
        ["fatigue" 0.88, "dyspnea" 0.4, "pallor" 0.75, "pica" 0.45, "heavy_menses" 0.4, "dizziness" 0.35],
        [("hemoglobin", 0.98, 6.8, 10.6), ("mcv", 0.92, 64.0, 77.0), ("ferritin", 0.97, 3.0, 12.0)],
        ["b12_deficiency", "hypothyroidism", "adrenal_insufficiency", "hyperthyroidism"]),
    condition!("b12_deficiency", "Vitamin B12 deficiency", (40, 82), 0.55, (3, 12, "month"),
        ["fatigue" 0.8, "paresthesia" 0.75, "pallor" 0.6, "vibration_loss" 0.65, "vegan_diet" 0.35, "hypersegmented" 0.75, "autoimmune" 0.3],
        [("hemoglobin", 0.85, 7.4, 10.9), ("mcv", 0.9, 106.0, 124.0), ("b12", 0.97, 70.0, 160.0)],
        ["iron_deficiency", "hypothyroidism", "adrenal_insufficiency", "stroke"]),
    condition!("meningitis", "Bacterial meningitis", (18, 70), 0.5, (1, 2, "day"),
        ["headache" 0.9, "photophobia" 0.6, "neck_stiffness" 0.8, "confusion" 0.65, "petechiae" 0.25, "csf_neutrophils" 0.95, "vomiting" 0.4],
        [("temperature", 0.92, 38.7, 40.2), ("leukocytes", 0.85, 13500.0, 24000.0), ("heart_rate", 0.6, 102.0, 124.0)],
        ["subarachnoid_hemorrhage", "migraine", "stroke", "mononucleosis"]),
    condition!("migraine", "Migraine", (18, 48), 0.75, (4, 40, "hour"),
        ["throbbing_headache" 0.88, "photophobia" 0.8, "nausea" 0.75, "vomiting" 0.4, "visual_aura" 0.4],
        [],
        ["subarachnoid_hemorrhage", "meningitis", "stroke"]),
    condition!("subarachnoid_hemorrhage", "Subarachnoid hemorrhage", (35, 75), 0.6, (1, 8, "hour"),
        ["thunderclap" 0.93, "vomiting" 0.65, "neck_stiffness" 0.6, "photophobia" 0.4, "confusion" 0.35, "subarachnoid_blood" 0.95,
         "hypertension" 0.5, "smoking" 0.5],
        [("systolic", 0.65, 156.0, 198.0)],
        ["migraine", "meningitis", "stroke"]),
    condition!("stroke", "Ischemic stroke", (55, 88), 0.5, (1, 10, "hour"),
        ["hemiparesis" 0.88, "facial_droop" 0.75, "slurred_speech" 0.7, "hypertension" 0.75, "diabetes" 0.35, "smoking" 0.35, "headache" 0.15],
        [("systolic", 0.7, 156.0, 204.0)],
        ["subarachnoid_hemorrhage", "migraine", "meningitis", "b12_deficiency"]),
    condition!("gout", "Acute gout", (40, 78), 0.2, (1, 3, "day"),
        ["toe_pain" 0.8, "joint_swelling" 0.92, "tophi" 0.2, "urate_crystals" 0.93, "alcohol" 0.5, "hypertension" 0.5],
        [("uric_acid", 0.85, 8.2, 11.8), ("crp", 0.6, 20.0, 70.0)],
        ["septic_arthritis", "rheumatoid_arthritis", "osteoarthritis", "cellulitis"]),
    condition!("septic_arthritis", "Septic arthritis", (25, 80), 0.45, (1, 4, "day"),
        ["knee_pain" 0.85, "joint_swelling" 0.95, "chills" 0.5, "joint_bacteria" 0.75, "prosthesis" 0.25, "injection_drugs" 0.25, "diabetes" 0.3],
        [("temperature", 0.75, 38.3, 39.7), ("leukocytes", 0.75, 12500.0, 20000.0), ("crp", 0.95, 110.0, 280.0)],
        ["gout", "rheumatoid_arthritis", "osteoarthritis", "cellulitis"]),
    condition!("rheumatoid_arthritis", "Rheumatoid arthritis", (28, 62), 0.75, (2, 8, "month"),
        ["hand_pain" 0.92, "morning_stiffness" 0.9, "symmetric_swelling" 0.9, "fatigue" 0.6, "autoimmune" 0.2],
        [("crp", 0.8, 18.0, 60.0), ("hemoglobin", 0.35, 10.2, 11.6)],
        ["osteoarthritis", "gout", "septic_arthritis", "hypothyroidism"]),
    condition!("osteoarthritis", "Osteoarthritis", (52, 84), 0.6, (6, 24, "month"),
        ["knee_pain" 0.88, "crepitus" 0.8, "hand_pain" 0.3, "weight_gain" 0.35],
        [],
        ["rheumatoid_arthritis", "gout", "septic_arthritis"]),
    condition!("cellulitis", "Cellulitis", (25, 82), 0.5, (1, 4, "day"),
        ["spreading_erythema" 0.95, "calf_swelling" 0.6, "chills" 0.45, "skin_wound" 0.6, "diabetes" 0.4],
        [("temperature", 0.6, 38.1, 39.3), ("leukocytes", 0.7, 12200.0, 18500.0), ("crp", 0.85, 45.0, 180.0)],
        ["deep_vein_thrombosis", "gout", "septic_arthritis"]),
    condition!("deep_vein_thrombosis", "Deep vein thrombosis", (30, 80), 0.5, (2, 6, "day"),
        ["calf_swelling" 0.93, "immobilization" 0.5, "surgery" 0.35, "cancer" 0.3, "vein_clot" 0.93],
        [("d_dimer", 0.96, 1100.0, 4800.0)],
        ["cellulitis", "heart_failure", "gout"]),
    condition!("strep_pharyngitis", "Streptococcal pharyngitis", (18, 35), 0.5, (1, 3, "day"),
        ["sore_throat" 0.97, "tonsillar_exudate" 0.75, "cervical_nodes" 0.8, "headache" 0.35],
        [("temperature", 0.85, 38.2, 39.4), ("leukocytes", 0.6, 12000.0, 17000.0)],
        ["mononucleosis", "common_cold", "pneumonia"]),
    condition!("mononucleosis", "Infectious mononucleosis", (18, 30), 0.5, (1, 3, "week"),
        ["sore_throat" 0.88, "fatigue" 0.93, "posterior_nodes" 0.85, "splenomegaly" 0.5, "tonsillar_exudate" 0.5, "rash" 0.2,
         "atypical_lymphocytes" 0.9],
        [("temperature", 0.8, 38.1, 39.3), ("alt", 0.75, 70.0, 260.0)],
        ["strep_pharyngitis", "common_cold", "hepatitis"]),
    condition!("common_cold", "Common cold", (18, 60), 0.5, (2, 6, "day"),
        ["rhinorrhea" 0.95, "sore_throat" 0.6, "dry_cough" 0.65, "headache" 0.3],
        [],
        ["strep_pharyngitis", "mononucleosis", "pneumonia", "asthma"]),
];

impl Condition {
    /// Probability of a finding.
    pub fn probability(&self, finding: &str) -> f64 {
        self.findings.iter().find(|(id, _)| *id == finding).map_or(BACKGROUND, |(_, p)| *p)
    }

    /// The measure's picture in this condition, if it changes it.
    pub fn typical(&self, measure: &str) -> Option<&'static Typical> {
        self.measures.iter().find(|typical| typical.0 == measure)
    }

    /// Whether a person of that sex and age can have it, as far as the options of a question go.
    pub fn possible_for(&self, female: bool, age: i64) -> bool {
        (female || self.female < 1.0)
            && (!female || self.female > 0.0)
            && age >= self.age.0 - 8
            && age <= self.age.1 + 15
    }
}

/// The condition of that key.
pub fn condition(id: &str) -> Option<&'static Condition> {
    CONDITIONS.iter().find(|condition| condition.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::finding;

    #[test]
    fn every_key_is_known_and_used() {
        for c in CONDITIONS {
            assert!(
                c.findings.iter().all(|(id, p)| finding::finding(id).is_some() && (0.1..1.0).contains(p)),
                "{}",
                c.id
            );
            for (id, p, low, high) in c.measures {
                let measure = finding::measure(id).expect(id);
                assert!((0.1..1.0).contains(p) && low < high, "{} {id}", c.id);
                // The whole range lies on one side of the reference range.
                let (a, b) = (finding::level(measure, *low), finding::level(measure, *high));
                assert!(a == b && a != 0, "{} {id}", c.id);
            }
            assert!(c.rivals.len() >= 3 && !c.rivals.contains(&c.id), "{}", c.id);
            assert!(c.rivals.iter().all(|id| condition(id).is_some()), "{}", c.id);
        }
        for f in finding::FINDINGS {
            assert!(CONDITIONS.iter().any(|c| c.probability(f.id) > BACKGROUND), "{} is never used", f.id);
        }
    }

    #[test]
    fn names_and_keys_are_unique() {
        let mut names: Vec<_> = CONDITIONS.iter().flat_map(|c| [c.id, c.name]).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
