use super::from_message::{EMPTY_KEY, PROPERTY_BASE64};
use crate::batch::{HeaderView, RecordView, put_headers};
use crate::model::{Message, Properties, Record, Timestamp, property};
use base64::Engine as _;
use bytes::Bytes;
use smallvec::SmallVec;
use std::collections::HashMap;

/// Left free in the property area for what a broker adds when a consumer sends the message back
/// or it is dead-lettered: topic, original id, delay level.
const BROKER_ROOM: usize = 1_024;
/// Most bytes of the properties made of a record.
const AREA_BYTES_MAX: usize = Properties::BYTES_MAX - BROKER_ROOM;
/// Up to here comparing each header with each costs less than a hash table.
const FEW_HEADERS: usize = 24;

type HeaderViews<'a> = SmallVec<[HeaderView<'a>; 8]>;

const NAME_END: u8 = 1;
const VALUE_END: u8 = 2;

/// The message that shows `record` to a native reader. What does not fit RocketMQ's 32,767 bytes
/// of properties is left out and counted in `__HEADERS_CUT` and `__KEY_CUT`; all else comes back
/// by [`super::record_of`].
#[must_use]
pub fn message_of(record: &Record) -> Message {
    let headers = record.headers.iter().map(|header| HeaderView {
        name: &header.name,
        value: header.value.as_deref(),
    });
    let value = record.value.clone();
    convert(record.key.as_deref(), value, headers, record.timestamp)
}

/// As [`message_of`], from a record still in its batch; the body is a slice of the batch.
#[must_use]
pub fn message_of_view(record: &RecordView<'_>) -> Message {
    let value = record.value_bytes();
    convert(record.key, value, record.headers, record.timestamp)
}

/// The tag [`message_of_view`] would give the record, found without making the message.
#[must_use]
pub fn tag_of<'a>(record: &RecordView<'a>) -> Option<&'a str> {
    let is_tag = |header: &HeaderView<'_>| header.name == property::TAGS.as_bytes();
    let (_, tag) = legal_property(record.headers.filter(is_tag).last()?)?;
    Some(tag)
}

fn convert<'a>(
    key: Option<&[u8]>,
    value: Option<Bytes>,
    headers: impl ExactSizeIterator<Item = HeaderView<'a>>,
    timestamp: Timestamp,
) -> Message {
    let headers: HeaderViews<'a> = headers.collect();
    let is_null = value.is_none();
    let properties = plain_properties(key, is_null, &headers)
        .unwrap_or_else(|| properties(key, is_null, &headers));
    Message {
        properties,
        ..Message::new(value.unwrap_or_default(), timestamp)
    }
}

