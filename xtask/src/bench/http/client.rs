//! A client of HTTP/1.1 that costs little: what it asks is bytes, of what is answered it reads the
//! status and the length.

use anyhow::{Context as _, Result, ensure};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that is kept.
pub(super) struct Client {
    stream: BufReader<TcpStream>,
}

/// A request as it is sent.
pub(super) fn request(method: &str, path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

impl Client {
    pub(super) fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// The body of the answer.
    pub(super) fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>> {
        let length = self.begin(request)?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(body)
    }

    /// Sends a request and reads the answer's head; the length it tells.
    fn begin(&mut self, request: &[u8]) -> Result<usize> {
        self.stream.get_mut().write_all(request)?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        ensure!(line.starts_with("HTTP/1.1 2"), "{line}");
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                return Ok(length);
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().context("content-length")?;
            }
        }
    }

    /// Asks for what never ends, and goes on to read it.
    pub(super) fn stream(mut self, path: &str) -> Result<BufReader<TcpStream>> {
        self.begin(&request("GET", path, "text/plain", b""))?;
        Ok(self.stream)
    }
}
