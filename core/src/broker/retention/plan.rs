//! Which segments leave the log, and why.

use super::bytes_of;
use crate::broker::shared::Shared;
use crate::model::{PhysicalOffset, Timestamp};
use crate::store::{Segment, Store, StoreConfig};
use crate::vfs::Space;
use std::sync::Arc;

/// Why a segment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Everything in it is older than `store.retention_ms`.
    Age,
    /// The log is longer than `store.retention_bytes`.
    Size,
    /// The disk is fuller than `store.disk_force_clean_percent`.
    Disk,
    /// Most of it is of deleted topics or before their queues' starts.
    Dead,
}

/// The oldest segments, which may go.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) segments: Vec<Arc<Segment>>,
    /// Where the log will begin.
    pub(super) end: PhysicalOffset,
    pub(super) reason: Reason,
}

impl Plan {
    /// What may go now; `None` when nothing may. `looks_for_dead`: also a segment that is mostly
    /// dead.
    pub(super) fn make(
        store: &Store,
        shared: &Shared,
        space: &Space,
        looks_for_dead: bool,
    ) -> Option<Self> {
        let limits = Limits {
            config: &shared.config.store,
            now: shared.clock.now(),
            space,
            log_end: store.appended(),
        };
        let mut segments: Vec<Arc<Segment>> = Vec::new();
        let mut reason = None;
        for segment in closed_segments(store) {
            let freed = bytes_of(&segments);
            let Some(why) = limits.reason(store, &segment, freed) else {
                break;
            };
            reason.get_or_insert(why);
            segments.push(segment);
        }
        if segments.is_empty() && looks_for_dead {
            segments.extend(closed_segments(store).into_iter().take(1));
            reason = Some(Reason::Dead);
        }
        Some(Self {
            end: segments.last()?.end(),
            reason: reason?,
            segments,
        })
    }

    /// Bytes of the segments.
    pub(super) fn bytes(&self) -> u64 {
        bytes_of(&self.segments)
    }
}

/// The segments before the last whose index is all in files, the oldest first.
fn closed_segments(store: &Store) -> Vec<Arc<Segment>> {
    let filed = store.stretches.filed_end().get();
    let end = filed.min(store.flushed());
    let all = store.segments.all();
    let before_last = all.split_last().map_or(&[][..], |(_, before)| before);
    let closed = before_last.iter();
    closed
        .take_while(|segment| segment.end().get() <= end)
        .cloned()
        .collect()
}

/// What is compared with what.
struct Limits<'a> {
    config: &'a StoreConfig,
    now: Timestamp,
    space: &'a Space,
    log_end: u64,
}

impl Limits<'_> {
    /// Why `segment` goes when `freed` bytes before it do.
    fn reason(&self, store: &Store, segment: &Segment, freed: u64) -> Option<Reason> {
        if self.is_disk_over(self.config.disk_force_clean_percent, freed) {
            return Some(Reason::Disk);
        }
        let bytes = self.log_end.saturating_sub(segment.base().get());
        if self.config.retention_bytes > 0 && bytes > self.config.retention_bytes {
            return Some(Reason::Size);
        }
        let newest = store.stretches.last_time_before(segment.end())?;
        let is_old = self.config.retention_ms > 0
            && self.now.millis_since(newest) > self.config.retention_ms;
        (is_old && self.is_time(freed)).then_some(Reason::Age)
    }

    /// Whether what is old goes now: at once, in the configured hour, or because the disk fills.
    fn is_time(&self, freed: u64) -> bool {
        let hour = self.now.millis().div_euclid(3_600_000).rem_euclid(24);
        self.config
            .retention_hour
            .is_none_or(|wanted| i64::from(wanted) == hour)
            || self.is_disk_over(self.config.disk_clean_percent, freed)
    }

    fn is_disk_over(&self, percent: u8, freed: u64) -> bool {
        let space = Space {
            used: self.space.used.saturating_sub(freed),
            available: self.space.available.saturating_add(freed),
        };
        percent > 0 && space.used_percent() >= u64::from(percent)
    }
}
