//! Transactions of stock producers, and what consumers of both protocols see of them.

use crate::librdkafka;
use crate::samples::{Member, named, with_value};
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::Message;

/// Asked after a second, each second, so that tests wait for seconds only.
const SETTINGS: [&str; 2] = [
    "transactions.timeout_ms=1000",
    "transactions.check_interval_ms=1000",
];
const TOPIC: &str = "transacted";

fn client(version: &'static str, gantry: &Gantry, verb: &str, group: &str) -> Member {
    let mut java = clients::rocketmq_java(version);
    java.arg(verb)
        .arg(format!("namesrv={}", gantry.namesrv().unwrap()))
        .arg(format!("topic={TOPIC}"))
        .arg(format!("group={group}"));
    Member::start(verb, java)
}

fn producer(version: &'static str, gantry: &Gantry) -> Member {
    let mut producer = client(version, gantry, "transact", "transactors");
    producer.until(|events| named(events, "ready").next().is_some());
    producer
}

/// A message whose producer says first `end`, and `check` when it is asked.
fn message(value: &str, end: &str, check: &str) -> Message {
    Message::of(value).header("END", end).header("CHECK", check)
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

fn until_checked(producer: &mut Member, value: &str) {
    let is_it = |bytes: Option<Vec<u8>>| bytes.as_deref() == Some(value.as_bytes());
    producer.until(|events| named(events, "checked").any(|event| is_it(event.bytes("value"))));
}

fn seen_by_kafka(gantry: &Gantry) -> Vec<String> {
    let mut values = librdkafka::values(&gantry.kafka().unwrap(), TOPIC);
    values.sort();
    values
}

fn transactions(version: &'static str) {
    if !ready(&[Installed::Rocketmq(version)]).unwrap() {
        return;
    }
    let mut gantry = Gantry::start(&SETTINGS).unwrap();
    let mut first = producer(version, &gantry);
    let messages = [
        message("committed", "commit", "rollback"),
        message("rolled back", "rollback", "commit"),
        message("committed late", "unknown", "commit"),
        message("rolled back late", "unknown", "rollback"),
    ];
    send(&mut first, &messages);
    let mut expected = vec!["committed", "committed late"];
    if version.starts_with('4') {
        // The newer client refuses these itself.
        let delayed = message("delayed", "commit", "commit").header("TIMER_DELAY_MS", "1500");
        send(&mut first, &[delayed]);
        expected.push("delayed");
    }
    until_checked(&mut first, "committed late");
    until_checked(&mut first, "rolled back late");
    let mut consumer = client(version, &gantry, "push", "readers");
    for value in &expected {
        consumer.until_received(value);
    }
    if expected.contains(&"delayed") {
        let delayed = with_value(&consumer.events, b"delayed");
        let waited = delayed.number("stored").unwrap() - delayed.number("born").unwrap();
        assert!(waited >= 1_500, "{waited}");
    }
    assert_eq!(seen_by_kafka(&gantry), expected);
    let topics = librdkafka::topics(&gantry.kafka().unwrap());
    assert_eq!(topics, [TOPIC], "nobody sees where they waited");

    // Another producer of the group is asked for one that is no more.
    send(&mut first, &[message("orphan", "unknown", "commit")]);
    first.client.kill();
    let mut second = producer(version, &gantry);
    // A producer is known to brokers that it sends to.
    send(&mut second, &[message("never", "rollback", "rollback")]);
    until_checked(&mut second, "orphan");
    consumer.until_received("orphan");

    // What is open survives, and what was ended does not come again.
    send(&mut second, &[message("survivor", "unknown", "commit")]);
    gantry.kill().unwrap();
    gantry.restart().unwrap();
    until_checked(&mut second, "survivor");
    consumer.until_received("survivor");
    send(&mut second, &[message("last", "commit", "commit")]);
    consumer.until_received("last");
    expected.extend(["last", "orphan", "survivor"]);
    assert_eq!(seen_by_kafka(&gantry), expected, "each once");
    let asked = first.events.iter().chain(&second.events);
    let asked = asked.filter(|event| event.name() == "checked");
    let asked: Vec<Vec<u8>> = asked.filter_map(|event| event.bytes("value")).collect();
    for never in ["committed", "rolled back", "last"] {
        assert!(
            !asked.contains(&never.as_bytes().to_vec()),
            "{never} had ended"
        );
    }
}

#[test]
fn version_4_commits_and_rolls_back() {
    transactions(clients::ROCKETMQ_CLIENTS[0]);
}

#[test]
fn version_5_commits_and_rolls_back() {
    transactions(clients::NEWEST_ROCKETMQ);
}
