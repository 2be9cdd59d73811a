//! Comprehensiveness, rule 1: which salient findings of the evidence the reasoning takes up.
//!
//! A finding earns once, with the right status, where its sentence's skeleton has not been paid before, at most three
//! a sentence; a quarter where the lexicon does not know the pair of finding and hypothesis with the stated sign.

use crate::assertion::Status;
use crate::evidence::{EvidenceIndex, Item, Salient};
use crate::lexicon::{ConceptId, Cues, KeyMap, Kind, Lexicon, Relation};
use crate::parsed::Parsed;
use crate::prose::Part;
use crate::quantity::Subject;
use crate::scored::{Check, Objective, Outcome, Span};

/// Findings that are paid in one sentence, at most.
const PER_SENTENCE: usize = 3;
/// Findings that suffice.
pub(crate) const SATURATION: usize = 6;
/// Missing findings that are reported; at least [`SATURATION`], so that the score follows from the checks.
const REPORTED: usize = 12;
/// What a finding earns without a known relation.
const UNRELATED: f64 = 0.25;

/// The least number of salient findings for this rule to apply.
pub const NEEDED: usize = 3;

/// The value from its checks: what was paid, over what the heaviest findings are worth.
pub(crate) fn value(checks: &[Check]) -> Option<f64> {
    let mut weights: Vec<f64> = Vec::new();
    let mut paid = 0.0;
    for check in checks.iter().filter(|check| check.objective == Objective::Comprehensiveness) {
        let factor = match check.rule.as_ref() {
            "coverage" => 1.0,
            "coverage_unrelated" => UNRELATED,
            _ => continue,
        };
        weights.push(check.weight);
        if check.outcome == Outcome::Covered {
            paid += factor * check.weight;
        }
    }
    if weights.is_empty() {
        return None;
    }
    weights.sort_by(|a, b| b.total_cmp(a));
    let whole: f64 = weights.iter().take(SATURATION).sum();
    Some((paid / whole).min(1.0))
}

/// One mention of a salient finding in a response.
struct Taken {
    salient: usize,
    span: Span,
    /// What it says about hypotheses; a normal value denies both a high and a low one.
    concepts: Vec<ConceptId>,
    affirmed: bool,
}

/// Makes the checks. `chosen` are the keys of the answer.
pub(crate) fn check(
    response: &Parsed,
    evidence: &EvidenceIndex,
    chosen: &[String],
    lexicon: &Lexicon,
    out: &mut Vec<Check>,
) {
    let mut covered: Vec<Option<(f64, usize)>> = vec![None; evidence.salient.len()];
    let mut skeletons: KeyMap<u64, ()> = KeyMap::default();
    let answer = chosen.first().and_then(|key| evidence.options.position(key));
    let prose = response.prose(evidence);
    for (sentence, told) in prose.told.iter().enumerate().filter(|(_, told)| told.part != Part::Copied) {
        let taken = taken(response, evidence, sentence, lexicon);
        if taken.is_empty() {
            continue;
        }
        let skeleton = told.pattern.skeleton;
        let repeated = skeletons.contains_key(&skeleton);
        let mut paid = 0;
        for item in taken {
            let salient = &evidence.salient[item.salient];
            let factor = relation_factor(response, evidence, sentence, &item, answer, lexicon);
            let known = covered[item.salient];
            if known.is_some_and(|(best, _)| best >= factor) {
                continue;
            }
            if repeated || paid >= PER_SENTENCE {
                if known.is_none() {
                    let why = if repeated {
                        "the sentence's pattern was paid before"
                    } else {
                        "more than three in a sentence"
                    };
                    let check = make(
                        "coverage_limit",
                        Outcome::Repeated,
                        0.0,
                        Some(item.span),
                        evidence,
                        salient,
                        why.to_owned(),
                    );
                    out.push(check);
                }
                continue;
            }
            paid += 1;
            let rule = if factor < 1.0 { "coverage_unrelated" } else { "coverage" };
            let check = make(
                rule,
                Outcome::Covered,
                salient.weight,
                Some(item.span),
                evidence,
                salient,
                describe(salient, lexicon),
            );
            match known {
                // Taken up before without a known relation, now with one: the better check replaces the other.
                Some((_, at)) => {
                    out[at] = check;
                    covered[item.salient] = Some((factor, at));
                }
                None => {
                    covered[item.salient] = Some((factor, out.len()));
                    out.push(check);
                }
            }
        }
        if paid > 0 {
            skeletons.insert(skeleton, ());
        }
    }
    for (salient, _) in evidence.salient.iter().zip(&covered).take(REPORTED).filter(|(_, covered)| covered.is_none()) {
        out.push(make(
            "coverage",
            Outcome::Missing,
            salient.weight,
            None,
            evidence,
            salient,
            describe(salient, lexicon),
        ));
    }
}

