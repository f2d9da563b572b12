use super::{BatchError, Codec};
use crate::model::{QueueOffset, Timestamp};

/// Bytes of a batch before its records.
pub const HEADER_BYTES: usize = 61;
/// Bytes before those the length field counts.
pub(super) const LENGTH_END: usize = 12;
/// The length field of a batch with no record bytes.
pub(super) const LENGTH_MIN: u32 = 49;
/// Bytes before the magic: what a broker rewrites, outside the checksum.
pub(super) const PREFIX_BYTES: usize = 16;
/// Where the checksum stands.
pub(super) const CRC_START: usize = 17;
/// The first byte the checksum covers.
pub(super) const CRC_COVERS: usize = 21;
pub(super) const ATTRIBUTES_START: usize = 21;
pub(super) const MAX_TIMESTAMP_START: usize = 35;
pub(super) const MAGIC: i8 = 2;

pub(super) const CODEC_BITS: u16 = 0x07;
pub(super) const LOG_APPEND_TIME_BIT: u16 = 0x08;
const TRANSACTIONAL_BIT: u16 = 0x10;
const CONTROL_BIT: u16 = 0x20;

/// The fixed 61 bytes of a batch, read. Its length and counts are not negative; nothing else
/// is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The first record's offset: 0 from a producer, the queue's in the log.
    pub base_offset: i64,
    /// Bytes after the length field.
    pub length: u32,
    /// The leader epoch, outside the checksum.
    pub leader_epoch: i32,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Bits 0-2 codec, 3 log append time, 4 transactional, 5 control, 6 delete horizon.
    pub attributes: u16,
    /// The last record's offset less the first one's.
    pub last_offset_delta: u32,
    /// What record timestamps are relative to: the first record's.
    pub base_timestamp: Timestamp,
    /// The greatest record timestamp, or the time of the append.
    pub max_timestamp: Timestamp,
    /// -1: not idempotent.
    pub producer_id: i64,
    /// -1: not idempotent.
    pub producer_epoch: i16,
    /// The first record's sequence number, -1: not idempotent.
    pub base_sequence: i32,
    /// Records in the batch: fewer than [`BatchHeader::offset_count`] once some were taken out.
    pub count: u32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`, which may end after it.
    ///
    /// # Errors
    /// Fewer than 61 bytes, a length below what the header itself has, another magic, a negative
    /// count or last offset delta.
    pub fn read(bytes: &[u8]) -> Result<Self, BatchError> {
        let Some(fixed) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(short(bytes));
        };
        let length = length(i32_at(fixed, 8))?;
        let magic = i8::from_be_bytes([fixed[16]]);
        if magic != MAGIC {
            return Err(BatchError::Magic(magic));
        }
        let (count, last_offset_delta) = (i32_at(fixed, 57), i32_at(fixed, 23));
        let (Ok(records), Ok(last_delta)) =
            (u32::try_from(count), u32::try_from(last_offset_delta))
        else {
            return Err(BatchError::Count {
                count,
                last_offset_delta,
            });
        };
        Ok(Self {
            base_offset: i64_at(fixed, 0),
            length,
            leader_epoch: i32_at(fixed, 12),
            crc: u32::from_be_bytes(array_at(fixed, CRC_START)),
            attributes: u16::from_be_bytes(array_at(fixed, ATTRIBUTES_START)),
            last_offset_delta: last_delta,
            base_timestamp: Timestamp::from_millis(i64_at(fixed, 27)),
            max_timestamp: Timestamp::from_millis(i64_at(fixed, MAX_TIMESTAMP_START)),
            producer_id: i64_at(fixed, 43),
            producer_epoch: i16::from_be_bytes(array_at(fixed, 51)),
            base_sequence: i32_at(fixed, 53),
            count: records,
        })
    }

    /// Bytes of the whole batch, header included.
    #[must_use]
    pub const fn total_bytes(&self) -> usize {
        LENGTH_END + self.length as usize
    }

    /// Offsets the batch takes in its queue, and numbers in its producer's sequence; its records
    /// have some of them.
    #[must_use]
    pub const fn offset_count(&self) -> u32 {
        self.last_offset_delta.saturating_add(1)
    }

    /// How the records are compressed.
    ///
    /// # Errors
    /// A codec number above 4.
    pub fn codec(&self) -> Result<Codec, BatchError> {
        Codec::from_attributes(self.attributes)
    }

    /// The base offset as a queue's; `None` when negative.
    #[must_use]
    pub fn base_queue_offset(&self) -> Option<QueueOffset> {
        QueueOffset::from_wire(self.base_offset)
    }

    /// Whether the one timestamp of every record is [`BatchHeader::max_timestamp`].
    #[must_use]
    pub const fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME_BIT != 0
    }

    /// Whether it belongs to a transaction.
    #[must_use]
    pub const fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Whether its one record is a marker and no message.
    #[must_use]
    pub const fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    /// Whether the producer numbers its records.
    #[must_use]
    pub const fn is_idempotent(&self) -> bool {
        self.producer_id >= 0
    }

    /// The last record's sequence number: after 2147483647 comes 0.
    #[must_use]
    pub const fn last_sequence(&self) -> i32 {
        let last = self.base_sequence as i64 + self.last_offset_delta as i64;
        let wrapped = (last & 0x7fff_ffff) as i32;
        if self.base_sequence < 0 { -1 } else { wrapped }
    }

    /// The first 16 bytes of the batch as it is stored: they are outside the checksum.
    #[must_use]
    pub fn patched_prefix(&self, base_offset: QueueOffset, leader_epoch: i32) -> [u8; 16] {
        let mut prefix = [0; PREFIX_BYTES];
        prefix[..8].copy_from_slice(&base_offset.to_wire().to_be_bytes());
        prefix[8..12].copy_from_slice(&self.length.to_be_bytes());
        prefix[12..].copy_from_slice(&leader_epoch.to_be_bytes());
        prefix
    }
}

/// Says of bytes too short for a header what can be said: an absurd length or an old magic first.
fn short(bytes: &[u8]) -> BatchError {
    let declared = bytes.get(8..LENGTH_END).and_then(<[u8]>::first_chunk);
    if let Some(Err(error)) = declared.map(|field| length(i32::from_be_bytes(*field))) {
        return error;
    }
    match bytes.get(PREFIX_BYTES) {
        Some(&magic) if i8::from_be_bytes([magic]) != MAGIC => {
            BatchError::Magic(i8::from_be_bytes([magic]))
        }
        _ => BatchError::TooShort { bytes: bytes.len() },
    }
}

/// A length field that leaves room for the header.
pub(super) fn length(field: i32) -> Result<u32, BatchError> {
    match u32::try_from(field) {
        Ok(length) if length >= LENGTH_MIN => Ok(length),
        _ => Err(BatchError::Length(field)),
    }
}

/// `N` bytes of the header at a position that is always one of the constants above.
fn array_at<const N: usize>(fixed: &[u8; HEADER_BYTES], start: usize) -> [u8; N] {
    let mut field = [0; N];
    if let Some(bytes) = fixed.get(start..start + N) {
        field.copy_from_slice(bytes);
    }
    field
}

fn i32_at(fixed: &[u8; HEADER_BYTES], start: usize) -> i32 {
    i32::from_be_bytes(array_at(fixed, start))
}

fn i64_at(fixed: &[u8; HEADER_BYTES], start: usize) -> i64 {
    i64::from_be_bytes(array_at(fixed, start))
}
