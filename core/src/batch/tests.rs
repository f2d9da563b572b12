use super::record_batch::put_at;
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

/// Batches that stock producers sent, by file name.
fn golden() -> Vec<(String, Bytes)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/kafka");
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "batch")
        })
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, Bytes::from(std::fs::read(path).unwrap()))
        })
        .collect();
    found.sort();
    found
}

fn golden_named(name: &str) -> Bytes {
    let found = golden()
        .into_iter()
        .find(|(candidate, _)| candidate == name);
    found.unwrap().1
}

fn records_of(bytes: &Bytes) -> Vec<Record> {
    let batch = RecordBatch::stored(bytes.clone()).unwrap();
    let records = batch.records().unwrap();
    records
        .iter()
        .map(|record| record.unwrap().to_record())
        .collect()
}

fn build(records: &[Record], times: TimestampKind, codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::with_capacity(0);
    for record in records {
        builder.push(record).unwrap();
    }
    builder.build(QueueOffset::ZERO, -1, times, codec).unwrap()
}

/// `bytes` with `field` at `start` and the checksum made right again.
fn with_field(bytes: &Bytes, start: usize, field: &[u8]) -> Bytes {
    let mut changed = bytes.to_vec();
    put_at(&mut changed, start, field);
    let crc = crc32c(&changed[21..]);
    put_at(&mut changed, 17, &crc.to_be_bytes());
    changed.into()
}

fn refusal(bytes: Bytes) -> (BatchError, BatchFault) {
    let error = RecordBatch::parse(bytes).unwrap_err();
    (error, error.fault())
}

#[test]
fn batches_of_stock_producers_parse_and_read_whole() {
    let golden = golden();
    assert!(golden.len() >= 25);
    for (name, bytes) in golden {
        let batch = RecordBatch::parse(bytes.clone()).expect(&name);
        assert_eq!(batch.bytes(), &bytes, "{name}");
        let read = records_of(&bytes);
        assert_eq!(read.len(), batch.count() as usize, "{name}");
        let newest = read.iter().map(|record| record.timestamp).max();
        assert_eq!(newest, Some(batch.header().max_timestamp), "{name}");
        assert_eq!(batch.header().base_timestamp, read[0].timestamp, "{name}");
        for index in 0..batch.count() {
            let records = batch.records().unwrap();
            let record = records.record(index).unwrap().to_record();
            assert_eq!(record, read[index as usize], "{name}");
        }
    }
}

#[test]
fn every_codec_of_the_java_producer_gives_the_same_values() {
    let values = |name: &str| -> Vec<_> {
        let read = records_of(&golden_named(name)).into_iter();
        read.map(|record| (record.key, record.value)).collect()
    };
    let plain = values("java-producer-none-0");
    assert_eq!(plain.len(), 10);
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        assert_eq!(
            values(&format!("java-producer-{codec}-0")),
            plain,
            "{codec}"
        );
    }
}

#[test]
fn a_batch_built_of_its_own_records_is_the_same_batch() {
    for name in ["java-producer-none-0", "librdkafka-producer-none-1"] {
        let bytes = golden_named(name);
        let mut built = build(&records_of(&bytes), TimestampKind::Create, Codec::None).to_vec();
        // The leader epoch is outside the checksum, and clients differ in it.
        put_at(&mut built, 12, &bytes[12..16]);
        assert_eq!(built, bytes, "{name}");
    }
}

#[test]
fn a_stored_control_batch_reads_and_no_producer_may_send_one() {
    let marker = include_bytes!("../../testdata/kafka/broker-control-3.stored");
    let bytes = Bytes::from_static(marker);
    let header = *RecordBatch::stored(bytes.clone()).unwrap().header();
    assert!(header.is_control() && header.is_transactional());
    assert_eq!(header.base_queue_offset(), Some(QueueOffset::new(3)));
    assert_eq!(
        records_of(&bytes)[0].key.as_deref(),
        Some(&[0, 0, 0, 1][..])
    );
    let produced = with_field(&bytes, 0, &[0; 8]);
    assert_eq!(
        refusal(produced),
        (BatchError::Control, BatchFault::Invalid)
    );
}

