//! Every stock Kafka client produces, and reads its own records back at their acknowledged
//! offsets with every field as it was.

use crate::librdkafka;
use crate::samples::{assert_records, named, records};
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::{Event, Message};
use compat_tests::process::run;
use std::process::Command;

/// Splits the events of a program that ran several commands behind each `done`.
pub fn by_command(events: Vec<Event>) -> Vec<Vec<Event>> {
    let mut commands = vec![Vec::new()];
    for event in events {
        if event.name() == "done" {
            commands.push(Vec::new());
        } else {
            commands.last_mut().unwrap().push(event);
        }
    }
    commands.pop();
    commands
}

/// Fields no client refuses: neither null values nor null headers nor repeated names.
fn round_trip(
    client: Installed,
    topic: &str,
    command: impl Fn() -> Command,
    produce_settings: &[&str],
) {
    if !ready(&[client]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    librdkafka::create_topic(&bootstrap, topic, 3);
    let target = [format!("bootstrap={bootstrap}"), format!("topic={topic}")];
    let messages = records();

    let mut produce = command();
    produce.arg("produce").args(&target).args(produce_settings);
    let sent = run("produce", produce, &messages).unwrap();
    let mut consume = command();
    consume
        .arg("consume")
        .args(&target)
        .arg(format!("group={topic}-readers"));
    consume.arg(format!("count={}", messages.len()));
    let received = run("consume", consume, &[]).unwrap();
    assert_records(&sent, &messages, &received);
}

#[test]
fn confluent_kafka_python_reads_what_it_wrote() {
    let settings = ["enable.idempotence=true", "compression.type=lz4"];
    round_trip(
        Installed::Python,
        "confluent",
        || clients::python("confluent"),
        &settings,
    );
}

#[test]
fn kafka_python_reads_what_it_wrote() {
    let settings = ["compression.type=gzip"];
    round_trip(
        Installed::Python,
        "python",
        || clients::python("kafka-python"),
        &settings,
    );
}

#[test]
fn franz_go_reads_what_it_wrote() {
    round_trip(
        Installed::Go,
        "franz",
        clients::franz,
        &["compression=zstd"],
    );
}

#[test]
fn kafkajs_reads_what_it_wrote() {
    if !ready(&[Installed::Node]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    librdkafka::create_topic(&bootstrap, "node", 3);
    let target = [format!("bootstrap={bootstrap}"), "topic=node".to_owned()];
    let messages = records();
    let mut produce = clients::node();
    produce.arg("produce").args(&target).arg("compression=gzip");
    let sent = run("produce", produce, &messages).unwrap();
    // KafkaJS tells where a partition's batch begins, and keeps the order in it.
    let mut places = Vec::new();
    for event in named(&sent, "sent") {
        let (partition, base) = event.place().unwrap();
        let mut of_partition = messages
            .iter()
            .filter(|m| m.partition == Some(partition as i32));
        for at in 0..3 {
            places.push(((partition, base + at), of_partition.next().unwrap().clone()));
        }
    }
    let mut consume = clients::node();
    consume
        .arg("consume")
        .args(&target)
        .args(["group=node-readers", "count=9"]);
    let received = run("consume", consume, &[]).unwrap();
    let received = crate::samples::by_place(&received, "received");
    assert_eq!(received.len(), places.len());
    for (place, message) in places {
        crate::samples::assert_record(&message, received[&place]);
    }
}

#[test]
fn the_rdkafka_crate_reads_what_it_wrote() {
    if !ready(&[]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    librdkafka::create_topic(&bootstrap, "rust", 3);
    let mut messages = records();
    messages.push(
        Message::default()
            .to(0)
            .at(1)
            .header("a", "1")
            .null_header("a"),
    );
    let settings = [
        ("enable.idempotence", "true"),
        ("compression.type", "snappy"),
    ];
    let places = librdkafka::produce(&bootstrap, "rust", &messages, &settings);
    let read = librdkafka::consume(&bootstrap, "rust", "rust-readers", messages.len());
    for (message, place) in messages.iter().zip(places) {
        use rdkafka::Message as _;
        let record = read
            .iter()
            .find(|record| (record.partition(), record.offset()) == place);
        assert_eq!(&librdkafka::as_message(record.unwrap()), message);
    }
}

/// One JVM: administration, production, consumption, and what the group looks like afterwards.
fn java(version: &'static str, codec: &str) {
    let client = Installed::Kafka(version);
    if !ready(&[client]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = format!("bootstrap={}", gantry.kafka().unwrap());
    let name = format!("java-{version}");
    let topic = &format!("topic={name}");
    let group = &format!("group={name}-readers");
    let mut messages = records();
    // A tombstone, an empty value, and a name given twice, once without a value.
    messages.push(Message::default().to(0).at(1).key("gone"));
    messages.push(
        Message::of("")
            .to(1)
            .at(2)
            .header("twice", "1")
            .null_header("twice"),
    );
    let count = format!("count={}", messages.len());
    let codec = format!("compression.type={codec}");
    let mut java = clients::kafka_java(version);
    java.args(["create-topic", &bootstrap, topic, "partitions=3"]);
    java.args(["--", "produce", &bootstrap, topic, &codec]);
    java.args(["--", "consume", &bootstrap, topic, group, &count]);
    java.args(["--", "group-offsets", &bootstrap, group]);
    java.args(["--", "describe-group", &bootstrap, group]);
    java.args(["--", "list-topics", &bootstrap]);
    java.args(["--", "end-offset", &bootstrap, topic, "partition=2"]);
    java.args(["--", "delete-group", &bootstrap, group]);
    java.args(["--", "delete-topic", &bootstrap, topic]);
    java.args(["--", "list-topics", &bootstrap]);
    let events = by_command(run(version, java, &messages).unwrap());
    let [
        _,
        sent,
        received,
        offsets,
        description,
        topics,
        end,
        _,
        _,
        left,
    ] = &events[..]
    else {
        panic!("{} commands", events.len());
    };
    assert_records(sent, &messages, received);
    let committed: i64 = offsets
        .iter()
        .map(|event| event.number("offset").unwrap())
        .sum();
    assert_eq!(committed, messages.len() as i64, "{offsets:?}");
    assert_eq!(description[0].text("state"), Some("Empty"));
    assert!(topics[0].list("names").contains(&name));
    assert_eq!(end[0].number("offset"), Some(3));
    assert!(!left[0].list("names").contains(&name));
}

#[test]
fn java_2_8_reads_what_it_wrote() {
    java(clients::KAFKA_CLIENTS[0], "gzip");
}

#[test]
fn java_3_9_reads_what_it_wrote() {
    java(clients::KAFKA_CLIENTS[1], "lz4");
}

#[test]
fn java_4_reads_what_it_wrote() {
    java(clients::NEWEST_KAFKA, "none");
}
