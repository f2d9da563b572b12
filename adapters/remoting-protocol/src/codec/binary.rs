//! The ROCKETMQ header.
//!
//! ```text
//! | code: i16 | language: u8 | version: i16 | opaque: i32 | flag: i32 |
//! | remark length: i32 | remark | fields length: i32 | fields |
//! a field: | name length: i16 | name | value length: i32 | value |
//! ```

use super::command::ParsedHeader;
use super::fields::{Entry, Fields, Span};
use super::{DecodeError, HeaderFault};
use crate::LanguageCode;

pub(super) fn parse(header: &[u8]) -> Result<ParsedHeader, DecodeError> {
    let mut input = Input { header, at: 0 };
    let mut parsed = ParsedHeader {
        code: i32::from(i16::from_be_bytes(input.array()?)),
        language: LanguageCode::from_byte(u8::from_be_bytes(input.array()?)),
        version: i32::from(i16::from_be_bytes(input.array()?)),
        opaque: i32::from_be_bytes(input.array()?),
        flag: i32::from_be_bytes(input.array()?),
        ..ParsedHeader::default()
    };
    let remark = input.long_text()?;
    if remark.start < remark.end {
        parsed.remark = Some(remark);
    }
    let fields_len = input.length()?;
    if fields_len != header.len().saturating_sub(input.at) {
        return Err(HeaderFault::Length.at(input.at));
    }
    if fields_len > 0 {
        // A field takes six bytes at least, so this is bounded by what has come.
        let mut entries = Vec::with_capacity((fields_len / 16).min(16));
        while input.at < header.len() {
            if entries.len() == Fields::COUNT_MAX {
                return Err(HeaderFault::TooManyFields.at(input.at));
            }
            let name = input.short_text()?;
            let value = input.long_text()?;
            entries.push(Entry::new(name, value).ok_or_else(|| HeaderFault::Length.at(input.at))?);
        }
        parsed.fields = Some(entries);
    }
    Ok(parsed)
}

struct Input<'a> {
    header: &'a [u8],
    at: usize,
}

impl Input<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let bytes = self
            .header
            .get(self.at..)
            .and_then(<[u8]>::first_chunk::<N>);
        let bytes = bytes.ok_or_else(|| HeaderFault::Length.at(self.at))?;
        self.at = self.at.saturating_add(N);
        Ok(*bytes)
    }

    /// A length of four bytes. Peers may leave out what is empty at the very end.
    fn length(&mut self) -> Result<usize, DecodeError> {
        if self.at == self.header.len() {
            return Ok(0);
        }
        let at = self.at;
        usize::try_from(i32::from_be_bytes(self.array()?)).map_err(|_| HeaderFault::Length.at(at))
    }

    fn long_text(&mut self) -> Result<Span, DecodeError> {
        let len = self.length()?;
        self.span(len)
    }

    fn short_text(&mut self) -> Result<Span, DecodeError> {
        let at = self.at;
        let len = i16::from_be_bytes(self.array()?);
        self.span(usize::try_from(len).map_err(|_| HeaderFault::Length.at(at))?)
    }

    fn span(&mut self, len: usize) -> Result<Span, DecodeError> {
        let span = Span {
            start: self.at,
            end: self.at.saturating_add(len),
        };
        // Whether it is UTF-8 is seen when the text is asked for, and most of it never is.
        if span.end > self.header.len() {
            return Err(HeaderFault::Length.at(span.start));
        }
        self.at = span.end;
        Ok(span)
    }
}
