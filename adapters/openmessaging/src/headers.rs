//! A message's head as HTTP header fields: the table of E.1, read and written.
//!
//! Values are UTF-8, percent-encoded where a header field cannot hold them. HTTP/2 has names in
//! lower case; [`PROPERTIES`] keeps the case of an application's own.

use crate::binary::HeaderField;
use crate::error::Refusal;
use crate::head::{Head, Pairs};
use crate::status::OmsStatus;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use gantry_core::model::property::CLOUD_EVENT;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};
use serde::Serialize;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::str::FromStr;

pub(crate) const VERSION: HeaderName = HeaderName::from_static("x-oms-version");
pub(crate) const STATUS: HeaderName = HeaderName::from_static("x-oms-status");
pub(crate) const CONSUMER: HeaderName = HeaderName::from_static("x-oms-consumerid");
pub(crate) const SOURCE: HeaderName = HeaderName::from_static("x-oms-source");
pub(crate) const ACK: HeaderName = HeaderName::from_static("x-oms-ack");
pub(crate) const WAIT: HeaderName = HeaderName::from_static("x-oms-waitmills");
pub(crate) const CALLBACK: HeaderName = HeaderName::from_static("x-oms-callbackurl");
pub(crate) const NAMESPACE: HeaderName = HeaderName::from_static("x-oms-namespace");
pub(crate) const INVISIBLE: HeaderName = HeaderName::from_static("x-oms-invisiblemillis");
pub(crate) const FILTER: HeaderName = HeaderName::from_static("x-oms-filter");
pub(crate) const FILTER_TYPE: HeaderName = HeaderName::from_static("x-oms-filtertype");
pub(crate) const OFFSET: HeaderName = HeaderName::from_static("x-oms-offset");
pub(crate) const PARTITION: HeaderName = HeaderName::from_static("x-oms-partition");
pub(crate) const RECALL: HeaderName = HeaderName::from_static("x-oms-recallhandle");
const KEY_BASE64: HeaderName = HeaderName::from_static("x-oms-messagekeybase64");
const HEADERS: HeaderName = HeaderName::from_static("x-oms-headers");
const NULL_BODY: HeaderName = HeaderName::from_static("x-oms-nullbody");
pub(crate) const PRODUCER_GROUP: HeaderName = HeaderName::from_static("x-oms-producergroup");
pub(crate) const TRANSACTION: HeaderName = HeaderName::from_static("x-oms-transactionhandle");
pub(crate) const DUPLICATE: HeaderName = HeaderName::from_static("x-oms-duplicate");
pub(crate) const PROPERTIES: HeaderName = HeaderName::from_static("x-oms-properties");
pub(crate) const MESSAGE_ID: HeaderName = HeaderName::from_static("x-oms-h-messageid");
pub(crate) const STORED_AT: HeaderName = HeaderName::from_static("x-oms-h-storetimestamp");
pub(crate) const DESTINATION: HeaderName = HeaderName::from_static("x-oms-h-destination");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What begins the name of a user's property.
const PROPERTY_PREFIX: &str = "x-oms-p-";
/// What begins the name of an event's attribute.
const EVENT_PREFIX: &str = "ce-";
/// The version that is spoken.
pub(crate) const SPOKEN: HeaderValue = HeaderValue::from_static("1.0.0");
/// What a value is encoded for, beside all that is not ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// A field's text.
///
/// # Errors
/// It is no UTF-8.
pub(crate) fn text<'a>(name: &HeaderName, value: &'a HeaderValue) -> Result<Cow<'a, str>, Refusal> {
    percent_decode(value.as_bytes())
        .decode_utf8()
        .map_err(|_| Refusal::parameter(format!("{name} is no UTF-8")))
}

/// The text of a field when it is there.
///
/// # Errors
/// It is no UTF-8.
pub(crate) fn field<'a>(
    fields: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<Cow<'a, str>>, Refusal> {
    fields.get(name).map(|value| text(name, value)).transpose()
}

