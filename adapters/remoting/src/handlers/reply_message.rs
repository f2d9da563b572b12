//! Answers to messages, which go straight to the client that waits for them: 324 and 325. They
//! are stored as well, as stock brokers do.

use super::client_calls::request;
use super::send_topic::{queue_of, topic_of};
use crate::error::Refusal;
use crate::message::{illegal, without_brokers_own};
use crate::peers::NoAnswer;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use crate::session::Session;
use bytes::Bytes;
use gantry_core::model::{Message, SysFlag, Timestamp};
use gantry_core::{Durability, Payload, ProduceItem, Receipt};
use gantry_remoting_protocol::codec::ReplyTo;
use gantry_remoting_protocol::header::{PushReply, SendRequest, SendResponse};
use gantry_remoting_protocol::{Answer, Command, RequestCode, ResponseCode, record};
use std::sync::Arc;
use std::time::Duration;

/// How long the client that waits may take to accept its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The client that waits, in the properties of its message and of the answer.
const REPLY_TO_CLIENT: &str = "REPLY_TO_CLIENT";
/// When the answer was pushed, milliseconds.
const PUSH_REPLY_TIME: &str = "PUSH_REPLY_TIME";
/// Flags that are not a producer's to set.
const BROKERS_FLAGS: i32 = SysFlag::BORN_HOST_V6 | SysFlag::STORE_HOST_V6 | SysFlag::TRANSACTION;

/// 324 and 325: stores the answer and hands it to who waits for it.
pub(crate) fn reply(session: &Session, command: &Command) -> Result<Reply, Refusal> {
    let role = Arc::clone(session.role());
    let mut send = match command.request_code() {
        RequestCode::SendReplyMessage => SendRequest::long(&command.fields)?,
        _ => SendRequest::short(&command.fields)?,
    };
    send.properties = without_brokers_own(send.properties);
    let topic = topic_of(&role, &send)?;
    let queue = queue_of(&role, &topic, &send)?;
    let now = role.clock.now();
    let properties = role
        .property_stage()
        .extend(send.properties.as_bytes(), None)
        .map_err(illegal)?;
    let message = Message {
        body: command.body.clone(),
        properties,
        flag: send.flag,
        sys_flag: SysFlag::from_bits(send.sys_flag).without(BROKERS_FLAGS),
        born_at: Timestamp::from_millis(send.born_timestamp),
        born_host: session.peer_address(),
        reconsume_times: send.reconsume_times,
    };
    let item = ProduceItem {
        topic,
        queue,
        payload: Payload::Message(message),
        also: Vec::new(),
    };
    let receipts = role.client.produce(vec![item], Durability::Appended);
    let receipt = receipts.into_iter().next().transpose()?;
    let mut waiting = record::properties(&send.properties);
    let waiting = waiting.find(|(name, _)| *name == REPLY_TO_CLIENT);
    let waiting = waiting
        .map(|(_, client)| client.to_owned())
        .unwrap_or_default();
    let peer = role.clients.producer_session(&waiting);
    let peer = peer.and_then(|session| role.peers.find(session));
    let stored = Stored {
        reply_to: command.reply_to(),
        queue: queue.to_wire(),
        receipt,
    };
    let gone = format!("push reply message fail, channel of <{waiting}> not found.");
    let Some(peer) = peer else {
        return Ok(stored.frame(&role, Some(&gone)).into());
    };
    let opaque = role.next_opaque();
    let push = push(
        session,
        &send,
        queue.to_wire(),
        now,
        command.body.clone(),
        opaque,
    );
    let answer = peer.ask(opaque, push, PATIENCE)?;
    Ok(Reply::Held(Box::pin(async move {
        let failure = match answer.await {
            Ok(said) if said.response_code() == ResponseCode::Success => None,
            Ok(said) => Some(format!(
                "push reply message to <{waiting}> fail, {:?}",
                said.remark
            )),
            Err(NoAnswer::Gone) => Some(gone),
            Err(NoAnswer::TimedOut) => Some(format!("push reply message to <{waiting}> timed out")),
        };
        stored.frame(&role, failure.as_deref())
    })))
}

/// An answer that is in the log.
struct Stored {
    reply_to: ReplyTo,
    queue: i32,
    receipt: Option<Receipt>,
}

impl Stored {
    /// What its sender hears: that it arrived, or why not.
    fn frame(&self, role: &BrokerRole, failure: Option<&str>) -> Frame {
        let place = self.receipt.as_ref();
        let id = place.map(|receipt| role.message_id(receipt.position));
        let header = SendResponse {
            message_ids: id.as_slice(),
            queue_id: self.queue,
            queue_offset: place.map_or(0, |receipt| receipt.base_offset.to_wire()),
            transaction_id: None,
            region: &role.config.region,
            is_traced: role.config.trace_on,
            recall_handle: None,
        };
        let code = match failure {
            None => ResponseCode::Success,
            Some(_) => ResponseCode::SystemError,
        };
        let answer = Answer {
            remark: failure,
            ..Answer::of(code).with_fields(&header)
        };
        Frame::answer(self.reply_to, &answer)
    }
}

/// The request that brings the answer to who waits for it.
fn push(
    session: &Session,
    send: &SendRequest<'_>,
    queue_id: i32,
    now: Timestamp,
    body: Bytes,
    opaque: i32,
) -> Frame {
    let (born_host, store_host) = (
        session.peer_address().to_string(),
        session.role().config.advertised_address.to_string(),
    );
    let mut properties = send.properties.to_string();
    if !properties.is_empty() && !properties.ends_with('\u{2}') {
        properties.push('\u{2}');
    }
    properties.push_str(&format!("{PUSH_REPLY_TIME}\u{1}{}\u{2}", now.millis()));
    let header = PushReply {
        producer_group: send.producer_group,
        topic: send.topic,
        default_topic: send.default_topic,
        default_topic_queues: send.default_topic_queues,
        queue_id,
        sys_flag: send.sys_flag,
        born_timestamp: send.born_timestamp,
        flag: send.flag,
        properties: Some(properties.into()),
        reconsume_times: send.reconsume_times,
        unit_mode: send.unit_mode,
        born_host: &born_host,
        store_host: &store_host,
        store_timestamp: now.millis(),
    };
    request(
        RequestCode::PushReplyMessageToClient,
        opaque,
        &header,
        vec![body],
    )
}
