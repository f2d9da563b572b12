//! Live streams over sockets: what is out comes back, slow clients are given up, and a gateway that
//! stops says so.

use super::{ask, produce};
use compat_tests::gantry::Gantry;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const PATIENCE: Duration = Duration::from_secs(30);

/// The status of a stream, and the stream.
fn open(gantry: &Gantry, query: &str) -> (u16, BufReader<TcpStream>) {
    let address = gantry.endpoint("openmessaging").unwrap();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let path = format!("/v1/subscriptions/c/stream?source=t{query}");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut stream = BufReader::new(stream);
    let mut status = String::new();
    stream.read_line(&mut status).unwrap();
    (status.split(' ').nth(1).unwrap().parse().unwrap(), stream)
}

/// The next message of it.
fn next(stream: &mut BufReader<TcpStream>) -> Value {
    let mut line = String::new();
    while stream.read_line(&mut line).unwrap() > 0 {
        if let Some(data) = line.strip_prefix("data: ") {
            return serde_json::from_str(data).unwrap();
        }
        line.clear();
    }
    panic!("the stream ended");
}

fn settle(gantry: &Gantry, verb: &str, message: &Value) -> Value {
    let path = format!("/v1/subscriptions/c/messages:{verb}");
    let body = json!({"receiptHandles": [message["receiptHandle"]]}).to_string();
    ask(gantry, "POST", &path, &[], body.as_bytes()).json()["items"][0].clone()
}

async fn connect(gantry: &Gantry, query: &str) -> WebSocketStream<tokio::net::TcpStream> {
    let address = gantry.endpoint("openmessaging").unwrap();
    let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let uri = format!("ws://{address}/v1/subscriptions/c/stream?source=t{query}");
    let opened = tokio_tungstenite::client_async(uri, stream).await;
    opened.unwrap().0
}

async fn heard(socket: &mut WebSocketStream<tokio::net::TcpStream>) -> Message {
    let next = tokio::time::timeout(PATIENCE, socket.next()).await;
    next.unwrap().unwrap().unwrap()
}

#[test]
fn an_event_stream_shares_its_messages_with_who_comes_after_it() {
    let gantry = Gantry::start(&["topics.default_queues=1"]).unwrap();
    for body in ["one", "two", "three"] {
        produce(&gantry, "t", &[], body.as_bytes());
    }
    let (status, mut first) = open(&gantry, "&ack=manual&credit=2");
    assert_eq!(status, 200);
    let (one, two) = (next(&mut first), next(&mut first));
    assert_eq!((&one["body"], &two["body"]), (&json!("one"), &json!("two")));
    assert_eq!(settle(&gantry, "ack", &one)["outcome"], "done");
    let three = next(&mut first);
    assert_eq!(
        (&three["body"], &three["offset"]),
        (&json!("three"), &json!(2))
    );
    drop(first);
    let (_, mut second) = open(&gantry, "&ack=manual");
    let again = (next(&mut second), next(&mut second));
    assert_eq!(
        (&again.0["body"], &again.1["body"]),
        (&json!("two"), &json!("three"))
    );
    assert_eq!(settle(&gantry, "ack", &two)["outcome"], "stale");
}

#[tokio::test]
async fn a_socket_acknowledges_where_its_messages_come() {
    let gantry = Gantry::start(&["topics.default_queues=1"]).unwrap();
    for body in ["one", "two", "three"] {
        produce(&gantry, "t", &[], body.as_bytes());
    }
    let mut socket = connect(&gantry, "&credit=1").await;
    for body in ["one", "two"] {
        let told: Value =
            serde_json::from_str(heard(&mut socket).await.to_text().unwrap()).unwrap();
        assert_eq!(told["message"]["body"], body);
        let ack = json!({"ack": [told["message"]["receiptHandle"]]}).to_string();
        socket.send(Message::Text(ack.into())).await.unwrap();
    }
    heard(&mut socket).await;
    drop(socket);
    let (_, mut rest) = open(&gantry, "");
    let three = next(&mut rest);
    assert_eq!(
        (&three["body"], &three["deliveryCount"]),
        (&json!("three"), &json!(2))
    );
}

#[tokio::test]
async fn streams_end_at_once_when_the_gateway_stops() {
    let mut gantry = Gantry::start(&["connections.drain_ms=60000"]).unwrap();
    produce(&gantry, "t", &[], b"one");
    let (_, mut events) = open(&gantry, "");
    next(&mut events);
    let mut socket = connect(&gantry, "&credit=1").await;
    let ping = Message::Ping(Vec::new().into());
    socket.send(ping).await.unwrap();
    assert!(heard(&mut socket).await.is_pong(), "it is open");
    let began = Instant::now();
    gantry.ask_to_stop().unwrap();
    let mut rest = String::new();
    events.read_to_string(&mut rest).unwrap();
    assert!(rest.contains(": the gateway stops\n\n"), "{rest}");
    let Message::Close(Some(frame)) = heard(&mut socket).await else {
        panic!("no close");
    };
    assert_eq!(u16::from(frame.code), 1001);
    while socket.next().await.is_some_and(|next| next.is_ok()) {}
    let status = gantry.wait_for_end(PATIENCE).unwrap();
    assert!(status.is_some_and(|status| status.success()));
    assert!(began.elapsed() < PATIENCE, "nothing was drained for long");
}

#[test]
fn a_client_that_takes_nothing_loses_its_stream_and_others_get_its_messages() {
    let settings = [
        "topics.default_queues=1",
        "openmessaging.protocol.write_timeout_ms=200",
        "openmessaging.protocol.live_streams_max=1",
    ];
    let gantry = Gantry::start(&settings).unwrap();
    // More than the buffers of both ends hold.
    let body = "x".repeat(100_000);
    let messages: Vec<_> = (0..150).map(|_| json!({"body": body})).collect();
    let batch = json!({"messages": messages}).to_string();
    for _ in 0..2 {
        let path = "/v1/destinations/t/messages:batch";
        assert_eq!(
            ask(&gantry, "POST", path, &[], batch.as_bytes()).status,
            200
        );
    }
    let (status, _idle) = open(&gantry, "&ack=manual");
    assert_eq!(status, 200);
    let began = Instant::now();
    let mut next_stream = loop {
        match open(&gantry, "&ack=manual") {
            (200, stream) => break stream,
            (429, _) => assert!(began.elapsed() < PATIENCE, "it is still open"),
            (status, _) => panic!("{status}"),
        }
    };
    assert!(
        began.elapsed() >= Duration::from_millis(200),
        "it was closed too early"
    );
    let first = next(&mut next_stream);
    assert_eq!(
        (&first["offset"], &first["deliveryCount"]),
        (&json!(0), &json!(2))
    );
}
