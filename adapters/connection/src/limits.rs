//! What one connection may take.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Limits of the connections of one listener. How long a frame may be is the protocol's to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections open at a time; further ones are closed as they are accepted.
    pub connections_max: usize,
    /// Answers waiting for a slow reader, in bytes; over it no more of its requests are read.
    pub unsent_bytes_max: usize,
    /// Requests waiting for their answer, in bytes; over it no more of them are read.
    pub pipelined_bytes_max: usize,
    /// Requests waiting for their answer, long polls among them; over it no more are read.
    pub pending_replies_max: usize,
    /// A connection on which nothing moves and nothing is awaited for this long is closed, in
    /// milliseconds.
    pub idle_ms: u64,
    /// Longest time to answer what is in flight when a connection is to be closed, in
    /// milliseconds.
    pub drain_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            unsent_bytes_max: 4 << 20,
            pipelined_bytes_max: 16 << 20,
            pending_replies_max: 32_768,
            idle_ms: 600_000,
            drain_ms: 5_000,
        }
    }
}

impl Limits {
    pub(crate) const fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }

    pub(crate) const fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}
