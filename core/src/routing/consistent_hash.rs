//! One of several destinations, the same for the same hash, and mostly the same when there are
//! more of them.

use super::exchange::Destination;

/// Destinations with their weights, in the order they were bound.
#[derive(Debug, Default)]
pub(super) struct ConsistentHash {
    weighted: Vec<(u32, Destination)>,
    total: u64,
}

impl ConsistentHash {
    /// Adds a destination that gets `weight` parts of all.
    pub(super) fn insert(&mut self, weight: u32, destination: Destination) {
        self.weighted.push((weight, destination));
        self.total += u64::from(weight);
    }

    /// Takes that back.
    pub(super) fn remove(&mut self, weight: u32, destination: &Destination) {
        let is_it = |(known, to): &(u32, Destination)| *known == weight && to == destination;
        if let Some(at) = self.weighted.iter().position(is_it) {
            self.weighted.remove(at);
            self.total -= u64::from(weight);
        }
    }

    /// Whose part `hashed` falls into; `None` of none.
    pub(super) fn pick(&self, hashed: &[u8]) -> Option<&Destination> {
        let mut part = jump(fnv(hashed), self.total)?;
        let found = self.weighted.iter().find(|(weight, _)| {
            let weight = u64::from(*weight);
            let is_here = part < weight;
            part = part.saturating_sub(weight);
            is_here
        });
        found.map(|(_, destination)| destination)
    }
}

/// FNV-1a.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// Which of `count` parts a hash falls into, by the jump consistent hash of Lamping and Veach: of
/// one part more, only a share of the hashes moves, all of them to the new one.
fn jump(mut hash: u64, count: u64) -> Option<u64> {
    let (mut part, mut next) = (None, 0);
    while next < count {
        part = Some(next);
        hash = hash.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        // At most 2^31, so that the quotient is at least `next + 1`.
        let divisor = u128::from((hash >> 33) + 1);
        let grown = (u128::from(next + 1) << 31) / divisor;
        next = u64::try_from(grown).unwrap_or(u64::MAX);
    }
    part
}
