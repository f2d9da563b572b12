use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A queue as clients name it. Stands as a key in some tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MessageQueue {
    /// The broker's name.
    pub broker_name: String,
    /// The queue.
    pub queue_id: i32,
    /// The topic.
    pub topic: String,
}

/// The body of `LOCK_BATCH_MQ` (41) and `UNLOCK_BATCH_MQ` (42).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LockBatchRequest {
    /// Who locks.
    pub client_id: String,
    /// For which group.
    pub consumer_group: String,
    /// The queues.
    pub mq_set: Vec<MessageQueue>,
    /// 5.x: do not ask the replicas.
    pub only_this_broker: Option<bool>,
}

/// The answer to `LOCK_BATCH_MQ` (41).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LockBatchResponse {
    /// The queues that are locked now, each exactly as the request named it.
    #[serde(rename = "lockOKMQSet")]
    pub lock_ok_mq_set: Vec<MessageQueue>,
}

/// The answer to `GET_TOPIC_STATS_INFO` (202).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TopicStats {
    /// By queue.
    pub offset_table: BTreeMap<MessageQueue, TopicOffset>,
    /// Messages a second.
    pub topic_put_tps: f64,
}

/// A queue's extent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TopicOffset {
    /// When the last message was stored, in milliseconds; 0 for an empty queue.
    pub last_update_timestamp: i64,
    /// One past the last message.
    pub max_offset: i64,
    /// The first message.
    pub min_offset: i64,
}

/// The answer to `GET_CONSUME_STATS` (208).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumeStats {
    /// Messages a second.
    pub consume_tps: f64,
    /// By queue.
    pub offset_table: BTreeMap<MessageQueue, OffsetWrapper>,
}

/// A group's progress in a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OffsetWrapper {
    /// One past the queue's last message.
    pub broker_offset: i64,
    /// The group's committed offset.
    pub consumer_offset: i64,
    /// When the last consumed message was stored, in milliseconds.
    pub last_timestamp: i64,
    /// Where the group pulled last.
    pub pull_offset: i64,
}
