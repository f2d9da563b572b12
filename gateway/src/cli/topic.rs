//! `gantry topic`: what topics there are, and new ones.

use super::wire::{Broker, Connection, check, topic_name};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, DescribeConfigsRequest, ListOffsetsRequest,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use std::io::{Write, stdout};

const CREATE_TOPICS_VERSION: i16 = 5;
const DESCRIBE_CONFIGS_VERSION: i16 = 4;
const LIST_OFFSETS_VERSION: i16 = 6;
const CREATE_TIMEOUT_MS: i32 = 30_000;
/// `ConfigResource.Type.TOPIC`.
const TOPIC_RESOURCE: i8 = 2;
/// `ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG`: said of this topic, not a default.
const SET_ON_TOPIC: i8 = 1;
/// The timestamps that stand for a partition's first and next offset.
pub(crate) const EARLIEST: i64 = -2;
pub(crate) const LATEST: i64 = -1;

/// List, create and describe topics.
#[derive(Debug, Args)]
pub(crate) struct Topic {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print every topic and the number of its queues.
    List {
        #[command(flatten)]
        broker: Broker,
    },
    /// Create a topic.
    Create {
        /// The topic's name.
        name: String,
        /// Its queues (Kafka's partitions) [default: the broker's].
        #[arg(long, value_name = "COUNT")]
        partitions: Option<i32>,
        /// A setting of the topic, such as message.timestamp.type=LogAppendTime.
        #[arg(long = "config", value_name = "NAME=VALUE", value_parser = super::pair)]
        configs: Vec<(String, String)>,
        #[command(flatten)]
        broker: Broker,
    },
    /// Print a topic's queues with their offsets, and what is set on it.
    Describe {
        /// The topic's name.
        name: String,
        #[command(flatten)]
        broker: Broker,
    },
}

impl Topic {
    pub(crate) fn run(self) -> Result<()> {
        match self.verb {
            Verb::List { broker } => list(&broker),
            Verb::Create {
                name,
                partitions,
                configs,
                broker,
            } => create(&broker, &name, partitions, configs)
                .with_context(|| format!("creating {name}")),
            Verb::Describe { name, broker } => {
                describe(&broker, &name).with_context(|| format!("describing {name}"))
            }
        }
    }
}

fn list(broker: &Broker) -> Result<()> {
    let topics = broker.connect()?.topics()?;
    let rows: BTreeMap<_, _> = topics
        .iter()
        .filter_map(|topic| Some((topic.name.as_ref()?.as_str(), topic.partitions.len())))
        .collect();
    let mut out = stdout().lock();
    for (name, partitions) in rows {
        writeln!(out, "{name}\t{partitions}")?;
    }
    Ok(())
}

fn create(
    broker: &Broker,
    name: &str,
    partitions: Option<i32>,
    configs: Vec<(String, String)>,
) -> Result<()> {
    let config = |(name, value)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_string(name))
            .with_value(Some(StrBytes::from_string(value)))
    };
    let topic = CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(partitions.unwrap_or(-1))
        .with_replication_factor(-1)
        .with_configs(configs.into_iter().map(config).collect());
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(CREATE_TIMEOUT_MS);
    let answer = broker.connect()?.call(CREATE_TOPICS_VERSION, &request)?;
    for topic in answer.topics {
        check(topic.error_code, topic.error_message.as_ref())?;
    }
    Ok(())
}

fn describe(broker: &Broker, name: &str) -> Result<()> {
    let mut connection = broker.connect()?;
    let partitions = connection.partitions(name, false)?;
    let first = offsets(&mut connection, name, &partitions, EARLIEST)?;
    let next = offsets(&mut connection, name, &partitions, LATEST)?;
    let mut out = stdout().lock();
    writeln!(out, "queue\tfirst offset\tnext offset")?;
    for partition in &partitions {
        let (first, next) = (first.get(partition), next.get(partition));
        let (first, next) = (first.copied().unwrap_or(-1), next.copied().unwrap_or(-1));
        writeln!(out, "{partition}\t{first}\t{next}")?;
    }
    for (name, value) in settings(&mut connection, name)? {
        writeln!(out, "{name}={value}")?;
    }
    Ok(())
}

/// The offset of each partition that `timestamp` stands for.
pub(crate) fn offsets(
    connection: &mut Connection,
    topic: &str,
    partitions: &[i32],
    timestamp: i64,
) -> Result<BTreeMap<i32, i64>> {
    let partition = |&number: &i32| {
        ListOffsetsPartition::default()
            .with_partition_index(number)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp)
    };
    let topic = ListOffsetsTopic::default()
        .with_name(topic_name(topic))
        .with_partitions(partitions.iter().map(partition).collect());
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(vec![topic]);
    let answer = connection.call(LIST_OFFSETS_VERSION, &request)?;
    let mut offsets = BTreeMap::new();
    for partition in answer.topics.iter().flat_map(|topic| &topic.partitions) {
        check(partition.error_code, None)?;
        offsets.insert(partition.partition_index, partition.offset);
    }
    Ok(offsets)
}

fn settings(connection: &mut Connection, topic: &str) -> Result<BTreeMap<String, String>> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC_RESOURCE)
        .with_resource_name(StrBytes::from_string(topic.to_owned()))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let answer = connection.call(DESCRIBE_CONFIGS_VERSION, &request)?;
    let mut settings = BTreeMap::new();
    for result in answer.results {
        check(result.error_code, result.error_message.as_ref())?;
        let configs = result.configs.into_iter();
        for setting in configs.filter(|setting| setting.config_source == SET_ON_TOPIC) {
            let value = setting.value.as_deref().unwrap_or_default();
            settings.insert(setting.name.to_string(), value.to_owned());
        }
    }
    Ok(settings)
}
