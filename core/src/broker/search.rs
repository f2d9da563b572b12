//! Finding messages by time and position.

use super::{StoredRecord, Topic};
use crate::batch::{BatchHeader, RecordBatch};
use crate::index::{Entry, INNER_NONE, Lane, RunView, TAG_UNKNOWN};
use crate::model::{OffsetRange, PhysicalOffset, QueueId, QueueOffset, Timestamp};
use crate::queue::Queue;
use crate::record::RecordView;
use crate::{Client, Error};
use std::ops::Range;

impl Client {
    /// The range of offsets a queue holds.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`].
    pub fn offset_range(&self, topic: &Topic, queue: QueueId) -> Result<OffsetRange, Error> {
        Ok(topic.queue(queue)?.range(self.shared.store.appended()))
    }

    /// The bytes the log holds: the oldest kept, and one past the newest.
    #[must_use]
    pub fn log_range(&self) -> Range<PhysicalOffset> {
        let first = self
            .shared
            .store
            .segments
            .all()
            .first()
            .map(|segment| segment.base());
        first.unwrap_or_default()..PhysicalOffset::new(self.shared.store.appended())
    }

    /// The first message whose own timestamp (RocketMQ's born time, Kafka's `CreateTime`) is at
    /// or after `time`: its offset and that timestamp. `None` when all are older.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`].
    pub fn offset_at(
        &self,
        topic: &Topic,
        queue: QueueId,
        time: Timestamp,
    ) -> Result<Option<(QueueOffset, Timestamp)>, Error> {
        let queue = topic.queue(queue)?;
        steadily(&queue, || {
            for entry in self.forwarded(&queue) {
                if let Some(found) = self.first_at(&queue, &entry, time)? {
                    return Ok(Some(found));
                }
            }
            for run in self.runs(&queue) {
                if run.time_max() < time {
                    continue;
                }
                for entry in self.written(&run) {
                    if let Some(found) = self.first_at(&queue, &entry, time)? {
                        return Ok(Some(found));
                    }
                }
            }
            Ok(None)
        })
    }

    /// The first message stored at or after `time`. `None` when all are older.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`].
    pub fn offset_stored_at(
        &self,
        topic: &Topic,
        queue: QueueId,
        time: Timestamp,
    ) -> Result<Option<QueueOffset>, Error> {
        let queue = topic.queue(queue)?;
        steadily(&queue, || {
            let range = queue.range(self.shared.store.appended());
            let forwarded = self.forwarded(&queue);
            if let Some(entry) = forwarded.iter().find(|entry| entry.stored_at >= time) {
                return Ok(Some(entry.base.max(range.start)));
            }
            for run in self.runs(&queue) {
                let index = run.partition_point(|entry| entry.stored_at < time);
                if let Some(entry) = run.entry(index) {
                    return Ok((entry.base < range.end).then_some(entry.base.max(range.start)));
                }
            }
            Ok(None)
        })
    }

    /// When the message at `offset` was stored; `None` outside the range.
    #[must_use]
    pub fn stored_at(
        &self,
        topic: &Topic,
        queue: QueueId,
        offset: QueueOffset,
    ) -> Option<Timestamp> {
        let queue = topic.queue(queue).ok()?;
        let range = queue.range(self.shared.store.appended());
        if offset < range.start || offset >= range.end {
            return None;
        }
        let mut found = None;
        self.shared.store.entries(&queue, offset, |entry| {
            found = Some(entry.stored_at);
            false
        });
        found
    }

