//! What AMQP publishes to an exchange is in the topic of its name, for Kafka's and RocketMQ's
//! consumers, at one offset.

use super::session::{Kind, Session, body, properties};
use crate::librdkafka;
use crate::samples::named;
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::{Event, Message};
use compat_tests::process::run;
use serde_json::json;
use std::collections::BTreeMap;

pub(super) const ROCKETMQ: &str = clients::NEWEST_ROCKETMQ;

/// What a RocketMQ push consumer of `tags` gets, by partition and offset.
pub(super) fn pushed(
    gantry: &Gantry,
    topic: &str,
    tags: &str,
    count: usize,
) -> BTreeMap<(i64, i64), Event> {
    let mut java = clients::rocketmq_java(ROCKETMQ);
    let namesrv = format!("namesrv={}", gantry.namesrv().unwrap());
    java.args(["push", &namesrv, &format!("topic={topic}")]);
    java.args([format!("group={topic}-readers"), format!("tags={tags}")]);
    java.arg(format!("count={count}"));
    let events = run("push", java, &[]).unwrap();
    let received = named(&events, "received");
    received
        .map(|event| (event.place().unwrap(), event.clone()))
        .collect()
}

/// What Kafka has, by partition and offset.
pub(super) fn recorded(gantry: &Gantry, topic: &str) -> BTreeMap<(i64, i64), Message> {
    use rdkafka::Message as _;
    let records = librdkafka::read_all(&gantry.kafka().unwrap(), &[topic]);
    let places = records.iter().map(|record| {
        let place = (i64::from(record.partition()), record.offset());
        (place, librdkafka::as_message(record))
    });
    places.collect()
}

fn header<'a>(record: &'a Message, name: &str) -> Option<&'a str> {
    let mut headers = record.headers.iter();
    let (_, value) = headers.find(|(other, _)| other == name)?;
    std::str::from_utf8(value.as_deref()?).ok()
}

