//! The preset `held-out`: a second opinion on the same objectives, by rules that no training preset uses.
//!
//! A model that is trained on rules learns what those rules miss. If its score rises while this one does not, it is
//! being paid for something else. So nothing is shared with the trained verifiers but tokens and sentences: no lexicon,
//! no claims, no assertion status, no binding of numbers to measures, no verdicts. What is here instead is cruder,
//! and meant to be: each rule is one that a reader can do by eye.
//!
//! | objective | rule | what it asks |
//! | --- | --- | --- |
//! | accuracy | `last_words` | which key, word or number do the last 400 bytes end on? |
//! | faithfulness | `grounding` | does one window of 40 content words hold half of the sentence, weighted by rarity (idf)? |
//! | | `figures` | does each number stand in the evidence? |
//! | | `polarity` | is a word denied here and not in its window, or the other way round? |
//! | comprehensiveness | `families` | which sentences of the evidence are taken up, in words that are not copied? |
//! | | `rivals` | is each option named, and not only in a list of them? |
//!
//! faithfulness = S / (S + U + 2 C + silence) over the weights of supported, unsupported and contradicted checks;
//! comprehensiveness is the mean of the share of the evidence (saturating at [`ENOUGH`]) and the share of options.
//! Words are compared by family ([`family`]). As a judge of single responses it is weak; it is for means over many.

mod answer;
mod evidence;
mod family;
mod passage;

use std::collections::BTreeMap;

use attending_datasets::{Case, Task};

use crate::lexicon::KeyMap;
use crate::response::Response;
use crate::rubric::{Rubric, Verifier};
use crate::scored::{AnswerReading, Check, EvidenceSpan, Objective, Outcome, Scored, Span};
use crate::scorer::{joined, place};

use evidence::Evidence;
use passage::{Sentence, read};

/// Share of a sentence's rarity that one window must hold.
const GROUNDED: f64 = 0.5;
/// What a sentence weighs that stands in no window: it may be general knowledge.
const UNGROUNDED: f64 = 0.5;
/// What a number weighs.
const FIGURE: f64 = 0.5;
/// Content words below which a sentence is too short to be placed.
const SHORT: usize = 3;
/// Sentences that are asked for.
const ASKED: f64 = 3.0;
/// Share of a sentence of the evidence that takes it up.
const TAKEN_UP: f64 = 0.34;
/// Share of the evidence that is enough: no answer needs all of a vignette.
pub const ENOUGH: f64 = 0.6;

/// Scores one response.
pub(crate) fn score(rubric: &Rubric, case: &Case, response: &Response) -> Scored {
    let (text, apart) = joined(response);
    let evidence = Evidence::new(case);
    let sentences = read(&text);
    let mut opinion = Opinion { rubric, case, evidence: &evidence, sentences: &sentences, checks: Vec::new() };
    let mut answer = AnswerReading::default();
    let accuracy = opinion.accuracy(&text, &mut answer);
    let faithfulness = opinion.faithfulness();
    let comprehensiveness = opinion.comprehensiveness();
    let mut checks = opinion.checks;
    if apart > 0 {
        checks.iter_mut().for_each(|check| place(check, apart));
    }
    let mut objectives = BTreeMap::new();
    let mut reasons = BTreeMap::new();
    for (objective, value) in [
        (Objective::Accuracy, accuracy),
        (Objective::Faithfulness, faithfulness),
        (Objective::Comprehensiveness, comprehensiveness),
        (Objective::Format, Err("not_in_rubric")),
    ] {
        objectives.insert(objective, value.ok());
        if let Err(reason) = value {
            reasons.insert(objective, reason.to_owned());
        }
    }
    Scored {
        case_id: response.case_id.clone(),
        sample: response.sample,
        reward: rubric.scalar(&objectives),
        objectives,
        reasons,
        answer,
        checks,
    }
}

/// A value, or why there is none.
type Value = Result<f64, &'static str>;

struct Opinion<'a> {
    rubric: &'a Rubric,
    case: &'a Case,
    evidence: &'a Evidence,
    sentences: &'a [Sentence],
    checks: Vec<Check>,
}

