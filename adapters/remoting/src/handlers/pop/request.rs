//! What the requests of POP have in common.

use crate::error::Refusal;
use crate::names;
use crate::role::BrokerRole;
use gantry_core::Topic;
use gantry_core::model::{GroupName, QueueId};
use gantry_remoting_protocol::ResponseCode;
use std::sync::Arc;
use std::time::Duration;

/// How much longer than it wants to wait a request may have been on its way.
const LATE_MS: i64 = 500;
/// The queue id of a whole broker.
pub(super) const ALL_QUEUES: i32 = -1;

/// Whether the client has given the request up: what it would be given would be lost to it.
pub(super) fn is_stale(role: &BrokerRole, born_at: i64, poll_ms: i64) -> bool {
    let age = role.clock.now().millis().saturating_sub(born_at);
    born_at > 0 && age.saturating_sub(poll_ms) > LATE_MS
}

/// How long to hold a request that finds nothing.
pub(super) fn hold_time(role: &BrokerRole, born_at: i64, poll_ms: i64) -> Duration {
    let age = role.clock.now().millis().saturating_sub(born_at);
    // A clock ahead of ours says nothing of the age.
    let age = if born_at > 0 { age.max(0) } else { 0 };
    let left = u64::try_from(poll_ms.saturating_sub(age)).unwrap_or(0);
    Duration::from_millis(left.min(role.config.pull_hold_max_ms))
}

pub(super) fn existing_topic(role: &BrokerRole, name: &str) -> Result<Arc<Topic>, Refusal> {
    let topic = role.client.topic(name);
    topic
        .filter(|_| !names::is_hidden_topic(name))
        .ok_or_else(|| Refusal::topic_not_found(name))
}

pub(super) fn readable_topic(role: &BrokerRole, name: &str) -> Result<Arc<Topic>, Refusal> {
    let topic = existing_topic(role, name)?;
    if topic.spec().permission.is_readable() {
        return Ok(topic);
    }
    let remark = format!("the topic[{name}] peeking message is forbidden");
    Err(Refusal::new(ResponseCode::NoPermission, remark))
}

pub(super) fn checked_group(name: &str) -> Result<GroupName, Refusal> {
    match GroupName::new(name) {
        Ok(group) if names::is_legal_group(name) => Ok(group),
        _ => Err(Refusal::group_not_found(name)),
    }
}

/// The queue a request names, or all that can be read, from any of them on.
pub(super) fn queues_of(
    role: &BrokerRole,
    topic: &Topic,
    queue_id: i32,
) -> Result<Vec<QueueId>, Refusal> {
    let readable = topic.spec().read_queues;
    if queue_id == ALL_QUEUES {
        let first = role.any_queue(readable);
        let queues = (first..readable).chain(0..first);
        return Ok(queues.map(QueueId::new).collect());
    }
    let queue = QueueId::from_wire(queue_id).filter(|queue| queue.get() < readable);
    let queue = queue.ok_or_else(|| {
        let remark = format!(
            "queueId[{queue_id}] is illegal, topic:[{}] topicConfig.readQueueNums:[{readable}]",
            topic.name()
        );
        Refusal::new(ResponseCode::InvalidParameter, remark)
    })?;
    Ok(vec![queue])
}
