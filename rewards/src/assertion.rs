//! Assertion status of a mention, by the rules of NegEx and ConText (Chapman 2001, Harkema 2009) with cue phrases of
//! this project: a cue opens a scope, which ends at a stop word, at a clause of its own, or at the sentence's end.

use std::ops::Range;

use crate::lexicon::{ConceptId, Cues, Kind as ConceptKind, Lexicon, Match, Term};
use crate::reading::{Mention, Reading};
use crate::scored::Span;
use crate::text::{Kind, Sentence, Token};

/// What a text says about a concept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// It is there.
    Present,
    /// It was there, or is known from before.
    Historical,
    /// It is not there.
    Absent,
    /// It may be there.
    Possible,
    /// It is supposed, asked for, or warned of.
    Hypothetical,
    /// Somebody else has it.
    Family,
}

impl Status {
    /// Whether the patient has or had it.
    pub fn affirmed(self) -> bool {
        matches!(self, Status::Present | Status::Historical)
    }
}

/// Words that a cue reaches forwards: lists of negated items run long.
const FORWARD: usize = 40;
/// Words that a supposition reaches: "call for any" opens long lists.
const SUPPOSED: usize = 120;
/// Words that a cue reaches backwards.
const BACKWARD: usize = 12;

/// The questions of ConText, each by itself: a denied history is both negated and historical.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Axes {
    /// It is said not to be there.
    pub negated: bool,
    /// It may be there.
    pub possible: bool,
    /// It is supposed, asked for, or warned of.
    pub hypothetical: bool,
    /// It is aimed at, treated or avoided, without being told of.
    pub planned: bool,
    /// It belongs to the past.
    pub historical: bool,
    /// Somebody else has it.
    pub other: bool,
}

/// The scopes of one sentence's cues.
#[derive(Debug)]
pub(crate) struct Scopes {
    scopes: Vec<(Cues, Range<usize>)>,
}

impl Scopes {
    pub(crate) fn new(
        text: &str,
        tokens: &[Token],
        sentence: &Sentence,
        cues: &[Match<Cues>],
        terms: &[Match<Term>],
    ) -> Scopes {
        let forward =
            Cues::NEGATES_AFTER | Cues::DOUBTS_AFTER | Cues::SUPPOSES | Cues::PLANS | Cues::PAST | Cues::FAMILY;
        let backward = Cues::NEGATES_BEFORE | Cues::DOUBTS_BEFORE;
        let mut scopes = Vec::new();
        for (index, cue) in cues.iter().enumerate() {
            if cue.value.has(Cues::PSEUDO) {
                continue;
            }
            // "absent reflexes" and "reflexes are absent": a cue of both directions takes what stands right behind it.
            let followed =
                terms.iter().any(|term| term.tokens.start >= cue.tokens.end && term.tokens.start <= cue.tokens.end + 1);
            let both = cue.value.has(forward) && cue.value.has(backward);
            // "negative symptoms": a word that judges what stands before it ends a clause.
            let bare = cue.tokens.len() == 1
                && cue.value.has(Cues::NEGATES_BEFORE)
                && !ends_clause(text, tokens, sentence, cue);
            if cue.value.has(forward) && (!both || followed) {
                let end = scope_end(text, tokens, sentence, cues, index);
                let mut roles = cue.value & forward;
                if roles.has(Cues::PAST) && tells_duration(text, tokens, sentence, cue) {
                    roles = roles
                        & (Cues::NEGATES_AFTER | Cues::DOUBTS_AFTER | Cues::SUPPOSES | Cues::PLANS | Cues::FAMILY);
                }
                scopes.push((roles, cue.tokens.end..end));
            }
            if cue.value.has(backward) && (!both || !followed) && !bare {
                let start = scope_start(text, tokens, sentence, cues, index);
                scopes.push((cue.value & backward, start..cue.tokens.start));
            }
        }
        Scopes { scopes }
    }

