//! Requests without a socket, against a broker of their own.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod endpoint;

use axum::Extension;
use axum::extract::ConnectInfo;
use endpoint::{Answer, Api};
use gantry_core::FetchQueue;
use gantry_core::model::{Clock as _, QueueId, SystemClock, Timestamp};
use gantry_openmessaging::{Config, OpenMessaging};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

#[tokio::test]
async fn every_field_of_the_specification_comes_back() {
    let api = Api::new(Config::default());
    let sent = [
        ("x-oms-h-messageId", "id-1"),
        ("x-oms-h-bornTimestamp", "1700000000000"),
        ("x-oms-h-bornHost", "192.0.2.1:99"),
        ("x-oms-h-expireTime", "99999999999999"),
        ("x-oms-h-priority", "7"),
        ("x-oms-h-traceId", "trace"),
        ("x-oms-h-transactionId", ""),
        ("x-oms-h-messageKey", "key"),
        ("x-oms-h-durability", "1"),
        ("x-oms-h-correlationId", "correlation"),
        ("x-oms-p-colour", "gr%C3%BCn 100%25"),
        ("content-type", "text/plain"),
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
    ];
    let produced = api.produce(&sent, "hello").await;
    assert_eq!(produced.statuses(), (200, "1200"));
    assert_eq!(produced.field("x-oms-h-messageid"), Some("id-1"));
    assert_eq!(produced.field("x-oms-offset"), Some("0"));
    let pulled = api.pull(&[]).await;
    assert_eq!(pulled.statuses(), (200, "1200"));
    assert_eq!(pulled.body, b"hello");
    for (name, value) in sent.iter().filter(|(_, value)| !value.is_empty()) {
        assert_eq!(
            pulled.field(&name.to_ascii_lowercase()),
            Some(*value),
            "{name}"
        );
    }
    assert_eq!(pulled.field("x-oms-h-destination"), Some("t"));
    assert_eq!(pulled.field("x-oms-partition"), Some("0"));
    for name in [
        "x-oms-h-storetimestamp",
        "x-oms-h-storehost",
        "x-oms-version",
    ] {
        assert!(pulled.field(name).is_some(), "{name}");
    }
    assert_eq!(pulled.field("x-oms-receipthandle"), None);
    assert_eq!(
        api.pull(&[]).await.statuses(),
        (204, "1414"),
        "at most once"
    );
}

#[tokio::test]
async fn defaults_are_the_brokers() {
    let api = Api::new(Config::default());
    let asked_at = SystemClock.now().millis();
    let produced = api.produce(&[], "").await;
    let pulled = api.pull(&[]).await;
    assert_eq!(
        pulled.field("x-oms-h-messageid"),
        produced.field("x-oms-h-messageid")
    );
    assert_eq!(pulled.field("x-oms-h-priority"), Some("5"));
    assert_eq!(pulled.field("x-oms-h-bornhost"), Some("127.0.0.1:4711"));
    let time = |name: &str| pulled.field(name).unwrap().parse::<i64>().unwrap();
    let (born, stored) = (
        time("x-oms-h-borntimestamp"),
        time("x-oms-h-storetimestamp"),
    );
    assert!((asked_at..=stored).contains(&born), "{born}");
}

