//! What is kept of a ledger.

use crate::queue::Settled;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// A group's leases of one queue as the log has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// What nobody waits for any more.
    pub(crate) settled: Settled,
    /// One past the newest message that was handed out or passed over.
    pub(crate) cursor: u64,
    /// How often unsettled messages were handed out, where that is more than once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attempts: Vec<(u64, u32)>,
}

impl Progress {
    /// A group that wants everything from `offset` on.
    pub(crate) fn at(offset: u64) -> Self {
        Self {
            settled: Settled::below(offset),
            cursor: offset,
            attempts: Vec::new(),
        }
    }

    /// Messages were handed out, and are done with.
    pub(crate) fn settle(&mut self, offsets: RangeInclusive<u64>) {
        let end = offsets.end().saturating_add(1);
        self.attempts.retain(|(of, _)| !offsets.contains(of));
        self.settled.insert_range(*offsets.start()..end);
        self.cursor = self.cursor.max(end).max(self.settled.floor());
    }

    /// Whether the floor says all there is.
    pub(crate) fn is_plain(&self) -> bool {
        self.cursor <= self.settled.floor() && self.settled.count_above() == 0
    }

    /// Somebody says that the group goes on at `offset`. What is settled above it stays so, unless
    /// it is a step back.
    pub(crate) fn commit(&mut self, offset: u64) {
        if offset < self.settled.floor() {
            *self = Self::at(offset);
            return;
        }
        self.settled.raise(offset);
        let floor = self.settled.floor();
        self.cursor = self.cursor.max(floor);
        self.attempts.retain(|(of, _)| *of >= floor);
    }
}