    /// What holds of a mention on these tokens.
    pub(crate) fn axes(&self, mention: &Range<usize>) -> Axes {
        let covers = |roles: Cues| {
            let around = |scope: &Range<usize>| scope.start <= mention.start && mention.end <= scope.end;
            self.scopes.iter().any(|(cue, scope)| cue.has(roles) && around(scope))
        };
        Axes {
            negated: covers(Cues::NEGATES_AFTER | Cues::NEGATES_BEFORE),
            possible: covers(Cues::DOUBTS_AFTER | Cues::DOUBTS_BEFORE),
            hypothetical: covers(Cues::SUPPOSES),
            planned: covers(Cues::PLANS),
            historical: covers(Cues::PAST),
            other: covers(Cues::FAMILY),
        }
    }

    /// The status of a mention on these tokens: the strongest of what holds.
    pub(crate) fn status(&self, mention: &Range<usize>) -> Status {
        match self.axes(mention) {
            Axes { other: true, .. } => Status::Family,
            // "not a contraindication to surgery" denies no surgery.
            Axes { hypothetical: true, .. } | Axes { planned: true, .. } => Status::Hypothetical,
            Axes { negated: true, .. } => Status::Absent,
            Axes { possible: true, .. } => Status::Possible,
            Axes { historical: true, .. } => Status::Historical,
            _ => Status::Present,
        }
    }
}

/// "A two-day history of fever" tells of the present course, not of the past.
fn tells_duration(text: &str, tokens: &[Token], sentence: &Sentence, cue: &Match<Cues>) -> bool {
    let from = cue.tokens.start.saturating_sub(2).max(sentence.tokens.start);
    tokens[from..cue.tokens.start].iter().any(|token| {
        matches!(token.text(text), "day" | "days" | "week" | "weeks" | "hour" | "hours" | "month" | "months")
    })
}

/// Whether a clause ends behind a cue: at a mark, at the sentence's end, or where its verb stands before it.
fn ends_clause(text: &str, tokens: &[Token], sentence: &Sentence, cue: &Match<Cues>) -> bool {
    let Some(next) = tokens.get(cue.tokens.end).filter(|_| cue.tokens.end < sentence.tokens.end) else { return true };
    let behind = next.kind == Kind::Mark
        || matches!(
            next.text(text),
            "and" | "but" | "for" | "on" | "in" | "at" | "with" | "by" | "as" | "or" | "today"
        );
    let verb = cue.tokens.start.checked_sub(1).filter(|at| *at >= sentence.tokens.start).is_some_and(|at| {
        matches!(
            tokens[at].text(text),
            "is" | "are" | "was" | "were" | "be" | "been" | ":" | "came" | "come" | "remain"
        )
    });
    behind || verb
}

/// The status of any phrase of a text, whether or not the lexicon knows it; `None` where the span covers no token.
pub fn status_at(text: &str, span: Span, lexicon: &Lexicon) -> Option<Status> {
    let (scopes, tokens) = scopes_at(text, span, lexicon)?;
    Some(scopes.status(&tokens))
}

/// As [`status_at`], each question by itself.
pub fn axes_at(text: &str, span: Span, lexicon: &Lexicon) -> Option<Axes> {
    let (scopes, tokens) = scopes_at(text, span, lexicon)?;
    let mut axes = scopes.axes(&tokens);
    // Habits and exposures are what a history holds, whatever the tense.
    let overlaps = |span: Span, mention: &Mention| mention.span[0] < span[1] && mention.span[1] > span[0];
    let reading = Reading::new(text, lexicon);
    axes.historical |= reading
        .mentions
        .iter()
        .any(|mention| overlaps(span, mention) && lexicon.concept(mention.concept).kind == ConceptKind::History);
    Some(axes)
}