/// The number in a field when it is there.
///
/// # Errors
/// It is no such number.
pub(crate) fn number<T: FromStr>(
    fields: &HeaderMap,
    name: &HeaderName,
) -> Result<Option<T>, Refusal> {
    let value = fields.get(name);
    value.map(|value| parse(name, value)).transpose()
}

fn parse<T: FromStr>(name: &HeaderName, value: &HeaderValue) -> Result<T, Refusal> {
    let text = value.to_str().map(str::trim).ok();
    let parsed = text.and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| Refusal::parameter(format!("{name} is no number in its range: {value:?}")))
}

/// Whether the client speaks a version that is spoken here: any 1.x.
///
/// # Errors
/// It does not, or does not say although it must.
pub(crate) fn check_version(fields: &HeaderMap, is_required: bool) -> Result<(), Refusal> {
    let Some(version) = field(fields, &VERSION)? else {
        if is_required {
            let text = "x-oms-version is missing";
            return Err(Refusal::new(OmsStatus::BadRequest, text));
        }
        return Ok(());
    };
    if version == "1" || version.starts_with("1.") {
        return Ok(());
    }
    let text = format!("version {version} is not spoken here, 1.x is");
    Err(Refusal::new(OmsStatus::UnsupportedVersion, text))
}

impl<'a> Head<'a> {
    /// The head of a message that is sent. What only the broker says is not looked at.
    ///
    /// # Errors
    /// The field that cannot be.
    pub(crate) fn read(fields: &'a HeaderMap) -> Result<Self, Refusal> {
        let mut head = Self::default();
        let (mut cased, mut is_event) = (None, false);
        for (name, value) in fields {
            if let Some(field) = name.as_str().strip_prefix("x-oms-h-") {
                head.read_field(field, name, value)?;
            } else if let Some(property) = name.as_str().strip_prefix(PROPERTY_PREFIX) {
                head.properties
                    .0
                    .push((property.into(), text(name, value)?));
            } else if let Some(attribute) = name.as_str().strip_prefix(EVENT_PREFIX) {
                is_event = true;
                let property = format!("{CLOUD_EVENT}{attribute}");
                head.properties
                    .0
                    .push((property.into(), attribute_text(name, value)?));
            } else if *name == PARTITION {
                head.partition = Some(parse(name, value)?);
            } else if *name == PRODUCER_GROUP {
                head.producer_group = Some(text(name, value)?);
            } else if *name == KEY_BASE64 {
                head.message_key_base64 = Some(text(name, value)?);
            } else if *name == HEADERS {
                head.headers = Some(listed(value)?);
            } else if *name == NULL_BODY {
                head.null_body = parse(name, value)?;
            } else if *name == PROPERTIES {
                cased = Some(properties(value)?);
            } else if *name == header::CONTENT_TYPE {
                head.content_type = Some(text(name, value)?);
            } else if *name == header::CONTENT_ENCODING {
                head.content_encoding = Some(text(name, value)?);
            } else if *name == TRACEPARENT {
                head.traceparent = Some(text(name, value)?);
            } else if *name == IDEMPOTENCY_KEY && head.message_id.is_none() {
                head.message_id = Some(text(name, value)?);
            }
        }
        if let Some(Pairs(cased)) = cased {
            // Who keeps the case sends these too, for those who do not.
            let is_cased = |plain: &str| {
                cased
                    .iter()
                    .any(|(name, _)| name.eq_ignore_ascii_case(plain))
            };
            head.properties.0.retain(|(name, _)| !is_cased(name));
            head.properties.0.extend(cased);
        }
        if is_event && !head.is_structured() {
            head.check_event()?;
        }
        Ok(head)
    }

