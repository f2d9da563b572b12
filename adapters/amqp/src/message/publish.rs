//! From AMQP.

use super::{CLOUD_EVENTS, EVENT_VERSION};
use crate::codec::table::Value;
use crate::codec::{PropertyFault, PropertyList};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use gantry_core::model::{Message, Properties, Timestamp, property};
use std::borrow::Cow;
use std::net::SocketAddr;

/// A message as it was published.
#[derive(Clone, Debug)]
pub struct Published<'a> {
    /// The exchange's name; at most 255 bytes.
    pub exchange: &'a str,
    /// At most 255 bytes.
    pub routing_key: &'a str,
    /// As they came.
    pub properties: &'a crate::codec::Properties,
    /// As it came.
    pub body: Bytes,
    /// Who sent it.
    pub from: SocketAddr,
    /// When it came.
    pub at: Timestamp,
}

/// Why a message cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageFault {
    /// Its properties are none.
    #[error(transparent)]
    Properties(#[from] PropertyFault),
    /// With what they would be in other protocols they are over 32,767 bytes, and without it too.
    #[error("properties of {0} bytes are too large to be kept")]
    TooLarge(usize),
}

impl Published<'_> {
    /// The message core keeps.
    ///
    /// # Errors
    /// [`MessageFault`].
    pub fn to_message(&self) -> Result<Message, MessageFault> {
        let list = self.properties.list()?;
        let raw = self.raw();
        let mut pairs = Pairs::default();
        pairs.put(property::TAGS, self.routing_key.as_bytes());
        pairs.put_list(&list);
        pairs.put(property::AMQP_BASE64, raw.as_bytes());
        let properties = pairs.properties().or_else(|| {
            // What others would see is less than what it was.
            let mut least = Pairs::default();
            least.put(property::TAGS, self.routing_key.as_bytes());
            if let Some(expiration) = list.expiration {
                least.put("expiration", expiration);
            }
            least.put(property::AMQP_BASE64, raw.as_bytes());
            least.properties()
        });
        let born_at = list.timestamp.and_then(born_at).unwrap_or(self.at);
        Ok(Message {
            properties: properties.ok_or(MessageFault::TooLarge(raw.len()))?,
            born_host: self.from,
            ..Message::new(self.body.clone(), born_at)
        })
    }

    /// The value of [`property::AMQP_BASE64`].
    fn raw(&self) -> String {
        let (exchange, key) = (self.exchange.as_bytes(), self.routing_key.as_bytes());
        let properties = self.properties.raw();
        let mut raw = Vec::with_capacity(2 + exchange.len() + key.len() + properties.len());
        for name in [exchange, key] {
            let name = name.get(..usize::from(u8::MAX)).unwrap_or(name);
            raw.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
            raw.extend_from_slice(name);
        }
        raw.extend_from_slice(properties);
        STANDARD_NO_PAD.encode(raw)
    }
}

/// Seconds of a client's as milliseconds, when there are so many.
fn born_at(seconds: u64) -> Option<Timestamp> {
    let millis = i64::try_from(seconds).ok()?.checked_mul(1_000)?;
    Some(Timestamp::from_millis(millis))
}

/// Properties on their way into an area: those that cannot stand there are left out.
#[derive(Default)]
struct Pairs<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Pairs<'a> {
    fn put(&mut self, name: &'a str, value: &'a [u8]) {
        if let Ok(value) = std::str::from_utf8(value) {
            self.put_text(name.into(), value.into());
        }
    }

    fn put_text(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) {
        let is_legal =
            |text: &str| !text.is_empty() && !text.bytes().any(|byte| byte == 1 || byte == 2);
        if is_legal(&name) && is_legal(&value) {
            self.0.push((name, value));
        }
    }

    fn put_list(&mut self, list: &PropertyList<'a>) {
        let texts = [
            ("app-id", list.app_id),
            ("content-encoding", list.content_encoding),
            ("content-type", list.content_type),
            ("correlation-id", list.correlation_id),
            ("expiration", list.expiration),
            ("reply-to", list.reply_to),
            ("type", list.kind),
            (property::UNIQ_KEY, list.message_id),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                self.put(name, value);
            }
        }
        let headers = || list.headers.into_iter().flat_map(|table| table.iter());
        let is_event = headers().any(|field| {
            let name = std::str::from_utf8(field.name).unwrap_or_default();
            known_to_all(name) == EVENT_VERSION
        });
        for field in headers() {
            let Ok(name) = std::str::from_utf8(field.name) else {
                continue;
            };
            // What brokers act on an AMQP client does not mean, but for the keys.
            if name == property::TAGS
                || property::is_delay(name)
                || (property::is_reserved(name) && name != property::KEYS)
            {
                continue;
            }
            if let Some(text) = text_of(field.value) {
                let name = if is_event {
                    known_to_all(name)
                } else {
                    name.into()
                };
                self.put_text(name, text);
            }
        }
    }

    fn properties(&self) -> Option<Properties> {
        let pairs = self.0.iter().map(|(name, value)| (&**name, &**value));
        Properties::from_pairs(pairs).ok()
    }
}

/// The name by which readers of every protocol know a header: attributes of CloudEvents have
/// Kafka's.
fn known_to_all(name: &str) -> Cow<'_, str> {
    let mut prefixes = CLOUD_EVENTS.iter();
    match prefixes.find_map(|prefix| name.strip_prefix(prefix)) {
        Some(attribute) => format!("{}{attribute}", property::CLOUD_EVENT).into(),
        None => name.into(),
    }
}

/// A value as text, when it is no more than one.
fn text_of(value: Value<'_>) -> Option<Cow<'_, str>> {
    Some(match value {
        Value::LongString(text) => std::str::from_utf8(text).ok()?.into(),
        Value::Bool(value) => value.to_string().into(),
        Value::F32(value) => value.to_string().into(),
        Value::F64(value) => value.to_string().into(),
        Value::Timestamp(seconds) => seconds.to_string().into(),
        value => value.integer()?.to_string().into(),
    })
}
