//! What a Kafka producer sent is what a Kafka consumer gets, byte for byte, beside the base offset
//! and the leader epoch, which the checksum does not cover. Spoken over a bare socket: clients
//! do not show the bytes.

use crate::bare::{fetch, produce};
use crate::librdkafka;
use compat_tests::clients::ready;
use compat_tests::gantry::Gantry;
use std::net::TcpStream;

/// Batches of a Java producer, one a codec.
const BATCHES: [&[u8]; 5] = [
    include_bytes!("data/batch-none.bin"),
    include_bytes!("data/batch-gzip.bin"),
    include_bytes!("data/batch-snappy.bin"),
    include_bytes!("data/batch-lz4.bin"),
    include_bytes!("data/batch-zstd.bin"),
];
const BASE_OFFSET: usize = 8;
const LEADER_EPOCH: std::ops::Range<usize> = 12..16;
const LAST_OFFSET_DELTA: std::ops::Range<usize> = 23..27;

#[test]
fn batches_are_fetched_as_they_were_produced() {
    if !ready(&[]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    librdkafka::create_topic(&bootstrap, "verbatim", 1);
    let mut socket = TcpStream::connect(&bootstrap).unwrap();
    let mut next = 0;
    let mut expected = Vec::new();
    for batch in BATCHES {
        assert_eq!(produce(&mut socket, "verbatim", batch), (0, next));
        let mut kept = batch.to_vec();
        kept[..BASE_OFFSET].copy_from_slice(&next.to_be_bytes());
        next += i64::from(i32::from_be_bytes(
            batch[LAST_OFFSET_DELTA].try_into().unwrap(),
        )) + 1;
        expected.push(kept);
    }
    let fetched = fetch(&mut socket, "verbatim", 0);
    let mut rest = fetched.as_slice();
    for kept in &mut expected {
        let (batch, behind) = rest.split_at(kept.len());
        kept[LEADER_EPOCH].copy_from_slice(&batch[LEADER_EPOCH]);
        assert_eq!(batch, kept);
        rest = behind;
    }
    assert!(rest.is_empty());

    // An offset inside a batch gets the whole batch.
    let inside = fetch(&mut socket, "verbatim", 3);
    assert_eq!(inside, fetched);
}
