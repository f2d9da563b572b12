//! Appending: a short lock gives records their places and their index entries, another writes
//! what is staged. While one thread writes, others stage, and the next write takes all of theirs.

use super::flusher::{FlushTicket, Flusher};
use super::segment::Segment;
use super::staging::Staging;
use super::tail::Tail;
use super::{Damages, Facts, Health, Segments, StoreConfig, Watermark};
use crate::Error;
use crate::index::{ClosedStretch, Entry, Lane, RunView, Stretches};
use crate::model::{Clock, PhysicalOffset, QueueOffset, Timestamp};
use crate::queue::{Queue, Sequence};
use crate::record::{BLANK_BYTES, Draft, MAGIC_BLANK, Placement};
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// The part of a stretch below which closing it early saves nothing worth a file.
const TINY_STRETCH: u64 = 64;

/// A record to append, with what its index entries say.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) draft: Draft,
    pub(crate) facts: Facts,
    pub(crate) queue: Arc<Queue>,
    /// Further queues in which it is indexed.
    pub(crate) also: SmallVec<[Arc<Queue>; 1]>,
    /// Records for other queues that are appended right before it: with it, or not at all.
    pub(crate) ahead: Vec<Self>,
}

impl Pending {
    /// Bytes of its record and of those ahead of it.
    fn size(&self, store_host: &SocketAddr) -> usize {
        let ahead = self.ahead.iter().map(|record| record.size(store_host));
        self.draft.size(store_host) + ahead.sum::<usize>()
    }

    /// Whether its record is in one queue and no other is ahead of it.
    fn is_alone(&self) -> bool {
        self.ahead.is_empty() && self.also.is_empty()
    }

    /// The queues that its record and those ahead of it are for.
    fn own_queues(&self) -> impl Iterator<Item = &Arc<Queue>> {
        let ahead = self.ahead.iter().map(|record| &record.queue);
        ahead.chain([&self.queue])
    }
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
    /// The index file of the stretch that begins here is damaged.
    Mend(PhysicalOffset),
    /// No more.
    Stop,
}

/// The log with its index, open for appending and reading.
#[derive(Debug)]
pub(crate) struct Store {
    pub(super) config: StoreConfig,
    pub(super) store_host: SocketAddr,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) segments: Arc<Segments>,
    pub(crate) stretches: Arc<Stretches>,
    /// Where the log ended when it was opened.
    pub(super) opened_at: PhysicalOffset,
    pub(super) tail: Mutex<Tail>,
    /// Held while staged bytes are written. Taken before `tail`, never after.
    pub(super) writer: Mutex<Staging>,
    pub(super) appended: Arc<Watermark>,
    pub(crate) flusher: Arc<Flusher>,
    pub(crate) health: Arc<Health>,
    pub(crate) damages: Damages,
    pub(super) chores: Mutex<Sender<Chore>>,
}

impl Store {
    /// Appends `pending` in order, each with its own outcome; everything is in the operating
    /// system when it returns.
    pub(crate) fn append(&self, pending: Vec<Pending>) -> Vec<Result<Placed, Error>> {
        let now = self.clock.now();
        let mut woken: SmallVec<[(Arc<Queue>, usize); 8]> = SmallVec::new();
        let mut outcomes = Vec::with_capacity(pending.len());
        let sizes: SmallVec<[usize; 8]> = pending
            .iter()
            .map(|record| record.size(&self.store_host))
            .collect();
        // Room for all at once: nobody gets in between them, and a batch's offsets follow one
        // another.
        let total = sizes.iter().sum::<usize>() as u64;
        let (mut tail, mut room) = self.make_room(self.tail.lock(), total.min(self.size_max()));
        for (record, size) in pending.into_iter().zip(sizes) {
            if room.is_err() || !tail.has_room(size as u64) {
                (tail, room) = self.make_room(tail, size as u64);
            }
            let before = woken.len();
            let follows = record.is_alone()
                && woken
                    .last()
                    .is_some_and(|(queue, _)| Arc::ptr_eq(queue, &record.queue));
            if !follows {
                let queues = record.own_queues().chain(&record.also);
                let mut queues: SmallVec<[_; 2]> = queues.map(Arc::clone).collect();
                queues.dedup_by(|a, b| Arc::ptr_eq(a, b));
                woken.extend(queues.into_iter().map(|queue| (queue, 0)));
            }
            let placed = room.clone();
            let outcome = placed.and_then(|()| self.place(&mut tail, record, now));
            if outcome.is_ok() {
                let from = before - usize::from(follows);
                for (_, bytes) in woken.iter_mut().skip(from) {
                    *bytes += size;
                }
            }
            outcomes.push(outcome);
        }
        let end = tail.position;
        drop(tail);
        if let Err(error) = self.write_through(end) {
            return outcomes.iter().map(|_| Err(error.clone())).collect();
        }
        for (queue, size) in woken {
            if size > 0 {
                queue.waiters.appended(size);
            }
        }
        outcomes
    }

