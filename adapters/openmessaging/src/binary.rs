//! What of a message is no text: keys and headers of Kafka's producers that no property can hold,
//! and the null body, which is not the empty one.

use crate::error::Refusal;
use crate::head::Head;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gantry_core::convert::{message_of, record_of};
use gantry_core::model::{Header, Message, Record, Timestamp, property};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Properties that say it.
const MARKS: [&str; 3] = [
    property::KEY_BASE64,
    property::HEADERS_BASE64,
    property::NULL_BODY,
];

/// One of a message's headers, in their order; without a value it is null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HeaderField {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

/// Bytes as text, or else in base64.
fn shown(bytes: &[u8]) -> (Option<String>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(STANDARD.encode(bytes))),
    }
}

fn read(what: &str, base64: &str) -> Result<Bytes, Refusal> {
    let read = STANDARD.decode(base64);
    let read = read.map_err(|_| Refusal::parameter(format!("{what} is no base64")))?;
    Ok(read.into())
}

/// One of both, or neither.
fn either(what: &str, text: Option<&str>, base64: Option<&str>) -> Result<Option<Bytes>, Refusal> {
    match (text, base64) {
        (Some(_), Some(_)) => {
            let text = format!("{what} is text or base64, not both");
            Err(Refusal::parameter(text))
        }
        (Some(text), None) => Ok(Some(Bytes::copy_from_slice(text.as_bytes()))),
        (None, Some(base64)) => read(what, base64).map(Some),
        (None, None) => Ok(None),
    }
}

impl Head<'_> {
    /// Puts what of `message` is no text beside what is.
    pub(crate) fn put_binary(&mut self, message: &Message) {
        let has = |name: &str| message.properties.value(name).is_some();
        if !MARKS.iter().any(|name| has(name)) {
            return;
        }
        let record = record_of(message);
        self.null_body = record.value.is_none();
        if has(property::KEY_BASE64)
            && let Some(key) = &record.key
        {
            self.message_key_base64 = Some(STANDARD.encode(key).into());
        }
        if has(property::HEADERS_BASE64) {
            let headers = record.headers.iter().map(|header| {
                let (name, name_base64) = shown(&header.name);
                let (value, value_base64) = header.value.as_deref().map(shown).unwrap_or_default();
                HeaderField {
                    name,
                    name_base64,
                    value,
                    value_base64,
                }
            });
            self.headers = Some(headers.collect());
        }
    }

    /// The properties that say what is no text of a message that is sent.
    ///
    /// # Errors
    /// It cannot be, or is more than a message can hold.
    pub(crate) fn binary(&self, body: &Bytes) -> Result<Vec<(&'static str, String)>, Refusal> {
        if !self.null_body && self.message_key_base64.is_none() && self.headers.is_none() {
            return Ok(Vec::new());
        }
        if self.null_body && !body.is_empty() {
            return Err(Refusal::parameter("a null body has no bytes"));
        }
        let (text, base64) = (
            self.message_key.as_deref(),
            self.message_key_base64.as_deref(),
        );
        let key = either("the key", text, base64)?;
        let mut headers = Vec::new();
        for field in self.headers.iter().flatten() {
            let (text, base64) = (field.name.as_deref(), field.name_base64.as_deref());
            let name = either("a header's name", text, base64)?;
            let name = name.ok_or_else(|| Refusal::parameter("a header has no name"))?;
            let (text, base64) = (field.value.as_deref(), field.value_base64.as_deref());
            let value = either("a header's value", text, base64)?;
            headers.push(Header { name, value });
        }
        let message = message_of(&Record {
            key,
            value: (!self.null_body).then(|| body.clone()),
            headers,
            timestamp: Timestamp::from_millis(0),
        });
        let value = |name: &str| message.properties.value(name);
        if value(property::HEADERS_CUT).is_some() || value(property::KEY_CUT).is_some() {
            let text = "the key and the headers are more than a message can hold";
            return Err(Refusal::parameter(text));
        }
        // A key in base64 that is text after all.
        let key = base64.is_some().then_some(property::KEYS);
        let names = MARKS.into_iter().chain(key);
        let pairs = names.filter_map(|name| Some((name, value(name)?.to_owned())));
        Ok(pairs.collect())
    }

    /// The bytes of the key, if it has one.
    ///
    /// # Errors
    /// They are told in two ways, or in none.
    pub(crate) fn key_bytes(&self) -> Result<Option<Bytes>, Refusal> {
        let (text, base64) = (
            self.message_key.as_deref(),
            self.message_key_base64.as_deref(),
        );
        either("the key", text, base64)
    }
}
