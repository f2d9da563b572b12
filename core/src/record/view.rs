//! A record as it stands in the log or came from one, read without copying.

use super::{CRC_PROPERTY_BYTES, MAGIC_BLANK, MAGIC_V1, MAGIC_V2, body_crc, crc32_of};
use crate::model::{
    Message, PhysicalOffset, Properties, QueueId, QueueOffset, SysFlag, Timestamp, property,
};
use bytes::{Buf, Bytes};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The form of the last property: a digit where there is a zero.
pub(super) const CRC_PROPERTY_FORM: &[u8; CRC_PROPERTY_BYTES] = b"__CRC32#\x010000000000\x02";
/// With so many bytes of that form it was one.
const CRC_PROPERTY_ALIKE: usize = 12;

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Fewer bytes than the record says it has.
    #[error("the record ends after {available} of {needed} bytes")]
    Truncated {
        /// Bytes the record needs.
        needed: usize,
        /// Bytes there are.
        available: usize,
    },
    /// Not a record's magic: zeros, a filler, or something else altogether.
    #[error("magic {0:#010x} is not a record's")]
    Magic(u32),
    /// The lengths inside do not add up to the record's size.
    #[error("the lengths do not add up to the record's size")]
    Lengths,
    /// A checksum does not match.
    #[error("the record's checksum does not match")]
    Checksum,
}

/// A parsed record. Fields are read when asked for.
#[derive(Clone, Debug)]
pub struct RecordView {
    bytes: Bytes,
    sys_flag: SysFlag,
    born_host_at: usize,
    store_host_at: usize,
    body_at: usize,
    body_end: usize,
    topic_at: usize,
    topic_end: usize,
    properties_at: usize,
    properties_end: usize,
}

impl RecordView {
    /// Parses the record at the start of `bytes`, which may go on after it.
    ///
    /// # Errors
    /// What is wrong; checksums are not looked at (see [`RecordView::verify`]).
    pub fn parse(bytes: &Bytes) -> Result<Self, RecordError> {
        let available = bytes.len();
        let truncated = |needed| RecordError::Truncated { needed, available };
        let size = read_u32(bytes, 0).ok_or_else(|| truncated(8))?;
        let magic = read_u32(bytes, 4).ok_or_else(|| truncated(8))?;
        if magic != MAGIC_V1 && magic != MAGIC_V2 {
            return Err(RecordError::Magic(magic));
        }
        let size = usize::try_from(size).map_err(|_| RecordError::Lengths)?;
        if available < size {
            return Err(truncated(size));
        }
        Self::lay_out(bytes.slice(..size), magic == MAGIC_V2).ok_or(RecordError::Lengths)
    }

    fn lay_out(bytes: Bytes, is_v2: bool) -> Option<Self> {
        let sys_flag = SysFlag::from_bits(i32::from_be_bytes(array(&bytes, 36)?));
        let host = |bit| if sys_flag.has(bit) { 20_usize } else { 8 };
        let born_host_at = 48_usize;
        let store_host_at = born_host_at + host(SysFlag::BORN_HOST_V6) + 8;
        let body_length_at = store_host_at + host(SysFlag::STORE_HOST_V6) + 12;
        let body_at = body_length_at + 4;
        let body_end = body_at.checked_add(read_usize(&bytes, body_length_at)?)?;
        let (topic_length, topic_at) = if is_v2 {
            (
                usize::from(u16::from_be_bytes(array(&bytes, body_end)?)),
                body_end + 2,
            )
        } else {
            (usize::from(*bytes.get(body_end)?), body_end + 1)
        };
        let topic_end = topic_at + topic_length;
        let properties_at = topic_end + 2;
        let length = usize::from(u16::from_be_bytes(array(&bytes, topic_end)?));
        let properties_end = properties_at + length;
        (properties_end == bytes.len()).then_some(())?;
        Some(Self {
            bytes,
            sys_flag,
            born_host_at,
            store_host_at,
            body_at,
            body_end,
            topic_at,
            topic_end,
            properties_at,
            properties_end,
        })
    }

