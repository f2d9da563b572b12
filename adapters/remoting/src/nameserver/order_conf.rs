//! Order configurations of topics, `broker-a:8;broker-b:8`: 100, 101, 102 and 219.
//!
//! To RocketMQ they are a key-value table beside the topics. Here each is an attribute of its
//! topic, so that it is as durable as the topic and gone with it. Other tables are not kept.

use super::{NameServer, with_body};
use crate::error::Refusal;
use crate::names;
use crate::reply::Frame;
use gantry_core::Error;
use gantry_core::model::{TopicName, TopicSpec};
use gantry_remoting_protocol::body::{self, KvTable, Style};
use gantry_remoting_protocol::header::{KvEntry, KvKey, KvNamespace, KvValue};
use gantry_remoting_protocol::{Answer, Command, ResponseCode};

/// The one table stock tools use.
const NAMESPACE: &str = "ORDER_TOPIC_CONFIG";
/// The topic's attribute.
const ATTRIBUTE: &str = "rocketmq.order.conf";
/// Longest value in bytes: some hundred brokers.
const VALUE_BYTES_MAX: usize = 8192;

/// A topic's order configuration.
pub(super) fn of(spec: &TopicSpec) -> Option<&str> {
    spec.attributes.get(ATTRIBUTE).map(String::as_str)
}

/// 100.
pub(super) fn put(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: KvEntry<'_> = command.header()?;
    if request.namespace != NAMESPACE {
        let remark = format!("the only namespace kept is {NAMESPACE}");
        return Err(Refusal::new(ResponseCode::InvalidParameter, remark));
    }
    if request.value.len() > VALUE_BYTES_MAX {
        let remark = format!("the value is longer than {VALUE_BYTES_MAX} bytes");
        return Err(Refusal::new(ResponseCode::InvalidParameter, remark));
    }
    let Some(mut spec) = spec_of(server, request.key) else {
        return Err(Refusal::topic_not_found(request.key));
    };
    let value = request.value.to_owned();
    spec.attributes.insert(ATTRIBUTE.to_owned(), value);
    alter(server, request.key, spec)?;
    Ok(Frame::answer(command.reply_to(), &Answer::OK))
}

/// 101.
pub(super) fn get(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: KvKey<'_> = command.header()?;
    let spec = spec_of(server, request.key).filter(|_| request.namespace == NAMESPACE);
    let Some(value) = spec.as_ref().and_then(of) else {
        let (namespace, key) = (request.namespace, request.key);
        let remark = format!("No config item, Namespace: {namespace} Key: {key}");
        return Err(Refusal::new(ResponseCode::QueryNotFound, remark));
    };
    let header = KvValue { value: Some(value) };
    let answer = Answer::OK.with_fields(&header);
    Ok(Frame::answer(command.reply_to(), &answer))
}

/// 102: what is not there is deleted already.
pub(super) fn delete(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: KvKey<'_> = command.header()?;
    let spec = spec_of(server, request.key).filter(|_| request.namespace == NAMESPACE);
    if let Some(mut spec) = spec
        && spec.attributes.remove(ATTRIBUTE).is_some()
    {
        alter(server, request.key, spec)?;
    }
    Ok(Frame::answer(command.reply_to(), &Answer::OK))
}

/// 219.
pub(super) fn list(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: KvNamespace<'_> = command.header()?;
    let mut all = KvTable::default();
    if request.namespace == NAMESPACE {
        for topic in server.visible_topics() {
            if let Some(value) = of(&topic.spec()) {
                let name = topic.name().to_string();
                all.table.insert(name, value.to_owned());
            }
        }
    }
    if all.table.is_empty() {
        let remark = format!("No config item, Namespace: {}", request.namespace);
        return Err(Refusal::new(ResponseCode::QueryNotFound, remark));
    }
    Ok(with_body(command, body::encode(&all, Style::Fastjson)))
}

fn spec_of(server: &NameServer, topic: &str) -> Option<TopicSpec> {
    if names::is_hidden_topic(topic) {
        return None;
    }
    let topic = server.client.topic(topic)?;
    Some((*topic.spec()).clone())
}

fn alter(server: &NameServer, topic: &str, spec: TopicSpec) -> Result<(), Refusal> {
    // A topic that exists has a legal name.
    let name = TopicName::new(topic).map_err(|error| Error::Invalid(error.to_string()))?;
    server.client.alter_topic(&name, spec)?;
    Ok(())
}
