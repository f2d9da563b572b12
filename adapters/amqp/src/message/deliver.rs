//! To AMQP.

use super::{CLOUD_EVENTS, EVENT_VERSION, TEXTS, split_short};
use crate::codec::table::{TableBuilder, Value};
use crate::codec::{Properties, PropertyList};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use gantry_core::convert::record_of;
use gantry_core::model::{Header, Message, property};
use std::borrow::Cow;
use std::collections::BTreeMap;

const DELIVERY_COUNT: &str = "x-delivery-count";

/// A message as AMQP's consumers get it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// The exchange it was published to; of another protocol's, the one of its topic's name.
    pub exchange: Bytes,
    /// Its routing key.
    pub routing_key: Bytes,
    /// As they came, or as they are made of another protocol's.
    pub properties: Properties,
    /// As it came; decompressed where another protocol's client compressed it.
    pub body: Bytes,
}

impl Delivered {
    /// A message of `topic`.
    #[must_use]
    pub fn of(message: &Message, topic: &str) -> Self {
        let raw = message.properties.value(property::AMQP_BASE64);
        let own = raw.and_then(|raw| Self::own(message, raw));
        own.unwrap_or_else(|| Self::foreign(message, topic))
    }

    /// Says in a header how often it has returned, as RabbitMQ's replicated queues do.
    pub fn count_returns(&mut self, count: u32) {
        self.put_header(DELIVERY_COUNT, Value::I64(count.into()));
    }

    /// Adds a header, in the place of those of the same name.
    pub fn put_header(&mut self, name: &str, value: Value<'_>) {
        let Ok(list) = self.properties.list() else {
            return;
        };
        let mut headers = TableBuilder::new();
        headers.copy_without(list.headers.unwrap_or_default(), &[name]);
        headers.put(name, value);
        let headers = headers.build();
        let list = PropertyList {
            headers: Some(headers.view()),
            ..list
        };
        self.properties = list.encode();
    }

    /// One that was published by AMQP.
    fn own(message: &Message, raw: &str) -> Option<Self> {
        let raw = Bytes::from(STANDARD_NO_PAD.decode(raw).ok()?);
        let (exchange, rest) = split_short(&raw)?;
        let (routing_key, properties) = split_short(rest)?;
        let delivered = Self {
            exchange: raw.slice_ref(exchange),
            routing_key: raw.slice_ref(routing_key),
            properties: Properties::from_raw(raw.slice_ref(properties)),
            body: message.body.clone(),
        };
        // Whoever else writes such a property may write anything.
        delivered.properties.list().is_ok().then_some(delivered)
    }

    fn foreign(message: &Message, topic: &str) -> Self {
        let topic = message.properties.value(property::ORIGIN).unwrap_or(topic);
        let record = record_of(message);
        let mut headers = TableBuilder::new();
        let mut texts: BTreeMap<&str, &[u8]> = BTreeMap::new();
        let (mut tag, mut id): (&[u8], Option<&[u8]>) = (&[], None);
        if let Some(key) = &record.key {
            headers.put(property::KEYS, value_of(Some(key)));
        }
        let is_version = |header: &Header| header.name == EVENT_VERSION.as_bytes();
        let is_event = record.headers.iter().any(is_version);
        for Header { name, value } in &record.headers {
            let Ok(name) = std::str::from_utf8(name) else {
                continue;
            };
            let short = value.as_deref().filter(|value| value.len() <= 255);
            if name == property::ORIGIN {
                continue;
            }
            match (TEXTS.iter().find(|known| **known == name), short) {
                (_, Some(value)) if name == property::TAGS => tag = value,
                (_, Some(value)) if name == property::UNIQ_KEY => id = Some(value),
                // An expiration would be acted on.
                (Some(known), Some(value)) if *known != "expiration" => {
                    texts.insert(known, value);
                }
                _ if name.len() <= 255 => {
                    let name = if is_event {
                        name_in_amqp(name)
                    } else {
                        name.into()
                    };
                    headers.put(&name, value_of(value.as_ref()));
                }
                _ => {}
            }
        }
        let headers = headers.build();
        let text = |name| texts.get(name).copied();
        let list = PropertyList {
            content_type: text("content-type"),
            content_encoding: text("content-encoding"),
            headers: (!headers.view().is_empty()).then(|| headers.view()),
            delivery_mode: Some(2),
            correlation_id: text("correlation-id"),
            reply_to: text("reply-to"),
            message_id: id,
            timestamp: u64::try_from(record.timestamp.millis() / 1_000).ok(),
            kind: text("type"),
            app_id: text("app-id"),
            ..PropertyList::default()
        };
        Self {
            exchange: Bytes::copy_from_slice(topic.as_bytes()),
            routing_key: Bytes::copy_from_slice(tag),
            properties: list.encode(),
            body: record.value.unwrap_or_default(),
        }
    }
}

/// The name by which AMQP's consumers know a header.
fn name_in_amqp(name: &str) -> Cow<'_, str> {
    let [prefix, _] = CLOUD_EVENTS;
    match name.strip_prefix(property::CLOUD_EVENT) {
        Some(attribute) => format!("{prefix}{attribute}").into(),
        None => name.into(),
    }
}

fn value_of(value: Option<&Bytes>) -> Value<'_> {
    match value {
        None => Value::Void,
        Some(value) if std::str::from_utf8(value).is_ok() => Value::LongString(value),
        Some(value) => Value::Bytes(value),
    }
}