    /// Hands a queue's entries, from the one that contains `offset` (or the next after it, where
    /// damage left a gap) on, to `take` as long as it wants more. Entries of records that are not
    /// written yet are among them.
    pub(crate) fn entries(
        &self,
        queue: &Queue,
        offset: QueueOffset,
        mut take: impl FnMut(Entry) -> bool,
    ) {
        let Some(mut at) = self.forwarded_entries(queue, offset, &mut take) else {
            return;
        };
        while !queue.scan_open(at, &mut take) {
            let run = self.closed_run(queue, at);
            // After the look at the runs: one that has left the log meanwhile is not a gap, what
            // is kept of it was copied forward.
            if at < queue.main() {
                let Some(after) = self.forwarded_entries(queue, at, &mut take) else {
                    return;
                };
                at = after;
                continue;
            }
            let Some(run) = run else {
                // A gap up to the open run.
                at = queue.open_base();
                continue;
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

    /// Hands over entries of records copied forward, if `offset` lies before the main lane. Where
    /// to go on there; `None` when `take` wants no more.
    fn forwarded_entries(
        &self,
        queue: &Queue,
        offset: QueueOffset,
        mut take: impl FnMut(Entry) -> bool,
    ) -> Option<QueueOffset> {
        let main = queue.main();
        if offset >= main {
            return Some(offset);
        }
        let runs = self.forwarded_runs(queue);
        let mut at = offset;
        loop {
            // The runs are in order, one after the other they need not be.
            let next = runs
                .iter()
                .filter_map(|run| {
                    let first = run.position_of(at);
                    Some((run, first, run.entry(first)?))
                })
                .min_by_key(|(_, _, entry)| entry.base);
            let Some((run, first, _)) = next.filter(|(_, _, entry)| entry.base < main) else {
                return Some(main);
            };
            let mut index = first;
            while let Some(entry) = run.entry(index) {
                if index > first && entry.base != at {
                    break;
                }
                if entry.base >= main {
                    return Some(main);
                }
                if !take(entry) {
                    return None;
                }
                at = entry.end();
                index += 1;
            }
        }
    }

    /// The runs of a queue's records that were copied forward.
    pub(crate) fn forwarded_runs(&self, queue: &Queue) -> Vec<RunView> {
        loop {
            let start = self.stretches.start();
            // In this order: a run that closes meanwhile is seen twice rather than not at all.
            let open = queue.forwarded_runs();
            let mut runs = self.stretches.runs(queue.number(), Lane::Forwarded);
            // Otherwise one went whose records were copied forward once more, perhaps into a run
            // that was not open yet.
            if self.stretches.start() == start {
                runs.extend(open);
                return runs;
            }
        }
    }

    /// The first run of a closed stretch, or of one that closes just now, that ends after
    /// `offset`.
    fn closed_run(&self, queue: &Queue, offset: QueueOffset) -> Option<RunView> {
        // In this order: a run that closes meanwhile is found among the closed ones.
        let closing = queue.closing_run().filter(|run| offset < run.end());
        self.stretches.find(queue.number(), offset).or(closing)
    }

    /// `length` bytes of a record at `position`. What reading the log and its index leaves mapped
    /// is let go when it is too much.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn read(&self, position: PhysicalOffset, length: u32) -> std::io::Result<Bytes> {
        let Some(segment) = self.segments.find(position) else {
            return Ok(Bytes::new());
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if self.segments.touch(&segment, position, length) {
            self.stretches.release_pages();
        }
        segment.slice(position, length)
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
        // A large record may have found no room long before.
        if left < self.config.segment_bytes / 2
            || (self.health.is_full() && !planted!("full.for_ever"))
        {
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

    /// Whether the record at `position` was written by this process and a moment ago, so that it
    /// has not left the page cache and is taken as it is.
    pub(crate) fn is_fresh(&self, position: PhysicalOffset) -> bool {
        position >= self.opened_at && position >= self.stretches.end()
    }

    /// Whether keys of records within batches go into the index files.
    pub(crate) const fn indexes_batch_keys(&self) -> bool {
        self.config.index_batch_keys
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

    /// Writes and flushes every record that has its place, as what is remembered of queues and
    /// producers may tell of it already.
    ///
    /// # Errors
    /// [`Error::Storage`] when that fails, or a write failed before.
    pub(crate) fn flush_placed(&self) -> Result<(), Error> {
        let end = self.tail.lock().position;
        self.write_through(end)?;
        self.flusher.flush_through(end.get())?;
        self.health.check()
    }

    /// Closes the open stretch, so that a restart need not scan it, and flushes everything.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(crate) fn seal(&self) -> Result<(), Error> {
        let mut tail = self.tail.lock();
        tail.stretch.is_full = tail.stretch.first_time.is_some();
        drop(tail);
        crash_point!("shutdown.before_seal");
        self.close_stretch(0)?;
        crash_point!("shutdown.sealed");
        self.flusher.flush_through(self.appended())?;
        self.health.check()
    }

    /// Closes the open stretch if it is not tiny, for the sake of a snapshot at its end.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::DiskFull`].
    pub(crate) fn close_open_stretch(&self) -> Result<(), Error> {
        let mut tail = self.tail.lock();
        let length = tail.stretch.base.distance_to(tail.position);
        if length < self.config.stretch_bytes / TINY_STRETCH {
            return Ok(());
        }
        tail.stretch.is_full = true;
        drop(tail);
        self.close_stretch(0)
    }

    /// Most bytes that fit a segment.
    const fn size_max(&self) -> u64 {
        self.config.segment_bytes.saturating_sub(BLANK_BYTES)
    }

    pub(super) fn make_room<'a>(
        &'a self,
        mut tail: MutexGuard<'a, Tail>,
        size: u64,
    ) -> (MutexGuard<'a, Tail>, Result<(), Error>) {
        let limit = self.size_max();
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

    /// Gives a record its place, and before it those ahead of it, unless it is a duplicate.
    fn place(&self, tail: &mut Tail, record: Pending, now: Timestamp) -> Result<Placed, Error> {
        // Further queues and records ahead may be of queues that have gone: nobody reads them.
        if record.queue.is_deleted() {
            return Err(Error::TopicNotFound(record.queue.topic().clone()));
        }
        let position = tail.position;
        let Some(stamp) = record.facts.producer else {
            return Ok(self.enter(tail, record, now));
        };
        let queue = Arc::clone(&record.queue);
        let mut producers = queue.producers.lock();
        if let Sequence::Duplicate(base, stored_at) = producers.check(&stamp)? {
            return Ok(Placed {
                base,
                position,
                end: position,
                stored_at,
                is_duplicate: true,
            });
        }
        let placed = self.enter(tail, record, now);
        producers.record(&stamp, placed.base, placed.stored_at);
        Ok(placed)
    }

    fn enter(&self, tail: &mut Tail, record: Pending, now: Timestamp) -> Placed {
        for ahead in record.ahead {
            self.enter(tail, ahead, now);
        }
        let (facts, queue) = (record.facts, record.queue);
        let stored_at = now.max(tail.last_time);
        let position = tail.position;
        let mut base = queue.next();
        if planted!("append.same_offset") && position.get().is_multiple_of(7) {
            base = QueueOffset::new(base.get().saturating_sub(1));
        }
        let size = record.draft.size(&self.store_host);
        let end = position.advance(size as u64);
        let multi = record.also.iter().map(|queue| queue.next());
        let multi: SmallVec<[QueueOffset; 1]> = multi.collect();
        tail.last_time = stored_at;
        tail.index(&facts, size, stored_at, &queue, base);
        for (queue, base) in record.also.iter().zip(&multi) {
            let facts = Facts {
                count: 1,
                ..facts.clone()
            };
            tail.index(&facts, size, stored_at, queue, *base);
        }
        tail.index_keys(&facts);
        let placement = Placement {
            position,
            queue_offset: base,
            also: &multi,
            stored_at,
            store_host: self.store_host,
        };
        tail.staged.push(position, record.draft.encode(&placement));
        tail.position = end;
        Placed {
            base,
            position,
            end,
            stored_at,
            is_duplicate: false,
        }
    }

    /// Returns once everything below `end` is written, by this thread or by another.
    pub(super) fn write_through(&self, end: PhysicalOffset) -> Result<(), Error> {
        if self.appended.value() >= end.get() {
            return Ok(());
        }
        let mut staged = self.writer.lock();
        if self.appended.value() >= end.get() {
            return Ok(());
        }
        let mut tail = self.tail.lock();
        if planted!("append.before_write") {
            self.appended.publish(end.get());
            return Ok(());
        }
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
        crash_point!("append.before_write");
        let written = staged.write(segment);
        staged.clear();
        if let Err(error) = written {
            if planted!("append.go_on_after_failure") {
                return Err(Error::Storage(error.to_string()));
            }
            self.health.poison("pwrite", &error);
            return self.health.check();
        }
        crash_point!("append.after_write");
        self.appended.publish(end.get());
        self.flusher.note_appended(end.get());
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
        crash_point!("stretch.before_close");
        self.write(&mut tail.staged, &segment)?;
        if !tail.has_room(size) {
            crash_point!("roll.before_spare");
            let next = self.segments.roll()?;
            crash_point!("roll.before_filler");
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
            crash_point!("roll.after_filler");
            tail.position = next.base();
            tail.segment = next;
            self.appended.publish(tail.position.get());
        }
        if let Some(stretch) = tail.close_stretch(&self.stretches) {
            crash_point!("stretch.closed");
            self.order(Chore::Closed(stretch));
        }
        Ok(())
    }
}
