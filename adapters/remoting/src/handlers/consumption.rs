//! How far groups are, for tools: 43, 208, 300, 303, 308, 317 and 343.

use super::stats::{name_of, queues, stored_before, topic_of};
use crate::civil_time;
use crate::error::Refusal;
use crate::names;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::Topic;
use gantry_core::model::{GroupName, OffsetRange, QueueId, QueueOffset, Timestamp, TopicName};
use gantry_core::traffic::Span;
use gantry_remoting_protocol::body::{
    self, BrokerConsumeStats, ConsumeStats, ConsumeTimeSpans, ConsumerOffsets, CorrectionOffsets,
    GroupList, OffsetWrapper, QueueTimeSpan, Style, TopicList,
};
use gantry_remoting_protocol::header::{GroupRequest, TopicRequest};
use gantry_remoting_protocol::{Answer, Command};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What stands for a time there is none of.
const NO_TIME: i64 = -1;

fn reply<T: Serialize>(command: &Command, body: &T, style: Style) -> Reply {
    let body = vec![body::encode(body, style)];
    Frame::with_body(command.reply_to(), &Answer::OK, body).into()
}

/// The topics a group has made progress in, those that are there and clients may see.
fn topics_of(role: &BrokerRole, group: &GroupName) -> Vec<Arc<Topic>> {
    let progress = role.client.committed_offsets(group);
    let names: BTreeSet<TopicName> = progress.into_iter().map(|(topic, ..)| topic).collect();
    let topics = names.iter().map(|name| topic_of(role, name.as_str()).ok());
    topics.flatten().collect()
}

fn committed(role: &BrokerRole, group: &GroupName, topic: &Topic, queue: QueueId) -> QueueOffset {
    let committed = role.client.committed_offset(group, topic.name(), queue);
    committed.map_or(QueueOffset::ZERO, |known| QueueOffset::new(known.offset))
}

/// Adds a group's progress in a topic to `stats`.
fn add_progress(role: &BrokerRole, group: &GroupName, topic: &Topic, stats: &mut ConsumeStats) {
    let traffic = role.statistics.find(topic.name().as_str(), group.as_str());
    if let Some(traffic) = &traffic {
        let minute = traffic.pulled.within(Span::Minute, role.clock.now());
        stats.consume_tps += minute.messages_a_second();
    }
    for (queue, range) in queues(role, topic) {
        let consumed = committed(role, group, topic, queue);
        let pulled = traffic.as_ref().and_then(|traffic| traffic.position(queue));
        let progress = OffsetWrapper {
            broker_offset: range.end.to_wire(),
            consumer_offset: consumed.to_wire(),
            last_timestamp: stored_before(role, topic, queue, consumed),
            pull_offset: pulled
                .map_or(consumed, |pulled| pulled.max(consumed))
                .to_wire(),
        };
        stats
            .offset_table
            .insert(name_of(role, topic, queue), progress);
    }
}

/// 208: how far a group is in each queue of the topics it has made progress in, or of those
/// asked for. An unknown group is nowhere.
pub(crate) fn consume_stats(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: GroupRequest<'_> = command.header()?;
    let one: Option<&str> = command.fields.value("topic")?;
    let several: Option<&str> = command.fields.value("topicList")?;
    let asked: BTreeSet<&str> = one
        .into_iter()
        .chain(several.into_iter().flat_map(|names| names.split(';')))
        .filter(|name| !name.trim().is_empty())
        .collect();
    let mut stats = ConsumeStats::default();
    if let Ok(group) = GroupName::new(request.group) {
        let topics = if asked.is_empty() {
            topics_of(role, &group)
        } else {
            let asked = asked.iter().map(|name| topic_of(role, name).ok());
            asked.flatten().collect()
        };
        let wanted = role.clients.subscriptions(&group);
        for topic in topics {
            // A topic that the group has left is nothing it lags behind in.
            let is_wanted = |topic: &Topic| wanted.iter().any(|w| w.topic == *topic.name());
            if wanted.is_empty() || is_wanted(&topic) {
                add_progress(role, &group, &topic, &mut stats);
            }
        }
    }
    Ok(reply(command, &stats, Style::Fastjson))
}

/// 317: every group's progress in every topic, or in ordered topics alone.
pub(crate) fn broker_consume_stats(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let only_ordered: bool = command
        .fields
        .value::<Option<bool>>("isOrder")?
        .unwrap_or(false);
    let mut all = BrokerConsumeStats {
        broker_addr: role.config.advertised_address.to_string(),
        ..BrokerConsumeStats::default()
    };
    for group in role.client.groups() {
        let mut list = Vec::new();
        for topic in topics_of(role, &group) {
            if only_ordered && !topic.spec().ordered {
                continue;
            }
            let mut stats = ConsumeStats::default();
            add_progress(role, &group, &topic, &mut stats);
            for queue in stats.offset_table.values() {
                all.total_diff += queue.broker_offset.saturating_sub(queue.consumer_offset);
                all.total_inflight_diff += queue.pull_offset.saturating_sub(queue.consumer_offset);
            }
            list.push(stats);
        }
        if !list.is_empty() {
            let entry = BTreeMap::from([(group.to_string(), list)]);
            all.consume_stats_list.push(entry);
        }
    }
    Ok(reply(command, &all, Style::Fastjson))
}

