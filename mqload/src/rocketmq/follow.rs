//! Pulls of one queue that wait for more.

use super::GROUP;
use super::connection::Connection;
use super::pull::{WITH_SUBSCRIPTION, offset, request};
use anyhow::{Result, bail};
use gantry_remoting_protocol::header::{PullRequest, PullResponse, QueueRequest};
use gantry_remoting_protocol::record::{Record, records};
use gantry_remoting_protocol::{RequestCode, ResponseCode};

/// The broker may hold the request for want of messages.
const MAY_WAIT: i32 = 2;
/// Shorter than the patience with an answer.
const WAIT_MS: i64 = 5_000;

/// The queue's end now.
pub(crate) async fn queue_end(broker: &str, topic: &str, queue: u32) -> Result<i64> {
    let mut connection = Connection::open(broker).await?;
    let asked = QueueRequest {
        topic,
        queue_id: i32::try_from(queue)?,
    };
    offset(&mut connection, RequestCode::GetMaxOffset, &asked).await
}

/// Hands over what is in the queue from `next` on and what comes, until it fails.
pub(crate) async fn follow_queue(
    broker: &str,
    topic: &str,
    queue: u32,
    mut next: i64,
    take: impl Fn(&[Record]),
) -> Result<()> {
    let mut connection = Connection::open(broker).await?;
    let queue_id = i32::try_from(queue)?;
    loop {
        let request = PullRequest {
            sys_flag: WITH_SUBSCRIPTION | MAY_WAIT,
            suspend_timeout_ms: WAIT_MS,
            ..request(GROUP, topic, queue_id, next)
        };
        let answer = connection.ask(RequestCode::PullMessage, &request).await?;
        match answer.response_code() {
            ResponseCode::Success
            | ResponseCode::PullNotFound
            | ResponseCode::PullRetryImmediately
            | ResponseCode::PullOffsetMoved => {}
            code => bail!(
                "{}: {}",
                code.name(),
                answer.remark.as_deref().unwrap_or_default()
            ),
        }
        next = answer.header::<PullResponse>()?.next_offset;
        let taken: Result<Vec<Record>, _> = records(answer.body).collect();
        take(&taken?);
    }
}
