//! A stream is a topic: what any protocol's producers send is read by all at one offset.

use super::interop::{ROCKETMQ, pushed, recorded};
use super::session::{Kind, Session, body, body_of};
use crate::librdkafka;
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::{Event, Message};
use compat_tests::process::run;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use std::time::Duration;

const STREAM: &str = r#"arguments={"x-queue-type":"stream"}"#;
const FIRST: &str = r#"arguments={"x-stream-offset":"first"}"#;

/// A client with a limit, as consumers of streams need it.
fn reader(gantry: &Gantry) -> Session {
    let mut client = Session::confirming(Kind::Lapin, gantry);
    client.tell("qos", &["prefetch=100"]);
    client
}

fn declare(client: &mut Session, name: &str) {
    let name = format!("name={name}");
    client.tell("declare-queue", &[&name, "durable=true", STREAM]);
}

fn consume(client: &mut Session, stream: &str, arguments: &str) {
    client.tell("consume", &[&format!("queue={stream}"), arguments]);
}

fn offset(event: &Event) -> i64 {
    let properties = event.value("properties").unwrap();
    properties["headers"]["x-stream-offset"].as_i64().unwrap()
}

/// The offsets and bodies of the next messages.
fn read(client: &mut Session, count: usize) -> Vec<(i64, String)> {
    let next = |_| {
        let event = client.next("received");
        (offset(&event), body_of(&event))
    };
    (0..count).map(next).collect()
}

/// What Kafka has in the first partition.
fn kafkas(gantry: &Gantry, topic: &str) -> Vec<(i64, String)> {
    let records = recorded(gantry, topic).into_iter();
    let places = records.map(|((partition, offset), record)| {
        assert_eq!(partition, 0);
        (offset, String::from_utf8(record.value.unwrap()).unwrap())
    });
    places.collect()
}

fn numbered(numbers: std::ops::Range<i64>) -> Vec<(i64, String)> {
    numbers.map(|number| (number, number.to_string())).collect()
}

