use serde::{Deserialize, Serialize};

/// How this broker registers with the NameServers of other processes; filled by the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How often a NameServer hears that this broker lives, milliseconds (RocketMQ's
    /// `registerNameServerPeriod`).
    pub heartbeat_ms: u64,
    /// Longest time a NameServer may take to accept a connection, milliseconds.
    pub connect_timeout_ms: u64,
    /// Longest time a NameServer may take to answer, milliseconds.
    pub answer_timeout_ms: u64,
    /// Time between two tries to reach a NameServer, milliseconds.
    pub retry_ms: u64,
    /// Topics of one request; there are as many requests as it takes.
    pub topics_per_request_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            heartbeat_ms: 30_000,
            connect_timeout_ms: 3_000,
            answer_timeout_ms: 10_000,
            retry_ms: 1_000,
            topics_per_request_max: 800,
        }
    }
}
