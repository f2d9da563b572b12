//! What must hold before a batch is appended. Its records are not decoded.

use super::outcome::Refusal;
use crate::context::RequestContext;
use crate::wire::produce::ProducePartition;
use gantry_core::batch::{Codec, RecordBatch};
use gantry_core::model::{QueueId, Timestamp};
use gantry_core::{Payload, ProduceItem, Topic};
use kafka_protocol::ResponseError;
use std::sync::Arc;

/// The first version in which a batch may be compressed with zstd.
const ZSTD_FROM: i16 = 7;
/// Kafka's `message.timestamp.after.max.ms`: how far ahead of the broker a record may be.
const TIMESTAMP_AHEAD_MAX_MS: u64 = 3_600_000;

/// What a request says for all its partitions.
pub(super) struct Producer {
    pub(super) acks: i16,
    pub(super) is_transactional: bool,
}

/// Checks one partition's batch and adds it to `items`; answers the records' time when the
/// topic makes that the time of the append.
pub(super) fn admit(
    context: &RequestContext,
    producer: &Producer,
    topic: &Arc<Topic>,
    partition: &mut ProducePartition,
    items: &mut Vec<ProduceItem>,
) -> Result<Option<Timestamp>, Refusal> {
    if !matches!(producer.acks, -1..=1) {
        return Err(ResponseError::InvalidRequiredAcks.into());
    }
    let queue = QueueId::from_wire(partition.index)
        .filter(|queue| queue.get() < topic.queue_count())
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    // Taken, so that a reply that waits for the flush does not keep the request's bytes.
    let records = partition.records.take().unwrap_or_default();
    let settings = TopicSettings::of(topic, context.server.config.batch_bytes_max);
    if records.len() > settings.batch_bytes_max {
        return Err(ResponseError::MessageTooLarge.into());
    }
    let mut batch = RecordBatch::parse(records)?;
    check_header(context, producer, &batch)?;
    let append_time = settings
        .is_log_append_time
        .then(|| context.server.clock.now());
    if let Some(time) = append_time {
        batch = batch.with_log_append_time(time);
    }
    items.push(ProduceItem {
        topic: topic.clone(),
        queue,
        payload: Payload::Batch(batch),
        also: Vec::new(),
    });
    Ok(append_time)
}

fn check_header(
    context: &RequestContext,
    producer: &Producer,
    batch: &RecordBatch,
) -> Result<(), Refusal> {
    let header = batch.header();
    if header.codec()? == Codec::Zstd && context.version < ZSTD_FROM {
        return Err(ResponseError::UnsupportedCompressionType.into());
    }
    if header.is_transactional() {
        // No transaction can have begun here, as none of their APIs is served.
        return Err(if producer.is_transactional {
            ResponseError::InvalidTxnState.into()
        } else {
            ResponseError::TransactionalIdAuthorizationFailed.into()
        });
    }
    if is_ahead(header.max_timestamp, context.server.clock.now()) {
        return Err(Refusal {
            error: ResponseError::InvalidTimestamp,
            message: Some(String::from("a record is more than an hour ahead")),
        });
    }
    Ok(())
}

fn is_ahead(timestamp: Timestamp, now: Timestamp) -> bool {
    timestamp.millis_since(now) > TIMESTAMP_AHEAD_MAX_MS
}

/// The settings of a topic that produce obeys.
struct TopicSettings {
    batch_bytes_max: usize,
    is_log_append_time: bool,
}

impl TopicSettings {
    fn of(topic: &Topic, batch_bytes_max: usize) -> Self {
        let spec = topic.spec();
        let setting = |name: &str| spec.attributes.get(name).map(String::as_str);
        Self {
            batch_bytes_max: setting("max.message.bytes")
                .and_then(|value| value.parse().ok())
                .unwrap_or(batch_bytes_max),
            is_log_append_time: setting("message.timestamp.type") == Some("LogAppendTime"),
        }
    }
}