fn make(
    rule: &'static str,
    outcome: Outcome,
    weight: f64,
    response: Option<Span>,
    evidence: &EvidenceIndex,
    salient: &Salient,
    note: String,
) -> Check {
    let place = vec![evidence.span(salient.place)];
    Check {
        objective: Objective::Comprehensiveness,
        rule: rule.into(),
        outcome,
        weight,
        response,
        field: None,
        evidence: place,
        note,
    }
}

fn describe(salient: &Salient, lexicon: &Lexicon) -> String {
    match salient.item {
        Item::Concept(id, true) => lexicon.concept(id).name.clone(),
        Item::Concept(id, false) => format!("no {}", lexicon.concept(id).name),
        Item::Measure(id) => format!("abnormal {}", lexicon.measure(id).name),
        Item::Normal(id) => format!("normal {}", lexicon.measure(id).name),
        Item::Demographics => "age or sex".to_owned(),
        Item::Course => "course".to_owned(),
    }
}

/// The salient findings that a sentence takes up with the right status, in order, outside of general knowledge.
fn taken(response: &Parsed, evidence: &EvidenceIndex, sentence: usize, lexicon: &Lexicon) -> Vec<Taken> {
    let clauses = response.clauses_of(sentence);
    let claimed = |token: usize| clauses.iter().any(|clause| clause.tokens.contains(&token) && !clause.general);
    let find = |item: Item| evidence.rank_of(item);
    let mut found: Vec<Taken> = Vec::new();
    let mut push = |salient: Option<usize>, span: Span, concepts: Vec<ConceptId>, affirmed: bool| {
        if let Some(salient) = salient
            && !found.iter().any(|taken| taken.salient == salient)
        {
            found.push(Taken { salient, span, concepts, affirmed });
        }
    };
    for mention in response.reading.mentions_of(sentence).iter().filter(|m| claimed(m.tokens.start)) {
        let affirmed = mention.status.affirmed();
        if !affirmed && mention.status != Status::Absent {
            continue;
        }
        if response.is_option(mention.tokens.start) && lexicon.concept(mention.concept).kind == Kind::Condition {
            continue;
        }
        if affirmed {
            // The concept itself, what it is a kind of, or the narrower one that the evidence states.
            let facts = evidence.affirmed(mention.concept);
            let own = find(Item::Concept(mention.concept, true));
            let narrower = facts.iter().find_map(|fact| find(Item::Concept(fact.concept, true)));
            let value = mention.measure.or_else(|| measure_of(facts, evidence, mention.concept, lexicon));
            push(
                own.or(narrower).or(value.and_then(|id| find(Item::Measure(id)))),
                mention.span,
                vec![mention.concept],
                true,
            );
        } else {
            let denied =
                evidence.denied(mention.concept, lexicon).find_map(|fact| find(Item::Concept(fact.concept, false)));
            let normal = mention.measure.and_then(|id| find(Item::Normal(id)));
            push(denied.or(normal), mention.span, vec![mention.concept], false);
        }
    }
    for quantity in response.reading.quantities_of(sentence).iter().filter(|q| claimed(q.tokens.start) && !q.target) {
        match quantity.subject {
            Subject::Measure(id) => {
                let Some((value, _, precision)) = crate::evidence::canonical(quantity, id, lexicon) else { continue };
                let measure = lexicon.measure(id);
                let right = evidence
                    .values(id)
                    .iter()
                    .any(|known| (known.value - value).abs() <= known.precision.max(precision) + 1e-9);
                if !right {
                    continue;
                }
                match evidence.abnormal(id, value, lexicon).first().copied() {
                    Some(finding) => push(find(Item::Measure(id)), quantity.span, vec![finding], true),
                    None => {
                        let excluded = measure.thresholds.iter().map(|threshold| threshold.finding).collect();
                        push(find(Item::Normal(id)), quantity.span, excluded, false);
                    }
                }
            }
            Subject::Age => push(find(Item::Demographics), quantity.span, Vec::new(), true),
            Subject::Duration => push(find(Item::Course), quantity.span, Vec::new(), true),
            Subject::Other => {}
        }
    }
    found
}

