use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The answer to `GET_ROUTEINFO_BY_TOPIC` (105): who has which queues of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TopicRouteData {
    /// The brokers.
    pub broker_datas: Vec<BrokerData>,
    /// Long obsolete, always empty.
    pub filter_server_table: BTreeMap<String, Vec<String>>,
    /// `broker-a:8;broker-b:8`; clients use it instead of the queues when it is there.
    pub order_topic_conf: Option<String>,
    /// The queues, one entry a broker.
    pub queue_datas: Vec<QueueData>,
    /// 5.x: static topics, by broker name.
    pub topic_queue_mapping_by_broker: Option<BTreeMap<String, TopicQueueMapping>>,
}

/// Which numbers a static topic's queues have on one broker. Only told on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TopicQueueMapping {
    /// The broker's name.
    pub bname: String,
    /// Number of the topic's queue to number of the broker's.
    pub curr_id_map: BTreeMap<i32, i32>,
    /// Whether it was moved away.
    pub dirty: bool,
    /// The larger wins.
    pub epoch: i64,
    /// Where the topic is known.
    pub scope: String,
    /// The topic.
    pub topic: String,
    /// Queues of the topic on all brokers.
    pub total_queues: i32,
}

/// A broker with its replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BrokerData {
    /// `ip:port` by broker id; 0 is the master, the only one producers use.
    pub broker_addrs: BTreeMap<i64, String>,
    /// The broker's name, part of each queue's identity at the clients.
    pub broker_name: String,
    /// The cluster's name.
    pub cluster: String,
    /// 5.x.
    pub enable_acting_master: bool,
    /// 5.x: the zone it is in, when it says one.
    pub zone_name: Option<String>,
}

/// The answer to `GET_BROKER_MEMBER_GROUP` (901).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BrokerMemberGroupAnswer {
    /// The master and its slaves.
    pub broker_member_group: BrokerMemberGroup,
}

/// A master and its slaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BrokerMemberGroup {
    /// `ip:port` by broker id.
    pub broker_addrs: BTreeMap<i64, String>,
    /// The name they share.
    pub broker_name: String,
    /// The cluster's name.
    pub cluster: String,
}

/// A topic's queues on one broker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct QueueData {
    /// The broker's name.
    pub broker_name: String,
    /// Read 4, write 2, inherit 1.
    pub perm: i32,
    /// Queues consumers read.
    pub read_queue_nums: i32,
    /// RocketMQ's `topicSysFlag`.
    pub topic_sys_flag: i32,
    /// Queues producers write.
    pub write_queue_nums: i32,
}

/// The answer to `GET_BROKER_CLUSTER_INFO` (106).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClusterInfo {
    /// By broker name.
    pub broker_addr_table: BTreeMap<String, BrokerData>,
    /// Broker names by cluster.
    pub cluster_addr_table: BTreeMap<String, Vec<String>>,
}

/// The answer to 219 and 28: names with values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KvTable {
    /// Name to value.
    pub table: BTreeMap<String, String>,
}

/// The answer to 206, 224, 304 and 305.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TopicList {
    /// Some broker, in the answer to 304.
    pub broker_addr: Option<String>,
    /// The names.
    pub topic_list: Vec<String>,
}