    fn read_field(
        &mut self,
        field: &str,
        name: &HeaderName,
        value: &'a HeaderValue,
    ) -> Result<(), Refusal> {
        let slot = match field {
            "borntimestamp" => return set(&mut self.born_timestamp, name, value),
            "expiretime" => return set(&mut self.expire_time, name, value),
            "priority" => return set(&mut self.priority, name, value),
            "delaytime" => return set(&mut self.delay_time, name, value),
            "delivertime" => return set(&mut self.deliver_time, name, value),
            "durability" => return set(&mut self.durability, name, value),
            "destination" => &mut self.destination,
            "messageid" => &mut self.message_id,
            "bornhost" => &mut self.born_host,
            "compression" => &mut self.compression,
            "traceid" => &mut self.trace_id,
            "transactionid" => &mut self.transaction_id,
            "messagekey" => &mut self.message_key,
            "tag" => &mut self.tag,
            "correlationid" => &mut self.correlation_id,
            "replyto" => &mut self.reply_to,
            // The broker says them itself.
            "storetimestamp" | "storehost" => return Ok(()),
            _ => return Err(Refusal::parameter(format!("{name} is not known"))),
        };
        *slot = Some(text(name, value)?).filter(|text| !text.is_empty());
        Ok(())
    }

    /// Writes the head of a message that is handed out.
    pub(crate) fn write(&self, fields: &mut HeaderMap) {
        fields.insert(VERSION, SPOKEN);
        let texts = [
            ("x-oms-h-destination", &self.destination),
            ("x-oms-h-messageid", &self.message_id),
            ("x-oms-h-bornhost", &self.born_host),
            ("x-oms-h-storehost", &self.store_host),
            ("x-oms-h-compression", &self.compression),
            ("x-oms-h-traceid", &self.trace_id),
            ("x-oms-h-transactionid", &self.transaction_id),
            ("x-oms-h-messagekey", &self.message_key),
            ("x-oms-h-tag", &self.tag),
            ("x-oms-h-correlationid", &self.correlation_id),
            ("x-oms-h-replyto", &self.reply_to),
            ("x-oms-receipthandle", &self.receipt_handle),
            ("x-oms-messagekeybase64", &self.message_key_base64),
            ("traceparent", &self.traceparent),
            ("content-type", &self.content_type),
            ("content-encoding", &self.content_encoding),
        ];
        for (name, value) in texts {
            if let Some(value) = value.as_deref().and_then(encoded) {
                fields.insert(HeaderName::from_static(name), value);
            }
        }
        let times = [
            ("x-oms-h-borntimestamp", self.born_timestamp),
            ("x-oms-h-storetimestamp", self.store_timestamp),
            ("x-oms-h-expiretime", self.expire_time),
            ("x-oms-h-delivertime", self.deliver_time),
        ];
        for (name, value) in times {
            if let Some(value) = value {
                fields.insert(HeaderName::from_static(name), value.into());
            }
        }
        put(fields, "x-oms-h-priority", self.priority.map(u16::from));
        put(fields, "x-oms-h-durability", self.durability.map(u16::from));
        put(fields, "x-oms-h-delaytime", self.delay_time);
        if let Some(value) = self.headers.as_ref().and_then(ascii_json) {
            fields.insert(HEADERS, value);
        }
        if self.null_body {
            fields.insert(NULL_BODY, HeaderValue::from_static("true"));
        }
        put(fields, "x-oms-partition", self.partition);
        put(fields, "x-oms-offset", self.offset);
        put(fields, "x-oms-deliverycount", self.delivery_count);
        self.write_properties(fields);
    }

    /// Names without capitals as fields; all in one JSON object too, when that would lose something.
    fn write_properties(&self, fields: &mut HeaderMap) {
        let mut is_whole = true;
        let is_event = self.is_event();
        for (name, value) in &self.properties.0 {
            let (prefix, name) = match name.strip_prefix(CLOUD_EVENT) {
                Some(attribute) if is_event => (EVENT_PREFIX, attribute),
                _ => (PROPERTY_PREFIX, &**name),
            };
            let field = HeaderName::from_bytes(format!("{prefix}{name}").as_bytes());
            let value_field = if prefix == EVENT_PREFIX {
                attribute_field(value)
            } else {
                encoded(value)
            };
            match (field, value_field) {
                (Ok(field), Some(value)) => drop(fields.insert(field, value)),
                _ => is_whole = false,
            }
            is_whole &= value.is_ascii() && !name.bytes().any(|byte| byte.is_ascii_uppercase());
        }
        if !is_whole && let Some(value) = ascii_json(&self.properties) {
            fields.insert(PROPERTIES, value);
        }
    }
}

