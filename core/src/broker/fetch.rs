//! One door out for streams: records in order, as they were stored.

use super::Topic;
use crate::filter::Filter;
use crate::index::{Entry, INNER_NONE, TAG_UNKNOWN};
use crate::model::{OffsetRange, PhysicalOffset, QueueId, QueueOffset, Timestamp};
use crate::queue::{Queue, Waiter};
use crate::record::{RecordView, is_batch};
use crate::{Client, Error};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Looks for a message that retention moves away under the reader, each a segment later.
const LOOKS_MAX: u32 = 64;

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
    /// Skip messages that cannot match by their tag's hash, as far as one read may. Batches are
    /// returned whatever their records' tags. [`Client::select`] looks at the messages themselves.
    pub filter: Option<Arc<Filter>>,
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
    /// Its body is a Kafka record batch.
    pub is_batch: bool,
    /// The entry names just this record of the batch (0 is the first).
    pub inner: Option<u32>,
    /// The whole record in RocketMQ's commit log layout.
    pub bytes: Bytes,
}

impl Fetched {
    fn bytes(&self) -> usize {
        self.records.iter().map(|record| record.bytes.len()).sum()
    }
}

impl Client {
    /// Reads what is there now, each queue with its own outcome, in the order asked.
    ///
    /// # Errors
    /// A queue's own: [`Error::OffsetOutOfRange`], [`Error::QueueNotFound`], not readable.
    #[must_use]
    pub fn fetch_now(
        &self,
        queues: &[FetchQueue],
        bytes_max: usize,
    ) -> Vec<Result<Fetched, Error>> {
        let mut left = bytes_max;
        let mut is_first = true;
        let fetch = |queue| {
            let fetched = self.fetch_queue(queue, left, is_first)?;
            let bytes = fetched.bytes();
            is_first &= bytes == 0;
            left = left.saturating_sub(bytes);
            Ok(fetched)
        };
        queues.iter().map(fetch).collect()
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
        let fetched = self.fetch_now(queues, limits.bytes_max);
        let missing = missing(&fetched, &limits);
        if limits.wait.is_zero() || missing == 0 {
            return fetched;
        }
        self.fetch_later(queues.to_vec(), limits, missing).await
    }

    async fn fetch_later(
        &self,
        mut queues: Vec<FetchQueue>,
        limits: FetchLimits,
        mut missing_bytes: usize,
    ) -> Vec<Result<Fetched, Error>> {
        let deadline = Instant::now() + limits.wait;
        loop {
            let watch = Watch::on(&queues, missing_bytes);
            // What came between the last look and the registration is seen now.
            let fetched = self.fetch_now(&queues, limits.bytes_max);
            missing_bytes = missing(&fetched, &limits);
            if missing_bytes == 0 || self.shared.check_running().is_err() {
                return fetched;
            }
            for (queue, fetched) in queues.iter_mut().zip(&fetched) {
                if let Ok(fetched) = fetched
                    && fetched.records.is_empty()
                {
                    queue.offset = fetched.next_offset;
                }
            }
            if tokio::time::timeout_at(deadline, watch.waiter.satisfied())
                .await
                .is_err()
            {
                return self.fetch_now(&queues, limits.bytes_max);
            }
        }
    }

    fn fetch_queue(
        &self,
        wanted: &FetchQueue,
        bytes_left: usize,
        is_first: bool,
    ) -> Result<Fetched, Error> {
        for _ in 0..LOOKS_MAX {
            match self.try_fetch_queue(wanted, bytes_left, is_first) {
                // What was found has gone meanwhile; what outlives it is found where it is now.
                Err(Error::OffsetOutOfRange { requested, range }) if range.admits(requested) => {}
                fetched => return fetched,
            }
        }
        let offset = wanted.offset;
        // Not that the offset is out of range: a consumer would go on elsewhere.
        Err(Error::Storage(format!(
            "the message at {offset} was moved whenever it was read"
        )))
    }

