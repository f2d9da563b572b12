//! Progress set by operators: 222 and 314.
//!
//! As RocketMQ 5 does by default, the broker moves the group by itself: what the group commits is
//! replaced, and the next pull of each queue (a held one at once) is sent to its new offset. So
//! it works whoever is online, and a member that commits late does not undo it. Where settings
//! say so, the group's members are told to go there instead ([`by_members`]).

mod by_members;

use super::offsets::offset_commit;
use super::stats::topic_of;
use crate::error::Refusal;
use crate::names;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use bytes::Bytes;
use gantry_core::Topic;
use gantry_core::model::{GroupName, OffsetRange, QueueId, QueueOffset, Timestamp, TopicName};
use gantry_remoting_protocol::body::{
    self, MessageQueue, QueueAndOffset, ResetOffsets, ResetOffsetsList, Style,
};
use gantry_remoting_protocol::{Answer, Command, LanguageCode, ResponseCode};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The time that stands for the end of a queue.
const LATEST: i64 = -1;

/// Where queues are to go on.
type Offsets = BTreeMap<QueueId, QueueOffset>;

fn group_of(group: &str) -> Result<GroupName, Refusal> {
    match GroupName::new(group) {
        Ok(name) if names::is_legal_group(group) => Ok(name),
        _ => Err(Refusal::group_not_found(group)),
    }
}

/// 222: sets a group's progress in a topic by time, or in one queue by offset.
pub(crate) fn reset(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let fields = &command.fields;
    let topic_name: &str = fields.value("topic")?;
    let topic = topic_of(role, topic_name)?;
    let group = group_of(fields.value("group")?)?;
    let targets = if role.config.server_side_reset {
        let targets = wanted(role, command, &topic, &group)?;
        apply(role, &group, &topic, &targets)?;
        targets
    } else {
        by_members::reset(role, command, &topic, &group)?
    };
    let body = match command.language {
        LanguageCode::Cpp => as_list(role, topic_name, &targets),
        _ => as_table(role, topic_name, &targets),
    };
    Ok(Frame::with_body(command.reply_to(), &Answer::OK, vec![body]).into())
}

/// Where the broker is to move a group.
fn wanted(
    role: &BrokerRole,
    command: &Command,
    topic: &Arc<Topic>,
    group: &GroupName,
) -> Result<Offsets, Refusal> {
    let fields = &command.fields;
    let timestamp: i64 = fields.value("timestamp")?;
    let queue: i32 = fields.value::<Option<i32>>("queueId")?.unwrap_or(-1);
    let offset: Option<i64> = fields.value("offset")?;
    let queues: Vec<QueueId> = match QueueId::from_wire(queue) {
        Some(queue) => vec![queue],
        None => (0..topic.spec().read_queues).map(QueueId::new).collect(),
    };
    let mut targets = Offsets::new();
    for id in queues {
        let range = role.client.offset_range(topic, id)?;
        let target = match offset.filter(|offset| *offset != -1 && queue >= 0) {
            Some(offset) => given(offset, range)?,
            None => by_time(role, topic, id, range, timestamp)?,
        };
        targets.insert(id, target);
    }
    if !is_forced(command)? {
        keep_what_is_behind(role, group, topic, &mut targets);
    }
    Ok(targets)
}

/// Whether a group may be sent forward, too.
fn is_forced(command: &Command) -> Result<bool, Refusal> {
    Ok(command
        .fields
        .value::<Option<bool>>("isForce")?
        .unwrap_or(true))
}

/// An offset an operator names, if the queue can have it.
fn given(offset: i64, range: OffsetRange) -> Result<QueueOffset, Refusal> {
    let target = QueueOffset::from_wire(offset);
    let last = range.end.advance(1);
    target
        .filter(|target| (range.start..=last).contains(target))
        .ok_or_else(|| {
            let remark = format!(
                "Target offset {offset} not in consume queue range [{}-{}]",
                range.start, range.end
            );
            Refusal::new(ResponseCode::SystemError, remark)
        })
}

