use super::{FieldWriter, Text, WriteFields};
use bytes::Bytes;

/// A piece of the header: bytes `start..start + len`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }
}

/// A name with its value; 16 bytes, since a send has thirteen of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    name_start: u32,
    name_len: u32,
    value_start: u32,
    value_len: u32,
}

impl Entry {
    /// `None` for spans no 16 MiB header can have.
    pub(super) fn new(name: Span, value: Span) -> Option<Self> {
        Some(Self {
            name_start: u32::try_from(name.start).ok()?,
            name_len: u32::try_from(name.end.checked_sub(name.start)?).ok()?,
            value_start: u32::try_from(value.start).ok()?,
            value_len: u32::try_from(value.end.checked_sub(value.start)?).ok()?,
        })
    }

    fn name(self, text: &[u8]) -> &[u8] {
        span(self.name_start, self.name_len).of(text)
    }

    fn value_span(self) -> Span {
        span(self.value_start, self.value_len)
    }
}

fn span(start: u32, len: u32) -> Span {
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    Span {
        start,
        end: start.saturating_add(len),
    }
}

/// The extension fields of a header, in the peer's order, as slices of the frame.
///
/// Of a repeated name the last counts, as in Java's map.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    text: Bytes,
    entries: Option<Vec<Entry>>,
}

impl Fields {
    /// Most fields a header may have; stock clients send up to 14.
    pub const COUNT_MAX: usize = 4096;

    /// Entries point into `text`, at UTF-8 or not.
    pub(super) const fn new(text: Bytes, entries: Option<Vec<Entry>>) -> Self {
        Self { text, entries }
    }

    /// Whether the header had no fields at all (`null`), which is not the empty set.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        self.entries.is_none()
    }

    /// The value of `name`.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.find(name).map(|span| span.of(&self.text))
    }

    /// The value of `name`, if it is UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.bytes(name)?).ok()
    }

    /// The value of `name`, if it is UTF-8, sharing the frame's bytes.
    #[must_use]
    pub fn shared(&self, name: &str) -> Option<Text> {
        let bytes = self.text.slice_ref(self.bytes(name)?);
        Text::try_from(bytes).ok()
    }

    /// The typed value of `name`.
    ///
    /// # Errors
    /// The field is missing and `T` is no `Option`, or it is ill-typed.
    pub fn value<'a, T: FieldValue<'a>>(&'a self, name: &'static str) -> Result<T, FieldError> {
        T::read(self, name)
    }

    /// Names and values in the peer's order, but those that are not UTF-8.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter_bytes().filter_map(|(name, value)| {
            let name = std::str::from_utf8(name).ok()?;
            Some((name, std::str::from_utf8(value).ok()?))
        })
    }

    /// Names and values as bytes in the peer's order, for what reads or signs all of them.
    pub fn iter_bytes(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries
            .iter()
            .flatten()
            .map(|entry| (entry.name(&self.text), entry.value_span().of(&self.text)))
    }

    /// A value of [`Fields::iter_bytes`] as shared text.
    pub(crate) fn share(&self, value: &[u8]) -> Option<Text> {
        Text::try_from(self.text.slice_ref(value)).ok()
    }

    fn find(&self, name: &str) -> Option<Span> {
        let entries = self.entries.as_ref()?;
        entries
            .iter()
            .rev()
            .find(|entry| entry.name(&self.text) == name.as_bytes())
            .map(|entry| entry.value_span())
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.is_absent() == other.is_absent() && self.iter_bytes().eq(other.iter_bytes())
    }
}

impl Eq for Fields {}

impl WriteFields for Fields {
    fn write_fields(&self, out: &mut FieldWriter<'_>) {
        for (name, value) in self.iter() {
            out.pair(name, value);
        }
    }
}

/// A field that does not say what the request needs. Its text is the remark of the answer, whose
/// code is `SYSTEM_ERROR`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// A required field is not there.
    #[error("the field <{0}> of the request header is null")]
    Missing(&'static str),
    /// A number field with something else in it, or out of range.
    #[error("the field <{field}> of the request header is not a number: {value}")]
    NotANumber {
        /// Its name on the wire.
        field: &'static str,
        /// What it said, at most 64 characters of it.
        value: String,
    },
    /// A text field with other bytes in it.
    #[error("the field <{0}> of the request header is not UTF-8")]
    NotUtf8(&'static str),
}

impl FieldError {
    pub(crate) fn not_a_number(field: &'static str, value: &[u8]) -> Self {
        Self::NotANumber {
            field,
            value: String::from_utf8_lossy(value).chars().take(64).collect(),
        }
    }
}

/// A type fields are read as.
pub trait FieldValue<'a>: Sized {
    /// Reads the field `name`.
    ///
    /// # Errors
    /// It is missing or ill-typed.
    fn read(fields: &'a Fields, name: &'static str) -> Result<Self, FieldError>;
}

impl<'a> FieldValue<'a> for &'a str {
    fn read(fields: &'a Fields, name: &'static str) -> Result<Self, FieldError> {
        let value = fields.bytes(name).ok_or(FieldError::Missing(name))?;
        std::str::from_utf8(value).map_err(|_| FieldError::NotUtf8(name))
    }
}

impl FieldValue<'_> for Text {
    fn read(fields: &Fields, name: &'static str) -> Result<Self, FieldError> {
        let value = fields.bytes(name).ok_or(FieldError::Missing(name))?;
        fields.share(value).ok_or(FieldError::NotUtf8(name))
    }
}

impl FieldValue<'_> for i64 {
    fn read(fields: &Fields, name: &'static str) -> Result<Self, FieldError> {
        let value = fields.bytes(name).ok_or(FieldError::Missing(name))?;
        parse_i64(value).ok_or_else(|| FieldError::not_a_number(name, value))
    }
}

impl FieldValue<'_> for i32 {
    fn read(fields: &Fields, name: &'static str) -> Result<Self, FieldError> {
        let value = fields.bytes(name).ok_or(FieldError::Missing(name))?;
        parse_i32(value).ok_or_else(|| FieldError::not_a_number(name, value))
    }
}

/// Java's `Boolean.parseBoolean`: anything but `true` is false, and nothing is an error.
impl FieldValue<'_> for bool {
    fn read(fields: &Fields, name: &'static str) -> Result<Self, FieldError> {
        let value = fields.bytes(name).ok_or(FieldError::Missing(name))?;
        Ok(value.eq_ignore_ascii_case(b"true"))
    }
}

impl<'a, T: FieldValue<'a>> FieldValue<'a> for Option<T> {
    fn read(fields: &'a Fields, name: &'static str) -> Result<Self, FieldError> {
        match T::read(fields, name) {
            Ok(value) => Ok(Some(value)),
            Err(FieldError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A decimal number with an optional sign, as `Long.parseLong` takes it.
pub(crate) fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    // Below zero there is one number more than above.
    digits.iter().try_fold(0i64, |value, byte| {
        let digit = i64::from(byte.checked_sub(b'0').filter(|digit| *digit <= 9)?);
        let shifted = value.checked_mul(10)?;
        if negative {
            shifted.checked_sub(digit)
        } else {
            shifted.checked_add(digit)
        }
    })
}

/// As [`parse_i64`], within 32 bits.
pub(crate) fn parse_i32(text: &[u8]) -> Option<i32> {
    i32::try_from(parse_i64(text)?).ok()
}
