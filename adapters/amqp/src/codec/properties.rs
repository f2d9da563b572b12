//! Properties of a message.
//!
//! ```text
//! | flags: u16 | property … |     bit 15 is the first property's, bit 2 the last one's
//! ```

use super::SHORT_STRING_BYTES_MAX;
use super::table::{TableFault, TableView, put_long};
use bytes::{BufMut, Bytes, BytesMut};
use std::fmt;

/// Flags that stand for no property. Bit 0 would announce more flags, which nobody has.
const NO_PROPERTY: u16 = 0b11;

/// How many properties there are.
const PROPERTIES: u32 = 14;

/// Properties as they came, to be delivered byte for byte. They are looked into when asked.
#[derive(Clone, PartialEq, Eq)]
pub struct Properties(Bytes);

/// Why bytes are no properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PropertyFault {
    /// They end before the last that is announced.
    #[error("properties are cut short")]
    CutShort,
    /// A flag that stands for no property.
    #[error("properties have flags {0:#06x}")]
    UnknownFlags(u16),
    /// They go on after the last that is announced.
    #[error("properties have {0} octets left over")]
    LeftOver(usize),
    /// In `headers`.
    #[error("{0} in the headers")]
    Headers(#[from] TableFault),
}

/// What properties say. Texts are bytes: RabbitMQ does not check them either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PropertyList<'a> {
    /// A MIME type.
    pub content_type: Option<&'a [u8]>,
    /// A MIME encoding.
    pub content_encoding: Option<&'a [u8]>,
    /// What the application, and some extensions, add.
    pub headers: Option<TableView<'a>>,
    /// 2 is persistent, 1 is not.
    pub delivery_mode: Option<u8>,
    /// 0 is the lowest.
    pub priority: Option<u8>,
    /// Which request this answers.
    pub correlation_id: Option<&'a [u8]>,
    /// Where answers go.
    pub reply_to: Option<&'a [u8]>,
    /// Milliseconds, in decimal.
    pub expiration: Option<&'a [u8]>,
    /// The application's.
    pub message_id: Option<&'a [u8]>,
    /// Seconds since 1970.
    pub timestamp: Option<u64>,
    /// The specification's `type`.
    pub kind: Option<&'a [u8]>,
    /// Who published it; checked.
    pub user_id: Option<&'a [u8]>,
    /// Which application published it.
    pub app_id: Option<&'a [u8]>,
    /// A relic.
    pub cluster_id: Option<&'a [u8]>,
}

impl Properties {
    /// None at all.
    pub const NONE: Self = Self(Bytes::from_static(&[0, 0]));

    /// Properties as they stand in a content header, unchecked.
    #[must_use]
    pub const fn from_raw(raw: Bytes) -> Self {
        Self(raw)
    }

    /// As they stand in a content header.
    #[must_use]
    pub const fn raw(&self) -> &Bytes {
        &self.0
    }

    /// Reads them all; of the headers, that they are a table.
    ///
    /// # Errors
    /// They are none.
    pub fn list(&self) -> Result<PropertyList<'_>, PropertyFault> {
        let mut input = Input { rest: &self.0 };
        let [high, low] = input.array()?;
        let flags = u16::from_be_bytes([high, low]);
        if flags & NO_PROPERTY != 0 {
            return Err(PropertyFault::UnknownFlags(flags));
        }
        let mut next = Flags(flags);
        let list = PropertyList {
            content_type: next.take().then(|| input.short()).transpose()?,
            content_encoding: next.take().then(|| input.short()).transpose()?,
            headers: next.take().then(|| input.table()).transpose()?,
            delivery_mode: next.take().then(|| input.octet()).transpose()?,
            priority: next.take().then(|| input.octet()).transpose()?,
            correlation_id: next.take().then(|| input.short()).transpose()?,
            reply_to: next.take().then(|| input.short()).transpose()?,
            expiration: next.take().then(|| input.short()).transpose()?,
            message_id: next.take().then(|| input.short()).transpose()?,
            timestamp: next.take().then(|| input.long_long()).transpose()?,
            kind: next.take().then(|| input.short()).transpose()?,
            user_id: next.take().then(|| input.short()).transpose()?,
            app_id: next.take().then(|| input.short()).transpose()?,
            cluster_id: next.take().then(|| input.short()).transpose()?,
        };
        match input.rest.len() {
            0 => Ok(list),
            left => Err(PropertyFault::LeftOver(left)),
        }
    }
}

impl PropertyList<'_> {
    /// Writes them anew, the headers byte for byte. Texts are cut at 255 bytes.
    #[must_use]
    pub fn encode(&self) -> Properties {
        let mut list = Encoder::default();
        list.short(self.content_type);
        list.short(self.content_encoding);
        list.put(self.headers, |out, table| put_long(out, table.raw()));
        list.put(self.delivery_mode, BufMut::put_u8);
        list.put(self.priority, BufMut::put_u8);
        list.short(self.correlation_id);
        list.short(self.reply_to);
        list.short(self.expiration);
        list.short(self.message_id);
        list.put(self.timestamp, BufMut::put_u64);
        list.short(self.kind);
        list.short(self.user_id);
        list.short(self.app_id);
        list.short(self.cluster_id);
        let mut raw = BytesMut::with_capacity(2 + list.out.len());
        raw.put_u16(list.flags << (u16::BITS - PROPERTIES));
        raw.put_slice(&list.out);
        Properties(raw.freeze())
    }
}

/// Flags from the first property's on.
struct Flags(u16);

impl Flags {
    const fn take(&mut self) -> bool {
        let is_set = self.0 & 0x8000 != 0;
        self.0 <<= 1;
        is_set
    }
}

struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn array<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], PropertyFault> {
        let split = self.rest.split_first_chunk();
        let (taken, rest) = split.ok_or(PropertyFault::CutShort)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], PropertyFault> {
        let split = self.rest.split_at_checked(count);
        let (taken, rest) = split.ok_or(PropertyFault::CutShort)?;
        self.rest = rest;
        Ok(taken)
    }

    fn octet(&mut self) -> Result<u8, PropertyFault> {
        self.array().map(u8::from_be_bytes)
    }

    fn long_long(&mut self) -> Result<u64, PropertyFault> {
        self.array().map(u64::from_be_bytes)
    }

    fn short(&mut self) -> Result<&'a [u8], PropertyFault> {
        let length = self.octet()?;
        self.bytes(length.into())
    }

    fn table(&mut self) -> Result<TableView<'a>, PropertyFault> {
        let length = self.array().map(u32::from_be_bytes)?;
        let raw = self.bytes(usize::try_from(length).unwrap_or(usize::MAX))?;
        Ok(TableView::parse(raw)?)
    }
}

#[derive(Default)]
struct Encoder {
    out: BytesMut,
    flags: u16,
}

impl Encoder {
    fn put<T>(&mut self, property: Option<T>, write: impl FnOnce(&mut BytesMut, T)) {
        self.flags = self.flags << 1 | u16::from(property.is_some());
        if let Some(property) = property {
            write(&mut self.out, property);
        }
    }

    fn short(&mut self, property: Option<&[u8]>) {
        self.put(property, |out, text| {
            let kept = text.get(..SHORT_STRING_BYTES_MAX).unwrap_or(text);
            out.put_u8(u8::try_from(kept.len()).unwrap_or(u8::MAX));
            out.put_slice(kept);
        });
    }
}

impl Default for Properties {
    fn default() -> Self {
        Self::NONE
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.list() {
            Ok(list) => list.fmt(formatter),
            Err(fault) => write!(formatter, "Properties({fault})"),
        }
    }
}
