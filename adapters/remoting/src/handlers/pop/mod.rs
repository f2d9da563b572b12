//! POP: messages leased one by one instead of queues: 200050 to 200055 and 200151. Their codes do
//! not fit into the 16 bits of binary headers, so they come as JSON alone.

mod answer;
mod notification;
mod peek;
mod receipts;
mod redelivery;
mod request;

pub(crate) use notification::{notification, polling_info};
pub(crate) use peek::peek;
pub(crate) use receipts::{ack, batch_ack, change_invisible};

use super::offsets::replays_from_zero;
use super::subscription::filter_of_expression;
use crate::error::Refusal;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use crate::session::Session;
use answer::{refusal, timed_out};
use gantry_core::model::{GroupName, QueueId, QueueOffset};
use gantry_core::{
    Client, DeadLetters, GiveUp, Hold, LeaseOrder, LeaseQueue, LeaseRequest, LeaseStart, Topic,
};
use gantry_remoting_protocol::codec::ReplyTo;
use gantry_remoting_protocol::header::PopRequest;
use gantry_remoting_protocol::{Command, ResponseCode};
use request::{checked_group, hold_time, is_stale, queues_of, readable_topic};
use std::sync::Arc;
use std::time::Duration;

/// `initMode` of a group that starts with the newest message.
const FROM_NEWEST: i32 = 1;

/// A pop that has passed all checks.
#[derive(Debug)]
struct Pop {
    client: Client,
    broker_name: String,
    reply_to: ReplyTo,
    lease: LeaseRequest,
    invisible_ms: i64,
    is_ordered: bool,
}

/// 200050: answers at once, or holds the request until there is something.
pub(crate) fn pop(session: &Session, command: &Command) -> Result<Reply, Refusal> {
    let answered = begin(session, command);
    // Clients read an answer's fields whatever its code.
    Ok(answered.unwrap_or_else(|error| refusal(command.reply_to(), &error).into()))
}

fn begin(session: &Session, command: &Command) -> Result<Reply, Refusal> {
    let role = session.role();
    let request: PopRequest<'_> = command.header()?;
    if is_stale(role, request.born_at, request.poll_ms) {
        let name = &role.config.broker_name;
        let remark = format!("the broker[{name}] pop message is timeout too much");
        return Err(Refusal::new(ResponseCode::PollingTimeout, remark));
    }
    let pop = Pop {
        client: role.client.clone(),
        broker_name: role.config.broker_name.clone(),
        reply_to: command.reply_to(),
        lease: lease_of(role, &request)?,
        invisible_ms: request.invisible_ms,
        is_ordered: request.is_ordered,
    };
    let leased = pop.client.lease_now(&pop.lease)?;
    if !leased.deliveries.is_empty() {
        return Ok(pop.found(&leased).into());
    }
    let wait = hold_time(role, request.born_at, request.poll_ms);
    if wait.is_zero() {
        return Ok(timed_out(pop.reply_to, pop.invisible_ms).into());
    }
    let held = role
        .held_pops
        .hold(request.group, request.topic, request.queue_id);
    let (Ok(held), Ok(permit)) = (held, session.held_pulls().clone().try_acquire_owned()) else {
        let remark = "the broker holds as many pops as it may";
        return Err(Refusal::new(ResponseCode::PollingFull, remark));
    };
    Ok(Reply::Held(Box::pin(async move {
        let answer = pop.wait(wait).await;
        drop((held, permit));
        answer
    })))
}

/// What the request asks for, in core's terms.
fn lease_of(role: &BrokerRole, request: &PopRequest<'_>) -> Result<LeaseRequest, Refusal> {
    let limit = role.config.pop_messages_max;
    let messages_max = u32::try_from(request.max_messages).unwrap_or(0);
    if messages_max > limit {
        let remark = format!("the broker's pop message's num is greater than {limit}");
        return Err(Refusal::new(ResponseCode::InvalidParameter, remark));
    }
    let topic = readable_topic(role, request.topic)?;
    let queues = queues_of(role, &topic, request.queue_id)?;
    let group = checked_group(request.group)?;
    let filter = filter_of_expression(role, request.expression_type, request.expression)?;
    let start = |queue| match request.init_mode {
        FROM_NEWEST if !role.client.has_progress(&group, topic.name(), queue) => {
            newest(role, &topic, queue)
        }
        _ => LeaseStart::Earliest,
    };
    let queue = |queue| LeaseQueue {
        topic: Arc::clone(&topic),
        queue,
        start: start(queue),
    };
    let queues = queues.into_iter().map(queue).collect();
    let batch = request.attempt_id.map(Into::into);
    Ok(LeaseRequest {
        give_up: give_up(role, &group),
        group,
        queues,
        messages_max: messages_max.max(1),
        bytes_max: role.config.pull_bytes_max,
        hold: Hold::Millis(u64::try_from(request.invisible_ms).unwrap_or(0)),
        filter,
        order: if request.is_ordered {
            LeaseOrder::Strict { batch }
        } else {
            LeaseOrder::Loose
        },
    })
}

/// Where a new group that wants the newest starts: at a queue's last message, but with all of a
/// queue that is young itself.
fn newest(role: &BrokerRole, topic: &Arc<Topic>, queue: QueueId) -> LeaseStart {
    if replays_from_zero(role, topic, queue) {
        return LeaseStart::Earliest;
    }
    let range = role.client.offset_range(topic, queue).unwrap_or_default();
    LeaseStart::At(QueueOffset::new(range.end.get().saturating_sub(1)))
}

/// What becomes of a message that the group has tried as often as its settings say.
fn give_up(role: &BrokerRole, group: &GroupName) -> Option<GiveUp> {
    let retries = role.groups.config(group.as_str()).retry_max_times;
    let retries = u32::try_from(retries).unwrap_or(0);
    let topic = crate::names::dead_letter_topic(group.as_str())?;
    Some(GiveUp {
        attempts_max: retries.saturating_add(1),
        dead_letters: DeadLetters {
            topic,
            properties: redelivery::dead_letter_properties,
        },
    })
}

impl Pop {
    async fn wait(self, wait: Duration) -> Frame {
        match self.client.lease(&self.lease, wait).await {
            Ok(leased) if leased.deliveries.is_empty() => {
                timed_out(self.reply_to, self.invisible_ms)
            }
            Ok(leased) => self.found(&leased),
            Err(error) => refusal(self.reply_to, &error.into()),
        }
    }
}
