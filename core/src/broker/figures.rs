//! The store's numbers, for those who watch it.

use super::{Broker, Client, Config};
use crate::model::PhysicalOffset;
use crate::traffic::Traffic;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What the store looks like now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreFigures {
    /// Position of the oldest byte kept.
    pub start: u64,
    /// Position after the newest byte.
    pub appended: u64,
    /// Position after the newest byte that is on the disk.
    pub flushed: u64,
    /// Files of the log.
    pub segments: u64,
    /// Stretches of the log that are known to be damaged.
    pub damaged_ranges: u64,
    /// Bytes of them.
    pub damaged_bytes: u64,
    /// Segments with damage in them.
    pub damaged_segments: u64,
    /// Bytes of segments kept beyond their time for topics that want them.
    pub pinned_bytes: u64,
    /// Topics, system topics included.
    pub topics: u64,
    /// Records that were not taken since the start.
    pub refused: u64,
    /// Bytes taken of the store's disk when it was looked at last, 0 before that.
    pub disk_used: u64,
    /// Bytes that were left on it.
    pub disk_available: u64,
}

impl Broker {
    /// The store's numbers as they are now.
    #[must_use]
    pub fn store_figures(&self) -> StoreFigures {
        let store = &self.shared.store;
        let segments = store.segments.all();
        let damages = store.damages.all();
        let is_damaged = |from: PhysicalOffset, to: PhysicalOffset| store.damages.touches(from, to);
        let damaged = segments
            .iter()
            .filter(|segment| is_damaged(segment.base(), segment.end()));
        StoreFigures {
            start: store.segments.start().get(),
            appended: store.appended(),
            flushed: store.flushed(),
            segments: segments.len() as u64,
            damaged_ranges: damages.len() as u64,
            damaged_bytes: damages.iter().map(|range| range.to - range.from).sum(),
            damaged_segments: damaged.count() as u64,
            pinned_bytes: self.retention().pinned_bytes,
            topics: self.shared.topics.all().len() as u64,
            refused: self.shared.refused.load(Ordering::Relaxed),
            disk_used: store.health.space().used,
            disk_available: store.health.space().available,
        }
    }
}

impl Client {
    /// The store's numbers as they are now.
    #[must_use]
    pub fn store_figures(&self) -> StoreFigures {
        let shared = Arc::clone(&self.shared);
        Broker { shared }.store_figures()
    }

    /// What was produced to all topics since the start, in bytes of log.
    #[must_use]
    pub fn produced(&self) -> &Traffic {
        &self.shared.produced
    }

    /// The settings this broker was opened with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.shared.config
    }
}
