//! CloudEvents 1.0. An event is a message whose attributes are properties with the names that
//! Kafka's binding gives them (`ce_id`), so that every protocol's readers know it; its data is the
//! body, its datacontenttype the content type.

use crate::error::Refusal;
use crate::head::Head;
use crate::message::accepts;
use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gantry_core::model::property::CLOUD_EVENT;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One event as JSON.
pub(crate) const STRUCTURED: &str = "application/cloudevents+json";
/// An array of them.
pub(crate) const BATCH: &str = "application/cloudevents-batch+json";
/// What every event has.
const REQUIRED: [&str; 4] = ["specversion", "id", "source", "type"];
const SPOKEN: &str = "1.0";
const JSON: &str = "application/json";
/// The type of what is handed out as an event and is none.
const PLAIN_TYPE: &str = "oms.message";
/// Extension attributes: what acknowledges a message, and where it is.
const RECEIPT: &str = "omsreceipthandle";
const PARTITION: &str = "omspartition";
const OFFSET: &str = "omsoffset";

/// An event as it is written.
pub(crate) type Event = BTreeMap<String, Box<RawValue>>;
/// An event's members as they stand in JSON.
type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

impl<'a> Head<'a> {
    /// Its attributes; none when it is no event.
    fn attributes(&self) -> Option<BTreeMap<&str, &str>> {
        let pairs = self.properties.0.iter();
        let own =
            pairs.filter_map(|(name, value)| Some((name.strip_prefix(CLOUD_EVENT)?, &**value)));
        let own: BTreeMap<_, _> = own.collect();
        let is_whole = REQUIRED.iter().all(|name| own.contains_key(name));
        (is_whole && own.get("specversion") == Some(&SPOKEN)).then_some(own)
    }

    /// Whether it is an event.
    pub(crate) fn is_event(&self) -> bool {
        self.attributes().is_some()
    }

    /// Looks whether what claims to be an event is one, and names it by its id and source when it
    /// has no other id: two of both are the same event.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check_event(&mut self) -> Result<(), Refusal> {
        let value = |wanted: &str| {
            let mut pairs = self.properties.0.iter();
            let found = pairs.find(|(name, _)| name.strip_prefix(CLOUD_EVENT) == Some(wanted));
            found.map(|(_, value)| &**value)
        };
        for name in REQUIRED {
            if value(name).is_none_or(str::is_empty) {
                return Err(Refusal::parameter(format!("the event has no {name}")));
            }
        }
        if let Some(version) = value("specversion").filter(|version| *version != SPOKEN) {
            let text = format!("events of CloudEvents {version} are not known, of {SPOKEN} are");
            return Err(Refusal::parameter(text));
        }
        let (id, source) = (value("id").unwrap_or_default(), value("source"));
        let id = format!("{}#{id}", source.unwrap_or_default());
        let key = value("partitionkey").map(str::to_owned);
        let parent = value("traceparent").map(str::to_owned);
        for (name, _) in &self.properties.0 {
            if let Some(name) = name.strip_prefix(CLOUD_EVENT) {
                check_name(name)?;
            }
        }
        self.message_id = self.message_id.take().or_else(|| Some(id.into()));
        self.message_key = self.message_key.take().or_else(|| key.map(Cow::Owned));
        self.traceparent = self.traceparent.take().or_else(|| parent.map(Cow::Owned));
        Ok(())
    }

    /// It with what an event says, which it came in.
    pub(crate) fn with_event(mut self, event: Self) -> Self {
        // Fields may say again what the event says.
        self.drop_attributes();
        self.content_type = event.content_type;
        self.message_id = self.message_id.or(event.message_id);
        self.message_key = self.message_key.or(event.message_key);
        self.traceparent = self.traceparent.or(event.traceparent);
        self.properties.0.extend(event.properties.0);
        self
    }

    /// Takes its attributes off, which its body says.
    pub(crate) fn drop_attributes(&mut self) {
        let pairs = &mut self.properties.0;
        pairs.retain(|(name, _)| !name.starts_with(CLOUD_EVENT));
    }

    /// Whether its body is an event in JSON.
    pub(crate) fn is_structured(&self) -> bool {
        let kind = self.content_type.as_deref();
        kind.is_some_and(|kind| accepts(kind, STRUCTURED))
    }

    /// It as an event in JSON; what is none gets the attributes that every event has.
    pub(crate) fn structured(&self, body: &[u8]) -> Event {
        let within = self.is_structured().then(|| raw(body)).flatten();
        let mut event = match within.as_deref().map(opened) {
            // Another protocol's producer sent it so. What it holds is data, an event or not: they
            // may be within one another as deep as a message is long.
            Some(Ok((inner, data))) => inner.event(&data),
            _ => self.event(body),
        };
        if let Some(handle) = &self.receipt_handle {
            put(&mut event, RECEIPT, handle);
        }
        if let (Some(partition), Some(offset)) = (self.partition, self.offset) {
            put(&mut event, PARTITION, &partition);
            put(&mut event, OFFSET, &offset.to_string());
        }
        event
    }

    /// Its attributes and its data.
    fn event(&self, body: &[u8]) -> Event {
        let mut event = Event::new();
        self.put_attributes(&mut event);
        let kind = self.content_type.as_deref();
        if let Some(kind) = kind {
            put(&mut event, "datacontenttype", &kind);
        }
        put_data(&mut event, kind, body);
        event
    }

    fn put_attributes(&self, event: &mut Event) {
        if let Some(attributes) = self.attributes() {
            for (name, value) in attributes {
                put(event, name, &value);
            }
            return;
        }
        let destination = self.destination.as_deref().unwrap_or_default();
        let source = format!("/v1/destinations/{destination}");
        let place = || {
            let (partition, offset) = (self.partition, self.offset);
            format!("{}:{}", partition.unwrap_or(0), offset.unwrap_or(0)).into()
        };
        let id = self.message_id.clone().unwrap_or_else(place);
        for (name, value) in REQUIRED.iter().zip([SPOKEN, &*id, &*source, PLAIN_TYPE]) {
            put(event, name, &value);
        }
    }
}

