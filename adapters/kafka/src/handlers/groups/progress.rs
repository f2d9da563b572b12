//! OffsetFetch: how far groups have come, whatever protocol they committed by.

use super::refusal;
use crate::context::RequestContext;
use crate::error::NONE;
use crate::handlers::metadata::text;
use crate::handlers::visible;
use gantry_core::CommittedOffset;
use gantry_core::model::{GroupName, QueueId, TopicName};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use kafka_protocol::protocol::StrBytes;

/// From this version several groups are asked for at once.
const MANY_GROUPS_FROM: i16 = 8;
/// From this version a group's fault has a place of its own.
const GROUP_ERROR_FROM: i16 = 2;

/// A topic asked for, or found.
struct Asked {
    name: StrBytes,
    partitions: Vec<i32>,
}

/// Answers every partition asked for, or all that were committed. There are no open
/// transactions, so every offset is stable.
pub(crate) fn offset_fetch(
    context: &RequestContext,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    if context.version >= MANY_GROUPS_FROM {
        let groups = request
            .groups
            .into_iter()
            .map(|group| fetch_group(context, group));
        return OffsetFetchResponse::default().with_groups(groups.collect());
    }
    let asked = request.topics.map(|topics| {
        let asked = topics.into_iter().map(|topic| Asked {
            name: topic.name.0,
            partitions: topic.partition_indexes,
        });
        asked.collect()
    });
    let (code, topics) = match refusal::group_name(&request.group_id) {
        Ok(group) => (NONE, progress(context, &group, asked)),
        Err(code) if context.version >= GROUP_ERROR_FROM => (code, Vec::new()),
        Err(_) => (NONE, Vec::new()),
    };
    let topics = topics.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(single_group_partition).collect();
        OffsetFetchResponseTopic::default()
            .with_name(name.into())
            .with_partitions(partitions)
    });
    OffsetFetchResponse::default()
        .with_error_code(code)
        .with_topics(topics.collect())
}

fn fetch_group(
    context: &RequestContext,
    request: OffsetFetchRequestGroup,
) -> OffsetFetchResponseGroup {
    let asked = request.topics.map(|topics| {
        let asked = topics.into_iter().map(|topic| Asked {
            name: topic.name.0,
            partitions: topic.partition_indexes,
        });
        asked.collect()
    });
    let (code, topics) = match refusal::group_name(&request.group_id) {
        Ok(group) => (NONE, progress(context, &group, asked)),
        Err(code) => (code, Vec::new()),
    };
    let topics = topics.into_iter().map(|(name, partitions)| {
        OffsetFetchResponseTopics::default()
            .with_name(name.into())
            .with_partitions(partitions)
    });
    OffsetFetchResponseGroup::default()
        .with_group_id(request.group_id)
        .with_error_code(code)
        .with_topics(topics.collect())
}

fn progress(
    context: &RequestContext,
    group: &GroupName,
    asked: Option<Vec<Asked>>,
) -> Vec<(StrBytes, Vec<OffsetFetchResponsePartitions>)> {
    let Some(asked) = asked else {
        return all_progress(context, group);
    };
    let answer = |topic: Asked| {
        let name = TopicName::new(&topic.name).ok();
        let committed = |partition: i32| {
            let queue = QueueId::from_wire(partition)?;
            context
                .client
                .committed_offset(group, name.as_ref()?, queue)
        };
        let partitions = topic.partitions.into_iter();
        let partitions = partitions
            .map(|partition| answered(partition, committed(partition)))
            .collect();
        (topic.name, partitions)
    };
    asked.into_iter().map(answer).collect()
}

/// What a Kafka client may see of everything the group has committed.
fn all_progress(
    context: &RequestContext,
    group: &GroupName,
) -> Vec<(StrBytes, Vec<OffsetFetchResponsePartitions>)> {
    let mut topics: Vec<(StrBytes, Vec<OffsetFetchResponsePartitions>)> = Vec::new();
    for (topic, queue, committed) in context.client.committed_offsets(group) {
        if visible::by_name(&context.client, topic.as_str()).is_none() {
            continue;
        }
        let partition = answered(queue.to_wire(), Some(committed));
        match topics.last_mut() {
            Some((last, partitions)) if last.as_str() == topic.as_str() => {
                partitions.push(partition);
            }
            _ => topics.push((text(topic.as_str()), vec![partition])),
        }
    }
    topics
}

fn answered(partition: i32, committed: Option<CommittedOffset>) -> OffsetFetchResponsePartitions {
    let answer = OffsetFetchResponsePartitions::default()
        .with_partition_index(partition)
        .with_error_code(NONE);
    match committed {
        Some(committed) => answer
            .with_committed_offset(i64::try_from(committed.offset).unwrap_or(i64::MAX))
            .with_committed_leader_epoch(committed.leader_epoch)
            .with_metadata(Some(StrBytes::from_string(committed.metadata))),
        None => answer
            .with_committed_offset(-1)
            .with_committed_leader_epoch(-1)
            .with_metadata(Some(StrBytes::default())),
    }
}

fn single_group_partition(answer: OffsetFetchResponsePartitions) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition::default()
        .with_partition_index(answer.partition_index)
        .with_error_code(answer.error_code)
        .with_committed_offset(answer.committed_offset)
        .with_committed_leader_epoch(answer.committed_leader_epoch)
        .with_metadata(answer.metadata)
}
