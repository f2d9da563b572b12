//! Choices that are made again the same way from the same seed.

use std::time::Duration;

/// SplitMix64.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end.max(1)
    }

    /// A time from `shortest` up to `longest` milliseconds.
    pub(crate) fn millis(&mut self, shortest: u64, longest: u64) -> Duration {
        let spread = longest.saturating_sub(shortest).saturating_mul(1_000);
        Duration::from_micros(shortest.saturating_mul(1_000) + self.below(spread))
    }
}
