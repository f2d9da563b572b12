//! Whether a group pulls or pops, and who gets which queue: 400, 401 and 402.

use super::allocation::Allocation;
use crate::error::Refusal;
use crate::names;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::Error;
use gantry_core::model::GroupName;
use gantry_remoting_protocol::body::{
    self, MessageModel, MessageQueue, MessageQueueAssignment, MessageRequestMode,
    MessageRequestModeSetting, MessageRequestModeTable, QueryAssignmentRequest,
    QueryAssignmentResponse, Style,
};
use gantry_remoting_protocol::{Answer, Command, ResponseCode};

/// Where the settings of 401 are kept.
const NAMESPACE: &str = "remoting.message_request_mode";
/// The queue id of an assignment that means all of a broker's queues.
const ALL_QUEUES: i32 = -1;

/// A setting's key; neither name can have the sign in it.
fn key(topic: &str, group: &str) -> String {
    format!("{topic}@{group}")
}

/// 401: how a group is to get a topic's messages.
pub(crate) fn set_mode(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let setting: MessageRequestModeSetting = body::decode(&command.body)?;
    if setting.topic.starts_with(names::RETRY_PREFIX) {
        let remark = "retry topic is not allowed to set mode";
        return Err(Refusal::new(ResponseCode::NoPermission, remark));
    }
    if names::check_new_topic(&setting.topic).is_err() {
        return Err(Refusal::topic_not_found(&setting.topic));
    }
    if !names::is_legal_group(&setting.consumer_group) {
        return Err(Refusal::group_not_found(&setting.consumer_group));
    }
    let key = key(&setting.topic, &setting.consumer_group);
    let client = &role.client;
    let is_new = client.document(NAMESPACE, &key).is_none();
    if is_new && client.documents(NAMESPACE).len() >= role.config.request_modes_max {
        return Err(Error::Busy("remoting.protocol.request_modes_max").into());
    }
    let json = body::encode(&setting, Style::Standard);
    let json = String::from_utf8_lossy(&json).into_owned();
    client.put_document(NAMESPACE, &key, Some(json))?;
    Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
}

/// 402: all that was set.
pub(crate) fn all_modes(role: &BrokerRole, command: &Command) -> Reply {
    let mut table = MessageRequestModeTable::default();
    for (_, json) in role.client.documents(NAMESPACE) {
        if let Ok(setting) = body::decode::<MessageRequestModeSetting>(json.as_bytes()) {
            let of_topic = table
                .message_request_mode_map
                .entry(setting.topic.clone())
                .or_default();
            of_topic.insert(setting.consumer_group.clone(), setting);
        }
    }
    let body = vec![body::encode(&table, Style::Standard)];
    Frame::with_body(command.reply_to(), &Answer::OK, body).into()
}

fn mode_of(role: &BrokerRole, topic: &str, group: &str) -> MessageRequestModeSetting {
    // A group's retries are pulled, whatever it does with the rest.
    let known = (!topic.starts_with(names::RETRY_PREFIX))
        .then(|| role.client.document(NAMESPACE, &key(topic, group)))
        .flatten();
    known
        .and_then(|json| body::decode(json.as_bytes()).ok())
        .unwrap_or_default()
}

/// 400: a member's queues.
pub(crate) fn query(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: QueryAssignmentRequest = body::decode(&command.body)?;
    let setting = mode_of(role, &request.topic, &request.consumer_group);
    let assignment = |queue_id| MessageQueueAssignment {
        message_queue: MessageQueue {
            broker_name: role.config.broker_name.clone(),
            queue_id,
            topic: request.topic.clone(),
        },
        mode: setting.mode,
    };
    let queues = queues_of(role, &request, &setting);
    let response = QueryAssignmentResponse {
        message_queue_assignments: queues
            .map(|queues| queues.into_iter().map(assignment).collect()),
    };
    let body = vec![body::encode(&response, Style::Standard)];
    Ok(Frame::with_body(command.reply_to(), &Answer::OK, body).into())
}

/// The member's queues; `None` when there is nothing to go by, and it keeps what it has.
fn queues_of(
    role: &BrokerRole,
    request: &QueryAssignmentRequest,
    setting: &MessageRequestModeSetting,
) -> Option<Vec<i32>> {
    let topic = role.client.topic(&request.topic)?;
    let readable = topic.spec().read_queues;
    let ids = |queues: Vec<u32>| {
        let ids = queues.into_iter().map(|queue| i32::try_from(queue).ok());
        ids.flatten().collect()
    };
    if request.message_model == MessageModel::Broadcasting {
        return Some(ids((0..readable).collect()));
    }
    let group = GroupName::new(&request.consumer_group).ok()?;
    let members = role.clients.consumers(&group);
    if members.is_empty() {
        return None;
    }
    let strategy = Allocation::of(&request.strategy_name)?;
    let is_it = |member: &std::sync::Arc<str>| **member == *request.client_id;
    let Some(member) = members.iter().position(is_it) else {
        return Some(Vec::new());
    };
    let member = u32::try_from(member).ok()?;
    let members = u32::try_from(members.len()).ok()?;
    match setting.mode {
        MessageRequestMode::Pull => Some(ids(strategy.allocate(readable, member, members))),
        MessageRequestMode::Pop => {
            let shared = setting.pop_share_queue_num;
            let own = strategy.allocate_shared(readable, member, members, shared);
            Some(own.map_or_else(|| vec![ALL_QUEUES], ids))
        }
    }
}
