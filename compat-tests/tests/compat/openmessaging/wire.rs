//! The specification's requests and the listener's limits, as bytes.

use super::{ask, place, produce, pull};
use compat_tests::gantry::Gantry;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

#[test]
fn what_is_produced_is_pulled_with_every_field() {
    let gantry = Gantry::start(&["topics.default_queues=1"]).unwrap();
    let fields = [
        ("x-oms-h-messageId", "id"),
        ("x-oms-h-bornTimestamp", "1700000000000"),
        ("x-oms-h-bornHost", "192.0.2.1:99"),
        ("x-oms-h-storeTimestamp", "1"),
        ("x-oms-h-storeHost", "ignored:1"),
        ("x-oms-h-expireTime", "99999999999999"),
        ("x-oms-h-priority", "1"),
        ("x-oms-h-traceId", "trace"),
        ("x-oms-h-messageKey", "key"),
        ("x-oms-h-durability", "1"),
        ("x-oms-h-correlationId", "c"),
        ("X-OMS-P-Name", "value"),
    ];
    let sent = produce(&gantry, "t", &fields, b"\x00\xff body");
    assert_eq!(sent.field("x-oms-status"), Some("1200"));
    let pulled = pull(&gantry, "t", "c", &[("x-oms-waitMills", "1000")]);
    assert_eq!((pulled.status, &*pulled.body), (200, &b"\x00\xff body"[..]));
    assert_eq!(place(&pulled), place(&sent));
    for (name, value) in fields {
        if name.contains("store") {
            assert_ne!(pulled.field(name), Some(value), "{name} is the broker's");
        } else {
            assert_eq!(pulled.field(name), Some(value), "{name}");
        }
    }
    let none = pull(&gantry, "t", "c", &[]);
    assert_eq!(
        (none.status, none.field("x-oms-status")),
        (204, Some("1414"))
    );
}

#[test]
fn receipts_survive_a_restart() {
    let mut gantry = Gantry::start(&[]).unwrap();
    produce(&gantry, "t", &[], b"one");
    let hold = ("x-oms-invisibleMillis", "600000");
    let pulled = pull(&gantry, "t", "c", &[("x-oms-ack", "true"), hold]);
    let handle = pulled.field("x-oms-receipthandle").unwrap().to_owned();
    gantry.kill().unwrap();
    gantry.restart().unwrap();
    let body = json!({"receiptHandles": [handle]}).to_string();
    let path = "/v1/subscriptions/c/messages:ack";
    let acked = ask(&gantry, "POST", path, &[], body.as_bytes());
    assert_eq!(acked.json()["items"][0]["status"], 200, "{acked:?}");
    assert_eq!(pull(&gantry, "t", "c", &[]).status, 204);
}

#[test]
fn heads_that_are_long_or_slow_end_their_connection() {
    let gantry = Gantry::start(&["openmessaging.protocol.head_timeout_ms=200"]).unwrap();
    let address = gantry.endpoint("openmessaging").unwrap();
    for begun in ["", "GET / HTT", "PRI * HTTP/2.0\r\n"] {
        let mut slow = TcpStream::connect(&address).unwrap();
        slow.write_all(begun.as_bytes()).unwrap();
        let mut rest = Vec::new();
        // It ends, with or without a word.
        let _ = slow.read_to_end(&mut rest);
        assert!(rest.len() < 1_000, "{begun}");
    }
    let long = "x".repeat(100_000);
    let refused = ask(&gantry, "GET", "/healthz", &[("x-long", &long)], b"");
    assert_eq!(refused.status, 431);
    assert_eq!(ask(&gantry, "GET", "/healthz", &[], b"").status, 200);
}
