//! How far the log is on the disk, as far as is known: a bad record before it is damage, one
//! after it a torn tail. It is written after each flush and never synced by itself: after a power
//! cut it may tell of an earlier flush, never of one that was not.
//!
//! ```text
//! at 0 and at 512, written in turn: | magic 8 | position 8 | crc of both 4 |   little-endian
//! ```

use crate::batch::crc32_of;
use crate::vfs::{Vfs, VfsFile};
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const MAGIC: &[u8; 8] = b"GTRYFM01";
/// What a disk writes whole.
const SECTOR_BYTES: usize = 512;

/// The mark's file.
#[derive(Debug)]
pub(crate) struct Mark {
    file: Arc<dyn VfsFile>,
    /// How often it was written: even writes go to the first sector.
    turn: AtomicU64,
}

impl Mark {
    /// Opens or creates the mark, and tells where it stands.
    pub(super) fn open(vfs: &dyn Vfs, path: &Path) -> io::Result<(Self, u64)> {
        let [first, second] = Self::look(vfs, path);
        if vfs.open(path).is_err() {
            crate::vfs::write_whole(vfs, path, &[&[0; 2 * SECTOR_BYTES]])?;
        }
        let mark = Self {
            file: vfs.open(path)?,
            turn: AtomicU64::new(u64::from(first > second)),
        };
        Ok((mark, first.max(second)))
    }

    /// What both sectors say; 0 where one says nothing.
    pub(crate) fn look(vfs: &dyn Vfs, path: &Path) -> [u64; 2] {
        let content = vfs.content(path).unwrap_or_default();
        let sectors = [content.get(..), content.get(SECTOR_BYTES..)];
        sectors.map(|sector| sector.and_then(position_of).unwrap_or(0))
    }

    /// Everything before `position` is on the disk.
    pub(super) fn write(&self, position: u64) {
        let at = (self.turn.fetch_add(1, Ordering::Relaxed) % 2) * SECTOR_BYTES as u64;
        let position = position.to_le_bytes();
        let crc = crc32_of(&[MAGIC, &position]).to_le_bytes();
        let mut slices = [MAGIC, &position[..], &crc].map(IoSlice::new);
        crash_point!("mark.before_write");
        if let Err(error) = self.file.write(&mut slices, at) {
            // An older mark is as true.
            tracing::warn!(%error, "writing the flush mark failed");
        }
    }
}

fn position_of(sector: &[u8]) -> Option<u64> {
    let position = sector.get(8..16)?;
    let crc = u32::from_le_bytes(sector.get(16..20)?.try_into().ok()?);
    let is_whole = sector.starts_with(MAGIC) && crc == crc32_of(&[MAGIC, position]);
    is_whole.then(|| position.try_into().ok().map(u64::from_le_bytes))?
}