#[test]
fn each_wrong_field_of_a_producer_has_its_answer() {
    use BatchFault::{Corrupt, Invalid, UnsupportedCompression};
    let good = golden_named("java-producer-none-0");
    let cases: [(&str, usize, &[u8], BatchFault); 13] = [
        ("negative length", 8, &[0xff; 4], Corrupt),
        ("tiny length", 8, &[0, 0, 0, 48], Corrupt),
        ("huge length", 8, &[0x7f; 4], Invalid),
        ("magic 0", 16, &[0], Invalid),
        ("magic 1", 16, &[1], Invalid),
        ("magic 3", 16, &[3], Corrupt),
        ("codec 5", 21, &[0, 5], UnsupportedCompression),
        ("count 0", 57, &[0; 4], Invalid),
        ("count -1", 57, &[0xff; 4], Invalid),
        ("count off by one", 57, &[0, 0, 0, 11], Invalid),
        ("last delta -1", 23, &[0xff; 4], Invalid),
        ("offset 99", 0, &[0, 0, 0, 0, 0, 0, 0, 99], Invalid),
        ("no sequence", 43, &[0, 0, 0, 0, 0, 0, 0, 7], Invalid),
    ];
    for (name, start, field, fault) in cases {
        assert_eq!(refusal(with_field(&good, start, field)).1, fault, "{name}");
    }
}

#[test]
fn anything_but_one_whole_batch_has_its_answer() {
    use BatchFault::{Corrupt, Invalid};
    let good = golden_named("java-producer-none-0");
    let old = with_field(&good, 16, &[1]).slice(..40);
    let twice = Bytes::from([&good[..], &good].concat());
    let noise_after = Bytes::from([&good[..], &[0xff; 12]].concat());
    for (name, bytes, fault) in [
        ("no bytes", Bytes::new(), Invalid),
        ("less than a header", good.slice(..60), Invalid),
        ("less than the batch", good.slice(..good.len() - 1), Invalid),
        ("less than a header of magic 1", old, Invalid),
        ("two batches", twice, Invalid),
        ("a batch and an impossible length", noise_after, Corrupt),
    ] {
        assert_eq!(refusal(bytes).1, fault, "{name}");
    }
}

#[test]
fn what_apache_kafka_accepts_is_accepted() {
    let good = golden_named("java-producer-none-0");
    let trailing = Bytes::from([&good[..], &[1, 2, 3]].concat());
    assert_eq!(RecordBatch::parse(trailing).unwrap().bytes(), &good);
    for (start, field) in [
        (21, &[0, 0x80][..]),
        (21, &[0, 8]),
        (35, &[0; 8]),
        (12, &[9; 4]),
    ] {
        assert!(RecordBatch::parse(with_field(&good, start, field)).is_ok());
    }
}

#[test]
fn a_few_bytes_cannot_claim_many_offsets() {
    let million = 1_000_000_u32;
    let claim = |bytes: &Bytes, count: u32| {
        let counted = with_field(bytes, 57, &count.to_be_bytes());
        RecordBatch::parse(with_field(&counted, 23, &(count - 1).to_be_bytes()))
    };
    let plain = golden_named("java-producer-none-0");
    let limit = u32::try_from((plain.len() - HEADER_BYTES) / RECORD_BYTES_MIN).unwrap();
    let count = million;
    let refused = Err(BatchError::TooManyRecords { count, limit });
    assert_eq!(claim(&plain, million), refused);
    let packed = golden_named("java-producer-zstd-0");
    assert!(claim(&packed, RECORDS_MAX + 1).is_err());
    // What it claims within the limit costs nothing but the claim.
    let records = claim(&packed, million).unwrap().records().unwrap();
    assert_eq!(records.iter().filter(Result::is_ok).count(), 10);
    assert_eq!(records.stamps().filter(Result::is_err).count(), 1);
}

