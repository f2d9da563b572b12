//! A response frame, ready for a vectored write.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::Encodable;

/// One response frame as the pieces it is made of; record bytes are the log's own slices.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// In order; together a length-prefixed frame.
    pub chunks: Vec<Bytes>,
}

impl Answer {
    /// Bytes of the whole frame.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// A frame of one piece, whose first four bytes are the place for its length.
    pub(crate) fn from_frame(mut frame: BytesMut) -> Self {
        let length = u32::try_from(frame.len().saturating_sub(4)).unwrap_or(u32::MAX);
        if let Some(place) = frame.first_chunk_mut::<4>() {
            *place = length.to_be_bytes();
        }
        Self {
            chunks: vec![frame.freeze()],
        }
    }

    /// A frame of `body`, encoded by `kafka-protocol`.
    ///
    /// # Errors
    /// The crate refuses a field that this version does not have: a mistake of ours.
    pub(crate) fn encode(
        correlation_id: i32,
        flexible_header: bool,
        body: &impl Encodable,
        version: i16,
    ) -> Result<Self, Unanswerable> {
        let size = body.compute_size(version).map_err(unanswerable)?;
        let mut frame = start_frame(correlation_id, flexible_header, size);
        body.encode(&mut frame, version).map_err(unanswerable)?;
        Ok(Self::from_frame(frame))
    }
}

/// A request for which no answer can be given; the connection closes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unanswerable(pub(crate) String);

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn unanswerable(error: impl ToString) -> Unanswerable {
    Unanswerable(error.to_string())
}

/// The length's place and the response header: version 1 (with tagged fields) when `flexible`.
pub(crate) fn start_frame(correlation_id: i32, flexible: bool, body_size: usize) -> BytesMut {
    let mut frame = BytesMut::with_capacity(body_size.saturating_add(9));
    frame.put_u32(0);
    frame.put_i32(correlation_id);
    if flexible {
        frame.put_u8(0);
    }
    frame
}
