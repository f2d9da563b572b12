//! Positions: bytes into the log and messages into a queue never convert into one another.

use std::fmt;

/// A byte position in the commit log, counted from the first byte ever written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhysicalOffset(u64);

/// A message's number in its queue, counted from 0: Kafka's offset, RocketMQ's queue offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueOffset(u64);

/// A queue's number within its topic: RocketMQ's queue id, Kafka's partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(u32);

/// The offsets a queue holds: `start` is the oldest kept, `end` the next to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OffsetRange {
    /// The oldest offset that can be read.
    pub start: QueueOffset,
    /// One past the newest offset.
    pub end: QueueOffset,
}

impl PhysicalOffset {
    /// The log's first byte.
    pub const ZERO: Self = Self(0);

    /// A position `bytes` into the log.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Bytes from the log's beginning.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position `bytes` further on; saturates, as no log is 2^64 bytes long.
    #[must_use]
    pub const fn advance(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }

    /// Bytes from here to `later`, 0 when `later` is before.
    #[must_use]
    pub const fn distance_to(self, later: Self) -> u64 {
        later.0.saturating_sub(self.0)
    }
}

impl QueueOffset {
    /// A queue's first message.
    pub const ZERO: Self = Self(0);

    /// The offset `messages` into the queue.
    #[must_use]
    pub const fn new(messages: u64) -> Self {
        Self(messages)
    }

    /// The offset of a wire's signed field; `None` when negative.
    #[must_use]
    pub fn from_wire(value: i64) -> Option<Self> {
        u64::try_from(value).ok().map(Self)
    }

    /// Messages from the queue's beginning.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The value as the signed 64 bits every protocol sends; saturates.
    #[must_use]
    pub fn to_wire(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// The offset `messages` further on; saturates.
    #[must_use]
    pub const fn advance(self, messages: u64) -> Self {
        Self(self.0.saturating_add(messages))
    }

    /// Messages from here to `later`, 0 when `later` is before.
    #[must_use]
    pub const fn distance_to(self, later: Self) -> u64 {
        later.0.saturating_sub(self.0)
    }
}

impl QueueId {
    /// Queue number `id`.
    #[must_use]
    pub const fn new(id: u32) -> Self {
        Self(id)
    }

    /// The queue of a wire's signed field; `None` when negative.
    #[must_use]
    pub fn from_wire(value: i32) -> Option<Self> {
        u32::try_from(value).ok().map(Self)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number as the signed 32 bits every protocol sends; saturates.
    #[must_use]
    pub fn to_wire(self) -> i32 {
        i32::try_from(self.0).unwrap_or(i32::MAX)
    }
}

impl OffsetRange {
    /// Whether a reader may stand at `offset`: every kept message, and the end itself.
    #[must_use]
    pub fn admits(&self, offset: QueueOffset) -> bool {
        self.start <= offset && offset <= self.end
    }
}

impl fmt::Display for PhysicalOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for QueueOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for OffsetRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}
