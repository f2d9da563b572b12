//! When queues are to be looked at again although nothing happens to them.

use super::WorkQueue;
use crate::model::Timestamp;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use tokio::sync::Notify;

/// All alarms.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    by_time: Mutex<ByTime>,
    earlier: Notify,
}

#[derive(Debug, Default)]
struct ByTime {
    alarms: BTreeMap<(Timestamp, u64), Weak<WorkQueue>>,
    next_serial: u64,
}

impl Alarms {
    /// Has a queue looked at at that time.
    pub(crate) fn set(&self, queue: &Arc<WorkQueue>, at: Timestamp) {
        let mut by_time = self.by_time.lock();
        let is_first = by_time
            .alarms
            .first_key_value()
            .is_none_or(|((first, _), _)| at < *first);
        let serial = by_time.next_serial;
        by_time.next_serial += 1;
        by_time.alarms.insert((at, serial), Arc::downgrade(queue));
        drop(by_time);
        if is_first {
            self.earlier.notify_one();
        }
    }

    /// Takes one that is due.
    pub(crate) fn take(&self, now: Timestamp) -> Option<Weak<WorkQueue>> {
        let mut by_time = self.by_time.lock();
        let first = by_time.alarms.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let by_time = self.by_time.lock();
        let ((next, _), _) = by_time.alarms.first_key_value()?;
        Some(*next)
    }

    /// Returns when one was set that is due before all others.
    pub(crate) async fn earlier(&self) {
        self.earlier.notified().await;
    }
}
