//! What publishers wait for the end of.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Alarms that are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarms {
    /// The process has taken too much memory.
    pub memory: bool,
    /// The disk is too full.
    pub disk: bool,
}

impl Alarms {
    /// Whether there is one.
    #[must_use]
    pub const fn is_any(self) -> bool {
        self.memory || self.disk
    }

    /// What `connection.blocked` says.
    pub(crate) const fn reason(self) -> &'static str {
        match (self.memory, self.disk) {
            (true, true) => "low on memory & disk",
            (true, false) => "low on memory",
            (false, _) => "low on disk",
        }
    }
}

/// The memory of the process, as it was last told of.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    used: AtomicU64,
    limit: AtomicU64,
    is_high: AtomicBool,
}

/// What may be used of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    /// What the process has to itself, in bytes.
    pub used: u64,
    /// From there on publishers wait; 0 is never.
    pub limit: u64,
}

impl Memory {
    pub(crate) fn note(&self, MemoryUse { used, limit }: MemoryUse) {
        self.used.store(used, Ordering::Relaxed);
        self.limit.store(limit, Ordering::Relaxed);
        let is_high = limit > 0 && used >= limit;
        if self.is_high.swap(is_high, Ordering::Relaxed) != is_high {
            tracing::warn!(is_high, used, limit, "memory passed amqp.protocol.memory");
        }
    }

    pub(crate) fn usage(&self) -> MemoryUse {
        MemoryUse {
            used: self.used.load(Ordering::Relaxed),
            limit: self.limit.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn is_high(&self) -> bool {
        self.is_high.load(Ordering::Relaxed)
    }
}
