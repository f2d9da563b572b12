//! Taking records out of a batch, as Kafka's compaction does: what is left keeps its place in its
//! queue and in its producer's sequence, with gaps where records were.

use super::header::{
    ATTRIBUTES_START, CODEC_BITS, CRC_COVERS, CRC_START, LENGTH_END, MAX_TIMESTAMP_START,
};
use super::record_batch::put_at;
use super::{BatchError, Codec, HEADER_BYTES, RecordBatch, Records, crc32c};

/// Where the record count stands.
const COUNT_START: usize = 57;
/// The greatest timestamp of a batch without records (Kafka's `NO_TIMESTAMP`).
const NO_TIMESTAMP: i64 = -1;

impl RecordBatch {
    /// The batch without those of its `records` whose offset deltas are in `taken`, in rising
    /// order. The others stay byte for byte and are compressed as they were. When all are taken,
    /// a batch of no records is left, as long in offsets.
    ///
    /// # Errors
    /// A record that does not parse.
    pub fn without(&self, records: &Records, taken: &[u32]) -> Result<Self, BatchError> {
        let mut plain = Vec::with_capacity(records.plain_bytes());
        let (mut count, mut newest) = (0_u32, i64::MIN);
        for record in records.encoded() {
            let (stamp, bytes) = record?;
            if taken.binary_search(&stamp.offset_delta).is_err() {
                plain.extend_from_slice(bytes);
                count += 1;
                newest = newest.max(stamp.timestamp.millis());
            }
        }
        let header = self.header();
        let (codec, newest) = match count {
            0 => (Codec::None, NO_TIMESTAMP),
            _ => (header.codec()?, newest),
        };
        let payload = match codec {
            Codec::None => plain,
            Codec::Gzip | Codec::Snappy | Codec::Lz4 | Codec::Zstd => codec.compress(&plain)?,
        };
        let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
        bytes.extend_from_slice(self.bytes().get(..HEADER_BYTES).unwrap_or_default());
        bytes.extend_from_slice(&payload);
        let length = u32::try_from(bytes.len() - LENGTH_END).unwrap_or(u32::MAX);
        let attributes = header.attributes & !CODEC_BITS | codec.attribute_bits();
        put_at(&mut bytes, 8, &length.to_be_bytes());
        put_at(&mut bytes, ATTRIBUTES_START, &attributes.to_be_bytes());
        put_at(&mut bytes, MAX_TIMESTAMP_START, &newest.to_be_bytes());
        put_at(&mut bytes, COUNT_START, &count.to_be_bytes());
        let crc = crc32c(bytes.get(CRC_COVERS..).unwrap_or_default());
        put_at(&mut bytes, CRC_START, &crc.to_be_bytes());
        Self::stored(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BatchBuilder, TimestampKind};
    use super::*;
    use crate::model::{Header, QueueOffset, Record, Timestamp};
    use bytes::Bytes;
    use proptest::prelude::*;

    const CODECS: [Codec; 5] = [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ];

    fn record() -> impl Strategy<Value = Record> {
        let part = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40));
        let header = ("[a-zA-Z_]{0,12}", part());
        let headers = proptest::collection::vec(header, 0..3);
        (part(), part(), headers, 0_i64..1_000_000).prop_map(|(key, value, headers, millis)| {
            let header = |(name, value): (String, Option<Vec<u8>>)| Header {
                name: name.into(),
                value: value.map(Bytes::from),
            };
            Record {
                key: key.map(Bytes::from),
                value: value.map(Bytes::from),
                headers: headers.into_iter().map(header).collect(),
                timestamp: Timestamp::from_millis(millis),
            }
        })
    }

    /// As an idempotent producer sends it.
    fn produced(records: &[Record], codec: Codec) -> RecordBatch {
        let mut builder = BatchBuilder::with_capacity(0);
        for record in records {
            builder.push(record).unwrap();
        }
        let built = builder.build(QueueOffset::ZERO, -1, TimestampKind::Create, codec);
        let mut bytes = built.unwrap().to_vec();
        put_at(&mut bytes, 43, &7_i64.to_be_bytes());
        put_at(&mut bytes, 51, &3_i16.to_be_bytes());
        put_at(&mut bytes, 53, &41_i32.to_be_bytes());
        let crc = crc32c(&bytes[CRC_COVERS..]);
        put_at(&mut bytes, CRC_START, &crc.to_be_bytes());
        RecordBatch::parse(bytes.into()).unwrap()
    }

    fn records_of(batch: &RecordBatch) -> Vec<(u32, Record)> {
        let records = batch.records().unwrap();
        let all = records.iter().map(|record| {
            let record = record.unwrap();
            (record.offset_delta, record.to_record())
        });
        all.collect()
    }

    fn crc_is_right(batch: &RecordBatch) -> bool {
        crc32c(&batch.bytes()[CRC_COVERS..]) == batch.header().crc
    }

    proptest! {
        #[test]
        fn what_is_taken_out_leaves_gaps_and_all_else_as_it_was(
            records in proptest::collection::vec((record(), any::<bool>()), 1..20),
            codec in proptest::sample::select(&CODECS[..]),
        ) {
            let (records, is_taken): (Vec<_>, Vec<_>) = records.into_iter().unzip();
            let batch = produced(&records, codec);
            let deltas = (0_u32..).zip(&is_taken);
            let taken: Vec<u32> = deltas.filter(|(_, taken)| **taken).map(|(at, _)| at).collect();
            let rest = batch.without(&batch.records().unwrap(), &taken).unwrap();
            let expected: Vec<_> = (0_u32..)
                .zip(records)
                .filter(|(at, _)| !taken.contains(at))
                .collect();
            prop_assert_eq!(&records_of(&rest), &expected);
            prop_assert!(crc_is_right(&rest));
            let (was, is) = (batch.header(), rest.header());
            prop_assert_eq!(is.offset_count(), was.count);
            prop_assert_eq!(is.count as usize, expected.len());
            prop_assert_eq!(is.last_sequence(), was.last_sequence());
            prop_assert_eq!(
                (is.producer_id, is.producer_epoch, is.base_sequence, is.base_timestamp),
                (7, 3, 41, was.base_timestamp)
            );
            let newest = expected.iter().map(|(_, record)| record.timestamp.millis()).max();
            prop_assert_eq!(is.max_timestamp.millis(), newest.unwrap_or(-1));
            let kept_codec = if expected.is_empty() { Codec::None } else { codec };
            prop_assert_eq!(is.codec(), Ok(kept_codec));
            prop_assert_eq!(RecordBatch::stored(rest.bytes().clone()), Ok(rest));
        }
    }

    #[test]
    fn a_batch_of_append_time_keeps_it() {
        let records = [Record::default(), Record::default()];
        let time = Timestamp::from_millis(9_000);
        let batch = produced(&records, Codec::Lz4).with_log_append_time(time);
        let rest = batch.without(&batch.records().unwrap(), &[0]).unwrap();
        assert!(rest.header().is_log_append_time() && crc_is_right(&rest));
        assert_eq!(records_of(&rest)[0].1.timestamp, time);
    }
}
