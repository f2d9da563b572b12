//! Raising the starts of queues whose topics have rules of their own: at once, long before the
//! segments go.

use crate::broker::Topic;
use crate::broker::shared::Shared;
use crate::index::{Entry, Lane, RunView};
use crate::model::{KeptFor, PhysicalOffset, QueueId, QueueOffset, TopicRules};
use crate::queue::Queue;
use crate::state::Command;
use crate::{Client, Error};

impl Shared {
    /// Raises every start that a topic's rules say is to rise.
    ///
    /// # Errors
    /// A failed store.
    pub(super) fn raise_starts(&self) -> Result<(), Error> {
        for topic in self.topics.all() {
            let rules = topic.rules();
            let has_age = matches!(rules.kept_for, Some(KeptFor::Millis(_)));
            if has_age || rules.queue_bytes_max.is_some() {
                self.raise_topic(&topic, &rules)?;
            }
        }
        Ok(())
    }

    fn raise_topic(&self, topic: &Topic, rules: &TopicRules) -> Result<(), Error> {
        let mut starts = Vec::new();
        for (id, queue) in (0_u32..).zip(topic.queues().iter()) {
            let by_age = self.start_by_age(queue, rules);
            let start = by_age.max(self.start_by_bytes(queue, rules));
            if start > queue.start() {
                starts.push((id, start.get()));
            }
        }
        if starts.is_empty() {
            return Ok(());
        }
        self.log_starts(topic, starts)?;
        Ok(())
    }

    /// Logs queue ids with their new starts, and lets the queues know; the record's end.
    fn log_starts(&self, topic: &Topic, starts: Vec<(u32, u64)>) -> Result<PhysicalOffset, Error> {
        let mut state = self.state_mut();
        let command = Command::RaiseStarts {
            name: topic.name().as_str().to_owned(),
            starts: starts.clone(),
        };
        let end = self.log(&mut state, command)?;
        crash_point!("starts.logged");
        for (id, start) in starts {
            if let Ok(queue) = topic.queue(QueueId::new(id)) {
                queue.raise(QueueOffset::new(start), QueueOffset::ZERO);
            }
        }
        self.count_death();
        Ok(end)
    }

    fn start_by_age(&self, queue: &Queue, rules: &TopicRules) -> QueueOffset {
        let Some(KeptFor::Millis(millis)) = rules.kept_for else {
            return queue.start();
        };
        let now = self.clock.now();
        self.first(queue, |entry| now.millis_since(entry.stored_at) < millis)
    }

    /// Drops from the oldest on until the rest is within the limit.
    fn start_by_bytes(&self, queue: &Queue, rules: &TopicRules) -> QueueOffset {
        let Some(limit) = rules.queue_bytes_max else {
            return queue.start();
        };
        let closed = self.store.stretches.runs(queue.number(), Lane::Main);
        let mut bytes = queue.open_run().bytes();
        bytes += closed.iter().map(RunView::bytes).sum::<u64>();
        // The runs are whole; what is before the start in them is gone already, and what was
        // copied forward is not in them.
        let before = closed.first().map_or_else(|| queue.main(), RunView::base);
        let mut gone = 0;
        self.store.entries(queue, before, |entry| {
            let is_gone = entry.end() <= queue.start();
            gone += if is_gone { u64::from(entry.size) } else { 0 };
            is_gone
        });
        self.store.entries(queue, queue.start(), |entry| {
            let is_forwarded = entry.base < queue.main();
            bytes += if is_forwarded {
                u64::from(entry.size)
            } else {
                0
            };
            is_forwarded
        });
        let mut left = bytes.saturating_sub(gone);
        self.first(queue, |entry| {
            let fits = left <= limit;
            left = left.saturating_sub(u64::from(entry.size));
            fits
        })
    }

    /// The first offset that `stays`, from the queue's start on; its end when none does.
    fn first(&self, queue: &Queue, mut stays: impl FnMut(&Entry) -> bool) -> QueueOffset {
        let end = queue.range(self.store.appended()).end;
        let mut start = queue.start();
        self.store.entries(queue, start, |entry| {
            if entry.base >= end || stays(&entry) {
                return false;
            }
            start = start.max(entry.end());
            true
        });
        start
    }
}

impl Client {
    /// Forgets the messages of a queue before `before`, which becomes its start: at once for
    /// readers; their space is freed with their segments. The new start.
    ///
    /// # Errors
    /// [`Error::OffsetOutOfRange`] beyond the queue's end, [`Error::QueueNotFound`].
    pub fn truncate_queue(
        &self,
        topic: &Topic,
        queue: QueueId,
        before: QueueOffset,
    ) -> Result<QueueOffset, Error> {
        let range = self.offset_range(topic, queue)?;
        if before > range.end {
            return Err(Error::OffsetOutOfRange {
                requested: before,
                range,
            });
        }
        if before > range.start {
            let starts = vec![(queue.get(), before.get())];
            let end = self.shared.log_starts(topic, starts)?;
            self.shared.settle(end)?;
        }
        Ok(before.max(range.start))
    }
}
