//! How often something was tried with single offsets of a queue.

use super::settled::{pack, unpack};
use roaring::RoaringTreemap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number for each offset, most of them 0. One bitmap a binary digit, so that numbers of many
/// offsets cost a few bits each, and those of all others nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    /// The offsets whose number has that digit set, the lowest digit first.
    digits: Vec<RoaringTreemap>,
}

impl Counts {
    const DIGITS_MAX: usize = 31;

    /// The number of `offset`.
    pub(crate) fn of(&self, offset: u64) -> u32 {
        let digits = self.digits.iter().rev();
        digits.fold(0, |number, digit| {
            number * 2 + u32::from(digit.contains(offset))
        })
    }

    /// Counts one more.
    pub(crate) fn count(&mut self, offset: u64) {
        for digit in &mut self.digits {
            if digit.insert(offset) {
                return;
            }
            digit.remove(offset);
        }
        if self.digits.len() < Self::DIGITS_MAX {
            self.digits.push(RoaringTreemap::from_iter([offset]));
        }
    }

    /// Sets the number back to 0.
    pub(crate) fn forget(&mut self, offset: u64) {
        for digit in &mut self.digits {
            digit.remove(offset);
        }
        while self.digits.last().is_some_and(RoaringTreemap::is_empty) {
            self.digits.pop();
        }
    }

    /// Whether all numbers are 0.
    pub(crate) const fn is_empty(&self) -> bool {
        self.digits.is_empty()
    }
}

impl Eq for Counts {}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits: Result<Vec<String>, _> = self.digits.iter().map(pack).collect();
        let digits = digits.map_err(serde::ser::Error::custom)?;
        digits.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let packed = Vec::<String>::deserialize(deserializer)?;
        let digits: Result<_, _> = packed.iter().map(|digit| unpack(digit)).collect();
        let digits = digits.map_err(serde::de::Error::custom)?;
        Ok(Self { digits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_offset_has_its_own_number() {
        let mut counts = Counts::default();
        for offset in 0..40_u64 {
            for _ in 0..offset {
                counts.count(offset << 30);
            }
        }
        let json = serde_json::to_string(&counts).unwrap();
        let mut counts: Counts = serde_json::from_str(&json).unwrap();
        for offset in 0..40_u32 {
            assert_eq!(counts.of(u64::from(offset) << 30), offset);
        }
        for offset in 1..40_u64 {
            counts.forget(offset << 30);
            assert_eq!(counts.of(offset << 30), 0);
        }
        assert!(counts.is_empty());
    }
}
