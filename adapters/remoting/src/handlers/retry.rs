//! Messages a group could not consume: 36, and sends to a group's retry topic. They come again
//! after a delay that grows, and after so many attempts go to the group's dead letter topic.

use super::send_topic::ensure_topic;
use crate::error::{FAQ, Refusal};
use crate::message;
use crate::names::{self, RETRY_PREFIX};
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::model::{Message, PhysicalOffset, QueueId, SysFlag, TopicSpec, property};
use gantry_core::record::RecordView;
use gantry_core::traffic::Amount;
use gantry_core::{Durability, Payload, ProduceItem, Topic};
use gantry_remoting_protocol::header::{SendMessageBack, SendRequest};
use gantry_remoting_protocol::{Answer, Command, NoFields, ResponseCode};
use std::sync::Arc;

/// The delay level of the first retry (10 s by default).
const FIRST_LEVEL: i32 = 3;
/// Where a message came from before it was first sent back.
const RETRY_TOPIC: &str = "RETRY_TOPIC";
/// The offset id of the first record of a message that was sent back.
const ORIGIN_MESSAGE_ID: &str = "ORIGIN_MESSAGE_ID";

/// Whether an earlier delay left the property behind, or the pop that delivered the message.
fn is_stale(name: &str) -> bool {
    property::is_delay(name)
        || matches!(
            name,
            property::TIMER_OUT_MS | property::TIMER_ENQUEUE_MS | property::WAIT | "POP_CK"
        )
}

/// 36: the group tries the message again later, or gives it up.
pub(crate) fn send_back(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: SendMessageBack<'_> = command.header()?;
    check_group(request.group)?;
    let ok = || Frame::answer(command.reply_to(), &Answer::OK.with_fields(&NoFields)).into();
    let missing = || {
        let remark = format!("look message by offset failed, {}", request.offset);
        Refusal::new(ResponseCode::SystemError, remark)
    };
    let position = u64::try_from(request.offset).map_err(|_| missing())?;
    let origin = request
        .origin_topic
        .and_then(|name| role.client.topic(name));
    let found = role
        .client
        .message_at(PhysicalOffset::new(position), origin.as_deref());
    let found = found.map_err(|_| missing())?;
    let record = RecordView::parse(&found.bytes).map_err(|_| missing())?;
    let attempts = record.reconsume_times();
    let max = request
        .max_reconsume_times
        .unwrap_or_else(|| role.groups.config(request.group).retry_max_times);
    let gives_up = request.delay_level < 0 || attempts >= max;
    let level = match (gives_up, request.delay_level) {
        (true, _) => 0,
        (false, 0) => attempts.saturating_add(FIRST_LEVEL),
        (false, level) => level,
    };
    let (topic, queue) = if gives_up {
        (dead_letter_topic(role, request.group)?, QueueId::new(0))
    } else {
        let Some(topic) = retry_topic(role, request.group)? else {
            return Ok(ok());
        };
        let queue = QueueId::new(role.any_queue(topic.spec().write_queues));
        (topic, queue)
    };
    let item = ProduceItem {
        topic,
        queue,
        payload: Payload::Message(sent_back(role, &record, level)?),
        also: Vec::new(),
    };
    let receipts = role.client.produce(vec![item], Durability::Appended);
    let receipt = receipts.into_iter().next().transpose()?;
    if let (Some(receipt), Some(name)) = (receipt, request.origin_topic)
        && let Some(counted) = role.statistics.of(name, request.group)
    {
        let one = Amount {
            messages: 1,
            bytes: u64::try_from(found.bytes.len()).unwrap_or(0),
            times: 1,
        };
        counted.sent_back.count(one, receipt.stored_at);
    }
    Ok(ok())
}

fn check_group(group: &str) -> Result<(), Refusal> {
    if names::is_legal_group(group) {
        return Ok(());
    }
    let remark = format!("subscription group not exist, {group} \n{FAQ}");
    Err(Refusal::new(
        ResponseCode::SubscriptionGroupNotExist,
        remark,
    ))
}

/// The message of a record as the group gets it once more.
fn sent_back(role: &BrokerRole, record: &RecordView, level: i32) -> Result<Message, Refusal> {
    let mut message = record.to_message();
    message.reconsume_times = record.reconsume_times().saturating_add(1);
    message.sys_flag = message.sys_flag.without(SysFlag::TRANSACTION);
    let has = |name| message.properties.value(name).is_some();
    let id = role.message_id(record.position());
    let (level, id) = (level.to_string(), id.to_string());
    let mut added = vec![(property::DELAY, level.as_str()), (property::WAIT, "false")];
    if !has(RETRY_TOPIC) {
        added.push((RETRY_TOPIC, record.topic()));
    }
    if !has(ORIGIN_MESSAGE_ID) {
        added.push((ORIGIN_MESSAGE_ID, &id));
    }
    let is_dropped = |name: &str| is_stale(name) || property::is_internal(name);
    let properties = message.properties.rewritten(is_dropped, &added);
    message.properties = properties.map_err(message::illegal)?;
    Ok(message)
}

/// The dead letter topic of a send to a group's retry topic that was tried too often; its delay is
/// taken away.
pub(super) fn dead_letter_of(
    role: &BrokerRole,
    send: &mut SendRequest<'_>,
) -> Result<Option<Arc<Topic>>, Refusal> {
    let Some(group) = send.topic.strip_prefix(RETRY_PREFIX) else {
        return Ok(None);
    };
    check_group(group)?;
    let max = send
        .max_reconsume_times
        .unwrap_or_else(|| role.groups.config(group).retry_max_times);
    // Whoever holds queues consumes in order, and gives up without another delay.
    let is_ordered = role.locks.holds_any(group, role.clock.now());
    let gives_up = send.reconsume_times > max || (is_ordered && send.reconsume_times >= max);
    if send.is_batch || !gives_up {
        return Ok(None);
    }
    send.properties = message::without(&send.properties, is_stale);
    dead_letter_topic(role, group).map(Some)
}

/// The group's retry topic, made when it is missing; `None` for a group that has none, and so
/// loses what it sends back.
pub(super) fn retry_topic(role: &BrokerRole, group: &str) -> Result<Option<Arc<Topic>>, Refusal> {
    let queues = u32::try_from(role.groups.config(group).retry_queue_nums).unwrap_or(0);
    if queues == 0 {
        return Ok(None);
    }
    let name = names::retry_topic(group).ok_or_else(|| too_long(group))?;
    ensure_topic(role, &name, TopicSpec::with_queues(queues)).map(Some)
}

fn dead_letter_topic(role: &BrokerRole, group: &str) -> Result<Arc<Topic>, Refusal> {
    let name = names::dead_letter_topic(group).ok_or_else(|| too_long(group))?;
    ensure_topic(role, &name, TopicSpec::with_queues(1))
}

/// The refusal of a group whose name fills all there is, so that it has no topics of its own.
fn too_long(group: &str) -> Refusal {
    let remark = format!("the name of group {group} is too long for topics of its own");
    Refusal::new(ResponseCode::InvalidParameter, remark)
}
