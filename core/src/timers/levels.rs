//! RocketMQ's delay levels.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::str::FromStr;

/// What the levels 1, 2, … stand for, written as RocketMQ does: `1s 5s 10m 2h 1d`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayLevels {
    text: String,
    millis: Vec<u64>,
}

/// A level that is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("delay level {0:?} is not a number of s, m, h or d")]
pub struct IllegalLevel(String);

impl DelayLevels {
    const STOCK: &str = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h";

    /// The delay of `level` in milliseconds; of the highest for a higher one, `None` below 1.
    #[must_use]
    pub fn millis(&self, level: i64) -> Option<u64> {
        let index = usize::try_from(level.checked_sub(1)?).ok()?;
        self.millis
            .get(index)
            .or_else(|| self.millis.last())
            .copied()
    }

    /// How many levels there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.millis.len()
    }
}

impl Default for DelayLevels {
    fn default() -> Self {
        Self::STOCK.parse().unwrap_or_else(|_| Self {
            text: String::new(),
            millis: Vec::new(),
        })
    }
}

impl FromStr for DelayLevels {
    type Err = IllegalLevel;

    fn from_str(text: &str) -> Result<Self, IllegalLevel> {
        let millis: Result<Vec<u64>, IllegalLevel> =
            text.split_whitespace().map(level_millis).collect();
        Ok(Self {
            text: text.to_owned(),
            millis: millis?,
        })
    }
}

fn level_millis(level: &str) -> Result<u64, IllegalLevel> {
    let illegal = || IllegalLevel(level.to_owned());
    let unit = match level.chars().next_back() {
        Some('s') => 1_000,
        Some('m') => 60_000,
        Some('h') => 3_600_000,
        Some('d') => 86_400_000,
        _ => return Err(illegal()),
    };
    let digits = level.get(..level.len() - 1).unwrap_or_default();
    let count: u64 = digits.parse().map_err(|_| illegal())?;
    count.checked_mul(unit).ok_or_else(illegal)
}

impl Serialize for DelayLevels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DelayLevels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stock_levels_are_rocketmqs() {
        let levels = DelayLevels::default();
        assert_eq!(levels.count(), 18);
        assert_eq!(levels.millis(1), Some(1_000));
        assert_eq!(levels.millis(5), Some(60_000));
        assert_eq!(levels.millis(18), Some(7_200_000));
        assert_eq!(levels.millis(99), Some(7_200_000), "the highest");
        assert_eq!(levels.millis(0), None);
        assert_eq!(levels.millis(-1), None);
    }

    #[test]
    fn what_is_no_time_is_refused_by_name() {
        for illegal in ["1s 5x", "s", "1", "-1s", "99999999999999999999d"] {
            assert!(illegal.parse::<DelayLevels>().is_err(), "{illegal}");
        }
    }
}
