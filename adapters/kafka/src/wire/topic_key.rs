//! How Produce and Fetch name a topic.

use super::writer::put_text;
use super::{DecodeError, reader::Reader};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;

/// A topic by name, or from version 13 of Produce and Fetch by id; echoed in the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicKey {
    /// A slice of the request's frame.
    Name(StrBytes),
    /// The topic's id.
    Id([u8; 16]),
}

impl TopicKey {
    /// Reads the key from `body`, where `reader` stands.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        body: &Bytes,
        by_id: bool,
        flexible: bool,
    ) -> Result<Self, DecodeError> {
        if by_id {
            return reader.uuid().map(Self::Id);
        }
        let name = reader.raw_text(flexible)?;
        let name = name.ok_or(DecodeError::UnexpectedNull)?;
        StrBytes::from_utf8(body.slice_ref(name))
            .map(Self::Name)
            .map_err(|_| DecodeError::NotUtf8)
    }

    pub(super) fn put(&self, frame: &mut BytesMut, flexible: bool) {
        match self {
            Self::Name(name) => put_text(frame, name, flexible),
            Self::Id(id) => frame.put_slice(id),
        }
    }

    /// Bytes this key takes at most in an answer.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Name(name) => name.len().saturating_add(5),
            Self::Id(id) => id.len(),
        }
    }
}
