//! Sends: 10, 310 and 320. Those that came with one read of the socket become one `produce`.

use super::retry;
use super::send_answer::Sent;
use super::send_topic::{queue_of, topic_of};
use crate::connection::BrokerConnection;
use crate::error::Refusal;
use crate::message::{
    PropertyStage, Wishes, illegal, is_brokers_own, without, without_brokers_own,
};
use crate::names;
use crate::reply::Frame;
use crate::role::BrokerRole;
use bytes::Bytes;
use gantry_connection::Replies;
use gantry_core::model::{Message, Properties, QueueId, SysFlag, Timestamp};
use gantry_core::{Durability, Error, Payload, ProduceItem, Topic};
use gantry_remoting_protocol::codec::ReplyTo;
use gantry_remoting_protocol::header::SendRequest;
use gantry_remoting_protocol::{Command, ResponseCode, record};
use std::net::SocketAddr;
use std::sync::Arc;

/// Flags that are not a producer's to set: the broker knows the addresses itself.
const ADDRESS_FLAGS: i32 = SysFlag::BORN_HOST_V6 | SysFlag::STORE_HOST_V6;
/// Flags of records that are more than one message.
const BATCH_FLAGS: i32 = SysFlag::INNER_BATCH | SysFlag::NEED_UNWRAP;

/// A send whose records are staged.
#[derive(Debug)]
struct Slot {
    /// `None` for a one-way send.
    reply_to: Option<ReplyTo>,
    queue: QueueId,
    unique_key: Option<Bytes>,
    /// Of a message that is to be delivered later: its topic, which a recall names.
    topic: Option<Arc<Topic>>,
    records: usize,
}

/// Sends of one connection that wait to be produced together.
#[derive(Debug)]
pub(crate) struct SendStage {
    role: Arc<BrokerRole>,
    peer: SocketAddr,
    items: Vec<ProduceItem>,
    slots: Vec<Slot>,
    durability: Durability,
    properties: PropertyStage,
}

impl SendStage {
    pub(crate) fn new(role: Arc<BrokerRole>, peer: SocketAddr) -> Self {
        Self {
            peer,
            items: Vec::new(),
            slots: Vec::new(),
            durability: Durability::Configured,
            properties: role.property_stage(),
            role,
        }
    }

    /// Takes a send. What must be answered before it goes to `replies`.
    pub(crate) fn add(&mut self, command: &Command, replies: &mut Replies<BrokerConnection>) {
        if let Err(refusal) = self.stage(command, replies) {
            tracing::debug!(remark = refusal.remark, "send refused");
            if !command.flag.is_oneway() {
                Frame::refusal(command.reply_to(), &refusal).write(replies.ready());
            }
        }
    }

    fn stage(
        &mut self,
        command: &Command,
        replies: &mut Replies<BrokerConnection>,
    ) -> Result<(), Refusal> {
        let mut send = SendRequest::of(command)?;
        send.properties = without_brokers_own(send.properties);
        let (topic, queue) = match retry::dead_letter_of(&self.role, &mut send)? {
            Some(topic) => (topic, QueueId::new(0)),
            None => {
                let topic = topic_of(&self.role, &send)?;
                let queue = queue_of(&self.role, &topic, &send)?;
                (topic, queue)
            }
        };
        let wishes = Wishes::read(record::properties(&send.properties));
        check(&wishes, &send)?;
        let (size, limit) = (command.body.len(), self.role.config.message_bytes_max);
        if size > limit {
            return Err(Error::MessageTooLarge { size, limit }.into());
        }
        let durability = if wishes.waits_not {
            Durability::Appended
        } else {
            Durability::Configured
        };
        if durability != self.durability {
            self.produce(replies);
            self.durability = durability;
        }
        let unique_key = wishes.unique_key.map(|key| slice_of(&send, key));
        let slot = Slot {
            reply_to: (!command.flag.is_oneway()).then(|| command.reply_to()),
            queue,
            unique_key,
            topic: wishes.is_delayed.then(|| Arc::clone(&topic)),
            records: 1,
        };
        let is_half = is_half(&wishes, &send);
        let slot = if send.is_batch {
            self.stage_batch(&send, slot, &topic, &command.body)?
        } else {
            self.stage_single(&send, slot, topic, command.body.clone(), is_half)?
        };
        self.slots.push(slot);
        Ok(())
    }

    fn stage_single(
        &mut self,
        send: &SendRequest<'_>,
        mut slot: Slot,
        topic: Arc<Topic>,
        body: Bytes,
        is_half: bool,
    ) -> Result<Slot, Refusal> {
        let made = match slot.unique_key {
            Some(_) => None,
            None => Some(self.role.unique_keys.next(self.role.clock.now())),
        };
        let area = send.properties.as_bytes();
        let properties = self.properties.extend(area, made.as_deref());
        let message = self.message(send, send.flag, properties.map_err(illegal)?, body);
        slot.unique_key = slot.unique_key.or_else(|| made.map(Bytes::from));
        let payload = if is_half {
            Payload::Half(message)
        } else {
            Payload::Message(message)
        };
        self.items.push(item(topic, slot.queue, payload));
        Ok(slot)
    }

