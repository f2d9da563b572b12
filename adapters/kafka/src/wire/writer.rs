//! Kafka's primitive types onto a buffer, for the two answers that are encoded by hand.

use bytes::{BufMut, BytesMut};

/// Puts a text; `flexible` chooses the compact length.
pub(crate) fn put_text(frame: &mut BytesMut, text: &str, flexible: bool) {
    put_nullable_text(frame, Some(text), flexible);
}

/// Puts a text or null. A text over the 32,767 bytes of the old form is cut, which only our own
/// error messages could meet.
pub(crate) fn put_nullable_text(frame: &mut BytesMut, text: Option<&str>, flexible: bool) {
    let Some(text) = text else {
        if flexible {
            frame.put_u8(0);
        } else {
            frame.put_i16(-1);
        }
        return;
    };
    if flexible {
        put_compact_length(frame, text.len());
        frame.put_slice(text.as_bytes());
        return;
    }
    let length = i16::try_from(text.len()).unwrap_or(i16::MAX);
    frame.put_i16(length);
    frame.put_slice(
        text.as_bytes()
            .get(..usize::from(length.unsigned_abs()))
            .unwrap_or_default(),
    );
}

/// Puts the count of an array that is not null, or the length of bytes that are not null.
pub(crate) fn put_length(frame: &mut BytesMut, length: usize, flexible: bool) {
    if flexible {
        put_compact_length(frame, length);
    } else {
        frame.put_i32(i32::try_from(length).unwrap_or(i32::MAX));
    }
}

/// Puts a null array.
pub(crate) fn put_null_array(frame: &mut BytesMut, flexible: bool) {
    if flexible {
        frame.put_u8(0);
    } else {
        frame.put_i32(-1);
    }
}

/// Puts the tagged fields of a struct that has none set.
pub(crate) fn put_no_tagged_fields(frame: &mut BytesMut, flexible: bool) {
    if flexible {
        frame.put_u8(0);
    }
}

fn put_compact_length(frame: &mut BytesMut, length: usize) {
    put_varint(frame, u32::try_from(length).unwrap_or(u32::MAX - 1) + 1);
}

fn put_varint(frame: &mut BytesMut, mut value: u32) {
    while value >= 0x80 {
        frame.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    frame.put_u8((value & 0x7f) as u8);
}
