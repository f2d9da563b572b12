//! Pulls (11) of one queue from its start to its end.

use super::GROUP;
use super::connection::{Connection, succeeded};
use crate::body::MessageId;
use crate::drain::Stalled;
use crate::seen::{Extent, SeenMessage};
use anyhow::{Context as _, Result, bail};
use gantry_remoting_protocol::header::{OffsetResponse, PullRequest, PullResponse, QueueRequest};
use gantry_remoting_protocol::record::records;
use gantry_remoting_protocol::{Command, RequestCode, ResponseCode};

/// As many as a stock broker gives from memory.
const MESSAGES_MAX: i32 = 32;
/// The subscription is in the request, and the request must not wait.
pub(super) const WITH_SUBSCRIPTION: i32 = 4;

/// The queue's extent now, and all in it that can be read.
pub(crate) async fn read_queue(
    broker: &str,
    topic: &str,
    queue: u32,
) -> Result<(Extent, Vec<SeenMessage>)> {
    let mut connection = Connection::open(broker).await?;
    let asked = QueueRequest {
        topic,
        queue_id: i32::try_from(queue)?,
    };
    let extent = Extent {
        queue,
        start: offset(&mut connection, RequestCode::GetMinOffset, &asked).await?,
        end: offset(&mut connection, RequestCode::GetMaxOffset, &asked).await?,
    };
    let mut messages = Vec::new();
    let mut next = extent.start;
    let mut stalled = Stalled::default();
    while next < extent.end {
        let request = request(GROUP, topic, asked.queue_id, next);
        let answer = connection.ask(RequestCode::PullMessage, &request).await?;
        let reached = take(&answer, &extent, &mut messages)?;
        if reached > next {
            next = reached;
            stalled = Stalled::default();
        } else if stalled.is_for_long() {
            break;
        } else {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
    Ok((extent, messages))
}

/// A pull of all tags that does not wait.
pub(super) const fn request<'a>(
    group: &'a str,
    topic: &'a str,
    queue_id: i32,
    queue_offset: i64,
) -> PullRequest<'a> {
    PullRequest {
        group,
        topic,
        queue_id,
        queue_offset,
        max_messages: MESSAGES_MAX,
        sys_flag: WITH_SUBSCRIPTION,
        commit_offset: 0,
        suspend_timeout_ms: 0,
        subscription: Some("*"),
        subscription_version: 0,
        expression_type: Some("TAG"),
    }
}

/// Where to go on.
fn take(answer: &Command, extent: &Extent, messages: &mut Vec<SeenMessage>) -> Result<i64> {
    match answer.response_code() {
        ResponseCode::Success => {}
        ResponseCode::PullNotFound
        | ResponseCode::PullRetryImmediately
        | ResponseCode::PullOffsetMoved => {}
        code => bail!(
            "{}: {}",
            code.name(),
            answer.remark.as_deref().unwrap_or_default()
        ),
    }
    for record in records(answer.body.clone()) {
        let record = record.with_context(|| format!("queue {}", extent.queue))?;
        if record.queue_offset < extent.end {
            messages.push(SeenMessage {
                queue: u32::try_from(record.queue_id)?,
                offset: record.queue_offset,
                id: MessageId::of(&record.body),
                crc: crc32fast::hash(&record.body),
                waited_ms: Some(record.store_timestamp.saturating_sub(record.born_timestamp)),
            });
        }
    }
    Ok(answer.header::<PullResponse>()?.next_offset)
}

pub(super) async fn offset(
    connection: &mut Connection,
    code: RequestCode,
    asked: &QueueRequest<'_>,
) -> Result<i64> {
    let answer = connection.ask(code, asked).await?;
    succeeded(&answer)?;
    Ok(answer.header::<OffsetResponse>()?.offset)
}
