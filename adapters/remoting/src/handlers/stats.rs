//! What tools ask of topics and groups: 202, 208 and 351.

use super::topics::config_of;
use crate::error::Refusal;
use crate::names;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::Topic;
use gantry_core::model::{GroupName, OffsetRange, QueueId, QueueOffset, TopicName};
use gantry_remoting_protocol::body::{
    self, ConsumeStats, MessageQueue, OffsetWrapper, Style, TopicOffset, TopicStats,
};
use gantry_remoting_protocol::header::{GroupRequest, TopicRequest};
use gantry_remoting_protocol::{Answer, Command};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What such an answer's rate is: this broker counts messages, not messages a second.
const NO_RATE: f64 = 0.0;

fn topic_of(role: &BrokerRole, name: &str) -> Result<Arc<Topic>, Refusal> {
    let topic = role.client.topic(name);
    let visible = topic.filter(|_| !names::is_hidden_topic(name));
    visible.ok_or_else(|| Refusal::topic_not_found(name))
}

/// The topic's queues with what they hold.
fn queues(role: &BrokerRole, topic: &Topic) -> Vec<(QueueId, OffsetRange)> {
    let ids = (0..topic.queue_count()).map(QueueId::new);
    ids.filter_map(|id| Some((id, role.client.offset_range(topic, id).ok()?)))
        .collect()
}

fn name_of(role: &BrokerRole, topic: &Topic, queue: QueueId) -> MessageQueue {
    MessageQueue {
        broker_name: role.config.broker_name.clone(),
        queue_id: queue.to_wire(),
        topic: topic.name().to_string(),
    }
}

/// When the message before `offset` was stored, 0 when there is none.
fn stored_before(role: &BrokerRole, topic: &Topic, queue: QueueId, offset: QueueOffset) -> i64 {
    let before = offset.get().checked_sub(1).map(QueueOffset::new);
    let stored_at = before.and_then(|before| role.client.stored_at(topic, queue, before));
    stored_at.unwrap_or_default().millis()
}

/// 351: one topic's settings.
pub(crate) fn topic_config(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: TopicRequest<'_> = command.header()?;
    let config = config_of(&*topic_of(role, request.topic)?);
    let body = vec![body::encode(&config, Style::Standard)];
    Ok(Frame::with_body(command.reply_to(), &Answer::OK, body).into())
}

/// 202: what each of a topic's queues holds.
pub(crate) fn topic_stats(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: TopicRequest<'_> = command.header()?;
    let topic = topic_of(role, request.topic)?;
    let extent = |(queue, range): (QueueId, OffsetRange)| {
        let offset = TopicOffset {
            last_update_timestamp: stored_before(role, &topic, queue, range.end),
            max_offset: range.end.to_wire(),
            min_offset: range.start.to_wire(),
        };
        (name_of(role, &topic, queue), offset)
    };
    let stats = TopicStats {
        offset_table: queues(role, &topic).into_iter().map(extent).collect(),
        topic_put_tps: NO_RATE,
    };
    let body = vec![body::encode(&stats, Style::Fastjson)];
    Ok(Frame::with_body(command.reply_to(), &Answer::OK, body).into())
}

/// 208: how far a group has come in each queue of the topics it made progress in, or of the one
/// asked for. An unknown group has come nowhere.
pub(crate) fn consume_stats(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: GroupRequest<'_> = command.header()?;
    let mut stats = ConsumeStats {
        consume_tps: NO_RATE,
        ..ConsumeStats::default()
    };
    let asked = command.fields.text("topic").filter(|name| !name.is_empty());
    if let Ok(group) = GroupName::new(request.group) {
        let progress = role.client.committed_offsets(&group);
        let topics: BTreeSet<TopicName> = progress.into_iter().map(|(topic, ..)| topic).collect();
        for name in topics.iter().map(TopicName::as_str) {
            if asked.is_none_or(|asked| asked == name)
                && let Ok(topic) = topic_of(role, name)
            {
                add_progress(role, &group, &topic, &mut stats);
            }
        }
    }
    let body = vec![body::encode(&stats, Style::Fastjson)];
    Ok(Frame::with_body(command.reply_to(), &Answer::OK, body).into())
}

fn add_progress(role: &BrokerRole, group: &GroupName, topic: &Topic, stats: &mut ConsumeStats) {
    for (queue, range) in queues(role, topic) {
        let committed = role.client.committed_offset(group, topic.name(), queue);
        let consumed = committed.map_or(QueueOffset::ZERO, |known| QueueOffset::new(known.offset));
        let progress = OffsetWrapper {
            broker_offset: range.end.to_wire(),
            consumer_offset: consumed.to_wire(),
            last_timestamp: stored_before(role, topic, queue, consumed),
            // Where it pulled last is known to the consumer alone.
            pull_offset: consumed.to_wire(),
        };
        stats
            .offset_table
            .insert(name_of(role, topic, queue), progress);
    }
}