    fn try_fetch_queue(
        &self,
        wanted: &FetchQueue,
        bytes_left: usize,
        is_first: bool,
    ) -> Result<Fetched, Error> {
        if !wanted.topic.spec().permission.is_readable() {
            let name = wanted.topic.name();
            return Err(Error::Forbidden(format!("topic {name} is not readable")));
        }
        let queue = wanted.topic.queue(wanted.queue)?;
        let range = queue.range(self.shared.store.appended());
        if !range.admits(wanted.offset) {
            return Err(Error::OffsetOutOfRange {
                requested: wanted.offset,
                range,
            });
        }
        let mut fetched = Fetched {
            records: Vec::new(),
            next_offset: wanted.offset,
            range,
        };
        let bytes_max = wanted.bytes_max.min(bytes_left);
        if bytes_left == 0 && !is_first {
            return Ok(fetched);
        }
        let mut entries = Vec::new();
        let (mut bytes, mut messages, mut skipped) = (0_usize, 0_u32, 0_usize);
        self.shared.store.entries(&queue, wanted.offset, |entry| {
            let next = entry.base.advance(u64::from(entry.count));
            if next > range.end {
                return false;
            }
            let size = usize::try_from(entry.size).unwrap_or(usize::MAX);
            let wants = wanted
                .filter
                .as_ref()
                .is_none_or(|filter| entry.tag == TAG_UNKNOWN || filter.may_match(entry.tag));
            if !wants {
                skipped += 1;
                fetched.next_offset = next;
                return skipped < self.shared.config.filter.entries_passed_max;
            }
            let is_over = bytes.saturating_add(size) > bytes_max
                || messages.saturating_add(entry.count) > wanted.messages_max;
            if is_over && !(entries.is_empty() && (is_first || size <= bytes_left)) {
                return false;
            }
            bytes = bytes.saturating_add(size);
            messages = messages.saturating_add(entry.count);
            fetched.next_offset = next;
            entries.push(entry);
            !is_over
        });
        fetched.records.reserve_exact(entries.len());
        for entry in entries {
            match self.stored(&entry) {
                Ok(record) => fetched.records.push(record),
                Err(error) if fetched.records.is_empty() => return Err(error),
                Err(_) => {
                    // What stands before it is served; who goes on from there hears of it.
                    fetched.next_offset = entry.base;
                    break;
                }
            }
        }
        Ok(fetched)
    }

    /// The record an entry names.
    pub(super) fn stored(&self, entry: &Entry) -> Result<StoredRecord, Error> {
        let bytes = self.shared.store.read(entry.position, entry.size);
        if entry.position < self.shared.store.segments.start() {
            return Err(expired(entry));
        }
        // What cannot be read now may be whole.
        let bytes = bytes.map_err(|error| {
            tracing::error!(%error, position = %entry.position, "reading failed");
            Error::Storage(format!("reading at {} failed: {error}", entry.position))
        })?;
        if !self.is_whole(entry, &bytes) {
            let end = entry.position.advance(u64::from(entry.size));
            let is_known = self.shared.store.damages.touches(entry.position, end);
            if !is_known && self.shared.is_index_damaged(entry) {
                let text = format!("the index that leads to {} is damaged", entry.position);
                return Err(Error::Storage(text));
            }
            self.shared.store.damages.note(entry.position, end);
            return Err(Error::Damaged(entry.position));
        }
        Ok(StoredRecord {
            base_offset: entry.base,
            count: entry.count,
            position: entry.position,
            stored_at: entry.stored_at,
            is_batch: is_batch(&bytes),
            inner: (entry.inner != INNER_NONE).then_some(entry.inner),
            bytes,
        })
    }
}

impl Client {
    /// Whether an entry's bytes are its record.
    fn is_whole(&self, entry: &Entry, bytes: &Bytes) -> bool {
        let store = &self.shared.store;
        let is_recent = entry.position >= store.stretches.end();
        if store.is_fresh(entry.position) || (is_recent && planted!("damage.trust_recent")) {
            return true;
        }
        RecordView::parse(bytes).is_ok_and(|record| {
            record.position() == entry.position
                && record.bytes().len() == bytes.len()
                && record.verify().is_ok()
        })
    }
}

/// An entry whose record has left the log since it was found: reading again finds it elsewhere or
/// tells that it is gone.
fn expired(entry: &Entry) -> Error {
    let (start, end) = (entry.base, entry.end());
    Error::OffsetOutOfRange {
        requested: entry.base,
        range: OffsetRange { start, end },
    }
}

/// Bytes a fetch still waits for; 0 when it can be answered.
fn missing(fetched: &[Result<Fetched, Error>], limits: &FetchLimits) -> usize {
    if fetched.iter().any(Result::is_err) {
        return 0;
    }
    let bytes = fetched.iter().flatten().map(Fetched::bytes).sum::<usize>();
    limits.bytes_min.max(1).saturating_sub(bytes)
}

/// A waiter, registered with its queues for as long as this lives.
pub(super) struct Watch {
    pub(super) waiter: Arc<Waiter>,
    queues: Vec<Arc<Queue>>,
}

impl Watch {
    /// Wakes once `bytes` more were appended to `queues` together.
    pub(super) fn on(queues: &[FetchQueue], bytes: usize) -> Self {
        let waiter = Waiter::new(bytes);
        let queues: Vec<_> = queues
            .iter()
            .filter_map(|wanted| wanted.topic.queue(wanted.queue).ok())
            .collect();
        for queue in &queues {
            queue.waiters.add(&waiter);
        }
        Self { waiter, queues }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for queue in &self.queues {
            queue.waiters.remove(&self.waiter);
        }
    }
}
