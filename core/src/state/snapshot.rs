//! The whole state in a file, so that a restart replays only what came after. Derived: without
//! it the log is replayed from its beginning.
//!
//! ```text
//! | magic 8 | crc of the rest 4 | JSON |
//! ```

use super::machine::State;
use crate::batch::crc32;
use crate::queue::Producers;
use crate::vfs::{Vfs, write_whole};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"GTRYSN01";
const HEADER_BYTES: usize = 12;
/// Older ones are kept in case the newest is damaged.
const KEPT: usize = 2;

/// The state at one position of the log. Commands and batches from there on may be in it
/// already; replaying them again changes nothing.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// Where a replay starts.
    pub(crate) position: u64,
    pub(crate) state: State,
    /// Each queue's next offset at `position`.
    pub(crate) ends: BTreeMap<u32, u64>,
    /// By queue number.
    pub(crate) producers: BTreeMap<u32, Producers>,
}

impl Snapshot {
    /// The newest undamaged snapshot of `directory` at or before `position`.
    pub(crate) fn load(vfs: &dyn Vfs, directory: &Path, position: u64) -> io::Result<Option<Self>> {
        vfs.create_directories(directory)?;
        for path in Self::paths(vfs, directory)?.iter().rev() {
            match Self::read(vfs, path) {
                Some(snapshot) if snapshot.position <= position => return Ok(Some(snapshot)),
                Some(_) => {}
                None => tracing::warn!(path = %path.display(), "a damaged snapshot is passed over"),
            }
        }
        Ok(None)
    }

    /// Writes it, then lets older ones go.
    pub(crate) fn write(&self, vfs: &dyn Vfs, directory: &Path) -> io::Result<()> {
        let json = serde_json::to_vec(self).map_err(io::Error::other)?;
        let path = directory.join(format!("{:020}.snapshot", self.position));
        write_whole(vfs, &path, &[MAGIC, &crc32(&json).to_le_bytes(), &json])?;
        for old in Self::paths(vfs, directory)?.iter().rev().skip(KEPT) {
            crash_point!("snapshot.before_remove");
            vfs.remove(old)?;
        }
        Ok(())
    }

    /// The files of `directory`, the oldest first.
    pub(crate) fn paths(vfs: &dyn Vfs, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let is_snapshot = |path: &PathBuf| path.extension().is_some_and(|name| name == "snapshot");
        let mut paths = vfs.list(directory)?;
        paths.retain(is_snapshot);
        Ok(paths)
    }

    /// Reads one; `None` when it is damaged.
    pub(crate) fn read(vfs: &dyn Vfs, path: &Path) -> Option<Self> {
        let bytes = vfs.content(path).ok()?;
        let json = bytes.get(HEADER_BYTES..)?;
        let crc = u32::from_le_bytes(bytes.get(8..HEADER_BYTES)?.try_into().ok()?);
        (bytes.starts_with(MAGIC) && crc == crc32(json)).then_some(())?;
        serde_json::from_slice(json).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::RealVfs;

    #[test]
    fn a_damaged_snapshot_falls_back_to_the_one_before() {
        let directory = tempfile::tempdir().unwrap();
        for position in [1, 2, 3] {
            let snapshot = Snapshot {
                position,
                ..Snapshot::default()
            };
            snapshot.write(&RealVfs, directory.path()).unwrap();
        }
        let newest = directory.path().join(format!("{:020}.snapshot", 3));
        let mut bytes = std::fs::read(&newest).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&newest, bytes).unwrap();
        let loaded = Snapshot::load(&RealVfs, directory.path(), 9)
            .unwrap()
            .unwrap();
        assert_eq!(loaded.position, 2);
        assert!(
            Snapshot::load(&RealVfs, directory.path(), 1)
                .unwrap()
                .is_none(),
            "two are kept"
        );
    }
}
