//! One queue of a topic: its open index, its producers' sequence, and who waits for it.

mod producers;
mod waiters;

pub(crate) use producers::{ProducerStamp, Producers, Sequence};
pub(crate) use waiters::{Waiter, Waiters};

use crate::index::{Entry, OpenRun, RunView};
use crate::model::{OffsetRange, PhysicalOffset, QueueOffset, Timestamp, TopicName};
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A queue. Written only under the tail's lock.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Its number among all queues ever, the key of its runs.
    number: u32,
    topic: TopicName,
    index: RwLock<Index>,
    /// The oldest offset that can be read.
    start: AtomicU64,
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
    pub(crate) fn new(number: u32, topic: TopicName, next: QueueOffset) -> Self {
        Self {
            number,
            topic,
            index: RwLock::new(Index {
                open: unplaced_run(next),
                closing: None,
            }),
            start: AtomicU64::new(0),
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

    pub(crate) fn is_deleted(&self) -> bool {
        self.is_deleted.load(Ordering::Acquire)
    }

    /// Refuses appends from now on and wakes everybody who waits for one.
    pub(crate) fn delete(&self) {
        self.is_deleted.store(true, Ordering::Release);
        self.waiters.wake_all();
    }

    /// The offset the next record gets, written or not.
    pub(crate) fn next(&self) -> QueueOffset {
        self.index.read().open.end()
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

    /// Takes the run of a stretch that closes. Readers still find it here until
    /// [`Queue::closed`].
    pub(crate) fn close(&self) -> Arc<OpenRun> {
        let mut index = self.index.write();
        let next = unplaced_run(index.open.end());
        let run = Arc::new(std::mem::replace(&mut index.open, next));
        index.closing = Some(Arc::clone(&run));
        run
    }

    /// The closed stretch can be found where closed ones are.
    pub(crate) fn closed(&self) {
        self.index.write().closing = None;
    }

    /// The offsets that can be read: those of records below `appended`.
    pub(crate) fn range(&self, appended: u64) -> OffsetRange {
        let index = self.index.read();
        let start = QueueOffset::new(self.start.load(Ordering::Acquire));
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
