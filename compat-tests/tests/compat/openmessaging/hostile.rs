//! Clients at a socket who promise everything, send anything, or read nothing.

use super::http::{Http, told};
use super::{Answer, ask};
use compat_tests::gantry::Gantry;
use compat_tests::process::PATIENCE;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// Of a process, in bytes: what it allocated and has touched. Its log's mapped pages are not of it.
fn memory(gantry: &Gantry) -> u64 {
    let path = format!("/proc/{}/status", gantry.pid().unwrap());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() << 10
}

/// A connection on which `request` was begun.
fn begin(gantry: &Gantry, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(gantry.endpoint("openmessaging").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// What is answered on a connection until the server ends it.
fn answer(mut stream: TcpStream) -> Answer {
    let mut answer = Vec::new();
    // Bytes that nobody read end it hard.
    let _ = stream.read_to_end(&mut answer);
    Answer::parse(&answer)
}

/// Others are served as ever.
fn still_serves(gantry: &Gantry) {
    let http = Http::of(gantry);
    http.send(&["well"]);
    let wanted = json!({ "source": "t", "max": 1, "waitMillis": 30_000, "ack": "auto" });
    assert_eq!(http.receive(&wanted).len(), 1);
}

#[test]
fn bodies_promised_too_long_are_refused_before_they_come() {
    let gantry = Gantry::start(&[]).unwrap();
    let before = memory(&gantry);
    for path in [
        "/",
        "/v1/destinations/t/messages",
        "/v1/destinations/t/messages:batch",
        "/v1/subscriptions/c/messages:receive",
        "/v1/subscriptions/c/messages:ack",
    ] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nx-oms-version: 1.0.0\r\n\
             x-oms-h-destination: t\r\nContent-Length: 10737418240\r\n\r\n{{\"messages\":["
        );
        let refused = answer(begin(&gantry, &head));
        assert_eq!(refused.status, 413, "{path}");
        assert_eq!(refused.field("x-oms-status"), Some("1413"), "{path}");
        assert_eq!(refused.json()["status"], 413, "{path}");
    }
    still_serves(&gantry);
    let grown = memory(&gantry).saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
}

#[test]
fn bodies_that_do_not_end_or_do_not_come_are_refused() {
    let settings = [
        "openmessaging.protocol.message_bytes_max=100000",
        "openmessaging.protocol.body_timeout_ms=200",
    ];
    let gantry = Gantry::start(&settings).unwrap();
    let head = "POST /v1/destinations/t/messages HTTP/1.1\r\nHost: localhost\r\n";
    let mut endless = begin(
        &gantry,
        &format!("{head}Transfer-Encoding: chunked\r\n\r\n"),
    );
    let chunk = format!("{:x}\r\n{}\r\n", 10_000, "x".repeat(10_000));
    // The server may stop reading at any of them.
    while endless.write_all(chunk.as_bytes()).is_ok() {}
    let slow = begin(&gantry, &format!("{head}Content-Length: 10\r\n\r\nhalf"));
    let refused = answer(slow);
    assert_eq!(
        (refused.status, refused.field("x-oms-status")),
        (408, Some("1410"))
    );
    still_serves(&gantry);
}

#[test]
fn deep_json_costs_its_own_request_or_line_alone() {
    let gantry = Gantry::start(&[]).unwrap();
    let deep = "[".repeat(1 << 20);
    let batch = "/v1/destinations/t/messages:batch";
    for body in [
        deep.clone(),
        format!("{{\"messages\":{deep}"),
        format!("[{{\"properties\":{{\"a\":{deep}"),
        format!("[{{\"unknown\":{deep}"),
        "{\"unknown\":".repeat(1 << 20),
    ] {
        let refused = ask(&gantry, "POST", batch, &[], body.as_bytes());
        let start = &body[..40];
        assert_eq!(
            (refused.status, &refused.json()["oms"]),
            (400, &json!(1400)),
            "{start}"
        );
    }
    let receive = "/v1/subscriptions/c/messages:receive";
    assert_eq!(
        ask(&gantry, "POST", receive, &[], deep.as_bytes()).status,
        400
    );
    let lines = format!("{{\"body\":\"0\"}}\n{{\"unknown\":{deep}\n{{\"body\":\"1\"}}\n");
    let kind = [("content-type", "application/x-ndjson")];
    let mixed = ask(&gantry, "POST", batch, &kind, lines.as_bytes());
    assert_eq!(mixed.status, 207);
    let statuses: Vec<_> = (0..3)
        .map(|at| mixed.json()["items"][at]["status"].clone())
        .collect();
    assert_eq!(statuses, [201, 400, 201]);
    still_serves(&gantry);
}

#[test]
fn live_streams_that_nobody_reads_hold_a_chunk_each() {
    /// Of messages, much more than connections take.
    const SENT: usize = 96 << 20;
    const STREAMS: usize = 8;
    let gantry = Gantry::start(&["topics.default_queues=1"]).unwrap();
    let http = Http::of(&gantry);
    let made = http.put("/v1/destinations/big", &json!({}));
    told(made, 201);
    let before = memory(&gantry);
    let streams: Vec<_> = (0..STREAMS)
        .map(|number| {
            let path = format!("/v1/subscriptions/idle-{number}/stream?source=big");
            begin(
                &gantry,
                &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            )
        })
        .collect();
    let body = "x".repeat(1 << 20);
    for _ in 0..SENT / body.len() {
        let sent = ask(
            &gantry,
            "POST",
            "/v1/destinations/big/messages",
            &[],
            body.as_bytes(),
        );
        assert_eq!(sent.status, 201);
    }
    // Another of the same messages reads all of them.
    let path = "/v1/subscriptions/reader/stream?source=big";
    let mut reader = begin(
        &gantry,
        &format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"),
    );
    let (mut read, mut buffer) = (0, vec![0; 1 << 20]);
    while read < SENT {
        let count = reader.read(&mut buffer).unwrap();
        assert!(count > 0, "the stream ended after {read} bytes");
        read += count;
    }
    still_serves(&gantry);
    let grown = memory(&gantry).saturating_sub(before);
    assert!(grown < 48 << 20, "{grown} bytes more for {STREAMS} streams");
    drop(streams);
}
