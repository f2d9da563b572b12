//! The immutable index file of a closed stretch. All numbers are little-endian.
//!
//! ```text
//! header 80    | magic 8 | crc of the rest of the header 4 | crc of the body 4 | base 8 | end 8
//!              | first time 8 | last time 8 | queues 4 | entries 4 | keys 4 | zero 20 |
//! directory    queues x 56, by queue number and lane
//!              | queue 4 | lane 4 | entries 4 | first entry 4 | base offset 8 | end offset 8
//!              | greatest timestamp 8 | time its entries count from 8 | bytes of records 8 |
//! entries      28 each, the runs one after the other
//! keys         keys x 8, by hash: | hash 4 | position 4 |
//! ```

use super::entry::{Origin, PackedEntry};
use super::run::{Lane, RunView, partition_point};
use super::stretch::{ClosedStretch, KeyEntry};
use crate::batch::crc32;
use crate::model::{PhysicalOffset, QueueOffset, Timestamp};
use crate::vfs::{FileBytes, Vfs, write_whole};
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const MAGIC: &[u8; 8] = b"GTRYIX02";
const HEADER_BYTES: usize = 80;
const CHECKED_FROM: usize = 12;
const DIRECTORY_BYTES: usize = 56;
const KEY_BYTES: usize = 8;

/// A mapped index file.
#[derive(Debug)]
pub(crate) struct IndexFile {
    content: FileBytes,
    /// Something of it was read since its pages were let go.
    is_touched: AtomicBool,
    base: PhysicalOffset,
    end: PhysicalOffset,
    times: (Timestamp, Timestamp),
    queues: usize,
    entries_at: usize,
    keys_at: usize,
    keys: usize,
}

