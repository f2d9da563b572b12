//! Callbacks of a server that is stopped, killed and started again.

use super::{ask, produce, pull};
use compat_tests::gantry::Gantry;
use serde_json::json;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const LOCAL: &str = "openmessaging.protocol.callbacks.allow=[127.0.0.0/8]";
const WANTED: &str = "200 OK\r\nWebHook-Allowed-Origin: *";

/// A request that waits for its answer.
struct Asked {
    stream: TcpStream,
    method: String,
    body: Vec<u8>,
}

impl Asked {
    fn answer(mut self, status: &str) {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        self.stream.write_all(answer.as_bytes()).unwrap();
    }
}

/// The next request on a connection of its own.
fn next(receiver: &TcpListener) -> Asked {
    let (stream, _) = receiver.accept().unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let method = line.split(' ').next().unwrap().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(": ") else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Asked {
        stream,
        method,
        body,
    }
}

/// Sets the callback of `c`, whose receiver wants messages.
fn set(gantry: &Gantry, receiver: &TcpListener) {
    let url = format!("http://{}/", receiver.local_addr().unwrap());
    let callback = json!({"source": "t", "url": url, "timeoutMillis": 60_000}).to_string();
    std::thread::scope(|scope| {
        let path = "/v1/subscriptions/c/callback";
        let set = scope.spawn(|| ask(gantry, "PUT", path, &[], callback.as_bytes()));
        let asked = next(receiver);
        assert_eq!(asked.method, "OPTIONS");
        asked.answer(WANTED);
        assert_eq!(set.join().unwrap().status, 201);
    });
}

#[test]
fn what_is_under_way_when_the_server_stops_is_settled_by_its_answer() {
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut gantry = Gantry::start(&[LOCAL, "connections.drain_ms=30000"]).unwrap();
    produce(&gantry, "t", &[], b"under way");
    set(&gantry, &receiver);
    let asked = next(&receiver);
    assert_eq!(asked.body, b"under way");
    gantry.ask_to_stop().unwrap();
    let soon = gantry.wait_for_end(Duration::from_millis(200)).unwrap();
    assert!(soon.is_none(), "it waits for the answer");
    asked.answer("204 No Content");
    let ended = gantry.wait_for_end(Duration::from_secs(30)).unwrap();
    assert!(ended.is_some_and(|status| status.success()));
    gantry.restart().unwrap();
    // The callback goes on, with what comes next.
    produce(&gantry, "t", &[], b"next");
    let asked = next(&receiver);
    assert_eq!(asked.body, b"next");
    asked.answer("204 No Content");
}

#[test]
fn a_callback_and_what_its_receiver_did_not_answer_survive_a_kill() {
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut gantry = Gantry::start(&[LOCAL]).unwrap();
    produce(&gantry, "t", &[], b"once more");
    set(&gantry, &receiver);
    assert_eq!(next(&receiver).body, b"once more");
    gantry.kill().unwrap();
    gantry.restart().unwrap();
    let again = next(&receiver);
    assert_eq!(again.body, b"once more");
    again.answer("200 OK");
    let path = "/v1/subscriptions/c/callback";
    assert_eq!(ask(&gantry, "DELETE", path, &[], b"").status, 200);
    gantry.stop().unwrap();
    gantry.restart().unwrap();
    assert_eq!(ask(&gantry, "GET", path, &[], b"").status, 404);
    assert_eq!(pull(&gantry, "t", "c", &[]).status, 204);
}

#[test]
fn nothing_of_this_machine_is_called_unless_it_is_allowed() {
    let gantry = Gantry::start(&[]).unwrap();
    produce(&gantry, "t", &[], b"secret");
    let admin = gantry.endpoint("admin").unwrap();
    let port = admin.rsplit(':').next().unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]", "0.0.0.0"] {
        let url = format!("http://{host}:{port}/");
        let refused = pull(&gantry, "t", "c", &[("x-oms-callbackURL", &url)]);
        assert_eq!(refused.status, 403, "{refused:?}");
        assert_eq!(refused.field("x-oms-status"), Some("1403"));
    }
}
