//! What must hold before a batch is appended. Its records are not decoded.

use super::outcome::Refusal;
use super::target::Target;
use crate::context::RequestContext;
use crate::wire::produce::ProducePartition;
use gantry_core::batch::{Codec, RecordBatch};
use gantry_core::model::{QueueId, Timestamp};
use gantry_core::{Payload, ProduceItem};
use kafka_protocol::ResponseError;
use std::sync::Arc;

/// The first version in which a batch may be compressed with zstd.
const ZSTD_FROM: i16 = 7;

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
    target: &Target,
    partition: &mut ProducePartition,
    items: &mut Vec<ProduceItem>,
) -> Result<Option<Timestamp>, Refusal> {
    if !matches!(producer.acks, -1..=1) {
        return Err(ResponseError::InvalidRequiredAcks.into());
    }
    let queue = QueueId::from_wire(partition.index)
        .filter(|queue| queue.get() < target.topic.queue_count())
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    // Taken, so that a reply that waits for the flush does not keep the request's bytes.
    let records = partition.records.take().unwrap_or_default();
    let settings = &target.settings;
    if producer.acks == -1 && settings.in_sync_replicas_min > 1 {
        return Err(ResponseError::NotEnoughReplicas.into());
    }
    if records.len() > settings.batch_bytes_max {
        return Err(ResponseError::MessageTooLarge.into());
    }
    let mut batch = RecordBatch::parse(records)?;
    let now = context.server.clock.now();
    check_header(context, producer, &batch)?;
    if settings.is_too_far_ahead(batch.header().max_timestamp, now) {
        return Err(Refusal {
            error: ResponseError::InvalidTimestamp,
            message: Some(String::from(
                "a record is too far ahead of the broker's time",
            )),
        });
    }
    let append_time = settings.is_log_append_time.then_some(now);
    if let Some(time) = append_time {
        batch = batch.with_log_append_time(time);
    }
    items.push(ProduceItem {
        topic: Arc::clone(&target.topic),
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
    Ok(())
}
