//! What tools ask of topics: 202 and 351.

use super::topics::config_of;
use crate::error::Refusal;
use crate::names;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::Topic;
use gantry_core::model::{OffsetRange, QueueId, QueueOffset};
use gantry_core::traffic::Span;
use gantry_remoting_protocol::body::{self, MessageQueue, Style, TopicOffset, TopicStats};
use gantry_remoting_protocol::header::TopicRequest;
use gantry_remoting_protocol::{Answer, Command};
use std::sync::Arc;

pub(super) fn topic_of(role: &BrokerRole, name: &str) -> Result<Arc<Topic>, Refusal> {
    let topic = role.client.topic(name);
    let visible = topic.filter(|_| !names::is_hidden_topic(name));
    visible.ok_or_else(|| Refusal::topic_not_found(name))
}

/// The topic's queues with what they hold.
pub(super) fn queues(role: &BrokerRole, topic: &Topic) -> Vec<(QueueId, OffsetRange)> {
    let ids = (0..topic.queue_count()).map(QueueId::new);
    ids.filter_map(|id| Some((id, role.client.offset_range(topic, id).ok()?)))
        .collect()
}

pub(super) fn name_of(role: &BrokerRole, topic: &Topic, queue: QueueId) -> MessageQueue {
    MessageQueue {
        broker_name: role.config.broker_name.clone(),
        queue_id: queue.to_wire(),
        topic: topic.name().to_string(),
    }
}

/// When the message before `offset` was stored, 0 when there is none.
pub(super) fn stored_before(
    role: &BrokerRole,
    topic: &Topic,
    queue: QueueId,
    offset: QueueOffset,
) -> i64 {
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
    let minute = topic.produced().within(Span::Minute, role.clock.now());
    let stats = TopicStats {
        offset_table: queues(role, &topic).into_iter().map(extent).collect(),
        topic_put_tps: minute.messages_a_second(),
    };
    let body = vec![body::encode(&stats, Style::Fastjson)];
    Ok(Frame::with_body(command.reply_to(), &Answer::OK, body).into())
}
