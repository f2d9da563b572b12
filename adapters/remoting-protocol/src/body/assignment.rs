use super::MessageQueue;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a group gets a topic's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MessageRequestMode {
    /// Each queue is one member's, which pulls.
    #[default]
    Pull,
    /// The members pop.
    Pop,
}

/// The body of `SET_MESSAGE_REQUEST_MODE` (401).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MessageRequestModeSetting {
    /// The group.
    pub consumer_group: String,
    /// Pull or POP.
    pub mode: MessageRequestMode,
    /// POP: how many further members share a member's queues; 0 and less are all.
    pub pop_share_queue_num: i32,
    /// The topic.
    pub topic: String,
}

/// The answer to `GET_ALL_MESSAGE_REQUEST_MODE` (402).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MessageRequestModeTable {
    /// By topic and group.
    pub message_request_mode_map: BTreeMap<String, BTreeMap<String, MessageRequestModeSetting>>,
}

/// The body of `QUERY_ASSIGNMENT` (400).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct QueryAssignmentRequest {
    /// Who asks.
    pub client_id: String,
    /// For which group.
    pub consumer_group: String,
    /// Whether the members share the messages.
    pub message_model: super::MessageModel,
    /// How queues are dealt out: `AVG`, `AVG_BY_CIRCLE`.
    pub strategy_name: String,
    /// The topic.
    pub topic: String,
}

/// The answer to `QUERY_ASSIGNMENT` (400).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct QueryAssignmentResponse {
    /// The client's queues. Absent: the client keeps what it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_queue_assignments: Option<Vec<MessageQueueAssignment>>,
}

/// One queue for one client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MessageQueueAssignment {
    /// The queue; of id -1, all of the broker's.
    pub message_queue: MessageQueue,
    /// Pull or POP.
    pub mode: MessageRequestMode,
}

/// The body of `BATCH_ACK_MESSAGE` (200151).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BatchAckRequest {
    /// One a pop and queue.
    pub acks: Vec<BatchAck>,
    /// The broker's name.
    pub broker_name: String,
}

/// Acknowledged messages of one pop and queue; Java's names are as short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BatchAck {
    /// Which messages after `start_offset`: Java's `BitSet` in base64, see
    /// [`crate::pop::offsets_of`].
    #[serde(rename = "b")]
    pub bits: String,
    /// The group.
    #[serde(rename = "c")]
    pub consumer_group: String,
    /// The invisible time.
    #[serde(rename = "it")]
    pub invisible_ms: i64,
    /// When they were popped.
    #[serde(rename = "pt")]
    pub pop_time: i64,
    /// The queue.
    #[serde(rename = "q")]
    pub queue_id: i32,
    /// `0` for the topic itself, `1` and `2` for its retry topics.
    #[serde(rename = "r")]
    pub retry: String,
    /// Part of the receipt handles.
    #[serde(rename = "rq")]
    pub revive_queue: i32,
    /// Where the bits begin.
    #[serde(rename = "so")]
    pub start_offset: i64,
    /// The topic.
    #[serde(rename = "t")]
    pub topic: String,
}
