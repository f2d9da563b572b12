//! Values of tables and arrays.

use super::{ArrayView, TableFault, TableView};
use bytes::{BufMut, BytesMut};
use std::fmt;

/// A value and its type. Texts are bytes: RabbitMQ does not check them either.
#[derive(Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// `t`; any octet but 0 is true.
    Bool(bool),
    /// `b`
    I8(i8),
    /// `B`
    U8(u8),
    /// `s`; a short string to nobody.
    I16(i16),
    /// `u`
    U16(u16),
    /// `I`
    I32(i32),
    /// `i`
    U32(u32),
    /// `l`, and `L`, which is written again as `l`.
    I64(i64),
    /// `f`
    F32(f32),
    /// `d`
    F64(f64),
    /// `D`
    Decimal(Decimal),
    /// `S`
    LongString(&'a [u8]),
    /// `A`
    Array(ArrayView<'a>),
    /// `T`, in seconds since 1970.
    Timestamp(u64),
    /// `F`
    Table(TableView<'a>),
    /// `V`
    Void,
    /// `x`
    Bytes(&'a [u8]),
}

/// `value / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// Digits after the point.
    pub scale: u8,
    /// All digits. RabbitMQ reads them as signed.
    pub value: i32,
}

impl<'a> Value<'a> {
    /// Its tag on the wire.
    #[must_use]
    pub const fn tag(self) -> u8 {
        match self {
            Self::Bool(_) => b't',
            Self::I8(_) => b'b',
            Self::U8(_) => b'B',
            Self::I16(_) => b's',
            Self::U16(_) => b'u',
            Self::I32(_) => b'I',
            Self::U32(_) => b'i',
            Self::I64(_) => b'l',
            Self::F32(_) => b'f',
            Self::F64(_) => b'd',
            Self::Decimal(_) => b'D',
            Self::LongString(_) => b'S',
            Self::Array(_) => b'A',
            Self::Timestamp(_) => b'T',
            Self::Table(_) => b'F',
            Self::Void => b'V',
            Self::Bytes(_) => b'x',
        }
    }

    /// The number, of whichever integer type: RabbitMQ compares arguments without their width.
    #[must_use]
    pub fn integer(self) -> Option<i64> {
        match self {
            Self::I8(value) => Some(value.into()),
            Self::U8(value) => Some(value.into()),
            Self::I16(value) => Some(value.into()),
            Self::U16(value) => Some(value.into()),
            Self::I32(value) => Some(value.into()),
            Self::U32(value) => Some(value.into()),
            Self::I64(value) => Some(value),
            _ => None,
        }
    }

    /// The text of a long string, when it is UTF-8.
    #[must_use]
    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::LongString(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    pub(super) fn write(self, out: &mut BytesMut) {
        out.put_u8(self.tag());
        match self {
            Self::Bool(value) => out.put_u8(value.into()),
            Self::I8(value) => out.put_i8(value),
            Self::U8(value) => out.put_u8(value),
            Self::I16(value) => out.put_i16(value),
            Self::U16(value) => out.put_u16(value),
            Self::I32(value) => out.put_i32(value),
            Self::U32(value) => out.put_u32(value),
            Self::I64(value) => out.put_i64(value),
            Self::F32(value) => out.put_f32(value),
            Self::F64(value) => out.put_f64(value),
            Self::Decimal(Decimal { scale, value }) => {
                out.put_u8(scale);
                out.put_i32(value);
            }
            Self::LongString(bytes) | Self::Bytes(bytes) => put_long(out, bytes),
            Self::Array(array) => put_long(out, array.0),
            Self::Timestamp(seconds) => out.put_u64(seconds),
            Self::Table(table) => put_long(out, table.0),
            Self::Void => {}
        }
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = char::from(self.tag());
        match *self {
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::F32(value) => write!(formatter, "{tag}:{value}"),
            Self::F64(value) => write!(formatter, "{tag}:{value}"),
            Self::Decimal(Decimal { scale, value }) => write!(formatter, "{tag}:{value}e-{scale}"),
            Self::LongString(text) => write!(formatter, "{:?}", String::from_utf8_lossy(text)),
            Self::Array(array) => array.fmt(formatter),
            Self::Timestamp(seconds) => write!(formatter, "{tag}:{seconds}"),
            Self::Table(table) => table.fmt(formatter),
            Self::Void => formatter.write_str("void"),
            Self::Bytes(bytes) => write!(formatter, "{tag}:{bytes:?}"),
            other => match other.integer() {
                Some(value) => write!(formatter, "{tag}:{value}"),
                None => write!(formatter, "{tag}"),
            },
        }
    }
}

/// Writes `bytes` behind their length in four octets.
pub(in crate::codec) fn put_long(out: &mut BytesMut, bytes: &[u8]) {
    debug_assert!(u32::try_from(bytes.len()).is_ok(), "frames are shorter");
    out.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.put_slice(bytes);
}

/// Takes a field's name off the front.
pub(super) fn take_name<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], TableFault> {
    let [length] = take_array(input)?;
    take(input, length.into())
}

/// Takes a tag and its value off the front; what nests is not looked into.
pub(super) fn take_value<'a>(input: &mut &'a [u8]) -> Result<Value<'a>, TableFault> {
    let [tag] = take_array(input)?;
    Ok(match tag {
        b't' => Value::Bool(take_array(input)? != [0]),
        b'b' => Value::I8(i8::from_be_bytes(take_array(input)?)),
        b'B' => Value::U8(u8::from_be_bytes(take_array(input)?)),
        b's' => Value::I16(i16::from_be_bytes(take_array(input)?)),
        b'u' => Value::U16(u16::from_be_bytes(take_array(input)?)),
        b'I' => Value::I32(i32::from_be_bytes(take_array(input)?)),
        b'i' => Value::U32(u32::from_be_bytes(take_array(input)?)),
        b'l' | b'L' => Value::I64(i64::from_be_bytes(take_array(input)?)),
        b'f' => Value::F32(f32::from_be_bytes(take_array(input)?)),
        b'd' => Value::F64(f64::from_be_bytes(take_array(input)?)),
        b'D' => {
            let [scale] = take_array(input)?;
            let value = i32::from_be_bytes(take_array(input)?);
            Value::Decimal(Decimal { scale, value })
        }
        b'S' => Value::LongString(take_long(input)?),
        b'A' => Value::Array(ArrayView(take_long(input)?)),
        b'T' => Value::Timestamp(u64::from_be_bytes(take_array(input)?)),
        b'F' => Value::Table(TableView(take_long(input)?)),
        b'V' => Value::Void,
        b'x' => Value::Bytes(take_long(input)?),
        unknown => return Err(TableFault::UnknownTag(unknown)),
    })
}

fn take_long<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], TableFault> {
    let length = u32::from_be_bytes(take_array(input)?);
    take(input, usize::try_from(length).unwrap_or(usize::MAX))
}

fn take<'a>(input: &mut &'a [u8], count: usize) -> Result<&'a [u8], TableFault> {
    let split = input.split_at_checked(count);
    let (taken, rest) = split.ok_or(TableFault::CutShort)?;
    *input = rest;
    Ok(taken)
}

fn take_array<const COUNT: usize>(input: &mut &[u8]) -> Result<[u8; COUNT], TableFault> {
    let (taken, rest) = input.split_first_chunk().ok_or(TableFault::CutShort)?;
    *input = rest;
    Ok(*taken)
}
