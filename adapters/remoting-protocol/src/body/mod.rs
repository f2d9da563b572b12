//! The JSON bodies of requests and answers, members in the alphabetical order Java writes.

mod admin;
mod assignment;
mod client;
mod name_server;
mod queue;
mod registration;
mod subscription_group;
mod topic;

pub use crate::json::{BodyError, Style};
pub use admin::{
    BrokerConsumeStats, BrokerStatsData, BrokerStatsItem, ConsumeQueueEntries, ConsumeQueueEntry,
    ConsumeTimeSpans, ConsumerOffsets, ConsumerStatus, CorrectionOffsets, GroupList,
    GroupSubscription, ProducerInfo, ProducerTable, QueueAndOffset, QueueTimeSpan, ResetOffsets,
    ResetOffsetsList,
};
pub use assignment::{
    BatchAck, BatchAckRequest, MessageQueueAssignment, MessageRequestMode,
    MessageRequestModeSetting, MessageRequestModeTable, QueryAssignmentRequest,
    QueryAssignmentResponse,
};
pub use client::{
    CheckClientRequest, Connection, ConsumeFromWhere, ConsumeType, ConsumerConnection,
    ConsumerData, ConsumerIdList, HeartbeatData, MessageModel, ProducerConnection, ProducerData,
    SubscriptionData,
};
pub use name_server::{
    BrokerData, BrokerMemberGroup, BrokerMemberGroupAnswer, ClusterInfo, KvTable, QueueData,
    TopicList, TopicQueueMapping, TopicRouteData,
};
pub use queue::{
    ConsumeStats, LockBatchRequest, LockBatchResponse, MessageQueue, OffsetWrapper, TopicOffset,
    TopicStats,
};
pub use registration::{
    RegisterBrokerBody, Registration, TopicConfigWrapper, decode_compressed_registration,
    decode_registration, registration_crc,
};
pub use subscription_group::{
    CustomizedRetryPolicy, ExponentialRetryPolicy, GroupForbidden, GroupRetryPolicy,
    RetryPolicyType, SimpleSubscription, SubscriptionGroupConfig, SubscriptionGroupList,
    SubscriptionGroupTable,
};
pub use topic::{DataVersion, TopicConfig, TopicConfigList, TopicConfigTable};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

/// Writes a body.
#[must_use]
pub fn encode<T: Serialize>(body: &T, style: Style) -> Bytes {
    crate::json::to_bytes(body, style)
}

/// Reads a body as leniently as stock peers do. Unknown members are ignored.
///
/// # Errors
/// The bytes are no JSON, nest too deep, or a member has the wrong type.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, BodyError> {
    crate::json::from_slice(body)
}

/// Reads `data` as each body a client sends; must never panic, and what is read must survive
/// being written.
pub fn fuzz_bodies(data: &[u8]) {
    fn survives<T: Serialize + DeserializeOwned + PartialEq>(data: &[u8]) {
        if let Ok(body) = decode::<T>(data) {
            for style in [Style::Fastjson, Style::Standard] {
                let again = decode::<T>(&encode(&body, style));
                assert!(again.is_ok_and(|again| again == body));
            }
        }
    }
    survives::<HeartbeatData>(data);
    survives::<CheckClientRequest>(data);
    survives::<LockBatchRequest>(data);
    survives::<TopicConfigList>(data);
    survives::<TopicRouteData>(data);
    survives::<ClusterInfo>(data);
    survives::<TopicStats>(data);
    survives::<ConsumerStatus>(data);
    survives::<SubscriptionGroupConfig>(data);
    survives::<SubscriptionGroupList>(data);
    survives::<RegisterBrokerBody>(data);
    let _ = decode_registration(data);
    let _ = decode_compressed_registration(data, 1 << 20);
    survives::<QueryAssignmentRequest>(data);
    survives::<MessageRequestModeSetting>(data);
    survives::<BatchAckRequest>(data);
}

#[cfg(test)]
mod tests;
