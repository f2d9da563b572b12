//! Our codec against another one, the `kafka-protocol` crate's, on batches both can express: its
//! headers have UTF-8 names, no two alike.

use super::*;
use crate::model::{Header, QueueOffset, Record, Timestamp};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, Record as OracleRecord, RecordBatchDecoder, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType,
};
use proptest::prelude::*;

fn oracle_record(record: &Record, offset: u64) -> OracleRecord {
    let headers = record.headers.iter().map(|header| {
        let name = StrBytes::try_from(header.name.clone()).unwrap();
        (name, header.value.clone())
    });
    OracleRecord {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 3,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: i64::try_from(offset).unwrap(),
        // Without a producer the crate counts on from -1 by itself and splits what does not.
        sequence: i32::try_from(offset).unwrap() - 1,
        timestamp: record.timestamp.millis(),
        key: record.key.clone(),
        value: record.value.clone(),
        headers: headers.collect(),
    }
}

fn decoded(bytes: &Bytes) -> Vec<OracleRecord> {
    let sets = RecordBatchDecoder::decode_all(&mut bytes.clone()).unwrap();
    sets.into_iter().flat_map(|set| set.records).collect()
}

fn arbitrary_record() -> impl Strategy<Value = Record> {
    let bytes = || {
        let some = proptest::collection::vec(any::<u8>(), 0..100).prop_map(Bytes::from);
        proptest::option::of(some)
    };
    let headers = proptest::collection::btree_map("\\PC{0,9}", bytes(), 0..5);
    (bytes(), bytes(), headers, 0_i64..1 << 42).prop_map(|(key, value, headers, millis)| {
        let header = |(name, value)| Header {
            name: Bytes::from(name),
            value,
        };
        Record {
            key,
            value,
            headers: headers.into_iter().map(header).collect(),
            timestamp: Timestamp::from_millis(millis),
        }
    })
}

proptest! {
    #[test]
    fn the_oracle_reads_what_we_build(
        records in proptest::collection::vec(arbitrary_record(), 1..80),
        base in 0_u64..1 << 30,
    ) {
        let mut builder = BatchBuilder::with_capacity(0);
        for record in &records {
            builder.push(record).unwrap();
        }
        let offset = QueueOffset::new(base);
        let bytes = builder.build(offset, 3, TimestampKind::Create, Codec::None).unwrap();
        for (read, (offset, record)) in decoded(&bytes).iter().zip((base..).zip(&records)) {
            let expected = oracle_record(record, offset);
            prop_assert_eq!(read, &OracleRecord { sequence: read.sequence, ..expected });
        }
        prop_assert_eq!(decoded(&bytes).len(), records.len());
    }

    #[test]
    fn we_read_what_the_oracle_builds(
        records in proptest::collection::vec(arbitrary_record(), 1..80),
    ) {
        let oracle: Vec<_> = (0..).zip(&records).map(|(n, record)| oracle_record(record, n)).collect();
        let mut out = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        RecordBatchEncoder::encode(&mut out, oracle.iter(), &options).unwrap();
        let batch = RecordBatch::parse(out.freeze()).unwrap();
        let read = batch.records().unwrap();
        let read: Vec<_> = read.iter().map(|view| view.unwrap().to_record()).collect();
        prop_assert_eq!(read, records);
    }
}

#[test]
fn both_read_a_stock_producers_batch_alike() {
    let golden = include_bytes!("../../testdata/kafka/java-producer-none-0.batch");
    let bytes = Bytes::from_static(golden);
    let batch = RecordBatch::parse(bytes.clone()).unwrap();
    let ours = batch.records().unwrap();
    for (theirs, (offset, view)) in decoded(&bytes).iter().zip((0..).zip(&ours)) {
        let expected = oracle_record(&view.unwrap().to_record(), offset);
        assert_eq!(
            (&theirs.key, &theirs.value),
            (&expected.key, &expected.value)
        );
        assert_eq!(
            (&theirs.headers, theirs.timestamp),
            (&expected.headers, expected.timestamp)
        );
        assert_eq!(theirs.offset, expected.offset);
    }
}
