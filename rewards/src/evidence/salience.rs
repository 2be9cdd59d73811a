//! Which findings of the evidence are salient, and in which order.

use super::{EvidenceIndex, Item, Place, Salient};
use crate::lexicon::{ConceptId, Kind, Lexicon, MeasureId, Relation};
use crate::reading::is_clinical;

/// Salience of positive findings and abnormal values.
const POSITIVE: f64 = 1.0;
/// Salience of history and risk factors.
const HISTORY: f64 = 0.7;
/// Salience of pertinent negatives.
const NEGATIVE: f64 = 0.5;
/// Salience of age, sex and course.
const FRAME: f64 = 0.4;
/// Factor for what no option of the case is related to.
const UNRELATED: f64 = 0.6;

impl EvidenceIndex {
    /// Collects the salient findings and orders them.
    pub(super) fn rank(&mut self, lexicon: &Lexicon) {
        let mut items: Vec<Salient> = Vec::new();
        let hypotheses: Vec<ConceptId> = self.options.all.iter().filter_map(|option| option.concept).collect();
        let related = |concept: ConceptId, affirmed: bool| {
            hypotheses.is_empty()
                || hypotheses.iter().any(|&h| match lexicon.relation(concept, h) {
                    Some(relation) => affirmed || relation == Relation::Expected,
                    None => false,
                })
        };
        let mut push = |item: Item, weight: f64, place: Place| items.push(Salient { item, weight, place });
        for (facts, affirmed) in [(&self.affirmed, true), (&self.denied, false)] {
            for (&id, facts) in facts {
                let concept = ConceptId(id);
                let kind = lexicon.concept(concept).kind;
                // Broader concepts ride along with what was said; values are items of their own.
                let Some(fact) = facts.iter().find(|fact| !fact.derived && fact.concept == concept) else { continue };
                if !is_clinical(kind) || (!affirmed && self.affirmed.contains_key(&id)) {
                    continue;
                }
                let base = match (kind, affirmed) {
                    (_, false) => NEGATIVE,
                    (Kind::Finding, true) => POSITIVE,
                    _ => HISTORY,
                };
                let weight = if related(concept, affirmed) { base } else { base * UNRELATED };
                push(Item::Concept(concept, affirmed), weight, fact.place);
            }
        }
        for (&id, values) in &self.values {
            let measure = lexicon.measure(MeasureId(id));
            let abnormal =
                values.iter().find_map(|v| Some((v, *self.abnormal(MeasureId(id), v.value, lexicon).first()?)));
            if let Some((value, finding)) = abnormal {
                let weight = if related(finding, true) { POSITIVE } else { POSITIVE * UNRELATED };
                push(Item::Measure(MeasureId(id)), weight, value.place);
            } else if let Some(value) = values.first() {
                let telling = measure.thresholds.iter().any(|t| {
                    hypotheses
                        .iter()
                        .any(|&h| matches!(lexicon.relation(t.finding, h), Some(r) if r != Relation::Against))
                });
                if telling {
                    push(Item::Normal(MeasureId(id)), NEGATIVE, value.place);
                }
            }
        }
        if let Some(age) = self.ages.first() {
            push(Item::Demographics, FRAME, age.place);
        }
        if let Some(duration) = self.durations.first() {
            push(Item::Course, FRAME, duration.place);
        }
        items.sort_by(|a, b| {
            let place = |s: &Salient| (s.place.document, s.place.span, item_order(s.item));
            b.weight.total_cmp(&a.weight).then(place(a).cmp(&place(b)))
        });
        self.ranks = items.iter().enumerate().map(|(rank, salient)| (salient.item.key(), rank)).collect();
        self.salient = items;
    }
}

/// A total order of items, so that equal weights at one place do not depend on a map's order.
fn item_order(item: Item) -> (u8, u32, bool) {
    match item {
        Item::Concept(id, affirmed) => (0, id.0, affirmed),
        Item::Measure(id) => (1, id.0, false),
        Item::Normal(id) => (2, id.0, false),
        Item::Demographics => (3, 0, false),
        Item::Course => (4, 0, false),
    }
}
