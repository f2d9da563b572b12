//! What a queue holds: 29 to 33. An unknown topic or queue is an empty one, never an error.

use crate::error::Refusal;
use crate::names;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use bytes::Bytes;
use gantry_core::model::{OffsetRange, PhysicalOffset, QueueId, QueueOffset, Timestamp};
use gantry_core::{Error, Topic};
use gantry_remoting_protocol::header::{
    OffsetResponse, QueueRequest, SearchOffset, TimestampResponse, ViewMessage,
};
use gantry_remoting_protocol::{Answer, Command, ResponseCode};
use std::sync::Arc;

fn offset_reply(command: &Command, offset: QueueOffset) -> Reply {
    let header = OffsetResponse {
        offset: offset.to_wire(),
    };
    Frame::answer(command.reply_to(), &Answer::OK.with_fields(&header)).into()
}

/// A queue that exists, and what it holds.
fn find(role: &BrokerRole, topic: &str, queue: i32) -> Option<(Arc<Topic>, QueueId, OffsetRange)> {
    let topic_handle = role.client.topic(topic)?;
    let queue = QueueId::from_wire(queue)?;
    let range = role.client.offset_range(&topic_handle, queue).ok()?;
    (!names::is_hidden_topic(topic)).then_some((topic_handle, queue, range))
}

/// 30: one past the newest offset.
pub(crate) fn max_offset(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: QueueRequest<'_> = command.header()?;
    let found = find(role, request.topic, request.queue_id);
    let end = found.map_or(QueueOffset::ZERO, |(_, _, range)| range.end);
    Ok(offset_reply(command, end))
}

/// 31: the oldest offset.
pub(crate) fn min_offset(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: QueueRequest<'_> = command.header()?;
    let found = find(role, request.topic, request.queue_id);
    let start = found.map_or(QueueOffset::ZERO, |(_, _, range)| range.start);
    Ok(offset_reply(command, start))
}

/// 32: when the oldest message was stored, -1 when there is none.
pub(crate) fn earliest_store_time(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: QueueRequest<'_> = command.header()?;
    let stored_at = find(role, request.topic, request.queue_id)
        .and_then(|(topic, queue, range)| role.client.stored_at(&topic, queue, range.start));
    let header = TimestampResponse {
        timestamp: stored_at.map_or(-1, Timestamp::millis),
    };
    Ok(Frame::answer(command.reply_to(), &Answer::OK.with_fields(&header)).into())
}

/// 29: the first message at or after a time, or with `UPPER` the last one at or before it.
pub(crate) fn search(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: SearchOffset<'_> = command.header()?;
    let Some((topic, queue, range)) = find(role, request.topic, request.queue_id) else {
        return Ok(offset_reply(command, QueueOffset::ZERO));
    };
    let first_from = |millis| -> Result<QueueOffset, Refusal> {
        let time = Timestamp::from_millis(millis);
        let found = role.client.offset_stored_at(&topic, queue, time)?;
        Ok(found.unwrap_or(range.end))
    };
    let is_upper = request
        .boundary
        .is_some_and(|boundary| boundary.eq_ignore_ascii_case("upper"));
    let offset = if is_upper {
        let after = first_from(request.timestamp.saturating_add(1))?;
        let before = QueueOffset::new(after.get().saturating_sub(1));
        if after > range.start {
            before
        } else {
            QueueOffset::ZERO
        }
    } else {
        first_from(request.timestamp)?
    };
    Ok(offset_reply(command, offset))
}

/// 33: the message of an offset message id, of a batch its first.
pub(crate) fn view(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let ViewMessage { offset } = command.header()?;
    let not_found = || {
        let remark = format!("can not find message by the offset, {offset}");
        Refusal::new(ResponseCode::SystemError, remark)
    };
    let position = u64::try_from(offset).map_err(|_| not_found())?;
    let message = message_at(role, PhysicalOffset::new(position))?;
    let body = vec![message.ok_or_else(not_found)?];
    Ok(Frame::with_body(command.reply_to(), &Answer::OK, body).into())
}

/// The message that is stored at `position`, of a batch its first; `None` when none is.
pub(super) fn message_at(
    role: &BrokerRole,
    position: PhysicalOffset,
) -> Result<Option<Bytes>, Refusal> {
    match role.client.message_at(position, None) {
        Ok(message) => Ok(Some(message.bytes)),
        Err(Error::Invalid(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
