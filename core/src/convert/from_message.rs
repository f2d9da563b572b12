use super::body::plain_body;
use crate::batch::{
    BatchBuilder, BatchError, Codec, HeaderView, RecordBatch, TimestampKind, read_headers,
};
use crate::model::{Header, Message, Properties, QueueOffset, Record, property};
use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD_NO_PAD};
use bytes::Bytes;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::HashSet;

/// How keys and header lists stand in a property.
pub(super) const PROPERTY_BASE64: GeneralPurpose = STANDARD_NO_PAD;
/// The empty key in base64: nothing, which no property can be, and its padding.
pub(super) const EMPTY_KEY: &str = "=";

const NAME_END: u8 = 1;
const VALUE_END: u8 = 2;

type HeaderViews<'a> = SmallVec<[HeaderView<'a>; 8]>;

/// The record that shows `message` to a Kafka consumer: `KEYS` as its key, every other property
/// as a header of the same name in the same order, the broker's own left out. The body is
/// decompressed; one that does not decompress is handed over as it is and named in
/// `__BODY_COMPRESSION`.
///
/// A message made by [`super::message_of`] gives its record back. Properties added to it since
/// follow the record's own headers.
#[must_use]
pub fn record_of(message: &Message) -> Record {
    let area = message.properties.as_bytes();
    let parts = Parts::of(area);
    let (value, undone) = parts.value(message);
    let value = value.map(Cow::into_owned);
    let key = parts.key.as_ref().map(|key| match key {
        Key::Text(text) => area.slice_ref(text),
        Key::Binary(bytes) => bytes.clone(),
    });
    let list = parts.list.clone();
    let owner = |index| match &list {
        Some(list) if index < list.count => &list.bytes,
        _ => area,
    };
    let views = parts.headers(list.as_ref(), value.is_none());
    let mut headers = Vec::with_capacity(views.len() + usize::from(undone.is_some()));
    headers.extend(views.iter().enumerate().map(|(index, view)| Header {
        name: owner(index).slice_ref(view.name),
        value: view.value.map(|value| owner(index).slice_ref(value)),
    }));
    headers.extend(undone.map(|compression| Header {
        name: Bytes::from_static(property::BODY_COMPRESSION.as_bytes()),
        value: Some(compression.into()),
    }));
    Record {
        key,
        value,
        headers,
        timestamp: message.born_at,
    }
}

/// Adds the record of [`record_of`] to `builder` without making it.
///
/// # Errors
/// As [`BatchBuilder::push`].
pub fn push_message(builder: &mut BatchBuilder, message: &Message) -> Result<(), BatchError> {
    let parts = Parts::of(message.properties.as_bytes());
    let (value, undone) = parts.value(message);
    let key = parts.key.clone();
    let key = key.as_ref().map(|key| match key {
        Key::Text(text) => *text,
        Key::Binary(bytes) => bytes,
    });
    let list = parts.list.clone();
    let mut headers = parts.headers(list.as_ref(), value.is_none());
    headers.extend(undone.as_deref().map(|compression| HeaderView {
        name: property::BODY_COMPRESSION.as_bytes(),
        value: Some(compression.as_bytes()),
    }));
    let value = value.as_ref().map(|value| value.as_ref().as_ref());
    builder.push_parts(message.born_at, key, value, headers.iter().copied())
}

/// A property area taken apart.
struct Parts<'a> {
    key: Option<Key<'a>>,
    is_marked_null: bool,
    list: Option<List>,
    /// All properties in order, as a header would have them.
    pairs: HeaderViews<'a>,
}

#[derive(Clone)]
enum Key<'a> {
    /// Of `KEYS`.
    Text(&'a [u8]),
    /// Of `__KEY_B64`, which counts when there is no `KEYS`.
    Binary(Bytes),
}

/// A decoded header list.
#[derive(Clone)]
struct List {
    bytes: Bytes,
    count: usize,
}

impl List {
    /// `None` when a native producer's property of that name is no list.
    fn decode(encoded: &[u8]) -> Option<Self> {
        let bytes = Bytes::from(PROPERTY_BASE64.decode(encoded).ok()?);
        let count = read_headers(&bytes)?.len();
        Some(Self { bytes, count })
    }
}

impl<'a> Parts<'a> {
    fn of(area: &'a [u8]) -> Self {
        let mut parts = Self {
            key: None,
            is_marked_null: false,
            list: None,
            pairs: pairs_of(area),
        };
        for pair in &parts.pairs {
            let (Some(b'K' | b'_'), Some(value)) = (pair.name.first(), pair.value) else {
                continue;
            };
            match std::str::from_utf8(pair.name) {
                Ok(property::KEYS) => parts.key = Some(Key::Text(value)),
                Ok(property::KEY_BASE64) if !matches!(parts.key, Some(Key::Text(_))) => {
                    parts.key = binary_key(value).map(Key::Binary).or(parts.key);
                }
                Ok(property::HEADERS_BASE64) => parts.list = List::decode(value).or(parts.list),
                Ok(property::NULL_BODY) => parts.is_marked_null = value == b"1",
                _ => {}
            }
        }
        parts
    }

