//! Who is connected: 203, 204, 328 and 345.

use crate::error::Refusal;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::groups::registry::MemberView;
use gantry_core::model::GroupName;
use gantry_remoting_protocol::body::{
    self, Connection, ConsumerConnection, GroupSubscription, ProducerConnection, ProducerInfo,
    ProducerTable, Style,
};
use gantry_remoting_protocol::header::GroupRequest;
use gantry_remoting_protocol::{Answer, Command, ResponseCode};

/// A member as tools see it; `None` when its connection closes just now.
fn connection(role: &BrokerRole, member: &MemberView) -> Option<Connection> {
    let peer = role.peers.find(member.session)?;
    let library = peer.library();
    Some(Connection {
        client_addr: peer.address.to_string(),
        client_id: member.client.to_string(),
        language: library.language.name().to_owned(),
        version: library.version,
    })
}

/// 203: who consumes for a group, and how.
pub(crate) fn consumers(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: GroupRequest<'_> = command.header()?;
    let group = GroupName::new(request.group).ok();
    let found = group.and_then(|group| {
        let members = role.clients.consumer_members(&group);
        let facts = role.consumer_facts.find(&group)?;
        (!members.is_empty()).then_some((members, facts))
    });
    let Some((members, facts)) = found else {
        let remark = format!("the consumer group[{}] not online", request.group);
        return Err(Refusal::new(ResponseCode::ConsumerNotOnline, remark));
    };
    let connections = ConsumerConnection {
        connection_set: members.iter().filter_map(|m| connection(role, m)).collect(),
        consume_from_where: facts.consume_from_where,
        consume_type: facts.consume_type,
        message_model: facts.message_model,
        subscription_table: facts
            .subscription_data_set
            .iter()
            .map(|data| (data.topic.clone(), data.clone()))
            .collect(),
    };
    let body = vec![body::encode(&connections, Style::Standard)];
    Ok(Frame::with_body(command.reply_to(), &Answer::OK, body).into())
}

/// 204: who produces for a group.
pub(crate) fn producers(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let group: &str = command.fields.value("producerGroup")?;
    let members = GroupName::new(group).map(|group| role.clients.producer_members(&group));
    let members = members.unwrap_or_default();
    if members.is_empty() {
        let remark = format!("the producer group[{group}] not exist");
        return Err(Refusal::new(ResponseCode::SystemError, remark));
    }
    let connections = ProducerConnection {
        connection_set: members.iter().filter_map(|m| connection(role, m)).collect(),
    };
    let body = vec![body::encode(&connections, Style::Standard)];
    Ok(Frame::with_body(command.reply_to(), &Answer::OK, body).into())
}

/// 328: all producers.
pub(crate) fn all_producers(role: &BrokerRole, command: &Command) -> Reply {
    let info = |member: &MemberView| {
        let connection = connection(role, member)?;
        Some(ProducerInfo {
            client_id: connection.client_id,
            language: connection.language,
            last_update_timestamp: member.seen_at.millis(),
            remote_ip: connection.client_addr,
            version: connection.version,
        })
    };
    let groups = role.clients.producer_groups().into_iter();
    let table = ProducerTable {
        data: groups
            .map(|group| {
                let members = role.clients.producer_members(&group);
                let infos = members.iter().filter_map(info).collect();
                (group.to_string(), infos)
            })
            .collect(),
    };
    let body = vec![body::encode(&table, Style::Standard)];
    Frame::with_body(command.reply_to(), &Answer::OK, body).into()
}

/// 345: what a group wants of a topic.
pub(crate) fn subscription(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let group: &str = command.fields.value("group")?;
    let topic: &str = command.fields.value("topic")?;
    let known = GroupName::new(group).ok();
    let answer = GroupSubscription {
        group: group.to_owned(),
        subscription_data: known.and_then(|g| role.consumer_facts.subscription(&g, topic)),
        topic: topic.to_owned(),
    };
    let body = vec![body::encode(&answer, Style::Standard)];
    Ok(Frame::with_body(command.reply_to(), &Answer::OK, body).into())
}
