//! Frames written the way Java writes them: keys in alphabetical order, nulls left out.

use super::command::{Flag, Serialization};
use crate::peer::version;
use crate::{LanguageCode, RequestCode, ResponseCode};
use bytes::{BufMut, BytesMut};
use std::fmt::{self, Display, Write};

/// Largest header the frame's three length bytes can state.
const HEADER_BYTES_MAX: usize = 0xFF_FFFF;

/// An answer to a request; see [`super::ReplyTo::answer`].
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// How the request went.
    pub code: ResponseCode,
    /// Text for people; clients show it in exceptions.
    pub remark: Option<&'a str>,
    /// `None` writes no `extFields`. An accepted send must have them: the Java producer reads
    /// them without a look.
    pub fields: Option<&'a dyn WriteFields>,
    /// Bytes of body that follow the header.
    pub body_len: usize,
}

impl<'a> Answer<'a> {
    /// Success without fields or body.
    pub const OK: Self = Self::of(ResponseCode::Success);

    /// An answer that is its code alone.
    #[must_use]
    pub const fn of(code: ResponseCode) -> Self {
        Self {
            code,
            remark: None,
            fields: None,
            body_len: 0,
        }
    }

    /// A refusal with its reason.
    #[must_use]
    pub const fn refusal(code: ResponseCode, remark: &'a str) -> Self {
        Self {
            remark: Some(remark),
            ..Self::of(code)
        }
    }

    /// This answer with `fields`.
    #[must_use]
    pub const fn with_fields(mut self, fields: &'a dyn WriteFields) -> Self {
        self.fields = Some(fields);
        self
    }

    /// This answer with a body of `body_len` bytes to follow.
    #[must_use]
    pub const fn with_body(mut self, body_len: usize) -> Self {
        self.body_len = body_len;
        self
    }
}

impl fmt::Debug for Answer<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Answer")
            .field("code", &self.code)
            .field("remark", &self.remark)
            .field("body_len", &self.body_len)
            .finish_non_exhaustive()
    }
}

/// A request of ours to a peer, such as a notice to a consumer.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// What it asks for.
    pub code: RequestCode,
    /// Our own counter; each direction of a connection has its own.
    pub opaque: i32,
    /// Whether the peer must not answer.
    pub is_oneway: bool,
    /// What the code needs.
    pub fields: Option<&'a dyn WriteFields>,
    /// Bytes of body that follow the header.
    pub body_len: usize,
}

impl Request<'_> {
    /// Appends the request's frame to `out` up to its body.
    pub fn encode(&self, out: &mut BytesMut) {
        write_frame(
            out,
            &Frame {
                code: self.code.value(),
                language: LanguageCode::Java,
                version: version::OURS,
                opaque: self.opaque,
                flag: if self.is_oneway {
                    Flag::ONEWAY
                } else {
                    Flag::REQUEST
                },
                remark: None,
                fields: self.fields,
                serialization: Serialization::Json,
                body_len: self.body_len,
            },
        );
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Request")
            .field("code", &self.code)
            .field("opaque", &self.opaque)
            .field("is_oneway", &self.is_oneway)
            .field("body_len", &self.body_len)
            .finish_non_exhaustive()
    }
}

/// What can stand in `extFields`.
pub trait WriteFields {
    /// Writes each field once.
    fn write_fields(&self, out: &mut FieldWriter<'_>);
}

/// `"extFields":{}`: an answer that has a header class with nothing set in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFields;

impl WriteFields for NoFields {
    fn write_fields(&self, _: &mut FieldWriter<'_>) {}
}

impl<const N: usize> WriteFields for [(&str, &str); N] {
    fn write_fields(&self, out: &mut FieldWriter<'_>) {
        for (name, value) in self {
            out.pair(name, value);
        }
    }
}

/// Writes fields straight into the frame. Names are our own and need no escape.
#[derive(Debug)]
pub struct FieldWriter<'a> {
    out: &'a mut BytesMut,
    serialization: Serialization,
    is_first: bool,
}

impl FieldWriter<'_> {
    /// Writes a text field.
    pub fn text(&mut self, name: &'static str, value: &str) {
        self.field(name, |out, serialization| match serialization {
            Serialization::Json => put_escaped(out, value),
            Serialization::RocketMq => out.put_slice(value.as_bytes()),
        });
    }

