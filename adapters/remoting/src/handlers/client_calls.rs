//! What tools ask of consumers by way of the broker: 223, 307 and 309.

use crate::error::Refusal;
use crate::peers::{NoAnswer, Peer};
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use bytes::Bytes;
use gantry_core::groups::registry::MemberView;
use gantry_core::model::{GroupName, PhysicalOffset};
use gantry_remoting_protocol::body::{self, ConsumerStatus, Style};
use gantry_remoting_protocol::codec::WriteFields;
use gantry_remoting_protocol::record::MessageId;
use gantry_remoting_protocol::{Answer, Command, Request, RequestCode, ResponseCode};
use std::sync::Arc;
use std::time::Duration;

/// How long a consumer may take to say how it is, or to consume a message.
const RUNNING_PATIENCE: Duration = Duration::from_secs(10);
/// How long a consumer may take to say how far it is.
const STATUS_PATIENCE: Duration = Duration::from_secs(5);

/// A request to a client with these fields.
pub(super) fn request(
    code: RequestCode,
    opaque: i32,
    fields: &dyn WriteFields,
    body: Vec<Bytes>,
) -> Frame {
    let request = Request {
        code,
        opaque,
        is_oneway: false,
        fields: Some(fields),
        body_len: 0,
    };
    Frame::request(request, body)
}

/// The connection on which a client consumes for a group.
fn consumer(role: &BrokerRole, group: &str, client: &str) -> Result<Arc<Peer>, Refusal> {
    let members = GroupName::new(group).map(|group| role.clients.consumer_members(&group));
    let members = members.unwrap_or_default();
    let member = members.iter().find(|member| *member.client == *client);
    let peer = member.and_then(|member| role.peers.find(member.session));
    peer.ok_or_else(|| {
        let remark = format!("The Consumer <{group}> <{client}> not online");
        Refusal::new(ResponseCode::SystemError, remark)
    })
}

/// Asks one consumer what a tool asked, in the tool's own fields, and answers with its words.
fn forward(role: &BrokerRole, command: &Command, body: Vec<Bytes>) -> Result<Reply, Refusal> {
    let group: &str = command.fields.value("consumerGroup")?;
    let client: &str = command
        .fields
        .value::<Option<&str>>("clientId")?
        .unwrap_or_default();
    let peer = consumer(role, group, client)?;
    let opaque = role.next_opaque();
    let frame = request(command.request_code(), opaque, &command.fields, body);
    let answer = peer.ask(opaque, frame, RUNNING_PATIENCE)?;
    let reply_to = command.reply_to();
    let whom = format!("<{group}> <{client}>");
    Ok(Reply::Held(Box::pin(async move {
        match answer.await {
            Ok(said) => {
                let answer = Answer {
                    remark: said.remark.as_deref(),
                    fields: (!said.fields.is_absent()).then_some(&said.fields as _),
                    ..Answer::of(said.response_code())
                };
                Frame::with_body(reply_to, &answer, vec![said.body.clone()])
            }
            Err(NoAnswer::Gone) => {
                let remark = format!("The Consumer {whom} not online");
                let refusal = Refusal::new(ResponseCode::SystemError, remark);
                Frame::refusal(reply_to, &refusal)
            }
            Err(NoAnswer::TimedOut) => {
                let patience = RUNNING_PATIENCE.as_millis();
                let remark = format!("consumer {whom} did not answer within {patience} ms");
                let refusal = Refusal::new(ResponseCode::ConsumeMessageTimeout, remark);
                Frame::refusal(reply_to, &refusal)
            }
        }
    })))
}

/// 307: how a consumer is, as it says itself.
pub(crate) fn running_info(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    forward(role, command, Vec::new())
}

/// 309: has a consumer consume one stored message now.
pub(crate) fn consume_directly(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let id: &str = command
        .fields
        .value::<Option<&str>>("msgId")?
        .unwrap_or_default();
    let not_found = || {
        let remark = format!("can not find message by the id, {id}");
        Refusal::new(ResponseCode::SystemError, remark)
    };
    let id: MessageId = id.parse().map_err(|_| not_found())?;
    let position = u64::try_from(id.offset).map_err(|_| not_found())?;
    let message = super::queue::message_at(role, PhysicalOffset::new(position));
    forward(role, command, vec![message?.ok_or_else(not_found)?])
}

/// 223: how far each consumer of a group says it is; those that do not answer are left out.
pub(crate) fn consumer_status(role: &Arc<BrokerRole>, command: &Command) -> Result<Reply, Refusal> {
    let group: &str = command.fields.value("group")?;
    let only: Option<&str> = command.fields.value("clientAddr")?;
    let only = only.filter(|client| !client.is_empty());
    let members = GroupName::new(group).map(|group| role.clients.consumer_members(&group));
    let mut members: Vec<MemberView> = members.unwrap_or_default();
    members.retain(|member| only.is_none_or(|only| only == &*member.client));
    if members.is_empty() {
        let remark = format!("No Any Consumer online in the consumer group: [{group}]");
        return Err(Refusal::new(ResponseCode::ConsumerNotOnline, remark));
    }
    let mut asked = Vec::with_capacity(members.len());
    for member in members {
        let Some(peer) = role.peers.find(member.session) else {
            continue;
        };
        let opaque = role.next_opaque();
        let code = RequestCode::GetConsumerStatusFromClient;
        let frame = request(code, opaque, &command.fields, Vec::new());
        asked.push((member.client, peer.ask(opaque, frame, STATUS_PATIENCE)?));
    }
    let reply_to = command.reply_to();
    Ok(Reply::Held(Box::pin(async move {
        let mut status = ConsumerStatus::default();
        for (client, answer) in asked {
            let said = answer.await.ok();
            let said = said.filter(|said| said.response_code() == ResponseCode::Success);
            let said = said.and_then(|said| body::decode::<ConsumerStatus>(&said.body).ok());
            if let Some(said) = said {
                let table = said.message_queue_table;
                status.consumer_table.insert(client.to_string(), table);
            }
        }
        let body = vec![body::encode(&status, Style::Fastjson)];
        Frame::with_body(reply_to, &Answer::OK, body)
    })))
}
