//! The settings.

use serde::{Deserialize, Serialize};

/// What operators may set; filled by the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Connections at the same time; further ones are closed.
    pub connections_max: usize,
    /// Longest time a client may take to send a request's head.
    pub head_timeout_ms: u64,
    /// Longest body of a request; definitions are the long ones.
    pub body_bytes_max: usize,
    /// Most messages of one request for a queue's.
    pub get_messages_max: usize,
    /// Most bytes of them, but always one message.
    pub get_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connections_max: 256,
            head_timeout_ms: 10_000,
            body_bytes_max: 20_000_000,
            get_messages_max: 10_000,
            get_bytes_max: 64 << 20,
        }
    }
}
