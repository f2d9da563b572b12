//! Records of stock Kafka producers that ask to be delivered later, as consumers of both
//! protocols get them.

use crate::librdkafka;
use crate::samples::{Member, named, with_value};
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::{Event, Message};
use compat_tests::process::run;
use rdkafka::Message as _;
use rdkafka::producer::FutureProducer;

const TOPIC: &str = "later";
/// Longer than it takes to send everything.
const DELAY_MS: i64 = 8_000;
/// What both consumers get: the late ones behind the others, at offsets of their own.
const READ: [(i64, &str); 5] = [
    (0, "now 1"),
    (2, "now 2"),
    (4, "last"),
    (5, "late 1"),
    (6, "late 2"),
];

fn late(value: &str, delay_ms: i64) -> Message {
    Message::of(value)
        .key("k")
        .header("TIMER_DELAY_MS", delay_ms.to_string())
        .header("colour", "red")
}

/// Some late, all late, none: one batch each.
fn batches() -> [Vec<Message>; 3] {
    let now = |value: &str| Message::of(value);
    [
        vec![now("now 1"), late("late 1", DELAY_MS), now("now 2")],
        vec![late("late 2", DELAY_MS + 1_000)],
        vec![now("last")],
    ]
}

/// Consumers of both protocols that read from the beginning.
fn readers(gantry: &Gantry) -> [Member; 2] {
    let topic = format!("topic={TOPIC}");
    let mut java = clients::kafka_java(clients::NEWEST_KAFKA);
    java.args(["consume", &topic, "group=kafka-readers"]);
    java.arg(format!("bootstrap={}", gantry.kafka().unwrap()));
    let kafka = Member::start("kafka", java);
    let mut java = clients::rocketmq_java(clients::NEWEST_ROCKETMQ);
    java.args(["push", &topic, "group=rocketmq-readers"]);
    java.arg(format!("namesrv={}", gantry.namesrv().unwrap()));
    [kafka, Member::start("rocketmq", java)]
}

fn place(event: &Event) -> (i64, String) {
    let value = String::from_utf8(event.bytes("value").unwrap()).unwrap();
    (event.number("offset").unwrap(), value)
}

fn both_get_them_late(gantry: &Gantry, [mut kafka, mut rocketmq]: [Member; 2]) {
    let expected = READ.map(|(offset, value)| (offset, value.to_owned()));
    for reader in [&mut kafka, &mut rocketmq] {
        reader.until(|events| named(events, "received").count() >= READ.len());
        let mut read: Vec<_> = named(&reader.events, "received").map(place).collect();
        // The native listener is concurrent.
        read.sort();
        assert_eq!(read, expected);
    }
    let stored = |value: &str| with_value(&rocketmq.events, value.as_bytes()).number("stored");
    let waited = stored("late 1").unwrap() - stored("now 1").unwrap();
    assert!(waited >= DELAY_MS - 100, "it came after {waited} ms");
    let record = with_value(&kafka.events, b"late 1");
    assert_eq!(record.bytes("key").as_deref(), Some(&b"k"[..]));
    let colour = ("colour".to_owned(), Some(b"red".to_vec()));
    assert!(record.headers().contains(&colour), "{record:?}");
    let bootstrap = gantry.kafka().unwrap();
    let read = librdkafka::consume(&bootstrap, TOPIC, "librdkafka-readers", READ.len());
    let offsets: Vec<_> = read.iter().map(|record| record.offset()).collect();
    assert_eq!(offsets, READ.map(|(offset, _)| offset));
    assert_eq!(librdkafka::topics(&bootstrap), [TOPIC]);
}

fn are_installed() -> bool {
    let rocketmq = Installed::Rocketmq(clients::NEWEST_ROCKETMQ);
    ready(&[Installed::Kafka(clients::NEWEST_KAFKA), rocketmq]).unwrap()
}

#[test]
fn librdkafka_sends_records_that_both_protocols_get_late() {
    if !are_installed() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    librdkafka::create_topic(&bootstrap, TOPIC, 1);
    let readers = readers(&gantry);
    let settings = [("enable.idempotence", "true"), ("linger.ms", "300")];
    let configuration = librdkafka::configuration(&bootstrap, &settings);
    let producer: FutureProducer = configuration.create().unwrap();
    let sent = batches().map(|batch| librdkafka::send(&producer, TOPIC, &batch));
    assert_eq!(sent.concat(), [0, 1, 2, 3, 4].map(|offset| (0, offset)));
    both_get_them_late(&gantry, readers);
}

#[test]
fn java_kafka_sends_records_that_both_protocols_get_late() {
    if !are_installed() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    librdkafka::create_topic(&bootstrap, TOPIC, 1);
    let readers = readers(&gantry);
    // The program sends all at once: what fills a batch makes the next one.
    let filling = vec![b'x'; 16_300];
    let [first, second, third] = batches();
    let filled = [second, third].concat().into_iter();
    let filled = filled.map(|message| message.header("filling", filling.clone()));
    let messages: Vec<_> = first.into_iter().chain(filled).collect();
    let mut java = clients::kafka_java(clients::NEWEST_KAFKA);
    java.args(["produce", &format!("topic={TOPIC}"), "linger.ms=60000"]);
    java.arg(format!("bootstrap={bootstrap}"));
    java.args(["enable.idempotence=true", "batch.size=16384"]);
    let sent = run("produce", java, &messages).unwrap();
    let offsets: Vec<_> = named(&sent, "sent")
        .map(|event| event.number("offset").unwrap())
        .collect();
    assert_eq!(offsets, [0, 1, 2, 3, 4]);
    both_get_them_late(&gantry, readers);
}
