//! What clients say of the messages they popped: 200051, 200151 and 200053.

use super::request::{checked_group, existing_topic};
use crate::error::Refusal;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::model::{GroupName, QueueId, QueueOffset, Timestamp, TopicName};
use gantry_core::{Hold, LeaseOutcome, LeaseReceipt, LeaseToken};
use gantry_remoting_protocol::body::{self, BatchAck, BatchAckRequest};
use gantry_remoting_protocol::header::{ChangeInvisibleResponse, ReceiptRequest};
use gantry_remoting_protocol::pop::{ReceiptHandle, offsets_of};
use gantry_remoting_protocol::{Answer, Command, ResponseCode};

/// Messages one batched acknowledgement may name.
const BATCH_MESSAGES_MAX: usize = 16_384;

/// 200051: the message is done with. One that is settled already is answered likewise.
pub(crate) fn ack(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: ReceiptRequest<'_> = command.header()?;
    let (group, receipt) = receipt_of(role, &request)?;
    let outcomes = role.client.ack(&group, std::slice::from_ref(&receipt))?;
    match outcomes.first() {
        Some(LeaseOutcome::Done | LeaseOutcome::Settled) => {
            Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
        }
        _ => Err(no_message(&receipt)),
    }
}

/// 200053: the message stays the client's for another while; the receipt changes with it.
pub(crate) fn change_invisible(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: ReceiptRequest<'_> = command.header()?;
    let (group, receipt) = receipt_of(role, &request)?;
    let invisible_ms = request.invisible_ms.unwrap_or(0);
    let hold = Hold::Millis(u64::try_from(invisible_ms).unwrap_or(0));
    let extended = role
        .client
        .extend(&group, &receipt, hold, !request.is_suspended)?;
    let (LeaseOutcome::Done, token) = extended else {
        return Err(no_message(&receipt));
    };
    let fields = ChangeInvisibleResponse {
        pop_time: token.leased_at.millis(),
        invisible_ms,
        revive_queue: i32::try_from(token.serial).unwrap_or(0),
    };
    Ok(Frame::answer(command.reply_to(), &Answer::OK.with_fields(&fields)).into())
}

/// 200151: many messages are done with, whatever becomes of each.
pub(crate) fn batch_ack(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: BatchAckRequest = body::decode(&command.body)?;
    let mut left = BATCH_MESSAGES_MAX;
    for batch in &request.acks {
        let offsets = offsets_of(&batch.bits, batch.start_offset, left);
        let offsets = offsets.ok_or_else(|| {
            let remark = format!("bits that are none, or more than {BATCH_MESSAGES_MAX} of them");
            Refusal::new(ResponseCode::InvalidParameter, remark)
        })?;
        left = left.saturating_sub(offsets.len());
        let Ok(group) = GroupName::new(&batch.consumer_group) else {
            continue;
        };
        let receipts: Vec<_> = receipts_of(batch, &offsets).collect();
        role.client.ack(&group, &receipts)?;
    }
    Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
}

fn receipts_of<'a>(
    batch: &'a BatchAck,
    offsets: &'a [i64],
) -> impl Iterator<Item = LeaseReceipt> + 'a {
    let topic = TopicName::new(&batch.topic).ok();
    let queue = QueueId::from_wire(batch.queue_id);
    let token = token_of(batch.pop_time, batch.revive_queue);
    offsets.iter().filter_map(move |offset| {
        Some(LeaseReceipt {
            topic: topic.clone()?,
            queue: queue?,
            offset: QueueOffset::from_wire(*offset)?,
            token,
        })
    })
}

/// A number no answer had is no lease's.
fn token_of(pop_time: i64, revive_queue: i32) -> LeaseToken {
    LeaseToken {
        leased_at: Timestamp::from_millis(pop_time),
        serial: u32::try_from(revive_queue).unwrap_or(u32::MAX),
    }
}

fn receipt_of(
    role: &BrokerRole,
    request: &ReceiptRequest<'_>,
) -> Result<(GroupName, LeaseReceipt), Refusal> {
    let handle: ReceiptHandle = request.handle.parse().map_err(|error| {
        let remark = format!("{error}: {}", request.handle);
        Refusal::new(ResponseCode::SystemError, remark)
    })?;
    let topic = existing_topic(role, request.topic)?;
    let readable = topic.spec().read_queues;
    let queue = QueueId::from_wire(request.queue_id).filter(|queue| queue.get() < readable);
    let queue = queue.ok_or_else(|| {
        let remark = format!(
            "queueId[{}] is illegal, topic:[{}] topicConfig.readQueueNums:[{readable}]",
            request.queue_id, request.topic
        );
        Refusal::new(ResponseCode::MessageIllegal, remark)
    })?;
    let group = checked_group(request.group)?;
    let range = role.client.offset_range(&topic, queue)?;
    let offset = QueueOffset::from_wire(request.offset);
    let offset = offset.filter(|offset| range.start <= *offset && *offset < range.end);
    let offset = offset.ok_or_else(|| {
        let remark = format!(
            "offset is illegal, key:{}@{queue}, commit:{}, store:{}~{}",
            request.topic, request.offset, range.start, range.end
        );
        Refusal::new(ResponseCode::NoMessage, remark)
    })?;
    let receipt = LeaseReceipt {
        topic: topic.name().clone(),
        queue,
        offset,
        token: token_of(handle.pop_time, handle.revive_queue),
    };
    Ok((group, receipt))
}

/// The receipt is no good any more.
fn no_message(receipt: &LeaseReceipt) -> Refusal {
    let (topic, queue, offset) = (&receipt.topic, receipt.queue, receipt.offset);
    let remark = format!("the receipt of {topic}@{queue}@{offset} is not the newest");
    Refusal::new(ResponseCode::NoMessage, remark)
}
