//! One queue of a topic: its open index, its producers' sequence, and who waits for it.

mod counts;
mod producers;
mod settled;
mod waiters;

pub(crate) use counts::Counts;
pub(crate) use producers::{ProducerStamp, Producers, Sequence};
pub(crate) use settled::Settled;
pub(crate) use waiters::{Waiter, Waiters};

use crate::index::{Entry, Lane, OpenRun, RunView};
use crate::model::{OffsetRange, PhysicalOffset, QueueId, QueueOffset, Timestamp, TopicName};
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A queue. Written only under the tail's lock.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Its number among all queues ever, the key of its runs.
    number: u32,
    topic: TopicName,
    id: QueueId,
    index: RwLock<Index>,
    /// The oldest offset that can be read.
    start: AtomicU64,
    /// From here on records are where they were produced; before, where they were copied to.
    main: AtomicU64,
    /// The topic was deleted: nothing may be appended.
    is_deleted: AtomicBool,
    pub(crate) producers: Mutex<Producers>,
    pub(crate) waiters: Waiters,
}

/// The part of a queue's index that is not in a closed stretch.
#[derive(Debug)]
struct Index {
    open: OpenRun,
    /// The run of a stretch that closes just now, until readers find it among the closed ones.
    closing: Option<Arc<OpenRun>>,
    /// The same of records copied forward; few queues ever have any.
    forwarded: Option<Box<Forwarded>>,
}

/// The part of the forwarded lane that is not in a closed stretch.
#[derive(Debug)]
struct Forwarded {
    open: OpenRun,
    closing: Option<Arc<OpenRun>>,
}

/// What an entry did to the queue's open run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pushed {
    /// It is the run's first: the stretch touches the queue.
    pub(crate) is_first: bool,
    /// The run's numbers come near 32 bits: the stretch must close before the next entry.
    pub(crate) nearly_full: bool,
}

impl Queue {
    /// An empty queue whose next offset is `next`.
    pub(crate) fn new(number: u32, topic: TopicName, id: QueueId, next: QueueOffset) -> Self {
        Self {
            number,
            topic,
            id,
            index: RwLock::new(Index {
                open: unplaced_run(next),
                closing: None,
                forwarded: None,
            }),
            start: AtomicU64::new(0),
            main: AtomicU64::new(0),
            is_deleted: AtomicBool::new(false),
            producers: Mutex::default(),
            waiters: Waiters::default(),
        }
    }

    pub(crate) const fn number(&self) -> u32 {
        self.number
    }

    pub(crate) const fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// Which of its topic's queues it is.
    pub(crate) const fn id(&self) -> QueueId {
        self.id
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.is_deleted.load(Ordering::Acquire)
    }

    /// Refuses appends from now on and wakes everybody who waits for one.
    pub(crate) fn delete(&self) {
        self.is_deleted.store(true, Ordering::Release);
        self.waiters.wake_all();
    }

    /// Takes appends again: the topic could not be deleted.
    pub(crate) fn restore(&self) {
        self.is_deleted.store(false, Ordering::Release);
    }

    /// Raises the oldest offset that can be read, and that from which on records are where they
    /// were produced.
    pub(crate) fn raise(&self, start: QueueOffset, main: QueueOffset) {
        self.main.fetch_max(main.get(), Ordering::AcqRel);
        self.start.fetch_max(start.get(), Ordering::AcqRel);
    }

    /// The oldest offset that can be read.
    pub(crate) fn start(&self) -> QueueOffset {
        QueueOffset::new(self.start.load(Ordering::Acquire))
    }

    /// Records before this were copied forward, if they are kept.
    pub(crate) fn main(&self) -> QueueOffset {
        QueueOffset::new(self.main.load(Ordering::Acquire))
    }

    /// The offset the next record gets, written or not.
    pub(crate) fn next(&self) -> QueueOffset {
        self.index.read().open.end()
    }

    /// Whether a record of the log at `offset` can be this queue's: it is not one the queue has
    /// already. What is before the main lane has gone, or is found where it was copied to.
    pub(crate) fn admits(&self, offset: QueueOffset) -> bool {
        offset >= self.next() || offset < self.main()
    }

    /// Sets the next offset while recovering.
    pub(crate) fn continue_at(&self, next: QueueOffset) {
        self.index.write().open = unplaced_run(next);
    }

