//! Record batches, version 2, not compressed.
//!
//! ```text
//! 0  | base offset: i64 | length: i32 | leader epoch: i32 | magic: i8 (2) |
//! 17 | CRC-32C of the rest: u32 |
//! 21 | attributes: i16 | last offset delta: i32 | base time: i64 | last time: i64 |
//! 43 | producer id: i64 | epoch: i16 | base sequence: i32 | records: i32 |
//! 61 | { length: varint | attributes: i8 | time delta: varint | offset delta: varint
//!    |   key length: varint (-1) | value length: varint | value | headers: varint (0) } …
//! ```

use super::ProducerIdentity;
use crate::body::{Bodies, MessageId};
use anyhow::{Context as _, Result, ensure};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

const CHECKED: usize = 21;
const RECORDS: usize = 61;
/// Compression in the lowest three bits, control batches in the sixth.
const COMPRESSION: i16 = 7;
const CONTROL: i16 = 1 << 5;

/// What a batch of ours says besides its bodies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    pub(super) first: MessageId,
    pub(super) count: u32,
    pub(super) time_ms: i64,
    pub(super) identity: ProducerIdentity,
    pub(super) sequence: i32,
}

impl Batch {
    /// Appends the batch; `crcs` gets the CRC-32 of each body.
    pub(super) fn put(&self, bodies: &Bodies, out: &mut BytesMut, crcs: &mut Vec<u32>) {
        let start = out.len();
        let last = i32::try_from(self.count)
            .unwrap_or(i32::MAX)
            .saturating_sub(1);
        out.put_i64(0);
        out.put_i32(0);
        out.put_i32(-1);
        out.put_i8(2);
        out.put_u32(0);
        out.put_i16(0);
        out.put_i32(last);
        out.put_i64(self.time_ms);
        out.put_i64(self.time_ms);
        out.put_i64(self.identity.id);
        out.put_i16(self.identity.epoch);
        out.put_i32(self.sequence);
        out.put_i32(last.saturating_add(1));
        for delta in 0..self.count {
            self.put_record(delta, bodies, out, crcs);
        }
        let batch = out.get_mut(start..).unwrap_or_default();
        let length = i32::try_from(batch.len()).unwrap_or(0).saturating_sub(12);
        let checked = batch.get(CHECKED..).unwrap_or_default();
        let crc = crc32c(checked);
        set(batch, 8, length.to_be_bytes());
        set(batch, 17, crc.to_be_bytes());
    }

    fn put_record(&self, delta: u32, bodies: &Bodies, out: &mut BytesMut, crcs: &mut Vec<u32>) {
        let body = i64::try_from(bodies.body_bytes()).unwrap_or(0);
        let delta = i64::from(delta);
        // Attributes, time delta, key length and headers are a byte each.
        let length = 4_i64
            .saturating_add(varint_bytes(delta))
            .saturating_add(varint_bytes(body))
            .saturating_add(body);
        put_varint(out, length);
        out.put_i8(0);
        put_varint(out, 0);
        put_varint(out, delta);
        put_varint(out, -1);
        put_varint(out, body);
        let id = MessageId {
            producer: self.first.producer,
            sequence: self.first.sequence.wrapping_add(delta.unsigned_abs()),
        };
        crcs.push(bodies.put(id, out));
        put_varint(out, 0);
    }
}

/// Gives the offset and the value of each record in whole batches, but those of control batches;
/// the offset to go on from, if there was a whole batch.
pub(super) fn read(mut batches: Bytes, mut give: impl FnMut(i64, &[u8])) -> Result<Option<i64>> {
    let mut next = None;
    while let Some(length) = batches
        .get(8..12)
        .and_then(|bytes| bytes.first_chunk::<4>())
    {
        let length = usize::try_from(i32::from_be_bytes(*length))?.saturating_add(12);
        if batches.len() < length {
            break;
        }
        let batch = batches.split_to(length);
        next = Some(read_batch(batch, &mut give)?);
    }
    Ok(next)
}

