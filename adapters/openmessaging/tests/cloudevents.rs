//! CloudEvents: an event comes out as it went in, whatever its form.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod endpoint;

use endpoint::{Answer, Api};
use gantry_openmessaging::Config;
use serde_json::{Value, json};

const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

const BINARY: &[(&str, &str)] = &[
    ("ce-specversion", "1.0"),
    ("ce-id", "1"),
    ("ce-source", "/tills/7"),
    ("ce-type", "org.example.sold"),
    ("ce-subject", "caf%C3%A9"),
    ("ce-time", "2026-12-01T12:00:00Z"),
    ("content-type", "application/json"),
];

fn event(data: Value) -> Value {
    let mut event = json!({
        "specversion": "1.0",
        "id": "1",
        "source": "/tills/7",
        "type": "org.example.sold",
        "subject": "café",
        "datacontenttype": "application/json",
    });
    if !data.is_null() {
        event["data"] = data;
    }
    event
}

async fn send(api: &Api, event: &Value) -> Answer {
    api.ask(
        "POST",
        "/v1/destinations/t/messages",
        &[("content-type", STRUCTURED)],
        event.to_string(),
    )
    .await
}

async fn batch(api: &Api) -> Vec<Value> {
    let path = "/v1/subscriptions/c/messages:receive";
    let fields = [("accept", BATCH)];
    let answer = api
        .ask("POST", path, &fields, r#"{"source": "t", "max": 9}"#)
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("content-type"), Some(BATCH));
    answer.json().as_array().unwrap().clone()
}

