use gantry_remoting_protocol::FRAME_BYTES_MAX;
use serde::{Deserialize, Serialize};

/// What operators may set of the NameServer; filled by the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether routes carry a topic's order configuration, which clients then follow instead of
    /// the queues (RocketMQ's `orderMessageEnable`).
    pub order_message_enable: bool,
    /// Most bytes of a frame, its length field included.
    pub frame_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            order_message_enable: false,
            frame_bytes_max: FRAME_BYTES_MAX,
        }
    }
}

/// What the NameServer tells of the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// The cluster's name.
    pub cluster_name: String,
    /// The broker's name. It is the master, id 0.
    pub broker_name: String,
    /// `host:port` at which clients reach the broker.
    pub address: String,
    /// Queues of a topic created by sending to it.
    pub auto_create_queues: u32,
}

impl From<&crate::Config> for Advertised {
    fn from(broker: &crate::Config) -> Self {
        Self {
            cluster_name: broker.cluster_name.clone(),
            broker_name: broker.broker_name.clone(),
            address: broker.advertised_address.to_string(),
            auto_create_queues: broker.auto_create_queues,
        }
    }
}