    /// The message with the greatest timestamp, the first of several: its offset and timestamp.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`].
    pub fn offset_of_max_timestamp(
        &self,
        topic: &Topic,
        queue: QueueId,
    ) -> Result<Option<(QueueOffset, Timestamp)>, Error> {
        let handle = topic.queue(queue)?;
        let mut times = steadily(&handle, || {
            let mut runs = self.shared.store.forwarded_runs(&handle);
            runs.extend(self.runs(&handle));
            Ok(runs.iter().map(RunView::time_max).collect::<Vec<_>>())
        })?;
        times.sort_unstable();
        // What had the greatest may be before the queue's start.
        for time in times.into_iter().rev() {
            if let Some(found) = self.offset_at(topic, queue, time)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The record that starts at `position`, by RocketMQ's offset message id.
    ///
    /// # Errors
    /// [`Error::Invalid`] when none starts there.
    pub fn record_at(&self, position: PhysicalOffset) -> Result<StoredRecord, Error> {
        let none = || Error::Invalid(format!("no record starts at {position}"));
        let end = PhysicalOffset::new(self.shared.store.appended());
        let segment = self.shared.store.segments.find(position).ok_or_else(none)?;
        let written = usize::try_from(position.distance_to(end)).unwrap_or(usize::MAX);
        let bytes = segment.slice(position, written).map_err(|_| none())?;
        let record = RecordView::parse(&bytes).map_err(|_| none())?;
        let length = record.bytes().len();
        self.shared.store.segments.touch(&segment, position, length);
        if record.position() != position || record.verify().is_err() {
            return Err(none());
        }
        let header = record
            .is_batch()
            .then(|| BatchHeader::read(&record.body()).ok())
            .flatten();
        Ok(StoredRecord {
            base_offset: record.queue_offset(),
            count: header.map_or(1, |header| header.offset_count()),
            position,
            stored_at: record.stored_at(),
            is_batch: record.is_batch(),
            inner: None,
            bytes: record.bytes().clone(),
        })
    }

    /// The entries of a queue's messages that were copied forward, in offset order.
    fn forwarded(&self, queue: &Queue) -> Vec<Entry> {
        let (start, main) = (queue.start(), queue.main());
        let mut entries = Vec::new();
        if start < main {
            self.shared.store.entries(queue, start, |entry| {
                let is_forwarded = entry.base < main;
                entries.extend(is_forwarded.then_some(entry));
                is_forwarded
            });
        }
        entries
    }

    /// The main lane's runs of a queue in offset order, the open one last, from its start on.
    fn runs(&self, queue: &Queue) -> Vec<RunView> {
        // In this order: a run that closes meanwhile is seen twice rather than not at all.
        let open = queue.open_run();
        let closing = queue.closing_run();
        let mut runs = self.shared.store.stretches.runs(queue.number(), Lane::Main);
        for run in closing.into_iter().chain([open]) {
            let is_new = runs.last().is_none_or(|last| last.end() <= run.base());
            if is_new && run.len() > 0 {
                runs.push(run);
            }
        }
        let start = queue.start().max(queue.main());
        runs.retain(|run| run.end() > start);
        runs
    }

    /// The entries of a run whose records are written.
    fn written(&self, run: &RunView) -> impl Iterator<Item = Entry> {
        let appended = self.shared.store.appended();
        (0..run.len())
            .map_while(|index| run.entry(index))
            .take_while(move |entry| entry.position.advance(entry.size.into()).get() <= appended)
    }

    fn first_at(
        &self,
        queue: &Queue,
        entry: &Entry,
        time: Timestamp,
    ) -> Result<Option<(QueueOffset, Timestamp)>, Error> {
        let start = queue.start();
        if entry.end() <= start {
            return Ok(None);
        }
        let stored = self.stored(entry)?;
        let damaged = |error: &dyn std::fmt::Display| {
            Error::Storage(format!(
                "the record at {} is damaged: {error}",
                entry.position
            ))
        };
        let record = RecordView::parse(&stored.bytes).map_err(|error| damaged(&error))?;
        if entry.tag != TAG_UNKNOWN || !record.is_batch() {
            let born_at = record.born_at();
            return Ok((born_at >= time).then_some((entry.base, born_at)));
        }
        let batch = RecordBatch::stored(record.body()).map_err(|error| damaged(&error))?;
        if batch.header().max_timestamp < time {
            return Ok(None);
        }
        let Ok(records) = batch.records() else {
            return Ok(None);
        };
        let first = records.stamps().map_while(Result::ok).find(|stamp| {
            let offset = entry.base.advance(u64::from(stamp.offset_delta));
            stamp.timestamp >= time
                && (entry.inner != INNER_NONE || offset >= start)
                && (entry.inner == INNER_NONE || entry.inner == stamp.offset_delta)
        });
        Ok(first.map(|stamp| {
            let delta = if entry.inner == INNER_NONE {
                stamp.offset_delta
            } else {
                0
            };
            (entry.base.advance(u64::from(delta)), stamp.timestamp)
        }))
    }
}

/// Looks through both lanes of a queue, again when a segment went meanwhile: what has left the main
/// lane then was copied into the other after that was looked at.
fn steadily<T>(queue: &Queue, look: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    loop {
        let main = queue.main();
        let found = look();
        if queue.main() == main {
            return found;
        }
    }
}
