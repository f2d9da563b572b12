//! One request of RocketMQ's remoting protocol and its answer, for what no client asks.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long the peer may think.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes of its answer.
const ANSWER_BYTES_MAX: u32 = 1 << 24;

/// What a peer answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 0 is success.
    pub code: i64,
    /// Code, remark and fields.
    pub header: Value,
    /// The body, if it is text.
    pub body: String,
}

impl Answer {
    /// An extension field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.header.get("extFields")?.get(name)?.as_str()
    }
}

/// Sends the request `code` with `fields` to `address` on a connection of its own.
///
/// # Errors
/// Nobody is there, or it does not answer in the protocol.
pub fn ask(address: &str, code: u32, fields: &[(&str, &str)]) -> Result<Answer> {
    let fields: BTreeMap<_, _> = fields.iter().copied().collect();
    let header = json!({
        "code": code, "flag": 0, "language": "JAVA", "opaque": 1, "version": 513,
        "extFields": fields,
    });
    let header = header.to_string();
    let header_bytes = u32::try_from(header.len())?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&(header_bytes + 4).to_be_bytes())?;
    stream.write_all(&header_bytes.to_be_bytes())?;
    stream.write_all(header.as_bytes())?;
    let mut lengths = [0; 8];
    stream.read_exact(&mut lengths)?;
    let word = |at: usize| -> Result<u32> {
        let bytes = lengths.get(at..at + 4).context("four bytes")?;
        Ok(u32::from_be_bytes(bytes.try_into()?))
    };
    let length = word(0)?;
    ensure!(length <= ANSWER_BYTES_MAX, "an answer of {length} bytes");
    let mut rest = Vec::new();
    let rest_bytes = length.saturating_sub(4);
    stream.take(rest_bytes.into()).read_to_end(&mut rest)?;
    let header_bytes = usize::try_from(word(4)? & 0xFF_FFFF)?;
    let (header, body) = rest
        .split_at_checked(header_bytes)
        .context("a whole header")?;
    let header: Value = serde_json::from_slice(header)?;
    Ok(Answer {
        code: header
            .get("code")
            .and_then(Value::as_i64)
            .context("a code")?,
        header,
        body: String::from_utf8_lossy(body).into_owned(),
    })
}
