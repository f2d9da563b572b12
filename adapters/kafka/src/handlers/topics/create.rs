//! CreateTopics.

use super::{Refusal, refuse, repeated};
use crate::context::RequestContext;
use crate::error::NONE;
use crate::handlers::configs::{self, TOPIC_SETTINGS};
use crate::handlers::metadata::text;
use crate::handlers::visible;
use gantry_core::model::{TopicName, TopicSpec};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

/// What a client writes for "as you like".
const UNSET: i32 = -1;

/// A topic that was, or could be, created.
struct Created {
    id: [u8; 16],
    spec: TopicSpec,
}

/// Creates each topic, or with `validate_only` says whether it could be.
pub(crate) fn create(
    context: &RequestContext,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let repeated = repeated(request.topics.iter().map(|topic| &topic.name.0));
    let mut answered = HashSet::new();
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let created = if repeated.contains(&topic.name.0) {
            if !answered.insert(&topic.name.0) {
                continue;
            }
            refuse(ResponseError::InvalidRequest, "Duplicate topic name.")
        } else {
            create_one(context, topic, request.validate_only)
        };
        results.push(result(context, topic, created));
    }
    CreateTopicsResponse::default().with_topics(results)
}

fn create_one(
    context: &RequestContext,
    asked: &CreatableTopic,
    validate_only: bool,
) -> Result<Created, Refusal> {
    let name = legal_name(&asked.name)?;
    if context.client.topic(&asked.name).is_some() {
        return refuse(
            ResponseError::TopicAlreadyExists,
            format!("Topic '{name}' already exists."),
        );
    }
    let mut spec = TopicSpec::with_queues(partitions(context, asked)?);
    for setting in &asked.configs {
        let value = setting.value.as_deref();
        if let Err(message) = configs::check(&setting.name, value) {
            return refuse(ResponseError::InvalidConfig, message);
        }
        let value = value.unwrap_or_default().to_owned();
        spec.attributes.insert(setting.name.to_string(), value);
    }
    if validate_only {
        return Ok(Created { id: [0; 16], spec });
    }
    let topic = context.client.create_topic(&name, spec.clone())?;
    Ok(Created {
        id: topic.uuid(),
        spec,
    })
}

fn legal_name(name: &str) -> Result<TopicName, Refusal> {
    let legal = visible::is_legal_name(name).then(|| TopicName::new(name).ok());
    match legal.flatten().filter(|name| !name.is_system()) {
        Some(name) => Ok(name),
        None => refuse(
            ResponseError::InvalidTopicException,
            "a topic's name is 1 to 249 of a-z A-Z 0-9 . _ - and none of the broker's own",
        ),
    }
}

/// How many partitions are asked for, by number or by a list of who holds each.
fn partitions(context: &RequestContext, asked: &CreatableTopic) -> Result<u32, Refusal> {
    let config = &context.server.config;
    if !asked.assignments.is_empty() {
        return assigned_partitions(context, asked);
    }
    if !matches!(asked.replication_factor, -1 | 1) {
        return refuse(
            ResponseError::InvalidReplicationFactor,
            format!(
                "a replication factor of {} where there is 1 broker",
                asked.replication_factor
            ),
        );
    }
    if asked.num_partitions == UNSET {
        return Ok(config.default_partitions);
    }
    legal_count(context, asked.num_partitions)
}

/// A number of partitions that a topic may have.
pub(super) fn legal_count(context: &RequestContext, count: i32) -> Result<u32, Refusal> {
    let most = context.server.config.partitions_max;
    match u32::try_from(count)
        .ok()
        .filter(|count| (1..=most).contains(count))
    {
        Some(count) => Ok(count),
        None => refuse(
            ResponseError::InvalidPartitions,
            format!("{count} partitions where 1 to {most} are allowed"),
        ),
    }
}

fn assigned_partitions(context: &RequestContext, asked: &CreatableTopic) -> Result<u32, Refusal> {
    let unset = asked.num_partitions == UNSET && asked.replication_factor == -1;
    if !unset {
        return refuse(
            ResponseError::InvalidRequest,
            "with assignments, neither partitions nor replication factor can be given",
        );
    }
    let mut by_index = BTreeMap::new();
    for assignment in &asked.assignments {
        let brokers = assignment.broker_ids.as_slice();
        by_index.insert(assignment.partition_index, brokers);
    }
    let count = i32::try_from(asked.assignments.len()).unwrap_or(i32::MAX);
    let consecutive = by_index.keys().copied().eq(0..count);
    let here = by_index.values().all(|brokers| is_here(context, brokers));
    if !consecutive || !here {
        return refuse(
            ResponseError::InvalidReplicaAssignment,
            "partitions must be numbered from 0 and be assigned to this broker",
        );
    }
    legal_count(context, count)
}

/// Whether `brokers` is this one alone.
pub(super) fn is_here(
    context: &RequestContext,
    brokers: &[kafka_protocol::messages::BrokerId],
) -> bool {
    matches!(brokers, [broker] if broker.0 == context.server.config.node_id)
}

fn result(
    context: &RequestContext,
    asked: &CreatableTopic,
    created: Result<Created, Refusal>,
) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_name(asked.name.clone());
    match created {
        Ok(created) => result
            .with_error_code(NONE)
            .with_topic_id(Uuid::from_bytes(created.id))
            .with_num_partitions(i32::try_from(created.spec.queue_count()).unwrap_or(i32::MAX))
            .with_replication_factor(1)
            .with_configs(Some(settings(context, &created.spec))),
        Err(refusal) => result
            .with_error_code(refusal.error.code())
            .with_error_message(Some(StrBytes::from_string(refusal.message)))
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_configs(Some(Vec::new())),
    }
}

fn settings(context: &RequestContext, spec: &TopicSpec) -> Vec<CreatableTopicConfigs> {
    let setting = |setting| {
        let (value, source) = configs::topic_value(context, &spec.attributes, setting);
        CreatableTopicConfigs::default()
            .with_name(text(setting.name))
            .with_value(Some(text(&value)))
            .with_config_source(source)
    };
    TOPIC_SETTINGS.iter().map(setting).collect()
}
