//! What one protocol wrote, field by field, as the other reads it. The table is in
//! `docs/mapping.md`; the property names are gantry's own.

use crate::librdkafka;
use crate::samples::{BORN, by_place, named};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::{Event, Message};
use compat_tests::process::run;
use rdkafka::Message as _;
use std::str::from_utf8;

/// Records that hold everything a Kafka record can.
fn kafka_records() -> Vec<Message> {
    let plain = |n: i64| Message::of(format!("body {n}")).to(0).at(BORN + n);
    let silent = |n: i64| Message::default().to(0).at(BORN + n);
    vec![
        plain(0)
            .key("order-1")
            .header("TAGS", "paid")
            .header("colour", "röt"),
        silent(1).key("tombstone"),
        Message::of("").to(0).at(BORN + 2).key("empty body"),
        plain(3).key([0xff, 0x00, 0x80, 0x01]),
        plain(4).key(""),
        plain(5)
            .header("trace", [0x00, 0xff, 0x01])
            .header("trace", [0x02, 0x80])
            .null_header("trace")
            .header("TAGS", "late")
            .header("", "nameless"),
        plain(6)
            .header("a\u{1}b", "1")
            .header("c", "2\u{2}3")
            .header("plain", "seen"),
        plain(7),
    ]
}

/// The headers of `__HEADERS_B64`, which stand as in a Kafka record: counts and lengths are
/// zig-zag variable integers, a length of -1 is null.
fn header_list(text: &str) -> Vec<(String, Option<Vec<u8>>)> {
    let bytes = STANDARD_NO_PAD.decode(text.trim_end_matches('=')).unwrap();
    let mut rest = bytes.as_slice();
    let count = number(&mut rest);
    let list = (0..count)
        .map(|_| {
            let name = field(&mut rest).expect("a name is never null");
            (String::from_utf8(name).unwrap(), field(&mut rest))
        })
        .collect();
    assert!(rest.is_empty());
    list
}

fn number(rest: &mut &[u8]) -> i64 {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let byte = rest[0];
        *rest = &rest[1..];
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return (value >> 1) as i64 ^ -((value & 1) as i64);
        }
    }
}

fn field(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let length = usize::try_from(number(rest)).ok()?;
    let (bytes, behind) = rest.split_at(length);
    *rest = behind;
    Some(bytes.to_vec())
}

/// A value that RocketMQ's text properties can carry.
fn is_text(bytes: &[u8]) -> bool {
    from_utf8(bytes).is_ok_and(|text| !text.is_empty() && !text.contains(['\u{1}', '\u{2}']))
}

fn assert_shown_to_rocketmq(record: &Message, shown: &Event) {
    // RocketMQ's clients have one form for null and empty; the property tells them apart.
    let body = shown.bytes("value").unwrap_or_default();
    assert_eq!(body, record.value.clone().unwrap_or_default());
    assert_eq!(
        shown.property("__NULL_BODY"),
        record.value.is_none().then_some("1")
    );
    match record.key.as_deref() {
        None => assert_eq!(
            (shown.text("keys"), shown.property("__KEY_B64")),
            (None, None)
        ),
        Some(key) if is_text(key) => assert_eq!(shown.text("keys"), from_utf8(key).ok()),
        Some(key) => {
            let encoded = shown.property("__KEY_B64").expect("a binary key is kept");
            let decoded = STANDARD_NO_PAD
                .decode(encoded.trim_end_matches('='))
                .unwrap();
            assert_eq!(decoded, key);
        }
    }
    let tag = record.headers.iter().find(|(name, _)| name == "TAGS");
    let tag = tag.map(|(_, value)| from_utf8(value.as_ref().unwrap()).unwrap());
    assert_eq!(shown.text("tags"), tag);
    assert_eq!(shown.number("born"), record.timestamp);
    assert!(
        shown.number("stored").unwrap() > BORN + 1_000_000,
        "stored now, not when born"
    );
    assert_eq!(shown.number("attempt"), Some(0));
    for (name, value) in &record.headers {
        let unique = record
            .headers
            .iter()
            .filter(|(other, _)| other == name)
            .count()
            == 1;
        let value = value.as_deref().unwrap_or_default();
        if unique && is_text(name.as_bytes()) && is_text(value) {
            assert_eq!(shown.property(name), from_utf8(value).ok(), "header {name}");
        }
    }
    let plain = |(name, value): &(String, Option<Vec<u8>>)| {
        let value = value.as_deref().unwrap_or_default();
        is_text(name.as_bytes()) && is_text(value)
    };
    if !record.headers.iter().all(plain) {
        let list = shown
            .property("__HEADERS_B64")
            .expect("what is no text is listed whole");
        assert_eq!(header_list(list), record.headers);
    }
}

