use super::{BatchHeader, Codec, RECORDS_MAX, RecordBatch, Records};
use crate::model::Timestamp;
use bytes::Bytes;

/// Feeds arbitrary bytes to everything that reads a batch: as a whole batch, and as the records
/// of one, behind each codec, which a wrong checksum would otherwise keep out of reach.
#[doc(hidden)]
pub fn fuzz_record_batch(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(batch) = RecordBatch::parse(bytes.clone()) {
        let stamped = batch.with_log_append_time(Timestamp::from_millis(1));
        assert_eq!(
            RecordBatch::parse(stamped.bytes().clone()).as_ref(),
            Ok(&stamped)
        );
        read_all(batch.records());
    }
    if let Ok(batch) = RecordBatch::stored(bytes.clone()) {
        let records = batch.records();
        if let Ok(records) = &records
            && let Ok(rest) = batch.without(records, &[0, 2])
        {
            assert_eq!(
                rest.header().last_sequence(),
                batch.header().last_sequence()
            );
            assert!(rest.count() <= batch.count());
        }
        read_all(records);
    }
    let codecs = [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ];
    for codec in codecs {
        let header = BatchHeader {
            base_offset: 0,
            length: 49,
            leader_epoch: 0,
            crc: 0,
            attributes: 0,
            last_offset_delta: RECORDS_MAX,
            base_timestamp: Timestamp::from_millis(i64::MAX),
            max_timestamp: Timestamp::default(),
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            count: RECORDS_MAX,
        };
        read_all(
            codec
                .decompress(bytes.clone())
                .map(|plain| Records::new(&header, plain)),
        );
    }
}

fn read_all(records: Result<Records, super::BatchError>) {
    let Ok(records) = records else {
        return;
    };
    let mut stamps = records.stamps();
    for (index, record) in (0..).zip(&records) {
        let Ok(record) = record else {
            break;
        };
        let stamp = stamps.next().and_then(Result::ok);
        assert_eq!(stamp.map(|stamp| stamp.timestamp), Some(record.timestamp));
        assert_eq!(record.to_record().headers.len(), record.headers.len());
        if index < 3 {
            assert!(records.record(index).is_ok());
        }
    }
}
