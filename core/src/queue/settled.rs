//! Which offsets of a queue nobody waits for any more: all below a floor, and some above it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use roaring::RoaringTreemap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::io;
use std::ops::Range;

/// After so many settled offsets, runs of them are packed.
const PACK_EVERY: u64 = 1 << 16;

/// Offsets that are settled: acknowledged, delivered or given up. A bit each above the floor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    floor: u64,
    above: RoaringTreemap,
}

impl Settled {
    /// Settled up to `floor`, exclusive.
    pub(crate) fn below(floor: u64) -> Self {
        Self {
            floor,
            above: RoaringTreemap::new(),
        }
    }

    /// Everything below is settled; it is not.
    pub(crate) const fn floor(&self) -> u64 {
        self.floor
    }

    /// Offsets above the floor that are settled.
    pub(crate) fn count_above(&self) -> u64 {
        self.above.len()
    }

    pub(crate) fn contains(&self, offset: u64) -> bool {
        offset < self.floor || self.above.contains(offset)
    }

    /// Settles one; `false` when it was settled before.
    pub(crate) fn insert(&mut self, offset: u64) -> bool {
        if offset < self.floor || !self.above.insert(offset) {
            return false;
        }
        if offset.is_multiple_of(PACK_EVERY) {
            // One that stays open keeps everything after it here: runs, then, not bits.
            self.above.optimize();
        }
        if offset == self.floor {
            self.raise_over_settled();
        }
        true
    }

    /// Settles all of `offsets`.
    pub(crate) fn insert_range(&mut self, offsets: Range<u64>) {
        if offsets.is_empty() {
        } else if offsets.start <= self.floor {
            self.raise(offsets.end);
        } else {
            self.above.insert_range(offsets);
        }
    }

    /// Settles everything below `floor`.
    pub(crate) fn raise(&mut self, floor: u64) {
        if floor > self.floor {
            self.above.remove_range(..floor);
            self.floor = floor;
            self.raise_over_settled();
        }
    }

    /// The first offset from `from` on that is not settled.
    pub(crate) fn next_open(&self, from: u64) -> u64 {
        let mut at = from.max(self.floor);
        // By leaps that double as long as all under them is settled, then by ever smaller ones.
        let mut leap = 1_u64;
        while self.above.contains_range(at..at.saturating_add(leap)) {
            at = at.saturating_add(leap);
            leap = leap.saturating_mul(2);
        }
        while leap > 1 {
            leap /= 2;
            if self.above.contains_range(at..at.saturating_add(leap)) {
                at = at.saturating_add(leap);
            }
        }
        at
    }

    fn raise_over_settled(&mut self) {
        let floor = self.next_open(self.floor);
        self.above.remove_range(..floor);
        self.floor = floor;
    }
}

/// As JSON keeps it: the floor, and the rest in roaring's portable format in base64.
#[derive(Serialize, Deserialize)]
struct Packed {
    floor: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    above: String,
}

impl Serialize for Settled {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let above = pack(&self.above).map_err(serde::ser::Error::custom)?;
        let floor = self.floor;
        Packed { floor, above }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Settled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let packed = Packed::deserialize(deserializer)?;
        let above = unpack(&packed.above).map_err(serde::de::Error::custom)?;
        let floor = packed.floor;
        Ok(Self { floor, above })
    }
}

/// Roaring's portable format in base64; nothing for the empty map.
pub(super) fn pack(map: &RoaringTreemap) -> io::Result<String> {
    let mut bytes = Vec::new();
    if !map.is_empty() {
        map.serialize_into(&mut bytes)?;
    }
    Ok(STANDARD_NO_PAD.encode(bytes))
}

/// Reads what [`pack`] wrote.
pub(super) fn unpack(packed: &str) -> io::Result<RoaringTreemap> {
    let bytes = STANDARD_NO_PAD.decode(packed).map_err(io::Error::other)?;
    if bytes.is_empty() {
        return Ok(RoaringTreemap::new());
    }
    RoaringTreemap::deserialize_from(bytes.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_rises_over_everything_settled() {
        let mut settled = Settled::default();
        for offset in [2, 1, 5] {
            assert!(settled.insert(offset));
        }
        assert_eq!((settled.floor(), settled.next_open(1)), (0, 3));
        assert!(settled.insert(0));
        assert!(!settled.insert(2), "it is settled");
        assert_eq!((settled.floor(), settled.count_above()), (3, 1));
        assert!(settled.contains(1) && settled.contains(5) && !settled.contains(3));
        settled.raise(5);
        for offset in (7..100_000).rev() {
            settled.insert(offset);
            assert_eq!(settled.next_open(offset), 100_000);
            assert_eq!(settled.next_open(0), 6);
        }
        settled.above.remove(70_001);
        assert_eq!(settled.next_open(7), 70_001);
        settled.above.remove_range(7..);
        assert_eq!((settled.floor(), settled.count_above()), (6, 0));
        assert_eq!(settled.next_open(0), 6);
    }

    #[test]
    fn it_comes_back_from_json_as_it_was() {
        let mut settled = Settled::below(7);
        settled.insert(9);
        settled.insert(1 << 40);
        let json = serde_json::to_string(&settled).unwrap();
        assert_eq!(serde_json::from_str::<Settled>(&json).unwrap(), settled);
        assert!(serde_json::from_str::<Settled>(r#"{"floor":1,"above":"rubbish"}"#).is_err());
    }
}