#[test]
fn a_rocketmq_client_sees_every_field_of_a_kafka_record() {
    let version = clients::NEWEST_ROCKETMQ;
    if !ready(&[Installed::Rocketmq(version)]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    librdkafka::create_topic(&bootstrap, "to-rocketmq", 1);
    let records = kafka_records();
    let places = librdkafka::produce(&bootstrap, "to-rocketmq", &records, &[]);

    let target = [
        format!("namesrv={}", gantry.namesrv().unwrap()),
        "topic=to-rocketmq".to_owned(),
    ];
    let count = format!("count={}", records.len());
    let mut java = clients::rocketmq_java(version);
    java.arg("push")
        .args(&target)
        .args(["group=pushed", &count]);
    java.args(["--", "litepull"])
        .args(&target)
        .args(["group=pulled", &count]);
    java.args(["--", "push"])
        .args(&target)
        .args(["group=tagged", "tags=late || never", "count=1"]);
    let events = run("consumer", java, &[]).unwrap();
    let received: Vec<_> = named(&events, "received").cloned().collect();
    let (pushed, rest) = received.split_at(records.len());
    let (pulled, tagged) = rest.split_at(records.len());
    let late = |record: &Message| {
        record
            .headers
            .iter()
            .any(|(_, tag)| tag.as_deref() == Some(b"late"))
    };
    let late = places[records.iter().position(late).unwrap()];
    assert_eq!(tagged.len(), 1, "a tag is a header of that name");
    assert_eq!(tagged[0].place(), Some((i64::from(late.0), late.1)));
    for received in [pushed, pulled] {
        let shown = by_place(received, "received");
        for (record, (partition, offset)) in records.iter().zip(&places) {
            assert_shown_to_rocketmq(record, shown[&(i64::from(*partition), *offset)]);
        }
    }
    // And Kafka still reads what Kafka wrote.
    let kept = librdkafka::read_all(&bootstrap, &["to-rocketmq"]);
    assert_eq!(
        kept.iter().map(librdkafka::as_message).collect::<Vec<_>>(),
        records
    );
}

#[test]
fn a_kafka_client_sees_every_field_of_a_rocketmq_message() {
    for version in clients::ROCKETMQ_CLIENTS {
        if !ready(&[Installed::Rocketmq(version)]).unwrap() {
            continue;
        }
        let gantry = Gantry::start(&[]).unwrap();
        let big = "compressible ".repeat(1_000);
        let messages = [
            Message::of("body")
                .key("order-1")
                .header("TAGS", "paid")
                .header("colour", "röt"),
            Message::of([0xff, 0x00])
                .key("first second")
                .header("a", "1")
                .header("b", "2"),
            Message::of(big).header("TAGS", "compressed by the client"),
            Message::of("alone"),
        ];
        let mut java = clients::rocketmq_java(version);
        java.arg("produce")
            .arg(format!("namesrv={}", gantry.namesrv().unwrap()));
        java.arg("topic=to-kafka");
        let sent = run("producer", java, &messages).unwrap();

        let read = librdkafka::read_all(&gantry.kafka().unwrap(), &["to-kafka"]);
        assert_eq!(read.len(), messages.len());
        for (message, event) in messages.iter().zip(named(&sent, "sent")) {
            let (partition, offset) = event.place().unwrap();
            let record = read
                .iter()
                .find(|record| {
                    (i64::from(record.partition()), record.offset()) == (partition, offset)
                })
                .expect("the same place");
            assert_seen_by_kafka(message, event, &librdkafka::as_message(record));
        }
    }
}

fn assert_seen_by_kafka(message: &Message, sent: &Event, record: &Message) {
    assert_eq!(record.value, message.value);
    assert_eq!(record.key, message.key);
    assert!(
        record.timestamp.unwrap() > BORN + 1_000_000,
        "born just now"
    );
    for header in &message.headers {
        assert!(
            record.headers.contains(header),
            "{header:?} of {:?}",
            record.headers
        );
    }
    let id = sent.text("id").unwrap().as_bytes().to_vec();
    assert!(
        record.headers.contains(&("UNIQ_KEY".to_owned(), Some(id))),
        "{:?}",
        record.headers
    );
    assert!(
        record.headers.iter().all(|(name, _)| name != "KEYS"),
        "the key is the key"
    );
}
