//! One request of HTTP on a connection of its own, as operators' tools ask.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long a server may think.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// `GET`
    pub method: &'a str,
    /// With its slash: `/api/overview`.
    pub path: &'a str,
    /// A name and a password.
    pub login: Option<(&'a str, &'a str)>,
    /// JSON; empty is nothing.
    pub body: &'a str,
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// `200`
    pub status: u16,
    /// As it came.
    pub body: String,
}

impl Answer {
    /// The body, or null where it is no JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

impl Request<'_> {
    /// The answer of the server at `address`.
    ///
    /// # Errors
    /// There is none, or it is not HTTP.
    pub fn send(&self, address: &str) -> Result<Answer> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.write_all(self.text().as_bytes())?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no head")?;
        let status = head.split(' ').nth(1).context("no status")?;
        Ok(Answer {
            status: status.parse()?,
            body: body.to_owned(),
        })
    }

    /// Of a version of HTTP that has no chunks.
    fn text(&self) -> String {
        let login = self.login.map_or_else(String::new, |(name, password)| {
            let login = STANDARD.encode(format!("{name}:{password}"));
            format!("Authorization: Basic {login}\r\n")
        });
        format!(
            "{} {} HTTP/1.0\r\nHost: localhost\r\n{login}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{}",
            self.method,
            self.path,
            self.body.len(),
            self.body
        )
    }
}