    /// One record for each message of the batch, with just the properties it came with.
    fn stage_batch(
        &mut self,
        send: &SendRequest<'_>,
        slot: Slot,
        topic: &Arc<Topic>,
        body: &Bytes,
    ) -> Result<Slot, Refusal> {
        if send.topic.starts_with(names::RETRY_PREFIX) {
            let remark = format!("batch request does not support retry group {}", send.topic);
            return Err(Refusal::new(ResponseCode::MessageIllegal, remark));
        }
        let mut items = Vec::new();
        for sent in record::sub_messages(body.clone()) {
            let sent =
                sent.map_err(|error| Refusal::new(ResponseCode::SystemError, error.to_string()))?;
            let wishes = Wishes::read(record::properties(&sent.properties));
            check(&wishes, send)?;
            let area = if wishes.has_brokers_own {
                without(&sent.properties, is_brokers_own)
            } else {
                sent.properties
            };
            let properties = Properties::from_wire(area.into_bytes()).map_err(illegal)?;
            let message = self.message(send, sent.flag, properties, sent.body);
            let payload = Payload::Message(message);
            items.push(item(Arc::clone(topic), slot.queue, payload));
        }
        if items.is_empty() {
            let remark = "the batch has no messages";
            return Err(Refusal::new(ResponseCode::MessageIllegal, remark));
        }
        let records = items.len();
        self.items.append(&mut items);
        Ok(Slot { records, ..slot })
    }

    fn message(
        &self,
        send: &SendRequest<'_>,
        flag: i32,
        properties: Properties,
        body: Bytes,
    ) -> Message {
        Message {
            body,
            properties,
            flag,
            sys_flag: SysFlag::from_bits(send.sys_flag).without(ADDRESS_FLAGS),
            born_at: Timestamp::from_millis(send.born_timestamp),
            born_host: self.peer,
            reconsume_times: send.reconsume_times,
        }
    }

    /// Produces what is staged, and answers it.
    pub(crate) fn produce(&mut self, replies: &mut Replies<BrokerConnection>) {
        if self.slots.is_empty() {
            return;
        }
        let items = std::mem::take(&mut self.items);
        let begun_at = self.role.clock.now();
        let mut results = self.role.client.produce(items, self.durability).into_iter();
        let took = self.role.clock.now().millis_since(begun_at);
        self.role.statistics.sends.count(took);
        for slot in self.slots.drain(..) {
            let receipts: Result<_, Error> = results.by_ref().take(slot.records).collect();
            let Some(reply_to) = slot.reply_to else {
                continue;
            };
            let sent = Sent {
                reply_to,
                queue: slot.queue,
                unique_key: slot.unique_key,
                topic: slot.topic,
            };
            match receipts {
                Ok(receipts) => sent.answer(&self.role, receipts, replies),
                Err(error) => Frame::refusal(reply_to, &error.into()).write(replies.ready()),
            }
        }
    }
}

fn item(topic: Arc<Topic>, queue: QueueId, payload: Payload) -> ProduceItem {
    ProduceItem {
        topic,
        queue,
        payload,
        also: Vec::new(),
    }
}

fn slice_of(send: &SendRequest<'_>, part: &str) -> Bytes {
    send.properties
        .clone()
        .into_bytes()
        .slice_ref(part.as_bytes())
}

/// Whether a message waits for the end of its transaction. One that a consumer of an old client
/// sends back for another try has been committed already.
const fn is_half(wishes: &Wishes<'_>, send: &SendRequest<'_>) -> bool {
    wishes.is_transactional && !(wishes.is_delayed && send.reconsume_times > 0)
}

/// Refuses what this broker would have to deliver otherwise than asked.
fn check(wishes: &Wishes<'_>, send: &SendRequest<'_>) -> Result<(), Refusal> {
    let flags = SysFlag::from_bits(send.sys_flag);
    if wishes.is_transactional && send.is_batch {
        let remark = "a batch does not support transactions";
        return Err(Refusal::new(ResponseCode::MessageIllegal, remark));
    }
    if flags.has(SysFlag::TRANSACTION) && !wishes.is_transactional {
        let remark = "the broker sending transaction message is forbidden";
        return Err(Refusal::new(ResponseCode::NoPermission, remark));
    }
    if wishes.is_cancelling {
        let remark = "a timer message is taken back by RECALL_MESSAGE";
        return Err(Refusal::new(ResponseCode::MessageIllegal, remark));
    }
    if wishes.is_delayed && send.is_batch {
        let remark = "a batch does not support delayed messages";
        return Err(Refusal::new(ResponseCode::MessageIllegal, remark));
    }
    if flags.has(BATCH_FLAGS) {
        let remark = "the topic does not take inner batches";
        return Err(Refusal::new(ResponseCode::MessageIllegal, remark));
    }
    Ok(())
}
