//! A cursor over a frame's bytes that can only fail, never panic or reserve.

use super::DecodeError;
use std::ops::Range;

/// Reads Kafka's primitive types from a slice; lengths are checked before they are used.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// An array's length as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// The array is null.
    Null,
    /// So many elements are announced; none of them has been seen yet.
    Elements(usize),
}

impl<'a> Reader<'a> {
    /// A cursor at the first of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes have been read.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.saturating_add(length);
        let Some(slice) = self.bytes.get(self.at..end) else {
            return Err(DecodeError::Truncated {
                needed: length,
                left: self.remaining(),
            });
        };
        self.at = end;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let slice = self.take(N)?;
        <[u8; N]>::try_from(slice).map_err(|_| DecodeError::Truncated { needed: N, left: 0 })
    }

    /// A signed byte.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], as of all that follow.
    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        self.array().map(i8::from_be_bytes)
    }

    /// 16 bits.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        self.array().map(i16::from_be_bytes)
    }

    /// 32 bits.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    /// 64 bits.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_be_bytes)
    }

    /// The 16 bytes of a topic id.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn uuid(&mut self) -> Result<[u8; 16], DecodeError> {
        self.array()
    }

    /// An unsigned variable-length integer of at most 32 bits.
    ///
    /// # Errors
    /// [`DecodeError::Varint`] over 32 bits.
    pub fn varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).map_err(|_| DecodeError::Varint);
            }
        }
        Err(DecodeError::Varint)
    }

    /// The length of a text (`None` is null) in the compact or the old form.
    fn text_length(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        if flexible {
            return self.compact_length();
        }
        nullable(i32::from(self.i16()?))
    }

    fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        let length = self.varint()?;
        Ok(length.checked_sub(1).map(|length| length as usize))
    }

    /// A text's bytes as they are, `None` when null.
    ///
    /// # Errors
    /// Truncated, a negative length.
    pub fn raw_text(&mut self, flexible: bool) -> Result<Option<&'a [u8]>, DecodeError> {
        let length = self.text_length(flexible)?;
        length.map(|length| self.take(length)).transpose()
    }

    /// A text, `None` when null.
    ///
    /// # Errors
    /// Truncated, a negative length, not UTF-8.
    pub fn nullable_text(&mut self, flexible: bool) -> Result<Option<&'a str>, DecodeError> {
        let raw = self.raw_text(flexible)?;
        raw.map(|raw| std::str::from_utf8(raw).map_err(|_| DecodeError::NotUtf8))
            .transpose()
    }

    /// A text.
    ///
    /// # Errors
    /// As [`Reader::nullable_text`], and null.
    pub fn text(&mut self, flexible: bool) -> Result<&'a str, DecodeError> {
        self.nullable_text(flexible)?
            .ok_or(DecodeError::UnexpectedNull)
    }

    /// Where a byte field stands in the slice, `None` when null.
    ///
    /// # Errors
    /// Truncated, a negative length.
    pub fn blob(&mut self, flexible: bool) -> Result<Option<Range<usize>>, DecodeError> {
        let length = if flexible {
            self.compact_length()?
        } else {
            nullable(self.i32()?)?
        };
        let Some(length) = length else {
            return Ok(None);
        };
        let start = self.at;
        self.take(length)?;
        Ok(Some(start..self.at))
    }

    /// An array's count. Reserve nothing from it: the elements may not be there.
    ///
    /// # Errors
    /// Truncated, or a negative count other than null's.
    pub fn count(&mut self, flexible: bool) -> Result<Count, DecodeError> {
        let count = if flexible {
            self.compact_length()?
        } else {
            nullable(self.i32()?)?
        };
        Ok(count.map_or(Count::Null, Count::Elements))
    }

    /// An array's count where null is not allowed.
    ///
    /// # Errors
    /// As [`Reader::count`], and null.
    pub fn elements(&mut self, flexible: bool) -> Result<usize, DecodeError> {
        match self.count(flexible)? {
            Count::Elements(count) => Ok(count),
            Count::Null => Err(DecodeError::UnexpectedNull),
        }
    }

    /// Passes over tagged fields, each of which is handed to `field` as its tag and its bytes;
    /// does nothing when the version has none.
    ///
    /// # Errors
    /// Truncated, or what `field` answers.
    pub fn tagged_fields(
        &mut self,
        flexible: bool,
        mut field: impl FnMut(u32, &'a [u8]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if !flexible {
            return Ok(());
        }
        let count = self.varint()?;
        for _ in 0..count {
            let tag = self.varint()?;
            let length = self.varint()?;
            field(tag, self.take(length as usize)?)?;
        }
        Ok(())
    }

    /// Passes over tagged fields nobody knows.
    ///
    /// # Errors
    /// Truncated.
    pub fn skip_tagged_fields(&mut self, flexible: bool) -> Result<(), DecodeError> {
        self.tagged_fields(flexible, |_, _| Ok(()))
    }
}

fn nullable(length: i32) -> Result<Option<usize>, DecodeError> {
    if length == -1 {
        return Ok(None);
    }
    usize::try_from(length)
        .map(Some)
        .map_err(|_| DecodeError::NegativeLength(length))
}
