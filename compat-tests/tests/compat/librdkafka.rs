//! The `rdkafka` crate: a client under test, and the eyes of tests about something else.

use compat_tests::lines::Message;
use compat_tests::process::{PATIENCE, now};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message as _, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::time::Duration;

const TICK: Duration = Duration::from_millis(200);

pub fn configuration(bootstrap: &str, settings: &[(&str, &str)]) -> ClientConfig {
    let mut configuration = ClientConfig::new();
    configuration.set("bootstrap.servers", bootstrap);
    for (name, value) in settings {
        configuration.set(*name, *value);
    }
    configuration
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// Creates `topic`.
pub fn create_topic(bootstrap: &str, topic: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> = configuration(bootstrap, &[]).create().unwrap();
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let created = runtime().block_on(admin.create_topics([&new], &AdminOptions::new()));
    assert_eq!(created.unwrap(), [Ok(topic.to_owned())]);
}

/// Sends `messages` and gives the place of each.
pub fn produce(
    bootstrap: &str,
    topic: &str,
    messages: &[Message],
    settings: &[(&str, &str)],
) -> Vec<(i32, i64)> {
    let producer: FutureProducer = configuration(bootstrap, settings).create().unwrap();
    send(&producer, topic, messages)
}

/// Sends `messages` and gives the place of each.
pub fn send(producer: &FutureProducer, topic: &str, messages: &[Message]) -> Vec<(i32, i64)> {
    runtime().block_on(async {
        let mut sent = Vec::new();
        for message in messages {
            let headers = message
                .headers
                .iter()
                .fold(OwnedHeaders::new(), |all, (key, value)| {
                    all.insert(Header {
                        key,
                        value: value.as_ref(),
                    })
                });
            let record: FutureRecord<'_, [u8], [u8]> = FutureRecord {
                topic,
                partition: message.partition,
                payload: message.value.as_deref(),
                key: message.key.as_deref(),
                timestamp: message.timestamp,
                headers: Some(headers),
            };
            sent.push(
                producer
                    .send_result(record)
                    .map_err(|(error, _)| error)
                    .unwrap(),
            );
        }
        let mut places = Vec::new();
        for delivery in sent {
            let delivery = delivery.await.unwrap().map_err(|(error, _)| error).unwrap();
            places.push((delivery.partition, delivery.offset));
        }
        places
    })
}

/// Reads every partition of `topics` from its start to its end of now, in order of arrival.
pub fn read_all(bootstrap: &str, topics: &[&str]) -> Vec<OwnedMessage> {
    let settings = [("group.id", "unused"), ("enable.auto.commit", "false")];
    let consumer: BaseConsumer = configuration(bootstrap, &settings).create().unwrap();
    let timeout = Timeout::After(PATIENCE);
    let mut assignment = TopicPartitionList::new();
    let mut ends = HashMap::new();
    for &topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), timeout).unwrap();
        for partition in metadata.topics()[0].partitions() {
            let (low, high) = consumer
                .fetch_watermarks(topic, partition.id(), timeout)
                .unwrap();
            if low < high {
                let place = (topic.to_owned(), partition.id());
                assignment
                    .add_partition_offset(topic, place.1, Offset::Beginning)
                    .unwrap();
                ends.insert(place, high);
            }
        }
    }
    consumer.assign(&assignment).unwrap();
    let mut records = Vec::new();
    let deadline = now() + PATIENCE;
    while !ends.is_empty() {
        assert!(now() < deadline, "not read in time: {ends:?}");
        let Some(record) = consumer.poll(TICK) else {
            continue;
        };
        let record = record.unwrap().detach();
        let place = (record.topic().to_owned(), record.partition());
        if ends
            .get(&place)
            .is_some_and(|end| record.offset() + 1 >= *end)
        {
            ends.remove(&place);
        }
        records.push(record);
    }
    records
}

/// The values in a topic, in order of arrival.
pub fn values(bootstrap: &str, topic: &str) -> Vec<String> {
    let records = read_all(bootstrap, &[topic]);
    let values = records.iter().filter_map(|record| record.payload());
    values
        .map(|value| String::from_utf8(value.to_vec()).unwrap())
        .collect()
}

/// The names of all topics there are, in order.
pub fn topics(bootstrap: &str) -> Vec<String> {
    let consumer: BaseConsumer = configuration(bootstrap, &[]).create().unwrap();
    let metadata = consumer.fetch_metadata(None, Timeout::After(PATIENCE));
    let metadata = metadata.unwrap();
    let topics = metadata.topics().iter();
    let mut names: Vec<String> = topics.map(|topic| topic.name().to_owned()).collect();
    names.sort();
    names
}

/// A member of `group` that reads `count` records of `topic` and commits behind the last.
pub fn consume(bootstrap: &str, topic: &str, group: &str, count: usize) -> Vec<OwnedMessage> {
    let settings = [
        ("group.id", group),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "earliest"),
    ];
    let consumer: BaseConsumer = configuration(bootstrap, &settings).create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let mut records = Vec::new();
    let deadline = now() + PATIENCE;
    while records.len() < count {
        assert!(
            now() < deadline,
            "{} of {count} read in time",
            records.len()
        );
        if let Some(record) = consumer.poll(TICK) {
            let record = record.unwrap();
            consumer.store_offset_from_message(&record).unwrap();
            records.push(record.detach());
        }
    }
    consumer
        .commit_consumer_state(rdkafka::consumer::CommitMode::Sync)
        .unwrap();
    records
}

/// A record in the form it was sent in.
pub fn as_message(record: &OwnedMessage) -> Message {
    let headers = record.headers().into_iter().flat_map(Headers::iter);
    Message {
        partition: Some(record.partition()),
        timestamp: record.timestamp().to_millis(),
        key: record.key().map(<[u8]>::to_vec),
        value: record.payload().map(<[u8]>::to_vec),
        headers: headers
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect(),
    }
}

/// Commits `offset` for a group without members.
pub fn commit(bootstrap: &str, group: &str, topic: &str, partition: i32, offset: i64) {
    let settings = [("group.id", group), ("enable.auto.commit", "false")];
    let consumer: BaseConsumer = configuration(bootstrap, &settings).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset(topic, partition, Offset::Offset(offset))
        .unwrap();
    consumer
        .commit(&offsets, rdkafka::consumer::CommitMode::Sync)
        .unwrap();
}