    /// Writes a number.
    pub fn int(&mut self, name: &'static str, value: impl Into<i64>) {
        let value = value.into();
        self.field(name, |out, _| put_decimal(out, value));
    }

    /// Writes `true` or `false`.
    pub fn bool(&mut self, name: &'static str, value: bool) {
        let value: &[u8] = if value { b"true" } else { b"false" };
        self.field(name, |out, _| out.put_slice(value));
    }

    /// Writes whatever can be shown, such as a message id.
    pub fn display(&mut self, name: &'static str, value: &dyn Display) {
        self.field(name, |out, serialization| {
            // Neither sink can fail.
            let _ = match serialization {
                Serialization::Json => write!(Escaping(out), "{value}"),
                Serialization::RocketMq => write!(out, "{value}"),
            };
        });
    }

    /// Writes a field whose name is a peer's.
    pub fn pair(&mut self, name: &str, value: &str) {
        match self.serialization {
            Serialization::Json => {
                let mut escaped = BytesMut::new();
                put_escaped(&mut escaped, name);
                let name = std::str::from_utf8(&escaped).unwrap_or_default();
                self.field(name, |out, _| put_escaped(out, value));
            }
            Serialization::RocketMq => {
                // Two bytes tell its length; only a JSON header can have brought a longer one.
                let (name, _) = name.split_at(name.floor_char_boundary(32_767));
                self.field(name, |out, _| out.put_slice(value.as_bytes()));
            }
        }
    }

    fn field(&mut self, name: &str, value: impl FnOnce(&mut BytesMut, Serialization)) {
        match self.serialization {
            Serialization::Json => {
                let separator: &[u8] = if self.is_first { b"\"" } else { b",\"" };
                self.out.put_slice(separator);
                self.out.put_slice(name.as_bytes());
                self.out.put_slice(b"\":\"");
                value(self.out, self.serialization);
                self.out.put_u8(b'"');
            }
            Serialization::RocketMq => {
                self.out.put_u16(u16::try_from(name.len()).unwrap_or(0));
                self.out.put_slice(name.as_bytes());
                let at = self.out.len();
                self.out.put_u32(0);
                value(self.out, self.serialization);
                patch_length(self.out, at);
            }
        }
        self.is_first = false;
    }
}

/// Everything of a frame but its body.
pub(super) struct Frame<'a> {
    pub(super) code: i32,
    pub(super) language: LanguageCode,
    pub(super) version: i32,
    pub(super) opaque: i32,
    pub(super) flag: Flag,
    pub(super) remark: Option<&'a str>,
    pub(super) fields: Option<&'a dyn WriteFields>,
    pub(super) serialization: Serialization,
    pub(super) body_len: usize,
}

/// Appends the frame up to its body. A header too long to be stated, which takes a remark or a
/// field of megabytes, is replaced by a bare `SYSTEM_ERROR`.
pub(super) fn write_frame(out: &mut BytesMut, frame: &Frame<'_>) {
    out.reserve(384);
    let start = out.len();
    out.put_u64(0);
    // The binary header has 16 bits for the code and the version; both forms are always welcome.
    let form = match (frame.serialization, i16::try_from(frame.code)) {
        (Serialization::RocketMq, Ok(code)) => {
            write_binary(out, frame, code);
            Serialization::RocketMq
        }
        _ => {
            write_json(out, frame);
            Serialization::Json
        }
    };
    let header_len = out.len().saturating_sub(start).saturating_sub(8);
    if header_len > HEADER_BYTES_MAX {
        out.truncate(start);
        let bare = Frame {
            code: ResponseCode::SystemError.value(),
            remark: Some("the header would be over 16 MiB"),
            fields: None,
            ..*frame
        };
        return write_frame(out, &bare);
    }
    let length = header_len.saturating_add(4).saturating_add(frame.body_len);
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let header_word = u32::from(form.byte()) << 24 | u32::try_from(header_len).unwrap_or(0);
    if let Some(prefix) = out.get_mut(start..).and_then(<[u8]>::first_chunk_mut::<8>) {
        *prefix = (u64::from(length) << 32 | u64::from(header_word)).to_be_bytes();
    }
}

