//! The log's growing end: where the next record goes, what is staged, and the open stretch.

use super::Facts;
use super::segment::Segment;
use super::staging::Staging;
use crate::index::{ClosedStretch, Entry, INNER_NONE, KeyEntry, Lane, Stretches};
use crate::model::{PhysicalOffset, QueueOffset, Timestamp};
use crate::queue::Queue;
use crate::record::BLANK_BYTES;
use std::sync::Arc;

/// Under one lock: places are given in log order.
#[derive(Debug)]
pub(super) struct Tail {
    /// Where the next record goes.
    pub(super) position: PhysicalOffset,
    pub(super) segment: Arc<Segment>,
    pub(super) staged: Staging,
    /// When the last record was stored: store times never go back.
    pub(super) last_time: Timestamp,
    pub(super) stretch: OpenStretch,
}

/// The stretch that is being indexed in memory.
#[derive(Debug)]
pub(super) struct OpenStretch {
    pub(super) base: PhysicalOffset,
    pub(super) first_time: Option<Timestamp>,
    /// It must close before the next record, whatever its length.
    pub(super) is_full: bool,
    /// Queues with entries in it, and in which lane.
    touched: Vec<(Arc<Queue>, Lane)>,
    keys: Vec<KeyEntry>,
}

impl OpenStretch {
    pub(super) const fn new(base: PhysicalOffset) -> Self {
        Self {
            base,
            first_time: None,
            is_full: false,
            touched: Vec::new(),
            keys: Vec::new(),
        }
    }
}

impl Tail {
    /// Whether the stretch must close before a record of `size` bytes.
    pub(super) fn must_close(&self, size: u64, stretch_bytes: u64) -> bool {
        let length = self.stretch.base.distance_to(self.position);
        !self.has_room(size)
            || self.stretch.is_full
            || (length > 0 && length + size > stretch_bytes)
    }

    /// Whether the segment holds a record of `size` bytes and the filler after it.
    pub(super) fn has_room(&self, size: u64) -> bool {
        self.position.distance_to(self.segment.end()) >= size + BLANK_BYTES
    }

    /// Indexes the record at the tail's position in `queue`.
    pub(super) fn index(
        &mut self,
        facts: &Facts,
        size: usize,
        stored_at: Timestamp,
        queue: &Arc<Queue>,
        base: QueueOffset,
    ) {
        let first_time = *self.stretch.first_time.get_or_insert(stored_at);
        let entry = Entry {
            base,
            count: facts.count,
            position: self.position,
            size: u32::try_from(size).unwrap_or(u32::MAX),
            tag: facts.tag,
            stored_at,
            inner: INNER_NONE,
        };
        let pushed = queue.push(&entry, facts.time_max, (self.stretch.base, first_time));
        self.stretch.is_full |= pushed.nearly_full;
        if pushed.is_first {
            self.stretch.touched.push((Arc::clone(queue), Lane::Main));
        }
    }

    /// Indexes the record at the tail's position, a copy of an older one, whose `entry` has all
    /// but its position.
    pub(super) fn index_forwarded(
        &mut self,
        entry: &Entry,
        time_max: Timestamp,
        queue: &Arc<Queue>,
    ) {
        self.stretch.first_time.get_or_insert(self.last_time);
        let entry = Entry {
            position: self.position,
            ..*entry
        };
        let pushed = queue.push_forwarded(&entry, time_max, self.stretch.base);
        self.stretch.is_full |= pushed.nearly_full;
        if pushed.is_first {
            self.stretch
                .touched
                .push((Arc::clone(queue), Lane::Forwarded));
        }
    }

    /// Enters the keys of the record at the tail's position.
    pub(super) fn index_keys(&mut self, facts: &Facts) {
        let position = self.stretch.base.distance_to(self.position);
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        let keys = facts.keys.iter().map(|hash| KeyEntry {
            hash: *hash,
            position,
        });
        self.stretch.keys.extend(keys);
    }

    /// Positions of the open stretch's records with that key hash.
    pub(super) fn positions_of_key(&self, hash: u32) -> Vec<PhysicalOffset> {
        let keys = self.stretch.keys.iter().filter(|key| key.hash == hash);
        keys.map(|key| self.stretch.base.advance(u64::from(key.position)))
            .collect()
    }

    /// Ends the open stretch at the tail's position and hands its index to `stretches`. `None`
    /// when it has no bytes.
    pub(super) fn close_stretch(&mut self, stretches: &Stretches) -> Option<Arc<ClosedStretch>> {
        let next = OpenStretch::new(self.position);
        let stretch = std::mem::replace(&mut self.stretch, next);
        if stretch.base == self.position {
            return None;
        }
        let runs = stretch
            .touched
            .iter()
            .map(|(queue, lane)| ((queue.number(), *lane), queue.close(*lane)))
            .collect();
        let closed = Arc::new(ClosedStretch {
            base: stretch.base,
            end: self.position,
            first_time: stretch.first_time.unwrap_or(self.last_time),
            last_time: self.last_time,
            runs,
            keys: stretch.keys,
        });
        stretches.push(Arc::clone(&closed));
        for (queue, lane) in stretch.touched {
            queue.closed(lane);
        }
        Some(closed)
    }
}
