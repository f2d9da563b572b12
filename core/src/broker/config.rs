//! The broker's settings.

use crate::filter::FilterConfig;
use crate::leases::LeaseConfig;
use crate::store::StoreConfig;
use crate::timers::TimerConfig;
use crate::transactions::TransactionConfig;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};

/// How the broker keeps messages and topics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where native clients reach this broker: part of every record, hence of message ids.
    #[serde(skip, default = "loopback_broker")]
    pub store_host: SocketAddr,
    /// The log.
    pub store: StoreConfig,
    /// Topics.
    pub topics: TopicConfig,
    /// Messages that are delivered later.
    pub timers: TimerConfig,
    /// Filters.
    pub filter: FilterConfig,
    /// Messages that wait for the end of their transaction.
    pub transactions: TransactionConfig,
    /// Leases.
    pub leases: LeaseConfig,
}

/// RocketMQ's default port on this machine.
fn loopback_broker() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 10_911))
}

impl Default for Config {
    fn default() -> Self {
        Self {
            store_host: loopback_broker(),
            store: StoreConfig::default(),
            topics: TopicConfig::default(),
            timers: TimerConfig::default(),
            filter: FilterConfig::default(),
            transactions: TransactionConfig::default(),
            leases: LeaseConfig::default(),
        }
    }
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
            message_bytes_max: 16 << 20,
        }
    }
}