    /// Adds an entry; `stretch` is the open stretch's first position and time, from which an
    /// empty run starts to count.
    pub(crate) fn push(
        &self,
        entry: &Entry,
        time_max: Timestamp,
        stretch: (PhysicalOffset, Timestamp),
    ) -> Pushed {
        let mut index = self.index.write();
        let is_first = index.open.is_empty();
        if is_first {
            index.open = OpenRun::new(entry.base, stretch.0, stretch.1);
        }
        Pushed {
            is_first,
            nearly_full: index.open.push(entry, time_max),
        }
    }

    /// Whether a record of `base` copied forward would follow those of the open run.
    pub(crate) fn follows_forwarded(&self, base: QueueOffset) -> bool {
        let index = self.index.read();
        let forwarded = index.forwarded.as_ref();
        forwarded.is_none_or(|lane| lane.open.is_empty() || lane.open.end() <= base)
    }

    /// Adds the entry of a record copied forward, as [`Queue::push`] does.
    pub(crate) fn push_forwarded(
        &self,
        entry: &Entry,
        time_max: Timestamp,
        stretch: PhysicalOffset,
    ) -> Pushed {
        let mut index = self.index.write();
        let lane = index.forwarded.get_or_insert_with(|| {
            Box::new(Forwarded {
                open: unplaced_run(entry.base),
                closing: None,
            })
        });
        let is_first = lane.open.is_empty();
        if is_first {
            lane.open = OpenRun::new(entry.base, stretch, entry.stored_at);
        }
        Pushed {
            is_first,
            nearly_full: lane.open.push(entry, time_max),
        }
    }

    /// Takes a run of a stretch that closes. Readers still find it here until
    /// [`Queue::closed`].
    pub(crate) fn close(&self, lane: Lane) -> Arc<OpenRun> {
        let mut guard = self.index.write();
        let index = &mut *guard;
        let (open, closing) = match (lane, &mut index.forwarded) {
            (Lane::Forwarded, Some(lane)) => (&mut lane.open, &mut lane.closing),
            _ => (&mut index.open, &mut index.closing),
        };
        let next = unplaced_run(open.end());
        let run = Arc::new(std::mem::replace(open, next));
        *closing = Some(Arc::clone(&run));
        run
    }

    /// The closed stretch can be found where closed ones are.
    pub(crate) fn closed(&self, lane: Lane) {
        let mut guard = self.index.write();
        let index = &mut *guard;
        match (lane, &mut index.forwarded) {
            (Lane::Forwarded, Some(lane)) => lane.closing = None,
            _ => index.closing = None,
        }
    }

    /// The forwarded lane's runs that are not in a closed stretch, in log order.
    pub(crate) fn forwarded_runs(&self) -> Vec<RunView> {
        let index = self.index.read();
        let Some(lane) = &index.forwarded else {
            return Vec::new();
        };
        let closing = lane.closing.clone().map(RunView::Memory);
        let open = (!lane.open.is_empty()).then(|| RunView::Memory(Arc::new(lane.open.clone())));
        closing.into_iter().chain(open).collect()
    }

    /// The offsets that can be read: those of records below `appended`.
    pub(crate) fn range(&self, appended: u64) -> OffsetRange {
        let index = self.index.read();
        let start = self.start();
        let mut end = index.open.end();
        for at in (0..index.open.packed().len()).rev() {
            let Some(entry) = index.open.entry(at) else {
                break;
            };
            if entry.position.advance(u64::from(entry.size)).get() <= appended {
                break;
            }
            end = entry.base;
        }
        OffsetRange { start, end }
    }

    /// Hands entries of the open run, from the one that contains `offset` on, to `take` as long
    /// as it wants more. `false` when `offset` lies before the open run.
    pub(crate) fn scan_open(
        &self,
        offset: QueueOffset,
        mut take: impl FnMut(Entry) -> bool,
    ) -> bool {
        let index = self.index.read();
        if offset < index.open.base() {
            return false;
        }
        if offset >= index.open.end() {
            return true;
        }
        let mut at = index.open.position_of(offset);
        while let Some(entry) = index.open.entry(at) {
            if !take(entry) {
                break;
            }
            at += 1;
        }
        true
    }

    /// Offsets from here on are in the open run.
    pub(crate) fn open_base(&self) -> QueueOffset {
        self.index.read().open.base()
    }

    /// The run of a stretch that closes just now.
    pub(crate) fn closing_run(&self) -> Option<RunView> {
        self.index.read().closing.clone().map(RunView::Memory)
    }

    /// The open run as it is now, to search it.
    pub(crate) fn open_run(&self) -> RunView {
        RunView::Memory(Arc::new(self.index.read().open.clone()))
    }
}

fn unplaced_run(next: QueueOffset) -> OpenRun {
    OpenRun::new(next, PhysicalOffset::ZERO, Timestamp::default())
}
