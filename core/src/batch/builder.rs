use super::header::{
    ATTRIBUTES_START, CRC_COVERS, CRC_START, HEADER_BYTES, LENGTH_END, LOG_APPEND_TIME_BIT, MAGIC,
};
use super::record_batch::put_at;
use super::records::{put_headers, put_part};
use super::varint::{i32_bytes, i64_bytes, put_i32, put_i64};
use super::{BatchError, Codec, HeaderView, RECORDS_MAX, crc32c};
use crate::model::{QueueOffset, Record, Timestamp};
use bytes::{BufMut, Bytes};

/// What the timestamps of a batch's records mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampKind {
    /// When each was made.
    #[default]
    Create,
    /// All were stored at this time.
    LogAppend(Timestamp),
}

/// Makes one batch of many records, as from a producer that is not idempotent: what a run of
/// other protocols' messages looks like to a Kafka consumer. Offsets rise by one a record.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    bytes: Vec<u8>,
    count: u32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl BatchBuilder {
    /// Makes room for `record_bytes` of keys, values and headers.
    #[must_use]
    pub fn with_capacity(record_bytes: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + record_bytes);
        bytes.resize(HEADER_BYTES, 0);
        Self {
            bytes,
            count: 0,
            base_timestamp: 0,
            max_timestamp: i64::MIN,
        }
    }

    /// Records so far.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Bytes so far, header included, before compression.
    #[must_use]
    pub const fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a record at the next offset.
    ///
    /// # Errors
    /// The batch would pass [`RECORDS_MAX`] or what a length field can say.
    pub fn push(&mut self, record: &Record) -> Result<(), BatchError> {
        let headers = record.headers.iter().map(|header| HeaderView {
            name: &header.name,
            value: header.value.as_deref(),
        });
        self.push_parts(
            record.timestamp,
            record.key.as_deref(),
            record.value.as_deref(),
            headers,
        )
    }

    /// Adds a record of borrowed parts at the next offset. `headers` is walked twice.
    ///
    /// # Errors
    /// As [`BatchBuilder::push`].
    pub fn push_parts<'a>(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl ExactSizeIterator<Item = HeaderView<'a>> + Clone,
    ) -> Result<(), BatchError> {
        let full = BatchError::TooManyRecords {
            count: self.count.saturating_add(1),
            limit: RECORDS_MAX,
        };
        if self.count >= RECORDS_MAX {
            return Err(full);
        }
        if self.count == 0 {
            self.base_timestamp = timestamp.millis();
        }
        let timestamp_delta = timestamp.millis().wrapping_sub(self.base_timestamp);
        let offset_delta = i32::try_from(self.count).unwrap_or(i32::MAX);
        let header_count = i32::try_from(headers.len()).map_err(|_| full)?;
        let header_bytes: usize = headers
            .clone()
            .map(|header| part_bytes(Some(header.name)) + part_bytes(header.value))
            .sum();
        let record_bytes = 1
            + i64_bytes(timestamp_delta)
            + i32_bytes(offset_delta)
            + part_bytes(key)
            + part_bytes(value)
            + i32_bytes(header_count)
            + header_bytes;
        let length = i32::try_from(record_bytes)
            .ok()
            .filter(|_| i32::try_from(self.bytes.len() + record_bytes + 5).is_ok())
            .ok_or(BatchError::DecompressedTooLarge {
                limit: i32::MAX as usize,
            })?;
        let out = &mut self.bytes;
        out.reserve(record_bytes + 5);
        put_i32(out, length);
        out.push(0);
        put_i64(out, timestamp_delta);
        put_i32(out, offset_delta);
        put_part(out, key);
        put_part(out, value);
        put_headers(out, headers);
        self.count += 1;
        self.max_timestamp = self.max_timestamp.max(timestamp.millis());
        Ok(())
    }

    /// The batch, its first record at `base_offset`.
    ///
    /// # Errors
    /// [`BatchError::Count`] when there are no records.
    pub fn build(
        self,
        base_offset: QueueOffset,
        leader_epoch: i32,
        times: TimestampKind,
        codec: Codec,
    ) -> Result<Bytes, BatchError> {
        let Some(last_offset_delta) = self.count.checked_sub(1) else {
            return Err(BatchError::Count {
                count: 0,
                last_offset_delta: -1,
            });
        };
        let mut bytes = match codec {
            Codec::None => self.bytes,
            Codec::Gzip | Codec::Snappy | Codec::Lz4 | Codec::Zstd => {
                let mut bytes = vec![0; HEADER_BYTES];
                let plain = self.bytes.get(HEADER_BYTES..).unwrap_or_default();
                bytes.extend_from_slice(&codec.compress(plain)?);
                bytes
            }
        };
        let (append_time_bit, max_timestamp) = match times {
            TimestampKind::Create => (0, self.max_timestamp),
            TimestampKind::LogAppend(time) => (LOG_APPEND_TIME_BIT, time.millis()),
        };
        let length = u32::try_from(bytes.len() - LENGTH_END).unwrap_or(u32::MAX);
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.put_i64(base_offset.to_wire());
        header.put_u32(length);
        header.put_i32(leader_epoch);
        header.put_i8(MAGIC);
        header.put_u32(0);
        debug_assert_eq!(header.len(), ATTRIBUTES_START);
        header.put_u16(codec.attribute_bits() | append_time_bit);
        header.put_u32(last_offset_delta);
        header.put_i64(self.base_timestamp);
        header.put_i64(max_timestamp);
        // Producer id, epoch and base sequence: none.
        header.put_i64(-1);
        header.put_i16(-1);
        header.put_i32(-1);
        header.put_u32(self.count);
        put_at(&mut bytes, 0, &header);
        let crc = crc32c(bytes.get(CRC_COVERS..).unwrap_or_default());
        put_at(&mut bytes, CRC_START, &crc.to_be_bytes());
        Ok(bytes.into())
    }
}

/// Bytes of a nullable part with its length, for any part a batch can hold.
fn part_bytes(part: Option<&[u8]>) -> usize {
    part.map_or(1, |part| {
        i64_bytes(i64::try_from(part.len()).unwrap_or(i64::MAX)) + part.len()
    })
}
