//! Arguments of methods: fields one behind the other, flags next to one another in one octet.

use super::table::{TableFault, put_long};
use super::{ShortString, Table};
use bytes::{BufMut, Bytes, BytesMut};

/// Why arguments cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Cut short.
    Short,
    /// A short string is no text.
    NotUtf8,
    Table(TableFault),
}

/// Reads fields off `source` without copying them.
pub(super) struct Reader<'a> {
    source: &'a Bytes,
    at: usize,
    /// The octet that flags are read from.
    flags: u8,
    /// How many of them are left.
    flags_left: u8,
}

impl<'a> Reader<'a> {
    /// A reader of `source` from its octet `at`.
    pub(super) const fn new(source: &'a Bytes, at: usize) -> Self {
        Self {
            source,
            at,
            flags: 0,
            flags_left: 0,
        }
    }

    /// Whether all has been read.
    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.source.len()
    }

    fn array<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], Fault> {
        self.flags_left = 0;
        let rest = self.source.get(self.at..).unwrap_or_default();
        let taken = rest.first_chunk().ok_or(Fault::Short)?;
        self.at += COUNT;
        Ok(*taken)
    }

    fn bytes(&mut self, count: usize) -> Result<Bytes, Fault> {
        let left = self.source.len().saturating_sub(self.at);
        if count > left {
            return Err(Fault::Short);
        }
        if count == 0 {
            return Ok(Bytes::new());
        }
        let start = self.at;
        self.at += count;
        Ok(self.source.slice(start..self.at))
    }

    fn flag(&mut self) -> Result<bool, Fault> {
        if self.flags_left == 0 {
            let [flags] = self.array()?;
            self.flags = flags;
            self.flags_left = 8;
        }
        let is_set = self.flags & 1 != 0;
        self.flags >>= 1;
        self.flags_left -= 1;
        Ok(is_set)
    }

    fn long_bytes(&mut self) -> Result<Bytes, Fault> {
        let length = u32::from_be_bytes(self.array()?);
        self.bytes(usize::try_from(length).unwrap_or(usize::MAX))
    }
}

/// Writes fields behind what is in `out`.
pub(super) struct Writer<'a> {
    out: &'a mut BytesMut,
    /// Flags in the last octet.
    flags: u8,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(out: &'a mut BytesMut) -> Self {
        Self { out, flags: 0 }
    }

    fn out(&mut self) -> &mut BytesMut {
        self.flags = 0;
        self.out
    }

    fn flag(&mut self, is_set: bool) {
        if self.flags == 0 {
            self.out.put_u8(0);
        }
        if let Some(last) = self.out.last_mut() {
            *last |= u8::from(is_set) << self.flags;
        }
        self.flags = (self.flags + 1) % 8;
    }
}

/// What an argument can be.
pub(super) trait Argument: Sized {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault>;
    fn write(&self, writer: &mut Writer<'_>);
}

impl Argument for bool {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        reader.flag()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.flag(*self);
    }
}

impl Argument for u8 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        reader.array().map(Self::from_be_bytes)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.out().put_u8(*self);
    }
}

impl Argument for u16 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        reader.array().map(Self::from_be_bytes)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.out().put_u16(*self);
    }
}

impl Argument for u32 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        reader.array().map(Self::from_be_bytes)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.out().put_u32(*self);
    }
}

impl Argument for u64 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        reader.array().map(Self::from_be_bytes)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.out().put_u64(*self);
    }
}

impl Argument for ShortString {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let [length] = reader.array()?;
        let bytes = reader.bytes(length.into())?;
        Self::try_from(bytes).map_err(|_| Fault::NotUtf8)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let out = writer.out();
        out.put_u8(u8::try_from(self.as_bytes().len()).unwrap_or(u8::MAX));
        out.put_slice(self.as_bytes());
    }
}

/// A `longstr`.
impl Argument for Bytes {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        reader.long_bytes()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        put_long(writer.out(), self);
    }
}

impl Argument for Table {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        Self::parse(reader.long_bytes()?).map_err(Fault::Table)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        put_long(writer.out(), self.raw());
    }
}
