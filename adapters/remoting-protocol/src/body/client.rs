use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The body of `HEART_BEAT` (34): a client with all its groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HeartbeatData {
    /// `address@instance`; stock servers take an absent one too.
    #[serde(rename = "clientID")]
    pub client_id: Option<String>,
    /// One a group it consumes in.
    pub consumer_data_set: Vec<ConsumerData>,
    /// 5.x: changes with the subscriptions; 0 from clients that do not use it.
    pub heartbeat_fingerprint: Option<i32>,
    /// One a group it produces in.
    pub producer_data_set: Vec<ProducerData>,
    /// 5.x: the subscriptions are left out, since they have not changed.
    pub without_sub: Option<bool>,
}

/// A producer's group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ProducerData {
    /// The group.
    pub group_name: String,
}

/// What a client consumes in one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumerData {
    /// Where a group without progress starts.
    pub consume_from_where: ConsumeFromWhere,
    /// Pull, push or POP.
    pub consume_type: ConsumeType,
    /// The group.
    pub group_name: String,
    /// Whether the members share the messages.
    pub message_model: MessageModel,
    /// One a topic.
    pub subscription_data_set: Vec<SubscriptionData>,
    /// RocketMQ's unit mode.
    pub unit_mode: bool,
}

/// What a group wants of one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SubscriptionData {
    /// Long obsolete.
    pub class_filter_mode: bool,
    /// Java's hash of each tag; may be left out.
    pub code_set: Vec<i32>,
    /// `TAG` (also when absent) or `SQL92`.
    pub expression_type: Option<String>,
    /// The expression: `*`, `TagA || TagB`, or SQL.
    pub sub_string: String,
    /// Grows with each change; Java's clock in milliseconds, the Go client's in nanoseconds.
    pub sub_version: i64,
    /// The tags of the expression; may be left out.
    pub tags_set: Vec<String>,
    /// The topic.
    pub topic: String,
}

/// How a consumer gets its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConsumeType {
    /// It pulls when it likes.
    ConsumeActively,
    /// A push consumer.
    #[default]
    ConsumePassively,
    /// It pops.
    ConsumePop,
}

/// Whether a group's members share the messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MessageModel {
    /// Each member gets all.
    Broadcasting,
    /// Each message goes to one member.
    #[default]
    Clustering,
    /// 5.5: lite topics, each with its own subscribers.
    LiteSelective,
}

/// Where a group without progress starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConsumeFromWhere {
    /// At the queue's end.
    #[default]
    ConsumeFromLastOffset,
    /// Deprecated.
    ConsumeFromLastOffsetAndFromMinWhenBootFirst,
    /// Deprecated.
    ConsumeFromMinOffset,
    /// Deprecated.
    ConsumeFromMaxOffset,
    /// At the queue's start.
    ConsumeFromFirstOffset,
    /// At a time the client looks up itself.
    ConsumeFromTimestamp,
}

/// The answer to `GET_CONSUMER_LIST_BY_GROUP` (38).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumerIdList {
    /// The members' client ids. Clients take an empty list for a failure.
    pub consumer_id_list: Vec<String>,
}

/// The body of `CHECK_CLIENT_CONFIG` (46).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CheckClientRequest {
    /// The client.
    pub client_id: String,
    /// The group.
    pub group: String,
    /// RocketMQ's namespace.
    pub namespace: Option<String>,
    /// The subscription to check.
    pub subscription_data: SubscriptionData,
}

/// A connected client, for tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Connection {
    /// `ip:port`.
    pub client_addr: String,
    /// The client's id.
    pub client_id: String,
    /// A name of [`crate::LanguageCode`].
    pub language: String,
    /// The client's version ordinal.
    pub version: i32,
}

/// The answer to `GET_CONSUMER_CONNECTION_LIST` (203).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsumerConnection {
    /// The members.
    pub connection_set: Vec<Connection>,
    /// As the members say it.
    pub consume_from_where: ConsumeFromWhere,
    /// As the members say it.
    pub consume_type: ConsumeType,
    /// As the members say it.
    pub message_model: MessageModel,
    /// By topic.
    pub subscription_table: BTreeMap<String, SubscriptionData>,
}

/// The answer to `GET_PRODUCER_CONNECTION_LIST` (204).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ProducerConnection {
    /// The members.
    pub connection_set: Vec<Connection>,
}
