use super::{ConsumeStats, DataVersion, MessageQueue, SubscriptionData};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The answer to `VIEW_BROKER_STATS_DATA` (315).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BrokerStatsData {
    /// The last day.
    pub stats_day: BrokerStatsItem,
    /// The last hour.
    pub stats_hour: BrokerStatsItem,
    /// The last minute.
    pub stats_minute: BrokerStatsItem,
}

/// A counter over some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BrokerStatsItem {
    /// How much each time.
    pub avgpt: f64,
    /// How much in all.
    pub sum: i64,
    /// How much a second.
    pub tps: f64,
}

/// The answer to `QUERY_TOPIC_CONSUME_BY_WHO` (300).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GroupList {
    /// The groups.
    pub group_list: Vec<String>,
}

/// The answer to `QUERY_SUBSCRIPTION_BY_CONSUMER` (345).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GroupSubscription {
    /// The group.
    pub group: String,
    /// What it wants of the topic; absent when it does not subscribe to it.
    pub subscription_data: Option<SubscriptionData>,
    /// The topic.
    pub topic: String,
}

/// The answer to `QUERY_CONSUME_TIME_SPAN` (303).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumeTimeSpans {
    /// One a queue.
    pub consume_time_span_set: Vec<QueueTimeSpan>,
}

/// When a queue's messages were stored; times in milliseconds, -1 for none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct QueueTimeSpan {
    /// The last one the group has consumed.
    pub consume_time_stamp: i64,
    /// The same for people.
    pub consume_time_stamp_str: String,
    /// How long the next one waits, in milliseconds.
    pub delay_time: i64,
    /// The newest one.
    pub max_time_stamp: i64,
    /// The same for people.
    pub max_time_stamp_str: String,
    /// The queue.
    pub message_queue: MessageQueue,
    /// The oldest one.
    pub min_time_stamp: i64,
    /// The same for people.
    pub min_time_stamp_str: String,
}

/// The answer to `GET_BROKER_CONSUME_STATS` (317).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BrokerConsumeStats {
    /// `ip:port`.
    pub broker_addr: String,
    /// Each group with one entry a topic.
    pub consume_stats_list: Vec<BTreeMap<String, Vec<ConsumeStats>>>,
    /// Messages not consumed.
    pub total_diff: i64,
    /// Messages pulled and not consumed.
    pub total_inflight_diff: i64,
}

/// The answer to `GET_ALL_PRODUCER_INFO` (328).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProducerTable {
    /// By group.
    pub data: BTreeMap<String, Vec<ProducerInfo>>,
}

/// A producer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ProducerInfo {
    /// The client's id.
    pub client_id: String,
    /// A name of [`crate::LanguageCode`].
    pub language: String,
    /// The last heartbeat, in milliseconds.
    pub last_update_timestamp: i64,
    /// `ip:port`.
    #[serde(rename = "remoteIP")]
    pub remote_ip: String,
    /// The client's version ordinal.
    pub version: i32,
}

/// The answer to `INVOKE_BROKER_TO_RESET_OFFSET` (222).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ResetOffsets {
    /// Where each queue goes on.
    pub offset_table: BTreeMap<MessageQueue, i64>,
}

/// The same for C++, which reads no objects as keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ResetOffsetsList {
    /// Where each queue goes on.
    pub offset_table: Vec<QueueAndOffset>,
}

/// A queue and an offset in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct QueueAndOffset {
    /// The broker's name.
    pub broker_name: String,
    /// The offset.
    pub offset: i64,
    /// The queue.
    pub queue_id: i32,
    /// The topic.
    pub topic: String,
}

/// The answer to 221 (a client's own progress) and 223 (that of all clients of a group).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumerStatus {
    /// By client id.
    pub consumer_table: BTreeMap<String, BTreeMap<MessageQueue, i64>>,
    /// Of the one client that answers.
    pub message_queue_table: BTreeMap<MessageQueue, i64>,
}

/// The answer to `QUERY_CORRECTION_OFFSET` (308).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CorrectionOffsets {
    /// By queue.
    pub correction_offsets: BTreeMap<i32, i64>,
}

/// The answer to `GET_ALL_CONSUMER_OFFSET` (43): `consumerOffset.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumerOffsets {
    /// Changes with the offsets.
    pub data_version: DataVersion,
    /// By `topic@group` and queue.
    pub offset_table: BTreeMap<String, BTreeMap<i32, i64>>,
}

/// The answer to `QUERY_CONSUME_QUEUE` (321).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumeQueueEntries {
    /// An expression's compiled form.
    pub filter_data: Option<String>,
    /// One past the queue's last message.
    pub max_queue_index: i64,
    /// The queue's first message.
    pub min_queue_index: i64,
    /// The entries asked for.
    pub queue_data: Vec<ConsumeQueueEntry>,
    /// What the group asked for wants of the topic.
    pub subscription_data: Option<SubscriptionData>,
}

/// Where one message of a queue lies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumeQueueEntry {
    /// What an expression matched.
    pub bit_map: Option<String>,
    /// Whether the group wants it.
    pub eval: bool,
    /// The entry's extension.
    pub extend_data_json: Option<String>,
    /// What is wrong with it.
    pub msg: Option<String>,
    /// Bytes into the commit log.
    pub physic_offset: i64,
    /// Bytes of the record.
    pub physic_size: i32,
    /// Java's hash of its tag, 0 for none.
    pub tags_code: i64,
}
