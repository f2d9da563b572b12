//! A record on its way in: everything that does not depend on its place is prepared before the
//! tail's lock is taken.

use super::dispatch;
use super::{CRC_PROPERTY_BYTES, MAGIC_V1, MAGIC_V2, body_crc, crc32_of};
use crate::batch::{BatchHeader, LEADER_EPOCH, RecordBatch};
use crate::model::{
    Message, PhysicalOffset, Properties, QueueId, QueueOffset, SysFlag, Timestamp, TopicName,
    property,
};
use bytes::{Buf as _, BufMut, Bytes};
use smallvec::SmallVec;
use std::net::{IpAddr, SocketAddr};

/// Longest record head: 88 bytes and two IPv6 addresses.
const HEAD_BYTES_MAX: usize = 112;
/// Bytes of a batch that hold its base offset, length and leader epoch.
const BATCH_PREFIX_BYTES: usize = 16;

/// A record without its place.
#[derive(Debug)]
pub struct Draft {
    queue: QueueId,
    flag: i32,
    sys_flag: SysFlag,
    born_at: Timestamp,
    born_host: SocketAddr,
    reconsume_times: i32,
    /// Where the half message stands that this one comes from; 0 where there is none.
    prepared_at: u64,
    /// Of a batch, whose first bytes are patched with its offset.
    batch: Option<BatchHeader>,
    body: Bytes,
    magic: u32,
    /// Topic length, topic, property length, properties without the CRC.
    tail: Vec<u8>,
    /// Numbers of the further queues.
    further: SmallVec<[u32; 1]>,
    /// Where in `tail` the value of [`property::DISPATCH`] stands.
    dispatch_at: usize,
}

/// A record's place, known only under the tail's lock.
#[derive(Clone, Copy, Debug)]
pub struct Placement<'a> {
    /// Where it will stand in the log.
    pub position: PhysicalOffset,
    /// The offset of its first message.
    pub queue_offset: QueueOffset,
    /// The offsets in the further queues, in their order.
    pub also: &'a [QueueOffset],
    /// The broker's time.
    pub stored_at: Timestamp,
    /// The broker's address.
    pub store_host: SocketAddr,
}

/// What a draft became: bytes for staging, of which a large body stays where it was received.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) head: SmallVec<[u8; 128]>,
    /// A batch's patched prefix.
    pub(crate) prefix: SmallVec<[u8; BATCH_PREFIX_BYTES]>,
    pub(crate) body: Bytes,
    pub(crate) tail: Vec<u8>,
}

impl Encoded {
    /// The record in one piece.
    pub(crate) fn into_bytes(self) -> Bytes {
        [self.head.as_slice(), &self.prefix, &self.body, &self.tail]
            .concat()
            .into()
    }
}

impl Draft {
    /// A draft of `message`, indexed also in the queues of these numbers.
    ///
    /// # Errors
    /// The bytes the properties would have when they are over 32,767 with what core adds.
    pub fn message(
        topic: &TopicName,
        queue: QueueId,
        message: Message,
        further: &[u32],
    ) -> Result<Self, usize> {
        let mut tail = tail_start(topic, message.properties.as_bytes().len() + 64);
        let properties_at = tail.len();
        tail.extend_from_slice(message.properties.as_bytes());
        let dispatch_at = append_dispatch(&mut tail, properties_at, further);
        finish_tail(&mut tail, properties_at)?;
        let cleared = SysFlag::BORN_HOST_V6
            | SysFlag::STORE_HOST_V6
            | SysFlag::INNER_BATCH
            | SysFlag::NEED_UNWRAP
            | SysFlag::FORWARDED;
        let mut sys_flag = message.sys_flag.without(cleared);
        if sys_flag.is_unqueued() {
            // It would be in its queue until the log is replayed, and then no more.
            sys_flag = sys_flag.without(SysFlag::TRANSACTION);
        }
        Ok(Self {
            queue,
            flag: message.flag,
            sys_flag,
            born_at: message.born_at,
            born_host: message.born_host,
            reconsume_times: message.reconsume_times,
            prepared_at: 0,
            batch: None,
            body: message.body,
            magic: magic_of(topic),
            tail,
            further: further.into(),
            dispatch_at,
        })
    }

    /// Notes that the message is that of the half message at `position`.
    pub(crate) const fn note_half(&mut self, position: PhysicalOffset) {
        self.prepared_at = position.get();
    }

    /// A draft of `batch`, kept as it is.
    #[must_use]
    pub fn batch(topic: &TopicName, queue: QueueId, batch: &RecordBatch, host: SocketAddr) -> Self {
        let header = batch.header();
        let mut tail = tail_start(topic, 48);
        let properties_at = tail.len();
        push_property(&mut tail, property::INNER_NUM, |out| {
            out.extend_from_slice(header.offset_count().to_string().as_bytes());
        });
        // A topic name and one number are far from 32,767 bytes.
        let _fits = finish_tail(&mut tail, properties_at);
        Self {
            queue,
            flag: 0,
            sys_flag: SysFlag::default().with(SysFlag::INNER_BATCH),
            born_at: header.base_timestamp,
            born_host: host,
            reconsume_times: 0,
            prepared_at: 0,
            batch: Some(*header),
            body: batch.bytes().clone(),
            magic: magic_of(topic),
            tail,
            further: SmallVec::new(),
            dispatch_at: 0,
        }
    }

