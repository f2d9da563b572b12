//! Messages that stock clients get later: delayed, and refused by their consumer.

use crate::librdkafka;
use crate::samples::{Member, named, with_value};
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::{Event, Message};
use compat_tests::process::Client;

/// Every level is a second, so that tests wait for seconds only.
const SETTINGS: [&str; 1] = ["timers.delay_levels=1s 1s 1s 1s 1s 1s"];

fn client(version: &'static str, gantry: &Gantry, verb: &str, arguments: &[&str]) -> Member {
    let mut java = clients::rocketmq_java(version);
    java.arg(verb)
        .arg(format!("namesrv={}", gantry.namesrv().unwrap()))
        .args(arguments);
    Member::start(verb, java)
}

fn send(producer: &mut Member, messages: &[Message]) {
    let sent = named(&producer.events, "sent").count();
    for message in messages {
        producer.client.write(&message.line()).unwrap();
    }
    producer.until(|events| {
        assert_eq!(named(events, "lost").next(), None);
        named(events, "sent").count() == sent + messages.len()
    });
}

/// Milliseconds from when a message was made to when it came to its topic.
fn waited(event: &Event) -> i64 {
    event.number("stored").unwrap() - event.number("born").unwrap()
}

fn delayed(version: &'static str) {
    if !ready(&[Installed::Rocketmq(version)]).unwrap() {
        return;
    }
    let mut gantry = Gantry::start(&SETTINGS).unwrap();
    let mut producer = client(version, &gantry, "stream", &["topic=delayed"]);
    let messages = [
        Message::of("level").header("DELAY", "2"),
        Message::of("millis").header("TIMER_DELAY_MS", "1300"),
        Message::of("seconds").header("TIMER_DELAY_SEC", "4"),
        Message::of("now").header("colour", "red"),
    ];
    send(&mut producer, &messages);
    let kafka = gantry.kafka().unwrap();
    let values = librdkafka::values(&kafka, "delayed");
    assert_eq!(
        values,
        ["now"],
        "a Kafka consumer sees no more than another"
    );
    assert_eq!(
        librdkafka::topics(&kafka),
        ["delayed"],
        "nor where they wait"
    );
    // What waits survives.
    gantry.kill().unwrap();
    gantry.restart().unwrap();
    let mut consumer = client(
        version,
        &gantry,
        "push",
        &["topic=delayed", "group=delayed"],
    );
    for message in &messages {
        consumer.until_received(&String::from_utf8(message.value.clone().unwrap()).unwrap());
    }
    for (value, least) in [("level", 1_000), ("millis", 1_300), ("seconds", 4_000)] {
        let waited = waited(with_value(&consumer.events, value.as_bytes()));
        assert!(waited >= least, "{value} came after {waited} ms");
    }
    let mut values = librdkafka::values(&gantry.kafka().unwrap(), "delayed");
    values.sort();
    assert_eq!(values, ["level", "millis", "now", "seconds"]);
}

#[test]
fn version_4_delays_messages() {
    delayed(clients::ROCKETMQ_CLIENTS[0]);
}

#[test]
fn version_5_delays_messages() {
    delayed(clients::NEWEST_ROCKETMQ);
}

fn attempts(events: &[Event], value: &str) -> Vec<i64> {
    let of_value = |event: &&Event| event.bytes("value").as_deref() == Some(value.as_bytes());
    let received = named(events, "received").filter(of_value);
    received
        .map(|event| event.number("attempt").unwrap())
        .collect()
}

fn refused(version: &'static str) {
    if !ready(&[Installed::Rocketmq(version)]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&SETTINGS).unwrap();
    let mut producer = client(version, &gantry, "stream", &["topic=refused"]);
    send(&mut producer, &[Message::of("first")]);
    let arguments = ["topic=refused", "group=refusers", "later=later"];
    let arguments = [&arguments[..], &["refusals=9", "max-attempts=2"]].concat();
    let mut consumer = client(version, &gantry, "push", &arguments);
    consumer.until_received("first");
    let messages = [
        Message::of("refused").header("TAGS", "later").key("k"),
        Message::of("taken").header("TAGS", "other"),
    ];
    send(&mut producer, &messages);
    // Once, and as often again as the group asks for.
    consumer.until(|events| attempts(events, "refused").len() == 3);
    assert_eq!(attempts(&consumer.events, "refused"), [0, 1, 2]);
    assert_eq!(attempts(&consumer.events, "taken"), [0]);
    consumer.leave();
    let mut java = clients::rocketmq_java(version);
    java.arg("dump")
        .arg(format!("namesrv={}", gantry.namesrv().unwrap()))
        .args(["topic=%DLQ%refusers", "group=undertaker"]);
    let events = Client::start("dump", java).unwrap().finish().unwrap();
    let dead: Vec<_> = named(&events, "message").collect();
    assert_eq!(dead.len(), 1, "{events:#?}");
    assert_eq!(dead[0].bytes("value").unwrap(), b"refused");
    assert_eq!(dead[0].text("keys"), Some("k"));
    let topics = librdkafka::topics(&gantry.kafka().unwrap());
    assert_eq!(topics, ["refused"], "Kafka sees none of it");
}

#[test]
fn version_4_gets_refused_messages_again_and_gives_them_up() {
    refused(clients::ROCKETMQ_CLIENTS[0]);
}

#[test]
fn version_5_gets_refused_messages_again_and_gives_them_up() {
    refused(clients::NEWEST_ROCKETMQ);
}