#[tokio::test]
async fn an_event_in_headers_comes_back_in_headers_and_in_json() {
    let api = Api::new(Config::default());
    assert_eq!(api.produce(BINARY, r#"{"n":1}"#).await.status, 200);
    let pulled = api.pull(&[("x-oms-ack", "true")]).await;
    for (name, value) in BINARY {
        assert_eq!(pulled.field(name), Some(*value), "{name}");
    }
    assert_eq!(pulled.body, br#"{"n":1}"#);
    api.post(
        "/v1/subscriptions/c/messages:nack",
        json!({"receiptHandles": [pulled.field("x-oms-receipthandle").unwrap()]}),
    )
    .await;
    let pulled = api.pull(&[("accept", STRUCTURED)]).await;
    assert_eq!(pulled.field("content-type"), Some(STRUCTURED));
    assert_eq!(pulled.field("ce-id"), None, "it is in one form");
    let told = pulled.json();
    for (name, value) in event(json!({"n": 1})).as_object().unwrap() {
        assert_eq!(&told[name], value, "{name}");
    }
    assert_eq!(told["time"], "2026-12-01T12:00:00Z");
}

#[tokio::test]
async fn an_event_in_json_keeps_its_data() {
    let api = Api::new(Config::default());
    let text = json!({"specversion": "1.0", "id": "2", "source": "s", "type": "t",
        "datacontenttype": "text/plain", "data": "plain\ntext"});
    let bytes = json!({"specversion": "1.0", "id": "3", "source": "s", "type": "t",
        "datacontenttype": "image/png", "data_base64": "AP8="});
    let none = json!({"specversion": "1.0", "id": "4", "source": "s", "type": "t", "count": 5});
    for event in [&event(json!([1, "x"])), &text, &bytes, &none] {
        assert_eq!(send(&api, event).await.status, 201, "{event}");
    }
    let bodies = [&br#"[1,"x"]"#[..], b"plain\ntext", &[0, 255], b""];
    for body in bodies {
        let pulled = api.pull(&[]).await;
        assert_eq!(pulled.body, body);
    }
    let seek = json!({"source": "t", "position": "earliest"});
    let path = "/v1/subscriptions/c/offset";
    api.ask("PUT", path, &[], seek.to_string()).await;
    let told = batch(&api).await;
    assert_eq!(told[0]["data"], json!([1, "x"]));
    assert_eq!(told[1]["data"], "plain\ntext");
    assert_eq!(told[2]["data_base64"], "AP8=");
    assert_eq!(
        (&told[3]["count"], told[3].get("data")),
        (&json!("5"), None)
    );
    let handles: Vec<_> = told
        .iter()
        .map(|event| &event["omsreceipthandle"])
        .collect();
    let answer = api
        .post(
            "/v1/subscriptions/c/messages:ack",
            json!({ "receiptHandles": handles }),
        )
        .await;
    assert_eq!(answer.status, 200, "what was received can be acknowledged");
}

#[tokio::test]
async fn a_batch_of_events_is_one_of_messages_and_comes_back_the_same() {
    let api = Api::new(Config::default());
    let mut events: Vec<_> = (0..3).map(|n| event(json!({ "n": n }))).collect();
    for (n, event) in events.iter_mut().enumerate() {
        event["id"] = n.to_string().into();
    }
    events.push(json!({"specversion": "1.0", "id": "no type", "source": "s"}));
    let path = "/v1/destinations/t/messages:batch";
    let fields = [("content-type", BATCH)];
    let body = Value::from(events.clone()).to_string();
    let answer = api.ask("POST", path, &fields, body).await;
    assert_eq!(answer.status, 207, "each has its outcome");
    assert_eq!(answer.json()["items"][3]["detail"], "the event has no type");
    let mut told = batch(&api).await;
    for event in &mut told {
        let members = event.as_object_mut().unwrap();
        members.retain(|name, _| !name.starts_with("oms"));
    }
    assert_eq!(told, events[..3]);
}

#[tokio::test]
async fn the_same_event_is_not_appended_twice_and_another_source_has_its_own_ids() {
    let api = Api::new(Config::default());
    let mut other = event(Value::Null);
    other["source"] = "/tills/8".into();
    for (event, duplicate) in [
        (event(Value::Null), None),
        (event(Value::Null), Some("true")),
        (other, None),
    ] {
        let sent = send(&api, &event).await;
        assert_eq!(sent.field("x-oms-duplicate"), duplicate, "{event}");
    }
}

#[tokio::test]
async fn what_is_no_event_is_refused_by_name() {
    let api = Api::new(Config::default());
    let without = |name: &str| {
        let mut event = event(Value::Null);
        event.as_object_mut().unwrap().remove(name);
        event
    };
    let with = |name: &str, value: Value| {
        let mut event = event(Value::Null);
        event[name] = value;
        event
    };
    let both = {
        let mut event = with("data", json!(1));
        event["data_base64"] = "AA==".into();
        event
    };
    for (event, named) in [
        (without("id"), "id"),
        (without("source"), "source"),
        (without("type"), "type"),
        (with("specversion", json!("0.3")), "0.3"),
        (with("Upper", json!("x")), "Upper"),
        (with("nested", json!({})), "nested"),
        (with("data_base64", json!("%")), "base64"),
        (both, "not both"),
    ] {
        let answer = send(&api, &event).await;
        assert_eq!(answer.statuses(), (400, "1418"), "{event}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(named), "{detail}");
    }
    let answer = api.produce(&BINARY[1..], "x").await;
    assert_eq!(answer.statuses(), (400, "1418"), "no specversion");
    let fields = [("content-type", STRUCTURED)];
    let answer = api.produce(&fields, "no JSON").await;
    assert_eq!(answer.statuses(), (400, "1400"));
}

#[tokio::test]
async fn what_is_no_event_is_handed_out_as_one() {
    let api = Api::new(Config::default());
    let plain = [("x-oms-h-messageId", "m"), ("content-type", "text/plain")];
    api.produce(&plain, "hello").await;
    let told = &batch(&api).await[0];
    let of = ["specversion", "id", "source", "type", "data"].map(|name| told[name].as_str());
    let wanted = ["1.0", "m", "/v1/destinations/t", "oms.message", "hello"].map(Some);
    assert_eq!(of, wanted);
}

#[tokio::test]
async fn data_in_json_is_kept_as_it_stands() {
    let api = Api::new(Config::default());
    let data = r#"{"n": 12345678901234567890123, "n": 1.0, "s":"x" }"#;
    api.produce(BINARY, data).await;
    let pulled = api.pull(&[("accept", STRUCTURED)]).await;
    let body = String::from_utf8(pulled.body).unwrap();
    assert!(body.contains(data), "{body}");
    let fields = [("content-type", STRUCTURED)];
    assert_eq!(
        api.produce(&fields, body.replacen("\"1\"", "\"2\"", 1).leak())
            .await
            .status,
        200
    );
    assert_eq!(api.pull(&[]).await.body, data.as_bytes());
}

#[tokio::test]
async fn attributes_in_fields_may_be_quoted_and_are_encoded() {
    let api = Api::new(Config::default());
    let fields = [&BINARY[..4], &[("ce-subject", r#""a \"b\" %25""#)]].concat();
    assert_eq!(api.produce(&fields, "x").await.status, 200);
    let pulled = api.pull(&[]).await;
    assert_eq!(pulled.field("ce-subject"), Some("a%20%22b%22%20%25"));
}

#[tokio::test]
async fn an_event_in_json_may_be_said_again_in_fields() {
    let api = Api::new(Config::default());
    let fields = [
        ("content-type", STRUCTURED),
        ("ce-id", "1"),
        ("ce-type", "another"),
    ];
    let body = event(json!(1)).to_string();
    assert_eq!(api.produce(&fields, body.leak()).await.status, 200);
    let pulled = api.pull(&[]).await;
    assert_eq!(pulled.field("ce-type"), Some("org.example.sold"));
}

#[tokio::test]
async fn a_structured_event_of_another_protocol_is_known() {
    let api = Api::new(Config::default());
    let inner = event(json!(1));
    let envelope = json!([{"contentType": STRUCTURED, "body": inner.to_string()}]);
    api.post("/v1/destinations/t/messages:batch", envelope)
        .await;
    let told = &batch(&api).await[0];
    for (name, value) in inner.as_object().unwrap() {
        assert_eq!(&told[name], value, "{name}");
    }
    assert!(told["omsreceipthandle"].is_string());
}

#[tokio::test]
async fn an_event_within_events_is_data() {
    let api = Api::new(Config::default());
    let begin = r#"{"specversion":"1.0","id":"1","source":"s","type":"t","#;
    let begin = format!(r#"{begin}"datacontenttype":"{STRUCTURED}","data":"#);
    let count = 20_000;
    let nested = [begin.repeat(count), "1".to_owned(), "}".repeat(count)].concat();
    let envelope = json!([{"contentType": STRUCTURED, "body": nested}]);
    let sent = api
        .post("/v1/destinations/t/messages:batch", envelope)
        .await;
    assert_eq!(sent.status, 200);
    let pulled = api.pull(&[("accept", STRUCTURED)]).await;
    assert_eq!(pulled.statuses(), (200, "1200"));
    let data = &nested[begin.len()..nested.len() - 1];
    let body = String::from_utf8(pulled.body).unwrap();
    assert!(body.contains(data));
}
