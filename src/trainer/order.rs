//! The order in which cases are drawn: a seeded shuffle for every pass, that depends on the cases' ids and on nothing
//! else. The cursor is one number, so that a resumed run draws the same cases.

/// Draws cases without end.
#[derive(Debug, Clone)]
pub struct CaseOrder {
    seed: u64,
    ids: Vec<u64>,
    /// The pass that `order` belongs to.
    pass: Option<u64>,
    order: Vec<usize>,
    /// Number of draws so far.
    cursor: u64,
}

impl CaseOrder {
    /// An order over cases with these ids; there must be at least one.
    pub fn new<'a>(seed: u64, ids: impl Iterator<Item = &'a str>) -> Self {
        Self { seed, ids: ids.map(|id| hash(id.as_bytes())).collect(), pass: None, order: Vec::new(), cursor: 0 }
    }

    /// The number of draws so far: what a checkpoint keeps.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Goes to where a checkpoint left off.
    pub fn set_cursor(&mut self, cursor: u64) {
        self.cursor = cursor;
    }

    /// A number that changes when a case is added, removed or moved.
    pub fn fingerprint(&self) -> u64 {
        let bytes: Vec<u8> = self.ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        hash(&bytes)
    }

    /// Draws the next `count` cases that are not in `taken`, and no case twice: a step's random numbers depend on the
    /// case's id, so the same case twice would give the same responses twice. Fewer where there are not enough cases.
    pub fn draw(&mut self, count: usize, taken: &[usize]) -> Vec<usize> {
        let mut drawn: Vec<usize> = Vec::with_capacity(count);
        let n = self.ids.len() as u64;
        // Two passes hold every case at least once from any cursor.
        for _ in 0..2 * n {
            if drawn.len() == count {
                break;
            }
            let pass = self.cursor / n;
            if self.pass != Some(pass) {
                self.shuffle(pass);
            }
            let case = self.order[(self.cursor % n) as usize];
            self.cursor += 1;
            if !taken.contains(&case) && !drawn.contains(&case) {
                drawn.push(case);
            }
        }
        drawn
    }

    fn shuffle(&mut self, pass: u64) {
        self.order = (0..self.ids.len()).collect();
        self.order.sort_by_cached_key(|&i| (mix(mix(self.seed ^ 0x6f72_6465_7200, pass), self.ids[i]), i));
        self.pass = Some(pass);
    }
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): names and fingerprints, no protection against an adversary.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// Two numbers to one, evenly spread: the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
pub fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_add(b.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(seed: u64) -> CaseOrder {
        let ids: Vec<String> = (0..10).map(|i| format!("case-{i}")).collect();
        CaseOrder::new(seed, ids.iter().map(String::as_str))
    }

    #[test]
    fn each_pass_holds_every_case_once_in_its_own_order() {
        let mut cases = order(3);
        let (first, second) = (cases.draw(10, &[]), cases.draw(10, &[]));
        for pass in [&first, &second] {
            let mut sorted = pass.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(first, second);
        assert_ne!(first, order(4).draw(10, &[]));
    }

    #[test]
    fn the_cursor_is_all_there_is_to_resume() {
        let mut whole = order(5);
        whole.draw(13, &[]);
        let mut resumed = order(5);
        resumed.set_cursor(whole.cursor());
        assert_eq!(whole.draw(7, &[]), resumed.draw(7, &[]));
    }

    #[test]
    fn no_case_comes_twice_in_a_draw() {
        let mut cases = order(6);
        cases.draw(7, &[]);
        let mut drawn = cases.draw(9, &[4]);
        assert_eq!(drawn.len(), 9);
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 9);
        assert!(!drawn.contains(&4));
        assert_eq!(cases.draw(12, &[]).len(), 10, "there are only ten");
    }

    #[test]
    fn fnv_1a_is_the_published_one() {
        // Test vectors of the authors' fnv_test suite: "" and "foobar".
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
