//! The topic and queue of a send, the topic created where RocketMQ would create it.

use crate::error::Refusal;
use crate::names;
use crate::role::BrokerRole;
use gantry_core::model::{QueueId, TopicName, TopicSpec};
use gantry_core::{Error, Topic};
use gantry_remoting_protocol::ResponseCode;
use gantry_remoting_protocol::header::SendRequest;
use std::sync::Arc;

/// Queues of the template that bears the cluster's name.
pub(crate) const CLUSTER_TEMPLATE_QUEUES: u32 = 16;
/// Queues of the template that bears the broker's name.
pub(crate) const BROKER_TEMPLATE_QUEUES: u32 = 1;

/// The topic a send names; created after its default topic when it is missing.
pub(super) fn topic_of(role: &BrokerRole, send: &SendRequest<'_>) -> Result<Arc<Topic>, Refusal> {
    if !role.permission().is_writable() {
        let ip = role.config.advertised_address.ip();
        let remark = format!("the broker[{ip}] sending message is forbidden");
        return Err(Refusal::new(ResponseCode::NoPermission, remark));
    }
    if names::is_closed_topic(send.topic) {
        let remark = format!("Sending message to topic[{}] is forbidden.", send.topic);
        return Err(Refusal::new(ResponseCode::NoPermission, remark));
    }
    if let Some(topic) = role.client.topic(send.topic) {
        return Ok(topic);
    }
    let illegal = |remark| Refusal::new(ResponseCode::InvalidParameter, remark);
    names::check_new_topic(send.topic).map_err(illegal)?;
    let name = TopicName::new(send.topic).map_err(|error| illegal(error.to_string()))?;
    if send.topic.starts_with(names::RETRY_PREFIX) {
        return ensure_topic(role, &name, TopicSpec::with_queues(1));
    }
    let Some(queues) = template_queues(role, send) else {
        return Err(Refusal::topic_not_found(send.topic));
    };
    Ok(role.client.topic_or_create(&name, Some(queues))?)
}

/// The topic, created with `spec` when it is missing, whether or not sends create topics.
pub(super) fn ensure_topic(
    role: &BrokerRole,
    name: &TopicName,
    spec: TopicSpec,
) -> Result<Arc<Topic>, Refusal> {
    if let Some(topic) = role.client.topic(name.as_str()) {
        return Ok(topic);
    }
    match role.client.create_topic(name, spec) {
        Ok(topic) => Ok(topic),
        // Another connection was faster.
        Err(Error::AlreadyExists(_)) => role
            .client
            .topic(name.as_str())
            .ok_or_else(|| Refusal::topic_not_found(name.as_str())),
        Err(error) => Err(error.into()),
    }
}

/// How many queues the default topic gives a new one: what the producer asks for, at most what
/// the template has. `None` when it is no template.
fn template_queues(role: &BrokerRole, send: &SendRequest<'_>) -> Option<u32> {
    if send.topic == names::TRACE_TOPIC {
        return Some(names::TRACE_QUEUES);
    }
    let template = match send.default_topic {
        names::DEFAULT_TOPIC => role.config.auto_create_queues,
        name if name == role.config.cluster_name => CLUSTER_TEMPLATE_QUEUES,
        name if name == role.config.broker_name => BROKER_TEMPLATE_QUEUES,
        _ => return None,
    };
    let asked = u32::try_from(send.default_topic_queues).unwrap_or(0);
    Some(asked.min(template).max(1))
}

/// The queue a send names; any of the topic's write queues for a negative number.
pub(super) fn queue_of(
    role: &BrokerRole,
    topic: &Topic,
    send: &SendRequest<'_>,
) -> Result<QueueId, Refusal> {
    let Some(queue) = QueueId::from_wire(send.queue_id) else {
        return Ok(QueueId::new(role.any_queue(topic.spec().write_queues)));
    };
    if queue.get() < topic.queue_count() {
        return Ok(queue);
    }
    let remark = format!(
        "request queueId[{queue}] is illegal, topic[{}] has {} queues",
        send.topic,
        topic.queue_count()
    );
    Err(Refusal::new(ResponseCode::InvalidParameter, remark))
}
