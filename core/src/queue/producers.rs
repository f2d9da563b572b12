//! What a queue remembers of idempotent producers (Kafka's `ProducerStateEntry`): the last five
//! batches of each, so that a retry is found and a gap refused. Kept for a day after the last
//! write, recovered from batch headers.

use crate::Error;
use crate::model::{QueueOffset, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Batches remembered for each producer: Kafka clients have at most five in flight.
const BATCHES_MAX: usize = 5;
/// Kafka's `producer.id.expiration.ms`.
const EXPIRY_MS: u64 = 86_400_000;

/// A batch header's part that makes a producer idempotent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProducerStamp {
    pub(crate) producer: i64,
    pub(crate) epoch: i16,
    pub(crate) first: i32,
    /// Sequence numbers the batch takes.
    pub(crate) count: u32,
}

/// What a batch is to its producer's last ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sequence {
    /// It follows.
    Next,
    /// It is there already, at this offset and time.
    Duplicate(QueueOffset, Timestamp),
}

/// The producers of one queue.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Producers {
    /// Batches before this offset are in.
    through: u64,
    by_id: BTreeMap<i64, Producer>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Producer {
    epoch: i16,
    /// The oldest first.
    batches: VecDeque<Batch>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Batch {
    first: i32,
    last: i32,
    offset: u64,
    stored_at: i64,
}

impl ProducerStamp {
    /// Sequence numbers wrap from 2^31-1 to 0.
    fn last(&self) -> i32 {
        let steps = i64::from(self.count.max(1)) - 1;
        let last = (i64::from(self.first) + steps) & i64::from(i32::MAX);
        i32::try_from(last).unwrap_or(i32::MAX)
    }
}

impl Producers {
    /// Judges a batch; changes nothing.
    ///
    /// # Errors
    /// [`Error::ProducerFenced`], [`Error::OutOfOrderSequence`].
    pub(crate) fn check(&self, stamp: &ProducerStamp) -> Result<Sequence, Error> {
        let Some(known) = self.by_id.get(&stamp.producer) else {
            // Nothing is known of it (new, or expired): any sequence is a beginning.
            return Ok(Sequence::Next);
        };
        if stamp.epoch < known.epoch {
            return Err(Error::ProducerFenced {
                producer: stamp.producer,
                current: known.epoch,
                got: stamp.epoch,
            });
        }
        let same_epoch = stamp.epoch == known.epoch;
        let (first, last) = (stamp.first, stamp.last());
        let duplicate = known
            .batches
            .iter()
            .find(|batch| batch.first == first && batch.last == last);
        if let Some(batch) = duplicate.filter(|_| same_epoch) {
            let stored_at = Timestamp::from_millis(batch.stored_at);
            return Ok(Sequence::Duplicate(
                QueueOffset::new(batch.offset),
                stored_at,
            ));
        }
        let expected = match known.batches.back() {
            Some(newest) if same_epoch => newest.last.checked_add(1).unwrap_or(0),
            _ => 0,
        };
        if first == expected {
            return Ok(Sequence::Next);
        }
        Err(Error::OutOfOrderSequence {
            producer: stamp.producer,
            expected,
            got: first,
        })
    }

    /// Remembers a batch that was appended at `offset`. Batches already remembered are skipped,
    /// so a replay may start too early.
    pub(crate) fn record(
        &mut self,
        stamp: &ProducerStamp,
        offset: QueueOffset,
        stored_at: Timestamp,
    ) {
        if offset.get() < self.through {
            return;
        }
        self.through = offset.get() + u64::from(stamp.count);
        let known = self
            .by_id
            .entry(stamp.producer)
            .or_insert_with(|| Producer {
                epoch: stamp.epoch,
                batches: VecDeque::with_capacity(BATCHES_MAX),
            });
        if known.epoch != stamp.epoch {
            known.epoch = stamp.epoch;
            known.batches.clear();
        }
        if known.batches.len() == BATCHES_MAX {
            known.batches.pop_front();
        }
        known.batches.push_back(Batch {
            first: stamp.first,
            last: stamp.last(),
            offset: offset.get(),
            stored_at: stored_at.millis(),
        });
    }

    /// Forgets producers that have not written for a day.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        self.by_id.retain(|_, producer| {
            let newest = producer.batches.back().map_or(0, |batch| batch.stored_at);
            now.millis_since(Timestamp::from_millis(newest)) < EXPIRY_MS
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(epoch: i16, first: i32, count: u32) -> ProducerStamp {
        ProducerStamp {
            producer: 7,
            epoch,
            first,
            count,
        }
    }

    fn record(producers: &mut Producers, stamp: ProducerStamp, offset: u64) {
        assert_eq!(producers.check(&stamp), Ok(Sequence::Next));
        producers.record(&stamp, QueueOffset::new(offset), Timestamp::from_millis(1));
    }

    #[test]
    fn a_retry_of_the_last_five_batches_is_a_duplicate_and_a_gap_is_refused() {
        let mut producers = Producers::default();
        for batch in 0..6_i32 {
            record(
                &mut producers,
                stamp(0, batch * 2, 2),
                u64::try_from(batch).unwrap() * 2,
            );
        }
        let retried = Sequence::Duplicate(QueueOffset::new(2), Timestamp::from_millis(1));
        assert_eq!(producers.check(&stamp(0, 2, 2)), Ok(retried));
        for wrong in [
            stamp(0, 0, 2),
            stamp(0, 3, 2),
            stamp(0, 14, 1),
            stamp(1, 5, 1),
        ] {
            assert!(matches!(
                producers.check(&wrong),
                Err(Error::OutOfOrderSequence { .. })
            ));
        }
    }

    #[test]
    fn a_new_epoch_starts_at_zero_and_fences_the_old_one() {
        let mut producers = Producers::default();
        record(&mut producers, stamp(0, 0, 1), 0);
        record(&mut producers, stamp(1, 0, 1), 1);
        assert!(matches!(
            producers.check(&stamp(0, 1, 1)),
            Err(Error::ProducerFenced { .. })
        ));
    }

    #[test]
    fn sequence_numbers_wrap_to_zero() {
        let mut producers = Producers::default();
        record(&mut producers, stamp(0, i32::MAX - 1, 2), 0);
        record(&mut producers, stamp(0, 0, 1), 2);
        let mut across = Producers::default();
        record(&mut across, stamp(0, i32::MAX, 3), 0);
        record(&mut across, stamp(0, 2, 1), 3);
    }

    #[test]
    fn a_replay_that_starts_too_early_changes_nothing() {
        let mut producers = Producers::default();
        record(&mut producers, stamp(0, 0, 2), 0);
        record(&mut producers, stamp(0, 2, 2), 2);
        producers.record(&stamp(0, 0, 2), QueueOffset::ZERO, Timestamp::default());
        assert_eq!(producers.check(&stamp(0, 4, 1)), Ok(Sequence::Next));
    }
}
