//! Progress of groups: 14, 15, and what pulls carry.

use crate::error::Refusal;
use crate::names;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::model::{GroupName, QueueId, QueueOffset, TopicName};
use gantry_core::{FetchQueue, OffsetCommit, Topic};
use gantry_remoting_protocol::header::{OffsetResponse, QueryConsumerOffset, UpdateConsumerOffset};
use gantry_remoting_protocol::{Answer, Command, NoFields, ResponseCode};
use std::sync::Arc;

/// A group's epoch in Kafka's terms: none.
const NO_EPOCH: i32 = -1;

fn offset_reply(command: &Command, offset: i64) -> Reply {
    let header = OffsetResponse { offset };
    Frame::answer(command.reply_to(), &Answer::OK.with_fields(&header)).into()
}

/// Records a group's progress, unless it stands there already: clients repeat it with every pull.
pub(super) fn commit(
    role: &BrokerRole,
    group: &str,
    topic: &Topic,
    queue: QueueId,
    offset: i64,
) -> Result<(), Refusal> {
    let Ok(group) = GroupName::new(group) else {
        return Err(Refusal::group_not_found(group));
    };
    let Some(offset) = QueueOffset::from_wire(offset) else {
        let remark = format!("Offset is negative, topic is {}", topic.name());
        return Err(Refusal::new(ResponseCode::InvalidParameter, remark));
    };
    let known = role.client.committed_offset(&group, topic.name(), queue);
    if known.is_some_and(|known| known.offset == offset.get()) {
        return Ok(());
    }
    let commit = offset_commit(topic.name(), queue, offset);
    Ok(role.client.commit_offsets(&group, vec![commit])?)
}

/// A commit without what only Kafka knows.
pub(super) fn offset_commit(
    topic: &TopicName,
    queue: QueueId,
    offset: QueueOffset,
) -> OffsetCommit {
    OffsetCommit {
        topic: topic.clone(),
        queue,
        offset,
        leader_epoch: NO_EPOCH,
        metadata: String::new(),
    }
}

/// 15: stores a group's progress; it is never compared with what the queue holds.
pub(crate) fn update(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: UpdateConsumerOffset<'_> = command.header()?;
    if !names::is_legal_group(request.group) {
        let remark = format!("Group {} not exist!", request.group);
        return Err(Refusal::new(
            ResponseCode::SubscriptionGroupNotExist,
            remark,
        ));
    }
    let topic = role.client.topic(request.topic);
    let Some(topic) = topic.filter(|_| !names::is_hidden_topic(request.topic)) else {
        let remark = format!("Topic {} not exist!", request.topic);
        return Err(Refusal::new(ResponseCode::TopicNotExist, remark));
    };
    let illegal = |remark| Refusal::new(ResponseCode::InvalidParameter, remark);
    let Some(offset) = request.commit_offset else {
        return Err(illegal(format!(
            "Offset is null, topic is {}",
            request.topic
        )));
    };
    let Some(queue) = QueueId::from_wire(request.queue_id) else {
        return Err(illegal(format!("queueId[{}] is illegal", request.queue_id)));
    };
    let pending = role.resets.pending(request.group, request.topic, queue);
    if pending.is_some_and(|target| target.to_wire() != offset) {
        let answer = Answer {
            remark: Some("Offset has been previously reset"),
            ..Answer::OK.with_fields(&NoFields)
        };
        return Ok(Frame::answer(command.reply_to(), &answer).into());
    }
    commit(role, request.group, &topic, queue, offset)?;
    let answer = Answer::OK.with_fields(&NoFields);
    Ok(Frame::answer(command.reply_to(), &answer).into())
}

/// 14: a group's progress. A group that has none begins at 0 when the queue still has its first
/// message near the log's end; else it is told so (22) and decides by itself.
pub(crate) fn query(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: QueryConsumerOffset<'_> = command.header()?;
    let queue = QueueId::from_wire(request.queue_id);
    let committed = || {
        let group = GroupName::new(request.group).ok()?;
        let topic = TopicName::new(request.topic).ok()?;
        let committed = role.client.committed_offset(&group, &topic, queue?)?;
        Some(QueueOffset::new(committed.offset).to_wire())
    };
    if let Some(offset) = committed() {
        return Ok(offset_reply(command, offset));
    }
    let replays = || {
        let topic = role.client.topic(request.topic)?;
        Some(replays_from_zero(role, &topic, queue?))
    };
    let remark = match (replays().unwrap_or(false), request.set_zero_if_not_found) {
        (true, true) => return Ok(offset_reply(command, 0)),
        (true, false) => "Not found, do not set to zero, maybe this group boot first",
        (false, _) => "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first",
    };
    let answer = Answer {
        remark: Some(remark),
        ..Answer::of(ResponseCode::QueryNotFound).with_fields(&NoFields)
    };
    Ok(Frame::answer(command.reply_to(), &answer).into())
}

/// Whether the queue still has its first message, and that is near the log's end.
pub(super) fn replays_from_zero(role: &BrokerRole, topic: &Arc<Topic>, queue: QueueId) -> bool {
    let range = role.client.offset_range(topic, queue).unwrap_or_default();
    if range.start > QueueOffset::ZERO || range.end == QueueOffset::ZERO {
        return false;
    }
    let first = FetchQueue {
        topic: Arc::clone(topic),
        queue,
        offset: QueueOffset::ZERO,
        bytes_max: 1,
        messages_max: 1,
        filter: None,
    };
    let Some(Ok(fetched)) = role.client.fetch_now(&[first], 1).pop() else {
        return false;
    };
    let end = role.client.log_range().end;
    fetched.records.first().is_some_and(|record| {
        record.position.distance_to(end) <= role.config.new_group_replay_bytes_max
    })
}
