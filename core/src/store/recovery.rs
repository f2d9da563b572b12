//! Opening a store: what the index files do not cover is indexed again from the log, and a torn
//! tail is cut off.

use super::append::{Chore, Store};
use super::flusher::Flusher;
use super::mark::Mark;
use super::staging::Staging;
use super::tail::{OpenStretch, Tail};
use super::{Damages, Facts, Health, Scan, Segments, StoreConfig, Watermark};
use crate::Error;
use crate::index::{Entry, INNER_NONE, Stretches};
use crate::model::{Clock, PhysicalOffset, QueueOffset};
use crate::queue::Queue;
use crate::record::{Further, RecordView, dispatched};
use crate::vfs::Vfs;
use parking_lot::Mutex;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// A store that is being recovered.
#[derive(Debug)]
pub(crate) struct Opening {
    config: StoreConfig,
    clock: Arc<dyn Clock>,
    segments: Arc<Segments>,
    stretches: Arc<Stretches>,
    covered: PhysicalOffset,
    /// Everything before it was on the disk when the process ended.
    flushed: PhysicalOffset,
    mark: Mark,
    damages: Damages,
    health: Arc<Health>,
    tail: Tail,
    chores: Sender<Chore>,
}

impl Opening {
    /// Opens the segments and index files of `directory`.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(crate) fn open(
        vfs: &Arc<dyn Vfs>,
        directory: &Path,
        config: StoreConfig,
        clock: Arc<dyn Clock>,
        chores: Sender<Chore>,
    ) -> Result<Self, Error> {
        Self::try_open(vfs, directory, config, clock, chores)
            .map_err(|error| Error::Storage(format!("opening the store failed: {error}")))
    }

    fn try_open(
        vfs: &Arc<dyn Vfs>,
        directory: &Path,
        config: StoreConfig,
        clock: Arc<dyn Clock>,
        chores: Sender<Chore>,
    ) -> io::Result<Self> {
        let health = Arc::new(Health::default());
        let (mark, flushed) = Mark::open(&**vfs, &directory.join("flushed"))?;
        let segments = Segments::open(
            Arc::clone(vfs),
            &directory.join("commitlog"),
            config.segment_bytes,
            flushed,
            config.mapped_bytes_max,
            Arc::clone(&health),
        )?;
        let all = segments.all();
        let (Some(first), Some(last)) = (all.first(), all.last()) else {
            return Err(io::Error::other("there is no segment"));
        };
        if last.end().get() < flushed {
            let end = last.end();
            return Err(io::Error::other(format!(
                "the log ends at {end}, but was flushed up to {flushed}: its last segment is missing"
            )));
        }
        let index = directory.join("index");
        let stretches = Stretches::open(Arc::clone(vfs), &index, first.base(), last.end())?;
        let covered = stretches.end();
        let tail = Tail {
            position: covered,
            segment: Arc::clone(last),
            staged: Staging::default(),
            last_time: stretches.last_time().unwrap_or_default(),
            stretch: OpenStretch::new(covered),
        };
        let path = directory.join("damaged.json");
        let damages = Damages::open(Arc::clone(vfs), Arc::clone(&clock), path)?;
        Ok(Self {
            config,
            clock,
            segments: Arc::new(segments),
            stretches: Arc::new(stretches),
            covered,
            flushed: covered.max(PhysicalOffset::new(flushed)),
            mark,
            damages,
            health,
            tail,
            chores,
        })
    }

    /// Up to here the log has its index files.
    pub(crate) const fn covered(&self) -> PhysicalOffset {
        self.covered
    }

    /// The log's first byte.
    pub(crate) fn start(&self) -> PhysicalOffset {
        self.segments.start()
    }

    /// The closed stretches.
    pub(crate) const fn stretches(&self) -> &Arc<Stretches> {
        &self.stretches
    }

    /// A walk over the log from `position`.
    pub(crate) fn scan(&self, position: PhysicalOffset) -> Scan {
        Scan::from(Arc::clone(&self.segments), position, self.flushed)
    }

    /// Takes a record of the walk into its queues: their next offsets, the producers' state, and
    /// beyond the covered part the index. `queue` is its own, unless its topic is no more;
    /// `find` finds the further ones.
    pub(crate) fn replay(
        &mut self,
        record: &RecordView,
        facts: &Facts,
        queue: Option<&Arc<Queue>>,
        find: impl Fn(&Further) -> Option<Arc<Queue>>,
    ) {
        let position = record.position();
        if let (Some(stamp), Some(queue)) = (&facts.producer, queue)
            && !record.is_forwarded()
            && !planted!("recover.forget_producers")
        {
            queue
                .producers
                .lock()
                .record(stamp, record.queue_offset(), record.stored_at());
        }
        if position >= self.covered {
            let queue = queue.filter(|_| record.is_forwarded());
            let breaks = queue.is_some_and(|queue| !queue.follows_forwarded(record.queue_offset()));
            self.tail.stretch.is_full |= breaks;
            self.close_before(position, record.bytes().len() as u64);
            self.tail.index_keys(facts);
        }
        if let Some(queue) = queue.filter(|_| record.is_forwarded()) {
            self.enter_forwarded(record, facts, queue);
        } else if let Some(queue) = queue {
            self.enter(record, facts, queue, record.queue_offset());
        }
        let further = if record.is_forwarded() {
            Vec::new()
        } else {
            dispatched(record)
        };
        for (further, offset) in further {
            if let Some(queue) = find(&further).filter(|queue| queue.admits(offset)) {
                self.enter(
                    record,
                    &Facts {
                        count: 1,
                        ..facts.clone()
                    },
                    &queue,
                    offset,
                );
            }
        }
        if position >= self.covered {
            if !record.is_forwarded() {
                self.tail.last_time = self.tail.last_time.max(record.stored_at());
            }
            self.tail.position = position.advance(record.bytes().len() as u64);
        }
    }

    /// Passes bytes of the walk that are in no queue.
    pub(crate) fn pass(&mut self, from: PhysicalOffset, to: PhysicalOffset) {
        if from >= self.covered {
            self.close_before(from, from.distance_to(to));
            self.tail.position = to;
        }
    }

    /// What is known to be damaged.
    pub(crate) const fn damages(&self) -> &Damages {
        &self.damages
    }

    fn enter(&mut self, record: &RecordView, facts: &Facts, queue: &Arc<Queue>, base: QueueOffset) {
        if record.position() < self.covered {
            queue.continue_at(base.advance(u64::from(facts.count)));
        } else {
            self.tail
                .index(facts, record.bytes().len(), record.stored_at(), queue, base);
        }
    }

    fn enter_forwarded(&mut self, record: &RecordView, facts: &Facts, queue: &Arc<Queue>) {
        if record.position() >= self.covered {
            let entry = Entry {
                base: record.queue_offset(),
                count: facts.count,
                position: record.position(),
                size: u32::try_from(record.bytes().len()).unwrap_or(u32::MAX),
                tag: facts.tag,
                stored_at: record.stored_at(),
                inner: INNER_NONE,
            };
            self.tail.index_forwarded(&entry, facts.time_max, queue);
        }
    }

    /// Closes stretches as they were, or would have been, closed before `position`.
    fn close_before(&mut self, position: PhysicalOffset, size: u64) {
        // Damage may go on to the segment's end, and then nothing is passed there.
        let segment = self.segments.find(self.tail.stretch.base);
        let rolled = position != self.tail.position
            || segment.is_none_or(|segment| position >= segment.end());
        self.tail.position = position;
        let length = self.tail.stretch.base.distance_to(position);
        let is_full = self.tail.stretch.is_full || length + size > self.config.stretch_bytes;
        if length > 0
            && (rolled || is_full)
            && let Some(stretch) = self.tail.close_stretch(&self.stretches)
        {
            // The receiver lives as long as the broker that is opening.
            let _gone = self.chores.send(Chore::Closed(stretch));
        }
    }

    /// Ends recovery at `end`, where the walk found no further record. What is after it was never
    /// flushed, and is cut off.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(crate) fn finish(
        mut self,
        end: PhysicalOffset,
        store_host: SocketAddr,
    ) -> Result<Store, Error> {
        let from = if planted!("recover.skip_rewrite") {
            end
        } else {
            self.flushed
        };
        let rewritten = self.segments.rewrite(from, end);
        rewritten.map_err(|error| {
            Error::Storage(format!("writing the tail at {end} again failed: {error}"))
        })?;
        crash_point!("recover.before_cut");
        self.segments.cut(end).map_err(|error| {
            Error::Storage(format!("cutting the tail at {end} failed: {error}"))
        })?;
        crash_point!("recover.after_cut");
        let Some(segment) = self.segments.all().last().cloned() else {
            return Err(Error::Internal("there is no segment".to_owned()));
        };
        self.close_before(end, 0);
        self.tail.segment = segment;
        self.tail.position = end;
        let appended = Arc::new(Watermark::at(end.get()));
        // What was found in the page cache may not be on the disk yet.
        let flushed = Arc::new(Watermark::at(self.flushed.get().min(end.get())));
        let flusher = Flusher::new(
            &self.config,
            Arc::clone(&self.segments),
            Arc::clone(&appended),
            flushed,
            self.mark,
            Arc::clone(&self.health),
        );
        Ok(Store {
            config: self.config,
            store_host,
            clock: self.clock,
            segments: self.segments,
            stretches: self.stretches,
            opened_at: end,
            tail: Mutex::new(self.tail),
            writer: Mutex::default(),
            appended,
            flusher: Arc::new(flusher),
            health: self.health,
            damages: self.damages,
            chores: Mutex::new(self.chores),
        })
    }
}
