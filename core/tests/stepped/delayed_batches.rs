//! Kafka records that are delivered later.

use crate::files::copy;
use crate::store::{START, Store};
use bytes::Bytes;
use gantry_core::batch::{BatchBuilder, Codec, RecordBatch, TimestampKind, crc32c};
use gantry_core::model::{Header, PhysicalOffset, QueueId, QueueOffset, Record, Timestamp};
use gantry_core::record::RecordView;
use gantry_core::{Error, FetchQueue, Fetched, Payload, Receipt};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// A value and its headers.
type Sent<'a> = (&'a str, &'a [(&'a str, &'a [u8])]);

const LATER: &[(&str, &[u8])] = &[("DELAY", b"2"), ("colour", b"red")];
const THREE: &[Sent<'static>] = &[("a", &[]), ("b", LATER), ("c", &[("k", b"v")])];

impl Store {
    fn send_batch(&self, topic: &str, batch: &RecordBatch) -> Result<Receipt, Error> {
        self.produce(topic, Payload::Batch(batch.clone()))
    }

    fn fetch(&self, topic: &str, offset: u64) -> Fetched {
        let wanted = FetchQueue {
            topic: self.topic(topic),
            queue: QueueId::new(0),
            offset: QueueOffset::new(offset),
            bytes_max: 1 << 20,
            messages_max: u32::MAX,
            filter: None,
        };
        self.client()
            .fetch_now(&[wanted], 1 << 20)
            .remove(0)
            .unwrap()
    }

    /// What a RocketMQ consumer reads.
    fn native(&self, topic: &str) -> Vec<(u64, String)> {
        let (mut found, mut offset) = (Vec::new(), QueueOffset::ZERO);
        loop {
            let fetched = self.fetch(topic, offset.get());
            if fetched.records.is_empty() {
                return found;
            }
            let messages = self.client().messages(&fetched, offset, u32::MAX, None);
            let (views, next) = messages.unwrap();
            for view in views {
                let body = RecordView::parse(&view.bytes).unwrap().body().to_vec();
                found.push((view.offset.get(), String::from_utf8(body).unwrap()));
            }
            assert!(next > offset, "a reader goes on");
            offset = next;
        }
    }

    /// What a Kafka consumer reads: checked batches, their offsets without a hole between them.
    fn kafka(&self, topic: &str) -> Vec<(u64, String)> {
        let (mut found, mut offset) = (Vec::new(), 0);
        loop {
            let fetched = self.fetch(topic, offset);
            if fetched.records.is_empty() {
                return found;
            }
            for bytes in self.client().batches(&fetched).unwrap() {
                let batch = RecordBatch::stored(bytes.clone()).unwrap();
                let header = *batch.header();
                assert_eq!(crc32c(&bytes[21..]), header.crc);
                assert_eq!(header.base_offset as u64, offset);
                for record in &batch.records().unwrap() {
                    let record = record.unwrap();
                    let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                    found.push((offset + u64::from(record.offset_delta), value));
                }
                offset += u64::from(header.offset_count());
            }
            assert_eq!(offset, fetched.next_offset.get());
        }
    }

    /// What both read, which is the same.
    fn read(&self, topic: &str) -> Vec<(u64, String)> {
        let native = self.native(topic);
        assert_eq!(native, self.kafka(topic));
        native
    }
}

/// A producer's batch; `sequence` is an idempotent one's.
fn batch(sent: &[Sent<'_>], codec: Codec, sequence: Option<i32>) -> RecordBatch {
    let mut builder = BatchBuilder::with_capacity(1024);
    for (value, headers) in sent {
        let header = |(name, value): &(&str, &[u8])| Header {
            name: Bytes::copy_from_slice(name.as_bytes()),
            value: Some(Bytes::copy_from_slice(value)),
        };
        let record = Record {
            key: Some(Bytes::from(format!("key-{value}"))),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
            headers: headers.iter().map(header).collect(),
            timestamp: Timestamp::from_millis(START),
        };
        builder.push(&record).unwrap();
    }
    let built = builder.build(QueueOffset::ZERO, -1, TimestampKind::Create, codec);
    let mut bytes = built.unwrap().to_vec();
    if let Some(sequence) = sequence {
        bytes[43..51].copy_from_slice(&9_i64.to_be_bytes());
        bytes[51..53].copy_from_slice(&0_i16.to_be_bytes());
        bytes[53..57].copy_from_slice(&sequence.to_be_bytes());
        let crc = crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    RecordBatch::parse(bytes.into()).unwrap()
}

fn plain(sent: &[Sent<'_>]) -> RecordBatch {
    batch(sent, Codec::None, None)
}

fn places(found: &[(u64, &str)]) -> Vec<(u64, String)> {
    let owned = found.iter();
    owned
        .map(|(at, value)| (*at, (*value).to_owned()))
        .collect()
}

#[test]
fn delayed_records_come_at_their_time_and_the_others_at_once() {
    let mut store = Store::new(|_| {});
    let receipt = store.send_batch("t", &plain(THREE)).unwrap();
    assert_eq!(receipt.base_offset.get(), 0);
    assert_eq!(
        receipt.range.end.get(),
        3,
        "offsets go on as if all were there"
    );
    store.send_batch("t", &plain(&[("d", &[])])).unwrap();
    store.steps.relay();
    store.relay_after(4_999);
    assert_eq!(store.read("t"), places(&[(0, "a"), (2, "c"), (3, "d")]));
    store.relay_after(1);
    let all = [(0, "a"), (2, "c"), (3, "d"), (4, "b")];
    assert_eq!(store.read("t"), places(&all));
    let fetched = store.fetch("t", 4);
    let record = RecordView::parse(&fetched.records[0].bytes).unwrap();
    assert_eq!(record.properties().value("colour"), Some("red"));
    assert_eq!(record.properties().value("KEYS"), Some("key-b"));
    assert_eq!(record.born_at().millis(), START);
}

#[test]
fn each_kind_of_delay_is_kept() {
    let mut store = Store::new(|_| {});
    let at = (START + 3_000).to_string();
    let sent: [Sent<'_>; 5] = [
        ("seconds", &[("TIMER_DELAY_SEC", b"1")]),
        ("millis", &[("TIMER_DELAY_MS", b"2000")]),
        ("at", &[("TIMER_DELIVER_MS", at.as_bytes())]),
        ("ons", &[("__STARTDELIVERTIME", at.as_bytes())]),
        ("past", &[("TIMER_DELIVER_MS", b"1")]),
    ];
    store.send_batch("t", &plain(&sent)).unwrap();
    assert_eq!(store.read("t"), places(&[(4, "past")]));
    for expected in [2, 3, 5] {
        store.relay_after(1_000);
        assert_eq!(store.read("t").len(), expected);
    }
}

#[test]
fn a_batch_that_is_all_delayed_leaves_its_offsets_and_nobody_is_stuck_at_them() {
    for derived in [true, false] {
        let mut store = Store::new(|_| {});
        store
            .send_batch("t", &plain(&[("x", LATER), ("y", LATER)]))
            .unwrap();
        assert_eq!(store.read("t"), []);
        let fetched = store.fetch("t", 1);
        assert_eq!((fetched.next_offset.get(), fetched.records.len()), (2, 1));
        assert_eq!(fetched.records[0].count, 2);
        store.send_batch("t", &plain(&[("z", &[])])).unwrap();
        store.reopen(derived);
        let topic = store.topic("t");
        let zero = Timestamp::from_millis(0);
        let first = store
            .client()
            .offset_at(&topic, QueueId::new(0), zero)
            .unwrap();
        assert_eq!(first.unwrap().0.get(), 2);
        let newest = store
            .client()
            .offset_of_max_timestamp(&topic, QueueId::new(0));
        assert_eq!(newest.unwrap().unwrap().0.get(), 2);
        store.relay_after(5_000);
        assert_eq!(store.read("t"), places(&[(2, "z"), (3, "x"), (4, "y")]));
    }
}

#[test]
fn what_was_not_delayed_is_stored_as_it_was_sent() {
    let store = Store::new(|_| {});
    let sent: [Sent<'_>; 2] = [
        ("\x0aDELAY\x022", &[]),
        ("past", &[("TIMER_DELIVER_MS", b"1"), ("DELAY", b"0")]),
    ];
    for codec in [Codec::None, Codec::Lz4] {
        let batch = batch(&sent, codec, None);
        let offset = store.send_batch("t", &batch).unwrap().base_offset.get();
        let stored = store.fetch("t", offset);
        let stored = store.client().batches(&stored).unwrap().remove(0);
        assert_eq!(stored[16..], batch.bytes()[16..]);
    }
}

#[test]
fn a_bad_delay_refuses_the_whole_batch_and_its_place_in_the_sequence() {
    let store = Store::new(|config| config.timers.batch_bytes_max = 100_000);
    let long = "x".repeat(30_000);
    let bulky = "x".repeat(60_000);
    let headers = [
        ("DELAY", &b"2"[..]),
        ("bin", &[0xff][..]),
        ("long", long.as_bytes()),
    ];
    let bad: [&[Sent<'_>]; 6] = [
        &[("a", &[]), ("b", &[("DELAY", b"soon")])],
        &[("a", LATER), ("b", &[("TIMER_DELAY_SEC", b"259201")])],
        &[("a", &[("DELAY", &[0, 0, 0, 2])])],
        &[("a", &[]), ("b", &[("TIMER_DELAY_MS", b"\xff")])],
        // As a message it would lose some of it.
        &[("a", &headers)],
        &[(&bulky, LATER), (&bulky, LATER)],
    ];
    for sent in bad {
        let refused = store.send_batch("t", &batch(sent, Codec::None, Some(0)));
        let is_refused = matches!(
            refused,
            Err(Error::Invalid(_) | Error::MessageTooLarge { .. })
        );
        assert!(is_refused, "{refused:?}");
    }
    assert_eq!(store.read("t"), []);
    assert!(
        store
            .client()
            .topic("rmq_sys_wheel_timer")
            .is_none_or(|topic| {
                let range = store
                    .client()
                    .offset_range(&topic, QueueId::new(0))
                    .unwrap();
                range.start == range.end
            })
    );
    store
        .send_batch("t", &batch(THREE, Codec::None, Some(0)))
        .unwrap();
}

#[test]
fn compressed_batches_are_looked_into_where_the_topic_expects_delays() {
    for kind in ["DELAY", "MIXED", "NORMAL"] {
        let mut store = Store::new(|_| {});
        store.topic_with("t", &[("message.type", kind)]);
        for codec in CODECS {
            store.send_batch("t", &batch(THREE, codec, None)).unwrap();
            let fetched = store.fetch("t", 0);
            let stored = store.client().batches(&fetched).unwrap().pop().unwrap();
            let stored = RecordBatch::stored(stored).unwrap();
            assert_eq!(stored.header().codec(), Ok(codec));
        }
        let expected = if kind == "NORMAL" { 12 } else { 8 };
        assert_eq!(store.read("t").len(), expected, "{kind}");
        store.relay_after(5_000);
        assert_eq!(store.read("t").len(), 12, "{kind}");
    }
}

#[test]
fn a_retry_is_found_whatever_became_of_its_delays_and_the_sequence_goes_on() {
    for derived in [true, false] {
        let mut store = Store::new(|_| {});
        let first = batch(THREE, Codec::None, Some(0));
        let second = batch(&[("x", LATER)], Codec::None, Some(3));
        let third = batch(&[("y", &[])], Codec::None, Some(4));
        for batch in [&first, &second] {
            assert!(!store.send_batch("t", batch).unwrap().is_duplicate);
            assert!(store.send_batch("t", batch).unwrap().is_duplicate);
        }
        store.reopen(derived);
        store.relay_after(5_000);
        for (batch, base) in [(&first, 0), (&second, 3)] {
            let again = store.send_batch("t", batch).unwrap();
            assert_eq!((again.is_duplicate, again.base_offset.get()), (true, base));
        }
        let gap = store.send_batch("t", &batch(&[("z", LATER)], Codec::None, Some(6)));
        assert!(
            matches!(gap, Err(Error::OutOfOrderSequence { .. })),
            "{gap:?}"
        );
        store.send_batch("t", &third).unwrap();
        store.relay_after(5_000);
        let all = [(0, "a"), (2, "c"), (4, "b"), (5, "x"), (6, "y")];
        assert_eq!(store.read("t"), places(&all));
    }
}

#[test]
fn what_waits_survives_and_comes_once() {
    for derived in [true, false] {
        let mut store = Store::new(|_| {});
        for number in 0..20 {
            let delay = ((number + 1) * 1_000).to_string();
            let headers: &[(&str, &[u8])] = &[("TIMER_DELAY_MS", delay.as_bytes())];
            let now = format!("now-{number}");
            let later = format!("later-{number}");
            store
                .send_batch("t", &plain(&[(&later, headers), (&now, &[])]))
                .unwrap();
        }
        store.relay_after(10_000);
        assert_eq!(store.read("t").len(), 30);
        store.reopen(derived);
        store.steps.relay();
        assert_eq!(store.read("t").len(), 30, "each once");
        store.keep();
        store.reopen(derived);
        store.relay_after(10_000);
        let mut values: Vec<_> = store
            .read("t")
            .into_iter()
            .map(|(_, value)| value)
            .collect();
        assert_eq!(values.len(), 40);
        values.sort();
        values.dedup();
        assert_eq!(values.len(), 40, "each once");
    }
}

/// Zeroes the log from `position` on, as if it had not been written.
fn cut(directory: &Path, position: PhysicalOffset) {
    let log = directory.join("commitlog");
    let mut segments: Vec<_> = std::fs::read_dir(log)
        .unwrap()
        .map(|it| it.unwrap())
        .collect();
    segments.sort_by_key(std::fs::DirEntry::file_name);
    let path = segments[0].path();
    let length = path.metadata().unwrap().len();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    let rest = vec![0; (length - position.get()) as usize];
    file.write_all_at(&rest, position.get()).unwrap();
}

#[test]
fn a_crash_between_the_delayed_records_and_their_batch_loses_nothing() {
    let mut store = Store::new(|_| {});
    let sent = batch(THREE, Codec::None, Some(0));
    let position = store.send_batch("t", &sent).unwrap().position;
    store.reopen_spoiled(true, |image| cut(image, position));
    assert_eq!(store.read("t"), [], "the batch is not there");
    assert!(!store.send_batch("t", &sent).unwrap().is_duplicate);
    store.relay_after(5_000);
    let values: Vec<_> = store
        .read("t")
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    assert_eq!(values, ["a", "c", "b", "b"], "at worst twice");
}

#[test]
fn what_waits_is_found_by_key_and_the_store_is_whole() {
    let mut store = Store::new(|_| {});
    let times = Timestamp::from_millis(0)..Timestamp::from_millis(i64::MAX);
    for round in 0..40 {
        store.send_batch("t", &plain(THREE)).unwrap();
        store.send_batch("t", &plain(&[("only", LATER)])).unwrap();
        if round == 0 {
            let found = |topic: &str, key: &str| {
                let found = store.client().query_key(topic, key, &times, 32);
                found.len()
            };
            assert_eq!(found("rmq_sys_wheel_timer", "key-b"), 1);
            assert_eq!((found("t", "key-b"), found("t", "key-c")), (0, 1));
        }
        store.relay_after(700);
        store.keep();
    }
    let mut findings = Vec::new();
    let image = tempfile::tempdir().unwrap();
    copy(store.directory.path(), image.path());
    let inspection = gantry_core::inspect::Inspection::open(image.path()).unwrap();
    let verified = inspection.verify(&mut |finding| findings.push(finding), &mut |_| {});
    assert!(findings.is_empty(), "{findings:?}");
    assert!(verified.indexes > 1 && store.now().millis() > START);
}
