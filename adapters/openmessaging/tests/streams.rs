//! Live streams, against a broker of their own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod endpoint;

use axum::Extension;
use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use endpoint::Api;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use gantry_connection::Shutdown;
use gantry_openmessaging::Config;
use serde_json::{Value, json};
use std::future::IntoFuture as _;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tower::ServiceExt as _;

const PATIENCE: Duration = Duration::from_secs(10);

/// The next frame of a body, as text.
async fn frame(body: &mut BodyDataStream) -> String {
    let next = tokio::time::timeout(PATIENCE, body.next()).await;
    String::from_utf8(next.unwrap().unwrap().unwrap().to_vec()).unwrap()
}

async fn stream(api: &Api, query: &str, fields: &[(&str, &str)]) -> (u16, BodyDataStream) {
    let uri = format!("/v1/subscriptions/live/stream?source=t{query}");
    let mut request = Request::builder().uri(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = api.routes.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    (status, response.into_body().into_data_stream())
}

/// A stream that waits for acknowledgements.
async fn manual(api: &Api, query: &str) -> BodyDataStream {
    let query = format!("&ack=manual{query}");
    let (status, body) = stream(api, &query, &[]).await;
    assert_eq!(status, 200);
    body
}

/// The messages of a frame of server-sent events.
fn messages(frame: &str) -> Vec<Value> {
    let lines = frame.lines();
    let data = lines.filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// What says something of a message: `POST messages:{verb}`.
async fn settle(api: &Api, verb: &str, message: &Value) -> Value {
    let path = format!("/v1/subscriptions/live/messages:{verb}");
    let handles = json!({"receiptHandles": [message["receiptHandle"]]});
    api.post(&path, handles).await.json()["items"][0].clone()
}

/// Bodies, and how often each was handed out, of what `messages:receive` has within `wait_ms`.
async fn received(api: &Api, wait_ms: u64) -> Vec<(String, u64)> {
    let path = "/v1/subscriptions/live/messages:receive";
    let wanted = json!({"source": "t", "max": 10, "waitMillis": wait_ms});
    let answer = api.post(path, wanted).await;
    if answer.status == 204 {
        return Vec::new();
    }
    let told = answer.json();
    let messages = told["messages"].as_array().unwrap().iter();
    let text = |message: &Value| message["body"].as_str().unwrap().to_owned();
    messages
        .map(|message| (text(message), message["deliveryCount"].as_u64().unwrap()))
        .collect()
}

fn named(bodies: &[(&str, u64)]) -> Vec<(String, u64)> {
    let owned = bodies
        .iter()
        .map(|(body, count)| ((*body).to_owned(), *count));
    owned.collect()
}

#[tokio::test]
async fn a_stream_goes_on_after_the_last_event_the_client_had() {
    let api = Api::new(Config {
        live_streams_max: 1,
        ..Config::default()
    });
    api.produce(&[], "one").await;
    let (status, mut body) = stream(&api, "", &[]).await;
    assert_eq!(status, 200);
    let first = frame(&mut body).await;
    assert!(
        first.starts_with("event: message\nid: 0:1\ndata: {"),
        "{first}"
    );
    assert!(first.contains("\"body\":\"one\"") && first.ends_with("}\n\n"));
    assert_eq!(stream(&api, "", &[]).await.0, 429, "one at a time");
    // Live: the stream waits before the message is there.
    let (second, _) = tokio::join!(frame(&mut body), api.produce(&[], "two"));
    assert!(
        second.contains("id: 0:2\n") && second.contains("two"),
        "{second}"
    );
    drop(body);
    // It had the first alone, whatever was settled.
    let (_, mut body) = stream(&api, "", &[("last-event-id", "0:1")]).await;
    let again = frame(&mut body).await;
    assert!(
        again.contains("id: 0:2\n") && !again.contains("one"),
        "{again}"
    );
    drop(body);
    // It had both, though the second was not settled.
    let (_, mut body) = stream(&api, "", &[("last-event-id", "0:2")]).await;
    api.produce(&[], "three").await;
    let third = frame(&mut body).await;
    assert!(
        third.contains("id: 0:3\n") && !third.contains("two"),
        "{third}"
    );
    drop(body);
    assert_eq!(stream(&api, "", &[("last-event-id", "0:9")]).await.0, 416);
    assert_eq!(stream(&api, "", &[("last-event-id", "x")]).await.0, 400);
    // What its connection had not taken is there at once.
    let (_, mut body) = stream(&api, "", &[("accept", "application/x-ndjson")]).await;
    let line = frame(&mut body).await;
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["body"], "three");
}

#[tokio::test]
async fn a_silent_stream_has_heartbeats() {
    let api = Api::new(Config {
        heartbeat_ms: 1,
        ..Config::default()
    });
    api.produce(&[], "one").await;
    let (_, mut body) = stream(&api, "", &[]).await;
    assert!(frame(&mut body).await.contains("one"));
    assert_eq!(frame(&mut body).await, ":\n\n");
}

#[tokio::test]
async fn a_stream_ends_with_a_word_when_the_gateway_stops() {
    let shutdown = Shutdown::new();
    let mut api = Api::new(Config::default());
    api.routes = api.routes.layer(Extension(shutdown.clone()));
    api.produce(&[], "one").await;
    let mut held = manual(&api, "").await;
    assert_eq!(messages(&frame(&mut held).await)[0]["body"], "one");
    let (_, mut lines) = stream(&api, "", &[("accept", "application/x-ndjson")]).await;
    let (last, ()) = tokio::join!(frame(&mut lines), async { shutdown.request() });
    assert_eq!(last, "\n");
    assert!(lines.next().await.is_none());
    assert_eq!(frame(&mut held).await, ": the gateway stops\n\n");
    assert!(held.next().await.is_none());
    assert_eq!(received(&api, 0).await, named(&[("one", 2)]));
}

#[tokio::test]
async fn no_more_is_out_than_the_credit_and_an_answer_makes_room() {
    let api = Api::new(Config::default());
    for body in ["one", "two", "three", "four"] {
        api.produce(&[], body).await;
    }
    let mut body = manual(&api, "&credit=2").await;
    let sent = messages(&frame(&mut body).await);
    assert_eq!(
        (&sent[0]["body"], &sent[1]["body"]),
        (&json!("one"), &json!("two"))
    );
    assert_eq!(sent.len(), 2);
    assert!(
        body.next().now_or_never().is_none(),
        "both wait for an answer"
    );
    let wrong = json!({"receiptHandles": [sent[0]["receiptHandle"]]});
    api.post("/v1/subscriptions/other/messages:ack", wrong)
        .await;
    assert!(
        body.next().now_or_never().is_none(),
        "another's answer is none"
    );
    // The stream waits when the answer comes on another connection.
    let (next, acked) = tokio::join!(frame(&mut body), settle(&api, "ack", &sent[1]));
    assert_eq!(acked["outcome"], "done");
    let third = messages(&next);
    assert_eq!((third.len(), &third[0]["body"]), (1, &json!("three")));
    settle(&api, "ack", &sent[1]).await;
    assert!(
        body.next().now_or_never().is_none(),
        "the same answer again makes no room"
    );
    // What is given back comes again, here.
    settle(&api, "nack", &third[0]).await;
    let again = messages(&frame(&mut body).await);
    assert_eq!(
        (&again[0]["body"], &again[0]["deliveryCount"]),
        (&json!("three"), &json!(2))
    );
    drop(body);
    assert_eq!(
        received(&api, 0).await,
        named(&[("one", 2), ("three", 3), ("four", 1)])
    );
}

#[tokio::test]
async fn what_a_stream_has_out_is_its_own_until_it_ends() {
    let api = Api::new(Config {
        invisible_ms: 1,
        ..Config::default()
    });
    for body in ["one", "two", "three"] {
        api.produce(&[], body).await;
    }
    let (status, mut lines) = stream(
        &api,
        "&ack=manual&credit=3",
        &[("accept", "application/x-ndjson"), ("last-event-id", "0:3")],
    )
    .await;
    assert_eq!(
        status, 200,
        "there is nothing to go back to, or to pass over"
    );
    let sent = frame(&mut lines).await;
    let sent: Vec<Value> = sent
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(sent.len(), 3);
    assert_eq!(received(&api, 50).await, [], "no time ends it");
    // One that is extended is not the stream's any more.
    let handles = json!({"receiptHandles": [sent[1]["receiptHandle"]], "invisibleMillis": 600_000});
    let path = "/v1/subscriptions/live/messages:extend";
    let extended = api.post(path, handles).await.json();
    drop(lines);
    let mut back = manual(&api, "").await;
    let again = messages(&frame(&mut back).await);
    let bodies: Vec<_> = again.iter().map(|message| &message["body"]).collect();
    assert_eq!(bodies, ["one", "three"], "at once, in order");
    let kept = json!({"receiptHandle": extended["items"][0]["newReceiptHandle"]});
    assert_eq!(settle(&api, "ack", &kept).await["outcome"], "done");
}

#[tokio::test]
async fn a_client_is_sent_no_more_at_a_time_than_may_wait_for_it() {
    let api = Api::new(Config {
        live_bytes_max: 100_000,
        ..Config::default()
    });
    // Six times as long in JSON.
    let body: &'static str = "\u{1}".repeat(10_000).leak();
    for _ in 0..8 {
        api.produce(&[], body).await;
    }
    let (_, mut events) = stream(&api, "", &[]).await;
    for _ in 0..2 {
        let chunk = frame(&mut events).await;
        assert_eq!(messages(&chunk).len(), 2, "of {} bytes", chunk.len());
    }
    drop(events);
    let back = received(&api, 0).await;
    assert_eq!(
        back.len(),
        6,
        "what was taken is settled, what was not is not"
    );
}

#[tokio::test]
async fn a_stream_waits_while_its_consumer_may_have_no_more() {
    let mut core = gantry_core::Config::default();
    core.leases.per_queue_max = 1;
    let api = Api::over(core, Config::default());
    for body in ["one", "two"] {
        api.produce(&[], body).await;
    }
    let mut first = manual(&api, "").await;
    let one = messages(&frame(&mut first).await).remove(0);
    let mut second = manual(&api, "").await;
    let heartbeat = second.next().now_or_never();
    assert!(
        heartbeat.is_none(),
        "what is ready cannot be had: {heartbeat:?}"
    );
    let (next, _) = tokio::join!(frame(&mut second), settle(&api, "ack", &one));
    assert_eq!(messages(&next)[0]["body"], "two");
}

#[tokio::test]
async fn what_a_stream_cannot_be_is_refused() {
    let api = Api::new(Config {
        live_credit_max: 10,
        ..Config::default()
    });
    api.produce(&[], "one").await;
    for wrong in [
        "&ack=always",
        "&credit=1",
        "&ack=manual&credit=0",
        "&ack=manual&credit=11",
        "&ack=manual&credit=-1",
        "&nonsense=1",
    ] {
        assert_eq!(stream(&api, wrong, &[]).await.0, 400, "{wrong}");
    }
    let upgrade = [("upgrade", "websocket"), ("connection", "upgrade")];
    assert_eq!(stream(&api, "", &upgrade).await.0, 400, "no key");
}

type Socket = WebSocketStream<TcpStream>;

/// Serves `api` on a port of its own.
async fn serve(api: &Api) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(axum::serve(listener, api.routes.clone()).into_future());
    address
}

