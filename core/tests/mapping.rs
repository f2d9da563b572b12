//! What `docs/mapping.md` promises, through the log: what one protocol stored, another reads.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use bytes::Bytes;
use gantry_core::batch::{BatchBuilder, Codec, RecordBatch, TimestampKind, crc32c};
use gantry_core::convert::{message_of, record_of};
use gantry_core::model::{
    Header, Message, Properties, QueueId, QueueOffset, Record, SystemClock, Timestamp, TopicName,
};
use gantry_core::record::RecordView;
use gantry_core::{
    Broker, Client, Config, Durability, FetchQueue, Fetched, Payload, ProduceItem, Topic,
};
use std::sync::Arc;

struct Log {
    client: Client,
    topic: Arc<Topic>,
    _directory: tempfile::TempDir,
}

impl Log {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.store.segment_bytes = 1 << 20;
        let broker = Broker::open(directory.path(), config, Arc::new(SystemClock)).unwrap();
        let client = broker.anonymous();
        let name = TopicName::new("mapped").unwrap();
        Self {
            topic: client.topic_or_create(&name, Some(1)).unwrap(),
            client,
            _directory: directory,
        }
    }

    fn produce(&self, payload: Payload) -> u64 {
        let item = ProduceItem {
            topic: Arc::clone(&self.topic),
            queue: QueueId::new(0),
            payload,
            also: Vec::new(),
        };
        let receipts = self.client.produce(vec![item], Durability::Appended);
        receipts
            .into_iter()
            .next()
            .unwrap()
            .unwrap()
            .base_offset
            .get()
    }

    fn fetch(&self, offset: u64) -> Fetched {
        let queue = FetchQueue {
            topic: Arc::clone(&self.topic),
            queue: QueueId::new(0),
            offset: QueueOffset::new(offset),
            bytes_max: 16 << 20,
            messages_max: u32::MAX,
            filter: None,
        };
        let fetched = self.client.fetch_now(&[queue], 16 << 20);
        fetched.into_iter().next().unwrap().unwrap()
    }

    /// Every message from the start with its offset, as a RocketMQ reader gets it.
    fn messages(&self) -> Vec<(u64, Message)> {
        let fetched = self.fetch(0);
        let from = QueueOffset::ZERO;
        let (views, next) = self
            .client
            .messages(&fetched, from, u32::MAX, None)
            .unwrap();
        assert_eq!(next, fetched.range.end);
        let parsed = views.iter().map(|view| {
            let record = RecordView::parse(&view.bytes).unwrap();
            (view.offset.get(), record.to_message())
        });
        parsed.collect()
    }

    /// Every record from the start with its offset, as a Kafka reader gets it.
    fn records(&self) -> Vec<(u64, Record)> {
        let mut records = Vec::new();
        for bytes in self.client.batches(&self.fetch(0)).unwrap() {
            let batch = RecordBatch::stored(bytes).unwrap();
            assert_eq!(batch.header().crc, crc32c(&batch.bytes()[21..]));
            let base = batch.header().base_queue_offset().unwrap();
            for view in &batch.records().unwrap() {
                let view = view.unwrap();
                let offset = base.advance(u64::from(view.offset_delta)).get();
                records.push((offset, view.to_record()));
            }
        }
        records
    }
}

fn golden() -> Vec<(String, Bytes)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/kafka");
    let paths = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let batches = paths.filter(|path| path.extension().is_some_and(|kind| kind == "batch"));
    let mut found: Vec<_> = batches
        .map(|path| {
            (
                path.display().to_string(),
                Bytes::from(std::fs::read(&path).unwrap()),
            )
        })
        .collect();
    found.sort();
    found
}

fn batch_of(records: &[Record], codec: Codec) -> RecordBatch {
    let mut builder = BatchBuilder::with_capacity(0);
    for record in records {
        builder.push(record).unwrap();
    }
    let built = builder.build(QueueOffset::ZERO, -1, TimestampKind::Create, codec);
    RecordBatch::parse(built.unwrap()).unwrap()
}

/// Records with everything a text property cannot hold.
fn odd_records() -> Vec<Record> {
    let header = |name: &'static [u8], value: Option<&'static [u8]>| Header {
        name: Bytes::from_static(name),
        value: value.map(Bytes::from_static),
    };
    let record = |key: Option<&'static [u8]>, value: Option<&'static [u8]>, headers| Record {
        key: key.map(Bytes::from_static),
        value: value.map(Bytes::from_static),
        headers,
        timestamp: Timestamp::from_millis(1_700_000_000_000),
    };
    vec![
        record(Some(b"k"), None, vec![]),
        record(None, Some(b""), vec![header(b"TAGS", Some(b"t"))]),
        record(
            Some(b""),
            Some(b"v"),
            vec![header(b"n", None), header(b"e", Some(b""))],
        ),
        record(
            Some(b"\xff\x01"),
            Some(b"v"),
            vec![
                header(b"a", Some(b"1")),
                header(b"a", Some(b"\x02")),
                header(b"KEYS", Some(b"x")),
            ],
        ),
        record(
            Some("schlüssel".as_bytes()),
            Some(b"v"),
            vec![header(b"b", Some(b"\xff"))],
        ),
    ]
}

