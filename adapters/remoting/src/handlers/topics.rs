//! Topic administration: 17, 21 and 215.

use crate::error::Refusal;
use crate::names;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::model::{Permission, TopicName, TopicSpec};
use gantry_core::{Error, Topic};
use gantry_remoting_protocol::body::{self, DataVersion, Style, TopicConfig, TopicConfigTable};
use gantry_remoting_protocol::header::{CreateTopic, TopicRequest};
use gantry_remoting_protocol::{Answer, Command, ResponseCode};
use std::collections::BTreeMap;

/// How tags stand in a topic's messages; the only way there ever was.
const FILTER_TYPE: &str = "SINGLE_TAG";

fn invalid(remark: impl Into<String>) -> Refusal {
    Refusal::new(ResponseCode::InvalidParameter, remark)
}

/// 17: creates a topic, or gives it other settings.
pub(crate) fn create(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: CreateTopic<'_> = command.header()?;
    names::check_new_topic(request.topic).map_err(invalid)?;
    if names::is_closed_topic(request.topic) || request.topic == names::DEFAULT_TOPIC {
        let remark = format!(
            "The topic[{}] is conflict with system topic.",
            request.topic
        );
        return Err(invalid(remark));
    }
    let name = TopicName::new(request.topic).map_err(|error| invalid(error.to_string()))?;
    let known = role.client.topic(request.topic);
    let attributes = known.map(|topic| topic.spec().attributes.clone());
    let spec = spec_of(&request, attributes.unwrap_or_default())?;
    match role.client.create_topic(&name, spec.clone()) {
        Err(Error::AlreadyExists(_)) => role.client.alter_topic(&name, spec)?,
        outcome => outcome?,
    };
    Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
}

fn spec_of(
    request: &CreateTopic<'_>,
    mut attributes: BTreeMap<String, String>,
) -> Result<TopicSpec, Refusal> {
    let queues = |count| {
        let count = u32::try_from(count).ok().filter(|count| *count > 0);
        count.ok_or_else(|| invalid("a topic has at least one queue to read and to write"))
    };
    change_attributes(&mut attributes, request.attributes.unwrap_or_default())?;
    Ok(TopicSpec {
        read_queues: queues(request.read_queues)?,
        write_queues: queues(request.write_queues)?,
        permission: u8::try_from(request.permission)
            .ok()
            .filter(|bits| *bits <= 7)
            .map(Permission::from_bits)
            .ok_or_else(|| invalid(format!("perm {} is illegal", request.permission)))?,
        sys_flag: request.sys_flag,
        ordered: request.is_ordered,
        attributes,
    })
}

/// Applies `+name=value,-name`.
fn change_attributes(
    attributes: &mut BTreeMap<String, String>,
    changes: &str,
) -> Result<(), Refusal> {
    for change in changes.split(',').filter(|change| !change.is_empty()) {
        let set = change.strip_prefix('+').and_then(|set| set.split_once('='));
        if let Some((name, value)) = set {
            attributes.insert(name.to_owned(), value.to_owned());
        } else if let Some(name) = change.strip_prefix('-') {
            attributes.remove(name);
        } else {
            let remark = format!("kv string format wrong: {change}");
            return Err(Refusal::new(ResponseCode::SystemError, remark));
        }
    }
    Ok(())
}

/// 21: all topics with their settings.
pub(crate) fn list(role: &BrokerRole, command: &Command) -> Reply {
    let topics = role.client.topics();
    let visible = topics
        .iter()
        .filter(|topic| !names::is_hidden_topic(topic.name().as_str()));
    let all = TopicConfigTable {
        data_version: DataVersion {
            // Replicas compare it to see what has changed; this broker has none.
            timestamp: role.started_at.millis(),
            ..DataVersion::default()
        },
        topic_config_table: visible
            .map(|topic| (topic.name().to_string(), config_of(topic)))
            .collect(),
    };
    let body = vec![body::encode(&all, Style::Standard)];
    Frame::with_body(command.reply_to(), &Answer::OK, body).into()
}

pub(super) fn config_of(topic: &Topic) -> TopicConfig {
    let spec = topic.spec();
    let count = |queues| i32::try_from(queues).unwrap_or(i32::MAX);
    TopicConfig {
        attributes: spec.attributes.clone(),
        order: spec.ordered,
        perm: i32::from(spec.permission.bits()),
        read_queue_nums: count(spec.read_queues),
        topic_filter_type: FILTER_TYPE.to_owned(),
        topic_name: topic.name().to_string(),
        topic_sys_flag: spec.sys_flag,
        write_queue_nums: count(spec.write_queues),
    }
}

/// 215: deletes a topic; one that does not exist is deleted already.
pub(crate) fn delete(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: TopicRequest<'_> = command.header()?;
    if request.topic.trim().is_empty() {
        return Err(invalid("The specified topic is blank."));
    }
    if names::is_closed_topic(request.topic) {
        let remark = format!(
            "The topic[{}] is conflict with system topic.",
            request.topic
        );
        return Err(invalid(remark));
    }
    if let Ok(name) = TopicName::new(request.topic) {
        match role.client.delete_topic(&name) {
            Ok(()) | Err(Error::TopicNotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
}
