//! How long a load has the broker hold its messages back.

use crate::body::{MessageId, mix};

/// Each message waits its own time, which is known from its id, so that whoever reads it knows
/// when it was due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    /// The shortest, in milliseconds.
    pub least_ms: u32,
    /// How much longer the longest is, in milliseconds.
    pub span_ms: u32,
}

impl Delay {
    /// All messages wait as long.
    #[must_use]
    pub const fn of(millis: u32) -> Self {
        Self {
            least_ms: millis,
            span_ms: 0,
        }
    }

    /// Whether nothing waits.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.least_ms == 0 && self.span_ms == 0
    }

    /// How long the message waits, in milliseconds.
    #[must_use]
    pub fn millis(&self, id: MessageId) -> u64 {
        let noise = mix(mix(u64::from(id.producer)) ^ id.sequence);
        let more = noise % u64::from(self.span_ms).saturating_add(1);
        u64::from(self.least_ms).saturating_add(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_waits_its_own_time_between_the_two() {
        let delay = Delay {
            least_ms: 10,
            span_ms: 2,
        };
        let waits = |sequence| {
            let id = MessageId {
                producer: 1,
                sequence,
            };
            assert_eq!(delay.millis(id), delay.millis(id));
            delay.millis(id)
        };
        let mut all: Vec<u64> = (0..100).map(waits).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all, [10, 11, 12]);
        assert_eq!(Delay::of(7).millis(MessageId::FOREIGN), 7);
        assert!(Delay::default().is_none() && !delay.is_none());
    }
}
