//! DescribeConfigs.

use super::topic::{Kind, TOPIC_SETTINGS, TopicSetting};
use crate::context::RequestContext;
use crate::error::{self, NONE};
use crate::handlers::metadata::text;
use crate::handlers::visible;
use gantry_core::Error;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

/// A resource that is a topic.
pub(super) const TOPIC: i8 = 2;
/// A resource that is a broker.
pub(super) const BROKER: i8 = 4;

/// Where a value comes from: set on the topic.
pub(crate) const SOURCE_TOPIC: i8 = 1;
/// Where a value comes from: the broker's configuration file.
const SOURCE_BROKER: i8 = 4;
/// Where a value comes from: nobody has set it.
pub(crate) const SOURCE_DEFAULT: i8 = 5;

/// Why a resource is not described, or not altered.
pub(super) struct Refusal(pub(super) ResponseError, pub(super) String);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error::response_error(&error), error.to_string())
    }
}

/// Describes the settings of topics and of this broker.
pub(crate) fn describe(
    context: &RequestContext,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let with_synonyms = request.include_synonyms;
    let resources = request.resources.into_iter();
    let results = resources
        .map(|resource| described(context, resource, with_synonyms))
        .collect();
    DescribeConfigsResponse::default().with_results(results)
}

fn described(
    context: &RequestContext,
    resource: DescribeConfigsResource,
    with_synonyms: bool,
) -> DescribeConfigsResult {
    let result = DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone());
    let settings = match resource.resource_type {
        TOPIC => topic_settings(context, &resource.resource_name, with_synonyms),
        BROKER => broker_settings(context, &resource.resource_name, with_synonyms),
        other => Err(Refusal(
            ResponseError::InvalidRequest,
            format!("Unsupported resource type: {other}"),
        )),
    };
    match settings {
        Ok(settings) => {
            let asked = resource.configuration_keys;
            let is_asked = |setting: &DescribeConfigsResourceResult| match &asked {
                Some(names) => names.contains(&setting.name),
                None => true,
            };
            result
                .with_error_code(NONE)
                .with_error_message(Some(StrBytes::new()))
                .with_configs(settings.into_iter().filter(is_asked).collect())
        }
        Err(Refusal(error, message)) => result
            .with_error_code(error.code())
            .with_error_message(Some(StrBytes::from_string(message))),
    }
}

fn topic_settings(
    context: &RequestContext,
    name: &str,
    with_synonyms: bool,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    if !visible::is_legal_name(name) {
        return Err(Refusal(
            ResponseError::InvalidTopicException,
            String::from("the name is not legal"),
        ));
    }
    let topic = visible::by_name(&context.client, name).ok_or_else(|| {
        Refusal(
            ResponseError::UnknownTopicOrPartition,
            format!("topic {name} does not exist"),
        )
    })?;
    let spec = topic.spec();
    let described = |setting: &TopicSetting| {
        let (value, source) = topic_value(context, &spec.attributes, setting);
        result(setting.name, &value, source, setting.kind, with_synonyms)
    };
    Ok(TOPIC_SETTINGS.iter().map(described).collect())
}

/// A topic setting's value and where it comes from.
pub(crate) fn topic_value(
    context: &RequestContext,
    attributes: &BTreeMap<String, String>,
    setting: &TopicSetting,
) -> (String, i8) {
    if let Some(value) = attributes.get(setting.name) {
        return (value.clone(), SOURCE_TOPIC);
    }
    let of_broker = match setting.name {
        "max.message.bytes" => context.server.config.batch_bytes_max.to_string(),
        "retention.ms" => match context.client.retention_ms() {
            0 => "-1".to_owned(),
            millis => millis.to_string(),
        },
        _ => setting.default.to_owned(),
    };
    if of_broker == setting.default {
        (of_broker, SOURCE_DEFAULT)
    } else {
        (of_broker, SOURCE_BROKER)
    }
}

fn broker_settings(
    context: &RequestContext,
    name: &str,
    with_synonyms: bool,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let config = &context.server.config;
    let is_own = name.parse::<i32>().is_ok_and(|id| id == config.node_id);
    if !name.is_empty() && !is_own {
        return Err(Refusal(
            ResponseError::InvalidRequest,
            format!(
                "Unexpected broker id, expected {} but received {name}",
                config.node_id
            ),
        ));
    }
    if name.is_empty() {
        return Ok(Vec::new()); // the cluster-wide defaults: none can be set
    }
    let row = |(name, value, kind, source): BrokerSetting| {
        result(name, &value, source, kind, with_synonyms).with_read_only(true)
    };
    Ok(broker_values(context).into_iter().map(row).collect())
}

/// A broker setting's name, value, type and where it comes from.
type BrokerSetting = (&'static str, String, Kind, i8);

/// What tools look at, under Kafka's names.
fn broker_values(context: &RequestContext) -> [BrokerSetting; 16] {
    let config = &context.server.config;
    let listener = format!(
        "PLAINTEXT://{}:{}",
        config.advertised_host, config.advertised_port
    );
    let set = |name, value: String, kind| (name, value, kind, SOURCE_BROKER);
    let fixed = |name, value: &str, kind| (name, value.to_owned(), kind, SOURCE_DEFAULT);
    let auto_create = context.client.auto_create_topics().to_string();
    let (batch, fetch) = (config.batch_bytes_max, config.fetch_bytes_max);
    let partitions = config.default_partitions;
    [
        set("advertised.listeners", listener, Kind::String),
        set("auto.create.topics.enable", auto_create, Kind::Boolean),
        set("fetch.max.bytes", fetch.to_string(), Kind::Int),
        set("message.max.bytes", batch.to_string(), Kind::Int),
        set("node.id", config.node_id.to_string(), Kind::Int),
        set("num.partitions", partitions.to_string(), Kind::Int),
        set(
            "socket.request.max.bytes",
            config.request_bytes_max.to_string(),
            Kind::Int,
        ),
        set("broker.id", config.node_id.to_string(), Kind::Int),
        fixed("compression.type", "producer", Kind::String),
        fixed("default.replication.factor", "1", Kind::Int),
        fixed("delete.topic.enable", "true", Kind::Boolean),
        fixed("log.cleanup.policy", "delete", Kind::List),
        fixed("log.message.timestamp.type", "CreateTime", Kind::String),
        fixed("min.insync.replicas", "1", Kind::Int),
        fixed("offsets.topic.replication.factor", "1", Kind::Int),
        fixed("unclean.leader.election.enable", "false", Kind::Boolean),
    ]
}

fn result(
    name: &str,
    value: &str,
    source: i8,
    kind: Kind,
    with_synonyms: bool,
) -> DescribeConfigsResourceResult {
    let synonym = || {
        DescribeConfigsSynonym::default()
            .with_name(text(name))
            .with_value(Some(text(value)))
            .with_source(source)
    };
    DescribeConfigsResourceResult::default()
        .with_name(text(name))
        .with_value(Some(text(value)))
        .with_config_source(source)
        .with_synonyms(with_synonyms.then(synonym).into_iter().collect())
        .with_config_type(kind as i8)
}