fn set<T: FromStr>(
    slot: &mut Option<T>,
    name: &HeaderName,
    value: &HeaderValue,
) -> Result<(), Refusal> {
    if !value.is_empty() {
        *slot = Some(parse(name, value)?);
    }
    Ok(())
}

fn put(fields: &mut HeaderMap, name: &'static str, value: Option<impl Into<HeaderValue>>) {
    if let Some(value) = value {
        fields.insert(HeaderName::from_static(name), value.into());
    }
}

/// An attribute's text (CloudEvents' HTTP binding 3.1.3.2): it may be quoted.
fn attribute_text<'a>(name: &HeaderName, value: &'a HeaderValue) -> Result<Cow<'a, str>, Refusal> {
    let bytes = value.as_bytes();
    let quoted = bytes.strip_prefix(b"\"");
    let Some(quoted) = quoted.and_then(|rest| rest.strip_suffix(b"\"")) else {
        return text(name, value);
    };
    let mut plain = Vec::with_capacity(quoted.len());
    let mut rest = quoted.iter();
    while let Some(byte) = rest.next() {
        plain.push(*if *byte == b'\\' {
            rest.next().unwrap_or(byte)
        } else {
            byte
        });
    }
    let decoded = percent_decode(&plain).decode_utf8();
    let decoded = decoded.map_err(|_| Refusal::parameter(format!("{name} is no UTF-8")))?;
    Ok(decoded.into_owned().into())
}

/// An attribute's text as a field holds it.
fn attribute_field(value: &str) -> Option<HeaderValue> {
    const SET: &AsciiSet = &ENCODED.add(b' ').add(b'"');
    let text: Cow<'_, str> = utf8_percent_encode(value, SET).into();
    HeaderValue::from_str(&text).ok()
}

/// A value as a field holds it. Spaces at its ends would be taken off on the way.
pub(crate) fn encoded(value: &str) -> Option<HeaderValue> {
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'%';
    let has_ends = value.starts_with(' ') || value.ends_with(' ');
    if !has_ends && value.bytes().all(is_plain) {
        return HeaderValue::from_str(value).ok();
    }
    const SPACED: &AsciiSet = &ENCODED.add(b' ');
    let set = if has_ends { SPACED } else { ENCODED };
    let text: Cow<'_, str> = utf8_percent_encode(value, set).into();
    HeaderValue::from_str(&text).ok()
}

fn properties(value: &HeaderValue) -> Result<Pairs<'_>, Refusal> {
    serde_json::from_slice(value.as_bytes())
        .map_err(|error| Refusal::parameter(format!("x-oms-properties is no object: {error}")))
}

fn listed(value: &HeaderValue) -> Result<Vec<HeaderField>, Refusal> {
    serde_json::from_slice(value.as_bytes())
        .map_err(|error| Refusal::parameter(format!("x-oms-headers is no list: {error}")))
}

/// JSON in ASCII.
fn ascii_json(value: &impl Serialize) -> Option<HeaderValue> {
    let json = serde_json::to_string(value).ok()?;
    if json.is_ascii() {
        return HeaderValue::from_str(&json).ok();
    }
    let mut text = String::with_capacity(json.len() * 2);
    let mut units = [0; 2];
    for character in json.chars() {
        if character.is_ascii() {
            text.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut units) {
            write!(text, "\\u{unit:04x}").ok()?;
        }
    }
    HeaderValue::from_str(&text).ok()
}
