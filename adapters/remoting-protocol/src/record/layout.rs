//! RocketMQ's message record, the same on the wire as in the commit log.
//!
//! ```text
//! | total: i32 | magic: i32 | body crc: i32 | queue: i32 | flag: i32 | queue offset: i64 |
//! | physical offset: i64 | sys flag: i32 | born at: i64 | born host: 8 or 20 |
//! | stored at: i64 | store host: 8 or 20 | reconsume times: i32 | prepared offset: i64 |
//! | body length: i32 | body | topic length: u8, V2 u16 | topic | properties length: i16 | … |
//! ```

use super::sys_flag;
use crate::codec::{NotUtf8, Text};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const MAGIC_V1: u32 = 0xDAA3_20A7;
/// Two bytes of topic length, for topics over 127 bytes.
const MAGIC_V2: u32 = 0xDAA3_20AB;
/// Bytes before the body with two IPv4 hosts.
const FIXED_BYTES: usize = 88;

/// One message record; body, topic and properties share the bytes it was decoded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The queue.
    pub queue_id: i32,
    /// The application's own 32 bits.
    pub flag: i32,
    /// In messages.
    pub queue_offset: i64,
    /// In bytes of the commit log.
    pub physical_offset: i64,
    /// RocketMQ's flag bits of a message. The two of [`sys_flag`] follow the hosts when written.
    pub sys_flag: i32,
    /// The producer's clock in milliseconds.
    pub born_timestamp: i64,
    /// Who made it.
    pub born_host: SocketAddr,
    /// The broker's clock in milliseconds.
    pub store_timestamp: i64,
    /// Who stored it; with the physical offset it makes the message's id.
    pub store_host: SocketAddr,
    /// Attempts so far.
    pub reconsume_times: i32,
    /// Of a committed transaction, where its half message lies.
    pub prepared_transaction_offset: i64,
    /// The body as the producer sent it.
    pub body: Bytes,
    /// The topic.
    pub topic: Text,
    /// The property area, see [`super::properties`].
    pub properties: Text,
}

/// Why bytes are no record, or a record cannot be bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It ends early, or its lengths do not add up.
    #[error("the record's lengths do not add up")]
    Length,
    /// Neither V1 nor V2.
    #[error("unknown record magic {0:#x}")]
    Magic(u32),
    /// A host's port is no port.
    #[error("a host with port {0}")]
    Port(i32),
    /// Topic or properties are not UTF-8.
    #[error("topic or properties are not UTF-8")]
    NotUtf8,
}

impl From<bytes::TryGetError> for RecordError {
    fn from(_: bytes::TryGetError) -> Self {
        Self::Length
    }
}

impl From<NotUtf8> for RecordError {
    fn from(_: NotUtf8) -> Self {
        Self::NotUtf8
    }
}

/// RocketMQ's CRC-32 of a body, with the sign bit cleared.
#[must_use]
pub fn body_crc(body: &[u8]) -> u32 {
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, body);
    u32::try_from(crc & 0x7FFF_FFFF).unwrap_or(0)
}

/// The records of a pull's body, one after another.
#[must_use]
pub const fn records(body: Bytes) -> Records {
    Records { rest: body }
}

/// See [`records`]. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Records {
    rest: Bytes,
}

impl Iterator for Records {
    type Item = Result<Record, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = Record::decode(&mut self.rest);
        if record.is_err() {
            self.rest.clear();
        }
        Some(record)
    }
}

impl Record {
    /// Takes one record off the front of `input`. The body's CRC is not looked at.
    ///
    /// # Errors
    /// The bytes are no record; `input` is then of no use.
    pub fn decode(input: &mut Bytes) -> Result<Self, RecordError> {
        let total = take_len(input)?;
        let rest = total.checked_sub(4).ok_or(RecordError::Length)?;
        if rest > input.len() {
            return Err(RecordError::Length);
        }
        let mut record = input.split_to(rest);
        let decoded = Self::decode_rest(&mut record)?;
        if record.is_empty() {
            Ok(decoded)
        } else {
            Err(RecordError::Length)
        }
    }

    fn decode_rest(input: &mut Bytes) -> Result<Self, RecordError> {
        let magic = input.try_get_u32()?;
        if magic != MAGIC_V1 && magic != MAGIC_V2 {
            return Err(RecordError::Magic(magic));
        }
        let _body_crc = input.try_get_u32()?;
        let queue_id = input.try_get_i32()?;
        let flag = input.try_get_i32()?;
        let queue_offset = input.try_get_i64()?;
        let physical_offset = input.try_get_i64()?;
        let sys_flag = input.try_get_i32()?;
        Ok(Self {
            queue_id,
            flag,
            queue_offset,
            physical_offset,
            sys_flag,
            born_timestamp: input.try_get_i64()?,
            born_host: take_host(input, sys_flag & sys_flag::BORN_HOST_V6 != 0)?,
            store_timestamp: input.try_get_i64()?,
            store_host: take_host(input, sys_flag & sys_flag::STORE_HOST_V6 != 0)?,
            reconsume_times: input.try_get_i32()?,
            prepared_transaction_offset: input.try_get_i64()?,
            body: {
                let len = take_len(input)?;
                take(input, len)?
            },
            topic: {
                let len = if magic == MAGIC_V1 {
                    usize::from(input.try_get_u8()?)
                } else {
                    usize::from(input.try_get_u16()?)
                };
                Text::try_from(take(input, len)?)?
            },
            properties: take_properties(input)?,
        })
    }