/// 300: groups that consume a topic, or have.
pub(crate) fn groups_of_topic(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: TopicRequest<'_> = command.header()?;
    let mut groups: BTreeSet<String> = BTreeSet::new();
    if let Ok(topic) = TopicName::new(request.topic) {
        let with_progress = role.client.groups_of(&topic);
        groups.extend(with_progress.iter().map(|group| group.to_string()));
    }
    let online = role.clients.consumer_groups().into_iter();
    let subscribes = |group: &GroupName| {
        let subscription = role.clients.subscription(group.as_str(), request.topic);
        subscription.is_some()
    };
    groups.extend(online.filter(subscribes).map(|group| group.to_string()));
    let list = GroupList {
        group_list: groups.into_iter().collect(),
    };
    Ok(reply(command, &list, Style::Standard))
}

/// 343: topics that a group has made progress in.
pub(crate) fn topics_of_group(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let group: &str = command.fields.value("group")?;
    let topics = GroupName::new(group).map(|group| topics_of(role, &group));
    let topics = topics.unwrap_or_default();
    let list = TopicList {
        topic_list: topics
            .iter()
            .map(|topic| topic.name().to_string())
            .collect(),
        ..TopicList::default()
    };
    Ok(reply(command, &list, Style::Standard))
}

/// 303: when the messages of a topic's queues were stored, and which of them a group is at.
pub(crate) fn time_spans(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: TopicRequest<'_> = command.header()?;
    let group: &str = command.fields.value("group")?;
    let topic = topic_of(role, request.topic)?;
    let group = GroupName::new(group).map_err(|_| Refusal::group_not_found(group))?;
    let now = role.clock.now();
    let span = |(queue, range): (QueueId, OffsetRange)| {
        let stored_at = |offset| role.client.stored_at(&topic, queue, offset);
        let before = |offset: QueueOffset| {
            let before = offset.get().checked_sub(1).map(QueueOffset::new);
            before.and_then(stored_at)
        };
        let consumed = committed(role, &group, &topic, queue);
        let oldest = stored_at(range.start);
        let last_consumed = before(consumed).or(oldest);
        let next = stored_at(consumed);
        let millis = |time: Option<Timestamp>| time.map_or(NO_TIME, Timestamp::millis);
        let delay = next.map_or(0, |next| now.millis_since(next));
        let newest = before(range.end);
        QueueTimeSpan {
            consume_time_stamp: millis(last_consumed),
            consume_time_stamp_str: civil_time::text(millis(last_consumed)),
            delay_time: i64::try_from(delay).unwrap_or(i64::MAX),
            max_time_stamp: millis(newest),
            max_time_stamp_str: civil_time::text(millis(newest)),
            message_queue: name_of(role, &topic, queue),
            min_time_stamp: millis(oldest),
            min_time_stamp_str: civil_time::text(millis(oldest)),
        }
    };
    let spans = ConsumeTimeSpans {
        consume_time_span_set: queues(role, &topic).into_iter().map(span).collect(),
    };
    Ok(reply(command, &spans, Style::Standard))
}

/// 308: the least progress of all groups in a topic's queues, but those to leave out and what is
/// gone already. Queues where the group compared is behind that have the greatest number.
pub(crate) fn corrections(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: TopicRequest<'_> = command.header()?;
    let compared: &str = command.fields.value("compareGroup")?;
    let filtered: Option<&str> = command.fields.value("filterGroups")?;
    let filtered: BTreeSet<&str> = filtered.unwrap_or_default().split(',').collect();
    let topic = topic_of(role, request.topic)?;
    let mut least: BTreeMap<i32, i64> = BTreeMap::new();
    for group in role.client.groups_of(topic.name()) {
        if filtered.contains(group.as_str()) {
            continue;
        }
        for (queue, range) in queues(role, &topic) {
            let known = role.client.committed_offset(&group, topic.name(), queue);
            let offset = known.map(|known| QueueOffset::new(known.offset));
            if let Some(offset) = offset.filter(|offset| *offset >= range.start) {
                let entry = least.entry(queue.to_wire()).or_insert(i64::MAX);
                *entry = offset.to_wire().min(*entry);
            }
        }
    }
    if let Ok(compared) = GroupName::new(compared) {
        for (queue, _) in queues(role, &topic) {
            let known = role.client.committed_offset(&compared, topic.name(), queue);
            let (Some(known), Some(entry)) = (known, least.get_mut(&queue.to_wire())) else {
                continue;
            };
            if *entry > QueueOffset::new(known.offset).to_wire() {
                *entry = i64::MAX;
            }
        }
    }
    let corrections = CorrectionOffsets {
        correction_offsets: least,
    };
    Ok(reply(command, &corrections, Style::Fastjson))
}

/// 43: all progress of all groups.
pub(crate) fn all_offsets(role: &BrokerRole, command: &Command) -> Reply {
    let mut offsets = ConsumerOffsets::default();
    offsets.data_version.timestamp = role.started_at.millis();
    for group in role.client.groups() {
        for (topic, queue, known) in role.client.committed_offsets(&group) {
            if names::is_hidden_topic(topic.as_str()) {
                continue;
            }
            let table = offsets.offset_table.entry(format!("{topic}@{group}"));
            let offset = QueueOffset::new(known.offset).to_wire();
            table.or_default().insert(queue.to_wire(), offset);
        }
    }
    reply(command, &offsets, Style::Fastjson)
}