fn write_json(out: &mut BytesMut, frame: &Frame<'_>) {
    out.put_slice(b"{\"code\":");
    put_decimal(out, i64::from(frame.code));
    if let Some(fields) = frame.fields {
        out.put_slice(b",\"extFields\":{");
        fields.write_fields(&mut FieldWriter {
            out,
            serialization: Serialization::Json,
            is_first: true,
        });
        out.put_u8(b'}');
    }
    out.put_slice(b",\"flag\":");
    put_decimal(out, i64::from(frame.flag.bits()));
    out.put_slice(b",\"language\":\"");
    out.put_slice(frame.language.name().as_bytes());
    out.put_slice(b"\",\"opaque\":");
    put_decimal(out, i64::from(frame.opaque));
    if let Some(remark) = frame.remark {
        out.put_slice(b",\"remark\":\"");
        put_escaped(out, remark);
        out.put_u8(b'"');
    }
    out.put_slice(b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");
    put_decimal(out, i64::from(frame.version));
    out.put_u8(b'}');
}

fn write_binary(out: &mut BytesMut, frame: &Frame<'_>, code: i16) {
    out.put_i16(code);
    out.put_u8(frame.language.byte());
    out.put_i16(i16::try_from(frame.version).unwrap_or(i16::MAX));
    out.put_i32(frame.opaque);
    out.put_i32(frame.flag.bits());
    let remark = frame.remark.unwrap_or_default();
    out.put_u32(u32::try_from(remark.len()).unwrap_or(u32::MAX));
    out.put_slice(remark.as_bytes());
    let at = out.len();
    out.put_u32(0);
    if let Some(fields) = frame.fields {
        fields.write_fields(&mut FieldWriter {
            out,
            serialization: Serialization::RocketMq,
            is_first: true,
        });
        patch_length(out, at);
    }
}

/// Sets the 32-bit length at `at` to the bytes that follow it.
fn patch_length(out: &mut BytesMut, at: usize) {
    let len = out.len().saturating_sub(at).saturating_sub(4);
    if let Some(place) = out.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<4>) {
        *place = u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes();
    }
}

/// Appends a number in decimal.
pub(crate) fn put_decimal(out: &mut BytesMut, value: i64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at = at.saturating_sub(1);
        if let Some(place) = digits.get_mut(at) {
            *place = b'0' | u8::try_from(rest % 10).unwrap_or(0);
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.put_u8(b'-');
    }
    out.put_slice(digits.get(at..).unwrap_or_default());
}

struct Escaping<'a>(&'a mut BytesMut);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        put_escaped(self.0, text);
        Ok(())
    }
}

/// Appends the inside of a JSON string, escaped as fastjson does: what must be, and no more.
pub(crate) fn put_escaped(out: &mut BytesMut, text: &str) {
    let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    let mut rest = text.as_bytes();
    // Nearly always there is nothing to escape; a look at all bytes without a way out is the
    // one the compiler can do sixteen at a time.
    if !rest.iter().fold(false, |any, byte| any | is_special(byte)) {
        return out.put_slice(rest);
    }
    while let Some(at) = rest.iter().position(is_special) {
        let (plain, special) = rest.split_at(at);
        out.put_slice(plain);
        let Some((byte, after)) = special.split_first() else {
            break;
        };
        put_escape(out, *byte);
        rest = after;
    }
    out.put_slice(rest);
}

fn put_escape(out: &mut BytesMut, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0A => b'n',
        0x0C => b'f',
        0x0D => b'r',
        _ => {
            out.put_slice(b"\\u00");
            out.put_u8(b'0' | byte >> 4);
            let low = byte & 0xF;
            out.put_u8(if low < 10 {
                b'0' | low
            } else {
                b'A'.saturating_add(low.saturating_sub(10))
            });
            return;
        }
    };
    out.put_slice(&[b'\\', short]);
}
