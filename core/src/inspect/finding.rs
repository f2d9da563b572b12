//! What is wrong, and where.

use std::fmt;

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// Its first byte in the log.
    pub from: u64,
    /// One past its last byte in the log.
    pub to: u64,
    /// The file, within the data directory.
    pub file: String,
    /// Topic, queue and offset, as far as they are known.
    pub place: Option<FindingPlace>,
}

/// A place in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingPlace {
    /// The topic; empty where the index alone knows the queue.
    pub topic: String,
    /// The queue; where the topic is not known, its number among all.
    pub queue: u32,
    /// The offset.
    pub offset: u64,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// A record whose checksum does not match.
    DamagedRecord,
    /// Bytes where records have been.
    LostBytes,
    /// A part of the log that was flushed has no file.
    MissingSegment,
    /// An index file, or its header, cannot be read.
    UnreadableIndex,
    /// An index file's checksum does not match.
    DamagedIndex,
    /// Index files do not follow one another, or go beyond the log.
    IndexGap,
    /// An entry names no record, or one of another place or size.
    WrongEntry,
    /// A record is missing from its queue's index.
    UnindexedRecord,
    /// A snapshot of the state cannot be read.
    DamagedSnapshot,
    /// The list of known damage cannot be read.
    DamagedList,
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DamagedRecord => "damaged record",
            Self::LostBytes => "no record",
            Self::MissingSegment => "missing segment",
            Self::UnreadableIndex => "unreadable index file",
            Self::DamagedIndex => "damaged index file",
            Self::IndexGap => "gap in the index",
            Self::WrongEntry => "wrong index entry",
            Self::UnindexedRecord => "record missing from the index",
            Self::DamagedSnapshot => "damaged snapshot",
            Self::DamagedList => "unreadable list of known damage",
        })
    }
}
