//! The broker's settings.

use crate::store::StoreConfig;
use serde::{Deserialize, Serialize};

/// How the broker keeps messages and topics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The log.
    pub store: StoreConfig,
    /// Topics.
    pub topics: TopicConfig,
}

/// What topics may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopicConfig {
    /// Whether an unknown topic is created when a client names it.
    pub auto_create: bool,
    /// Queues of a topic whose creator does not say.
    pub default_queues: u32,
    /// Most queues of one topic.
    pub queues_max: u32,
    /// Most queues of all topics together.
    pub queues_total_max: u32,
    /// Largest message, or batch of a Kafka producer, in bytes.
    pub message_bytes_max: usize,
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self {
            auto_create: true,
            default_queues: 4,
            queues_max: 4_096,
            queues_total_max: 200_000,
            message_bytes_max: 4 << 20,
        }
    }
}
