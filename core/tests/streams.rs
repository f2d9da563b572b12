//! Streams of AMQP's: which topic one is, and what goes with what.
#![allow(clippy::unwrap_used, reason = "tests")]

mod files;
mod host;

use bytes::Bytes;
use gantry_core::model::{KeptFor, Message, QueueId, StreamTopic, Timestamp, TopicName, TopicSpec};
use gantry_core::routing::{Arguments, ExchangeKind, ExchangeSpec, Value};
use gantry_core::vhosts::{DeleteOnly, Home, QueueSpec, WorkQueue};
use gantry_core::{Durability, Payload, ProduceItem};
use host::{Bare, Host};
use std::sync::Arc;

impl Host {
    fn stream(&self, name: &str, arguments: &[(&str, Value)]) -> Arc<WorkQueue> {
        let kind = ("x-queue-type", Value::Text(Bytes::from_static(b"stream")));
        let arguments: Arguments = [kind].iter().chain(arguments).cloned().collect();
        let spec = QueueSpec {
            is_durable: true,
            arguments,
            ..QueueSpec::default()
        };
        let declared = self.client.declare_queue(&self.host, name, spec, None);
        declared.unwrap().0
    }

    fn delete(&self, name: &str) -> u64 {
        let only = DeleteOnly::default();
        let deleted = self.client.delete_queue(&self.host, name, None, only);
        deleted.unwrap()
    }

    fn topic(&self, name: &str, spec: TopicSpec) {
        let name = TopicName::new(name).unwrap();
        self.client.create_topic(&name, spec).unwrap();
    }

    fn produce(&self, topic: &str, count: usize) {
        let topic = self.client.topic(topic).unwrap();
        let item = |_| ProduceItem {
            topic: Arc::clone(&topic),
            queue: QueueId::new(0),
            payload: Payload::Message(Message::new(
                Bytes::from_static(b"m"),
                Timestamp::from_millis(1),
            )),
            also: Vec::new(),
        };
        let items = (0..count).map(item).collect();
        let produced = self.client.produce(items, Durability::Appended);
        assert!(produced.iter().all(Result::is_ok));
    }

    fn ready(&self, stream: &WorkQueue) -> u64 {
        self.client.queue_counts(stream).unwrap().ready
    }
}

fn text(text: &'static str) -> Value {
    Value::Text(Bytes::from_static(text.as_bytes()))
}

#[test]
fn a_topic_made_for_a_stream_keeps_what_the_stream_says_and_goes_with_it() {
    let host = Host::new();
    let stream = host.stream("s", &[]);
    assert_eq!(stream.topic().name().as_str(), "s");
    let rules = stream.topic().rules();
    assert_eq!(rules.stream, Some(StreamTopic::Own));
    assert_eq!(
        (rules.kept_for, rules.queue_bytes_max),
        (Some(KeptFor::Ever), None)
    );
    let limited = [
        ("x-max-age", text("2h")),
        ("x-max-length-bytes", Value::Integer(5_000)),
    ];
    let limited = host.stream("limited", &limited);
    let rules = limited.topic().rules();
    assert_eq!(rules.kept_for, Some(KeptFor::Millis(7_200_000)));
    assert_eq!(rules.queue_bytes_max, Some(5_000));
    host.produce("s", 3);
    assert_eq!(host.ready(&stream), 3);

    let next = host.after_kill();
    let stream = next.stream("s", &[]);
    assert_eq!(next.ready(&stream), 3);
    assert_eq!(next.delete("s"), 3);
    assert!(next.client.topic("s").is_none());
    assert!(next.after_kill().host.queue("s").is_none());
}

#[test]
fn a_topic_that_is_there_stays_and_keeps_its_settings() {
    let host = Host::new();
    let mut spec = TopicSpec::with_queues(1);
    let setting = ("retention.ms".to_owned(), "7700000".to_owned());
    spec.attributes.extend([setting]);
    host.topic("t", spec.clone());
    host.produce("t", 2);
    let stream = host.stream("t", &[("x-max-length-bytes", Value::Integer(9_000_000))]);
    assert_eq!(host.ready(&stream), 2);
    let rules = stream.topic().rules();
    assert_eq!(rules.stream, Some(StreamTopic::View));
    assert_eq!(rules.kept_for, Some(KeptFor::Millis(7_700_000)));
    assert_eq!(rules.queue_bytes_max, Some(9_000_000));
    // It is an exchange of its name as before.
    assert!(host.client.find_exchange(&host.host, "t").is_some());

    let next = host.after_kill();
    assert_eq!(next.delete("t"), 2);
    let topic = next.client.topic("t").unwrap();
    assert_eq!(topic.rules().stream, None);
    assert_eq!(next.ready(&next.stream("t", &[])), 2);
}

#[test]
fn a_topic_of_several_queues_is_not_a_stream_and_neither_is_an_exchanges() {
    let host = Host::new();
    host.topic("wide", TopicSpec::with_queues(2));
    let name = TopicName::new("published").unwrap();
    host.client.exchange_topic(&name).unwrap();
    for name in ["wide", "published"] {
        let stream = host.stream(name, &[]);
        assert_ne!(stream.topic().name().as_str(), name);
        host.produce(stream.topic().name().as_str(), 1);
        assert_eq!(host.ready(&stream), 1);
    }
    let next = host.after_kill();
    for name in ["wide", "published"] {
        let own = next.host.queue(name).unwrap().topic().name().clone();
        next.delete(name);
        assert!(next.client.topic(name).is_some());
        assert!(next.client.topic(own.as_str()).is_none());
    }
}

#[test]
fn a_stream_goes_with_its_topic_and_not_with_a_later_one() {
    let host = Host::new();
    let name = TopicName::new("s").unwrap();
    host.stream("s", &[]);
    host.client.delete_topic(&name).unwrap();
    assert!(host.host.queue("s").is_none());
    host.topic("s", TopicSpec::with_queues(1));
    let next = host.after_kill();
    assert!(next.host.queue("s").is_none());
    assert!(next.client.topic("s").is_some());
}

#[test]
fn an_exchange_of_a_streams_name_shares_a_topic_that_was_there_only() {
    let host = Host::new();
    host.topic("there", TopicSpec::with_queues(1));
    for (name, has_home) in [("there", true), ("made", false)] {
        host.stream(name, &[]);
        let spec = ExchangeSpec::durable(ExchangeKind::Direct);
        let declared = host.client.declare_exchange(&host.host, name, spec);
        declared.unwrap();
        let route = host.host.route(name, &["k"], &Bare).unwrap();
        assert_eq!(matches!(route.home, Home::Topic(_)), has_home, "{name}");
        assert!(route.queues.is_empty());
    }
}

#[test]
fn what_a_crash_left_of_a_deletion_is_no_stream_and_no_topic() {
    let host = Host::new();
    let stream = host.stream("s", &[]);
    let attributes = stream.topic().spec().attributes.clone();
    host.delete("s");
    // Its queue was not written down yet, or not any more.
    let spec = TopicSpec {
        attributes,
        ..TopicSpec::with_queues(1)
    };
    host.topic("s", spec);
    host.produce("s", 1);
    assert!(host.after_kill().client.topic("s").is_none());
    let anew = host.stream("s", &[]);
    assert_eq!(host.ready(&anew), 0);
}
