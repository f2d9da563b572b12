//! Appending: a short lock gives records their places and their index entries, another writes
//! what is staged. While one thread writes, others stage, and the next write takes all of theirs.

use super::flusher::{FlushTicket, Flusher};
use super::segment::Segment;
use super::staging::Staging;
use super::tail::Tail;
use super::{Facts, Health, Segments, StoreConfig, Watermark};
use crate::Error;
use crate::index::{ClosedStretch, Entry, Stretches};
use crate::model::{Clock, PhysicalOffset, QueueOffset, Timestamp};
use crate::queue::{Queue, Sequence};
use crate::record::{BLANK_BYTES, Draft, MAGIC_BLANK, Placement};
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// A record to append, with what its index entries say.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) draft: Draft,
    pub(crate) facts: Facts,
    pub(crate) queue: Arc<Queue>,
    /// Further queues in which it is indexed.
    pub(crate) also: SmallVec<[Arc<Queue>; 1]>,
}

/// A record's place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) base: QueueOffset,
    pub(crate) position: PhysicalOffset,
    /// One past its last byte; of a duplicate, what must be flushed for it.
    pub(crate) end: PhysicalOffset,
    pub(crate) stored_at: Timestamp,
    pub(crate) is_duplicate: bool,
}

/// What the store leaves to whoever keeps it, on a thread of its own.
#[derive(Debug)]
pub(crate) enum Chore {
    /// A stretch closed: its file is to be written, and a snapshot with it.
    Closed(Arc<ClosedStretch>),
    /// No more.
    Stop,
}

/// The log with its index, open for appending and reading.
#[derive(Debug)]
pub(crate) struct Store {
    pub(super) config: StoreConfig,
    pub(super) store_host: SocketAddr,
    pub(super) clock: Arc<dyn Clock>,
    pub(crate) segments: Arc<Segments>,
    pub(crate) stretches: Arc<Stretches>,
    pub(super) tail: Mutex<Tail>,
    /// Held while staged bytes are written. Taken before `tail`, never after.
    pub(super) writer: Mutex<Staging>,
    pub(super) appended: Arc<Watermark>,
    pub(crate) flusher: Arc<Flusher>,
    pub(super) health: Arc<Health>,
    pub(super) chores: Mutex<Sender<Chore>>,
}

impl Store {
    /// Appends `pending` in order, each with its own outcome; everything is in the operating
    /// system when it returns.
    pub(crate) fn append(&self, pending: Vec<Pending>) -> Vec<Result<Placed, Error>> {
        let now = self.clock.now();
        let mut woken: SmallVec<[(Arc<Queue>, usize); 8]> = SmallVec::new();
        let mut outcomes = Vec::with_capacity(pending.len());
        let mut tail = self.tail.lock();
        for record in pending {
            let size = record.draft.size(&self.store_host);
            let room;
            (tail, room) = self.make_room(tail, size as u64);
            let queues = (Arc::clone(&record.queue), record.also.clone());
            let outcome = room.and_then(|()| self.place(&mut tail, record, now, size));
            if outcome.is_ok() {
                woken.push((queues.0, size));
                woken.extend(queues.1.into_iter().map(|queue| (queue, size)));
            }
            outcomes.push(outcome);
        }
        let end = tail.position;
        drop(tail);
        if let Err(error) = self.write_through(end) {
            return outcomes.iter().map(|_| Err(error.clone())).collect();
        }
        for (queue, size) in woken {
            queue.waiters.appended(size);
        }
        outcomes
    }

    /// Hands a queue's entries, from the one that contains `offset` on, to `take` as long as it
    /// wants more. Entries of records that are not written yet are among them.
    pub(crate) fn entries(
        &self,
        queue: &Queue,
        offset: QueueOffset,
        mut take: impl FnMut(Entry) -> bool,
    ) {
        let mut at = offset;
        while !queue.scan_open(at, &mut take) {
            let closing = queue
                .closing_run()
                .filter(|run| run.base() <= at && at < run.end());
            let Some(run) = closing.or_else(|| self.stretches.find(queue.number(), at)) else {
                return;
            };
            let mut index = run.position_of(at);
            while let Some(entry) = run.entry(index) {
                if !take(entry) {
                    return;
                }
                index += 1;
            }
            at = run.end();
        }
    }

    /// Positions of records with that key hash, the newest first.
    pub(crate) fn positions_of_key(&self, hash: u32) -> Vec<PhysicalOffset> {
        let mut positions = self.tail.lock().positions_of_key(hash);
        positions.extend(self.stretches.positions_of_key(hash));
        positions.sort_unstable_by(|a, b| b.cmp(a));
        positions.dedup();
        positions
    }

    /// Makes the next segment ahead when this one fills up.
    pub(crate) fn prepare_spare(&self) -> std::io::Result<()> {
        let tail = self.tail.lock();
        let left = tail.position.distance_to(tail.segment.end());
        drop(tail);
        if left < self.config.segment_bytes / 2 {
            self.segments.prepare_spare()
        } else {
            Ok(())
        }
    }

    /// Gives the keeper something to do.
    pub(crate) fn order(&self, chore: Chore) {
        // Nobody listens any more while shutting down.
        let _gone = self.chores.lock().send(chore);
    }

    /// Bytes below this can be read.
    pub(crate) fn appended(&self) -> u64 {
        self.appended.value()
    }

