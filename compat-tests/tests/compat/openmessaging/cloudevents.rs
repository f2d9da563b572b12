//! A CloudEvent is the same one in every protocol, in the form of its binding to each.

use super::{produce, pull};
use crate::amqp::session::{Kind, Session, body, body_of, properties};
use crate::librdkafka;
use compat_tests::gantry::Gantry;
use compat_tests::lines::Message;
use serde_json::json;
use std::collections::BTreeMap;

const ATTRIBUTES: [(&str, &str); 5] = [
    ("id", "1"),
    ("source", "/tills/7"),
    ("specversion", "1.0"),
    ("subject", "cafe"),
    ("type", "org.example.sold"),
];
const KIND: &str = "application/json";
const DATA: &[u8] = br#"{"n": 1.0}"#;

/// A queue that gets what is produced to `t`.
fn queue(gantry: &Gantry) -> Session {
    let mut client = Session::confirming(Kind::Lapin, gantry);
    client.tell(
        "declare-exchange",
        &["name=t", "type=topic", "durable=true"],
    );
    client.tell("declare-queue", &["name=q", "durable=true"]);
    client.tell("bind", &["queue=q", "exchange=t", "key=#"]);
    client.tell("consume", &["queue=q", "auto_ack=true"]);
    client
}

/// What Kafka, AMQP and HTTP have of the one event there is.
fn assert_everywhere(gantry: &Gantry, queue: &mut Session) {
    let records = librdkafka::read_all(&gantry.kafka().unwrap(), &["t"]);
    let record = librdkafka::as_message(&records[0]);
    let headers: BTreeMap<_, _> = record.headers.iter().cloned().collect();
    let header = |name: &str| {
        let value = headers.get(name)?.clone()?;
        Some(String::from_utf8(value).unwrap())
    };
    assert_eq!(record.value.as_deref(), Some(DATA));

    let received = queue.next("received");
    assert_eq!(body_of(&received).as_bytes(), DATA);
    let told = received.value("properties").unwrap();

    let pulled = pull(gantry, "t", "c", &[("x-oms-waitMills", "5000")]);
    assert_eq!(pulled.body, DATA);

    for (name, value) in ATTRIBUTES {
        let in_kafka = header(&format!("ce_{name}"));
        assert_eq!(in_kafka.as_deref(), Some(value), "ce_{name}");
        let in_amqp = &told["headers"][format!("cloudEvents:{name}")];
        assert_eq!(in_amqp.as_str(), Some(value), "cloudEvents:{name}: {told}");
        let in_http = pulled.field(&format!("ce-{name}"));
        assert_eq!(in_http, Some(value), "ce-{name}");
    }
    assert_eq!(header("content-type").as_deref(), Some(KIND));
    assert_eq!(told["content_type"], KIND);
    assert_eq!(pulled.field("content-type"), Some(KIND));
}

#[test]
fn an_event_of_http_is_everybodys() {
    let gantry = Gantry::start(&[]).unwrap();
    let mut queue = queue(&gantry);
    let fields = ATTRIBUTES.map(|(name, value)| (format!("ce-{name}"), value));
    let mut fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (&**name, *value))
        .collect();
    fields.push(("content-type", KIND));
    produce(&gantry, "t", &fields, DATA);
    assert_everywhere(&gantry, &mut queue);
}

#[test]
fn an_event_of_kafka_is_everybodys() {
    let gantry = Gantry::start(&[]).unwrap();
    let mut queue = queue(&gantry);
    let own = ATTRIBUTES.map(|(name, value)| (format!("ce_{name}"), Some(value.into())));
    let kind = ("content-type".to_owned(), Some(KIND.into()));
    let message = Message {
        headers: own.into_iter().chain([kind]).collect(),
        ..Message::of(DATA)
    };
    librdkafka::produce(&gantry.kafka().unwrap(), "t", &[message], &[]);
    assert_everywhere(&gantry, &mut queue);
}

#[test]
fn an_event_of_amqp_is_everybodys() {
    let gantry = Gantry::start(&[]).unwrap();
    let mut queue = queue(&gantry);
    let headers = ATTRIBUTES.map(|(name, value)| (format!("cloudEvents:{name}"), value));
    let headers: BTreeMap<_, _> = headers.into_iter().collect();
    let told = properties(&json!({"content_type": KIND, "headers": headers}));
    let data = body(DATA);
    queue.tell("publish", &["exchange=t", "key=k", &data, &told]);
    assert_everywhere(&gantry, &mut queue);
}