/// A WebSocket, or the status of the refusal.
async fn connect(
    address: &str,
    query: &str,
    fields: &[(&'static str, &str)],
) -> Result<Socket, u16> {
    let uri = format!("ws://{address}/v1/subscriptions/live/stream?source=t{query}");
    let mut request = uri.into_client_request().unwrap();
    for (name, value) in fields {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

async fn say(socket: &mut Socket, frame: Value) {
    let text = Message::Text(frame.to_string().into());
    socket.send(text).await.unwrap();
}

/// The next frame that is no heartbeat.
async fn heard(socket: &mut Socket) -> Message {
    loop {
        let next = tokio::time::timeout(PATIENCE, socket.next()).await;
        match next.unwrap().unwrap().unwrap() {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return message,
        }
    }
}

async fn told(socket: &mut Socket) -> Value {
    serde_json::from_str(heard(socket).await.to_text().unwrap()).unwrap()
}

/// Why it was closed.
async fn closed(socket: &mut Socket) -> u16 {
    loop {
        if let Message::Close(frame) = heard(socket).await {
            return frame.unwrap().code.into();
        }
    }
}

#[tokio::test]
async fn a_socket_has_what_its_credit_allows_and_answers_each_frame_in_order() {
    let api = Api::new(Config::default());
    for body in ["one", "two", "three"] {
        api.produce(&[], body).await;
    }
    let address = serve(&api).await;
    let mut socket = connect(&address, "", &[]).await.unwrap();
    say(&mut socket, json!({"credit": 1_000_000, "id": 1})).await;
    let refused = told(&mut socket).await;
    assert_eq!(
        (&refused["error"]["oms"], &refused["error"]["id"]),
        (&json!(1418), &json!(1))
    );
    say(&mut socket, json!({"credit": 2})).await;
    let first = told(&mut socket).await["message"].clone();
    let second = told(&mut socket).await["message"].clone();
    assert_eq!(
        (&first["body"], &second["body"]),
        (&json!("one"), &json!("two"))
    );
    say(&mut socket, json!({"ack": ["none"], "id": 2})).await;
    let settled = told(&mut socket).await;
    assert_eq!(
        settled["settled"]["id"], 2,
        "there was no credit for the third: {settled}"
    );
    assert_eq!(settled["settled"]["items"][0]["status"], 400);
    say(&mut socket, json!("no object")).await;
    assert_eq!(told(&mut socket).await["error"]["oms"], 1400);
    say(&mut socket, json!({"ack": [first["receiptHandle"]]})).await;
    let third = told(&mut socket).await["message"].clone();
    assert_eq!(third["body"], "three");
    say(
        &mut socket,
        json!({"nack": [second["receiptHandle"]], "id": 3}),
    )
    .await;
    assert_eq!(
        told(&mut socket).await["settled"]["items"][0]["outcome"],
        "done"
    );
    let again = told(&mut socket).await["message"].clone();
    assert_eq!(
        (&again["body"], &again["deliveryCount"]),
        (&json!("two"), &json!(2))
    );
    say(
        &mut socket,
        json!({"extend": [again["receiptHandle"]], "invisibleMillis": 600_000}),
    )
    .await;
    let longer = told(&mut socket).await;
    assert!(longer["settled"]["items"][0]["newReceiptHandle"].is_string());
    say(
        &mut socket,
        json!({"deadLetter": [third["receiptHandle"]], "id": 4}),
    )
    .await;
    assert_eq!(
        told(&mut socket).await["settled"]["items"][0]["outcome"],
        "done"
    );
    socket.close(None).await.unwrap();
    while socket.next().await.is_some_and(|next| next.is_ok()) {}
    let dead = api
        .ask("GET", "/v1/destinations/%25DLQ%25live/messages", &[], "")
        .await;
    assert_eq!(dead.json()["messages"][0]["body"], "three");
    assert_eq!(received(&api, 0).await, []);
}

#[tokio::test]
async fn what_a_lost_socket_had_comes_back_at_once_and_in_order() {
    let api = Api::new(Config::default());
    for body in ["one", "two", "three"] {
        api.produce(&[], body).await;
    }
    let address = serve(&api).await;
    let mut socket = connect(&address, "&credit=3", &[]).await.unwrap();
    for _ in 0..2 {
        told(&mut socket).await;
    }
    let third = told(&mut socket).await["message"].clone();
    say(
        &mut socket,
        json!({"ack": [third["receiptHandle"]], "id": 1}),
    )
    .await;
    told(&mut socket).await;
    drop(socket);
    assert_eq!(
        received(&api, 10_000).await,
        named(&[("one", 2), ("two", 2)])
    );
    let mut socket = connect(&address, "&ack=auto", &[]).await.unwrap();
    api.produce(&[], "four").await;
    let fourth = told(&mut socket).await["message"].clone();
    assert_eq!(
        (&fourth["body"], &fourth["receiptHandle"]),
        (&json!("four"), &Value::Null)
    );
}

#[tokio::test]
async fn a_socket_is_closed_with_the_reason() {
    let shutdown = Shutdown::new();
    let mut api = Api::new(Config {
        live_frame_bytes_max: 100,
        ..Config::default()
    });
    api.produce(&[], "one").await;
    api.routes = api.routes.layer(Extension(shutdown.clone()));
    let address = serve(&api).await;
    for (frame, code) in [
        (Message::Binary(vec![0].into()), 1003),
        (Message::Text("x".repeat(101).into()), 1009),
    ] {
        let mut socket = connect(&address, "", &[]).await.unwrap();
        socket.send(frame).await.unwrap();
        assert_eq!(closed(&mut socket).await, code);
    }
    let mut raw = connect(&address, "", &[]).await.unwrap();
    // A text of one byte, masked with zeros, that is no UTF-8; then an opcode that is none.
    for (bytes, code) in [
        ([0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
        ([0x83, 0x81, 0, 0, 0, 0, 0], 1002),
    ] {
        tokio::io::AsyncWriteExt::write_all(raw.get_mut(), &bytes)
            .await
            .unwrap();
        assert_eq!(closed(&mut raw).await, code);
        raw = connect(&address, "", &[]).await.unwrap();
    }
    say(&mut raw, json!({"credit": 1})).await;
    assert_eq!(told(&mut raw).await["message"]["body"], "one");
    shutdown.request();
    assert_eq!(closed(&mut raw).await, 1001);
    assert_eq!(received(&api, 10_000).await, named(&[("one", 2)]));
}

#[tokio::test]
async fn a_client_that_answers_no_heartbeat_is_given_up() {
    let api = Api::new(Config {
        heartbeat_ms: 100,
        ..Config::default()
    });
    api.produce(&[], "one").await;
    let address = serve(&api).await;
    let mut living = connect(&address, "&credit=1", &[]).await.unwrap();
    assert_eq!(told(&mut living).await["message"]["body"], "one");
    let listening = tokio::spawn(async move { heard(&mut living).await });
    api.produce(&[], "two").await;
    let mut silent = connect(&address, "&credit=1", &[]).await.unwrap();
    assert_eq!(told(&mut silent).await["message"]["body"], "two");
    // It reads nothing from now on, and so answers nothing.
    assert_eq!(received(&api, 10_000).await, named(&[("two", 2)]));
    assert_eq!(closed(&mut silent).await, 1008);
    assert!(!listening.is_finished(), "one that answers stays");
    listening.abort();
}

#[tokio::test]
async fn pages_of_other_origins_are_not_let_in() {
    let api = Api::new(Config {
        cors_origins: vec!["https://page.example".to_owned()],
        ..Config::default()
    });
    api.produce(&[], "one").await;
    let address = serve(&api).await;
    let refused = connect(&address, "", &[("origin", "https://other.example")]).await;
    assert_eq!(refused.err(), Some(403));
    let (refused, _) = stream(&api, "", &[("origin", "https://other.example")]).await;
    assert_eq!(refused, 403);
    let allowed = connect(&address, "", &[("origin", "https://page.example")]).await;
    assert!(allowed.is_ok());
    let unknown = connect(&address, "", &[("sec-websocket-protocol", "mqtt")]).await;
    assert_eq!(unknown.err(), Some(400));
    let known = connect(&address, "", &[("sec-websocket-protocol", "oms.stream.v1")]).await;
    assert!(known.is_ok());
}