    /// What waits for `end` to be on the disk; `None` when it is.
    pub(crate) fn flush_ticket(&self, end: PhysicalOffset) -> Option<FlushTicket> {
        let timeout = Duration::from_millis(self.config.flush_timeout_ms);
        self.flusher.ticket(end.get(), timeout)
    }

    /// Closes the open stretch, so that a restart need not scan it, and flushes everything.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(crate) fn seal(&self) -> Result<(), Error> {
        let mut tail = self.tail.lock();
        tail.stretch.is_full = tail.stretch.first_time.is_some();
        drop(tail);
        self.close_stretch(0)?;
        self.flusher.flush_through(self.appended())
    }

    fn make_room<'a>(
        &'a self,
        mut tail: MutexGuard<'a, Tail>,
        size: u64,
    ) -> (MutexGuard<'a, Tail>, Result<(), Error>) {
        let limit = self.config.segment_bytes.saturating_sub(BLANK_BYTES);
        if size > limit {
            let too_large = Error::MessageTooLarge {
                size: usize::try_from(size).unwrap_or(usize::MAX),
                limit: usize::try_from(limit).unwrap_or(usize::MAX),
            };
            return (tail, Err(too_large));
        }
        while tail.must_close(size, self.config.stretch_bytes) {
            drop(tail);
            let closed = self.close_stretch(size);
            tail = self.tail.lock();
            if closed.is_err() {
                return (tail, closed);
            }
        }
        (tail, self.health.check())
    }

    fn place(
        &self,
        tail: &mut Tail,
        record: Pending,
        now: Timestamp,
        size: usize,
    ) -> Result<Placed, Error> {
        let Pending {
            draft,
            facts,
            queue,
            also,
        } = record;
        if queue.is_deleted() {
            return Err(Error::TopicNotFound(queue.topic().clone()));
        }
        let stored_at = now.max(tail.last_time);
        let position = tail.position;
        let base = queue.next();
        let end = position.advance(size as u64);
        if let Some(stamp) = &facts.producer {
            let mut producers = queue.producers.lock();
            if let Sequence::Duplicate(base, stored_at) = producers.check(stamp)? {
                let placed = Placed {
                    base,
                    position,
                    end: position,
                    stored_at,
                    is_duplicate: true,
                };
                return Ok(placed);
            }
            producers.record(stamp, base, stored_at);
        }
        let multi: SmallVec<[QueueOffset; 1]> = also.iter().map(|queue| queue.next()).collect();
        tail.last_time = stored_at;
        tail.index(&facts, size, stored_at, &queue, base);
        for (queue, base) in also.iter().zip(&multi) {
            tail.index(
                &Facts {
                    count: 1,
                    ..facts.clone()
                },
                size,
                stored_at,
                queue,
                *base,
            );
        }
        tail.index_keys(&facts);
        let store_host = self.store_host;
        let placement = Placement {
            position,
            queue_offset: base,
            also: &multi,
            stored_at,
            store_host,
        };
        tail.staged.push(position, draft.encode(&placement));
        tail.position = end;
        Ok(Placed {
            base,
            position,
            end,
            stored_at,
            is_duplicate: false,
        })
    }

    /// Returns once everything below `end` is written, by this thread or by another.
    fn write_through(&self, end: PhysicalOffset) -> Result<(), Error> {
        if self.appended.value() >= end.get() {
            return Ok(());
        }
        let mut staged = self.writer.lock();
        if self.appended.value() >= end.get() {
            return Ok(());
        }
        let mut tail = self.tail.lock();
        std::mem::swap(&mut tail.staged, &mut *staged);
        let segment = Arc::clone(&tail.segment);
        drop(tail);
        self.write(&mut staged, &segment)
    }

    fn write(&self, staged: &mut Staging, segment: &Segment) -> Result<(), Error> {
        self.health.check()?;
        if staged.is_empty() {
            return Ok(());
        }
        let end = staged.end();
        let written = staged.write(segment);
        staged.clear();
        if let Err(error) = written {
            self.health.poison("pwrite", &error);
            return self.health.check();
        }
        self.appended.publish(end.get());
        self.flusher.note_appended();
        Ok(())
    }

    /// Ends the open stretch, and goes on to the next segment when this one has no room for
    /// `size` bytes.
    fn close_stretch(&self, size: u64) -> Result<(), Error> {
        let _writer = self.writer.lock();
        let mut guard = self.tail.lock();
        let tail = &mut *guard;
        if !tail.must_close(size, self.config.stretch_bytes) {
            return Ok(());
        }
        let segment = Arc::clone(&tail.segment);
        self.write(&mut tail.staged, &segment)?;
        if !tail.has_room(size) {
            let next = self.segments.roll()?;
            let left = tail.position.distance_to(segment.end());
            if left >= BLANK_BYTES {
                let mut filler = u32::try_from(left)
                    .unwrap_or(u32::MAX)
                    .to_be_bytes()
                    .to_vec();
                filler.extend_from_slice(&MAGIC_BLANK.to_be_bytes());
                tail.staged.push_bytes(tail.position, &filler);
                self.write(&mut tail.staged, &segment)?;
            }
            tail.position = next.base();
            tail.segment = next;
            self.appended.publish(tail.position.get());
        }
        if let Some(stretch) = tail.close_stretch(&self.stretches) {
            self.order(Chore::Closed(stretch));
        }
        Ok(())
    }
}
