//! Every resource as a stock HTTP client asks for it.

use super::http::{Http, bodies, told};
use compat_tests::gantry::Gantry;
use compat_tests::process::{PATIENCE, now};
use reqwest::blocking::Response;
use reqwest::{Method, Version};
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;

/// One partition each, so that there is one order.
const ONE: &str = "topics.default_queues=1";
const MESSAGES: &str = "/v1/destinations/t/messages";
const BATCH: &str = "/v1/destinations/t/messages:batch";
const OFFSET: &str = "/v1/subscriptions/c/offset";

fn start() -> (Gantry, Http) {
    let gantry = Gantry::start(&[ONE]).unwrap();
    let http = Http::of(&gantry);
    (gantry, http)
}

/// What a request for `t` is answered that has to wait for nothing.
fn now_there(http: &Http) -> Vec<Value> {
    http.receive(&json!({ "source": "t", "max": 100 }))
}

/// The next message of `t`, which may be on its way.
fn next(http: &Http) -> Value {
    let wanted = json!({ "source": "t", "waitMillis": 30_000, "invisibleMillis": 600_000 });
    let mut received = http.receive(&wanted);
    assert_eq!(received.len(), 1);
    received.remove(0)
}

/// Every message of `t`, as `query` wants to see them.
fn seen(http: &Http, query: &str) -> Value {
    told(http.get(&format!("{MESSAGES}?{query}")), 200)
}

fn seen_bodies(http: &Http, query: &str) -> Vec<String> {
    let seen = seen(http, query);
    let messages = seen["messages"].as_array().unwrap();
    bodies(messages).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_message_is_sent_with_fields_and_seen_as_an_envelope() {
    let (_gantry, http) = start();
    let sent = http
        .request(Method::POST, MESSAGES)
        .header("x-oms-h-messageKey", "k")
        .header("x-oms-h-tag", "new")
        .header("x-oms-h-durability", "1")
        .header("x-oms-p-colour", "gr%C3%BCn")
        .header("content-type", "text/plain")
        .body("hello")
        .send()
        .unwrap();
    assert_eq!(
        (sent.status().as_u16(), sent.version()),
        (201, Version::HTTP_11)
    );
    let field = |name: &str| sent.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        (field("x-oms-partition"), field("x-oms-offset")),
        ("0".into(), "0".into())
    );
    let seen = seen(&http, "partition=0&offset=0");
    let message = &seen["messages"][0];
    assert_eq!(message["messageId"], field("x-oms-h-messageid"));
    for (name, value) in [
        ("destination", json!("t")),
        ("body", json!("hello")),
        ("messageKey", json!("k")),
        ("tag", json!("new")),
        ("contentType", json!("text/plain")),
        ("properties", json!({ "colour": "grün" })),
        ("offset", json!(0)),
    ] {
        assert_eq!(message[name], value, "{name}");
    }
    let long = http
        .request(Method::POST, MESSAGES)
        .body(vec![b'x'; (4 << 20) + 1]);
    let refused = told(long.send().unwrap(), 413);
    assert_eq!(
        (&refused["oms"], &refused["status"]),
        (&json!(1413), &json!(413))
    );
}

#[test]
fn a_batch_is_an_object_an_array_or_lines() {
    let (_gantry, http) = start();
    let binary = json!({ "messages": [{ "bodyBase64": "AP8=" }, { "body": "1" }] });
    let items = told(http.post(BATCH, &binary), 200);
    assert_eq!(items["items"][1]["offset"], 1);
    let array = json!([{ "body": "2" }, { "body": "no", "priority": 11 }, { "body": "3" }]);
    let mixed = told(http.post(BATCH, &array), 207);
    let statuses: Vec<_> = (0..3).map(|at| &mixed["items"][at]["status"]).collect();
    assert_eq!(statuses, [201, 400, 201]);
    let lines = "{\"body\":\"4\"}\n{\"body\":\n{\"body\":\"5\"}";
    let lines = http
        .request(Method::POST, BATCH)
        .header("content-type", "application/x-ndjson")
        .body(lines);
    let mixed = told(lines.send().unwrap(), 207);
    let statuses: Vec<_> = (0..3).map(|at| &mixed["items"][at]["status"]).collect();
    assert_eq!(statuses, [201, 400, 201]);
    assert_eq!(seen(&http, "limit=1")["messages"][0]["bodyBase64"], "AP8=");
    assert_eq!(
        seen_bodies(&http, "partition=0&offset=1"),
        ["1", "2", "3", "4", "5"]
    );
    told(http.post(BATCH, &json!([])), 400);
}