    /// The message's id as clients show it.
    #[must_use]
    pub const fn message_id(&self) -> super::MessageId {
        super::MessageId {
            host: self.store_host,
            offset: self.physical_offset,
        }
    }

    /// Appends the record, its CRC computed, V2 only for a topic that needs it.
    ///
    /// # Errors
    /// [`RecordError::Length`] when topic, properties or the whole are longer than their length
    /// fields can say; nothing is written then.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), RecordError> {
        let is_v2 = self.topic.len() > 127;
        let hosts = host_bytes(self.born_host).saturating_add(host_bytes(self.store_host));
        let total = FIXED_BYTES
            .saturating_sub(16)
            .saturating_add(hosts)
            .saturating_add(self.body.len())
            .saturating_add(if is_v2 { 4 } else { 3 })
            .saturating_add(self.topic.len())
            .saturating_add(self.properties.len());
        let length = |len: usize| i32::try_from(len).map_err(|_| RecordError::Length);
        let topic_len = u16::try_from(self.topic.len()).map_err(|_| RecordError::Length)?;
        let properties_len =
            i16::try_from(self.properties.len()).map_err(|_| RecordError::Length)?;
        let (total_len, body_len) = (length(total)?, length(self.body.len())?);
        out.reserve(total);
        out.put_i32(total_len);
        out.put_u32(if is_v2 { MAGIC_V2 } else { MAGIC_V1 });
        out.put_u32(body_crc(&self.body));
        out.put_i32(self.queue_id);
        out.put_i32(self.flag);
        out.put_i64(self.queue_offset);
        out.put_i64(self.physical_offset);
        out.put_i32(self.sys_flag_of_hosts());
        out.put_i64(self.born_timestamp);
        put_host(out, self.born_host);
        out.put_i64(self.store_timestamp);
        put_host(out, self.store_host);
        out.put_i32(self.reconsume_times);
        out.put_i64(self.prepared_transaction_offset);
        out.put_i32(body_len);
        out.put_slice(&self.body);
        match u8::try_from(topic_len) {
            Ok(len) if !is_v2 => out.put_u8(len),
            _ => out.put_u16(topic_len),
        }
        out.put_slice(self.topic.as_bytes());
        out.put_i16(properties_len);
        out.put_slice(self.properties.as_bytes());
        Ok(())
    }

    fn sys_flag_of_hosts(&self) -> i32 {
        let bit = |host: SocketAddr, bit| if host.is_ipv6() { bit } else { 0 };
        self.sys_flag & !(sys_flag::BORN_HOST_V6 | sys_flag::STORE_HOST_V6)
            | bit(self.born_host, sys_flag::BORN_HOST_V6)
            | bit(self.store_host, sys_flag::STORE_HOST_V6)
    }
}

/// A length of four bytes.
pub(super) fn take_len(input: &mut Bytes) -> Result<usize, RecordError> {
    usize::try_from(input.try_get_i32()?).map_err(|_| RecordError::Length)
}

pub(super) fn take(input: &mut Bytes, len: usize) -> Result<Bytes, RecordError> {
    if len > input.len() {
        return Err(RecordError::Length);
    }
    Ok(input.split_to(len))
}

pub(super) fn take_properties(input: &mut Bytes) -> Result<Text, RecordError> {
    let len = usize::try_from(input.try_get_i16()?).map_err(|_| RecordError::Length)?;
    Ok(Text::try_from(take(input, len)?)?)
}

fn take_host(input: &mut Bytes, is_v6: bool) -> Result<SocketAddr, RecordError> {
    let ip = if is_v6 {
        IpAddr::V6(Ipv6Addr::from_bits(input.try_get_u128()?))
    } else {
        IpAddr::V4(Ipv4Addr::from_bits(input.try_get_u32()?))
    };
    let port = input.try_get_i32()?;
    let port = u16::try_from(port).map_err(|_| RecordError::Port(port))?;
    Ok(SocketAddr::new(ip, port))
}

const fn host_bytes(host: SocketAddr) -> usize {
    if host.is_ipv6() { 20 } else { 8 }
}

fn put_host(out: &mut BytesMut, host: SocketAddr) {
    match host.ip() {
        IpAddr::V4(ip) => out.put_slice(&ip.octets()),
        IpAddr::V6(ip) => out.put_slice(&ip.octets()),
    }
    out.put_i32(i32::from(host.port()));
}

/// Decodes `data` as records; each that decodes must encode and decode to itself.
pub fn fuzz_records(data: &[u8]) {
    for record in records(Bytes::copy_from_slice(data)).flatten() {
        let mut out = BytesMut::new();
        if record.encode(&mut out).is_ok() {
            let again = Record::decode(&mut out.freeze());
            assert_eq!(again.as_ref().map(|again| &again.body), Ok(&record.body));
        }
    }
}