#[test]
fn a_rocketmq_reader_gets_every_record_of_every_kafka_producer() {
    let log = Log::new();
    let mut expected = Vec::new();
    let odd = [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ]
    .map(|codec| batch_of(&odd_records(), codec));
    let stock = golden()
        .into_iter()
        .map(|(_, bytes)| RecordBatch::parse(bytes).unwrap());
    // The idempotent batches come from several runs with the same producer id: each its own log.
    for batch in stock
        .filter(|batch| !batch.header().is_idempotent())
        .chain(odd)
    {
        let base = log.produce(Payload::Batch(batch.clone()));
        for view in &batch.records().unwrap() {
            let view = view.unwrap();
            expected.push((base + u64::from(view.offset_delta), view.to_record()));
        }
    }
    assert!(expected.len() > 60);
    let messages = log.messages();
    assert_eq!(messages.len(), expected.len());
    for ((offset, message), (expected_offset, record)) in messages.iter().zip(&expected) {
        assert_eq!(offset, expected_offset);
        assert_eq!(message.born_at, record.timestamp);
        assert_eq!(message.body, record.value.clone().unwrap_or_default());
        assert_eq!(
            message.properties.tag(),
            message_of(record).properties.tag()
        );
        assert_eq!(&record_of(message), record, "nothing is lost");
    }
}

#[test]
fn a_kafka_reader_gets_what_a_kafka_producer_sent_byte_for_byte() {
    for (name, bytes) in golden() {
        let log = Log::new();
        log.produce(Payload::Message(Message::new(
            Bytes::from_static(b"before"),
            Timestamp::from_millis(1),
        )));
        let base = log.produce(Payload::Batch(RecordBatch::parse(bytes.clone()).unwrap()));
        let batches = log.client.batches(&log.fetch(base)).unwrap();
        assert_eq!(batches.len(), 1, "{name}");
        assert_eq!(batches[0][..8], base.to_be_bytes(), "{name}");
        assert_eq!(batches[0][8..12], bytes[8..12], "{name}");
        assert_eq!(batches[0][16..], bytes[16..], "{name}");
    }
}

#[test]
fn a_kafka_reader_gets_every_field_of_a_rocketmq_message_between_batches() {
    let log = Log::new();
    let pairs = [
        ("TAGS", "t"),
        ("KEYS", "a b"),
        ("UNIQ_KEY", "7F01"),
        ("user", "größe"),
    ];
    let mut native = Message::new(Bytes::from_static(b"body"), Timestamp::from_millis(99));
    native.properties = Properties::from_pairs(pairs).unwrap();
    let odd = odd_records();
    log.produce(Payload::Message(native.clone()));
    log.produce(Payload::Message(native.clone()));
    log.produce(Payload::Batch(batch_of(&odd, Codec::Zstd)));
    log.produce(Payload::Message(native.clone()));
    let records = log.records();
    let offsets: Vec<u64> = records.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, (0..8).collect::<Vec<_>>());
    for at in [0, 1, 7] {
        let record = &records[at].1;
        assert_eq!(record, &record_of(&native));
        assert_eq!(record.key.as_deref(), Some(&b"a b"[..]));
        assert_eq!(record.timestamp, native.born_at);
    }
    let between = records[2..7].iter().map(|(_, record)| record);
    assert!(between.eq(&odd));
}

#[test]
fn a_batch_that_cannot_be_read_stops_no_reader() {
    let log = Log::new();
    let good = batch_of(&odd_records(), Codec::None);
    // Gzip by its attributes, and no gzip in it; the checksum is right.
    let mut bytes = good.bytes().to_vec();
    bytes[22] = 1;
    let crc = crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    let unreadable = RecordBatch::parse(bytes.into()).unwrap();
    log.produce(Payload::Batch(unreadable.clone()));
    let base = log.produce(Payload::Batch(good));
    assert_eq!(base, 5, "its offsets are taken");
    let messages = log.messages();
    assert_eq!(messages.len(), 5);
    assert_eq!(messages[0].0, base);
    let batches = log.client.batches(&log.fetch(0)).unwrap();
    assert_eq!(
        batches[0][16..],
        unreadable.bytes()[16..],
        "a Kafka reader gets it as it was sent"
    );
}