#[tokio::test]
async fn refusals_have_both_statuses_and_say_why() {
    let config = Config {
        message_bytes_max: 10,
        ..Config::default()
    };
    let api = Api::new(config);
    let none = api
        .ask("POST", "/", &[("x-oms-h-destination", "t")], "")
        .await;
    assert_eq!(none.statuses(), (400, "1400"), "no version");
    let other = [("x-oms-version", "2.0"), ("x-oms-h-destination", "t")];
    let other = api.ask("POST", "/", &other, "").await;
    assert_eq!(other.statuses(), (400, "1101"));
    let long = api.produce(&[], "more than ten bytes").await;
    assert_eq!(long.statuses(), (413, "1413"));
    assert_eq!(long.field("content-type"), Some("application/problem+json"));
    assert_eq!(long.json()["oms"], 1413);
    let missing = api.pull(&[]).await;
    assert_eq!(missing.statuses(), (404, "1404"));
    for wrong in [
        ("x-oms-h-priority", "11"),
        ("x-oms-h-priority", "0"),
        ("x-oms-h-durability", "2"),
        ("x-oms-h-delayTime", "-1"),
        ("x-oms-h-unheard", "of"),
        ("x-oms-p-empty", ""),
        ("x-oms-properties", "[]"),
        ("x-oms-properties", r#"{"__CRC32#":"1"}"#),
    ] {
        let refused = api.produce(&[wrong], "x").await;
        assert_eq!(refused.statuses(), (400, "1418"), "{wrong:?}");
    }
    let own = api
        .produce(&[("x-oms-h-destination", "GANTRY_SYS_STATE")], "x")
        .await;
    assert_eq!(own.statuses(), (403, "1403"));
    assert_eq!(api.ask("GET", "/v1/x", &[], "").await.status, 404);
    assert_eq!(api.ask("DELETE", "/oms", &[], "").await.status, 405);
}

#[tokio::test]
async fn capitals_of_property_names_are_kept_beside() {
    let api = Api::new(Config::default());
    let cased = ("x-oms-properties", r#"{"UserId":"gr\u00fcn","n":7}"#);
    api.produce(&[cased, ("x-oms-p-UserId", "plain")], "x")
        .await;
    let pulled = api.pull(&[]).await;
    assert_eq!(pulled.field("x-oms-p-userid"), Some("gr%C3%BCn"));
    let properties = pulled.field("x-oms-properties").unwrap();
    assert_eq!(properties, r#"{"UserId":"gr\u00fcn","n":"7"}"#);
}

#[tokio::test]
async fn at_least_once_needs_its_acknowledgement() {
    let api = Api::new(Config::default());
    api.produce(&[], "one").await;
    let ack = ("x-oms-ack", "true");
    let short = ("x-oms-invisibleMillis", "1");
    let first = api.pull(&[ack, short]).await;
    let wait = ("x-oms-waitMills", "5000");
    let again = api.pull(&[ack, wait]).await;
    assert_eq!((again.status, &*again.body), (200, &b"one"[..]));
    assert_eq!(again.field("x-oms-deliverycount"), Some("2"));
    let handle = |answer: &Answer| answer.field("x-oms-receipthandle").unwrap().to_owned();
    let handles = json!({"receiptHandles": [handle(&first), handle(&again), "none"]});
    let acked = api.post("/v1/subscriptions/c/messages:ack", handles).await;
    assert_eq!(acked.status, 207);
    let items = &acked.json()["items"];
    let statuses: Vec<_> = (0..3)
        .map(|at| items[at]["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [409, 200, 400], "stale, done, none");
    assert_eq!(api.pull(&[]).await.status, 204);
}

#[tokio::test]
async fn what_is_nacked_extended_and_given_up() {
    let api = Api::new(Config::default());
    api.produce(&[], "one").await;
    let receive = json!({"source": "t", "max": 10, "waitMillis": 5000});
    let path = |verb: &str| format!("/v1/subscriptions/c/messages:{verb}");
    let handle = |answer: &Answer| answer.json()["messages"][0]["receiptHandle"].clone();
    let first = api.post(&path("receive"), receive.clone()).await;
    assert_eq!(first.json()["messages"][0]["body"], "one");
    let nacked = api
        .post(&path("nack"), json!({"receiptHandles": [handle(&first)]}))
        .await;
    assert_eq!(nacked.status, 200);
    let second = api.post(&path("receive"), receive.clone()).await;
    assert_eq!(second.json()["messages"][0]["deliveryCount"], 2);
    let longer = json!({"receiptHandles": [handle(&second)], "invisibleMillis": 60_000});
    let extended = api.post(&path("extend"), longer).await;
    let renewed = extended.json()["items"][0]["newReceiptHandle"].clone();
    let stale = api
        .post(&path("ack"), json!({"receiptHandles": [handle(&second)]}))
        .await;
    assert_eq!(stale.json()["items"][0]["outcome"], "stale");
    let buried = api
        .post(&path("deadletter"), json!({"receiptHandles": [renewed]}))
        .await;
    assert_eq!(buried.status, 200);
    let dead = api
        .ask("GET", "/v1/destinations/%25DLQ%25c/messages", &[], "")
        .await;
    assert_eq!(dead.json()["messages"][0]["body"], "one");
    let none = json!({"source": "t"});
    assert_eq!(api.post(&path("receive"), none).await.status, 204);
}

#[tokio::test]
async fn a_batch_is_appended_in_order_each_with_its_outcome() {
    let api = Api::new(Config::default());
    let batch = json!({"messages": [
        {"body": "a", "messageId": "m1", "properties": {"Case": "kept", "n": 1}},
        {"body": "b", "priority": 99},
        {"bodyBase64": "/wA=", "messageKey": "k"},
    ]});
    let sent = api.post("/v1/destinations/t/messages:batch", batch).await;
    assert_eq!(sent.status, 207);
    let items = sent.json()["items"].clone();
    assert_eq!(
        (&items[0]["status"], &items[0]["offset"]),
        (&json!(201), &json!(0))
    );
    assert_eq!(
        (&items[1]["status"], &items[1]["oms"]),
        (&json!(400), &json!(1418))
    );
    assert_eq!(items[2]["offset"], 1);
    let lines = "{\"body\":\"c\\n\"}\n\n{\"body\":\"d\"}\n";
    let kind = [("content-type", "application/x-ndjson")];
    let sent = api
        .ask("POST", "/v1/destinations/t/messages:batch", &kind, lines)
        .await;
    assert_eq!(
        (sent.status, &sent.json()["items"][1]["offset"]),
        (200, &json!(3))
    );
    let seen = api
        .ask("GET", "/v1/destinations/t/messages?limit=3", &[], "")
        .await
        .json();
    assert_eq!(
        seen["messages"][0]["properties"],
        json!({"Case": "kept", "n": "1"})
    );
    assert_eq!(seen["messages"][1]["bodyBase64"], "/wA=");
    let next = format!(
        "/v1/destinations/t/messages?cursor={}",
        seen["cursor"].as_str().unwrap()
    );
    let rest = api.ask("GET", &next, &[], "").await.json();
    assert_eq!(rest["messages"].as_array().unwrap().len(), 1);
    let keyed = api
        .ask("GET", "/v1/destinations/t/messages?key=m1", &[], "")
        .await;
    assert_eq!(keyed.json()["messages"][0]["body"], "a");
    let wrong = api
        .ask("GET", "/v1/destinations/t/messages?nonsense=1", &[], "")
        .await;
    assert_eq!(wrong.statuses(), (400, "1418"));
}

#[tokio::test]
async fn a_sought_consumer_goes_on_there_and_a_filter_passes_over() {
    let api = Api::new(Config::default());
    for (tag, body) in [("x", "0"), ("y", "1"), ("x", "2")] {
        api.produce(&[("x-oms-h-tag", tag)], body).await;
    }
    let seek = |seek: Value| {
        let body = seek.to_string();
        api.ask("PUT", "/v1/subscriptions/c/offset", &[], body)
    };
    let latest = json!({"source": "t", "position": "latest"});
    assert_eq!(seek(latest).await.status, 200);
    assert_eq!(api.pull(&[]).await.status, 204);
    assert_eq!(seek(json!({"source": "t", "offset": 1})).await.status, 200);
    let progress = api.ask("GET", "/v1/subscriptions/c", &[], "").await.json();
    assert_eq!(progress["progress"][0]["offset"], 1);
    let filtered = api.pull(&[("x-oms-filter", "x || z")]).await;
    assert_eq!(filtered.body, b"2");
    let past = seek(json!({"source": "t", "offset": 9})).await;
    assert_eq!(past.statuses(), (416, "1418"));
    let sql = json!({"source": "t", "filter": "TAGS IN (", "filterType": "SQL92"});
    let sql = api.post("/v1/subscriptions/c/messages:receive", sql).await;
    assert_eq!(sql.statuses(), (400, "1418"));
}

#[tokio::test]
async fn what_expires_is_passed_over_and_what_waits_can_be_recalled() {
    let api = Api::new(Config::default());
    api.produce(&[("x-oms-h-expireTime", "1")], "old").await;
    api.produce(&[], "new").await;
    assert_eq!(api.pull(&[]).await.body, b"new");
    let delayed = api
        .produce(&[("x-oms-h-delayTime", "3600000")], "later")
        .await;
    assert_eq!((delayed.status, delayed.field("x-oms-offset")), (200, None));
    let handle = delayed.field("x-oms-recallhandle").unwrap();
    let recall = format!("/v1/messages/{handle}:recall");
    assert_eq!(api.ask("POST", &recall, &[], "").await.status, 200);
    assert_eq!(api.ask("POST", &recall, &[], "").await.status, 404);
}

#[tokio::test]
async fn compressed_bodies_stay_so_for_who_can_take_them() {
    let api = Api::new(Config::default());
    // gzip of "hello hello hello".
    let gzip = [
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x90,
        0, 0x80, 0x88, 0xf9, 0xe5, 0x11, 0, 0, 0,
    ];
    let fields = [
        ("x-oms-version", "1"),
        ("x-oms-h-destination", "t"),
        ("x-oms-h-compression", "gzip"),
    ];
    api.ask("POST", "/", &fields, gzip.to_vec()).await;
    let as_is = api
        .pull(&[("x-oms-consumerId", "c"), ("accept-encoding", "br, gzip")])
        .await;
    assert_eq!(as_is.body, gzip);
    assert_eq!(as_is.field("content-encoding"), Some("gzip"));
    assert_eq!(as_is.field("x-oms-h-compression"), Some("gzip"));
    let refusing = ("accept-encoding", "gzip;q=0, br");
    let plain = api.pull(&[("x-oms-consumerId", "other"), refusing]).await;
    assert_eq!(plain.body, b"hello hello hello");
    assert_eq!(plain.field("content-encoding"), None);
}

#[tokio::test]
async fn destinations_live_in_their_namespace() {
    let api = Api::new(Config::default());
    let path = "/v1/namespaces/shop/destinations/orders";
    let made = api.ask("PUT", path, &[], r#"{"partitions":3}"#).await;
    assert_eq!(
        (
            made.status,
            made.json()["partitions"].as_array().unwrap().len()
        ),
        (201, 3)
    );
    assert_eq!(api.ask("PUT", path, &[], "").await.status, 200);
    let topic = api.broker.anonymous().topic("shop%orders");
    assert_eq!(topic.map(|topic| topic.queue_count()), Some(3));
    let listed = api
        .ask(
            "GET",
            "/v1/destinations",
            &[("x-oms-namespace", "shop")],
            "",
        )
        .await;
    assert_eq!(listed.json(), json!({"names": ["orders"]}));
    let others = api.ask("GET", "/v1/destinations", &[], "").await;
    assert_eq!(others.json(), json!({"names": []}));
    assert_eq!(api.ask("DELETE", path, &[], "").await.status, 200);
    assert_eq!(
        api.ask("GET", path, &[], "").await.statuses(),
        (404, "1404")
    );
}

#[tokio::test]
async fn offsets_are_those_of_the_log_and_keys_choose_kafkas_partition() {
    let api = Api::new(Config::default());
    api.ask("PUT", "/v1/destinations/t", &[], r#"{"partitions":4}"#)
        .await;
    let path = "/v1/destinations/t/messages";
    let sent = api
        .ask("POST", path, &[("x-oms-h-messageKey", "foobar")], "x")
        .await;
    assert_eq!(sent.statuses(), (201, "1200"));
    // Kafka's Java producer: (-790332482 & 0x7fffffff) % 4.
    assert_eq!(sent.field("x-oms-partition"), Some("2"));
    let client = api.broker.anonymous();
    let selected = client.select_now(&FetchQueue {
        topic: client.topic("t").unwrap(),
        queue: QueueId::new(2),
        offset: gantry_core::model::QueueOffset::ZERO,
        bytes_max: 1 << 20,
        messages_max: 10,
        filter: None,
    });
    let selected = selected.unwrap();
    assert_eq!(
        selected.messages[0].offset.get().to_string(),
        sent.field("x-oms-offset").unwrap()
    );
    let stored = client.query_key(
        "t",
        sent.field("x-oms-h-messageid").unwrap(),
        &(Timestamp::from_millis(0)..Timestamp::from_millis(i64::MAX)),
        2,
    );
    assert_eq!(stored.len(), 1, "its id is a key");
    let wrong = api
        .ask("POST", path, &[("x-oms-partition", "4")], "x")
        .await;
    assert_eq!(wrong.statuses(), (404, "1404"));
}

#[tokio::test]
async fn over_its_limit_a_request_is_told_when_to_come_back() {
    let config = Config {
        requests_max: 0,
        retry_after_s: 7,
        cors_origins: vec!["https://page.example".to_owned()],
        ..Config::default()
    };
    let api = Api::new(config);
    let origin = ("origin", "https://page.example");
    let busy = api.ask("GET", "/healthz", &[origin], "").await;
    assert_eq!(busy.statuses(), (429, "1502"));
    assert_eq!(busy.field("retry-after"), Some("7"));
    assert_eq!(busy.field("access-control-allow-origin"), Some(origin.1));
    let other = api
        .ask("GET", "/healthz", &[("origin", "https://other")], "")
        .await;
    assert_eq!(other.field("access-control-allow-origin"), None);
    let preflight = [origin, ("access-control-request-method", "POST")];
    let preflight = api.ask("OPTIONS", "/", &preflight, "").await;
    assert_eq!(preflight.status, 204);
}

#[tokio::test]
async fn a_message_of_a_known_id_is_not_sent_again() {
    let api = Api::new(Config::default());
    let id = ("x-oms-h-messageId", "once");
    let first = api.produce(&[id], "x").await;
    let again = api.produce(&[id], "x").await;
    assert_eq!(again.statuses(), (200, "1200"));
    assert_eq!(again.field("x-oms-offset"), first.field("x-oms-offset"));
    assert_eq!(
        (
            first.field("x-oms-duplicate"),
            again.field("x-oms-duplicate")
        ),
        (None, Some("true"))
    );
    let other = ("x-oms-h-messageId", "other");
    assert_eq!(
        api.produce(&[other], "x").await.field("x-oms-offset"),
        Some("1")
    );
    // Another start finds it in the log.
    let server = OpenMessaging::new(
        api.broker.anonymous(),
        Config::default(),
        Arc::new(SystemClock),
    );
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 4711));
    let restarted = Api {
        routes: server.routes().layer(Extension(ConnectInfo(peer))),
        ..api
    };
    let key = [("Idempotency-Key", "once")];
    let kept = restarted
        .ask("POST", "/v1/destinations/t/messages", &key, "x")
        .await;
    assert_eq!(
        (kept.status, kept.field("x-oms-duplicate")),
        (201, Some("true"))
    );
    assert_eq!(kept.field("x-oms-offset"), Some("0"));
    // What failed may be sent again.
    let wrong = restarted
        .produce(&[("x-oms-h-messageId", "late"), ("x-oms-p-a", "")], "x")
        .await;
    assert_eq!(wrong.status, 400);
    let right = restarted
        .produce(&[("x-oms-h-messageId", "late")], "x")
        .await;
    assert_eq!((right.status, right.field("x-oms-duplicate")), (200, None));
}

#[tokio::test]
async fn who_may_not_be_called_takes_no_message() {
    let api = Api::new(Config::default());
    assert_eq!(api.produce(&[], "whole").await.statuses(), (200, "1200"));
    let push = [("x-oms-callbackURL", "http://192.0.2.1/")];
    assert_eq!(api.pull(&push).await.statuses(), (403, "1403"));
    let no_push = [("x-oms-callbackURL", "")];
    assert_eq!(api.pull(&no_push).await.statuses(), (200, "1200"));
    let pulled = api.pull(&[]).await;
    assert_eq!(pulled.body, b"whole");
}
