//! RocketMQ 4's way to reset a group: each of its members is told where to go on (220), drops what
//! it holds and commits that. Nothing changes here until they do.

use super::{Offsets, as_list, as_table, by_time, is_forced, keep_what_is_behind};
use crate::error::Refusal;
use crate::reply::Frame;
use crate::role::BrokerRole;
use gantry_core::Topic;
use gantry_core::model::{GroupName, QueueId};
use gantry_remoting_protocol::{Command, LanguageCode, Request, RequestCode, ResponseCode};
use std::sync::Arc;

/// Tells every member of the group; where they are told to go.
///
/// # Errors
/// The group has made no progress in the topic, or none of its members is online.
pub(super) fn reset(
    role: &BrokerRole,
    command: &Command,
    topic: &Arc<Topic>,
    group: &GroupName,
) -> Result<Offsets, Refusal> {
    let timestamp: i64 = command.fields.value("timestamp")?;
    let targets = targets(role, topic, group, timestamp, is_forced(command)?)?;
    let members = role.clients.consumer_members(group);
    if members.is_empty() {
        let remark = format!(
            "Consumer not online, so can not reset offset, Group: {group} Topic: {} Timestamp: \
             {timestamp}",
            topic.name()
        );
        return Err(Refusal::new(ResponseCode::ConsumerNotOnline, remark));
    }
    let mut told = Ok(());
    for peer in members
        .iter()
        .filter_map(|member| role.peers.find(member.session))
    {
        let name = topic.name().as_str();
        let body = match peer.library().language {
            LanguageCode::Cpp => as_list(role, name, &targets),
            _ => as_table(role, name, &targets),
        };
        let request = Request {
            code: RequestCode::ResetConsumerClientOffset,
            opaque: role.next_opaque(),
            is_oneway: true,
            fields: Some(&command.fields),
            body_len: 0,
        };
        // One that cannot be told keeps nobody else from hearing of it.
        let tells = peer.tell(Frame::request(request, vec![body]));
        told = told.and(tells);
    }
    told.map(|()| targets)
}

fn targets(
    role: &BrokerRole,
    topic: &Arc<Topic>,
    group: &GroupName,
    timestamp: i64,
    is_forced: bool,
) -> Result<Offsets, Refusal> {
    let mut targets = Offsets::new();
    for id in (0..topic.spec().write_queues).map(QueueId::new) {
        let range = role.client.offset_range(topic, id)?;
        targets.insert(id, by_time(role, topic, id, range, timestamp)?);
    }
    let has_progress = |id: &QueueId| {
        let known = role.client.committed_offset(group, topic.name(), *id);
        known.is_some()
    };
    if !targets.keys().any(has_progress) {
        let remark = format!("THe consumer group <{group}> not exist");
        return Err(Refusal::new(ResponseCode::SystemError, remark));
    }
    if !is_forced {
        keep_what_is_behind(role, group, topic, &mut targets);
    }
    Ok(targets)
}
