//! DeleteRecords: a partition's oldest records go.

use crate::context::RequestContext;
use crate::error::{self, NONE};
use crate::handlers::visible;
use gantry_core::Topic;
use gantry_core::model::{QueueId, QueueOffset};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_request::DeleteRecordsTopic;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use std::sync::Arc;

/// Up to the partition's end.
const HIGH_WATERMARK: i64 = -1;
/// The low watermark of a partition that could not be answered.
const NOWHERE: i64 = -1;

/// Cuts each partition; readers see its new start when the answer is there.
pub(crate) fn delete_records(
    context: &RequestContext,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let topics = request.topics.into_iter();
    let topics = topics.map(|topic| cut_topic(context, topic)).collect();
    DeleteRecordsResponse::default().with_topics(topics)
}

fn cut_topic(context: &RequestContext, asked: DeleteRecordsTopic) -> DeleteRecordsTopicResult {
    let topic = visible::by_name(&context.client, &asked.name);
    let cut = |partition: i32, before| {
        let topic = topic
            .as_ref()
            .ok_or_else(|| ResponseError::UnknownTopicOrPartition.code())?;
        cut(context, topic, partition, before)
    };
    let partitions = asked.partitions.into_iter().map(|asked| {
        let (code, low) = match cut(asked.partition_index, asked.offset) {
            Ok(low) => (NONE, low),
            Err(code) => (code, NOWHERE),
        };
        DeleteRecordsPartitionResult::default()
            .with_partition_index(asked.partition_index)
            .with_low_watermark(low)
            .with_error_code(code)
    });
    DeleteRecordsTopicResult::default()
        .with_partitions(partitions.collect())
        .with_name(asked.name)
}

fn cut(
    context: &RequestContext,
    topic: &Arc<Topic>,
    partition: i32,
    before: i64,
) -> Result<i64, i16> {
    let spec = topic.spec();
    let policy = spec.attributes.get("cleanup.policy");
    if policy.is_some_and(|policy| !policy.contains("delete")) {
        return Err(ResponseError::PolicyViolation.code());
    }
    let queue = QueueId::from_wire(partition)
        .ok_or_else(|| ResponseError::UnknownTopicOrPartition.code())?;
    let refused = |error| error::code(&error);
    let range = context.client.offset_range(topic, queue).map_err(refused)?;
    let before = match before {
        HIGH_WATERMARK => range.end,
        before => {
            QueueOffset::from_wire(before).ok_or_else(|| ResponseError::OffsetOutOfRange.code())?
        }
    };
    let start = context.client.truncate_queue(topic, queue, before);
    start.map(QueueOffset::to_wire).map_err(refused)
}