fn put(event: &mut Event, name: &str, value: &impl Serialize) {
    if let Ok(value) = to_raw_value(value) {
        event.insert(name.to_owned(), value);
    }
}

/// JSON as it stands, if it is any.
fn raw(body: &[u8]) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(body).ok()?;
    RawValue::from_string(text.trim().to_owned()).ok()
}

/// Attribute names are of small letters and digits.
fn check_name(name: &str) -> Result<(), Refusal> {
    let is_legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if matches!(name, "data" | "datacontenttype") {
        let text = format!("{name} is said by the body and its type");
        return Err(Refusal::parameter(text));
    }
    if name.is_empty() || !name.bytes().all(is_legal) {
        let text = format!("{name} is no attribute's name: small letters and digits are");
        return Err(Refusal::parameter(text));
    }
    Ok(())
}

fn is_json(kind: Option<&str>) -> bool {
    let kind = kind.unwrap_or(JSON);
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.ends_with("/json") || kind.ends_with("+json")
}

fn put_data(event: &mut Event, kind: Option<&str>, body: &[u8]) {
    if body.is_empty() {
        return;
    }
    let read = if is_json(kind) { raw(body) } else { None };
    match (read, std::str::from_utf8(body)) {
        (Some(value), _) => {
            event.insert("data".to_owned(), value);
        }
        // Without a type, or with JSON's, text would be taken for JSON's.
        (None, Ok(text)) if !is_json(kind) => put(event, "data", &text),
        _ => put(event, "data_base64", &STANDARD.encode(body)),
    }
}

/// Reads an event in JSON.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn opened<'a>(json: &RawValue) -> Result<(Head<'a>, Bytes), Refusal> {
    let wrong = |error: serde_json::Error| Refusal::parameter(format!("the event: {error}"));
    let mut members: Members<'_> = serde_json::from_str(json.get()).map_err(wrong)?;
    let (data, base64) = (members.remove("data"), members.remove("data_base64"));
    let mut head = Head::default();
    for (name, value) in members {
        let value = match serde_json::from_str(value.get()).map_err(wrong)? {
            Value::Null => continue,
            Value::String(text) => text,
            _ if REQUIRED.contains(&&*name) => {
                return Err(Refusal::parameter(format!("the event's {name} is no text")));
            }
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Array(_) | Value::Object(_) => {
                return Err(Refusal::parameter(format!(
                    "attribute {name} is no single value"
                )));
            }
        };
        match &*name {
            "datacontenttype" => head.content_type = Some(value.into()),
            // The broker's, of who received it.
            RECEIPT | PARTITION | OFFSET => {}
            name => {
                let name = format!("{CLOUD_EVENT}{name}");
                head.properties.0.push((name.into(), value.into()));
            }
        }
    }
    let body = match (data, base64) {
        (Some(_), Some(_)) => {
            return Err(Refusal::parameter(
                "an event has data or data_base64, not both",
            ));
        }
        (Some(data), None) => plain(&mut head, data).map_err(wrong)?,
        (None, Some(base64)) => {
            let text: Cow<'_, str> = serde_json::from_str(base64.get()).map_err(wrong)?;
            let none = |_| Refusal::parameter("data_base64 is no base64");
            STANDARD.decode(text.as_bytes()).map_err(none)?.into()
        }
        (None, None) => Bytes::new(),
    };
    head.check_event()?;
    Ok((head, body))
}

/// Whether a field that lists media types has one.
pub(crate) fn names(field: Option<&HeaderValue>, kind: &str) -> bool {
    let list = field.and_then(|value| value.to_str().ok());
    list.is_some_and(|list| accepts(list, kind))
}

/// The bytes of an event's data: JSON as it stands, or the text of another type.
fn plain(head: &mut Head<'_>, data: &RawValue) -> serde_json::Result<Bytes> {
    let kind = head.content_type.as_deref();
    if !is_json(kind) && data.get().starts_with('"') {
        let text: String = serde_json::from_str(data.get())?;
        return Ok(text.into());
    }
    if kind.is_none() {
        head.content_type = Some(JSON.into());
    }
    Ok(Bytes::copy_from_slice(data.get().as_bytes()))
}