/// The properties when all is plain text, as it mostly is: written first, then checked at once,
/// which costs half of checking each part. `None` when anything is not plain.
fn plain_properties(
    key: Option<&[u8]>,
    is_null: bool,
    headers: &[HeaderView<'_>],
) -> Option<Properties> {
    if headers.len() > FEW_HEADERS {
        return None;
    }
    let mut area = Area::for_parts(key, headers);
    let mut pairs = 0;
    if is_null {
        area.push(property::NULL_BODY.as_bytes(), b"1");
        pairs += 1;
    }
    if let Some(key) = key {
        area.push(property::KEYS.as_bytes(), key);
        pairs += 1;
    }
    for (index, header) in headers.iter().enumerate() {
        let value = header.value?;
        let is_bare = header.name.is_empty() || value.is_empty();
        let mut later = headers.iter().skip(index + 1);
        if is_bare || is_reserved(header.name)? || later.any(|later| later.name == header.name) {
            return None;
        }
        area.push(header.name, value);
        pairs += 1;
    }
    // A separator within a part makes more of them than two a pair.
    let separators = area
        .0
        .iter()
        .filter(|byte| matches!(**byte, NAME_END | VALUE_END));
    let is_plain = separators.count() == 2 * pairs && !key.is_some_and(<[u8]>::is_empty);
    if !is_plain || area.0.len() > AREA_BYTES_MAX {
        return None;
    }
    Properties::from_wire(area.0.into()).ok()
}

/// [`property::is_reserved`] of a name that may be no text.
fn is_reserved(name: &[u8]) -> Option<bool> {
    if name.first().is_some_and(u8::is_ascii_lowercase) {
        return Some(false);
    }
    std::str::from_utf8(name).ok().map(property::is_reserved)
}

/// The properties whatever the parts are.
fn properties(key: Option<&[u8]>, is_null: bool, headers: &[HeaderView<'_>]) -> Properties {
    let mut area = Area::for_parts(key, headers);
    if is_null {
        area.push(property::NULL_BODY.as_bytes(), b"1");
    }
    if let Some(key) = key {
        area.push_key(key);
    }
    area.push_headers(headers);
    // Every byte came from a `str` and the length is held below the limit.
    Properties::from_wire(area.0.into()).unwrap_or_default()
}

/// A property area being written.
struct Area(Vec<u8>);

impl Area {
    /// With room for the parts as plain properties, when they fit.
    fn for_parts(key: Option<&[u8]>, headers: &[HeaderView<'_>]) -> Self {
        let key_bytes = key.map_or(0, |key| property::KEYS.len() + key.len() + 2);
        let header_bytes: usize = headers.iter().map(|header| part_bytes(*header)).sum();
        Self(Vec::with_capacity(
            (key_bytes + header_bytes).min(AREA_BYTES_MAX),
        ))
    }

    fn push(&mut self, name: &[u8], value: &[u8]) {
        self.0.extend_from_slice(name);
        self.0.push(NAME_END);
        self.0.extend_from_slice(value);
        self.0.push(VALUE_END);
    }

    fn push_text(&mut self, name: &str, value: &str) {
        self.push(name.as_bytes(), value.as_bytes());
    }

    fn room(&self) -> usize {
        AREA_BYTES_MAX.saturating_sub(self.0.len())
    }

    fn push_key(&mut self, key: &[u8]) {
        let fits = |name: &str, value: &str| property_bytes(name, value) <= self.room();
        if let Some(text) = legal_text(key)
            && fits(property::KEYS, text)
        {
            return self.push_text(property::KEYS, text);
        }
        if key.len() < self.room() {
            let encoded = match key {
                [] => EMPTY_KEY.to_owned(),
                key => PROPERTY_BASE64.encode(key),
            };
            if fits(property::KEY_BASE64, &encoded) {
                return self.push_text(property::KEY_BASE64, &encoded);
            }
        }
        self.push_text(property::KEY_CUT, &key.len().to_string());
    }

    /// Each header that is a legal property as one. When that is not all of them, all of them
    /// once more as the list, before which the plain ones give way when both do not fit.
    fn push_headers(&mut self, headers: &[HeaderView<'_>]) {
        let start = self.0.len();
        let plain_count = self.push_plain(headers, 0);
        if plain_count == headers.len() {
            return;
        }
        let list = list_within(AREA_BYTES_MAX.saturating_sub(start), headers);
        let reserved = list.as_deref().map_or_else(
            || property_bytes(property::HEADERS_CUT, &headers.len().to_string()),
            |list| property_bytes(property::HEADERS_BASE64, list),
        );
        let mut shown = plain_count;
        if reserved > self.room() {
            self.0.truncate(start);
            shown = self.push_plain(headers, reserved);
        }
        match list {
            Some(list) => self.push_text(property::HEADERS_BASE64, &list),
            None => {
                let missing = headers.len() - shown;
                self.push_text(property::HEADERS_CUT, &missing.to_string());
            }
        }
    }

    /// Pushes the legal ones that leave `reserved` bytes free, and counts them.
    fn push_plain(&mut self, headers: &[HeaderView<'_>], reserved: usize) -> usize {
        let mut pushed = 0;
        let last_places = LastPlaces::of(headers);
        for (index, header) in headers.iter().enumerate() {
            let Some((name, value)) = legal_property(*header) else {
                continue;
            };
            let fits = property_bytes(name, value) + reserved <= self.room();
            let is_last = || last_places.is_last(index, header.name, headers);
            if fits && !property::is_reserved(name) && is_last() {
                self.push_text(name, value);
                pushed += 1;
            }
        }
        pushed
    }
}

/// The list in base64, when it fits into `room` with its name.
fn list_within(room: usize, headers: &[HeaderView<'_>]) -> Option<String> {
    let least: usize = headers.iter().map(|header| part_bytes(*header)).sum();
    if least > room {
        return None;
    }
    let mut list = Vec::with_capacity(least + 8);
    put_headers(&mut list, headers.iter().copied());
    let encoded = PROPERTY_BASE64.encode(list);
    (property_bytes(property::HEADERS_BASE64, &encoded) <= room).then_some(encoded)
}

/// Which header of each name is the last.
enum LastPlaces<'a> {
    /// Few: found by looking.
    Looking,
    Known(HashMap<&'a [u8], usize>),
}

impl<'a> LastPlaces<'a> {
    fn of(headers: &[HeaderView<'a>]) -> Self {
        if headers.len() <= FEW_HEADERS {
            return Self::Looking;
        }
        let places = headers.iter().enumerate();
        Self::Known(places.map(|(index, header)| (header.name, index)).collect())
    }

    fn is_last(&self, index: usize, name: &[u8], headers: &[HeaderView<'_>]) -> bool {
        match self {
            Self::Looking => headers
                .iter()
                .skip(index + 1)
                .all(|later| later.name != name),
            Self::Known(places) => places.get(name) == Some(&index),
        }
    }
}

fn legal_property<'a>(header: HeaderView<'a>) -> Option<(&'a str, &'a str)> {
    Some((legal_text(header.name)?, legal_text(header.value?)?))
}

fn legal_text(bytes: &[u8]) -> Option<&str> {
    let has_separator = bytes
        .iter()
        .any(|byte| matches!(*byte, NAME_END | VALUE_END));
    if bytes.is_empty() || has_separator {
        return None;
    }
    std::str::from_utf8(bytes).ok()
}

/// A header's name and value with at least their separators or lengths.
fn part_bytes(header: HeaderView<'_>) -> usize {
    2 + header.name.len() + header.value.map_or(0, <[u8]>::len)
}

const fn property_bytes(name: &str, value: &str) -> usize {
    name.len() + value.len() + 2
}