#[test]
fn a_topic_is_a_stream_with_the_offsets_its_producers_were_told() {
    let mut gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    librdkafka::create_topic(&bootstrap, "events", 1);
    let ten: Vec<_> = (0..10).map(|n| Message::of(format!("{n}"))).collect();
    let settings = [("compression.type", "lz4"), ("linger.ms", "100")];
    librdkafka::produce(&bootstrap, "events", &ten, &settings);
    let mut client = reader(&gantry);
    declare(&mut client, "events");
    assert_eq!(client.counts("events"), (10, 0));
    consume(&mut client, "events", FIRST);
    assert_eq!(read(&mut client, 10), numbered(0..10));
    // In the middle of a batch, too.
    let mut other = reader(&gantry);
    consume(&mut other, "events", r#"arguments={"x-stream-offset":7}"#);
    assert_eq!(read(&mut other, 3), numbered(7..10));

    let sent = librdkafka::produce(&bootstrap, "events", &[Message::of("10")], &[]);
    assert_eq!(sent, [(0, 10)]);
    client.tell("publish", &["key=events", &body("11")]);
    assert_eq!(read(&mut client, 2), numbered(10..12));
    assert_eq!(read(&mut other, 2), numbered(10..12));
    assert_eq!(kafkas(&gantry, "events"), numbered(0..12));

    gantry.kill().unwrap();
    gantry.restart().unwrap();
    let mut client = reader(&gantry);
    declare(&mut client, "events");
    consume(&mut client, "events", FIRST);
    assert_eq!(read(&mut client, 12), numbered(0..12));
    // The stream was a view of it.
    client.tell("delete-queue", &["name=events"]);
    client.next("cancelled");
    assert_eq!(kafkas(&gantry, "events"), numbered(0..12));
}

#[test]
fn what_amqp_publishes_to_a_stream_is_at_one_offset_for_all() {
    if !ready(&[Installed::Rocketmq(ROCKETMQ)]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let mut client = reader(&gantry);
    declare(&mut client, "log");
    let exchange = ["name=x", "type=topic", "durable=true"];
    client.tell("declare-exchange", &exchange);
    client.tell("bind", &["queue=log", "exchange=x", "key=in.#"]);
    for number in 0..12 {
        let to = match number % 3 {
            0 => ["key=log", "exchange="],
            1 => ["key=in.1", "exchange=x"],
            // These are for the exchange's topic only, so that its offsets are others.
            _ => ["key=out.1", "exchange=x"],
        };
        client.tell("publish", &[to[0], to[1], &body(number.to_string())]);
    }
    consume(&mut client, "log", FIRST);
    let ours = read(&mut client, 8);
    let bodies = [0, 1, 3, 4, 6, 7, 9, 10];
    let expected: Vec<_> = (0..).zip(bodies.map(|number| number.to_string())).collect();
    assert_eq!(ours, expected);
    assert_eq!(kafkas(&gantry, "log"), expected);
    assert_eq!(recorded(&gantry, "x").len(), 8);
    let pushed = pushed(&gantry, "log", "*", 8);
    let rocketmqs: Vec<_> = pushed
        .iter()
        .map(|((_, offset), event)| (*offset, body_of(event)))
        .collect();
    assert_eq!(rocketmqs, expected);
}

#[test]
fn rocketmqs_messages_come_to_a_stream() {
    if !ready(&[Installed::Rocketmq(ROCKETMQ)]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let mut client = reader(&gantry);
    declare(&mut client, "log");
    consume(&mut client, "log", FIRST);
    let mut java = clients::rocketmq_java(ROCKETMQ);
    let namesrv = format!("namesrv={}", gantry.namesrv().unwrap());
    java.args(["produce", &namesrv, "topic=log"]);
    let message = |n: i64| Message::of(n.to_string()).header("TAGS", "eu.de").to(0);
    let messages: Vec<_> = (0..5).map(message).collect();
    run("produce", java, &messages).unwrap();
    for number in 0..5 {
        let event = client.next("received");
        assert_eq!(
            (offset(&event), body_of(&event)),
            (number, number.to_string())
        );
        assert_eq!(event.text("key"), Some("eu.de"));
    }
}

#[test]
fn a_stream_goes_with_its_topic() {
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    let mut client = reader(&gantry);
    declare(&mut client, "log");
    consume(&mut client, "log", FIRST);
    let admin: AdminClient<DefaultClientContext> =
        librdkafka::configuration(&bootstrap, &[]).create().unwrap();
    let deleted = admin.delete_topics(&["log"], &AdminOptions::new());
    let deleted = librdkafka::runtime().block_on(deleted).unwrap();
    assert_eq!(deleted, [Ok("log".to_owned())]);
    client.next("cancelled");
    let refused = client.refused("declare-queue", &["name=log", "passive=true"]);
    assert_eq!(refused.code, 404);
}

#[test]
fn a_topic_made_for_a_stream_goes_with_it() {
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    let mut client = reader(&gantry);
    declare(&mut client, "log");
    assert_eq!(librdkafka::topics(&bootstrap), ["log"]);
    client.tell("delete-queue", &["name=log"]);
    assert_eq!(librdkafka::topics(&bootstrap), Vec::<String>::new());
}

#[test]
fn a_stream_of_a_topic_with_partitions_gets_what_comes_to_all_of_them() {
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    librdkafka::create_topic(&bootstrap, "wide", 3);
    librdkafka::produce(&bootstrap, "wide", &[Message::of("before").to(1)], &[]);
    let mut client = reader(&gantry);
    declare(&mut client, "wide");
    consume(&mut client, "wide", FIRST);
    for partition in 0..3 {
        let message = Message::of(partition.to_string()).to(partition);
        librdkafka::produce(&bootstrap, "wide", &[message], &[]);
    }
    client.tell("publish", &["key=wide", &body("3")]);
    assert_eq!(read(&mut client, 4), numbered(0..4));
    assert_eq!(recorded(&gantry, "wide").len(), 5);
}

#[test]
fn what_is_in_a_stream_by_its_topic_is_not_there_again_by_a_binding() {
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    librdkafka::create_topic(&bootstrap, "there", 1);
    let mut client = reader(&gantry);
    for stream in ["there", "made"] {
        declare(&mut client, stream);
        client.tell("declare-queue", &["name=work", "durable=true"]);
        let exchange = [&format!("name={stream}"), "type=topic", "durable=true"];
        client.tell("declare-exchange", &exchange);
        let exchange = format!("exchange={stream}");
        for queue in [stream, "work"] {
            client.tell("bind", &[&format!("queue={queue}"), &exchange, "key=#"]);
        }
        let messages = [Message::of("0"), Message::of("1").header("TAGS", "tag")];
        librdkafka::produce(&bootstrap, stream, &messages, &[]);
        client.tell("publish", &[&exchange, "key=k", &body("2")]);
        consume(&mut client, stream, FIRST);
        assert_eq!(read(&mut client, 3), numbered(0..3));
        assert_eq!(kafkas(&gantry, stream), numbered(0..3));
        // Others that are bound to the exchange get it as ever.
        assert_eq!(client.counts("work"), (3, 0));
        client.tell("delete-queue", &["name=work"]);
    }
    assert!(client.is_silent_for(Duration::from_millis(300)));
}

#[test]
fn filters_look_at_kafkas_headers_too() {
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    let mut client = reader(&gantry);
    declare(&mut client, "log");
    // Far more than one turn passes over.
    let mut messages: Vec<_> = (0..2_000).map(|n| Message::of(format!("{n}"))).collect();
    for (number, region) in [(0, "emea"), (1_500, "amer"), (1_999, "emea")] {
        let message = messages[number].clone();
        messages[number] = message.header("x-stream-filter-value", region);
    }
    librdkafka::produce(&bootstrap, "log", &messages, &[]);
    let filter = r#"arguments={"x-stream-offset":"first","x-stream-filter":"emea"}"#;
    consume(&mut client, "log", filter);
    let expected = [0, 1_999].map(|number| (number, number.to_string()));
    assert_eq!(read(&mut client, 2), expected);
    assert!(client.is_silent_for(Duration::from_millis(300)));
}
