//! Copying records forward: what outlives its segment is appended again, with its queue offset
//! and its times, into the forwarded lane of its queue.

use super::{Facts, Store};
use crate::Error;
use crate::index::Entry;
use crate::model::{PhysicalOffset, property};
use crate::queue::Queue;
use crate::record::{Draft, Placement, RecordView, forwarded, forwarded_size};
use std::sync::Arc;

impl Store {
    /// The record that `entry` names, to copy it forward.
    ///
    /// # Errors
    /// [`Error::Damaged`] when there is no record any more, [`Error::Storage`] when it cannot be
    /// read.
    pub(crate) fn survivor(&self, entry: &Entry) -> Result<RecordView, Error> {
        let bytes = self.read(entry.position, entry.size).map_err(|error| {
            Error::Storage(format!("reading at {} failed: {error}", entry.position))
        })?;
        RecordView::parse(&bytes)
            .ok()
            .filter(|record| record.position() == entry.position && record.verify().is_ok())
            .ok_or(Error::Damaged(entry.position))
    }

    /// Copies the record that `entry` of `queue` names to the log's end. It is in the operating
    /// system when this returns.
    ///
    /// # Errors
    /// [`Error::Damaged`] when there is no record any more, or a failed store.
    pub(crate) fn forward(&self, queue: &Arc<Queue>, entry: &Entry) -> Result<(), Error> {
        let mut record = self.survivor(entry)?;
        if record.topic() != queue.topic().as_str() {
            record = self.own_record(queue, entry, &record)?;
        }
        let facts = Facts::of_record(&record).ok_or(Error::Damaged(entry.position))?;
        crash_point!("forward.before_append");
        let end = self.append_forwarded(queue, entry, &record, &facts)?;
        crash_point!("forward.staged");
        self.write_through(end)?;
        crash_point!("forward.written");
        Ok(())
    }

    /// The record of another queue as the one that `entry` of a work queue would name if it had
    /// been produced to it alone.
    fn own_record(
        &self,
        queue: &Queue,
        entry: &Entry,
        record: &RecordView,
    ) -> Result<RecordView, Error> {
        let broken = |what: &dyn std::fmt::Display| Error::Internal(format!("a copy: {what}"));
        let mut message = record.to_message();
        let is_dropped = |name: &str| property::is_internal(name);
        let mut names = [property::ORIGIN, property::AMQP_BASE64].into_iter();
        let says_origin = names.any(|name| message.properties.value(name).is_some());
        let origin = (!says_origin).then_some((property::ORIGIN, record.topic()));
        let properties = message.properties.rewritten(is_dropped, origin.as_slice());
        message.properties = properties.map_err(|error| broken(&error))?;
        let draft = Draft::message(queue.topic(), queue.id(), message, &[]);
        let placement = Placement {
            position: entry.position,
            queue_offset: entry.base,
            also: &[],
            stored_at: record.stored_at(),
            store_host: self.store_host,
        };
        let draft = draft.map_err(|size| broken(&format!("{size} bytes of properties")))?;
        let bytes = draft.encode(&placement).into_bytes();
        RecordView::parse(&bytes).map_err(|error| broken(&error))
    }

    /// Whether the record that `entry` of `queue` names is another queue's own.
    pub(crate) fn is_shared(&self, queue: &Queue, entry: &Entry) -> bool {
        let bytes = self.read(entry.position, entry.size).ok();
        let record = bytes.and_then(|bytes| RecordView::parse(&bytes).ok());
        record.is_some_and(|record| record.topic() != queue.topic().as_str())
    }

    fn append_forwarded(
        &self,
        queue: &Arc<Queue>,
        entry: &Entry,
        record: &RecordView,
        facts: &Facts,
    ) -> Result<PhysicalOffset, Error> {
        let mut tail = self.tail.lock();
        // A run is in the order of its offsets.
        tail.stretch.is_full |= !queue.follows_forwarded(entry.base);
        let size = forwarded_size(record) as u64;
        let (mut tail, room) = self.make_room(tail, size);
        room?;
        if queue.is_deleted() {
            return Ok(tail.position);
        }
        let position = tail.position;
        let copy = forwarded(record, position);
        let entry = Entry {
            size: u32::try_from(size).unwrap_or(u32::MAX),
            ..*entry
        };
        tail.index_forwarded(&entry, facts.time_max, queue);
        tail.index_keys(facts);
        tail.staged.push_bytes(position, &copy);
        tail.position = position.advance(size);
        Ok(tail.position)
    }

    /// Takes everything before `start` out of the log and its index. Once this returns it does
    /// not come back.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn expire_before(&self, start: PhysicalOffset) -> std::io::Result<()> {
        self.segments.expire_before(start, &self.damages)?;
        crash_point!("expire.before_index");
        self.stretches.drop_before(start)?;
        crash_point!("expire.before_drop");
        self.segments.drop_expired()
    }

    /// Removes expired segments that nobody reads and that will not be recycled.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn drop_expired(&self) -> std::io::Result<()> {
        self.segments.drop_expired()
    }

    /// Bytes before this are on the disk.
    pub(crate) fn flushed(&self) -> u64 {
        self.flusher.flushed.value()
    }
}
