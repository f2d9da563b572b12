//! What is known to be damaged: bytes below the flush mark that are no record any more. Kept in
//! a file of its own, so that a segment once found bad is neither recycled nor forgotten before
//! somebody has looked at it. Nothing here is ever repaired or removed by itself.

use crate::model::{Clock, PhysicalOffset};
use crate::vfs::{Vfs, write_whole};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// One stretch of bytes that is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DamagedRange {
    /// Its first byte in the log.
    pub from: u64,
    /// One past its last byte.
    pub to: u64,
    /// When it was found, in milliseconds since the epoch.
    pub found_at: i64,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Damages {
    vfs: Arc<dyn Vfs>,
    clock: Arc<dyn Clock>,
    path: PathBuf,
    list: Mutex<Vec<DamagedRange>>,
}

impl Damages {
    /// Reads the list at `path`; there is none where nothing was damaged.
    pub(super) fn open(
        vfs: Arc<dyn Vfs>,
        clock: Arc<dyn Clock>,
        path: PathBuf,
    ) -> io::Result<Self> {
        let list = match vfs.content(&path) {
            Ok(json) => serde_json::from_slice(&json).map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            vfs,
            clock,
            path,
            list: Mutex::new(list),
        })
    }

    /// Notes that the bytes between two positions of the log are damaged, if it is not known yet.
    pub(crate) fn note(&self, from: PhysicalOffset, to: PhysicalOffset) {
        let range = DamagedRange {
            from: from.get(),
            to: to.get(),
            found_at: self.clock.now().millis(),
        };
        let mut list = self.list.lock();
        let is_known = list
            .iter()
            .any(|known| known.from <= range.from && range.to <= known.to);
        if is_known {
            return;
        }
        tracing::error!(from = range.from, to = range.to, "the log is damaged");
        list.push(range);
        list.sort_unstable();
        let written = serde_json::to_vec_pretty(&*list)
            .map_err(io::Error::other)
            .and_then(|json| write_whole(&*self.vfs, &self.path, &[&json]));
        if let Err(error) = written {
            tracing::error!(%error, "the damage could not be noted");
        }
    }

    /// All that are known, in log order.
    pub(crate) fn all(&self) -> Vec<DamagedRange> {
        self.list.lock().clone()
    }

    /// Whether something between the positions is damaged.
    pub(crate) fn touches(&self, from: PhysicalOffset, to: PhysicalOffset) -> bool {
        let list = self.list.lock();
        list.iter()
            .any(|range| range.from < to.get() && from.get() < range.to)
    }
}