#[test]
fn a_flipped_bit_is_found() {
    let good = golden_named("java-producer-gzip-0");
    for position in 17..good.len() {
        let mut flipped = good.to_vec();
        flipped[position] ^= 0x10;
        let (error, fault) = refusal(flipped.into());
        assert!(
            matches!(error, BatchError::Checksum { .. }),
            "byte {position}"
        );
        assert_eq!(fault, BatchFault::Corrupt);
    }
}

#[test]
fn a_bomb_is_refused_by_its_output() {
    let plain = vec![0; DECOMPRESSED_BYTES_MAX + 1];
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let bomb = Bytes::from(codec.compress(&plain).unwrap());
        let limit = DECOMPRESSED_BYTES_MAX;
        let refused = Err(BatchError::DecompressedTooLarge { limit });
        assert_eq!(codec.decompress(bomb), refused, "{codec}");
    }
}

#[test]
fn a_claimed_length_reserves_nothing() {
    // Raw snappy that says it holds 60 MiB, and nothing else.
    let claim = Bytes::from_static(b"\x80\x80\x80\x1e\0");
    let refused = Err(BatchError::Decompress(Codec::Snappy));
    assert_eq!(Codec::Snappy.decompress(claim), refused);
}

#[test]
fn cut_compressed_records_are_refused() {
    let plain: Vec<u8> = (0..100_000_u32)
        .flat_map(|n| n.wrapping_mul(n).to_le_bytes())
        .collect();
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let packed = Bytes::from(codec.compress(&plain).unwrap());
        assert_eq!(codec.decompress(packed.clone()).unwrap(), plain, "{codec}");
        for cut in [0, 1, 7, packed.len() / 2, packed.len() - 1] {
            let result = codec.decompress(packed.slice(..cut));
            assert!(result.is_err(), "{codec} cut at {cut}");
        }
    }
}

#[test]
fn raw_snappy_of_librdkafka_reads_as_xerial_of_java() {
    let record = golden_named("java-producer-none-0");
    let raw = snap::raw::Encoder::new()
        .compress_vec(&record[61..])
        .unwrap();
    assert_eq!(
        Codec::Snappy.decompress(raw.into()).unwrap(),
        record.slice(61..)
    );
}

#[test]
fn log_append_time_changes_every_record_and_keeps_the_batch_valid() {
    for (name, bytes) in golden() {
        let time = Timestamp::from_millis(1_234_567);
        let batch = RecordBatch::parse(bytes)
            .unwrap()
            .with_log_append_time(time);
        assert_eq!(
            RecordBatch::parse(batch.bytes().clone()),
            Ok(batch.clone()),
            "{name}"
        );
        let records = batch.records().unwrap();
        assert!(
            records
                .iter()
                .all(|record| record.unwrap().timestamp == time),
            "{name}"
        );
        assert!(
            records
                .stamps()
                .all(|stamp| stamp.unwrap().timestamp == time),
            "{name}"
        );
    }
}

#[test]
fn a_patched_prefix_moves_a_batch_and_leaves_the_checksum_right() {
    let batch = RecordBatch::parse(golden_named("java-producer-lz4-0")).unwrap();
    let prefix = batch.patched_prefix(QueueOffset::new(1 << 40), 5);
    let moved = Bytes::from([&prefix[..], batch.after_prefix()].concat());
    let header = *RecordBatch::stored(moved.clone()).unwrap().header();
    assert_eq!((header.base_offset, header.leader_epoch), (1 << 40, 5));
    assert_eq!(crc32c(&moved[21..]), header.crc);
    assert_eq!(records_of(&moved), records_of(batch.bytes()));
}

#[test]
fn sequence_numbers_wrap_to_zero() {
    let batch = RecordBatch::parse(golden_named("java-producer-idempotent-0")).unwrap();
    assert_eq!(batch.header().last_sequence(), 4);
    let late = BatchHeader {
        base_sequence: i32::MAX - 1,
        ..*batch.header()
    };
    assert_eq!(late.last_sequence(), 2);
}

