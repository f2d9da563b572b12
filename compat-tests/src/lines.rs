//! What goes to a client program and what it says: `clients/README.md` has the formats.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use std::fmt::Write as _;

/// A message a client is to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The partition or queue; the client chooses when absent.
    pub partition: Option<i32>,
    /// Milliseconds since 1970; the client's clock when absent.
    pub timestamp: Option<i64>,
    /// Absent is null.
    pub key: Option<Vec<u8>>,
    /// Absent is null.
    pub value: Option<Vec<u8>>,
    /// In order; an absent value is null.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Message {
    /// A message of `value` alone.
    #[must_use]
    pub fn of(value: impl Into<Vec<u8>>) -> Self {
        Self {
            value: Some(value.into()),
            ..Self::default()
        }
    }

    /// This message for `partition`.
    #[must_use]
    pub const fn to(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// This message with `key`.
    #[must_use]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// This message made at `timestamp`, in milliseconds since 1970.
    #[must_use]
    pub const fn at(mut self, timestamp: i64) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// This message with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), Some(value.into())));
        self
    }

    /// This message with one more header whose value is null.
    #[must_use]
    pub fn null_header(mut self, name: &str) -> Self {
        self.headers.push((name.to_owned(), None));
        self
    }

    /// The line of this message, with its end.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = format!(
            "{}\t{}\t{}\t{}\t",
            self.partition.unwrap_or(-1),
            self.timestamp.unwrap_or(-1),
            encode(self.key.as_deref()),
            encode(self.value.as_deref()),
        );
        for (at, (name, value)) in self.headers.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let (name, value) = (encode(Some(name.as_bytes())), encode(value.as_deref()));
            let _ = write!(line, "{comma}{name}:{value}");
        }
        line.push('\n');
        line
    }
}

/// The lines of `messages` and the empty line that ends them.
#[must_use]
pub fn input(messages: &[Message]) -> String {
    let mut input: String = messages.iter().map(Message::line).collect();
    input.push('\n');
    input
}

fn encode(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "-".to_owned(), |bytes| BASE64.encode(bytes))
}

/// One thing a client says happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event(Value);

impl Event {
    /// Reads a line; what is no JSON object with an event's name is none (a library's chatter).
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        value.get("event")?.as_str()?;
        Some(Self(value))
    }

    /// What happened: `sent`, `received`, `assigned`, `revoked`, `committed`, `done`, `failed` …
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("event").unwrap_or_default()
    }

    /// A field of text.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field)?.as_str()
    }

    /// A number.
    #[must_use]
    pub fn number(&self, field: &str) -> Option<i64> {
        self.0.get(field)?.as_i64()
    }

    /// A field that is true or false.
    #[must_use]
    pub fn flag(&self, field: &str) -> Option<bool> {
        self.0.get(field)?.as_bool()
    }

    /// A field of whatever kind.
    #[must_use]
    pub fn value(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// A field of bytes; none when null.
    #[must_use]
    pub fn bytes(&self, field: &str) -> Option<Vec<u8>> {
        BASE64.decode(self.text(field)?).ok()
    }

    /// A list of texts.
    #[must_use]
    pub fn list(&self, field: &str) -> Vec<String> {
        let values = self.0.get(field).and_then(Value::as_array);
        let texts = values.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    /// The ordered headers of a received Kafka record.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let pairs = self.0.get("headers").and_then(Value::as_array);
        let pairs = pairs.into_iter().flatten().filter_map(|pair| {
            let name = pair.get(0)?.as_str()?.to_owned();
            let value = pair.get(1)?.as_str();
            Some((name, value.and_then(|text| BASE64.decode(text).ok())))
        });
        pairs.collect()
    }

    /// A property of a received RocketMQ message.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        self.0.get("properties")?.get(name)?.as_str()
    }

    /// Partition or queue, and offset.
    #[must_use]
    pub fn place(&self) -> Option<(i64, i64)> {
        Some((self.number("partition")?, self.number("offset")?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_null_apart_from_empty() {
        let message = Message::of("").to(3).header("a", "x").null_header("b");
        assert_eq!(message.line(), "3\t-1\t-\t\tYQ==:eA==,Yg==:-\n");
    }

    #[test]
    fn an_event_keeps_null_apart_from_empty() {
        let event =
            Event::parse(r#"{"event":"received","key":null,"value":"","headers":[["a",null]]}"#)
                .unwrap();
        assert_eq!(event.bytes("key"), None);
        assert_eq!(event.bytes("value"), Some(Vec::new()));
        assert_eq!(event.headers(), [("a".to_owned(), None)]);
        assert_eq!(Event::parse("% chatter"), None);
    }
}
