//! English: lists, articles, pronouns and sentence templates.
//!
//! Templates: `{She}`/`{she}`, `{Her}`/`{her}` the pronouns; `{F}` findings with their articles, `{f}` without;
//! `{X}`/`{x}` a condition at the start of a sentence and within one; `{is}`, `{s}` agree with the findings.

use super::finding::Kind;
use super::rng::Rng;
use super::truth::{Fact, Status};

/// "a, b and c".
pub fn list(items: &[String]) -> String {
    list_with(items, "and")
}

/// "a, b or c".
pub fn list_or(items: &[String]) -> String {
    list_with(items, "or")
}

fn list_with(items: &[String], word: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

/// The phrase without its leading article.
pub fn bare(phrase: &str) -> &str {
    phrase.strip_prefix("a ").or_else(|| phrase.strip_prefix("an ")).unwrap_or(phrase)
}

/// "a" or "an" before a measure's name.
pub fn article(name: &str) -> &'static str {
    if name.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']) { "an" } else { "a" }
}

/// The first letter upper-case.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// A condition's name within a sentence: "Pneumonia" becomes "pneumonia", "COPD exacerbation" stays.
pub fn lower(name: &str) -> String {
    let mut chars = name.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(chars).collect(),
        _ => name.to_owned(),
    }
}

/// A fact as a noun phrase with its article: "a productive cough", "a lipase of 820 U/L", "a history of smoking".
pub fn noun(fact: &Fact) -> String {
    match (fact.status, fact.kind()) {
        (Status::Measured, _) => format!("{} {} of {}", article(&fact.phrase), fact.phrase, fact.value),
        (_, Some(Kind::History)) => format!("a history of {}", fact.phrase),
        _ => fact.phrase.clone(),
    }
}

/// The same without its article, as it stands after "no" or "her".
pub fn bare_noun(fact: &Fact) -> String {
    match (fact.status, fact.kind()) {
        (Status::Measured, _) => format!("{} of {}", fact.phrase, fact.value),
        (_, Some(Kind::History)) => format!("history of {}", fact.phrase),
        _ => bare(&fact.phrase).to_owned(),
    }
}

/// The values that a template may name.
#[derive(Debug, Clone, Default)]
pub struct Slots {
    /// Pronouns.
    pub female: bool,
    /// `{F}`.
    pub with_articles: String,
    /// `{f}`.
    pub bare: String,
    /// Whether `{f}` is a plural or a list.
    pub plural: bool,
    /// `{X}`, `{x}`: a condition's name.
    pub condition: String,
}

impl Slots {
    /// The slots of a sentence about some facts and one condition.
    pub fn of(female: bool, facts: &[&Fact], condition: &str) -> Slots {
        let with_articles: Vec<String> = facts.iter().map(|fact| noun(fact)).collect();
        let bare: Vec<String> = facts.iter().map(|fact| bare_noun(fact)).collect();
        Slots {
            female,
            with_articles: list(&with_articles),
            bare: list(&bare),
            plural: facts.len() > 1 || facts.iter().any(|fact| fact.plural()),
            condition: condition.to_owned(),
        }
    }

    /// Fills a template.
    pub fn fill(&self, template: &str) -> String {
        let (she, her) = if self.female { ("she", "her") } else { ("he", "his") };
        template
            .replace("{She}", &capital(she))
            .replace("{she}", she)
            .replace("{Her}", &capital(her))
            .replace("{her}", her)
            .replace("{F}", &self.with_articles)
            .replace("{f}", &self.bare)
            .replace("{X}", &self.condition)
            .replace("{x}", &lower(&self.condition))
            .replace("{is}", if self.plural { "are" } else { "is" })
            .replace("{s}", if self.plural { "" } else { "s" })
    }
}

/// Draws templates without repeating one, until all have been used.
#[derive(Debug, Default)]
pub struct Deck {
    used: Vec<&'static str>,
}

impl Deck {
    /// A template of the list that this deck has not given yet, or any where all have been given.
    pub fn draw(&mut self, templates: &[&'static str], rng: &mut Rng) -> &'static str {
        let fresh: Vec<&'static str> = templates.iter().copied().filter(|t| !self.used.contains(t)).collect();
        let template = if fresh.is_empty() { *rng.pick(templates) } else { *rng.pick(&fresh) };
        self.used.push(template);
        template
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_articles_and_case() {
        let items = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(list(&items), "a, b and c");
        assert_eq!(list_or(&items[..2]), "a or b");
        assert_eq!(bare("an adnexal mass"), "adnexal mass");
        assert_eq!(bare("anorexia"), "anorexia");
        assert_eq!(lower("COPD exacerbation"), "COPD exacerbation");
        assert_eq!(lower("Vitamin B12 deficiency"), "vitamin B12 deficiency");
        assert_eq!(capital("a cough"), "A cough");
    }

    #[test]
    fn templates_agree_with_their_findings() {
        let cough = Fact::finding("productive_cough", true, "a productive cough");
        let crackles = Fact::finding("crackles", true, "~crackles");
        assert!(crackles.plural() && !cough.plural());
        let slots = Slots::of(true, &[&cough, &crackles], "Pneumonia");
        assert_eq!(slots.fill("{Her} {f} favor{s} {x}."), "Her productive cough and crackles favor pneumonia.");
        let slots = Slots::of(false, &[&cough], "Pneumonia");
        assert_eq!(slots.fill("There {is} {F}; {she} has {X}."), "There is a productive cough; he has Pneumonia.");
    }
}
