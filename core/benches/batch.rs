//! What a record batch costs: checksum, header check, walking, reading, building, each codec.
//! `cargo bench -p gantry-core --bench batch -- [records bytes]…`
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints, reads the clock and stops at the first mistake"
)]

mod timing;

use bytes::Bytes;
use gantry_core::batch::{
    BatchBuilder, BatchHeader, Codec, HEADER_BYTES, RecordBatch, TimestampKind, crc32, crc32c,
};
use gantry_core::model::{Header, QueueOffset, Record, Timestamp};
use gantry_core::timers::may_have_delay;
use std::hint::black_box;
use timing::Bench;

/// Records, bytes of each value.
const SIZES: [(usize, usize); 4] = [(1, 1024), (16, 1024), (128, 1024), (1000, 100)];
const CHECKSUM_SIZES: [usize; 6] = [49, 100, 1 << 10, 16 << 10, 128 << 10, 1 << 20];

fn main() {
    let bench = Bench::from_arguments();
    for bytes in CHECKSUM_SIZES {
        checksums(&bench, bytes);
    }
    for (count, bytes) in bench.size_pairs(&SIZES) {
        uncompressed(&bench, count, bytes);
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            compressed(&bench, count, bytes, codec);
        }
    }
}

fn checksums(bench: &Bench, bytes: usize) {
    let data = text(bytes);
    let data = black_box(data.as_slice());
    bench.run(&format!("crc-fast CRC-32C {bytes} B"), 1, bytes, || {
        crc32c(data)
    });
    bench.run(&format!("crc32c   CRC-32C {bytes} B"), 1, bytes, || {
        crc32c::crc32c(data)
    });
    bench.run(&format!("crc-fast CRC-32 {bytes} B"), 1, bytes, || {
        crc_fast::crc32_iso_hdlc(data)
    });
    bench.run(&format!("crc32fast CRC-32 {bytes} B"), 1, bytes, || {
        crc32(data)
    });
}

fn uncompressed(bench: &Bench, count: usize, bytes: usize) {
    let records = records(count, bytes);
    let built = build(&records, Codec::None);
    let batch = RecordBatch::parse(built.clone()).unwrap();
    let size = built.len();
    let name = |what: &str| format!("{what} {count} x {bytes} B");
    bench.run(&name("header"), 1, 61, || {
        BatchHeader::read(black_box(&built))
    });
    bench.run(&name("parse"), count, size, || {
        RecordBatch::parse(black_box(built.clone()))
    });
    let record_bytes = built.slice(HEADER_BYTES..);
    bench.run(&name("search for delays"), count, size, || {
        may_have_delay(black_box(&record_bytes))
    });
    let prefix = || batch.patched_prefix(QueueOffset::new(7), 0);
    bench.run(&name("patched prefix"), 1, 16, prefix);
    bench.run(&name("log append time"), count, size, || {
        batch.with_log_append_time(Timestamp::from_millis(1))
    });
    let read = batch.records().unwrap();
    bench.run(&name("stamps"), count, size, || {
        read.stamps().filter(Result::is_ok).count()
    });
    bench.run(&name("views"), count, size, || {
        read.iter().filter(Result::is_ok).count()
    });
    bench.run(&name("records"), count, size, || {
        let records = read.iter().map(|view| view.unwrap().to_record());
        records.filter(|record| record.value.is_some()).count()
    });
    bench.run(&name("build"), count, size, || build(&records, Codec::None));
}

fn compressed(bench: &Bench, count: usize, bytes: usize, codec: Codec) {
    let records = records(count, bytes);
    let size = build(&records, Codec::None).len();
    let built = build(&records, codec);
    let name = |what: &str| format!("{codec} {what} {count} x {bytes} B");
    let batch = RecordBatch::parse(built.clone()).unwrap();
    bench.run(&name("parse"), count, built.len(), || {
        RecordBatch::parse(black_box(built.clone()))
    });
    bench.run(&name("decompress"), count, size, || batch.records());
    bench.run(&name("decompress, views"), count, size, || {
        batch
            .records()
            .unwrap()
            .iter()
            .filter(Result::is_ok)
            .count()
    });
    bench.run(&name("build"), count, size, || build(&records, codec));
}

fn build(records: &[Record], codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::with_capacity(0);
    for record in records {
        builder.push(record).unwrap();
    }
    builder
        .build(QueueOffset::ZERO, 0, TimestampKind::Create, codec)
        .unwrap()
}

/// Values that compress about as well as JSON does, a key and one header each.
fn records(count: usize, bytes: usize) -> Vec<Record> {
    let text = Bytes::from(text(count * bytes));
    let made = |index: usize| Record {
        key: Some(Bytes::from(format!("key-{index}"))),
        value: Some(text.slice(index * bytes..(index + 1) * bytes)),
        headers: vec![Header {
            name: Bytes::from_static(b"trace"),
            value: Some(Bytes::from_static(b"00-4bf92f3577b34da6")),
        }],
        timestamp: Timestamp::from_millis(1_700_000_000_000 + i64::try_from(index).unwrap()),
    };
    (0..count).map(made).collect()
}

fn text(bytes: usize) -> Vec<u8> {
    let words = [
        "\"price\":",
        "\"name\":",
        "true,",
        "null,",
        "{",
        "}",
        "0",
        "17",
        "4096",
        "ab",
    ];
    let mut state = 0x9e37_79b9_u32;
    let mut text = Vec::with_capacity(bytes + 8);
    while text.len() < bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let word = words
            .get(state as usize >> 16 & 15)
            .copied()
            .unwrap_or("xyzzy");
        text.extend_from_slice(word.as_bytes());
    }
    text.truncate(bytes);
    text
}