    /// Checks the whole record's CRC, which every record of this log carries; one of another
    /// broker's log may carry only its body's.
    ///
    /// # Errors
    /// [`RecordError::Checksum`].
    pub fn verify(&self) -> Result<(), RecordError> {
        let is_whole = match self.whole_crc_matches() {
            Some(matches) => matches,
            None => !self.is_body_damaged(),
        };
        if is_whole {
            Ok(())
        } else {
            Err(RecordError::Checksum)
        }
    }

    /// Checks the whole record's CRC, which must be there.
    ///
    /// # Errors
    /// [`RecordError::Checksum`].
    pub(crate) fn verify_all(&self) -> Result<(), RecordError> {
        match self.whole_crc_matches() {
            Some(true) => Ok(()),
            Some(false) | None => Err(RecordError::Checksum),
        }
    }

    /// Whether the body's own CRC does not match. Of a record that is damaged in one place the
    /// rest is then whole.
    pub(crate) fn is_body_damaged(&self) -> bool {
        let stored = read_u32(&self.bytes, 8).unwrap_or(0);
        let body = self.bytes.get(self.body_at..self.body_end);
        stored != body_crc(&[body.unwrap_or_default()])
    }

    /// Whether it has no CRC of all its bytes, as another broker writes it.
    pub(crate) fn is_foreign(&self) -> bool {
        self.whole_crc_matches().is_none()
    }

