//! Queue locks of orderly consumers: 41 and 42.

use crate::error::Refusal;
use crate::names;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::groups::locks::LockedQueue;
use gantry_core::model::{GroupName, QueueId, TopicName};
use gantry_remoting_protocol::body::{
    self, LockBatchRequest, LockBatchResponse, MessageQueue, Style,
};
use gantry_remoting_protocol::{Answer, Command};

fn request(command: &Command) -> Result<(LockBatchRequest, GroupName), Refusal> {
    let request: LockBatchRequest = body::decode(&command.body)?;
    match GroupName::new(&request.consumer_group) {
        Ok(group) if names::is_legal_group(&request.consumer_group) => Ok((request, group)),
        _ => Err(Refusal::group_not_found(&request.consumer_group)),
    }
}

/// The queue in core's terms; `None` for one no topic can have.
fn queue_of(queue: &MessageQueue) -> Option<LockedQueue> {
    Some(LockedQueue {
        topic: TopicName::new(&queue.topic).ok()?,
        queue: QueueId::from_wire(queue.queue_id)?,
    })
}

/// 41: locks what it can, and answers those just as they were asked for.
pub(crate) fn lock(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let (request, group) = request(command)?;
    let lockable = |queue: &MessageQueue| queue_of(queue).is_some();
    let asked: Vec<MessageQueue> = request.mq_set.into_iter().filter(lockable).collect();
    let queues: Vec<LockedQueue> = asked.iter().filter_map(queue_of).collect();
    let now = role.clock.now();
    let locked = role.locks.lock(&group, &request.client_id, &queues, now);
    let locked = asked.into_iter().zip(locked);
    let response = LockBatchResponse {
        lock_ok_mq_set: locked
            .filter_map(|(queue, is_locked)| is_locked.then_some(queue))
            .collect(),
    };
    let body = vec![body::encode(&response, Style::Standard)];
    Ok(Frame::with_body(command.reply_to(), &Answer::OK, body).into())
}

/// 42: gives up those of the queues that the client holds.
pub(crate) fn unlock(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let (request, group) = request(command)?;
    let queues: Vec<LockedQueue> = request.mq_set.iter().filter_map(queue_of).collect();
    role.locks.unlock(&group, &request.client_id, &queues);
    Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
}
