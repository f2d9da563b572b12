//! Opening a store: what the index files do not cover is indexed again from the log, and a torn
//! tail is cut off.

use super::append::{Chore, Store};
use super::flusher::Flusher;
use super::scan::Scanned;
use super::segment::Segment;
use super::staging::Staging;
use super::tail::{OpenStretch, Tail};
use super::{Facts, Health, Scan, Segments, StoreConfig, Watermark};
use crate::Error;
use crate::index::Stretches;
use crate::model::{Clock, PhysicalOffset, QueueOffset, property};
use crate::queue::Queue;
use crate::record::{RecordError, RecordView};
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
    segments: Arc<Segments>,
    stretches: Arc<Stretches>,
    covered: PhysicalOffset,
    tail: Tail,
    chores: Sender<Chore>,
}

impl Opening {
    /// Opens the segments and index files of `directory`.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(crate) fn open(
        directory: &Path,
        config: StoreConfig,
        chores: Sender<Chore>,
    ) -> Result<Self, Error> {
        Self::try_open(directory, config, chores)
            .map_err(|error| Error::Storage(format!("opening the store failed: {error}")))
    }

    fn try_open(directory: &Path, config: StoreConfig, chores: Sender<Chore>) -> io::Result<Self> {
        let segments = Segments::open(&directory.join("commitlog"), config.segment_bytes)?;
        let all = segments.all();
        let (Some(first), Some(last)) = (all.first(), all.last()) else {
            return Err(io::Error::other("there is no segment"));
        };
        let stretches = Stretches::open(&directory.join("index"), first.base(), last.end())?;
        let covered = stretches.end().unwrap_or_else(|| first.base());
        let tail = Tail {
            position: covered,
            segment: Arc::clone(last),
            staged: Staging::default(),
            last_time: stretches.last_time().unwrap_or_default(),
            stretch: OpenStretch::new(covered),
        };
        let (segments, stretches) = (Arc::new(segments), Arc::new(stretches));
        Ok(Self {
            config,
            segments,
            stretches,
            covered,
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
        self.segments
            .all()
            .first()
            .map(|segment| segment.base())
            .unwrap_or_default()
    }

    /// The closed stretches.
    pub(crate) const fn stretches(&self) -> &Arc<Stretches> {
        &self.stretches
    }

    /// A walk over the log from `position`.
    pub(crate) fn scan(&self, position: PhysicalOffset) -> Scan {
        Scan::from(Arc::clone(&self.segments), position)
    }

    /// Takes a record of the walk into its queues: their next offsets, the producers' state, and
    /// beyond the covered part the index. `lmq` finds further queues by topic.
    pub(crate) fn replay(
        &mut self,
        record: &RecordView,
        facts: &Facts,
        queue: &Arc<Queue>,
        lmq: impl Fn(&str) -> Option<Arc<Queue>>,
    ) {
        let position = record.position();
        if let Some(stamp) = &facts.producer {
            queue
                .producers
                .lock()
                .record(stamp, record.queue_offset(), record.stored_at());
        }
        if position >= self.covered {
            self.close_before(position, record.bytes().len() as u64);
            self.tail.index_keys(facts);
        }
        self.enter(record, facts, queue, record.queue_offset());
        for (name, offset) in multi_dispatch(record) {
            if let Some(queue) = lmq(&name) {
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
            self.tail.last_time = self.tail.last_time.max(record.stored_at());
            self.tail.position = position.advance(record.bytes().len() as u64);
        }
    }

    /// Passes a record of the walk whose topic is no more.
    pub(crate) fn pass(&mut self, record: &RecordView) {
        let (position, size) = (record.position(), record.bytes().len() as u64);
        if position >= self.covered {
            self.close_before(position, size);
            self.tail.position = position.advance(size);
        }
    }

    fn enter(&mut self, record: &RecordView, facts: &Facts, queue: &Arc<Queue>, base: QueueOffset) {
        if record.position() < self.covered {
            queue.continue_at(base.advance(u64::from(facts.count)));
        } else {
            self.tail
                .index(facts, record.bytes().len(), record.stored_at(), queue, base);
        }
    }

    /// Closes stretches as they were, or would have been, closed before `position`.
    fn close_before(&mut self, position: PhysicalOffset, size: u64) {
        let rolled = position != self.tail.position;
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

    /// Ends recovery at `end`, where the walk found no further record because of `reason`.
    ///
    /// # Errors
    /// [`Error::Storage`] when the damage is before the log's tail.
    pub(crate) fn finish(
        mut self,
        end: PhysicalOffset,
        reason: RecordError,
        clock: Arc<dyn Clock>,
        store_host: SocketAddr,
    ) -> Result<Store, Error> {
        let goes_on = |segment: &Arc<Segment>| {
            segment.base() > end && matches!(self.scan(segment.base()).next(), Scanned::Record(_))
        };
        if end < self.covered || self.segments.all().iter().any(goes_on) {
            return Err(Error::Storage(format!(
                "the log is damaged at {end}: {reason}"
            )));
        }
        self.segments.cut(end).map_err(|error| {
            Error::Storage(format!("cutting the tail at {end} failed: {error}"))
        })?;
        let Some(segment) = self.segments.all().last().cloned() else {
            return Err(Error::Internal("there is no segment".to_owned()));
        };
        self.close_before(end, 0);
        self.tail.segment = segment;
        self.tail.position = end;
        let health = Arc::new(Health::default());
        let appended = Arc::new(Watermark::at(end.get()));
        // What was found in the page cache may not be on the disk yet.
        let flushed = Arc::new(Watermark::at(self.covered.get()));
        let segments = Arc::clone(&self.segments);
        let flusher = Flusher::new(
            &self.config,
            segments,
            Arc::clone(&appended),
            flushed,
            Arc::clone(&health),
        );
        Ok(Store {
            config: self.config,
            store_host,
            clock,
            segments: self.segments,
            stretches: self.stretches,
            tail: Mutex::new(self.tail),
            writer: Mutex::default(),
            appended,
            flusher: Arc::new(flusher),
            health,
            chores: Mutex::new(self.chores),
        })
    }
}

/// The further queues a record is indexed in, with its offset in each.
fn multi_dispatch(record: &RecordView) -> Vec<(String, QueueOffset)> {
    let properties = record.properties();
    let (Some(names), Some(offsets)) = (
        properties.value(property::INNER_MULTI_DISPATCH),
        properties.value(property::INNER_MULTI_QUEUE_OFFSET),
    ) else {
        return Vec::new();
    };
    let offsets = offsets
        .split(',')
        .filter_map(|offset| offset.parse().ok().map(QueueOffset::new));
    names.split(',').map(str::to_owned).zip(offsets).collect()
}
