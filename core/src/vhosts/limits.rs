//! How much there may be in a virtual host.

use serde::{Deserialize, Serialize};

/// Limits by RabbitMQ's names. One below zero is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VhostLimits {
    /// Most connections at a time; the protocol keeps to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<i64>,
    /// Most queues.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_queues: Option<i64>,
}

impl VhostLimits {
    /// The limit of queues that are `count` already, if that is as many as there may be.
    pub(crate) fn queues_reached(&self, count: usize) -> Option<u64> {
        let limit = u64::try_from(self.max_queues?).ok()?;
        (count as u64 >= limit).then_some(limit)
    }
}
