//! What it costs to show one protocol's records to another: record to message, message to
//! record, and runs of messages to a batch.
//! `cargo bench -p gantry-core --bench convert -- [records bytes]…`
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
use gantry_core::batch::{BatchBuilder, Codec, RecordBatch, TimestampKind};
use gantry_core::convert::{message_of, message_of_view, push_message, record_of, tag_of};
use gantry_core::model::{Header, Message, Properties, QueueOffset, Record, SysFlag, Timestamp};
use std::io::Write as _;
use timing::Bench;

/// Records, bytes of each value.
const SIZES: [(usize, usize); 2] = [(100, 1024), (1000, 100)];

fn main() {
    let bench = Bench::from_arguments();
    for (count, bytes) in bench.size_pairs(&SIZES) {
        let plain = header("trace", Some(b"00-4bf92f3577b34da6"));
        for (name, headers) in [
            ("no headers", Vec::new()),
            ("tag", vec![header("TAGS", Some(b"blue"))]),
            (
                "3 headers",
                vec![
                    plain.clone(),
                    header("a", Some(b"1")),
                    header("b", Some(b"2")),
                ],
            ),
            (
                "20 headers",
                (0..20)
                    .map(|n| header(&format!("name-{n}"), Some(b"1")))
                    .collect(),
            ),
            (
                "binary header",
                vec![plain.clone(), header("id", Some(&[0xff; 16]))],
            ),
        ] {
            from_records(&bench, name, count, bytes, &headers);
        }
        from_messages(&bench, count, bytes);
    }
    compressed_bodies(&bench);
}

fn header(name: &str, value: Option<&[u8]>) -> Header {
    Header {
        name: Bytes::copy_from_slice(name.as_bytes()),
        value: value.map(Bytes::copy_from_slice),
    }
}

fn from_records(bench: &Bench, name: &str, count: usize, bytes: usize, headers: &[Header]) {
    let record = Record {
        key: Some(Bytes::from_static(b"order-17")),
        value: Some(Bytes::from(vec![b'x'; bytes])),
        headers: headers.to_vec(),
        timestamp: Timestamp::from_millis(1_700_000_000_000),
    };
    let mut builder = BatchBuilder::with_capacity(0);
    for _ in 0..count {
        builder.push(&record).unwrap();
    }
    let times = TimestampKind::Create;
    let built = builder
        .build(QueueOffset::ZERO, 0, times, Codec::None)
        .unwrap();
    let batch = RecordBatch::parse(built.clone()).unwrap();
    let size = built.len();
    let name = |what: &str| format!("{what}, {name}, {count} x {bytes} B");
    let records = batch.records().unwrap();
    bench.run(&name("batch to messages"), count, size, || {
        let messages = records.iter().map(|view| message_of_view(&view.unwrap()));
        messages.filter(|message| !message.body.is_empty()).count()
    });
    bench.run(&name("tags"), count, size, || {
        records
            .iter()
            .filter(|view| tag_of(view.as_ref().unwrap()).is_some())
            .count()
    });
    let message = message_of(&record);
    bench.run(&name("messages back to batch"), count, size, || {
        let mut builder = BatchBuilder::with_capacity(size);
        for _ in 0..count {
            push_message(&mut builder, &message).unwrap();
        }
        builder.build(QueueOffset::ZERO, 0, times, Codec::None)
    });
}

fn from_messages(bench: &Bench, count: usize, bytes: usize) {
    let native = [
        ("KEYS", "order-17"),
        ("UNIQ_KEY", "7F0000010000000000000000000A0001"),
        ("CLUSTER", "DefaultCluster"),
        ("WAIT", "true"),
        ("TAGS", "blue"),
    ];
    let body = Bytes::from(vec![b'x'; bytes]);
    let mut message = Message::new(body, Timestamp::from_millis(1_700_000_000_000));
    message.properties = Properties::from_pairs(native).unwrap();
    let built = |push: fn(&mut BatchBuilder, &Message)| {
        let mut builder = BatchBuilder::with_capacity(count * (bytes + 150));
        for _ in 0..count {
            push(&mut builder, &message);
        }
        builder.build(QueueOffset::ZERO, 0, TimestampKind::Create, Codec::None)
    };
    let name = |way: &str| format!("native to batch {way}, {count} x {bytes} B");
    bench.run(&name("at once"), count, count * bytes, || {
        built(|builder, message| push_message(builder, message).unwrap())
    });
    bench.run(&name("by records"), count, count * bytes, || {
        built(|builder, message| builder.push(&record_of(message)).unwrap())
    });
    let name = format!("native message to record, {bytes} B");
    bench.run(&name, 1, bytes, || record_of(&message));
}

fn compressed_bodies(bench: &Bench) {
    let plain = "a body that compresses well enough, "
        .repeat(256)
        .into_bytes();
    let level = flate2::Compression::new(5);
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), level);
    zlib.write_all(&plain).unwrap();
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(&plain).unwrap();
    let zstd = zstd::bulk::compress(&plain, 3).unwrap();
    for (name, bits, body) in [
        ("zlib", 0x300, zlib.finish().unwrap()),
        ("lz4", 0x100, lz4.finish().unwrap()),
        ("zstd", 0x200, zstd),
    ] {
        let mut message = Message::new(body.into(), Timestamp::default());
        message.sys_flag = SysFlag::from_bits(SysFlag::COMPRESSED | bits);
        let name = format!("{name} body to record, {} B", plain.len());
        bench.run(&name, 1, plain.len(), || record_of(&message));
    }
}
