//! What of Kafka's records is no text comes to HTTP, and back to Kafka.

use super::http::{Http, told};
use super::{produce, pull};
use crate::librdkafka;
use compat_tests::gantry::Gantry;
use compat_tests::lines::Message;
use serde_json::json;

/// Records that no property holds as they are.
fn records() -> Vec<Message> {
    let header = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
    vec![
        Message {
            key: Some(vec![0, 255, 1]),
            headers: vec![
                header("twice", Some(b"1")),
                header("bytes", Some(&[0, 200, 255])),
                header("twice", Some(b"2")),
                header("null", None),
                header("empty", Some(b"")),
            ],
            ..Message::of("with a body")
        },
        Message {
            key: Some(b"gone".to_vec()),
            value: None,
            ..Message::default()
        },
        Message {
            key: Some(Vec::new()),
            ..Message::of("with an empty key")
        },
    ]
}

/// A gateway whose topic `t` has the records.
fn started() -> Gantry {
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    for topic in ["t", "u"] {
        librdkafka::create_topic(&bootstrap, topic, 1);
    }
    librdkafka::produce(&bootstrap, "t", &records(), &[]);
    gantry
}

/// Key, value and headers of all records of a topic, in their order.
fn kept(gantry: &Gantry, topic: &str) -> Vec<Message> {
    let records = librdkafka::read_all(&gantry.kafka().unwrap(), &[topic]);
    let kept = records.iter().map(|record| {
        let message = librdkafka::as_message(record);
        Message {
            partition: None,
            timestamp: None,
            ..message
        }
    });
    kept.collect()
}

/// Those that were given, without the headers that HTTP's producers add.
fn assert_given(kept: Vec<Message>) {
    let given = records();
    assert_eq!(kept.len(), given.len());
    for (mut kept, given) in kept.into_iter().zip(given) {
        let is_given = |(name, _): &(String, _)| given.headers.iter().any(|(own, _)| own == name);
        kept.headers.retain(is_given);
        assert_eq!(kept.key, given.key);
        assert_eq!(kept.value, given.value);
        assert_eq!(kept.headers, given.headers);
    }
}

#[test]
fn records_of_bytes_go_through_http_as_envelopes() {
    let gantry = started();
    let http = Http::of(&gantry);
    let receive = json!({"source": "t", "max": 9, "waitMillis": 1000});
    let received = told(
        http.post("/v1/subscriptions/c/messages:receive", &receive),
        200,
    );
    let first = &received["messages"][0];
    assert_eq!(first["messageKeyBase64"], "AP8B");
    assert_eq!(first["headers"][1]["valueBase64"], "AMj/");
    assert_eq!(first["headers"][3], json!({"name": "null"}));
    assert_eq!(received["messages"][1]["nullBody"], true);
    let sent = http.post("/v1/destinations/u/messages:batch", &received);
    assert_eq!(sent.status(), 200);
    assert_given(kept(&gantry, "u"));
}

#[test]
fn records_of_bytes_go_through_http_as_fields() {
    let gantry = started();
    for _ in records() {
        let pulled = pull(&gantry, "t", "c", &[("x-oms-waitMills", "1000")]);
        let is_own = |name: &str| {
            let is_of = |prefix: &str| name.starts_with(prefix);
            let is_message = is_of("x-oms-h-") && name != "x-oms-h-destination";
            let rest = [
                "x-oms-messagekeybase64",
                "x-oms-headers",
                "x-oms-nullbody",
                "x-oms-properties",
            ];
            is_message || is_of("x-oms-p-") || rest.contains(&name)
        };
        let fields: Vec<_> = pulled.fields().filter(|(name, _)| is_own(name)).collect();
        produce(&gantry, "u", &fields, &pulled.body);
    }
    assert_given(kept(&gantry, "u"));
}
