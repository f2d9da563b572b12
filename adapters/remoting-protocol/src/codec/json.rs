//! The JSON header, read where it lies: strings are unescaped in place, which never grows them,
//! so that names and values are slices of the frame.
//!
//! As lenient as Java's parser is with headers: any key order, unknown keys, single quotes, a
//! trailing comma, numbers as strings and strings as numbers.

use super::command::ParsedHeader;
use super::fields::{Entry, Fields, Span, parse_i32};
use super::{DecodeError, HeaderFault};
use crate::LanguageCode;

/// How deep an unknown value may nest.
const DEPTH_MAX: usize = 32;

pub(super) fn parse(header: &mut [u8]) -> Result<ParsedHeader, DecodeError> {
    if let Err(error) = std::str::from_utf8(header) {
        return Err(HeaderFault::NotUtf8.at(error.valid_up_to()));
    }
    let mut input = Cursor {
        bytes: header,
        at: 0,
    };
    let mut parsed = ParsedHeader::default();
    input.object(|input, name| {
        match name.of(input.bytes) {
            b"code" => input.number("code", &mut parsed.code)?,
            b"flag" => input.number("flag", &mut parsed.flag)?,
            b"opaque" => input.number("opaque", &mut parsed.opaque)?,
            b"version" => input.number("version", &mut parsed.version)?,
            b"remark" => parsed.remark = input.value(DEPTH_MAX)?,
            b"language" => {
                if let Some(value) = input.value(DEPTH_MAX)? {
                    parsed.language = language(value.of(input.bytes));
                }
            }
            b"extFields" => parsed.fields = input.fields()?,
            _ => {
                input.value(DEPTH_MAX)?;
            }
        }
        Ok(())
    })?;
    input.skip_space();
    match input.peek() {
        None => Ok(parsed),
        Some(_) => Err(input.expected("the header's end")),
    }
}

fn language(text: &[u8]) -> LanguageCode {
    match parse_i32(text) {
        Some(number) => u8::try_from(number).map_or(LanguageCode::Other, LanguageCode::from_byte),
        None => LanguageCode::from_name(text),
    }
}

/// The high bit of the lowest byte of `word` that is `byte`; perhaps of higher bytes too.
const fn bytes_equal(word: u64, byte: u8) -> u64 {
    const LOW: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let difference = word ^ u64::from_le_bytes([byte; 8]);
    difference.wrapping_sub(LOW) & !difference & HIGH
}

