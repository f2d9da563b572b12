//! One queue's entries within one stretch, in offset order.

use super::entry::{Entry, Origin, PackedEntry};
use crate::model::{PhysicalOffset, QueueOffset, Timestamp};
use bytes::Bytes;
use std::sync::Arc;

/// A run is closed when it has this many offsets: an entry's are 32 bits, and a batch holds
/// fewer than 2^31 records.
const OFFSETS_MAX: u64 = 1 << 31;

/// Which of a queue's two runs within a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Lane {
    /// Records as they were produced.
    Main,
    /// Older records, copied forward because they outlive their segment.
    Forwarded,
}

/// A run that still grows.
#[derive(Clone, Debug)]
pub(crate) struct OpenRun {
    origin: Origin,
    end: QueueOffset,
    /// Bytes of its records.
    bytes: u64,
    time_max: Timestamp,
    entries: Vec<PackedEntry>,
}

impl OpenRun {
    /// An empty run of a stretch that starts at `position` and `time`, for the offsets from
    /// `base` on.
    pub(crate) const fn new(base: QueueOffset, position: PhysicalOffset, time: Timestamp) -> Self {
        let origin = Origin {
            base,
            position,
            time,
        };
        let time_max = Timestamp::from_millis(i64::MIN);
        Self {
            origin,
            end: base,
            bytes: 0,
            time_max,
            entries: Vec::new(),
        }
    }

    /// Adds the entry that starts where the run ends. `time_max` is the greatest timestamp of
    /// its records. `true` when the run's offsets come near the end of their 32 bits.
    pub(crate) fn push(&mut self, entry: &Entry, time_max: Timestamp) -> bool {
        self.entries.push(PackedEntry::pack(entry, &self.origin));
        self.bytes += u64::from(entry.size);
        self.end = entry.base.advance(u64::from(entry.count));
        self.time_max = self.time_max.max(time_max);
        self.origin.base.distance_to(self.end) > OFFSETS_MAX
    }

    /// Offsets from here on are this run's.
    pub(crate) const fn base(&self) -> QueueOffset {
        self.origin.base
    }

    /// One past its last offset.
    pub(crate) const fn end(&self) -> QueueOffset {
        self.end
    }

    pub(crate) const fn time_max(&self) -> Timestamp {
        self.time_max
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What its entries' times count from.
    pub(crate) const fn first_time(&self) -> Timestamp {
        self.origin.time
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn packed(&self) -> &[PackedEntry] {
        &self.entries
    }

    pub(crate) fn entry(&self, index: usize) -> Option<Entry> {
        self.entries
            .get(index)
            .map(|packed| packed.unpack(&self.origin))
    }

    /// Index of the entry that contains `offset`, or of the next after it.
    pub(crate) fn position_of(&self, offset: QueueOffset) -> usize {
        self.entries
            .partition_point(|entry| entry.unpack(&self.origin).end() <= offset)
    }
}

/// A run that grows no more: in memory until its file is written, then in the file.
#[derive(Clone, Debug)]
pub(crate) enum RunView {
    /// Of a stretch whose file is being written.
    Memory(Arc<OpenRun>),
    /// Of a file.
    File {
        /// What its entries count from.
        origin: Origin,
        /// One past its last offset.
        end: QueueOffset,
        /// The greatest timestamp of its records.
        time_max: Timestamp,
        /// Bytes of its records.
        bytes: u64,
        /// Its entries.
        entries: Bytes,
    },
}

impl RunView {
    pub(crate) fn base(&self) -> QueueOffset {
        match self {
            Self::Memory(run) => run.base(),
            Self::File { origin, .. } => origin.base,
        }
    }

    pub(crate) fn end(&self) -> QueueOffset {
        match self {
            Self::Memory(run) => run.end(),
            Self::File { end, .. } => *end,
        }
    }

    pub(crate) fn time_max(&self) -> Timestamp {
        match self {
            Self::Memory(run) => run.time_max(),
            Self::File { time_max, .. } => *time_max,
        }
    }

    /// Bytes of its records.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Memory(run) => run.bytes(),
            Self::File { bytes, .. } => *bytes,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Memory(run) => run.packed().len(),
            Self::File { entries, .. } => entries.len() / PackedEntry::BYTES,
        }
    }

    pub(crate) fn entry(&self, index: usize) -> Option<Entry> {
        match self {
            Self::Memory(run) => run.entry(index),
            Self::File {
                origin, entries, ..
            } => {
                let bytes = entries.get(index.checked_mul(PackedEntry::BYTES)?..)?;
                PackedEntry::read(bytes).map(|packed| packed.unpack(origin))
            }
        }
    }

    /// All entries in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> {
        (0..self.len()).map_while(|index| self.entry(index))
    }

    /// Index of the first entry that `is_before` refuses; entries are partitioned by it.
    pub(crate) fn partition_point(&self, is_before: impl Fn(&Entry) -> bool) -> usize {
        partition_point(self.len(), |index| {
            self.entry(index).is_some_and(|entry| is_before(&entry))
        })
    }

    /// Index of the entry that contains `offset`, or of the next after it.
    pub(crate) fn position_of(&self, offset: QueueOffset) -> usize {
        self.partition_point(|entry| entry.end() <= offset)
    }
}

/// The first of `count` indexes that `is_before` refuses; it accepts a first part of them.
pub(super) fn partition_point(count: usize, is_before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if is_before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