/// The first message stored at or after a time; the end when all are older.
fn by_time(
    role: &BrokerRole,
    topic: &Arc<Topic>,
    queue: QueueId,
    range: OffsetRange,
    timestamp: i64,
) -> Result<QueueOffset, Refusal> {
    if timestamp == LATEST {
        return Ok(range.end);
    }
    let time = Timestamp::from_millis(timestamp);
    let found = role.client.offset_stored_at(topic, queue, time)?;
    Ok(found.unwrap_or(range.end))
}

/// Without force a group only goes back: what it has not reached yet, it is not sent to.
fn keep_what_is_behind(role: &BrokerRole, group: &GroupName, topic: &Topic, targets: &mut Offsets) {
    for (queue, target) in targets.iter_mut() {
        let known = role.client.committed_offset(group, topic.name(), *queue);
        if let Some(known) = known {
            *target = (*target).min(QueueOffset::new(known.offset));
        }
    }
}

fn apply(
    role: &BrokerRole,
    group: &GroupName,
    topic: &Topic,
    targets: &Offsets,
) -> Result<(), Refusal> {
    let (group_text, topic_text) = (group.as_str(), topic.name().as_str());
    // First, so that nothing committed from now on replaces what is committed here.
    role.resets.set(group_text, topic_text, targets)?;
    let commits = targets
        .iter()
        .map(|(queue, offset)| offset_commit(topic.name(), *queue, *offset));
    role.client.commit_offsets(group, commits.collect())?;
    if let Some(traffic) = role.statistics.find(topic_text, group_text) {
        traffic.moved.notify_waiters();
    }
    Ok(())
}

fn as_table(role: &BrokerRole, topic: &str, targets: &Offsets) -> Bytes {
    let entry = |(queue, offset): (&QueueId, &QueueOffset)| {
        let name = MessageQueue {
            broker_name: role.config.broker_name.clone(),
            queue_id: queue.to_wire(),
            topic: topic.to_owned(),
        };
        (name, offset.to_wire())
    };
    let table = ResetOffsets {
        offset_table: targets.iter().map(entry).collect(),
    };
    body::encode(&table, Style::Fastjson)
}

/// For C++ clients, which read no objects as keys.
fn as_list(role: &BrokerRole, topic: &str, targets: &Offsets) -> Bytes {
    let entry = |(queue, offset): (&QueueId, &QueueOffset)| QueueAndOffset {
        broker_name: role.config.broker_name.clone(),
        offset: offset.to_wire(),
        queue_id: queue.to_wire(),
        topic: topic.to_owned(),
    };
    let list = ResetOffsetsList {
        offset_table: targets.iter().map(entry).collect(),
    };
    body::encode(&list, Style::Standard)
}

/// 314: gives a group another's progress, in one topic or in all that one has made progress in.
/// Unless the caller says that the other is offline, topics it has left are passed over.
pub(crate) fn clone_progress(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let fields = &command.fields;
    let source = group_of(fields.value("srcGroup")?)?;
    let target = group_of(fields.value("destGroup")?)?;
    let topic: Option<&str> = fields.value("topic")?;
    let topic = topic.filter(|topic| !topic.trim().is_empty());
    let is_offline: bool = fields.value::<Option<bool>>("offline")?.unwrap_or(false);

    let subscribed: BTreeSet<TopicName> = role
        .clients
        .subscriptions(&source)
        .iter()
        .map(|subscription| subscription.topic.clone())
        .collect();
    let wants = |name: &TopicName| {
        topic.is_none_or(|topic| topic == name.as_str())
            && (is_offline || subscribed.is_empty() || subscribed.contains(name))
    };
    let progress = role.client.committed_offsets(&source).into_iter();
    let commits = progress
        .filter(|(name, ..)| wants(name) && role.client.topic(name.as_str()).is_some())
        .map(|(name, queue, known)| offset_commit(&name, queue, QueueOffset::new(known.offset)));
    role.client.commit_offsets(&target, commits.collect())?;
    Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
}
