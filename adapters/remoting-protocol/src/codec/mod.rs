//! Frames: four bytes of length, one of header form, three of header length, header, body.
//!
//! ```text
//!  0        4      5          8                8 + h           4 + L
//!  | L: i32 | form | h: u24   | header (h)     | body          |
//! ```

mod binary;
mod command;
mod encode;
mod error;
mod fields;
mod json;
mod text;

pub use command::{Command, Flag, ReplyTo, Serialization};
pub use encode::{Answer, FieldWriter, NoFields, Request, WriteFields};
pub use error::{DecodeError, HeaderFault};
pub use fields::{FieldError, FieldValue, Fields};
pub use text::{NotUtf8, Text};

pub(crate) use encode::{put_decimal, put_escaped};
pub(crate) use fields::{parse_i32, parse_i64};

use bytes::{Buf, Bytes, BytesMut};

/// RocketMQ's own limit of a whole frame in bytes, its length field included.
pub const FRAME_BYTES_MAX: usize = 16_777_216;

/// Bytes before the header.
const PREFIX_BYTES: usize = 8;

/// Takes one frame off the front of `buffer`; `None` when it is not there yet.
///
/// Nothing is reserved for bytes that have not come. The header is unescaped where it lies, and
/// body and fields are slices of the buffer, so they keep the buffer's block alive.
///
/// # Errors
/// The peer's bytes are no frame of at most `frame_bytes_max` bytes. The stream cannot be read
/// on, and RocketMQ closes it without an answer.
pub fn decode(
    buffer: &mut BytesMut,
    frame_bytes_max: usize,
) -> Result<Option<Command>, DecodeError> {
    let Some((length, rest)) = buffer.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let frame_len = match usize::try_from(i32::from_be_bytes(*length)) {
        Ok(len) if len >= 4 && len.saturating_add(4) <= frame_bytes_max => len.saturating_add(4),
        _ => return Err(DecodeError::of_length(*length, frame_bytes_max)),
    };
    let Some(&[form, high, middle, low]) = rest.first_chunk::<4>() else {
        return Ok(None);
    };
    let serialization =
        Serialization::from_byte(form).ok_or(DecodeError::UnknownSerialization(form))?;
    let header_len = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
    if header_len > frame_len.saturating_sub(PREFIX_BYTES) {
        return Err(DecodeError::HeaderLength {
            header: header_len,
            frame: frame_len,
        });
    }
    if buffer.len() < frame_len {
        return Ok(None);
    }
    let mut frame = buffer.split_to(frame_len);
    frame.advance(PREFIX_BYTES);
    let mut header = frame.split_to(header_len);
    let body = if frame.is_empty() {
        Bytes::new()
    } else {
        frame.freeze()
    };
    let parsed = match serialization {
        Serialization::Json => json::parse(&mut header)?,
        Serialization::RocketMq => binary::parse(&header)?,
    };
    Ok(Some(parsed.into_command(
        header.freeze(),
        serialization,
        body,
    )))
}

/// Decodes `data` as a stream of frames and encodes what came out; must never panic.
pub fn fuzz_decode(data: &[u8]) {
    let mut buffer = BytesMut::from(data);
    let mut out = BytesMut::new();
    while let Ok(Some(command)) = decode(&mut buffer, FRAME_BYTES_MAX) {
        command.encode(&mut out);
        out.clear();
    }
}

#[cfg(test)]
mod tests;
