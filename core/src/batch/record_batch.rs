use super::header::{
    ATTRIBUTES_START, CRC_COVERS, CRC_START, LENGTH_END, LOG_APPEND_TIME_BIT, MAX_TIMESTAMP_START,
    length,
};
use super::{
    BatchError, BatchHeader, Codec, DECOMPRESSED_BYTES_MAX, HEADER_BYTES, Records, crc32c,
};
use crate::model::{QueueOffset, Timestamp};
use bytes::{BufMut, Bytes, BytesMut};

/// The shortest record: length, attributes, timestamp and offset deltas, key and value lengths,
/// header count, one byte each.
pub const RECORD_BYTES_MIN: usize = 7;

/// Most records of one batch: what fills the most bytes a batch may decompress to. Without it a
/// hundred compressed bytes could claim 2^31 offsets of a queue.
#[expect(clippy::cast_possible_truncation, reason = "9,586,980")]
pub const RECORDS_MAX: u32 = (DECOMPRESSED_BYTES_MAX / RECORD_BYTES_MIN) as u32;

/// A checked batch of a producer: header sane, CRC right. Its records are never decoded on the
/// way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordBatch {
    bytes: Bytes,
    header: BatchHeader,
}

impl RecordBatch {
    /// Checks the one batch a producer sent for one partition, as Apache Kafka does, without
    /// looking at its records. Fewer bytes after it than another batch are dropped, which Apache
    /// does too.
    ///
    /// # Errors
    /// What is wrong with it, the checksum before what it covers.
    pub fn parse(bytes: Bytes) -> Result<Self, BatchError> {
        let header = BatchHeader::read(&bytes)?;
        let bytes = one_batch(bytes, header.total_bytes())?;
        let computed = crc32c(bytes.get(CRC_COVERS..).unwrap_or_default());
        if computed != header.crc {
            return Err(BatchError::Checksum {
                declared: header.crc,
                computed,
            });
        }
        check_produced(&header)?;
        Ok(Self { bytes, header })
    }

    /// A batch that was checked before it was stored, read back from a record whose own checksum
    /// or position vouches for it. Costs the reading of 61 bytes.
    ///
    /// # Errors
    /// The header is none, or the bytes are not as many as it says.
    pub fn stored(bytes: Bytes) -> Result<Self, BatchError> {
        let header = BatchHeader::read(&bytes)?;
        let expected = header.total_bytes();
        if bytes.len() != expected {
            return Err(BatchError::Truncated {
                expected,
                bytes: bytes.len(),
            });
        }
        Ok(Self { bytes, header })
    }

    /// The batch's bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its fixed fields.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Records in it. A queue's offset advances by [`BatchHeader::offset_count`].
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.header.count
    }

    /// The first 16 bytes as they are stored, to be written before
    /// [`RecordBatch::after_prefix`].
    #[must_use]
    pub fn patched_prefix(&self, base_offset: QueueOffset, leader_epoch: i32) -> [u8; 16] {
        self.header.patched_prefix(base_offset, leader_epoch)
    }

    /// Everything from the magic on: what a broker keeps as the producer sent it.
    #[must_use]
    pub fn after_prefix(&self) -> &[u8] {
        self.bytes
            .get(super::header::PREFIX_BYTES..)
            .unwrap_or_default()
    }

    /// The batch as a topic with `message.timestamp.type=LogAppendTime` stores it: every record
    /// counts as made at `time`. Copies it, since the checksum covers the attributes.
    #[must_use]
    pub fn with_log_append_time(&self, time: Timestamp) -> Self {
        let attributes = self.header.attributes | LOG_APPEND_TIME_BIT;
        let mut bytes = BytesMut::with_capacity(self.bytes.len());
        bytes.put_slice(&self.bytes);
        put_at(&mut bytes, ATTRIBUTES_START, &attributes.to_be_bytes());
        put_at(
            &mut bytes,
            MAX_TIMESTAMP_START,
            &time.millis().to_be_bytes(),
        );
        let crc = crc32c(bytes.get(CRC_COVERS..).unwrap_or_default());
        put_at(&mut bytes, CRC_START, &crc.to_be_bytes());
        Self {
            bytes: bytes.freeze(),
            header: BatchHeader {
                attributes,
                max_timestamp: time,
                crc,
                ..self.header
            },
        }
    }

    /// The records, decompressed where they are compressed.
    ///
    /// # Errors
    /// They do not decompress, or to more than [`DECOMPRESSED_BYTES_MAX`].
    pub fn records(&self) -> Result<Records, BatchError> {
        let payload = self.bytes.slice(HEADER_BYTES..);
        let codec = self.header.codec()?;
        Ok(Records::new(&self.header, codec.decompress(payload)?))
    }
}

pub(super) fn put_at(bytes: &mut [u8], start: usize, field: &[u8]) {
    if let Some(target) = bytes.get_mut(start..start + field.len()) {
        target.copy_from_slice(field);
    }
}

/// Cuts the batch of `expected` bytes off what came. A complete batch after it is an error, less
/// than that is nothing.
fn one_batch(mut bytes: Bytes, expected: usize) -> Result<Bytes, BatchError> {
    if bytes.len() == expected {
        return Ok(bytes);
    }
    if bytes.len() < expected {
        return Err(BatchError::Truncated {
            expected,
            bytes: bytes.len(),
        });
    }
    let rest = bytes.split_off(expected);
    let declared = rest.get(8..LENGTH_END).and_then(<[u8]>::first_chunk);
    if let Some(field) = declared {
        let next = length(i32::from_be_bytes(*field))?;
        if u64::try_from(rest.len()).is_ok_and(|left| left >= u64::from(next) + 12) {
            return Err(BatchError::MoreThanOne);
        }
    }
    Ok(bytes)
}

/// The rules for a producer's header, beyond those [`BatchHeader::read`] holds.
fn check_produced(header: &BatchHeader) -> Result<(), BatchError> {
    let codec = header.codec()?;
    if header.count == 0 || header.count - 1 != header.last_offset_delta {
        return Err(BatchError::Count {
            count: i32::try_from(header.count).unwrap_or(i32::MAX),
            last_offset_delta: i32::try_from(header.last_offset_delta).unwrap_or(i32::MAX),
        });
    }
    let limit = match codec {
        Codec::None => (header.total_bytes() - HEADER_BYTES) / RECORD_BYTES_MIN,
        Codec::Gzip | Codec::Snappy | Codec::Lz4 | Codec::Zstd => usize::MAX,
    };
    let limit = u32::try_from(limit).map_or(RECORDS_MAX, |limit| limit.min(RECORDS_MAX));
    if header.count > limit {
        return Err(BatchError::TooManyRecords {
            count: header.count,
            limit,
        });
    }
    if header.base_offset != 0 {
        return Err(BatchError::BaseOffset(header.base_offset));
    }
    if header.is_control() {
        return Err(BatchError::Control);
    }
    if header.is_idempotent() && (header.base_sequence < 0 || header.producer_epoch < 0) {
        return Err(BatchError::Sequence {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
        });
    }
    Ok(())
}