#[test]
fn records_out_of_order_or_beyond_their_batch_are_refused() {
    let one = Record {
        value: Some(Bytes::from_static(b"v")),
        ..Record::default()
    };
    let bytes = build(&[one.clone(), one], TimestampKind::Create, Codec::None);
    let fault_of = |bytes: Bytes| {
        let records = RecordBatch::stored(bytes).unwrap().records().unwrap();
        let found = records.iter().find_map(Result::err);
        assert!(found.is_some() && records.iter().count() <= 3);
        found.unwrap()
    };
    // Record 1 starts 9 bytes after record 0: its length, attributes, time, then the offset.
    let delta_at = HEADER_BYTES + 8 + 3;
    assert_eq!(bytes[delta_at], 2);
    for (delta, fault) in [
        (0, RecordFault::OffsetDelta(0)),
        (4, RecordFault::OffsetDelta(2)),
        (1, RecordFault::OffsetDelta(-1)),
    ] {
        let error = fault_of(with_field(&bytes, delta_at, &[delta]));
        assert_eq!(error, BatchError::Record { index: 1, fault });
    }
    let fewer = with_field(&bytes, 57, &[0, 0, 0, 1]);
    let trailing = RecordFault::Trailing;
    assert_eq!(
        fault_of(fewer),
        BatchError::Record {
            index: 1,
            fault: trailing
        }
    );
    let more = with_field(&bytes, 57, &[0, 0, 0, 3]);
    let truncated = RecordFault::Truncated;
    assert_eq!(
        fault_of(more),
        BatchError::Record {
            index: 2,
            fault: truncated
        }
    );
}

#[test]
fn no_mutation_of_a_real_batch_panics() {
    let seeds = golden();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for round in 0..3_000 {
        let seed = &seeds[round % seeds.len()].1;
        let start = [0, HEADER_BYTES][random(2)];
        let mut data = seed[start..].to_vec();
        for _ in 0..=random(4) {
            let at = random(data.len());
            data[at] = [seed[random(seed.len())], 0xff, 0, 0x7f, 0x80][random(5)];
        }
        data.truncate(data.len() - random(2) * random(data.len()));
        fuzz_record_batch(&data);
        if start == 0 && data.len() > HEADER_BYTES {
            fuzz_record_batch(&with_field(&data.into(), 0, &[]));
        }
    }
}

fn arbitrary_bytes() -> impl Strategy<Value = Option<Bytes>> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    proptest::option::of(bytes)
}

fn arbitrary_record() -> impl Strategy<Value = Record> {
    let header = (arbitrary_bytes(), arbitrary_bytes()).prop_map(|(name, value)| Header {
        name: name.unwrap_or_default(),
        value,
    });
    let headers = proptest::collection::vec(header, 0..5);
    let parts = (arbitrary_bytes(), arbitrary_bytes(), headers, any::<i64>());
    parts.prop_map(|(key, value, headers, millis)| Record {
        key,
        value,
        headers,
        timestamp: Timestamp::from_millis(millis),
    })
}

proptest! {
    #[test]
    fn records_read_as_built(
        records in proptest::collection::vec(arbitrary_record(), 1..20),
        codec in proptest::sample::select(&CODECS),
    ) {
        let bytes = build(&records, TimestampKind::Create, codec);
        let batch = RecordBatch::parse(bytes).unwrap();
        prop_assert_eq!(&records_of(batch.bytes()), &records);
        let stamps: Vec<_> = batch.records().unwrap().stamps().map(Result::unwrap).collect();
        for (index, stamp) in (0..).zip(&stamps) {
            prop_assert_eq!(stamp.offset_delta, index);
            prop_assert_eq!(stamp.timestamp, records[index as usize].timestamp);
        }
        let time = Timestamp::from_millis(77);
        let appended = build(&records, TimestampKind::LogAppend(time), codec);
        prop_assert!(records_of(&appended).iter().all(|record| record.timestamp == time));
    }
}
