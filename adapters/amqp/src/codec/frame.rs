//! Frames.
//!
//! ```text
//! | type: u8 | channel: u16 | payload length: u32 | payload | 0xCE |
//! ```

use super::DecodeError;
use super::error::Octets;
use bytes::{Buf, Bytes, BytesMut};

/// Bytes of a frame besides its payload.
pub const FRAME_OVERHEAD_BYTES: u32 = 8;

/// Bytes before the payload.
const PREFIX_BYTES: usize = 7;

pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
pub(super) const HEARTBEAT: u8 = 8;
pub(super) const FRAME_END: u8 = 0xCE;

/// A heartbeat as it is written, by either side.
pub const HEARTBEAT_FRAME: [u8; 8] = [HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END];

/// Longest frame in bytes that both sides agreed on, its overhead included. Never unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FrameMax(u32);

impl FrameMax {
    /// The least that may be agreed on: the specification's `frame-min-size`. RabbitMQ before 4.1
    /// takes it too, later ones want 8192, and old clients know nothing else.
    pub const LEAST: Self = Self(4096);
    /// Before `tune-ok`, as RabbitMQ 4.1 and later; its predecessors and the specification say
    /// 4096, into which not every token fits.
    pub const BEFORE_TUNE: Self = Self(8192);
    /// What RabbitMQ offers.
    pub const OFFERED: Self = Self(131_072);

    /// A limit of `bytes`, or of [`FrameMax::LEAST`] when that is more.
    #[must_use]
    pub const fn new(bytes: u32) -> Self {
        if bytes < Self::LEAST.0 {
            Self::LEAST
        } else {
            Self(bytes)
        }
    }

    /// The limit in bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        self.0
    }

    /// Longest payload of a frame that is sent. One that is received may have as many bytes as
    /// the limit, as with RabbitMQ.
    #[must_use]
    pub const fn payload_bytes(self) -> u32 {
        self.0 - FRAME_OVERHEAD_BYTES
    }

    /// Longest frame in bytes that is received.
    #[must_use]
    pub const fn received_bytes(self) -> usize {
        self.0 as usize + FRAME_OVERHEAD_BYTES as usize
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// 0 is the connection itself.
    pub channel: u16,
    /// What it carries.
    pub payload: Payload,
}

/// What a frame carries, by its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Class, method, arguments.
    Method(Bytes),
    /// Class, weight, body size, properties.
    Header(Bytes),
    /// Some of a body, or nothing.
    Body(Bytes),
    /// The peer lives.
    Heartbeat,
}

/// Takes one whole frame off the front of `buffer`, or nothing while bytes are missing. Its
/// payload shares the buffer's bytes; nothing is reserved for what has not come.
///
/// # Errors
/// 501 for bytes that are no frame or one over the limit, 505 for a type that its channel may not
/// carry. See [`DecodeError::ends_input`].
pub fn decode(buffer: &mut BytesMut, limit: FrameMax) -> Result<Option<Frame>, DecodeError> {
    let Some(&[kind, channel_high, channel_low, l3, l2, l1, l0]) =
        buffer.first_chunk::<PREFIX_BYTES>()
    else {
        return Ok(None);
    };
    let channel = u16::from_be_bytes([channel_high, channel_low]);
    let bytes = u32::from_be_bytes([l3, l2, l1, l0]);
    if bytes > limit.bytes() {
        return Err(DecodeError::FrameTooLarge {
            kind,
            bytes,
            bytes_max: limit.payload_bytes(),
        });
    }
    let length = bytes as usize;
    let Some(&end) = buffer.get(PREFIX_BYTES + length) else {
        return Ok(None);
    };
    buffer.advance(PREFIX_BYTES);
    let payload = if length == 0 {
        Bytes::new()
    } else {
        buffer.split_to(length).freeze()
    };
    buffer.advance(1);
    if end != FRAME_END {
        return Err(DecodeError::FrameEnd {
            kind,
            octets: Octets::of(&payload),
            found: end,
        });
    }
    let payload = sort(kind, channel, payload)?;
    Ok(Some(Frame { channel, payload }))
}

fn sort(kind: u8, channel: u16, payload: Bytes) -> Result<Payload, DecodeError> {
    let unexpected = |payload: &[u8]| DecodeError::UnexpectedFrame {
        kind,
        octets: Octets::of(payload),
    };
    match (kind, channel) {
        (METHOD, _) if payload.len() >= 4 => Ok(Payload::Method(payload)),
        (HEADER | BODY, 0) => Err(unexpected(&payload)),
        (HEADER, _) if payload.len() >= 12 => Ok(Payload::Header(payload)),
        (BODY, _) => Ok(Payload::Body(payload)),
        (HEARTBEAT, 0) if payload.is_empty() => Ok(Payload::Heartbeat),
        (HEARTBEAT, _) if payload.is_empty() => Err(unexpected(&payload)),
        _ => Err(DecodeError::UnknownFrame {
            kind,
            octets: Octets::of(&payload),
        }),
    }
}
