//! Topic administration: 17, 18, 21, 215 and 305.

use crate::error::Refusal;
use crate::names;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::model::{Permission, TopicName, TopicSpec};
use gantry_core::{Error, Topic};
use gantry_remoting_protocol::body::{
    self, DataVersion, Style, TopicConfig, TopicConfigList, TopicConfigTable, TopicList,
};
use gantry_remoting_protocol::codec::{FieldWriter, WriteFields};
use gantry_remoting_protocol::header::{CreateTopic, TopicRequest};
use gantry_remoting_protocol::{Answer, Command, ResponseCode};
use std::collections::BTreeMap;

/// How tags stand in a topic's messages; the only way there ever was.
const FILTER_TYPE: &str = "SINGLE_TAG";
/// Attributes a topic may be given: RocketMQ's, and what the store obeys under Kafka's names.
const ATTRIBUTES: &[&str] = &[
    "cleanup.policy",
    "message.type",
    "queue.type",
    "reserve.time",
    "flush.messages",
    "flush.ms",
    "retention.bytes",
    "retention.ms",
];

/// How many topics there are, whatever part of them an answer holds.
struct TopicCount(usize);

impl WriteFields for TopicCount {
    fn write_fields(&self, out: &mut FieldWriter<'_>) {
        out.int("totalTopicNum", i64::try_from(self.0).unwrap_or(i64::MAX));
    }
}

fn invalid(remark: impl Into<String>) -> Refusal {
    Refusal::new(ResponseCode::InvalidParameter, remark)
}

/// 17: creates a topic, or gives it other settings.
pub(crate) fn create(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: CreateTopic<'_> = command.header()?;
    let name = check_name(request.topic)?;
    let changes = parse_changes(request.attributes.unwrap_or_default())?;
    let wanted = TopicConfig {
        attributes: changes,
        order: request.is_ordered,
        perm: request.permission,
        read_queue_nums: request.read_queues,
        topic_sys_flag: request.sys_flag,
        write_queue_nums: request.write_queues,
        ..TopicConfig::default()
    };
    let spec = spec_of(role, &name, wanted)?;
    apply(role, &name, spec)?;
    Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
}

/// 18: as 17 for several topics; none when one of them cannot be.
pub(crate) fn create_all(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let list: TopicConfigList = body::decode(&command.body)?;
    let mut specs = Vec::with_capacity(list.topic_config_list.len());
    for config in list.topic_config_list {
        let name = check_name(&config.topic_name)?;
        let spec = spec_of(role, &name, config)?;
        specs.push((name, spec));
    }
    for (name, spec) in specs {
        apply(role, &name, spec)?;
    }
    Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
}

/// 305: the broker's own topics, there or not.
pub(crate) fn system_topics(command: &Command) -> Reply {
    let list = TopicList {
        topic_list: names::system_topics().map(str::to_owned).collect(),
        ..TopicList::default()
    };
    let body = vec![body::encode(&list, Style::Standard)];
    Frame::with_body(command.reply_to(), &Answer::OK, body).into()
}

fn check_name(topic: &str) -> Result<TopicName, Refusal> {
    names::check_new_topic(topic).map_err(invalid)?;
    if names::is_closed_topic(topic) || topic == names::DEFAULT_TOPIC {
        let remark = format!("The topic[{topic}] is conflict with system topic.");
        return Err(invalid(remark));
    }
    TopicName::new(topic).map_err(|error| invalid(error.to_string()))
}

fn apply(role: &BrokerRole, name: &TopicName, spec: TopicSpec) -> Result<(), Refusal> {
    match role.client.create_topic(name, spec.clone()) {
        Err(Error::AlreadyExists(_)) => role.client.alter_topic(name, spec)?,
        outcome => outcome?,
    };
    Ok(())
}

/// The settings wanted, its attributes as changes to those the topic has.
fn spec_of(role: &BrokerRole, name: &TopicName, wanted: TopicConfig) -> Result<TopicSpec, Refusal> {
    let known = role.client.topic(name.as_str());
    let attributes = known.map(|topic| topic.spec().attributes.clone());
    let mut attributes = attributes.unwrap_or_default();
    change_attributes(&mut attributes, wanted.attributes)?;
    let queues = |count| {
        let count = u32::try_from(count).ok().filter(|count| *count > 0);
        count.ok_or_else(|| invalid("a topic has at least one queue to read and to write"))
    };
    Ok(TopicSpec {
        read_queues: queues(wanted.read_queue_nums)?,
        write_queues: queues(wanted.write_queue_nums)?,
        permission: u8::try_from(wanted.perm)
            .ok()
            .filter(|bits| *bits <= 7)
            .map(Permission::from_bits)
            .ok_or_else(|| invalid(format!("perm {} is illegal", wanted.perm)))?,
        sys_flag: wanted.topic_sys_flag,
        ordered: wanted.order,
        attributes,
    })
}

/// Reads `+name=value,-name` into a table as bodies have it, `+name` or `-name` to value.
fn parse_changes(text: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let mut changes = BTreeMap::new();
    for change in text.split(',').filter(|change| !change.is_empty()) {
        let (name, value) = match change.split_once('=') {
            Some((name, value)) if name.starts_with('+') => (name, value),
            None if change.starts_with('-') => (change, ""),
            _ => {
                let remark = format!("kv string format wrong: {change}");
                return Err(Refusal::new(ResponseCode::SystemError, remark));
            }
        };
        changes.insert(name.to_owned(), value.to_owned());
    }
    Ok(changes)
}

/// Applies changes: `+name` or `name` sets, `-name` removes.
fn change_attributes(
    attributes: &mut BTreeMap<String, String>,
    changes: BTreeMap<String, String>,
) -> Result<(), Refusal> {
    for (change, value) in changes {
        let name = change.trim_start_matches(['+', '-']);
        if !ATTRIBUTES.contains(&name) && !attributes.contains_key(name) {
            let remark = format!("unsupported key: {name}");
            return Err(Refusal::new(ResponseCode::SystemError, remark));
        }
        if change.starts_with('-') {
            attributes.remove(name);
        } else {
            attributes.insert(name.to_owned(), value);
        }
    }
    Ok(())
}

/// 21: all topics with their settings. Tools may ask for a part of them.
pub(crate) fn list(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let first: Option<i32> = command.fields.value("topicSeq")?;
    let count: Option<i32> = command.fields.value("maxTopicNum")?;
    let first = usize::try_from(first.unwrap_or(0)).unwrap_or(0);
    let count = count.and_then(|count| usize::try_from(count).ok());
    let mut topics = role.client.topics();
    topics.retain(|topic| !names::is_hidden_topic(topic.name().as_str()));
    let part = topics.iter().skip(first).take(count.unwrap_or(usize::MAX));
    let all = TopicConfigTable {
        data_version: DataVersion {
            // Replicas compare it to see what has changed; this broker has none.
            timestamp: role.started_at.millis(),
            ..DataVersion::default()
        },
        topic_config_table: part
            .map(|topic| (topic.name().to_string(), config_of(topic)))
            .collect(),
    };
    let body = vec![body::encode(&all, Style::Standard)];
    let total = TopicCount(topics.len());
    let answer = Answer::OK.with_fields(&total);
    Ok(Frame::with_body(command.reply_to(), &answer, body).into())
}

/// A topic's settings as RocketMQ writes them.
pub(crate) fn config_of(topic: &Topic) -> TopicConfig {
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
        role.statistics.forget_topic(request.topic);
        role.resets.forget(|_, topic| topic == request.topic);
    }
    Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
}
