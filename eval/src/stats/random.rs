//! Random indices from a counter: draw `i` of resample `r` depends on (seed, r, i) alone.

/// The mixing function of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The stream of one resample.
pub(super) struct Stream(u64);

impl Stream {
    /// Step of the sequence, 2^64 divided by the golden ratio, made odd (same source).
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    pub(super) fn new(seed: u64, resample: u64) -> Self {
        Self(mix(mix(seed ^ Self::STEP).wrapping_add(resample.wrapping_mul(Self::STEP))))
    }

    /// An index below `n`, which must be above 0. The bias of the multiplication is below n / 2^64.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(Self::STEP);
        ((u128::from(mix(self.0)) * n as u128) >> 64) as usize
    }
}