/// The measure whose abnormal value a finding in words stands for.
fn measure_of(
    facts: &[crate::evidence::Fact],
    evidence: &EvidenceIndex,
    concept: ConceptId,
    lexicon: &Lexicon,
) -> Option<crate::lexicon::MeasureId> {
    let fact = facts.iter().find(|fact| fact.derived)?;
    evidence.salient.iter().find_map(|salient| match salient.item {
        Item::Measure(id) => {
            let at_value = evidence.values(id).iter().any(|value| value.place == fact.place);
            let names = lexicon.measure(id).thresholds.iter().any(|t| lexicon.is_a(t.finding, concept));
            (at_value && names).then_some(id)
        }
        _ => None,
    })
}

/// 1 where the finding and the sentence's hypothesis are related with the stated sign, else [`UNRELATED`].
fn relation_factor(
    response: &Parsed,
    evidence: &EvidenceIndex,
    sentence: usize,
    taken: &Taken,
    answer: Option<usize>,
    lexicon: &Lexicon,
) -> f64 {
    if taken.concepts.is_empty() {
        return 1.0;
    }
    let options = &evidence.options.all;
    let known_for = |finding: ConceptId, condition: ConceptId, kept: Option<bool>| {
        match (lexicon.relation(finding, condition), taken.affirmed, kept) {
            (Some(Relation::Against), affirmed, kept) => affirmed == (kept == Some(false)) && kept.is_some(),
            (Some(Relation::Supports | Relation::Expected), true, Some(true) | None) => true,
            (Some(Relation::Expected | Relation::Supports), false, Some(false)) => true,
            // "Pneumonia is less likely because the D-dimer is high": the finding speaks for a rival.
            (None, true, Some(false)) => options.iter().filter_map(|o| o.concept).any(|other| {
                other != condition
                    && matches!(lexicon.relation(finding, other), Some(Relation::Supports | Relation::Expected))
            }),
            _ => false,
        }
    };
    let known = |condition: ConceptId, kept: Option<bool>| {
        taken.concepts.iter().any(|&finding| known_for(finding, condition, kept))
    };
    let verdicts: Vec<_> = response.verdicts.iter().filter(|verdict| verdict.sentence == sentence).collect();
    let mut named =
        verdicts.iter().filter_map(|v| options[v.option].concept.map(|concept| (concept, v.kept))).peekable();
    if named.peek().is_some() {
        return if named.any(|(concept, kept)| known(concept, kept)) { 1.0 } else { UNRELATED };
    }
    // Conditions named that are no option of the case.
    let mentions = response.reading.mentions_of(sentence);
    let cues = response.reading.cues_of(sentence);
    let rejects = cues.iter().any(|cue| cue.value.has(Cues::AGAINST));
    let mut others = mentions
        .iter()
        .filter(|m| lexicon.concept(m.concept).kind == Kind::Condition && !taken.concepts.contains(&m.concept))
        .peekable();
    if others.peek().is_some() && cues.iter().any(|cue| cue.value.has(Cues::VERDICT)) {
        return if others.any(|m| known(m.concept, Some(!rejects))) { 1.0 } else { UNRELATED };
    }
    // No hypothesis in the sentence: a statement of the problem, judged by the answer, else by any option.
    let by_answer = answer.and_then(|index| options[index].concept);
    let related_to = |condition: ConceptId| taken.concepts.iter().any(|&f| lexicon.relation(f, condition).is_some());
    let related = match by_answer {
        Some(concept) => related_to(concept),
        None => options.iter().filter_map(|option| option.concept).any(related_to),
    };
    // Where options are no conditions (drugs, next steps), the table has nothing to say.
    let silent = options.iter().all(|o| o.concept.is_none_or(|c| lexicon.concept(c).kind != Kind::Condition));
    if related || silent { 1.0 } else { UNRELATED }
}
