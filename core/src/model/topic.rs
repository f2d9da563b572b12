//! What a topic is made of.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// RocketMQ's permission bits of a topic: 4 read, 2 write, 1 inherit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permission(u8);

impl Permission {
    /// Read and write, the default (6).
    pub const READ_WRITE: Self = Self(6);

    /// The bits as RocketMQ sends them.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The bits as RocketMQ sends them.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether messages may be fetched.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        self.0 & 4 != 0
    }

    /// Whether messages may be produced.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        self.0 & 2 != 0
    }
}

/// A topic's settings, as given when it is created or altered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicSpec {
    /// Queues consumers read; at least 1.
    pub read_queues: u32,
    /// Queues producers write; at least 1. A topic's partitions are the larger of both.
    pub write_queues: u32,
    /// What clients may do.
    pub permission: Permission,
    /// RocketMQ's `topicSysFlag`, kept for the native clients.
    #[serde(default)]
    pub sys_flag: i32,
    /// RocketMQ's `order` flag.
    #[serde(default)]
    pub ordered: bool,
    /// Free settings: Kafka's topic configuration (`retention.ms`) and RocketMQ's attributes.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

impl TopicSpec {
    /// A read-write topic of `queues` queues.
    #[must_use]
    pub const fn with_queues(queues: u32) -> Self {
        Self {
            read_queues: queues,
            write_queues: queues,
            permission: Permission::READ_WRITE,
            sys_flag: 0,
            ordered: false,
            attributes: BTreeMap::new(),
        }
    }

    /// How many queues exist: the larger of read and write.
    #[must_use]
    pub fn queue_count(&self) -> u32 {
        self.read_queues.max(self.write_queues)
    }
}
