use super::body::plain_body;
use crate::batch::read_headers;
use crate::model::{Header, Message, Properties, Record, property};
use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD_NO_PAD};
use bytes::Bytes;
use std::collections::HashSet;

/// How keys and header lists stand in a property.
pub(super) const PROPERTY_BASE64: GeneralPurpose = STANDARD_NO_PAD;
/// The empty key in base64: nothing, which no property can be, and its padding.
pub(super) const EMPTY_KEY: &str = "=";

/// The record that shows `message` to a Kafka consumer: `KEYS` as its key, every other property
/// as a header of the same name in the same order, the broker's own left out. The body is
/// decompressed; one that does not decompress is handed over as it is and named in
/// `__BODY_COMPRESSION`.
///
/// A message made by [`super::message_of`] gives its record back. Properties added to it since
/// follow the record's own headers.
#[must_use]
pub fn record_of(message: &Message) -> Record {
    let special = Special::of(&message.properties);
    let is_null = special.is_null && message.body.is_empty();
    let (value, compression) = match plain_body(message) {
        Ok(body) => (body, None),
        Err(compression) => (message.body.clone(), Some(compression)),
    };
    let mut headers = special.headers(&message.properties, is_null);
    headers.extend(compression.map(|compression| Header {
        name: Bytes::from_static(property::BODY_COMPRESSION.as_bytes()),
        value: Some(compression.into()),
    }));
    Record {
        key: special.key.map(|key| key.bytes),
        value: (!is_null).then_some(value),
        headers,
        timestamp: message.born_at,
    }
}

/// The properties that are not headers.
#[derive(Default)]
struct Special {
    key: Option<Key>,
    is_null: bool,
    list: Option<Vec<Header>>,
}

struct Key {
    /// The property it comes from.
    property: &'static str,
    bytes: Bytes,
}

impl Special {
    fn of(properties: &Properties) -> Self {
        let mut special = Self::default();
        for (name, value) in properties.iter() {
            match name {
                property::KEYS => {
                    let bytes = properties.as_bytes().slice_ref(value.as_bytes());
                    special.key = Some(Key {
                        property: property::KEYS,
                        bytes,
                    });
                }
                property::KEY_BASE64 => special.take_binary_key(value),
                property::HEADERS_BASE64 => {
                    special.list = header_list(value).or(special.list);
                }
                property::NULL_BODY => special.is_null = value == "1",
                _ => {}
            }
        }
        special
    }

    fn take_binary_key(&mut self, value: &str) {
        let has_keys = self
            .key
            .as_ref()
            .is_some_and(|key| key.property == property::KEYS);
        let decoded = match value {
            EMPTY_KEY => Some(Bytes::new()),
            value => PROPERTY_BASE64.decode(value).ok().map(Bytes::from),
        };
        if let (false, Some(bytes)) = (has_keys, decoded) {
            self.key = Some(Key {
                property: property::KEY_BASE64,
                bytes,
            });
        }
    }

    /// The listed headers and then the properties that neither the list nor anything else of the
    /// record accounts for.
    fn headers(&self, properties: &Properties, is_null: bool) -> Vec<Header> {
        let mut headers = self.list.clone().unwrap_or_default();
        let listed: HashSet<Bytes> = headers.iter().map(|header| header.name.clone()).collect();
        let owned = |text: &str| properties.as_bytes().slice_ref(text.as_bytes());
        for (name, value) in properties.iter() {
            if !self.accounts_for(name, is_null) && !listed.contains(name.as_bytes()) {
                headers.push(Header {
                    name: owned(name),
                    value: Some(owned(value)),
                });
            }
        }
        headers
    }

    fn accounts_for(&self, name: &str, is_null: bool) -> bool {
        match name {
            property::KEYS | property::KEY_BASE64 => {
                self.key.as_ref().is_some_and(|key| key.property == name)
            }
            property::HEADERS_BASE64 => self.list.is_some(),
            property::NULL_BODY => is_null,
            _ => property::is_internal(name),
        }
    }
}

/// The list as it was, `None` when a native producer's property of that name is none.
fn header_list(encoded: &str) -> Option<Vec<Header>> {
    let list = Bytes::from(PROPERTY_BASE64.decode(encoded).ok()?);
    let headers = read_headers(&list)?.map(|header| Header {
        name: list.slice_ref(header.name),
        value: header.value.map(|value| list.slice_ref(value)),
    });
    Some(headers.collect())
}

/// Feeds an arbitrary property area to the conversion and holds that what comes out converts
/// back and forth without change.
#[doc(hidden)]
pub fn fuzz_properties(data: &[u8]) {
    let Ok(properties) = Properties::from_wire(Bytes::copy_from_slice(data)) else {
        return;
    };
    let mut message = Message::new(Bytes::new(), crate::model::Timestamp::default());
    message.properties = properties;
    let record = record_of(&message);
    let again = super::message_of(&record);
    let is_cut = [property::HEADERS_CUT, property::KEY_CUT]
        .iter()
        .any(|mark| again.properties.value(mark).is_some());
    assert!(is_cut || record_of(&again) == record);
}
