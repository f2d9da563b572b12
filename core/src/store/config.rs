//! How the store keeps what it is given.

use serde::{Deserialize, Serialize};

/// When a producer hears that its record is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlushMode {
    /// Once the operating system has it: survives `kill -9`; a power cut may take what the last
    /// interval brought.
    #[default]
    Async,
    /// Once it is on the disk.
    Sync,
}

/// The store's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// When a producer hears that its record is kept.
    pub flush: FlushMode,
    /// Longest time between an append and its flush when nobody waits for it.
    pub flush_interval_ms: u64,
    /// Longest a producer waits for a flush before it hears of a timeout.
    pub flush_timeout_ms: u64,
    /// Bytes of a log segment.
    pub segment_bytes: u64,
    /// Bytes of log whose index is kept in memory before it becomes a file; at most a segment.
    pub stretch_bytes: u64,
    /// Newest bytes of log that stay in the page cache once they are on the disk; 0 leaves all of
    /// it to the operating system. A bounded window leaves memory to others, and readers further
    /// behind than it read the disk.
    pub hot_window_bytes: u64,
    /// Bytes of log that readers may keep mapped into memory before the pages are let go.
    pub mapped_bytes_max: u64,
    /// Bytes of converted batches and messages kept for the next reader of the tail.
    pub conversion_cache_bytes_max: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            flush: FlushMode::Async,
            flush_interval_ms: 500,
            flush_timeout_ms: 5_000,
            segment_bytes: 1 << 30,
            stretch_bytes: 128 << 20,
            hot_window_bytes: 0,
            mapped_bytes_max: 8 << 20,
            conversion_cache_bytes_max: 16 << 20,
        }
    }
}
