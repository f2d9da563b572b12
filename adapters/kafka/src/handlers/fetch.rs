//! Fetch: whole batches as they lie in the log, now or when there are enough of them.

use super::visible;
use crate::context::RequestContext;
use crate::error;
use crate::session::{Closed, Reply};
use crate::wire::fetch::{
    FetchOutcome, FetchPartition, FetchRequest, encode_error, encode_response,
};
use bytes::Bytes;
use gantry_core::model::{QueueId, QueueOffset};
use gantry_core::{Error, FetchLimits, FetchQueue, Fetched, Topic};
use kafka_protocol::ResponseError;
use std::sync::Arc;
use std::time::Duration;
use tracing::debug;

/// The leader epoch of every partition: there is one leader and it never changes.
const LEADER_EPOCH: i32 = 0;

/// Answers at once when there is enough or something is wrong, as Kafka does; else waits.
///
/// # Errors
/// The body is no Fetch request.
pub(crate) fn answer(context: RequestContext, body: Bytes) -> Result<Reply, Closed> {
    let config = &context.server.config;
    let request = FetchRequest::decode(&body, context.version, config.request_elements_max)?;
    if let Some(error) = session_error(&request) {
        let answer = encode_error(context.correlation_id, context.version, error.code());
        return Ok(Reply::Ready(answer));
    }
    let plan = Plan::new(&context, &request);
    let limits = limits(&context, &request);
    let results = context.client.fetch_now(&plan.queues, limits.bytes_max);
    if limits.wait.is_zero() || plan.is_settled() || is_enough(&results, limits.bytes_min) {
        return Ok(Reply::Ready(plan.answer(&context, &request, results)));
    }
    Ok(Reply::Held(Box::pin(async move {
        let results = context.client.fetch(&plan.queues, limits).await;
        Ok(plan.answer(&context, &request, results))
    })))
}

/// Sessions are never handed out, which is legal, so whoever has one had it from another broker.
const fn session_error(request: &FetchRequest) -> Option<ResponseError> {
    if request.session_epoch > 0 || (request.session_id != 0 && request.session_epoch == 0) {
        return Some(ResponseError::FetchSessionIdNotFound);
    }
    None
}

fn limits(context: &RequestContext, request: &FetchRequest) -> FetchLimits {
    let config = &context.server.config;
    let wait = u32::try_from(request.max_wait_ms).unwrap_or(0);
    FetchLimits {
        bytes_max: bytes(request.max_bytes).min(config.fetch_bytes_max),
        bytes_min: bytes(request.min_bytes),
        wait: Duration::from_millis(u64::from(wait.min(config.fetch_wait_max_ms))),
    }
}

/// A wire's byte limit; what is negative allows nothing but the first batch.
fn bytes(limit: i32) -> usize {
    usize::try_from(limit).unwrap_or(0)
}

fn is_enough(results: &[Result<Fetched, Error>], bytes_min: usize) -> bool {
    let mut bytes = 0;
    for result in results {
        let Ok(fetched) = result else {
            return true;
        };
        bytes += fetched
            .records
            .iter()
            .map(|record| record.bytes.len())
            .sum::<usize>();
    }
    bytes >= bytes_min
}

/// Which partitions are read, and which are answered with an error unread.
struct Plan {
    queues: Vec<FetchQueue>,
    /// One for each partition of the request, in order.
    refusals: Vec<Option<ResponseError>>,
}

impl Plan {
    fn new(context: &RequestContext, request: &FetchRequest) -> Self {
        let mut plan = Self {
            queues: Vec::with_capacity(request.partitions.len()),
            refusals: Vec::with_capacity(request.partitions.len()),
        };
        let mut partitions = request.partitions.iter();
        for named in &request.topics {
            let topic = visible::by_key(&context.client, &named.key);
            for partition in partitions.by_ref().take(named.partitions) {
                let queue = topic.as_ref().map_err(|error| *error);
                match queue.and_then(|topic| queue_to_read(topic, partition)) {
                    Ok(queue) => {
                        plan.queues.push(queue);
                        plan.refusals.push(None);
                    }
                    Err(error) => plan.refusals.push(Some(error)),
                }
            }
        }
        plan
    }

    /// Whether waiting cannot change the answer.
    fn is_settled(&self) -> bool {
        self.queues.is_empty() || self.refusals.iter().any(Option::is_some)
    }

    fn answer(
        &self,
        context: &RequestContext,
        request: &FetchRequest,
        results: Vec<Result<Fetched, Error>>,
    ) -> crate::Answer {
        let mut results = results.into_iter();
        let outcome = |refusal: &Option<ResponseError>| match refusal {
            Some(error) => refused(*error),
            None => match results.next() {
                Some(result) => outcome(context, result),
                None => refused(ResponseError::UnknownServerError),
            },
        };
        let outcomes = self.refusals.iter().map(outcome).collect();
        encode_response(context.correlation_id, context.version, request, outcomes)
    }
}

fn queue_to_read(
    topic: &Arc<Topic>,
    partition: &FetchPartition,
) -> Result<FetchQueue, ResponseError> {
    let queue = QueueId::from_wire(partition.index)
        .filter(|queue| queue.get() < topic.queue_count())
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    if partition.current_leader_epoch > LEADER_EPOCH {
        return Err(ResponseError::UnknownLeaderEpoch);
    }
    let offset = QueueOffset::from_wire(partition.fetch_offset)
        .filter(|_| partition.last_fetched_epoch <= LEADER_EPOCH)
        .ok_or(ResponseError::OffsetOutOfRange)?;
    Ok(FetchQueue {
        topic: topic.clone(),
        queue,
        offset,
        bytes_max: bytes(partition.max_bytes),
        messages_max: u32::MAX,
        filter: None,
    })
}

fn outcome(context: &RequestContext, result: Result<Fetched, Error>) -> FetchOutcome {
    let read = result.and_then(|fetched| {
        let records = context.client.batches(&fetched)?;
        Ok((fetched.range, records))
    });
    match read {
        Ok((range, records)) => FetchOutcome {
            error_code: error::NONE,
            high_watermark: range.end.to_wire(),
            log_start_offset: range.start.to_wire(),
            records,
        },
        Err(error) => {
            debug!(%error, connection = context.connection, "fetch refused");
            refused(error::response_error(&error))
        }
    }
}

const fn refused(error: ResponseError) -> FetchOutcome {
    FetchOutcome {
        error_code: error.code(),
        high_watermark: -1,
        log_start_offset: -1,
        records: Vec::new(),
    }
}
