//! Frames (`length: i32` and so many bytes) and request headers.

use super::{DecodeError, reader::Reader};
use bytes::{Buf, Bytes, BytesMut};

/// Key, version and correlation id; no request is shorter.
const HEADER_BYTES_MIN: i32 = 8;

/// Takes the next whole frame off `buffer`, without its length; `None` when more bytes are needed.
/// Nothing is reserved for what has not come.
///
/// # Errors
/// A length that is negative, too small for a header or over `limit`, or another protocol's hello.
pub fn next_frame(buffer: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, DecodeError> {
    let Some(length) = buffer.first_chunk::<4>().copied() else {
        return match buffer.first_chunk::<2>() {
            Some([0x16, 0x03]) => Err(DecodeError::NotKafka("TLS")),
            _ => Ok(None),
        };
    };
    let length = frame_length(length, limit)?;
    if buffer.len() < 4 + length {
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// The length a frame's first four bytes announce.
///
/// # Errors
/// As [`next_frame`].
pub fn frame_length(field: [u8; 4], limit: usize) -> Result<usize, DecodeError> {
    match &field {
        [0x16, 0x03, ..] => return Err(DecodeError::NotKafka("TLS")),
        b"GET " | b"POST" | b"HEAD" | b"PUT " | b"OPTI" | b"PRI " => {
            return Err(DecodeError::NotKafka("HTTP"));
        }
        b"AMQP" => return Err(DecodeError::NotKafka("AMQP")),
        _ => {}
    }
    let field = i32::from_be_bytes(field);
    if field < HEADER_BYTES_MIN {
        return Err(DecodeError::FrameLength(field));
    }
    let length = usize::try_from(field).map_err(|_| DecodeError::FrameLength(field))?;
    if length > limit {
        return Err(DecodeError::FrameTooLong { length, limit });
    }
    Ok(length)
}

/// What stands before every request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// Which API.
    pub key: i16,
    /// Which version of it.
    pub version: i16,
    /// The client's number of this request, echoed in the answer.
    pub correlation_id: i32,
}

impl RequestHeader {
    /// Reads the first eight bytes, which are the same in every header version.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            key: reader.i16()?,
            version: reader.i16()?,
            correlation_id: reader.i32()?,
        })
    }
}

/// Reads the rest of a header: the client id (never compact), and the tagged fields of the
/// flexible form.
///
/// # Errors
/// Truncated, not UTF-8.
pub fn read_client_id<'a>(
    reader: &mut Reader<'a>,
    flexible: bool,
) -> Result<Option<&'a str>, DecodeError> {
    let client_id = reader.nullable_text(false)?;
    reader.skip_tagged_fields(flexible)?;
    Ok(client_id)
}

/// Feeds any bytes to the framing and the header; for fixed-seed fuzzing.
pub fn fuzz_frame(data: &[u8]) {
    let mut buffer = BytesMut::from(data);
    while let Ok(Some(frame)) = next_frame(&mut buffer, 1 << 20) {
        let mut reader = Reader::new(&frame);
        if RequestHeader::read(&mut reader).is_ok() {
            let _ = read_client_id(&mut reader, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(bytes: &[u8]) -> Result<Option<Bytes>, DecodeError> {
        next_frame(&mut BytesMut::from(bytes), 100)
    }

    #[test]
    fn a_frame_is_taken_only_when_it_is_whole() {
        let mut buffer = BytesMut::from(&b"\0\0\0\x08abcdefgh\0\0\0\x09abc"[..]);
        let frame = next_frame(&mut buffer, 100).unwrap();
        assert_eq!(frame.as_deref(), Some(&b"abcdefgh"[..]));
        assert_eq!(next_frame(&mut buffer, 100), Ok(None));
        assert_eq!(&buffer[..], b"\0\0\0\x09abc", "the rest stays");
        assert_eq!(first(b"\0\0\0"), Ok(None));
    }

    #[test]
    fn absurd_lengths_are_refused_before_anything_is_reserved() {
        assert_eq!(
            first(b"\xff\xff\xff\xff"),
            Err(DecodeError::FrameLength(-1))
        );
        assert_eq!(first(b"\0\0\0\0"), Err(DecodeError::FrameLength(0)));
        assert_eq!(first(b"\0\0\0\x07"), Err(DecodeError::FrameLength(7)));
        assert_eq!(
            first(b"\0\0\0\x65"),
            Err(DecodeError::FrameTooLong {
                length: 101,
                limit: 100
            })
        );
    }

    #[test]
    fn other_protocols_are_known_by_their_first_bytes() {
        assert_eq!(first(b"\x16\x03"), Err(DecodeError::NotKafka("TLS")));
        assert_eq!(
            first(b"\x16\x03\x01\x02\0"),
            Err(DecodeError::NotKafka("TLS"))
        );
        assert_eq!(first(b"GET /"), Err(DecodeError::NotKafka("HTTP")));
    }
}
