//! Records with a header that asks for a later delivery.

use crate::fetch::{fetch_request, records};
use crate::peer::{Host, Peer, now};
use crate::produce::produce;
use crate::topics::create;
use bytes::Bytes;
use gantry_core::batch::{BatchBuilder, Codec, RecordBatch, TimestampKind, crc32c};
use gantry_core::model::{Header, QueueOffset, Record};

/// A batch of values, some with a header, of an idempotent producer at `sequence`.
fn batch(sent: &[(&str, Option<(&str, &str)>)], sequence: i32) -> Bytes {
    let mut builder = BatchBuilder::with_capacity(0);
    for (value, header) in sent {
        let header = header.map(|(name, value)| Header {
            name: Bytes::from(name.to_owned()),
            value: Some(Bytes::from(value.to_owned())),
        });
        let record = Record {
            key: None,
            value: Some(Bytes::from((*value).to_owned())),
            headers: header.into_iter().collect(),
            timestamp: now(),
        };
        builder.push(&record).unwrap();
    }
    let built = builder.build(QueueOffset::ZERO, -1, TimestampKind::Create, Codec::None);
    let mut bytes = built.unwrap().to_vec();
    bytes[43..51].copy_from_slice(&5_i64.to_be_bytes());
    bytes[51..53].copy_from_slice(&0_i16.to_be_bytes());
    bytes[53..57].copy_from_slice(&sequence.to_be_bytes());
    let crc = crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

/// Offsets and values, and where to go on, as a client reads them.
fn read(mut bytes: Bytes) -> (Vec<(i64, String)>, i64) {
    let (mut found, mut next) = (Vec::new(), 0);
    while !bytes.is_empty() {
        let size = 12 + u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
        let batch = RecordBatch::stored(bytes.split_to(size)).unwrap();
        let header = batch.header();
        assert_eq!(header.crc, crc32c(&batch.bytes()[21..]), "clients check it");
        for record in &batch.records().unwrap() {
            let record = record.unwrap();
            let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
            found.push((header.base_offset + i64::from(record.offset_delta), value));
        }
        next = header.base_offset + i64::from(header.offset_count());
    }
    (found, next)
}

fn places(found: &[(i64, &str)]) -> Vec<(i64, String)> {
    let owned = found.iter();
    owned
        .map(|(at, value)| (*at, (*value).to_owned()))
        .collect()
}

/// What comes at `offset`, waited for.
async fn awaited(peer: &mut Peer, offset: i64) -> (Vec<(i64, String)>, i64) {
    let request = fetch_request("t", 0, offset).with_max_wait_ms(20_000);
    let response = peer.call(12, &request).await;
    let part = &response.responses[0].partitions[0];
    assert_eq!(part.error_code, 0);
    read(part.records.clone().unwrap())
}

#[tokio::test]
async fn a_delayed_record_is_fetched_late_and_the_others_at_once() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    let later = Some(("TIMER_DELAY_MS", "1500"));
    let sent = [("a", None), ("late", later), ("b", None)];
    let answer = produce(&mut peer, "t", 0, batch(&sent, 0)).await;
    assert_eq!((answer.error_code, answer.base_offset), (0, 0));
    let (found, next) = read(records(&mut peer, "t", 0, 0).await);
    assert_eq!((found, next), (places(&[(0, "a"), (2, "b")]), 3));
    // Nothing is left of a batch but its offsets.
    let answer = produce(&mut peer, "t", 0, batch(&[("later", later)], 3)).await;
    assert_eq!((answer.error_code, answer.base_offset), (0, 3));
    assert_eq!(awaited(&mut peer, 3).await, (Vec::new(), 4));
    // A retry is one, and the producer goes on.
    let again = produce(&mut peer, "t", 0, batch(&sent, 0)).await;
    assert_eq!((again.error_code, again.base_offset), (0, 0));
    let answer = produce(&mut peer, "t", 0, batch(&[("c", None)], 4)).await;
    assert_eq!((answer.error_code, answer.base_offset), (0, 4));
    let (mut found, mut next) = (Vec::new(), 4);
    while found.len() < 3 {
        let (came, end) = awaited(&mut peer, next).await;
        assert!(!came.is_empty(), "in time");
        found.extend(came);
        next = end;
    }
    assert_eq!(found, places(&[(4, "c"), (5, "late"), (6, "later")]));
}

#[tokio::test]
async fn a_delay_that_is_none_refuses_its_batch() {
    let host = Host::new();
    let mut peer = host.connect();
    create(&mut peer, "t", 1).await;
    for delay in [("DELAY", "soon"), ("TIMER_DELAY_SEC", "259201")] {
        let sent = [("a", None), ("b", Some(delay))];
        let answer = produce(&mut peer, "t", 0, batch(&sent, 0)).await;
        assert_eq!(answer.error_code, 87, "INVALID_RECORD");
        assert!(answer.error_message.is_some());
    }
    let answer = produce(&mut peer, "t", 0, batch(&[("c", None)], 0)).await;
    assert_eq!((answer.error_code, answer.base_offset), (0, 0));
}