    /// Bytes of the whole record when it is stored by a host of `store_host`'s family.
    #[must_use]
    pub fn size(&self, store_host: &SocketAddr) -> usize {
        64 + 4
            + 4
            + host_bytes(&self.born_host)
            + host_bytes(store_host)
            + self.body.len()
            + self.tail.len()
            + CRC_PROPERTY_BYTES
    }

    /// Writes the record for its place.
    pub(crate) fn encode(mut self, place: &Placement<'_>) -> Encoded {
        let size = self.size(&place.store_host);
        let prefix = self.batch.map_or_else(SmallVec::new, |header| {
            SmallVec::from(header.patched_prefix(place.queue_offset, LEADER_EPOCH))
        });
        let after_prefix = prefix.len().min(self.body.len());
        let crc = body_crc(&[&prefix, self.body.get(after_prefix..).unwrap_or_default()]);
        if let Some(value) = self.tail.get_mut(self.dispatch_at..) {
            dispatch::fill(value, &self.further, place.also);
        }
        let head = self.head(size, crc, place);
        let mut body = self.body;
        body.advance(after_prefix);
        let crc = crc32_of(&[&head, &prefix, &body, &self.tail]);
        push_property(&mut self.tail, property::CRC32, |out| {
            push_crc_digits(out, crc)
        });
        Encoded {
            head,
            prefix,
            body,
            tail: self.tail,
        }
    }

    fn head(&self, size: usize, crc: u32, place: &Placement<'_>) -> SmallVec<[u8; 128]> {
        let mut sys_flag = self.sys_flag;
        if self.born_host.is_ipv6() {
            sys_flag = sys_flag.with(SysFlag::BORN_HOST_V6);
        }
        if place.store_host.is_ipv6() {
            sys_flag = sys_flag.with(SysFlag::STORE_HOST_V6);
        }
        let mut head = [0_u8; HEAD_BYTES_MAX];
        let mut out = head.as_mut_slice();
        out.put_u32(u32::try_from(size).unwrap_or(u32::MAX));
        out.put_u32(self.magic);
        out.put_u32(crc);
        out.put_u32(self.queue.get());
        out.put_i32(self.flag);
        out.put_u64(place.queue_offset.get());
        out.put_u64(place.position.get());
        out.put_i32(sys_flag.bits());
        out.put_i64(self.born_at.millis());
        put_host(&mut out, &self.born_host);
        out.put_i64(place.stored_at.millis());
        put_host(&mut out, &place.store_host);
        out.put_i32(self.reconsume_times);
        out.put_u64(self.prepared_at);
        out.put_u32(u32::try_from(self.body.len()).unwrap_or(u32::MAX));
        let length = HEAD_BYTES_MAX - out.len();
        SmallVec::from_slice(head.get(..length).unwrap_or_default())
    }
}

fn magic_of(topic: &TopicName) -> u32 {
    if topic.as_str().len() > 127 {
        MAGIC_V2
    } else {
        MAGIC_V1
    }
}

fn tail_start(topic: &TopicName, room: usize) -> Vec<u8> {
    let name = topic.as_str().as_bytes();
    let mut tail = Vec::with_capacity(name.len() + 4 + room + CRC_PROPERTY_BYTES);
    match u8::try_from(name.len()) {
        Ok(length) if length <= 127 => tail.put_u8(length),
        _ => tail.put_u16(u16::try_from(name.len()).unwrap_or(u16::MAX)),
    }
    tail.extend_from_slice(name);
    tail.put_u16(0);
    tail
}

/// Ends the property area and writes its length, that of the coming CRC included.
fn finish_tail(tail: &mut Vec<u8>, properties_at: usize) -> Result<(), usize> {
    end_last_value(tail, properties_at);
    let length = tail.len() - properties_at + CRC_PROPERTY_BYTES;
    let short = u16::try_from(length)
        .ok()
        .filter(|_| length <= Properties::BYTES_MAX);
    let (Some(short), Some(slot)) = (short, tail.get_mut(properties_at - 2..properties_at)) else {
        return Err(length);
    };
    slot.copy_from_slice(&short.to_be_bytes());
    Ok(())
}

/// A producer may leave out the last separator; whatever follows needs it.
fn end_last_value(tail: &mut Vec<u8>, properties_at: usize) {
    if tail.len() > properties_at && tail.last() != Some(&2) {
        tail.push(2);
    }
}

/// Where the value stands.
fn append_dispatch(tail: &mut Vec<u8>, properties_at: usize, further: &[u32]) -> usize {
    if further.is_empty() {
        return 0;
    }
    end_last_value(tail, properties_at);
    let value_at = tail.len() + property::DISPATCH.len() + 1;
    push_property(tail, property::DISPATCH, |out| {
        out.extend_from_slice(&dispatch::slots(further));
    });
    value_at
}

fn push_property(out: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(name.as_bytes());
    out.push(1);
    value(out);
    out.push(2);
}

/// Ten decimal digits, the least significant first.
pub(super) fn push_crc_digits(out: &mut Vec<u8>, crc: u32) {
    let mut rest = crc;
    for _ in 0..10 {
        let digit = u8::try_from(rest % 10).unwrap_or(0);
        out.push(b'0' + digit);
        rest /= 10;
    }
}

const fn host_bytes(host: &SocketAddr) -> usize {
    if host.is_ipv4() { 8 } else { 20 }
}

fn put_host(out: &mut &mut [u8], host: &SocketAddr) {
    match host.ip() {
        IpAddr::V4(ip) => out.put_slice(&ip.octets()),
        IpAddr::V6(ip) => out.put_slice(&ip.octets()),
    }
    out.put_u32(u32::from(host.port()));
}
