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
    /// Unflushed bytes that are flushed without waiting for the interval; 0 is no limit.
    pub flush_bytes: u64,
    /// Appended bytes after which the disk begins to write them, long before their flush; 0 leaves
    /// that to the operating system.
    pub write_behind_bytes: u64,
    /// Longest a producer waits for a flush before it hears of a timeout.
    pub flush_timeout_ms: u64,
    /// How long messages are kept whose topic does not say, in milliseconds; 0 is for ever.
    pub retention_ms: u64,
    /// Most bytes of log; the oldest segments go beyond it. 0 is no limit.
    pub retention_bytes: u64,
    /// The hour of the day (UTC, 0 to 23) in which what is old goes; none is at once.
    pub retention_hour: Option<u8>,
    /// From this part of the disk on, what is old goes at once whatever the hour; 0 is never.
    pub disk_clean_percent: u8,
    /// From this part of the disk on, the oldest segments go although they are not old.
    pub disk_force_clean_percent: u8,
    /// From this part of the disk on, no messages are taken.
    pub disk_read_only_percent: u8,
    /// Bytes of a log segment.
    pub segment_bytes: u64,
    /// Bytes of log whose index is kept in memory before it becomes a file; at most a segment.
    pub stretch_bytes: u64,
    /// Longest time between two snapshots of the state while it changes, so that little is replayed
    /// after a crash; 0 writes them only as stretches end.
    pub snapshot_interval_ms: u64,
    /// Whether the keys of Kafka's records go into the index files, so that they are found without
    /// reading the log. Costs a look at every record on a thread of its own.
    pub index_batch_keys: bool,
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
            flush_bytes: 64 << 20,
            write_behind_bytes: 4 << 20,
            flush_timeout_ms: 5_000,
            retention_ms: 72 * 3_600_000,
            retention_bytes: 0,
            retention_hour: None,
            disk_clean_percent: 75,
            disk_force_clean_percent: 85,
            disk_read_only_percent: 90,
            segment_bytes: 1 << 30,
            stretch_bytes: 128 << 20,
            snapshot_interval_ms: 600_000,
            index_batch_keys: true,
            hot_window_bytes: 0,
            mapped_bytes_max: 8 << 20,
            conversion_cache_bytes_max: 16 << 20,
        }
    }
}