/// Hash of a key within its topic: FNV-1a over `topic # key`, as stored in the key table.
pub(crate) fn key_hash(topic: &str, key: &str) -> u32 {
    let bytes = topic
        .bytes()
        .chain(std::iter::once(b'#'))
        .chain(key.bytes());
    bytes.fold(0x811C_9DC5, |hash: u32, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

impl IndexFile {
    /// The file's path: named like a segment, by the stretch's first byte.
    pub(super) fn path(directory: &Path, base: PhysicalOffset) -> PathBuf {
        directory.join(format!("{:020}.index", base.get()))
    }

    /// Writes `stretch`'s file.
    pub(super) fn write(
        vfs: &dyn Vfs,
        path: &Path,
        stretch: &ClosedStretch,
        more: &[KeyEntry],
    ) -> io::Result<()> {
        let mut keys = stretch.keys.clone();
        keys.extend_from_slice(more);
        keys.sort_unstable();
        write_whole(vfs, path, &[&encode(stretch, &keys)])
    }

    /// Opens and checks a file's header; the body's checksum is [`IndexFile::body_matches`].
    pub(crate) fn open(vfs: &dyn Vfs, path: &Path) -> io::Result<Self> {
        let content = vfs.kept_content(path)?;
        Self::parse(content).ok_or_else(|| io::Error::other("not a whole index file"))
    }

    fn parse(content: FileBytes) -> Option<Self> {
        let bytes = content.bytes();
        let header = bytes.get(..HEADER_BYTES)?;
        let crc = crc32(header.get(CHECKED_FROM..)?);
        (header.get(..8)? == MAGIC && u32_at(header, 8)? == crc).then_some(())?;
        let count = |at| u32_at(bytes, at).and_then(|count| usize::try_from(count).ok());
        let (queues, entries, keys) = (count(48)?, count(52)?, count(56)?);
        let entries_at = HEADER_BYTES + queues.checked_mul(DIRECTORY_BYTES)?;
        let keys_at = entries_at + entries.checked_mul(PackedEntry::BYTES)?;
        (keys_at + keys.checked_mul(KEY_BYTES)? == bytes.len()).then_some(())?;
        Some(Self {
            base: PhysicalOffset::new(u64_at(bytes, 16)?),
            end: PhysicalOffset::new(u64_at(bytes, 24)?),
            times: (time_at(bytes, 32)?, time_at(bytes, 40)?),
            queues,
            entries_at,
            keys_at,
            keys,
            is_touched: AtomicBool::new(true),
            content,
        })
    }

    fn bytes(&self) -> &Bytes {
        if !self.is_touched.load(Ordering::Relaxed) {
            self.is_touched.store(true, Ordering::Relaxed);
        }
        self.content.bytes()
    }

    /// Lets go of the pages that reading has brought into this process.
    pub(super) fn release_pages(&self) {
        if self.is_touched.swap(false, Ordering::Relaxed) {
            self.content.release_pages();
        }
    }

    /// Whether the body's checksum matches.
    pub(crate) fn body_matches(&self) -> bool {
        let body = self.bytes().get(HEADER_BYTES..).unwrap_or_default();
        u32_at(self.bytes(), 12) == Some(crc32(body))
    }

    /// Bytes of the file.
    pub(super) fn size(&self) -> u64 {
        self.content.bytes().len() as u64
    }

    /// Keys of records it holds.
    pub(crate) const fn key_count(&self) -> usize {
        self.keys
    }

    pub(crate) const fn base(&self) -> PhysicalOffset {
        self.base
    }

    pub(crate) const fn end(&self) -> PhysicalOffset {
        self.end
    }

    /// When its first and last records were stored.
    pub(crate) const fn times(&self) -> (Timestamp, Timestamp) {
        self.times
    }

    /// Each queue that has entries of its main lane here, with the offset after its last one.
    pub(super) fn queue_ends(&self) -> impl Iterator<Item = (u32, QueueOffset)> {
        (0..self.queues).filter_map(|index| {
            let at = HEADER_BYTES + index * DIRECTORY_BYTES;
            let (queue, lane) = self.key(index)?;
            (lane == Lane::Main).then_some(())?;
            Some((queue, QueueOffset::new(u64_at(self.bytes(), at + 24)?)))
        })
    }

    /// All runs, by queue number and lane.
    pub(crate) fn runs(&self) -> Vec<(u32, Lane, RunView)> {
        let run = |index| {
            let (queue, lane) = self.key(index)?;
            Some((queue, lane, self.run_at(index)?))
        };
        (0..self.queues).filter_map(run).collect()
    }

    pub(crate) fn run(&self, queue: u32, lane: Lane) -> Option<RunView> {
        let wanted = (queue, lane);
        let index = partition_point(self.queues, |index| {
            self.key(index).is_some_and(|key| key < wanted)
        });
        (self.key(index)? == wanted).then_some(())?;
        self.run_at(index)
    }

    fn key(&self, index: usize) -> Option<(u32, Lane)> {
        let at = HEADER_BYTES + index * DIRECTORY_BYTES;
        let lane = match u32_at(self.bytes(), at + 4)? {
            0 => Lane::Main,
            _ => Lane::Forwarded,
        };
        (index < self.queues).then_some((u32_at(self.bytes(), at)?, lane))
    }

    fn run_at(&self, index: usize) -> Option<RunView> {
        let at = HEADER_BYTES + index * DIRECTORY_BYTES;
        let count = usize::try_from(u32_at(self.bytes(), at + 8)?).ok()?;
        let first = usize::try_from(u32_at(self.bytes(), at + 12)?).ok()?;
        let start = self.entries_at + first.checked_mul(PackedEntry::BYTES)?;
        let end = start + count.checked_mul(PackedEntry::BYTES)?;
        (end <= self.keys_at).then_some(())?;
        Some(RunView::File {
            origin: Origin {
                base: QueueOffset::new(u64_at(self.bytes(), at + 16)?),
                position: self.base,
                time: time_at(self.bytes(), at + 40)?,
            },
            end: QueueOffset::new(u64_at(self.bytes(), at + 24)?),
            time_max: time_at(self.bytes(), at + 32)?,
            bytes: u64_at(self.bytes(), at + 48)?,
            entries: self.bytes().slice(start..end),
        })
    }

    pub(super) fn positions_of_key(&self, hash: u32) -> Vec<PhysicalOffset> {
        let key = |index: usize| {
            let at = self.keys_at + index * KEY_BYTES;
            Some((u32_at(self.bytes(), at)?, u32_at(self.bytes(), at + 4)?))
        };
        let first = partition_point(self.keys, |index| {
            key(index).is_some_and(|(candidate, _)| candidate < hash)
        });
        let found = (first..self.keys).map_while(|index| key(index).filter(|key| key.0 == hash));
        found
            .map(|(_, position)| self.base.advance(u64::from(position)))
            .collect()
    }
}

fn encode(stretch: &ClosedStretch, keys: &[KeyEntry]) -> Vec<u8> {
    let entries: usize = stretch.runs.values().map(|run| run.packed().len()).sum();
    let mut out = Vec::with_capacity(
        HEADER_BYTES
            + stretch.runs.len() * DIRECTORY_BYTES
            + entries * PackedEntry::BYTES
            + keys.len() * KEY_BYTES,
    );
    out.resize(HEADER_BYTES, 0);
    let mut first = 0_usize;
    for ((queue, lane), run) in &stretch.runs {
        let lane = u32::from(*lane != Lane::Main);
        let count = run.packed().len();
        push_u32s(&mut out, [*queue, lane, to_u32(count), to_u32(first)]);
        out.extend_from_slice(&run.base().get().to_le_bytes());
        out.extend_from_slice(&run.end().get().to_le_bytes());
        out.extend_from_slice(&run.time_max().millis().to_le_bytes());
        out.extend_from_slice(&run.first_time().millis().to_le_bytes());
        out.extend_from_slice(&run.bytes().to_le_bytes());
        first += count;
    }
    for entry in stretch.runs.values().flat_map(|run| run.packed()) {
        entry.write(&mut out);
    }
    for key in keys {
        push_u32s(&mut out, [key.hash, key.position]);
    }
    let header = encode_header(
        stretch,
        [entries, keys.len()],
        out.get(HEADER_BYTES..).unwrap_or_default(),
    );
    if let Some(slot) = out.get_mut(..HEADER_BYTES) {
        slot.copy_from_slice(&header);
    }
    out
}

fn encode_header(stretch: &ClosedStretch, [entries, keys]: [usize; 2], body: &[u8]) -> Vec<u8> {
    let mut rest = Vec::with_capacity(HEADER_BYTES);
    push_u32s(&mut rest, [crc32(body)]);
    rest.extend_from_slice(&stretch.base.get().to_le_bytes());
    rest.extend_from_slice(&stretch.end.get().to_le_bytes());
    rest.extend_from_slice(&stretch.first_time.millis().to_le_bytes());
    rest.extend_from_slice(&stretch.last_time.millis().to_le_bytes());
    let counts = [to_u32(stretch.runs.len()), to_u32(entries), to_u32(keys)];
    push_u32s(&mut rest, counts);
    rest.resize(HEADER_BYTES - CHECKED_FROM, 0);
    let mut header = MAGIC.to_vec();
    push_u32s(&mut header, [crc32(&rest)]);
    header.extend_from_slice(&rest);
    header
}

fn push_u32s<const N: usize>(out: &mut Vec<u8>, values: [u32; N]) {
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Counts within a stretch, which has at most 2^32 bytes.
fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn time_at(bytes: &[u8], at: usize) -> Option<Timestamp> {
    u64_at(bytes, at).map(|bits| Timestamp::from_millis(bits.cast_signed()))
}