    /// `None` where the record does not end with a CRC of all its bytes, nor with something that
    /// was one before it was damaged.
    fn whole_crc_matches(&self) -> Option<bool> {
        let before = self.bytes.len().checked_sub(CRC_PROPERTY_BYTES)?;
        let (record, last) = (self.bytes.get(..before)?, self.bytes.get(before..)?);
        let form = last.iter().zip(CRC_PROPERTY_FORM);
        let alike = form.filter(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            form => byte == form,
        });
        match alike.count() {
            CRC_PROPERTY_BYTES => {}
            alike if alike >= CRC_PROPERTY_ALIKE => return Some(false),
            _ => return None,
        }
        let digits = last.get(property::CRC32.len() + 1..CRC_PROPERTY_BYTES - 1)?;
        let stored = digits.iter().rev().fold(0_u64, |value, digit| {
            value
                .wrapping_mul(10)
                .wrapping_add(u64::from(digit.wrapping_sub(b'0')))
        });
        Some(stored == u64::from(crc32_of(&[record])))
    }

    /// Where the properties' length stands.
    pub(super) const fn properties_length_at(&self) -> usize {
        self.topic_end
    }

    /// The whole record.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The queue it was written to.
    #[must_use]
    pub fn queue(&self) -> QueueId {
        QueueId::new(read_u32(&self.bytes, 12).unwrap_or(0))
    }

    /// The offset of its first message.
    #[must_use]
    pub fn queue_offset(&self) -> QueueOffset {
        QueueOffset::new(self.u64_at(20))
    }

    /// Where it says it stands.
    #[must_use]
    pub fn position(&self) -> PhysicalOffset {
        PhysicalOffset::new(self.u64_at(28))
    }

    /// Its flags.
    #[must_use]
    pub const fn sys_flag(&self) -> SysFlag {
        self.sys_flag
    }

    /// Whether the body is a Kafka record batch.
    #[must_use]
    pub const fn is_batch(&self) -> bool {
        self.sys_flag.has(SysFlag::INNER_BATCH)
    }

    /// Whether it was copied forward from an expired segment.
    #[must_use]
    pub const fn is_forwarded(&self) -> bool {
        self.sys_flag.has(SysFlag::FORWARDED)
    }

    /// When the producer made it.
    #[must_use]
    pub fn born_at(&self) -> Timestamp {
        Timestamp::from_millis(self.i64_at(40))
    }

    /// Who made it.
    #[must_use]
    pub fn born_host(&self) -> SocketAddr {
        self.host_at(self.born_host_at, self.sys_flag.has(SysFlag::BORN_HOST_V6))
    }

    /// When the broker stored it.
    #[must_use]
    pub fn stored_at(&self) -> Timestamp {
        Timestamp::from_millis(self.i64_at(self.store_host_at - 8))
    }

    /// Who stored it.
    #[must_use]
    pub fn store_host(&self) -> SocketAddr {
        self.host_at(
            self.store_host_at,
            self.sys_flag.has(SysFlag::STORE_HOST_V6),
        )
    }

    /// How often a group has tried it before.
    #[must_use]
    pub fn reconsume_times(&self) -> i32 {
        array(&self.bytes, self.body_at - 16).map_or(0, i32::from_be_bytes)
    }

    /// Where the half message stands whose transaction was committed; 0 where there is none.
    #[must_use]
    pub fn prepared_at(&self) -> PhysicalOffset {
        PhysicalOffset::new(self.u64_at(self.body_at - 12))
    }

    /// The body: the application's, or a record batch.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.bytes.slice(self.body_at..self.body_end)
    }

    /// The topic's name; empty when it is not UTF-8.
    #[must_use]
    pub fn topic(&self) -> &str {
        let name = self
            .bytes
            .get(self.topic_at..self.topic_end)
            .unwrap_or_default();
        std::str::from_utf8(name).unwrap_or_default()
    }

    /// The property area with core's CRC at its end; empty when it is not UTF-8.
    #[must_use]
    pub fn properties(&self) -> Properties {
        let area = self.bytes.slice(self.properties_at..self.properties_end);
        Properties::from_wire(area).unwrap_or_default()
    }

    /// The message as its producer gave it.
    #[must_use]
    pub fn to_message(&self) -> Message {
        Message {
            body: self.body(),
            properties: self.properties(),
            flag: array(&self.bytes, 16).map_or(0, i32::from_be_bytes),
            sys_flag: self.sys_flag.without(SysFlag::FORWARDED),
            born_at: self.born_at(),
            born_host: self.born_host(),
            reconsume_times: self.reconsume_times(),
        }
    }

    fn u64_at(&self, at: usize) -> u64 {
        array(&self.bytes, at).map_or(0, u64::from_be_bytes)
    }

    fn i64_at(&self, at: usize) -> i64 {
        array(&self.bytes, at).map_or(0, i64::from_be_bytes)
    }

    fn host_at(&self, at: usize, is_v6: bool) -> SocketAddr {
        let mut rest = self.bytes.get(at..).unwrap_or_default();
        let address: IpAddr = if is_v6 {
            rest.try_get_u128()
                .map_or(Ipv6Addr::UNSPECIFIED, Ipv6Addr::from)
                .into()
        } else {
            rest.try_get_u32()
                .map_or(Ipv4Addr::UNSPECIFIED, Ipv4Addr::from)
                .into()
        };
        let port = rest
            .try_get_u32()
            .ok()
            .and_then(|port| u16::try_from(port).ok());
        SocketAddr::new(address, port.unwrap_or(0))
    }
}

/// Whether the record's body is a batch, without parsing the record.
pub(crate) fn is_batch(bytes: &[u8]) -> bool {
    let bits = array(bytes, 36).map_or(0, i32::from_be_bytes);
    SysFlag::from_bits(bits).has(SysFlag::INNER_BATCH)
}

/// The length of the segment's filler that stands at the start of `bytes`.
pub(crate) fn blank_bytes(bytes: &[u8]) -> Option<usize> {
    (read_u32(bytes, 4) == Some(MAGIC_BLANK)).then(|| read_usize(bytes, 0))?
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

fn read_usize(bytes: &[u8], at: usize) -> Option<usize> {
    read_u32(bytes, at).and_then(|value| usize::try_from(value).ok())
}