    /// The record's value, and the compression that could not be undone.
    fn value<'m>(&self, message: &'m Message) -> (Option<Cow<'m, Bytes>>, Option<String>) {
        if self.is_marked_null && message.body.is_empty() {
            return (None, None);
        }
        match plain_body(message) {
            Ok(body) => (Some(body), None),
            Err(compression) => (Some(Cow::Borrowed(&message.body)), Some(compression)),
        }
    }

    /// The headers of `list`, which is this one's own, and then the properties that neither it
    /// nor anything else of the record accounts for.
    fn headers(mut self, list: Option<&'a List>, is_null: bool) -> HeaderViews<'a> {
        let mut pairs = std::mem::take(&mut self.pairs);
        pairs.retain(|pair| !self.accounts_for(pair.name, is_null));
        let Some(list) = list.and_then(|list| read_headers(&list.bytes)) else {
            return pairs;
        };
        let listed: HashSet<&[u8]> = list.map(|header| header.name).collect();
        pairs.retain(|pair| !listed.contains(pair.name));
        list.chain(pairs).collect()
    }

    fn accounts_for(&self, name: &[u8], is_null: bool) -> bool {
        // No name of the broker's own starts otherwise.
        if !matches!(name.first(), Some(b'K' | b'I' | b'_')) {
            return false;
        }
        let Ok(name) = std::str::from_utf8(name) else {
            return false;
        };
        match name {
            property::KEYS => matches!(self.key, Some(Key::Text(_))),
            property::KEY_BASE64 => matches!(self.key, Some(Key::Binary(_))),
            property::HEADERS_BASE64 => self.list.is_some(),
            property::NULL_BODY => is_null,
            _ => property::is_internal(name),
        }
    }
}

/// The pairs of [`crate::model::Properties::iter`], as bytes and in one pass.
fn pairs_of(area: &[u8]) -> HeaderViews<'_> {
    let mut pairs = HeaderViews::new();
    let (mut start, mut name_end) = (0, None);
    let separators = memchr::memchr2_iter(NAME_END, VALUE_END, area);
    for position in separators.chain(std::iter::once(area.len())) {
        if area.get(position) == Some(&NAME_END) {
            name_end = name_end.or(Some(position));
            continue;
        }
        if let Some(name_end) = name_end
            && let (Some(name), Some(value)) =
                (area.get(start..name_end), area.get(name_end + 1..position))
            && !name.is_empty()
            && !value.is_empty()
        {
            pairs.push(HeaderView {
                name,
                value: Some(value),
            });
        }
        (start, name_end) = (position + 1, None);
    }
    pairs
}

fn binary_key(encoded: &[u8]) -> Option<Bytes> {
    if encoded == EMPTY_KEY.as_bytes() {
        return Some(Bytes::new());
    }
    PROPERTY_BASE64.decode(encoded).ok().map(Bytes::from)
}

/// Feeds an arbitrary property area to the conversion and holds that what comes out converts
/// back and forth without change.
#[doc(hidden)]
pub fn fuzz_properties(data: &[u8]) {
    let Ok(properties) = Properties::from_wire(Bytes::copy_from_slice(data)) else {
        return;
    };
    let mut message = Message::new(Bytes::new(), crate::model::Timestamp::default());
    let of_pair = |pair: &HeaderView<'_>| (pair.name.to_vec(), pair.value.map(<[u8]>::to_vec));
    let expected = properties
        .iter()
        .map(|(name, value)| (name.into(), Some(value.into())));
    assert!(
        pairs_of(properties.as_bytes())
            .iter()
            .map(of_pair)
            .eq(expected)
    );
    message.properties = properties;
    let record = record_of(&message);
    assert_eq!(pushed(&message), Some(record.clone()));
    let again = super::message_of(&record);
    let is_cut = [property::HEADERS_CUT, property::KEY_CUT]
        .iter()
        .any(|mark| again.properties.value(mark).is_some());
    assert!(is_cut || record_of(&again) == record);
}

/// What [`push_message`] makes, read back.
fn pushed(message: &Message) -> Option<Record> {
    let mut builder = BatchBuilder::with_capacity(0);
    push_message(&mut builder, message).ok()?;
    let times = TimestampKind::Create;
    let bytes = builder
        .build(QueueOffset::ZERO, 0, times, Codec::None)
        .ok()?;
    let records = RecordBatch::parse(bytes).ok()?.records().ok()?;
    let record = records.iter().next()?.ok()?.to_record();
    Some(record)
}
