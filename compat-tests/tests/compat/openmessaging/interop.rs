//! One message in HTTP and the other protocols: its place, body and properties.

use super::{place, produce, pull};
use crate::amqp::session::{Kind, Session, body, properties};
use crate::librdkafka;
use crate::samples::named;
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::Message;
use compat_tests::process::run;
use rdkafka::Message as _;
use serde_json::json;

fn header<'a>(record: &'a Message, name: &str) -> Option<&'a str> {
    let mut headers = record.headers.iter();
    let (_, value) = headers.find(|(other, _)| other == name)?;
    std::str::from_utf8(value.as_deref()?).ok()
}

#[test]
fn what_http_sends_kafka_reads_at_its_offset() {
    let gantry = Gantry::start(&[]).unwrap();
    let fields = [
        ("x-oms-h-messageKey", "k"),
        ("x-oms-h-tag", "greeting"),
        ("x-oms-properties", r#"{"UserId":"7"}"#),
    ];
    let sent = produce(&gantry, "t", &fields, b"hello");
    let records = librdkafka::read_all(&gantry.kafka().unwrap(), &["t"]);
    assert_eq!(records.len(), 1);
    let record = &records[0];
    assert_eq!(
        (i64::from(record.partition()), record.offset()),
        place(&sent)
    );
    let message = librdkafka::as_message(record);
    assert_eq!(message.value.as_deref(), Some(&b"hello"[..]));
    assert_eq!(message.key.as_deref(), Some(&b"k"[..]));
    assert_eq!(header(&message, "TAGS"), Some("greeting"));
    assert_eq!(header(&message, "UserId"), Some("7"));
    assert_eq!(
        header(&message, "UNIQ_KEY"),
        sent.field("x-oms-h-messageid")
    );
}

#[test]
fn what_kafka_sends_http_pulls_and_its_group_is_kafkas() {
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    librdkafka::create_topic(&bootstrap, "t", 1);
    let messages: Vec<_> = (0..3).map(|n| Message::of(format!("{n}"))).collect();
    let places = librdkafka::produce(&bootstrap, "t", &messages, &[("compression.type", "lz4")]);
    for (number, at) in places[..2].iter().enumerate() {
        let pulled = pull(&gantry, "t", "group", &[("x-oms-waitMills", "1000")]);
        assert_eq!(pulled.body, number.to_string().into_bytes());
        assert_eq!(place(&pulled), (i64::from(at.0), at.1));
    }
    let next = librdkafka::consume(&bootstrap, "t", "group", 1);
    assert_eq!(next[0].offset(), 2);
}

#[test]
fn what_http_sends_rocketmq_consumes_by_its_tag() {
    let version = clients::NEWEST_ROCKETMQ;
    if !ready(&[Installed::Rocketmq(version)]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    produce(&gantry, "t", &[("x-oms-h-tag", "other")], b"no");
    let sent = produce(&gantry, "t", &[("x-oms-h-tag", "wanted")], b"yes");
    let mut java = clients::rocketmq_java(version);
    let namesrv = format!("namesrv={}", gantry.namesrv().unwrap());
    java.args([
        "push",
        &namesrv,
        "topic=t",
        "group=g",
        "tags=wanted",
        "count=1",
    ]);
    let events = run("push", java, &[]).unwrap();
    let received = named(&events, "received").next().unwrap();
    assert_eq!(received.place(), Some(place(&sent)));
}

#[test]
fn what_amqp_publishes_http_pulls_with_its_properties() {
    let gantry = Gantry::start(&[]).unwrap();
    let mut client = Session::confirming(Kind::Lapin, &gantry);
    let exchange = ["name=x", "type=topic", "durable=true"];
    client.tell("declare-exchange", &exchange);
    client.tell("declare-queue", &["name=q", "durable=true"]);
    client.tell("bind", &["queue=q", "exchange=x", "key=#"]);
    let told = properties(&json!({"message_id": "id", "correlation_id": "c"}));
    client.tell(
        "publish",
        &["exchange=x", "key=eu.de", &body("hello"), &told],
    );
    let pulled = pull(&gantry, "x", "c", &[("x-oms-waitMills", "5000")]);
    assert_eq!((pulled.status, &*pulled.body), (200, &b"hello"[..]));
    assert_eq!(pulled.field("x-oms-h-tag"), Some("eu.de"));
    assert_eq!(pulled.field("x-oms-h-messageid"), Some("id"));
    assert_eq!(pulled.field("x-oms-h-correlationid"), Some("c"));
    let records = librdkafka::read_all(&gantry.kafka().unwrap(), &["x"]);
    assert_eq!(
        (i64::from(records[0].partition()), records[0].offset()),
        place(&pulled)
    );
}