/// The scopes around a phrase, whose own words are no cues, and its tokens.
fn scopes_at(text: &str, span: Span, lexicon: &Lexicon) -> Option<(Scopes, Range<usize>)> {
    let reading = Reading::new(text, lexicon);
    let inside = |token: &Token| (token.start as usize) < span[1] && token.end as usize > span[0];
    let start = reading.tokens.iter().position(inside)?;
    let end = reading.tokens.iter().rposition(inside)? + 1;
    let index = reading.sentences.iter().position(|sentence| sentence.tokens.contains(&start))?;
    let outside = |cue: &&Match<Cues>| cue.tokens.end <= start || cue.tokens.start >= end;
    let cues: Vec<Match<Cues>> = reading.cues_of(index).iter().filter(outside).cloned().collect();
    let phrase = Match { value: Term::Concept(ConceptId(0)), tokens: start..end };
    let scopes = Scopes::new(text, &reading.tokens, &reading.sentences[index], &cues, std::slice::from_ref(&phrase));
    Some((scopes, phrase.tokens))
}

fn is_joint(text: &str, token: &Token) -> bool {
    token.is_mark(',') || matches!(token.text(text), "and" | "or" | "nor")
}

/// Where the forward scope of cue `index` ends.
fn scope_end(text: &str, tokens: &[Token], sentence: &Sentence, cues: &[Match<Cues>], index: usize) -> usize {
    let from = cues[index].tokens.end;
    let supposes = cues[index].value.has(Cues::SUPPOSES);
    let limit = sentence.tokens.end.min(from + if supposes { SUPPOSED } else { FORWARD });
    let mut later = cues[index + 1..].iter().peekable();
    let negates = cues[index].value.has(Cues::NEGATES_AFTER);
    let own = |words: &[&str]| {
        let mut said = tokens[cues[index].tokens.clone()].iter().map(|token| token.text(text));
        said.any(|word| words.iter().any(|known| known.eq_ignore_ascii_case(word)))
    };
    // "The absence of a and b makes ...": the verb behind the list has the cue's noun as its subject.
    let noun = own(&["absence", "lack"]);
    let verbal = own(&["not", "cannot", "never", "denies", "denied", "deny", "denying"]);
    let without = own(&["without"]) && cues[index].tokens.start > sentence.tokens.start;
    // A history or a family's goes on past "with"; a heading ("Social history:") speaks for its whole line.
    let history = cues[index].value.has(Cues::PAST | Cues::FAMILY) && !negates;
    let heading = history && tokens.get(from).is_some_and(|token| from < limit && token.is_mark(':'));
    let mut after_or = false;
    let mut at = from;
    while at < limit {
        while later.peek().is_some_and(|cue| cue.tokens.end <= at) {
            later.next();
        }
        if let Some(cue) = later.peek()
            && cue.tokens.start == at
            && cue.value.has(Cues::STOP)
            && !cue.value.has(Cues::PSEUDO)
            // "does not report fever": the negated verb itself ends nothing.
            && !(at == from && verbal && cue.value.has(Cues::VERB))
            // "return if she has any pain": what stands right behind a supposition is its subject.
            && !(at == from && supposes)
            // "the absence of cough with hemoptysis or fever"
            && !((noun || history) && tokens[at].text(text) == "with")
            && (!heading || tokens[at].text(text).starts_with("present"))
            // "no fever, and the presence of a cough" ends a denial, "to evaluate for the presence of" nothing.
            && (negates || !tokens[cue.tokens.clone()].iter().any(|token| token.text(text) == "presence"))
        {
            return at;
        }
        // A verb behind the negated noun starts the statement about it: "without contrast shows a bleed".
        let verb = later.peek().is_some_and(|cue| cue.tokens.start == at && cue.value.has(Cues::VERB));
        if verb && at > from && negates {
            return at;
        }
        let token = &tokens[at];
        // "Past medical history: asthma": a heading's colon ends nothing.
        if token.is_mark(';') || (token.is_mark(':') && at > from && !supposes) {
            return at;
        }
        if negates {
            // "no a or b, and c": what follows the closed list is another item.
            after_or |= matches!(token.text(text), "or" | "nor");
            if token.is_mark(',') {
                let next = tokens.get(at + 1).filter(|_| at + 1 < limit).map_or("", |next| next.text(text));
                if after_or && matches!(next, "and" | "a" | "an" | "but") {
                    return at;
                }
                // "no a, a b, and c", "without a, b, and c": an item with an article, or a list that no "or" closes.
                let item = if next == "and" { tokens.get(at + 2).map_or("", |t| t.text(text)) } else { next };
                let article = !verbal && matches!(item, "a" | "an");
                if (article || without) && !or_ahead(text, tokens, limit, at) {
                    return at;
                }
            }
            // "not equipped to handle a": the infinitive is another matter; "does not appear to have a" is not.
            if verbal && at == from + 1 && token.text(text) == "to" {
                let before = tokens[at - 1].text(text);
                let seems = ["appear", "seem", "have", "need", "due", "respon", "secon"];
                if !seems.iter().any(|stem| before.starts_with(stem)) {
                    return at;
                }
            }
        }
        // "absence of a, b, or c supports ...": what follows "or" belongs to the list.
        let is_or = |token: &Token| matches!(token.text(text), "or" | "nor");
        let or = || is_or(token) || tokens[at + 1..limit].first().is_some_and(is_or);
        if is_joint(text, token) && !noun && !or() && opens_clause(text, tokens, limit, cues, at + 1) {
            return at;
        }
        // A mark of brackets that closes more than it opened ends the scope: "(no fever) cough".
        if token.is_mark(')') && !tokens[from..at].iter().any(|t| t.is_mark('(')) {
            return at;
        }
        at += 1;
    }
    limit
}

