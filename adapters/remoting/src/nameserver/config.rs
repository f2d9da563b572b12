use gantry_remoting_protocol::FRAME_BYTES_MAX;
use serde::{Deserialize, Serialize};

/// What operators may set of the NameServer; filled by the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether routes carry a topic's order configuration, which clients then follow instead of
    /// the queues (RocketMQ's `orderMessageEnable`).
    pub order_message_enable: bool,
    /// Whether brokers are told the order configurations when they register
    /// (`returnOrderTopicConfigToBroker`).
    pub return_order_topic_config_to_broker: bool,
    /// Whether all topics are listed to whoever asks (`enableAllTopicList`).
    pub enable_all_topic_list: bool,
    /// Whether routes call the smallest slave the master while there is none, if its broker agrees
    /// (`supportActingMaster`).
    pub support_acting_master: bool,
    /// A broker silent for longer is gone, unless it named its own time, milliseconds.
    pub broker_expiry_ms: u64,
    /// Longest time of its own a broker may name, milliseconds.
    pub broker_expiry_max_ms: u64,
    /// How often silent brokers are looked for, milliseconds.
    pub scan_interval_ms: u64,
    /// Brokers, slaves included.
    pub brokers_max: usize,
    /// Topics of one broker.
    pub topics_per_broker_max: usize,
    /// Most bytes of a compressed registration once it is inflated.
    pub registration_bytes_max: u64,
    /// Entries of the key-value tables, all namespaces together.
    pub kv_entries_max: usize,
    /// Longest namespace or key, bytes.
    pub kv_name_bytes_max: usize,
    /// Longest value, bytes.
    pub kv_value_bytes_max: usize,
    /// Most bytes of a frame, its length field included.
    pub frame_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            order_message_enable: false,
            return_order_topic_config_to_broker: true,
            enable_all_topic_list: true,
            support_acting_master: false,
            broker_expiry_ms: 120_000,
            broker_expiry_max_ms: 3_600_000,
            scan_interval_ms: 10_000,
            brokers_max: 1_000,
            topics_per_broker_max: 200_000,
            registration_bytes_max: 64 * 1024 * 1024,
            kv_entries_max: 10_000,
            kv_name_bytes_max: 255,
            kv_value_bytes_max: 8_192,
            frame_bytes_max: FRAME_BYTES_MAX,
        }
    }
}

/// What NameServers tell of this process's broker.
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
