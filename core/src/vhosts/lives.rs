//! How long messages may be in a queue. One that came in before this changed lives on as was said
//! then, as RabbitMQ has it: nobody loses a queue's messages by giving later ones less time.

use crate::model::Timestamp;
use serde::{Deserialize, Serialize};

/// Most changes that are remembered; messages from before count as the oldest of them.
const CHANGES_MAX: usize = 16;

/// Lives by when messages came in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Lives(
    /// After when, and how long; both in milliseconds, in order of time. The first is for all
    /// before the second.
    Vec<(i64, Option<u64>)>,
);

impl Lives {
    /// The same for all.
    pub(super) fn always(life_ms: Option<u64>) -> Self {
        Self(life_ms.map(|life| (0, Some(life))).into_iter().collect())
    }

    /// Of those who come now.
    pub(super) fn last(&self) -> Option<u64> {
        self.0.last().and_then(|(_, life)| *life)
    }

    /// The same, and after `now` another.
    pub(super) fn then(&self, life_ms: Option<u64>, now: Timestamp) -> Self {
        let mut lives = self.clone();
        if lives.last() == life_ms {
            return lives;
        }
        if lives.0.is_empty() {
            lives.0.push((0, None));
        }
        lives.0.push((now.millis(), life_ms));
        if lives.0.len() > CHANGES_MAX {
            lives.0.remove(0);
        }
        lives
    }

    /// Of a message that came then.
    pub(super) fn at(&self, time: Timestamp) -> Option<u64> {
        let is_before = |(since, _): &&(i64, _)| *since < time.millis();
        let of_then = self.0.iter().rev().find(is_before);
        let (_, life) = of_then.or_else(|| self.0.first())?;
        *life
    }

    /// Whether any message may expire by it.
    pub(super) fn is_any(&self) -> bool {
        self.0.iter().any(|(_, life)| life.is_some())
    }

    /// Whether it has ever changed.
    pub(super) const fn has_changed(&self) -> bool {
        self.0.len() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_live_as_long_as_was_said_when_they_came() {
        let at = Timestamp::from_millis;
        let lives = Lives::always(None).then(Some(5), at(100));
        let lives = lives.then(Some(5), at(150)).then(Some(9), at(200));
        let found = [0, 100, 101, 200, 201].map(|time| lives.at(at(time)));
        assert_eq!(found, [None, None, Some(5), Some(5), Some(9)]);
        let none = lives.then(None, at(300));
        assert_eq!((none.last(), none.is_any()), (None, true));
        let text = serde_json::to_string(&none).unwrap();
        assert_eq!(serde_json::from_str::<Lives>(&text).unwrap(), none);
    }

    #[test]
    fn only_the_last_changes_are_remembered() {
        let at = Timestamp::from_millis;
        let changes = (0..100).fold(Lives::always(Some(1)), |lives, time| {
            lives.then(Some(2 + time), at(i64::try_from(time).unwrap()))
        });
        assert_eq!(changes.0.len(), CHANGES_MAX);
        assert_eq!(changes.at(at(0)), Some(86));
        assert_eq!(changes.last(), Some(101));
    }
}
