//! A sample of whole units from a stream of unknown length, the same in any order: the units whose ids hash lowest.

use std::collections::BTreeMap;

use attending_rewards::validation::Random;

/// Keeps whole units (cases, groups) until there are more than `limit` items, then gives up those that hash highest.
#[derive(Debug)]
pub(crate) struct Units<T> {
    limit: usize,
    items: usize,
    units: BTreeMap<u64, Vec<T>>,
    /// Hash from which on units were given up.
    bound: Option<u64>,
}

/// The place of a unit in the drawing of a seed.
pub(crate) fn draw(seed: u64, unit: &str) -> u64 {
    Random::keyed(seed, unit).below(usize::MAX) as u64
}

impl<T> Units<T> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, items: 0, units: BTreeMap::new(), bound: None }
    }

    /// Whether an item of the unit would be kept.
    pub(crate) fn takes(&self, unit: u64) -> bool {
        self.bound.is_none_or(|bound| unit < bound)
    }

    pub(crate) fn push(&mut self, unit: u64, item: T) {
        if !self.takes(unit) {
            return;
        }
        self.units.entry(unit).or_default().push(item);
        self.items += 1;
        // One unit larger than the limit is cut, not lost: a report of nothing helps nobody.
        while self.items > self.limit && self.units.len() > 1 {
            if let Some((unit, given_up)) = self.units.pop_last() {
                self.items -= given_up.len();
                self.bound = Some(unit);
            }
        }
        if self.items > self.limit
            && let Some(mut last) = self.units.last_entry()
        {
            last.get_mut().pop();
            self.items -= 1;
        }
    }

    /// The items kept of one unit.
    pub(crate) fn of(&self, unit: u64) -> &[T] {
        self.units.get(&unit).map_or(&[], Vec::as_slice)
    }

    /// The units in the order of their hashes.
    pub(crate) fn into_units(self) -> impl Iterator<Item = Vec<T>> {
        self.units.into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_units_whatever_the_order() {
        let stream: Vec<(u64, u32)> = (0..60).map(|i| (draw(3, &(i % 20).to_string()), i)).collect();
        let kept = |stream: &[(u64, u32)]| {
            let mut units = Units::new(10);
            stream.iter().for_each(|(unit, item)| units.push(*unit, *item));
            let mut items: Vec<u32> = units.into_units().flatten().collect();
            items.sort_unstable();
            items
        };
        let forward = kept(&stream);
        assert_eq!(forward, kept(&stream.iter().rev().copied().collect::<Vec<_>>()));
        // Units have three items each: three whole ones fit.
        assert_eq!(forward.len(), 9);
        assert_eq!(kept(&stream[..5]).len(), 5);
        assert_eq!(kept(&(0..30).map(|i| (1, i)).collect::<Vec<_>>()).len(), 10);
    }
}