#[test]
fn what_is_received_is_the_consumers_until_it_is_acknowledged() {
    let (_gantry, http) = start();
    http.send(&["0", "1", "2"]);
    let held = json!({ "source": "t", "max": 2, "invisibleMillis": 600_000 });
    let two = http.receive(&held);
    assert_eq!(bodies(&two), ["0", "1"]);
    assert_eq!(two[0]["deliveryCount"], 1);
    let third = next(&http);
    assert_eq!(third["body"], "2");
    assert!(now_there(&http).is_empty());
    let acked = http.settle("ack", &[&two[0], &third], json!({}));
    assert_eq!(
        acked.iter().map(|one| one.0).collect::<Vec<_>>(),
        [200, 200]
    );
    // A time that is over, and what was acknowledged stays so.
    let brief = json!({ "invisibleMillis": 1 });
    let extended = http.settle("extend", &[&two[1]], brief);
    assert_eq!(extended[0].0, 200);
    let again = next(&http);
    assert_eq!(
        (&again["body"], &again["deliveryCount"]),
        (&json!("1"), &json!(2))
    );
    let late = http.settle("ack", &[&two[1], &again], json!({}));
    assert_eq!(late.iter().map(|one| one.0).collect::<Vec<_>>(), [409, 200]);
    assert!(now_there(&http).is_empty());
    http.send(&["3"]);
    let automatic = json!({ "source": "t", "max": 100, "ack": "auto", "waitMillis": 30_000 });
    assert_eq!(bodies(&http.receive(&automatic)), ["3"]);
    let progress = told(http.get("/v1/subscriptions/c"), 200);
    assert_eq!(progress["progress"][0]["offset"], 4);
}

#[test]
fn what_is_nacked_comes_again_at_once_or_later() {
    let (_gantry, http) = start();
    http.send(&["0", "1"]);
    let (first, second) = (next(&http), next(&http));
    let began = now();
    let later = http.settle("nack", &[&first], json!({ "delayMillis": 300 }));
    assert_eq!(later[0].0, 200);
    http.settle("nack", &[&second], json!({}));
    let again = next(&http);
    assert_eq!(
        (&again["body"], &again["deliveryCount"]),
        (&json!("1"), &json!(2))
    );
    assert_eq!(next(&http)["body"], "0");
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(http.settle("nack", &[&first], json!({}))[0].0, 409);
}

#[test]
fn what_is_extended_has_a_new_handle() {
    let (_gantry, http) = start();
    http.send(&["0"]);
    let mut message = next(&http);
    let longer = json!({ "invisibleMillis": 600_000 });
    let extended = http.settle("extend", &[&message], longer);
    let old = message["receiptHandle"].take();
    message["receiptHandle"] = extended[0].1["newReceiptHandle"].clone();
    assert_eq!(
        http.settle("ack", &[&json!({ "receiptHandle": old })], json!({}))[0].0,
        409
    );
    assert_eq!(http.settle("ack", &[&message], json!({}))[0].0, 200);
    let none = json!({ "receiptHandle": "none" });
    assert_eq!(http.settle("extend", &[&none], json!({}))[0].0, 400);
}

#[test]
fn dead_letters_are_given_up_or_were_handed_out_too_often() {
    let most = "openmessaging.protocol.attempts_max=2";
    let gantry = Gantry::start(&[ONE, most]).unwrap();
    let http = Http::of(&gantry);
    http.send(&["given up", "tried twice"]);
    let first = next(&http);
    assert_eq!(http.settle("deadletter", &[&first], json!({}))[0].0, 200);
    for _ in 0..2 {
        let tried = next(&http);
        assert_eq!(tried["body"], "tried twice");
        http.settle("nack", &[&tried], json!({}));
    }
    let wait = json!({ "source": "t", "waitMillis": 1_000 });
    assert!(http.receive(&wait).is_empty());
    let dead = told(http.get("/v1/destinations/%25DLQ%25c/messages"), 200);
    let dead = dead["messages"].as_array().unwrap();
    assert_eq!(bodies(dead), ["given up", "tried twice"]);
}

