//! How much may be leased.

use serde::{Deserialize, Serialize};

/// Limits of leases, and how often they become progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeaseConfig {
    /// Messages of one queue that one group may have out or waiting to be handed out again; over
    /// it, it gets no more until it acknowledges.
    pub per_queue_max: u32,
    /// The same of a work queue, which is AMQP's.
    pub unacknowledged_max: u32,
    /// How far one unacknowledged message may lie behind the newest one handed out, in messages.
    pub span_max: u64,
    /// Queues of all groups together whose leases are in memory.
    pub queues_max: usize,
    /// Longest time until an acknowledgement is in the log, milliseconds: what a `kill -9` within
    /// it may hand out again.
    pub persist_interval_ms: u64,
}

impl Default for LeaseConfig {
    fn default() -> Self {
        Self {
            per_queue_max: 10_000,
            unacknowledged_max: 200_000,
            span_max: 1_000_000,
            queues_max: 100_000,
            persist_interval_ms: 200,
        }
    }
}
