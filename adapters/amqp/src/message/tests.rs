use super::*;
use crate::codec::table::{ArrayBuilder, TableBuilder, Value};
use crate::codec::{Properties, PropertyFault, PropertyList};
use bytes::Bytes;
use gantry_core::convert::{message_of, record_of};
use gantry_core::model::{Header, Message, Record, Timestamp, property};
use std::net::{Ipv4Addr, SocketAddr};

fn published<'a>(key: &'a str, properties: &'a Properties) -> Published<'a> {
    Published {
        exchange: "orders",
        routing_key: key,
        properties,
        body: Bytes::from_static(b"body"),
        from: SocketAddr::from((Ipv4Addr::LOCALHOST, 5)),
        at: Timestamp::from_millis(12_345),
    }
}

fn value(message: &Message, name: &str) -> Option<String> {
    message.properties.value(name).map(str::to_owned)
}

#[test]
fn what_is_published_is_delivered_byte_for_byte() {
    let mut array = ArrayBuilder::new();
    array.push(Value::Void).push(Value::I8(-1));
    let mut headers = TableBuilder::new();
    headers
        .put("list", Value::Array(array.view()))
        .put("bytes", Value::Bytes(&[0, 1, 2, 255]))
        .put("", Value::LongString(b"nameless"))
        .put("twice", Value::I32(1))
        .put("twice", Value::F32(0.5))
        .put("__CRC32#", Value::LongString(b"forged"))
        .put("DELAY", Value::LongString(b"3"));
    let headers = headers.build();
    let list = PropertyList {
        headers: Some(headers.view()),
        delivery_mode: Some(1),
        priority: Some(9),
        message_id: Some(b"\xff not text"),
        timestamp: Some(u64::MAX),
        cluster_id: Some(b"relic"),
        ..PropertyList::default()
    };
    for properties in [list.encode(), Properties::NONE] {
        for key in ["", "a.b", "no\u{1}tag", &"k".repeat(255)] {
            let message = published(key, &properties).to_message().unwrap();
            let delivered = Delivered::of(&message, "any");
            assert_eq!(delivered.exchange, "orders");
            assert_eq!(delivered.routing_key, key);
            assert_eq!(delivered.properties, properties);
            assert_eq!(delivered.body, "body");
            assert_eq!(message.born_at.millis(), 12_345, "no time of its own");
        }
    }
}

#[test]
fn other_protocols_read_what_has_a_place_there() {
    let mut headers = TableBuilder::new();
    headers
        .put("colour", Value::LongString("grün".as_bytes()))
        .put("count", Value::U16(7))
        .put("is", Value::Bool(true))
        .put("half", Value::F64(0.5))
        .put("KEYS", Value::LongString(b"k1 k2"))
        .put("TAGS", Value::LongString(b"not the routing key"))
        .put("DELAY", Value::LongString(b"3"))
        .put("__SETTLES", Value::LongString(b"1:1"))
        .put("nothing", Value::Void);
    let headers = headers.build();
    let list = PropertyList {
        content_type: Some(b"text/plain"),
        headers: Some(headers.view()),
        message_id: Some(b"id-1"),
        timestamp: Some(1_700_000_000),
        ..PropertyList::default()
    };
    let message = published("a.b", &list.encode()).to_message().unwrap();
    let expected = [
        ("TAGS", Some("a.b")),
        ("KEYS", Some("k1 k2")),
        ("UNIQ_KEY", Some("id-1")),
        ("content-type", Some("text/plain")),
        ("colour", Some("grün")),
        ("count", Some("7")),
        ("is", Some("true")),
        ("half", Some("0.5")),
        ("DELAY", None),
        ("__SETTLES", None),
        ("nothing", None),
    ];
    for (name, text) in expected {
        assert_eq!(value(&message, name).as_deref(), text, "{name}");
    }
    assert_eq!(message.born_at.millis(), 1_700_000_000_000);
    let record = record_of(&message);
    assert_eq!(record.key.as_deref(), Some(&b"k1 k2"[..]));
    let colour = record.headers.iter().find(|header| header.name == "colour");
    assert_eq!(colour.unwrap().value.as_deref(), Some("grün".as_bytes()));
}

#[test]
fn a_kafka_record_arrives_with_its_tag_as_routing_key_and_its_headers() {
    let header = |name: &'static str, value: Option<&'static [u8]>| Header {
        name: Bytes::from_static(name.as_bytes()),
        value: value.map(Bytes::from_static),
    };
    let record = Record {
        key: Some(Bytes::from_static(b"\xff\x00")),
        value: Some(Bytes::from_static(b"value")),
        headers: vec![
            header("TAGS", Some(b"red")),
            header("content-type", Some(b"text/plain")),
            header("expiration", Some(b"5")),
            header("binary", Some(b"\x00\xff")),
            header("null", None),
            header("again", Some(b"1")),
            header("again", Some(b"2")),
        ],
        timestamp: Timestamp::from_millis(5_999),
    };
    let delivered = Delivered::of(&message_of(&record), "orders");
    assert_eq!(delivered.exchange, "orders");
    assert_eq!(delivered.routing_key, "red");
    assert_eq!(delivered.body, "value");
    let list = delivered.properties.list().unwrap();
    assert_eq!(list.content_type, Some(&b"text/plain"[..]));
    assert_eq!((list.expiration, list.timestamp), (None, Some(5)));
    let headers: Vec<_> = list.headers.unwrap().iter().collect();
    let headers: Vec<_> = headers
        .iter()
        .map(|field| (std::str::from_utf8(field.name).unwrap(), field.value))
        .collect();
    let expected = [
        ("KEYS", Value::Bytes(b"\xff\x00")),
        ("expiration", Value::LongString(b"5")),
        ("binary", Value::Bytes(b"\x00\xff")),
        ("null", Value::Void),
        ("again", Value::LongString(b"1")),
        ("again", Value::LongString(b"2")),
    ];
    assert_eq!(headers, expected);
}

#[test]
fn what_is_too_large_for_others_is_kept_whole_and_what_is_too_large_at_all_is_refused() {
    let of_bytes = |count: usize| {
        let text = vec![b'x'; count];
        let mut headers = TableBuilder::new();
        headers.put("long", Value::LongString(&text));
        let headers = headers.build();
        let list = PropertyList {
            headers: Some(headers.view()),
            ..PropertyList::default()
        };
        list.encode()
    };
    let properties = of_bytes(20_000);
    let message = published("k", &properties).to_message().unwrap();
    assert_eq!(value(&message, "long"), None);
    assert_eq!(value(&message, "TAGS").as_deref(), Some("k"));
    assert_eq!(Delivered::of(&message, "t").properties, properties);
    let refused = published("k", &of_bytes(30_000)).to_message();
    assert!(matches!(refused, Err(MessageFault::TooLarge(_))));
    let none = Properties::from_raw(Bytes::from_static(&[0xff]));
    let refused = published("k", &none).to_message().unwrap_err();
    assert_eq!(refused, MessageFault::Properties(PropertyFault::CutShort));
}

#[test]
fn a_forged_property_is_another_protocols_message() {
    for forged in ["AA", "AAAB", "!!", "AAD//w"] {
        let mut message = Message::new(Bytes::from_static(b"b"), Timestamp::from_millis(0));
        let pairs = [(property::AMQP_BASE64, forged), ("TAGS", "t")];
        message.properties = gantry_core::model::Properties::from_pairs(pairs).unwrap();
        let delivered = Delivered::of(&message, "topic");
        assert_eq!(delivered.exchange, "topic", "{forged}");
        assert!(delivered.properties.list().is_ok());
    }
}
