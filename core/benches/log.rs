//! What the log costs: appending messages and batches, alone and many at once, and fetching.
//! `cargo bench -p gantry-core --bench log -- [batches records]…`
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
use gantry_core::model::{
    Message, Properties, QueueId, QueueOffset, Record, SystemClock, Timestamp, TopicName,
};
use gantry_core::{Broker, Client, Config, Durability, FetchQueue, Payload, ProduceItem, Topic};
use std::sync::Arc;
use timing::Bench;

const BYTES: usize = 1024;

fn main() {
    let bench = Bench::from_arguments();
    let directory = tempfile::tempdir().unwrap();
    let broker = Broker::open(directory.path(), Config::default(), Arc::new(SystemClock)).unwrap();
    let client = broker.anonymous();
    let topic = client
        .topic_or_create(&TopicName::new("bench").unwrap(), Some(16))
        .unwrap();
    for count in [1, 16, 64] {
        bench.run(
            &format!("append {count} messages of 1 KiB"),
            count,
            count * BYTES,
            || client.produce(messages(&topic, count), Durability::Appended),
        );
    }
    for (batches, records) in bench.size_pairs(&[(1, 16), (1, 128), (8, 128)]) {
        let batch = batch(records);
        let name = format!("append {batches} batches of {records} x 1 KiB");
        bench.run(&name, batches * records, batches * records * BYTES, || {
            client.produce(batch_items(&topic, &batch, batches), Durability::Appended)
        });
    }
    fetch(&bench, &client, &topic);
    broker.shutdown().unwrap();
}

fn fetch(bench: &Bench, client: &Client, topic: &Arc<Topic>) {
    let messages = client
        .topic_or_create(&TopicName::new("single").unwrap(), Some(1))
        .unwrap();
    for _ in 0..64 {
        client.produce(messages_of(&messages, 32, 1), Durability::Appended);
    }
    let wanted = |topic: &Arc<Topic>, count| FetchQueue {
        topic: Arc::clone(topic),
        queue: QueueId::new(0),
        offset: QueueOffset::ZERO,
        bytes_max: 1 << 20,
        messages_max: count,
        filter: None,
    };
    bench.run("fetch 32 messages of 1 KiB", 32, 32 * BYTES, || {
        client.fetch_now(&[wanted(&messages, 32)], 1 << 20)
    });
    let batch = batch(128);
    for _ in 0..8 {
        client.produce(batch_items(topic, &batch, 1), Durability::Appended);
    }
    bench.run(
        "fetch 1 MiB of batches of 128 x 1 KiB",
        1024,
        1 << 20,
        || client.fetch_now(&[wanted(topic, u32::MAX)], 1 << 20),
    );
}

fn messages(topic: &Arc<Topic>, count: usize) -> Vec<ProduceItem> {
    messages_of(topic, count, 16)
}

fn messages_of(topic: &Arc<Topic>, count: usize, queues: u32) -> Vec<ProduceItem> {
    let properties = [
        ("UNIQ_KEY", "7F00000100002A139A55000000000001"),
        ("WAIT", "true"),
    ];
    let mut message = Message::new(Bytes::from(vec![7; BYTES]), Timestamp::from_millis(1));
    message.properties = Properties::from_pairs(properties).unwrap();
    let item = |queue| ProduceItem {
        topic: Arc::clone(topic),
        queue: QueueId::new(queue % queues),
        payload: Payload::Message(message.clone()),
        also: Vec::new(),
    };
    (0_u32..).take(count).map(item).collect()
}

fn batch(records: usize) -> RecordBatch {
    let mut builder = BatchBuilder::with_capacity(records * BYTES);
    let value = Some(Bytes::from(vec![7; BYTES]));
    for _ in 0..records {
        builder
            .push(&Record {
                value: value.clone(),
                ..Record::default()
            })
            .unwrap();
    }
    let bytes = builder
        .build(QueueOffset::ZERO, -1, TimestampKind::Create, Codec::None)
        .unwrap();
    RecordBatch::parse(bytes).unwrap()
}

fn batch_items(topic: &Arc<Topic>, batch: &RecordBatch, count: usize) -> Vec<ProduceItem> {
    let item = |queue| ProduceItem {
        topic: Arc::clone(topic),
        queue: QueueId::new(queue % 16),
        payload: Payload::Batch(batch.clone()),
        also: Vec::new(),
    };
    (0_u32..).take(count).map(item).collect()
}