/// Whether an "or" closes the list that goes on at `at`, before anything else does.
fn or_ahead(text: &str, tokens: &[Token], limit: usize, at: usize) -> bool {
    let rest = &tokens[at..limit.min(at + 24)];
    let end = rest.iter().position(|t| t.is_mark(';') || t.is_mark(':') || matches!(t.text(text), "but" | "however"));
    rest[..end.unwrap_or(rest.len())].iter().any(|token| matches!(token.text(text), "or" | "nor"))
}

/// Whether a clause with a verb of its own starts at `at`: "..., and the lungs are clear".
fn opens_clause(text: &str, tokens: &[Token], limit: usize, cues: &[Match<Cues>], at: usize) -> bool {
    let mut end = at;
    while end < limit && end < at + 8 && !(end > at && is_joint(text, &tokens[end])) && !tokens[end].is_mark('(') {
        end += 1;
    }
    cues.iter().any(|cue| cue.value.has(Cues::VERB) && cue.tokens.start >= at && cue.tokens.start < end)
}

/// Where the backward scope of cue `index` starts.
fn scope_start(text: &str, tokens: &[Token], sentence: &Sentence, cues: &[Match<Cues>], index: usize) -> usize {
    let to = cues[index].tokens.start;
    // "a, b, and the smear is negative": a verb in the singular has one subject.
    let singular = tokens[cues[index].tokens.clone()].iter().any(|t| matches!(t.text(text), "is" | "was"));
    let limit = sentence.tokens.start.max(to.saturating_sub(BACKWARD));
    let mut at = to;
    let mut verbs = 0;
    while at > limit {
        let token = &tokens[at - 1];
        if token.is_mark(';') || token.is_mark(':') && at < to {
            return at;
        }
        let determined = matches!(
            tokens.get(at).map_or("", |next| next.text(text)),
            "the" | "a" | "an" | "his" | "her" | "their" | "there"
        );
        let and = matches!(token.text(text), "and" | "but");
        if at < to && ((and && determined) || (singular && token.is_mark(','))) {
            return at;
        }
        let cue = cues[..index].iter().rev().find(|cue| cue.tokens.end == at);
        if let Some(cue) = cue {
            if cue.value.has(Cues::STOP) {
                return at;
            }
            // The cue's own verb ("is" absent) is the first one; a second verb belongs to the clause before.
            verbs += usize::from(cue.value.has(Cues::VERB));
            if verbs > 1 || (verbs == 1 && to - at > 3) {
                return at;
            }
        }
        at -= 1;
    }
    limit
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row: a sentence, a concept, the status that a reader gives it.
    #[test]
    fn status_of_mentions() {
        use Status::{Absent, Family, Historical, Hypothetical, Possible, Present};
        let rows = [
            ("He has a fever.", "fever", Present),
            ("She denies fever, chills, night sweats or cough.", "cough", Absent),
            ("There is no murmur, and the lungs show crackles.", "crackles", Present),
            ("No fever but has a cough.", "cough", Present),
            ("No fever but has a cough.", "fever", Absent),
            ("Fever is absent.", "fever", Absent),
            ("Cough and fever are absent.", "cough", Absent),
            ("He is negative for hematuria.", "hematuria", Absent),
            ("Fever: none.", "fever", Absent),
            ("There is no increase in dyspnea.", "dyspnea", Present),
            ("Pneumonia has not been ruled out.", "pneumonia", Possible),
            ("Pneumonia was ruled out.", "pneumonia", Absent),
            ("Possible pneumonia.", "pneumonia", Possible),
            ("Return if you develop a fever.", "fever", Hypothetical),
            ("She will return if she has any fever or cough.", "cough", Hypothetical),
            ("Call the clinic if there are any chills.", "chills", Hypothetical),
            ("She was not tachycardic, nor was she in atrial fibrillation.", "atrial fibrillation", Absent),
            ("The study failed to show pneumonia.", "pneumonia", Absent),
            ("There is nothing to suggest pneumonia.", "pneumonia", Absent),
            ("A murmur was not heard.", "murmur", Absent),
            ("Return to the hospital for fever or chills.", "chills", Hypothetical),
            ("Tylenol as needed for fever.", "fever", Hypothetical),
            ("He has a history of asthma.", "asthma", Historical),
            ("His mother had breast cancer.", "breast cancer", Family),
            ("Family history of stroke.", "stroke", Family),
            ("Without fever, he has chills.", "chills", Present),
            ("A woman with no significant medical history begins to experience memory loss.", "memory loss", Present),
            ("There is an absence of rash, a left adnexal mass, and edema.", "adnexal mass", Present),
            ("In addition there is an edema and the Coombs test results are negative.", "edema", Present),
            ("The chest radiograph shows edema, the smear is negative.", "edema", Present),
            ("The absence of fever and substantial weight loss makes cancer less likely.", "weight loss", Absent),
            ("His hallucinations are not consistent with negative symptoms.", "hallucinations", Present),
            ("It is not associated with fever.", "fever", Absent),
            ("There is no fever, photophobia or rash, and occasional nausea but no vomiting.", "nausea", Present),
            ("The results do not suggest hyperkalemia.", "hyperkalemia", Absent),
            ("This could be due to hypotension.", "hypotension", Possible),
            ("Nose bleeding without trauma, multiple bruises, and petechiae.", "petechiae", Present),
            ("The hospital is not equipped to handle a fever.", "fever", Present),
            ("His wife states that her husband developed a fever.", "fever", Present),
            ("The mother reports that the child has a cough.", "cough", Present),
            ("He does not report fever or cough.", "cough", Absent),
            ("The absence of fever, cough, or edema supports asthma.", "edema", Absent),
            ("Not only fever but also cough.", "fever", Present),
            ("Lungs are clear without wheezing, and there is edema.", "edema", Present),
            ("She has no known allergies and takes metformin for asthma.", "asthma", Present),
        ];
        let lexicon = Lexicon::built_in();
        for (text, concept, expected) in rows {
            let reading = Reading::new(text, &lexicon);
            let found = reading.mentions.iter().find(|m| lexicon.concept(m.concept).name == concept);
            assert_eq!(found.map(|m| m.status), Some(expected), "{text} {concept}");
        }
    }
}
