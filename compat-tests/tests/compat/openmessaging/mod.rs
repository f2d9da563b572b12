//! OpenMessaging over HTTP: bytes on a socket, stock clients, and what the others see of it.

mod binary;
mod callbacks;
mod cloudevents;
mod crash;
mod described;
mod hostile;
mod http;
mod interop;
mod resources;
mod secured;
mod streams;
mod transactions;
mod wire;

use compat_tests::gantry::Gantry;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// A header field's value.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// All header fields.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head.lines().filter_map(|line| line.split_once(": "))
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// All that came on a connection.
    pub fn parse(answer: &[u8]) -> Self {
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {answer:?}"));
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: answer[end + 4..].to_vec(),
        }
    }
}

/// Asks on a connection of its own.
pub fn ask(
    gantry: &Gantry,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let address = gantry.endpoint("openmessaging").unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n");
    for (name, value) in fields {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!(
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    Answer::parse(&answer)
}

/// The specification's produce.
pub fn produce(gantry: &Gantry, topic: &str, fields: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut all = vec![("x-oms-version", "1.0.0"), ("x-oms-h-destination", topic)];
    all.extend(fields);
    let answer = ask(gantry, "POST", "/", &all, body);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// The specification's pull.
pub fn pull(gantry: &Gantry, topic: &str, consumer: &str, fields: &[(&str, &str)]) -> Answer {
    let mut all = vec![
        ("x-oms-version", "1.0.0"),
        ("x-oms-source", topic),
        ("x-oms-consumerId", consumer),
    ];
    all.extend(fields);
    ask(gantry, "GET", "/", &all, b"")
}

/// Partition and offset of an answer.
pub fn place(answer: &Answer) -> (i64, i64) {
    let number = |name| answer.field(name).unwrap().parse().unwrap();
    (number("x-oms-partition"), number("x-oms-offset"))
}