#[test]
fn an_exchange_is_a_topic_of_the_others() {
    if !ready(&[Installed::Rocketmq(ROCKETMQ)]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let mut client = Session::confirming(Kind::Lapin, &gantry);
    client.tell(
        "declare-exchange",
        &["name=orders", "type=topic", "durable=true"],
    );
    for queue in ["all", "more"] {
        client.tell("declare-queue", &[&format!("name={queue}"), "durable=true"]);
        client.tell(
            "bind",
            &[&format!("queue={queue}"), "exchange=orders", "key=#"],
        );
    }
    for number in 0..20 {
        let key = if number % 2 == 0 {
            "key=eu.de"
        } else {
            "key=us.ny"
        };
        client.tell(
            "publish",
            &["exchange=orders", key, &body(number.to_string())],
        );
    }
    // A record each, whatever the queues it went to.
    let records = recorded(&gantry, "orders");
    assert_eq!(records.len(), 20);
    let all = pushed(&gantry, "orders", "*", 20);
    assert_eq!(all.len(), 20);
    for (place, event) in &all {
        let record = &records[place];
        assert_eq!(event.bytes("value"), record.value, "{place:?}");
        assert_eq!(event.text("tags"), header(record, "TAGS"));
    }
    for (tag, rest) in [("eu.de", 0), ("us.ny", 1)] {
        let mut numbers: Vec<i64> = pushed_with_tag(&gantry, tag);
        numbers.sort_unstable();
        let expected: Vec<i64> = (0..20).filter(|number| number % 2 == rest).collect();
        assert_eq!(numbers, expected, "{tag}");
    }
    // What others read, AMQP's consumers still have.
    assert_eq!(client.counts("all"), (20, 0));
    assert_eq!(client.counts("more"), (20, 0));
}

/// The numbers that a group of its own gets with `tag`.
fn pushed_with_tag(gantry: &Gantry, tag: &str) -> Vec<i64> {
    let mut java = clients::rocketmq_java(ROCKETMQ);
    let namesrv = format!("namesrv={}", gantry.namesrv().unwrap());
    let group = format!("group=only-{}", tag.replace('.', "-"));
    let arguments = ["push", &namesrv, "topic=orders", &group, "count=10"];
    java.args(arguments).arg(format!("tags={tag}"));
    let events = run("push", java, &[]).unwrap();
    let received = named(&events, "received");
    received
        .map(|event| super::session::body_of(event).parse().unwrap())
        .collect()
}

#[test]
fn properties_and_headers_are_what_the_mapping_says() {
    if !ready(&[Installed::Rocketmq(ROCKETMQ)]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let mut client = Session::confirming(Kind::Lapin, &gantry);
    client.tell(
        "declare-exchange",
        &["name=x", "type=fanout", "durable=true"],
    );
    client.tell("declare-queue", &["name=q", "durable=true"]);
    client.tell("bind", &["queue=q", "exchange=x"]);
    let given = json!({
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "headers": {
            "KEYS": "order-1",
            "TAGS": "not the tag",
            "DELAY": "3",
            "text": "schön",
            "count": 1_i64 << 40,
            "yes": true,
            "half": 0.5,
            "bytes": {"!bytes": "AAH/"},
            "list": [1, 2],
        },
        "delivery_mode": 2,
        "correlation_id": "c",
        "reply_to": "r",
        "message_id": "id-1",
        "timestamp": 1_700_000_001,
        "type": "t",
        "app_id": "a",
    });
    let publish = [
        "exchange=x",
        "key=the.tag",
        &body([0, 255]),
        &properties(&given),
    ];
    client.tell("publish", &publish);

    let shown = [
        ("TAGS", "the.tag"),
        ("content-type", "application/json"),
        ("content-encoding", "utf-8"),
        ("correlation-id", "c"),
        ("reply-to", "r"),
        ("type", "t"),
        ("app-id", "a"),
        ("text", "schön"),
        ("count", "1099511627776"),
        ("yes", "true"),
        ("half", "0.5"),
    ];
    let hidden = ["DELAY", "bytes", "list", "KEYS"];
    let records = recorded(&gantry, "x");
    let (place, record) = records.first_key_value().unwrap();
    assert_eq!(records.len(), 1, "what names a delay is not delayed");
    assert_eq!(record.value.as_deref(), Some(&[0, 255][..]));
    assert_eq!(record.key.as_deref(), Some(&b"order-1"[..]));
    assert_eq!(record.timestamp, Some(1_700_000_001_000));
    assert_eq!(header(record, "UNIQ_KEY"), Some("id-1"));
    for (name, value) in shown {
        assert_eq!(header(record, name), Some(value), "{name}");
    }
    for name in hidden {
        assert_eq!(header(record, name), None, "{name}");
    }

    let pushed = pushed(&gantry, "x", "the.tag", 1);
    let event = &pushed[place];
    assert_eq!(event.bytes("value"), record.value);
    assert_eq!(event.text("keys"), Some("order-1"));
    assert_eq!(event.text("id"), Some("id-1"));
    assert_eq!(event.number("born"), record.timestamp);
    for (name, value) in shown {
        assert_eq!(event.property(name), Some(value), "{name}");
    }

    // And AMQP's consumers get what was published, byte for byte.
    let got = client.tell("get", &["queue=q"]);
    assert_eq!(got.value("properties"), Some(&given));
}

#[test]
fn a_durable_queue_is_a_topic_of_what_the_default_exchange_brings() {
    if !ready(&[Installed::Rocketmq(ROCKETMQ)]).unwrap() {
        return;
    }
    let mut gantry = Gantry::start(&[]).unwrap();
    let mut client = Session::confirming(Kind::Lapin, &gantry);
    client.tell("declare-queue", &["name=tasks", "durable=true"]);
    client.tell("publish", &["key=tasks", "count=5"]);
    client.tell("consume", &["queue=tasks"]);
    let taken = client.deliveries(5);
    let last = format!("delivery={}", taken[4].2);
    client.tell("ack", &[&last, "multiple=true"]);
    assert_eq!(client.counts("tasks"), (0, 1));
    // Acknowledged is not deleted: the topic keeps it as long as topics do.
    let pushed = pushed(&gantry, "tasks", "*", 5);
    assert_eq!(recorded(&gantry, "tasks").len(), 5);
    gantry.kill().unwrap();
    gantry.restart().unwrap();
    let records = recorded(&gantry, "tasks");
    assert_eq!(records.len(), 5);
    for (place, record) in &records {
        assert_eq!(pushed[place].bytes("value"), record.value);
        assert_eq!(header(record, "TAGS"), Some("tasks"));
    }
}

#[test]
fn a_queues_own_messages_are_not_for_others() {
    if !ready(&[]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let mut client = Session::confirming(Kind::Lapin, &gantry);
    let declared = client.tell("declare-queue", &["exclusive=true"]);
    let own = declared.text("name").unwrap();
    client.tell("declare-queue", &["name=passing"]);
    client.tell("publish", &[&format!("key={own}"), "count=3"]);
    client.tell("publish", &["key=passing", "count=3"]);
    assert_eq!(client.counts("passing"), (3, 0));
    let topics = librdkafka::topics(&gantry.kafka().unwrap());
    assert_eq!(topics, Vec::<String>::new());
}

#[test]
fn kafka_reads_a_large_body_whole() {
    if !ready(&[]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let mut client = Session::confirming(Kind::Lapin, &gantry);
    client.tell("declare-queue", &["name=large", "durable=true"]);
    let large = "0123456789abcdef".repeat(1 << 16);
    client.tell("publish", &["key=large", &body(&large)]);
    assert_eq!(
        librdkafka::values(&gantry.kafka().unwrap(), "large"),
        [large]
    );
}
