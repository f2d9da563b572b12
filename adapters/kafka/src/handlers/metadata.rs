//! Metadata: the one broker, and the topics with their partitions.

use super::visible;
use crate::context::RequestContext;
use crate::error::{self, NONE};
use gantry_core::Topic;
use gantry_core::model::TopicName;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse};
use kafka_protocol::protocol::StrBytes;
use std::sync::Arc;
use uuid::Uuid;

/// What stands for "not asked for" among authorized operations.
pub(crate) const OPERATIONS_UNKNOWN: i32 = i32::MIN;
/// A bit for each ACL operation on a topic: read, write, create, delete, alter, describe,
/// describe and alter configs.
const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;
/// A bit for each ACL operation on the cluster: create, alter, describe, cluster action, describe
/// and alter configs, idempotent write.
pub(crate) const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;

/// Lists what was asked for; names that are unknown may be created.
pub(crate) fn answer(context: &RequestContext, request: MetadataRequest) -> MetadataResponse {
    let config = &context.server.config;
    let with_operations = request.include_topic_authorized_operations;
    let all = match &request.topics {
        None => true,
        Some(topics) => context.version == 0 && topics.is_empty(),
    };
    let topics = if all {
        visible_topics(context, with_operations)
    } else {
        let may_create = request.allow_auto_topic_creation;
        let asked = request.topics.unwrap_or_default().into_iter();
        asked
            .map(|asked| asked_topic(context, asked, may_create, with_operations))
            .collect()
    };
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(config.node_id))
        .with_host(text(&config.advertised_host))
        .with_port(i32::from(config.advertised_port))
        .with_rack(config.rack.as_deref().map(text));
    let cluster_operations = if request.include_cluster_authorized_operations {
        CLUSTER_OPERATIONS
    } else {
        OPERATIONS_UNKNOWN
    };
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(text(&context.server.cluster_id)))
        .with_controller_id(BrokerId(config.node_id))
        .with_topics(topics)
        .with_cluster_authorized_operations(cluster_operations)
}

fn visible_topics(context: &RequestContext, with_operations: bool) -> Vec<MetadataResponseTopic> {
    let topics = context.client.topics();
    let visible = topics.iter().filter(|topic| visible::is_visible(topic));
    visible
        .map(|topic| described(context, topic, with_operations))
        .collect()
}

fn asked_topic(
    context: &RequestContext,
    asked: MetadataRequestTopic,
    may_create: bool,
    with_operations: bool,
) -> MetadataResponseTopic {
    let found = match &asked.name {
        Some(name) => named_topic(context, name, may_create),
        None => visible::by_id(&context.client, asked.topic_id.into_bytes())
            .ok_or(ResponseError::UnknownTopicId.code()),
    };
    match found {
        Ok(topic) => described(context, &topic, with_operations),
        Err(code) => MetadataResponseTopic::default()
            .with_error_code(code)
            .with_name(asked.name.or_else(|| unnamed(context.version)))
            .with_topic_id(asked.topic_id)
            .with_topic_authorized_operations(OPERATIONS_UNKNOWN),
    }
}

/// What stands for the name of a topic that was asked for by an unknown id: null from version 12.
fn unnamed(version: i16) -> Option<kafka_protocol::messages::TopicName> {
    (version < 12).then(kafka_protocol::messages::TopicName::default)
}

fn named_topic(context: &RequestContext, name: &str, may_create: bool) -> Result<Arc<Topic>, i16> {
    if !visible::is_legal_name(name) {
        return Err(ResponseError::InvalidTopicException.code());
    }
    if let Some(topic) = visible::by_name(&context.client, name) {
        return Ok(topic);
    }
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    let Ok(name) = TopicName::new(name) else {
        return Err(ResponseError::InvalidTopicException.code());
    };
    if !may_create || name.is_system() || !context.client.auto_create_topics() {
        return Err(unknown);
    }
    let partitions = context.server.config.default_partitions;
    context
        .client
        .topic_or_create(&name, Some(partitions))
        .map_err(|error| error::code(&error))
}

fn described(
    context: &RequestContext,
    topic: &Topic,
    with_operations: bool,
) -> MetadataResponseTopic {
    let node = BrokerId(context.server.config.node_id);
    let count = i32::try_from(topic.queue_count()).unwrap_or(i32::MAX);
    let partition = |index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(node)
            .with_leader_epoch(0)
            .with_replica_nodes(vec![node])
            .with_isr_nodes(vec![node])
    };
    let operations = if with_operations {
        TOPIC_OPERATIONS
    } else {
        OPERATIONS_UNKNOWN
    };
    MetadataResponseTopic::default()
        .with_error_code(NONE)
        .with_name(Some(text(topic.name().as_str()).into()))
        .with_topic_id(Uuid::from_bytes(topic.uuid()))
        .with_partitions((0..count).map(partition).collect())
        .with_topic_authorized_operations(operations)
}

/// A copy of `text` as the crate's text.
pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
