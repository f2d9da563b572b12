//! What a drain found in a topic.

use crate::body::MessageId;
use crate::ledger::{put_text, take_text};
use crate::target::Protocol;
use anyhow::{Context as _, Result, ensure};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use std::fmt;
use std::path::Path;

const MAGIC: &[u8; 8] = b"MQLSEEN2";
const RANGE_BYTES: usize = 20;
const UNTOLD: i64 = i64::MIN;
const ENTRY_BYTES: usize = 36;

/// A message where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenMessage {
    /// Its queue.
    pub queue: u32,
    /// Its offset there.
    pub offset: i64,
    /// Which it is; [`MessageId::FOREIGN`] when it is none of ours.
    pub id: MessageId,
    /// CRC-32 of its body.
    pub crc: u32,
    /// Milliseconds from when it was sent to when it came to be here, where the protocol tells.
    pub waited_ms: Option<i64>,
}

impl fmt::Display for SeenMessage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            queue,
            offset,
            id,
            crc,
            waited_ms,
        } = self;
        write!(out, "{id} at {queue}:{offset} ({crc:08x})")?;
        match waited_ms {
            Some(waited) => write!(out, " after {waited} ms"),
            None => Ok(()),
        }
    }
}

/// What a queue was said to hold: offsets from `start`, up to but not including `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The queue.
    pub queue: u32,
    /// Its first offset.
    pub start: i64,
    /// One past its last.
    pub end: i64,
}

/// Everything of a topic, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The topic.
    pub topic: String,
    /// Through what it was read.
    pub protocol: Protocol,
    /// When reading began, by [`crate::clock`]: what was acknowledged before must be here.
    pub began_ns: u64,
    /// The queues.
    pub extents: Vec<Extent>,
    /// The messages, by queue and then as they came.
    pub messages: Vec<SeenMessage>,
}

impl Seen {
    /// Writes it to a file: little-endian, versioned.
    ///
    /// ```text
    /// | "MQLSEEN2" | protocol: u8 | began: u64 | length: u16 | topic | queues: u32
    /// | queues * { queue: u32 | start: i64 | end: i64 }
    /// | { queue: u32 | offset: i64 | producer: u32 | sequence: u64 | crc: u32 | waited: i64 } …
    /// ```
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut out = BytesMut::new();
        out.put_slice(MAGIC);
        out.put_u8(self.protocol.byte());
        out.put_u64_le(self.began_ns);
        put_text(&mut out, &self.topic)?;
        out.put_u32_le(u32::try_from(self.extents.len())?);
        for extent in &self.extents {
            out.put_u32_le(extent.queue);
            out.put_i64_le(extent.start);
            out.put_i64_le(extent.end);
        }
        for message in &self.messages {
            out.put_u32_le(message.queue);
            out.put_i64_le(message.offset);
            out.put_u32_le(message.id.producer);
            out.put_u64_le(message.id.sequence);
            out.put_u32_le(message.crc);
            out.put_i64_le(message.waited_ms.unwrap_or(UNTOLD));
        }
        std::fs::write(path, &out).with_context(|| path.display().to_string())
    }

    /// Reads what [`Seen::write`] wrote.
    ///
    /// # Errors
    /// There is no such file, or it is of something else.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        Self::decode(bytes.into()).with_context(|| path.display().to_string())
    }

    fn decode(mut bytes: Bytes) -> Result<Self> {
        ensure!(bytes.starts_with(MAGIC), "not a drain of this version");
        bytes.advance(MAGIC.len());
        let protocol = Protocol::from_byte(bytes.try_get_u8()?).context("which protocol?")?;
        let began_ns = bytes.try_get_u64_le()?;
        let topic = take_text(&mut bytes)?;
        let queues = usize::try_from(bytes.try_get_u32_le()?)?;
        ensure!(queues <= bytes.len() / RANGE_BYTES, "it ends in the queues");
        let extents = (0..queues).map(|_| Extent {
            queue: bytes.get_u32_le(),
            start: bytes.get_i64_le(),
            end: bytes.get_i64_le(),
        });
        let extents = extents.collect();
        ensure!(
            bytes.len().is_multiple_of(ENTRY_BYTES),
            "it ends in a message"
        );
        let messages = (0..bytes.len() / ENTRY_BYTES).map(|_| SeenMessage {
            queue: bytes.get_u32_le(),
            offset: bytes.get_i64_le(),
            id: MessageId {
                producer: bytes.get_u32_le(),
                sequence: bytes.get_u64_le(),
            },
            crc: bytes.get_u32_le(),
            waited_ms: Some(bytes.get_i64_le()).filter(|waited| *waited != UNTOLD),
        });
        Ok(Self {
            topic,
            protocol,
            began_ns,
            extents,
            messages: messages.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("seen");
        let seen = Seen {
            topic: "topic".to_owned(),
            protocol: Protocol::Rocketmq,
            began_ns: 5,
            extents: vec![Extent {
                queue: 1,
                start: 2,
                end: 4,
            }],
            messages: (2..4)
                .map(|offset| SeenMessage {
                    queue: 1,
                    offset,
                    id: MessageId::FOREIGN,
                    crc: 6,
                    waited_ms: (offset > 2).then_some(-1),
                })
                .collect(),
        };
        seen.write(&path).unwrap();
        assert_eq!(Seen::read(&path).unwrap(), seen);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(Seen::read(&path).is_err());
    }
}
