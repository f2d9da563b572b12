//! The body of a batch send: messages one after another.
//!
//! ```text
//! | total: i32 | magic: i32 (0) | crc: i32 (0) | flag: i32 | body length: i32 | body |
//! | properties length: i16 | properties |
//! ```

use super::RecordError;
use super::layout::{take, take_len, take_properties};
use crate::codec::Text;
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// One message of a batch; its parts share the batch's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubMessage {
    /// The application's own 32 bits.
    pub flag: i32,
    /// The body.
    pub body: Bytes,
    /// The property area, see [`super::properties`].
    pub properties: Text,
}

/// The messages of a batch's body, in order.
#[must_use]
pub const fn sub_messages(body: Bytes) -> SubMessages {
    SubMessages { rest: body }
}

/// See [`sub_messages`]. Ends after the first error.
#[derive(Clone, Debug)]
pub struct SubMessages {
    rest: Bytes,
}

impl Iterator for SubMessages {
    type Item = Result<SubMessage, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let message = SubMessage::decode(&mut self.rest);
        if message.is_err() {
            self.rest.clear();
        }
        Some(message)
    }
}

impl SubMessage {
    fn decode(input: &mut Bytes) -> Result<Self, RecordError> {
        let before = input.len();
        let total = take_len(input)?;
        // Magic and checksum: clients write zeros, servers look at neither.
        input.try_get_u64()?;
        let flag = input.try_get_i32()?;
        let body_len = take_len(input)?;
        let decoded = Self {
            flag,
            body: take(input, body_len)?,
            properties: take_properties(input)?,
        };
        if before - input.len() == total {
            Ok(decoded)
        } else {
            Err(RecordError::Length)
        }
    }

    /// Appends the message to a batch's body.
    ///
    /// # Errors
    /// [`RecordError::Length`] when a part is longer than its length field can say.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), RecordError> {
        let length = |len: usize| i32::try_from(len).map_err(|_| RecordError::Length);
        let total = 22usize
            .saturating_add(self.body.len())
            .saturating_add(self.properties.len());
        let properties_len =
            i16::try_from(self.properties.len()).map_err(|_| RecordError::Length)?;
        let (total, body_len) = (length(total)?, length(self.body.len())?);
        out.put_i32(total);
        out.put_u64(0);
        out.put_i32(self.flag);
        out.put_i32(body_len);
        out.put_slice(&self.body);
        out.put_i16(properties_len);
        out.put_slice(self.properties.as_bytes());
        Ok(())
    }
}

/// Decodes `data` as a batch; each message must encode and decode to itself.
pub fn fuzz_sub_messages(data: &[u8]) {
    for message in sub_messages(Bytes::copy_from_slice(data)).flatten() {
        let mut out = BytesMut::new();
        if message.encode(&mut out).is_ok() {
            assert_eq!(SubMessage::decode(&mut out.freeze()), Ok(message));
        }
    }
}
