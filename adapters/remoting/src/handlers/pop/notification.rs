//! Whether there is something to pop: 200054, and who waits for it: 200055.

use super::request::{checked_group, hold_time, is_stale, queues_of, readable_topic};
use crate::error::Refusal;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use crate::session::Session;
use gantry_core::{Hold, LeaseOrder, LeaseQueue, LeaseRequest, LeaseStart};
use gantry_remoting_protocol::codec::ReplyTo;
use gantry_remoting_protocol::header::{
    NotificationRequest, NotificationResponse, PollingInfoResponse,
};
use gantry_remoting_protocol::{Answer, Command, ResponseCode};
use std::sync::Arc;

fn answer(to: ReplyTo, has_message: bool, is_polling_full: bool) -> Frame {
    let fields = NotificationResponse {
        has_message,
        is_polling_full,
    };
    Frame::answer(to, &Answer::OK.with_fields(&fields))
}

/// 200054: says at once that there is something, or when it has come.
pub(crate) fn notification(session: &Session, command: &Command) -> Result<Reply, Refusal> {
    let role = session.role();
    let request: NotificationRequest<'_> = command.header()?;
    if is_stale(role, request.born_at, request.poll_ms) {
        let name = &role.config.broker_name;
        let remark = format!("the broker[{name}] notification is timeout too much");
        return Err(Refusal::new(ResponseCode::PollingTimeout, remark));
    }
    let wanted = wanted(role, &request)?;
    let wait = hold_time(role, request.born_at, request.poll_ms);
    let (client, to) = (role.client.clone(), command.reply_to());
    if client.is_leasable(&wanted)? {
        return Ok(answer(to, true, false).into());
    }
    if wait.is_zero() {
        return Ok(answer(to, false, false).into());
    }
    let held = role
        .held_pops
        .hold(request.group, request.topic, request.queue_id);
    let (Ok(held), Ok(permit)) = (held, session.held_pulls().clone().try_acquire_owned()) else {
        return Ok(answer(to, false, true).into());
    };
    Ok(Reply::Held(Box::pin(async move {
        let ready = client.lease_ready(&wanted, wait).await;
        drop((held, permit));
        match ready {
            Ok(has_message) => answer(to, has_message, false),
            Err(error) => Frame::refusal(to, &error.into()),
        }
    })))
}

fn wanted(role: &BrokerRole, request: &NotificationRequest<'_>) -> Result<LeaseRequest, Refusal> {
    let topic = readable_topic(role, request.topic)?;
    let queues = queues_of(role, &topic, request.queue_id)?;
    let queue = |queue| LeaseQueue {
        topic: Arc::clone(&topic),
        queue,
        start: LeaseStart::Earliest,
    };
    Ok(LeaseRequest {
        group: checked_group(request.group)?,
        queues: queues.into_iter().map(queue).collect(),
        messages_max: 1,
        bytes_max: 0,
        hold: Hold::Millis(0),
        filter: None,
        order: if request.is_ordered {
            LeaseOrder::Strict { batch: None }
        } else {
            LeaseOrder::Loose
        },
        give_up: None,
    })
}

/// 200055: how many requests wait for a queue, or for a whole topic.
pub(crate) fn polling_info(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: NotificationRequest<'_> = command.header()?;
    readable_topic(role, request.topic)?;
    checked_group(request.group)?;
    let count = role
        .held_pops
        .count(request.group, request.topic, request.queue_id);
    let fields = PollingInfoResponse {
        polling_count: i32::try_from(count).unwrap_or(i32::MAX),
    };
    Ok(Frame::answer(command.reply_to(), &Answer::OK.with_fields(&fields)).into())
}
