//! One door out for streams: records in order, as they were stored.

use super::Topic;
use crate::model::{OffsetRange, PhysicalOffset, QueueId, QueueOffset, Timestamp};
use crate::{Client, Error};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// One queue to read.
#[derive(Clone, Debug)]
pub struct FetchQueue {
    /// The topic.
    pub topic: Arc<Topic>,
    /// A queue of it.
    pub queue: QueueId,
    /// The first offset wanted. A batch that contains it is returned whole.
    pub offset: QueueOffset,
    /// Stop before a record that would pass this, but always return one.
    pub bytes_max: usize,
    /// Stop before a record that would pass this count of messages, but always return one.
    pub messages_max: u32,
    /// Skip messages whose tag cannot match. Batches are returned whatever their records' tags.
    pub filter: Option<Arc<TagFilter>>,
}

/// Limits over all queues of one fetch.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// Stop before a record that would pass this, but always return one.
    pub bytes_max: usize,
    /// Wait until this much is there. 0 and 1 ask for anything.
    pub bytes_min: usize,
    /// Wait no longer than this.
    pub wait: Duration,
}

/// What one queue gave.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// In queue order.
    pub records: Vec<StoredRecord>,
    /// Where to go on reading: after the last record, and after messages the filter skipped.
    pub next_offset: QueueOffset,
    /// What the queue holds now.
    pub range: OffsetRange,
}

/// A record as it stands in the log; cheap to clone, the bytes are the log's own.
#[derive(Clone, Debug)]
pub struct StoredRecord {
    /// Queue offset of its first message in the queue that was read.
    pub base_offset: QueueOffset,
    /// Messages it holds for that queue.
    pub count: u32,
    /// Where it stands in the log.
    pub position: PhysicalOffset,
    /// When it was stored.
    pub stored_at: Timestamp,
    /// The entry names just this record of the batch (0 is the first).
    pub inner: Option<u32>,
    /// The whole record in RocketMQ's commit log layout.
    pub bytes: Bytes,
}

/// Messages in RocketMQ's layout, ready for a native reader.
#[derive(Clone, Debug)]
pub struct MessageView {
    /// Its queue offset.
    pub offset: QueueOffset,
    /// The record in RocketMQ's commit log layout: a message's own bytes, or those made of one
    /// record of a batch.
    pub bytes: Bytes,
}

/// Tags a subscriber wants: a quick test by hash, then by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagFilter {
    tags: Vec<(i32, String)>,
}

impl TagFilter {
    /// A filter that passes messages with one of `tags`.
    #[must_use]
    pub fn new<'a>(tags: impl IntoIterator<Item = &'a str>) -> Self {
        let tags = tags
            .into_iter()
            .map(|tag| (crate::record::tag_hash(tag), tag.to_owned()));
        Self {
            tags: tags.collect(),
        }
    }

    /// Whether a message with this tag hash (0 for none) can match.
    #[must_use]
    pub fn may_match(&self, hash: i32) -> bool {
        self.tags.iter().any(|(candidate, _)| *candidate == hash)
    }

    /// Whether a message with this tag matches.
    #[must_use]
    pub fn matches(&self, tag: Option<&str>) -> bool {
        tag.is_some_and(|tag| self.tags.iter().any(|(_, candidate)| candidate == tag))
    }
}

impl Client {
    /// Reads what is there now, each queue with its own outcome, in the order asked.
    ///
    /// # Errors
    /// A queue's own: [`Error::OffsetOutOfRange`], [`Error::QueueNotFound`], not readable.
    pub fn fetch_now(
        &self,
        queues: &[FetchQueue],
        bytes_max: usize,
    ) -> Vec<Result<Fetched, Error>> {
        unimplemented!()
    }

    /// Reads, and waits for `limits.bytes_min` up to `limits.wait`. Returns at once when a queue
    /// has an error. Cancel by dropping.
    ///
    /// # Errors
    /// As [`Client::fetch_now`].
    pub async fn fetch(
        &self,
        queues: &[FetchQueue],
        limits: FetchLimits,
    ) -> Vec<Result<Fetched, Error>> {
        unimplemented!()
    }

    /// `fetched` as Kafka record batches in order: stored batches verbatim (base offset patched),
    /// runs of messages as batches made of them. Made batches are cached by position, so that the
    /// readers of the tail convert once.
    ///
    /// # Errors
    /// [`Error::Storage`] when a stored record does not parse.
    pub fn batches(&self, fetched: &Fetched) -> Result<Vec<Bytes>, Error> {
        unimplemented!()
    }

    /// `fetched` as RocketMQ messages from `offset` on: stored messages verbatim, records of
    /// batches as messages made of them (cached). At most `messages_max` that pass `filter` by
    /// name; the second value is where to go on reading.
    ///
    /// # Errors
    /// [`Error::Storage`] when a stored record does not parse.
    pub fn messages(
        &self,
        fetched: &Fetched,
        offset: QueueOffset,
        messages_max: u32,
        filter: Option<&TagFilter>,
    ) -> Result<(Vec<MessageView>, QueueOffset), Error> {
        unimplemented!()
    }

    /// The range of offsets a queue holds.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`].
    pub fn offset_range(&self, topic: &Topic, queue: QueueId) -> Result<OffsetRange, Error> {
        unimplemented!()
    }

    /// The first message stored (for a batch: with a record timestamp) at or after `time`:
    /// its offset and its timestamp. `None` when all are older.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`].
    pub fn offset_at(
        &self,
        topic: &Topic,
        queue: QueueId,
        time: Timestamp,
    ) -> Result<Option<(QueueOffset, Timestamp)>, Error> {
        unimplemented!()
    }

    /// When the message at `offset` was stored; `None` outside the range.
    pub fn stored_at(
        &self,
        topic: &Topic,
        queue: QueueId,
        offset: QueueOffset,
    ) -> Option<Timestamp> {
        unimplemented!()
    }

    /// The message with the greatest timestamp: its offset and its timestamp (Kafka's -3).
    ///
    /// # Errors
    /// [`Error::QueueNotFound`].
    pub fn offset_of_max_timestamp(
        &self,
        topic: &Topic,
        queue: QueueId,
    ) -> Result<Option<(QueueOffset, Timestamp)>, Error> {
        unimplemented!()
    }

    /// The record that starts at `position`, by RocketMQ's offset message id.
    ///
    /// # Errors
    /// [`Error::Invalid`] when none starts there.
    pub fn record_at(&self, position: PhysicalOffset) -> Result<StoredRecord, Error> {
        unimplemented!()
    }
}
