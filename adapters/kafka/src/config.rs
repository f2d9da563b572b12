//! What can be set about the Kafka endpoint.

use gantry_core::groups::classic::ClassicConfig;
use serde::{Deserialize, Serialize};

/// The Kafka endpoint's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// This broker's number in metadata answers, 0 or more.
    pub node_id: i32,
    /// The cluster's id in metadata answers; when unset, one is made at the first start and kept
    /// in the log.
    pub cluster_id: Option<String>,
    /// The host name clients are told to connect to; the gateway fills it in.
    #[serde(skip)]
    pub advertised_host: String,
    /// The port clients are told to connect to; the gateway fills it in.
    #[serde(skip)]
    pub advertised_port: u16,
    /// The rack in metadata answers.
    pub rack: Option<String>,
    /// Partitions of a topic whose creator leaves the number open (Kafka's `num.partitions`).
    pub default_partitions: u32,
    /// Most partitions of one topic that a client may create.
    pub partitions_max: u32,
    /// Longest request in bytes (Kafka's `socket.request.max.bytes`); a longer one closes the
    /// connection before anything is reserved for it.
    pub request_bytes_max: usize,
    /// Most array elements of one request, all arrays together.
    pub request_elements_max: usize,
    /// Longest record batch in bytes (Kafka's `message.max.bytes`), unless the topic says
    /// otherwise.
    pub batch_bytes_max: usize,
    /// Most record bytes of one Fetch answer (Kafka's `fetch.max.bytes`).
    pub fetch_bytes_max: usize,
    /// Longest time in milliseconds a Fetch may wait for records.
    pub fetch_wait_max_ms: u32,
    /// Most bytes of the text a consumer commits with an offset (Kafka's
    /// `offset.metadata.max.bytes`).
    pub offset_metadata_bytes_max: usize,
    /// Consumer groups.
    pub groups: ClassicConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            node_id: 1,
            cluster_id: None,
            advertised_host: String::from("127.0.0.1"),
            advertised_port: 9092,
            rack: None,
            default_partitions: 4,
            partitions_max: 10_000,
            request_bytes_max: 100 << 20,
            request_elements_max: 250_000,
            batch_bytes_max: 1_048_588,
            fetch_bytes_max: 55 << 20,
            fetch_wait_max_ms: 300_000,
            offset_metadata_bytes_max: 4_096,
            groups: ClassicConfig::default(),
        }
    }
}
