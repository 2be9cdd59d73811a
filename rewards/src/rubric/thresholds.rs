//! The numbers of a rubric that are neither weights nor gates.

/// Limits that the verifiers and the scalar read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// What gated terms are multiplied by beside a wrong answer: what tidiness is worth then. In [0, 1].
    pub wrong_answer: f64,
    /// Coverage's part of comprehensiveness, where the differential applies too. In [0, 1].
    pub coverage_share: f64,
    /// Words beyond which a response pays for its length.
    pub length_words: f64,
    /// Share of repeated words that is free: reasoning and conclusion may say the same once.
    pub repetition: f64,
    /// Share that common English and clinical words should have (in MedQA vignettes and in completions it is 0.55 to
    /// 0.8; in strings of random words below 0.2).
    pub known_words: f64,
    /// Share of Latin letters below which the format pays.
    pub latin_letters: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            wrong_answer: 0.3,
            coverage_share: 0.65,
            length_words: 1200.0,
            repetition: 0.25,
            known_words: 0.3,
            latin_letters: 0.95,
        }
    }
}

impl Thresholds {
    /// Their names in configurations.
    pub const NAMES: &'static [&'static str] =
        &["wrong_answer", "coverage_share", "length_words", "repetition", "known_words", "latin_letters"];

    /// Sets one by its name.
    ///
    /// # Errors
    /// What would be right, where the value is out of range or the name is none of [`Self::NAMES`].
    pub fn set(&mut self, name: &str, value: f64) -> Result<(), &'static str> {
        if name == "length_words" {
            if !(value.is_finite() && value >= 1.0) {
                return Err("it must be at least 1");
            }
            self.length_words = value;
            return Ok(());
        }
        let share = match name {
            "wrong_answer" => &mut self.wrong_answer,
            "coverage_share" => &mut self.coverage_share,
            "repetition" => &mut self.repetition,
            "known_words" => &mut self.known_words,
            "latin_letters" => &mut self.latin_letters,
            _ => return Err("it is no threshold"),
        };
        if !(0.0..=1.0).contains(&value) {
            return Err("it must be within 0 and 1");
        }
        *share = value;
        Ok(())
    }
}
