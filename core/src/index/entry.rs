//! One entry of a queue's index: where one record is and what it holds.

use crate::model::{PhysicalOffset, QueueOffset, Timestamp};

/// [`Entry::inner`] of an entry that stands for its whole record.
pub(crate) const INNER_NONE: u32 = u32::MAX;

/// [`Entry::tag`] of a batch: only its records know their tags.
pub(crate) const TAG_UNKNOWN: i32 = i32::MIN;

/// An entry with its numbers made whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Offset of the first message.
    pub(crate) base: QueueOffset,
    /// Messages it stands for; at least 1.
    pub(crate) count: u32,
    /// Where the record starts.
    pub(crate) position: PhysicalOffset,
    /// Bytes of the record.
    pub(crate) size: u32,
    /// Hash of the tag, 0 for none, [`TAG_UNKNOWN`] for a batch (or a tag of that hash).
    pub(crate) tag: i32,
    /// When it was stored.
    pub(crate) stored_at: Timestamp,
    /// Which record of the batch it names, or [`INNER_NONE`].
    pub(crate) inner: u32,
}

impl Entry {
    /// One past the offset of its last message.
    pub(crate) fn end(&self) -> QueueOffset {
        self.base.advance(u64::from(self.count))
    }
}

/// What the entries of one run count from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) base: QueueOffset,
    pub(crate) position: PhysicalOffset,
    pub(crate) time: Timestamp,
}

/// An entry as it is kept in memory and in the file: little-endian, relative to its [`Origin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackedEntry {
    base: u32,
    count: u32,
    position: u32,
    size: u32,
    tag: i32,
    time: u32,
    inner: u32,
}

impl PackedEntry {
    /// Bytes in a file.
    pub(crate) const BYTES: usize = 28;

    /// Packs an entry that is at most 32 bits from its origin in offset and position: a stretch
    /// closes before it gets there.
    pub(crate) fn pack(entry: &Entry, origin: &Origin) -> Self {
        let narrow = |distance| u32::try_from(distance).unwrap_or(u32::MAX);
        Self {
            base: narrow(origin.base.distance_to(entry.base)),
            count: entry.count,
            position: narrow(origin.position.distance_to(entry.position)),
            size: entry.size,
            tag: entry.tag,
            // A clock set back makes a distance of 0, a stretch open for 49 days the largest.
            time: narrow(entry.stored_at.millis_since(origin.time)),
            inner: entry.inner,
        }
    }

    /// The entry again.
    pub(crate) fn unpack(&self, origin: &Origin) -> Entry {
        Entry {
            base: origin.base.advance(u64::from(self.base)),
            count: self.count,
            position: origin.position.advance(u64::from(self.position)),
            size: self.size,
            tag: self.tag,
            stored_at: origin.time.plus_millis(u64::from(self.time)),
            inner: self.inner,
        }
    }

    /// Appends its file form.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let words = [self.base, self.count, self.position, self.size];
        for word in words {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.tag.to_le_bytes());
        out.extend_from_slice(&self.time.to_le_bytes());
        out.extend_from_slice(&self.inner.to_le_bytes());
    }

    /// Reads its file form.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let word = |index: usize| {
            let at = index * 4;
            Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
        };
        Some(Self {
            base: word(0)?,
            count: word(1)?,
            position: word(2)?,
            size: word(3)?,
            tag: word(4)?.cast_signed(),
            time: word(5)?,
            inner: word(6)?,
        })
    }
}