impl Opinion<'_> {
    fn push(
        &mut self,
        verifier: Verifier,
        outcome: Outcome,
        weight: f64,
        response: Option<Span>,
        evidence: Option<EvidenceSpan>,
        note: String,
    ) {
        self.checks.push(Check {
            objective: verifier.objective(),
            rule: verifier.name().into(),
            outcome,
            weight,
            response,
            field: None,
            evidence: evidence.into_iter().collect(),
            note,
        });
    }

    /// The sum of the weights of one verifier's checks with one outcome.
    fn weight(&self, verifiers: &[Verifier], outcome: Outcome) -> f64 {
        let named = |check: &&Check| verifiers.iter().any(|v| v.name() == check.rule) && check.outcome == outcome;
        self.checks.iter().filter(named).map(|check| check.weight).sum()
    }

    fn accuracy(&mut self, text: &str, reading: &mut AnswerReading) -> Value {
        if !self.rubric.uses(Verifier::LastWords) {
            return Err("not_in_rubric");
        }
        if let Some(reason) = answer::unscorable(self.case) {
            return Err(reason);
        }
        let expected = match &self.case.answer.number {
            Some(number) => number.value.to_string(),
            None => self.case.answer.keys.join(", "),
        };
        match answer::read_last(self.case, text) {
            Some(read) => {
                let outcome = if read.right { Outcome::Correct } else { Outcome::Wrong };
                let value = f64::from(u8::from(read.right));
                let note = format!("the last words say {}, expected {expected}", read.value);
                self.push(Verifier::LastWords, outcome, value, Some(read.span), None, note);
                *reading = AnswerReading { read: Some(read.value), tier: Some("last words".to_owned()) };
                Ok(value)
            }
            None => {
                let note = "the last words give no answer".to_owned();
                self.push(Verifier::LastWords, Outcome::Unreadable, 0.0, None, None, note);
                Ok(0.0)
            }
        }
    }

    fn faithfulness(&mut self) -> Value {
        let [grounding, figures, polarity] =
            [Verifier::Grounding, Verifier::Figures, Verifier::Polarity].map(|verifier| self.rubric.uses(verifier));
        if !grounding && !figures {
            return Err("not_in_rubric");
        }
        if self.evidence.is_empty() {
            return Err("no_evidence");
        }
        let mut seen: KeyMap<u64, ()> = KeyMap::default();
        let mut figures_seen: KeyMap<u64, ()> = KeyMap::default();
        for sentence in self.sentences {
            if seen.insert(sentence.hash, ()).is_some() {
                continue;
            }
            if figures {
                self.figures(sentence, &mut figures_seen);
            }
            if sentence.words.len() < SHORT || !(grounding || polarity) {
                continue;
            }
            let found = self.evidence.ground(sentence);
            let percent = 100.0 * found.share;
            let note = format!("one window of the evidence holds {percent:.0} % of its words by rarity");
            match found.opposed.filter(|_| polarity) {
                Some(word) => {
                    let note = "denied on one side alone: here or in its window of the evidence".to_owned();
                    self.push(Verifier::Polarity, Outcome::Contradicted, 1.0, Some(word.span), found.place, note);
                }
                None if !grounding => {}
                None if found.share >= GROUNDED => {
                    self.push(Verifier::Grounding, Outcome::Supported, 1.0, Some(sentence.span), found.place, note);
                }
                None => {
                    let span = Some(sentence.span);
                    self.push(Verifier::Grounding, Outcome::Unsupported, UNGROUNDED, span, found.place, note);
                }
            }
        }
        let all = [Verifier::Grounding, Verifier::Figures, Verifier::Polarity];
        let [s, u, c] = [Outcome::Supported, Outcome::Unsupported, Outcome::Contradicted].map(|o| self.weight(&all, o));
        let silent = (ASKED - (s + u + c)).max(0.0);
        if silent > 0.0 {
            let note = format!("{} of {ASKED} sentences that can be placed", s + u + c);
            self.push(Verifier::Grounding, Outcome::Missing, silent, None, None, note);
        }
        Ok(s / (s + u + 2.0 * c + silent))
    }

    fn figures(&mut self, sentence: &Sentence, seen: &mut KeyMap<u64, ()>) {
        for word in &sentence.words {
            // One digit alone counts things; it is no measurement that could be looked up by eye.
            let Some(number) = word.number.filter(|number| *number >= 10.0 || number.fract() != 0.0) else { continue };
            if seen.insert(number.to_bits(), ()).is_some() {
                continue;
            }
            let place = self.evidence.number(number).cloned();
            let (outcome, note) = match place {
                Some(_) => (Outcome::Supported, format!("{number} stands in the evidence")),
                None => (Outcome::Unsupported, format!("{number} stands nowhere in the evidence")),
            };
            self.push(Verifier::Figures, outcome, FIGURE, Some(word.span), place, note);
        }
    }

    fn comprehensiveness(&mut self) -> Value {
        let [families, rivals] = [Verifier::Families, Verifier::Rivals].map(|verifier| self.rubric.uses(verifier));
        if !families && !rivals {
            return Err("not_in_rubric");
        }
        let mut parts = Vec::new();
        // What is copied word by word says nothing of what was understood.
        let own: Vec<&Sentence> = self.sentences.iter().filter(|sentence| !self.evidence.copied(sentence)).collect();
        if families && !self.evidence.is_empty() {
            parts.push(self.families(&own));
        }
        if rivals && self.case.options.len() >= 2 && self.case.task != Task::YesNoMaybe {
            parts.push(self.rivals(&own));
        }
        if parts.is_empty() { Err("no_evidence") } else { Ok(parts.iter().sum::<f64>() / parts.len() as f64) }
    }

    fn families(&mut self, own: &[&Sentence]) -> f64 {
        let mut first: KeyMap<u64, Span> = KeyMap::default();
        for sentence in own {
            for word in &sentence.words {
                first.entry(word.family).or_insert(sentence.span);
            }
        }
        let evidence = self.evidence;
        for source in &evidence.sentences {
            let families = source.sentence.families();
            if families.len() < SHORT {
                continue;
            }
            let mass = |families: &mut dyn Iterator<Item = &u64>| families.map(|f| evidence.rarity(*f)).sum::<f64>();
            let whole = mass(&mut families.iter());
            let taken = mass(&mut families.iter().filter(|family| first.contains_key(*family))) / whole;
            let note = format!("{:.0} % of the sentence's words by rarity are taken up", 100.0 * taken);
            let outcome = if taken >= TAKEN_UP { Outcome::Covered } else { Outcome::Missing };
            let rarest = families.iter().filter(|family| first.contains_key(*family));
            let rarest = rarest.max_by(|a, b| evidence.rarity(**a).total_cmp(&evidence.rarity(**b)));
            let span = rarest.and_then(|family| first.get(family)).copied();
            let span = span.filter(|_| outcome == Outcome::Covered);
            self.push(Verifier::Families, outcome, whole, span, Some(evidence.place(source)), note);
        }
        let [covered, missing] = [Outcome::Covered, Outcome::Missing].map(|o| self.weight(&[Verifier::Families], o));
        if covered + missing == 0.0 { 0.0 } else { (covered / (ENOUGH * (covered + missing))).min(1.0) }
    }

    fn rivals(&mut self, own: &[&Sentence]) -> f64 {
        let texts: Vec<Vec<u64>> = self
            .case
            .options
            .iter()
            .map(|option| read(&option.text).iter().flat_map(|sentence| sentence.families()).collect())
            .collect();
        let mut shared: KeyMap<u64, usize> = KeyMap::default();
        texts.iter().flatten().for_each(|family| *shared.entry(*family).or_default() += 1);
        // A word of every second option tells none of them apart.
        let telling: Vec<Vec<u64>> = texts
            .iter()
            .map(|families| families.iter().filter(|f| 2 * shared[f] <= texts.len()).copied().collect())
            .collect();
        let mut named: Vec<Option<Span>> = vec![None; texts.len()];
        for sentence in own {
            let said: KeyMap<u64, ()> = sentence.words.iter().map(|word| (word.family, ())).collect();
            let names = |families: &Vec<u64>| {
                let known = families.iter().filter(|family| said.contains_key(family)).count();
                known > 0 && 2 * known >= families.len()
            };
            let here: Vec<usize> = (0..texts.len()).filter(|index| names(&telling[*index])).collect();
            // A list of the options takes up none of them.
            if here.len() <= 2 {
                for index in here {
                    named[index].get_or_insert(sentence.span);
                }
            }
        }
        for (index, span) in named.into_iter().enumerate() {
            let key = &self.case.options[index].key;
            let (outcome, note) = match span {
                Some(_) => (Outcome::Covered, format!("option {key} is taken up")),
                None => (Outcome::Missing, format!("option {key} is not taken up by itself")),
            };
            self.push(Verifier::Rivals, outcome, 1.0, span, None, note);
        }
        self.weight(&[Verifier::Rivals], Outcome::Covered) / texts.len() as f64
    }
}

#[cfg(test)]
mod tests;