fn read_batch(batch: Bytes, give: &mut impl FnMut(i64, &[u8])) -> Result<i64> {
    ensure!(batch.len() >= RECORDS, "a batch of {} bytes", batch.len());
    let mut rest = batch;
    let base = rest.get_i64();
    rest.advance(8);
    let magic = rest.get_i8();
    ensure!(magic == 2, "offset {base}: a batch of version {magic}");
    let crc = rest.get_u32();
    ensure!(crc == crc32c(&rest), "offset {base}: a damaged batch");
    let attributes = rest.get_i16();
    let last = rest.get_i32();
    rest.advance(8 + 8 + 8 + 2 + 4);
    let records = rest.get_i32();
    let end = base.saturating_add(i64::from(last)).saturating_add(1);
    if attributes & CONTROL != 0 {
        return Ok(end);
    }
    ensure!(
        attributes & COMPRESSION == 0,
        "offset {base}: a compressed batch"
    );
    for _ in 0..records {
        let length = take_varint(&mut rest)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= rest.len());
        let mut record = rest.split_to(length.context("a record longer than its batch")?);
        record.try_get_i8()?;
        take_varint(&mut record)?;
        let delta = take_varint(&mut record)?;
        take_field(&mut record)?;
        let value = take_field(&mut record)?;
        give(base.saturating_add(delta), &value);
    }
    Ok(end)
}

/// A key or a value; nothing for none.
fn take_field(record: &mut Bytes) -> Result<Bytes> {
    let length = usize::try_from(take_varint(record)?.max(0))?;
    ensure!(length <= record.len(), "a field longer than its record");
    Ok(record.split_to(length))
}

fn crc32c(bytes: &[u8]) -> u32 {
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes);
    u32::try_from(crc).unwrap_or(0)
}

fn set(batch: &mut [u8], at: usize, bytes: [u8; 4]) {
    let place = batch.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<4>);
    if let Some(place) = place {
        *place = bytes;
    }
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn varint_bytes(value: i64) -> i64 {
    let bits = 64 - (zigzag(value) | 1).leading_zeros();
    i64::from(bits.div_ceil(7))
}

fn put_varint(out: &mut BytesMut, value: i64) {
    let mut rest = zigzag(value);
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            out.put_u8(low);
            return;
        }
        out.put_u8(low | 0x80);
    }
}

fn take_varint(bytes: &mut Bytes) -> Result<i64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.try_get_u8()?;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    anyhow::bail!("a number without end")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: Batch = Batch {
        first: MessageId {
            producer: 3,
            sequence: 100,
        },
        count: 70,
        time_ms: 1_700_000_000_000,
        identity: ProducerIdentity { id: 9, epoch: 1 },
        sequence: 40,
    };

    fn two_batches() -> (BytesMut, Vec<u32>) {
        let bodies = Bodies::new(1000, 1);
        let (mut out, mut crcs) = (BytesMut::new(), Vec::new());
        BATCH.put(&bodies, &mut out, &mut crcs);
        let one = out.clone();
        out.unsplit(one);
        (out, crcs)
    }

    #[test]
    fn what_is_put_is_read() {
        let (out, crcs) = two_batches();
        let mut given = Vec::new();
        let next = read(out.clone().freeze(), |offset, body| {
            given.push((offset, MessageId::of(body).sequence, crc32fast::hash(body)));
        });
        assert_eq!(next.unwrap(), Some(70));
        let expected = (0..70).zip(100..).zip(&crcs);
        let expected: Vec<_> = expected.map(|((at, id), crc)| (at, id, *crc)).collect();
        assert_eq!(given[..70], expected);
        assert_eq!(given[70..], expected);
        // The second is not whole.
        let cut = out.freeze().slice(..given.len() * 1000);
        let mut count = 0;
        read(cut, |_, _| count += 1).unwrap();
        assert_eq!(count, 70);
    }

    /// A broker's library reads it too.
    #[test]
    fn the_library_reads_what_is_put() {
        use kafka_protocol::records::RecordBatchDecoder;
        let (out, _) = two_batches();
        let sets = RecordBatchDecoder::decode_all(&mut out.freeze()).unwrap();
        let records: Vec<_> = sets.into_iter().flat_map(|set| set.records).collect();
        assert_eq!(records.len(), 140);
        for (record, at) in records.iter().zip((0..70).chain(0..70)) {
            assert_eq!(record.offset, at);
            assert_eq!(record.sequence, 40 + i32::try_from(at).unwrap());
            assert_eq!((record.producer_id, record.producer_epoch), (9, 1));
            assert_eq!(record.timestamp, BATCH.time_ms);
            let body = record.value.as_ref().unwrap();
            assert_eq!(MessageId::of(body).sequence, 100 + at.unsigned_abs());
        }
    }

    #[test]
    fn damage_is_no_batch() {
        let (out, _) = two_batches();
        let mut damaged = out.clone();
        damaged[500] ^= 1;
        assert!(read(damaged.freeze(), |_, _| {}).is_err());
        assert_eq!(read(out.freeze().slice(..60), |_, _| {}).unwrap(), None);
    }
}
