//! ListOffsets and OffsetForLeaderEpoch: where a partition begins, ends, or passes a time.

use super::visible;
use crate::context::RequestContext;
use crate::error::{self, NONE};
use gantry_core::model::{QueueId, QueueOffset, Timestamp};
use gantry_core::{Error, Topic};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
};
use std::collections::HashSet;
use std::sync::Arc;

/// The leader epoch of every record: there is one leader and it never changes.
const LEADER_EPOCH: i32 = 0;
/// Earliest and latest are in every version.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: (i64, i16) = (-3, 7);
const EARLIEST_LOCAL: (i64, i16) = (-4, 8);
const LATEST_TIERED: (i64, i16) = (-5, 9);
const EARLIEST_PENDING_UPLOAD: (i64, i16) = (-6, 11);

/// An offset and the timestamp to say with it.
type Found = (i64, i64);
/// What is answered where there is no such offset.
const NOWHERE: Found = (-1, -1);

/// Answers each partition on its own.
pub(crate) fn list(context: &RequestContext, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let topics = request.topics.into_iter();
    let topics = topics.map(|topic| listed_topic(context, topic)).collect();
    ListOffsetsResponse::default().with_topics(topics)
}

fn listed_topic(context: &RequestContext, asked: ListOffsetsTopic) -> ListOffsetsTopicResponse {
    let topic = visible::by_name(&context.client, &asked.name);
    let mut seen = HashSet::new();
    let mut repeated = HashSet::new();
    for partition in &asked.partitions {
        if !seen.insert(partition.partition_index) {
            repeated.insert(partition.partition_index);
        }
    }
    let mut partitions = Vec::with_capacity(seen.len());
    for partition in asked.partitions {
        if !seen.remove(&partition.partition_index) {
            continue; // one entry for a partition named twice, as Kafka answers
        }
        let found = if repeated.contains(&partition.partition_index) {
            Err(ResponseError::InvalidRequest.code())
        } else {
            listed(context, topic.as_ref(), &partition)
        };
        partitions.push(listed_partition(context, &partition, found));
    }
    ListOffsetsTopicResponse::default()
        .with_name(asked.name)
        .with_partitions(partitions)
}

fn listed_partition(
    context: &RequestContext,
    asked: &ListOffsetsPartition,
    found: Result<Found, i16>,
) -> ListOffsetsPartitionResponse {
    let (code, (offset, timestamp)) = match found {
        Ok(found) => (NONE, found),
        Err(code) => (code, NOWHERE),
    };
    let epoch = if offset >= 0 && context.version >= 4 {
        LEADER_EPOCH
    } else {
        -1
    };
    ListOffsetsPartitionResponse::default()
        .with_partition_index(asked.partition_index)
        .with_error_code(code)
        .with_timestamp(timestamp)
        .with_offset(offset)
        .with_leader_epoch(epoch)
}

fn listed(
    context: &RequestContext,
    topic: Option<&Arc<Topic>>,
    asked: &ListOffsetsPartition,
) -> Result<Found, i16> {
    let (topic, queue) = existing(topic, asked.partition_index)?;
    if asked.current_leader_epoch > LEADER_EPOCH {
        return Err(ResponseError::UnknownLeaderEpoch.code());
    }
    offset_for(context, topic, queue, asked.timestamp)
        .map_err(|error| error::code(&error))?
        .ok_or(ResponseError::UnsupportedVersion.code())
}

/// The offset for a timestamp or one of the special values below 0; `None` for a special value
/// that this version does not have.
fn offset_for(
    context: &RequestContext,
    topic: &Topic,
    queue: QueueId,
    timestamp: i64,
) -> Result<Option<Found>, Error> {
    let client = &context.client;
    let at = |found: Option<(QueueOffset, Timestamp)>| {
        found.map_or(NOWHERE, |(offset, time)| (offset.to_wire(), time.millis()))
    };
    let special = |(value, since): (i64, i16)| timestamp == value && context.version >= since;
    let found = if timestamp >= 0 {
        at(client.offset_at(topic, queue, Timestamp::from_millis(timestamp))?)
    } else if timestamp == LATEST {
        (client.offset_range(topic, queue)?.end.to_wire(), -1)
    } else if timestamp == EARLIEST || special(EARLIEST_LOCAL) {
        (client.offset_range(topic, queue)?.start.to_wire(), -1)
    } else if special(MAX_TIMESTAMP) {
        at(client.offset_of_max_timestamp(topic, queue)?)
    } else if special(LATEST_TIERED) || special(EARLIEST_PENDING_UPLOAD) {
        NOWHERE
    } else {
        return Ok(None);
    };
    Ok(Some(found))
}

fn existing(topic: Option<&Arc<Topic>>, index: i32) -> Result<(&Topic, QueueId), i16> {
    topic
        .and_then(|topic| {
            let queue = QueueId::from_wire(index)?;
            (queue.get() < topic.queue_count()).then_some((&**topic, queue))
        })
        .ok_or(ResponseError::UnknownTopicOrPartition.code())
}

/// Where each epoch ended: the only one has not.
pub(crate) fn epoch_ends(
    context: &RequestContext,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|asked| {
        let topic = visible::by_name(&context.client, &asked.topic);
        let partitions = asked.partitions.iter();
        OffsetForLeaderTopicResult::default()
            .with_partitions(
                partitions
                    .map(|partition| epoch_end(context, topic.as_ref(), partition))
                    .collect(),
            )
            .with_topic(asked.topic)
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

fn epoch_end(
    context: &RequestContext,
    topic: Option<&Arc<Topic>>,
    asked: &OffsetForLeaderPartition,
) -> EpochEndOffset {
    let answer = EpochEndOffset::default().with_partition(asked.partition);
    let end = existing(topic, asked.partition).and_then(|(topic, queue)| {
        if asked.current_leader_epoch > LEADER_EPOCH {
            return Err(ResponseError::UnknownLeaderEpoch.code());
        }
        let range = context.client.offset_range(topic, queue);
        range.map_err(|error| error::code(&error))
    });
    match end {
        Ok(range) if asked.leader_epoch == LEADER_EPOCH => answer
            .with_leader_epoch(LEADER_EPOCH)
            .with_end_offset(range.end.to_wire()),
        Ok(_) => answer.with_leader_epoch(-1).with_end_offset(-1),
        Err(code) => answer
            .with_error_code(code)
            .with_leader_epoch(-1)
            .with_end_offset(-1),
    }
}