struct Cursor<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    const fn expected(&self, what: &'static str) -> DecodeError {
        HeaderFault::Expected(what).at(self.at)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at = self.at.saturating_add(1);
        }
    }

    /// Takes `byte` when it is next.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.at = self.at.saturating_add(1);
        }
        is_next
    }

    /// Reads `{ name: value, … }`, calling `member` before each value.
    fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Span) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if !self.take(b'{') {
            return Err(self.expected("{"));
        }
        while !self.take(b'}') {
            let name = self.string()?;
            if !self.take(b':') {
                return Err(self.expected(":"));
            }
            self.skip_space();
            member(self, name)?;
            if !self.take(b',') && self.peek() != Some(b'}') {
                return Err(self.expected(", or }"));
            }
        }
        Ok(())
    }

    /// The extension fields; `None` for null. A field that is null is not there.
    fn fields(&mut self) -> Result<Option<Vec<Entry>>, DecodeError> {
        if self.peek() != Some(b'{') {
            return match self.value(DEPTH_MAX)? {
                None => Ok(None),
                Some(_) => Err(self.expected("an object of fields")),
            };
        }
        let mut entries = Vec::with_capacity(16);
        self.object(|input, name| {
            if let Some(value) = input.value(DEPTH_MAX)? {
                if entries.len() == Fields::COUNT_MAX {
                    return Err(HeaderFault::TooManyFields.at(input.at));
                }
                entries
                    .push(Entry::new(name, value).ok_or_else(|| HeaderFault::Length.at(input.at))?);
            }
            Ok(())
        })?;
        Ok(Some(entries))
    }

    fn number(&mut self, field: &'static str, into: &mut i32) -> Result<(), DecodeError> {
        let at = self.at;
        if let Some(value) = self.value(DEPTH_MAX)? {
            *into = parse_i32(value.of(self.bytes))
                .ok_or_else(|| HeaderFault::NotANumber(field).at(at))?;
        }
        Ok(())
    }

    /// Any value: the text of a string, the source of everything else, `None` for null.
    fn value(&mut self, depth: usize) -> Result<Option<Span>, DecodeError> {
        self.skip_space();
        let start = self.at;
        match self.peek() {
            Some(b'"' | b'\'') => return self.string().map(Some),
            Some(b'{' | b'[') if depth == 0 => return Err(HeaderFault::TooDeep.at(start)),
            Some(b'{') => self.object(|input, _| input.value(depth.saturating_sub(1)).map(drop))?,
            Some(b'[') => self.array(depth.saturating_sub(1))?,
            _ => self.literal()?,
        }
        let span = Span {
            start,
            end: self.at,
        };
        Ok((span.of(self.bytes) != b"null").then_some(span))
    }

    fn array(&mut self, depth: usize) -> Result<(), DecodeError> {
        self.at = self.at.saturating_add(1);
        while !self.take(b']') {
            self.value(depth)?;
            if !self.take(b',') && self.peek() != Some(b']') {
                return Err(self.expected(", or ]"));
            }
        }
        Ok(())
    }

    /// A number, `true`, `false` or `null`.
    fn literal(&mut self) -> Result<(), DecodeError> {
        let start = self.at;
        while let Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'a'..=b'z' | b'E') = self.peek() {
            self.at = self.at.saturating_add(1);
        }
        let literal = Span {
            start,
            end: self.at,
        }
        .of(self.bytes);
        match literal {
            b"null" | b"true" | b"false" => Ok(()),
            [b'0'..=b'9' | b'-' | b'+', ..] => Ok(()),
            _ => Err(HeaderFault::Expected("a value").at(start)),
        }
    }

    fn string(&mut self) -> Result<Span, DecodeError> {
        self.skip_space();
        let Some(quote @ (b'"' | b'\'')) = self.peek() else {
            return Err(self.expected("a string"));
        };
        self.at = self.at.saturating_add(1);
        let start = self.at;
        self.at = self.special(quote)?;
        let end = if self.peek() == Some(quote) {
            self.at
        } else {
            self.unescape(quote)?
        };
        self.at = self.at.saturating_add(1);
        Ok(Span { start, end })
    }

    /// Where the next quote or backslash is. Most strings end within eight bytes, so it looks at
    /// eight at a time without a warm-up.
    fn special(&self, quote: u8) -> Result<usize, DecodeError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (words, tail) = rest.as_chunks::<8>();
        let mut at = self.at;
        for word in words {
            let word = u64::from_le_bytes(*word);
            let found = bytes_equal(word, quote) | bytes_equal(word, b'\\');
            if found != 0 {
                let before = usize::try_from(found.trailing_zeros() / 8).unwrap_or(0);
                return Ok(at.saturating_add(before));
            }
            at = at.saturating_add(8);
        }
        let found = tail
            .iter()
            .position(|byte| *byte == quote || *byte == b'\\');
        let found = found.ok_or_else(|| self.expected("a string's end"))?;
        Ok(at.saturating_add(found))
    }

    /// Moves the rest of the string up over its escapes; answers where the text ends and leaves
    /// the cursor at the closing quote.
    fn unescape(&mut self, quote: u8) -> Result<usize, DecodeError> {
        let mut end = self.at;
        while self.peek() != Some(quote) {
            self.at = self.at.saturating_add(1);
            let mut place = [0; 4];
            for byte in self.escape()?.encode_utf8(&mut place).bytes() {
                // An escape is longer than what it stands for, so there is room before the cursor.
                if let Some(place) = self.bytes.get_mut(end) {
                    *place = byte;
                }
                end = end.saturating_add(1);
            }
            let run_end = self.special(quote)?;
            self.bytes.copy_within(self.at..run_end, end);
            end = end.saturating_add(run_end.saturating_sub(self.at));
            self.at = run_end;
        }
        Ok(end)
    }

    /// What stands after a backslash.
    fn escape(&mut self) -> Result<char, DecodeError> {
        let byte = self.peek().ok_or_else(|| self.expected("an escape"))?;
        let plain = match byte {
            b'"' | b'\'' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'v' => '\u{b}',
            b'0'..=b'7' => char::from(byte.wrapping_sub(b'0')),
            b'u' => return self.utf16(),
            _ => return Err(self.expected("an escape")),
        };
        self.at = self.at.saturating_add(1);
        Ok(plain)
    }

    /// `uXXXX`, or two of them. Half a pair is `?`, as Java encodes it.
    fn utf16(&mut self) -> Result<char, DecodeError> {
        let first = self.unit()?;
        if let Some(character) = char::from_u32(u32::from(first)) {
            return Ok(character);
        }
        let after_first = self.at;
        if self.bytes.get(self.at..self.at.saturating_add(2)) == Some(b"\\u") {
            self.at = self.at.saturating_add(1);
            let second = self.unit()?;
            if let Some(Ok(character)) = char::decode_utf16([first, second]).next() {
                return Ok(character);
            }
            self.at = after_first;
        }
        Ok('?')
    }

    /// The `u` and its four hexadecimal digits.
    fn unit(&mut self) -> Result<u16, DecodeError> {
        self.at = self.at.saturating_add(1);
        let digits = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<4>);
        let unit = digits.and_then(|digits| {
            digits.iter().try_fold(0u16, |unit, digit| {
                let value = match digit {
                    b'0'..=b'9' => digit.wrapping_sub(b'0'),
                    b'a'..=b'f' => digit.wrapping_sub(b'a').wrapping_add(10),
                    b'A'..=b'F' => digit.wrapping_sub(b'A').wrapping_add(10),
                    _ => return None,
                };
                Some(unit << 4 | u16::from(value))
            })
        });
        let unit = unit.ok_or_else(|| self.expected("four hexadecimal digits"))?;
        self.at = self.at.saturating_add(4);
        Ok(unit)
    }
}