#[test]
fn messages_are_looked_at_by_place_time_and_key() {
    let (_gantry, http) = start();
    http.send(&["0", "1"]);
    let keyed = json!([{ "body": "2", "messageKey": "k" }]);
    told(http.post(BATCH, &keyed), 200);
    assert_eq!(seen_bodies(&http, ""), ["0", "1", "2"]);
    assert_eq!(seen_bodies(&http, "partition=0&offset=1"), ["1", "2"]);
    assert_eq!(seen_bodies(&http, "key=k"), ["2"]);
    assert_eq!(seen_bodies(&http, "timestamp=0"), ["0", "1", "2"]);
    assert!(seen_bodies(&http, "timestamp=9999999999999").is_empty());
    let mut all = Vec::new();
    let mut query = "limit=2".to_owned();
    while all.len() < 3 {
        let seen = seen(&http, &query);
        let messages = seen["messages"].as_array().unwrap();
        assert!(!messages.is_empty());
        all.extend(bodies(messages).into_iter().map(str::to_owned));
        query = format!("limit=2&cursor={}", seen["cursor"].as_str().unwrap());
    }
    assert_eq!(all, ["0", "1", "2"]);
    // Nobody's progress changed.
    assert_eq!(bodies(&now_there(&http)), ["0", "1", "2"]);
    told(http.get(&format!("{MESSAGES}?cursor=none")), 400);
    told(http.get("/v1/destinations/none/messages"), 404);
}

#[test]
fn a_consumer_goes_on_where_it_is_put() {
    let (_gantry, http) = start();
    http.send(&["0", "1", "2"]);
    let seek = |place: Value, status| {
        let mut body = json!({ "source": "t" });
        body.as_object_mut()
            .unwrap()
            .extend(place.as_object().unwrap().clone());
        told(http.put(OFFSET, &body), status)
    };
    seek(json!({ "position": "latest" }), 200);
    assert!(now_there(&http).is_empty());
    seek(json!({ "partition": 0, "offset": 1 }), 200);
    let received = now_there(&http);
    assert_eq!(bodies(&received), ["1", "2"]);
    seek(json!({ "timestamp": 0 }), 200);
    let first = next(&http);
    assert_eq!(first["body"], "0");
    // What is leased stays so where the progress does not go back.
    seek(json!({ "position": "earliest" }), 200);
    assert_eq!(http.settle("ack", &[&first], json!({}))[0].0, 200);
    assert_eq!(next(&http)["body"], "1");
    seek(json!({ "position": "earliest" }), 200);
    assert_eq!(bodies(&now_there(&http)), ["0", "1", "2"]);
    assert_eq!(seek(json!({ "offset": 4 }), 416)["oms"], 1418);
    seek(json!({ "offset": 1, "position": "latest" }), 400);
}

#[test]
fn a_message_that_waits_is_taken_back_once() {
    let (_gantry, http) = start();
    let later = http
        .request(Method::POST, MESSAGES)
        .header("x-oms-h-delayTime", "3600000")
        .body("later");
    let sent = later.send().unwrap();
    assert_eq!(sent.status(), 201);
    let handle = sent.headers()["x-oms-recallhandle"].to_str().unwrap();
    let recall = format!("/v1/messages/{handle}:recall");
    told(http.post(&recall, &Value::Null), 200);
    told(http.post(&recall, &Value::Null), 404);
    told(http.post("/v1/messages/none:recall", &Value::Null), 400);
}

#[test]
fn destinations_are_made_grown_listed_and_deleted() {
    let (_gantry, http) = start();
    let path = "/v1/namespaces/shop/destinations/orders";
    let made = told(http.put(path, &json!({ "partitions": 2 })), 201);
    assert_eq!(made["partitions"].as_array().unwrap().len(), 2);
    let grown = told(http.put(path, &json!({ "partitions": 3 })), 200);
    assert_eq!(grown["partitions"].as_array().unwrap().len(), 3);
    let one = json!([{ "body": "one", "partition": 2 }]);
    told(http.post(&format!("{path}/messages:batch"), &one), 200);
    let seen = told(http.get(path), 200);
    assert_eq!(
        seen["partitions"][2],
        json!({ "partition": 2, "start": 0, "end": 1 })
    );
    let listed = told(http.get("/v1/namespaces/shop/destinations"), 200);
    assert_eq!(listed["names"], json!(["orders"]));
    let all = told(http.get("/v1/destinations"), 200);
    let all = all["names"].as_array().unwrap();
    assert!(all.is_empty(), "they are of no namespace: {all:?}");
    told(http.delete(path), 200);
    told(http.get(path), 404);
    told(http.delete(path), 404);
}

#[test]
fn consumers_are_listed_and_deleted_with_their_progress() {
    let (_gantry, http) = start();
    told(http.get("/v1/subscriptions/c"), 404);
    http.send(&["0", "1"]);
    let first = next(&http);
    http.settle("ack", &[&first], json!({}));
    let listed = told(http.get("/v1/subscriptions"), 200);
    assert_eq!(listed["names"], json!(["c"]));
    let progress = told(http.get("/v1/subscriptions/c"), 200);
    let expected = json!([{ "source": "t", "partition": 0, "offset": 1 }]);
    assert_eq!(progress["progress"], expected);
    told(http.delete("/v1/subscriptions/c"), 200);
    told(http.get("/v1/subscriptions/c"), 404);
    assert_eq!(next(&http)["body"], "0", "it begins anew");
}

