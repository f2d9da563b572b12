//! Names of destinations and consumers, in their namespace.

use crate::error::Refusal;
use crate::status::OmsStatus;
use gantry_core::model::{GroupName, TopicName};

/// Stands between a namespace and a name, as RocketMQ's clients and AMQP's virtual hosts have it.
const SEPARATOR: char = '%';
/// The group of producers who do not name theirs.
const PRODUCER: &str = "openmessaging";
/// Where a group's dead letters are.
const DEAD_LETTERS: &str = "%DLQ%";

/// A name as it stands in core.
fn full(namespace: Option<&str>, name: &str) -> Result<String, Refusal> {
    match namespace {
        None | Some("") => Ok(name.to_owned()),
        Some(namespace) if namespace.contains(SEPARATOR) => {
            let text = format!("namespace {namespace} has a {SEPARATOR}");
            Err(Refusal::parameter(text))
        }
        Some(namespace) => Ok(format!("{namespace}{SEPARATOR}{name}")),
    }
}

/// A topic that may be read: dead letters among them, other system topics not.
pub(crate) fn source(namespace: Option<&str>, name: &str) -> Result<TopicName, Refusal> {
    let topic = match name.strip_prefix(DEAD_LETTERS) {
        Some(group) => format!("{DEAD_LETTERS}{}", full(namespace, group)?),
        None => full(namespace, name)?,
    };
    let topic = TopicName::new(&topic).map_err(|error| Refusal::parameter(error.to_string()))?;
    if topic.is_system() && !topic.as_str().starts_with(DEAD_LETTERS) {
        let text = format!("{topic} is the broker's own");
        return Err(Refusal::new(OmsStatus::Forbidden, text));
    }
    Ok(topic)
}

/// A topic that may be written to.
pub(crate) fn destination(namespace: Option<&str>, name: &str) -> Result<TopicName, Refusal> {
    let topic = source(namespace, name)?;
    if topic.is_system() {
        let text = format!("{topic} is the broker's own");
        return Err(Refusal::new(OmsStatus::Forbidden, text));
    }
    Ok(topic)
}

/// A consumer: a group.
pub(crate) fn consumer(namespace: Option<&str>, name: &str) -> Result<GroupName, Refusal> {
    let group = full(namespace, name)?;
    GroupName::new(&group).map_err(|error| Refusal::parameter(error.to_string()))
}

/// Who produces half messages; without a name, all who have none.
pub(crate) fn producer(namespace: Option<&str>, name: Option<&str>) -> Result<GroupName, Refusal> {
    consumer(namespace, name.unwrap_or(PRODUCER))
}

/// The namespace of a topic, if it is in one.
pub(crate) fn namespace_of(topic: &TopicName) -> Option<&str> {
    topic
        .as_str()
        .split_once(SEPARATOR)
        .map(|(namespace, _)| namespace)
}

/// Where a group's dead letters go.
pub(crate) fn dead_letters(group: &GroupName) -> Option<TopicName> {
    TopicName::new(&format!("{DEAD_LETTERS}{group}")).ok()
}

/// A name as a request of the namespace says it; `None` when it is of another.
pub(crate) fn within<'a>(namespace: Option<&str>, name: &'a str) -> Option<&'a str> {
    match namespace {
        None | Some("") => (!name.contains(SEPARATOR)).then_some(name),
        Some(namespace) => name.strip_prefix(namespace)?.strip_prefix(SEPARATOR),
    }
}
