//! What a pop would bring: 200052.

use super::answer::no_fields;
use super::request::{checked_group, queues_of, readable_topic};
use crate::error::Refusal;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use bytes::Bytes;
use gantry_core::{Hold, LeaseOrder, LeaseQueue, LeaseRequest, LeaseStart};
use gantry_remoting_protocol::header::{PeekRequest, PopResponse};
use gantry_remoting_protocol::{Answer, Command, ResponseCode};
use std::sync::Arc;

/// 200052: messages that could be popped, without popping them.
pub(crate) fn peek(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: PeekRequest<'_> = command.header()?;
    let topic = readable_topic(role, request.topic)?;
    let queues = queues_of(role, &topic, request.queue_id)?;
    let wanted = u32::try_from(request.max_messages).unwrap_or(0).max(1);
    let queue = |queue| LeaseQueue {
        topic: Arc::clone(&topic),
        queue,
        start: LeaseStart::Earliest,
    };
    let peek = LeaseRequest {
        group: checked_group(request.group)?,
        queues: queues.into_iter().map(queue).collect(),
        messages_max: wanted.min(role.config.pop_messages_max),
        bytes_max: role.config.pull_bytes_max,
        hold: Hold::Millis(0),
        filter: None,
        order: LeaseOrder::Loose,
        give_up: None,
    };
    let seen = role.client.peek(&peek)?;
    let messages: Vec<Bytes> = seen.into_iter().map(|(_, view)| view.bytes).collect();
    let (code, remark) = if messages.is_empty() {
        (ResponseCode::PullNotFound, "NO_MESSAGE_IN_QUEUE")
    } else {
        (ResponseCode::Success, "FOUND")
    };
    let fields = PopResponse {
        start_offsets: None,
        message_offsets: None,
        ..no_fields(0)
    };
    let answer = Answer::refusal(code, remark).with_fields(&fields);
    Ok(Frame::with_body(command.reply_to(), &answer, messages).into())
}