#[test]
fn it_tells_that_it_serves() {
    let (_gantry, http) = start();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(http.get(path).status(), 200, "{path}");
    }
    let none = http.get("/v1/none");
    assert_eq!(none.headers()["x-oms-status"], "1400");
    assert_eq!(told(none, 404)["status"], 404);
    told(http.delete("/v1/destinations"), 405);
}

/// A live stream's events, or its lines.
struct Live(std::io::Lines<std::io::BufReader<Response>>);

impl Live {
    fn open(http: &Http, fields: &[(&str, &str)]) -> Self {
        let answer = Self::ask(http, fields);
        assert_eq!(answer.status(), 200);
        Self(std::io::BufRead::lines(std::io::BufReader::new(answer)))
    }

    fn ask(http: &Http, fields: &[(&str, &str)]) -> Response {
        let mut request = http.request(Method::GET, "/v1/subscriptions/c/stream?source=t");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.send().unwrap()
    }

    fn line(&mut self) -> String {
        self.0.next().unwrap().unwrap()
    }

    /// The next event's id and message.
    fn event(&mut self) -> (String, Value) {
        let mut fields = std::collections::BTreeMap::new();
        loop {
            let line = self.line();
            match line.split_once(": ") {
                Some((name, value)) => drop(fields.insert(name.to_owned(), value.to_owned())),
                None if line.is_empty() && fields.contains_key("data") => break,
                None => {}
            }
        }
        assert_eq!(fields["event"], "message");
        (
            fields["id"].clone(),
            serde_json::from_str(&fields["data"]).unwrap(),
        )
    }

    /// Bodies of the next events, and the last one's id.
    fn events(&mut self, count: usize) -> (Vec<String>, String) {
        let events: Vec<_> = (0..count).map(|_| self.event()).collect();
        let body = |event: &(String, Value)| event.1["body"].as_str().unwrap().to_owned();
        (
            events.iter().map(body).collect(),
            events[count - 1].0.clone(),
        )
    }

    /// Reads until the server says that it is there.
    fn heartbeat(&mut self) {
        while self.line() != ":" {}
    }
}

#[test]
fn a_live_stream_goes_on_after_the_event_its_client_had_last() {
    let beats = "openmessaging.protocol.heartbeat_ms=200";
    let gantry = Gantry::start(&[ONE, beats]).unwrap();
    let http = Http::of(&gantry);
    http.send(&["0", "1"]);
    let mut live = Live::open(&http, &[("accept", "text/event-stream")]);
    let (first, after_first) = live.events(1);
    assert_eq!(first, ["0"]);
    assert_eq!(live.events(1).0, ["1"]);
    live.heartbeat();
    http.send(&["2", "3"]);
    assert_eq!(live.events(2).0, ["2", "3"]);
    drop(live);
    // Its client had the first and no more.
    let mut live = Live::open(&http, &[("last-event-id", &after_first)]);
    let (again, last) = live.events(3);
    assert_eq!(again, ["1", "2", "3"]);
    http.send(&["4"]);
    assert_eq!(live.events(1).0, ["4"]);
    drop(live);
    let mut lines = Live::open(
        &http,
        &[("accept", "application/x-ndjson"), ("last-event-id", &last)],
    );
    let line = lines.line();
    let message: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(message["body"], "4");
    drop(lines);
    for (id, status) in [("0:99", 416), ("nonsense", 400)] {
        told(Live::ask(&http, &[("last-event-id", id)]), status);
    }
}

#[test]
fn who_waits_holds_up_nothing_else_of_its_http_2_connection() {
    let gantry = Gantry::start(&[ONE]).unwrap();
    let http = Http::of_h2c(&gantry);
    let made = http.put("/v1/destinations/t", &json!({}));
    assert_eq!(
        (made.status().as_u16(), made.version()),
        (201, Version::HTTP_2)
    );
    let began = now();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| next(&http));
        for _ in 0..20 {
            assert_eq!(http.get("/v1/destinations/t").status(), 200);
        }
        http.send(&["0"]);
        let received = waiting.join().unwrap();
        assert_eq!(received["body"], "0");
        assert_eq!(http.settle("ack", &[&received], json!({}))[0].0, 200);
    });
    assert!(began.elapsed() < PATIENCE / 3, "{:?}", began.elapsed());
    http.send(&["1", "2"]);
    let mut live = Live::open(&http, &[]);
    assert_eq!(live.events(2).0, ["1", "2"]);
    drop(live);
    assert!(now_there(&http).is_empty());
}
