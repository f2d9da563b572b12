//! A stretch of the log that is closed: its index is whole, in memory or in its file.

use super::file::IndexFile;
use super::run::{Lane, OpenRun, RunView};
use crate::model::{PhysicalOffset, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One key of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyEntry {
    /// [`super::key_hash`] of topic and key.
    pub(crate) hash: u32,
    /// Where the record starts, from the stretch's first byte.
    pub(crate) position: u32,
}

/// What a stretch's file is made of.
#[derive(Debug)]
pub(crate) struct ClosedStretch {
    /// Its first byte.
    pub(crate) base: PhysicalOffset,
    /// One past its last byte.
    pub(crate) end: PhysicalOffset,
    /// When its first record was stored.
    pub(crate) first_time: Timestamp,
    /// When its last record was stored.
    pub(crate) last_time: Timestamp,
    /// By queue number and lane.
    pub(crate) runs: BTreeMap<(u32, Lane), Arc<OpenRun>>,
    /// In log order.
    pub(crate) keys: Vec<KeyEntry>,
}

/// A closed stretch as readers find it.
#[derive(Clone, Debug)]
pub(crate) enum Stretch {
    /// The file is not written yet.
    Memory(Arc<ClosedStretch>),
    /// The file.
    File(Arc<IndexFile>),
}

impl Stretch {
    pub(crate) fn base(&self) -> PhysicalOffset {
        match self {
            Self::Memory(stretch) => stretch.base,
            Self::File(file) => file.base(),
        }
    }

    pub(crate) fn end(&self) -> PhysicalOffset {
        match self {
            Self::Memory(stretch) => stretch.end,
            Self::File(file) => file.end(),
        }
    }

    /// When its first and last records were stored.
    pub(crate) fn times(&self) -> (Timestamp, Timestamp) {
        match self {
            Self::Memory(stretch) => (stretch.first_time, stretch.last_time),
            Self::File(file) => file.times(),
        }
    }

    /// A queue's run, if it has entries here.
    pub(crate) fn run(&self, queue: u32, lane: Lane) -> Option<RunView> {
        match self {
            Self::Memory(stretch) => {
                let run = stretch.runs.get(&(queue, lane));
                run.cloned().map(RunView::Memory)
            }
            Self::File(file) => file.run(queue, lane),
        }
    }

    /// All runs, by queue number and lane.
    pub(crate) fn runs(&self) -> Vec<(u32, Lane, RunView)> {
        match self {
            Self::Memory(stretch) => {
                let runs = stretch.runs.iter();
                runs.map(|((queue, lane), run)| (*queue, *lane, RunView::Memory(Arc::clone(run))))
                    .collect()
            }
            Self::File(file) => file.runs(),
        }
    }

    /// Whether its file is written.
    pub(crate) const fn has_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Positions of the records with that key hash, the oldest first.
    pub(crate) fn positions_of_key(&self, hash: u32) -> Vec<PhysicalOffset> {
        match self {
            Self::Memory(stretch) => {
                let keys = stretch.keys.iter().filter(|key| key.hash == hash);
                keys.map(|key| stretch.base.advance(u64::from(key.position)))
                    .collect()
            }
            Self::File(file) => file.positions_of_key(hash),
        }
    }
}
